//===- ContribFunctions.h - onnxruntime's operators as function bodies ----===//
#pragma once

#include "llvm/ADT/SmallVector.h"

#include <onnx/onnx_pb.h>

#include <functional>
#include <optional>
#include <string>

namespace mtc::onnx_import {

/// What a body is written for: one call. All inputs that are there have static shapes.
struct ContribCall {
  const onnx::NodeProto &node;
  /// Of an input; empty if it is not there.
  std::function<llvm::SmallVector<int64_t>(int)> dims;
  int32_t elementType = 0;     ///< of input 0
  mutable std::string problem; ///< why there is no body for this call

  bool has(int input) const { return input < node.input_size() && !node.input(input).empty(); }
  bool wants(int output) const {
    return output < node.output_size() && !node.output(output).empty();
  }
  /// The extent of an input along an axis, from the end if negative; -1 if it has no such axis.
  int64_t extent(int input, int axis) const;
  const onnx::AttributeProto *attribute(const char *name) const;
  int64_t intAttr(const char *name, int64_t otherwise) const;
  float floatAttr(const char *name, float otherwise) const;
  std::string stringAttr(const char *name, const char *otherwise) const;
  llvm::SmallVector<int64_t> intsAttr(const char *name) const;
  llvm::SmallVector<float> floatsAttr(const char *name) const;
  std::string reject(const std::string &reason) const;
};

bool isContribFunction(const std::string &domain, const std::string &op);

/// The body for a call, in the canonical opset; nullopt, and call.problem set, if it has none.
std::optional<onnx::FunctionProto> contribFunction(const ContribCall &call,
                                                   const std::string &domain);

/// Rows of docs/operators.md.
std::string contribTable();

} // namespace mtc::onnx_import
