// RUN: mtc-opt %s --split-input-file --allow-unregistered-dialect --verify-diagnostics

// The labels are those of the operations' descriptions in MTOps.td and MTBase.td.

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

// C7: what fills an input is one element of its type.
mt.program @p {
  mt.tenant @t {
    // expected-error @+1 {{C7: the mt.pad of argument 0 must be dense<...> : tensor<'f32'>, and it has no mt.value}}
    mt.entry @n1(%x: tensor<2xf32> {mt.name = "x", mt.pad = dense<0> : tensor<i32>}) -> (tensor<2xf32> {mt.name = "y"}) {
      mt.return %x : tensor<2xf32>
    }
  }
}

// -----

// C7: nothing fills a known value.
mt.program @p {
  mt.tenant @t {
    // expected-error @+1 {{C7: the mt.pad of argument 0 must be}}
    mt.entry @n1(%x: tensor<2xf32> {mt.name = "x", mt.pad = dense<0.0> : tensor<f32>, mt.value = dense<1.0> : tensor<2xf32>}) -> () {
      mt.return
    }
  }
}

// -----

// C8: only a padded input can be smaller.
mt.program @p {
  mt.tenant @t {
    // expected-error @+1 {{C8: the mt.follows of result 0 must be [dim, argument, its dim, ...]}}
    mt.entry @n1(%x: tensor<2xf32> {mt.name = "x"}) -> (tensor<2xf32> {mt.name = "y", mt.follows = array<i64: 0, 0, 0>}) {
      mt.return %x : tensor<2xf32>
    }
  }
}

// -----

// C8: the dims are equally large.
mt.program @p {
  mt.tenant @t {
    // expected-error @+1 {{C8: the mt.follows of result 0 must be [dim, argument, its dim, ...]}}
    mt.entry @n1(%x: tensor<2x3xf32> {mt.name = "x", mt.pad = dense<0.0> : tensor<f32>}) -> (tensor<2x3xf32> {mt.name = "y", mt.follows = array<i64: 0, 0, 1>}) {
      mt.return %x : tensor<2x3xf32>
    }
  }
}
