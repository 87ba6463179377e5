// RUN: mtc-opt %s --split-input-file --pass-pipeline='builtin.module(mt.program(mt-tune-kernels),mt-emit-kernels)' | %FileCheck %s

// A matrix product reads its packed weight in vectors, broadcasts the left-hand side and keeps mr x nv
// accumulators through the loop over k; the bias is added on them. 20 columns of 32: the last vector is masked
// where it is stored, not where the panel is read.
// CHECK-LABEL: func.func @gemm.body
// CHECK-SAME: (%{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: memref<0xi8>, %[[X:.*]]: memref<400xf32>, %[[W:.*]]: memref<1600xf32>, %[[B:.*]]: memref<20xf32>, %[[Y:.*]]: memref<160xf32>)
// CHECK: scf.for {{.*}} iter_args
// CHECK-NOT: memref.prefetch
// CHECK: vector.load %[[W]]
// CHECK: memref.load %[[X]]
// CHECK: vector.broadcast {{.*}} : f32 to vector
// CHECK: vector.fma
// CHECK: scf.yield
// CHECK: arith.addf
// CHECK: vector.maskedstore %[[Y]]
mt.program @p target("host:x86-64-v4,cores=1") {
  mt.kernel @gemm kind(contraction) (%x: tensor<8x50xf32>, %w: tensor<1x50x32xf32>, %b: tensor<20xf32>) -> tensor<8x20xf32> {
    %z = arith.constant 0.0 : f32
    %we = tensor.empty() : tensor<50x20xf32>
    %u = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [32] into %we : tensor<1x50x32xf32> -> tensor<50x20xf32>
    %e = tensor.empty() : tensor<8x20xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x20xf32>) -> tensor<8x20xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>],
        iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %u : tensor<8x50xf32>, tensor<50x20xf32>) outs(%f : tensor<8x20xf32>) {
    ^bb0(%a: f32, %v: f32, %o: f32):
      %p = arith.mulf %a, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<8x20xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(m,n) -> (m,n)>, affine_map<(m,n) -> (n)>, affine_map<(m,n) -> (m,n)>],
        iterator_types = ["parallel", "parallel"]} ins(%c, %b : tensor<8x20xf32>, tensor<20xf32>) outs(%e : tensor<8x20xf32>) {
    ^bb0(%a: f32, %v: f32, %o: f32):
      %s = arith.addf %a, %v : f32
      linalg.yield %s : f32
    } -> tensor<8x20xf32>
    mt.yield %y : tensor<8x20xf32>
  }
}

// -----

// Padding is not copied: 1 x 3 windows over one row of 4 with a column of zeros at each side take 3 * 4 - 2 products, one
// vector of weights each column of the window.
// CHECK-LABEL: func.func @conv.body
// CHECK-NOT: memref.store
// CHECK-COUNT-10: vector.fma
// CHECK-NOT: vector.fma
// CHECK: return
mt.program @p target("host:x86-64-v4,cores=1") {
  mt.kernel @conv kind(contraction) (%x: tensor<1x1x4x1xf32>, %w: tensor<1x1x3x1x16xf32>) -> tensor<1x1x4x16xf32> {
    %z = arith.constant 0.0 : f32
    %xp = tensor.pad %x low[0, 0, 1, 0] high[0, 0, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %z : f32
    } : tensor<1x1x4x1xf32> to tensor<1x1x6x1xf32>
    %we = tensor.empty() : tensor<16x1x3x1xf32>
    %u = linalg.unpack %w inner_dims_pos = [0] inner_tiles = [16] into %we : tensor<1x1x3x1x16xf32> -> tensor<16x1x3x1xf32>
    %e = tensor.empty() : tensor<1x1x4x16xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x1x4x16xf32>) -> tensor<1x1x4x16xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,f,kh,kw,c) -> (n,h+kh,w+kw,c)>, affine_map<(n,h,w,f,kh,kw,c) -> (f,kh,kw,c)>,
          affine_map<(n,h,w,f,kh,kw,c) -> (n,h,w,f)>],
        iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%xp, %u : tensor<1x1x6x1xf32>, tensor<16x1x3x1xf32>) outs(%f : tensor<1x1x4x16xf32>) {
    ^bb0(%a: f32, %v: f32, %o: f32):
      %p = arith.mulf %a, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x1x4x16xf32>
    mt.yield %c : tensor<1x1x4x16xf32>
  }
}

// -----

// A result larger than the last cache goes past it, line by line, and the kernel ends when others can see it.
// CHECK-LABEL: func.func @large.body
// CHECK: vector.fma
// CHECK: vector.store %{{.*}} {alignment = 64 : i64, nontemporal = true} : memref<8960000xf32>
// CHECK: llvm.call_intrinsic "llvm.x86.sse.sfence"()
// CHECK-NEXT: return
mt.program @p target("host:x86-64-v4,cores=1") {
  mt.kernel @large kind(contraction) (%x: tensor<70000x2xf32>, %w: tensor<4x2x32xf32>) -> tensor<70000x128xf32> {
    %z = arith.constant 0.0 : f32
    %we = tensor.empty() : tensor<2x128xf32>
    %u = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [32] into %we : tensor<4x2x32xf32> -> tensor<2x128xf32>
    %e = tensor.empty() : tensor<70000x128xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<70000x128xf32>) -> tensor<70000x128xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>],
        iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %u : tensor<70000x2xf32>, tensor<2x128xf32>) outs(%f : tensor<70000x128xf32>) {
    ^bb0(%a: f32, %v: f32, %o: f32):
      %p = arith.mulf %a, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<70000x128xf32>
    mt.yield %c : tensor<70000x128xf32>
  }
}

// -----

// Panels of bytes are narrower than sums: beside each step's four products a register tile fetches its share of the
// next group's panels (2,048 bytes for its 8 rows in 16 steps: two lines), into the second cache.
// CHECK-LABEL: func.func @bytes.body
// CHECK-SAME: %[[W:[a-z0-9]*]]: memref<4096xi8>, %{{.*}}: memref<512xi32>)
// CHECK: scf.for {{.*}} iter_args
// CHECK-COUNT-2: memref.prefetch %[[W]][%{{.*}}], read, locality<2>, data : memref<4096xi8>
// CHECK-NOT: memref.prefetch
// CHECK: vpdpbusd
// CHECK: scf.yield
mt.program @p target("host:x86-64-v4+avx512vnni,cores=1") {
  mt.kernel @bytes kind(contraction) (%x: tensor<8x64xi8>, %w: tensor<2x16x32x4xi8>) -> tensor<8x64xi32> {
    %z = arith.constant 0 : i32
    %we = tensor.empty() : tensor<64x64xi8>
    %u = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1, 0] inner_tiles = [32, 4] into %we : tensor<2x16x32x4xi8> -> tensor<64x64xi8>
    %e = tensor.empty() : tensor<8x64xi32>
    %f = linalg.fill ins(%z : i32) outs(%e : tensor<8x64xi32>) -> tensor<8x64xi32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>],
        iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %u : tensor<8x64xi8>, tensor<64x64xi8>) outs(%f : tensor<8x64xi32>) {
    ^bb0(%a: i8, %v: i8, %o: i32):
      %xa = arith.extui %a : i8 to i32
      %xv = arith.extsi %v : i8 to i32
      %p = arith.muli %xa, %xv : i32
      %s = arith.addi %o, %p : i32
      linalg.yield %s : i32
    } -> tensor<8x64xi32>
    mt.yield %c : tensor<8x64xi32>
  }
}

// -----

// Weights (655,360 bytes) and results (655,360) beyond a core's own caches, on a core that waits long for them: a
// register tile asks for the lines that it will write, and beside each step for its share of the next panel.
// CHECK-LABEL: func.func @far.body
// CHECK-SAME: memref<102400xf32>, %[[W:[a-z0-9]*]]: memref<163840xf32>, %[[Y:[a-z0-9]*]]: memref<163840xf32>)
// CHECK: memref.prefetch %[[Y]][%{{.*}}], write, locality<3>, data : memref<163840xf32>
// CHECK: scf.for {{.*}} iter_args
// CHECK: memref.prefetch %[[W]][%{{.*}}], read, locality<2>, data : memref<163840xf32>
// CHECK: vector.load %[[W]]
// CHECK: scf.yield
mt.program @p target("host:x86-64-v4+avx512fp16,cores=1") {
  mt.kernel @far kind(contraction) (%x: tensor<320x320xf32>, %w: tensor<16x320x32xf32>) -> tensor<320x512xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<320x512xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<320x512xf32>) -> tensor<320x512xf32>
    %d = tensor.empty() : tensor<320x512xf32>
    %u = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [32] into %d : tensor<16x320x32xf32> -> tensor<320x512xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>],
        iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %u : tensor<320x320xf32>, tensor<320x512xf32>) outs(%f : tensor<320x512xf32>) {
    ^bb0(%a: f32, %v: f32, %o: f32):
      %p = arith.mulf %a, %v : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<320x512xf32>
    mt.yield %c : tensor<320x512xf32>
  }
}
