//===- Recurrent.h - LSTM, GRU, RNN ---------------------------------------===//
#pragma once

#include "Builders.h"

namespace mtc::onnx_import {

Results lstm(NodeContext &c);
Results gru(NodeContext &c);
Results rnn(NodeContext &c);

} // namespace mtc::onnx_import
