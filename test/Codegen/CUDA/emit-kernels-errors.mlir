// RUN: mtc-opt %s --mt-emit-cuda-kernels --split-input-file --verify-diagnostics

mt.program @p target("cuda:sm_80") {
  // expected-error @+1 {{has no variants; run mt-tune-cuda-kernels first}}
  mt.kernel @k kind(move) (%x: tensor<4xf32>) -> tensor<4xf32> {
    mt.yield %x : tensor<4xf32>
  }
}

// -----

mt.program @p target("cuda:sm_80") {
  // expected-error @+1 {{has a config of no known emitter}}
  mt.kernel @k kind(move) (%x: tensor<4xf32>) -> tensor<4xf32>
      variants [#mt.variant<config = {emitter = "warp"}, tiles = [1], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
    mt.yield %x : tensor<4xf32>
  }
}

// A format that nobody knows; then more shared memory than a block has.
// -----

mt.program @p target("cuda:sm_80") {
  // expected-error @+1 {{does not fit its config}}
  mt.kernel @format kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32>
      variants [#mt.variant<config = {emitter = "contraction", mma = "f64", bm = 64, bn = 64, bk = 32, wm = 32, wn = 32, stages = 2}, tiles = [1], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8x8xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<8x8xf32>
    mt.yield %c : tensor<8x8xf32>
  }
}

// -----

mt.program @p target("cuda:sm_80") {
  // expected-error @+1 {{does not fit its config}}
  mt.kernel @shared kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32>
      variants [#mt.variant<config = {emitter = "contraction", mma = "tf32", bm = 256, bn = 256, bk = 16, wm = 64, wn = 64, stages = 8}, tiles = [1], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8x8xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<8x8xf32>
    mt.yield %c : tensor<8x8xf32>
  }
}
