// RUN: mtc-cuda-kernels %s | %FileCheck %s

// What is f16 or bf16 in memory goes to shared memory as it is, by 16 bytes; only results are rounded.
mt.program @p target("cuda:sm_90a,maps=off") {
  // CHECK-LABEL: kernel gemm_f16
  // CHECK-DAG: cp.async.cg.shared.global [{{.*}}], [{{.*}}], 16
  // CHECK-DAG: wgmma.mma_async.sync.aligned.m64n{{[0-9]+}}k16.f32.f16.f16
  // CHECK-DAG: cvt.rn.f16x2.f32
  mt.kernel @gemm_f16 kind(contraction) (%x: tensor<2048x768xf16>, %w: tensor<768x768xf16>) -> tensor<2048x768xf16> numerics("contraction-k768-f16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<2048x768xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<2048x768xf32>) -> tensor<2048x768xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (n,k)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<2048x768xf16>, tensor<768x768xf16>) outs(%f : tensor<2048x768xf32>) {
    ^bb0(%a: f16, %b: f16, %o: f32):
      %u = arith.extf %a : f16 to f32
      %v = arith.extf %b : f16 to f32
      %p = arith.mulf %u, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<2048x768xf32>
    %h = tensor.empty() : tensor<2048x768xf16>
    %y = linalg.generic {indexing_maps = [affine_map<(m,n) -> (m,n)>, affine_map<(m,n) -> (m,n)>], iterator_types = ["parallel", "parallel"]}
        ins(%c : tensor<2048x768xf32>) outs(%h : tensor<2048x768xf16>) {
    ^bb0(%a: f32, %o: f16):
      %n = arith.truncf %a : f32 to f16
      linalg.yield %n : f16
    } -> tensor<2048x768xf16>
    mt.yield %y : tensor<2048x768xf16>
  }
  // CHECK-LABEL: kernel gemm_bf16
  // CHECK-DAG: cp.async.cg.shared.global [{{.*}}], [{{.*}}], 16
  // CHECK-DAG: wgmma.mma_async.sync.aligned.m64n{{[0-9]+}}k16.f32.bf16.bf16
  // CHECK-DAG: cvt.rn.bf16x2.f32
  mt.kernel @gemm_bf16 kind(contraction) (%x: tensor<2048x768xbf16>, %w: tensor<768x768xbf16>) -> tensor<2048x768xbf16> numerics("contraction-k768-bf16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<2048x768xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<2048x768xf32>) -> tensor<2048x768xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (n,k)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<2048x768xbf16>, tensor<768x768xbf16>) outs(%f : tensor<2048x768xf32>) {
    ^bb0(%a: bf16, %b: bf16, %o: f32):
      %u = arith.extf %a : bf16 to f32
      %v = arith.extf %b : bf16 to f32
      %p = arith.mulf %u, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<2048x768xf32>
    %h = tensor.empty() : tensor<2048x768xbf16>
    %y = linalg.generic {indexing_maps = [affine_map<(m,n) -> (m,n)>, affine_map<(m,n) -> (m,n)>], iterator_types = ["parallel", "parallel"]}
        ins(%c : tensor<2048x768xf32>) outs(%h : tensor<2048x768xbf16>) {
    ^bb0(%a: f32, %o: bf16):
      %n = arith.truncf %a : f32 to bf16
      linalg.yield %n : bf16
    } -> tensor<2048x768xbf16>
    mt.yield %y : tensor<2048x768xbf16>
  }
}
