// RUN: mtc-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(mt.program(mt-tune-kernels))'

// expected-error @+1 {{target 'host:x86-64-v7': unknown level 'x86-64-v7'; known levels: x86-64-v3, x86-64-v4}}
mt.program @p target("host:x86-64-v7") {
}

// -----

// An operation that no emitter knows is named, in the kernel where it stands.
mt.program @p target("host:x86-64-v4,cores=1") {
  mt.kernel @k kind(opaque) (%x: tensor<4xf32>) -> tensor<4xf32> {
    // expected-error @+1 {{cannot be part of a host kernel}}
    %r = tensor.generate {
    ^bb0(%i: index):
      %v = tensor.extract %x[%i] : tensor<4xf32>
      tensor.yield %v : f32
    } : tensor<4xf32>
    mt.yield %r : tensor<4xf32>
  }
}
