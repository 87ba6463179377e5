// RUN: mtc-opt %s --mt-schedule-tasks | %FileCheck %s
// RUN: mtc-opt %s --mt-schedule-tasks=policy=sequential | %FileCheck %s --check-prefix=SEQ
// RUN: mtc-opt %s --mt-schedule-tasks --mt-schedule-tasks | %FileCheck %s --check-prefix=TWICE

// Two tenants on two granules. @big is twice as fast on two granules, @small gains nothing.
mt.program @p target("host:x86-64-v4,cores=2") attributes {
    mt.device = {granules = 2 : i64, flops_per_ns = 300.0 : f64, bytes_per_ns = 20.0 : f64,
                 launch_ns = 100 : i64, barrier_ns = 50 : i64}} {
  mt.weight @w : tensor<64xf32> from("w.bin" at 0)
  mt.kernel @big kind(move) (%x: tensor<64xf32>, %w: tensor<64xf32>) -> tensor<64xf32>
      variants [#mt.variant<config = {}, tiles = [64], scratch = 0, granules = [1, 2], ns = [200000, 100000], origin = "modelled">] {
    mt.yield %x : tensor<64xf32>
  }
  mt.kernel @small kind(move) (%x: tensor<64xf32>) -> tensor<64xf32>
      variants [#mt.variant<config = {}, tiles = [1], scratch = 0, granules = [1], ns = [30000], origin = "modelled">] {
    mt.yield %x : tensor<64xf32>
  }
  mt.tenant @a {
    mt.entry @n1(%x: tensor<64xf32> {mt.name = "x"}) -> (tensor<64xf32> {mt.name = "y"}) {
      %w = mt.get_weight @w : tensor<64xf32>
      %y = mt.task 7 @big(%x, %w) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
      // A view between tasks is the same value.
      %e = tensor.expand_shape %y [[0, 1]] output_shape [8, 8] : tensor<64xf32> into tensor<8x8xf32>
      %c = tensor.collapse_shape %e [[0, 1]] : tensor<8x8xf32> into tensor<64xf32>
      %z = mt.task 9 @small(%c) : (tensor<64xf32>) -> tensor<64xf32>
      mt.return %z : tensor<64xf32>
    }
  }
  mt.tenant @b {
    mt.entry @n1(%x: tensor<64xf32> {mt.name = "x"}) -> (tensor<64xf32> {mt.name = "y"}) {
      %z = mt.task 3 @small(%x) : (tensor<64xf32>) -> tensor<64xf32>
      mt.return %z : tensor<64xf32>
    }
    // A second entry of a tenant is not part of the round.
    mt.entry @n2(%x: tensor<64xf32> {mt.name = "x"}) -> (tensor<64xf32> {mt.name = "y"}) {
      %z = mt.task 0 @small(%x) : (tensor<64xf32>) -> tensor<64xf32>
      mt.return %z : tensor<64xf32>
    }
  }
}

// The round covers the first entry of each tenant; every task is placed once, by its id.
// CHECK: mt.schedule @round policy("{{heft|sequential}}") makespan({{[1-9][0-9]*}}) granules(3) instances [@a::@n1, @b::@n1]
// CHECK-DAG: mt.place 0 7 variant 0
// CHECK-DAG: mt.place 0 9 variant 0
// CHECK-DAG: mt.place 1 3 variant 0
// Each entry alone on one and on two granules.
// CHECK-DAG: mt.schedule @a.n1.g1 {{.*}} granules(1) instances [@a::@n1]
// CHECK-DAG: mt.schedule @a.n1.g2 {{.*}} granules(3) instances [@a::@n1]
// CHECK-DAG: mt.schedule @b.n1.g1 {{.*}} granules(1) instances [@b::@n1]
// CHECK-DAG: mt.schedule @b.n1.g2 {{.*}} granules(3) instances [@b::@n1]
// CHECK-DAG: mt.schedule @b.n2.g1 {{.*}} granules(1) instances [@b::@n2]
// CHECK-DAG: mt.schedule @b.n2.g2 {{.*}} granules(3) instances [@b::@n2]

// A named policy makes the round.
// SEQ: mt.schedule @round policy("sequential")

// A second run replaces the first's schedules.
// TWICE-COUNT-1: mt.schedule @round
// TWICE-NOT: mt.schedule @round
