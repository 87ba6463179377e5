//===- ImportTests.cpp - hostile models end in one line, soon -------------===//
#include "ImportTest.h"

namespace mtc::onnx_import {
namespace {

// A weight above the inline limit is a reference with a content hash; equal ones of a tenant are
// one.
TEST_F(ImportTest, LargeWeights) {
  onnx::ModelProto model = addModel(1000);
  onnx::GraphProto &graph = *model.mutable_graph();
  *graph.add_initializer() = graph.initializer(0);
  graph.mutable_initializer(1)->set_name("copy");
  addNode(graph, "Mul", {"y", "copy"}, "z");
  graph.mutable_output(0)->set_name("z");
  ASSERT_TRUE(import(model).ok());
  auto weights = llvm::to_vector(program.getBody().getOps<mt::WeightOp>());
  ASSERT_EQ(weights.size(), 1u);
  EXPECT_EQ(weights[0].getSymName(), "t.w");
  EXPECT_EQ(weights[0].getFile(), folder.file("t.onnx"));
  EXPECT_EQ(weights[0].getHash()->size(), 64u);
  EXPECT_FALSE(weights[0].getProto());

  // The same bytes in another tenant have the same hash, by which weights are shared later.
  ASSERT_TRUE(importBytes(model.SerializeAsString(), "u").ok());
  weights = llvm::to_vector(program.getBody().getOps<mt::WeightOp>());
  ASSERT_EQ(weights.size(), 2u);
  EXPECT_EQ(weights[0].getHash(), weights[1].getHash());
}

// Cut short at any place: an error and an empty program, or (only past the graph) a model that says
// so.
TEST_F(ImportTest, CutShort) {
  std::string bytes = addModel(300).SerializeAsString();
  for (size_t length = 0; length < bytes.size();
       length += length < 60 || length + 60 > bytes.size() ? 1 : 61)
    EXPECT_REFUSED(importBytes(bytes.substr(0, length)), "t: ");
}

// One byte changed anywhere in the structure never crashes.
TEST_F(ImportTest, ChangedBytes) {
  std::string bytes = addModel(4).SerializeAsString();
  for (size_t at = 0; at < bytes.size(); ++at)
    for (int change : {0x01, 0x08, 0x40, 0x80, 0xff}) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ change);
      Status status = importBytes(changed);
      if (!status.ok())
        EXPECT_TRUE(isEmpty());
      program.getBody().front().clear();
    }
}

// 40 functions that call each other twice are 2^40 nodes: counted before they are inlined.
TEST_F(ImportTest, FunctionBomb) {
  onnx::ModelProto model = addModel(4);
  model.add_opset_import()->set_domain("local");
  model.mutable_opset_import(1)->set_version(1);
  for (int i = 0; i < 30; ++i) {
    onnx::FunctionProto &f = *model.add_functions();
    f.set_domain("local");
    f.set_name("f" + std::to_string(i));
    f.add_input("a");
    f.add_output("b");
    *f.add_opset_import() = model.opset_import(0);
    *f.add_opset_import() = model.opset_import(1);
    for (const char *step : {"m", "b"}) {
      onnx::NodeProto &node = *f.add_node();
      node.set_op_type(i ? "f" + std::to_string(i - 1) : "Neg");
      node.set_domain(i ? "local" : "");
      node.add_input(*step == 'm' ? "a" : "m");
      node.add_output(step);
    }
  }
  onnx::NodeProto &call = addNode(*model.mutable_graph(), "f29", {"y"}, "z");
  call.set_domain("local");
  EXPECT_REFUSED(import(model), "more than 1000000 nodes once its local functions are expanded");
  EXPECT_LT(seconds, 1.0);

  // A function that calls itself.
  model.mutable_functions(0)->mutable_node(0)->set_op_type("f29");
  model.mutable_functions(0)->mutable_node(0)->set_domain("local");
  EXPECT_REFUSED(import(model), "local functions call each other deeper than 32");
}

// As many nodes as the largest known model, of an older opset, with shapes computed as exporters
// do.
TEST_F(ImportTest, LargeModel) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  onnx::GraphProto &graph = *model.mutable_graph();
  graph.set_name("g");
  addInput(graph, "v0", {4, 8});
  auto constant = [&](const char *name, int32_t type, std::vector<int64_t> dims, size_t bytes) {
    onnx::TensorProto &tensor = *graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    tensor.mutable_dims()->Assign(dims.begin(), dims.end());
    tensor.mutable_raw_data()->resize(bytes, '\0');
    return tensor.mutable_raw_data()->data();
  };
  constant("zero", onnx::TensorProto::INT64, {}, 8);
  constant("zeros", onnx::TensorProto::INT64, {1}, 8);
  constant("eight", onnx::TensorProto::INT64, {1}, 8)[0] = 8;
  constant("w", onnx::TensorProto::FLOAT, {8, 8}, 256);
  for (int i = 0; i < 350; ++i) {
    auto value = [i](const char *name) { return name + std::to_string(i); };
    std::string next = "v" + std::to_string(i + 1);
    addNode(graph, "Shape", {value("v")}, value("shape"));
    addNode(graph, "Gather", {value("shape"), "zero"}, value("rows"));
    addNode(graph, "Unsqueeze", {value("rows"), "zeros"}, value("row"));
    onnx::AttributeProto &axis =
        *addNode(graph, "Concat", {value("row"), "eight"}, value("both")).add_attribute();
    axis.set_name("axis");
    axis.set_type(onnx::AttributeProto::INT);
    addNode(graph, "Reshape", {value("v"), value("both")}, value("same"));
    addNode(graph, "MatMul", {value("same"), "w"}, value("product"));
    addNode(graph, "Add", {value("product"), value("v")}, value("sum"));
    addNode(graph, "Relu", {value("sum")}, next);
  }
  graph.add_output()->set_name("v350");
  ASSERT_EQ(graph.node_size(), 2800);
  Status status = import(model);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_LT(seconds, 2.0);
  RecordProperty("seconds", std::to_string(seconds));
}

// Sizes of 2^40 elements and more, by a constant and by multiplication.
TEST_F(ImportTest, SizeBombs) {
  onnx::ModelProto model = addModel(4);
  onnx::GraphProto &graph = *model.mutable_graph();
  onnx::TensorProto &shape = *graph.add_initializer();
  shape.set_name("shape");
  shape.set_data_type(onnx::TensorProto::INT64);
  shape.add_dims(3);
  for (int64_t dim : {int64_t(1) << 30, int64_t(1) << 30, int64_t(4)})
    shape.add_int64_data(dim);
  addNode(graph, "Expand", {"y", "shape"}, "z");
  graph.mutable_output(0)->set_name("z");
  EXPECT_REFUSED(import(model),
                 "node 'Expand_z': its output 'z' has more than 1099511627776 elements");

  onnx::ModelProto wide = addModel(4);
  wide.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_value(int64_t(1) << 50);
  EXPECT_REFUSED(import(wide), "input 'x' has more than 1099511627776 elements");
  EXPECT_LT(seconds, 1.0);
}

// A graph that is no graph: unknown values, values defined twice, outputs that nobody computes.
TEST_F(ImportTest, BrokenGraphs) {
  onnx::ModelProto model = addModel(4);
  model.mutable_graph()->mutable_node(0)->set_input(0, "nowhere");
  EXPECT_REFUSED(import(model), "nowhere");
  model = addModel(4);
  addNode(*model.mutable_graph(), "Neg", {"x"}, "y");
  EXPECT_REFUSED(import(model), "'y' ");
  model = addModel(4);
  model.mutable_graph()->mutable_output(0)->set_name("nothing");
  EXPECT_REFUSED(import(model), "nothing");
  model = addModel(4);
  model.mutable_graph()->clear_output();
  EXPECT_REFUSED(import(model), "the graph has no outputs");
  model = addModel(4);
  model.mutable_graph()->mutable_node(0)->add_input("x");
  EXPECT_REFUSED(import(model), "Add");
  model = addModel(4);
  model.clear_opset_import();
  EXPECT_REFUSED(import(model), "it imports no opset");
  model.add_opset_import()->set_version(99);
  EXPECT_REFUSED(import(model), "uses opset 99, known are 1 to 28");
}

// Shapes that contradict each other once they are known: the node is named.
TEST_F(ImportTest, ShapeMismatch) {
  onnx::ModelProto model = addModel(4);
  model.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_value(3);
  EXPECT_REFUSED(import(model), "node 'Add_y': ");
}

// Attributes that libonnx's inference would index and divide by without a look.
TEST_F(ImportTest, AttributesOutOfRange) {
  auto withAttribute = [](const std::string &op, const std::string &name, int64_t value) {
    onnx::ModelProto model = addModel(4);
    model.mutable_graph()->mutable_node(0)->set_op_type(op);
    if (op != "LayerNormalization")
      model.mutable_graph()->mutable_node(0)->mutable_input()->RemoveLast();
    onnx::AttributeProto &attribute = *model.mutable_graph()->mutable_node(0)->add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(value);
    return model;
  };
  EXPECT_REFUSED(import(withAttribute("LayerNormalization", "axis", INT64_MAX)),
                 "node 'Add_y': attribute 'axis' is 9223372036854775807, out of range");
  EXPECT_REFUSED(import(withAttribute("Softmax", "axis", 1)),
                 "node 'Add_y': axis 1 of a tensor of rank 1");
  EXPECT_TRUE(import(withAttribute("Softmax", "axis", -1)).ok());
}

// Sparse tensors, strings and control flow are unsupported, not invalid.
TEST_F(ImportTest, UnsupportedKinds) {
  onnx::ModelProto model = addModel(4);
  model.mutable_graph()->add_sparse_initializer()->mutable_values()->set_name("s");
  Status status = import(model);
  EXPECT_EQ(status.code(), ErrorCode::Unsupported) << status.message();
  EXPECT_PRED2(contains, status.message(), "'s' is a sparse tensor");

  model = addModel(4);
  model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::STRING);
  status = import(model);
  EXPECT_EQ(status.code(), ErrorCode::Unsupported) << status.message();
  EXPECT_TRUE(isEmpty());
}

// A bool that is neither 0 nor 1 would break every kernel that selects by it.
TEST_F(ImportTest, BoolBytes) {
  onnx::ModelProto model = addModel(4);
  onnx::GraphProto &graph = *model.mutable_graph();
  onnx::TensorProto &mask = *graph.add_initializer();
  mask.set_name("mask");
  mask.set_data_type(onnx::TensorProto::BOOL);
  mask.add_dims(4);
  mask.set_raw_data(std::string("\1\0\2\0", 4));
  addNode(graph, "Where", {"mask", "x", "y"}, "z");
  graph.mutable_output(0)->set_name("z");
  EXPECT_REFUSED(import(model), "tensor 'mask' is of type BOOL");
}

} // namespace
} // namespace mtc::onnx_import
