// RUN: mtc-opt %s --split-input-file --allow-unregistered-dialect --verify-diagnostics

// The labels are those of the operations' descriptions in MTOps.td and MTBase.td.

//===--- mt.kernel ----------------------------------------------------------===//

// The kind is one of the known words.
mt.program @p {
  // expected-error @+1 {{unknown kernel kind 'sorting'}}
  mt.kernel @k kind(sorting) (%x: tensor<2xf32>) -> tensor<2xf32> {
    mt.yield %x : tensor<2xf32>
  }
}

// -----

// C1: static results.
mt.program @p {
  // expected-error @+1 {{C1: result 0 must be a tensor of static shape with at most 2^48 elements, got 'tensor<?xf32>'}}
  mt.kernel @k kind(move) (%x: tensor<2xf32>) -> tensor<?xf32> {
    mt.yield %x : tensor<2xf32>
  }
}

// -----

// C2: what is yielded.
mt.program @p {
  // expected-error @+1 {{C2: 'mt.yield' must have the result types ('tensor<3xf32>'), got ('tensor<2xf32>')}}
  mt.kernel @k kind(move) (%x: tensor<2xf32>) -> tensor<3xf32> {
    mt.yield %x : tensor<2xf32>
  }
}

// -----

// C3: a result.
mt.program @p {
  // expected-error @+1 {{C3: needs at least one result}}
  mt.kernel @k kind(move) (%x: tensor<2xf32>) {
    mt.yield
  }
}

// -----

// C4: variants that are none.
mt.program @p {
  // expected-error @+1 {{C4: variants must be #mt.variant attributes, at least one}}
  mt.kernel @k kind(move) (%x: tensor<2xf32>) -> tensor<2xf32> variants [1] {
    mt.yield %x : tensor<2xf32>
  }
}

// -----

//===--- mt.schedule and mt.place -------------------------------------------===//

// C1: places only.
mt.program @p {
  // expected-error @+1 {{C1: holds places only, got 'arith.constant'}}
  mt.schedule @s policy("heft") makespan(0) granules(1) instances [] {
    %c = arith.constant 1 : i64
  }
}

// -----

// C2: an instance is an entry.
mt.program @p {
  // expected-error @+1 {{C2: instance @t::@n1 is not an mt.entry of the program}}
  mt.schedule @s policy("heft") makespan(0) granules(1) instances [@t::@n1] {
  }
}

// -----

// C3: pairs.
mt.program @p {
  // expected-error @+1 {{C3: edges must be pairs, got 1 positions}}
  mt.schedule @s policy("heft") makespan(0) granules(1) instances [] edges [0] {
  }
}

// -----

// C3: in range.
mt.program @p {
  // expected-error @+1 {{C3: edge to place 0, the schedule has 0}}
  mt.schedule @s policy("heft") makespan(0) granules(1) instances [] edges [0, 1] {
  }
}

// -----

// C4: the instance.
mt.program @p {
  mt.schedule @s policy("heft") makespan(0) granules(1) instances [] {
    // expected-error @+1 {{C4: instance 0, the schedule has 0}}
    mt.place 0 17 variant 0 lane 0 granules 1 at 0 for 1
  }
}

// -----

// C4: the task.
mt.program @p {
  mt.tenant @t {
    mt.entry @n1() {
      mt.return
    }
  }
  mt.schedule @s policy("heft") makespan(0) granules(1) instances [@t::@n1] {
    // expected-error @+1 {{C4: entry 'n1' has no task 17}}
    mt.place 0 17 variant 0 lane 0 granules 1 at 0 for 1
  }
}

// -----

// C5: names; those of schedules are their own kind.
mt.program @p {
  mt.tenant @s {
    mt.entry @n1() {
      mt.return
    }
  }
  mt.schedule @s policy("heft") makespan(0) granules(1) instances [] {
  }
  // expected-error @+1 {{'mt.schedule' op C5: '@s' is there already}}
  mt.schedule @s policy("heft") makespan(0) granules(1) instances [] {
  }
}

// -----

// C6: nothing to be merged with.
mt.program @p {
  mt.schedule @s policy("heft") makespan(0) granules(3) instances [] {
    // expected-error @+1 {{C6: merged with no place of lane 0 and granules 3 before it}}
    mt.place 0 17 variant 0 lane 0 granules 3 at 0 for 1 merged
  }
}

// -----

// C6: other granules.
mt.program @p {
  mt.schedule @s policy("heft") makespan(0) granules(3) instances [] {
    mt.place 0 17 variant 0 lane 0 granules 1 at 0 for 1
    // expected-error @+1 {{C6: merged with no place of lane 0 and granules 3 before it}}
    mt.place 0 18 variant 0 lane 0 granules 3 at 0 for 1 merged
  }
}

// -----

// C6: another lane.
mt.program @p {
  mt.schedule @s policy("heft") makespan(0) granules(3) instances [] {
    mt.place 0 17 variant 0 lane 0 granules 3 at 0 for 1
    // expected-error @+1 {{C6: merged with no place of lane 1 and granules 3 before it}}
    mt.place 0 18 variant 0 lane 1 granules 3 at 0 for 1 merged
  }
}

// -----

// Place C1: the mask.
mt.program @p {
  mt.schedule @s policy("heft") makespan(0) granules(1) instances [] {
    // expected-error @+1 {{'mt.place' op C1: granules must not be zero}}
    mt.place 0 17 variant 0 lane 0 granules 0 at 0 for 1
  }
}

// -----

// Place C2: times.
mt.program @p {
  mt.schedule @s policy("heft") makespan(0) granules(1) instances [] {
    // expected-error @+1 {{'mt.place' op C2: start, duration, variant and lane must not be negative, got -5}}
    mt.place 0 17 variant 0 lane 0 granules 1 at -5 for 1
  }
}

// -----

//===--- #mt.variant --------------------------------------------------------===//

// C1: at least one phase.
// expected-error @+1 {{C1: tiles must be positive and at least one phase}}
"test"() {v = #mt.variant<config = {}, tiles = [], scratch = 0, granules = [1], ns = [1], origin = "modelled">} : () -> ()

// -----

// C2: a time per share.
// expected-error @+1 {{C2: granules and ns must have the same length, at least 1; got 2 and 1}}
"test"() {v = #mt.variant<config = {}, tiles = [1], scratch = 0, granules = [1, 2], ns = [1], origin = "modelled">} : () -> ()

// -----

// C2: ascending.
// expected-error @+1 {{C2: granules must be positive and ascending}}
"test"() {v = #mt.variant<config = {}, tiles = [1], scratch = 0, granules = [2, 1], ns = [1, 2], origin = "modelled">} : () -> ()

// -----

// C3: times.
// expected-error @+1 {{C3: ns must be positive}}
"test"() {v = #mt.variant<config = {}, tiles = [1], scratch = 0, granules = [1], ns = [0], origin = "modelled">} : () -> ()

// -----

// C4: scratch.
// expected-error @+1 {{C4: scratch must not be negative, got -1}}
"test"() {v = #mt.variant<config = {}, tiles = [1], scratch = -1, granules = [1], ns = [1], origin = "modelled">} : () -> ()

// -----

// C5: origin.
// expected-error @+1 {{C5: origin must be modelled, learned or measured, got 'guessed'}}
"test"() {v = #mt.variant<config = {}, tiles = [1], scratch = 0, granules = [1], ns = [1], origin = "guessed">} : () -> ()
