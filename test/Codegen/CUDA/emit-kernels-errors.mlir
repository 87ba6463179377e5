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
