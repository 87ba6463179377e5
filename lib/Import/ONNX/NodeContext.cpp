//===- NodeContext.cpp - what the handler of one ONNX operator sees -------===//
#include "NodeContext.h"

namespace mtc::onnx_import {

const onnx::AttributeProto *NodeContext::attribute(llvm::StringRef name) const {
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (attribute.name() == name)
      return &attribute;
  return nullptr;
}

int64_t NodeContext::intAttr(llvm::StringRef name, int64_t otherwise) const {
  const onnx::AttributeProto *a = attribute(name);
  return a ? a->i() : otherwise;
}

float NodeContext::floatAttr(llvm::StringRef name, float otherwise) const {
  const onnx::AttributeProto *a = attribute(name);
  return a ? a->f() : otherwise;
}

std::string NodeContext::stringAttr(llvm::StringRef name, llvm::StringRef otherwise) const {
  const onnx::AttributeProto *a = attribute(name);
  return a ? a->s() : otherwise.str();
}

llvm::SmallVector<int64_t> NodeContext::intsAttr(llvm::StringRef name,
                                                 llvm::ArrayRef<int64_t> otherwise) const {
  const onnx::AttributeProto *a = attribute(name);
  if (!a)
    return llvm::SmallVector<int64_t>(otherwise);
  return {a->ints().begin(), a->ints().end()};
}

mlir::LogicalResult NodeContext::reject(const llvm::Twine &reason) {
  if (rejection.empty())
    rejection = reason.str();
  return mlir::failure();
}

} // namespace mtc::onnx_import
