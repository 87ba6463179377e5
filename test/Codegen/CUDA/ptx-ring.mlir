// RUN: mtc-cuda-kernels %s --tuned | %FileCheck %s

// One thread makes the mbarriers before all meet at the only barrier of the block. Some warps then bring stages, rounded
// and swizzled, show them to the other proxy and arrive; the others wait, multiply and free the stage of the step before.
// CHECK-LABEL: kernel gemm_f16
// CHECK: .extern .shared .align 1024 .b8
// CHECK: mbarrier.init.shared
// CHECK: fence.mbarrier_init.release.cluster
// CHECK: bar.sync
// CHECK: shfl.sync.idx
// CHECK-NOT: bar.sync
// CHECK-DAG: mbarrier.try_wait.parity.shared.b64
// CHECK-DAG: cvt.rn.f16x2.f32
// CHECK-DAG: st.shared.v4.b32
// CHECK-DAG: fence.proxy.async.shared::cta;
// CHECK-DAG: mbarrier.arrive.
// CHECK-DAG: wgmma.fence.sync.aligned;
// CHECK-DAG: wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16
// CHECK-DAG: wgmma.commit_group.sync.aligned;
// CHECK-DAG: wgmma.wait_group.sync.aligned 1;
// CHECK: ret;
mt.program @p target("cuda:sm_90a") {
  mt.kernel @gemm_f16 kind(contraction) (%x: tensor<384x768xf32>, %w: tensor<768x768xf32>) -> tensor<384x768xf32> numerics("contraction-k768-f16")
      variants [#mt.variant<config = {emitter = "contraction", mma = "f16", wgmma, bm = 128, bn = 128, bk = 64, wm = 64, wn = 128, stages = 4, producers = 1}, tiles = [18], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<384x768xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<384x768xf32>) -> tensor<384x768xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<384x768xf32>, tensor<768x768xf32>) outs(%f : tensor<384x768xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<384x768xf32>
    mt.yield %c : tensor<384x768xf32>
  }
}
