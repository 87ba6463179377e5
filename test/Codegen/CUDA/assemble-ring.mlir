// REQUIRES: ptxas
// RUN: mtc-cuda-kernels %s --tuned --assemble | %FileCheck %s

// Producers and consumers have registers enough.
// CHECK-COUNT-6: threads {{[0-9]+}} shared {{[1-9][0-9]*}} registers {{[1-9][0-9]*}} spills 0 blocks {{[1-9]}}
// CHECK-NOT: spills
mt.program @p target("cuda:sm_90a") {
  mt.kernel @f16 kind(contraction) (%x: tensor<384x768xf32>, %w: tensor<768x768xf32>) -> tensor<384x768xf32> numerics("contraction-k768-f16")
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
  mt.kernel @two_producers kind(contraction) (%x: tensor<384x768xf32>, %w: tensor<768x768xf32>) -> tensor<384x768xf32> numerics("contraction-k768-f16")
      variants [#mt.variant<config = {emitter = "contraction", mma = "f16", wgmma, bm = 128, bn = 128, bk = 64, wm = 64, wn = 128, stages = 4, producers = 2}, tiles = [18], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
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
  mt.kernel @wide kind(contraction) (%x: tensor<384x768xf32>, %w: tensor<768x768xf32>) -> tensor<384x768xf32> numerics("contraction-k768-bf16")
      variants [#mt.variant<config = {emitter = "contraction", mma = "bf16", wgmma, bm = 64, bn = 256, bk = 64, wm = 64, wn = 256, stages = 4, producers = 1}, tiles = [18], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
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
  mt.kernel @tf32 kind(contraction) (%x: tensor<384x768xf32>, %w: tensor<768x768xf32>) -> tensor<384x768xf32> numerics("contraction-k768-tf32")
      variants [#mt.variant<config = {emitter = "contraction", mma = "tf32", wgmma, bm = 128, bn = 128, bk = 32, wm = 64, wn = 128, stages = 4, producers = 1}, tiles = [18], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
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
  mt.kernel @bytes kind(contraction) (%x: tensor<384x768xi8>, %w: tensor<768x768xi8>) -> tensor<384x768xi32>
      variants [#mt.variant<config = {emitter = "contraction", mma = "i8", wgmma, bm = 128, bn = 128, bk = 128, wm = 64, wn = 128, stages = 4, producers = 1}, tiles = [18], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
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
  mt.kernel @small kind(contraction) (%x: tensor<100x200xf32>, %w: tensor<200x72xf32>) -> tensor<100x72xf32> numerics("contraction-k200-f16")
      variants [#mt.variant<config = {emitter = "contraction", mma = "f16", wgmma, bm = 64, bn = 64, bk = 64, wm = 64, wn = 64, stages = 4, producers = 1}, tiles = [4], scratch = 0, granules = [1], ns = [1], origin = "modelled">] {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<100x72xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<100x72xf32>) -> tensor<100x72xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>], iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x, %w : tensor<100x200xf32>, tensor<200x72xf32>) outs(%f : tensor<100x72xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<100x72xf32>
    mt.yield %c : tensor<100x72xf32>
  }
}
