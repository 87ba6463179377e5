//===- ContractionFrame.h - what contractions on a GPU share --------------===//
//
// The host's analysis gives loops with strides; rows (all parallel loops but the columns' and the
// batch) and terms are each flattened, so a convolution is an implicit product of matrices: a
// thread that loads an element finds its pixel by dividing by constants. What lies in the padding
// or past an edge is read from element 0 and replaced by zero, so no load is in a branch.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "ThreadEmitter.h"

#include "../Host/Contraction.h"

namespace mtc::cuda {

/// A contraction that can be cut into tiles of rows and columns: a product of f32, f16 or bf16 with
/// sums in f32, or of bytes with sums in i32, of which one input varies with the columns, the other
/// with the rows. Fails, without an error, for others (depthwise, pooling, wider integers). An
/// argument that is `staged` (StagedWeight.h) must vary with the columns.
mlir::FailureOr<host::Contraction> analyseContraction(mt::KernelOp kernel, int64_t staged = -1);

/// Whether it is one of bytes.
bool isOfBytes(const host::Contraction &c);

/// What an input's elements are in memory.
mlir::Type storedType(const host::Contraction &c, int64_t input);

/// The loops that are a contraction's rows, outermost first.
llvm::SmallVector<int64_t> rowLoopsOf(const host::Contraction &c);

/// Number of tiles of bm x bn results.
int64_t tilesOf(const host::Contraction &c, int64_t bm, int64_t bn);

/// Tiles of bm x bn results that add bk terms at a time.
class ContractionFrame {
public:
  ContractionFrame(ThreadEmitter &e, const host::Contraction &c, int64_t bm, int64_t bn,
                   int64_t bk);

protected:
  /// One of the two inputs.
  struct Side {
    int64_t operand;
    int64_t width; ///< rows or columns of the tile
    bool isRows;
  };
  Side sideA() const { return {1 - c.vectorInput, bm, true}; }
  Side sideB() const { return {c.vectorInput, bn, false}; }

  /// Where an element lies; `inside` is null where it always exists, and where it does not the
  /// address is that of element 0.
  struct Source {
    mlir::Value address, inside;
  };
  /// The element of a row or column of this tile, and of a term of all.
  Source locate(const Side &side, mlir::Value across, mlir::Value flatTerm);
  /// Whether elements of neighbouring rows (columns) are neighbours in memory.
  bool isContiguousAcross(const Side &side) const;
  /// Whether `group` neighbours, from a multiple of it on, along the terms or across are
  /// neighbours in memory, aligned to their size, and exist together.
  bool isContiguousGroup(const Side &side, bool alongTerms, int64_t group) const;

  /// Sets batch, first row and first column.
  void startTile(mlir::Value tile);
  void setLoops(llvm::ArrayRef<int64_t> loops, mlir::Value flat);
  mlir::Value addressOf(int64_t operand);
  /// The epilogue on the sum at the loops' indices, and its results.
  void finishElement(mlir::Value sum);

  /// value / by and value % by.
  std::pair<mlir::Value, mlir::Value> split(mlir::Value value, int64_t by);
  void whenBelow(mlir::Value v, int64_t end, bool mayExceed, llvm::function_ref<void()> body);
  mlir::Value zeroOf(mlir::Type type);

  ThreadEmitter &e;
  mlir::OpBuilder &b;
  mlir::Location loc;
  const host::Contraction &c;
  int64_t bm, bn, bk;
  llvm::SmallVector<int64_t> rowLoops;
  int64_t rows, columns, terms;
  llvm::SmallVector<mlir::Value> index; ///< of every loop
  mlir::Value tileRow, tileColumn;

private:
  mlir::Value both(mlir::Value x, mlir::Value y);
  mlir::Value isInside(const host::Window &w);
};

} // namespace mtc::cuda
