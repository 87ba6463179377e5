// REQUIRES: ptxas
// RUN: mtc-cuda-kernels %s --assemble | %FileCheck %s

// Whatever the shape, two stages and more fit the shared memory that a block may ask for, and no register is spilled.
// CHECK-COUNT-18: threads {{[0-9]+}} shared {{[1-9][0-9]*}} registers {{[1-9][0-9]*}} spills 0 blocks {{[1-9]}}
// CHECK-NOT: spills
mt.program @p target("cuda:sm_90a") {
  mt.kernel @large_tf32 kind(contraction) (%x: tensor<1x4096x1024xf32>, %w: tensor<1024x4096xf32>) -> tensor<1x4096x4096xf32> numerics("contraction-k1024-tf32") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x4096x4096xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x4096x4096xf32>) -> tensor<1x4096x4096xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(b,m,n,k) -> (b,m,k)>, affine_map<(b,m,n,k) -> (k,n)>, affine_map<(b,m,n,k) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x4096x1024xf32>, tensor<1024x4096xf32>) outs(%f : tensor<1x4096x4096xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x4096x4096xf32>
    mt.yield %c : tensor<1x4096x4096xf32>
  }
  mt.kernel @ragged_tf32 kind(contraction) (%x: tensor<1x333x55xf32>, %w: tensor<55x777xf32>) -> tensor<1x333x777xf32> numerics("contraction-k55-tf32") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x333x777xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x333x777xf32>) -> tensor<1x333x777xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(b,m,n,k) -> (b,m,k)>, affine_map<(b,m,n,k) -> (k,n)>, affine_map<(b,m,n,k) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x333x55xf32>, tensor<55x777xf32>) outs(%f : tensor<1x333x777xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x333x777xf32>
    mt.yield %c : tensor<1x333x777xf32>
  }
  mt.kernel @row_tf32 kind(contraction) (%x: tensor<1x1x512xf32>, %w: tensor<512x1000xf32>) -> tensor<1x1x1000xf32> numerics("contraction-k512-tf32") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x1x1000xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x1x1000xf32>) -> tensor<1x1x1000xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(b,m,n,k) -> (b,m,k)>, affine_map<(b,m,n,k) -> (k,n)>, affine_map<(b,m,n,k) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x1x512xf32>, tensor<512x1000xf32>) outs(%f : tensor<1x1x1000xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x1x1000xf32>
    mt.yield %c : tensor<1x1x1000xf32>
  }
  mt.kernel @conv_tf32 kind(contraction) (%x: tensor<1x40x40x32xf32>, %w: tensor<32x3x3x32xf32>) -> tensor<1x40x40x32xf32> numerics("contraction-k288-tf32") {
    %z = arith.constant 0.0 : f32
    %q = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %z : f32
    } : tensor<1x40x40x32xf32> to tensor<1x42x42x32xf32>
    %e = tensor.empty() : tensor<1x40x40x32xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x40x40x32xf32>) -> tensor<1x40x40x32xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,f,i,j,c) -> (n,h+i,w+j,c)>, affine_map<(n,h,w,f,i,j,c) -> (f,i,j,c)>, affine_map<(n,h,w,f,i,j,c) -> (n,h,w,f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%q, %w : tensor<1x42x42x32xf32>, tensor<32x3x3x32xf32>) outs(%f : tensor<1x40x40x32xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %o, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x40x40x32xf32>
    mt.yield %c : tensor<1x40x40x32xf32>
  }
  mt.kernel @rgb_tf32 kind(contraction) (%x: tensor<1x64x64x3xf32>, %w: tensor<16x3x3x3xf32>) -> tensor<1x64x64x16xf32> numerics("contraction-k27-tf32") {
    %z = arith.constant 0.0 : f32
    %q = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %z : f32
    } : tensor<1x64x64x3xf32> to tensor<1x66x66x3xf32>
    %e = tensor.empty() : tensor<1x64x64x16xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x64x64x16xf32>) -> tensor<1x64x64x16xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,f,i,j,c) -> (n,h+i,w+j,c)>, affine_map<(n,h,w,f,i,j,c) -> (f,i,j,c)>, affine_map<(n,h,w,f,i,j,c) -> (n,h,w,f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%q, %w : tensor<1x66x66x3xf32>, tensor<16x3x3x3xf32>) outs(%f : tensor<1x64x64x16xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %o, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x64x64x16xf32>
    mt.yield %c : tensor<1x64x64x16xf32>
  }
  mt.kernel @large_f16 kind(contraction) (%x: tensor<1x4096x1024xf32>, %w: tensor<1024x4096xf32>) -> tensor<1x4096x4096xf32> numerics("contraction-k1024-f16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x4096x4096xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x4096x4096xf32>) -> tensor<1x4096x4096xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(b,m,n,k) -> (b,m,k)>, affine_map<(b,m,n,k) -> (k,n)>, affine_map<(b,m,n,k) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x4096x1024xf32>, tensor<1024x4096xf32>) outs(%f : tensor<1x4096x4096xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x4096x4096xf32>
    mt.yield %c : tensor<1x4096x4096xf32>
  }
  mt.kernel @ragged_f16 kind(contraction) (%x: tensor<1x333x55xf32>, %w: tensor<55x777xf32>) -> tensor<1x333x777xf32> numerics("contraction-k55-f16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x333x777xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x333x777xf32>) -> tensor<1x333x777xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(b,m,n,k) -> (b,m,k)>, affine_map<(b,m,n,k) -> (k,n)>, affine_map<(b,m,n,k) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x333x55xf32>, tensor<55x777xf32>) outs(%f : tensor<1x333x777xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x333x777xf32>
    mt.yield %c : tensor<1x333x777xf32>
  }
  mt.kernel @row_f16 kind(contraction) (%x: tensor<1x1x512xf32>, %w: tensor<512x1000xf32>) -> tensor<1x1x1000xf32> numerics("contraction-k512-f16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x1x1000xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x1x1000xf32>) -> tensor<1x1x1000xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(b,m,n,k) -> (b,m,k)>, affine_map<(b,m,n,k) -> (k,n)>, affine_map<(b,m,n,k) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x1x512xf32>, tensor<512x1000xf32>) outs(%f : tensor<1x1x1000xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x1x1000xf32>
    mt.yield %c : tensor<1x1x1000xf32>
  }
  mt.kernel @conv_f16 kind(contraction) (%x: tensor<1x40x40x32xf32>, %w: tensor<32x3x3x32xf32>) -> tensor<1x40x40x32xf32> numerics("contraction-k288-f16") {
    %z = arith.constant 0.0 : f32
    %q = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %z : f32
    } : tensor<1x40x40x32xf32> to tensor<1x42x42x32xf32>
    %e = tensor.empty() : tensor<1x40x40x32xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x40x40x32xf32>) -> tensor<1x40x40x32xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,f,i,j,c) -> (n,h+i,w+j,c)>, affine_map<(n,h,w,f,i,j,c) -> (f,i,j,c)>, affine_map<(n,h,w,f,i,j,c) -> (n,h,w,f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%q, %w : tensor<1x42x42x32xf32>, tensor<32x3x3x32xf32>) outs(%f : tensor<1x40x40x32xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %o, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x40x40x32xf32>
    mt.yield %c : tensor<1x40x40x32xf32>
  }
  mt.kernel @rgb_f16 kind(contraction) (%x: tensor<1x64x64x3xf32>, %w: tensor<16x3x3x3xf32>) -> tensor<1x64x64x16xf32> numerics("contraction-k27-f16") {
    %z = arith.constant 0.0 : f32
    %q = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %z : f32
    } : tensor<1x64x64x3xf32> to tensor<1x66x66x3xf32>
    %e = tensor.empty() : tensor<1x64x64x16xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x64x64x16xf32>) -> tensor<1x64x64x16xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,f,i,j,c) -> (n,h+i,w+j,c)>, affine_map<(n,h,w,f,i,j,c) -> (f,i,j,c)>, affine_map<(n,h,w,f,i,j,c) -> (n,h,w,f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%q, %w : tensor<1x66x66x3xf32>, tensor<16x3x3x3xf32>) outs(%f : tensor<1x64x64x16xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %o, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x64x64x16xf32>
    mt.yield %c : tensor<1x64x64x16xf32>
  }
  mt.kernel @large_bf16 kind(contraction) (%x: tensor<1x4096x1024xf32>, %w: tensor<1024x4096xf32>) -> tensor<1x4096x4096xf32> numerics("contraction-k1024-bf16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x4096x4096xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x4096x4096xf32>) -> tensor<1x4096x4096xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(b,m,n,k) -> (b,m,k)>, affine_map<(b,m,n,k) -> (k,n)>, affine_map<(b,m,n,k) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x4096x1024xf32>, tensor<1024x4096xf32>) outs(%f : tensor<1x4096x4096xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x4096x4096xf32>
    mt.yield %c : tensor<1x4096x4096xf32>
  }
  mt.kernel @ragged_bf16 kind(contraction) (%x: tensor<1x333x55xf32>, %w: tensor<55x777xf32>) -> tensor<1x333x777xf32> numerics("contraction-k55-bf16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x333x777xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x333x777xf32>) -> tensor<1x333x777xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(b,m,n,k) -> (b,m,k)>, affine_map<(b,m,n,k) -> (k,n)>, affine_map<(b,m,n,k) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x333x55xf32>, tensor<55x777xf32>) outs(%f : tensor<1x333x777xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x333x777xf32>
    mt.yield %c : tensor<1x333x777xf32>
  }
  mt.kernel @row_bf16 kind(contraction) (%x: tensor<1x1x512xf32>, %w: tensor<512x1000xf32>) -> tensor<1x1x1000xf32> numerics("contraction-k512-bf16") {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<1x1x1000xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x1x1000xf32>) -> tensor<1x1x1000xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(b,m,n,k) -> (b,m,k)>, affine_map<(b,m,n,k) -> (k,n)>, affine_map<(b,m,n,k) -> (b,m,n)>], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x1x512xf32>, tensor<512x1000xf32>) outs(%f : tensor<1x1x1000xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<1x1x1000xf32>
    mt.yield %c : tensor<1x1x1000xf32>
  }
  mt.kernel @conv_bf16 kind(contraction) (%x: tensor<1x40x40x32xf32>, %w: tensor<32x3x3x32xf32>) -> tensor<1x40x40x32xf32> numerics("contraction-k288-bf16") {
    %z = arith.constant 0.0 : f32
    %q = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %z : f32
    } : tensor<1x40x40x32xf32> to tensor<1x42x42x32xf32>
    %e = tensor.empty() : tensor<1x40x40x32xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x40x40x32xf32>) -> tensor<1x40x40x32xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,f,i,j,c) -> (n,h+i,w+j,c)>, affine_map<(n,h,w,f,i,j,c) -> (f,i,j,c)>, affine_map<(n,h,w,f,i,j,c) -> (n,h,w,f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%q, %w : tensor<1x42x42x32xf32>, tensor<32x3x3x32xf32>) outs(%f : tensor<1x40x40x32xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %o, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x40x40x32xf32>
    mt.yield %c : tensor<1x40x40x32xf32>
  }
  mt.kernel @rgb_bf16 kind(contraction) (%x: tensor<1x64x64x3xf32>, %w: tensor<16x3x3x3xf32>) -> tensor<1x64x64x16xf32> numerics("contraction-k27-bf16") {
    %z = arith.constant 0.0 : f32
    %q = tensor.pad %x low[0, 1, 1, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %z : f32
    } : tensor<1x64x64x3xf32> to tensor<1x66x66x3xf32>
    %e = tensor.empty() : tensor<1x64x64x16xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x64x64x16xf32>) -> tensor<1x64x64x16xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,f,i,j,c) -> (n,h+i,w+j,c)>, affine_map<(n,h,w,f,i,j,c) -> (f,i,j,c)>, affine_map<(n,h,w,f,i,j,c) -> (n,h,w,f)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%q, %w : tensor<1x66x66x3xf32>, tensor<16x3x3x3xf32>) outs(%f : tensor<1x64x64x16xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %o, %m : f32
      linalg.yield %s : f32
    } -> tensor<1x64x64x16xf32>
    mt.yield %c : tensor<1x64x64x16xf32>
  }
  mt.kernel @large_i8 kind(contraction) (%x: tensor<4096x1024xi8>, %w: tensor<4096x1024xi8>) -> tensor<4096x4096xi32> {
    %z = arith.constant 0 : i32
    %e = tensor.empty() : tensor<4096x4096xi32>
    %f = linalg.fill ins(%z : i32) outs(%e : tensor<4096x4096xi32>) -> tensor<4096x4096xi32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (n,k)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<4096x1024xi8>, tensor<4096x1024xi8>) outs(%f : tensor<4096x4096xi32>) {
    ^bb0(%a: i8, %b: i8, %o: i32):
      %u = arith.extui %a : i8 to i32
      %v = arith.extsi %b : i8 to i32
      %p = arith.muli %u, %v : i32
      %s = arith.addi %o, %p : i32
      linalg.yield %s : i32
    } -> tensor<4096x4096xi32>
    mt.yield %c : tensor<4096x4096xi32>
  }
  mt.kernel @ragged_i8 kind(contraction) (%x: tensor<333x55xi8>, %w: tensor<55x777xi8>) -> tensor<333x777xi32> {
    %z = arith.constant 0 : i32
    %e = tensor.empty() : tensor<333x777xi32>
    %f = linalg.fill ins(%z : i32) outs(%e : tensor<333x777xi32>) -> tensor<333x777xi32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<333x55xi8>, tensor<55x777xi8>) outs(%f : tensor<333x777xi32>) {
    ^bb0(%a: i8, %b: i8, %o: i32):
      %u = arith.extui %a : i8 to i32
      %v = arith.extsi %b : i8 to i32
      %p = arith.muli %u, %v : i32
      %s = arith.addi %o, %p : i32
      linalg.yield %s : i32
    } -> tensor<333x777xi32>
    mt.yield %c : tensor<333x777xi32>
  }
  mt.kernel @row_i8 kind(contraction) (%x: tensor<1x512xi8>, %w: tensor<512x1000xi8>) -> tensor<1x1000xi32> {
    %z = arith.constant 0 : i32
    %e = tensor.empty() : tensor<1x1000xi32>
    %f = linalg.fill ins(%z : i32) outs(%e : tensor<1x1000xi32>) -> tensor<1x1000xi32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<1x512xi8>, tensor<512x1000xi8>) outs(%f : tensor<1x1000xi32>) {
    ^bb0(%a: i8, %b: i8, %o: i32):
      %u = arith.extui %a : i8 to i32
      %v = arith.extsi %b : i8 to i32
      %p = arith.muli %u, %v : i32
      %s = arith.addi %o, %p : i32
      linalg.yield %s : i32
    } -> tensor<1x1000xi32>
    mt.yield %c : tensor<1x1000xi32>
  }
}
