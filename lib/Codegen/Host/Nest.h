//===- Nest.h - loop nests over strided flat memory -----------------------===//
//
// What the rows emitter works on: an operation of a kernel's body as loops with, for each tensor,
// an offset and a stride per loop. Loops can then be reordered, merged and split without looking at
// the operation again.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Buffers.h"

#include "mlir/IR/AffineMap.h"

namespace mtc::host {

/// Where a nest reads or writes a tensor: offset + sum of index * stride, in elements.
struct Access {
  int storage = -1;   ///< in the BufferPlan; -1: no memory (a scalar, or never read)
  mlir::Value scalar; ///< a scalar of the kernel's body
  int64_t offset = 0;
  llvm::SmallVector<int64_t> strides;
};

struct Nest {
  mlir::Operation *op = nullptr;
  mlir::Block *body = nullptr; ///< null: copies its only read to its only write
  llvm::SmallVector<int64_t> extents;
  llvm::SmallVector<bool> isReduction;
  llvm::SmallVector<int> originalDim; ///< for linalg.index
  llvm::SmallVector<Access> reads;    ///< one per input
  llvm::SmallVector<Access> writes;   ///< one per result
  llvm::SmallVector<mlir::Value>
      initial;         ///< per result: the scalar it starts from (a fill), or null
  int64_t rowDims = 0; ///< the first loops, shared by all nests of a segment
  /// The last row dim counts blocks of this size of `splitDim`, whose last block may be smaller.
  int64_t splitBlock = 0, splitDim = -1;

  bool hasReduction() const { return llvm::is_contained(isReduction, true); }
};

/// Nests that run one after the other for each row. Rows of a segment, and segments, are
/// independent.
struct Segment {
  llvm::SmallVector<int64_t> rowExtents;
  std::vector<Nest> nests;

  int64_t rows() const {
    int64_t n = 1;
    for (int64_t e : rowExtents)
      n *= e;
    return n;
  }
};

/// A kernel as segments of nests, with the buffer plan they refer to.
struct RowProgram {
  BufferPlan plan;
  std::vector<Segment> segments;
};

/// Analyses `kernel` for vectors of `lanes` elements.
/// Fails, without an error, if a part of the body is no strided nest; plain loops are left then.
mlir::FailureOr<RowProgram> analyseRows(mt::KernelOp kernel, int64_t lanes);

/// Bytes that a row of the segment reads and writes.
int64_t rowBytes(const Segment &segment, const BufferPlan &plan);

} // namespace mtc::host
