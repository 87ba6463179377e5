// REQUIRES: ptxas
// RUN: mtc-cuda-kernels %s --assemble | %FileCheck %s

// No register of a contraction is spilled.
// CHECK: kernel gemm
// CHECK: threads 256 shared {{[1-9][0-9]*}} registers {{[1-9][0-9]*}} spills 0 blocks {{[1-9]}}
mt.program @p target("cuda:sm_90a") {
  mt.kernel @gemm kind(contraction) (%x: tensor<1x384x768xf32>, %w: tensor<768x768xf32>, %bias: tensor<768xf32>) -> tensor<1x384x768xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x384x768xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x384x768xf32>) -> tensor<1x384x768xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(b,m,n,k) -> (b,m,k)>, affine_map<(b,m,n,k) -> (k,n)>, affine_map<(b,m,n,k) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x384x768xf32>, tensor<768x768xf32>) outs(%f : tensor<1x384x768xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x384x768xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(b,m,n) -> (b,m,n)>, affine_map<(b,m,n) -> (n)>, affine_map<(b,m,n) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%c, %bias : tensor<1x384x768xf32>, tensor<768xf32>) outs(%e : tensor<1x384x768xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.addf %a, %b : f32
      %r = arith.maximumf %s, %z : f32
      linalg.yield %r : f32
    } -> tensor<1x384x768xf32>
    mt.yield %y : tensor<1x384x768xf32>
  }

  // A convolution whose best tile by the model spills 328 bytes (ptxas 13.0): it gets a smaller one.
  // CHECK: kernel conv
  // CHECK: threads 256 shared {{[1-9][0-9]*}} registers {{[1-9][0-9]*}} spills 0 blocks {{[1-9]}}
  mt.kernel @conv kind(contraction) (%x: tensor<1x100x80x32xf32>, %w: tensor<64x3x3x32xf32>, %bias: tensor<64xf32>) -> tensor<1x100x80x64xf32> {
    %one = arith.constant 1.0 : f32
    %z = arith.constant 0.0 : f32
    %padded = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %z : f32
    } : tensor<1x100x80x32xf32> to tensor<1x102x82x32xf32>
    %e = tensor.empty() : tensor<1x100x80x64xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x100x80x64xf32>) -> tensor<1x100x80x64xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,f,kh,kw,c) -> (n,h+kh,w+kw,c)>, affine_map<(n,h,w,f,kh,kw,c) -> (f,kh,kw,c)>, affine_map<(n,h,w,f,kh,kw,c) -> (n,h,w,f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%padded, %w : tensor<1x102x82x32xf32>, tensor<64x3x3x32xf32>) outs(%f : tensor<1x100x80x64xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x100x80x64xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(n,h,w,f) -> (n,h,w,f)>, affine_map<(n,h,w,f) -> (f)>, affine_map<(n,h,w,f) -> (n,h,w,f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
        ins(%c, %bias : tensor<1x100x80x64xf32>, tensor<64xf32>) outs(%e : tensor<1x100x80x64xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %v = arith.addf %a, %b : f32
      %m = math.absf %v : f32
      %n = arith.negf %m : f32
      %q = math.exp %n : f32
      %isNegative = arith.cmpf olt, %v, %z : f32
      %above = arith.select %isNegative, %q, %one : f32
      %below = arith.addf %q, %one : f32
      %sigmoid = arith.divf %above, %below : f32
      %r = arith.mulf %v, %sigmoid : f32
      linalg.yield %r : f32
    } -> tensor<1x100x80x64xf32>
    mt.yield %y : tensor<1x100x80x64xf32>
  }
}
