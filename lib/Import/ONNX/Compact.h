//===- Compact.h - some of a tensor's elements, one after the other -------===//
#pragma once

#include "Builders.h"

namespace mtc::onnx_import {

/// Which of n elements are kept.
struct Kept {
  mlir::Value count;  ///< how many: an i64 of rank 0
  mlir::Value places; ///< of the first `bound`: where each was; n behind the last
};

/// `flags` holds n numbers 0 or 1 (i8). The work is about 64 n. (CompactOps.cpp)
Kept keep(Builder &b, mlir::Value flags, int64_t bound);

/// A tensor of rank 3 whose middle dim has only `count` elements, moved together: row-major in
/// its true shape, then anything.
mlir::Value moveTogether(Builder &b, mlir::Value v, mlir::Value count);

Results nonMaxSuppression(NodeContext &c); ///< SuppressionOps.cpp

} // namespace mtc::onnx_import
