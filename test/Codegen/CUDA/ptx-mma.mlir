// RUN: mtc-cuda-kernels %s | %FileCheck %s

// Stages take more shared memory than a block has without asking. tf32: four elements at a time go there without a
// register; a step waits for its own group, a barrier makes it everyone's, and what is read is rounded.
// CHECK-LABEL: kernel gemm_tf32
// CHECK: .extern .shared .align 16
// CHECK-DAG: st.global.v2.b32
// CHECK-DAG: cp.async.cg.shared.global [{{.*}}], [{{.*}}], 16;
// CHECK-DAG: cp.async.commit_group;
// CHECK-DAG: ld.shared.b32
// CHECK-DAG: cvt.rna.tf32.f32
// CHECK-DAG: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
// CHECK: cp.async.wait_group
// CHECK-NEXT: bar.sync

// f16: four elements at a time are rounded to nearest on their way. A has its terms side by side, B its
// columns, so one is transposed when it is read.
// CHECK-LABEL: kernel gemm_f16
// CHECK-NOT: cp.async
// CHECK-DAG: ld.global.nc.v4.b32
// CHECK-DAG: cvt.rn.f16x2.f32
// CHECK-DAG: st.shared.v2.b32
// CHECK-DAG: bar.sync
// CHECK-DAG: ldmatrix.sync.aligned.m8n8.x4.shared.b16
// CHECK-DAG: ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
// CHECK-DAG: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32

// CHECK-LABEL: kernel gemm_bf16
// CHECK-DAG: cvt.rn.bf16x2.f32
// CHECK-DAG: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32

// A convolution whose channels are not a multiple of four: single elements, zeros where there are none.
// CHECK-LABEL: kernel conv_tf32
// CHECK-DAG: cp.async.ca.shared.global [{{.*}}], [{{.*}}], 4, %r{{[0-9]+}};
// CHECK-DAG: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32

// Bytes: sixteen terms at a time where they are neighbours; of the other side, whose columns are, four bytes are
// gathered to a word. Sums wrap, as integers do.
// CHECK-LABEL: kernel gemm_u8s8
// CHECK-DAG: cp.async.cg.shared.global [{{.*}}], [{{.*}}], 16;
// CHECK-DAG: ld.global.nc.b8
// CHECK-DAG: st.shared.b32
// CHECK-DAG: ldmatrix.sync.aligned.m8n8.x4.shared.b16
// CHECK-DAG: mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32
mt.program @p target("cuda:sm_80") {
  mt.kernel @gemm_tf32 kind(contraction) (%x: tensor<1x384x768xf32>, %w: tensor<768x768xf32>) -> tensor<1x384x768xf32> numerics("contraction-k768-tf32") {
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
    mt.yield %c : tensor<1x384x768xf32>
  }
  mt.kernel @gemm_f16 kind(contraction) (%x: tensor<1x384x768xf32>, %w: tensor<768x768xf32>) -> tensor<1x384x768xf32> numerics("contraction-k768-f16") {
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
    mt.yield %c : tensor<1x384x768xf32>
  }
  mt.kernel @gemm_bf16 kind(contraction) (%x: tensor<1x384x768xf32>, %w: tensor<768x768xf32>) -> tensor<1x384x768xf32> numerics("contraction-k768-bf16") {
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
    mt.yield %c : tensor<1x384x768xf32>
  }
  mt.kernel @conv_tf32 kind(contraction) (%x: tensor<1x20x20x3xf32>, %w: tensor<64x3x3x3xf32>) -> tensor<1x20x20x64xf32> numerics("contraction-k27-tf32") {
    %z = arith.constant 0.0 : f32
    %q = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %z : f32
    } : tensor<1x20x20x3xf32> to tensor<1x22x22x3xf32>
    %e = tensor.empty() : tensor<1x20x20x64xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x20x20x64xf32>) -> tensor<1x20x20x64xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,f,i,j,c) -> (n,h+i,w+j,c)>, affine_map<(n,h,w,f,i,j,c) -> (f,i,j,c)>, affine_map<(n,h,w,f,i,j,c) -> (n,h,w,f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%q, %w : tensor<1x22x22x3xf32>, tensor<64x3x3x3xf32>) outs(%f : tensor<1x20x20x64xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %o, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x20x20x64xf32>
    mt.yield %c : tensor<1x20x20x64xf32>
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
}
