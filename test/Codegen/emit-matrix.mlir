// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-split-products,mt-tune-kernels),mt-emit-kernels)' %s | %FileCheck %s
// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-split-products,mt-tune-kernels{target=host:x86-64-v4}))' %s | %FileCheck %s --check-prefix=OTHER

// Rows are gathered in three parts; a step of 32 products multiplies six pairs of parts, neighbours
// of which share one; sums go through memory to the epilogue.

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#o = affine_map<(m, n, k) -> (m, n)>
#n = affine_map<(m, n) -> (n)>
#i = affine_map<(m, n) -> (m, n)>

// A CPU without tiles cannot compute what was split for one but by plain loops.
// OTHER: mt.kernel @k {{.*}}emitter = "plain"

// CHECK-LABEL: func.func @k.body
// CHECK: llvm.call_intrinsic "llvm.x86.ldtilecfg"
// The first part is cut off, the second rounded, the third exact.
// CHECK: arith.andi %{{.*}} : vector<16xi32>
// CHECK: arith.subf %{{.*}} : vector<16xf32>
// CHECK: llvm.call_intrinsic "llvm.x86.avx512bf16.cvtne2ps2bf16.512"
// CHECK: arith.addi %{{.*}} : vector<16xi32>
// CHECK: arith.andi %{{.*}} : vector<16xi32>
// CHECK: arith.subf %{{.*}} : vector<16xf32>
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.avx512bf16.cvtne2ps2bf16.512"
// CHECK-COUNT-3: vector.store %{{.*}} : memref<{{.*}}xbf16>, vector<32xbf16>
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tilezero"
// CHECK: scf.for
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tileloadd64"
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tdpbf16ps"
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.tileloadd64"
// CHECK-COUNT-20: llvm.call_intrinsic "llvm.x86.tdpbf16ps"
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tilestored64"
// CHECK: scf.for
// CHECK: vector.load %{{.*}} : memref<1024xf32>, vector<16xf32>
// CHECK: arith.maximumf
// CHECK: llvm.call_intrinsic "llvm.x86.tilerelease"
mt.program @p target("host:x86-64-v4+amx-bf16+amx-tile+avx512bf16,cores=1") {
  mt.weight @t.w : tensor<256x128xf32> from("a.onnx" at 0)
  mt.kernel @k kind(contraction) (%x: tensor<64x256xf32>, %w: tensor<256x128xf32>, %r: tensor<128xf32>) -> tensor<64x128xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<64x128xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<64x128xf32>) -> tensor<64x128xf32>
    %s = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<64x256xf32>, tensor<256x128xf32>) outs(%z : tensor<64x128xf32>) {
    ^bb0(%u: f32, %v: f32, %acc: f32):
      %m = arith.mulf %u, %v : f32
      %t = arith.addf %acc, %m : f32
      linalg.yield %t : f32
    } -> tensor<64x128xf32>
    %y = linalg.generic {indexing_maps = [#i, #n, #i], iterator_types = ["parallel", "parallel"]} ins(%s, %r : tensor<64x128xf32>, tensor<128xf32>) outs(%e : tensor<64x128xf32>) {
    ^bb0(%u: f32, %v: f32, %q: f32):
      %t = arith.addf %u, %v : f32
      %c = arith.maximumf %t, %zero : f32
      linalg.yield %c : f32
    } -> tensor<64x128xf32>
    mt.yield %y : tensor<64x128xf32>
  }
  mt.tenant @t {
    mt.entry @n1(%x: tensor<64x256xf32> {mt.name = "x"}, %r: tensor<128xf32> {mt.name = "r"}) -> (tensor<64x128xf32> {mt.name = "y"}) {
      %w = mt.get_weight @t.w : tensor<256x128xf32>
      %y = mt.task 0 @k(%x, %w, %r) : (tensor<64x256xf32>, tensor<256x128xf32>, tensor<128xf32>) -> tensor<64x128xf32>
      mt.return %y : tensor<64x128xf32>
    }
  }
}
