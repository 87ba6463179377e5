// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-form-tasks))' %s | %FileCheck %s

// Control flow stays one task of its entry. What it reads lies in memory: a filled tensor, which kernels make inside, is
// stored first, also behind a view. Bodies are entries to every pass; what a body only passes on is copied.
mt.program @p {
  mt.weight @t.n : tensor<i64> value(dense<4> : tensor<i64>)
  mt.tenant @t {
    // CHECK-LABEL: mt.entry @n1.0
    // CHECK-SAME: %[[I:.*]]: tensor<i64> {mt.name = "i"}, %[[C:.*]]: tensor<i8> {mt.name = "c"}, %[[S:.*]]: tensor<2x4xf32> {mt.name = "s"}
    // CHECK-SAME: attributes {is_body}
    // CHECK-DAG: %[[MORE:.*]] = mt.task {{[01]}} @elementwise_{{.}}(%[[C]])
    // CHECK-DAG: %[[NEXT:.*]] = mt.task {{[01]}} @elementwise_{{.}}(%[[S]])
    // CHECK: mt.return %[[MORE]], %[[NEXT]]
    mt.entry @n1.0(%i: tensor<i64> {mt.name = "i"}, %c: tensor<i8> {mt.name = "c"}, %s: tensor<2x4xf32> {mt.name = "s"}) -> (tensor<i8> {mt.name = "m"}, tensor<2x4xf32> {mt.name = "t"}) attributes {is_body} {
      %e = tensor.empty() : tensor<2x4xf32>
      %t = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
      ^bb0(%a: f32, %o: f32):
        %m = math.exp %a : f32
        linalg.yield %m : f32
      } -> tensor<2x4xf32>
      mt.return %c, %t : tensor<i8>, tensor<2x4xf32>
    }
    // CHECK-LABEL: mt.entry @n1(
    // CHECK-SAME: %[[C:.*]]: tensor<i8>
    // CHECK: %[[N:.*]] = mt.get_weight @t.n
    // CHECK: %[[FILLED:.*]] = mt.task 0 @elementwise_{{.}}() : () -> tensor<8xf32>
    // CHECK: %[[VIEW:.*]] = tensor.expand_shape %[[FILLED]]
    // CHECK: %[[Y:.*]] = mt.region_task 1 loop [@n1.0](%[[C]], %[[N]]) carry(%[[VIEW]])
    // CHECK: mt.return %[[Y]]
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}) -> (tensor<2x4xf32> {mt.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<8xf32>
      %f = linalg.fill ins(%zero : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
      %v = tensor.expand_shape %f [[0, 1]] output_shape [2, 4] : tensor<8xf32> into tensor<2x4xf32>
      %n = mt.get_weight @t.n : tensor<i64>
      %y = mt.region_task 0 loop [@n1.0](%c, %n) carry(%v) max_trips(10) expected(4) : (tensor<i8>, tensor<i64>, tensor<2x4xf32>) -> tensor<2x4xf32>
      mt.return %y : tensor<2x4xf32>
    }
  }
}
