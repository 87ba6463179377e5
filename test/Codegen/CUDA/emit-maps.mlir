// RUN: mtc-opt %s --mt-emit-cuda-kernels | %FileCheck %s

// What a map is stands beside the function's arguments: an image of channels, columns, rows and images, the pixels of a row
// in a box; of the weight, whose windows are dimensions of their own, a box of all its filters.
// CHECK-LABEL: func.func @gemm_p0.body
// CHECK-SAME: !llvm.ptr {mtc.tensor_map = {box = array<i32: 64, 128>, buffer = 0 : i64, element = 1 : i64, lower = array<i32>, offset = 0 : i64, sizes = array<i64: 768, 384>, steps = array<i32: 1, 1>, strides = array<i64: 1536>, swizzle = 128 : i64, upper = array<i32>}}
// CHECK-SAME: !llvm.ptr {mtc.tensor_map = {box = array<i32: 64, 64>, buffer = 1 : i64, element = 1 : i64, lower = array<i32>, offset = 0 : i64, sizes = array<i64: 768, 768>, steps = array<i32: 1, 1>, strides = array<i64: 1536>, swizzle = 128 : i64, upper = array<i32>}}
// CHECK-SAME: mtc.threads = 384
// CHECK: nvvm.setmaxregister increase 232
// CHECK: nvvm.setmaxregister decrease 40
// CHECK: nvvm.elect.sync
// CHECK: scf.for
// CHECK: scf.for
// CHECK: nvvm.mbarrier.try_wait.parity
// CHECK: %[[BYTES:.*]] = arith.constant 32768 : i32
// CHECK: nvvm.mbarrier.arrive.expect_tx %{{.*}}, %[[BYTES]]
// CHECK-COUNT-3: nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK-LABEL: func.func @conv_p0.body
// CHECK-SAME: !llvm.ptr {mtc.tensor_map = {box = array<i32: 64, 64, 1, 1>, buffer = 0 : i64, element = 2 : i64, lower = array<i32>, offset = 0 : i64, sizes = array<i64: 128, 64, 30, 2>, steps = array<i32: 1, 1, 1, 1>, strides = array<i64: 256, 16384, 491520>, swizzle = 128 : i64, upper = array<i32>}}
// CHECK-SAME: !llvm.ptr {mtc.tensor_map = {box = array<i32: 64, 1, 1, 64>, buffer = 1 : i64, element = 2 : i64, lower = array<i32>, offset = 0 : i64, sizes = array<i64: 128, 3, 3, 64>,

// Thirteen pixels of a row fill no box: one copy goes through rows and images, from each second of the pixels that the window's first
// term reads, left of the image and above it to the last but two. Its offsets are the window's terms.
// CHECK-LABEL: func.func @pixels_p0.body
// CHECK-SAME: !llvm.ptr {mtc.tensor_map = {box = array<i32: 64, 64>, buffer = 0 : i64, element = 2 : i64, lower = array<i32: -1, -1>, offset = 0 : i64, sizes = array<i64: 128, 26, 26, 2>, steps = array<i32: 1, 2, 2, 1>, strides = array<i64: 256, 6656, 173056>, swizzle = 128 : i64, upper = array<i32: -2, -2>}}
// CHECK: %[[COLUMN:.*]] = arith.index_cast %{{.*}} : index to i16
// CHECK: %[[LINE:.*]] = arith.index_cast %{{.*}} : index to i16
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global {{.*}} im2col[%[[COLUMN]], %[[LINE]]] {mode = #nvvm.tma_load_mode<im2col>}
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK-NOT: im2col
mt.program @p target("cuda:sm_90a") {
  mt.kernel @gemm kind(contraction) (%x: tensor<384x768xf16>, %w: tensor<768x768xf16>) -> tensor<384x768xf32> numerics("contraction-k768-f16")
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
  mt.kernel @conv kind(contraction) (%x: tensor<2x30x64x128xbf16>, %w: tensor<64x3x3x128xbf16>) -> tensor<2x30x64x64xf32> numerics("contraction-k1152-bf16")
      variants [#mt.variant<config = {emitter = "contraction", mma = "bf16", wgmma, mapped, bm = 64, bn = 64, bk = 64, wm = 64, wn = 64, stages = 4, producers = 1}, tiles = [60], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
    %z = arith.constant 0.0 : f32
    %zero = arith.constant 0.0 : bf16
    %e = tensor.empty() : tensor<2x30x64x64xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<2x30x64x64xf32>) -> tensor<2x30x64x64xf32>
    %xp = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %zero : bf16
    } : tensor<2x30x64x128xbf16> to tensor<2x32x66x128xbf16>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,f,kh,kw,c) -> (n,h+kh,w+kw,c)>, affine_map<(n,h,w,f,kh,kw,c) -> (f,kh,kw,c)>, affine_map<(n,h,w,f,kh,kw,c) -> (n,h,w,f)>],
                         iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%xp, %w : tensor<2x32x66x128xbf16>, tensor<64x3x3x128xbf16>) outs(%f : tensor<2x30x64x64xf32>) {
    ^bb0(%a: bf16, %b: bf16, %o: f32):
      %u = arith.extf %a : bf16 to f32
      %v = arith.extf %b : bf16 to f32
      %p = arith.mulf %u, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<2x30x64x64xf32>
    mt.yield %c : tensor<2x30x64x64xf32>
  }
  mt.kernel @pixels kind(contraction) (%x: tensor<2x26x26x128xbf16>, %w: tensor<64x3x3x128xbf16>) -> tensor<2x13x13x64xf32> numerics("contraction-k1152-bf16")
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
