// REQUIRES: ptxas
// RUN: mtc-cuda-kernels %s --tuned --assemble | %FileCheck %s

// Warpgroups start with equal parts of the registers and share them anew: none spills, not with sums in 128 registers either.
// CHECK: threads 384 shared {{[1-9][0-9]*}} registers 168 spills 0 blocks 1
// CHECK: threads 256 shared {{[1-9][0-9]*}} registers 128 spills 0 blocks {{[1-9]}}
// CHECK: threads 384 shared {{[1-9][0-9]*}} registers 168 spills 0 blocks 1
// Pixels of images, in im2col mode.
// CHECK: threads 256 shared {{[1-9][0-9]*}} registers 128 spills 0 blocks {{[1-9]}}
// CHECK-NOT: spills
mt.program @p target("cuda:sm_90a") {
  mt.kernel @a_gemm kind(contraction) (%x: tensor<384x768xf16>, %w: tensor<768x768xf16>) -> tensor<384x768xf32> numerics("contraction-k768-f16")
      variants [#mt.variant<config = {emitter = "contraction", mma = "f16", wgmma, mapped, bm = 128, bn = 128, bk = 64, wm = 64, wn = 128, stages = 4, producers = 1}, tiles = [18], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<384x768xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<384x768xf32>) -> tensor<384x768xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<384x768xf16>, tensor<768x768xf16>) outs(%f : tensor<384x768xf32>) {
    ^bb0(%a: f16, %b: f16, %o: f32):
      %u = arith.extf %a : f16 to f32
      %v = arith.extf %b : f16 to f32
      %p = arith.mulf %u, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<384x768xf32>
    mt.yield %c : tensor<384x768xf32>
  }
  mt.kernel @b_conv kind(contraction) (%x: tensor<2x30x48x128xbf16>, %w: tensor<64x3x3x128xbf16>) -> tensor<2x30x48x64xf32> numerics("contraction-k1152-bf16")
      variants [#mt.variant<config = {emitter = "contraction", mma = "bf16", wgmma, mapped, bm = 64, bn = 64, bk = 64, wm = 64, wn = 64, stages = 4, producers = 1}, tiles = [45], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
    %z = arith.constant 0.0 : f32
    %zero = arith.constant 0.0 : bf16
    %e = tensor.empty() : tensor<2x30x48x64xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<2x30x48x64xf32>) -> tensor<2x30x48x64xf32>
    %xp = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %zero : bf16
    } : tensor<2x30x48x128xbf16> to tensor<2x32x50x128xbf16>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,f,kh,kw,c) -> (n,h+kh,w+kw,c)>, affine_map<(n,h,w,f,kh,kw,c) -> (f,kh,kw,c)>, affine_map<(n,h,w,f,kh,kw,c) -> (n,h,w,f)>],
                         iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%xp, %w : tensor<2x32x50x128xbf16>, tensor<64x3x3x128xbf16>) outs(%f : tensor<2x30x48x64xf32>) {
    ^bb0(%a: bf16, %b: bf16, %o: f32):
      %u = arith.extf %a : bf16 to f32
      %v = arith.extf %b : bf16 to f32
      %p = arith.mulf %u, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<2x30x48x64xf32>
    mt.yield %c : tensor<2x30x48x64xf32>
  }
  mt.kernel @wide kind(contraction) (%x: tensor<768x384xf16>, %w: tensor<768x768xf16>) -> tensor<384x768xf32> numerics("contraction-k768-f16")
      variants [#mt.variant<config = {emitter = "contraction", mma = "f16", wgmma, mapped, bm = 128, bn = 256, bk = 64, wm = 64, wn = 256, stages = 4, producers = 1}, tiles = [9], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<384x768xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<384x768xf32>) -> tensor<384x768xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (k,m)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<768x384xf16>, tensor<768x768xf16>) outs(%f : tensor<384x768xf32>) {
    ^bb0(%a: f16, %b: f16, %o: f32):
      %u = arith.extf %a : f16 to f32
      %v = arith.extf %b : f16 to f32
      %p = arith.mulf %u, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<384x768xf32>
    mt.yield %c : tensor<384x768xf32>
  }
  mt.kernel @z_pixels kind(contraction) (%x: tensor<2x26x26x128xbf16>, %w: tensor<64x3x3x128xbf16>) -> tensor<2x13x13x64xf32> numerics("contraction-k1152-bf16")
      variants [#mt.variant<config = {emitter = "contraction", mma = "bf16", wgmma, mapped, bm = 64, bn = 64, bk = 64, wm = 64, wn = 64, stages = 4, producers = 1}, tiles = [6], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
    %z = arith.constant 0.0 : f32
    %zero = arith.constant 0.0 : bf16
    %e = tensor.empty() : tensor<2x13x13x64xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<2x13x13x64xf32>) -> tensor<2x13x13x64xf32>
    %xp = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %zero : bf16
    } : tensor<2x26x26x128xbf16> to tensor<2x28x28x128xbf16>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,f,kh,kw,c) -> (n,2*h+kh,2*w+kw,c)>, affine_map<(n,h,w,f,kh,kw,c) -> (f,kh,kw,c)>, affine_map<(n,h,w,f,kh,kw,c) -> (n,h,w,f)>],
                         iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%xp, %w : tensor<2x28x28x128xbf16>, tensor<64x3x3x128xbf16>) outs(%f : tensor<2x13x13x64xf32>) {
    ^bb0(%a: bf16, %b: bf16, %o: f32):
      %u = arith.extf %a : bf16 to f32
      %v = arith.extf %b : bf16 to f32
      %p = arith.mulf %u, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<2x13x13x64xf32>
    mt.yield %c : tensor<2x13x13x64xf32>
  }
}
