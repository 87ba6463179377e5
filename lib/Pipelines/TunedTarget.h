//===- TunedTarget.h - what tuning asks of a code generator ---------------===//
#pragma once

#include "mtc/Codegen/Host/Compile.h"
#include "mtc/Pipelines/Phases.h"
#include "mtc/Tuning/Search.h"

namespace mtc {

/// Candidates as a code generator compiles them.
struct CandidateCode {
  std::vector<uint8_t> bytes;                    ///< of the bundle's target
  std::vector<std::vector<std::string>> symbols; ///< [k][v]; empty: left out
  std::vector<host::FailedVariant> failures;
};

/// The kernels of one target as a tuner sees them: host::KernelSpace or cuda::KernelSpace.
class TunedTarget {
public:
  virtual ~TunedTarget() = default;

  virtual std::string name() const = 0;
  virtual int32_t granules() const = 0;
  virtual std::vector<std::string> features() const = 0; ///< that the code needs
  virtual std::string kernelHash(mt::KernelOp kernel) const = 0;
  virtual KernelFeatureMap kernelFeatures(mt::KernelOp kernel) const = 0;

  /// The config of a variant. Fails, without an error, if it is none that a tuner knows.
  virtual mlir::FailureOr<Config> configOf(mt::VariantAttr variant) const = 0;
  /// The configs that compute the same bits; none if there is nothing to choose.
  virtual std::vector<Config> configSpace(mt::KernelOp kernel) const = 0;
  virtual RankConfig rank(mt::KernelOp kernel) const = 0;
  /// Fails, without an error, if config and kernel do not fit.
  virtual mlir::FailureOr<mt::VariantAttr> variantOf(mt::KernelOp kernel, const Config &config,
                                                     llvm::ArrayRef<int64_t> granules,
                                                     llvm::ArrayRef<int64_t> ns,
                                                     llvm::StringRef origin) const = 0;
  /// What a record's config may be taken for: cheaper than variantOf() where that is dear.
  virtual std::function<bool(const std::string &)> isUsable(mt::KernelOp kernel) const = 0;

  /// Compiles every variant of `program`; what fails is left out.
  virtual StatusOr<CandidateCode> compile(mt::ProgramOp program,
                                          const CompileOptions &options) const = 0;
};

std::unique_ptr<TunedTarget> tunedTarget(const AnyTarget &target);

} // namespace mtc
