//===- VectorBody.h - scalar bodies at vector level -----------------------===//
//
// A linalg body is written for one element. Along one loop it is cloned for `lanes` elements at
// once: what varies along that loop becomes vectors, what does not stays scalar and is broadcast
// where they meet.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Emitter.h"

namespace mtc::host {

/// One vector of iterations.
struct Lanes {
  int64_t count = 16;
  mlir::Value mask; ///< vector<count x i1>; null: all lanes
};

/// Whether every operation of `body` can be cloned for vectors.
bool canVectorize(mlir::Block &body);

/// A mask that is set in the first `number` of `lanes`.
mlir::Value firstLanes(Emitter &e, int64_t number, int64_t lanes);

/// `v`, or a vector whose lanes all are `v`.
mlir::Value broadcast(Emitter &e, mlir::Value v, int64_t lanes);

/// Elements at most this far apart are loaded together with what lies between them.
constexpr int64_t kNear = 4;

/// A vector of memory[storage][at ...], or of `stride` apart.
mlir::Value loadVector(Emitter &e, int storage, mlir::Value at, int64_t stride, const Lanes &lanes);
void storeVector(Emitter &e, mlir::Value vector, int storage, mlir::Value at, int64_t stride,
                 const Lanes &lanes);

/// A number or vector `v` as `element`: a narrower float as it is, an integer extended by its sign
/// or by 0, less `zero`.
mlir::Value widen(Emitter &e, mlir::Value v, mlir::Type element, bool isSigned, int64_t zero,
                  int64_t lanes);

/// storeVector() of neighbours in a result. Where `isAligned` - `at` is a multiple of the lanes -
/// and the vector fills whole cache lines, a result larger than the caches goes past them: else its
/// lines would be read before they are overwritten, and whoever reads the result finds nothing of
/// it in a cache anyway.
void storeResult(Emitter &e, mlir::Value vector, int storage, mlir::Value at, const Lanes &lanes,
                 bool isAligned);

/// Vectors that long bodies handle as one. The operations on a vector wait for each other, so that
/// it takes the sum of their latencies; those on four alternate and keep the core busy.
constexpr int64_t kTogether = 4;
/// A power of two of vectors side by side, and vector `i` of `lanes` of such.
mlir::Value joinVectors(Emitter &e, llvm::SmallVector<mlir::Value> parts);
mlir::Value partOf(Emitter &e, mlir::Value joined, int64_t i, int64_t lanes);
/// The first lanes of all vectors, then their second lanes, and so on.
mlir::Value interleave(Emitter &e, llvm::ArrayRef<mlir::Value> parts);

/// Clones `body` with arguments that are scalars or vectors of `lanes`. `indices` are the original
/// loops' indices, that of `vectorDim` being its first lane's. Returns what it yields, scalar where
/// uniform.
llvm::SmallVector<mlir::Value> cloneVectorBody(Emitter &e, mlir::Block &body,
                                               llvm::ArrayRef<mlir::Value> arguments,
                                               llvm::ArrayRef<mlir::Value> indices,
                                               int64_t vectorDim, const Lanes &lanes);

} // namespace mtc::host
