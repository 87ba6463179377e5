//===- GpuCode.cpp - the code section of a CUDA target --------------------===//
#include "mtc/Bundle/GpuCode.h"

#include "Bundle_generated.h"

#include <fmt/format.h>

namespace mtc {

int64_t GpuTensorMap::bytes() const {
  int64_t end = sizes[0] * elementBytes();
  for (size_t d = 1; d < sizes.size(); ++d)
    end += (sizes[d] - 1) * strides[d - 1];
  return end;
}

static Status bad(const std::string &what) { return invalidInput("a tensor map " + what); }

/// What a copy takes, in tiled mode.
static Status checkBox(const GpuTensorMap &map) {
  for (size_t d = 0; d < map.sizes.size(); ++d)
    if (map.box[d] < 1 || map.steps[d] < 1 || map.steps[d] > 8 ||
        int64_t(map.box[d]) * map.steps[d] > 256)
      return bad(fmt::format("takes {} elements in steps of {} in dimension {}, wanted 1 to 256 in "
                             "steps of 1 to 8",
                             map.box[d], map.steps[d], d));
  return okStatus();
}

/// In im2col mode. Corners have 16 bits for all dimensions of pixels together, 15 for three.
static Status checkPixels(const GpuTensorMap &map) {
  const size_t rank = map.sizes.size();
  if (map.box[0] < 1 || map.box[0] > 256 || map.box[1] < 1 || map.box[1] > 1024)
    return bad(fmt::format("takes {} channels of {} pixels, wanted 1 to 256 of 1 to 1024",
                           map.box[0], map.box[1]));
  const int32_t end = rank == 3 ? 1 << 15 : rank == 4 ? 1 << 7 : 1 << 4;
  for (size_t d = 0; d < rank; ++d)
    if (map.steps[d] < 1 || map.steps[d] > 8)
      return bad(fmt::format("has steps of {} in dimension {}, wanted 1 to 8", map.steps[d], d));
  for (size_t d = 0; d < rank - 2; ++d) {
    for (int32_t corner : {map.lower[d], map.upper[d]})
      if (corner < -end || corner >= end)
        return bad(fmt::format("has a corner of {} in dimension {}, wanted {} to {}", corner, d + 1,
                               -end, end - 1));
    if (map.sizes[d + 1] - 1 + map.upper[d] < map.lower[d])
      return bad(fmt::format("has no pixels between {} and {} in dimension {} of size {}",
                             map.lower[d], map.upper[d], d + 1, map.sizes[d + 1]));
  }
  return okStatus();
}

/// The limits of cuTensorMapEncodeTiled and cuTensorMapEncodeIm2col (CUDA driver API 13.0), without
/// interleaving.
Status check(const GpuTensorMap &map) {
  const size_t rank = map.sizes.size();
  const bool isIm2col = map.isIm2col() || !map.upper.empty();
  if (isIm2col &&
      (rank < 3 || rank > 5 || map.strides.size() + 1 != rank || map.box.size() != 2 ||
       map.steps.size() != rank || map.lower.size() + 2 != rank || map.upper.size() + 2 != rank))
    return bad(fmt::format("of pixels has {} sizes, {} strides, {} of a box, {} steps and {} and "
                           "{} of corners, wanted 3 to 5, one less, 2, as many and two less",
                           rank, map.strides.size(), map.box.size(), map.steps.size(),
                           map.lower.size(), map.upper.size()));
  if (!isIm2col && (rank < 1 || rank > 5 || map.strides.size() + 1 != rank ||
                    map.box.size() != rank || map.steps.size() != rank))
    return bad(fmt::format("has {} sizes, {} strides, {} of a box and {} steps, wanted 1 to 5, one "
                           "less, as many and as many",
                           rank, map.strides.size(), map.box.size(), map.steps.size()));
  if (map.element > GpuTensorMap::Element::BF16)
    return bad(fmt::format("has elements of kind {}, wanted 0 to 2", int(map.element)));
  if (map.buffer < 0 || map.offset < 0 || map.offset % 16 != 0)
    return bad(fmt::format("begins at {} of buffer {}, wanted a multiple of 16 bytes", map.offset,
                           map.buffer));
  // Sizes and strides are such that no tensor has more than 2^40 bytes; coordinates have 32 bits.
  constexpr int64_t mostSize = (int64_t(1) << 31) - 1, mostBytes = int64_t(1) << 40;
  for (size_t d = 0; d < rank; ++d)
    if (map.sizes[d] < 1 || map.sizes[d] > mostSize)
      return bad(fmt::format("has size {} in dimension {}, wanted 1 to 2^31 - 1", map.sizes[d], d));
  MTC_RETURN_IF_ERROR(isIm2col ? checkPixels(map) : checkBox(map));
  if (map.steps[0] != 1)
    return bad(fmt::format("has innermost steps of {}, wanted 1", map.steps[0]));
  int64_t inner = map.elementBytes(), count = map.sizes[0];
  for (size_t d = 1; d < rank; ++d) {
    const int64_t stride = map.strides[d - 1];
    if (stride < 16 || stride % 16 != 0 || stride >= mostBytes / map.sizes[d] ||
        stride % inner != 0 || stride / inner < count)
      return bad(
          fmt::format("has a stride of {} bytes in dimension {}, wanted a multiple of 16 and "
                      "of {}, at least {} of those, and less than 2^40 bytes in all",
                      stride, d, inner, count));
    inner = stride;
    count = map.sizes[d];
  }
  const int64_t rowBytes = map.box[0] * map.elementBytes();
  const int32_t swizzle = map.swizzleBytes;
  if (swizzle != 0 && swizzle != 32 && swizzle != 64 && swizzle != 128)
    return bad(fmt::format("has a swizzle of {} bytes, wanted 0, 32, 64 or 128", swizzle));
  if (rowBytes % 16 != 0 || (swizzle != 0 && rowBytes > swizzle))
    return bad(fmt::format("has rows of {} bytes, wanted a multiple of 16 no longer than the "
                           "swizzle of {}",
                           rowBytes, swizzle));
  return okStatus();
}

static flatbuffers::Offset<fb::GpuTensorMap> encode(flatbuffers::FlatBufferBuilder &builder,
                                                    const GpuTensorMap &map) {
  return fb::CreateGpuTensorMapDirect(builder, map.buffer, map.offset, uint8_t(map.element),
                                      &map.sizes, &map.strides, &map.box, &map.steps,
                                      map.swizzleBytes, map.isIm2col() ? &map.lower : nullptr,
                                      map.isIm2col() ? &map.upper : nullptr);
}

static StatusOr<GpuTensorMap> decode(const fb::GpuTensorMap &from) {
  GpuTensorMap map;
  map.buffer = from.buffer();
  map.offset = from.offset();
  map.element = static_cast<GpuTensorMap::Element>(from.element());
  const auto copy = [](const auto *list, auto &to) {
    if (list)
      to.assign(list->begin(), list->end());
  };
  copy(from.sizes(), map.sizes);
  copy(from.strides(), map.strides);
  copy(from.box(), map.box);
  copy(from.steps(), map.steps);
  map.swizzleBytes = from.swizzle_bytes();
  copy(from.lower(), map.lower);
  copy(from.upper(), map.upper);
  MTC_RETURN_IF_ERROR(check(map));
  return map;
}

std::vector<uint8_t> encodeGpuCode(const std::vector<GpuModule> &modules) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<fb::GpuModule>> offsets;
  for (const GpuModule &module : modules) {
    std::vector<flatbuffers::Offset<fb::GpuFunction>> phases;
    for (const GpuFunction &f : module.phases) {
      std::vector<flatbuffers::Offset<fb::GpuTensorMap>> maps;
      for (const GpuTensorMap &map : f.tensorMaps)
        maps.push_back(encode(builder, map));
      phases.push_back(fb::CreateGpuFunctionDirect(
          builder, f.name.c_str(), f.threads, f.sharedBytes, f.registers, f.spillBytes,
          f.blocksPerUnit, maps.empty() ? nullptr : &maps, f.mostMembers));
    }
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
      if (f->most_members() < 1)
        return bundleRefused("a function of module '" + module.symbol + "' runs " +
                             std::to_string(f->most_members()) + " members in a launch");
      if (f->threads() < 1 || f->threads() > 1024 || f->blocks_per_unit() < 1)
        return bundleRefused("a function of module '" + module.symbol + "' has " +
                             std::to_string(f->threads()) + " threads in " +
                             std::to_string(f->blocks_per_unit()) + " blocks an SM");
      GpuFunction &phase = module.phases.emplace_back();
      phase = {f->name() ? f->name()->str() : "",
               f->threads(),
               f->shared_bytes(),
               f->registers(),
               f->spill_bytes(),
               f->blocks_per_unit()};
      phase.mostMembers = f->most_members();
      for (size_t i = 0; f->tensor_maps() && i < f->tensor_maps()->size(); ++i) {
        StatusOr<GpuTensorMap> map =
            decode(*f->tensor_maps()->Get(static_cast<flatbuffers::uoffset_t>(i)));
        if (!map.ok())
          return bundleRefused("function '" + phase.name + "': " + map.status().message());
        phase.tensorMaps.push_back(std::move(*map));
      }
    }
  }
  return modules;
}

Status checkMembers(const GpuFunction &function, size_t members) {
  if (members <= static_cast<size_t>(function.mostMembers))
    return okStatus();
  return bundleRefused(fmt::format("'{}' takes {} members in a launch, the plan has {}",
                                   function.name, function.mostMembers, members));
}

bool hasTensorMaps(std::span<const uint8_t> bytes) {
  const StatusOr<std::vector<GpuModule>> modules = decodeGpuCode(bytes);
  if (modules.ok())
    for (const GpuModule &module : *modules)
      for (const GpuFunction &f : module.phases)
        if (!f.tensorMaps.empty())
          return true;
  return false;
}

} // namespace mtc
