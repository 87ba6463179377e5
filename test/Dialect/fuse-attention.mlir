// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-fuse-attention{lanes=16}))' %s | %FileCheck %s
// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-fuse-attention{lanes=64}))' %s | %FileCheck --check-prefix=WIDE %s

// Half of the lanes would hold no query.
// WIDE-NOT: kind(attention)

#q = affine_map<(b, h, m, n, d) -> (b, m, h, d)>
#k = affine_map<(b, h, m, n, d) -> (b, n, h, d)>
#s = affine_map<(b, h, m, n, d) -> (b, h, m, n)>
#all = affine_map<(b, h, m, n) -> (b, h, m, n)>
#row = affine_map<(b, h, m, n) -> (b, h, m)>
#keys = affine_map<(b, h, m, n) -> (b, n)>
#p = affine_map<(b, m, h, w, n) -> (b, h, m, n)>
#v = affine_map<(b, m, h, w, n) -> (b, n, h, w)>
#o = affine_map<(b, m, h, w, n) -> (b, m, h, w)>

mt.program @p {
  // The kernels stay until nobody uses them; the new ones stand before the last of theirs.
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
  mt.kernel @masked kind(contraction) (%q: tensor<1x32x2x8xf32>, %k: tensor<1x20x2x8xf32>, %mask: tensor<1x2x32x20xf32>) -> tensor<1x2x32x20xf32> numerics("contraction-k8") {
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
    %y = linalg.generic {indexing_maps = [#all, #all, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s, %mask : tensor<1x2x32x20xf32>, tensor<1x2x32x20xf32>) outs(%e : tensor<1x2x32x20xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %d = arith.divf %a, %scale : f32
        %r = arith.addf %d, %b : f32
        linalg.yield %r : f32
    } -> tensor<1x2x32x20xf32>
    mt.yield %y : tensor<1x2x32x20xf32>
  }
  mt.kernel @per_key kind(contraction) (%q: tensor<1x32x2x8xf32>, %k: tensor<1x20x2x8xf32>, %mask: tensor<1x20xf32>) -> tensor<1x2x32x20xf32> numerics("contraction-k8") {
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
    %y = linalg.generic {indexing_maps = [#all, #keys, #all], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%s, %mask : tensor<1x2x32x20xf32>, tensor<1x20xf32>) outs(%e : tensor<1x2x32x20xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %d = arith.divf %a, %scale : f32
        %r = arith.addf %d, %b : f32
        linalg.yield %r : f32
    } -> tensor<1x2x32x20xf32>
    mt.yield %y : tensor<1x2x32x20xf32>
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
  mt.kernel @guarded kind(rows) (%x: tensor<1x2x32x20xf32>) -> tensor<1x2x32x20xf32> numerics("rows-r20") {
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
        %n = arith.cmpf uno, %r, %r : f32
        %t = arith.select %n, %zero, %r : f32
        linalg.yield %t : f32
    } -> tensor<1x2x32x20xf32>
    mt.yield %y : tensor<1x2x32x20xf32>
  }

  // The ops of three kernels in one, of which the division comes last: by the sum of the same query and head.
  // CHECK: mt.kernel @attention kind(attention) (%[[Q:.*]]: tensor<1x32x2x8xf32>, %[[K:.*]]: tensor<1x20x2x8xf32>, %[[V:.*]]: tensor<1x20x2x8xf32>) -> tensor<1x32x2x8xf32> numerics("attention-k20")
  // CHECK: %[[S:.*]] = linalg.generic {{.*}} ins(%[[Q]], %[[K]]
  // CHECK: %[[M:.*]] = linalg.generic {{.*}} ins(%[[S]]
  // CHECK: arith.maximumf
  // CHECK: %[[E:.*]] = linalg.generic {{.*}} ins(%[[S]], %[[M]]
  // CHECK: math.exp
  // CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[E]]
  // CHECK: %[[W:.*]] = linalg.generic {{.*}} ins(%[[E]], %[[V]]
  // CHECK: %[[Y:.*]] = linalg.generic {indexing_maps = [#[[ALL:.*]], #[[SUMS:.*]], #[[ALL]]]{{.*}} ins(%[[W]], %[[SUM]] : tensor<1x32x2x8xf32>, tensor<1x2x32xf32>)
  // CHECK: arith.divf
  // CHECK-NOT: linalg.generic
  // CHECK: mt.yield %[[Y]]

  // A mask joins; 0 where there is no number asks the sum, not each quotient.
  // CHECK: mt.kernel @attention_{{.*}}tensor<1x2x32x20xf32>{{.*}} -> tensor<1x32x2x8xf32> numerics("attention-k20")
  // CHECK: math.exp
  // CHECK: arith.divf %{{.*}}, %[[B:.*]] : f32
  // CHECK-NEXT: arith.cmpf uno, %[[B]], %[[B]]
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

  mt.tenant @t {
    // CHECK-LABEL: mt.entry @plain
    // CHECK-NEXT: %[[R:.*]] = mt.task 0 @attention(%arg0, %arg1, %arg2)
    // CHECK-NEXT: mt.return %[[R]]
    mt.entry @plain(%q: tensor<1x32x2x8xf32> {mt.name = "q"}, %k: tensor<1x20x2x8xf32> {mt.name = "k"}, %v: tensor<1x20x2x8xf32> {mt.name = "v"}) -> (tensor<1x32x2x8xf32> {mt.name = "y"}) {
      %s = mt.task 0 @scores(%q, %k) : (tensor<1x32x2x8xf32>, tensor<1x20x2x8xf32>) -> tensor<1x2x32x20xf32>
      %p = mt.task 1 @softmax(%s) : (tensor<1x2x32x20xf32>) -> tensor<1x2x32x20xf32>
      %y = mt.task 2 @values(%p, %v) : (tensor<1x2x32x20xf32>, tensor<1x20x2x8xf32>) -> tensor<1x32x2x8xf32>
      mt.return %y : tensor<1x32x2x8xf32>
    }

    // CHECK-LABEL: mt.entry @with_mask
    // CHECK-NEXT: mt.task 0 @attention_{{.*}}(%arg0, %arg1, %arg3, %arg2)
    mt.entry @with_mask(%q: tensor<1x32x2x8xf32> {mt.name = "q"}, %k: tensor<1x20x2x8xf32> {mt.name = "k"}, %v: tensor<1x20x2x8xf32> {mt.name = "v"}, %m: tensor<1x2x32x20xf32> {mt.name = "m"}) -> (tensor<1x32x2x8xf32> {mt.name = "y"}) {
      %s = mt.task 0 @masked(%q, %k, %m) : (tensor<1x32x2x8xf32>, tensor<1x20x2x8xf32>, tensor<1x2x32x20xf32>) -> tensor<1x2x32x20xf32>
      %p = mt.task 1 @guarded(%s) : (tensor<1x2x32x20xf32>) -> tensor<1x2x32x20xf32>
      %y = mt.task 2 @values(%p, %v) : (tensor<1x2x32x20xf32>, tensor<1x20x2x8xf32>) -> tensor<1x32x2x8xf32>
      mt.return %y : tensor<1x32x2x8xf32>
    }

    // CHECK-LABEL: mt.entry @with_key_mask
    // CHECK-NEXT: mt.task 0 @attention_{{.*}}(%arg0, %arg1, %arg3, %arg2)
    mt.entry @with_key_mask(%q: tensor<1x32x2x8xf32> {mt.name = "q"}, %k: tensor<1x20x2x8xf32> {mt.name = "k"}, %v: tensor<1x20x2x8xf32> {mt.name = "v"}, %m: tensor<1x20xf32> {mt.name = "m"}) -> (tensor<1x32x2x8xf32> {mt.name = "y"}) {
      %s = mt.task 0 @per_key(%q, %k, %m) : (tensor<1x32x2x8xf32>, tensor<1x20x2x8xf32>, tensor<1x20xf32>) -> tensor<1x2x32x20xf32>
      %p = mt.task 1 @softmax(%s) : (tensor<1x2x32x20xf32>) -> tensor<1x2x32x20xf32>
      %y = mt.task 2 @values(%p, %v) : (tensor<1x2x32x20xf32>, tensor<1x20x2x8xf32>) -> tensor<1x32x2x8xf32>
      mt.return %y : tensor<1x32x2x8xf32>
    }
  }
}
