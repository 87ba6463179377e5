//===- ControlFlowTests.cpp - subgraphs that would never end --------------===//
#include "ImportTest.h"

namespace mtc::onnx_import {
namespace {

onnx::GraphProto &addSubgraph(onnx::NodeProto &node, const std::string &name) {
  onnx::AttributeProto &attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::GRAPH);
  attribute.mutable_g()->set_name(name);
  return *attribute.mutable_g();
}

void addFormal(onnx::GraphProto &graph, const std::string &name, int32_t type) {
  onnx::ValueInfoProto &input = *graph.add_input();
  input.set_name(name);
  input.mutable_type()->mutable_tensor_type()->set_elem_type(type);
}

void addScalar(onnx::GraphProto &graph, const std::string &name, int32_t type, int64_t value) {
  onnx::TensorProto &tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(type);
  if (type == onnx::TensorProto::INT64)
    tensor.add_int64_data(value);
  else
    tensor.add_int32_data(static_cast<int32_t>(value));
}

/// output = Loop(trips, true, carried...) with a body (i, c, s...) -> (c, ...), whose nodes and
/// other outputs are left to the caller.
onnx::GraphProto &addLoop(onnx::GraphProto &graph, const std::string &trips,
                          std::vector<std::string> carried, const std::string &output) {
  std::vector<std::string> inputs = {trips, "true"};
  inputs.insert(inputs.end(), carried.begin(), carried.end());
  onnx::GraphProto &body = addSubgraph(addNode(graph, "Loop", inputs, output), "body");
  addFormal(body, output + "i", onnx::TensorProto::INT64);
  addFormal(body, output + "c", onnx::TensorProto::BOOL);
  for (size_t i = 0; i < carried.size(); ++i)
    addFormal(body, output + "s" + std::to_string(i), onnx::TensorProto::FLOAT);
  body.add_output()->set_name(output + "c");
  return body;
}

/// y = x + w and what loops are made with.
onnx::ModelProto loopModel(int64_t trips) {
  onnx::ModelProto model = addModel(4);
  addScalar(*model.mutable_graph(), "trips", onnx::TensorProto::INT64, trips);
  addScalar(*model.mutable_graph(), "true", onnx::TensorProto::BOOL, 1);
  model.mutable_graph()->mutable_output(0)->set_name("z");
  return model;
}

/// z = the loop that adds y to itself.
onnx::ModelProto addingLoop(int64_t trips) {
  onnx::ModelProto model = loopModel(trips);
  onnx::GraphProto &body = addLoop(*model.mutable_graph(), "trips", {"y"}, "z");
  addNode(body, "Add", {"zs0", "y"}, "r");
  body.add_output()->set_name("r");
  return model;
}

using ControlFlowTest = ImportTest;

// 280 bytes that ask for 2^63 - 1 iterations, and nearly no iterations at all.
TEST_F(ControlFlowTest, EndlessLoop) {
  EXPECT_REFUSED(import(addingLoop(INT64_MAX)),
                 "node 'Loop_z': runs 9223372036854775807 iterations, at most 100000 are allowed");
  EXPECT_LT(seconds, 1.0);
  for (int64_t trips : {INT64_MIN, int64_t(-1), int64_t(0), int64_t(3)})
    EXPECT_TRUE(import(addingLoop(trips)).ok()) << trips;
}

// A loop in a loop in a loop, each below the cap: together they are not unrolled, and
// run, if at all, up to the cap of run time.
TEST_F(ControlFlowTest, UnrollingBomb) {
  onnx::ModelProto model = loopModel(16);
  onnx::GraphProto *graph = model.mutable_graph();
  std::string value = "y";
  for (int depth = 0; depth < 8; ++depth) {
    std::string output = depth ? value + "r" : "z";
    onnx::GraphProto &body = addLoop(*graph, "trips", {value}, output);
    body.add_output()->set_name(output + "s0r");
    value = output + "s0";
    graph = &body;
  }
  addNode(*graph, "Neg", {value}, value + "r");
  EXPECT_EQ(import(model).message(), "");
  EXPECT_LT(seconds, 1.0);
}

// 2^14 Ifs, each with two more in it: refused before they are parsed, since a graph of a few bytes
// is a hundred times as large in memory.
TEST_F(ControlFlowTest, NestedIfs) {
  onnx::ModelProto model = loopModel(1);
  onnx::NodeProto leaf;
  leaf.set_op_type("Neg");
  leaf.add_input("y");
  leaf.add_output("r");
  for (int depth = 0; depth < 14; ++depth) {
    onnx::NodeProto node;
    node.set_op_type("If");
    node.add_input("true");
    node.add_output("r");
    for (const char *branch : {"then_branch", "else_branch"}) {
      onnx::GraphProto &graph = addSubgraph(node, branch);
      *graph.add_node() = leaf;
      graph.add_output()->set_name("r");
    }
    leaf.Swap(&node);
  }
  leaf.set_output(0, "z");
  *model.mutable_graph()->add_node() = leaf;
  EXPECT_REFUSED(import(model), "has more than 10000 subgraphs");
  EXPECT_LT(seconds, 1.0);
}

// Deeper than 32 graphs in each other.
TEST_F(ControlFlowTest, DeepIfs) {
  onnx::ModelProto model = loopModel(1);
  onnx::GraphProto *graph = model.mutable_graph();
  for (int depth = 0; depth < 40; ++depth) {
    onnx::NodeProto &node = addNode(*graph, "If", {"true"}, "z" + std::string(depth, '.'));
    std::string inner = "z" + std::string(depth + 1, '.');
    onnx::GraphProto &other = addSubgraph(node, "else_branch");
    addNode(other, "Neg", {"y"}, "other");
    other.add_output()->set_name("other");
    graph = &addSubgraph(node, "then_branch");
    graph->add_output()->set_name(inner);
  }
  addNode(*graph, "Neg", {"y"}, "z" + std::string(40, '.'));
  EXPECT_REFUSED(import(model), "graphs nest deeper than 32");
  EXPECT_LT(seconds, 1.0);
}

// A sequence that a loop appends to: each append copies the list, so lengths add up.
TEST_F(ControlFlowTest, GrowingSequence) {
  onnx::ModelProto model = loopModel(4000);
  onnx::GraphProto &graph = *model.mutable_graph();
  addNode(graph, "SequenceEmpty", {}, "empty");
  onnx::GraphProto &body = addLoop(graph, "trips", {"empty"}, "all");
  addNode(body, "SequenceInsert", {"alls0", "y"}, "longer");
  body.add_output()->set_name("longer");
  addNode(graph, "SequenceLength", {"all"}, "z");
  EXPECT_REFUSED(import(model), "all sequences together have more than 1000000 elements");
  EXPECT_LT(seconds, 1.0);
  model.mutable_graph()->mutable_initializer(1)->set_int64_data(0, 1000);
  EXPECT_TRUE(import(model).ok());
}

// 2^40 parts of one element.
TEST_F(ControlFlowTest, SplitBomb) {
  onnx::ModelProto model = loopModel(1);
  onnx::GraphProto &graph = *model.mutable_graph();
  model.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_value(int64_t(1) << 40);
  addNode(graph, "SplitToSequence", {"x"}, "parts");
  addNode(graph, "SequenceAt", {"parts", "trips"}, "z");
  graph.mutable_node(0)->set_input(1, "x");
  Status status = import(model);
  EXPECT_EQ(status.code(), ErrorCode::Unsupported);
  EXPECT_PRED2(contains, status.message(), "it has more than 4096 parts");
  EXPECT_LT(seconds, 1.0);
}

// Graphs that contradict their node, positions that are none.
TEST_F(ControlFlowTest, Misfits) {
  onnx::ModelProto model = addingLoop(2);
  model.mutable_graph()->mutable_node(1)->mutable_attribute(0)->mutable_g()->clear_output();
  EXPECT_REFUSED(import(model), "node 'Loop_z': has 3 inputs and 1 outputs, its body 3 and 0");
  model = addingLoop(2);
  model.mutable_graph()
      ->mutable_node(1)
      ->mutable_attribute(0)
      ->mutable_g()
      ->mutable_input()
      ->RemoveLast();
  EXPECT_REFUSED(import(model), "node 'Loop_z': has 3 inputs and 1 outputs, its body 2 and 2");

  model = loopModel(2);
  addNode(*model.mutable_graph(), "SequenceConstruct", {"x", "y"}, "both");
  addNode(*model.mutable_graph(), "SequenceAt", {"both", "trips"}, "z");
  EXPECT_REFUSED(import(model), "node 'SequenceAt_z': position 2 of a sequence of 2");
  model.mutable_graph()->mutable_node(2)->set_op_type("Relu");
  model.mutable_graph()->mutable_node(2)->mutable_input()->RemoveLast();
  Status status = import(model);
  EXPECT_EQ(status.code(), ErrorCode::Unsupported);
  EXPECT_PRED2(contains, status.message(), "its input 'both' is a sequence");
  model.mutable_graph()->mutable_node(2)->set_op_type("SequenceLength");
  model.mutable_graph()->mutable_node(2)->set_input(0, "x");
  EXPECT_REFUSED(import(model), "its input 'x' is not a sequence");
  model.mutable_graph()->mutable_node(2)->set_op_type("OptionalGetElement");
  model.mutable_graph()->mutable_node(2)->clear_input();
  EXPECT_REFUSED(import(model), "SequenceAt_z");
}

} // namespace
} // namespace mtc::onnx_import
