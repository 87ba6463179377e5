//===- Variants.cpp - the configs of kernels and their emission -----------===//
#include "Variants.h"

#include "EmitContraction.h"
#include "EmitRows.h"
#include "Winograd.h"

using namespace mlir;

namespace mtc::host {

DictionaryAttr plainConfig(MLIRContext *context) {
  Builder b(context);
  return b.getDictionaryAttr(b.getNamedAttr("emitter", b.getStringAttr("plain")));
}

FailureOr<int64_t> plainScratchBytes(mt::KernelOp kernel) {
  FailureOr<BufferPlan> plan = planBuffers(kernel);
  if (failed(plan))
    return failure();
  return plan->scratchBytes;
}

static int64_t lanesOf(const HostTarget &target) { return target.vectorBytes / 4; }

static FailureOr<Choice> chooseRows(mt::KernelOp kernel, const HostTarget &target) {
  FailureOr<RowProgram> program = analyseRows(kernel, lanesOf(target));
  if (failed(program))
    return failure();
  // A tile is about 32 KiB of traffic: some microseconds, and its rows stay in the L1 cache.
  constexpr int64_t tileBytes = 32 << 10;
  SmallVector<int64_t> rowsPerTile;
  int64_t tiles = 0;
  for (const Segment &segment : program->segments) {
    int64_t rows = segment.rows();
    int64_t perTile =
        std::clamp<int64_t>(tileBytes / std::max<int64_t>(1, rowBytes(segment, program->plan)), 1,
                            std::max<int64_t>(1, rows));
    rowsPerTile.push_back(perTile);
    tiles += llvm::divideCeil(rows, perTile);
  }
  Builder b(kernel.getContext());
  auto config = b.getDictionaryAttr({b.getNamedAttr("emitter", b.getStringAttr("rows")),
                                     b.getNamedAttr("rows", b.getDenseI64ArrayAttr(rowsPerTile))});
  return Choice{config, {std::max<int64_t>(1, tiles)}, program->plan.scratchBytes};
}

static FailureOr<Choice> chooseContraction(mt::KernelOp kernel, const HostTarget &target) {
  FailureOr<Contraction> c = analyseContraction(kernel);
  if (failed(c))
    return failure();
  Tiling t = chooseTiling(*c, target);
  Builder b(kernel.getContext());
  auto number = [&](StringRef name, int64_t value) {
    return b.getNamedAttr(name, b.getI64IntegerAttr(value));
  };
  auto config =
      b.getDictionaryAttr({b.getNamedAttr("emitter", b.getStringAttr("contraction")),
                           number("lanes", t.lanes), number("mr", t.mr), number("nv", t.nv),
                           number("rows", t.rowBlock), number("steps", t.stepBlock)});
  return Choice{config, {tilesOf(*c, t)}, scratchOf(*c, t)};
}

static FailureOr<Choice> chooseWinograd(mt::KernelOp kernel, const HostTarget &target) {
  FailureOr<Winograd> w = analyseWinograd(kernel);
  if (failed(w) || w->nr % lanesOf(target) != 0)
    return failure();
  WinogradTiling t = chooseWinogradTiling(*w, target);
  Builder b(kernel.getContext());
  auto number = [&](StringRef name, int64_t value) {
    return b.getNamedAttr(name, b.getI64IntegerAttr(value));
  };
  auto config =
      b.getDictionaryAttr({b.getNamedAttr("emitter", b.getStringAttr("winograd")),
                           number("lanes", t.lanes), number("mr", t.mr), number("block", t.block)});
  return Choice{config, {tilesOf(*w, t)}, scratchOf(*w, t)};
}

/// The tiling that a config says; fails if a number is missing or not positive.
static FailureOr<Tiling> tilingOf(DictionaryAttr config) {
  Tiling t;
  for (auto [name, field] : {std::pair("lanes", &t.lanes),
                             {"mr", &t.mr},
                             {"nv", &t.nv},
                             {"rows", &t.rowBlock},
                             {"steps", &t.stepBlock}}) {
    auto value = config.getAs<IntegerAttr>(name);
    if (!value || value.getInt() < 1)
      return failure();
    *field = value.getInt();
  }
  return t;
}

FailureOr<Choice> chooseConfig(mt::KernelOp kernel, const HostTarget &target, bool plain) {
  FailureOr<int64_t> scratch = plainScratchBytes(kernel);
  if (failed(scratch))
    return failure();
  if (!plain)
    if (FailureOr<Choice> winograd = chooseWinograd(kernel, target); succeeded(winograd))
      return winograd;
  if (!plain)
    if (FailureOr<Choice> contraction = chooseContraction(kernel, target); succeeded(contraction))
      return contraction;
  if (!plain)
    if (FailureOr<Choice> rows = chooseRows(kernel, target); succeeded(rows))
      return rows;
  return Choice{plainConfig(kernel.getContext()), {1}, *scratch};
}

LogicalResult emitVariant(ModuleOp module, mt::KernelOp kernel, DictionaryAttr config,
                          StringRef symbol, const HostTarget &target) {
  auto name = config.getAs<StringAttr>("emitter");
  if (name && name.getValue() == "plain") {
    FailureOr<BufferPlan> plan = planBuffers(kernel);
    if (failed(plan))
      return failure();
    Emitter emitter(module, kernel, *plan, symbol);
    return emitPlain(emitter);
  }
  if (name && name.getValue() == "rows") {
    FailureOr<RowProgram> program = analyseRows(kernel, lanesOf(target));
    auto rowsPerTile = config.getAs<DenseI64ArrayAttr>("rows");
    if (failed(program) || !rowsPerTile ||
        rowsPerTile.size() != static_cast<int64_t>(program->segments.size()) ||
        llvm::any_of(rowsPerTile.asArrayRef(), [](int64_t n) { return n < 1; }))
      return kernel.emitOpError("does not fit its config: ") << config;
    Emitter emitter(module, kernel, program->plan, symbol);
    return emitRows(emitter, *program, rowsPerTile.asArrayRef(), lanesOf(target));
  }
  if (name && name.getValue() == "contraction") {
    FailureOr<Contraction> c = analyseContraction(kernel);
    FailureOr<Tiling> tiling = tilingOf(config);
    if (failed(c) || failed(tiling))
      return kernel.emitOpError("does not fit its config: ") << config;
    c->plan.scratchBytes = scratchOf(*c, *tiling);
    Emitter emitter(module, kernel, c->plan, symbol);
    return emitContraction(emitter, *c, *tiling, target);
  }
  if (name && name.getValue() == "winograd") {
    FailureOr<Winograd> w = analyseWinograd(kernel);
    WinogradTiling t;
    bool fits = succeeded(w);
    for (auto [key, field] : {std::pair("lanes", &t.lanes), {"mr", &t.mr}, {"block", &t.block}}) {
      auto value = config.getAs<IntegerAttr>(key);
      fits = fits && value && value.getInt() >= 1;
      if (fits)
        *field = value.getInt();
    }
    if (!fits || w->nr % t.lanes || t.block % t.mr)
      return kernel.emitOpError("does not fit its config: ") << config;
    w->plan.scratchBytes = scratchOf(*w, t);
    Emitter emitter(module, kernel, w->plan, symbol);
    return emitWinograd(emitter, *w, t);
  }
  return kernel.emitOpError("has a config of no known emitter: ") << config;
}

} // namespace mtc::host
