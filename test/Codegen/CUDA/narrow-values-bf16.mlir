// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-narrow-cuda-values))' %s | %FileCheck %s

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#o = affine_map<(m, n, k) -> (m, n)>

// In bf16 values are narrow that products alone read, as factors: they would round them. What others read, too, is not.
mt.program @p {
  mt.weight @t.w : tensor<8x8xf32> from("a.onnx" at 0)
  mt.kernel @first kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> numerics("contraction-k8-bf16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8x8xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
    %c = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) {
    ^bb0(%p: f32, %q: f32, %s: f32):
      %m = arith.mulf %p, %q : f32
      %n = arith.addf %s, %m : f32
      linalg.yield %n : f32
    } -> tensor<8x8xf32>
    mt.yield %c : tensor<8x8xf32>
  }
  mt.kernel @second kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> numerics("contraction-k8-bf16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8x8xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
    %c = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) {
    ^bb0(%p: f32, %q: f32, %s: f32):
      %m = arith.mulf %p, %q : f32
      %n = arith.addf %s, %m : f32
      linalg.yield %n : f32
    } -> tensor<8x8xf32>
    mt.yield %c : tensor<8x8xf32>
  }
  mt.kernel @third kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> numerics("contraction-k8-bf16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8x8xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
    %c = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) {
    ^bb0(%p: f32, %q: f32, %s: f32):
      %m = arith.mulf %p, %q : f32
      %n = arith.addf %s, %m : f32
      linalg.yield %n : f32
    } -> tensor<8x8xf32>
    mt.yield %c : tensor<8x8xf32>
  }
  mt.kernel @negate kind(elementwise) (%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
    %e = tensor.empty() : tensor<8x8xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
    ^bb0(%p: f32, %q: f32):
      %n = arith.negf %p : f32
      linalg.yield %n : f32
    } -> tensor<8x8xf32>
    mt.yield %y : tensor<8x8xf32>
  }
  mt.tenant @t attributes {precision = "bf16"} {
    // CHECK: mt.task 0 @first({{.*}}) : (tensor<8x8xf32>, tensor<8x8xbf16>) -> tensor<8x8xbf16>
    // CHECK: mt.task 1 @second({{.*}}) : (tensor<8x8xbf16>, tensor<8x8xbf16>) -> tensor<8x8xf32>
    // CHECK: mt.task 2 @third({{.*}}) : (tensor<8x8xf32>, tensor<8x8xbf16>) -> tensor<8x8xf32>
    // CHECK: mt.task 3 @negate({{.*}}) : (tensor<8x8xf32>) -> tensor<8x8xf32>
    mt.entry @n1(%x: tensor<8x8xf32> {mt.name = "x"}) -> (tensor<8x8xf32> {mt.name = "y"}, tensor<8x8xf32> {mt.name = "z"}) {
      %w = mt.get_weight @t.w : tensor<8x8xf32>
      %0 = mt.task 0 @first(%x, %w) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %1 = mt.task 1 @second(%0, %w) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %2 = mt.task 2 @third(%1, %w) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %3 = mt.task 3 @negate(%1) : (tensor<8x8xf32>) -> tensor<8x8xf32>
      mt.return %2, %3 : tensor<8x8xf32>, tensor<8x8xf32>
    }
  }
}
