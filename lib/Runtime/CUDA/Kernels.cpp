//===- Kernels.cpp - cuLibraryLoadData ------------------------------------===//
#include "Kernels.h"

#include "Press.h"
#include "Stamp.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

namespace mtc::gpu {
namespace {

/// "sm_90a" of "cuda:sm_90a,units=132": 9, 0, 'a'.
struct Architecture {
  int major = 0, minor = 0;
  char suffix = 0;
};

StatusOr<Architecture> parseArchitecture(const std::string &target) {
  constexpr std::string_view prefix = "cuda:sm_";
  const auto bad = [&] { return bundleRefused(fmt::format("'{}' is no CUDA target", target)); };
  if (!target.starts_with(prefix))
    return bad();
  int number = 0;
  const char *end = target.data() + target.size();
  const auto [next, error] = std::from_chars(target.data() + prefix.size(), end, number);
  if (error != std::errc() || number < 10)
    return bad();
  return Architecture{number / 10, number % 10, next != end && *next != ',' ? *next : '\0'};
}

bool runsCubins(const Architecture &code, int major, int minor) {
  return code.major == major && (code.suffix ? code.minor == minor : code.minor <= minor);
}

} // namespace

Status checkArchitecture(const std::string &target, int major, int minor) {
  MTC_ASSIGN_OR_RETURN(const Architecture code, parseArchitecture(target));
  const bool runsPtx = !code.suffix && std::pair(code.major, code.minor) <= std::pair(major, minor);
  if (runsPtx || runsCubins(code, major, minor))
    return okStatus();
  return bundleRefused(
      fmt::format("compiled for {}; this device is sm_{}{}", target, major, minor));
}

StatusOr<CUtensorMap> encodeTensorMap(const Driver &cu, const GpuTensorMap &map,
                                      CUdeviceptr address, int64_t bytes) {
  if (map.offset + map.bytes() > bytes)
    return bundleRefused(fmt::format("a tensor map of bytes {} to {} of buffer {}, which has {}",
                                     map.offset, map.offset + map.bytes(), map.buffer, bytes));
  static constexpr CUtensorMapDataType types[] = {CU_TENSOR_MAP_DATA_TYPE_UINT8,
                                                  CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
                                                  CU_TENSOR_MAP_DATA_TYPE_BFLOAT16};
  const CUtensorMapSwizzle swizzle = map.swizzleBytes == 0    ? CU_TENSOR_MAP_SWIZZLE_NONE
                                     : map.swizzleBytes == 32 ? CU_TENSOR_MAP_SWIZZLE_32B
                                     : map.swizzleBytes == 64 ? CU_TENSOR_MAP_SWIZZLE_64B
                                                              : CU_TENSOR_MAP_SWIZZLE_128B;
  const std::vector<cuuint64_t> sizes(map.sizes.begin(), map.sizes.end());
  const std::vector<cuuint64_t> strides(map.strides.begin(), map.strides.end());
  const std::vector<cuuint32_t> steps(map.steps.begin(), map.steps.end());
  const auto start = reinterpret_cast<void *>(address + static_cast<CUdeviceptr>(map.offset));
  const auto type = types[static_cast<size_t>(map.element)];
  const auto rank = static_cast<cuuint32_t>(sizes.size());
  CUtensorMap encoded = {};
  if (map.isIm2col()) {
    // Corners are innermost first, as NVIDIA's CUTLASS passes them
    // (cute/atom/copy_traits_sm90_im2col).
    MTC_CU(cu, cuTensorMapEncodeIm2col, &encoded, type, rank, start, sizes.data(), strides.data(),
           map.lower.data(), map.upper.data(), static_cast<cuuint32_t>(map.box[0]),
           static_cast<cuuint32_t>(map.box[1]), steps.data(), CU_TENSOR_MAP_INTERLEAVE_NONE,
           swizzle, CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    return encoded;
  }
  std::vector<cuuint32_t> box; // what a copy walks, of which it takes every step-th element
  for (size_t d = 0; d < map.box.size(); ++d)
    box.push_back(static_cast<cuuint32_t>(map.box[d] * map.steps[d]));
  MTC_CU(cu, cuTensorMapEncodeTiled, &encoded, type, rank, start, sizes.data(), strides.data(),
         box.data(), steps.data(), CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle,
         CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return encoded;
}

StatusOr<std::unique_ptr<Kernels>> Kernels::create(Gpu &gpu, const BundleTarget &target) {
  std::unique_ptr<Kernels> kernels(new Kernels(gpu, target));
  MTC_ASSIGN_OR_RETURN(const Architecture code, parseArchitecture(target.target));
  kernels->takesCubins_ = runsCubins(code, gpu.major(), gpu.minor());
  MTC_ASSIGN_OR_RETURN(std::vector<GpuModule> modules, decodeGpuCode(target.code));
  for (GpuModule &module : modules) {
    std::string symbol = module.symbol;
    kernels->modules_.emplace(std::move(symbol), std::move(module));
  }
  return kernels;
}

Kernels::~Kernels() {
  for (CUlibrary library : libraries_)
    gpu_.driver().cuLibraryUnload(library);
}

StatusOr<const std::vector<LoadedFunction> *> Kernels::phases(int32_t kernel, int32_t variant) {
  const Driver &cu = gpu_.driver();
  const auto k = static_cast<size_t>(kernel), v = static_cast<size_t>(variant);
  const std::string symbol =
      k < target_.symbols.size() && v < target_.symbols[k].size() ? target_.symbols[k][v] : "";
  if (auto known = loaded_.find(symbol); known != loaded_.end())
    return &known->second;
  const auto found = modules_.find(symbol);
  const size_t wanted = target_.problem.kernels[k].variants[v].phaseTiles.size();
  if (found == modules_.end() || found->second.phases.size() != wanted)
    return bundleRefused(fmt::format("variant {} of kernel '{}' has no code of {} phases", variant,
                                     target_.problem.kernels[k].name, wanted));
  const GpuModule &module = found->second;
  const bool isCubin = takesCubins_ && !module.cubin.empty();
  const void *image = isCubin ? static_cast<const void *>(module.cubin.data()) : module.ptx.c_str();
  CUlibrary library = nullptr;
  MTC_CU(cu, cuLibraryLoadData, &library, image, nullptr, nullptr, 0, nullptr, nullptr, 0);
  libraries_.push_back(library);
  std::vector<LoadedFunction> functions;
  for (const GpuFunction &phase : module.phases) {
    LoadedFunction &f = functions.emplace_back();
    f.info = &phase;
    MTC_CU(cu, cuLibraryGetKernel, &f.kernel, library, phase.name.c_str());
    if (phase.mostMembers > 1)
      MTC_CU(cu, cuLibraryGetKernel, &f.ofMembers, library, phase.membersName().c_str());
    for (CUkernel kernel : {f.kernel, f.ofMembers})
      if (const int32_t bytes = phase.dynamicSharedBytes(); kernel && bytes > 0)
        MTC_CU(cu, cuKernelSetAttribute, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes,
               kernel, gpu_.device());
  }
  return &loaded_.emplace(symbol, std::move(functions)).first->second;
}

StatusOr<CUkernel> Kernels::own(const char *name, const char *ptx) {
  if (auto known = own_.find(name); known != own_.end())
    return known->second;
  const Driver &cu = gpu_.driver();
  CUlibrary library = nullptr;
  CUkernel kernel = nullptr;
  MTC_CU(cu, cuLibraryLoadData, &library, ptx, nullptr, nullptr, 0, nullptr, nullptr, 0);
  libraries_.push_back(library);
  MTC_CU(cu, cuLibraryGetKernel, &kernel, library, name);
  return own_[name] = kernel;
}

StatusOr<CUkernel> Kernels::stamp() { return own(kStampName, kStampPtx); }
StatusOr<CUkernel> Kernels::press() { return own(kPressName, kPressPtx); }

} // namespace mtc::gpu
