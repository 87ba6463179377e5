//===- PartsTest.cpp - contractions of tensors side by side ---------------===//
//
// An input that is a concatenation is read where its operands lie: like plain loops, which make it
// first, and to the last bit like the same kernel on the whole tensor.
//
//===----------------------------------------------------------------------===//
#include "ConfigBits.h"
#include "ContractionText.h"

#include <numeric>

using namespace mtc::host;
using namespace mtc::host::test;

namespace {

/// A kernel whose argument %x becomes a concatenation along its last dim.
struct Parts {
  std::vector<int64_t> dims;   ///< of %x
  std::vector<int64_t> widths; ///< of the parts
  /// Two parts of one width are the same argument.
  bool once = false;

  std::string typeOf(int64_t width) const {
    std::string text = "tensor<";
    for (size_t d = 0; d + 1 < dims.size(); ++d)
      text += n2s(dims[d]) + "x";
    return text + n2s(width) + "xf32>";
  }
  size_t arguments() const { return once ? 1 : widths.size(); }

  std::string in(std::string text) const {
    const std::string whole = typeOf(dims.back());
    std::string arguments, names, types;
    for (size_t i = 0; i < widths.size(); ++i) {
      const std::string name = "%part" + n2s(once ? 0 : static_cast<int64_t>(i));
      if (i < this->arguments())
        arguments += (i ? ", " : "") + name + ": " + typeOf(widths[i]);
      names += (i ? ", " : "") + name;
      types += (i ? ", " : "") + typeOf(widths[i]);
    }
    replace(text, "%x: " + whole, arguments);
    replace(text, "{\n",
            "{\n%x = tensor.concat dim(" + n2s(static_cast<int64_t>(dims.size()) - 1) + ") " +
                names + " : (" + types + ") -> " + whole + "\n");
    return text;
  }

  /// Copies what part `i` holds of the whole tensor, or puts it there.
  void copy(Buffer &whole, Buffer &part, size_t i, bool toWhole) const {
    int64_t rows = 1, start = 0;
    for (size_t d = 0; d + 1 < dims.size(); ++d)
      rows *= dims[d];
    for (size_t p = 0; p < i; ++p)
      start += widths[p];
    for (int64_t r = 0; r < rows; ++r) {
      float *w = whole.as<float>() + r * dims.back() + start;
      float *p = part.as<float>() + r * widths[i];
      std::memcpy(toWhole ? w : p, toWhole ? p : w, static_cast<size_t>(widths[i]) * 4);
    }
  }

private:
  static void replace(std::string &text, const std::string &what, const std::string &by) {
    const size_t at = text.find(what);
    ASSERT_NE(at, std::string::npos) << what;
    text.replace(at, what.size(), by);
  }
};

/// `text` has %x as its first argument.
void check(const std::string &text, const Parts &parts) {
  const std::string joined = parts.in(text);
  expectLikePlain(joined, "contraction", 1, 1e-5);
  for (const char *target : {"host:x86-64-v4,cores=2", "host:x86-64-v3,cores=2"}) {
    SCOPED_TRACE(std::string(target) + "\n" + joined);
    Program p(joined, target), whole(text, target);
    ASSERT_EQ(p.error + whole.error, "");
    auto got = p.buffers(0), want = whole.buffers(0);
    for (size_t i = 0; i < parts.widths.size(); ++i)
      parts.copy(want[0], got[parts.once ? 0 : i], i, /*toWhole=*/true);
    for (size_t i = 1; i + 1 < want.size(); ++i) {
      Buffer &argument = got[parts.arguments() + i - 1];
      ASSERT_EQ(argument.size(), want[i].size());
      std::memcpy(argument.data(), want[i].data(), argument.size());
    }
    ASSERT_EQ(p.run(0, got), 0);
    ASSERT_EQ(whole.run(0, want), 0);
    EXPECT_EQ(std::memcmp(got.back().data(), want.back().data(), want.back().size()), 0);
  }
}

void checkConv(const Conv &v, int64_t nr, Epilogue e, const std::vector<int64_t> &widths,
               bool once = false) {
  check(conv(v, nr, e), {{v.batch, v.h, v.w, v.c}, widths, once});
}

} // namespace

// Parts of equal and different widths, down to one channel, with remainders of vectors and of
// register tiles, through padding at all edges.
TEST(Parts, Convolution) {
  for (const std::vector<int64_t> &widths : {std::vector<int64_t>{24, 24}, {5, 11, 1, 8}}) {
    const int64_t c = std::accumulate(widths.begin(), widths.end(), int64_t(0));
    checkConv({.h = 9, .w = 14, .c = c, .f = 24, .stride = 2}, 32, Epilogue::BiasRelu, widths);
    checkConv({.batch = 2, .h = 5, .w = 6, .c = c, .f = 20, .kh = 1, .kw = 1, .low = 0, .high = 0},
              32, Epilogue::BiasRelu, widths);
  }
}

// Edges by clipped loops, an epilogue through memory, and a weight that is packed by the tile.
TEST(Parts, Forms) {
  checkConv({.h = 8, .w = 40, .c = 6, .f = 16, .kh = 3, .kw = 31, .low = 15, .high = 15}, 16,
            Epilogue::None, {2, 4});
  checkConv({.h = 8, .w = 8, .c = 40, .f = 48}, 32, Epilogue::BiasGelu, {8, 32});
  checkConv({.h = 12, .w = 9, .c = 20, .f = 40}, 0, Epilogue::Residual, {12, 8});
}

// One tensor twice.
TEST(Parts, SameOperand) {
  checkConv({.h = 7, .w = 10, .c = 16, .f = 24}, 32, Epilogue::BiasRelu, {8, 8}, /*once=*/true);
}

TEST(Parts, Gemm) { check(gemm(37, 45, 70, 32), {{1, 37, 70}, {33, 37}}); }

// Sums in blocks that begin in loops around that of the parts.
TEST(Parts, LongSums) {
  checkConv({.h = 6, .w = 7, .c = 150, .f = 24, .stride = 2}, 32, Epilogue::None, {100, 50});
}

// The order of the sums does not depend on the config (rule R3).
TEST(Parts, EqualBits) {
  const Conv v{.h = 5, .w = 19, .c = 40, .f = 33};
  Program p(Parts{{1, v.h, v.w, v.c}, {24, 16}}.in(conv(v)));
  expectEqualBits(p, "contraction");
}

// What this does not do is left to plain loops or another emitter: along a dim of the result, of
// numbers that are widened, of a sum whose blocks would begin inside of parts, of an addend behind
// the sum.
TEST(Parts, Others) {
  const auto isContraction = [](const std::string &text) {
    Program p(text);
    EXPECT_EQ(p.error, "") << text;
    return p.emitter(0) == "contraction";
  };
  EXPECT_TRUE(isContraction(Parts{{1, 20, 384}, {192, 192}}.in(gemm(20, 40, 384, 32))));
  EXPECT_FALSE(isContraction(Parts{{1, 20, 400}, {200, 200}}.in(gemm(20, 40, 400, 32))));
  std::string rows = gemm(20, 40, 30, 32);
  const std::string whole = "%x: tensor<1x20x30xf32>";
  rows.replace(rows.find(whole), whole.size(), "%xa: tensor<1x5x30xf32>, %xb: tensor<1x15x30xf32>");
  rows.replace(rows.find("{\n"), 2,
               "{\n%x = tensor.concat dim(1) %xa, %xb : (tensor<1x5x30xf32>, tensor<1x15x30xf32>) "
               "-> tensor<1x20x30xf32>\n");
  EXPECT_FALSE(isContraction(rows));
  std::string addend = gemm(20, 40, 30, 32, Epilogue::Residual);
  const std::string bias = "%bias: tensor<1x20x40xf32>";
  addend.replace(addend.find(bias), bias.size(),
                 "%ba: tensor<1x20x10xf32>, %bb: tensor<1x20x30xf32>");
  addend.replace(addend.find("{\n"), 2,
                 "{\n%bias = tensor.concat dim(2) %ba, %bb : (tensor<1x20x10xf32>, "
                 "tensor<1x20x30xf32>) -> tensor<1x20x40xf32>\n");
  EXPECT_FALSE(isContraction(addend));
}
