// RUN: mtc-cuda-kernels %s | %FileCheck %s

// A block sums a row: lanes exchange by xor, warps through shared memory.
// CHECK: .maxntid 128, 1, 1
// CHECK: .shared .align 16
// CHECK: ld.global.nc.b32
// CHECK-COUNT-5: shfl.sync.bfly.b32
// CHECK: st.shared.b32
// CHECK: bar.sync
// CHECK: ld.shared
// CHECK: st.global.b32
mt.program @p target("cuda:sm_80") {
  mt.kernel @sum kind(rows) (%x: tensor<64x1000xf32>) -> tensor<64xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<64xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<64xf32>) -> tensor<64xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(i,j) -> (i,j)>, affine_map<(i,j) -> (i)>], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<64x1000xf32>) outs(%f : tensor<64xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.addf %o, %a : f32
      linalg.yield %s : f32
    } -> tensor<64xf32>
    mt.yield %y : tensor<64xf32>
  }
}
