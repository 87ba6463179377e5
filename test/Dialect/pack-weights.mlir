// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-pack-weights{lanes=4}))' %s | %FileCheck %s

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#o = affine_map<(m, n, k) -> (m, n)>
#wl = affine_map<(m, n, k) -> (n, k)>

mt.program @p {
  mt.weight @t.w : tensor<6x10xf32> from("a.onnx" at 0)
  mt.weight @t.n : tensor<3x6xf32> from("a.onnx" at 240)
  mt.weight @t.c : tensor<6x1xf32> from("a.onnx" at 320)
  // 10 columns in panels of two vectors of 4, padded with 0.
  // CHECK: mt.weight @t.w.packed : tensor<2x6x8xf32> derive(@t.w)
  // CHECK: linalg.pack %{{.*}} padding_value(%{{.*}} : f32) outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [8]
  // 3 columns in one panel of one vector; the weight stands on the left and is transposed.
  // CHECK: mt.weight @t.n.packed : tensor<1x6x4xf32> derive(@t.n)
  // CHECK: linalg.pack %{{.*}} outer_dims_perm = [0, 1] inner_dims_pos = [0] inner_tiles = [4]

  // CHECK: mt.kernel @right kind(contraction) (%[[X:.*]]: tensor<5x6xf32>, %[[P:.*]]: tensor<2x6x8xf32>)
  // CHECK: %[[W:.*]] = linalg.unpack %[[P]] outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [8]
  // CHECK: linalg.generic {{.*}} ins(%[[X]], %[[W]]
  mt.kernel @right kind(contraction) (%x: tensor<5x6xf32>, %w: tensor<6x10xf32>) -> tensor<5x10xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<5x10xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x10xf32>) -> tensor<5x10xf32>
    %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<5x6xf32>, tensor<6x10xf32>) outs(%z : tensor<5x10xf32>) {
    ^bb0(%u: f32, %v: f32, %acc: f32):
      %m = arith.mulf %u, %v : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<5x10xf32>
    mt.yield %y : tensor<5x10xf32>
  }
  // CHECK: mt.kernel @left kind(contraction) (%[[P:.*]]: tensor<1x6x4xf32>, %[[X:.*]]: tensor<5x6xf32>)
  mt.kernel @left kind(contraction) (%w: tensor<3x6xf32>, %x: tensor<5x6xf32>) -> tensor<5x3xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<5x3xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x3xf32>) -> tensor<5x3xf32>
    %y = linalg.generic {indexing_maps = [#wl, #a, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%w, %x : tensor<3x6xf32>, tensor<5x6xf32>) outs(%z : tensor<5x3xf32>) {
    ^bb0(%u: f32, %v: f32, %acc: f32):
      %m = arith.mulf %u, %v : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<5x3xf32>
    mt.yield %y : tensor<5x3xf32>
  }
  // One of its uses multiplies two activations: it stays.
  // CHECK: mt.kernel @dynamic kind(contraction) (%{{.*}}: tensor<5x6xf32>, %{{.*}}: tensor<6x10xf32>)
  // CHECK-NOT: linalg.unpack
  mt.kernel @dynamic kind(contraction) (%x: tensor<5x6xf32>, %w: tensor<6x10xf32>) -> tensor<5x10xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<5x10xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x10xf32>) -> tensor<5x10xf32>
    %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<5x6xf32>, tensor<6x10xf32>) outs(%z : tensor<5x10xf32>) {
    ^bb0(%u: f32, %v: f32, %acc: f32):
      %m = arith.mulf %u, %v : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<5x10xf32>
    mt.yield %y : tensor<5x10xf32>
  }
  // One column is a sum of each row: it stays.
  // CHECK: mt.kernel @column kind(contraction) (%{{.*}}: tensor<5x6xf32>, %{{.*}}: tensor<6x1xf32>)
  // CHECK-NOT: linalg.unpack
  mt.kernel @column kind(contraction) (%x: tensor<5x6xf32>, %w: tensor<6x1xf32>) -> tensor<5x1xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<5x1xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x1xf32>) -> tensor<5x1xf32>
    %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<5x6xf32>, tensor<6x1xf32>) outs(%z : tensor<5x1xf32>) {
    ^bb0(%u: f32, %v: f32, %acc: f32):
      %m = arith.mulf %u, %v : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<5x1xf32>
    mt.yield %y : tensor<5x1xf32>
  }
  mt.tenant @t {
    // CHECK-LABEL: mt.entry @n1
    // CHECK: %[[R:.*]] = mt.get_weight @t.w.packed
    // CHECK: mt.task 0 @right(%arg0, %[[R]])
    // CHECK: %[[L:.*]] = mt.get_weight @t.n.packed
    // CHECK: mt.task 1 @left(%[[L]], %arg0)
    mt.entry @n1(%x: tensor<5x6xf32> {mt.name = "x"}, %w: tensor<6x10xf32> {mt.name = "w"}) -> (tensor<5x10xf32> {mt.name = "a"}, tensor<5x3xf32> {mt.name = "b"}, tensor<5x10xf32> {mt.name = "c"}, tensor<5x10xf32> {mt.name = "d"}, tensor<5x1xf32> {mt.name = "e"}) {
      %cc = mt.get_weight @t.c : tensor<6x1xf32>
      %cw = mt.get_weight @t.w : tensor<6x10xf32>
      %cn = mt.get_weight @t.n : tensor<3x6xf32>
      %a = mt.task 0 @right(%x, %cw) : (tensor<5x6xf32>, tensor<6x10xf32>) -> tensor<5x10xf32>
      %b = mt.task 1 @left(%cn, %x) : (tensor<3x6xf32>, tensor<5x6xf32>) -> tensor<5x3xf32>
      %c = mt.task 2 @dynamic(%x, %cw) : (tensor<5x6xf32>, tensor<6x10xf32>) -> tensor<5x10xf32>
      %d = mt.task 3 @dynamic(%x, %w) : (tensor<5x6xf32>, tensor<6x10xf32>) -> tensor<5x10xf32>
      %e = mt.task 4 @column(%x, %cc) : (tensor<5x6xf32>, tensor<6x1xf32>) -> tensor<5x1xf32>
      mt.return %a, %b, %c, %d, %e : tensor<5x10xf32>, tensor<5x3xf32>, tensor<5x10xf32>, tensor<5x10xf32>, tensor<5x1xf32>
    }
  }
}
