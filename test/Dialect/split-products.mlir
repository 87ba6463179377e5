// RUN: mtc-opt --pass-pipeline='builtin.module(mt.program(mt-split-products))' %s | %FileCheck %s

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#at = affine_map<(m, n, k) -> (k, m)>
#o = affine_map<(m, n, k) -> (m, n)>
#cx = affine_map<(n, h, w, f, ky, kx, c) -> (n, h * 2 + ky, w * 2 + kx, c)>
#cw = affine_map<(n, h, w, f, ky, kx, c) -> (f, ky, kx, c)>
#cy = affine_map<(n, h, w, f, ky, kx, c) -> (n, h, w, f)>

// CHECK-DAG: #[[PARTS:.*]] = affine_map<(d0, d1, d2) -> (d1 floordiv 16, d2, d0 floordiv 2, d1 mod 16, d0 mod 2)>
// CHECK-DAG: #[[TAPS:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d3 floordiv 16, d4, d0 * 72 + d1 * 24 + d2 floordiv 2, d3 mod 16, d2 mod 2)>
// CHECK-DAG: #[[KN:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>

mt.program @p {
  mt.weight @t.w : tensor<104x200xf32> from("a.onnx" at 0)
  mt.weight @t.c : tensor<96x3x3x48xf32> from("a.onnx" at 83200)
  mt.weight @t.q : tensor<256x128xi8> from("a.onnx" at 249088)
  mt.weight @t.h : tensor<256x128xf16> from("a.onnx" at 281856)

  // Three parts of f32; 104 products are padded to four tiles of 32, 200 columns to 13 of 16.
  // CHECK: mt.weight @t.w.split : tensor<13x3x64x16x2xbf16> derive(@t.w)
  // CHECK: %[[IN:.*]] = arith.andi
  // CHECK: tensor.extract %{{.*}}[%{{.*}}, %{{.*}}] : tensor<104x200xf32>
  // CHECK: arith.select %[[IN]], %{{.*}}, %{{.*}} : f32
  // CHECK-COUNT-3: arith.shrui
  // CHECK: mt.weight @t.c.split : tensor<6x3x224x16x2xbf16> derive(@t.c)
  // Bytes less their zero point, and halves: one part, and two.
  // CHECK: mt.weight @t.q.split : tensor<8x1x128x16x2xbf16> derive(@t.q)
  // CHECK: arith.extui %{{.*}} : i8 to i32
  // CHECK: arith.subi
  // CHECK: arith.sitofp
  // CHECK: mt.weight @t.h.split : tensor<8x2x128x16x2xbf16> derive(@t.h)
  // CHECK: arith.extf %{{.*}} : f16 to f32

  // CHECK: mt.kernel @product kind(contraction) (%[[X:.*]]: tensor<77x104xf32>, %[[U:.*]]: tensor<13x3x64x16x2xbf16>) -> tensor<77x200xf32> numerics("split-k104")
  // CHECK: %[[W:.*]] = linalg.generic {indexing_maps = [#[[PARTS]], {{.*}}], iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[U]] : tensor<13x3x64x16x2xbf16>)
  // CHECK: arith.extf %{{.*}} : bf16 to f32
  // CHECK: linalg.generic {indexing_maps = [{{.*}}, #[[KN]], {{.*}}]{{.*}} ins(%[[X]], %[[W]] : tensor<77x104xf32>, tensor<104x200xf32>)
  mt.kernel @product kind(contraction) (%x: tensor<77x104xf32>, %w: tensor<104x200xf32>) -> tensor<77x200xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<77x200xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<77x200xf32>) -> tensor<77x200xf32>
    %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<77x104xf32>, tensor<104x200xf32>) outs(%z : tensor<77x200xf32>) {
    ^bb0(%u: f32, %v: f32, %acc: f32):
      %m = arith.mulf %u, %v : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<77x200xf32>
    mt.yield %y : tensor<77x200xf32>
  }

  // CHECK: mt.kernel @strided {{.*}} numerics("split-k432")
  // CHECK: linalg.generic {indexing_maps = [#[[TAPS]], {{.*}} ins(%{{.*}} : tensor<6x3x224x16x2xbf16>)
  mt.kernel @strided kind(contraction) (%x: tensor<2x17x17x48xf32>, %w: tensor<96x3x3x48xf32>) -> tensor<2x8x8x96xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<2x8x8x96xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x8x8x96xf32>) -> tensor<2x8x8x96xf32>
    %y = linalg.generic {indexing_maps = [#cx, #cw, #cy], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]} ins(%x, %w : tensor<2x17x17x48xf32>, tensor<96x3x3x48xf32>) outs(%z : tensor<2x8x8x96xf32>) {
    ^bb0(%u: f32, %v: f32, %acc: f32):
      %m = arith.mulf %u, %v : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<2x8x8x96xf32>
    mt.yield %y : tensor<2x8x8x96xf32>
  }

  // CHECK: mt.kernel @bytes {{.*}}tensor<8x1x128x16x2xbf16>{{.*}} numerics("split-k256")
  mt.kernel @bytes kind(contraction) (%x: tensor<128x256xf32>, %w: tensor<256x128xi8>) -> tensor<128x128xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<128x128xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<128x128xf32>) -> tensor<128x128xf32>
    %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<128x256xf32>, tensor<256x128xi8>) outs(%z : tensor<128x128xf32>) {
    ^bb0(%u: f32, %v: i8, %acc: f32):
      %i = arith.extui %v : i8 to i32
      %c = arith.constant 128 : i32
      %d = arith.subi %i, %c : i32
      %wide = arith.sitofp %d : i32 to f32
      %m = arith.mulf %u, %wide : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<128x128xf32>
    mt.yield %y : tensor<128x128xf32>
  }

  // CHECK: mt.kernel @halves {{.*}}tensor<8x2x128x16x2xbf16>{{.*}} numerics("split-k256")
  mt.kernel @halves kind(contraction) (%x: tensor<128x256xf32>, %w: tensor<256x128xf16>) -> tensor<128x128xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<128x128xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<128x128xf32>) -> tensor<128x128xf32>
    %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<128x256xf32>, tensor<256x128xf16>) outs(%z : tensor<128x128xf32>) {
    ^bb0(%u: f32, %v: f16, %acc: f32):
      %wide = arith.extf %v : f16 to f32
      %m = arith.mulf %u, %wide : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<128x128xf32>
    mt.yield %y : tensor<128x128xf32>
  }

  // Of few rows, of columns that activations lie along, or by what is no weight: as they were.
  // CHECK: mt.kernel @few kind(contraction) (%{{.*}}: tensor<4x104xf32>, %{{.*}}: tensor<104x200xf32>)
  // CHECK-NOT: numerics
  mt.kernel @few kind(contraction) (%x: tensor<4x104xf32>, %w: tensor<104x200xf32>) -> tensor<4x200xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<4x200xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<4x200xf32>) -> tensor<4x200xf32>
    %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<4x104xf32>, tensor<104x200xf32>) outs(%z : tensor<4x200xf32>) {
    ^bb0(%u: f32, %v: f32, %acc: f32):
      %m = arith.mulf %u, %v : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<4x200xf32>
    mt.yield %y : tensor<4x200xf32>
  }
  // CHECK: mt.kernel @across kind(contraction) (%{{.*}}: tensor<104x80xf32>, %{{.*}}: tensor<104x200xf32>)
  // CHECK-NOT: numerics
  mt.kernel @across kind(contraction) (%x: tensor<104x80xf32>, %w: tensor<104x200xf32>) -> tensor<80x200xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<80x200xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<80x200xf32>) -> tensor<80x200xf32>
    %y = linalg.generic {indexing_maps = [#at, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<104x80xf32>, tensor<104x200xf32>) outs(%z : tensor<80x200xf32>) {
    ^bb0(%u: f32, %v: f32, %acc: f32):
      %m = arith.mulf %u, %v : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<80x200xf32>
    mt.yield %y : tensor<80x200xf32>
  }
  // CHECK: mt.kernel @dynamic kind(contraction) (%{{.*}}: tensor<77x104xf32>, %{{.*}}: tensor<104x200xf32>)
  // CHECK-NOT: numerics
  mt.kernel @dynamic kind(contraction) (%x: tensor<77x104xf32>, %w: tensor<104x200xf32>) -> tensor<77x200xf32> {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<77x200xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<77x200xf32>) -> tensor<77x200xf32>
    %y = linalg.generic {indexing_maps = [#a, #b, #o], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<77x104xf32>, tensor<104x200xf32>) outs(%z : tensor<77x200xf32>) {
    ^bb0(%u: f32, %v: f32, %acc: f32):
      %m = arith.mulf %u, %v : f32
      %s = arith.addf %acc, %m : f32
      linalg.yield %s : f32
    } -> tensor<77x200xf32>
    mt.yield %y : tensor<77x200xf32>
  }

  mt.tenant @t {
    // CHECK: mt.entry @n1
    // CHECK: %[[S:.*]] = mt.get_weight @t.w.split : tensor<13x3x64x16x2xbf16>
    // CHECK: mt.task 0 @product(%arg0, %[[S]])
    mt.entry @n1(%x: tensor<77x104xf32> {mt.name = "x"}, %i: tensor<2x17x17x48xf32> {mt.name = "i"}, %j: tensor<128x256xf32> {mt.name = "j"}, %k: tensor<4x104xf32> {mt.name = "k"}, %l: tensor<104x80xf32> {mt.name = "l"}, %d: tensor<104x200xf32> {mt.name = "d"}) -> (tensor<77x200xf32> {mt.name = "p"}, tensor<2x8x8x96xf32> {mt.name = "q"}, tensor<128x128xf32> {mt.name = "r"}, tensor<128x128xf32> {mt.name = "s"}, tensor<4x200xf32> {mt.name = "u"}, tensor<80x200xf32> {mt.name = "v"}, tensor<77x200xf32> {mt.name = "y"}) {
      %w = mt.get_weight @t.w : tensor<104x200xf32>
      %c = mt.get_weight @t.c : tensor<96x3x3x48xf32>
      %b = mt.get_weight @t.q : tensor<256x128xi8>
      %h = mt.get_weight @t.h : tensor<256x128xf16>
      %p = mt.task 0 @product(%x, %w) : (tensor<77x104xf32>, tensor<104x200xf32>) -> tensor<77x200xf32>
      %q = mt.task 1 @strided(%i, %c) : (tensor<2x17x17x48xf32>, tensor<96x3x3x48xf32>) -> tensor<2x8x8x96xf32>
      %r = mt.task 2 @bytes(%j, %b) : (tensor<128x256xf32>, tensor<256x128xi8>) -> tensor<128x128xf32>
      %s = mt.task 3 @halves(%j, %h) : (tensor<128x256xf32>, tensor<256x128xf16>) -> tensor<128x128xf32>
      %u = mt.task 4 @few(%k, %w) : (tensor<4x104xf32>, tensor<104x200xf32>) -> tensor<4x200xf32>
      %v = mt.task 5 @across(%l, %w) : (tensor<104x80xf32>, tensor<104x200xf32>) -> tensor<80x200xf32>
      %y = mt.task 6 @dynamic(%x, %d) : (tensor<77x104xf32>, tensor<104x200xf32>) -> tensor<77x200xf32>
      mt.return %p, %q, %r, %s, %u, %v, %y : tensor<77x200xf32>, tensor<2x8x8x96xf32>, tensor<128x128xf32>, tensor<128x128xf32>, tensor<4x200xf32>, tensor<80x200xf32>, tensor<77x200xf32>
    }
  }
}
