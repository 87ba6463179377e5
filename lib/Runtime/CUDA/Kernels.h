//===- Kernels.h - the kernels of a CUDA target on the device -------------===//
#pragma once

#include "Gpu.h"
#include "mtc/Bundle/GpuCode.h"
#include "mtc/Bundle/Reader.h"

#include <map>
#include <memory>

namespace mtc::gpu {

/// A phase of a variant, loaded.
struct LoadedFunction {
  CUkernel kernel = nullptr;
  CUkernel ofMembers = nullptr; ///< for launches of several; null: there is none
  const GpuFunction *info = nullptr;
};

/// A tensor map as a kernel's parameter, of a buffer of `bytes` at `address`. A context is current.
/// Fails if the tensor does not lie in the buffer (BundleRefused) or the driver refuses it.
StatusOr<CUtensorMap> encodeTensorMap(const Driver &cu, const GpuTensorMap &map,
                                      CUdeviceptr address, int64_t bytes);

/// Whether a target "cuda:sm_90a,..." can run on a device of this compute capability: code of an
/// architecture with a letter nowhere else, other code also on later minor versions, and through
/// its PTX on all later devices. Fails (BundleRefused) saying what the bundle has and what it
/// needs. Source: CUDA C++ programming guide, "Compute Capabilities"; nvcc manual, "GPU Feature
/// List".
Status checkArchitecture(const std::string &target, int major, int minor);

/// The modules of a target's code, loaded when they are first used.
class Kernels {
public:
  /// Fails if the code section is malformed (BundleRefused).
  static StatusOr<std::unique_ptr<Kernels>> create(Gpu &gpu, const BundleTarget &target);
  ~Kernels();

  /// The phases of a variant of a kernel.
  /// Fails if the bundle has no code for it (BundleRefused) or the driver refuses it.
  StatusOr<const std::vector<LoadedFunction> *> phases(int32_t kernel, int32_t variant);
  /// The kernel of Stamp.h. Fails if the driver does.
  StatusOr<CUkernel> stamp();
  /// That of Press.h. Fails if the driver does.
  StatusOr<CUkernel> press();

  const Driver &driver() const { return gpu_.driver(); }

private:
  StatusOr<CUkernel> own(const char *name, const char *ptx);
  Kernels(Gpu &gpu, const BundleTarget &target) : gpu_(gpu), target_(target) {}

  Gpu &gpu_;
  const BundleTarget &target_;
  bool takesCubins_ = true;                  ///< else the driver compiles the PTX
  std::map<std::string, GpuModule> modules_; ///< by symbol
  std::vector<CUlibrary> libraries_;
  std::map<std::string, CUkernel> own_; ///< the runtime's
  std::map<std::string, std::vector<LoadedFunction>> loaded_;
};

} // namespace mtc::gpu
