// RUN: mtc-opt %s --pass-pipeline='builtin.module(mt.program(mt-tune-cuda-kernels))' | %FileCheck %s
// RUN: mtc-opt %s --pass-pipeline='builtin.module(mt.program(mt-tune-cuda-kernels{plain=true}))' | %FileCheck %s --check-prefix=PLAIN

mt.program @p target("cuda:sm_90a") {
  // Large tiles for a granule, small ones for the whole device: a variant for each, the first for a quarter.
  // CHECK-LABEL: mt.kernel @product
  // CHECK-SAME: bm = 64 : i64, bn = 64 : i64, {{[^>]*}}tiles = [32],
  // CHECK-SAME: bm = 32 : i64, bn = 32 : i64, {{[^>]*}}tiles = [128],
  // CHECK-SAME: bm = 128 : i64, bn = 128 : i64, {{[^>]*}}tiles = [8],
  // PLAIN-LABEL: mt.kernel @product
  // PLAIN-SAME: emitter = "phases"
  // PLAIN-NOT: emitter
  mt.kernel @product kind(contraction) (%x: tensor<1x512x1024xf32>, %w: tensor<1024x256xf32>) -> tensor<1x512x256xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x512x256xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x512x256xf32>) -> tensor<1x512x256xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(b,m,n,k) -> (b,m,k)>, affine_map<(b,m,n,k) -> (k,n)>, affine_map<(b,m,n,k) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x512x1024xf32>, tensor<1024x256xf32>) outs(%f : tensor<1x512x256xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x512x256xf32>
    mt.yield %c : tensor<1x512x256xf32>
  }

  // No share gains more than a few percent: one variant.
  // CHECK-LABEL: mt.kernel @small
  // CHECK-SAME: emitter = "contraction"
  // CHECK-NOT: emitter
  // PLAIN-LABEL: mt.kernel @small
  mt.kernel @small kind(contraction) (%x: tensor<1x8x16xf32>, %w: tensor<16x64xf32>) -> tensor<1x8x64xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x8x64xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x8x64xf32>) -> tensor<1x8x64xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(b,m,n,k) -> (b,m,k)>, affine_map<(b,m,n,k) -> (k,n)>, affine_map<(b,m,n,k) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x8x16xf32>, tensor<16x64xf32>) outs(%f : tensor<1x8x64xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x8x64xf32>
    mt.yield %c : tensor<1x8x64xf32>
  }
}
