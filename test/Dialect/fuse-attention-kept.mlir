// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-fuse-attention{lanes=16}))' %s | %FileCheck %s
// What stays three tasks.

#q = affine_map<(b, h, m, n, d) -> (b, m, h, d)>
#k = affine_map<(b, h, m, n, d) -> (b, n, h, d)>
#s = affine_map<(b, h, m, n, d) -> (b, h, m, n)>
#all = affine_map<(b, h, m, n) -> (b, h, m, n)>
#row = affine_map<(b, h, m, n) -> (b, h, m)>
#p = affine_map<(b, m, h, w, n) -> (b, h, m, n)>
#v = affine_map<(b, m, h, w, n) -> (b, n, h, w)>
#o = affine_map<(b, m, h, w, n) -> (b, m, h, w)>

// CHECK-NOT: kind(attention)
mt.program @p {
  mt.kernel @scores kind(contraction) (%q: tensor<1x32x2x8xf32>, %k: tensor<1x20x2x8xf32>) -> tensor<1x2x32x20xf32> numerics("contraction-k8") {
    %zero = arith.constant 0.0 : f32
    %scale = arith.constant 3.0 : f32
    %e = tensor.empty() : tensor<1x2x32x20xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x2x32x20xf32>) -> tensor<1x2x32x20xf32>
    %s = linalg.generic {indexing_maps = [#q, #k, #s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%q, %k : tensor<1x32x2x8xf32>, tensor<1x20x2x8xf32>) outs(%f : tensor<1x2x32x20xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %m = arith.mulf %a, %b : f32
        %r = arith.addf %o, %m : f32
        linalg.yield %r : f32
    } -> tensor<1x2x32x20xf32>
    mt.yield %s : tensor<1x2x32x20xf32>
  }
  mt.kernel @softmax kind(rows) (%x: tensor<1x2x32x20xf32>) -> tensor<1x2x32x20xf32> numerics("rows-r20") {
    %zero = arith.constant 0.0 : f32
    %inf = arith.constant 0xFF800000 : f32
    %e = tensor.empty() : tensor<1x2x32x20xf32>
    %er = tensor.empty() : tensor<1x2x32xf32>
    %fm = linalg.fill ins(%inf : f32) outs(%er : tensor<1x2x32xf32>) -> tensor<1x2x32xf32>
    %fs = linalg.fill ins(%zero : f32) outs(%er : tensor<1x2x32xf32>) -> tensor<1x2x32xf32>
    %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x : tensor<1x2x32x20xf32>) outs(%fm : tensor<1x2x32xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = arith.maximumf %o, %a : f32
        linalg.yield %r : f32
    } -> tensor<1x2x32xf32>
    %exp = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x, %m : tensor<1x2x32x20xf32>, tensor<1x2x32xf32>) outs(%e : tensor<1x2x32x20xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %d = arith.subf %a, %b : f32
        %r = math.exp %d : f32
        linalg.yield %r : f32
    } -> tensor<1x2x32x20xf32>
    %s = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%exp : tensor<1x2x32x20xf32>) outs(%fs : tensor<1x2x32xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = arith.addf %o, %a : f32
        linalg.yield %r : f32
    } -> tensor<1x2x32xf32>
    %y = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%exp, %s : tensor<1x2x32x20xf32>, tensor<1x2x32xf32>) outs(%e : tensor<1x2x32x20xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %r = arith.divf %a, %b : f32
        linalg.yield %r : f32
    } -> tensor<1x2x32x20xf32>
    mt.yield %y : tensor<1x2x32x20xf32>
  }
  mt.kernel @other_start kind(rows) (%x: tensor<1x2x32x20xf32>) -> tensor<1x2x32x20xf32> numerics("rows-r20") {
    %zero = arith.constant 0.0 : f32
    %inf = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x2x32x20xf32>
    %er = tensor.empty() : tensor<1x2x32xf32>
    %fm = linalg.fill ins(%inf : f32) outs(%er : tensor<1x2x32xf32>) -> tensor<1x2x32xf32>
    %fs = linalg.fill ins(%zero : f32) outs(%er : tensor<1x2x32xf32>) -> tensor<1x2x32xf32>
    %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x : tensor<1x2x32x20xf32>) outs(%fm : tensor<1x2x32xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = arith.maximumf %o, %a : f32
        linalg.yield %r : f32
    } -> tensor<1x2x32xf32>
    %exp = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x, %m : tensor<1x2x32x20xf32>, tensor<1x2x32xf32>) outs(%e : tensor<1x2x32x20xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %d = arith.subf %a, %b : f32
        %r = math.exp %d : f32
        linalg.yield %r : f32
    } -> tensor<1x2x32x20xf32>
    %s = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%exp : tensor<1x2x32x20xf32>) outs(%fs : tensor<1x2x32xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = arith.addf %o, %a : f32
        linalg.yield %r : f32
    } -> tensor<1x2x32xf32>
    %y = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%exp, %s : tensor<1x2x32x20xf32>, tensor<1x2x32xf32>) outs(%e : tensor<1x2x32x20xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %r = arith.divf %a, %b : f32
        linalg.yield %r : f32
    } -> tensor<1x2x32x20xf32>
    mt.yield %y : tensor<1x2x32x20xf32>
  }
  mt.kernel @values kind(contraction) (%p: tensor<1x2x32x20xf32>, %v: tensor<1x20x2x8xf32>) -> tensor<1x32x2x8xf32> numerics("contraction-k20") {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x32x2x8xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x32x2x8xf32>) -> tensor<1x32x2x8xf32>
    %y = linalg.generic {indexing_maps = [#p, #v, #o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%p, %v : tensor<1x2x32x20xf32>, tensor<1x20x2x8xf32>) outs(%f : tensor<1x32x2x8xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %m = arith.mulf %a, %b : f32
        %r = arith.addf %o, %m : f32
        linalg.yield %r : f32
    } -> tensor<1x32x2x8xf32>
    mt.yield %y : tensor<1x32x2x8xf32>
  }
  mt.kernel @long kind(contraction) (%q: tensor<1x16x2x8xf32>, %k: tensor<1x5000x2x8xf32>) -> tensor<1x2x16x5000xf32> numerics("contraction-k8") {
    %zero = arith.constant 0.0 : f32
    %scale = arith.constant 3.0 : f32
    %e = tensor.empty() : tensor<1x2x16x5000xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x2x16x5000xf32>) -> tensor<1x2x16x5000xf32>
    %s = linalg.generic {indexing_maps = [#q, #k, #s], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%q, %k : tensor<1x16x2x8xf32>, tensor<1x5000x2x8xf32>) outs(%f : tensor<1x2x16x5000xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %m = arith.mulf %a, %b : f32
        %r = arith.addf %o, %m : f32
        linalg.yield %r : f32
    } -> tensor<1x2x16x5000xf32>
    mt.yield %s : tensor<1x2x16x5000xf32>
  }
  mt.kernel @softmax_long kind(rows) (%x: tensor<1x2x16x5000xf32>) -> tensor<1x2x16x5000xf32> numerics("rows-r5000") {
    %zero = arith.constant 0.0 : f32
    %inf = arith.constant 0xFF800000 : f32
    %e = tensor.empty() : tensor<1x2x16x5000xf32>
    %er = tensor.empty() : tensor<1x2x16xf32>
    %fm = linalg.fill ins(%inf : f32) outs(%er : tensor<1x2x16xf32>) -> tensor<1x2x16xf32>
    %fs = linalg.fill ins(%zero : f32) outs(%er : tensor<1x2x16xf32>) -> tensor<1x2x16xf32>
    %m = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%x : tensor<1x2x16x5000xf32>) outs(%fm : tensor<1x2x16xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = arith.maximumf %o, %a : f32
        linalg.yield %r : f32
    } -> tensor<1x2x16xf32>
    %exp = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%x, %m : tensor<1x2x16x5000xf32>, tensor<1x2x16xf32>) outs(%e : tensor<1x2x16x5000xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %d = arith.subf %a, %b : f32
        %r = math.exp %d : f32
        linalg.yield %r : f32
    } -> tensor<1x2x16x5000xf32>
    %s = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%exp : tensor<1x2x16x5000xf32>) outs(%fs : tensor<1x2x16xf32>) {
      ^bb0(%a: f32, %o: f32):
        %r = arith.addf %o, %a : f32
        linalg.yield %r : f32
    } -> tensor<1x2x16xf32>
    %y = linalg.generic {indexing_maps = [#all, #row, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%exp, %s : tensor<1x2x16x5000xf32>, tensor<1x2x16xf32>) outs(%e : tensor<1x2x16x5000xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %r = arith.divf %a, %b : f32
        linalg.yield %r : f32
    } -> tensor<1x2x16x5000xf32>
    mt.yield %y : tensor<1x2x16x5000xf32>
  }
  mt.kernel @values_long kind(contraction) (%p: tensor<1x2x16x5000xf32>, %v: tensor<1x5000x2x8xf32>) -> tensor<1x16x2x8xf32> numerics("contraction-k5000") {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x16x2x8xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x16x2x8xf32>) -> tensor<1x16x2x8xf32>
    %y = linalg.generic {indexing_maps = [#p, #v, #o], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%p, %v : tensor<1x2x16x5000xf32>, tensor<1x5000x2x8xf32>) outs(%f : tensor<1x16x2x8xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %m = arith.mulf %a, %b : f32
        %r = arith.addf %o, %m : f32
        linalg.yield %r : f32
    } -> tensor<1x16x2x8xf32>
    mt.yield %y : tensor<1x16x2x8xf32>
  }

  mt.tenant @t {
    // Somebody else reads the scores, or what softmax makes of them.
    // CHECK-LABEL: mt.entry @scores_are_read
    // CHECK-COUNT-3: mt.task
    mt.entry @scores_are_read(%q: tensor<1x32x2x8xf32> {mt.name = "q"}, %k: tensor<1x20x2x8xf32> {mt.name = "k"}, %v: tensor<1x20x2x8xf32> {mt.name = "v"}) -> (tensor<1x32x2x8xf32> {mt.name = "y"}, tensor<1x2x32x20xf32> {mt.name = "p"}) {
      %s = mt.task 0 @scores(%q, %k) : (tensor<1x32x2x8xf32>, tensor<1x20x2x8xf32>) -> tensor<1x2x32x20xf32>
      %p = mt.task 1 @softmax(%s) : (tensor<1x2x32x20xf32>) -> tensor<1x2x32x20xf32>
      %y = mt.task 2 @values(%p, %v) : (tensor<1x2x32x20xf32>, tensor<1x20x2x8xf32>) -> tensor<1x32x2x8xf32>
      mt.return %y, %s : tensor<1x32x2x8xf32>, tensor<1x2x32x20xf32>
    }

    // CHECK-LABEL: mt.entry @weights_are_read
    // CHECK-COUNT-3: mt.task
    mt.entry @weights_are_read(%q: tensor<1x32x2x8xf32> {mt.name = "q"}, %k: tensor<1x20x2x8xf32> {mt.name = "k"}, %v: tensor<1x20x2x8xf32> {mt.name = "v"}) -> (tensor<1x32x2x8xf32> {mt.name = "y"}, tensor<1x2x32x20xf32> {mt.name = "p"}) {
      %s = mt.task 0 @scores(%q, %k) : (tensor<1x32x2x8xf32>, tensor<1x20x2x8xf32>) -> tensor<1x2x32x20xf32>
      %p = mt.task 1 @softmax(%s) : (tensor<1x2x32x20xf32>) -> tensor<1x2x32x20xf32>
      %y = mt.task 2 @values(%p, %v) : (tensor<1x2x32x20xf32>, tensor<1x20x2x8xf32>) -> tensor<1x32x2x8xf32>
      mt.return %y, %p : tensor<1x32x2x8xf32>, tensor<1x2x32x20xf32>
    }

    // The maximum starts from 0: not a softmax.
    // CHECK-LABEL: mt.entry @other_start
    // CHECK-COUNT-3: mt.task
    mt.entry @other_start(%q: tensor<1x32x2x8xf32> {mt.name = "q"}, %k: tensor<1x20x2x8xf32> {mt.name = "k"}, %v: tensor<1x20x2x8xf32> {mt.name = "v"}) -> (tensor<1x32x2x8xf32> {mt.name = "y"}) {
      %s = mt.task 0 @scores(%q, %k) : (tensor<1x32x2x8xf32>, tensor<1x20x2x8xf32>) -> tensor<1x2x32x20xf32>
      %p = mt.task 1 @other_start(%s) : (tensor<1x2x32x20xf32>) -> tensor<1x2x32x20xf32>
      %y = mt.task 2 @values(%p, %v) : (tensor<1x2x32x20xf32>, tensor<1x20x2x8xf32>) -> tensor<1x32x2x8xf32>
      mt.return %y : tensor<1x32x2x8xf32>
    }

    // 16 queries have 320 KB of scores.
    // CHECK-LABEL: mt.entry @long
    // CHECK-COUNT-3: mt.task
    mt.entry @long(%q: tensor<1x16x2x8xf32> {mt.name = "q"}, %k: tensor<1x5000x2x8xf32> {mt.name = "k"}, %v: tensor<1x5000x2x8xf32> {mt.name = "v"}) -> (tensor<1x16x2x8xf32> {mt.name = "y"}) {
      %s = mt.task 0 @long(%q, %k) : (tensor<1x16x2x8xf32>, tensor<1x5000x2x8xf32>) -> tensor<1x2x16x5000xf32>
      %p = mt.task 1 @softmax_long(%s) : (tensor<1x2x16x5000xf32>) -> tensor<1x2x16x5000xf32>
      %y = mt.task 2 @values_long(%p, %v) : (tensor<1x2x16x5000xf32>, tensor<1x5000x2x8xf32>) -> tensor<1x16x2x8xf32>
      mt.return %y : tensor<1x16x2x8xf32>
    }
  }
}
