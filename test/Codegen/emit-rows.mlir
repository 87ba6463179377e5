// RUN: mtc-opt %s --pass-pipeline='builtin.module(mt.program(mt-tune-kernels),mt-emit-kernels)' | %FileCheck %s

// A row is summed by four vector accumulators that are combined in pairs, then halves: an order that depends on the
// shape only.
// CHECK-LABEL: func.func @sum.body
// CHECK: scf.for
// CHECK: scf.for {{.*}} iter_args
// CHECK-COUNT-4: vector.load
// CHECK: scf.yield
// CHECK: vector.extract_strided_slice {{.*}} : vector<16xf32> to vector<8xf32>
// CHECK: vector.extract_strided_slice {{.*}} : vector<2xf32> to vector<1xf32>
// CHECK: memref.store
mt.program @p target("host:x86-64-v4,cores=1") {
  mt.kernel @sum kind(rows) (%x: tensor<4x256xf32>) -> tensor<4xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<4xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(i,j) -> (i,j)>, affine_map<(i,j) -> (i)>], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<4x256xf32>) outs(%f : tensor<4xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.addf %o, %a : f32
      linalg.yield %s : f32
    } -> tensor<4xf32>
    mt.yield %y : tensor<4xf32>
  }
}
