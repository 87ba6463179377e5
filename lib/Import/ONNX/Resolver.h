//===- Resolver.h - the walk that makes every shape static ----------------===//
//
// One object walks one entry. ResolveEntry.cpp has the walk; what a node may turn into has a file
// each: a constant (ResolveConstants.cpp), the body of a function (ResolveFunctions.cpp), a branch
// (ResolveControlFlow.cpp).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Steps.h"

#include "llvm/ADT/Twine.h"

#include <onnx/defs/schema.h>

namespace mtc::onnx_import {

/// A node on the way to being resolved.
struct Pending {
  const onnx::NodeProto *node;
  int depth; ///< functions and branches it came out of
};

class Resolver {
public:
  Resolver(const ModelFile &file, const Opsets &opsets, const ImportLimits &limits)
      : graph(file.model.graph()), opsets(opsets), limits(limits),
        entry(std::make_unique<ResolvedEntry>()) {}

  StatusOr<std::unique_ptr<ResolvedEntry>> run(std::vector<BoundInput> inputs);

private:
  Status resolve(const Pending &pending);
  Status checkNames(const onnx::NodeProto &node);
  Status resolveKnown(const Pending &pending, ResolvedNode &result, const onnx::OpSchema &schema);
  Status resolveConstant(const onnx::NodeProto &node, ResolvedNode &result);
  bool resolveIf(const Pending &pending);
  const onnx::FunctionProto *bodyOf(const onnx::NodeProto &node, const onnx::OpSchema &schema);
  bool expand(const Pending &pending, const onnx::OpSchema &schema);
  bool foldShapeOf(const onnx::NodeProto &node);
  bool fold(const onnx::NodeProto &node);
  void infer(const onnx::NodeProto &node, const onnx::OpSchema &schema, ResolvedNode &result);
  Status checkOutputs(ResolvedNode &result);
  void push(std::vector<onnx::NodeProto> nodes, int depth);

  void setType(const std::string &value, onnx::TypeProto type);
  void setConstant(const std::string &value, onnx::TensorProto tensor);
  void setConstant(const std::string &value, const onnx::TensorProto *tensor);
  const std::optional<SmallTensor> &smallConstant(const std::string &value);
  void keepLiveNodes();
  Status error(const ResolvedNode &node, const llvm::Twine &message) const {
    return invalidInput(("node '" + llvm::Twine(node.name) + "': " + message).str());
  }

  const onnx::GraphProto &graph;
  const Opsets &opsets;
  const ImportLimits &limits;
  std::unique_ptr<ResolvedEntry> entry;
  std::vector<Pending> stack; ///< the next node last
  std::set<std::string> defined;
  std::unordered_map<std::string, std::optional<SmallTensor>> decoded;
  std::map<std::string, std::unique_ptr<onnx::FunctionProto>> bodies; ///< by call
  int64_t visited = 0, expansions = 0, foldedBytes = 0;
};

} // namespace mtc::onnx_import
