//===- CudaTarget.cpp - which GPU kernels are generated for ---------------===//
#include "mtc/Codegen/CUDA/CudaTarget.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

using llvm::StringRef;

namespace mtc::cuda {

/// The architectures of the device table, each once, for messages.
static std::string knownArchitectures() {
  std::string text;
  for (const GpuRow &row : gpuRows())
    if (!StringRef(text).contains(row.architecture))
      text += (text.empty() ? "" : ", ") + std::string(row.architecture);
  return text;
}

StatusOr<CudaTarget> resolve(const std::string &text) {
  auto bad = [&](const std::string &why) { return invalidInput("target '" + text + "': " + why); };
  StringRef rest = text;
  if (!rest.consume_front("cuda:") || rest.empty())
    return bad("must be 'cuda:ARCHITECTURE[,gpu=NAME][,units=N][,staged][,maps=on|off]'; known "
               "architectures: " +
               knownArchitectures());
  llvm::SmallVector<StringRef> parts;
  rest.split(parts, ',');

  const GpuRow *row = nullptr;
  for (const GpuRow &candidate : gpuRows())
    if (!row && parts[0] == candidate.architecture)
      row = &candidate;
  if (!row)
    return bad("unknown architecture '" + parts[0].str() +
               "'; known architectures: " + knownArchitectures());
  const GpuRow &standard = *row;

  CudaTarget target;
  target.gpu = standard;
  target.maps = StringRef(standard.architecture) == "sm_90a";
  int64_t units = 0;
  for (StringRef part : llvm::ArrayRef(parts).drop_front()) {
    if (part == "staged") {
      if (StringRef(standard.architecture) != "sm_90a")
        return bad("staged weights are for sm_90a, got '" + std::string(standard.architecture) +
                   "'");
      target.staged = true;
    } else if (part == "maps=on" || part == "maps=off") {
      if (StringRef(standard.architecture) != "sm_90a")
        return bad("tensor maps are for sm_90a, got '" + std::string(standard.architecture) + "'");
      target.maps = part == "maps=on";
    } else if (part.consume_front("gpu=")) {
      StatusOr<GpuRow> named = gpuRow(part.str());
      if (!named.ok())
        return bad(named.status().message());
      if (StringRef(named->architecture) != standard.architecture)
        return bad("gpu '" + part.str() + "' is of architecture '" + named->architecture +
                   "', not '" + standard.architecture + "'");
      target.gpu = *named;
    } else if (!part.consume_front("units=") || part.getAsInteger(10, units)) {
      return bad("got '" + part.str() +
                 "', wanted gpu=NAME, units=N, staged, maps=on or "
                 "maps=off");
    } else if (units < standard.unitsPerGranule || units > 64 * standard.unitsPerGranule) {
      return bad("units must be " + std::to_string(standard.unitsPerGranule) + " to " +
                 std::to_string(64 * standard.unitsPerGranule) + ", got " + std::to_string(units));
    }
  }
  if (units)
    target.gpu.units = static_cast<int32_t>(units);
  target.name = "cuda:" + std::string(standard.architecture);
  if (StringRef(target.gpu.name) != standard.name)
    target.name += ",gpu=" + std::string(target.gpu.name);
  target.name += ",units=" + std::to_string(target.gpu.units);
  if (target.staged)
    target.name += ",staged";
  if (!target.maps && StringRef(standard.architecture) == "sm_90a")
    target.name += ",maps=off";
  return target;
}

} // namespace mtc::cuda
