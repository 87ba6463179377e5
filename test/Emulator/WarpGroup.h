//===- WarpGroup.h - what four warps do together --------------------------===//
//
// A warpgroup's product of two matrices that lie in shared memory as their descriptors say. Nothing
// here knows of scheduling.
// Source: PTX ISA 9.0, 9.7.15 (wgmma).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Shadow.h"
#include "Warp.h"

#include <vector>

namespace mtc::emulator {

inline constexpr int64_t groupThreads = 128;

/// What a thread of a warpgroup brings to a product of 64 rows and `columns`.
struct GroupCall {
  MultiplyKind kind = MultiplyKind::F16;
  int32_t columns = 0;
  int64_t a = 0, b = 0;    ///< descriptors
  int32_t layout = 0;      ///< bit 0: of A neighbouring rows, bit 1: of B columns lie side by side
  int32_t *sums = nullptr; ///< `columns` / 2 of the thread
  bool isChecked = false;

  /// All but the sums.
  bool isSame(const GroupCall &other) const;
};

/// Where the elements of a matrix lie (9.7.15.5.1.2): 8 rows (or columns) of 16, 32, 64 or 128
/// bytes, swizzled by their addresses, repeated at two distances.
class DescribedMatrix {
public:
  /// `isTransposed`: neighbouring rows (columns), not terms, lie side by side.
  DescribedMatrix(uint64_t descriptor, int64_t elementBytes, bool isTransposed);

  /// Bytes of shared memory to the element of a row (column) and a term.
  int64_t offsetOf(int64_t across, int64_t term) const;
  int64_t chunksOfRow() const { return chunks; }
  /// What is wrong with the descriptor, or null.
  const char *check() const;

private:
  int64_t start, leading, stride, base; ///< bytes; base: of the pattern
  int64_t chunks;                       ///< of 16 bytes in a row of the pattern
  int64_t elementBytes;
  bool isTransposed;
};

class GroupProduct {
public:
  explicit GroupProduct(const GroupCall &call);

  /// What is wrong with shape, kind or descriptors, or null.
  const char *check(int64_t sharedBytes) const;
  /// The parts of shared memory that it reads, 16 bytes each.
  std::vector<Bytes> parts() const;
  /// Adds the product to the sums of the threads. Returns what is wrong with the elements, or null.
  /// Shapes: 128 threads.
  const char *multiply(const unsigned char *shared, std::span<int32_t *const> sums) const;

private:
  GroupCall call;
  ElementFormat format;
  DescribedMatrix a, b;
};

} // namespace mtc::emulator
