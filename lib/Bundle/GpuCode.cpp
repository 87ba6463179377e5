//===- GpuCode.cpp - the code section of a CUDA target --------------------===//
#include "mtc/Bundle/GpuCode.h"

#include "Bundle_generated.h"

namespace mtc {

std::vector<uint8_t> encodeGpuCode(const std::vector<GpuModule> &modules) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<fb::GpuModule>> offsets;
  for (const GpuModule &module : modules) {
    std::vector<flatbuffers::Offset<fb::GpuFunction>> phases;
    for (const GpuFunction &f : module.phases)
      phases.push_back(fb::CreateGpuFunctionDirect(builder, f.name.c_str(), f.threads,
                                                   f.sharedBytes, f.registers, f.spillBytes,
                                                   f.blocksPerUnit));
    offsets.push_back(fb::CreateGpuModuleDirect(builder, module.symbol.c_str(), &phases,
                                                &module.cubin, module.ptx.c_str()));
  }
  builder.Finish(fb::CreateGpuCodeDirect(builder, &offsets));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

StatusOr<std::vector<GpuModule>> decodeGpuCode(std::span<const uint8_t> bytes) {
  flatbuffers::Verifier verifier(bytes.data(), bytes.size());
  if (!verifier.VerifyBuffer<fb::GpuCode>(nullptr))
    return bundleRefused("the code of a CUDA target is malformed");
  const auto *code = flatbuffers::GetRoot<fb::GpuCode>(bytes.data());
  std::vector<GpuModule> modules;
  if (!code->modules())
    return modules;
  for (const fb::GpuModule *from : *code->modules()) {
    GpuModule &module = modules.emplace_back();
    if (from->symbol())
      module.symbol = from->symbol()->str();
    if (from->cubin())
      module.cubin.assign(from->cubin()->begin(), from->cubin()->end());
    if (from->ptx())
      module.ptx = from->ptx()->str();
    if (!from->phases())
      continue;
    for (const fb::GpuFunction *f : *from->phases()) {
      if (f->threads() < 1 || f->threads() > 1024 || f->blocks_per_unit() < 1)
        return bundleRefused("a function of module '" + module.symbol + "' has " +
                             std::to_string(f->threads()) + " threads in " +
                             std::to_string(f->blocks_per_unit()) + " blocks an SM");
      module.phases.push_back({f->name() ? f->name()->str() : "", f->threads(), f->shared_bytes(),
                               f->registers(), f->spill_bytes(), f->blocks_per_unit()});
    }
  }
  return modules;
}

} // namespace mtc
