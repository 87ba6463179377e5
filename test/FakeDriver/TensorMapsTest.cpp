//===- TensorMapsTest.cpp - what cuTensorMapEncode* refuse ----------------===//
//
// The fake is opened as the runtime opens a driver; each test changes one argument of a good call.
//
//===----------------------------------------------------------------------===//
#include "CUDA/Kernels.h"

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <functional>
#include <vector>

namespace {

struct Arguments {
  CUtensorMapDataType type = CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
  cuuint32_t rank = 3;
  uintptr_t address = 4096;
  std::vector<cuuint64_t> sizes = {64, 30, 20}, strides = {128, 3840};
  std::vector<cuuint32_t> box = {64, 16, 1}, steps = {1, 1, 1};
  CUtensorMapInterleave interleave = CU_TENSOR_MAP_INTERLEAVE_NONE;
  CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_128B;
  CUtensorMapL2promotion promotion = CU_TENSOR_MAP_L2_PROMOTION_L2_128B;
  CUtensorMapFloatOOBfill fill = CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE;
  size_t misalignment = 0;
  // Of cuTensorMapEncodeIm2col.
  std::vector<int> lower = {-1}, upper = {-1};
  cuuint32_t channels = 64, pixels = 128;
};

class FakeTensorMaps : public testing::Test {
protected:
  void SetUp() override {
    library = ::dlopen(MTC_FAKE_DRIVER, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << ::dlerror();
    find("cuTensorMapEncodeTiled", encode);
    find("cuTensorMapEncodeIm2col", encodePixels);
    decltype(&::cuInit) init = nullptr;
    find("cuInit", init);
    find("cuDevicePrimaryCtxRetain", retain);
    find("cuDevicePrimaryCtxRelease", release);
    find("cuCtxPushCurrent", push);
    find("cuCtxPopCurrent", pop);
    ASSERT_EQ(init(0), CUDA_SUCCESS);
    ASSERT_EQ(retain(&context, 0), CUDA_SUCCESS);
    ASSERT_EQ(push(context), CUDA_SUCCESS);
  }
  void TearDown() override {
    EXPECT_EQ(pop(&context), CUDA_SUCCESS);
    EXPECT_EQ(release(0), CUDA_SUCCESS);
    ::dlclose(library);
  }
  template <typename Function> void find(const char *name, Function &function) {
    auto get =
        reinterpret_cast<decltype(&::cuGetProcAddress)>(::dlsym(library, "cuGetProcAddress_v2"));
    void *found = nullptr;
    ASSERT_EQ(get(name, &found, CUDA_VERSION, 0, nullptr), CUDA_SUCCESS) << name;
    function = reinterpret_cast<Function>(found);
  }
  CUresult call(const Arguments &a) {
    alignas(64) char memory[2 * sizeof(CUtensorMap)] = {};
    return encode(reinterpret_cast<CUtensorMap *>(memory + a.misalignment), a.type, a.rank,
                  reinterpret_cast<void *>(a.address), a.sizes.data(), a.strides.data(),
                  a.box.data(), a.steps.data(), a.interleave, a.swizzle, a.promotion, a.fill);
  }

  CUresult callPixels(const Arguments &a) {
    alignas(64) char memory[2 * sizeof(CUtensorMap)] = {};
    return encodePixels(reinterpret_cast<CUtensorMap *>(memory + a.misalignment), a.type, a.rank,
                        reinterpret_cast<void *>(a.address), a.sizes.data(), a.strides.data(),
                        a.lower.data(), a.upper.data(), a.channels, a.pixels, a.steps.data(),
                        a.interleave, a.swizzle, a.promotion, a.fill);
  }

  void *library = nullptr;
  CUcontext context = nullptr;
  decltype(&::cuTensorMapEncodeTiled) encode = nullptr;
  decltype(&::cuTensorMapEncodeIm2col) encodePixels = nullptr;
  decltype(&::cuDevicePrimaryCtxRetain) retain = nullptr;
  decltype(&::cuDevicePrimaryCtxRelease) release = nullptr;
  decltype(&::cuCtxPushCurrent) push = nullptr;
  decltype(&::cuCtxPopCurrent) pop = nullptr;
};

TEST_F(FakeTensorMaps, RefusesEachArgument) {
  EXPECT_EQ(call({}), CUDA_SUCCESS);
  using Change = std::function<void(Arguments &)>;
  const std::vector<Change> changes = {
      [](auto &a) { a.misalignment = 32; },
      [](auto &a) { a.type = CU_TENSOR_MAP_DATA_TYPE_FLOAT64; },
      [](auto &a) { a.rank = 0; },
      [](auto &a) { a.rank = 6; },
      [](auto &a) { a.address = 4104; },
      [](auto &a) { a.sizes[2] = 0; },
      [](auto &a) { a.sizes[2] = (cuuint64_t(1) << 32) + 1; },
      [](auto &a) { a.strides[0] = 136; },
      [](auto &a) { a.strides[1] = cuuint64_t(1) << 40; },
      [](auto &a) { a.strides[1] = 3856; }, // no multiple of the one before
      [](auto &a) { a.sizes[1] = 31; },     // overlaps
      [](auto &a) { a.box[1] = 0; },
      [](auto &a) { a.box[1] = 257; },
      [](auto &a) { a.box[0] = 60; },
      [](auto &a) { a.steps[1] = 9; },
      [](auto &a) { a.steps[2] = 0; },
      [](auto &a) { a.interleave = CU_TENSOR_MAP_INTERLEAVE_16B; },
      [](auto &a) { a.swizzle = CU_TENSOR_MAP_SWIZZLE_64B; },
      [](auto &a) { a.swizzle = CU_TENSOR_MAP_SWIZZLE_128B_ATOM_32B; },
      [](auto &a) { a.promotion = CUtensorMapL2promotion(4); },
      [](auto &a) { a.fill = CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    Arguments arguments;
    changes[i](arguments);
    EXPECT_EQ(call(arguments), CUDA_ERROR_INVALID_VALUE) << "change " << i;
  }
}

TEST_F(FakeTensorMaps, RefusesEachArgumentOfPixels) {
  EXPECT_EQ(callPixels({}), CUDA_SUCCESS);
  using Change = std::function<void(Arguments &)>;
  const std::vector<Change> changes = {
      [](auto &a) { a.misalignment = 32; },
      [](auto &a) { a.rank = 2; },
      [](auto &a) { a.rank = 6; },
      [](auto &a) { a.address = 4104; },
      [](auto &a) { a.sizes[1] = 0; },
      [](auto &a) { a.strides[0] = 136; },
      [](auto &a) { a.lower[0] = -32769; },
      [](auto &a) { a.upper[0] = 32768; },
      [](auto &a) { a.upper[0] = -31; }, // no pixels are left
      [](auto &a) { a.channels = 0; },
      [](auto &a) { a.channels = 72; }, // more than the swizzle has
      [](auto &a) { a.channels = 60; },
      [](auto &a) { a.pixels = 0; },
      [](auto &a) { a.pixels = 1025; },
      [](auto &a) { a.steps[1] = 9; },
      [](auto &a) { a.swizzle = CU_TENSOR_MAP_SWIZZLE_64B; },
      [](auto &a) { a.fill = CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA; },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    Arguments arguments;
    changes[i](arguments);
    EXPECT_EQ(callPixels(arguments), CUDA_ERROR_INVALID_VALUE) << "change " << i;
  }
  // Corners of more dimensions have fewer bits.
  Arguments images;
  images.rank = 4;
  images.sizes = {64, 300, 300, 2};
  images.strides = {128, 38400, 11520000};
  images.lower = {-128, -1};
  images.upper = {-1, 127};
  images.steps = {1, 2, 1, 1};
  EXPECT_EQ(callPixels(images), CUDA_SUCCESS);
  images.lower[0] = -129;
  EXPECT_EQ(callPixels(images), CUDA_ERROR_INVALID_VALUE);
}

// A map that reaches past the buffer it is of is the bundle's fault and never encoded.
TEST_F(FakeTensorMaps, LieInTheirBuffers) {
  auto driver = mtc::gpu::Driver::open(MTC_FAKE_DRIVER);
  ASSERT_TRUE(driver.ok()) << driver.status().message();
  mtc::GpuTensorMap map;
  map.offset = 256;
  map.sizes = {64, 30};
  map.strides = {128};
  map.box = {64, 16};
  map.steps = {1, 2};
  EXPECT_TRUE(mtc::gpu::encodeTensorMap(**driver, map, 4096, 4096).ok());
  const mtc::Status beyond = mtc::gpu::encodeTensorMap(**driver, map, 4096, 4095).status();
  EXPECT_EQ(beyond.code(), mtc::ErrorCode::BundleRefused);
  EXPECT_EQ(beyond.message(), "a tensor map of bytes 256 to 4096 of buffer 0, which has 4095");
  const mtc::Status odd = mtc::gpu::encodeTensorMap(**driver, map, 4104, 4096).status();
  EXPECT_NE(odd.message().find("cuTensorMapEncodeTiled: CUDA_ERROR_INVALID_VALUE"),
            std::string::npos)
      << odd.message();
}

} // namespace
