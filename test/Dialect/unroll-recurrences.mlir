// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-unroll-recurrences))' %s | %FileCheck %s
// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-unroll-recurrences{only-integers=true}))' %s | %FileCheck %s --check-prefix=INTEGERS

mt.program @p {
  mt.tenant @t {
    // Each step reads its slice and the state of the step before; the slices of the output are put together in their
    // order, also when the last one is computed first. A recurrence of floats stays where only integers are unrolled.
    // CHECK-LABEL: mt.entry @n1
    // CHECK-SAME: (%[[X:.*]]: tensor<2x3xf32> {{.*}}, %[[H:.*]]: tensor<3xf32> {{.*}}, %[[B:.*]]: tensor<3xf32>
    // CHECK-NOT: mt.recurrence
    // CHECK: %[[LAST:.*]] = tensor.extract_slice %[[X]][1, 0] [1, 3] [1, 1]
    // CHECK: %[[XL:.*]] = tensor.collapse_shape %[[LAST]] {{\[\[}}0, 1]]
    // CHECK: %[[S1:.*]] = linalg.add ins(%[[XL]], %[[H]]
    // CHECK: %[[H1:.*]] = linalg.mul ins(%[[S1]], %[[B]]
    // CHECK: %[[FIRST:.*]] = tensor.extract_slice %[[X]][0, 0] [1, 3] [1, 1]
    // CHECK: %[[XF:.*]] = tensor.collapse_shape %[[FIRST]]
    // CHECK: %[[S2:.*]] = linalg.add ins(%[[XF]], %[[H1]]
    // CHECK: %[[H2:.*]] = linalg.mul ins(%[[S2]], %[[B]]
    // CHECK: %[[Y0:.*]] = tensor.expand_shape %[[S2]]
    // CHECK: %[[Y1:.*]] = tensor.expand_shape %[[S1]]
    // CHECK: %[[Y:.*]] = tensor.concat dim(0) %[[Y0]], %[[Y1]]
    // CHECK: mt.return %[[Y]], %[[H2]]
    // INTEGERS: mt.recurrence reverse
    mt.entry @n1(%x: tensor<2x3xf32> {mt.name = "x"}, %h: tensor<3xf32> {mt.name = "h"}, %b: tensor<3xf32> {mt.name = "b"})
        -> (tensor<2x3xf32> {mt.name = "y"}, tensor<3xf32> {mt.name = "l"}) {
      %y, %l = mt.recurrence reverse inputs(%x : tensor<2x3xf32>) states(%h : tensor<3xf32>) invariants(%b : tensor<3xf32>) {
      ^bb0(%slice: tensor<3xf32>, %state: tensor<3xf32>, %factor: tensor<3xf32>):
        %e = tensor.empty() : tensor<3xf32>
        %s = linalg.add ins(%slice, %state : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) -> tensor<3xf32>
        %n = linalg.mul ins(%s, %factor : tensor<3xf32>, tensor<3xf32>) outs(%e : tensor<3xf32>) -> tensor<3xf32>
        mt.yield %s, %n : tensor<3xf32>, tensor<3xf32>
      } : tensor<2x3xf32>, tensor<3xf32>
      mt.return %y, %l : tensor<2x3xf32>, tensor<3xf32>
    }
  }
}
