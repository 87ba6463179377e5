// RUN: mtc-opt %s --pass-pipeline='builtin.module(mt.program(mt-tune-kernels))' | %FileCheck %s
// RUN: mtc-opt %s --pass-pipeline='builtin.module(mt.program(mt-tune-kernels{plain=true}))' | %FileCheck %s --check-prefix=PLAIN
// RUN: mtc-opt %s --pass-pipeline='builtin.module(mt.program(mt-tune-kernels{target=host:x86-64-v3,cores=1}))' | %FileCheck %s --check-prefix=V3

// A long vector is cut to tiles of some KiB; -O0 has one tile. The target is the program's unless the pass names one.
// CHECK: mt.kernel @negate
// CHECK-SAME: #mt.variant<config = {emitter = "rows", rows = array<i64: 1>}, tiles = [{{[0-9]+}}], scratch = 0, granules = [1, 2], ns = [{{.*}}], origin = "modelled">
// PLAIN: #mt.variant<config = {emitter = "plain"}, tiles = [1], scratch = 0, granules = [1]
// V3: #mt.variant<config = {emitter = "rows", {{.*}} granules = [1], ns
mt.program @p target("host:x86-64-v4,cores=2") {
  mt.kernel @negate kind(elementwise) (%x: tensor<1000000xf32>) -> tensor<1000000xf32> {
    %e = tensor.empty() : tensor<1000000xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        ins(%x : tensor<1000000xf32>) outs(%e : tensor<1000000xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.negf %a : f32
      linalg.yield %s : f32
    } -> tensor<1000000xf32>
    mt.yield %y : tensor<1000000xf32>
  }
}
