// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-unroll-recurrences))' --verify-diagnostics %s

// Long sequences are not written out.
mt.program @p {
  mt.tenant @t {
    mt.entry @n1(%x: tensor<257x3xf32> {mt.name = "x"}, %h: tensor<3xf32> {mt.name = "h"}) -> (tensor<3xf32> {mt.name = "l"}) {
      // expected-error @+1 {{'mt.recurrence' op has 257 steps; this target runs at most 256}}
      %l = mt.recurrence inputs(%x : tensor<257x3xf32>) states(%h : tensor<3xf32>) invariants() {
      ^bb0(%slice: tensor<3xf32>, %state: tensor<3xf32>):
        %e = tensor.empty() : tensor<3xf32>
        %s = linalg.add ins(%slice, %state : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) -> tensor<3xf32>
        mt.yield %s : tensor<3xf32>
      } : tensor<3xf32>
      mt.return %l : tensor<3xf32>
    }
  }
}
