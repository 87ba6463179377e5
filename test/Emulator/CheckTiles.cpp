//===- CheckTiles.cpp - some tiles of a CUDA kernel against the host ------===//
#include "CheckTiles.h"

#include "CompareElements.h"
#include "EmulateKernels.h"
#include "Launch.h"
#include "LoadedCode.h"

#include "Codegen/CUDA/Variants.h"
#include "Codegen/Host/Buffers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <random>

using namespace mlir;

namespace mtc::emulator {
namespace {

/// What lies in results and scratch before anybody writes, and in a second run.
constexpr uint8_t untouched = 0xA5, untouchedAgain = 0x5A;

/// Tiles [lo, hi) of a phase.
using Range = std::pair<int64_t, int64_t>;

/// The first tile, the last, and two in the middle: a block that works on both of them starts the
/// second where the first has left shared memory.
std::vector<Range> chooseRanges(int64_t tiles, std::mt19937_64 &random) {
  if (tiles <= 4)
    return {{0, tiles}};
  const int64_t middle = 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(tiles - 3));
  return {{0, 1}, {middle, middle + 2}, {tiles - 1, tiles}};
}

/// 64-byte aligned bytes.
class Bytes {
public:
  Bytes(int64_t bytes, uint8_t value) : size(bytes), storage(bytes + 64, value) {}
  Bytes(const Bytes &other) : Bytes(other.size, 0) { *this = other; }
  Bytes &operator=(const Bytes &other) {
    std::memcpy(data(), other.data(), static_cast<size_t>(size));
    return *this;
  }
  uint8_t *data() const {
    const auto address = reinterpret_cast<uintptr_t>(storage.data());
    return reinterpret_cast<uint8_t *>((address + 63) / 64 * 64);
  }
  int64_t size;

private:
  std::vector<uint8_t> storage;
};

class TileCheck {
public:
  TileCheck(mt::KernelOp kernel, mt::VariantAttr variant, const HostCode &host, uint64_t seed)
      : kernel(kernel), variant(variant), host(host), random(seed) {}

  StatusOr<TileReport> run() {
    makeBuffers();
    MTC_RETURN_IF_ERROR(runHost());
    MTC_RETURN_IF_ERROR(load());
    const bool isWhole = functions.size() > 1 || !functions.front().synchronizes;
    MTC_RETURN_IF_ERROR(isWhole ? runWhole() : runRanges());
    return report;
  }

private:
  void makeBuffers();
  Status runHost();
  Status load();
  Status runWhole();
  Status runRanges();
  /// `isWhole`: all of a phase, whose accesses are not checked.
  Status launch(size_t phase, std::vector<Bytes> &buffers, Range range, int64_t blocks,
                bool isWhole = false);
  Status compare(size_t result, const std::vector<bool> &isWritten, const Bytes &got);

  /// Of results of products whose factors are rounded (lib/Codegen/CUDA/README.md).
  double tolerance(Type type) {
    const StringRef format = kernel.getNumerics().value_or("").rsplit('-').second;
    if (!isa<FloatType>(type))
      return 0;
    return format == "tf32" || format == "f16" ? 1e-3 : format == "bf16" ? 8e-3 : 0;
  }
  int64_t elementsOf(size_t buffer) const { return types[buffer].getNumElements(); }

  mt::KernelOp kernel;
  mt::VariantAttr variant;
  const HostCode &host;
  std::mt19937_64 random;
  TileReport report;
  SmallVector<RankedTensorType> types; ///< of operands, then of results
  size_t operands = 0;
  std::vector<Bytes> fresh;  ///< operands filled, results and the GPU's scratch untouched
  std::vector<Bytes> wanted; ///< the same after the host's run
  std::vector<EmulatedFunction> functions; ///< of the phases
  std::unique_ptr<LoadedCode> code;
};

void TileCheck::makeBuffers() {
  for (Type type : kernel.getArgumentTypes())
    types.push_back(cast<RankedTensorType>(type));
  operands = types.size();
  for (Type type : kernel.getResultTypes())
    types.push_back(cast<RankedTensorType>(type));
  for (auto [i, type] : llvm::enumerate(types)) {
    const int64_t bytes = type.getNumElements() * host::elementBytes(type.getElementType());
    fresh.emplace_back(bytes, untouched);
    if (i < operands)
      fillRandom(type.getElementType(), {fresh.back().data(), size_t(bytes)}, random);
  }
  wanted = fresh;
  fresh.emplace_back(variant.getScratch(), untouched);
}

Status TileCheck::runHost() {
  Bytes scratch(host.scratchBytes, untouched);
  std::vector<void *> pointers;
  for (Bytes &b : wanted)
    pointers.push_back(b.data());
  for (size_t phase = 0; phase < host.phaseTiles.size(); ++phase) {
    const MtcKernelArgs args = {static_cast<int64_t>(phase),
                                0,
                                host.phaseTiles[phase],
                                0,
                                pointers.data(),
                                scratch.data(),
                                nullptr};
    if (const int32_t status = host.function(&args))
      return internalError(fmt::format("the host's kernel ends with status {}", status));
  }
  return okStatus();
}

Status TileCheck::load() {
  OwningOpRef<ModuleOp> emitted = ModuleOp::create(kernel.getLoc());
  if (failed(cuda::emitVariant(*emitted, kernel, variant.getConfig(), "k")))
    return internalError("cannot be emitted");
  MTC_ASSIGN_OR_RETURN(EmulatedCode emulated, emulate(*emitted, /*checks=*/true));
  MTC_ASSIGN_OR_RETURN(code, LoadedCode::load(emulated.code));
  functions = std::move(emulated.functions);
  if (functions.size() != variant.getTiles().asArrayRef().size() || functions.empty())
    return internalError(fmt::format("has {} functions, its variant {} phases", functions.size(),
                                     variant.getTiles().size()));
  return okStatus();
}

Status TileCheck::launch(size_t phase, std::vector<Bytes> &buffers, Range range, int64_t blocks,
                         bool isWhole) {
  const EmulatedFunction &f = functions[phase];
  Launch launch;
  launch.function = code->function(f.symbol);
  launch.blocks = blocks;
  launch.threads = f.threads;
  launch.lo = range.first;
  launch.hi = range.second;
  launch.sharedBytes = f.sharedBytes;
  launch.synchronizes = f.synchronizes;
  launch.checksAccesses = !isWhole;
  for (const GpuTensorMap &map : f.tensorMaps)
    launch.tensorMaps.push_back(tensorMapOf(map));
  launch.seed = random();
  for (size_t i = 0; i < buffers.size(); ++i)
    launch.buffers.push_back({buffers[i].data(), buffers[i].size, i < operands || phase > 0});
  return emulator::run(launch);
}

/// Compares the elements of a result that `isWritten` names; all if it is empty.
Status TileCheck::compare(size_t result, const std::vector<bool> &isWritten, const Bytes &got) {
  const Type type = types[result].getElementType();
  const Comparison c = compareElements(type, {got.data(), size_t(got.size)},
                                       {wanted[result].data(), size_t(got.size)}, isWritten,
                                       std::max(toleranceOf(type), tolerance(type)));
  report.elements += elementsOf(result);
  report.compared += c.compared;
  report.error = std::max(report.error, c.error);
  if (c.firstWrong >= 0)
    return internalError(fmt::format("result {}: element {} of {} is {}, the host's {}; largest "
                                     "error {:.2g} of the largest magnitude",
                                     result - operands, c.firstWrong, elementsOf(result), c.got,
                                     c.wanted, c.error));
  return okStatus();
}

/// Phase after phase as a whole, and ranges of each from the same state.
Status TileCheck::runWhole() {
  std::vector<Bytes> state = fresh;
  for (size_t p = 0; p < functions.size(); ++p) {
    const int64_t tiles = variant.getTiles().asArrayRef()[p];
    const std::vector<Bytes> before = state;
    MTC_RETURN_IF_ERROR(launch(p, state, {0, tiles}, 1, /*isWhole=*/true));
    report.tiles += tiles;
    for (const Range range : chooseRanges(tiles, random)) {
      report.checkedTiles += range.second - range.first;
      for (const int64_t blocks : {1, 3}) {
        std::vector<Bytes> part = before;
        MTC_RETURN_IF_ERROR(launch(p, part, range, blocks));
        for (size_t i = operands; i < part.size(); ++i)
          for (int64_t b = 0; b < part[i].size; ++b)
            if (const uint8_t got = part[i].data()[b];
                got != state[i].data()[b] && got != before[i].data()[b])
              return internalError(fmt::format(
                  "phase {}: tiles [{}, {}) write another byte at {} of buffer {} than all tiles "
                  "together",
                  p, range.first, range.second, b, i));
      }
    }
  }
  for (size_t i = operands; i < types.size(); ++i)
    MTC_RETURN_IF_ERROR(compare(i, {}, state[i]));
  return okStatus();
}

/// Ranges alone. What they write is what two runs leave alike over different bytes.
Status TileCheck::runRanges() {
  const int64_t tiles = variant.getTiles().asArrayRef()[0];
  report.tiles = tiles;
  std::vector<Bytes> first = fresh, second = fresh;
  for (size_t i = operands; i < second.size(); ++i)
    std::memset(second[i].data(), untouchedAgain, static_cast<size_t>(second[i].size));
  for (const Range range : chooseRanges(tiles, random)) {
    report.checkedTiles += range.second - range.first;
    MTC_RETURN_IF_ERROR(launch(0, first, range, 1));
    MTC_RETURN_IF_ERROR(launch(0, second, range, 3));
  }
  for (size_t i = operands; i < types.size(); ++i) {
    const int64_t width = host::elementBytes(types[i].getElementType());
    std::vector<bool> isWritten(elementsOf(i));
    for (int64_t e = 0; e < elementsOf(i); ++e) {
      const uint8_t *a = first[i].data() + e * width, *b = second[i].data() + e * width;
      auto holds = [&](const uint8_t *bytes, uint8_t value) {
        return std::all_of(bytes, bytes + width, [&](uint8_t byte) { return byte == value; });
      };
      isWritten[e] = !holds(a, untouched) || !holds(b, untouchedAgain);
      if (isWritten[e] && std::memcmp(a, b, static_cast<size_t>(width)) != 0)
        return internalError(fmt::format(
            "result {}: element {} depends on the grid or the order of blocks and threads",
            i - operands, e));
    }
    const auto written = std::count(isWritten.begin(), isWritten.end(), true);
    if (written == 0 || (tiles == report.checkedTiles && written != elementsOf(i)))
      return internalError(fmt::format("result {}: {} of {} tiles write {} of {} elements",
                                       i - operands, report.checkedTiles, tiles, written,
                                       elementsOf(i)));
    MTC_RETURN_IF_ERROR(compare(i, isWritten, first[i]));
  }
  return okStatus();
}

} // namespace

StatusOr<TileReport> checkTiles(mt::KernelOp kernel, mt::VariantAttr variant, const HostCode &host,
                                uint64_t seed) {
  return TileCheck(kernel, variant, host, seed).run();
}

} // namespace mtc::emulator
