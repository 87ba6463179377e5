//===- Variants.cpp - the configs of CUDA kernels and their emission ------===//
#include "Variants.h"

#include "EmitContraction.h"
#include "EmitMma.h"
#include "EmitPhases.h"
#include "EmitRows.h"
#include "StagedWeight.h"

#include "mtc/Dialect/MT/Transforms/CountOperations.h"
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"
#include "mtc/Tuning/GpuModel.h"

#include <map>

using namespace mlir;

namespace mtc::cuda {
namespace {

/// Threads of a block where nothing speaks for another number: eight warps hide latency, and all
/// SMs hold a whole number of such blocks.
constexpr int64_t standardThreads = 256;
/// Neighbours that a thread computes at most: two accesses of 16 bytes in f32.
constexpr int64_t mostWidth = 8;

DictionaryAttr makeConfig(MLIRContext *context, StringRef emitter,
                          ArrayRef<std::pair<StringRef, int64_t>> numbers) {
  Builder b(context);
  SmallVector<NamedAttribute> entries = {b.getNamedAttr("emitter", b.getStringAttr(emitter))};
  for (auto [name, value] : numbers)
    entries.push_back(b.getNamedAttr(name, b.getI64IntegerAttr(value)));
  return b.getDictionaryAttr(entries);
}

/// Counts the warpgroups that only copy, if there are any.
constexpr llvm::StringLiteral producersKey = "producers";

/// A positive number of the config, or 0.
int64_t numberOf(DictionaryAttr config, StringRef name) {
  auto value = config.getAs<IntegerAttr>(name);
  return value ? std::max<int64_t>(0, value.getInt()) : 0;
}

DictionaryAttr configOf(MLIRContext *context, const ContractionTile &tile) {
  return makeConfig(
      context, "contraction",
      {{"bm", tile.bm}, {"bn", tile.bn}, {"bk", tile.bk}, {"tm", tile.tm}, {"tn", tile.tn}});
}

ContractionTile tileOf(DictionaryAttr config) {
  return {numberOf(config, "bm"), numberOf(config, "bn"), numberOf(config, "bk"),
          numberOf(config, "tm"), numberOf(config, "tn")};
}

DictionaryAttr configOf(MLIRContext *context, const MmaTile &tile) {
  NamedAttrList config = makeConfig(context, "contraction",
                                    {{"bm", tile.bm},
                                     {"bn", tile.bn},
                                     {"bk", tile.bk},
                                     {"wm", tile.wm},
                                     {"wn", tile.wn},
                                     {"stages", tile.stages}});
  config.set(mmaKey, StringAttr::get(context, nameOf(tile.format)));
  if (tile.byGroup)
    config.set(groupKey, UnitAttr::get(context));
  if (tile.producers > 0)
    config.set(producersKey, IntegerAttr::get(IntegerType::get(context, 64), tile.producers));
  if (tile.staged)
    config.set(stagedKey, UnitAttr::get(context));
  if (tile.mapped)
    config.set(mappedKey, UnitAttr::get(context));
  return config.getDictionary(context);
}

/// The tile of a config of tensor cores.
std::optional<MmaTile> mmaTileOf(DictionaryAttr config) {
  auto name = config.getAs<StringAttr>(mmaKey);
  std::optional<MmaFormat> format = name ? mmaFormat(name.getValue()) : std::nullopt;
  if (!format)
    return std::nullopt;
  auto number = [&](StringRef key) { return numberOf(config, key); };
  return MmaTile{*format,
                 number("bm"),
                 number("bn"),
                 number("bk"),
                 number("wm"),
                 number("wn"),
                 number("stages"),
                 config.contains(groupKey),
                 number(producersKey),
                 config.contains(stagedKey),
                 config.contains(mappedKey)};
}

/// What a tile of bm x bn results multiplies and loads, bk terms at a time.
GpuTile workOf(const host::Contraction &c, int64_t bm, int64_t bn, int64_t bk) {
  const auto terms = static_cast<double>(llvm::alignTo(c.product(c.reductions), bk));
  auto bytesOf = [&](int64_t input) {
    return static_cast<double>(storedType(c, input).getIntOrFloatBitWidth()) / 8;
  };
  GpuTile tile;
  tile.flops = 2.0 * static_cast<double>(bm * bn) * terms;
  tile.loads = (bytesOf(1 - c.vectorInput) * static_cast<double>(bm) +
                bytesOf(c.vectorInput) * static_cast<double>(bn)) *
               terms;
  return tile;
}

/// A config as the model sees it.
struct Candidate {
  Choice choice;
  /// Part of the CUDA cores' peak that a tile reaches (estimate); tensor cores reach more than 1.
  double efficiency = 0.25;
  std::optional<GpuTile> tile = std::nullopt; ///< of a contraction
};

template <typename Tile>
Candidate candidateOf(mt::KernelOp kernel, const host::Contraction &c, const Tile &tile,
                      double efficiency, const GpuRow &gpu) {
  GpuTile work = workOf(c, tile.bm, tile.bn, tile.bk);
  work.resident = residentBlocks(blockOf(tile), gpu);
  return {{configOf(kernel.getContext(), tile), {tilesOf(c, tile.bm, tile.bn)}}, efficiency, work};
}

/// All tiles of a contraction; none if the kernel is none or no tile fits.
SmallVector<Candidate> contractionCandidates(mt::KernelOp kernel, const CudaTarget &target) {
  PlainKernel plain(kernel);
  const bool isStaged = plain.stagedArgument() >= 0;
  FailureOr<host::Contraction> c = analyseContraction(plain.kernel(), plain.stagedArgument());
  SmallVector<Candidate> candidates;
  if (failed(c))
    return candidates;
  if (std::optional<MmaFormat> format = mmaFormatOf(kernel, *c)) {
    for (auto [tile, efficiency] : mmaTiles(*c, *format, isStaged, target.gpu, target.maps))
      candidates.push_back(candidateOf(kernel, *c, tile, efficiency, target.gpu));
  } else if (!isStaged) {
    for (auto [tile, efficiency] : contractionTiles())
      candidates.push_back(candidateOf(kernel, *c, tile, efficiency, target.gpu));
  }
  return candidates;
}

FailureOr<Choice> chooseRows(mt::KernelOp kernel, int64_t together = 1) {
  FailureOr<Rows> rows = analyseRows(kernel, together);
  if (failed(rows))
    return failure();
  NamedAttrList config = makeConfig(kernel.getContext(), "rows", {{"threads", rows->threads}});
  if (together > 1)
    config.set(togetherKey, Builder(kernel.getContext()).getI64IntegerAttr(together));
  return Choice{config.getDictionary(kernel.getContext()), {rows->tiles()}, 0};
}

PhaseCut phaseCutOf(DictionaryAttr config) {
  return {numberOf(config, "threads"), numberOf(config, widthKey)};
}

LogicalResult emitRows(ModuleOp module, mt::KernelOp kernel, DictionaryAttr config,
                       StringRef symbol) {
  FailureOr<Rows> rows = analyseRows(kernel, std::max<int64_t>(1, numberOf(config, togetherKey)));
  int64_t threads = numberOf(config, "threads");
  if (failed(rows) || threads < 32 || threads > 1024 || threads % 32 != 0)
    return kernel.emitOpError("does not fit its config: ") << config;
  rows->threads = threads;
  ThreadEmitter emitter(module, kernel, rows->program.plan, phaseSymbol(symbol, 0),
                        threads * rows->together);
  emitRows(emitter, *rows);
  return success();
}

LogicalResult emitPhases(ModuleOp module, mt::KernelOp kernel, DictionaryAttr config,
                         StringRef symbol) {
  const PhaseCut cut = phaseCutOf(config);
  FailureOr<Phases> phases = failure();
  if (cut.threads > 0)
    phases = analysePhases(kernel, cut);
  if (failed(phases))
    return kernel.emitOpError("does not fit its config: ") << config;
  for (size_t p = 0; p < phases->tiles.size(); ++p)
    if (failed(emitPhase(module, kernel, *phases, p, phaseSymbol(symbol, p), cut)))
      return failure();
  return success();
}

LogicalResult emitContraction(ModuleOp module, mt::KernelOp kernel, DictionaryAttr config,
                              StringRef symbol) {
  PlainKernel plain(kernel);
  const bool isStaged = plain.stagedArgument() >= 0;
  FailureOr<host::Contraction> c = analyseContraction(plain.kernel(), plain.stagedArgument());
  if (config.contains(mmaKey)) {
    std::optional<MmaTile> tile = mmaTileOf(config);
    if (failed(c) || !tile || tile->staged != isStaged || !fits(*tile, *c) || !isValid(*tile))
      return kernel.emitOpError("does not fit its config: ") << config;
    ThreadEmitter emitter(module, plain.kernel(), c->plan, phaseSymbol(symbol, 0), tile->threads());
    if (tile->producers > 0)
      emitRing(emitter, *c, *tile);
    else
      emitMma(emitter, *c, *tile);
    return success();
  }
  const ContractionTile tile = tileOf(config);
  if (failed(c) || isStaged || isOfBytes(*c) || !isValid(tile))
    return kernel.emitOpError("does not fit its config: ") << config;
  ThreadEmitter emitter(module, kernel, c->plan, phaseSymbol(symbol, 0), tile.threads());
  emitContraction(emitter, *c, tile);
  return success();
}

} // namespace

int64_t blocksOf(DictionaryAttr config) { return numberOf(config, blocksKey); }

std::optional<MmaFormat> mmaFormatOf(mt::KernelOp kernel, const host::Contraction &c) {
  if (isOfBytes(c))
    return MmaFormat::I8;
  return mmaFormat(kernel.getNumerics().value_or("").rsplit('-').second);
}

FailureOr<Choice> choosePhases(mt::KernelOp kernel) {
  FailureOr<Phases> phases = analysePhases(kernel, PhaseCut{standardThreads});
  if (failed(phases))
    return failure();
  return Choice{makeConfig(kernel.getContext(), "phases", {{"threads", standardThreads}}),
                phases->tiles, phases->plan.scratchBytes};
}

FailureOr<SmallVector<Choice>> contractionConfigs(mt::KernelOp kernel, const CudaTarget &target) {
  SmallVector<Choice> choices;
  for (const Candidate &candidate : contractionCandidates(kernel, target))
    choices.push_back(candidate.choice);
  if (choices.empty())
    return failure();
  return choices;
}

bool addAlike(DictionaryAttr a, DictionaryAttr b) {
  auto format = a.getAs<StringAttr>(mmaKey);
  return (format && format.getValue() == nameOf(MmaFormat::I8)) ||
         a.contains(groupKey) == b.contains(groupKey);
}

static mt::VariantAttr variantOf(const Choice &choice, ArrayRef<ShareTime> times) {
  SmallVector<int64_t> granules, ns;
  for (const ShareTime &time : times) {
    granules.push_back(time.granules);
    ns.push_back(time.ns);
  }
  MLIRContext *context = choice.config.getContext();
  return mt::VariantAttr::get(context, choice.config, DenseI64ArrayAttr::get(context, choice.tiles),
                              choice.scratchBytes, DenseI64ArrayAttr::get(context, granules),
                              DenseI64ArrayAttr::get(context, ns),
                              StringAttr::get(context, "modelled"));
}

static std::vector<ShareTime> timesOf(mt::KernelOp kernel, const Candidate &candidate,
                                      const GpuRow &gpu) {
  GpuCut cut;
  cut.flops = mt::flopsOf(kernel);
  cut.bytes = mt::bytesOf(kernel);
  cut.phaseTiles.assign(candidate.choice.tiles.begin(), candidate.choice.tiles.end());
  cut.efficiency = candidate.efficiency;
  cut.tile = candidate.tile;
  return gpuTimes(cut, gpu);
}

FailureOr<SmallVector<mt::VariantAttr>> chooseVariants(mt::KernelOp kernel,
                                                       const CudaTarget &target, bool plain) {
  SmallVector<Candidate> candidates;
  if (!plain)
    candidates = contractionCandidates(kernel, target);
  if (candidates.empty()) {
    FailureOr<Choice> only = failure();
    if (!plain)
      only = chooseRows(kernel);
    if (failed(only))
      only = choosePhases(kernel);
    if (failed(only))
      return failure();
    candidates.push_back({*only});
  }
  // Where all are as fast, for loads or memory bound them, the one whose arithmetic is.
  llvm::stable_sort(candidates, [](const Candidate &a, const Candidate &b) {
    return a.efficiency > b.efficiency;
  });
  auto price = [&](const Candidate &candidate) { return timesOf(kernel, candidate, target.gpu); };
  const int32_t granules = target.gpu.units / target.gpu.unitsPerGranule;
  auto times = llvm::map_to_vector<0>(candidates, price);
  const DictionaryAttr first =
      candidates[chooseCuts(times, granules, /*margin=*/0, /*most=*/1).front()].choice.config;
  llvm::erase_if(candidates, [&](const Candidate &candidate) {
    return !addAlike(first, candidate.choice.config);
  });
  times = llvm::map_to_vector<0>(candidates, price);
  SmallVector<mt::VariantAttr> variants;
  for (size_t at : chooseCuts(times, granules))
    variants.push_back(variantOf(candidates[at].choice, times[at]));
  return variants;
}

SmallVector<mt::VariantAttr> priceVariants(mt::KernelOp kernel, const CudaTarget &target,
                                           ArrayRef<DictionaryAttr> configs) {
  PlainKernel plain(kernel);
  const bool isStaged = plain.stagedArgument() >= 0;
  FailureOr<host::Contraction> c = analyseContraction(plain.kernel(), plain.stagedArgument());
  std::optional<MmaFormat> format;
  if (succeeded(c))
    format = mmaFormatOf(kernel, *c);
  FailureOr<Choice> rows = chooseRows(kernel);
  // What a block may have of an SM, with one block there.
  auto hasRoom = [&](const GpuBlock &block) {
    return block.registers <= 255 && block.registers * block.threads <= target.gpu.unitRegisters &&
           block.threads <= std::min(1024, target.gpu.unitThreads) &&
           block.sharedBytes <= target.gpu.blockSharedBytes;
  };
  std::map<std::pair<int64_t, int64_t>, FailureOr<Phases>> analysed;
  auto phasesOf = [&](const PhaseCut &cut) -> const Phases * {
    auto [at, isNew] = analysed.try_emplace({cut.threads, cut.width}, failure());
    if (isNew)
      at->second = analysePhases(kernel, cut);
    return succeeded(at->second) ? &*at->second : nullptr;
  };
  // A width that the kernel's size asks for anyway is no other config.
  auto isWidthNew = [&](const PhaseCut &cut) {
    const Phases *usual = phasesOf({cut.threads, 0});
    return usual && usual->width != cut.width;
  };
  auto candidate = [&](DictionaryAttr config) -> FailureOr<Candidate> {
    auto name = config.getAs<StringAttr>("emitter");
    const StringRef emitter = name ? name.getValue() : "";
    if (emitter == "contraction" && succeeded(c)) {
      std::optional<MmaTile> tile = mmaTileOf(config);
      if (tile && format == tile->format && tile->staged == isStaged && isValid(*tile) &&
          fits(*tile, *c) && hasRoom(blockOf(*tile)) &&
          (!tile->byGroup || StringRef(target.gpu.architecture) == "sm_90a") &&
          (!tile->mapped || target.maps))
        return candidateOf(kernel, *c, *tile, efficiencyOf(*tile, target.gpu), target.gpu);
      const ContractionTile cores = tileOf(config);
      if (!tile && !format && !isStaged && !config.contains(mmaKey) && isValid(cores) &&
          hasRoom(blockOf(cores)))
        return candidateOf(kernel, *c, cores, efficiencyOf(cores), target.gpu);
    } else if (emitter == "rows" && succeeded(rows)) {
      const int64_t together = std::max<int64_t>(1, numberOf(config, togetherKey));
      if (FailureOr<Choice> choice = chooseRows(kernel, together);
          succeeded(choice) && choice->config == config)
        return Candidate{*choice};
    } else if (const PhaseCut cut = phaseCutOf(config);
               emitter == "phases" && cut.threads >= 32 && cut.threads <= 1024 &&
               cut.threads % 32 == 0 && cut.width <= mostWidth) {
      if (const Phases *phases = phasesOf(cut);
          phases && (cut.width == 0 || (phases->width == cut.width && isWidthNew(cut))))
        return Candidate{{config, phases->tiles, phases->plan.scratchBytes}};
    }
    return failure();
  };
  // Fewer blocks of an SM than it could hold: where that is known, for otherwise nothing changes.
  auto withBlocks = [&](DictionaryAttr config) -> FailureOr<Candidate> {
    const int64_t blocks = blocksOf(config);
    if (blocks == 0)
      return candidate(config);
    NamedAttrList bare(config);
    bare.erase(blocksKey);
    FailureOr<Candidate> made = candidate(bare.getDictionary(config.getContext()));
    const int64_t threads =
        numberOf(config, "threads") * std::max<int64_t>(1, numberOf(config, togetherKey));
    if (failed(made) || made->choice.config != bare.getDictionary(config.getContext()) ||
        blocks >= (made->tile ? made->tile->resident : target.gpu.unitThreads / threads))
      return failure();
    if (made->tile)
      made->tile->resident = blocks;
    made->choice.config = config;
    return made;
  };
  SmallVector<mt::VariantAttr> variants;
  for (DictionaryAttr config : configs) {
    FailureOr<Candidate> made = withBlocks(config);
    // What the config says beyond what is known of it would be lost.
    variants.push_back(succeeded(made) && made->choice.config == config
                           ? variantOf(made->choice, timesOf(kernel, *made, target.gpu))
                           : mt::VariantAttr());
  }
  return variants;
}

FailureOr<Choice> smallerConfig(mt::KernelOp kernel, DictionaryAttr config) {
  auto name = config.getAs<StringAttr>("emitter");
  if (!name || name.getValue() != "contraction")
    return failure();
  PlainKernel plain(kernel);
  FailureOr<host::Contraction> c = analyseContraction(plain.kernel(), plain.stagedArgument());
  if (failed(c))
    return failure();
  auto choice = [&](const auto &tile) {
    return Choice{configOf(kernel.getContext(), tile), {tilesOf(*c, tile.bm, tile.bn)}};
  };
  if (std::optional<MmaTile> tile = mmaTileOf(config)) {
    tile = smallerTile(*tile);
    if (!tile || !fits(*tile, *c))
      return failure();
    return choice(*tile);
  }
  ContractionTile tile = tileOf(config);
  tile.bm /= 2;
  tile.tm /= 2;
  if (!isValid(tile))
    return failure();
  return choice(tile);
}

std::string phaseSymbol(StringRef symbol, int64_t phase) {
  return (symbol + "_p" + Twine(phase)).str();
}

LogicalResult emitVariant(ModuleOp module, mt::KernelOp kernel, DictionaryAttr config,
                          StringRef symbol) {
  auto name = config.getAs<StringAttr>("emitter");
  if (name && name.getValue() == "phases")
    return emitPhases(module, kernel, config, symbol);
  if (name && name.getValue() == "contraction")
    return emitContraction(module, kernel, config, symbol);
  if (name && name.getValue() == "rows")
    return emitRows(module, kernel, config, symbol);
  return kernel.emitOpError("has a config of no known emitter: ") << config;
}

} // namespace mtc::cuda
