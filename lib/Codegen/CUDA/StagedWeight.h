//===- StagedWeight.h - weights that lie in memory as stages need them ----===//
//
// A weight of a product can be stored so that what a tile needs of 16 bytes of terms lies side by
// side: [K / T][N][T], with T terms in 16 bytes. That is how wgmma reads a matrix without a swizzle
// (8 x 16 bytes are a core matrix), so a stage is eight bulk copies, which no thread's registers
// see. In a kernel linalg.unpack says so:
//
//   %plain = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [8]
//            into %e : tensor<96x768x8xf16> -> tensor<768x768xf16>   // [N][K]
//
// Source: PTX ISA 9.0, 9.7.15.5.1.2 (layouts of matrices in shared memory), 9.7.9.25
// (cp.async.bulk).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include "mlir/IR/OwningOpRef.h"

namespace mtc::cuda {

/// Bytes of terms that lie side by side.
inline constexpr int64_t chunkBytes = 16;

/// A kernel as its analysis wants to see it: where a contraction reads a staged weight, a copy in
/// which that argument is plain, and else the kernel itself.
class PlainKernel {
public:
  explicit PlainKernel(mt::KernelOp kernel);

  mt::KernelOp kernel() { return copy ? *copy : original; }
  /// Number of the argument, -1: none.
  int64_t stagedArgument() const { return argument; }

private:
  mt::KernelOp original;
  mlir::OwningOpRef<mt::KernelOp> copy;
  int64_t argument = -1;
};

} // namespace mtc::cuda
