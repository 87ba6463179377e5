// RUN: mtc-opt %s --mt-evaluate-weights | %FileCheck %s

#id1 = affine_map<(i) -> (i)>
#id2 = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#col = affine_map<(i, j) -> (j)>

// CHECK-LABEL: mt.program @p
mt.program @p {
  mt.weight @a : tensor<2x3xf32> value(dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>)
  mt.weight @b : tensor<3xf32> value(dense<[10.0, 20.0, 30.0]> : tensor<3xf32>)
  mt.weight @i : tensor<4xi64> value(dense<[-7, 0, 5, 9223372036854775807]> : tensor<4xi64>)

  //===--- moves ------------------------------------------------------------===//

  // CHECK: mt.weight @transpose : {{.*}}<{{\[}}[1.000000e+00, 4.000000e+00], [2.000000e+00, 5.000000e+00], [3.000000e+00, 6.000000e+00]]>
  mt.weight @transpose : tensor<3x2xf32> derive(@a) {
  ^bb0(%a: tensor<2x3xf32>):
    %e = tensor.empty() : tensor<3x2xf32>
    %s = linalg.transpose ins(%a : tensor<2x3xf32>) outs(%e : tensor<3x2xf32>) permutation = [1, 0]
    mt.yield %s : tensor<3x2xf32>
  }
  // Panels of 4 of the transposed weight, the last padded with 7.
  // CHECK: mt.weight @pack : {{.*}}<{{\[\[}}[1.000000e+00, 4.000000e+00, 7.000000e+00, 7.000000e+00], [2.000000e+00, 5.000000e+00, 7.000000e+00, 7.000000e+00], [3.000000e+00, 6.000000e+00, 7.000000e+00, 7.000000e+00]]]>
  mt.weight @pack : tensor<1x3x4xf32> derive(@transpose) {
  ^bb0(%a: tensor<3x2xf32>):
    %e = tensor.empty() : tensor<1x3x4xf32>
    %c = arith.constant 7.0 : f32
    %s = linalg.pack %a padding_value(%c : f32) outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [4]
        into %e : tensor<3x2xf32> -> tensor<1x3x4xf32>
    mt.yield %s : tensor<1x3x4xf32>
  }
  // An unpack undoes it.
  // CHECK: mt.weight @unpack : {{.*}}<{{\[}}[1.000000e+00, 4.000000e+00], [2.000000e+00, 5.000000e+00], [3.000000e+00, 6.000000e+00]]>
  mt.weight @unpack : tensor<3x2xf32> derive(@pack) {
  ^bb0(%a: tensor<1x3x4xf32>):
    %e = tensor.empty() : tensor<3x2xf32>
    %s = linalg.unpack %a outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [4]
        into %e : tensor<1x3x4xf32> -> tensor<3x2xf32>
    mt.yield %s : tensor<3x2xf32>
  }
  // Tiles along both dimensions.
  // CHECK: mt.weight @tiles : {{.*}}<{{\[\[\[}}[1.000000e+00, 2.000000e+00], [4.000000e+00, 5.000000e+00]], {{\[}}[3.000000e+00, 0.000000e+00], [6.000000e+00, 0.000000e+00]]]]>
  mt.weight @tiles : tensor<1x2x2x2xf32> derive(@a) {
  ^bb0(%a: tensor<2x3xf32>):
    %e = tensor.empty() : tensor<1x2x2x2xf32>
    %c = arith.constant 0.0 : f32
    %s = linalg.pack %a padding_value(%c : f32) inner_dims_pos = [0, 1] inner_tiles = [2, 2]
        into %e : tensor<2x3xf32> -> tensor<1x2x2x2xf32>
    mt.yield %s : tensor<1x2x2x2xf32>
  }
  // CHECK: mt.weight @pad : {{.*}}<{{\[}}[9.000000e+00, 9.000000e+00, 9.000000e+00, 9.000000e+00], [9.000000e+00, 1.000000e+00, 2.000000e+00, 3.000000e+00], [9.000000e+00, 4.000000e+00, 5.000000e+00, 6.000000e+00]]>
  mt.weight @pad : tensor<3x4xf32> derive(@a) {
  ^bb0(%a: tensor<2x3xf32>):
    %c = arith.constant 9.0 : f32
    %s = tensor.pad %a low[1, 1] high[0, 0] {
    ^bb0(%x: index, %y: index):
      tensor.yield %c : f32
    } : tensor<2x3xf32> to tensor<3x4xf32>
    mt.yield %s : tensor<3x4xf32>
  }
  // CHECK: mt.weight @concat : {{.*}}<{{\[}}[1.000000e+00, 2.000000e+00, 3.000000e+00, 1.000000e+00, 2.000000e+00, 3.000000e+00], [4.000000e+00, 5.000000e+00, 6.000000e+00, 4.000000e+00, 5.000000e+00, 6.000000e+00]]>
  mt.weight @concat : tensor<2x6xf32> derive(@a) {
  ^bb0(%a: tensor<2x3xf32>):
    %s = tensor.concat dim(1) %a, %a : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x6xf32>
    mt.yield %s : tensor<2x6xf32>
  }
  // Every other column, with the unit dimension dropped.
  // CHECK: mt.weight @slice : {{.*}}<[4.000000e+00, 6.000000e+00]>
  mt.weight @slice : tensor<2xf32> derive(@a) {
  ^bb0(%a: tensor<2x3xf32>):
    %s = tensor.extract_slice %a[1, 0] [1, 2] [1, 2] : tensor<2x3xf32> to tensor<2xf32>
    mt.yield %s : tensor<2xf32>
  }
  // CHECK: mt.weight @insert : {{.*}}<{{\[}}[1.000000e+00, 2.000000e+00, 3.000000e+00], [1.000000e+01, 2.000000e+01, 3.000000e+01]]>
  mt.weight @insert : tensor<2x3xf32> derive(@a, @b) {
  ^bb0(%a: tensor<2x3xf32>, %b: tensor<3xf32>):
    %s = tensor.insert_slice %b into %a[1, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<2x3xf32>
    mt.yield %s : tensor<2x3xf32>
  }
  // CHECK: mt.weight @reshape : tensor<3x2xf32> value(dense<{{\[}}[1.000000e+00, 2.000000e+00], [3.000000e+00, 4.000000e+00], [5.000000e+00, 6.000000e+00]]>
  mt.weight @reshape : tensor<3x2xf32> derive(@a) {
  ^bb0(%a: tensor<2x3xf32>):
    %c = tensor.collapse_shape %a [[0, 1]] : tensor<2x3xf32> into tensor<6xf32>
    %s = tensor.expand_shape %c [[0, 1]] output_shape [3, 2] : tensor<6xf32> into tensor<3x2xf32>
    mt.yield %s : tensor<3x2xf32>
  }

  //===--- linalg -----------------------------------------------------------===//

  // Broadcasts along both dimensions; a scalar computed outside.
  // CHECK: mt.weight @scale : {{.*}}<{{\[}}[1.100000e+01, 4.100000e+01, 9.100000e+01], [4.100000e+01, 1.010000e+02, 1.810000e+02]]>
  mt.weight @scale : tensor<2x3xf32> derive(@a, @b) {
  ^bb0(%a: tensor<2x3xf32>, %b: tensor<3xf32>):
    %e = tensor.empty() : tensor<2x3xf32>
    %half = arith.constant 0.5 : f32
    %one = arith.addf %half, %half : f32
    %r = linalg.generic {indexing_maps = [#id2, #col, #id2], iterator_types = ["parallel", "parallel"]}
        ins(%a, %b : tensor<2x3xf32>, tensor<3xf32>) outs(%e : tensor<2x3xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %m = arith.mulf %x, %y : f32
      %s = arith.addf %m, %one : f32
      linalg.yield %s : f32
    } -> tensor<2x3xf32>
    mt.yield %r : tensor<2x3xf32>
  }
  // A reduction along the inner dimension, with its init.
  // CHECK: mt.weight @sum : {{.*}}<[1.060000e+02, 1.150000e+02]>
  mt.weight @sum : tensor<2xf32> derive(@a) {
  ^bb0(%a: tensor<2x3xf32>):
    %e = tensor.empty() : tensor<2xf32>
    %c = arith.constant 100.0 : f32
    %f = linalg.fill ins(%c : f32) outs(%e : tensor<2xf32>) -> tensor<2xf32>
    %r = linalg.generic {indexing_maps = [#id2, #row], iterator_types = ["parallel", "reduction"]}
        ins(%a : tensor<2x3xf32>) outs(%f : tensor<2xf32>) {
    ^bb0(%x: f32, %o: f32):
      %s = arith.addf %o, %x : f32
      linalg.yield %s : f32
    } -> tensor<2xf32>
    mt.yield %r : tensor<2xf32>
  }
  // A reduction of everything.
  // CHECK: mt.weight @max : tensor<f32> value(dense<6.000000e+00>
  mt.weight @max : tensor<f32> derive(@a) {
  ^bb0(%a: tensor<2x3xf32>):
    %e = tensor.empty() : tensor<f32>
    %c = arith.constant 0xFF800000 : f32
    %f = linalg.fill ins(%c : f32) outs(%e : tensor<f32>) -> tensor<f32>
    %r = linalg.generic {indexing_maps = [#id2, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]}
        ins(%a : tensor<2x3xf32>) outs(%f : tensor<f32>) {
    ^bb0(%x: f32, %o: f32):
      %s = arith.maximumf %o, %x : f32
      linalg.yield %s : f32
    } -> tensor<f32>
    mt.yield %r : tensor<f32>
  }
  // A product of matrices: a * transpose(a).
  // CHECK: mt.weight @matmul : {{.*}}<{{\[}}[1.400000e+01, 3.200000e+01], [3.200000e+01, 7.700000e+01]]>
  mt.weight @matmul : tensor<2x2xf32> derive(@a, @transpose) {
  ^bb0(%a: tensor<2x3xf32>, %b: tensor<3x2xf32>):
    %e = tensor.empty() : tensor<2x2xf32>
    %c = arith.constant 0.0 : f32
    %f = linalg.fill ins(%c : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
    %r = linalg.matmul ins(%a, %b : tensor<2x3xf32>, tensor<3x2xf32>) outs(%f : tensor<2x2xf32>) -> tensor<2x2xf32>
    mt.yield %r : tensor<2x2xf32>
  }
  // A strided map (every other element) and one with a division (each element twice).
  // CHECK: mt.weight @strided : {{.*}}<[-7, 5]>
  mt.weight @strided : tensor<2xi64> derive(@i) {
  ^bb0(%i: tensor<4xi64>):
    %e = tensor.empty() : tensor<2xi64>
    %w = tensor.empty() : tensor<2xi64>
    %r = linalg.generic {indexing_maps = [affine_map<(d) -> (2 * d)>, #id1, #id1], iterator_types = ["parallel"]}
        ins(%i, %w : tensor<4xi64>, tensor<2xi64>) outs(%e : tensor<2xi64>) {
    ^bb0(%x: i64, %y: i64, %o: i64):
      linalg.yield %x : i64
    } -> tensor<2xi64>
    mt.yield %r : tensor<2xi64>
  }
  // CHECK: mt.weight @repeat : {{.*}}<[1.000000e+01, 1.000000e+01, 2.000000e+01, 2.000000e+01, 3.000000e+01, 3.000000e+01]>
  mt.weight @repeat : tensor<6xf32> derive(@b) {
  ^bb0(%b: tensor<3xf32>):
    %e = tensor.empty() : tensor<6xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(d) -> (d floordiv 2)>, #id1], iterator_types = ["parallel"]}
        ins(%b : tensor<3xf32>) outs(%e : tensor<6xf32>) {
    ^bb0(%x: f32, %o: f32):
      linalg.yield %x : f32
    } -> tensor<6xf32>
    mt.yield %r : tensor<6xf32>
  }
  // A gather: element (j, 2 - i) by linalg.index and tensor.extract.
  // CHECK: mt.weight @gather : {{.*}}<{{\[}}[3.000000e+00, 6.000000e+00], [2.000000e+00, 5.000000e+00], [1.000000e+00, 4.000000e+00]]>
  mt.weight @gather : tensor<3x2xf32> derive(@a) {
  ^bb0(%a: tensor<2x3xf32>):
    %e = tensor.empty() : tensor<3x2xf32>
    %two = arith.constant 2 : index
    %r = linalg.generic {indexing_maps = [#id2], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<3x2xf32>) {
    ^bb0(%o: f32):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %k = arith.subi %two, %i : index
      %x = tensor.extract %a[%j, %k] : tensor<2x3xf32>
      linalg.yield %x : f32
    } -> tensor<3x2xf32>
    mt.yield %r : tensor<3x2xf32>
  }
  // Two results, of which one is used.
  // CHECK: mt.weight @second : {{.*}}<[-1.000000e+01, -2.000000e+01, -3.000000e+01]>
  mt.weight @second : tensor<3xf32> derive(@b) {
  ^bb0(%b: tensor<3xf32>):
    %e = tensor.empty() : tensor<3xf32>
    %r:2 = linalg.generic {indexing_maps = [#id1, #id1, #id1], iterator_types = ["parallel"]}
        ins(%b : tensor<3xf32>) outs(%e, %e : tensor<3xf32>, tensor<3xf32>) {
    ^bb0(%x: f32, %o: f32, %p: f32):
      %n = arith.negf %x : f32
      linalg.yield %x, %n : f32, f32
    } -> (tensor<3xf32>, tensor<3xf32>)
    mt.yield %r#1 : tensor<3xf32>
  }

  //===--- types ------------------------------------------------------------===//

  // i8 wraps: -700 is 68, 500 is -12; comparison and selection.
  // CHECK: mt.weight @wrap : tensor<4xi8> value(dense<[68, -56, -12, -100]>
  mt.weight @wrap : tensor<4xi8> derive(@i) {
  ^bb0(%i: tensor<4xi64>):
    %e = tensor.empty() : tensor<4xi8>
    %c = arith.constant 200 : i8
    %zero = arith.constant 0 : i64
    %r = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]}
        ins(%i : tensor<4xi64>) outs(%e : tensor<4xi8>) {
    ^bb0(%x: i64, %o: i8):
      %hundred = arith.constant 100 : i8
      %t = arith.trunci %x : i64 to i8
      %m = arith.muli %t, %hundred : i8
      %any = arith.cmpi ne, %x, %zero : i64
      %s = arith.select %any, %m, %c : i8
      linalg.yield %s : i8
    } -> tensor<4xi8>
    mt.yield %r : tensor<4xi8>
  }
  // f16 and bf16 are rounded after every operation: 2048 + 1 is 2048 in f16; 256 + 1 is 256 in bf16.
  // CHECK: mt.weight @half : tensor<2xf16> value(dense<[2.048000e+03, 3.000000e+00]>
  mt.weight @half : tensor<2xf16> derive() {
    %x = arith.constant dense<[2048.0, 2.0]> : tensor<2xf16>
    %e = tensor.empty() : tensor<2xf16>
    %one = arith.constant 1.0 : f16
    %r = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]}
        ins(%x : tensor<2xf16>) outs(%e : tensor<2xf16>) {
    ^bb0(%a: f16, %o: f16):
      %s = arith.addf %a, %one : f16
      linalg.yield %s : f16
    } -> tensor<2xf16>
    mt.yield %r : tensor<2xf16>
  }
  // CHECK: mt.weight @bfloat : tensor<2xbf16> value(dense<[2.560000e+02, 3.000000e+00]>
  mt.weight @bfloat : tensor<2xbf16> derive() {
    %x = arith.constant dense<[256.0, 2.0]> : tensor<2xbf16>
    %e = tensor.empty() : tensor<2xbf16>
    %one = arith.constant 1.0 : bf16
    %r = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]}
        ins(%x : tensor<2xbf16>) outs(%e : tensor<2xbf16>) {
    ^bb0(%a: bf16, %o: bf16):
      %s = arith.addf %a, %one : bf16
      linalg.yield %s : bf16
    } -> tensor<2xbf16>
    mt.yield %r : tensor<2xbf16>
  }
  // Casts saturate, NaN becomes 0, division by zero is 0.
  // CHECK: mt.weight @guarded : tensor<4xi32> value(dense<[2147483647, -2147483648, 0, -1]>
  mt.weight @guarded : tensor<4xi32> derive() {
    %x = arith.constant dense<[1.0e20, -1.0e20, 0x7FC00000, -1.9]> : tensor<4xf32>
    %e = tensor.empty() : tensor<4xi32>
    %zero = arith.constant 0 : i32
    %r = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]}
        ins(%x : tensor<4xf32>) outs(%e : tensor<4xi32>) {
    ^bb0(%a: f32, %o: i32):
      %s = arith.fptosi %a : f32 to i32
      %d = arith.divsi %s, %zero : i32
      %t = arith.addi %s, %d : i32
      linalg.yield %t : i32
    } -> tensor<4xi32>
    mt.yield %r : tensor<4xi32>
  }
  // Functions of math, in f64: sqrt(4) + exp(0) + |-3| + 2^3 + floor(1.5).
  // CHECK: mt.weight @math : tensor<1xf64> value(dense<1.500000e+01>
  mt.weight @math : tensor<1xf64> derive() {
    %x = arith.constant dense<4.0> : tensor<1xf64>
    %e = tensor.empty() : tensor<1xf64>
    %zero = arith.constant 0.0 : f64
    %m3 = arith.constant -3.0 : f64
    %two = arith.constant 2.0 : f64
    %three = arith.constant 3.0 : f64
    %c = arith.constant 1.5 : f64
    %r = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]}
        ins(%x : tensor<1xf64>) outs(%e : tensor<1xf64>) {
    ^bb0(%a: f64, %o: f64):
      %1 = math.sqrt %a : f64
      %2 = math.exp %zero : f64
      %3 = math.absf %m3 : f64
      %4 = math.powf %two, %three : f64
      %5 = math.floor %c : f64
      %6 = arith.addf %1, %2 : f64
      %7 = arith.addf %6, %3 : f64
      %8 = arith.addf %7, %4 : f64
      %9 = arith.addf %8, %5 : f64
      linalg.yield %9 : f64
    } -> tensor<1xf64>
    mt.yield %r : tensor<1xf64>
  }
  // Comparisons of floats with NaN: ordered less, unordered or equal.
  // CHECK: mt.weight @compare : tensor<3xi8> value(dense<[1, 2, 2]>
  mt.weight @compare : tensor<3xi8> derive() {
    %x = arith.constant dense<[1.0, 2.0, 0x7FC00000]> : tensor<3xf32>
    %e = tensor.empty() : tensor<3xi8>
    %two = arith.constant 2.0 : f32
    %r = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]}
        ins(%x : tensor<3xf32>) outs(%e : tensor<3xi8>) {
    ^bb0(%a: f32, %o: i8):
      %l = arith.cmpf olt, %a, %two : f32
      %u = arith.cmpf ueq, %a, %two : f32
      %l8 = arith.extui %l : i1 to i8
      %u8 = arith.extui %u : i1 to i8
      %u2 = arith.addi %u8, %u8 : i8
      %s = arith.addi %l8, %u2 : i8
      linalg.yield %s : i8
    } -> tensor<3xi8>
    mt.yield %r : tensor<3xi8>
  }
  // A constant that is a resource.
  // CHECK: mt.weight @resource : tensor<2xf32> value(dense<[1.000000e+00, 2.000000e+00]>
  mt.weight @resource : tensor<2xf32> derive() {
    %x = arith.constant dense_resource<one_two> : tensor<2xf32>
    mt.yield %x : tensor<2xf32>
  }
  // More than 64 KiB stay an expression.
  // CHECK: mt.weight @large : tensor<16385xf32> derive()
  mt.weight @large : tensor<16385xf32> derive() {
    %e = tensor.empty() : tensor<16385xf32>
    mt.yield %e : tensor<16385xf32>
  }
}

{-#
  dialect_resources: {
    builtin: {
      one_two: "0x040000000000803F00000040"
    }
  }
#-}
