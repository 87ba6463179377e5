//===- ReadModelTests.cpp - reading models without trust ------------------===//
#include "TestModel.h"

#include "mtc/Support/File.h"

#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

namespace mtc::onnx_import {
namespace {

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

#define EXPECT_CONTAINS(text, part) EXPECT_PRED2(contains, text, part)

// A large payload becomes a reference to its place in the file; nothing of it stays in the model.
TEST(ReadModel, LargeRawDataIsReferenced) {
  TestFolder folder;
  std::string path = folder.write("m.onnx", addModel(1000).SerializeAsString());
  auto file = readModel(path, {});
  ASSERT_TRUE(file.ok()) << file.status().message();
  const onnx::TensorProto &w = file->model.graph().initializer(0);
  EXPECT_FALSE(w.has_raw_data());
  const Payload *payload = payloadOf(*file, w);
  ASSERT_NE(payload, nullptr);
  EXPECT_EQ(payload->file, path);
  EXPECT_EQ(payload->length, 4000u);
  EXPECT_FALSE(payload->proto);
  float last;
  std::memcpy(&last, file->bytes.data() + payload->offset + 3996, 4);
  EXPECT_EQ(last, 999.0f);
}

// Small payloads stay, for shape inference and folding.
TEST(ReadModel, SmallDataStaysInline) {
  TestFolder folder;
  auto file = readModel(folder.write("m.onnx", addModel(4).SerializeAsString()), {});
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(payloadOf(*file, file->model.graph().initializer(0)), nullptr);
  EXPECT_EQ(file->model.graph().initializer(0).raw_data().size(), 16u);
}

// Packed floats lie in the file as raw ones do; other typed fields are referred to as a whole.
TEST(ReadModel, TypedFields) {
  TestFolder folder;
  onnx::ModelProto model = addModel(1000);
  onnx::TensorProto &w = *model.mutable_graph()->mutable_initializer(0);
  w.clear_raw_data();
  for (int i = 0; i < 1000; ++i)
    w.add_float_data(static_cast<float>(i));
  onnx::TensorProto &v = *model.mutable_graph()->add_initializer();
  v.set_name("v");
  v.set_data_type(onnx::TensorProto::INT64);
  v.add_dims(600);
  for (int i = 0; i < 600; ++i)
    v.add_int64_data(i * 1000);
  auto file = readModel(folder.write("m.onnx", model.SerializeAsString()), {});
  ASSERT_TRUE(file.ok()) << file.status().message();
  const Payload *floats = payloadOf(*file, file->model.graph().initializer(0));
  ASSERT_NE(floats, nullptr);
  EXPECT_FALSE(floats->proto);
  EXPECT_EQ(floats->length, 4000u);
  const Payload *ints = payloadOf(*file, file->model.graph().initializer(1));
  ASSERT_NE(ints, nullptr);
  ASSERT_TRUE(ints->proto);
  onnx::TensorProto whole;
  ASSERT_TRUE(
      whole.ParseFromArray(file->bytes.data() + ints->offset, static_cast<int>(ints->length)));
  EXPECT_EQ(whole.int64_data(599), 599000);
}

// The tensors of Constant nodes, of subgraphs and of functions are found as well.
TEST(ReadModel, NestedTensors) {
  TestFolder folder;
  onnx::TensorProto large = addModel(1000).graph().initializer(0);
  onnx::ModelProto model = addModel(4);
  auto addConstant = [&](onnx::NodeProto &node) {
    node.set_op_type("Constant");
    node.add_output("c");
    onnx::AttributeProto &value = *node.add_attribute();
    value.set_name("value");
    value.set_type(onnx::AttributeProto::TENSOR);
    *value.mutable_t() = large;
  };
  addConstant(*model.mutable_graph()->add_node());
  onnx::AttributeProto &branch = *model.mutable_graph()->add_node()->add_attribute();
  addConstant(*branch.mutable_g()->add_node());
  *branch.mutable_g()->add_initializer() = large;
  addConstant(*model.add_functions()->add_node());
  auto file = readModel(folder.write("m.onnx", model.SerializeAsString()), {});
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(file->payloads.size(), 4u);
  EXPECT_LT(file->model.ByteSizeLong(), 1000u);
}

// Missing, empty, a folder, a FIFO, text, zeros: one line, never a hang.
TEST(ReadModel, NotAModel) {
  TestFolder folder;
  EXPECT_CONTAINS(readError(folder.file("missing.onnx")), "missing.onnx': No such file");
  EXPECT_CONTAINS(readError(folder.write("empty.onnx", "")), "the file is empty");
  EXPECT_CONTAINS(readError(folder.write("text.onnx", "this is no model, is it?\n")),
                  "not an ONNX model");
  EXPECT_CONTAINS(readError(folder.write("zeros.onnx", std::string(4096, '\0'))),
                  "not an ONNX model");
  EXPECT_CONTAINS(readError(folder.write("ff.onnx", std::string(4096, '\xff'))),
                  "not an ONNX model");
  EXPECT_CONTAINS(readError(folder.write("tiny.onnx", "\x08\x01")), "it has no graph");
  EXPECT_CONTAINS(readError(folder.file(".")), "is a folder");
  ASSERT_EQ(mkfifo(folder.file("fifo.onnx").c_str(), 0600), 0);
  EXPECT_CONTAINS(readError(folder.file("fifo.onnx")), "not a regular file");
}

// A file that is cut short anywhere inside the graph is refused, whatever the place.
TEST(ReadModel, CutShort) {
  TestFolder folder;
  std::string bytes = addModel(300).SerializeAsString();
  size_t graphEnd = bytes.size() - 4; // the opset import comes last
  for (size_t length = 0; length < graphEnd;
       length += length < 300 || length + 100 > graphEnd ? 1 : 37)
    EXPECT_NE(readError(folder.write("m.onnx", bytes.substr(0, length))), "") << length;
}

// A payload that has not the size that type and shape ask for.
TEST(ReadModel, WrongSize) {
  TestFolder folder;
  onnx::ModelProto model = addModel(1000);
  onnx::TensorProto &w = *model.mutable_graph()->mutable_initializer(0);
  w.set_dims(0, 999);
  EXPECT_CONTAINS(readError(folder.write("m.onnx", model.SerializeAsString())),
                  "tensor 'w' holds 4000 bytes, its type and shape need 3996");
  w.set_dims(0, -1);
  EXPECT_CONTAINS(readError(folder.write("m.onnx", model.SerializeAsString())), "negative dim");
  w.set_dims(0, int64_t(1) << 41);
  EXPECT_CONTAINS(readError(folder.write("m.onnx", model.SerializeAsString())), "more than");
  w.set_dims(0, int64_t(1) << 32);
  w.add_dims(int64_t(1) << 32); // the product is 0 modulo 2^64
  EXPECT_CONTAINS(readError(folder.write("m.onnx", model.SerializeAsString())), "more than");
  w.clear_dims();
  for (int i = 0; i < 17; ++i)
    w.add_dims(1);
  EXPECT_CONTAINS(readError(folder.write("m.onnx", model.SerializeAsString())),
                  "tensor 'w' has 17 dims, at most 16 are supported");
  w.clear_dims();
  w.add_dims(1000);
  w.clear_raw_data();
  w.add_int32_data(1);
  EXPECT_CONTAINS(readError(folder.write("m.onnx", model.SerializeAsString())),
                  "field of another type");
}

// Graphs in graphs: a cap, not the stack, ends it.
TEST(ReadModel, Nesting) {
  TestFolder folder;
  for (int depth : {31, 33, 4000}) {
    std::string graph;
    for (int i = 0; i < depth; ++i) {
      onnx::AttributeProto attribute; // built from the inside, on the wire
      auto field = [](char tag, const std::string &payload) {
        std::string out(1, tag);
        for (size_t n = payload.size();; n >>= 7) {
          out.push_back(static_cast<char>(n < 128 ? n : (n & 127) | 128));
          if (n < 128)
            break;
        }
        return out + payload;
      };
      // graph { node { attribute { g: ... } } }
      graph = field('\x0a', field('\x2a', field('\x32', graph)));
    }
    onnx::ModelProto model = addModel(4);
    std::string bytes = model.SerializeAsString();
    std::string error;
    onnx::ModelProto outer;
    outer.set_ir_version(8);
    outer.add_opset_import()->set_version(17);
    bytes = outer.SerializeAsString();
    std::string wrapped(1, '\x3a');
    for (size_t n = graph.size();; n >>= 7) {
      wrapped.push_back(static_cast<char>(n < 128 ? n : (n & 127) | 128));
      if (n < 128)
        break;
    }
    error = readError(folder.write("m.onnx", bytes + wrapped + graph));
    if (depth < 32)
      EXPECT_EQ(error, "");
    else
      EXPECT_CONTAINS(error, "graphs nest deeper than 32");
  }
}

/// A model whose w lies at `location`.
std::string externalModel(const std::string &location, const std::string &offset = "",
                          const std::string &length = "", int64_t elements = 1000) {
  onnx::ModelProto model = addModel(elements);
  onnx::TensorProto &w = *model.mutable_graph()->mutable_initializer(0);
  w.clear_raw_data();
  w.set_data_location(onnx::TensorProto::EXTERNAL);
  auto add = [&](const char *key, const std::string &value) {
    auto &entry = *w.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  };
  add("location", location);
  if (!offset.empty())
    add("offset", offset);
  if (!length.empty())
    add("length", length);
  return model.SerializeAsString();
}

// External data beside the model and below its folder; small ones are read in.
TEST(ExternalData, PlainFiles) {
  TestFolder folder;
  std::filesystem::create_directory(folder.file("sub"));
  folder.write("sub/w.bin", std::string(4096, '\1'));
  auto file = readModel(folder.write("m.onnx", externalModel("sub/w.bin", "96", "4000")), {});
  ASSERT_TRUE(file.ok()) << file.status().message();
  const Payload *payload = payloadOf(*file, file->model.graph().initializer(0));
  ASSERT_NE(payload, nullptr);
  EXPECT_EQ(payload->file, folder.file("sub/w.bin"));
  EXPECT_EQ(payload->offset, 96u);
  std::vector<uint8_t> buffer;
  auto bytes = payloadBytes(*file, *payload, buffer);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(bytes->size(), 4000u);
  EXPECT_EQ((*bytes)[3999], 1);

  auto small = readModel(folder.write("s.onnx", externalModel("sub/w.bin", "4080", "", 4)), {});
  ASSERT_TRUE(small.ok()) << small.status().message();
  EXPECT_EQ(small->model.graph().initializer(0).raw_data(), std::string(16, '\1'));
}

// Every way out of the folder, every thing that is no plain file, every range that is not inside.
TEST(ExternalData, Attacks) {
  TestFolder outside, folder;
  outside.write("secret", std::string(4000, 's'));
  folder.write("w.bin", std::string(4000, '\1'));
  std::filesystem::create_symlink(outside.file("secret"), folder.file("link"));
  std::filesystem::create_symlink(folder.file("w.bin"), folder.file("inside-link"));
  std::filesystem::create_directory_symlink(outside.file("."), folder.file("dirlink"));
  std::filesystem::create_hard_link(outside.file("secret"), folder.file("hard"));
  std::filesystem::create_directory(folder.file("dir"));
  ASSERT_EQ(mkfifo(folder.file("fifo").c_str(), 0600), 0);
  auto error = [&](const std::string &location, const std::string &offset = "",
                   const std::string &length = "") {
    return readError(folder.write("m.onnx", externalModel(location, offset, length)));
  };
  EXPECT_EQ(error("w.bin"), "");
  EXPECT_CONTAINS(error("../" + outside.file("secret").substr(5)),
                  "tensor 'w': external data '../");
  EXPECT_CONTAINS(error("../x/secret"), "leaves the model's folder");
  EXPECT_CONTAINS(error("dir/../../secret"), "leaves the model's folder");
  EXPECT_CONTAINS(error(outside.file("secret")), "leaves the model's folder");
  EXPECT_CONTAINS(error("/proc/self/exe"), "leaves the model's folder");
  EXPECT_CONTAINS(error("link"), "is a symbolic link");
  EXPECT_CONTAINS(error("inside-link"), "is a symbolic link");
  EXPECT_CONTAINS(error("dirlink/secret"), "is a symbolic link");
  EXPECT_CONTAINS(error("hard"), "has a second name");
  EXPECT_CONTAINS(error("dir"), "is not a regular file");
  EXPECT_CONTAINS(error("fifo"), "is not a regular file");
  EXPECT_CONTAINS(error("missing"), "cannot be opened");
  EXPECT_CONTAINS(error(""), "is no file name");
  EXPECT_CONTAINS(error(std::string("w.bin\0x", 7)), "is no file name");
  EXPECT_CONTAINS(error("w.bin", "4", "4000"), "has 4000 bytes, the range is 4000 bytes at 4");
  EXPECT_CONTAINS(error("w.bin", "9223372036854775807", "4000"), "has 4000 bytes");
  EXPECT_CONTAINS(error("w.bin", "0", "9223372036854775807"), "has 4000 bytes");
  EXPECT_CONTAINS(error("w.bin", "18446744073709551615"), "has the offset '18446744073709551615'");
  EXPECT_CONTAINS(error("w.bin", "-1"), "has the offset '-1'");
  EXPECT_CONTAINS(error("w.bin", "0", "1e3"), "has the length '1e3'");
  EXPECT_CONTAINS(error("w.bin", "0", "3999"),
                  "external data has 3999 bytes, its type and shape need 4000");
}

// A file cannot forge a reference to a payload: entries of the file are dropped.
TEST(ExternalData, ForgedReference) {
  TestFolder folder;
  onnx::ModelProto model = addModel(1000);
  onnx::TensorProto &forged = *model.mutable_graph()->add_initializer();
  forged = model.graph().initializer(0);
  forged.set_name("forged");
  forged.mutable_raw_data()->resize(16);
  forged.set_dims(0, 4);
  auto &entry = *forged.add_external_data();
  entry.set_key("mtc.payload");
  entry.set_value("0");
  auto file = readModel(folder.write("m.onnx", model.SerializeAsString()), {});
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(payloadOf(*file, file->model.graph().initializer(1)), nullptr);
}

} // namespace
} // namespace mtc::onnx_import
