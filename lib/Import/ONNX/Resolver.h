//===- Resolver.h - the walk that makes every shape static ----------------===//
//
// One object walks one entry. ResolveEntry.cpp has the walk; what a node may turn into has a file
// each: a constant (ResolveConstants.cpp), what is left where tensors have no elements
// (ResolveEmpty.cpp), the body of a function (ResolveFunctions.cpp), a branch or the iterations of
// a loop (ResolveControlFlow.cpp), the same at run time (ResolveRegions.cpp), a list of values
// (ResolveSequences.cpp), a tensor whose size depends on data (ResolveBounded.cpp).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Steps.h"

#include "llvm/ADT/Twine.h"

#include <onnx/defs/schema.h>

namespace mtc::onnx_import {

struct Unrolled;

/// A node on the way to being resolved, or the end of an iteration.
struct Pending {
  const onnx::NodeProto *node; ///< null at the end of an iteration
  int depth;                   ///< functions and subgraphs it came out of
  Unrolled *loop = nullptr;
};

/// A Loop or Scan on the way to being unrolled.
struct Unrolled {
  ResolvedNode node;
  const onnx::GraphProto *body = nullptr;
  int64_t bodyNodes = 0;
  int depth = 0;
  std::string prefix; ///< of all its values
  bool isScan = false;
  int64_t trips = 0;                ///< at most
  int64_t trip = 0;                 ///< iterations so far
  std::string condition;            ///< the value that says whether there is another
  std::vector<std::string> carried; ///< values of the loop's state after these iterations
  std::vector<std::string> scanned; ///< what a Scan reads an element of in each iteration
  llvm::SmallVector<int64_t> inputAxes, inputBackwards, outputAxes, outputBackwards;
  std::vector<std::vector<std::string>> results; ///< by scan output, then iteration
};

/// What all walks of an entry share: its own and those of the bodies in it.
struct Budget {
  int64_t visited = 0, expansions = 0, foldedBytes = 0, unrolledNodes = 0, sequenceItems = 0;
};

/// What an output of a body is, if it is no sequence of so many elements.
enum : int64_t { oneTensor = -1, emptyOptional = -2 };

onnx::NodeProto makeNode(llvm::StringRef op, const std::string &name,
                         llvm::ArrayRef<std::string> inputs, llvm::ArrayRef<std::string> outputs);
void setInt(onnx::NodeProto &node, const std::string &name, int64_t value);

class Resolver {
public:
  Resolver(const ModelFile &file, const Opsets &opsets, const ImportLimits &limits)
      : graph(file.model.graph()), opsets(opsets), limits(limits), budget(own),
        entry(std::make_unique<ResolvedEntry>()) {}

  StatusOr<std::unique_ptr<ResolvedEntry>> run(BoundInputs inputs);

private:
  /// For a body of control flow in `outer`'s graph.
  Resolver(const onnx::GraphProto &graph, const Resolver &outer)
      : graph(graph), opsets(outer.opsets), limits(outer.limits), budget(outer.budget),
        entry(std::make_unique<ResolvedEntry>()) {}

  Status addInputs(std::vector<BoundInput> inputs);
  Status walk(int depth);
  void followPadding();
  Status resolve(const Pending &pending);
  Status checkNames(const onnx::NodeProto &node);
  Status resolveKnown(const Pending &pending, ResolvedNode &result, const onnx::OpSchema &schema);
  Status resolveConstant(const onnx::NodeProto &node, ResolvedNode &result);
  const onnx::FunctionProto *bodyOf(const onnx::NodeProto &node, const onnx::OpSchema &schema);
  bool expand(const Pending &pending, const onnx::OpSchema &schema);
  bool expandContrib(const Pending &pending, const std::string &domain, ResolvedNode &result);
  bool foldShapeOf(const onnx::NodeProto &node);
  bool fold(const onnx::NodeProto &node);
  bool resolveEmpty(const Pending &pending, ResolvedNode &result);
  std::vector<onnx::NodeProto> withoutEmptyInput(const onnx::NodeProto &node, int empty);
  /// Shapes of the outputs of an operator whose results are as long as data say.
  struct Bounds {
    llvm::SmallVector<int64_t> shape; ///< of the first output
    int64_t dim = 0;                  ///< the bounded one
    llvm::SmallVector<int64_t> lists; ///< lengths of the other outputs
    int outputs = 1;                  ///< that the operator may have
  };
  std::optional<Bounds> boundsOf(const onnx::NodeProto &node);
  void boundOutputs(ResolvedNode &result);
  std::optional<int64_t> follow(const onnx::NodeProto &node, int input, int64_t dim);
  void followBounds(ResolvedNode &result);
  bool hasBounded(const onnx::NodeProto &node) const;
  std::vector<onnx::NodeProto> shapeOfBounded(const onnx::NodeProto &node);

  void infer(const onnx::NodeProto &node, const onnx::OpSchema &schema, ResolvedNode &result);
  Status checkSizes(const ResolvedNode &result);
  void checkOutputs(ResolvedNode &result);
  void push(std::vector<onnx::NodeProto> nodes, int depth);

  // A node that is another graph or says which value is which. True: it is resolved; false: it is
  // left to run time, and `result.problem` says why, or a problem of a node before it does.
  StatusOr<bool> resolveControlFlow(const Pending &pending, ResolvedNode &result);
  StatusOr<bool> resolveIf(const Pending &pending, ResolvedNode &result);
  StatusOr<bool> resolveLoop(const Pending &pending, ResolvedNode &result);
  StatusOr<bool> resolveScan(const Pending &pending, ResolvedNode &result);
  Status resolveBatchedScan(const Pending &pending, ResolvedNode &result);
  StatusOr<bool> startLoop(const Pending &pending, const ResolvedNode &result,
                           const onnx::GraphProto &body, Unrolled loop);
  Status nextIteration(Unrolled &loop);
  Status finishLoop(Unrolled &loop);
  Status leaveLoop(Unrolled &loop);

  // Control flow that stays.
  Status resolveRegion(ResolvedNode &result, int depth);
  Status resolveBranches(ResolvedNode &result, ResolvedRegion &region, int depth);
  Status resolveIterations(ResolvedNode &result, ResolvedRegion &region, const std::string &prefix,
                           int depth);
  void checkBounds(ResolvedNode &result, const ResolvedRegion &region);
  void setResultTypes(ResolvedNode &result, const ResolvedRegion &region);
  StatusOr<std::unique_ptr<ResolvedEntry>> runBody(std::vector<BoundInput> formals,
                                                   const Resolver &outer, int depth);
  void capture(const std::string &name, const Resolver &outer);
  std::optional<BoundInput> describe(const std::string &value) const;
  bool normalizeScan(Unrolled &loop);

  // Sequences and optionals. A present optional is the value that it holds.
  using Items = std::vector<const std::string *>; ///< names of tensors
  StatusOr<bool> resolveSequence(const Pending &pending, ResolvedNode &result);
  StatusOr<bool> resolveSequenceAt(const Pending &pending, ResolvedNode &result);
  StatusOr<bool> resolveSplitToSequence(const Pending &pending, ResolvedNode &result);
  StatusOr<bool> resolveConcatFromSequence(const Pending &pending, ResolvedNode &result);
  StatusOr<bool> resolveSequenceMap(const Pending &pending, ResolvedNode &result);
  StatusOr<bool> resolveOptional(const Pending &pending, ResolvedNode &result);
  /// A position that an input gives, from the front: nullopt if it is not constant, `otherwise` if
  /// it is absent.
  StatusOr<std::optional<int64_t>> positionIn(const ResolvedNode &result, int input,
                                              int64_t otherwise, int64_t last);
  Status setSequence(const ResolvedNode &node, const std::string &value, Items items);
  const std::string *intern(const std::string &name);
  void checkLists(ResolvedNode &result);
  Status addOutput(const std::string &name);

  /// Defines a constant unless it is there, and gives its name.
  std::string defineConstant(const std::string &name, SmallTensor value);
  std::string defineInts(const std::string &name, std::vector<int64_t> ints);
  /// Nodes that compute `to`: the element of a value at an index of an axis.
  void pushElement(std::vector<onnx::NodeProto> &nodes, const std::string &name,
                   const std::string &from, int64_t axis, int64_t index, const std::string &to);

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
  Budget own, &budget;
  std::unique_ptr<ResolvedEntry> entry;
  std::vector<Pending> stack; ///< the next node last
  std::set<std::string> defined;
  std::unordered_map<std::string, std::optional<SmallTensor>> decoded;
  std::map<std::string, std::unique_ptr<onnx::FunctionProto>> bodies; ///< by call
  std::deque<Unrolled> loops;
  std::unordered_map<std::string, Items> sequences;
  std::set<std::string> absent;      ///< optionals that hold nothing
  std::set<std::string> names;       ///< that sequences point to
  std::vector<std::string> captured; ///< by a body, of the graph around
  std::vector<int64_t> outputItems;  ///< by output of the graph
};

} // namespace mtc::onnx_import
