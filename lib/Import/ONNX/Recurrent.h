//===- Recurrent.h - LSTM, GRU, RNN ---------------------------------------===//
#pragma once

#include "Builders.h"

namespace mtc::onnx_import {

using Activation = mlir::Value (*)(Scalars &, mlir::Value);

/// A recurrent layer. Gates lie side by side: [batch, gates * hidden].
struct Layer {
  NodeContext &c;
  int64_t gates, steps, batch, features, hidden, directions;
  llvm::SmallVector<Activation> activations; ///< of all directions
  mlir::Value x;                             ///< [steps, batch, features]
  bool batchFirst;
  /// How a direction multiplies by its weights, when it is not as for LSTM: x to [steps, batch,
  /// gates * hidden], h[batch, hidden] to [batch, gates * hidden].
  std::function<mlir::Value(int64_t direction, mlir::Value x)> project;
  std::function<mlir::Value(int64_t direction, mlir::Value h)> recur;

  mlir::RankedTensorType stateType() const {
    return tensorType({batch, hidden}, c.type(0).getElementType());
  }
};

/// Reads sizes and activations (`defaults` of one direction) of a node with the inputs and
/// attributes of LSTM, and checks that they fit. `weightsByColumn`: the weights are [directions,
/// features, gates * hidden] instead of the transpose.
mlir::FailureOr<Layer> readLayer(NodeContext &c, int64_t gates,
                                 llvm::ArrayRef<llvm::StringRef> defaults,
                                 bool weightsByColumn = false);

/// The results of an LSTM layer. Gates i, o, f, c; peepholes i, o, f.
Results runLstm(Layer &l);

/// Part `index` of dim 0, dropped, then a range of the next dim.
mlir::Value partOf(Builder &b, mlir::Value v, int64_t index, int64_t from, int64_t count);

Results lstm(NodeContext &c);
Results gru(NodeContext &c);
Results rnn(NodeContext &c);

} // namespace mtc::onnx_import
