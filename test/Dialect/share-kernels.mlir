// RUN: mtc-opt %s --mt-share-kernels | %FileCheck %s

#id = affine_map<(i) -> (i)>

// CHECK-LABEL: mt.program @p
mt.program @p {
  // The first of equal kernels stays; names, names of values and locations do not count.
  // CHECK: mt.kernel @relu_a
  mt.kernel @relu_a kind(elementwise) (%x: tensor<8xf32>) -> tensor<8xf32> {
    %c = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8xf32>
    %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
        ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %m = arith.maximumf %a, %c : f32
      linalg.yield %m : f32
    } -> tensor<8xf32>
    mt.yield %r : tensor<8xf32>
  }
  // CHECK-NOT: mt.kernel @relu_b
  mt.kernel @relu_b kind(elementwise) (%in: tensor<8xf32>) -> tensor<8xf32> {
    %zero = arith.constant 0.0 : f32
    %empty = tensor.empty() : tensor<8xf32>
    %out = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
        ins(%in : tensor<8xf32>) outs(%empty : tensor<8xf32>) {
    ^bb0(%p: f32, %q: f32):
      %m = arith.maximumf %p, %zero : f32 loc("other")
      linalg.yield %m : f32
    } -> tensor<8xf32>
    mt.yield %out : tensor<8xf32>
  }
  // Another constant is another kernel.
  // CHECK: mt.kernel @relu_1
  mt.kernel @relu_1 kind(elementwise) (%x: tensor<8xf32>) -> tensor<8xf32> {
    %c = arith.constant 1.0 : f32
    %e = tensor.empty() : tensor<8xf32>
    %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
        ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %m = arith.maximumf %a, %c : f32
      linalg.yield %m : f32
    } -> tensor<8xf32>
    mt.yield %r : tensor<8xf32>
  }
  // Swapped operands are another kernel.
  // CHECK: mt.kernel @first
  mt.kernel @first kind(move) (%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
    mt.yield %x : tensor<8xf32>
  }
  // CHECK: mt.kernel @second
  mt.kernel @second kind(move) (%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
    mt.yield %y : tensor<8xf32>
  }
  // So is another kind, another numerics class.
  // CHECK: mt.kernel @first_opaque
  mt.kernel @first_opaque kind(opaque) (%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
    mt.yield %x : tensor<8xf32>
  }
  // CHECK: mt.kernel @first_split
  mt.kernel @first_split kind(move) (%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> numerics("k2") {
    mt.yield %x : tensor<8xf32>
  }
  // What nobody uses goes.
  // CHECK-NOT: mt.kernel @unused
  mt.kernel @unused kind(move) (%x: tensor<9xf32>) -> tensor<9xf32> {
    mt.yield %x : tensor<9xf32>
  }
  // CHECK-LABEL: mt.tenant @a
  mt.tenant @a {
    mt.entry @n1(%x: tensor<8xf32> {mt.name = "x"}) -> (tensor<8xf32> {mt.name = "y"}) {
      // CHECK: mt.task 0 @relu_a
      %0 = mt.task 0 @relu_a(%x) : (tensor<8xf32>) -> tensor<8xf32>
      // CHECK: mt.task 1 @relu_1
      %1 = mt.task 1 @relu_1(%0) : (tensor<8xf32>) -> tensor<8xf32>
      // CHECK: mt.task 2 @first(
      %2 = mt.task 2 @first(%1, %0) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
      // CHECK: mt.task 3 @second(
      %3 = mt.task 3 @second(%2, %0) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
      // CHECK: mt.task 4 @first_opaque(
      %4 = mt.task 4 @first_opaque(%3, %0) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
      // CHECK: mt.task 5 @first_split(
      %5 = mt.task 5 @first_split(%4, %0) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
      mt.return %5 : tensor<8xf32>
    }
  }
  // The use in another tenant follows.
  // CHECK-LABEL: mt.tenant @b
  mt.tenant @b {
    mt.entry @n1(%x: tensor<8xf32> {mt.name = "x"}) -> (tensor<8xf32> {mt.name = "y"}) {
      // CHECK: mt.task 0 @relu_a
      %y = mt.task 0 @relu_b(%x) : (tensor<8xf32>) -> tensor<8xf32>
      mt.return %y : tensor<8xf32>
    }
  }
}
