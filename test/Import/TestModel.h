//===- TestModel.h - small ONNX files for the importer's tests ------------===//
#pragma once

#include "Steps.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace mtc::onnx_import {

/// A folder of its own, removed at the end.
class TestFolder {
public:
  TestFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mtc-import-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string &name) const { return path_ + "/" + name; }
  std::string write(const std::string &name, const std::string &bytes) const {
    std::ofstream(file(name), std::ios::binary) << bytes;
    return file(name);
  }

private:
  std::string path_;
};

inline void addInput(onnx::GraphProto &graph, const std::string &name, std::vector<int64_t> dims) {
  onnx::ValueInfoProto &input = *graph.add_input();
  input.set_name(name);
  auto &type = *input.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape();
  for (int64_t dim : dims)
    type.mutable_shape()->add_dim()->set_dim_value(dim);
}

inline onnx::NodeProto &addNode(onnx::GraphProto &graph, const std::string &op,
                                std::vector<std::string> inputs, const std::string &output) {
  onnx::NodeProto &node = *graph.add_node();
  node.set_op_type(op);
  node.set_name(op + "_" + output);
  for (const std::string &input : inputs)
    node.add_input(input);
  node.add_output(output);
  return node;
}

/// y = x + w, with `elements` floats in w (raw).
inline onnx::ModelProto addModel(int64_t elements) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  onnx::GraphProto &graph = *model.mutable_graph();
  graph.set_name("g");
  addInput(graph, "x", {elements});
  onnx::TensorProto &w = *graph.add_initializer();
  w.set_name("w");
  w.set_data_type(onnx::TensorProto::FLOAT);
  w.add_dims(elements);
  for (int64_t i = 0; i < elements; ++i) {
    float value = static_cast<float>(i);
    w.mutable_raw_data()->append(reinterpret_cast<const char *>(&value), sizeof(value));
  }
  addNode(graph, "Add", {"x", "w"}, "y");
  graph.add_output()->set_name("y");
  return model;
}

/// The message of reading the file; empty when it can be read.
inline std::string readError(const std::string &path, const ImportLimits &limits = {}) {
  auto model = readModel(path, limits);
  if (!model.ok()) {
    EXPECT_EQ(model.status().code(), ErrorCode::InvalidInput);
    EXPECT_EQ(model.status().message().find('\n'), std::string::npos);
  }
  return model.ok() ? "" : model.status().message();
}

} // namespace mtc::onnx_import
