// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-unroll-recurrences))' %s | %FileCheck %s
// Of those with weights of integers, what is large; others stay.
// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-unroll-recurrences{least-codes=60}))' %s | %FileCheck %s --check-prefix=LARGE
// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-unroll-recurrences{least-codes=61}))' %s | %FileCheck %s --check-prefix=SMALL
// LARGE-LABEL: mt.entry @n1
// LARGE: mt.recurrence
// LARGE-LABEL: mt.entry @codes
// LARGE-NOT: mt.recurrence
// SMALL-LABEL: mt.entry @codes
// SMALL: mt.recurrence

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#o = affine_map<(m, n, k) -> (m, n)>

mt.program @p {
  mt.tenant @t {
    // Each step reads its slice and the state of the step before; the slices of the output are put together in their
    // order, also when the last one is computed first.
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
    // CHECK-LABEL: mt.entry @codes
    // CHECK-NOT: mt.recurrence
    mt.entry @codes(%x: tensor<2x1x10xi32> {mt.name = "x"}, %h: tensor<1x6xi32> {mt.name = "h"}, %w: tensor<6x10xi32> {mt.name = "w"})
        -> (tensor<2x1x10xi32> {mt.name = "y"}, tensor<1x6xi32> {mt.name = "l"}) {
      %y, %l = mt.recurrence inputs(%x : tensor<2x1x10xi32>) states(%h : tensor<1x6xi32>) invariants(%w : tensor<6x10xi32>) {
      ^bb0(%slice: tensor<1x10xi32>, %state: tensor<1x6xi32>, %weight: tensor<6x10xi32>):
        %zero = arith.constant 0 : i32
        %e = tensor.empty() : tensor<1x10xi32>
        %f = linalg.fill ins(%zero : i32) outs(%e : tensor<1x10xi32>) -> tensor<1x10xi32>
        %p = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%state, %weight : tensor<1x6xi32>, tensor<6x10xi32>) outs(%f : tensor<1x10xi32>) {
        ^bb0(%u: i32, %v: i32, %acc: i32):
          %q = arith.muli %u, %v : i32
          %r = arith.addi %acc, %q : i32
          linalg.yield %r : i32
        } -> tensor<1x10xi32>
        mt.yield %p, %state : tensor<1x10xi32>, tensor<1x6xi32>
      } : tensor<2x1x10xi32>, tensor<1x6xi32>
      mt.return %y, %l : tensor<2x1x10xi32>, tensor<1x6xi32>
    }
  }
}
