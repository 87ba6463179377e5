// RUN: mtc-opt %s | mtc-opt | %FileCheck %s
// RUN: mtc-opt %s --mlir-print-op-generic | mtc-opt | %FileCheck %s

// Every operation in the form of its description survives printing and parsing, in the custom
// and in the generic form.

// CHECK-LABEL: mt.program @document target("host:x86-64-v4,cores=2") attributes {mt.device = {
mt.program @document target("host:x86-64-v4,cores=2") attributes {
    mt.device = {granules = 2 : i64, flops_per_ns = 300.0 : f64, bytes_per_ns = 20.0 : f64,
                 launch_ns = 2000 : i64, barrier_ns = 500 : i64}} {
  // A weight in a file, raw and as a serialized TensorProto.
  // CHECK: mt.weight @w0 : tensor<24x96x3x3xf32> from("det.onnx" at 81920) hash("9f31")
  mt.weight @w0 : tensor<24x96x3x3xf32> from("det.onnx" at 81920) hash("9f31")
  // CHECK: mt.weight @w1 : tensor<3xi64> from("det.onnx" at 77 proto length 31)
  mt.weight @w1 : tensor<3xi64> from("det.onnx" at 77 proto length 31)
  // A small constant by value.
  // CHECK: mt.weight @c : tensor<2xf32> value(dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>)
  mt.weight @c : tensor<2xf32> value(dense<[1.0, 2.0]> : tensor<2xf32>)
  mt.weight @a : tensor<24xf32> from("det.onnx" at 0)
  mt.weight @b : tensor<24xf32> from("det.onnx" at 96)
  // An expression over weights.
  // CHECK: mt.weight @w2 : tensor<24xf32> derive(@a, @b) {
  // CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<24xf32>, %[[B:.*]]: tensor<24xf32>):
  // CHECK-NEXT: %[[S:.*]] = linalg.add ins(%[[A]], %[[B]]
  // CHECK-NEXT: mt.yield %[[S]] : tensor<24xf32>
  mt.weight @w2 : tensor<24xf32> derive(@a, @b) {
  ^bb0(%a: tensor<24xf32>, %b: tensor<24xf32>):
    %s = linalg.add ins(%a, %b : tensor<24xf32>, tensor<24xf32>) outs(%a : tensor<24xf32>) -> tensor<24xf32>
    mt.yield %s : tensor<24xf32>
  }
  // An expression without sources, with a hash and an attribute.
  // CHECK: mt.weight @two : tensor<2xf32> derive() {
  // CHECK: } hash("ab") attributes {note = "x"}
  mt.weight @two : tensor<2xf32> derive() {
    %e = tensor.empty() : tensor<2xf32>
    %f = arith.constant 2.0 : f32
    %s = linalg.fill ins(%f : f32) outs(%e : tensor<2xf32>) -> tensor<2xf32>
    mt.yield %s : tensor<2xf32>
  } hash("ab") attributes {note = "x"}

  // CHECK-LABEL: mt.kernel @relu_7 kind(elementwise) (%{{.*}}: tensor<8xf32>) -> tensor<8xf32> numerics("none") variants [#mt.variant<config = {mr = 14 : i64, nv = 2 : i64}, tiles = [1372], scratch = 0, granules = [1, 2], ns = [1490000, 760000], origin = "modelled">]
  mt.kernel @relu_7 kind(elementwise) (%x: tensor<8xf32>) -> tensor<8xf32> numerics("none")
      variants [#mt.variant<config = {mr = 14 : i64, nv = 2 : i64}, tiles = [1372], scratch = 0,
                granules = [1, 2], ns = [1490000, 760000], origin = "modelled">] {
    %c = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<8xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %m = arith.maximumf %a, %c : f32
      linalg.yield %m : f32
    } -> tensor<8xf32>
    // CHECK: mt.yield %{{.*}} : tensor<8xf32>
    mt.yield %r : tensor<8xf32>
  }
  // A kernel without arguments and one with two results.
  // CHECK-LABEL: mt.kernel @pair kind(move) (%{{.*}}: tensor<2xi8>) -> (tensor<2xi8>, tensor<2xi8>) {
  mt.kernel @pair kind(move) (%x: tensor<2xi8>) -> (tensor<2xi8>, tensor<2xi8>) {
    mt.yield %x, %x : tensor<2xi8>, tensor<2xi8>
  }

  // CHECK-LABEL: mt.tenant @det attributes {isolation = "guarded", priority = 2 : i64, rate = 1.000000e+01 : f64, slo_p99_ns = 60000000 : i64}
  mt.tenant @det attributes {slo_p99_ns = 60000000 : i64, rate = 10.0 : f64, priority = 2 : i64, isolation = "guarded"} {
    // CHECK-LABEL: mt.entry @n1(%{{.*}}: tensor<8xf32> {mt.name = "x"}) -> (tensor<8xf32> {mt.name = "y"})
    mt.entry @n1(%x: tensor<8xf32> {mt.name = "x"}) -> (tensor<8xf32> {mt.name = "y"}) {
      // CHECK: mt.get_weight @w0 : tensor<24x96x3x3xf32>
      %w = mt.get_weight @w0 : tensor<24x96x3x3xf32>
      // CHECK: %[[Y:.*]] = mt.task 17 @relu_7(%{{.*}}) : (tensor<8xf32>) -> tensor<8xf32>
      %y = mt.task 17 @relu_7(%x) : (tensor<8xf32>) -> tensor<8xf32>
      // CHECK: %[[Z:.*]] = mt.task 18 @relu_7(%[[Y]]) : (tensor<8xf32>) -> tensor<8xf32>
      %z = mt.task 18 @relu_7(%y) : (tensor<8xf32>) -> tensor<8xf32>
      // CHECK: mt.return %[[Z]] : tensor<8xf32>
      mt.return %z : tensor<8xf32>
    }
  }
  // Views, and what an argument's bytes mean to its caller.
  // CHECK-LABEL: mt.tenant @views
  mt.tenant @views {
    // CHECK: mt.entry @n1(%{{.*}}: tensor<8xf32> {mt.element_type = "f32", mt.name = "x"}) -> (tensor<2x4xf32> {mt.name = "y"})
    mt.entry @n1(%x: tensor<8xf32> {mt.name = "x", mt.element_type = "f32"}) -> (tensor<2x4xf32> {mt.name = "y"}) {
      %y = mt.task 17 @relu_7(%x) : (tensor<8xf32>) -> tensor<8xf32>
      %z = tensor.expand_shape %y [[0, 1]] output_shape [2, 4] : tensor<8xf32> into tensor<2x4xf32>
      mt.return %z : tensor<2x4xf32>
    }
  }
  // A recurrence with an output, a state and something that is the same in all steps.
  // CHECK-LABEL: mt.kernel @sums kind(recurrence)
  mt.kernel @sums kind(recurrence) (%x: tensor<24x8xf32>, %h: tensor<8xf32>, %b: tensor<8xf32>) -> (tensor<24x8xf32>, tensor<8xf32>) {
    // CHECK: %{{.*}}:2 = mt.recurrence reverse inputs(%{{.*}} : tensor<24x8xf32>) states(%{{.*}} : tensor<8xf32>) invariants(%{{.*}} : tensor<8xf32>) {
    // CHECK-NEXT: ^bb0(%{{.*}}: tensor<8xf32>, %{{.*}}: tensor<8xf32>, %{{.*}}: tensor<8xf32>):
    %y, %l = mt.recurrence reverse inputs(%x : tensor<24x8xf32>) states(%h : tensor<8xf32>) invariants(%b : tensor<8xf32>) {
    ^bb0(%slice: tensor<8xf32>, %state: tensor<8xf32>, %factor: tensor<8xf32>):
      %e = tensor.empty() : tensor<8xf32>
      %s = linalg.add ins(%slice, %state : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
      %n = linalg.mul ins(%s, %factor : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
      // CHECK: mt.yield %{{.*}}, %{{.*}} : tensor<8xf32>, tensor<8xf32>
      // CHECK-NEXT: } : tensor<24x8xf32>, tensor<8xf32>
      mt.yield %s, %n : tensor<8xf32>, tensor<8xf32>
    } : tensor<24x8xf32>, tensor<8xf32>
    mt.yield %y, %l : tensor<24x8xf32>, tensor<8xf32>
  }
  // Control flow: an if of two bodies, and a loop that carries, scans and captures.
  // CHECK-LABEL: mt.tenant @control
  mt.tenant @control {
    // CHECK: mt.entry @then(%{{.*}}: tensor<8xf32> {mt.name = "a"}) -> (tensor<8xf32> {mt.name = "b"}) attributes {is_body} {
    mt.entry @then(%a: tensor<8xf32> {mt.name = "a"}) -> (tensor<8xf32> {mt.name = "b"}) attributes {is_body} {
      mt.return %a : tensor<8xf32>
    }
    mt.entry @step(%i: tensor<i64> {mt.name = "i"}, %c: tensor<i8> {mt.name = "c"}, %s: tensor<8xf32> {mt.name = "s"}, %e: tensor<2xf32> {mt.name = "e"}, %x: tensor<8xf32> {mt.name = "x"})
        -> (tensor<i8> {mt.name = "more"}, tensor<8xf32> {mt.name = "next"}, tensor<8xf32> {mt.name = "out"}) attributes {is_body} {
      mt.return %c, %s, %x : tensor<i8>, tensor<8xf32>, tensor<8xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<1xi64> {mt.name = "n"}, %x: tensor<8xf32> {mt.name = "x"}, %e: tensor<5x2xf32> {mt.name = "e"}) -> (tensor<5x8xf32> {mt.name = "z"}) {
      // CHECK: %[[Y:.*]] = mt.region_task 0 if [@then, @then](%{{.*}}) capture(%{{.*}}) max_trips(1) expected(1) : (tensor<i8>, tensor<8xf32>) -> tensor<8xf32>
      %y = mt.region_task 0 if [@then, @then](%c) capture(%x) max_trips(1) expected(1) : (tensor<i8>, tensor<8xf32>) -> tensor<8xf32>
      // CHECK: mt.region_task 1 loop [@step](%{{.*}}, %{{.*}}) carry(%[[Y]]) scan(%{{.*}}) capture(%{{.*}}) max_trips(100) expected(5) : (tensor<i8>, tensor<1xi64>, tensor<8xf32>, tensor<5x2xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<5x8xf32>)
      %s, %z = mt.region_task 1 loop [@step](%c, %n) carry(%y) scan(%e) capture(%x) max_trips(100) expected(5)
          : (tensor<i8>, tensor<1xi64>, tensor<8xf32>, tensor<5x2xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<5x8xf32>)
      mt.return %z : tensor<5x8xf32>
    }
  }
  // A tenant named with a digit and a hyphen; an entry without inputs or outputs.
  // CHECK-LABEL: mt.tenant @"rec-2" {
  mt.tenant @"rec-2" {
    // CHECK: mt.entry @n1()
    mt.entry @n1() {
      mt.return
    }
  }

  // CHECK-LABEL: mt.schedule @round policy("heft") makespan(770000) granules(3) instances [@det::@n1] edges [0, 1] {
  mt.schedule @round policy("heft") makespan(770000) granules(3) instances [@det::@n1] edges [0, 1] {
    // CHECK-NEXT: mt.place 0 17 variant 0 lane 0 granules 3 at 0 for 760000
    mt.place 0 17 variant 0 lane 0 granules 3 at 0 for 760000
    // CHECK-NEXT: mt.place 0 18 variant 0 lane 0 granules 1 at 760000 for 10000 shared
    mt.place 0 18 variant 0 lane 0 granules 1 at 760000 for 10000 shared
  }

  // CHECK-LABEL: mt.schedule @merged
  mt.schedule @merged policy("heft") makespan(770000) granules(3) instances [@det::@n1, @det::@n1] {
    mt.place 0 17 variant 0 lane 0 granules 3 at 0 for 760000
    // CHECK: mt.place 1 17 variant 0 lane 0 granules 3 at 760000 for 10000 merged
    mt.place 1 17 variant 0 lane 0 granules 3 at 760000 for 10000 merged
  }
}
