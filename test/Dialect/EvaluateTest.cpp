//===- EvaluateTest.cpp - tests of the bytes of weights -------------------===//
#include "mtc/Dialect/MT/Evaluation/Evaluate.h"
#include "mtc/Dialect/MT/IR/Register.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <random>

using namespace mlir;
using namespace mtc::mt;

namespace {

class EvaluateTest : public ::testing::Test {
protected:
  EvaluateTest() {
    DialectRegistry registry;
    mtc::registerMtcDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  /// Writes a file that weights refer to and returns its path.
  std::string write(const std::vector<uint8_t> &bytes) {
    std::string path = ::testing::TempDir() + "mtc-evaluate-" +
                       ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char *>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return path;
  }

  /// Parses a program with the given weights.
  ProgramOp parse(const std::string &weights) {
    module = parseSourceString<ModuleOp>("mt.program @p {\n" + weights + "\n}", &context);
    return module ? *module->getBody()->getOps<ProgramOp>().begin() : ProgramOp();
  }

  /// Bytes of the weight called `name`.
  mtc::StatusOr<TensorBytes> evaluate(ProgramOp program, StringRef name) {
    Evaluation evaluation(program);
    return evaluation.bytesOf(SymbolTable(program).lookup<WeightOp>(name));
  }

  template <typename T> static std::vector<T> elements(const TensorBytes &bytes) {
    std::vector<T> values(bytes.data.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data.data(), bytes.data.size());
    return values;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

/// Appends a field of the wire format.
void putVarint(std::vector<uint8_t> &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out.push_back(static_cast<uint8_t>(value) | 0x80);
  out.push_back(static_cast<uint8_t>(value));
}
void putNumber(std::vector<uint8_t> &out, int field, uint64_t value) {
  putVarint(out, static_cast<uint64_t>(field) << 3);
  putVarint(out, value);
}
void putBytes(std::vector<uint8_t> &out, int field, const std::vector<uint8_t> &bytes) {
  putVarint(out, static_cast<uint64_t>(field) << 3 | 2);
  putVarint(out, bytes.size());
  out.insert(out.end(), bytes.begin(), bytes.end());
}
std::vector<uint8_t> packed(const std::vector<uint64_t> &values) {
  std::vector<uint8_t> out;
  for (uint64_t v : values)
    putVarint(out, v);
  return out;
}
template <typename T> std::vector<uint8_t> rawBytes(const std::vector<T> &values) {
  std::vector<uint8_t> out(values.size() * sizeof(T));
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

// Raw bytes in a file are what the file holds, at an offset that no number is aligned to as well.
TEST_F(EvaluateTest, RawBytes) {
  std::vector<uint8_t> file = {0};
  for (uint8_t b : rawBytes<float>({1.5f, -2.0f}))
    file.push_back(b);
  auto program = parse("mt.weight @w : tensor<2xf32> from(\"" + write(file) + "\" at 1)");
  auto bytes = evaluate(program, "w");
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  EXPECT_EQ(elements<float>(*bytes), (std::vector<float>{1.5f, -2.0f}));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes->data.data()) % alignof(float), 0u);
}

struct ProtoCase {
  const char *type;
  int dataType;
  int field;
  std::vector<uint8_t> payload, expected;
};

// Every non-raw field of TensorProto, for every element type that uses it; fields that do not
// matter are skipped.
TEST_F(EvaluateTest, TensorProtoFields) {
  uint64_t minusOne = ~uint64_t(0);
  std::vector<ProtoCase> cases = {
      {"2xf32", 1, 4, rawBytes<float>({1, 2}), rawBytes<float>({1, 2})},
      {"2xi8", 3, 5, packed({minusOne, 2}), rawBytes<int8_t>({-1, 2})},
      {"2xi8", 2, 5, packed({200, 2}), rawBytes<uint8_t>({200, 2})},
      {"2xi8", 9, 5, packed({1, 0}), rawBytes<uint8_t>({1, 0})},
      {"2xi16", 5, 5, packed({minusOne, 300}), rawBytes<int16_t>({-1, 300})},
      {"2xi16", 4, 5, packed({65535, 300}), rawBytes<uint16_t>({65535, 300})},
      {"2xi32", 6, 5, packed({minusOne, 70000}), rawBytes<int32_t>({-1, 70000})},
      {"2xf16", 10, 5, packed({0x3c00, 0x4000}), rawBytes<uint16_t>({0x3c00, 0x4000})},
      {"2xbf16", 16, 5, packed({0x3f80, 0x4000}), rawBytes<uint16_t>({0x3f80, 0x4000})},
      {"2xi64", 7, 7, packed({minusOne, 5}), rawBytes<int64_t>({-1, 5})},
      {"2xf64", 11, 10, rawBytes<double>({1, 2}), rawBytes<double>({1, 2})},
      {"2xi32", 12, 11, packed({4000000000u, 5}), rawBytes<uint32_t>({4000000000u, 5})},
      {"2xi64", 13, 11, packed({minusOne, 5}), rawBytes<uint64_t>({minusOne, 5})},
      {"2xf32", 1, 9, rawBytes<float>({3, 4}), rawBytes<float>({3, 4})},
  };
  for (const ProtoCase &c : cases) {
    std::vector<uint8_t> message;
    putNumber(message, 1, 2);
    putNumber(message, 2, static_cast<uint64_t>(c.dataType));
    putBytes(message, 8, {'w'});
    putBytes(message, c.field, c.payload);
    auto program =
        parse("mt.weight @w : tensor<" + std::string(c.type) + "> from(\"" + write(message) +
              "\" at 0 proto length " + std::to_string(message.size()) + ")");
    auto bytes = evaluate(program, "w");
    ASSERT_TRUE(bytes.ok()) << c.type << ": " << bytes.status().message();
    EXPECT_EQ(bytes->data.vec().size(), c.expected.size());
    EXPECT_TRUE(bytes->data.equals(ArrayRef<uint8_t>(c.expected))) << c.type << " " << c.dataType;
  }
}

// Repeated fields that are not packed, as proto2 writers emit them.
TEST_F(EvaluateTest, TensorProtoUnpacked) {
  std::vector<uint8_t> message;
  putNumber(message, 2, 7);
  for (uint64_t v : {uint64_t(5), ~uint64_t(0)})
    putNumber(message, 7, v);
  auto program = parse("mt.weight @w : tensor<2xi64> from(\"" + write(message) +
                       "\" at 0 proto length " + std::to_string(message.size()) + ")");
  auto bytes = evaluate(program, "w");
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  EXPECT_EQ(elements<int64_t>(*bytes), (std::vector<int64_t>{5, -1}));
}

// What does not fit the weight's type is an error that says what is there.
TEST_F(EvaluateTest, TensorProtoErrors) {
  auto messageOf = [&](int dataType, int field, std::vector<uint8_t> payload, int location = 0) {
    std::vector<uint8_t> message;
    putNumber(message, 2, static_cast<uint64_t>(dataType));
    putBytes(message, field, payload);
    if (location)
      putNumber(message, 14, static_cast<uint64_t>(location));
    return message;
  };
  auto errorOf = [&](const std::vector<uint8_t> &message) {
    auto program = parse("mt.weight @w : tensor<2xf32> from(\"" + write(message) +
                         "\" at 0 proto length " + std::to_string(message.size()) + ")");
    auto bytes = evaluate(program, "w");
    EXPECT_FALSE(bytes.ok());
    return bytes.ok() ? std::string() : bytes.status().message();
  };
  EXPECT_EQ(errorOf(messageOf(7, 7, packed({1, 2}))),
            "weight 'w': TensorProto holds INT64, which does not fit the weight's element type");
  EXPECT_EQ(errorOf(messageOf(6, 5, packed({1, 2}))),
            "weight 'w': TensorProto holds INT32, which does not fit the weight's element type");
  EXPECT_EQ(errorOf(messageOf(1, 4, rawBytes<float>({1}))),
            "weight 'w': TensorProto holds 4 bytes, wanted 8");
  EXPECT_EQ(errorOf(messageOf(8, 6, {})),
            "weight 'w': TensorProto has element type 8, which cannot be a weight");
  EXPECT_EQ(errorOf(messageOf(1, 4, rawBytes<float>({1, 2}), 1)),
            "weight 'w': TensorProto with external data");
  std::vector<uint8_t> cut = messageOf(1, 4, rawBytes<float>({1, 2}));
  cut.pop_back();
  EXPECT_EQ(errorOf(cut), "weight 'w': damaged TensorProto");
}

// Transposes of every order and size, blocks and remains included, move every element to its place.
TEST_F(EvaluateTest, TransposesMoveEveryElement) {
  std::mt19937 random(1);
  std::vector<int64_t> perm = {0, 1, 2, 3};
  do {
    int64_t shape[4];
    for (int64_t &extent : shape)
      extent = 1 + static_cast<int64_t>(random() % 37);
    std::string in, out, order;
    for (int d = 0; d < 4; ++d) {
      in += std::to_string(shape[d]) + "x";
      out += std::to_string(shape[perm[d]]) + "x";
      order += (d ? ", " : "") + std::to_string(perm[d]);
    }
    int64_t count = shape[0] * shape[1] * shape[2] * shape[3];
    std::vector<uint16_t> values(count);
    for (uint16_t &v : values)
      v = static_cast<uint16_t>(random());
    auto program =
        parse("mt.weight @w : tensor<" + in + "i16> from(\"" + write(rawBytes(values)) +
              "\" at 0)\nmt.weight @t : tensor<" + out + "i16> derive(@w) {\n^bb0(%w: tensor<" +
              in + "i16>):\n%e = tensor.empty() : tensor<" + out +
              "i16>\n%r = linalg.transpose ins(%w : tensor<" + in + "i16>) outs(%e : tensor<" +
              out + "i16>) permutation = [" + order + "]\nmt.yield %r : tensor<" + out + "i16>\n}");
    ASSERT_TRUE(program);
    auto bytes = evaluate(program, "t");
    ASSERT_TRUE(bytes.ok()) << bytes.status().message();
    auto got = elements<uint16_t>(*bytes);
    int64_t strides[4] = {shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1}, i = 0;
    for (int64_t a = 0; a < shape[perm[0]]; ++a)
      for (int64_t b = 0; b < shape[perm[1]]; ++b)
        for (int64_t c = 0; c < shape[perm[2]]; ++c)
          for (int64_t d = 0; d < shape[perm[3]]; ++d, ++i)
            ASSERT_EQ(got[i], values[a * strides[perm[0]] + b * strides[perm[1]] +
                                     c * strides[perm[2]] + d * strides[perm[3]]]);
  } while (std::next_permutation(perm.begin(), perm.end()));
}

// Rows longer than the registers, whose lengths are no multiple of them, broadcast along either
// side.
TEST_F(EvaluateTest, LongRows) {
  std::vector<float> values(3 * 1300);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(i);
  std::string path = write(rawBytes(values));
  auto program = parse("mt.weight @w : tensor<3x1300xf32> from(\"" + path +
                       "\" at 0)\nmt.weight @s : tensor<3xf32> from(\"" + path + R"MLIR(" at 4)
    mt.weight @r : tensor<3x1300xf32> derive(@w, @s) {
    ^bb0(%w: tensor<3x1300xf32>, %s: tensor<3xf32>):
      %e = tensor.empty() : tensor<3x1300xf32>
      %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
          iterator_types = ["parallel", "parallel"]} ins(%w, %s : tensor<3x1300xf32>, tensor<3xf32>) outs(%e : tensor<3x1300xf32>) {
      ^bb0(%a: f32, %b: f32, %o: f32):
        %m = arith.mulf %a, %b : f32
        linalg.yield %m : f32
      } -> tensor<3x1300xf32>
      mt.yield %r : tensor<3x1300xf32>
    })MLIR");
  auto bytes = evaluate(program, "r");
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  auto got = elements<float>(*bytes);
  for (size_t i = 0; i < values.size(); ++i)
    ASSERT_EQ(got[i], values[i] * static_cast<float>(1 + i / 1300));
}

// One evaluation gives every weight in any order, sources after users and twice, too.
TEST_F(EvaluateTest, AnyOrder) {
  auto program = parse(R"MLIR(
    mt.weight @a : tensor<2xf32> value(dense<[1.0, 2.0]> : tensor<2xf32>)
    mt.weight @b : tensor<2xf32> derive(@a, @a) {
    ^bb0(%x: tensor<2xf32>, %y: tensor<2xf32>):
      %s = linalg.add ins(%x, %y : tensor<2xf32>, tensor<2xf32>) outs(%x : tensor<2xf32>) -> tensor<2xf32>
      mt.yield %s : tensor<2xf32>
    }
    mt.weight @c : tensor<2xf32> derive(@b, @b) {
    ^bb0(%x: tensor<2xf32>, %y: tensor<2xf32>):
      %s = linalg.mul ins(%x, %y : tensor<2xf32>, tensor<2xf32>) outs(%x : tensor<2xf32>) -> tensor<2xf32>
      mt.yield %s : tensor<2xf32>
    })MLIR");
  Evaluation evaluation(program);
  SymbolTable symbols(program);
  std::map<std::string, std::vector<float>> expected = {
      {"a", {1, 2}}, {"b", {2, 4}}, {"c", {4, 16}}};
  for (const char *name : {"c", "b", "a", "b", "c"}) {
    auto bytes = evaluation.bytesOf(symbols.lookup<WeightOp>(name));
    ASSERT_TRUE(bytes.ok()) << bytes.status().message();
    EXPECT_EQ(elements<float>(*bytes), expected[name]) << name;
  }
}

// The hash tells types apart, not only bytes, and is the BLAKE2b-256 of type and bytes in
// hexadecimal digits.
TEST_F(EvaluateTest, HashOfTypeAndBytes) {
  std::vector<uint8_t> bytes(8, 1);
  auto f32 = RankedTensorType::get({2}, Float32Type::get(&context));
  auto i32 = RankedTensorType::get({2}, IntegerType::get(&context, 32));
  EXPECT_EQ(hashOf(f32, bytes).size(), 64u);
  EXPECT_EQ(hashOf(f32, bytes), hashOf(f32, std::vector<uint8_t>(8, 1)));
  EXPECT_NE(hashOf(f32, bytes), hashOf(i32, bytes));
  EXPECT_NE(hashOf(f32, bytes), hashOf(f32, std::vector<uint8_t>(8, 2)));
}

} // namespace
