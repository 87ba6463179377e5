//===- Cases.h - the node tests of ONNX as files --------------------------===//
//
// A case is a folder: model.onnx, test_data_set_0/{input,output}_i.pb, as onnx's own test
// collection writes them (dump-cases.py). This is the only part of the suite that sees protobuf.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mtc::conformance {

/// A tensor of a case's data, decoded: little-endian, row-major, one number per byte or more.
struct CaseTensor {
  std::string name;        ///< as the compiled entry calls it: element i of a sequence x is "x/i"
  std::string elementType; ///< "f32", as the runtime calls it
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;
};

struct Case {
  std::string name, model; ///< of the folder; the path of model.onnx
  bool plain = false;      ///< no `_expanded`, tensors of f32, i32, i64 and bool only
  double rtol = 0, atol = 0;
  std::vector<CaseTensor> inputs, outputs;
  std::vector<std::string> empty; ///< inputs: sequences without elements, optionals without value
  bool isRandom = false;          ///< its operators' results are random by their schemas
  std::string problem; ///< not empty: its data cannot be fed ("strings"), with the reason
};

/// Reads the case in `folder`/`name`.
/// Fails if a file is missing or malformed (InvalidInput).
StatusOr<Case> readCase(const std::string &folder, const std::string &name);

} // namespace mtc::conformance
