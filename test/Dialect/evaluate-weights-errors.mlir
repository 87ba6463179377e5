// RUN: printf 'abcd' > %t.bin
// RUN: sed 's|FILE|%t.bin|' %s > %t.mlir
// RUN: mtc-opt %t.mlir --mt-evaluate-weights --split-input-file --verify-diagnostics

// A file that is missing.
mt.program @p {
  mt.weight @w : tensor<1xf32> from("FILE.missing" at 0)
  // expected-error @+1 {{weight 'd': weight 'w':}}
  mt.weight @d : tensor<1xf32> derive(@w) {
  ^bb0(%w: tensor<1xf32>):
    mt.yield %w : tensor<1xf32>
  }
}

// -----

// A file that is too short.
mt.program @p {
  mt.weight @w : tensor<1xf32> from("FILE" at 1)
  // expected-error @+1 {{bin: wanted 4 bytes at 1, the file has 4}}
  mt.weight @d : tensor<1xf32> derive(@w) {
  ^bb0(%w: tensor<1xf32>):
    mt.yield %w : tensor<1xf32>
  }
}

// -----

// An offset beyond any file, whose end does not fit 64 bits.
mt.program @p {
  mt.weight @w : tensor<1xf32> from("FILE" at 9223372036854775807)
  // expected-error @+1 {{wanted 4 bytes at 9223372036854775807, the file has 4}}
  mt.weight @d : tensor<1xf32> derive(@w) {
  ^bb0(%w: tensor<1xf32>):
    mt.yield %w : tensor<1xf32>
  }
}

// -----

// A length that is not the type's.
mt.program @p {
  mt.weight @w : tensor<1xf32> from("FILE" at 0 length 3)
  // expected-error @+1 {{weight 'w': has 3 bytes, its type wants 4}}
  mt.weight @d : tensor<1xf32> derive(@w) {
  ^bb0(%w: tensor<1xf32>):
    mt.yield %w : tensor<1xf32>
  }
}

// -----

// Bytes that are no TensorProto.
mt.program @p {
  mt.weight @w : tensor<1xf32> from("FILE" at 0 proto length 4)
  // expected-error @+1 {{weight 'w': damaged TensorProto}}
  mt.weight @d : tensor<1xf32> derive(@w) {
  ^bb0(%w: tensor<1xf32>):
    mt.yield %w : tensor<1xf32>
  }
}

// -----

// An index out of range.
mt.program @p {
  // expected-error @+1 {{weight 'd': index of 'tensor.extract' out of range}}
  mt.weight @d : tensor<3xf32> derive() {
    %x = arith.constant dense<1.0> : tensor<2xf32>
    %e = tensor.empty() : tensor<3xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e : tensor<3xf32>) {
    ^bb0(%o: f32):
      %i = linalg.index 0 : index
      %v = tensor.extract %x[%i] : tensor<2xf32>
      linalg.yield %v : f32
    } -> tensor<3xf32>
    mt.yield %r : tensor<3xf32>
  }
}

// -----

// An operation that nobody evaluates.
mt.program @p {
  // expected-error @+1 {{weight 'd': cannot evaluate 'math.ipowi'}}
  mt.weight @d : tensor<1xi32> derive() {
    %e = tensor.empty() : tensor<1xi32>
    %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e : tensor<1xi32>) {
    ^bb0(%o: i32):
      %v = math.ipowi %o, %o : i32
      linalg.yield %v : i32
    } -> tensor<1xi32>
    mt.yield %r : tensor<1xi32>
  }
}

// -----

// An operation on whole tensors that nobody evaluates.
mt.program @p {
  // expected-error @+1 {{weight 'd': cannot evaluate 'tensor.generate'}}
  mt.weight @d : tensor<1xf32> derive() {
    %c = arith.constant 1.0 : f32
    %r = tensor.generate {
    ^bb0(%i: index):
      tensor.yield %c : f32
    } : tensor<1xf32>
    mt.yield %r : tensor<1xf32>
  }
}

// -----

// A resource that the text left out.
mt.program @p {
  // expected-error @+1 {{weight 'd': resource '__elided__' of a constant is missing or has another size}}
  mt.weight @d : tensor<2xf32> derive() {
    %x = arith.constant dense_resource<__elided__> : tensor<2xf32>
    mt.yield %x : tensor<2xf32>
  }
}
