// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-gather-one-hots))' %s | %FileCheck %s

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#o = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#col = affine_map<(d0, d1) -> (d1)>

mt.program @p {
  mt.weight @t.places : tensor<4xi32> value(dense<[0, 1, 2, 3]> : tensor<4xi32>)
  mt.weight @t.others : tensor<4xi32> value(dense<[0, 1, 3, 2]> : tensor<4xi32>)
  mt.weight @t.w : tensor<4x3xf32> value(dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [-7.0, 8.0, -9.0], [0.5, 0.25, 0.125]]> : tensor<4x3xf32>)
  mt.weight @t.infinite : tensor<4x3xf32> value(dense<[[1.0, 2.0, 3.0], [4.0, 0x7F800000, 6.0], [7.0, 8.0, 9.0], [0.0, 0.0, 0.0]]> : tensor<4x3xf32>)
  mt.tenant @t {
    // The op behind the product reads the rows itself; numbers without a row give zeros.
    // CHECK-LABEL: mt.entry @rows
    // CHECK: %[[W:.*]] = mt.get_weight @t.w
    // CHECK: linalg.generic {{.*}} ins(%arg0 : tensor<6xi8>)
    // CHECK: %[[F:.*]] = linalg.index 1
    // CHECK: %[[N:.*]] = arith.extsi
    // CHECK: %[[IN:.*]] = arith.cmpi ult, %[[N]], %{{.*}} : i32
    // CHECK: %[[AT:.*]] = arith.select %[[IN]], %[[N]]
    // CHECK: %[[I:.*]] = arith.index_cast %[[AT]] : i32 to index
    // CHECK: %[[ROW:.*]] = tensor.extract %[[W]][%[[I]], %[[F]]]
    // CHECK: %[[R:.*]] = arith.select %[[IN]], %[[ROW]], %{{.*}} : f32
    // CHECK: math.exp %[[R]]
    // CHECK-NOT: linalg.generic
    // CHECK: mt.return
    mt.entry @rows(%x: tensor<6xi8> {mt.name = "x"}) -> (tensor<6x3xf32> {mt.name = "y"}) {
      %p0 = mt.get_weight @t.places : tensor<4xi32>
      %w0 = mt.get_weight @t.w : tensor<4x3xf32>
      %oe0 = tensor.empty() : tensor<6x4xf32>
      %o0 = linalg.generic {indexing_maps = [#row, #col, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %p0 : tensor<6xi8>, tensor<4xi32>) outs(%oe0 : tensor<6x4xf32>) {
      ^bb0(%u: i8, %v: i32, %out: f32):
        %n = arith.extsi %u : i8 to i32
        %s = arith.cmpi eq, %n, %v : i32
        %t = arith.extui %s : i1 to i8
        %f = arith.uitofp %t : i8 to f32
        linalg.yield %f : f32
      } -> tensor<6x4xf32>
      %z0 = arith.constant 0.0 : f32
      %e0 = tensor.empty() : tensor<6x3xf32>
      %f0 = linalg.fill ins(%z0 : f32) outs(%e0 : tensor<6x3xf32>) -> tensor<6x3xf32>
      %c0 = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%o0, %w0 : tensor<6x4xf32>, tensor<4x3xf32>) outs(%f0 : tensor<6x3xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %m = arith.mulf %u, %v : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<6x3xf32>
      %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%c0 : tensor<6x3xf32>) outs(%e0 : tensor<6x3xf32>) {
      ^bb0(%u: f32, %out: f32):
        %q = math.exp %u : f32
        linalg.yield %q : f32
      } -> tensor<6x3xf32>
      mt.return %y : tensor<6x3xf32>
    }

    // Zero times infinity counts; places in another order are no rows' numbers.
    // CHECK-LABEL: mt.entry @kept
    // CHECK-COUNT-2: iterator_types = ["parallel", "parallel", "reduction"]
    // CHECK: mt.return
    mt.entry @kept(%x: tensor<6xi8> {mt.name = "x"}) -> (tensor<6x3xf32> {mt.name = "y"}, tensor<6x3xf32> {mt.name = "z"}) {
      %p0 = mt.get_weight @t.places : tensor<4xi32>
      %w0 = mt.get_weight @t.infinite : tensor<4x3xf32>
      %oe0 = tensor.empty() : tensor<6x4xf32>
      %o0 = linalg.generic {indexing_maps = [#row, #col, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %p0 : tensor<6xi8>, tensor<4xi32>) outs(%oe0 : tensor<6x4xf32>) {
      ^bb0(%u: i8, %v: i32, %out: f32):
        %n = arith.extsi %u : i8 to i32
        %s = arith.cmpi eq, %n, %v : i32
        %t = arith.extui %s : i1 to i8
        %f = arith.uitofp %t : i8 to f32
        linalg.yield %f : f32
      } -> tensor<6x4xf32>
      %z0 = arith.constant 0.0 : f32
      %e0 = tensor.empty() : tensor<6x3xf32>
      %f0 = linalg.fill ins(%z0 : f32) outs(%e0 : tensor<6x3xf32>) -> tensor<6x3xf32>
      %c0 = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%o0, %w0 : tensor<6x4xf32>, tensor<4x3xf32>) outs(%f0 : tensor<6x3xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %m = arith.mulf %u, %v : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<6x3xf32>
      %p1 = mt.get_weight @t.others : tensor<4xi32>
      %w1 = mt.get_weight @t.w : tensor<4x3xf32>
      %oe1 = tensor.empty() : tensor<6x4xf32>
      %o1 = linalg.generic {indexing_maps = [#row, #col, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %p1 : tensor<6xi8>, tensor<4xi32>) outs(%oe1 : tensor<6x4xf32>) {
      ^bb0(%u: i8, %v: i32, %out: f32):
        %n = arith.extsi %u : i8 to i32
        %s = arith.cmpi eq, %n, %v : i32
        %t = arith.extui %s : i1 to i8
        %f = arith.uitofp %t : i8 to f32
        linalg.yield %f : f32
      } -> tensor<6x4xf32>
      %z1 = arith.constant 0.0 : f32
      %e1 = tensor.empty() : tensor<6x3xf32>
      %f1 = linalg.fill ins(%z1 : f32) outs(%e1 : tensor<6x3xf32>) -> tensor<6x3xf32>
      %c1 = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%o1, %w1 : tensor<6x4xf32>, tensor<4x3xf32>) outs(%f1 : tensor<6x3xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %m = arith.mulf %u, %v : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<6x3xf32>
      mt.return %c0, %c1 : tensor<6x3xf32>, tensor<6x3xf32>
    }
  }
}
