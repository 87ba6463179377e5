// RUN: mtc-opt %s --split-input-file --pass-pipeline='builtin.module(mt.program(mt-join-moves,mt-share-kernels,mt-tune-kernels))' | %FileCheck %s
// RUN: mtc-opt %s --split-input-file --pass-pipeline='builtin.module(mt.program(mt-join-moves{pads=false concatenations=false views=false}))' | %FileCheck %s --check-prefix=OFF

// Both products read the parts of a concatenation, also one that is an output; the concatenation is gone. Kernels
// of one body stay one. Tasks are numbered anew.
// CHECK-LABEL: mt.program @parts
// CHECK-NOT: kind(move)
// CHECK: mt.kernel @product{{.*}} kind(contraction) (%[[A:.*]]: tensor<8x16xf32>, %[[B:.*]]: tensor<8x4xf32>, %{{.*}}: tensor<20x24xf32>) -> tensor<8x24xf32>
// CHECK: emitter = "contraction"
// CHECK: %[[WHOLE:.*]] = tensor.concat dim(1) %[[A]], %[[B]]
// CHECK: linalg.generic {{.*}} ins(%[[WHOLE]]
// CHECK-NOT: mt.kernel
// CHECK: %[[HALF:.*]] = mt.task 0 @negate
// CHECK-NEXT: mt.task 1 @[[PRODUCT:.*]](%[[HALF]], %
// CHECK-NEXT: mt.task 2 @[[PRODUCT]](%[[HALF]], %
// CHECK-NEXT: mt.return
// OFF-LABEL: mt.program @parts
// OFF-COUNT-4: mt.task
mt.program @parts target("host:x86-64-v4,cores=2") {
  mt.kernel @negate kind(elementwise) (%x: tensor<8x16xf32>) -> tensor<8x16xf32> {
    %e = tensor.empty() : tensor<8x16xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(i,j) -> (i,j)>, affine_map<(i,j) -> (i,j)>], iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<8x16xf32>) outs(%e : tensor<8x16xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.negf %a : f32
      linalg.yield %s : f32
    } -> tensor<8x16xf32>
    mt.yield %y : tensor<8x16xf32>
  }
  mt.kernel @side_by_side kind(move) (%x: tensor<8x16xf32>, %y: tensor<8x4xf32>) -> tensor<8x20xf32> {
    %c = tensor.concat dim(1) %x, %y : (tensor<8x16xf32>, tensor<8x4xf32>) -> tensor<8x20xf32>
    mt.yield %c : tensor<8x20xf32>
  }
  mt.kernel @product kind(contraction) (%x: tensor<8x20xf32>, %w: tensor<20x24xf32>) -> tensor<8x24xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8x24xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x24xf32>) -> tensor<8x24xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>],
        iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<8x20xf32>, tensor<20x24xf32>) outs(%f : tensor<8x24xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<8x24xf32>
    mt.yield %c : tensor<8x24xf32>
  }
  mt.tenant @t {
    mt.entry @e(%x: tensor<8x16xf32> {mt.name = "x"}, %y: tensor<8x4xf32> {mt.name = "y"}, %w: tensor<20x24xf32> {mt.name = "w"}, %v: tensor<20x24xf32> {mt.name = "v"})
        -> (tensor<8x16xf32> {mt.name = "h"}, tensor<8x24xf32> {mt.name = "p"}, tensor<8x24xf32> {mt.name = "q"}) {
      %h = mt.task 0 @negate(%x) : (tensor<8x16xf32>) -> tensor<8x16xf32>
      %c = mt.task 1 @side_by_side(%h, %y) : (tensor<8x16xf32>, tensor<8x4xf32>) -> tensor<8x20xf32>
      %p = mt.task 2 @product(%c, %w) : (tensor<8x20xf32>, tensor<20x24xf32>) -> tensor<8x24xf32>
      %q = mt.task 3 @product(%c, %v) : (tensor<8x20xf32>, tensor<20x24xf32>) -> tensor<8x24xf32>
      mt.return %h, %p, %q : tensor<8x16xf32>, tensor<8x24xf32>, tensor<8x24xf32>
    }
  }
}

// -----

// Pooling skips its padding. A tensor side by side with itself is one argument.
// CHECK-LABEL: mt.program @padded
// CHECK-NOT: kind(move)
// CHECK: mt.kernel @pool{{.*}} kind(rows) (%[[X:.*]]: tensor<1x8x8x16xf32>) -> tensor<1x4x4x16xf32>
// CHECK: emitter = "contraction"
// CHECK: tensor.pad %[[X]]
// CHECK: mt.kernel @product{{.*}} (%[[T:.*]]: tensor<8x10xf32>, %{{.*}}: tensor<20x24xf32>) -> tensor<8x24xf32>
// CHECK: tensor.concat dim(1) %[[T]], %[[T]]
// CHECK-NOT: mt.kernel
// CHECK: mt.task 0 @pool{{.*}}(%{{.*}}) : (tensor<1x8x8x16xf32>)
// CHECK-NEXT: mt.task 1 @product{{.*}} : (tensor<8x10xf32>, tensor<20x24xf32>)
// CHECK-NEXT: mt.return
// OFF-LABEL: mt.program @padded
// OFF-COUNT-4: mt.task
mt.program @padded target("host:x86-64-v4,cores=2") {
  mt.kernel @lowest kind(move) (%x: tensor<1x8x8x16xf32>) -> tensor<1x9x9x16xf32> {
    %z = arith.constant 0xFF800000 : f32
    %p = tensor.pad %x low[0, 0, 0, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %z : f32
    } : tensor<1x8x8x16xf32> to tensor<1x9x9x16xf32>
    mt.yield %p : tensor<1x9x9x16xf32>
  }
  mt.kernel @pool kind(rows) (%x: tensor<1x9x9x16xf32>) -> tensor<1x4x4x16xf32> numerics("rows-r9") {
    %z = arith.constant 0xFF800000 : f32
    %e = tensor.empty() : tensor<1x4x4x16xf32>
    %k = tensor.empty() : tensor<3x3xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x4x4x16xf32>) -> tensor<1x4x4x16xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,c,kh,kw) -> (n,h*2+kh,w*2+kw,c)>, affine_map<(n,h,w,c,kh,kw) -> (kh,kw)>,
        affine_map<(n,h,w,c,kh,kw) -> (n,h,w,c)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
        ins(%x, %k : tensor<1x9x9x16xf32>, tensor<3x3xf32>) outs(%f : tensor<1x4x4x16xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.maximumf %o, %a : f32
      linalg.yield %s : f32
    } -> tensor<1x4x4x16xf32>
    mt.yield %c : tensor<1x4x4x16xf32>
  }
  mt.kernel @twice kind(move) (%x: tensor<8x10xf32>) -> tensor<8x20xf32> {
    %c = tensor.concat dim(1) %x, %x : (tensor<8x10xf32>, tensor<8x10xf32>) -> tensor<8x20xf32>
    mt.yield %c : tensor<8x20xf32>
  }
  mt.kernel @product kind(contraction) (%x: tensor<8x20xf32>, %w: tensor<20x24xf32>) -> tensor<8x24xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8x24xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x24xf32>) -> tensor<8x24xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>],
        iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<8x20xf32>, tensor<20x24xf32>) outs(%f : tensor<8x24xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<8x24xf32>
    mt.yield %c : tensor<8x24xf32>
  }
  mt.tenant @t {
    mt.entry @e(%x: tensor<1x8x8x16xf32> {mt.name = "x"}, %y: tensor<8x10xf32> {mt.name = "y"}, %w: tensor<20x24xf32> {mt.name = "w"})
        -> (tensor<1x4x4x16xf32> {mt.name = "m"}, tensor<8x24xf32> {mt.name = "p"}) {
      %l = mt.task 0 @lowest(%x) : (tensor<1x8x8x16xf32>) -> tensor<1x9x9x16xf32>
      %m = mt.task 1 @pool(%l) : (tensor<1x9x9x16xf32>) -> tensor<1x4x4x16xf32>
      %c = mt.task 2 @twice(%y) : (tensor<8x10xf32>) -> tensor<8x20xf32>
      %p = mt.task 3 @product(%c, %w) : (tensor<8x20xf32>, tensor<20x24xf32>) -> tensor<8x24xf32>
      mt.return %m, %p : tensor<1x4x4x16xf32>, tensor<8x24xf32>
    }
  }
}

// -----

// A chain of moves is one task, here space to depth: a transposition, of whose result two tasks read half each, slices with
// steps, and a concatenation; and elementwise kernels read slices, also one that reads what another one makes of it. Nothing
// is kept in scratch.
// CHECK-LABEL: mt.program @views
// CHECK: mt.kernel @side_by_side{{.*}} kind(move) (%[[X:.*]]: tensor<3x8x8xf32>) -> tensor<4x8x6xf32>
// CHECK: emitter = "rows"
// CHECK-SAME: scratch = 0
// CHECK: linalg.transpose ins(%[[X]]
// CHECK: mt.kernel @negate{{.*}} (%{{.*}}: tensor<3x8x8xf32>) -> tensor<2x4x8xf32>
// CHECK: emitter = "rows"
// CHECK-SAME: scratch = 0
// CHECK-LABEL: mt.entry @e
// CHECK-NEXT: mt.task 0 @side_by_side{{.*}}(%{{.*}}) : (tensor<3x8x8xf32>) -> tensor<4x8x6xf32>
// CHECK-NEXT: %[[N:.*]] = mt.task 1 @negate{{.*}} : (tensor<3x8x8xf32>)
// CHECK-NEXT: mt.task 2 @add{{.*}}(%{{.*}}, %[[N]]) : (tensor<3x8x8xf32>, tensor<2x4x8xf32>)
// CHECK-NEXT: mt.return
// OFF-LABEL: mt.program @views
// OFF-COUNT-7: mt.task
mt.program @views target("host:x86-64-v4,cores=2") {
  mt.kernel @channels_last kind(move) (%x: tensor<3x8x8xf32>) -> tensor<8x8x3xf32> {
    %e = tensor.empty() : tensor<8x8x3xf32>
    %t = linalg.transpose ins(%x : tensor<3x8x8xf32>) outs(%e : tensor<8x8x3xf32>) permutation = [1, 2, 0]
    mt.yield %t : tensor<8x8x3xf32>
  }
  mt.kernel @even kind(move) (%x: tensor<8x8x3xf32>) -> tensor<4x8x3xf32> {
    %s = tensor.extract_slice %x[0, 0, 0] [4, 8, 3] [2, 1, 1] : tensor<8x8x3xf32> to tensor<4x8x3xf32>
    mt.yield %s : tensor<4x8x3xf32>
  }
  mt.kernel @odd kind(move) (%x: tensor<8x8x3xf32>) -> tensor<4x8x3xf32> {
    %s = tensor.extract_slice %x[1, 0, 0] [4, 8, 3] [2, 1, 1] : tensor<8x8x3xf32> to tensor<4x8x3xf32>
    mt.yield %s : tensor<4x8x3xf32>
  }
  mt.kernel @side_by_side kind(move) (%x: tensor<4x8x3xf32>, %y: tensor<4x8x3xf32>) -> tensor<4x8x6xf32> {
    %c = tensor.concat dim(2) %x, %y : (tensor<4x8x3xf32>, tensor<4x8x3xf32>) -> tensor<4x8x6xf32>
    mt.yield %c : tensor<4x8x6xf32>
  }
  mt.kernel @box kind(move) (%x: tensor<3x8x8xf32>) -> tensor<2x4x8xf32> {
    %s = tensor.extract_slice %x[1, 2, 0] [2, 4, 8] [1, 1, 1] : tensor<3x8x8xf32> to tensor<2x4x8xf32>
    mt.yield %s : tensor<2x4x8xf32>
  }
  mt.kernel @negate kind(elementwise) (%x: tensor<2x4x8xf32>) -> tensor<2x4x8xf32> {
    %e = tensor.empty() : tensor<2x4x8xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(i,j,k) -> (i,j,k)>, affine_map<(i,j,k) -> (i,j,k)>], iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%x : tensor<2x4x8xf32>) outs(%e : tensor<2x4x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.negf %a : f32
      linalg.yield %s : f32
    } -> tensor<2x4x8xf32>
    mt.yield %y : tensor<2x4x8xf32>
  }
  mt.kernel @add kind(elementwise) (%x: tensor<2x4x8xf32>, %y: tensor<2x4x8xf32>) -> tensor<2x4x8xf32> {
    %e = tensor.empty() : tensor<2x4x8xf32>
    %z = linalg.generic {indexing_maps = [affine_map<(i,j,k) -> (i,j,k)>, affine_map<(i,j,k) -> (i,j,k)>, affine_map<(i,j,k) -> (i,j,k)>],
        iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %y : tensor<2x4x8xf32>, tensor<2x4x8xf32>) outs(%e : tensor<2x4x8xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.addf %a, %b : f32
      linalg.yield %s : f32
    } -> tensor<2x4x8xf32>
    mt.yield %z : tensor<2x4x8xf32>
  }
  mt.tenant @t {
    mt.entry @e(%x: tensor<3x8x8xf32> {mt.name = "x"}) -> (tensor<4x8x6xf32> {mt.name = "c"}, tensor<2x4x8xf32> {mt.name = "n"}) {
      %t = mt.task 0 @channels_last(%x) : (tensor<3x8x8xf32>) -> tensor<8x8x3xf32>
      %a = mt.task 1 @even(%t) : (tensor<8x8x3xf32>) -> tensor<4x8x3xf32>
      %b = mt.task 2 @odd(%t) : (tensor<8x8x3xf32>) -> tensor<4x8x3xf32>
      %c = mt.task 3 @side_by_side(%a, %b) : (tensor<4x8x3xf32>, tensor<4x8x3xf32>) -> tensor<4x8x6xf32>
      %s = mt.task 4 @box(%x) : (tensor<3x8x8xf32>) -> tensor<2x4x8xf32>
      %n = mt.task 5 @negate(%s) : (tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
      %p = mt.task 6 @add(%s, %n) : (tensor<2x4x8xf32>, tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
      mt.return %c, %p : tensor<4x8x6xf32>, tensor<2x4x8xf32>
    }
  }
}

// -----

// What stays: a concatenation that is an output too, or that one of its readers cannot read in parts (@negate, or a
// product along whose result it lies), one that is read twice by a task, padding that changes a maximum, slices that a product reads, a
// transposition that an elementwise kernel reads, and slices of one tensor for many steps.
// CHECK-LABEL: mt.entry @output
// CHECK-NEXT: mt.task 0 @side_by_side
// CHECK-NEXT: mt.task 1 @product
// CHECK-LABEL: mt.entry @other_reader
// CHECK-NEXT: mt.task 0 @side_by_side
// CHECK-NEXT: mt.task 1 @product
// CHECK-NEXT: mt.task 2 @negate
// CHECK-LABEL: mt.entry @rows
// CHECK-NEXT: mt.task 0 @below
// CHECK-NEXT: mt.task 1 @product
// CHECK-LABEL: mt.entry @both_operands
// CHECK-NEXT: mt.task 0 @squares
// CHECK-NEXT: mt.task 1 @square
// CHECK-LABEL: mt.entry @zeros
// CHECK-NEXT: mt.task 0 @zeros
// CHECK-NEXT: mt.task 1 @pool
// CHECK-LABEL: mt.entry @slice
// CHECK-NEXT: mt.task 0 @slice
// CHECK-NEXT: mt.task 1 @product
// CHECK-LABEL: mt.entry @transposed
// CHECK-NEXT: mt.task 0 @transpose
// CHECK-NEXT: mt.task 1 @negate
// CHECK-LABEL: mt.entry @steps
// CHECK-COUNT-9: mt.task {{.*}} @slice
// CHECK-NEXT: mt.task 9 @negate
mt.program @kept target("host:x86-64-v4,cores=2") {
  mt.kernel @side_by_side kind(move) (%x: tensor<8x16xf32>, %y: tensor<8x4xf32>) -> tensor<8x20xf32> {
    %c = tensor.concat dim(1) %x, %y : (tensor<8x16xf32>, tensor<8x4xf32>) -> tensor<8x20xf32>
    mt.yield %c : tensor<8x20xf32>
  }
  mt.kernel @below kind(move) (%x: tensor<2x20xf32>, %y: tensor<6x20xf32>) -> tensor<8x20xf32> {
    %c = tensor.concat dim(0) %x, %y : (tensor<2x20xf32>, tensor<6x20xf32>) -> tensor<8x20xf32>
    mt.yield %c : tensor<8x20xf32>
  }
  mt.kernel @slice kind(move) (%x: tensor<8x24xf32>) -> tensor<8x20xf32> {
    %c = tensor.extract_slice %x[0, 4] [8, 20] [1, 1] : tensor<8x24xf32> to tensor<8x20xf32>
    mt.yield %c : tensor<8x20xf32>
  }
  mt.kernel @negate kind(elementwise) (%x: tensor<8x20xf32>) -> tensor<8x20xf32> {
    %e = tensor.empty() : tensor<8x20xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(i,j) -> (i,j)>, affine_map<(i,j) -> (i,j)>], iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<8x20xf32>) outs(%e : tensor<8x20xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.negf %a : f32
      linalg.yield %s : f32
    } -> tensor<8x20xf32>
    mt.yield %y : tensor<8x20xf32>
  }
  mt.kernel @product kind(contraction) (%x: tensor<8x20xf32>, %w: tensor<20x24xf32>) -> tensor<8x24xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8x24xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<8x24xf32>) -> tensor<8x24xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>],
        iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<8x20xf32>, tensor<20x24xf32>) outs(%f : tensor<8x24xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<8x24xf32>
    mt.yield %c : tensor<8x24xf32>
  }
  mt.kernel @transpose kind(move) (%x: tensor<20x8xf32>) -> tensor<8x20xf32> {
    %e = tensor.empty() : tensor<8x20xf32>
    %t = linalg.transpose ins(%x : tensor<20x8xf32>) outs(%e : tensor<8x20xf32>) permutation = [1, 0]
    mt.yield %t : tensor<8x20xf32>
  }
  mt.kernel @squares kind(move) (%x: tensor<20x8xf32>, %y: tensor<20x12xf32>) -> tensor<20x20xf32> {
    %c = tensor.concat dim(1) %x, %y : (tensor<20x8xf32>, tensor<20x12xf32>) -> tensor<20x20xf32>
    mt.yield %c : tensor<20x20xf32>
  }
  mt.kernel @square kind(contraction) (%x: tensor<20x20xf32>, %w: tensor<20x20xf32>) -> tensor<20x20xf32> {
    %z = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<20x20xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<20x20xf32>) -> tensor<20x20xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(m,n,k) -> (m,k)>, affine_map<(m,n,k) -> (k,n)>, affine_map<(m,n,k) -> (m,n)>],
        iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<20x20xf32>, tensor<20x20xf32>) outs(%f : tensor<20x20xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %s = arith.addf %o, %p : f32
      linalg.yield %s : f32
    } -> tensor<20x20xf32>
    mt.yield %c : tensor<20x20xf32>
  }
  mt.kernel @zeros kind(move) (%x: tensor<1x8x8x16xf32>) -> tensor<1x9x9x16xf32> {
    %z = arith.constant 0.0 : f32
    %p = tensor.pad %x low[0, 0, 0, 0] high[0, 1, 1, 0] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %z : f32
    } : tensor<1x8x8x16xf32> to tensor<1x9x9x16xf32>
    mt.yield %p : tensor<1x9x9x16xf32>
  }
  mt.kernel @pool kind(rows) (%x: tensor<1x9x9x16xf32>) -> tensor<1x4x4x16xf32> numerics("rows-r9") {
    %z = arith.constant 0xFF800000 : f32
    %e = tensor.empty() : tensor<1x4x4x16xf32>
    %k = tensor.empty() : tensor<3x3xf32>
    %f = linalg.fill ins(%z : f32) outs(%e : tensor<1x4x4x16xf32>) -> tensor<1x4x4x16xf32>
    %c = linalg.generic {indexing_maps = [affine_map<(n,h,w,c,kh,kw) -> (n,h*2+kh,w*2+kw,c)>, affine_map<(n,h,w,c,kh,kw) -> (kh,kw)>,
        affine_map<(n,h,w,c,kh,kw) -> (n,h,w,c)>], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
        ins(%x, %k : tensor<1x9x9x16xf32>, tensor<3x3xf32>) outs(%f : tensor<1x4x4x16xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.maximumf %o, %a : f32
      linalg.yield %s : f32
    } -> tensor<1x4x4x16xf32>
    mt.yield %c : tensor<1x4x4x16xf32>
  }
  mt.tenant @t {
    mt.entry @output(%x: tensor<8x16xf32> {mt.name = "x"}, %y: tensor<8x4xf32> {mt.name = "y"}, %w: tensor<20x24xf32> {mt.name = "w"})
        -> (tensor<8x20xf32> {mt.name = "c"}, tensor<8x24xf32> {mt.name = "p"}) {
      %c = mt.task 0 @side_by_side(%x, %y) : (tensor<8x16xf32>, tensor<8x4xf32>) -> tensor<8x20xf32>
      %p = mt.task 1 @product(%c, %w) : (tensor<8x20xf32>, tensor<20x24xf32>) -> tensor<8x24xf32>
      mt.return %c, %p : tensor<8x20xf32>, tensor<8x24xf32>
    }
    mt.entry @other_reader(%x: tensor<8x16xf32> {mt.name = "x"}, %y: tensor<8x4xf32> {mt.name = "y"}, %w: tensor<20x24xf32> {mt.name = "w"})
        -> (tensor<8x24xf32> {mt.name = "p"}, tensor<8x20xf32> {mt.name = "n"}) {
      %c = mt.task 0 @side_by_side(%x, %y) : (tensor<8x16xf32>, tensor<8x4xf32>) -> tensor<8x20xf32>
      %p = mt.task 1 @product(%c, %w) : (tensor<8x20xf32>, tensor<20x24xf32>) -> tensor<8x24xf32>
      %n = mt.task 2 @negate(%c) : (tensor<8x20xf32>) -> tensor<8x20xf32>
      mt.return %p, %n : tensor<8x24xf32>, tensor<8x20xf32>
    }
    mt.entry @rows(%x: tensor<2x20xf32> {mt.name = "x"}, %y: tensor<6x20xf32> {mt.name = "y"}, %w: tensor<20x24xf32> {mt.name = "w"})
        -> (tensor<8x24xf32> {mt.name = "p"}) {
      %c = mt.task 0 @below(%x, %y) : (tensor<2x20xf32>, tensor<6x20xf32>) -> tensor<8x20xf32>
      %p = mt.task 1 @product(%c, %w) : (tensor<8x20xf32>, tensor<20x24xf32>) -> tensor<8x24xf32>
      mt.return %p : tensor<8x24xf32>
    }
    mt.entry @both_operands(%x: tensor<20x8xf32> {mt.name = "x"}, %y: tensor<20x12xf32> {mt.name = "y"})
        -> (tensor<20x20xf32> {mt.name = "p"}) {
      %c = mt.task 0 @squares(%x, %y) : (tensor<20x8xf32>, tensor<20x12xf32>) -> tensor<20x20xf32>
      %p = mt.task 1 @square(%c, %c) : (tensor<20x20xf32>, tensor<20x20xf32>) -> tensor<20x20xf32>
      mt.return %p : tensor<20x20xf32>
    }
    mt.entry @zeros(%x: tensor<1x8x8x16xf32> {mt.name = "x"}) -> (tensor<1x4x4x16xf32> {mt.name = "m"}) {
      %l = mt.task 0 @zeros(%x) : (tensor<1x8x8x16xf32>) -> tensor<1x9x9x16xf32>
      %m = mt.task 1 @pool(%l) : (tensor<1x9x9x16xf32>) -> tensor<1x4x4x16xf32>
      mt.return %m : tensor<1x4x4x16xf32>
    }
    mt.entry @slice(%x: tensor<8x24xf32> {mt.name = "x"}, %w: tensor<20x24xf32> {mt.name = "w"}) -> (tensor<8x24xf32> {mt.name = "p"}) {
      %c = mt.task 0 @slice(%x) : (tensor<8x24xf32>) -> tensor<8x20xf32>
      %p = mt.task 1 @product(%c, %w) : (tensor<8x20xf32>, tensor<20x24xf32>) -> tensor<8x24xf32>
      mt.return %p : tensor<8x24xf32>
    }
    mt.entry @transposed(%x: tensor<20x8xf32> {mt.name = "x"}) -> (tensor<8x20xf32> {mt.name = "n"}) {
      %t = mt.task 0 @transpose(%x) : (tensor<20x8xf32>) -> tensor<8x20xf32>
      %n = mt.task 1 @negate(%t) : (tensor<8x20xf32>) -> tensor<8x20xf32>
      mt.return %n : tensor<8x20xf32>
    }
    mt.entry @steps(%x: tensor<8x24xf32> {mt.name = "x"})
        -> (tensor<8x20xf32> {mt.name = "n0"}, tensor<8x20xf32> {mt.name = "n1"}, tensor<8x20xf32> {mt.name = "n2"}, tensor<8x20xf32> {mt.name = "n3"}, tensor<8x20xf32> {mt.name = "n4"}, tensor<8x20xf32> {mt.name = "n5"}, tensor<8x20xf32> {mt.name = "n6"}, tensor<8x20xf32> {mt.name = "n7"}, tensor<8x20xf32> {mt.name = "n8"}) {
      %s0 = mt.task 0 @slice(%x) : (tensor<8x24xf32>) -> tensor<8x20xf32>
      %s1 = mt.task 1 @slice(%x) : (tensor<8x24xf32>) -> tensor<8x20xf32>
      %s2 = mt.task 2 @slice(%x) : (tensor<8x24xf32>) -> tensor<8x20xf32>
      %s3 = mt.task 3 @slice(%x) : (tensor<8x24xf32>) -> tensor<8x20xf32>
      %s4 = mt.task 4 @slice(%x) : (tensor<8x24xf32>) -> tensor<8x20xf32>
      %s5 = mt.task 5 @slice(%x) : (tensor<8x24xf32>) -> tensor<8x20xf32>
      %s6 = mt.task 6 @slice(%x) : (tensor<8x24xf32>) -> tensor<8x20xf32>
      %s7 = mt.task 7 @slice(%x) : (tensor<8x24xf32>) -> tensor<8x20xf32>
      %s8 = mt.task 8 @slice(%x) : (tensor<8x24xf32>) -> tensor<8x20xf32>
      %n0 = mt.task 9 @negate(%s0) : (tensor<8x20xf32>) -> tensor<8x20xf32>
      %n1 = mt.task 10 @negate(%s1) : (tensor<8x20xf32>) -> tensor<8x20xf32>
      %n2 = mt.task 11 @negate(%s2) : (tensor<8x20xf32>) -> tensor<8x20xf32>
      %n3 = mt.task 12 @negate(%s3) : (tensor<8x20xf32>) -> tensor<8x20xf32>
      %n4 = mt.task 13 @negate(%s4) : (tensor<8x20xf32>) -> tensor<8x20xf32>
      %n5 = mt.task 14 @negate(%s5) : (tensor<8x20xf32>) -> tensor<8x20xf32>
      %n6 = mt.task 15 @negate(%s6) : (tensor<8x20xf32>) -> tensor<8x20xf32>
      %n7 = mt.task 16 @negate(%s7) : (tensor<8x20xf32>) -> tensor<8x20xf32>
      %n8 = mt.task 17 @negate(%s8) : (tensor<8x20xf32>) -> tensor<8x20xf32>
      mt.return %n0, %n1, %n2, %n3, %n4, %n5, %n6, %n7, %n8 : tensor<8x20xf32>, tensor<8x20xf32>, tensor<8x20xf32>, tensor<8x20xf32>, tensor<8x20xf32>, tensor<8x20xf32>, tensor<8x20xf32>, tensor<8x20xf32>, tensor<8x20xf32>
    }
  }
}
