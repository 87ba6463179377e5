// A loop of six iterations over rows of x, whose body pads and convolves its state, and an if in it that depends on the
// row; a state that starts as zeros, which no buffer holds.
#id = affine_map<(n, c, h) -> (n, c, h)>
#row = affine_map<(n, c, h) -> (c, h)>
mt.program @p {
  mt.weight @t.six : tensor<i64> value(dense<6> : tensor<i64>)
  mt.weight @t.yes : tensor<i8> value(dense<1> : tensor<i8>)
  mt.weight @t.w : tensor<3x3x3xf32> value(dense<[[[0.1, 0.2, -0.3], [0.2, 0.1, 0.1], [-0.1, 0.3, 0.2]], [[0.3, -0.2, 0.1], [0.1, 0.2, 0.1], [0.2, 0.1, -0.3]], [[0.1, 0.1, 0.2], [-0.3, 0.2, 0.1], [0.2, 0.2, 0.1]]]> : tensor<3x3x3xf32>)
  mt.tenant @t {
    mt.entry @n1.0.0(%s: tensor<1x3x8xf32> {mt.name = "s"}, %r: tensor<3x8xf32> {mt.name = "r"}) -> (tensor<1x3x8xf32> {mt.name = "y"}) attributes {is_body} {
      %e = tensor.empty() : tensor<1x3x8xf32>
      %y = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%s, %r : tensor<1x3x8xf32>, tensor<3x8xf32>) outs(%e : tensor<1x3x8xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %m = arith.addf %a, %b : f32
        linalg.yield %m : f32
      } -> tensor<1x3x8xf32>
      mt.return %y : tensor<1x3x8xf32>
    }
    mt.entry @n1.0.1(%s: tensor<1x3x8xf32> {mt.name = "s"}, %r: tensor<3x8xf32> {mt.name = "r"}) -> (tensor<1x3x8xf32> {mt.name = "y"}) attributes {is_body} {
      %zero = arith.constant 0.0 : f32
      %p = tensor.pad %s low[0, 0, 1] high[0, 0, 1] {
      ^bb0(%i: index, %j: index, %k: index):
        tensor.yield %zero : f32
      } : tensor<1x3x8xf32> to tensor<1x3x10xf32>
      %w = mt.get_weight @t.w : tensor<3x3x3xf32>
      %e = tensor.empty() : tensor<1x3x8xf32>
      %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x3x8xf32>) -> tensor<1x3x8xf32>
      %y = linalg.generic {indexing_maps = [affine_map<(n, f, h, c, k) -> (n, c, h + k)>, affine_map<(n, f, h, c, k) -> (f, c, k)>, affine_map<(n, f, h, c, k) -> (n, f, h)>],
          iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%p, %w : tensor<1x3x10xf32>, tensor<3x3x3xf32>) outs(%f : tensor<1x3x8xf32>) {
      ^bb0(%a: f32, %b: f32, %acc: f32):
        %m = arith.mulf %a, %b : f32
        %s1 = arith.addf %acc, %m : f32
        linalg.yield %s1 : f32
      } -> tensor<1x3x8xf32>
      mt.return %y : tensor<1x3x8xf32>
    }
    mt.entry @n1.0(%i: tensor<i64> {mt.name = "i"}, %c: tensor<i8> {mt.name = "c"}, %s: tensor<1x3x8xf32> {mt.name = "s"}, %r: tensor<3x8xf32> {mt.name = "r"}, %x: tensor<1x3x8xf32> {mt.name = "x"})
        -> (tensor<i8> {mt.name = "more"}, tensor<1x3x8xf32> {mt.name = "next"}, tensor<1x3x8xf32> {mt.name = "out"}) attributes {is_body} {
      %eb = tensor.empty() : tensor<i8>
      %first = tensor.extract_slice %r[0, 0] [1, 1] [1, 1] : tensor<3x8xf32> to tensor<f32>
      %positive = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%first : tensor<f32>) outs(%eb : tensor<i8>) {
      ^bb0(%a: f32, %o: i8):
        %zero = arith.constant 0.0 : f32
        %k = arith.cmpf ogt, %a, %zero : f32
        %n = arith.extui %k : i1 to i8
        linalg.yield %n : i8
      } -> tensor<i8>
      %m = mt.region_task 0 if [@n1.0.0, @n1.0.1](%positive) capture(%s, %r) max_trips(1) expected(1) : (tensor<i8>, tensor<1x3x8xf32>, tensor<3x8xf32>) -> tensor<1x3x8xf32>
      %e = tensor.empty() : tensor<1x3x8xf32>
      %n = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%m, %x : tensor<1x3x8xf32>, tensor<1x3x8xf32>) outs(%e : tensor<1x3x8xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %t = arith.subf %a, %b : f32
        linalg.yield %t : f32
      } -> tensor<1x3x8xf32>
      mt.return %c, %n, %m : tensor<i8>, tensor<1x3x8xf32>, tensor<1x3x8xf32>
    }
    mt.entry @n1(%x: tensor<1x3x8xf32> {mt.name = "x"}, %rows: tensor<6x3x8xf32> {mt.name = "rows"}) -> (tensor<1x3x8xf32> {mt.name = "y"}, tensor<6x1x3x8xf32> {mt.name = "all"}) {
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<1x3x8xf32>
      %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x3x8xf32>) -> tensor<1x3x8xf32>
      %six = mt.get_weight @t.six : tensor<i64>
      %yes = mt.get_weight @t.yes : tensor<i8>
      %y, %all = mt.region_task 0 loop [@n1.0](%yes, %six) carry(%f) scan(%rows) capture(%x) max_trips(10) expected(6)
          : (tensor<i8>, tensor<i64>, tensor<1x3x8xf32>, tensor<6x3x8xf32>, tensor<1x3x8xf32>) -> (tensor<1x3x8xf32>, tensor<6x1x3x8xf32>)
      mt.return %y, %all : tensor<1x3x8xf32>, tensor<6x1x3x8xf32>
    }
  }
}
