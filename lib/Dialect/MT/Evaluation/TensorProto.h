//===- TensorProto.h - ONNX tensors that are not stored raw ---------------===//
#pragma once

#include "mtc/Support/Status.h"

#include "mlir/IR/BuiltinTypes.h"

#include <cstdint>
#include <vector>

namespace mtc::mt {

/// The elements of a serialized onnx.TensorProto as little-endian row-major bytes of `type`.
///
/// Fails if the message is damaged, has external or no data, or its element type or number of
/// elements does not fit `type` (InvalidInput). Complexity: linear in the message. Source:
/// https://github.com/onnx/onnx/blob/v1.23.2/onnx/onnx.proto,
/// https://protobuf.dev/programming-guides/encoding/
StatusOr<std::vector<uint8_t>> decodeTensorProto(llvm::ArrayRef<uint8_t> message,
                                                 mlir::RankedTensorType type);

} // namespace mtc::mt
