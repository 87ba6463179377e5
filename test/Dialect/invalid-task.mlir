// RUN: mtc-opt %s --split-input-file --allow-unregistered-dialect --verify-diagnostics

// The labels are those of the operations' descriptions in MTOps.td and MTBase.td.

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

