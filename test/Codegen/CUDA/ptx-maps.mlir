// RUN: mtc-cuda-kernels %s --tuned | %FileCheck %s

// Tensor maps are parameters that nobody writes. One thread of the producing warpgroup, which keeps few registers, starts
// the copies of a stage: terms side by side in one box of 128 rows, columns side by side in two of 64.
// CHECK-LABEL: kernel gemm
// CHECK: .param .align 64 .b8 {{.*}}_param_6[128],
// CHECK: .param .align 64 .b8 {{.*}}_param_7[128]
// CHECK: .maxntid 384
// CHECK: .minnctapersm 1
// CHECK: cvta.param.u64
// CHECK: mbarrier.init.shared
// CHECK: setmaxnreg.inc.sync.aligned.u32 232;
// CHECK-NOT: st.shared
// CHECK: wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {{.*}}, p, 1, 1, 0, 1;
// CHECK: setmaxnreg.dec.sync.aligned.u32 40;
// CHECK: elect.sync
// CHECK: mbarrier.try_wait.parity.shared.b64
// CHECK: mbarrier.arrive.expect_tx.shared.b64
// CHECK: cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes
// CHECK-NEXT: cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes
// CHECK-NEXT: cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes

// A convolution: an image of four dimensions, a row of it in a box; terms of the weight side by side.
// CHECK-LABEL: kernel conv
// CHECK: wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {{.*}}, p, 1, 1, 0, 0;
// CHECK-COUNT-2: cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes
// CHECK: ret;

// Pixels of several rows of images by one copy, with two offsets.
// CHECK-LABEL: kernel pixels
// CHECK: cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%rd{{[0-9+]+}}], [%rd{{[0-9]+}}, {%r{{[0-9]+}}, %r{{[0-9]+}}, %r{{[0-9]+}}, %r{{[0-9]+}}}], [%rd{{[0-9]+}}], {%rs{{[0-9]+}}, %rs{{[0-9]+}}};
// CHECK: cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes
// CHECK-NOT: cp.async.bulk.tensor
// CHECK: ret;
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
