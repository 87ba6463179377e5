// RUN: printf 'abcdefghijklmnopabcdefghijklmnopABCDEFGHIJKLMNOP' > %t.bin
// RUN: sed 's|FILE|%t.bin|' %s > %t.mlir
// RUN: mtc-opt %t.mlir --mt-share-weights | %FileCheck %s
// RUN: sed 's|FILE|%t.nowhere|' %s > %t.nowhere.mlir
// RUN: mtc-opt %t.nowhere.mlir --mt-share-weights | %FileCheck %s --check-prefix=UNREAD

// CHECK-LABEL: mt.program @p
mt.program @p {
  // Equal bytes at two places of a file are one weight, under the first's name.
  // CHECK: mt.weight @a0 :
  mt.weight @a0 : tensor<4xf32> from("FILE" at 0)
  // CHECK-NOT: mt.weight @a16
  mt.weight @a16 : tensor<4xf32> from("FILE" at 16)
  // Other bytes are not.
  // CHECK: mt.weight @b :
  mt.weight @b : tensor<4xf32> from("FILE" at 32)
  // Equal bytes of another type are not.
  // CHECK: mt.weight @i :
  mt.weight @i : tensor<4xi32> from("FILE" at 0)
  // The same place twice needs no reading.
  // CHECK-NOT: mt.weight @b_again
  mt.weight @b_again : tensor<4xf32> from("FILE" at 32)
  // Equal values.
  // CHECK: mt.weight @v :
  mt.weight @v : tensor<2xf32> value(dense<[1.0, 2.0]> : tensor<2xf32>)
  // CHECK-NOT: mt.weight @v_again
  mt.weight @v_again : tensor<2xf32> value(dense<[1.0, 2.0]> : tensor<2xf32>)
  // Expressions that become equal when their sources are merged, in two steps. The user comes first in the text.
  // CHECK: mt.weight @dd : tensor<4xf32> derive(@d)
  mt.weight @dd : tensor<4xf32> derive(@d) {
  ^bb0(%x: tensor<4xf32>):
    %s = linalg.add ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
    mt.yield %s : tensor<4xf32>
  }
  // CHECK-NOT: mt.weight @ee
  mt.weight @ee : tensor<4xf32> derive(@e) {
  ^bb0(%x: tensor<4xf32>):
    %s = linalg.add ins(%x, %x : tensor<4xf32>, tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
    mt.yield %s : tensor<4xf32>
  }
  // CHECK: mt.weight @d : tensor<4xf32> derive(@a0, @b)
  mt.weight @d : tensor<4xf32> derive(@a0, @b) {
  ^bb0(%x: tensor<4xf32>, %y: tensor<4xf32>):
    %s = linalg.sub ins(%x, %y : tensor<4xf32>, tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
    mt.yield %s : tensor<4xf32>
  }
  // CHECK-NOT: mt.weight @e :
  mt.weight @e : tensor<4xf32> derive(@a16, @b_again) {
  ^bb0(%x: tensor<4xf32>, %y: tensor<4xf32>):
    %s = linalg.sub ins(%x, %y : tensor<4xf32>, tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
    mt.yield %s : tensor<4xf32>
  }
  // Another order of sources is another weight.
  // CHECK: mt.weight @swapped : tensor<4xf32> derive(@b, @a0)
  mt.weight @swapped : tensor<4xf32> derive(@b, @a16) {
  ^bb0(%x: tensor<4xf32>, %y: tensor<4xf32>):
    %s = linalg.sub ins(%x, %y : tensor<4xf32>, tensor<4xf32>) outs(%x : tensor<4xf32>) -> tensor<4xf32>
    mt.yield %s : tensor<4xf32>
  }
  // A weight that nobody uses, and what only it used.
  // CHECK-NOT: mt.weight @unused
  mt.weight @unused : tensor<3xf32> derive(@unused_source) {
  ^bb0(%x: tensor<3xf32>):
    mt.yield %x : tensor<3xf32>
  }
  mt.weight @unused_source : tensor<3xf32> value(dense<0.0> : tensor<3xf32>)

  // CHECK-LABEL: mt.tenant @t
  mt.tenant @t {
    mt.entry @n1() {
      // CHECK: mt.get_weight @a0
      // CHECK: mt.get_weight @b
      // CHECK: mt.get_weight @i
      // CHECK: mt.get_weight @v
      // CHECK: mt.get_weight @v
      // CHECK: mt.get_weight @dd
      // CHECK: mt.get_weight @dd
      // CHECK: mt.get_weight @swapped
      %0 = mt.get_weight @a16 : tensor<4xf32>
      %1 = mt.get_weight @b_again : tensor<4xf32>
      %2 = mt.get_weight @i : tensor<4xi32>
      %3 = mt.get_weight @v : tensor<2xf32>
      %4 = mt.get_weight @v_again : tensor<2xf32>
      %5 = mt.get_weight @dd : tensor<4xf32>
      %6 = mt.get_weight @ee : tensor<4xf32>
      %7 = mt.get_weight @swapped : tensor<4xf32>
      mt.return
    }
  }
}

// Without the file only equal places are known to be equal.
// UNREAD: mt.weight @a16 :
// UNREAD: mt.weight @b :
// UNREAD-NOT: mt.weight @b_again
// UNREAD: mt.weight @v :
// UNREAD-NOT: mt.weight @v_again
// UNREAD: mt.weight @ee : tensor<4xf32> derive(@e)
// UNREAD: mt.weight @e : tensor<4xf32> derive(@a16, @b)
