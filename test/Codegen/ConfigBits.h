//===- ConfigBits.h - every config of a kernel gives the same bits --------===//
#pragma once

#include "KernelText.h"

#include "mtc/Codegen/Host/KernelSpace.h"
#include "mtc/Support/Random.h"

namespace mtc::host::test {

/// The kernel's default config and some of its space, each once: its ends and a sample of the rest.
inline std::vector<Config> someConfigs(mt::KernelOp kernel, const HostTarget &target,
                                       mlir::DictionaryAttr chosen, size_t count) {
  const KernelShape shape = kernelShape(kernel, target);
  EXPECT_TRUE(check(shape, coreShape(target)).ok());
  std::vector<Config> space = configSpace(shape, coreShape(target));
  std::vector<Config> result = {*configOf(chosen)};
  EXPECT_EQ(configAttr(kernel.getContext(), result[0]), chosen);
  EXPECT_TRUE(verify(shape, coreShape(target), result[0]).ok())
      << printConfig(result[0]) << verify(shape, coreShape(target), result[0]).message();
  // Of what a config may leave out, one each.
  for (const char *name : {"ahead", "order", "unroll"})
    for (const Config &config : space)
      if (config.get(name) > 0) {
        result.push_back(config);
        break;
      }
  SplitMix64 random(7);
  for (size_t i = 0; i < count && !space.empty(); ++i) {
    size_t at = i == 0 ? 0 : i == 1 ? space.size() - 1 : random.below(space.size());
    if (!llvm::is_contained(result, space[at]))
      result.push_back(space[at]);
  }
  return result;
}

/// Compiles kernel 0 with several configs and compares their results to the last bit, with the
/// tiles cut into parts (rule R3). The program keeps the last config.
inline void expectEqualBits(Program &p, const std::string &emitter) {
  ASSERT_EQ(p.error, "");
  ASSERT_EQ(p.emitter(0), emitter);
  const HostTarget target = *resolve(p.program.getTarget()->str());
  mt::KernelOp kernel = p.kernel(0);
  std::vector<Config> configs = someConfigs(kernel, target, p.variant(0).getConfig(), 5);
  EXPECT_GT(configs.size(), 1u);
  std::vector<char> want;
  for (const Config &config : configs) {
    auto variant =
        variantOf(kernel, target, configAttr(kernel.getContext(), config), {1}, {1}, "modelled");
    ASSERT_TRUE(mlir::succeeded(variant)) << printConfig(config);
    kernel.setVariantsAttr(mlir::ArrayAttr::get(kernel.getContext(), {*variant}));
    p.recompile();
    ASSERT_EQ(p.error, "");
    ASSERT_TRUE(p.code.warnings.empty()) << p.code.warnings[0];
    auto buffers = p.buffers(0);
    ASSERT_EQ(p.run(0, buffers, 3, true), 0) << printConfig(config);
    std::vector<char> got(buffers.back().as<char>(),
                          buffers.back().as<char>() + buffers.back().size());
    if (want.empty())
      want = got;
    EXPECT_TRUE(got == want) << printConfig(config) << " differs from " << printConfig(configs[0]);
  }
}

} // namespace mtc::host::test
