//===- TensorMapTest.cpp - boxes of tensors in shared memory --------------===//
//
// Boxes against the definition, element by element, and kernels written by hand that multiply what
// tensor copies brought: right ones give the product, others are named.
//
//===----------------------------------------------------------------------===//
#include "Emulator/TensorMap.h"
#include "Emulator/WarpGroup.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

using namespace mtc;
using namespace mtc::emulator;

namespace {

/// A tensor of halves, packed but for rows that are a multiple of 16 bytes.
TensorMap mapOf(std::vector<int64_t> sizes, std::vector<int64_t> box, int64_t chunks) {
  TensorMap map;
  map.sizes = sizes;
  map.box = std::move(box);
  map.chunks = chunks;
  int64_t stride = (2 * sizes[0] + 15) / 16 * 16;
  for (size_t d = 1; d < sizes.size(); ++d) {
    map.strides.push_back(stride);
    stride *= sizes[d];
  }
  return map;
}

// Two to four dimensions, all swizzles, boxes inside, across each edge and before the first
// element, in steps, not from the start of the buffer.
TEST(TensorMap, Boxes) {
  struct Case {
    std::vector<int64_t> sizes, box;
    std::vector<int32_t> at;
    int64_t chunks;
    std::vector<int64_t> steps = {};
    int64_t offset = 0;
  };
  for (const Case &c : {Case{{100, 30}, {64, 16}, {0, 0}, 8},
                        {{100, 30}, {64, 16}, {64, 20}, 8},
                        {{100, 30}, {32, 24}, {-8, -3}, 4},
                        {{40, 7, 9}, {16, 5, 4}, {32, 4, 6}, 2},
                        {{24, 5, 6, 3}, {24, 2, 3, 2}, {0, 4, -1, 2}, 1},
                        {{64, 20, 9}, {64, 8, 3}, {0, -1, 5}, 8, {1, 3, 2}, 48}}) {
    TensorMap map = mapOf(c.sizes, c.box, c.chunks);
    map.steps = c.steps;
    map.offset = c.offset;
    ASSERT_EQ(map.check(), nullptr);
    const int64_t elements = (map.strides.back() * c.sizes.back() + c.offset) / 2;
    std::vector<uint16_t> memory(elements);
    std::iota(memory.begin(), memory.end(), 1);
    std::vector<unsigned char> shared(map.boxBytes() + 2048, 0xEE);
    for (const Copy &part :
         map.partsOf(c.at, reinterpret_cast<unsigned char *>(memory.data()), 1024)) {
      ASSERT_EQ(part.bytes.size(), 16u);
      std::memcpy(shared.data() + part.to, part.bytes.data(), 16);
    }
    const int bits = c.chunks == 8 ? 3 : c.chunks == 4 ? 2 : c.chunks == 2 ? 1 : 0;
    for (int64_t i = 0; i < map.boxBytes() / 2; ++i) {
      int64_t rest = i, element = c.offset / 2;
      bool isInside = true;
      for (size_t d = 0; d < c.box.size(); ++d) {
        const int64_t x = c.at[d] + rest % c.box[d] * (c.steps.empty() ? 1 : c.steps[d]);
        rest /= c.box[d];
        isInside &= x >= 0 && x < c.sizes[d];
        element += x * (d == 0 ? 1 : map.strides[d - 1] / 2);
      }
      const int64_t at = 1024 + 2 * i;
      uint16_t got;
      std::memcpy(&got, shared.data() + (at ^ ((at >> 7) % (1 << bits)) * 16), 2);
      EXPECT_EQ(got, isInside ? uint16_t(element + 1) : 0) << i;
    }
  }
}

/// Images [n][h][w][c] of halves, of which pixels of a window are copied.
TensorMap pixelsOf(std::vector<int64_t> sizes, std::vector<int64_t> lower,
                   std::vector<int64_t> upper, std::vector<int64_t> steps, int64_t pixels) {
  TensorMap map = mapOf(std::move(sizes), {32, pixels}, 4);
  map.lower = std::move(lower);
  map.upper = std::move(upper);
  map.steps = std::move(steps);
  return map;
}

// Each pixel that a copy brings is that of the convolution's row: of three images, a window of 3 x
// 2 with other padding, steps and dilation in each dimension, every term of it, from every pixel
// on.
TEST(TensorMap, Pixels) {
  constexpr int64_t w = 7, h = 5, n = 3, c = 40;
  constexpr int64_t low[] = {1, 2}, high[] = {0, 1}, step[] = {2, 1}, dilation[] = {1, 2},
                    terms[] = {2, 3};
  int64_t count[2];
  std::vector<int64_t> lower, upper;
  for (int d = 0; d < 2; ++d) {
    const int64_t size = d == 0 ? w : h, reach = (terms[d] - 1) * dilation[d];
    count[d] = (size + low[d] + high[d] - reach - 1) / step[d] + 1;
    lower.push_back(-low[d]);
    upper.push_back(high[d] - reach);
  }
  const TensorMap map = pixelsOf({c, w, h, n}, lower, upper, {1, step[0], step[1], 1}, 9);
  ASSERT_EQ(map.check(), nullptr);
  std::vector<uint16_t> memory(c * w * h * n);
  std::iota(memory.begin(), memory.end(), 1);
  for (int64_t first = 0; first < count[0] * count[1] * n; ++first)
    for (int64_t term = 0; term < terms[0] * terms[1]; ++term) {
      const int64_t moved[] = {term % terms[0] * dilation[0], term / terms[0] * dilation[1]};
      auto pixel = [&](int64_t row) {
        return std::array<int64_t, 3>{row % count[0] * step[0] - low[0],
                                      row / count[0] % count[1] * step[1] - low[1],
                                      row / count[0] / count[1]};
      };
      const auto begin = pixel(first);
      const std::vector<int32_t> at = {16, int32_t(begin[0]), int32_t(begin[1]), int32_t(begin[2])};
      const std::vector<int32_t> offsets = {int32_t(moved[0]), int32_t(moved[1])};
      ASSERT_TRUE(map.begins(at));
      std::vector<unsigned char> shared(1024 + 9 * 64, 0xEE);
      for (const Copy &part :
           map.partsOf(at, reinterpret_cast<unsigned char *>(memory.data()), 1024, offsets))
        std::memcpy(shared.data() + part.to, part.bytes.data(), 16);
      for (int64_t i = 0; i < 9 * 32; ++i) {
        const auto [x, y, image] = pixel(first + i / 32);
        const int64_t column = x + moved[0], line = y + moved[1], channel = 16 + i % 32;
        const bool isInside =
            column >= 0 && column < w && line >= 0 && line < h && image < n && channel < c;
        const int64_t place = 1024 + 2 * i;
        uint16_t got;
        std::memcpy(&got, shared.data() + (place ^ ((place >> 7) % 4) * 16), 2);
        ASSERT_EQ(got, isInside ? uint16_t(((image * h + line) * w + column) * c + channel + 1) : 0)
            << first << " " << term << " " << i;
      }
    }
  EXPECT_FALSE(map.begins(std::vector<int32_t>{0, -2, 0, 0}));
  EXPECT_FALSE(map.begins(std::vector<int32_t>{0, 0, int32_t(h), 0}));
}

TEST(TensorMap, Refused) {
  auto names = [](TensorMap map, const char *what) {
    ASSERT_NE(map.check(), nullptr);
    EXPECT_NE(std::string(map.check()).find(what), std::string::npos) << map.check();
  };
  const TensorMap good = mapOf({64, 64}, {64, 64}, 8);
  EXPECT_EQ(good.check(), nullptr);
  TensorMap map = good;
  map.strides[0] = 8;
  names(map, "no multiple of 16 bytes below");
  map = good;
  map.box[1] = 257;
  names(map, "1 to 256");
  map = good;
  map.box[0] = 4;
  names(map, "rows of a box that are no multiple");
  map = good;
  map.chunks = 4;
  names(map, "longer than the swizzle's");
  map = good;
  map.strides.clear();
  names(map, "no rank");
  map = good;
  map.sizes[0] = 0;
  names(map, "size");
  map = good;
  map.offset = 8;
  names(map, "address that is no multiple of 16");
  map = good;
  map.steps = {1, 9};
  names(map, "steps of other than 1 to 8");
  map.steps = {1, 5};
  names(map, "1 to 256"); // 64 in steps of 5
  const TensorMap pixels = pixelsOf({64, 8, 8, 2}, {-1, -1}, {-1, -1}, {1, 2, 1, 1}, 64);
  EXPECT_EQ(pixels.check(), nullptr);
  map = pixels;
  map.upper.pop_back();
  names(map, "of pixels has no rank");
  map = pixels;
  map.box[1] = 1025;
  names(map, "1 to 1024 pixels");
  map = pixels;
  map.lower[1] = -129;
  names(map, "a corner that its bits do not hold");
  map = pixels;
  map.upper[0] = -9;
  names(map, "no pixels");
  map = pixels;
  map.steps[1] = 9;
  names(map, "steps of other than 1 to 8");
}

/// What a kernel leaves out or changes, by the number of tiles.
enum Mistake {
  None,
  OtherSwizzle,
  NoWait,
  OnlyInside,
  Misaligned,
  Beyond,
  OtherMode, ///< a copy of pixels by a tiled map; by one of pixels:
  AsPixels,  ///< no mistake
  OtherStart,
  FarOffset
};

constexpr int64_t sharedBytes = 8192;

/// Bytes: A [50][32] holds row + term, the rest of 64 rows are zeros; B [8][32] column - term. The
/// last of 160 threads brings both, 128 multiply.
int32_t product(const MtcKernelArgs *args) {
  ThreadView &view = *static_cast<ThreadView *>(args->scratch);
  void *shared = args->buffers[3];
  const auto mistake = static_cast<Mistake>(args->hi - 1);
  constexpr int64_t placeB = 4096, full = sharedBytes - 8;
  if (view.thread == 128) {
    view.initBarrier(&view, shared, full, 1);
    view.fenceBarriers(&view, shared);
  }
  view.barrier(&view, shared);
  if (view.thread == 128) {
    view.arrive(&view, shared, full, 1, mistake == OnlyInside ? 50 * 32 + 256 : 64 * 32 + 256);
    // The map of A is one of pixels where that matters (message()).
    const int32_t at[] = {0, mistake == OtherStart ? 51 : 0,    0, 0,
                          0, mistake == FarOffset ? 1 << 16 : 0};
    view.copyTensor(&view, shared, mistake == Misaligned ? 64 : 0, 0, at,
                    mistake >= OtherMode ? 1 : 0, full);
    view.copyTensor(&view, shared, mistake == Beyond ? sharedBytes - 128 : placeB, 1, at, 0, full);
  }
  if (view.thread >= 128)
    return 0;
  if (mistake != NoWait)
    view.await(&view, shared, full, 0);
  auto descriptor = [&](int64_t start) {
    const uint64_t swizzle = mistake == OtherSwizzle ? 2 : 3;
    return int64_t(uint64_t(start / 16) | uint64_t(1) << 16 | uint64_t(16) << 32 | swizzle << 62);
  };
  int32_t sums[4] = {};
  view.fenceProducts(&view);
  view.multiplyGroup(&view, shared, int32_t(MultiplyKind::S8S8), 8, descriptor(0),
                     descriptor(placeB), 0, sums, 1);
  view.commitProducts(&view);
  view.awaitProducts(&view, 0);
  view.readSums(&view);
  for (int64_t r = 0; r < 4; ++r) {
    const int64_t row = view.thread / 32 * 16 + view.thread % 32 / 4 + r / 2 * 8;
    const int64_t at = row * 8 + view.thread % 4 * 2 + r % 2;
    view.access(&view, 2, 4 * at, 4, 1);
    static_cast<int32_t *>(args->buffers[2])[at] = sums[r];
  }
  return 0;
}

std::string message(Mistake mistake, uint64_t seed, std::vector<int32_t> *result = nullptr) {
  std::vector<int8_t> a(50 * 32), b(8 * 32);
  for (int64_t i = 0; i < 50 * 32; ++i)
    a[i] = int8_t(i / 32 + i % 32);
  for (int64_t i = 0; i < 8 * 32; ++i)
    b[i] = int8_t(i / 32 - i % 32);
  std::vector<int32_t> memory(64 * 8);
  Launch launch;
  launch.function = product;
  launch.threads = 160;
  launch.hi = 1 + mistake;
  launch.sharedBytes = sharedBytes;
  launch.seed = seed;
  launch.buffers = {{a.data(), int64_t(a.size()), true},
                    {b.data(), int64_t(b.size()), true},
                    {memory.data(), int64_t(4 * memory.size()), true}};
  launch.tensorMaps = {{0, 1, {32, 50}, {32}, {32, 64}, 2}, {1, 1, {32, 8}, {32}, {32, 8}, 2}};
  if (mistake >= AsPixels) {
    TensorMap &map = launch.tensorMaps[0];
    map.sizes = {32, 50, 1};
    map.strides = {32, 1600};
    map.lower = map.upper = {0};
  }
  std::string text = emulator::run(launch).message();
  if (result)
    *result = memory;
  return text;
}

TEST(TensorMap, FeedsProducts) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    std::vector<int32_t> result;
    ASSERT_EQ(message(seed % 2 ? AsPixels : None, seed, &result), "");
    for (int64_t row = 0; row < 64; ++row)
      for (int64_t column = 0; column < 8; ++column) {
        int64_t sum = 0;
        for (int64_t k = 0; k < 32; ++k)
          sum += row < 50 ? (row + k) * (column - k) : 0;
        EXPECT_EQ(result[row * 8 + column], sum) << row << " " << column;
      }
  }
}

TEST(TensorMap, Mistakes) {
  auto names = [](Mistake mistake, std::vector<const char *> what) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      const std::string text = message(mistake, seed);
      EXPECT_TRUE(std::any_of(what.begin(), what.end(), [&](const char *w) {
        return text.find(w) != std::string::npos;
      })) << text;
    }
  };
  names(OtherSwizzle, {"reads by another swizzle than a tensor's copy wrote by"});
  names(NoWait,
        {"meets an asynchronous copy that nobody has waited for",
         "meets an asynchronous copy that it has not waited for", "reads what was never written"});
  // The copy that would end the phase too early, or another one behind it, brings too much.
  names(OnlyInside, {"lacks 0 arrivals and -448 bytes", "expects too few bytes"});
  names(Misaligned, {"is not aligned to 128 bytes"});
  names(Beyond, {"is out of bounds"});
  names(OtherMode, {"is of another mode than its tensor map"});
  names(OtherStart, {"begins outside of its pixels"});
  names(FarOffset, {"moves pixels further than its offsets have bits"});
}

} // namespace
