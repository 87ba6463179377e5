// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-form-tasks))' %s | %FileCheck %s
// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-form-tasks{fuse=false}))' %s | %FileCheck %s --check-prefix=SINGLE
// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-form-tasks))' %s | %FileCheck %s --check-prefix=ROUNDED

#a = affine_map<(n, h, f, y, c) -> (n, h + y, c)>
#w = affine_map<(n, h, f, y, c) -> (f, y, c)>
#o = affine_map<(n, h, f, y, c) -> (n, h, f)>
#id3 = affine_map<(n, h, f) -> (n, h, f)>
#f = affine_map<(n, h, f) -> (f)>
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

mt.program @p {
  mt.weight @t.w : tensor<6x3x4xf32> from("a.onnx" at 0)
  mt.weight @t.b : tensor<6xf32> from("a.onnx" at 288)
  mt.weight @t.one : tensor<1x3x4xf32> from("a.onnx" at 400)

  // Padding, convolution, bias, activation and the residual (which is the padded input's kernel argument again) are
  // one kernel; constants and fills are inside.
  // CHECK: mt.kernel @contraction_0 kind(contraction) (%{{.*}}: tensor<1x8x4xf32>, %{{.*}}: tensor<6x3x4xf32>, %{{.*}}: tensor<6xf32>, %{{.*}}: tensor<1x8x6xf32>) -> tensor<1x8x6xf32> numerics("contraction-k12")
  // CHECK: tensor.pad
  // CHECK: linalg.fill
  // CHECK: arith.mulf
  // CHECK: arith.maximumf
  // CHECK: mt.yield

  // A softmax is one kernel.
  // CHECK: mt.kernel @rows_1 kind(rows) (%{{.*}}: tensor<4x8xf32>) -> tensor<4x8xf32> numerics("rows-r8")
  // CHECK: arith.maximumf
  // CHECK: math.exp
  // CHECK: arith.addf
  // CHECK: arith.divf

  // Reference mode: each op for itself.
  // SINGLE: mt.kernel @move_0 kind(move)
  // SINGLE: mt.kernel @contraction_1 kind(contraction)
  // SINGLE: mt.kernel @elementwise_2 kind(elementwise)
  // SINGLE: mt.kernel @rows_3 kind(rows)
  // SINGLE: mt.kernel @elementwise_4 kind(elementwise)
  // SINGLE: mt.kernel @rows_5 kind(rows)
  // SINGLE: mt.kernel @elementwise_6 kind(elementwise)
  mt.tenant @t {
    // CHECK-LABEL: mt.entry @convolution
    // CHECK: %[[Y:.*]] = mt.task 0 @contraction_0(%arg0, %{{.*}}, %{{.*}}, %arg1)
    // CHECK: mt.return %[[Y]]
    mt.entry @convolution(%x: tensor<1x8x4xf32> {mt.name = "x"}, %r: tensor<1x8x6xf32> {mt.name = "r"}) -> (tensor<1x8x6xf32> {mt.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %w = mt.get_weight @t.w : tensor<6x3x4xf32>
      %b = mt.get_weight @t.b : tensor<6xf32>
      %p = tensor.pad %x low[0, 1, 0] high[0, 1, 0] {
      ^bb0(%i: index, %j: index, %k: index):
        tensor.yield %zero : f32
      } : tensor<1x8x4xf32> to tensor<1x10x4xf32>
      %e = tensor.empty() : tensor<1x8x6xf32>
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<1x8x6xf32>) -> tensor<1x8x6xf32>
      %c = linalg.generic {indexing_maps = [#a, #w, #o], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%p, %w : tensor<1x10x4xf32>, tensor<6x3x4xf32>) outs(%z : tensor<1x8x6xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %m = arith.mulf %u, %v : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<1x8x6xf32>
      %y = linalg.generic {indexing_maps = [#id3, #f, #id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%c, %b, %r : tensor<1x8x6xf32>, tensor<6xf32>, tensor<1x8x6xf32>) outs(%e : tensor<1x8x6xf32>) {
      ^bb0(%u: f32, %v: f32, %q: f32, %o: f32):
        %s = arith.addf %u, %v : f32
        %t = arith.maximumf %s, %zero : f32
        %m = arith.addf %t, %q : f32
        linalg.yield %m : f32
      } -> tensor<1x8x6xf32>
      mt.return %y : tensor<1x8x6xf32>
    }

    // CHECK-LABEL: mt.entry @softmax
    // CHECK: %[[Y:.*]] = mt.task 0 @rows_1(%arg0)
    // CHECK: mt.return %[[Y]]
    mt.entry @softmax(%x: tensor<4x8xf32> {mt.name = "x"}) -> (tensor<4x8xf32> {mt.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %least = arith.constant 0xFF800000 : f32
      %e = tensor.empty() : tensor<4x8xf32>
      %re = tensor.empty() : tensor<4xf32>
      %rl = linalg.fill ins(%least : f32) outs(%re : tensor<4xf32>) -> tensor<4xf32>
      %max = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%rl : tensor<4xf32>) {
      ^bb0(%u: f32, %acc: f32):
        %s = arith.maximumf %acc, %u : f32
        linalg.yield %s : f32
      } -> tensor<4xf32>
      %exp = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %max : tensor<4x8xf32>, tensor<4xf32>) outs(%e : tensor<4x8xf32>) {
      ^bb0(%u: f32, %v: f32, %o: f32):
        %d = arith.subf %u, %v : f32
        %s = math.exp %d : f32
        linalg.yield %s : f32
      } -> tensor<4x8xf32>
      %rz = linalg.fill ins(%zero : f32) outs(%re : tensor<4xf32>) -> tensor<4xf32>
      %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%exp : tensor<4x8xf32>) outs(%rz : tensor<4xf32>) {
      ^bb0(%u: f32, %acc: f32):
        %s = arith.addf %acc, %u : f32
        linalg.yield %s : f32
      } -> tensor<4xf32>
      %y = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%exp, %sum : tensor<4x8xf32>, tensor<4xf32>) outs(%e : tensor<4x8xf32>) {
      ^bb0(%u: f32, %v: f32, %o: f32):
        %s = arith.divf %u, %v : f32
        linalg.yield %s : f32
      } -> tensor<4x8xf32>
      mt.return %y : tensor<4x8xf32>
    }

    // Results that are an argument, or the same value twice, are copied; ids count from 0 in every entry.
    // CHECK-LABEL: mt.entry @results
    // CHECK: %[[N:.*]] = mt.task 0 @elementwise_2(%arg0)
    // CHECK: %[[C:.*]] = mt.task 1 @elementwise_3(%arg0)
    // CHECK: %[[D:.*]] = mt.task 2 @elementwise_4(%[[N]])
    // CHECK: mt.return %[[N]], %[[C]], %[[D]]
    mt.entry @results(%x: tensor<4x8xf32> {mt.name = "x"}) -> (tensor<4x8xf32> {mt.name = "y"}, tensor<4x8xf32> {mt.name = "z"}, tensor<4x8xf32> {mt.name = "again"}) {
      %e = tensor.empty() : tensor<4x8xf32>
      %n = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
      ^bb0(%u: f32, %o: f32):
        %s = arith.negf %u : f32
        linalg.yield %s : f32
      } -> tensor<4x8xf32>
      mt.return %n, %x, %n : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
    }

    // A group must not wait for itself: the last op reads the row sums, and the reversed row sums, which another
    // task makes from them; so it stays outside the group of the sums.
    // CHECK-LABEL: mt.entry @cycle
    // CHECK: %[[S:.*]] = mt.task 0 @rows_5(%arg0)
    // CHECK: %[[G:.*]] = mt.task 1 @elementwise_6(%[[S]])
    // CHECK: mt.task 2 @elementwise_7(%[[S]], %[[G]])
    mt.entry @cycle(%x: tensor<4x8xf32> {mt.name = "x"}) -> (tensor<4x8xf32> {mt.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %three = arith.constant 3 : index
      %e = tensor.empty() : tensor<4x8xf32>
      %re = tensor.empty() : tensor<4xf32>
      %rz = linalg.fill ins(%zero : f32) outs(%re : tensor<4xf32>) -> tensor<4xf32>
      %sum = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<4x8xf32>) outs(%rz : tensor<4xf32>) {
      ^bb0(%u: f32, %acc: f32):
        %s = arith.addf %acc, %u : f32
        linalg.yield %s : f32
      } -> tensor<4xf32>
      %reversed = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%re : tensor<4xf32>) {
      ^bb0(%o: f32):
        %i = linalg.index 0 : index
        %at = arith.subi %three, %i : index
        %s = tensor.extract %sum[%at] : tensor<4xf32>
        linalg.yield %s : f32
      } -> tensor<4xf32>
      %y = linalg.generic {indexing_maps = [#row, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%sum, %reversed : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4x8xf32>) {
      ^bb0(%u: f32, %v: f32, %o: f32):
        %s = arith.subf %u, %v : f32
        linalg.yield %s : f32
      } -> tensor<4x8xf32>
      mt.return %y : tensor<4x8xf32>
    }

    // The halves of each row are taken where they are read; the first rows, which another use of
    // the same kernel might take elsewhere, are a task of their own.
    // CHECK-LABEL: mt.entry @halves
    // CHECK: %[[R:.*]] = mt.task 0 @move_{{[0-9]+}}(%arg0) : (tensor<8x16xf32>) -> tensor<4x16xf32>
    // CHECK: %[[Y:.*]] = mt.task 1 @elementwise_{{[0-9]+}}(%[[R]]) : (tensor<4x16xf32>) -> tensor<4x8xf32>
    // CHECK-NEXT: mt.return %[[Y]]
    mt.entry @halves(%x: tensor<8x16xf32> {mt.name = "x"}) -> (tensor<4x8xf32> {mt.name = "y"}) {
      %e = tensor.empty() : tensor<4x8xf32>
      %rows = tensor.extract_slice %x[2, 0] [4, 16] [1, 1] : tensor<8x16xf32> to tensor<4x16xf32>
      %a = tensor.extract_slice %rows[0, 0] [4, 8] [1, 1] : tensor<4x16xf32> to tensor<4x8xf32>
      %b = tensor.extract_slice %rows[0, 8] [4, 8] [1, 1] : tensor<4x16xf32> to tensor<4x8xf32>
      %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%a, %b : tensor<4x8xf32>, tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) {
      ^bb0(%u: f32, %v: f32, %o: f32):
        %s = arith.mulf %u, %v : f32
        linalg.yield %s : f32
      } -> tensor<4x8xf32>
      mt.return %y : tensor<4x8xf32>
    }

    // One output channel: a sum for each row of the padded input, which is a task of its own.
    // CHECK-LABEL: mt.entry @one_channel
    // CHECK: %[[P:.*]] = mt.task 0 @move
    // CHECK: %[[Y:.*]] = mt.task 1 @contraction_{{[0-9]+}}(%[[P]]
    // CHECK: mt.return %[[Y]]
    mt.entry @one_channel(%x: tensor<1x8x4xf32> {mt.name = "x"}) -> (tensor<1x8x1xf32> {mt.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %w = mt.get_weight @t.one : tensor<1x3x4xf32>
      %p = tensor.pad %x low[0, 1, 0] high[0, 1, 0] {
      ^bb0(%i: index, %j: index, %k: index):
        tensor.yield %zero : f32
      } : tensor<1x8x4xf32> to tensor<1x10x4xf32>
      %e = tensor.empty() : tensor<1x8x1xf32>
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<1x8x1xf32>) -> tensor<1x8x1xf32>
      %y = linalg.generic {indexing_maps = [#a, #w, #o], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%p, %w : tensor<1x10x4xf32>, tensor<1x3x4xf32>) outs(%z : tensor<1x8x1xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %m = arith.mulf %u, %v : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<1x8x1xf32>
      mt.return %y : tensor<1x8x1xf32>
    }
  }

  // What a tenant allows to round is part of the class of its contractions, and of no other kernel's.
  // ROUNDED: numerics("contraction-k12") {
  // ROUNDED-NOT: -tf32
  // ROUNDED: numerics("contraction-k8-tf32") {
  // ROUNDED-NOT: -tf32
  // CHECK: mt.tenant @rounding
  // CHECK: mt.entry @product
  // CHECK: mt.task 0 @contraction_{{[0-9]+}}(%arg0, %arg1)
  mt.tenant @rounding attributes {precision = "tf32"} {
    mt.entry @product(%x: tensor<4x8xf32> {mt.name = "x"}, %w: tensor<8x8xf32> {mt.name = "w"}) -> (tensor<4x8xf32> {mt.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<4x8xf32>
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
      %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<4x8xf32>, tensor<8x8xf32>) outs(%z : tensor<4x8xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %m = arith.mulf %u, %v : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<4x8xf32>
      mt.return %y : tensor<4x8xf32>
    }
  }
}
