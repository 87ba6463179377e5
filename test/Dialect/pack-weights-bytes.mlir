// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-pack-weights{lanes=4}))' %s | %FileCheck %s

#a = affine_map<(m, n, k) -> (m, k)>
#at = affine_map<(m, n, k) -> (k, m)>
#b = affine_map<(m, n, k) -> (k, n)>
#o = affine_map<(m, n, k) -> (m, n)>

mt.program @p {
  mt.weight @t.w : tensor<6x10xi8> from("a.onnx" at 0)
  // Bytes of one sign times bytes of the other: groups of four along the reduction, padded with 0.
  // CHECK: mt.weight @t.w.packed : tensor<2x2x8x4xi8> derive(@t.w)
  // CHECK: linalg.pack %{{.*}} padding_value(%{{.*}} : i8) outer_dims_perm = [1, 0] inner_dims_pos = [1, 0] inner_tiles = [8, 4]
  // Of equal signs: one at a time.
  // CHECK: mt.weight @t.w.packed_0 : tensor<2x6x8xi8> derive(@t.w)
  // CHECK: linalg.pack %{{.*}} outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [8]

  // CHECK: mt.kernel @groups kind(contraction) (%[[X:.*]]: tensor<5x6xi8>, %[[P:.*]]: tensor<2x2x8x4xi8>)
  // CHECK: %[[W:.*]] = linalg.unpack %[[P]] outer_dims_perm = [1, 0] inner_dims_pos = [1, 0] inner_tiles = [8, 4]
  // CHECK: linalg.generic {{.*}} ins(%[[X]], %[[W]]
  mt.kernel @groups kind(contraction) (%x: tensor<5x6xi8>, %w: tensor<6x10xi8>) -> tensor<5x10xi32> {
    %zero = arith.constant 0 : i32
    %e = tensor.empty() : tensor<5x10xi32>
    %z = linalg.fill ins(%zero : i32) outs(%e : tensor<5x10xi32>) -> tensor<5x10xi32>
    %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<5x6xi8>, tensor<6x10xi8>) outs(%z : tensor<5x10xi32>) {
    ^bb0(%u: i8, %v: i8, %acc: i32):
      %c = arith.extui %u : i8 to i32
      %d = arith.extsi %v : i8 to i32
      %m = arith.muli %c, %d : i32
      %s = arith.addi %acc, %m : i32
      linalg.yield %s : i32
    } -> tensor<5x10xi32>
    mt.yield %y : tensor<5x10xi32>
  }
  // CHECK: mt.kernel @equal_signs kind(contraction) (%{{.*}}: tensor<5x6xi8>, %{{.*}}: tensor<2x6x8xi8>)
  mt.kernel @equal_signs kind(contraction) (%x: tensor<5x6xi8>, %w: tensor<6x10xi8>) -> tensor<5x10xi32> {
    %zero = arith.constant 0 : i32
    %e = tensor.empty() : tensor<5x10xi32>
    %z = linalg.fill ins(%zero : i32) outs(%e : tensor<5x10xi32>) -> tensor<5x10xi32>
    %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<5x6xi8>, tensor<6x10xi8>) outs(%z : tensor<5x10xi32>) {
    ^bb0(%u: i8, %v: i8, %acc: i32):
      %c = arith.extsi %u : i8 to i32
      %d = arith.extsi %v : i8 to i32
      %m = arith.muli %c, %d : i32
      %s = arith.addi %acc, %m : i32
      linalg.yield %s : i32
    } -> tensor<5x10xi32>
    mt.yield %y : tensor<5x10xi32>
  }
  // The other side is not contiguous along the reduction: one at a time.
  // CHECK: mt.kernel @transposed kind(contraction) (%{{.*}}: tensor<6x5xi8>, %{{.*}}: tensor<2x6x8xi8>)
  mt.kernel @transposed kind(contraction) (%x: tensor<6x5xi8>, %w: tensor<6x10xi8>) -> tensor<5x10xi32> {
    %zero = arith.constant 0 : i32
    %e = tensor.empty() : tensor<5x10xi32>
    %z = linalg.fill ins(%zero : i32) outs(%e : tensor<5x10xi32>) -> tensor<5x10xi32>
    %y = linalg.generic {indexing_maps = [#at, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<6x5xi8>, tensor<6x10xi8>) outs(%z : tensor<5x10xi32>) {
    ^bb0(%u: i8, %v: i8, %acc: i32):
      %c = arith.extui %u : i8 to i32
      %d = arith.extsi %v : i8 to i32
      %m = arith.muli %c, %d : i32
      %s = arith.addi %acc, %m : i32
      linalg.yield %s : i32
    } -> tensor<5x10xi32>
    mt.yield %y : tensor<5x10xi32>
  }
  mt.tenant @t {
    mt.entry @n1(%x: tensor<5x6xi8> {mt.name = "x"}, %t: tensor<6x5xi8> {mt.name = "t"}) -> (tensor<5x10xi32> {mt.name = "a"}, tensor<5x10xi32> {mt.name = "b"}, tensor<5x10xi32> {mt.name = "c"}) {
      %w = mt.get_weight @t.w : tensor<6x10xi8>
      %a = mt.task 0 @groups(%x, %w) : (tensor<5x6xi8>, tensor<6x10xi8>) -> tensor<5x10xi32>
      %b = mt.task 1 @equal_signs(%x, %w) : (tensor<5x6xi8>, tensor<6x10xi8>) -> tensor<5x10xi32>
      %c = mt.task 2 @transposed(%t, %w) : (tensor<6x5xi8>, tensor<6x10xi8>) -> tensor<5x10xi32>
      mt.return %a, %b, %c : tensor<5x10xi32>, tensor<5x10xi32>, tensor<5x10xi32>
    }
  }
}
