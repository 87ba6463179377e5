// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-propagate-layout))' %s | %FileCheck %s

#a = affine_map<(n, f, h, w, c, y, x) -> (n, c, h * 2 + y, w + x)>
#w = affine_map<(n, f, h, w, c, y, x) -> (f, c, y, x)>
#o = affine_map<(n, f, h, w, c, y, x) -> (n, f, h, w)>
#id4 = affine_map<(n, f, h, w) -> (n, f, h, w)>
#id3 = affine_map<(n, s, c) -> (n, s, c)>
#mma = affine_map<(b, h, m, n, k) -> (b, h, m, k)>
#mmb = affine_map<(b, h, m, n, k) -> (b, h, k, n)>
#mmo = affine_map<(b, h, m, n, k) -> (b, h, m, n)>

// The convolution reads and writes channels last; the loops follow the result, the reduction the input.
// CHECK: #[[A:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1 * 2 + d4, d2 + d5, d6)>
// CHECK: #[[W:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d3, d4, d5, d6)>
// CHECK: #[[O:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1, d2, d3)>
// CHECK: #[[QK:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d4)>
mt.program @p {
  mt.weight @t.w : tensor<8x5x3x3xf32> from("a.onnx" at 0)
  // CHECK: mt.weight @t.w.permuted : tensor<8x3x3x5xf32> derive(@t.w)
  // CHECK: linalg.transpose {{.*}} permutation = [0, 2, 3, 1]
  mt.weight @t.few : tensor<8x3x3x3xf32> from("b.onnx" at 0)
  mt.tenant @t {
    // Bytes move at the boundary only: the flattened, transposed result [N, H * W, C] is a view.
    // CHECK-LABEL: mt.entry @conv_to_sequence
    // CHECK: linalg.transpose ins(%arg0 {{.*}} permutation = [0, 2, 3, 1]
    // CHECK: tensor.pad %{{.*}} low[0, 1, 1, 0] high[0, 1, 1, 0]
    // CHECK: linalg.generic {indexing_maps = [#[[A]], #[[W]], #[[O]]]
    // CHECK-SAME: iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]
    // CHECK-SAME: outs(%{{.*}} : tensor<1x4x8x8xf32>)
    // CHECK-NOT: linalg.transpose
    // CHECK: tensor.collapse_shape %{{.*}} {{\[}}[0], [1, 2], [3]] : tensor<1x4x8x8xf32> into tensor<1x32x8xf32>
    // CHECK-NOT: linalg.transpose
    // CHECK: mt.return %{{.*}} : tensor<1x32x8xf32>
    mt.entry @conv_to_sequence(%x: tensor<1x5x7x8xf32> {mt.name = "x"}) -> (tensor<1x32x8xf32> {mt.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %w = mt.get_weight @t.w : tensor<8x5x3x3xf32>
      %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
      ^bb0(%i: index, %j: index, %k: index, %l: index):
        tensor.yield %zero : f32
      } : tensor<1x5x7x8xf32> to tensor<1x5x9x10xf32>
      %e = tensor.empty() : tensor<1x8x4x8xf32>
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<1x8x4x8xf32>) -> tensor<1x8x4x8xf32>
      %c = linalg.generic {indexing_maps = [#a, #w, #o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
          ins(%p, %w : tensor<1x5x9x10xf32>, tensor<8x5x3x3xf32>) outs(%z : tensor<1x8x4x8xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %m = arith.mulf %u, %v : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<1x8x4x8xf32>
      %r = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%c : tensor<1x8x4x8xf32>) outs(%e : tensor<1x8x4x8xf32>) {
      ^bb0(%u: f32, %o: f32):
        %s = arith.maximumf %u, %zero : f32
        linalg.yield %s : f32
      } -> tensor<1x8x4x8xf32>
      %f = tensor.collapse_shape %r [[0], [1], [2, 3]] : tensor<1x8x4x8xf32> into tensor<1x8x32xf32>
      %te = tensor.empty() : tensor<1x32x8xf32>
      %t = linalg.transpose ins(%f : tensor<1x8x32xf32>) outs(%te : tensor<1x32x8xf32>) permutation = [0, 2, 1]
      %y = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%t : tensor<1x32x8xf32>) outs(%te : tensor<1x32x8xf32>) {
      ^bb0(%u: f32, %o: f32):
        %s = math.exp %u : f32
        linalg.yield %s : f32
      } -> tensor<1x32x8xf32>
      mt.return %y : tensor<1x32x8xf32>
    }

    // Few channels that only the convolution reads stay as the caller has them.
    // CHECK-LABEL: mt.entry @few_channels
    // CHECK-NOT: linalg.transpose
    // CHECK: tensor.pad %arg0 low[0, 0, 1, 1] high[0, 0, 1, 1]
    // CHECK: linalg.generic {{.*}} ins(%padded, %{{.*}} : tensor<1x3x9x10xf32>, tensor<8x3x3x3xf32>) outs(%{{.*}} : tensor<1x4x8x8xf32>)
    mt.entry @few_channels(%x: tensor<1x3x7x8xf32> {mt.name = "x"}) -> (tensor<1x8x4x8xf32> {mt.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %w = mt.get_weight @t.few : tensor<8x3x3x3xf32>
      %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
      ^bb0(%i: index, %j: index, %k: index, %l: index):
        tensor.yield %zero : f32
      } : tensor<1x3x7x8xf32> to tensor<1x3x9x10xf32>
      %e = tensor.empty() : tensor<1x8x4x8xf32>
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<1x8x4x8xf32>) -> tensor<1x8x4x8xf32>
      %c = linalg.generic {indexing_maps = [#a, #w, #o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
          ins(%p, %w : tensor<1x3x9x10xf32>, tensor<8x3x3x3xf32>) outs(%z : tensor<1x8x4x8xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %m = arith.mulf %u, %v : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<1x8x4x8xf32>
      mt.return %c : tensor<1x8x4x8xf32>
    }
    // Transposes between matrix products of an attention become maps; the result is written in the order
    // that its reshape needs.
    // CHECK-LABEL: mt.entry @attention
    // CHECK-NOT: linalg.transpose
    // CHECK: linalg.generic {indexing_maps = [#[[QK]]
    // CHECK-SAME: outs(%{{.*}} : tensor<2x8x4x16xf32>)
    // CHECK-NOT: linalg.transpose
    // CHECK: tensor.collapse_shape %{{.*}} {{\[}}[0], [1], [2, 3]] : tensor<2x8x4x16xf32> into tensor<2x8x64xf32>
    mt.entry @attention(%q: tensor<2x8x64xf32> {mt.name = "q"}, %k: tensor<2x4x16x16xf32> {mt.name = "k"}) -> (tensor<2x8x64xf32> {mt.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %s = tensor.expand_shape %q [[0], [1], [2, 3]] output_shape [2, 8, 4, 16] : tensor<2x8x64xf32> into tensor<2x8x4x16xf32>
      %e = tensor.empty() : tensor<2x4x8x16xf32>
      %t = linalg.transpose ins(%s : tensor<2x8x4x16xf32>) outs(%e : tensor<2x4x8x16xf32>) permutation = [0, 2, 1, 3]
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x8x16xf32>) -> tensor<2x4x8x16xf32>
      %m = linalg.generic {indexing_maps = [#mma, #mmb, #mmo], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
          ins(%t, %k : tensor<2x4x8x16xf32>, tensor<2x4x16x16xf32>) outs(%z : tensor<2x4x8x16xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %p = arith.mulf %u, %v : f32
        %a = arith.addf %acc, %p : f32
        linalg.yield %a : f32
      } -> tensor<2x4x8x16xf32>
      %be = tensor.empty() : tensor<2x8x4x16xf32>
      %back = linalg.transpose ins(%m : tensor<2x4x8x16xf32>) outs(%be : tensor<2x8x4x16xf32>) permutation = [0, 2, 1, 3]
      %y = tensor.collapse_shape %back [[0], [1], [2, 3]] : tensor<2x8x4x16xf32> into tensor<2x8x64xf32>
      mt.return %y : tensor<2x8x64xf32>
    }

    // A table that is gathered from keeps its layout, and the result follows it: the indices are permuted.
    // CHECK-LABEL: mt.entry @gather
    // CHECK-DAG: %[[I:.*]] = linalg.index 1
    // CHECK-DAG: %[[J:.*]] = linalg.index 0
    // CHECK: tensor.extract %arg0[%[[J]], %[[I]]]
    mt.entry @gather(%x: tensor<4x6xf32> {mt.name = "x"}) -> (tensor<6x4xf32> {mt.name = "y"}) {
      %e = tensor.empty() : tensor<6x4xf32>
      %t = linalg.transpose ins(%x : tensor<4x6xf32>) outs(%e : tensor<6x4xf32>) permutation = [1, 0]
      %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<6x4xf32>) {
      ^bb0(%o: f32):
        %i = linalg.index 0 : index
        %j = linalg.index 1 : index
        %v = tensor.extract %t[%i, %j] : tensor<6x4xf32>
        linalg.yield %v : f32
      } -> tensor<6x4xf32>
      mt.return %y : tensor<6x4xf32>
    }
  }
}
