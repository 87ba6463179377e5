//===- NodeContext.h - what the handler of one ONNX operator sees ---------===//
//
// A handler turns one node, of the canonical opset and with static shapes, into tensor SSA of
// upstream dialects. It is a free function in the file of its family, listed in that family's
// table by name and since-version (the newest since-version that is not above the node's opset wins).
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"

#include <onnx/onnx_pb.h>

#include <functional>
#include <optional>

namespace mtc::onnx_import {

/// Model-phase values: bool is i8 holding 0 or 1, unsigned integers are signless of their width (the ONNX element
/// type tells them apart).
class NodeContext {
public:
  mlir::ImplicitLocOpBuilder &b;
  const onnx::NodeProto &node;
  int64_t opset = 0;                                    ///< of the node's domain
  llvm::ArrayRef<mlir::Value> inputs;                   ///< null where an optional input is absent
  llvm::ArrayRef<int32_t> inputTypes;                   ///< onnx::TensorProto::DataType; 0 where absent
  llvm::ArrayRef<mlir::RankedTensorType> resultTypes;   ///< static; null where an optional output is absent
  llvm::ArrayRef<int32_t> outputTypes;                  ///< onnx::TensorProto::DataType

  mlir::Value input(unsigned i) const { return i < inputs.size() ? inputs[i] : mlir::Value(); }
  mlir::RankedTensorType type(unsigned i) const {
    return llvm::cast<mlir::RankedTensorType>(inputs[i].getType());
  }
  bool hasInput(unsigned i) const { return static_cast<bool>(input(i)); }

  // Attributes, with the default of the schema given by the caller.
  const onnx::AttributeProto *attribute(llvm::StringRef name) const;
  int64_t intAttr(llvm::StringRef name, int64_t otherwise) const;
  float floatAttr(llvm::StringRef name, float otherwise) const;
  std::string stringAttr(llvm::StringRef name, llvm::StringRef otherwise) const;
  llvm::SmallVector<int64_t> intsAttr(llvm::StringRef name, llvm::ArrayRef<int64_t> otherwise = {}) const;

  /// The integers of an input that is known when compiling (a shape, axes, pads), flattened; else nullopt.
  std::optional<llvm::SmallVector<int64_t>> constantInts(unsigned i) const { return constantIntsOf(i); }
  /// The floating-point values of an input that is known when compiling and small (scales, limits); else nullopt.
  std::optional<llvm::SmallVector<double>> constantFloats(unsigned i) const { return constantFloatsOf(i); }
  /// A new small constant of the program as a tensor value (an mt.weight with a value, then mt.get_weight).
  mlir::Value constant(mlir::DenseElementsAttr value) { return makeConstant(value); }

  /// Records why this node cannot be compiled and fails. Import goes on, so that all such nodes are reported at once.
  mlir::LogicalResult reject(const llvm::Twine &reason);

  // Set by the importer.
  std::function<std::optional<llvm::SmallVector<int64_t>>(unsigned)> constantIntsOf;
  std::function<std::optional<llvm::SmallVector<double>>(unsigned)> constantFloatsOf;
  std::function<mlir::Value(mlir::DenseElementsAttr)> makeConstant;
  std::string rejection;   ///< the reason, once rejected
};

/// One value per output of the node, of the types in resultTypes; null where the output is absent.
using Results = mlir::FailureOr<llvm::SmallVector<mlir::Value>>;
using Handler = Results (*)(NodeContext &);

/// A row of the operator table; `types` and `notes` go into docs/operators.md.
struct OpRow {
  const char *domain;       ///< "" is ai.onnx
  const char *name;
  int64_t sinceVersion;
  Handler handler;
  const char *types;
  const char *notes;
};

// The families, one .cpp each.
llvm::ArrayRef<OpRow> elementwiseOps();    ///< arithmetic, comparison, logic, math, Cast, Where, Clip
llvm::ArrayRef<OpRow> activationOps();     ///< Relu, Sigmoid, HardSigmoid, Erf, Gelu, Softmax, ...
llvm::ArrayRef<OpRow> contractionOps();    ///< MatMul, Gemm, Conv, ConvTranspose
llvm::ArrayRef<OpRow> poolingOps();        ///< MaxPool, AveragePool, Global*Pool
llvm::ArrayRef<OpRow> reductionOps();      ///< Reduce*, ArgMax, CumSum
llvm::ArrayRef<OpRow> normalizationOps();  ///< BatchNormalization, LayerNormalization, ...
llvm::ArrayRef<OpRow> shapeOps();          ///< Reshape, Flatten, Squeeze, Unsqueeze, Identity, Expand, Shape, ...
llvm::ArrayRef<OpRow> microsoftOps();      ///< operators of com.microsoft
llvm::ArrayRef<OpRow> moveOps();           ///< Transpose, Concat, Slice, Split, Pad, Gather*, Scatter*, Resize, Tile
llvm::ArrayRef<OpRow> attentionOps();      ///< Attention, TensorScatter
llvm::ArrayRef<OpRow> samplingOps();       ///< AffineGrid, GridSample, RoiAlign, DeformConv, ...
llvm::ArrayRef<OpRow> signalOps();         ///< DFT, STFT, MelWeightMatrix
llvm::ArrayRef<OpRow> randomOps();         ///< Random*, Multinomial, Dropout
llvm::ArrayRef<OpRow> trainingOps();       ///< Adagrad, Adam, Momentum
llvm::ArrayRef<OpRow> textOps();           ///< TfIdfVectorizer
llvm::ArrayRef<OpRow> compactOps();        ///< NonZero, Compress, Unique, NonMaxSuppression
llvm::ArrayRef<OpRow> mlOps();             ///< ai.onnx.ml

/// The row for a node, or null. Complexity: a hash lookup.
const OpRow *findOp(llvm::StringRef domain, llvm::StringRef name, int64_t opset);

} // namespace mtc::onnx_import
