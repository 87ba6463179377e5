//===- CheckTilesTest.cpp - what is wrong with a kernel's tiles is found ---===//
//
// A kernel agrees with itself on the host; code of another kernel, or a variant whose tiles are not
// those of the code, is named.
//
//===----------------------------------------------------------------------===//
#include "Emulator/CheckTiles.h"
#include "../Codegen/CUDA/EmulatedProgram.h"
#include "../Codegen/ContractionText.h"
#include "Emulator/CompareElements.h"

#include <gtest/gtest.h>

using namespace mtc;
using namespace mtc::emulator;
using namespace mtc::host::test;

namespace {

/// `gpu`'s kernel against the host's code of `host`; `tiles` in place of those of the variant.
std::string check(const std::string &gpu, const std::string &host, std::vector<int64_t> tiles = {},
                  TileReport *report = nullptr) {
  Program plain(host, "host:x86-64-v3,cores=1", /*plain=*/true);
  cuda::test::EmulatedProgram emulated(gpu);
  if (!plain.error.empty() || !emulated.error.empty())
    return plain.error + emulated.error;
  HostCode code = {plain.function(0), plain.variant(0).getTiles().asArrayRef().vec(),
                   plain.variant(0).getScratch()};
  mt::VariantAttr variant = emulated.variant();
  if (!tiles.empty())
    variant = mt::VariantAttr::get(emulated.context.get(), variant.getConfig(),
                                   mlir::DenseI64ArrayAttr::get(emulated.context.get(), tiles),
                                   variant.getScratch(), variant.getGranules(), variant.getNs(),
                                   variant.getOrigin());
  StatusOr<TileReport> result = checkTiles(emulated.kernel(), variant, code, 1);
  if (result.ok() && report)
    *report = *result;
  return result.status().message();
}

// Ranges of a kernel whose threads wait for each other; all of one whose threads do not.
TEST(CheckTiles, Agree) {
  TileReport report;
  EXPECT_EQ(check(gemm(1000, 200, 33, 0), gemm(1000, 200, 33, 0), {}, &report), "");
  EXPECT_GT(report.tiles, 4);
  EXPECT_EQ(report.checkedTiles, 4);
  EXPECT_GT(report.compared, 0);
  EXPECT_LT(report.compared, report.elements);
  EXPECT_EQ(check(biasGelu(70, 100), biasGelu(70, 100), {}, &report), "");
  EXPECT_EQ(report.compared, 7000);
  EXPECT_EQ(check(softmax(20, 77), softmax(20, 77), {}, &report), "");
  EXPECT_EQ(report.compared, 4 * 77);
}

// The same shapes, another function.
TEST(CheckTiles, OtherAnswers) {
  for (const auto &[gpu, host] :
       {std::pair(softmax(40, 40), transpose(40, 40)), {transpose(40, 40), softmax(40, 40)}})
    EXPECT_EQ(check(gpu, host).find("result 0: element 0 of 1600 is"), 0u);
}

// Tiles beyond the last one write where they must not; too few leave elements out.
TEST(CheckTiles, OtherTiles) {
  EXPECT_NE(check(softmax(20, 77), softmax(20, 77), {23}).find("is out of bounds"),
            std::string::npos);
  EXPECT_NE(check(softmax(20, 77), softmax(20, 77), {3}), "");
}

TEST(CompareElements, TypesAndSpecials) {
  mlir::MLIRContext context;
  mlir::Builder b(&context);
  auto compare = [&](mlir::Type type, auto got, auto wanted) {
    auto bytes = [](auto &values) {
      return std::span(reinterpret_cast<const uint8_t *>(values.data()),
                       values.size() * sizeof(values[0]));
    };
    return compareElements(type, bytes(got), bytes(wanted), {}, toleranceOf(type)).firstWrong;
  };
  const float inf = INFINITY, nan = NAN;
  using F = std::vector<float>;
  EXPECT_EQ(compare(b.getF32Type(), F{1, 100, nan, inf}, F{1.0009f, 100, nan, inf}), -1);
  EXPECT_EQ(compare(b.getF32Type(), F{1, 100}, F{1.0011f, 100}), 0);
  EXPECT_EQ(compare(b.getF32Type(), F{1, nan}, F{1, 1}), 1);
  EXPECT_EQ(compare(b.getF32Type(), F{1, inf}, F{1, -inf}), 1);
  EXPECT_EQ(compare(b.getF32Type(), F{1, 1}, F{1, inf}), 1);
  using I = std::vector<int64_t>;
  EXPECT_EQ(compare(b.getI64Type(), I{1, 1 << 30}, I{1, (1 << 30) + 1}), 1);
  using H = std::vector<uint16_t>; // 1.0 and its neighbour, 100
  EXPECT_EQ(compare(b.getF16Type(), H{0x3C00, 0x5640}, H{0x3C01, 0x5640}), -1);
  EXPECT_EQ(compare(b.getF16Type(), H{0x3C00, 0x5640}, H{0x4400, 0x5640}), 0);
}

} // namespace
