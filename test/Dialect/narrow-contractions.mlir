// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-narrow-contractions))' %s | %FileCheck %s
// Every form is compared by value in PassesKeepValuesTest.cpp; here none of its contractions stays wide.
// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-narrow-contractions))' %S/Inputs/quantized.mlir | %FileCheck %s --check-prefix=ALL
// ALL-COUNT-12: {{arith.muli %[0-9]+, %[0-9]+ : i32[[:space:]]+%[0-9]+ = arith.addi}}
// ALL-NOT: {{arith.mul[if] %in, %in_[0-9]+}}

#id = affine_map<(i, j) -> (i, j)>
#none = affine_map<(i, j) -> ()>
#column = affine_map<(i, j) -> (j)>
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#o = affine_map<(m, n, k) -> (m, n)>

mt.program @p {
  mt.weight @w : tensor<6x10xi8> from("a.onnx" at 0)
  mt.tenant @t {
    // Unsigned codes with a zero point at run time times signed ones without: the sum over the weight, once, times the
    // zero point is subtracted. There is no sum over the left side.
    // CHECK-LABEL: mt.entry @dynamic
    // CHECK-SAME: (%[[A:[a-z0-9]+]]: tensor<5x6xi8> {{{.*}}}, %[[Z:[a-z0-9]+]]: tensor<i8> {
    // CHECK: %[[W:.*]] = mt.get_weight @w
    // CHECK: %[[S:.*]] = linalg.generic {{.*}}["parallel", "parallel", "reduction"]} ins(%[[A]], %[[W]] : tensor<5x6xi8>, tensor<6x10xi8>)
    // CHECK-NEXT: ^bb0(%[[X:.*]]: i8, %[[Y:.*]]: i8, %[[ACC:.*]]: i32):
    // CHECK-NEXT: %[[XW:.*]] = arith.extui %[[X]] : i8 to i32
    // CHECK-NEXT: %[[YW:.*]] = arith.extsi %[[Y]] : i8 to i32
    // CHECK-NEXT: %[[P:.*]] = arith.muli %[[XW]], %[[YW]]
    // CHECK-NEXT: arith.addi %[[ACC]], %[[P]]
    // CHECK: %[[T:.*]] = linalg.generic {{.*}}["parallel", "reduction"]} ins(%[[W]] : tensor<6x10xi8>)
    // CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%[[S]], %[[T]], %[[Z]] : tensor<5x10xi32>, tensor<10xi32>, tensor<i8>)
    // CHECK: arith.extui
    // CHECK: arith.muli
    // CHECK: arith.subi
    // CHECK: mt.return %[[R]]
    mt.entry @dynamic (%a: tensor<5x6xi8> {mt.name = "a"}, %z: tensor<i8> {mt.name = "z"}) -> (tensor<5x10xi32> {mt.name = "y"}) {
      %w = mt.get_weight @w : tensor<6x10xi8>
      %ae = tensor.empty() : tensor<5x6xi32>
      %aw = linalg.generic {indexing_maps = [#id, #none, #id], iterator_types = ["parallel", "parallel"]} ins(%a, %z : tensor<5x6xi8>, tensor<i8>) outs(%ae : tensor<5x6xi32>) {
      ^bb0(%c: i8, %d: i8, %out: i32):
        %e = arith.extui %c : i8 to i32
        %f = arith.extui %d : i8 to i32
        %g = arith.subi %e, %f : i32
        linalg.yield %g : i32
      } -> tensor<5x6xi32>
      %we = tensor.empty() : tensor<6x10xi32>
      %ww = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<6x10xi8>) outs(%we : tensor<6x10xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extsi %c : i8 to i32
        linalg.yield %e : i32
      } -> tensor<6x10xi32>
      %zero = arith.constant 0 : i32
      %ye = tensor.empty() : tensor<5x10xi32>
      %yf = linalg.fill ins(%zero : i32) outs(%ye : tensor<5x10xi32>) -> tensor<5x10xi32>
      %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%aw, %ww : tensor<5x6xi32>, tensor<6x10xi32>) outs(%yf : tensor<5x10xi32>) {
      ^bb0(%u: i32, %v: i32, %acc: i32):
        %q = arith.muli %u, %v : i32
        %r = arith.addi %acc, %q : i32
        linalg.yield %r : i32
      } -> tensor<5x10xi32>
      mt.return %y : tensor<5x10xi32>
    }

    // Two unsigned sides: the weight's codes change their sign by the highest bit, and so its zero point 128 becomes 0.
    // CHECK-LABEL: mt.entry @equal_signs
    // CHECK-SAME: (%[[A:[a-z0-9]+]]: tensor<5x6xi8> {
    // CHECK: %[[W:.*]] = mt.get_weight @w
    // CHECK: %[[F:.*]] = linalg.generic {{.*}} ins(%[[W]] : tensor<6x10xi8>)
    // CHECK: arith.xori
    // CHECK: %[[Y:.*]] = linalg.generic {{.*}} ins(%[[A]], %[[F]] : tensor<5x6xi8>, tensor<6x10xi8>)
    // CHECK: mt.return %[[Y]]
    mt.entry @equal_signs (%a: tensor<5x6xi8> {mt.name = "a"}) -> (tensor<5x10xi32> {mt.name = "y"}) {
      %w = mt.get_weight @w : tensor<6x10xi8>
      %half = arith.constant 128 : i32
      %ae = tensor.empty() : tensor<5x6xi32>
      %aw = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%a : tensor<5x6xi8>) outs(%ae : tensor<5x6xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extui %c : i8 to i32
        linalg.yield %e : i32
      } -> tensor<5x6xi32>
      %we = tensor.empty() : tensor<6x10xi32>
      %ww = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<6x10xi8>) outs(%we : tensor<6x10xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extui %c : i8 to i32
        %f = arith.subi %e, %half : i32
        linalg.yield %f : i32
      } -> tensor<6x10xi32>
      %zero = arith.constant 0 : i32
      %ye = tensor.empty() : tensor<5x10xi32>
      %yf = linalg.fill ins(%zero : i32) outs(%ye : tensor<5x10xi32>) -> tensor<5x10xi32>
      %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%aw, %ww : tensor<5x6xi32>, tensor<6x10xi32>) outs(%yf : tensor<5x10xi32>) {
      ^bb0(%u: i32, %v: i32, %acc: i32):
        %q = arith.muli %u, %v : i32
        %r = arith.addi %acc, %q : i32
        linalg.yield %r : i32
      } -> tensor<5x10xi32>
      mt.return %y : tensor<5x10xi32>
    }

    // A zero point for each place along the reduction cannot be taken out of the sum.
    // CHECK-LABEL: mt.entry @along_the_reduction
    // CHECK: ins(%{{.*}}, %{{.*}} : tensor<5x6xi32>, tensor<6x10xi32>)
    mt.entry @along_the_reduction (%a: tensor<5x6xi8> {mt.name = "a"}, %z: tensor<6xi8> {mt.name = "z"}) -> (tensor<5x10xi32> {mt.name = "y"}) {
      %w = mt.get_weight @w : tensor<6x10xi8>
      %ae = tensor.empty() : tensor<5x6xi32>
      %aw = linalg.generic {indexing_maps = [#id, #column, #id], iterator_types = ["parallel", "parallel"]} ins(%a, %z : tensor<5x6xi8>, tensor<6xi8>) outs(%ae : tensor<5x6xi32>) {
      ^bb0(%c: i8, %d: i8, %out: i32):
        %e = arith.extui %c : i8 to i32
        %f = arith.extui %d : i8 to i32
        %g = arith.subi %e, %f : i32
        linalg.yield %g : i32
      } -> tensor<5x6xi32>
      %we = tensor.empty() : tensor<6x10xi32>
      %ww = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<6x10xi8>) outs(%we : tensor<6x10xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extsi %c : i8 to i32
        linalg.yield %e : i32
      } -> tensor<6x10xi32>
      %zero = arith.constant 0 : i32
      %ye = tensor.empty() : tensor<5x10xi32>
      %yf = linalg.fill ins(%zero : i32) outs(%ye : tensor<5x10xi32>) -> tensor<5x10xi32>
      %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%aw, %ww : tensor<5x6xi32>, tensor<6x10xi32>) outs(%yf : tensor<5x10xi32>) {
      ^bb0(%u: i32, %v: i32, %acc: i32):
        %q = arith.muli %u, %v : i32
        %r = arith.addi %acc, %q : i32
        linalg.yield %r : i32
      } -> tensor<5x10xi32>
      mt.return %y : tensor<5x10xi32>
    }

    // A step of a recurrence multiplies codes, too: those of the weight are read from outside.
    // CHECK-LABEL: mt.entry @steps
    // CHECK: %[[W:.*]] = mt.get_weight @w
    // CHECK-NOT: linalg.generic
    // CHECK: mt.recurrence inputs({{.*}}) states({{.*}}) invariants(%[[W]] : tensor<6x10xi8>)
    // CHECK-NEXT: ^bb0(%{{.*}}: tensor<1x10xi32>, %[[H:.*]]: tensor<1x6xi8>, %[[V:.*]]: tensor<6x10xi8>):
    // CHECK: linalg.generic {{.*}} ins(%[[H]], %[[V]] : tensor<1x6xi8>, tensor<6x10xi8>)
    mt.entry @steps (%x: tensor<4x1x10xi32> {mt.name = "x"}, %h: tensor<1x6xi8> {mt.name = "h"})
        -> (tensor<4x1x10xi32> {mt.name = "y"}, tensor<1x6xi8> {mt.name = "l"}) {
      %w = mt.get_weight @w : tensor<6x10xi8>
      %we = tensor.empty() : tensor<6x10xi32>
      %ww = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<6x10xi8>) outs(%we : tensor<6x10xi32>) {
      ^bb0(%c: i8, %out: i32):
        %e = arith.extsi %c : i8 to i32
        linalg.yield %e : i32
      } -> tensor<6x10xi32>
      %y, %l = mt.recurrence inputs(%x : tensor<4x1x10xi32>) states(%h : tensor<1x6xi8>) invariants(%ww : tensor<6x10xi32>) {
      ^bb0(%slice: tensor<1x10xi32>, %state: tensor<1x6xi8>, %wide: tensor<6x10xi32>):
        %se = tensor.empty() : tensor<1x6xi32>
        %sw = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%state : tensor<1x6xi8>) outs(%se : tensor<1x6xi32>) {
        ^bb0(%c: i8, %out: i32):
          %e = arith.extui %c : i8 to i32
          linalg.yield %e : i32
        } -> tensor<1x6xi32>
        %zero = arith.constant 0 : i32
        %ye = tensor.empty() : tensor<1x10xi32>
        %yf = linalg.fill ins(%zero : i32) outs(%ye : tensor<1x10xi32>) -> tensor<1x10xi32>
        %p = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%sw, %wide : tensor<1x6xi32>, tensor<6x10xi32>) outs(%yf : tensor<1x10xi32>) {
        ^bb0(%u: i32, %v: i32, %acc: i32):
          %q = arith.muli %u, %v : i32
          %r = arith.addi %acc, %q : i32
          linalg.yield %r : i32
        } -> tensor<1x10xi32>
        %n = linalg.add ins(%p, %slice : tensor<1x10xi32>, tensor<1x10xi32>) outs(%ye : tensor<1x10xi32>) -> tensor<1x10xi32>
        mt.yield %n, %state : tensor<1x10xi32>, tensor<1x6xi8>
      } : tensor<4x1x10xi32>, tensor<1x6xi8>
      mt.return %y, %l : tensor<4x1x10xi32>, tensor<1x6xi8>
    }
  }
}
