//===- CastTests.cpp - conversions against the nearest number -------------===//
//
// The emitted arithmetic is evaluated on many numbers and compared with a search for the nearest
// number of the target type, ties to the even code: exactly, bit for bit.
//
//===----------------------------------------------------------------------===//
#include "EvaluateModel.h"

#include "mtc/Support/SmallFloat.h"

#include <cmath>
#include <random>

namespace mtc::onnx_import {
namespace {

using T = onnx::TensorProto;

void setAttribute(onnx::NodeProto &node, const std::string &name, int64_t value) {
  onnx::AttributeProto &a = *node.add_attribute();
  a.set_name(name);
  a.set_type(onnx::AttributeProto::INT);
  a.set_i(value);
}

void setAttribute(onnx::NodeProto &node, const std::string &name, const std::string &value) {
  onnx::AttributeProto &a = *node.add_attribute();
  a.set_name(name);
  a.set_type(onnx::AttributeProto::STRING);
  a.set_s(value);
}

/// y = Cast(x), with x of `from` and of `count` elements; as an input it is the first.
onnx::ModelProto castModel(int32_t from, int32_t to, int64_t count) {
  onnx::ModelProto model;
  model.set_ir_version(13);
  model.add_opset_import()->set_version(25);
  onnx::GraphProto &graph = *model.mutable_graph();
  graph.set_name("g");
  addInput(graph, "x", {count});
  graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(from);
  setAttribute(addNode(graph, "Cast", {"x"}, "y"), "to", to);
  graph.add_output()->set_name("y");
  return model;
}

/// What a Cast makes of numbers of type `from`.
template <typename To, typename From>
std::vector<To> castAll(const std::vector<From> &numbers, int32_t from, int32_t to,
                        bool saturate = true, const std::string &rounding = "up") {
  onnx::ModelProto model = castModel(from, to, static_cast<int64_t>(numbers.size()));
  onnx::NodeProto &node = *model.mutable_graph()->mutable_node(0);
  setAttribute(node, "saturate", saturate);
  setAttribute(node, "round_mode", rounding);
  std::vector<To> result = numbersIn<To>(outputOf(model, {bytesOf(numbers)}));
  EXPECT_EQ(result.size(), numbers.size());
  result.resize(numbers.size());
  return result;
}

/// The code of the number nearest to `x`. Beyond the largest number it rounds as if one more
/// followed.
uint8_t nearestCode(const SmallFloat &format, double x, bool saturate) {
  using Specials = SmallFloat::Specials;
  int sign = 1 << (format.exponentBits + format.mantissaBits);
  bool hasMinusZero = format.specials != Specials::NaNIsMinusZero;
  int largest = format.largest();
  if (std::isnan(x))
    return format.specials == Specials::None || !hasMinusZero ? sign
           : format.specials == Specials::NaN ? (sign - 1) | (std::signbit(x) ? sign : 0)
                                              : 0x7e | (std::signbit(x) ? sign : 0);
  int signCode = std::signbit(x) ? sign : 0;
  auto decode = [&](int code) { return double(decodeSmallFloat(format, uint8_t(code))); };
  double size = std::abs(x), last = decode(largest), step = last - decode(largest - 1);
  double limit = last + step / 2;
  if (size > limit || (size == limit && largest % 2 == 1)) {
    if (saturate || format.specials == Specials::None)
      return largest | signCode;
    return hasMinusZero ? (largest + 1) | signCode : sign;
  }
  int best = 0;
  for (int code = 1; code <= largest; ++code) {
    double gain = std::abs(size - decode(best)) - std::abs(size - decode(code));
    if (gain > 0 || (gain == 0 && code % 2 == 0))
      best = code;
  }
  return best == 0 && !hasMinusZero ? 0 : best | signCode;
}

/// All numbers of a format, what lies between neighbours, and both with a last bit more and less;
/// then anything.
template <typename Float> std::vector<Float> probes(const SmallFloat &format) {
  std::vector<Float> numbers{0,
                             INFINITY,
                             NAN,
                             std::numeric_limits<Float>::max(),
                             std::numeric_limits<Float>::min(),
                             std::numeric_limits<Float>::denorm_min()};
  auto add = [&](double x) {
    auto value = static_cast<Float>(x);
    for (Float near : {value, std::nextafter(value, Float(0)), std::nextafter(value, Float(1e30))})
      numbers.push_back(near);
  };
  for (int code = 0; code <= format.largest(); ++code) {
    double value = decodeSmallFloat(format, uint8_t(code));
    double next = code < format.largest() ? decodeSmallFloat(format, uint8_t(code + 1)) : 2 * value;
    add(value);
    add((value + next) / 2);
  }
  std::mt19937 random(7);
  std::uniform_real_distribution<double> exponent(-20, 20);
  for (int i = 0; i < 500; ++i)
    numbers.push_back(static_cast<Float>(std::exp2(exponent(random))));
  size_t count = numbers.size();
  for (size_t i = 0; i < count; ++i)
    numbers.push_back(-numbers[i]);
  return numbers;
}

struct Named {
  int32_t onnx;
  ElementType type;
};
constexpr Named signedFormats[] = {
    {T::FLOAT8E4M3FN, ElementType::F8E4M3FN}, {T::FLOAT8E4M3FNUZ, ElementType::F8E4M3FNUZ},
    {T::FLOAT8E5M2, ElementType::F8E5M2},     {T::FLOAT8E5M2FNUZ, ElementType::F8E5M2FNUZ},
    {T::FLOAT6E2M3, ElementType::F6E2M3},     {T::FLOAT6E3M2, ElementType::F6E3M2},
    {T::FLOAT4E2M1, ElementType::F4E2M1}};

template <typename Float> void checkEncode(int32_t from) {
  for (Named named : signedFormats)
    for (bool saturate : {true, false}) {
      const SmallFloat &format = *smallFloatOf(named.type);
      std::vector<Float> numbers = probes<Float>(format);
      auto codes = castAll<uint8_t>(numbers, from, named.onnx, saturate);
      for (size_t i = 0; i < codes.size(); ++i)
        ASSERT_EQ(int(codes[i]), int(nearestCode(format, numbers[i], saturate)))
            << elementTypeName(named.type) << " of " << numbers[i] << " saturate " << saturate;
    }
}

// Encoding rounds once, f64 too, and treats what is too large as the rules say.
TEST(Cast, ToSmallFloatsFromF32) { checkEncode<float>(T::FLOAT); }
TEST(Cast, ToSmallFloatsFromF64) { checkEncode<double>(T::DOUBLE); }

// Every code of every format decodes to its number.
TEST(Cast, FromSmallFloats) {
  std::vector<uint8_t> codes(256);
  for (int i = 0; i < 256; ++i)
    codes[i] = uint8_t(i);
  auto check = [&](Named named) {
    auto numbers = castAll<float>(codes, named.onnx, T::FLOAT);
    for (int i = 0; i < 256; ++i) {
      float wanted = decodeSmallFloat(*smallFloatOf(named.type), uint8_t(i));
      bool same = std::isnan(wanted)
                      ? std::isnan(numbers[i])
                      : numbers[i] == wanted && std::signbit(numbers[i]) == std::signbit(wanted);
      EXPECT_TRUE(same) << elementTypeName(named.type) << " " << i << ": " << numbers[i];
    }
  };
  for (Named named : signedFormats)
    check(named);
  check({T::FLOAT8E8M0, ElementType::F8E8M0});
}

// Powers of two: up, down and nearest (ties up), of what is between, too small and too large.
TEST(Cast, ToPowersOfTwo) {
  float least = std::ldexp(1.0f, -127), most = std::ldexp(1.0f, 127);
  std::vector<float> numbers{1,     1.25f,         1.5f,          3,
                             least, 1.25f * least, 1.75f * least, least / 2,
                             0,     1.5f * most,   INFINITY,      NAN};
  using Codes = std::vector<int>;
  auto codes = [&](const char *rounding, bool saturate) {
    auto all = castAll<uint8_t>(numbers, T::FLOAT, T::FLOAT8E8M0, saturate, rounding);
    return Codes(all.begin(), all.end());
  };
  EXPECT_EQ(codes("up", true), (Codes{127, 128, 128, 129, 0, 1, 1, 0, 0, 254, 254, 255}));
  EXPECT_EQ(codes("down", true), (Codes{127, 127, 127, 128, 0, 0, 0, 0, 0, 254, 254, 255}));
  EXPECT_EQ(codes("nearest", true), (Codes{127, 127, 128, 129, 0, 0, 1, 0, 0, 254, 254, 255}));
  EXPECT_EQ(codes("nearest", false), (Codes{127, 127, 128, 129, 0, 0, 1, 255, 255, 255, 255, 255}));
  // An f64 just above a power is above it, though not as an f32.
  EXPECT_EQ(castAll<uint8_t>(std::vector<double>{1 + 1e-12}, T::DOUBLE, T::FLOAT8E8M0),
            std::vector<uint8_t>{128});
}

/// The f16 or bf16 nearest to a number that is exact in a long double.
uint16_t nearestHalf(long double x, int mantissa, int leastExponent, int bias) {
  uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  x = std::abs(x);
  if (x == 0)
    return sign;
  int exponent;
  std::frexp(x, &exponent);
  exponent = std::max(exponent - 1, leastExponent);
  long double units = std::nearbyint(std::ldexp(x, mantissa - exponent));
  auto magnitude =
      static_cast<int64_t>(units) + (static_cast<int64_t>(exponent + bias - 1) << mantissa);
  int64_t infinity = int64_t((1 << (15 - mantissa)) - 1) << mantissa;
  return sign | static_cast<uint16_t>(std::min(magnitude, infinity));
}
uint16_t nearestF16(long double x) { return nearestHalf(x, 10, -14, 15); }
uint16_t nearestBf16(long double x) { return nearestHalf(x, 7, -126, 127); }

// f64 and wide integers go by way of f32 and are rounded once all the same.
TEST(Cast, RoundsOnceToHalf) {
  std::mt19937_64 random(11);
  std::vector<double> doubles{0,
                              65519.999,
                              65520,
                              1 + 0x1p-11,
                              1 + 0x1p-11 + 0x1p-40,
                              1 + 0x1p-8,
                              1 + 0x1p-8 + 0x1p-40,
                              0x1p-24 * 1.5,
                              0x1.8p-25,
                              3e38,
                              0x1.ffp127,
                              0x1.fefffp127,
                              1e300};
  std::vector<int64_t> longs{0,
                             INT64_MAX,
                             INT64_MIN,
                             (int64_t(1) << 60) + (int64_t(1) << 52),
                             (int64_t(1) << 60) + (int64_t(1) << 52) + 1,
                             65520,
                             65519};
  for (int i = 0; i < 3000; ++i) {
    // Near ties: a bf16 or f16 and a half, and a little.
    double tie = std::ldexp(double((random() % 2048) * 2 + 1), int(random() % 40) - 20);
    doubles.push_back(tie + std::ldexp(double(int(random() % 3) - 1), -40));
    longs.push_back(int64_t(random()) >> (random() % 63));
    longs.push_back((int64_t(random() % 512) << 48 | int64_t(1) << 47) + int64_t(random() % 3) - 1);
  }
  size_t count = doubles.size();
  for (size_t i = 0; i < count; ++i)
    doubles.push_back(-doubles[i]);
  auto check = [&](auto numbers, int32_t from) {
    auto f16 = castAll<uint16_t>(numbers, from, T::FLOAT16);
    auto bf16 = castAll<uint16_t>(numbers, from, T::BFLOAT16);
    for (size_t i = 0; i < numbers.size(); ++i) {
      ASSERT_EQ(f16[i], nearestF16(numbers[i])) << numbers[i];
      ASSERT_EQ(bf16[i], nearestBf16(numbers[i])) << numbers[i];
    }
  };
  check(doubles, T::DOUBLE);
  check(longs, T::INT64);
  check(std::vector<uint64_t>(longs.begin(), longs.end()), T::UINT64);
  check(std::vector<int32_t>(longs.begin(), longs.end()), T::INT32);
  check(std::vector<uint32_t>(longs.begin(), longs.end()), T::UINT32);
}

// 4 and 2 bits: the low bits of an integer, and of a truncated float; only the low bits of a
// caller's byte count.
TEST(Cast, SubByteIntegers) {
  using Bytes = std::vector<int8_t>;
  std::vector<int32_t> ints{-9, -8, -1, 0, 3, 7, 8, 15, 16, 255};
  EXPECT_EQ(castAll<int8_t>(ints, T::INT32, T::INT4), (Bytes{7, -8, -1, 0, 3, 7, -8, -1, 0, -1}));
  EXPECT_EQ(castAll<int8_t>(ints, T::INT32, T::UINT4), (Bytes{7, 8, 15, 0, 3, 7, 8, 15, 0, 15}));
  EXPECT_EQ(castAll<int8_t>(ints, T::INT32, T::INT2), (Bytes{-1, 0, -1, 0, -1, -1, 0, -1, 0, -1}));
  EXPECT_EQ(castAll<int8_t>(ints, T::INT32, T::UINT2), (Bytes{3, 0, 3, 0, 3, 3, 0, 3, 0, 3}));
  std::vector<float> floats{-8.9f, -0.9f, 7.9f, 8, NAN, INFINITY};
  EXPECT_EQ(castAll<int8_t>(floats, T::FLOAT, T::INT4), (Bytes{-8, 0, 7, -8, 0, -1}));
  Bytes bytes{7, 8, 15, -1, -8, 0x70};
  EXPECT_EQ(castAll<float>(bytes, T::INT4, T::FLOAT), (std::vector<float>{7, -8, -1, -1, -8, 0}));
  EXPECT_EQ(castAll<int64_t>(bytes, T::UINT4, T::INT64),
            (std::vector<int64_t>{7, 8, 15, 15, 8, 0}));
  EXPECT_EQ(castAll<int8_t>(bytes, T::UINT2, T::BOOL), (Bytes{1, 0, 1, 1, 0, 0}));
}

// Weights of fewer than 8 bits: small and large (a reference into the file), packed in raw_data or
// in int32_data, which holds packed bytes but single codes of 6 bits.
TEST(Cast, PackedWeights) {
  struct Packed {
    int32_t type;
    int bits;
    bool isSigned;
  };
  for (Packed packed : {Packed{T::INT4, 4, true},
                        {T::UINT4, 4, false},
                        {T::INT2, 2, true},
                        {T::UINT2, 2, false},
                        {T::FLOAT4E2M1, 4, false},
                        {T::FLOAT6E3M2, 6, false}})
    for (int64_t count : {1, 13, 5001})
      for (bool raw : {true, false}) {
        onnx::ModelProto model = castModel(packed.type, T::FLOAT, count);
        onnx::GraphProto &graph = *model.mutable_graph();
        graph.clear_input();
        T &w = *graph.add_initializer();
        w.set_name("x");
        w.set_data_type(packed.type);
        w.add_dims(count);
        std::string bytes((count * packed.bits + 7) / 8, '\0');
        std::vector<float> wanted;
        for (int64_t i = 0; i < count; ++i) {
          unsigned code = (i * 7 + i / 5) & ((1 << packed.bits) - 1);
          for (int bit = 0; bit < packed.bits; ++bit)
            if (code >> bit & 1)
              bytes[(i * packed.bits + bit) / 8] |= char(1 << ((i * packed.bits + bit) % 8));
          if (packed.type == T::FLOAT4E2M1)
            wanted.push_back(decodeSmallFloat(*smallFloatOf(ElementType::F4E2M1), code));
          else if (packed.type == T::FLOAT6E3M2)
            wanted.push_back(decodeSmallFloat(*smallFloatOf(ElementType::F6E3M2), code));
          else
            wanted.push_back(float(packed.isSigned && code >> (packed.bits - 1)
                                       ? int(code) - (1 << packed.bits)
                                       : int(code)));
          if (packed.bits == 6 && !raw)
            w.add_int32_data(int(code));
        }
        if (raw)
          w.set_raw_data(bytes);
        else if (packed.bits != 6)
          for (char byte : bytes)
            w.add_int32_data(static_cast<uint8_t>(byte));
        EXPECT_EQ(numbersIn<float>(outputOf(model, {})), wanted)
            << packed.type << " x " << count << (raw ? " raw" : " typed");
      }
}

} // namespace
} // namespace mtc::onnx_import
