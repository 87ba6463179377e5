//===- Steps.h - the importer's steps and what passes between them --------===//
//
//   file --readModel--> ModelFile --canonicalize--> one opset, no local functions
//        --bindInputs, resolveEntry (once per entry)--> ResolvedEntry: nodes with static types
//        --emitEntry--> mt.entry
//
// Nothing large is copied: readModel takes payloads above `inlineBytes` out of the model before
// protobuf sees it and leaves references, which become mt.weights.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Import/ONNX/Import.h"

#include "mlir/IR/BuiltinTypes.h"

#include <onnx/onnx_pb.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

namespace onnx {
class OpSchema;
}

namespace mtc::onnx_import {

/// The opset that handlers see. The newest of libonnx 1.23.2; going up loses the meaning of one of
/// its 1,642 node tests (Scan-8), going down that of 269 of 978.
inline constexpr int canonicalOpset = 28;

/// Payloads up to this size stay in the model, so that shape inference and folding can see them.
inline constexpr size_t inlineBytes = 1024;

/// Folded tensors are at most this large: what an mt.weight can hold by value.
inline constexpr int64_t maxFoldedElements = 8192;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// Where the bytes of a large tensor lie.
struct Payload {
  std::string file;
  uint64_t offset = 0, length = 0;
  bool proto = false;    ///< the range is a serialized TensorProto, else little-endian elements
  bool external = false; ///< in another file than the model
  std::string location;  ///< of an external one, as the model gives it
};

/// A model whose large tensors are references into `payloads`.
struct ModelFile {
  std::string path;
  std::vector<uint8_t> bytes; ///< of the file
  onnx::ModelProto model;
  std::vector<Payload> payloads;
};

/// Reads a model, its wire format first (ReadModel.cpp says why).
/// Fails if the file is missing, no ONNX model, cut short, or a tensor's bytes are missing, of the
/// wrong size or where they must not be (InvalidInput).
StatusOr<ModelFile> readModel(const std::string &path, const ImportLimits &limits);

/// Checks an external file of a model and the range in it. An absent length means up to the end.
/// Fails if `location` is no plain file (not a link, one name only) below the model's folder, or
/// the range is not inside it (InvalidInput).
StatusOr<Payload> checkExternalData(const std::string &modelPath, const std::string &location,
                                    uint64_t offset, std::optional<uint64_t> length);

/// The bytes of a payload; of an external one by way of the same checks, into `buffer`.
StatusOr<std::span<const uint8_t>> payloadBytes(const ModelFile &file, const Payload &payload,
                                                std::vector<uint8_t> &buffer);

/// The payload a tensor refers to, or null when its bytes are inline.
const Payload *payloadOf(const ModelFile &file, const onnx::TensorProto &tensor);

//===----------------------------------------------------------------------===//
// Element types and small tensors (Tensors.cpp)
//===----------------------------------------------------------------------===//

/// Bits of an element; 0 for types without a fixed size (string, undefined).
unsigned elementBits(int32_t onnxType);
/// Bits that an element takes in raw_data, or in a typed field (where floats of 6 bits are not
/// packed).
unsigned storedBits(int32_t onnxType, bool raw);
/// Bytes in raw_data, else entries in a typed field (of bytes, for types of 8 bits and fewer).
uint64_t storedBytes(int32_t onnxType, int64_t elements, bool raw);
/// The element type in the model phase: i8 for floats of 8 bits and for everything smaller; null if
/// it has none (string, complex).
mlir::Type elementType(int32_t onnxType, mlir::MLIRContext *context);
/// "f32", "i64", "bool", "u8": the caller's name of an element type; null if elementType has none.
const char *callerTypeName(int32_t onnxType);
/// "FLOAT", "STRING": ONNX's own name, for messages.
std::string onnxTypeName(int32_t onnxType);
/// "a tensor of STRING, which is not supported", "a sequence, not a tensor": why a value cannot be.
std::string describeType(const onnx::TypeProto &type);

/// The product of dims; nullopt if one is negative or the product exceeds `limit`.
std::optional<int64_t> countElements(llvm::ArrayRef<int64_t> dims, int64_t limit);
llvm::ArrayRef<int64_t> dimsOf(const onnx::TensorProto &tensor);

/// Row-major little-endian elements of an inline tensor, whatever field holds them, unpacked to at
/// least a byte each; nullopt if they are not as many as the shape says or the type has no
/// equivalent.
std::optional<std::string> inlineTensorBytes(const onnx::TensorProto &tensor);

/// A tensor small enough to compute with when compiling. Integers and bools are in `ints`,
/// wrapped to their type (u64 as its bits); floats, rounded to theirs, in `floats`. Floats of 8
/// bits and fewer are their codes, in `ints`.
struct SmallTensor {
  int32_t type = 0;
  llvm::SmallVector<int64_t> dims;
  std::vector<int64_t> ints;
  std::vector<double> floats;

  bool isFloat() const;
  int64_t size() const { return isFloat() ? floats.size() : ints.size(); }
};

/// nullopt for references, more than maxFoldedElements, strings and complex numbers.
std::optional<SmallTensor> decodeSmall(const onnx::TensorProto &tensor);
/// Inline and raw, of a type that isFoldable, f16 or bf16; of any type if it has no elements.
onnx::TensorProto encodeSmall(const SmallTensor &tensor);
/// Whether foldNode computes with a type: bool, f32, f64 and integers of at least 8 bits.
bool isFoldable(int32_t onnxType);
/// The value of an integer in `type`, wrapped.
int64_t wrapInteger(int32_t type, int64_t value);

//===----------------------------------------------------------------------===//
// Canonical form
//===----------------------------------------------------------------------===//

/// What canonicalize remembers of the model as it was.
struct Opsets {
  std::map<std::string, int64_t> original; ///< by domain, "" for ai.onnx
  std::map<std::string, int64_t> canonical;
};

/// The domain of operators that the model's opset of ai.onnx does not have; in messages it is
/// ai.onnx.
inline constexpr const char *unknownDomain = "mtc.unknown";

/// The domain of Scan as opset 8 has it, with a batch dimension; in messages it is ai.onnx.
inline constexpr const char *batchedScanDomain = "mtc.scan8";

/// Inlines local functions and converts to the canonical opset, in place.
/// Fails if that is impossible or passes a cap (InvalidInput; Unsupported for sparse tensors).
StatusOr<Opsets> canonicalize(onnx::ModelProto &model, const ImportLimits &limits);

/// Inputs of a node that are known when compiling, by name, for inference.
struct KnownInputs {
  std::unordered_map<std::string, const onnx::TensorProto *> tensors;
  std::deque<onnx::TensorProto> owned; ///< those that were changed
};
/// Makes up for what libonnx's inference does wrong: before it, on a copy of the node, and after;
/// then it says what is wrong with the node, or nothing.
void mendBeforeInference(onnx::NodeProto &node, KnownInputs &known);
struct ResolvedEntry;
std::string mendAfterInference(const onnx::NodeProto &node, const KnownInputs &known,
                               const ResolvedEntry &entry, std::vector<onnx::TypeProto> &outputs);

/// What is wrong with a node's attributes whatever its inputs are; else empty.
std::string checkAttributes(const onnx::NodeProto &node, const ImportLimits &limits);
/// What is wrong with the dims of an input that its schema restricts but does not check; else
/// empty.
std::string checkInput(const onnx::NodeProto &node, int input, llvm::ArrayRef<int64_t> dims);
/// What is wrong with a node's axis, given the rank of its first input; else empty.
std::string checkAxis(const onnx::NodeProto &node, int64_t rank);

/// Makes a function's body one for calls like `call`: its attributes or the defaults in place of
/// references to them, absent inputs gone, converted from opset `version` to the canonical one.
/// Throws what libonnx throws when it cannot convert.
void specialize(onnx::FunctionProto &function,
                const std::map<std::string, onnx::AttributeProto> &defaults,
                const onnx::NodeProto &call, llvm::ArrayRef<onnx::TypeProto> inputTypes,
                int version);
/// Copies of a specialized function's nodes in place of a call: formal names become the call's,
/// local ones unique by `prefix`.
std::vector<onnx::NodeProto> instantiate(const onnx::FunctionProto &function,
                                         const onnx::NodeProto &call, const std::string &prefix);
/// A node's name, or its first output's when it has none.
std::string nameOf(const onnx::NodeProto &node);

/// A subgraph in place of its node.
struct InlinedGraph {
  std::vector<onnx::NodeProto> nodes;
  std::vector<std::string> results; ///< the values that are the subgraph's outputs
};
/// Copies of a subgraph's nodes: its first inputs become `actuals`, what it computes unique by
/// `prefix`, its initializers by `constantPrefix`. `name` stands before the nodes' names.
InlinedGraph inlineGraph(const onnx::GraphProto &graph, llvm::ArrayRef<std::string> actuals,
                         const std::string &name, const std::string &prefix,
                         const std::string &constantPrefix);
/// The initializers of a subgraph as Constant nodes.
std::vector<onnx::NodeProto> constantsOf(const onnx::GraphProto &graph, const std::string &prefix);

//===----------------------------------------------------------------------===//
// Static shapes
//===----------------------------------------------------------------------===//

/// An input of an entry with all dims known, in the model's order.
struct BoundInput {
  std::string name;
  int32_t type;
  llvm::SmallVector<int64_t> dims;
  std::optional<onnx::TensorProto> value;              ///< inline and raw, if it is known
  std::optional<onnx::TensorProto> pad = std::nullopt; ///< one element, if it may be smaller
  std::vector<std::string> dimNames = {};              ///< of padded inputs; empty: none
};

/// The inputs of an entry. What is no tensor in the model is bound to tensors or nothing: a
/// sequence to its elements, an optional to what it holds.
struct BoundInputs {
  std::vector<BoundInput> tensors;
  std::map<std::string, int64_t> sequences; ///< their lengths; elements are among the tensors
  std::set<std::string> absent;             ///< optionals that hold nothing
};

/// The name of an element of a sequence that is an input or output: "x/0".
std::string elementName(const std::string &sequence, int64_t index);

/// Gives every dim of every input a value.
/// Fails if one is left, or a name or shape does not fit the model (InvalidInput, all unbound dims
/// at once).
StatusOr<BoundInputs> bindInputs(const onnx::GraphProto &graph, const std::string &tenant,
                                 const EntryBinding &binding, const ImportLimits &limits);

/// The schema of an operator: libonnx's, or ours for domains that it does not know; null if there
/// is none. (MicrosoftOps.cpp)
const onnx::OpSchema *findSchema(const std::string &domain, const std::string &op, int64_t version);

/// The shape that a value has whatever its input's dims are: a file's, or that of a list of numbers
/// for an input of rank 1 or unknown rank; else nullopt.
std::optional<std::vector<int64_t>> shapeOfValue(const InputValue &value,
                                                 const onnx::TypeProto_Tensor &type);
/// A value in the type and shape of its input.
/// Fails if it has another type, shape or number of elements, more than maxFoldedElements, or a
/// number is none of the type (InvalidInput; Unsupported for types that numbers cannot be written
/// in).
StatusOr<onnx::TensorProto> bindValue(const BoundInput &input, const InputValue &value);

struct ResolvedRegion;

/// A node that has to be computed when the entry runs, or that cannot be.
struct ResolvedNode {
  const onnx::NodeProto *node = nullptr;
  std::string domain;
  std::string name;        ///< the node's, or its first output's
  std::string problem;     ///< why it cannot be compiled; else empty
  bool invalid = false;    ///< the problem is an error of the model, not of the compiler
  bool unresolved = false; ///< an input has no static type, because of a node before
  std::set<int> wanted;    ///< inputs whose values were asked for and are not known
  std::shared_ptr<ResolvedRegion> region; ///< of control flow
};

/// A dim that has its most when compiling: its true extent is a value, an i64 of rank 0.
struct BoundedDim {
  int64_t dim = 0;
  std::string extent;
};

/// The types and constants of all values of an entry, and its live nodes in execution order.
///
/// Ownership: nodes and constants point into the model or into `ownedNodes` and `ownedTensors`.
struct ResolvedEntry {
  std::vector<BoundInput> inputs;
  std::vector<std::string> outputs;
  std::unordered_map<std::string, onnx::TypeProto *> types;
  std::unordered_map<std::string, const onnx::TensorProto *>
      constants; ///< large ones as references
  std::vector<ResolvedNode> nodes;
  std::unordered_map<std::string, BoundedDim> bounded; ///< by value; extents are outputs, too
  /// By output: [dim, input, dim of the input, ...], where a dim is named like one of a padded
  /// input.
  std::map<std::string, std::vector<int64_t>> follows;

  std::deque<onnx::TypeProto> ownedTypes;
  std::deque<onnx::TensorProto> ownedTensors;
  std::deque<onnx::NodeProto> ownedNodes;

  /// The dims of a value whose shape is static, else nullopt.
  std::optional<llvm::SmallVector<int64_t>> staticDims(const std::string &value) const;
  int32_t typeOf(const std::string &value) const;
  /// The inputs from which the wanted inputs of `node` are computed, if all of them are small
  /// enough that a user could know their values; else none. Complexity: linear in the entry.
  std::vector<std::string> wantedValues(const ResolvedNode &node) const;
};

/// Control flow at run time, as mt.region_task has it.
struct ResolvedRegion {
  bool isLoop = false;
  std::vector<std::unique_ptr<ResolvedEntry>> bodies; ///< inputs and outputs as of the op's bodies
  /// Values of the graph around: of an If the condition and what it captures, of a Loop the trip
  /// count, the condition, carried, scanned and captured ones.
  std::vector<std::string> operands;
  std::vector<std::string> results; ///< names of its results in the graph around
  int64_t carried = 0, scanned = 0;
  int64_t maxTrips = 0, expected = 0;
  std::optional<int64_t> length; ///< the number of iterations, if it is known
};

/// Walks the nodes once, in order: infers types with libonnx's schemas, folds what is constant and
/// small, takes the branch of an If whose condition is constant, unrolls loops whose iterations can
/// be counted, follows sequences and optionals, expands functions without a handler. Since nodes
/// are in topological order, one walk is the fixed point of inference and folding. Fails if the
/// graph is not well formed or passes a cap (InvalidInput). Nodes that cannot be compiled are
/// marked.
StatusOr<std::unique_ptr<ResolvedEntry>> resolveEntry(const ModelFile &file, const Opsets &opsets,
                                                      BoundInputs inputs,
                                                      const ImportLimits &limits);

/// The outputs of a node from its constant inputs (null where absent), or nullopt when the operator
/// is not one that shapes are computed with or the result is left to run time (division by zero,
/// casts out of range).
std::optional<std::vector<SmallTensor>> foldNode(const onnx::NodeProto &node,
                                                 llvm::ArrayRef<const SmallTensor *> inputs);

} // namespace mtc::onnx_import
