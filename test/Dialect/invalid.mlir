// RUN: mtc-opt %s --split-input-file --allow-unregistered-dialect --verify-diagnostics

// The labels are those of the operations' descriptions in MTOps.td and MTBase.td.

//===--- mt.program ---------------------------------------------------------===//

// C1: what a program may hold.
mt.program @p {
  // expected-error @+1 {{'mt.program' op C1: holds weights, kernels, tenants and schedules only, got 'func.func'}}
  func.func private @f()
}

// -----

// C2: the device is a dictionary.
// expected-error @+1 {{C2: mt.device must be a dictionary, got 3 : i64}}
mt.program @p attributes {mt.device = 3 : i64} {
}

// -----

// C2: of known keys.
// expected-error @+1 {{C2: mt.device has no key 'cores'; known are granules, units_per_granule, flops_per_ns, bytes_per_ns, launch_ns, barrier_ns}}
mt.program @p attributes {mt.device = {cores = 2 : i64}} {
}

// -----

// C2: a rate is a float.
// expected-error @+1 {{C2: mt.device 'flops_per_ns' must be a positive f64, got 3 : i64}}
mt.program @p attributes {mt.device = {flops_per_ns = 3 : i64}} {
}

// -----

// C2: a count is an integer.
// expected-error @+1 {{C2: mt.device 'granules' must be an i64, got 2.000000e+00 : f64}}
mt.program @p attributes {mt.device = {granules = 2.0 : f64}} {
}

// -----

// C2: a mask has 64 bits.
// expected-error @+1 {{C2: mt.device 'granules' must be positive and granules at most 64, got 65}}
mt.program @p attributes {mt.device = {granules = 65 : i64}} {
}

// -----

// C2: times.
// expected-error @+1 {{C2: mt.device 'launch_ns' must not be negative, got -1}}
mt.program @p attributes {mt.device = {launch_ns = -1 : i64}} {
}

// -----

//===--- mt.weight ----------------------------------------------------------===//

// C1: no form at all.
mt.program @p {
  // expected-error @+1 {{C1: exactly one of a file, a value and sources with a body must be given}}
  mt.weight @w : tensor<2xf32>
}

// -----

// C1: two forms.
mt.program @p {
  // expected-error @+1 {{C1: exactly one of a file, a value and sources with a body must be given}}
  mt.weight @w : tensor<2xf32> from("f" at 0) value(dense<1.0> : tensor<2xf32>)
}

// -----

// C1: sources without a body.
mt.program @p {
  // expected-error @+1 {{C1: exactly one of a file, a value and sources with a body must be given}}
  "mt.weight"() <{sym_name = "w", type = tensor<2xf32>, sources = []}> ({}) : () -> ()
}

// -----

// C2: static shape.
mt.program @p {
  // expected-error @+1 {{C2: the type must be a tensor of static shape with at most 2^48 elements, got 'tensor<?xf32>'}}
  mt.weight @w : tensor<?xf32> from("f" at 0)
}

// -----

// C2: a size whose bytes do not fit 64 bits.
mt.program @p {
  // expected-error @+1 {{C2: the type must be a tensor of static shape with at most 2^48 elements, got 'tensor<4611686018427387905xf32>'}}
  mt.weight @w : tensor<4611686018427387905xf32> from("f" at 0)
}

// -----

// C3: the value's type.
mt.program @p {
  // expected-error @+1 {{C3: the value's type must be 'tensor<2xf32>', got 'tensor<3xf32>'}}
  mt.weight @w : tensor<2xf32> value(dense<1.0> : tensor<3xf32>)
}

// -----

// C3: the value's size.
mt.program @p {
  // expected-error @+1 {{C3: a value holds at most 65536 bytes, got 65540}}
  mt.weight @w : tensor<16385xf32> value(dense<1.0> : tensor<16385xf32>)
}

// -----

// C4: a source that is no weight.
mt.program @p {
  // expected-error @+1 {{C4: source @nobody is not an mt.weight of the program}}
  mt.weight @w : tensor<2xf32> derive(@nobody) {
  ^bb0(%a: tensor<2xf32>):
    mt.yield %a : tensor<2xf32>
  }
}

// -----

// C4: an argument per source.
mt.program @p {
  mt.weight @a : tensor<2xf32> from("f" at 0)
  // expected-error @+1 {{C4: the body must have an argument for each of 1 sources, got 2}}
  mt.weight @w : tensor<2xf32> derive(@a) {
  ^bb0(%a: tensor<2xf32>, %b: tensor<2xf32>):
    mt.yield %a : tensor<2xf32>
  }
}

// -----

// C4: the argument's type.
mt.program @p {
  mt.weight @a : tensor<2xf32> from("f" at 0)
  // expected-error @+1 {{C4: the argument for source @a must have its type 'tensor<2xf32>', got 'tensor<3xf32>'}}
  mt.weight @w : tensor<3xf32> derive(@a) {
  ^bb0(%a: tensor<3xf32>):
    mt.yield %a : tensor<3xf32>
  }
}

// -----

// C4: a cycle of two.
mt.program @p {
  // expected-error @+1 {{C4: sources form a cycle through '@a'}}
  mt.weight @a : tensor<2xf32> derive(@b) {
  ^bb0(%x: tensor<2xf32>):
    mt.yield %x : tensor<2xf32>
  }
  mt.weight @b : tensor<2xf32> derive(@a) {
  ^bb0(%x: tensor<2xf32>):
    mt.yield %x : tensor<2xf32>
  }
}

// -----

// C5: the end of an expression.
mt.program @p {
  // expected-error @+1 {{C5: 'mt.yield' must have the result types ('tensor<2xf32>'), got ('tensor<3xf32>')}}
  mt.weight @w : tensor<2xf32> derive() {
    %e = tensor.empty() : tensor<3xf32>
    mt.yield %e : tensor<3xf32>
  }
}

// -----

// C6: negative offset.
mt.program @p {
  // expected-error @+1 {{C6: offset and length must not be negative}}
  mt.weight @w : tensor<2xf32> from("f" at -1)
}

// -----

// C6: an offset belongs to a file.
mt.program @p {
  // expected-error @+1 {{C6: an offset must be given with a file}}
  "mt.weight"() <{sym_name = "w", type = tensor<2xf32>, file = "f"}> ({}) : () -> ()
}

// -----

// C6: a proto's length.
mt.program @p {
  // expected-error @+1 {{C6: proto needs a length}}
  mt.weight @w : tensor<2xf32> from("f" at 1 proto)
}

// -----

//===--- mt.get_weight ------------------------------------------------------===//

// C1: an entry is no weight.
mt.program @p {
  mt.tenant @t {
    mt.entry @n1() {
      // expected-error @+1 {{C1: @t is not an mt.weight of the program}}
      %w = mt.get_weight @t : tensor<2xf32>
      mt.return
    }
  }
}

// -----

// C2: the weight's type.
mt.program @p {
  mt.weight @w : tensor<2xf32> from("f" at 0)
  mt.tenant @t {
    mt.entry @n1() {
      // expected-error @+1 {{C2: the result must have the type of @w, 'tensor<2xf32>', got 'tensor<3xf32>'}}
      %w = mt.get_weight @w : tensor<3xf32>
      mt.return
    }
  }
}

// -----

//===--- mt.tenant ----------------------------------------------------------===//

// C1: entries only.
mt.program @p {
  // expected-error @+1 {{C1: holds entries only, got 'arith.constant'}}
  mt.tenant @t {
    %c = arith.constant 1 : i64
  }
}

// -----

// C2: the name.
mt.program @p {
  // expected-error @+1 {{C2: the name must match [a-z][a-z0-9_-]*, got 'Det'}}
  mt.tenant @Det {
  }
}

// -----

//===--- mt.entry -----------------------------------------------------------===//

// C1: static arguments.
mt.program @p {
  mt.tenant @t {
    // expected-error @+1 {{C1: argument 0 must be a tensor of static shape with at most 2^48 elements, got 'tensor<?xf32>'}}
    mt.entry @n1(%x: tensor<?xf32> {mt.name = "x"}) {
      mt.return
    }
  }
}

// -----

// C2: names of arguments.
mt.program @p {
  mt.tenant @t {
    // expected-error @+1 {{C2: argument 0 needs an mt.name}}
    mt.entry @n1(%x: tensor<2xf32>) {
      mt.return
    }
  }
}

// -----

// C2: names of results.
mt.program @p {
  mt.tenant @t {
    // expected-error @+1 {{C2: result 0 needs an mt.name}}
    mt.entry @n1(%x: tensor<2xf32> {mt.name = "x"}) -> tensor<2xf32> {
      mt.return %x : tensor<2xf32>
    }
  }
}

// -----

// C3: what is returned.
mt.program @p {
  mt.tenant @t {
    // expected-error @+1 {{C3: 'mt.return' must have the result types (), got ('tensor<2xf32>')}}
    mt.entry @n1(%x: tensor<2xf32> {mt.name = "x"}) {
      mt.return %x : tensor<2xf32>
    }
  }
}

// -----

// C3: that something is returned.
mt.program @p {
  mt.tenant @t {
    // expected-error @+1 {{C3: the body must end in 'mt.return'}}
    mt.entry @n1() {
      ub.unreachable
    }
  }
}

// -----

// C5: a known value has the type of its argument.
mt.program @p {
  mt.tenant @t {
    // expected-error @+1 {{C5: the mt.value of argument 0 must be dense elements of 'tensor<2xf32>'}}
    mt.entry @n1(%x: tensor<2xf32> {mt.name = "x", mt.value = dense<1.0> : tensor<3xf32>}) {
      mt.return
    }
  }
}

// -----

// C5: and nobody reads the argument.
mt.program @p {
  mt.tenant @t {
    // expected-error @+1 {{C5: argument 0 has an mt.value and must not be used}}
    mt.entry @n1(%x: tensor<2xf32> {mt.name = "x", mt.value = dense<1.0> : tensor<2xf32>}) -> (tensor<2xf32> {mt.name = "y"}) {
      mt.return %x : tensor<2xf32>
    }
  }
}

// -----

// C6: an extent is a dim and one number.
mt.program @p {
  mt.tenant @t {
    // expected-error @+1 {{C6: the mt.extent of result 0 must be one of its dims and a result of type tensor<i64>}}
    mt.entry @n1(%x: tensor<2xf32> {mt.name = "x"}) -> (tensor<2xf32> {mt.name = "y", mt.extent = array<i64: 0, 0>}) {
      mt.return %x : tensor<2xf32>
    }
  }
}

// -----

// C4: ids of tasks.
mt.program @p {
  mt.kernel @k kind(move) (%x: tensor<2xf32>) -> tensor<2xf32> {
    mt.yield %x : tensor<2xf32>
  }
  mt.tenant @t {
    mt.entry @n1(%x: tensor<2xf32> {mt.name = "x"}) {
      %a = mt.task 1 @k(%x) : (tensor<2xf32>) -> tensor<2xf32>
      // expected-error @+1 {{C4: id 1 occurs twice in entry 'n1'}}
      %b = mt.task 1 @k(%a) : (tensor<2xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

//===--- mt.task ------------------------------------------------------------===//

// C1: the kernel.
mt.program @p {
  mt.tenant @t {
    mt.entry @n1(%x: tensor<2xf32> {mt.name = "x"}) {
      // expected-error @+1 {{C1: @k is not an mt.kernel of the program}}
      %a = mt.task 1 @k(%x) : (tensor<2xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

// C2: the kernel's types.
mt.program @p {
  mt.kernel @k kind(move) (%x: tensor<2xf32>) -> tensor<2xf32> {
    mt.yield %x : tensor<2xf32>
  }
  mt.tenant @t {
    mt.entry @n1(%x: tensor<3xf32> {mt.name = "x"}) {
      // expected-error @+1 {{C2: types must be those of @k, '(tensor<2xf32>) -> tensor<2xf32>'}}
      %a = mt.task 1 @k(%x) : (tensor<3xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

// C3: the id.
mt.program @p {
  mt.kernel @k kind(move) (%x: tensor<2xf32>) -> tensor<2xf32> {
    mt.yield %x : tensor<2xf32>
  }
  mt.tenant @t {
    mt.entry @n1(%x: tensor<2xf32> {mt.name = "x"}) {
      // expected-error @+1 {{C3: the id must not be negative, got -1}}
      %a = mt.task -1 @k(%x) : (tensor<2xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

//===--- mt.region_task -----------------------------------------------------===//

// C1: bodies stand before.
mt.program @p {
  mt.tenant @t {
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C1: @b is not a body that stands before its entry}}
      %y = mt.region_task 0 if [@b, @b](%c) capture(%x) max_trips(1) expected(1) : (tensor<i8>, tensor<2xf32>) -> tensor<2xf32>
      mt.return
    }
    mt.entry @b(%x: tensor<2xf32> {mt.name = "x"}) -> (tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %x : tensor<2xf32>
    }
  }
}

// -----

// C1: an entry that callers see is no body.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%x: tensor<2xf32> {mt.name = "x"}) -> (tensor<2xf32> {mt.name = "y"}) {
      mt.return %x : tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C1: @b is not a body that stands before its entry}}
      %y = mt.region_task 0 if [@b, @b](%c) capture(%x) max_trips(1) expected(1) : (tensor<i8>, tensor<2xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

// C1: an if has two.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%x: tensor<2xf32> {mt.name = "x"}) -> (tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %x : tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C1: wants two bodies, got 1}}
      %y = mt.region_task 0 if [@b](%c) capture(%x) max_trips(1) expected(1) : (tensor<i8>, tensor<2xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

// C1: a loop has one.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%i: tensor<i64> {mt.name = "i"}, %c: tensor<i8> {mt.name = "c"}, %s: tensor<2xf32> {mt.name = "s"}) -> (tensor<i8> {mt.name = "m"}, tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %c, %s : tensor<i8>, tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C1: wants one body, got 2}}
      %y = mt.region_task 0 loop [@b, @b](%c, %n) carry(%x) max_trips(1) expected(1) : (tensor<i8>, tensor<i64>, tensor<2xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

// C2: the condition.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%x: tensor<2xf32> {mt.name = "x"}) -> (tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %x : tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C2: the condition must be one i8, got 'tensor<2xf32>'}}
      %y = mt.region_task 0 if [@b, @b](%x) capture(%x) max_trips(1) expected(1) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

// C2: trips of an if.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%x: tensor<2xf32> {mt.name = "x"}) -> (tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %x : tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C2: a loop has trips and an if has not}}
      %y = mt.region_task 0 if [@b, @b](%c, %n) capture(%x) max_trips(1) expected(1) : (tensor<i8>, tensor<i64>, tensor<2xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

// C2: no trips of a loop.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%i: tensor<i64> {mt.name = "i"}, %c: tensor<i8> {mt.name = "c"}, %s: tensor<2xf32> {mt.name = "s"}) -> (tensor<i8> {mt.name = "m"}, tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %c, %s : tensor<i8>, tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C2: a loop has trips and an if has not}}
      %y = mt.region_task 0 loop [@b](%c) carry(%x) max_trips(1) expected(1) : (tensor<i8>, tensor<2xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

// C2: trips that are no count.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%i: tensor<i64> {mt.name = "i"}, %c: tensor<i8> {mt.name = "c"}, %s: tensor<2xf32> {mt.name = "s"}) -> (tensor<i8> {mt.name = "m"}, tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %c, %s : tensor<i8>, tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C2: trips must be one i64, got 'tensor<2xf32>'}}
      %y = mt.region_task 0 loop [@b](%c, %x) carry(%x) max_trips(1) expected(1) : (tensor<i8>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

// C3: an if that carries.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%x: tensor<2xf32> {mt.name = "x"}) -> (tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %x : tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C3: an if carries and scans nothing}}
      %y = mt.region_task 0 if [@b, @b](%c) carry(%x) max_trips(1) expected(1) : (tensor<i8>, tensor<2xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

// C3: arguments of a branch.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%x: tensor<2xf32> {mt.name = "x"}) -> (tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %x : tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C3: arguments of b must be ('tensor<3x2xf32>'), got ('tensor<2xf32>')}}
      %y = mt.region_task 0 if [@b, @b](%c) capture(%z) max_trips(1) expected(1) : (tensor<i8>, tensor<3x2xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

// C3: results of a branch.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%x: tensor<2xf32> {mt.name = "x"}) -> (tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %x : tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C3: results of b must be ('tensor<3xf32>'), got ('tensor<2xf32>')}}
      %y = mt.region_task 0 if [@b, @b](%c) capture(%x) max_trips(1) expected(1) : (tensor<i8>, tensor<2xf32>) -> tensor<3xf32>
      mt.return
    }
  }
}

// -----

// C4: arguments of a body.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%i: tensor<i64> {mt.name = "i"}, %c: tensor<i8> {mt.name = "c"}, %s: tensor<2xf32> {mt.name = "s"}) -> (tensor<i8> {mt.name = "m"}, tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %c, %s : tensor<i8>, tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C4: arguments of b must be ('tensor<i64>', 'tensor<i8>', 'tensor<3x2xf32>'), got ('tensor<i64>', 'tensor<i8>', 'tensor<2xf32>')}}
      %y = mt.region_task 0 loop [@b](%c, %n) carry(%z) max_trips(1) expected(1) : (tensor<i8>, tensor<i64>, tensor<3x2xf32>) -> tensor<3x2xf32>
      mt.return
    }
  }
}

// -----

// C5: fewer results than state.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%i: tensor<i64> {mt.name = "i"}, %c: tensor<i8> {mt.name = "c"}, %s: tensor<2xf32> {mt.name = "s"}) -> (tensor<i8> {mt.name = "m"}, tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %c, %s : tensor<i8>, tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C5: a loop of 1 carried values has 0 results}}
      mt.region_task 0 loop [@b](%c, %n) carry(%x) max_trips(1) expected(1) : (tensor<i8>, tensor<i64>, tensor<2xf32>) -> ()
      mt.return
    }
  }
}

// -----

// C5: a body without condition.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%i: tensor<i64> {mt.name = "i"}, %c: tensor<i8> {mt.name = "c"}, %s: tensor<2xf32> {mt.name = "s"}) -> (tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %s : tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C5: the first result of b must be one i8}}
      %y = mt.region_task 0 loop [@b](%c, %n) carry(%x) max_trips(1) expected(1) : (tensor<i8>, tensor<i64>, tensor<2xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

// C5: results of a body.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%i: tensor<i64> {mt.name = "i"}, %c: tensor<i8> {mt.name = "c"}, %s: tensor<2xf32> {mt.name = "s"}) -> (tensor<i8> {mt.name = "m"}, tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %c, %s : tensor<i8>, tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C5: results of b must be ('tensor<i8>', 'tensor<2xf32>', 'tensor<2xf32>'), got ('tensor<i8>', 'tensor<2xf32>')}}
      %y:2 = mt.region_task 0 loop [@b](%c, %n) carry(%x) max_trips(1) expected(1) : (tensor<i8>, tensor<i64>, tensor<2xf32>) -> (tensor<2xf32>, tensor<3x2xf32>)
      mt.return
    }
  }
}

// -----

// C5: results of the loop.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%i: tensor<i64> {mt.name = "i"}, %c: tensor<i8> {mt.name = "c"}, %s: tensor<2xf32> {mt.name = "s"}) -> (tensor<i8> {mt.name = "m"}, tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %c, %s : tensor<i8>, tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C5: the first results must be ('tensor<2xf32>'), got ('tensor<3x2xf32>')}}
      %y = mt.region_task 0 loop [@b](%c, %n) carry(%x) max_trips(1) expected(1) : (tensor<i8>, tensor<i64>, tensor<2xf32>) -> tensor<3x2xf32>
      mt.return
    }
  }
}

// -----

// C6: lengths.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%i: tensor<i64> {mt.name = "i"}, %c: tensor<i8> {mt.name = "c"}, %s: tensor<2xf32> {mt.name = "s"}) -> (tensor<i8> {mt.name = "m"}, tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %c, %s : tensor<i8>, tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C6: scanned operands and stacked results must have the same first dim, got 'tensor<4xf32>'}}
      %y:2 = mt.region_task 0 loop [@b](%c, %n) carry(%x) scan(%z) max_trips(1) expected(1) : (tensor<i8>, tensor<i64>, tensor<2xf32>, tensor<3x2xf32>) -> (tensor<2xf32>, tensor<4xf32>)
      mt.return
    }
  }
}

// -----

// C7: numbers.
mt.program @p {
  mt.tenant @t {
    mt.entry @b(%x: tensor<2xf32> {mt.name = "x"}) -> (tensor<2xf32> {mt.name = "y"}) attributes {is_body} {
      mt.return %x : tensor<2xf32>
    }
    mt.entry @n1(%c: tensor<i8> {mt.name = "c"}, %n: tensor<i64> {mt.name = "n"}, %x: tensor<2xf32> {mt.name = "x"}, %z: tensor<3x2xf32> {mt.name = "z"}) {
      // expected-error @+1 {{C7: id and expected must not be negative and max_trips positive}}
      %y = mt.region_task 0 if [@b, @b](%c) capture(%x) max_trips(0) expected(1) : (tensor<i8>, tensor<2xf32>) -> tensor<2xf32>
      mt.return
    }
  }
}

// -----

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
