//===- PriceKernels.cpp - times of kernels from a host's calibration ------===//
#include "PriceKernels.h"

#include "mtc/Codegen/Host/Amounts.h"
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"
#include "mtc/Support/File.h"

using namespace mlir;

namespace mtc {

StatusOr<std::optional<HostModel>> readHostModel(const std::string &path) {
  if (path.empty())
    return std::optional<HostModel>();
  MTC_ASSIGN_OR_RETURN(std::string text, readTextFile(path));
  StatusOr<HostModel> model = parseHostModel(text);
  if (!model.ok())
    return model.status().withContext(path);
  return std::optional<HostModel>(std::move(*model));
}

void useHostModel(const HostModel &model, Device &device) {
  device.flopsPerNs = model.flopsPerNs;
  // Fewer cores draw less: a line through what one core and what all draw.
  const double others = model.cores > 1 ? (model.bytesPerNs - model.coreBytesPerNs) /
                                              static_cast<double>(model.cores - 1)
                                        : 0;
  const double more = static_cast<double>(std::min(device.granules, model.cores) - 1);
  device.bytesPerNs = model.coreBytesPerNs + std::max(0.0, others) * more;
  device.launchNs = model.launchNs;
  device.barrierNs = model.barrierNs;
}

/// The variant with times by `model`, a measured one for the shares that it was chosen for; null if
/// its family is not known.
static mt::VariantAttr priced(mt::VariantAttr variant, mt::KernelOp kernel, const Traffic &traffic,
                              const host::HostTarget &target, const HostModel &model) {
  const bool isMeasured = variant.getOrigin() == "measured";
  KernelAmounts amounts = host::amountsOf(kernel, variant, target);
  addTraffic(model, traffic, amounts);
  SmallVector<int64_t> granules, ns;
  for (const ShareTime &time :
       learnedTimes(model, amounts, traffic, variant.getTiles().asArrayRef().vec(), target.cores)) {
    if (isMeasured && !llvm::is_contained(variant.getGranules().asArrayRef(), time.granules))
      continue;
    granules.push_back(time.granules);
    ns.push_back(time.ns);
  }
  MLIRContext *context = kernel.getContext();
  return ns.empty()
             ? mt::VariantAttr()
             : mt::VariantAttr::get(context, variant.getConfig(), variant.getTiles(),
                                    variant.getScratch(), DenseI64ArrayAttr::get(context, granules),
                                    DenseI64ArrayAttr::get(context, ns),
                                    StringAttr::get(context, "learned"));
}

Status priceKernels(mt::ProgramOp program, const host::HostTarget &target, const HostModel &model,
                    bool keepsMeasured) {
  MTC_ASSIGN_OR_RETURN(const mt::ExportedProblem exported,
                       mt::exportProblem(program, mt::deviceOf(program)));
  llvm::DenseMap<Operation *, Traffic> traffic;
  const std::vector<Traffic> byKernel = trafficOf(exported.problem);
  for (auto [kernel, bytes] : llvm::zip_equal(exported.kernels, byKernel))
    if (kernel)
      traffic[kernel] = bytes;
  for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
    if (!kernel.getVariants())
      continue;
    SmallVector<Attribute> variants;
    bool isMeasured = false;
    for (auto variant : kernel.getVariantsAttr().getAsRange<mt::VariantAttr>()) {
      isMeasured |= variant.getOrigin() == "measured";
      variants.push_back(priced(variant, kernel, traffic.lookup(kernel), target, model));
    }
    if (!(isMeasured && keepsMeasured) && !llvm::is_contained(variants, Attribute()))
      kernel.setVariantsAttr(ArrayAttr::get(program.getContext(), variants));
  }
  return okStatus();
}

} // namespace mtc
