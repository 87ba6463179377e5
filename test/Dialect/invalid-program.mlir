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

