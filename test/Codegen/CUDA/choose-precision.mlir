// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-choose-cuda-precision))' %s | %FileCheck %s
// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-choose-cuda-precision,mt-narrow-cuda-values))' %s | %FileCheck %s --check-prefix=NARROW

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#o = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(d0, d1) -> (d0, d1)>

mt.program @p {
  mt.weight @w0 : tensor<8x8xf32> from("a.onnx" at 0)
  mt.weight @w1 : tensor<8x8xf32> from("a.onnx" at 256)
  mt.weight @w2 : tensor<8x8xf32> from("a.onnx" at 512)
  mt.weight @w3 : tensor<8x8xf32> from("a.onnx" at 768)
  mt.weight @w4 : tensor<8x8xf32> from("a.onnx" at 1024)
  mt.weight @w5 : tensor<8x8xf32> from("a.onnx" at 1280)
  mt.weight @w6 : tensor<8x8xf32> from("a.onnx" at 1536)
  mt.weight @w7 : tensor<8x8xf32> from("a.onnx" at 1792)
  mt.weight @w8 : tensor<8x8xf32> from("a.onnx" at 2048)
  mt.weight @w9 : tensor<8x8xf32> from("a.onnx" at 2304)
  mt.weight @w10 : tensor<8x8xf32> from("a.onnx" at 2560)
  mt.weight @w11 : tensor<8x8xf32> from("a.onnx" at 2816)
  mt.weight @w12 : tensor<8x8xf32> from("a.onnx" at 3072)

  // What a logarithm reads in its kernel, or in another one behind another product, is exact; the product after it is not.
  // CHECK-LABEL: mt.kernel @first kind(contraction)
  // CHECK-SAME: numerics("contraction-k8")
  mt.kernel @first kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> numerics("contraction-k8-f16") {
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
  // CHECK-LABEL: mt.kernel @levels kind(contraction)
  // CHECK-SAME: numerics("contraction-k8")
  mt.kernel @levels kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> numerics("contraction-k8-f16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8x8xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
    %c = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) {
    ^bb0(%p: f32, %q: f32, %s: f32):
      %m = arith.mulf %p, %q : f32
      %n = arith.addf %s, %m : f32
      linalg.yield %n : f32
    } -> tensor<8x8xf32>
    %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
    ^bb0(%p: f32, %q: f32):
      %m = arith.mulf %p, %p : f32
      %n = math.log %m : f32
      linalg.yield %n : f32
    } -> tensor<8x8xf32>
    mt.yield %y : tensor<8x8xf32>
  }
  // CHECK-LABEL: mt.kernel @after kind(contraction)
  // CHECK-SAME: numerics("contraction-k8-f16")
  mt.kernel @after kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> numerics("contraction-k8-f16") {
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
  // An exponential gives relative errors: what it reads is rounded, though a logarithm follows.
  // CHECK-LABEL: mt.kernel @scores kind(contraction)
  // CHECK-SAME: numerics("contraction-k8-f16")
  mt.kernel @scores kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> numerics("contraction-k8-f16") {
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
  mt.kernel @softplus kind(elementwise) (%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
    %e = tensor.empty() : tensor<8x8xf32>
    %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
    ^bb0(%p: f32, %q: f32):
      %c = math.exp %p : f32
      %n = math.log %c : f32
      linalg.yield %n : f32
    } -> tensor<8x8xf32>
    mt.yield %y : tensor<8x8xf32>
  }
  // Angles are exact, here through another task.
  // CHECK-LABEL: mt.kernel @angles kind(contraction)
  // CHECK-SAME: numerics("contraction-k8")
  mt.kernel @angles kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> numerics("contraction-k8-f16") {
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
    %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
    ^bb0(%p: f32, %q: f32):
      %n = arith.negf %p : f32
      linalg.yield %n : f32
    } -> tensor<8x8xf32>
    mt.yield %y : tensor<8x8xf32>
  }
  mt.kernel @sine kind(elementwise) (%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
    %e = tensor.empty() : tensor<8x8xf32>
    %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
    ^bb0(%p: f32, %q: f32):
      %n = math.sin %p : f32
      linalg.yield %n : f32
    } -> tensor<8x8xf32>
    mt.yield %y : tensor<8x8xf32>
  }

  // Values on the way to a logarithm are not halves.
  // NARROW-LABEL: mt.tenant @spectrum
  // NARROW: mt.task 0 @first({{.*}}) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  // NARROW: mt.task 1 @levels({{.*}}) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf16>
  // NARROW: mt.task 2 @after({{.*}}) : (tensor<8x8xf16>, tensor<8x8xf16>) -> tensor<8x8xf32>
  mt.tenant @spectrum attributes {precision = "f16"} {
    mt.entry @n1(%x: tensor<8x8xf32> {mt.name = "x"}) -> (tensor<8x8xf32> {mt.name = "y"}, tensor<8x8xf32> {mt.name = "p"}, tensor<8x8xf32> {mt.name = "s"}) {
      %w0 = mt.get_weight @w0 : tensor<8x8xf32>
      %w1 = mt.get_weight @w1 : tensor<8x8xf32>
      %w2 = mt.get_weight @w2 : tensor<8x8xf32>
      %0 = mt.task 0 @first(%x, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %1 = mt.task 1 @levels(%0, %w1) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %2 = mt.task 2 @after(%1, %w2) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %3 = mt.task 3 @scores(%x, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %4 = mt.task 4 @softplus(%3) : (tensor<8x8xf32>) -> tensor<8x8xf32>
      %5 = mt.task 5 @angles(%x, %w2) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %6 = mt.task 6 @negate(%5) : (tensor<8x8xf32>) -> tensor<8x8xf32>
      %7 = mt.task 7 @sine(%6) : (tensor<8x8xf32>) -> tensor<8x8xf32>
      mt.return %2, %4, %7 : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>
    }
  }

  // Errors of twelve layers are too many in bf16: the first one, behind which are most, becomes more precise, and that is enough.
  // CHECK-LABEL: mt.kernel @deep_first kind(contraction)
  // CHECK-SAME: numerics("contraction-k8-tf32")
  mt.kernel @deep_first kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> numerics("contraction-k8-bf16") {
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
  // CHECK-LABEL: mt.kernel @deep_others kind(contraction)
  // CHECK-SAME: numerics("contraction-k8-bf16")
  mt.kernel @deep_others kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> numerics("contraction-k8-bf16") {
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
  mt.tenant @deep attributes {precision = "bf16"} {
    mt.entry @n1(%x: tensor<8x8xf32> {mt.name = "x"}) -> (tensor<8x8xf32> {mt.name = "y"}) {
      %w0 = mt.get_weight @w0 : tensor<8x8xf32>
      %w1 = mt.get_weight @w1 : tensor<8x8xf32>
      %w2 = mt.get_weight @w2 : tensor<8x8xf32>
      %w3 = mt.get_weight @w3 : tensor<8x8xf32>
      %w4 = mt.get_weight @w4 : tensor<8x8xf32>
      %w5 = mt.get_weight @w5 : tensor<8x8xf32>
      %w6 = mt.get_weight @w6 : tensor<8x8xf32>
      %w7 = mt.get_weight @w7 : tensor<8x8xf32>
      %w8 = mt.get_weight @w8 : tensor<8x8xf32>
      %w9 = mt.get_weight @w9 : tensor<8x8xf32>
      %w10 = mt.get_weight @w10 : tensor<8x8xf32>
      %w11 = mt.get_weight @w11 : tensor<8x8xf32>
      %0 = mt.task 0 @deep_first(%x, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %1 = mt.task 1 @deep_others(%0, %w1) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %2 = mt.task 2 @deep_others(%1, %w2) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %3 = mt.task 3 @deep_others(%2, %w3) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %4 = mt.task 4 @deep_others(%3, %w4) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %5 = mt.task 5 @deep_others(%4, %w5) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %6 = mt.task 6 @deep_others(%5, %w6) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %7 = mt.task 7 @deep_others(%6, %w7) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %8 = mt.task 8 @deep_others(%7, %w8) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %9 = mt.task 9 @deep_others(%8, %w9) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %10 = mt.task 10 @deep_others(%9, %w10) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %11 = mt.task 11 @deep_others(%10, %w11) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      mt.return %11 : tensor<8x8xf32>
    }
  }

  // Steps of a recurrence have one weight, which is rounded once.
  // CHECK-LABEL: mt.kernel @step kind(contraction)
  // CHECK-SAME: numerics("contraction-k8-bf16")
  mt.kernel @step kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> numerics("contraction-k8-bf16") {
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
  mt.tenant @recurrent attributes {precision = "bf16"} {
    mt.entry @n1(%x: tensor<8x8xf32> {mt.name = "x"}) -> (tensor<8x8xf32> {mt.name = "y"}) {
      %w0 = mt.get_weight @w0 : tensor<8x8xf32>
      %0 = mt.task 0 @step(%x, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %1 = mt.task 1 @step(%0, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %2 = mt.task 2 @step(%1, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %3 = mt.task 3 @step(%2, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %4 = mt.task 4 @step(%3, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %5 = mt.task 5 @step(%4, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %6 = mt.task 6 @step(%5, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %7 = mt.task 7 @step(%6, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %8 = mt.task 8 @step(%7, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %9 = mt.task 9 @step(%8, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %10 = mt.task 10 @step(%9, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %11 = mt.task 11 @step(%10, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      mt.return %11 : tensor<8x8xf32>
    }
  }

  // In tf32, of which tensors in memory are no smaller, a product that memory bounds is exact.
  // CHECK-LABEL: mt.kernel @small kind(contraction)
  // CHECK-SAME: numerics("contraction-k8")
  mt.kernel @small kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> numerics("contraction-k8-tf32") {
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
  mt.tenant @bounded attributes {precision = "tf32"} {
    mt.entry @n1(%x: tensor<8x8xf32> {mt.name = "x"}) -> (tensor<8x8xf32> {mt.name = "y"}) {
      %w0 = mt.get_weight @w0 : tensor<8x8xf32>
      %0 = mt.task 0 @small(%x, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      mt.return %0 : tensor<8x8xf32>
    }
  }

  // Who wants no promise gets what he asked for.
  // CHECK-LABEL: mt.kernel @loose kind(contraction)
  // CHECK-SAME: numerics("contraction-k8-tf32")
  mt.kernel @loose kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> numerics("contraction-k8-tf32") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8x8xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
    %c = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) {
    ^bb0(%p: f32, %q: f32, %s: f32):
      %m = arith.mulf %p, %q : f32
      %n = arith.addf %s, %m : f32
      linalg.yield %n : f32
    } -> tensor<8x8xf32>
    %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
    ^bb0(%p: f32, %q: f32):
      %n = math.log %p : f32
      linalg.yield %n : f32
    } -> tensor<8x8xf32>
    mt.yield %y : tensor<8x8xf32>
  }
  mt.tenant @relaxed attributes {precision = "tf32", numerics = "relaxed"} {
    mt.entry @n1(%x: tensor<8x8xf32> {mt.name = "x"}) -> (tensor<8x8xf32> {mt.name = "y"}) {
      %w0 = mt.get_weight @w0 : tensor<8x8xf32>
      %0 = mt.task 0 @loose(%x, %w0) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      mt.return %0 : tensor<8x8xf32>
    }
  }
}
