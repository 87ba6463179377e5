//===- GpuCodeTest.cpp - the code section of a CUDA target ----------------===//
#include "mtc/Bundle/GpuCode.h"

#include <gtest/gtest.h>

#include <functional>

using namespace mtc;

namespace {

/// Images of 30 x 40 pixels of 64 channels, of which copies take every second pixel of a row.
GpuTensorMap goodMap() {
  GpuTensorMap map;
  map.buffer = 1;
  map.offset = 32;
  map.sizes = {64, 40, 30, 2};
  map.strides = {128, 5120, 153600};
  map.box = {64, 16, 1, 1};
  map.steps = {1, 2, 1, 1};
  return map;
}

/// The same images, of whose pixels a window of 3 x 3 is taken at every second one.
GpuTensorMap pixelMap() {
  GpuTensorMap map = goodMap();
  map.box = {64, 128};
  map.steps = {1, 2, 2, 1};
  map.lower = {-1, -1};
  map.upper = {-2, -1};
  return map;
}

std::vector<GpuModule> modulesWith(const GpuTensorMap &map) {
  GpuModule module;
  module.symbol = "k";
  module.ptx = "// none";
  module.phases = {{"k_p0", 128, 1024, 32, 0, 2}};
  module.phases[0].tensorMaps = {map, map};
  return {module};
}

TEST(GpuCode, IsReadAsWritten) {
  const std::vector<uint8_t> bytes = encodeGpuCode(modulesWith(goodMap()));
  auto modules = decodeGpuCode(bytes);
  ASSERT_TRUE(modules.ok()) << modules.status().message();
  ASSERT_EQ(modules->size(), 1u);
  const GpuFunction &f = (*modules)[0].phases.at(0);
  EXPECT_EQ(f.name, "k_p0");
  EXPECT_EQ(f.blocksPerUnit, 2);
  EXPECT_EQ(f.tensorMaps, std::vector<GpuTensorMap>(2, goodMap()));
  EXPECT_EQ(encodeGpuCode(*modules), bytes);
  EXPECT_TRUE(hasTensorMaps(bytes));
  (*modules)[0].phases[0].tensorMaps.clear();
  EXPECT_FALSE(hasTensorMaps(encodeGpuCode(*modules)));
  EXPECT_EQ(goodMap().bytes(), 2 * 153600);
  modules = decodeGpuCode(encodeGpuCode(modulesWith(pixelMap())));
  ASSERT_TRUE(modules.ok()) << modules.status().message();
  EXPECT_EQ((*modules)[0].phases[0].tensorMaps, std::vector<GpuTensorMap>(2, pixelMap()));
}

// Functions for launches of several: pointers, then tensor maps, at multiples of 64 bytes.
TEST(GpuCode, Members) {
  std::vector<GpuModule> modules = modulesWith(goodMap());
  EXPECT_EQ((*decodeGpuCode(encodeGpuCode(modules)))[0].phases[0].mostMembers, 1);
  modules[0].phases[0].mostMembers = 16;
  const GpuFunction f = (*decodeGpuCode(encodeGpuCode(modules)))[0].phases[0];
  EXPECT_EQ(f.mostMembers, 16);
  EXPECT_EQ(f.membersName(), "k_p0_members");
  EXPECT_EQ(MemberLayout(3, 0).bytes, 64);
  EXPECT_EQ(MemberLayout(8, 2).maps, 64);
  EXPECT_EQ(MemberLayout(9, 2).maps, 128);
  EXPECT_EQ(MemberLayout(9, 2).bytes, 128 + 256);
  EXPECT_TRUE(checkMembers(f, 16).ok());
  const Status tooMany = checkMembers(f, 17);
  EXPECT_EQ(tooMany.code(), ErrorCode::BundleRefused);
  EXPECT_EQ(tooMany.message(), "'k_p0' takes 16 members in a launch, the plan has 17");
  modules[0].phases[0].mostMembers = 0;
  EXPECT_EQ(decodeGpuCode(encodeGpuCode(modules)).status().message(),
            "a function of module 'k' runs 0 members in a launch");
}

// What the driver would not encode, each by one number.
TEST(GpuCode, RefusesTensorMaps) {
  using Change = std::function<void(GpuTensorMap &)>;
  for (const auto &[change, message] : std::vector<std::pair<Change, std::string>>{
           {[](auto &m) { m.sizes.clear(); }, "has 0 sizes, 3 strides, 4 of a box and 4 steps"},
           {[](auto &m) { m.steps.pop_back(); }, "has 4 sizes, 3 strides, 4 of a box and 3 steps"},
           {[](auto &m) { m.element = GpuTensorMap::Element(3); }, "elements of kind 3"},
           {[](auto &m) { m.offset = 8; }, "begins at 8 of buffer 1, wanted a multiple of 16"},
           {[](auto &m) { m.buffer = -1; }, "begins at 32 of buffer -1"},
           {[](auto &m) { m.sizes[3] = 0; }, "has size 0 in dimension 3"},
           {[](auto &m) { m.sizes[0] = int64_t(1) << 31; }, "has size 2147483648 in dimension 0"},
           {[](auto &m) { m.box[1] = 0; }, "takes 0 elements in steps of 2 in dimension 1"},
           {[](auto &m) { m.box[1] = 129; }, "takes 129 elements in steps of 2"},
           {[](auto &m) { m.steps[1] = 9; }, "takes 16 elements in steps of 9"},
           {[](auto &m) { m.steps[0] = 2; }, "has innermost steps of 2, wanted 1"},
           {[](auto &m) { m.strides[0] = 136; }, "stride of 136 bytes in dimension 1"},
           {[](auto &m) { m.strides[1] = 5104; }, "stride of 5104 bytes in dimension 2"},
           {[](auto &m) { m.sizes[1] = 41; }, "stride of 5120 bytes in dimension 2"},
           {[](auto &m) { m.sizes[3] = 1 << 30; }, "stride of 153600 bytes in dimension 3"},
           {[](auto &m) { m.box[0] = 60; }, "rows of 120 bytes"},
           {[](auto &m) { m.swizzleBytes = 64; }, "rows of 128 bytes"},
           {[](auto &m) { m.swizzleBytes = 256; }, "a swizzle of 256 bytes"}}) {
    GpuTensorMap map = goodMap();
    change(map);
    const auto read = decodeGpuCode(encodeGpuCode(modulesWith(map)));
    EXPECT_EQ(read.status().code(), ErrorCode::BundleRefused) << message;
    EXPECT_NE(read.status().message().find("function 'k_p0': a tensor map "), std::string::npos)
        << read.status().message();
    EXPECT_NE(read.status().message().find(message), std::string::npos) << read.status().message();
  }
  EXPECT_TRUE(check(goodMap()).ok());
}

TEST(GpuCode, RefusesPixels) {
  using Change = std::function<void(GpuTensorMap &)>;
  for (const auto &[change, message] : std::vector<std::pair<Change, std::string>>{
           {[](auto &m) { m.box.push_back(1); }, "of pixels has 4 sizes, 3 strides, 3 of a box"},
           {[](auto &m) { m.lower.push_back(0); }, "4 steps and 3 and 2 of corners"},
           {[](auto &m) { m.upper.pop_back(); }, "4 steps and 2 and 1 of corners"},
           {[](auto &m) { m.box[0] = 257; }, "takes 257 channels of 128 pixels"},
           {[](auto &m) { m.box[1] = 1025; }, "takes 64 channels of 1025 pixels"},
           {[](auto &m) { m.steps[2] = 0; }, "has steps of 0 in dimension 2"},
           {[](auto &m) { m.lower[0] = -129; }, "a corner of -129 in dimension 1, wanted -128"},
           {[](auto &m) { m.upper[1] = 128; }, "a corner of 128 in dimension 2, wanted -128"},
           {[](auto &m) { m.upper[0] = -41; }, "no pixels between -1 and -41 in dimension 1"},
           {[](auto &m) { m.box[0] = 60; }, "rows of 120 bytes"},
           {[](auto &m) { m.strides[0] = 136; }, "stride of 136 bytes in dimension 1"}}) {
    GpuTensorMap map = pixelMap();
    change(map);
    const auto read = decodeGpuCode(encodeGpuCode(modulesWith(map)));
    EXPECT_EQ(read.status().code(), ErrorCode::BundleRefused) << message;
    EXPECT_NE(read.status().message().find(message), std::string::npos) << read.status().message();
  }
  EXPECT_TRUE(check(pixelMap()).ok());
}

} // namespace
