// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-use-winograd{lanes=16}))' %s | %FileCheck %s

#x = affine_map<(n, h, w, f, kh, kw, c) -> (n, h + kh, w + kw, c)>
#x2 = affine_map<(n, h, w, f, kh, kw, c) -> (n, h * 2 + kh, w * 2 + kw, c)>
#w = affine_map<(n, h, w, f, kh, kw, c) -> (f, kh, kw, c)>
#y = affine_map<(n, h, w, f, kh, kw, c) -> (n, h, w, f)>

mt.program @p {
  mt.weight @t.w : tensor<32x3x3x16xf32> from("a.onnx" at 0)
  mt.weight @t.w2 : tensor<64x2x2x64xf32> from("b.onnx" at 0)

  // The weight, transformed in f64, in panels of two vectors.
  // CHECK: mt.weight @t.w.winograd : tensor<1x6x6x16x32xf32> derive(@t.w)
  // CHECK: arith.truncf

  // The image grows to whole tiles of 4x4 and the border of one that they read; two transforms of the input, the
  // products, two transforms of the result, of which the part that exists is cut out.
  // CHECK-LABEL: mt.kernel @same
  // CHECK-SAME: %[[X:.*]]: tensor<1x30x30x16xf32>, %[[U:.*]]: tensor<1x6x6x16x32xf32>
  // CHECK-SAME: numerics("winograd-f4x4-3x3")
  // CHECK: %[[PAD:.*]] = tensor.pad %[[X]] low[0, 1, 1, 0] high[0, 3, 3, 0]
  // CHECK: %[[ROWS:.*]] = linalg.generic {{.*}} ins(%[[PAD]], {{.*}}) {{.*}}tensor<1x8x8x6x6x16xf32>
  // CHECK: %[[V:.*]] = linalg.generic {{.*}} ins(%[[ROWS]], {{.*}}) {{.*}}tensor<6x6x1x8x8x16xf32>
  // CHECK: %[[M:.*]] = linalg.generic {{.*}} ins(%[[V]], %[[U]] {{.*}}tensor<6x6x1x8x8x1x32xf32>
  // CHECK: linalg.generic {{.*}} ins(%[[M]], {{.*}}tensor<1x8x4x8x6x1x32xf32>
  // CHECK: tensor.collapse_shape {{.*}} into tensor<1x32x32x32xf32>
  // CHECK: tensor.extract_slice {{.*}} to tensor<1x30x30x32xf32>
  mt.kernel @same kind(contraction) (%x: tensor<1x30x30x16xf32>, %w: tensor<32x3x3x16xf32>) -> tensor<1x30x30x32xf32> numerics("contraction-k144") {
    %zero = arith.constant 0.0 : f32
    %xp = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%i0: index, %i1: index, %i2: index, %i3: index):
      tensor.yield %zero : f32
    } : tensor<1x30x30x16xf32> to tensor<1x32x32x16xf32>
    %e = tensor.empty() : tensor<1x30x30x32xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x30x30x32xf32>) -> tensor<1x30x30x32xf32>
    %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%xp, %w : tensor<1x32x32x16xf32>, tensor<32x3x3x16xf32>) outs(%f : tensor<1x30x30x32xf32>) {
    ^bb0(%a: f32, %b: f32, %acc: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x30x30x32xf32>
    mt.yield %c : tensor<1x30x30x32xf32>
  }

  // Without padding; whole tiles need no cut.
  // CHECK-LABEL: mt.kernel @valid
  // CHECK: tensor.pad %{{.*}} low[0, 0, 0, 0] high[0, 0, 0, 0]
  // CHECK-NOT: tensor.extract_slice
  mt.kernel @valid kind(contraction) (%x: tensor<1x34x34x16xf32>, %w: tensor<32x3x3x16xf32>) -> tensor<1x32x32x32xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x32x32x32xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x32x32x32xf32>) -> tensor<1x32x32x32xf32>
    %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%x, %w : tensor<1x34x34x16xf32>, tensor<32x3x3x16xf32>) outs(%f : tensor<1x32x32x32xf32>) {
    ^bb0(%a: f32, %b: f32, %acc: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x32x32x32xf32>
    mt.yield %c : tensor<1x32x32x32xf32>
  }

  // Strides are left alone.
  // CHECK-LABEL: mt.kernel @strided
  // CHECK-SAME: tensor<32x3x3x16xf32>
  mt.kernel @strided kind(contraction) (%x: tensor<1x33x33x16xf32>, %w: tensor<32x3x3x16xf32>) -> tensor<1x16x16x32xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x16x16x32xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x16x16x32xf32>) -> tensor<1x16x16x32xf32>
    %c = linalg.generic {indexing_maps = [#x2, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%x, %w : tensor<1x33x33x16xf32>, tensor<32x3x3x16xf32>) outs(%f : tensor<1x16x16x32xf32>) {
    ^bb0(%a: f32, %b: f32, %acc: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x16x16x32xf32>
    mt.yield %c : tensor<1x16x16x32xf32>
  }

  // Weights of 2x2: 25 products of tiles of 5x5.
  // CHECK-LABEL: mt.kernel @two
  // CHECK-SAME: tensor<2x5x5x64x32xf32>
  // CHECK-SAME: numerics("winograd-f4x4-2x2")
  mt.kernel @two kind(contraction) (%x: tensor<1x33x33x64xf32>, %w: tensor<64x2x2x64xf32>) -> tensor<1x32x32x64xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x32x32x64xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x32x32x64xf32>) -> tensor<1x32x32x64xf32>
    %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%x, %w : tensor<1x33x33x64xf32>, tensor<64x2x2x64xf32>) outs(%f : tensor<1x32x32x64xf32>) {
    ^bb0(%a: f32, %b: f32, %acc: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x32x32x64xf32>
    mt.yield %c : tensor<1x32x32x64xf32>
  }

  // Few tiles: what the transforms cost does not come back.
  // CHECK-LABEL: mt.kernel @small
  // CHECK-SAME: tensor<32x3x3x16xf32>
  mt.kernel @small kind(contraction) (%x: tensor<1x7x7x16xf32>, %w: tensor<32x3x3x16xf32>) -> tensor<1x5x5x32xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x5x5x32xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x5x5x32xf32>) -> tensor<1x5x5x32xf32>
    %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%x, %w : tensor<1x7x7x16xf32>, tensor<32x3x3x16xf32>) outs(%f : tensor<1x5x5x32xf32>) {
    ^bb0(%a: f32, %b: f32, %acc: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x5x5x32xf32>
    mt.yield %c : tensor<1x5x5x32xf32>
  }

  mt.tenant @t {
    mt.entry @n2(%a: tensor<1x33x33x64xf32> {mt.name = "a"}) -> (tensor<1x32x32x64xf32> {mt.name = "p"}) {
      %w = mt.get_weight @t.w2 : tensor<64x2x2x64xf32>
      %p = mt.task 0 @two(%a, %w) : (tensor<1x33x33x64xf32>, tensor<64x2x2x64xf32>) -> tensor<1x32x32x64xf32>
      mt.return %p : tensor<1x32x32x64xf32>
    }
    mt.entry @n1(%a: tensor<1x30x30x16xf32> {mt.name = "a"}, %b: tensor<1x34x34x16xf32> {mt.name = "b"}, %c: tensor<1x33x33x16xf32> {mt.name = "c"}, %d: tensor<1x7x7x16xf32> {mt.name = "d"}) -> (tensor<1x30x30x32xf32> {mt.name = "p"}, tensor<1x32x32x32xf32> {mt.name = "q"}, tensor<1x16x16x32xf32> {mt.name = "r"}, tensor<1x5x5x32xf32> {mt.name = "s"}) {
      %w = mt.get_weight @t.w : tensor<32x3x3x16xf32>
      %p = mt.task 0 @same(%a, %w) : (tensor<1x30x30x16xf32>, tensor<32x3x3x16xf32>) -> tensor<1x30x30x32xf32>
      %q = mt.task 1 @valid(%b, %w) : (tensor<1x34x34x16xf32>, tensor<32x3x3x16xf32>) -> tensor<1x32x32x32xf32>
      %r = mt.task 2 @strided(%c, %w) : (tensor<1x33x33x16xf32>, tensor<32x3x3x16xf32>) -> tensor<1x16x16x32xf32>
      %s = mt.task 3 @small(%d, %w) : (tensor<1x7x7x16xf32>, tensor<32x3x3x16xf32>) -> tensor<1x5x5x32xf32>
      mt.return %p, %q, %r, %s : tensor<1x30x30x32xf32>, tensor<1x32x32x32xf32>, tensor<1x16x16x32xf32>, tensor<1x5x5x32xf32>
    }
  }
}
