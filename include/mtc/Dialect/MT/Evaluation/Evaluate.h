//===- Evaluate.h - the bytes of weights ----------------------------------===//
//
// A weight is a reference: to bytes of a file, to a serialized TensorProto, to a small constant, or
// to an expression over other weights. Here it becomes little-endian row-major bytes, once, when
// somebody wants to share, fold or write it.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"
#include "mtc/Support/Status.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

#include <memory>
#include <string>

namespace mtc::mt {

/// A dense row-major tensor in memory.
/// Ownership: `owner` keeps `data` alive (a mapped file or a buffer); the bytes never change.
struct TensorBytes {
  mlir::RankedTensorType type;
  llvm::ArrayRef<uint8_t> data;
  std::shared_ptr<const void> owner;
};

/// Bytes of an element in memory: 1 for i1 and bool, else the width. Units: bytes.
int64_t elementBytes(mlir::Type elementType);

/// Bytes of a static tensor. Units: bytes.
int64_t tensorBytes(mlir::RankedTensorType type);

/// BLAKE2b-256 of a weight's type and bytes as 64 hexadecimal digits: what `hash(...)` of an
/// mt.weight holds. Weights with equal hashes are one weight.
std::string hashOf(mlir::RankedTensorType type, llvm::ArrayRef<uint8_t> bytes);

/// Evaluates weights of one program. An evaluated derived weight is kept until every derived weight
/// that names it as a source was evaluated too, so that a caller that asks for all weights in any
/// order evaluates each once and never holds more than what is still needed. Files stay mapped.
///
/// Ownership: refers to the program, which must outlive it and must not lose weights meanwhile. Not
/// thread-safe.
class Evaluation {
public:
  explicit Evaluation(ProgramOp program);
  ~Evaluation();

  /// The weight's bytes, as many as its type has.
  ///
  /// Fails if a file cannot be read or is too short, a TensorProto does not decode or does not fit
  /// the type (InvalidInput), or an expression has an operation that cannot be evaluated
  /// (Unsupported). The message names the weight. Complexity: linear in the elements of all results
  /// of the expression, moves at the speed of memcpy: the 569 derived weights (81 MB) of the document
  /// set take 190 ms on one core of an AMD EPYC with AVX-512, 2025-11.
  StatusOr<TensorBytes> bytesOf(WeightOp weight);

private:
  struct Files;

  StatusOr<TensorBytes> read(WeightOp weight);
  StatusOr<TensorBytes> derive(WeightOp weight);
  void keepWhileNeeded(WeightOp weight, const TensorBytes &bytes);

  std::unique_ptr<Files> files_;
  llvm::StringMap<WeightOp> weights_;
  /// How many derived weights still want a weight as a source.
  llvm::DenseMap<mlir::Operation *, int64_t> pendingUses_;
  llvm::DenseSet<mlir::Operation *> evaluated_;
  llvm::DenseMap<mlir::Operation *, TensorBytes> kept_;
};

/// Evaluates the one block of `body` - tensor, linalg, arith and math operations that end in
/// mt.yield of one value - for the given arguments. Fails if there is an operation that cannot be
/// evaluated (Unsupported), or an index is out of range (InvalidInput).
StatusOr<TensorBytes> evaluateExpression(mlir::Region &body, llvm::ArrayRef<TensorBytes> arguments);

} // namespace mtc::mt
