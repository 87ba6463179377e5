// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-fold-weights,mt-narrow-weights))' %s | %FileCheck %s

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#o = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#col = affine_map<(d0, d1) -> (d1)>
#one = affine_map<(d0, d1) -> ()>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#block = affine_map<(d0, d1, d2) -> (d0, d2)>

mt.program @p {
  mt.weight @t.h : tensor<40x30xf16> from("a.onnx" at 0)
  mt.weight @t.q : tensor<30x40xi8> from("a.onnx" at 2400)
  mt.weight @t.s : tensor<30xf32> from("a.onnx" at 4800)
  mt.weight @t.z : tensor<30xi8> value(dense<0> : tensor<30xi8>)
  mt.weight @t.y : tensor<30xi8> from("a.onnx" at 6000)
  mt.weight @t.bs : tensor<4x30xf32> from("a.onnx" at 7000)
  mt.weight @t.bq : tensor<40x30xi8> from("a.onnx" at 8000)
  mt.weight @t.all : tensor<40x30xf32> from("a.onnx" at 9200)
  // The narrow numbers, moved as the wide ones were, and the factors.
  // CHECK-DAG: mt.weight @t.q.narrow : tensor<40x30xi8> derive(@t.q)
  // CHECK-DAG: mt.weight @t.s.scale : tensor<30xf32> derive(@t.s)
  // Zero points that differ: differences of 16 bits.
  // CHECK-DAG: mt.weight @t.q.narrow_0 : tensor<30x40xi16> derive(@t.q, @t.y)
  // Codes around 128 change their sign.
  // CHECK-DAG: mt.weight @t.bq.narrow : tensor<40x30xi8> derive(@t.bq)
  mt.tenant @t {
    // A product of f16 reads the weight itself.
    // CHECK-LABEL: mt.entry @half
    // CHECK: %[[W:.*]] = mt.get_weight @t.h
    // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[W]] : tensor<5x40xf32>, tensor<40x30xf16>)
    // CHECK: arith.extf %{{.*}} : f16 to f32
    // CHECK-NOT: linalg.generic
    // CHECK: mt.return
    mt.entry @half(%x: tensor<5x40xf32> {mt.name = "x"}) -> (tensor<5x30xf32> {mt.name = "y"}) {
      %h = mt.get_weight @t.h : tensor<40x30xf16>
      %we = tensor.empty() : tensor<40x30xf32>
      %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%h : tensor<40x30xf16>) outs(%we : tensor<40x30xf32>) {
      ^bb0(%u: f16, %o: f32):
        %v = arith.extf %u : f16 to f32
        linalg.yield %v : f32
      } -> tensor<40x30xf32>
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<5x30xf32>
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x30xf32>) -> tensor<5x30xf32>
      %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<5x40xf32>, tensor<40x30xf32>) outs(%z : tensor<5x30xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %m = arith.mulf %u, %v : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<5x30xf32>
      mt.return %y : tensor<5x30xf32>
    }
    // Codes with a scale for each column and zero points that are all 0, transposed: the scale joins what follows the
    // product.
    // CHECK-LABEL: mt.entry @channels
    // CHECK: %[[Q:.*]] = mt.get_weight @t.q.narrow
    // CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %[[Q]] : tensor<5x40xf32>, tensor<40x30xi8>)
    // CHECK: arith.sitofp %{{.*}} : i8 to f32
    // CHECK: %[[S:.*]] = mt.get_weight @t.s.scale
    // CHECK: linalg.generic {{.*}} ins(%[[SUM]], %[[S]] : tensor<5x30xf32>, tensor<30xf32>)
    // CHECK: %[[P:.*]] = arith.mulf
    // CHECK: arith.maximumf %[[P]]
    mt.entry @channels(%x: tensor<5x40xf32> {mt.name = "x"}) -> (tensor<5x30xf32> {mt.name = "y"}) {
      %q = mt.get_weight @t.q : tensor<30x40xi8>
      %sc = mt.get_weight @t.s : tensor<30xf32>
      %zp = mt.get_weight @t.z : tensor<30xi8>
      %we = tensor.empty() : tensor<30x40xf32>
      %wq = linalg.generic {indexing_maps = [#id, #row, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%q, %sc, %zp : tensor<30x40xi8>, tensor<30xf32>, tensor<30xi8>) outs(%we : tensor<30x40xf32>) {
      ^bb0(%u: i8, %f: f32, %n: i8, %o: f32):
        %i = arith.extsi %u : i8 to i32
        %j = arith.extsi %n : i8 to i32
        %d = arith.subi %i, %j : i32
        %v = arith.sitofp %d : i32 to f32
        %p = arith.mulf %v, %f : f32
        linalg.yield %p : f32
      } -> tensor<30x40xf32>
      %te = tensor.empty() : tensor<40x30xf32>
      %w = linalg.transpose ins(%wq : tensor<30x40xf32>) outs(%te : tensor<40x30xf32>) permutation = [1, 0]
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<5x30xf32>
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x30xf32>) -> tensor<5x30xf32>
      %c = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<5x40xf32>, tensor<40x30xf32>) outs(%z : tensor<5x30xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %m = arith.mulf %u, %v : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<5x30xf32>
      %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%c : tensor<5x30xf32>) outs(%e : tensor<5x30xf32>) {
      ^bb0(%u: f32, %o: f32):
        %v = arith.maximumf %u, %zero : f32
        linalg.yield %v : f32
      } -> tensor<5x30xf32>
      mt.return %y : tensor<5x30xf32>
    }
    // Rows of a table, whose zero points differ: what is looked up is widened and scaled.
    // CHECK-LABEL: mt.entry @table
    // CHECK-DAG: %[[T:.*]] = mt.get_weight @t.q.narrow_0
    // CHECK-DAG: %[[S:.*]] = mt.get_weight @t.s.scale
    // CHECK: %[[CODE:.*]] = tensor.extract %[[T]][%[[I:.*]], %{{.*}}] : tensor<30x40xi16>
    // CHECK: %[[F:.*]] = arith.sitofp %[[CODE]] : i16 to f32
    // CHECK: %[[SC:.*]] = tensor.extract %[[S]][%[[I]]]
    // CHECK: %[[V:.*]] = arith.mulf %[[F]], %[[SC]]
    // CHECK: linalg.yield %[[V]]
    mt.entry @table(%at: tensor<6xi64> {mt.name = "at"}) -> (tensor<6x40xf32> {mt.name = "y"}) {
      %q = mt.get_weight @t.q : tensor<30x40xi8>
      %sc = mt.get_weight @t.s : tensor<30xf32>
      %zp = mt.get_weight @t.y : tensor<30xi8>
      %we = tensor.empty() : tensor<30x40xf32>
      %w = linalg.generic {indexing_maps = [#id, #row, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%q, %sc, %zp : tensor<30x40xi8>, tensor<30xf32>, tensor<30xi8>) outs(%we : tensor<30x40xf32>) {
      ^bb0(%u: i8, %f: f32, %n: i8, %o: f32):
        %i = arith.extui %u : i8 to i32
        %j = arith.extui %n : i8 to i32
        %d = arith.subi %i, %j : i32
        %v = arith.sitofp %d : i32 to f32
        %p = arith.mulf %v, %f : f32
        linalg.yield %p : f32
      } -> tensor<30x40xf32>
      %e = tensor.empty() : tensor<6x40xf32>
      %y = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]} ins(%at : tensor<6xi64>) outs(%e : tensor<6x40xf32>) {
      ^bb0(%i: i64, %o: f32):
        %r = arith.index_cast %i : i64 to index
        %j = linalg.index 1 : index
        %v = tensor.extract %w[%r, %j] : tensor<30x40xf32>
        linalg.yield %v : f32
      } -> tensor<6x40xf32>
      mt.return %y : tensor<6x40xf32>
    }
    // One scale for all, and 128 as zero point.
    // CHECK-LABEL: mt.entry @whole
    // CHECK: mt.get_weight @t.bq.narrow
    // CHECK: arith.sitofp %{{.*}} : i8 to f32
    // CHECK: %[[K:.*]] = arith.constant 2.500000e-01 : f32
    // CHECK: arith.mulf %{{.*}}, %[[K]]
    mt.entry @whole(%x: tensor<5x40xf32> {mt.name = "x"}) -> (tensor<5x30xf32> {mt.name = "y"}) {
      %q = mt.get_weight @t.bq : tensor<40x30xi8>
      %n = arith.constant 128 : i32
      %f = arith.constant 0.25 : f32
      %we = tensor.empty() : tensor<40x30xf32>
      %w = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%q : tensor<40x30xi8>) outs(%we : tensor<40x30xf32>) {
      ^bb0(%u: i8, %o: f32):
        %i = arith.extui %u : i8 to i32
        %d = arith.subi %i, %n : i32
        %v = arith.sitofp %d : i32 to f32
        %p = arith.mulf %v, %f : f32
        linalg.yield %p : f32
      } -> tensor<40x30xf32>
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<5x30xf32>
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x30xf32>) -> tensor<5x30xf32>
      %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<5x40xf32>, tensor<40x30xf32>) outs(%z : tensor<5x30xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %m = arith.mulf %u, %v : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<5x30xf32>
      mt.return %y : tensor<5x30xf32>
    }
    // A scale for each number of a table: stays wide.
    // CHECK-LABEL: mt.entry @each
    // CHECK: tensor.extract %{{.*}} : tensor<40x30xf32>
    mt.entry @each(%at: tensor<6xi64> {mt.name = "at"}) -> (tensor<6x30xf32> {mt.name = "y"}) {
      %q = mt.get_weight @t.bq : tensor<40x30xi8>
      %sc = mt.get_weight @t.all : tensor<40x30xf32>
      %we = tensor.empty() : tensor<40x30xf32>
      %w = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%q, %sc : tensor<40x30xi8>, tensor<40x30xf32>) outs(%we : tensor<40x30xf32>) {
      ^bb0(%u: i8, %f: f32, %o: f32):
        %v = arith.sitofp %u : i8 to f32
        %p = arith.mulf %v, %f : f32
        linalg.yield %p : f32
      } -> tensor<40x30xf32>
      %e = tensor.empty() : tensor<6x30xf32>
      %y = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]} ins(%at : tensor<6xi64>) outs(%e : tensor<6x30xf32>) {
      ^bb0(%i: i64, %o: f32):
        %r = arith.index_cast %i : i64 to index
        %j = linalg.index 1 : index
        %v = tensor.extract %w[%r, %j] : tensor<40x30xf32>
        linalg.yield %v : f32
      } -> tensor<6x30xf32>
      mt.return %y : tensor<6x30xf32>
    }
    // A scale for each block of a sum: stays wide.
    // CHECK-LABEL: mt.entry @blocks
    // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<5x40xf32>, tensor<40x30xf32>)
    mt.entry @blocks(%x: tensor<5x40xf32> {mt.name = "x"}) -> (tensor<5x30xf32> {mt.name = "y"}) {
      %q = mt.get_weight @t.bq : tensor<40x30xi8>
      %sc = mt.get_weight @t.bs : tensor<4x30xf32>
      %q3 = tensor.expand_shape %q [[0, 1], [2]] output_shape [4, 10, 30] : tensor<40x30xi8> into tensor<4x10x30xi8>
      %we = tensor.empty() : tensor<4x10x30xf32>
      %w3 = linalg.generic {indexing_maps = [#id3, #block, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%q3, %sc : tensor<4x10x30xi8>, tensor<4x30xf32>) outs(%we : tensor<4x10x30xf32>) {
      ^bb0(%u: i8, %f: f32, %o: f32):
        %v = arith.sitofp %u : i8 to f32
        %p = arith.mulf %v, %f : f32
        linalg.yield %p : f32
      } -> tensor<4x10x30xf32>
      %w = tensor.collapse_shape %w3 [[0, 1], [2]] : tensor<4x10x30xf32> into tensor<40x30xf32>
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<5x30xf32>
      %z = linalg.fill ins(%zero : f32) outs(%e : tensor<5x30xf32>) -> tensor<5x30xf32>
      %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<5x40xf32>, tensor<40x30xf32>) outs(%z : tensor<5x30xf32>) {
      ^bb0(%u: f32, %v: f32, %acc: f32):
        %m = arith.mulf %u, %v : f32
        %s = arith.addf %acc, %m : f32
        linalg.yield %s : f32
      } -> tensor<5x30xf32>
      mt.return %y : tensor<5x30xf32>
    }
  }
}
