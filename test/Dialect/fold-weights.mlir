// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-fold-weights))' %s | %FileCheck %s

#v = affine_map<(c) -> (c)>
#b = affine_map<(i, c) -> (c)>
#m = affine_map<(i, c) -> (i, c)>

mt.program @p {
  mt.weight @t.a : tensor<4xf32> from("a.onnx" at 0)
  mt.weight @t.b : tensor<1024xf32> from("a.onnx" at 16)

  // A chain of ops on weights becomes one weight; the same expression in another entry is that weight.
  // CHECK: mt.weight @t.a.folded : tensor<2x2xf32> derive(@t.a)
  // CHECK:   math.sqrt
  // CHECK:   tensor.expand_shape
  // CHECK-NOT: mt.weight
  // CHECK: mt.tenant @t
  mt.tenant @t {
    // CHECK-LABEL: mt.entry @n1
    // CHECK-NOT: linalg
    // CHECK: mt.get_weight @t.a.folded : tensor<2x2xf32>
    mt.entry @n1() -> (tensor<2x2xf32> {mt.name = "y"}) {
      %w = mt.get_weight @t.a : tensor<4xf32>
      %e = tensor.empty() : tensor<4xf32>
      %s = linalg.generic {indexing_maps = [#v, #v], iterator_types = ["parallel"]} ins(%w : tensor<4xf32>) outs(%e : tensor<4xf32>) {
      ^bb0(%x: f32, %o: f32):
        %r = math.sqrt %x : f32
        linalg.yield %r : f32
      } -> tensor<4xf32>
      %y = tensor.expand_shape %s [[0, 1]] output_shape [2, 2] : tensor<4xf32> into tensor<2x2xf32>
      mt.return %y : tensor<2x2xf32>
    }
    // CHECK-LABEL: mt.entry @n2
    // CHECK-NOT: linalg
    // CHECK: mt.get_weight @t.a.folded : tensor<2x2xf32>
    mt.entry @n2() -> (tensor<2x2xf32> {mt.name = "y"}) {
      %w = mt.get_weight @t.a : tensor<4xf32>
      %e = tensor.empty() : tensor<4xf32>
      %s = linalg.generic {indexing_maps = [#v, #v], iterator_types = ["parallel"]} ins(%w : tensor<4xf32>) outs(%e : tensor<4xf32>) {
      ^bb0(%x: f32, %o: f32):
        %r = math.sqrt %x : f32
        linalg.yield %r : f32
      } -> tensor<4xf32>
      %y = tensor.expand_shape %s [[0, 1]] output_shape [2, 2] : tensor<4xf32> into tensor<2x2xf32>
      mt.return %y : tensor<2x2xf32>
    }

    // What depends on an argument stays.
    // CHECK-LABEL: mt.entry @argument
    // CHECK: linalg.generic
    mt.entry @argument(%x: tensor<4xf32> {mt.name = "x"}) -> (tensor<4xf32> {mt.name = "y"}) {
      %w = mt.get_weight @t.a : tensor<4xf32>
      %e = tensor.empty() : tensor<4xf32>
      %s = linalg.generic {indexing_maps = [#v, #v, #v], iterator_types = ["parallel"]} ins(%w, %x : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %r = arith.addf %a, %b : f32
        linalg.yield %r : f32
      } -> tensor<4xf32>
      mt.return %s : tensor<4xf32>
    }

    // A broadcast of 4 KiB to 4 MiB would bloat the bundle: it stays.
    // CHECK-LABEL: mt.entry @broadcast
    // CHECK: mt.get_weight @t.b :
    // CHECK: linalg.generic
    mt.entry @broadcast() -> (tensor<1024x1024xf32> {mt.name = "y"}) {
      %w = mt.get_weight @t.b : tensor<1024xf32>
      %e = tensor.empty() : tensor<1024x1024xf32>
      %s = linalg.generic {indexing_maps = [#b, #m], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<1024xf32>) outs(%e : tensor<1024x1024xf32>) {
      ^bb0(%x: f32, %o: f32):
        linalg.yield %x : f32
      } -> tensor<1024x1024xf32>
      mt.return %s : tensor<1024x1024xf32>
    }
  }
}
