// RUN: mtc-cuda-kernels %s | %FileCheck %s

// Tiles of both inputs in shared memory, two barriers a step, reads of 128 bits, fused multiply-adds, results
// of a group stored at once.
// CHECK: .maxntid {{[0-9]+}}, 1, 1
// CHECK: .shared .align 16
// CHECK: .shared .align 16
// CHECK: ld.global.nc.b32
// CHECK: bar.sync
// CHECK: st.shared.b32
// CHECK: bar.sync
// CHECK: ld.shared.v4.b32
// CHECK: fma.rn.f32
// CHECK: st.global.v4.b32
mt.program @p target("cuda:sm_90a") {
  mt.kernel @gemm kind(contraction) (%x: tensor<1x384x768xf32>, %w: tensor<768x768xf32>, %bias: tensor<768xf32>) -> tensor<1x384x768xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x384x768xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x384x768xf32>) -> tensor<1x384x768xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(b,m,n,k) -> (b,m,k)>, affine_map<(b,m,n,k) -> (k,n)>, affine_map<(b,m,n,k) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x384x768xf32>, tensor<768x768xf32>) outs(%f : tensor<1x384x768xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x384x768xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(b,m,n) -> (b,m,n)>, affine_map<(b,m,n) -> (n)>, affine_map<(b,m,n) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%c, %bias : tensor<1x384x768xf32>, tensor<768xf32>) outs(%e : tensor<1x384x768xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.addf %a, %b : f32
      %r = arith.maximumf %s, %z : f32
      linalg.yield %r : f32
    } -> tensor<1x384x768xf32>
    mt.yield %y : tensor<1x384x768xf32>
  }
}
