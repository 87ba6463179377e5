// RUN: mtc-cuda-kernels %s | %FileCheck %s

// A weight that lies as stages want it comes by eight bulk copies of one thread, whose bytes the stage's mbarrier counts;
// no other thread reads it from memory.
// CHECK-LABEL: kernel gemm_f16
// CHECK-DAG: wgmma.mma_async.sync.aligned.m64n{{[0-9]+}}k16.f32.f16.f16
// CHECK-DAG: mbarrier.expect_tx.relaxed.cta.shared
// CHECK-COUNT-8: cp.async.bulk.shared::{{cta|cluster}}.global.mbarrier::complete_tx::bytes
// CHECK-NOT: cp.async.bulk
// CHECK: fence.proxy.async.shared::cta;

// CHECK-LABEL: kernel gemm_u8s8
// CHECK-DAG: wgmma.mma_async.sync.aligned.m64n{{[0-9]+}}k32.s32.u8.s8
// CHECK-COUNT-8: cp.async.bulk.shared::{{cta|cluster}}.global.mbarrier::complete_tx::bytes
mt.program @p target("cuda:sm_90a") {
  mt.kernel @gemm_f16 kind(contraction) (%x: tensor<384x768xf32>, %w: tensor<96x768x8xf16>) -> tensor<384x768xf32> numerics("contraction-k768-f16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<384x768xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<384x768xf32>) -> tensor<384x768xf32>
    %we = tensor.empty() : tensor<768x768xf16>
    %plain = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [8] into %we : tensor<96x768x8xf16> -> tensor<768x768xf16>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (n,k)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %plain : tensor<384x768xf32>, tensor<768x768xf16>) outs(%f : tensor<384x768xf32>) {
    ^bb0(%a: f32, %b: f16, %o: f32):
      %v = arith.extf %b : f16 to f32
      %p = arith.mulf %a, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<384x768xf32>
    mt.yield %c : tensor<384x768xf32>
  }
  mt.kernel @gemm_u8s8 kind(contraction) (%x: tensor<384x768xi8>, %w: tensor<48x768x16xi8>) -> tensor<384x768xi32> {
    %z = arith.constant 0 : i32
    %e = tensor.empty() : tensor<384x768xi32>
    %f = linalg.fill ins(%z : i32) outs(%e : tensor<384x768xi32>) -> tensor<384x768xi32>
    %we = tensor.empty() : tensor<768x768xi8>
    %plain = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [16] into %we : tensor<48x768x16xi8> -> tensor<768x768xi8>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (n,k)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %plain : tensor<384x768xi8>, tensor<768x768xi8>) outs(%f : tensor<384x768xi32>) {
    ^bb0(%a: i8, %b: i8, %o: i32):
      %u = arith.extui %a : i8 to i32
      %v = arith.extsi %b : i8 to i32
      %p = arith.muli %u, %v : i32
      %s = arith.addi %o, %p : i32
      linalg.yield %s : i32
    } -> tensor<384x768xi32>
    mt.yield %c : tensor<384x768xi32>
  }
}
