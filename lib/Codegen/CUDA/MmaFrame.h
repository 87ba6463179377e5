//===- MmaFrame.h - what products on tensor cores share -------------------===//
//
// How elements come to shared memory through registers, rounded and swizzled on the way; how a
// warpgroup multiplies what lies there; and where a lane's sums belong. The pipelines that put
// these together are EmitMma.cpp (all threads copy and multiply) and EmitRing.cpp (some copy,
// others multiply).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "MmaTile.h"
#include "TensorBox.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace mtc::cuda {

class MmaFrame : protected ContractionFrame {
public:
  MmaFrame(ThreadEmitter &e, const host::Contraction &c, const MmaTile &tile);

protected:
  static constexpr int64_t warpThreads = 32, mmaRows = 16, mmaColumns = 8;
  static constexpr int64_t groupWarps = 4, groupRows = 64;

  /// How an input comes to shared memory.
  struct Plan {
    Side side;
    bool termsInside;             ///< neighbouring terms, not rows or columns, lie side by side
    bool termsFirst;              ///< neighbouring threads copy neighbouring terms
    int64_t group;                ///< elements side by side that a thread copies at once
    bool isWide;                  ///< they are neighbours in memory too
    bool isAsync;                 ///< by cp.async
    bool isStaged;                ///< by bulk copies, as it lies in memory (StagedWeight.h)
    std::optional<TensorBox> box; ///< by a tensor map
    int64_t pitch, size;          ///< elements of shared memory to the next row, of a stage
    /// `first`: where the lane's part of its warp's first fragment begins, or the descriptor of its
    /// warpgroup's first matrix.
    mlir::Value memory, first;
    mlir::Value map; ///< the tensor map

    /// Rows or columns, not terms, lie side by side in shared memory.
    bool isTransposed() const { return box && !box->termsInside; }
    int64_t rowBytes() const { return box ? box->map.swizzleBytes : 128; } ///< of the swizzle
  };
  Plan planOf(const Side &side);

  /// The scalars of the kernel, the plans of both inputs, and the lane's place: where its warp or
  /// warpgroup begins. `first` of the plans is a descriptor, or the caller's to set.
  void start();

  mlir::Type sharedType();
  /// Of what is loaded to registers: the bits of what is multiplied, or the f32 that are rounded.
  mlir::VectorType loadedType(const Plan &p);

  /// Elements of shared memory to another row or column and another term.
  int64_t distance(const Plan &p, int64_t across, int64_t terms);
  mlir::Value place(const Plan &p, mlir::Value across, mlir::Value term);

  //===--------------------------------------------------------------------===//
  // From memory to shared memory
  //===--------------------------------------------------------------------===//

  int64_t perThread(const Plan &p) const {
    return p.side.width * t.bk / (t.copyThreads() * p.group);
  }
  /// Row or column and term of the first element of a thread's `i`th group: neighbouring threads
  /// read neighbours.
  std::pair<mlir::Value, mlir::Value> positionOf(const Plan &p, int64_t i);
  Source sourceOf(const Plan &p, int64_t i, int64_t element, mlir::Value firstTerm);
  mlir::Value stored(const Plan &p, int64_t i, mlir::Value stage);
  /// The thread's group `i`, as a vector.
  mlir::Value load(const Plan &p, int64_t i, mlir::Value firstTerm);
  /// All its groups.
  llvm::SmallVector<mlir::Value> load(const Plan &p, mlir::Value firstTerm);
  /// Two f32 as halves.
  mlir::Value rounded(mlir::Value low, mlir::Value high);
  /// The bits of an f32 as tf32.
  mlir::Value roundedWord(mlir::Value value);
  /// Stores a group, rounded.
  void store(const Plan &p, int64_t i, mlir::Value group, mlir::Value stage);
  /// Shows what was stored to the proxy by which warpgroups read.
  void fenceProxy();

  //===--------------------------------------------------------------------===//
  // Products of warpgroups
  //===--------------------------------------------------------------------===//

  mlir::NVVM::MMATypes typeOf(const Plan &p) const;
  mlir::Value i64(uint64_t value);
  /// The descriptor of the matrix that begins with a row or column of the first stage: rows of 128
  /// bytes, swizzled, eight of them behind each other (PTX ISA 9.7.15.5.1.2); of a staged weight
  /// rows of 16 bytes without a swizzle. Where rows hold rows or columns, not terms, a box has a
  /// row for each term, and the next box the next rows or columns.
  mlir::Value describe(const Plan &p, mlir::Value across);
  mlir::Type groupSums();
  mlir::Value firstSums();
  /// Starts the products of a stage.
  mlir::Value multiplyGroup(mlir::Value stage, mlir::Value sums);
  /// The sums, which nothing moves before the wait: the values depend on what stands behind it.
  llvm::SmallVector<mlir::Value> finishedSums(mlir::Value all);

  /// `moved`, or stage + back where that is no stage.
  mlir::Value wrapped(mlir::Value moved, mlir::Value stage, int64_t back);

  /// Lane (group, t) holds columns 2 t and 2 t + 1 of rows group and group + 8 of each 16 x 8; of a
  /// warpgroup's 64 rows each warp holds 16.
  void finishTile(mlir::ValueRange sums);

  MmaTile t;
  int64_t bytes, steps;   ///< of an element; of all terms
  Plan a, w;              ///< the input that varies with rows, and that with columns
  mlir::Value copyThread; ///< index among those that copy
  mlir::Value lane, group, inGroup, firstRow, firstColumn;
};

} // namespace mtc::cuda
