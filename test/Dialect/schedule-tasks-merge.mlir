// RUN: mtc-opt %s --mt-schedule-tasks="policy=sequential merge=1" | %FileCheck %s
// RUN: mtc-opt %s --mt-schedule-tasks=policy=sequential | %FileCheck %s --check-prefix=APART
// RUN: sed 's/host:x86-64-v4,cores=2/cuda:sm_90a/' %s | mtc-opt --mt-schedule-tasks="policy=sequential merge=1" | %FileCheck %s
// RUN: sed -e 's/host:x86-64-v4,cores=2/cuda:sm_90a/' -e 's/mt.task 3 @small/mt.task 3 @other/' %s | \
// RUN:   mtc-opt --mt-schedule-tasks="policy=sequential merge=1" | %FileCheck %s --check-prefix=APART
// RUN: sed 's/= "default"/= "guarded"/' %s | mtc-opt --mt-schedule-tasks="policy=sequential merge=1" | %FileCheck %s --check-prefix=APART

// Two tenants with the same task, which is no faster on two cores. A GPU runs them as one launch, if both use one kernel.
mt.program @p target("host:x86-64-v4,cores=2") attributes {
    mt.device = {granules = 2 : i64, flops_per_ns = 300.0 : f64, bytes_per_ns = 20.0 : f64,
                 launch_ns = 100 : i64, barrier_ns = 50 : i64}} {
  mt.kernel @small kind(move) (%x: tensor<64xf32>) -> tensor<64xf32>
      variants [#mt.variant<config = {}, tiles = [1], scratch = 0, granules = [1], ns = [30000], origin = "modelled">] {
    mt.yield %x : tensor<64xf32>
  }
  mt.kernel @other kind(move) (%x: tensor<64xf32>) -> tensor<64xf32>
      variants [#mt.variant<config = {}, tiles = [1], scratch = 0, granules = [1], ns = [30000], origin = "modelled">] {
    mt.yield %x : tensor<64xf32>
  }
  mt.tenant @a attributes {isolation = "default"} {
    mt.entry @n1(%x: tensor<64xf32> {mt.name = "x"}) -> (tensor<64xf32> {mt.name = "y"}) {
      %y = mt.task 7 @small(%x) : (tensor<64xf32>) -> tensor<64xf32>
      %z = mt.task 9 @small(%y) : (tensor<64xf32>) -> tensor<64xf32>
      mt.return %z : tensor<64xf32>
    }
  }
  mt.tenant @b attributes {isolation = "default"} {
    mt.entry @n1(%x: tensor<64xf32> {mt.name = "x"}) -> (tensor<64xf32> {mt.name = "y"}) {
      %z = mt.task 3 @small(%x) : (tensor<64xf32>) -> tensor<64xf32>
      mt.return %z : tensor<64xf32>
    }
  }
}

// The first tasks of both run in one command, the second task of @a alone: two commands' time instead of three.
// CHECK: mt.schedule @round policy("sequential") makespan(6{{[0-9]+}}) granules(3) instances [@a::@n1, @b::@n1]
// CHECK-NEXT: mt.place 0 7 variant 0 lane 0 granules 3 at 0 for {{[0-9]+$}}
// CHECK-NEXT: mt.place 1 3 variant 0 lane 0 granules 3 at {{[0-9]+}} for {{[0-9]+}} merged
// CHECK-NEXT: mt.place 0 9 variant 0 lane 0 granules 3 at {{[0-9]+}} for 30000{{$}}

// Without the option, with two kernels on a GPU, and for isolated tenants nothing is merged.
// APART: mt.schedule @round policy("sequential") makespan({{[0-9]+}})
// APART-NOT: merged
