// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-fold-scales))' %s | %FileCheck %s

#a = affine_map<(n, f, l, c, k) -> (n, c, l + k)>
#w = affine_map<(n, f, l, c, k) -> (f, c, k)>
#o = affine_map<(n, f, l, c, k) -> (n, f, l)>
#id = affine_map<(n, f, l) -> (n, f, l)>
#f = affine_map<(n, f, l) -> (f)>
#l = affine_map<(n, f, l) -> (l)>

mt.program @p {
  mt.weight @t.w : tensor<6x3x2xf32> from("a.onnx" at 0)
  mt.weight @t.b : tensor<6xf32> from("a.onnx" at 144)
  mt.weight @t.s : tensor<6xf32> from("a.onnx" at 168)
  mt.weight @t.t : tensor<6xf32> from("a.onnx" at 192)
  mt.weight @t.p : tensor<5xf32> from("a.onnx" at 216)

  // Bias, scale and shift: the weight times the scale, and b * s + t.
  // CHECK: mt.weight @t.w.scaled : tensor<6x3x2xf32> derive(@t.w, @t.b, @t.s, @t.t)
  // CHECK:   arith.mulf
  // CHECK: mt.weight @t.b.shift : tensor<6xf32> derive(@t.b, @t.s, @t.t)
  // CHECK:   %[[B:.*]] = arith.addf
  // CHECK:   %[[BS:.*]] = arith.mulf %[[B]], %{{.*}}
  // CHECK:   arith.addf %[[BS]], %{{.*}}
  mt.tenant @t {
    // CHECK-LABEL: mt.entry @conv_bias_norm
    // CHECK: %[[W:.*]] = mt.get_weight @t.w.scaled
    // CHECK: %[[C:.*]] = linalg.generic {{.*}} ins(%arg0, %[[W]]
    // CHECK: %[[T:.*]] = mt.get_weight @t.b.shift
    // CHECK: %[[Y:.*]] = linalg.generic {{.*}} ins(%[[C]], %[[T]]
    // CHECK-NEXT: ^bb0
    // CHECK-NEXT: arith.addf
    // CHECK-NEXT: linalg.yield
    // CHECK: mt.return %[[Y]]
    mt.entry @conv_bias_norm(%x: tensor<1x3x6xf32> {mt.name = "x"}) -> (tensor<1x6x5xf32> {mt.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %w = mt.get_weight @t.w : tensor<6x3x2xf32>
      %b = mt.get_weight @t.b : tensor<6xf32>
      %s = mt.get_weight @t.s : tensor<6xf32>
      %t = mt.get_weight @t.t : tensor<6xf32>
      %e = tensor.empty() : tensor<1x6x5xf32>
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<1x6x5xf32>) -> tensor<1x6x5xf32>
      %c = linalg.generic {indexing_maps = [#a, #w, #o], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
          ins(%x, %w : tensor<1x3x6xf32>, tensor<6x3x2xf32>) outs(%z : tensor<1x6x5xf32>) {
      ^bb0(%p: f32, %q: f32, %acc: f32):
        %m = arith.mulf %p, %q : f32
        %r = arith.addf %acc, %m : f32
        linalg.yield %r : f32
      } -> tensor<1x6x5xf32>
      %cb = linalg.generic {indexing_maps = [#id, #f, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%c, %b : tensor<1x6x5xf32>, tensor<6xf32>) outs(%e : tensor<1x6x5xf32>) {
      ^bb0(%p: f32, %q: f32, %o: f32):
        %r = arith.addf %p, %q : f32
        linalg.yield %r : f32
      } -> tensor<1x6x5xf32>
      %n = linalg.generic {indexing_maps = [#id, #f, #f, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cb, %s, %t : tensor<1x6x5xf32>, tensor<6xf32>, tensor<6xf32>) outs(%e : tensor<1x6x5xf32>) {
      ^bb0(%p: f32, %q: f32, %u: f32, %o: f32):
        %m = arith.mulf %p, %q : f32
        %r = arith.addf %m, %u : f32
        linalg.yield %r : f32
      } -> tensor<1x6x5xf32>
      mt.return %n : tensor<1x6x5xf32>
    }

    // A factor along another dim than the output channel stays.
    // CHECK-LABEL: mt.entry @other_dim
    // CHECK: mt.get_weight @t.w :
    // CHECK: mt.get_weight @t.p
    // CHECK: linalg.generic
    // CHECK: linalg.generic
    mt.entry @other_dim(%x: tensor<1x3x6xf32> {mt.name = "x"}) -> (tensor<1x6x5xf32> {mt.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %w = mt.get_weight @t.w : tensor<6x3x2xf32>
      %p = mt.get_weight @t.p : tensor<5xf32>
      %e = tensor.empty() : tensor<1x6x5xf32>
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<1x6x5xf32>) -> tensor<1x6x5xf32>
      %c = linalg.generic {indexing_maps = [#a, #w, #o], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
          ins(%x, %w : tensor<1x3x6xf32>, tensor<6x3x2xf32>) outs(%z : tensor<1x6x5xf32>) {
      ^bb0(%i: f32, %q: f32, %acc: f32):
        %m = arith.mulf %i, %q : f32
        %r = arith.addf %acc, %m : f32
        linalg.yield %r : f32
      } -> tensor<1x6x5xf32>
      %n = linalg.generic {indexing_maps = [#id, #l, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%c, %p : tensor<1x6x5xf32>, tensor<5xf32>) outs(%e : tensor<1x6x5xf32>) {
      ^bb0(%i: f32, %q: f32, %o: f32):
        %m = arith.mulf %i, %q : f32
        linalg.yield %m : f32
      } -> tensor<1x6x5xf32>
      mt.return %n : tensor<1x6x5xf32>
    }

    // The contraction's own result is an output too: scaling its weight would change it.
    // CHECK-LABEL: mt.entry @two_uses
    // CHECK: mt.get_weight @t.w :
    // CHECK: arith.mulf
    // CHECK: arith.mulf
    mt.entry @two_uses(%x: tensor<1x3x6xf32> {mt.name = "x"}) -> (tensor<1x6x5xf32> {mt.name = "y"}, tensor<1x6x5xf32> {mt.name = "z"}) {
      %zero = arith.constant 0.0 : f32
      %w = mt.get_weight @t.w : tensor<6x3x2xf32>
      %s = mt.get_weight @t.s : tensor<6xf32>
      %e = tensor.empty() : tensor<1x6x5xf32>
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<1x6x5xf32>) -> tensor<1x6x5xf32>
      %c = linalg.generic {indexing_maps = [#a, #w, #o], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
          ins(%x, %w : tensor<1x3x6xf32>, tensor<6x3x2xf32>) outs(%z : tensor<1x6x5xf32>) {
      ^bb0(%i: f32, %q: f32, %acc: f32):
        %m = arith.mulf %i, %q : f32
        %r = arith.addf %acc, %m : f32
        linalg.yield %r : f32
      } -> tensor<1x6x5xf32>
      %n = linalg.generic {indexing_maps = [#id, #f, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%c, %s : tensor<1x6x5xf32>, tensor<6xf32>) outs(%e : tensor<1x6x5xf32>) {
      ^bb0(%i: f32, %q: f32, %o: f32):
        %m = arith.mulf %i, %q : f32
        linalg.yield %m : f32
      } -> tensor<1x6x5xf32>
      mt.return %n, %c : tensor<1x6x5xf32>, tensor<1x6x5xf32>
    }
  }
}
