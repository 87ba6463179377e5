// RUN: mtc-opt %s --split-input-file --allow-unregistered-dialect --verify-diagnostics

// Recurrence C1: an input.
mt.program @p {
  mt.kernel @k kind(recurrence) (%x: tensor<4x8xf32>, %z: tensor<5x8xf32>, %h: tensor<8xf32>) -> tensor<8xf32> {
    // expected-error @+1 {{'mt.recurrence' op C1: needs an input}}
    %l = mt.recurrence inputs() states(%h : tensor<8xf32>) invariants() {
    ^bb0(%b: tensor<8xf32>):
      mt.yield %b : tensor<8xf32>
    } : tensor<8xf32>
    mt.yield %l : tensor<8xf32>
  }
}

// -----

// Recurrence C1: as many slices of every input.
mt.program @p {
  mt.kernel @k kind(recurrence) (%x: tensor<4x8xf32>, %z: tensor<5x8xf32>, %h: tensor<8xf32>) -> tensor<8xf32> {
    // expected-error @+1 {{'mt.recurrence' op C1: all inputs and outputs must have the same number of steps as first dim, got 'tensor<5x8xf32>'}}
    %l = mt.recurrence inputs(%x, %z : tensor<4x8xf32>, tensor<5x8xf32>) states(%h : tensor<8xf32>) invariants() {
    ^bb0(%a: tensor<8xf32>, %c: tensor<8xf32>, %b: tensor<8xf32>):
      mt.yield %b : tensor<8xf32>
    } : tensor<8xf32>
    mt.yield %l : tensor<8xf32>
  }
}

// -----

// Recurrence C2: the body takes slices, not wholes.
mt.program @p {
  mt.kernel @k kind(recurrence) (%x: tensor<4x8xf32>, %z: tensor<5x8xf32>, %h: tensor<8xf32>) -> tensor<8xf32> {
    // expected-error @+1 {{'mt.recurrence' op C2: the body must take ('tensor<8xf32>', 'tensor<8xf32>'), got ('tensor<4x8xf32>', 'tensor<8xf32>')}}
    %l = mt.recurrence inputs(%x : tensor<4x8xf32>) states(%h : tensor<8xf32>) invariants() {
    ^bb0(%a: tensor<4x8xf32>, %b: tensor<8xf32>):
      mt.yield %b : tensor<8xf32>
    } : tensor<8xf32>
    mt.yield %l : tensor<8xf32>
  }
}

// -----

// Recurrence C3: the last results are the states.
mt.program @p {
  mt.kernel @k kind(recurrence) (%x: tensor<4x8xf32>, %z: tensor<5x8xf32>, %h: tensor<8xf32>) -> tensor<8xf32> {
    // expected-error @+1 {{'mt.recurrence' op C3: the last results must be the states ('tensor<8xf32>'), got ('tensor<4x8xf32>')}}
    %l = mt.recurrence inputs(%x : tensor<4x8xf32>) states(%h : tensor<8xf32>) invariants() {
    ^bb0(%a: tensor<8xf32>, %b: tensor<8xf32>):
      mt.yield %b : tensor<8xf32>
    } : tensor<4x8xf32>
    mt.yield %h : tensor<8xf32>
  }
}

// -----

// Recurrence C3: a step yields slices of outputs.
mt.program @p {
  mt.kernel @k kind(recurrence) (%x: tensor<4x8xf32>, %z: tensor<5x8xf32>, %h: tensor<8xf32>) -> tensor<8xf32> {
    // expected-error @+1 {{'mt.recurrence' op C3: 'mt.yield' must have the result types ('tensor<8xf32>', 'tensor<8xf32>'), got ('tensor<8xf32>')}}
    %y, %l = mt.recurrence inputs(%x : tensor<4x8xf32>) states(%h : tensor<8xf32>) invariants() {
    ^bb0(%a: tensor<8xf32>, %b: tensor<8xf32>):
      mt.yield %b : tensor<8xf32>
    } : tensor<4x8xf32>, tensor<8xf32>
    mt.yield %l : tensor<8xf32>
  }
}
