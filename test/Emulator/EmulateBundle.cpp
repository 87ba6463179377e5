//===- EmulateBundle.cpp - the CUDA kernels of a bundle on the host -------===//
#include "EmulateBundle.h"

#include "EmulateKernels.h"

#include "Codegen/CUDA/Variants.h"
#include "mtc/Dialect/MT/IR/Register.h"
#include "mtc/Support/File.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Parser/Parser.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <nlohmann/json.hpp>

using namespace mlir;

namespace mtc::emulator {
namespace {

/// The operands' accesses of a function, by its name.
using Accesses = llvm::StringMap<std::vector<Access>>;

/// Emits every variant of a target's kernels under the symbols that the bundle gives them.
Status emitTarget(ModuleOp module, mt::ProgramOp program, const BundleTarget &target,
                  Accesses &accesses, llvm::StringSet<> &seen) {
  for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
    for (size_t k = 0; k < target.problem.kernels.size(); ++k) {
      const Kernel &known = target.problem.kernels[k];
      if (known.name != kernel.getSymName() || target.symbols[k].empty())
        continue;
      auto variants = kernel.getVariantsAttr();
      for (size_t v = 0; v < known.variants.size(); ++v) {
        const std::string &symbol = target.symbols[k][v];
        if (!seen.insert(symbol).second)
          continue;
        if (failed(cuda::emitVariant(module, kernel, cast<mt::VariantAttr>(variants[v]).getConfig(),
                                     symbol)))
          return internalError("kernel '" + known.name + "' cannot be emitted");
        for (size_t p = 0; p < known.variants[v].phaseTiles.size(); ++p)
          accesses[cuda::phaseSymbol(symbol, int64_t(p))] = known.operands;
      }
    }
  }
  return okStatus();
}

/// How many members a launch of each function may have, by its name.
Status readMembers(const BundleReader &bundle, llvm::StringMap<int32_t> &members) {
  for (const BundleTarget &target : bundle.targets()) {
    if (!target.target.starts_with("cuda:"))
      continue;
    MTC_ASSIGN_OR_RETURN(const std::vector<GpuModule> modules, decodeGpuCode(target.code));
    for (const GpuModule &module : modules)
      for (const GpuFunction &f : module.phases)
        members[f.name] = f.mostMembers;
  }
  return okStatus();
}

/// The IR of a bundle's kernels, with their variants.
StatusOr<std::string> kernelText(const BundleReader &bundle) {
  for (size_t i = 0; i < bundle.textCount(); ++i)
    if (bundle.textName(i) == "schedule" || bundle.textName(i) == "kernels") {
      MTC_ASSIGN_OR_RETURN(std::string_view text, bundle.text(i));
      return std::string(text);
    }
  return invalidInput("the bundle has no text of its schedule or kernels");
}

} // namespace

Status emulateBundle(const BundleReader &bundle, const std::string &prefix, bool checks) {
  MTC_ASSIGN_OR_RETURN(std::string text, kernelText(bundle));
  DialectRegistry registry;
  registerMtcDialects(registry);
  registry.insert<gpu::GPUDialect, nvgpu::NVGPUDialect, NVVM::NVVMDialect>();
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  OwningOpRef<ModuleOp> emitted = ModuleOp::create(UnknownLoc::get(&context));
  Accesses accesses;
  llvm::StringSet<> seen;
  Status status;
  // A module per target, an empty line behind each; their aliases have the same names.
  llvm::SmallVector<StringRef> modules;
  StringRef(text).split(modules, "\n\n", -1, /*KeepEmpty=*/false);
  for (StringRef module : modules) {
    if (module.trim().empty())
      continue;
    auto parsed = parseSourceString<ModuleOp>(module, &context);
    if (!parsed)
      return invalidInput("the bundle's text of its kernels does not parse");
    for (mt::ProgramOp program : parsed->getOps<mt::ProgramOp>())
      for (const BundleTarget &target : bundle.targets())
        if (status.ok() && target.target.starts_with("cuda:") &&
            program.getTarget().value_or("") == target.target)
          status = emitTarget(*emitted, program, target, accesses, seen);
  }
  MTC_RETURN_IF_ERROR(status);
  if (seen.empty())
    return invalidInput("the bundle has no CUDA kernels");
  MTC_ASSIGN_OR_RETURN(EmulatedCode code, emulate(*emitted, checks));
  llvm::StringMap<int32_t> members;
  MTC_RETURN_IF_ERROR(readMembers(bundle, members));
  auto table = nlohmann::ordered_json::array();
  for (const EmulatedFunction &f : code.functions) {
    std::vector<bool> isWritten;
    for (Access access : accesses[f.symbol])
      isWritten.push_back(access != Access::Read);
    isWritten.push_back(true); // scratch
    if (isWritten.size() != f.bufferBytes.size())
      return internalError("'" + f.symbol + "' has other buffers than its kernel has operands");
    auto maps = nlohmann::ordered_json::array();
    for (const GpuTensorMap &map : f.tensorMaps)
      maps.push_back({{"buffer", map.buffer},
                      {"offset", map.offset},
                      {"element", static_cast<int>(map.element)},
                      {"sizes", map.sizes},
                      {"strides", map.strides},
                      {"box", map.box},
                      {"steps", map.steps},
                      {"swizzle_bytes", map.swizzleBytes},
                      {"lower", map.lower},
                      {"upper", map.upper}});
    table.push_back({{"name", f.symbol},
                     {"threads", f.threads},
                     {"shared_bytes", f.sharedBytes},
                     {"synchronizes", f.synchronizes},
                     {"is_checked", checks},
                     {"buffer_bytes", f.bufferBytes},
                     {"is_written", isWritten},
                     {"most_members", members[f.symbol]},
                     {"tensor_maps", maps}});
  }
  MTC_RETURN_IF_ERROR(writeFile(prefix + ".so", std::string(code.code.begin(), code.code.end())));
  return writeFile(prefix + ".json", table.dump(1) + "\n");
}

} // namespace mtc::emulator
