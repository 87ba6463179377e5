// RUN: mtc-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(mt-emit-kernels)'

mt.program @p target("host:x86-64-v4,cores=1") {
  // expected-error @+1 {{has no variants; run mt-tune-kernels first}}
  mt.kernel @k kind(move) (%x: tensor<4xf32>) -> tensor<4xf32> {
    mt.yield %x : tensor<4xf32>
  }
}

// -----

mt.program @p target("host:x86-64-v4,cores=1") {
  // expected-error @+1 {{has a config of no known emitter: {emitter = "magic"}}}
  mt.kernel @k kind(move) (%x: tensor<4xf32>) -> tensor<4xf32>
      variants [#mt.variant<config = {emitter = "magic"}, tiles = [1], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
    mt.yield %x : tensor<4xf32>
  }
}

// -----

mt.program @p target("host:x86-64-v4,cores=1") {
  // expected-error @+1 {{does not fit its config: {emitter = "contraction", lanes = 16 : i64}}}
  mt.kernel @k kind(move) (%x: tensor<4xf32>) -> tensor<4xf32>
      variants [#mt.variant<config = {emitter = "contraction", lanes = 16}, tiles = [1], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
    mt.yield %x : tensor<4xf32>
  }
}
