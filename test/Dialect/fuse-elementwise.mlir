// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-fuse-elementwise))' %s | %FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#id3 = affine_map<(i, j, k) -> (i, j, k)>
#row = affine_map<(i, j) -> (i)>
#one = affine_map<(i) -> (i)>
#mma = affine_map<(m, n, k) -> (m, k)>
#mmb = affine_map<(m, n, k) -> (k, n)>
#mmo = affine_map<(m, n, k) -> (m, n)>

mt.program @p {
  mt.tenant @t {
    // x * sigmoid(x): one pass over memory although x is read twice.
    // CHECK-LABEL: mt.entry @chain
    // CHECK: linalg.generic
    // CHECK-NEXT: ^bb0(%[[X:.*]]: f32, %{{.*}}: f32):
    // CHECK-NEXT: %[[S:.*]] = math.tanh %[[X]]
    // CHECK-NEXT: %[[Y:.*]] = arith.mulf %[[X]], %[[S]]
    // CHECK-NEXT: linalg.yield %[[Y]]
    // CHECK-NOT: linalg.generic
    // CHECK: mt.return
    mt.entry @chain(%x: tensor<4x8xf32> {mt.name = "x"}) -> (tensor<4x8xf32> {mt.name = "y"}) {
      %e = tensor.empty() : tensor<4x8xf32>
      %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = math.tanh %a : f32
        linalg.yield %r : f32
      } -> tensor<4x8xf32>
      %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %s : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %r = arith.mulf %a, %b : f32
        linalg.yield %r : f32
      } -> tensor<4x8xf32>
      mt.return %y : tensor<4x8xf32>
    }

    // What others read, and costs more than reading it, is computed once.
    // CHECK-LABEL: mt.entry @shared
    // CHECK: math.exp
    // CHECK: linalg.yield
    // CHECK-NOT: math.exp
    // CHECK: mt.return
    mt.entry @shared(%x: tensor<4x8xf32> {mt.name = "x"}) -> (tensor<4x8xf32> {mt.name = "y"}, tensor<4x8xf32> {mt.name = "z"}) {
      %e = tensor.empty() : tensor<4x8xf32>
      %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = math.exp %a : f32
        linalg.yield %r : f32
      } -> tensor<4x8xf32>
      %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%s : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = arith.negf %a : f32
        linalg.yield %r : f32
      } -> tensor<4x8xf32>
      mt.return %y, %s : tensor<4x8xf32>, tensor<4x8xf32>
    }

    // Work on one number per row is not repeated for every column.
    // CHECK-LABEL: mt.entry @broadcast
    // CHECK: ins(%arg1 : tensor<4xf32>)
    // CHECK: math.exp
    // CHECK: linalg.generic
    // CHECK: arith.mulf
    mt.entry @broadcast(%x: tensor<4x8xf32> {mt.name = "x"}, %r: tensor<4xf32> {mt.name = "r"}) -> (tensor<4x8xf32> {mt.name = "y"}) {
      %re = tensor.empty() : tensor<4xf32>
      %s = linalg.generic {indexing_maps = [#one, #one], iterator_types = ["parallel"]} ins(%r : tensor<4xf32>) outs(%re : tensor<4xf32>) {
      ^bb0(%a: f32, %o: f32):
        %v = math.exp %a : f32
        linalg.yield %v : f32
      } -> tensor<4xf32>
      %e = tensor.empty() : tensor<4x8xf32>
      %y = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %s : tensor<4x8xf32>, tensor<4xf32>) outs(%e : tensor<4x8xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %v = arith.mulf %a, %b : f32
        linalg.yield %v : f32
      } -> tensor<4x8xf32>
      mt.return %y : tensor<4x8xf32>
    }

    // A contraction keeps its body: nothing is fused into it.
    // CHECK-LABEL: mt.entry @contraction
    // CHECK: math.tanh
    // CHECK: linalg.yield
    // CHECK: arith.mulf
    // CHECK-NEXT: arith.addf
    mt.entry @contraction(%x: tensor<4x8xf32> {mt.name = "x"}, %w: tensor<8x2xf32> {mt.name = "w"}) -> (tensor<4x2xf32> {mt.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<4x8xf32>
      %s = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = math.tanh %a : f32
        linalg.yield %r : f32
      } -> tensor<4x8xf32>
      %ye = tensor.empty() : tensor<4x2xf32>
      %z = linalg.fill ins(%zero : f32) outs(%ye : tensor<4x2xf32>) -> tensor<4x2xf32>
      %y = linalg.generic {indexing_maps = [#mma, #mmb, #mmo], iterator_types = ["parallel", "parallel", "reduction"]} ins(%s, %w : tensor<4x8xf32>, tensor<8x2xf32>) outs(%z : tensor<4x2xf32>) {
      ^bb0(%a: f32, %b: f32, %acc: f32):
        %m = arith.mulf %a, %b : f32
        %r = arith.addf %acc, %m : f32
        linalg.yield %r : f32
      } -> tensor<4x2xf32>
      mt.return %y : tensor<4x2xf32>
    }

    // A dim of size 1 that ONNX keeps after a reduction, and its broadcast drops, hides nothing: the
    // root works on [4] and reads the sum directly.
    // CHECK-LABEL: mt.entry @unit_dims
    // CHECK: %[[SUM:.*]] = linalg.generic {{.*}} "reduction"]} ins(%arg0
    // CHECK-NOT: tensor.expand_shape
    // CHECK: %[[ROOT:.*]] = linalg.generic {{.*}} ins(%[[SUM]] : tensor<4xf32>) outs(%{{.*}} : tensor<4xf32>)
    // CHECK: math.sqrt
    // CHECK-NOT: tensor.collapse_shape
    // CHECK: linalg.generic {{.*}} ins(%arg0, %[[ROOT]] : tensor<4x8xf32>, tensor<4xf32>)
    mt.entry @unit_dims(%x: tensor<4x8xf32> {mt.name = "x"}) -> (tensor<4x8xf32> {mt.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %re = tensor.empty() : tensor<4xf32>
      %z = linalg.fill ins(%zero : f32) outs(%re : tensor<4xf32>) -> tensor<4xf32>
      %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%z : tensor<4xf32>) {
      ^bb0(%a: f32, %acc: f32):
        %r = arith.addf %acc, %a : f32
        linalg.yield %r : f32
      } -> tensor<4xf32>
      %kept = tensor.expand_shape %sum [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
      %ke = tensor.empty() : tensor<4x1xf32>
      %root = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%kept : tensor<4x1xf32>) outs(%ke : tensor<4x1xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = math.sqrt %a : f32
        linalg.yield %r : f32
      } -> tensor<4x1xf32>
      %dropped = tensor.collapse_shape %root [[0, 1]] : tensor<4x1xf32> into tensor<4xf32>
      %e = tensor.empty() : tensor<4x8xf32>
      %y = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %dropped : tensor<4x8xf32>, tensor<4xf32>) outs(%e : tensor<4x8xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %v = arith.divf %a, %b : f32
        linalg.yield %v : f32
      } -> tensor<4x8xf32>
      mt.return %y : tensor<4x8xf32>
    }

    // The factor behind a split into heads joins the bias of the product before it.
    // CHECK-LABEL: mt.entry @heads
    // CHECK: arith.addf
    // CHECK-NEXT: arith.mulf
    // CHECK: %[[Y:.*]] = tensor.expand_shape {{.*}} : tensor<4x8xf32> into tensor<4x2x4xf32>
    // CHECK-NEXT: mt.return %[[Y]]
    mt.entry @heads(%x: tensor<4x8xf32> {mt.name = "x"}, %b: tensor<8xf32> {mt.name = "b"}) -> (tensor<4x2x4xf32> {mt.name = "y"}) {
      %e = tensor.empty() : tensor<4x8xf32>
      %h = tensor.empty() : tensor<4x2x4xf32>
      %c = arith.constant 0.125 : f32
      %s = linalg.generic {indexing_maps = [#id, affine_map<(i, j) -> (j)>, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %b : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
      ^bb0(%a: f32, %d: f32, %o: f32):
        %r = arith.addf %a, %d : f32
        linalg.yield %r : f32
      } -> tensor<4x8xf32>
      %v = tensor.expand_shape %s [[0], [1, 2]] output_shape [4, 2, 4] : tensor<4x8xf32> into tensor<4x2x4xf32>
      %y = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%v : tensor<4x2x4xf32>) outs(%h : tensor<4x2x4xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = arith.mulf %a, %c : f32
        linalg.yield %r : f32
      } -> tensor<4x2x4xf32>
      mt.return %y : tensor<4x2x4xf32>
    }

    // Dims of size 1 that a reduction kept: mean, root and quotient have no reshape between them.
    // CHECK-LABEL: mt.entry @kept
    // CHECK-NOT: tensor.collapse_shape
    // CHECK: mt.return
    mt.entry @kept(%x: tensor<1x4x8xf32> {mt.name = "x"}, %m: tensor<1x4xf32> {mt.name = "m"}) -> (tensor<1x4x8xf32> {mt.name = "y"}) {
      %e = tensor.empty() : tensor<1x4x1xf32>
      %f = tensor.empty() : tensor<1x4x8xf32>
      %k = tensor.expand_shape %m [[0], [1, 2]] output_shape [1, 4, 1] : tensor<1x4xf32> into tensor<1x4x1xf32>
      %s = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%k : tensor<1x4x1xf32>) outs(%e : tensor<1x4x1xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = math.sqrt %a : f32
        linalg.yield %r : f32
      } -> tensor<1x4x1xf32>
      %c = tensor.collapse_shape %s [[0, 1, 2]] : tensor<1x4x1xf32> into tensor<4xf32>
      %y = linalg.generic {indexing_maps = [#id3, affine_map<(i, j, k) -> (j)>, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %c : tensor<1x4x8xf32>, tensor<4xf32>) outs(%f : tensor<1x4x8xf32>) {
      ^bb0(%a: f32, %d: f32, %o: f32):
        %r = arith.divf %a, %d : f32
        linalg.yield %r : f32
      } -> tensor<1x4x8xf32>
      mt.return %y : tensor<1x4x8xf32>
    }
  }
}
