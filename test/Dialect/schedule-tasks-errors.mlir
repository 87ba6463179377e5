// RUN: mtc-opt %s --mt-schedule-tasks --split-input-file --verify-diagnostics
// RUN: not mtc-opt %S/schedule-tasks.mlir --mt-schedule-tasks=policy=nope 2>&1 | %FileCheck %s --check-prefix=POLICY

// An unknown policy.
// POLICY: error: 'mt.program' op unknown policy 'nope'; known: sequential, streams, apart, heft

// A kernel that nobody priced.
// expected-error @+1 {{entry 'a.n1': kernel 'k' has no variants}}
mt.program @p {
  mt.kernel @k kind(move) (%x: tensor<4xf32>) -> tensor<4xf32> {
    mt.yield %x : tensor<4xf32>
  }
  mt.tenant @a {
    mt.entry @n1(%x: tensor<4xf32> {mt.name = "x"}) -> (tensor<4xf32> {mt.name = "y"}) {
      %y = mt.task 0 @k(%x) : (tensor<4xf32>) -> tensor<4xf32>
      mt.return %y : tensor<4xf32>
    }
  }
}

// -----

// An input that is returned through a view.
// expected-error @+1 {{entry 'a.n1': result 0 is not produced by a task}}
mt.program @p {
  mt.tenant @a {
    mt.entry @n1(%x: tensor<4xf32> {mt.name = "x"}) -> (tensor<2x2xf32> {mt.name = "y"}) {
      %y = tensor.expand_shape %x [[0, 1]] output_shape [2, 2] : tensor<4xf32> into tensor<2x2xf32>
      mt.return %y : tensor<2x2xf32>
    }
  }
}

// -----

// A value that is returned twice.
// expected-error @+1 {{entry 'a.n1': result 1 is the same value as another result}}
mt.program @p {
  mt.kernel @k kind(move) (%x: tensor<4xf32>) -> tensor<4xf32>
      variants [#mt.variant<config = {}, tiles = [1], scratch = 0, granules = [1], ns = [1], origin = "measured">] {
    mt.yield %x : tensor<4xf32>
  }
  mt.tenant @a {
    mt.entry @n1(%x: tensor<4xf32> {mt.name = "x"}) -> (tensor<4xf32> {mt.name = "y"}, tensor<4xf32> {mt.name = "z"}) {
      %y = mt.task 0 @k(%x) : (tensor<4xf32>) -> tensor<4xf32>
      mt.return %y, %y : tensor<4xf32>, tensor<4xf32>
    }
  }
}

// -----

// Computation that is not in a task.
// expected-error @+1 {{entry 'a.n1': holds 'tensor.empty', which is neither a task nor a view}}
mt.program @p {
  mt.tenant @a {
    mt.entry @n1() -> (tensor<4xf32> {mt.name = "y"}) {
      %y = tensor.empty() : tensor<4xf32>
      mt.return %y : tensor<4xf32>
    }
  }
}
