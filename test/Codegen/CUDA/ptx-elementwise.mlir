// RUN: mtc-cuda-kernels %s | %FileCheck %s

// A persistent loop over tiles from lo + ctaid in steps of the grid, one read through the read-only cache
// and one write an element; exp is a polynomial, so that no libdevice is called.
// CHECK: .target sm_90a
// CHECK-LABEL: .visible .entry
// CHECK-SAME: _p0(
// CHECK: .maxntid 256, 1, 1
// CHECK: mov.u32 {{.*}}, %ctaid.x;
// CHECK: setp.ge.s64
// CHECK: %nctaid.x;
// CHECK: ld.global.nc.b32
// CHECK-COUNT-5: fma.rn.f32
// CHECK-NOT: call
// CHECK: st.global.b32
// CHECK: ret;

// Of many elements a thread has neighbours, which it reads and writes together: four of f32, eight of f16.
// CHECK-LABEL: kernel many
// CHECK: ld.global.nc.v4.b32
// CHECK-NOT: ld.global
// CHECK: st.global.v4.b32
// CHECK-NOT: st.global
// CHECK-LABEL: kernel halves
// CHECK: ld.global.nc.v4.b32
// CHECK-NOT: ld.global
// CHECK: st.global.v4.b32
// CHECK-NOT: st.global
mt.program @p target("cuda:sm_90a") {
  mt.kernel @relu kind(elementwise) (%x: tensor<3x999xf32>) -> tensor<3x999xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<3x999xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(i,j) -> (i,j)>, affine_map<(i,j) -> (i,j)>], iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<3x999xf32>) outs(%e : tensor<3x999xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.maximumf %a, %z : f32
      %u = math.exp %s : f32
      linalg.yield %u : f32
    } -> tensor<3x999xf32>
    mt.yield %y : tensor<3x999xf32>
  }
  mt.kernel @many kind(elementwise) (%x: tensor<600x512xf32>) -> tensor<600x512xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<600x512xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(i,j) -> (i,j)>, affine_map<(i,j) -> (i,j)>], iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<600x512xf32>) outs(%e : tensor<600x512xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.maximumf %a, %z : f32
      linalg.yield %s : f32
    } -> tensor<600x512xf32>
    mt.yield %y : tensor<600x512xf32>
  }
  mt.kernel @halves kind(elementwise) (%x: tensor<600x1024xf16>) -> tensor<600x1024xf16> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<600x1024xf16>
    %y = linalg.generic {indexing_maps = [affine_map<(i,j) -> (i,j)>, affine_map<(i,j) -> (i,j)>], iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<600x1024xf16>) outs(%e : tensor<600x1024xf16>) {
    ^bb0(%a: f16, %o: f16):
      %w = arith.extf %a : f16 to f32
      %s = arith.maximumf %w, %z : f32
      %h = arith.truncf %s : f32 to f16
      linalg.yield %h : f16
    } -> tensor<600x1024xf16>
    mt.yield %y : tensor<600x1024xf16>
  }
}
