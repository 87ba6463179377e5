// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-narrow-cuda-values))' %s | %FileCheck %s

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#o = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(d0, d1) -> (d0, d1)>

mt.program @p {
  // A weight that is a factor is rounded once; what is added stays.
  // CHECK-DAG: mt.weight @t.w.f16 : tensor<8x8xf16> derive(@t.w)
  mt.weight @t.w : tensor<8x8xf32> from("a.onnx" at 0)

  // A product reads an input of f32 and gives halves, those too large for them as the largest: its epilogue rounds.
  // CHECK-LABEL: mt.kernel @first kind(contraction)
  // CHECK-SAME: (%{{.*}}: tensor<8x8xf32>, %{{.*}}: tensor<8x8xf16>) -> tensor<8x8xf16>
  // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<8x8xf32>, tensor<8x8xf16>) outs(%{{.*}} : tensor<8x8xf32>)
  // CHECK: %[[W:.*]] = arith.extf %{{.*}} : f16 to f32
  // CHECK: arith.mulf %{{.*}}, %[[W]] : f32
  // CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<8x8xf16>)
  // CHECK: %[[MOST:.*]] = arith.constant 6.550400e+04 : f32
  // CHECK: arith.cmpf ogt, %{{.*}}, %[[MOST]] : f32
  // CHECK: arith.truncf %{{.*}} : f32 to f16
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

  // A move moves halves: nothing is converted.
  // CHECK-LABEL: mt.kernel @turn kind(move)
  // CHECK-SAME: (%{{.*}}: tensor<8x8xf16>) -> tensor<8x8xf16>
  // CHECK-NOT: arith.{{ext|trunc}}f
  // CHECK: linalg.transpose ins(%{{.*}} : tensor<8x8xf16>)
  // CHECK-NOT: arith.{{ext|trunc}}f
  // CHECK: mt.yield
  mt.kernel @turn kind(move) (%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
    %e = tensor.empty() : tensor<8x8xf32>
    %t = linalg.transpose ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) permutation = [1, 0]
    mt.yield %t : tensor<8x8xf32>
  }

  // Another nest reads the result of the first, in f32, beside what is stored.
  // CHECK-LABEL: mt.kernel @both kind(rows)
  // CHECK-SAME: (%{{.*}}: tensor<8x8xf16>) -> (tensor<8x8xf16>, tensor<8xf32>)
  // CHECK: %[[TWO:.*]]:2 = linalg.generic {{.*}} ins(%{{.*}} : tensor<8x8xf16>) outs(%{{.*}}, %{{.*}} : tensor<8x8xf32>, tensor<8x8xf16>)
  // CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[TWO]]#0 : tensor<8x8xf32>)
  // CHECK: mt.yield %[[TWO]]#1, %[[SUM]]
  mt.kernel @both kind(rows) (%x: tensor<8x8xf32>) -> (tensor<8x8xf32>, tensor<8xf32>) {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8x8xf32>
    %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
    ^bb0(%p: f32, %q: f32):
      %n = arith.negf %p : f32
      linalg.yield %n : f32
    } -> tensor<8x8xf32>
    %r = tensor.empty() : tensor<8xf32>
    %f = linalg.fill ins(%z : f32) outs(%r : tensor<8xf32>) -> tensor<8xf32>
    %s = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%y : tensor<8x8xf32>) outs(%f : tensor<8xf32>) {
    ^bb0(%p: f32, %q: f32):
      %n = arith.addf %q, %p : f32
      linalg.yield %n : f32
    } -> tensor<8xf32>
    mt.yield %y, %s : tensor<8x8xf32>, tensor<8xf32>
  }

  // What a maximum is taken of may be narrow, and then so is the maximum.
  // CHECK-LABEL: mt.kernel @most kind(rows)
  // CHECK-SAME: (%{{.*}}: tensor<8x8xf16>) -> tensor<8xf16>
  // CHECK: arith.constant 0xFC00 : f16
  // CHECK: arith.maximumf %{{.*}}, %{{.*}} : f32
  // CHECK-NEXT: arith.truncf
  // CHECK-NEXT: linalg.yield
  mt.kernel @most kind(rows) (%x: tensor<8x8xf32>) -> tensor<8xf32> {
    %z = arith.constant 0xFF800000 : f32
    %e = tensor.empty() : tensor<8xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
    %s = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<8x8xf32>) outs(%f : tensor<8xf32>) {
    ^bb0(%p: f32, %q: f32):
      %n = arith.maximumf %q, %p : f32
      linalg.yield %n : f32
    } -> tensor<8xf32>
    mt.yield %s : tensor<8xf32>
  }

  // What becomes an integer stays as it is, and so does what an entry gives.
  // CHECK-LABEL: mt.kernel @places kind(elementwise)
  // CHECK-SAME: (%{{.*}}: tensor<8xf32>) -> tensor<8xi32>
  mt.kernel @places kind(elementwise) (%x: tensor<8xf32>) -> tensor<8xi32> {
    %e = tensor.empty() : tensor<8xi32>
    %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x : tensor<8xf32>) outs(%e : tensor<8xi32>) {
    ^bb0(%p: f32, %q: i32):
      %n = arith.fptosi %p : f32 to i32
      linalg.yield %n : i32
    } -> tensor<8xi32>
    mt.yield %y : tensor<8xi32>
  }

  // CHECK-LABEL: mt.kernel @last kind(contraction)
  // CHECK-SAME: (%{{.*}}: tensor<8x8xf16>, %{{.*}}: tensor<8x8xf16>, %{{.*}}: tensor<8xf16>) -> tensor<8x8xf32>
  // CHECK-NOT: arith.truncf
  // CHECK: mt.yield
  mt.kernel @last kind(contraction) (%x: tensor<8x8xf32>, %w: tensor<8x8xf32>, %b: tensor<8xf32>) -> tensor<8x8xf32> numerics("contraction-k8-f16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8x8xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
    %c = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) {
    ^bb0(%p: f32, %q: f32, %s: f32):
      %m = arith.mulf %p, %q : f32
      %n = arith.addf %s, %m : f32
      linalg.yield %n : f32
    } -> tensor<8x8xf32>
    %y = linalg.generic {indexing_maps = [#id, affine_map<(d0, d1) -> (d1)>, #id], iterator_types = ["parallel", "parallel"]} ins(%c, %b : tensor<8x8xf32>, tensor<8xf32>) outs(%e : tensor<8x8xf32>) {
    ^bb0(%p: f32, %q: f32, %s: f32):
      %n = arith.addf %p, %q : f32
      linalg.yield %n : f32
    } -> tensor<8x8xf32>
    mt.yield %y : tensor<8x8xf32>
  }

  // CHECK-LABEL: mt.tenant @t
  mt.tenant @t attributes {precision = "f16"} {
    // CHECK: mt.entry @n1(%[[X:.*]]: tensor<8x8xf32> {{.*}} -> (tensor<8x8xf32> {{.*}}, tensor<8xi32>
    // CHECK: mt.task 0 @first(%[[X]], %{{.*}}) : (tensor<8x8xf32>, tensor<8x8xf16>) -> tensor<8x8xf16>
    // CHECK: tensor.collapse_shape %{{.*}} : tensor<8x8xf16> into tensor<64xf16>
    // CHECK: mt.task 1 @turn({{.*}}) : (tensor<8x8xf16>) -> tensor<8x8xf16>
    // CHECK: mt.task 2 @both({{.*}}) : (tensor<8x8xf16>) -> (tensor<8x8xf16>, tensor<8xf32>)
    // CHECK: mt.task 3 @most({{.*}}) : (tensor<8x8xf16>) -> tensor<8xf16>
    // CHECK: mt.task 4 @places({{.*}}) : (tensor<8xf32>) -> tensor<8xi32>
    // CHECK: mt.task 5 @last({{.*}}) : (tensor<8x8xf16>, tensor<8x8xf16>, tensor<8xf16>) -> tensor<8x8xf32>
    mt.entry @n1(%x: tensor<8x8xf32> {mt.name = "x"}) -> (tensor<8x8xf32> {mt.name = "y"}, tensor<8xi32> {mt.name = "p"}) {
      %w = mt.get_weight @t.w : tensor<8x8xf32>
      %0 = mt.task 0 @first(%x, %w) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %v = tensor.collapse_shape %0 [[0, 1]] : tensor<8x8xf32> into tensor<64xf32>
      %u = tensor.expand_shape %v [[0, 1]] output_shape [8, 8] : tensor<64xf32> into tensor<8x8xf32>
      %1 = mt.task 1 @turn(%u) : (tensor<8x8xf32>) -> tensor<8x8xf32>
      %2:2 = mt.task 2 @both(%1) : (tensor<8x8xf32>) -> (tensor<8x8xf32>, tensor<8xf32>)
      %3 = mt.task 3 @most(%2#0) : (tensor<8x8xf32>) -> tensor<8xf32>
      %4 = mt.task 4 @places(%2#1) : (tensor<8xf32>) -> tensor<8xi32>
      %5 = mt.task 5 @last(%2#0, %1, %3) : (tensor<8x8xf32>, tensor<8x8xf32>, tensor<8xf32>) -> tensor<8x8xf32>
      mt.return %5, %4 : tensor<8x8xf32>, tensor<8xi32>
    }
  }
}
