// RUN: mtc-cuda-kernels %s | %FileCheck %s

// Four warps multiply together. What a step needs was rounded on its way and lies swizzled in shared memory that the
// launch asks for; a fence shows it to the other proxy before the barrier; one group of products may be under way while
// the next step is copied.
// CHECK-LABEL: kernel gemm_f16
// CHECK: .extern .shared .align 1024 .b8
// CHECK-DAG: ld.global.nc.v4.b32
// CHECK-DAG: cvt.rn.f16x2.f32
// CHECK-DAG: st.shared.v4.b32
// CHECK: fence.proxy.async.shared::cta;
// CHECK-NEXT: bar.sync
// CHECK-NEXT: wgmma.fence.sync.aligned;
// CHECK-COUNT-4: wgmma.mma_async.sync.aligned.m64n{{[0-9]+}}k16.f32.f16.f16
// CHECK: wgmma.commit_group.sync.aligned;

// tf32 is rounded, too, before it is stored: what wgmma reads it cuts off.
// CHECK-LABEL: kernel gemm_tf32
// CHECK-DAG: cvt.rna.tf32.f32
// CHECK-COUNT-4: wgmma.mma_async.sync.aligned.m64n{{[0-9]+}}k8.f32.tf32.tf32

// Bytes that are neighbours are copied without a register.
// CHECK-LABEL: kernel gemm_u8s8
// CHECK-DAG: cp.async.cg.shared.global [{{.*}}], [{{.*}}], 16;
// CHECK: cp.async.wait_group
// CHECK-NEXT: fence.proxy.async.shared::cta;
// CHECK-NEXT: bar.sync
// CHECK-COUNT-4: wgmma.mma_async.sync.aligned.m64n{{[0-9]+}}k32.s32.u8.s8

// Few rows stay with single warps.
// CHECK-LABEL: kernel row_f16
// CHECK-NOT: wgmma
// CHECK: mma.sync.aligned.m16n8k16
mt.program @p target("cuda:sm_90a") {
  mt.kernel @gemm_f16 kind(contraction) (%x: tensor<384x768xf32>, %w: tensor<768x768xf32>) -> tensor<384x768xf32> numerics("contraction-k768-f16") {
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
  mt.kernel @gemm_tf32 kind(contraction) (%x: tensor<384x768xf32>, %w: tensor<768x768xf32>) -> tensor<384x768xf32> numerics("contraction-k768-tf32") {
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
  mt.kernel @gemm_u8s8 kind(contraction) (%x: tensor<384x768xi8>, %w: tensor<768x768xi8>) -> tensor<384x768xi32> {
    %z = arith.constant 0 : i32
    %e = tensor.empty() : tensor<384x768xi32>
    %f = linalg.fill ins(%z : i32) outs(%e : tensor<384x768xi32>) -> tensor<384x768xi32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<384x768xi8>, tensor<768x768xi8>) outs(%f : tensor<384x768xi32>) {
    ^bb0(%a: i8, %b: i8, %o: i32):
      %u = arith.extui %a : i8 to i32
      %v = arith.extsi %b : i8 to i32
      %p = arith.muli %u, %v : i32
      %s = arith.addi %o, %p : i32
      linalg.yield %s : i32
    } -> tensor<384x768xi32>
    mt.yield %c : tensor<384x768xi32>
  }
  mt.kernel @row_f16 kind(contraction) (%x: tensor<1x768xf32>, %w: tensor<768x768xf32>) -> tensor<1x768xf32> numerics("contraction-k768-f16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x768xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x768xf32>) -> tensor<1x768xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x768xf32>, tensor<768x768xf32>) outs(%f : tensor<1x768xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x768xf32>
    mt.yield %c : tensor<1x768xf32>
  }
}
