//===- Roofline.cpp - what a device leaves a task at least ----------------===//
#include "Roofline.h"

#include "mtc/Runtime/Cuda.h"
#include "mtc/Support/Cores.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace mtc::tool {

/// The roofs of the CPUs that the session's workers are pinned to.
static StatusOr<std::vector<host::Peak>> peaksOf(const DeviceOptions &device, int workers) {
  std::vector<int> cpus = cpuBudget().cpus;
  if (!device.cpus.empty()) {
    MTC_ASSIGN_OR_RETURN(cpus, parseCpuList(device.cpus));
  }
  cpus.resize(std::min(cpus.size(), static_cast<size_t>(workers)));
  return host::measurePeaks(cpus);
}

/// The row of a GPU by the name that its driver gives, "NVIDIA H200"; else the first one of the
/// architecture that the bundle is compiled for.
static const GpuRow *rowOf(std::string name, const std::string &target) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return std::isalnum(c) ? std::tolower(c) : ' '; });
  for (const GpuRow &row : gpuRows()) // as a word: an L40 is no L4
    if ((' ' + name + ' ').find(fmt::format(" {} ", row.name)) != std::string::npos)
      return &row;
  for (const GpuRow &row : gpuRows())
    if (target.find(row.architecture) != std::string::npos)
      return &row;
  return &gpuRows().front();
}

/// Bits of the factors that a variant multiplies on tensor cores, 0: it does not. Configs say so
/// by the name of the format.
static int tensorBits(const Variant &variant) {
  for (const auto &[format, bits] :
       {std::pair("mma = \"tf32\"", 32), std::pair("mma = \"f16\"", 16),
        std::pair("mma = \"bf16\"", 16), std::pair("mma = \"i8\"", 8)})
    if (variant.config.find(format) != std::string::npos)
      return bits;
  return 0;
}

/// Products of tiles of bf16 for a product of f32, by the parts of the weight that a config names;
/// 0: the variant multiplies vectors.
static int tileProducts(const Variant &variant) {
  if (variant.config.find("emitter = \"matrix\"") == std::string::npos)
    return 0;
  for (const auto &[parts, products] :
       {std::pair("parts = 3", 6), std::pair("parts = 2", 5), std::pair("parts = 1", 3)})
    if (variant.config.find(parts) != std::string::npos)
      return products;
  return 0;
}

Status Roofline::measure(const DeviceOptions &device, const Session &session) {
  if (session.target().target.starts_with("host")) {
    MTC_ASSIGN_OR_RETURN(const auto peaks, peaksOf(device, session.workers()));
    runs_.insert(runs_.end(), peaks.begin(), peaks.end());
    return okStatus();
  }
  gpu_ = rowOf(session.describeDevice(), session.target().target);
  MTC_ASSIGN_OR_RETURN(const auto rates, measureCudaCopies(device.device, device.cudaDriver));
  for (double bytesPerNs : rates)
    runs_.push_back({.flopsPerNs = gpu_->f32FlopsPerNs,
                     .byteFlopsPerNs = gpu_->f32FlopsPerNs,
                     .bytesPerNs = bytesPerNs,
                     .cacheBytesPerNs = gpu_->unitBytesPerNs});
  return okStatus();
}

Roofline::Floor Roofline::floorOf(const Problem &problem, const Kernel &kernel,
                                  const Variant &variant, int workers, double ns) const {
  const host::Peak peak = medians();
  const auto flops = static_cast<double>(kernel.flops);
  const auto byteFlops = static_cast<double>(kernel.byteFlops);
  const auto bytes = static_cast<double>(kernel.bytes);
  double units = workers;
  double arithmetic = (flops - byteFlops) / peak.flopsPerNs + byteFlops / peak.byteFlopsPerNs;
  if (const int products = tileProducts(variant); products && !gpu_)
    arithmetic = flops * products / peak.tileFlopsPerNs;
  else if (variant.config.find("emitter = \"byte_tiles\"") != std::string::npos)
    arithmetic = flops / (2 * peak.tileFlopsPerNs); // twice as many numbers to a tile
  if (gpu_) {
    // All granules have also the SMs that are in none.
    const Device &device = problem.device;
    units *= device.unitsPerGranule;
    if (workers == device.granules && gpu_->units - units < gpu_->unitsPerGranule)
      units = gpu_->units;
    if (const int bits = tensorBits(variant))
      arithmetic = flops / (gpu_->f16TensorFlopsPerNs * 16 / bits);
  }
  const double memory = bytes / peak.bytesPerNs;
  const double cache = std::min(memory, bytes / (peak.cacheBytesPerNs * units));
  Floor floor = {arithmetic / units, "arithmetic"};
  if (const double data = memory <= ns ? memory : cache; data > floor.ns)
    floor = {data, memory <= ns ? "memory" : "cache"};
  if (floor.ns < static_cast<double>(problem.device.launchNs))
    floor.limit = "start";
  return floor;
}

std::string Roofline::text() const {
  const host::Peak peak = medians();
  if (gpu_)
    return fmt::format("{:.1f} GB/s, a copy in device memory; by the data sheet of {}: {:.1f} "
                       "GFLOP/s an SM (f32), {:.1f} (tensor cores, f16); cache {:.1f} GB/s an SM, "
                       "estimated",
                       peak.bytesPerNs, gpu_->name, peak.flopsPerNs, gpu_->f16TensorFlopsPerNs,
                       peak.cacheBytesPerNs);
  const std::string tiles = peak.tileFlopsPerNs > peak.flopsPerNs
                                ? fmt::format(", {:.1f} (tiles of bf16)", peak.tileFlopsPerNs)
                                : "";
  return fmt::format("{:.1f} GFLOP/s a core (f32), {:.1f} (bytes){}, {:.1f} GB/s, from the last "
                     "cache {:.1f} GB/s a core",
                     peak.flopsPerNs, peak.byteFlopsPerNs, tiles, peak.bytesPerNs,
                     peak.cacheBytesPerNs);
}

nlohmann::ordered_json Roofline::json() const {
  const host::Peak peak = medians();
  if (gpu_)
    return {{"origin", "memory measured, arithmetic of the data sheet, cache estimated"},
            {"gpu", gpu_->name},
            {"gflops_per_sm", peak.flopsPerNs},
            {"f16_tensor_gflops_per_sm", gpu_->f16TensorFlopsPerNs},
            {"gbytes_per_s", peak.bytesPerNs},
            {"cache_gbytes_per_s_per_sm", peak.cacheBytesPerNs}};
  return {{"origin", "measured"},
          {"gflops_per_core", peak.flopsPerNs},
          {"byte_gops_per_core", peak.byteFlopsPerNs},
          {"tile_gflops_per_core", peak.tileFlopsPerNs},
          {"gbytes_per_s", peak.bytesPerNs},
          {"cache_gbytes_per_s_per_core", peak.cacheBytesPerNs}};
}

} // namespace mtc::tool
