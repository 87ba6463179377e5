//===- Features.h - what learned times are made from ----------------------===//
//
// Rows of numbers for BoostedTrees, of a kernel, a config and a share. Those of one form of kernel
// are equally many; their order means nothing but must be that of the training.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Tuning/Learn.h"

namespace mtc {

/// Kernels of one form are learned together.
int formOf(const KernelFeatureMap &kernel);

/// Whether featuresOf knows what `config` means for the kernel.
bool describesConfig(const KernelFeatureMap &kernel, const Config &config);

/// The model's cycles of a config, or where it knows nothing the roofline's operations and bytes.
double modelledCost(const KernelFeatureMap &kernel, const Config &config, int32_t granules);

/// Of a config on a share: its tiles, what they waste, load and wait for, and the kernel's extents.
std::vector<double> featuresOf(const KernelFeatureMap &kernel, const Config &config,
                               int32_t granules, const std::string &neighbour);

/// What a kernel's times on a share have in common.
std::vector<double> levelFeaturesOf(const KernelFeatureMap &kernel, int32_t granules,
                                    const std::string &neighbour);

/// The logarithm of the roofline's time, in a unit of its own.
double priorOf(const KernelFeatureMap &kernel, int32_t granules);

/// Kernels of GPUs have forms from here on (cuda::kernelFeatures): contractions on CUDA cores, on
/// tensor cores, rows, phases. Their features know no shape: a config's numbers mean what
/// Codegen/CUDA/KernelSpace says.
inline constexpr int kFirstGpuForm = 10;
bool isGpuKernel(const KernelFeatureMap &kernel);

/// As above, of a GPU's kernel.
bool describesGpuConfig(const KernelFeatureMap &kernel, const Config &config);
double gpuPriorOf(const KernelFeatureMap &kernel, int32_t granules);
double gpuCost(const KernelFeatureMap &kernel, const Config &config, int32_t granules);
std::vector<double> gpuFeaturesOf(const KernelFeatureMap &kernel, const Config &config,
                                  int32_t granules);

} // namespace mtc
