// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-use-winograd{lanes=16}))' %s | %FileCheck %s --check-prefix=NEAR
// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-use-winograd{lanes=16 far-byte=16}))' %s | %FileCheck %s --check-prefix=FAR

// Transformed weights of 256 x 256 channels are 9.4 MB, for 169 pixels: where a byte from beyond a core's own caches
// costs as much as 16 operations they take longer than the products that they save.
#x = affine_map<(n, h, w, f, kh, kw, c) -> (n, h + kh, w + kw, c)>
#w = affine_map<(n, h, w, f, kh, kw, c) -> (f, kh, kw, c)>
#y = affine_map<(n, h, w, f, kh, kw, c) -> (n, h, w, f)>

mt.program @p {
  mt.weight @t.w : tensor<256x3x3x256xf32> from("a.onnx" at 0)
  // NEAR-LABEL: mt.kernel @far
  // NEAR-SAME: numerics("winograd-f4x4-3x3")
  // FAR-LABEL: mt.kernel @far
  // FAR-SAME: numerics("contraction-k2304")
  mt.kernel @far kind(contraction) (%x: tensor<1x15x15x256xf32>, %w: tensor<256x3x3x256xf32>) -> tensor<1x13x13x256xf32> numerics("contraction-k2304") {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x13x13x256xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x13x13x256xf32>) -> tensor<1x13x13x256xf32>
    %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%x, %w : tensor<1x15x15x256xf32>, tensor<256x3x3x256xf32>) outs(%f : tensor<1x13x13x256xf32>) {
    ^bb0(%a: f32, %b: f32, %acc: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x13x13x256xf32>
    mt.yield %c : tensor<1x13x13x256xf32>
  }

  // The same of a large image: the weights are read once for very many products.
  // NEAR-LABEL: mt.kernel @large
  // NEAR-SAME: numerics("winograd-f4x4-3x3")
  // FAR-LABEL: mt.kernel @large
  // FAR-SAME: numerics("winograd-f4x4-3x3")
  mt.kernel @large kind(contraction) (%x: tensor<1x66x66x256xf32>, %w: tensor<256x3x3x256xf32>) -> tensor<1x64x64x256xf32> numerics("contraction-k2304") {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x64x64x256xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x64x64x256xf32>) -> tensor<1x64x64x256xf32>
    %c = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%x, %w : tensor<1x66x66x256xf32>, tensor<256x3x3x256xf32>) outs(%f : tensor<1x64x64x256xf32>) {
    ^bb0(%a: f32, %b: f32, %acc: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x64x64x256xf32>
    mt.yield %c : tensor<1x64x64x256xf32>
  }

  mt.tenant @t {
    mt.entry @n1(%a: tensor<1x15x15x256xf32> {mt.name = "a"}, %b: tensor<1x66x66x256xf32> {mt.name = "b"}) -> (tensor<1x13x13x256xf32> {mt.name = "p"}, tensor<1x64x64x256xf32> {mt.name = "q"}) {
      %w = mt.get_weight @t.w : tensor<256x3x3x256xf32>
      %p = mt.task 0 @far(%a, %w) : (tensor<1x15x15x256xf32>, tensor<256x3x3x256xf32>) -> tensor<1x13x13x256xf32>
      %q = mt.task 1 @large(%b, %w) : (tensor<1x66x66x256xf32>, tensor<256x3x3x256xf32>) -> tensor<1x64x64x256xf32>
      mt.return %p, %q : tensor<1x13x13x256xf32>, tensor<1x64x64x256xf32>
    }
  }
}
