// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-split-products))' %s | %FileCheck %s

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#o = affine_map<(m, n, k) -> (m, n)>

mt.program @p {
  mt.weight @t.w : tensor<48x40xf32> from("a.onnx" at 0)
  mt.kernel @right kind(contraction) (%x: tensor<64x48xf32>, %w: tensor<48x40xf32>) -> tensor<64x40xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<64x40xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<64x40xf32>) -> tensor<64x40xf32>
    %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<64x48xf32>, tensor<48x40xf32>) outs(%z : tensor<64x40xf32>) {
    ^bb0(%u: f32, %v: f32, %acc: f32):
      %m = arith.mulf %u, %v : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<64x40xf32>
    mt.yield %y : tensor<64x40xf32>
  }
  mt.tenant @t {
    mt.entry @n1(%x: tensor<64x48xf32> {mt.name = "x"}) -> (tensor<64x40xf32> {mt.name = "y"}) {
      %w = mt.get_weight @t.w : tensor<48x40xf32>
      %y = mt.task 0 @right(%x, %w) : (tensor<64x48xf32>, tensor<48x40xf32>) -> tensor<64x40xf32>
      mt.return %y : tensor<64x40xf32>
    }
  }
}
