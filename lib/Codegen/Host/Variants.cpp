//===- Variants.cpp - the configs of kernels and their emission -----------===//
#include "Variants.h"

#include "Attention.h"
#include "EmitContraction.h"
#include "EmitRows.h"
#include "MatrixTiles.h"
#include "Recurrence.h"
#include "Winograd.h"

using namespace mlir;

namespace mtc::host {

DictionaryAttr plainConfig(MLIRContext *context) {
  Builder b(context);
  return b.getDictionaryAttr(b.getNamedAttr("emitter", b.getStringAttr("plain")));
}

/// A recurrence whose steps run op by op as plain loops.
static FailureOr<Recurrence> planPlainRecurrence(mt::KernelOp kernel) {
  return planRecurrence(kernel, /*fuse=*/false, [](size_t, mt::KernelOp step) -> FailureOr<Choice> {
    FailureOr<int64_t> scratch = plainScratchBytes(step);
    return failed(scratch) ? FailureOr<Choice>(failure())
                           : Choice{plainConfig(step.getContext()), {1}, *scratch};
  });
}

FailureOr<int64_t> plainScratchBytes(mt::KernelOp kernel) {
  if (recurrenceOf(kernel)) {
    FailureOr<Recurrence> recurrence = planPlainRecurrence(kernel);
    return failed(recurrence) ? FailureOr<int64_t>(failure()) : recurrence->plan.scratchBytes;
  }
  FailureOr<BufferPlan> plan = planBuffers(kernel);
  if (failed(plan))
    return failure();
  return plan->scratchBytes;
}

static int64_t lanesOf(const HostTarget &target) { return target.vectorBytes / 4; }

static int64_t tilesOf(const RowProgram &program, ArrayRef<int64_t> rowsPerTile) {
  int64_t tiles = 0;
  for (auto [segment, perTile] : llvm::zip_equal(program.segments, rowsPerTile))
    tiles += llvm::divideCeil(segment.rows(), perTile);
  return std::max<int64_t>(1, tiles);
}

static FailureOr<Choice> chooseRows(mt::KernelOp kernel, const HostTarget &target) {
  FailureOr<RowProgram> program = analyseRows(kernel, lanesOf(target));
  if (failed(program))
    return failure();
  // A tile is about 32 KiB of traffic: some microseconds, and its rows stay in the L1 cache.
  constexpr int64_t tileBytes = 32 << 10;
  SmallVector<int64_t> rowsPerTile;
  for (const Segment &segment : program->segments)
    rowsPerTile.push_back(
        std::clamp<int64_t>(tileBytes / std::max<int64_t>(1, rowBytes(segment, program->plan)), 1,
                            std::max<int64_t>(1, segment.rows())));
  Builder b(kernel.getContext());
  auto config = b.getDictionaryAttr({b.getNamedAttr("emitter", b.getStringAttr("rows")),
                                     b.getNamedAttr("rows", b.getDenseI64ArrayAttr(rowsPerTile))});
  return Choice{config, {tilesOf(*program, rowsPerTile)}, program->plan.scratchBytes};
}

static FailureOr<Choice> chooseContraction(mt::KernelOp kernel, const HostTarget &target) {
  FailureOr<Contraction> c = analyseContraction(kernel);
  if (failed(c) || c->splitParts)
    return failure();
  Tiling t = chooseTiling(*c, target);
  Builder b(kernel.getContext());
  auto number = [&](StringRef name, int64_t value) {
    return b.getNamedAttr(name, b.getI64IntegerAttr(value));
  };
  SmallVector<NamedAttribute> config = {b.getNamedAttr("emitter", b.getStringAttr("contraction")),
                                        number("lanes", t.lanes),
                                        number("mr", t.mr),
                                        number("nv", t.nv),
                                        number("rows", t.rowBlock),
                                        number("steps", t.stepBlock)};
  for (auto [name, value] : {std::pair("order", t.order), {"ahead", t.ahead}})
    if (value != 0)
      config.push_back(number(name, value));
  return Choice{b.getDictionaryAttr(config), {tilesOf(*c, t)}, scratchOf(*c, t)};
}

static FailureOr<Choice> chooseByteTiles(mt::KernelOp kernel, const HostTarget &target) {
  if (!target.multipliesByteTiles)
    return failure();
  FailureOr<Contraction> c = analyseByteTiles(kernel);
  if (failed(c))
    return failure();
  MatrixTiling t = chooseByteTiling(*c, target);
  Builder b(kernel.getContext());
  auto number = [&](StringRef name, int64_t value) {
    return b.getNamedAttr(name, b.getI64IntegerAttr(value));
  };
  auto config = b.getDictionaryAttr({b.getNamedAttr("emitter", b.getStringAttr("byte_tiles")),
                                     number("columns", t.columns), number("mr", t.mr),
                                     number("nv", t.nv), number("rows", t.rows)});
  return Choice{config, {tilesOf(*c, t)}, scratchOf(*c, t).bytes};
}

static FailureOr<Choice> chooseMatrix(mt::KernelOp kernel, const HostTarget &target) {
  FailureOr<Contraction> c = analyseMatrix(kernel);
  if (failed(c) || !target.multipliesTiles)
    return failure();
  MatrixTiling t = chooseMatrixTiling(*c, target);
  Builder b(kernel.getContext());
  auto number = [&](StringRef name, int64_t value) {
    return b.getNamedAttr(name, b.getI64IntegerAttr(value));
  };
  auto config =
      b.getDictionaryAttr({b.getNamedAttr("emitter", b.getStringAttr("matrix")),
                           number("columns", t.columns), number("mr", t.mr), number("nv", t.nv),
                           number("parts", c->splitParts), number("rows", t.rows)});
  return Choice{config, {tilesOf(*c, t)}, scratchOf(*c, t).bytes};
}

static FailureOr<Choice> chooseWinograd(mt::KernelOp kernel, const HostTarget &target) {
  FailureOr<Winograd> w = analyseWinograd(kernel);
  if (failed(w) || w->nr % 8 != 0)
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

static FailureOr<Choice> chooseAttention(mt::KernelOp kernel, const HostTarget &target) {
  FailureOr<Attention> a = analyseAttention(kernel);
  if (failed(a))
    return failure();
  AttentionTiling t = chooseAttentionTiling(*a, target);
  Builder b(kernel.getContext());
  auto number = [&](StringRef name, int64_t value) {
    return b.getNamedAttr(name, b.getI64IntegerAttr(value));
  };
  auto config = b.getDictionaryAttr({b.getNamedAttr("emitter", b.getStringAttr("attention")),
                                     number("lanes", t.lanes), number("mr", t.mr),
                                     number("nv", t.nv), number("value_lanes", t.valueLanes),
                                     number("value_mr", t.valueMr), number("value_nv", t.valueNv)});
  return Choice{config, {tilesOf(*a, t)}, scratchOf(*a, t)};
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
  for (auto [name, field] :
       {std::pair("order", &t.order), {"unroll", &t.unroll}, {"ahead", &t.ahead}})
    if (auto value = config.getAs<IntegerAttr>(name))
      *field = value.getInt();
  const bool isKnown =
      t.order >= 0 && t.order <= 1 && t.unroll >= 1 && t.ahead >= 0 && t.ahead <= 1;
  return isKnown ? t : FailureOr<Tiling>(failure());
}

/// The blocks that a config says; fails if they do not fit `w`.
static FailureOr<WinogradTiling> tilingOf(const Winograd &w, DictionaryAttr config) {
  WinogradTiling t;
  for (auto [key, field] : {std::pair("lanes", &t.lanes), {"mr", &t.mr}, {"block", &t.block}}) {
    auto value = config.getAs<IntegerAttr>(key);
    if (!value || value.getInt() < 1)
      return failure();
    *field = value.getInt();
  }
  return w.nr % t.lanes || t.block % t.mr ? FailureOr<WinogradTiling>(failure()) : t;
}

/// The contraction that an emitter of tiles, of f32 in parts or of bytes, takes.
static FailureOr<Contraction> analyseTiles(mt::KernelOp kernel, StringRef emitter,
                                           const HostTarget &target) {
  if (emitter == "byte_tiles")
    return target.multipliesByteTiles ? analyseByteTiles(kernel) : FailureOr<Contraction>();
  return target.multipliesTiles ? analyseMatrix(kernel) : FailureOr<Contraction>();
}

/// The blocks that a config says; fails if they are not whole tiles, or too many for registers, or
/// the weight has other parts.
static FailureOr<MatrixTiling> matrixTilingOf(const FailureOr<Contraction> &c,
                                              DictionaryAttr config) {
  MatrixTiling t;
  for (auto [key, field] :
       {std::pair("columns", &t.columns), {"mr", &t.mr}, {"nv", &t.nv}, {"rows", &t.rows}}) {
    auto value = config.getAs<IntegerAttr>(key);
    if (!value || value.getInt() < 1)
      return failure();
    *field = value.getInt();
  }
  auto parts = config.getAs<IntegerAttr>("parts");
  if (failed(c) || (parts ? parts.getInt() : 0) != c->splitParts)
    return failure();
  const bool fits = t.mr * t.nv <= 4 && llvm::isPowerOf2_64(t.mr) && llvm::isPowerOf2_64(t.nv) &&
                    t.rows % (16 * t.mr) == 0 && t.columns % (16 * t.nv) == 0;
  return fits ? t : FailureOr<MatrixTiling>(failure());
}

/// The register tiles that a config says; fails if a number is missing or not positive, or a
/// transpose of `lanes` vectors cannot be written.
static FailureOr<AttentionTiling> attentionTilingOf(DictionaryAttr config) {
  AttentionTiling t;
  for (auto [name, field] : {std::pair("lanes", &t.lanes),
                             {"mr", &t.mr},
                             {"nv", &t.nv},
                             {"value_lanes", &t.valueLanes},
                             {"value_mr", &t.valueMr},
                             {"value_nv", &t.valueNv}}) {
    auto value = config.getAs<IntegerAttr>(name);
    if (!value || value.getInt() < 1)
      return failure();
    *field = value.getInt();
  }
  return llvm::isPowerOf2_64(t.lanes) ? t : FailureOr<AttentionTiling>(failure());
}

/// The rows of a tile in each segment; fails if the config does not say them for each.
static FailureOr<ArrayRef<int64_t>> rowsPerTileOf(const RowProgram &program,
                                                  DictionaryAttr config) {
  auto rows = config.getAs<DenseI64ArrayAttr>("rows");
  if (!rows || rows.size() != static_cast<int64_t>(program.segments.size()) ||
      llvm::any_of(rows.asArrayRef(), [](int64_t n) { return n < 1; }))
    return failure();
  return rows.asArrayRef();
}

FailureOr<Recurrence> planRecurrence(mt::KernelOp kernel, const HostTarget &target,
                                     DictionaryAttr config) {
  auto steps = config.getAs<ArrayAttr>("steps");
  if (!steps || !recurrenceOf(kernel))
    return failure();
  size_t calls = 0;
  FailureOr<Recurrence> recurrence = planRecurrence(
      kernel, /*fuse=*/true, [&](size_t call, mt::KernelOp step) -> FailureOr<Choice> {
        ++calls;
        auto own = call < steps.size() ? dyn_cast<DictionaryAttr>(steps[call]) : DictionaryAttr();
        return own ? choiceOf(step, target, own) : FailureOr<Choice>(failure());
      });
  return calls == steps.size() ? std::move(recurrence) : FailureOr<Recurrence>(failure());
}

FailureOr<Choice> choiceOf(mt::KernelOp kernel, const HostTarget &target, DictionaryAttr config) {
  auto name = config.getAs<StringAttr>("emitter");
  if (name && name.getValue() == "recurrence") {
    FailureOr<Recurrence> recurrence = planRecurrence(kernel, target, config);
    return failed(recurrence) ? FailureOr<Choice>(failure())
                              : Choice{config, {1}, recurrence->plan.scratchBytes};
  }
  if (name && name.getValue() == "plain") {
    FailureOr<int64_t> scratch = plainScratchBytes(kernel);
    return failed(scratch) ? FailureOr<Choice>(failure()) : Choice{config, {1}, *scratch};
  }
  if (name && name.getValue() == "rows") {
    FailureOr<RowProgram> program = analyseRows(kernel, lanesOf(target));
    if (failed(program))
      return failure();
    FailureOr<ArrayRef<int64_t>> rows = rowsPerTileOf(*program, config);
    if (failed(rows))
      return failure();
    return Choice{config, {tilesOf(*program, *rows)}, program->plan.scratchBytes};
  }
  if (name && name.getValue() == "contraction") {
    FailureOr<Contraction> c = analyseContraction(kernel);
    FailureOr<Tiling> t = tilingOf(config);
    if (failed(c) || failed(t) || c->splitParts)
      return failure();
    return Choice{config, {tilesOf(*c, *t)}, scratchOf(*c, *t)};
  }
  if (name && (name.getValue() == "matrix" || name.getValue() == "byte_tiles")) {
    FailureOr<Contraction> c = analyseTiles(kernel, name.getValue(), target);
    FailureOr<MatrixTiling> t = matrixTilingOf(c, config);
    if (failed(t))
      return failure();
    return Choice{config, {tilesOf(*c, *t)}, scratchOf(*c, *t).bytes};
  }
  if (name && name.getValue() == "winograd") {
    FailureOr<Winograd> w = analyseWinograd(kernel);
    if (failed(w))
      return failure();
    FailureOr<WinogradTiling> t = tilingOf(*w, config);
    if (failed(t))
      return failure();
    return Choice{config, {tilesOf(*w, *t)}, scratchOf(*w, *t)};
  }
  if (name && name.getValue() == "attention") {
    FailureOr<Attention> a = analyseAttention(kernel);
    FailureOr<AttentionTiling> t = attentionTilingOf(config);
    if (failed(a) || failed(t))
      return failure();
    return Choice{config, {tilesOf(*a, *t)}, scratchOf(*a, *t)};
  }
  return failure();
}

FailureOr<Choice> chooseConfig(mt::KernelOp kernel, const HostTarget &target, bool plain) {
  FailureOr<int64_t> scratch = plainScratchBytes(kernel);
  if (failed(scratch))
    return failure();
  if (!plain && recurrenceOf(kernel)) {
    HostTarget inLoop = target;
    inLoop.fetchesAhead = false; // a core's own caches keep weights from step to step
    FailureOr<Recurrence> recurrence =
        planRecurrence(kernel, /*fuse=*/true, [&](size_t, mt::KernelOp step) {
          return chooseConfig(step, inLoop, /*plain=*/false);
        });
    if (failed(recurrence))
      return failure();
    return Choice{configOf(*recurrence), {1}, recurrence->plan.scratchBytes};
  }
  if (!plain)
    if (FailureOr<Choice> winograd = chooseWinograd(kernel, target); succeeded(winograd))
      return winograd;
  if (!plain)
    if (FailureOr<Choice> attention = chooseAttention(kernel, target); succeeded(attention))
      return attention;
  if (!plain)
    if (FailureOr<Choice> bytes = chooseByteTiles(kernel, target); succeeded(bytes))
      return bytes;
  if (!plain)
    if (FailureOr<Choice> matrix = chooseMatrix(kernel, target); succeeded(matrix))
      return matrix;
  if (!plain)
    if (FailureOr<Choice> contraction = chooseContraction(kernel, target); succeeded(contraction))
      return contraction;
  if (!plain)
    if (FailureOr<Choice> rows = chooseRows(kernel, target); succeeded(rows))
      return rows;
  return Choice{plainConfig(kernel.getContext()), {1}, *scratch};
}

/// The functions of the calls, then the loop.
static LogicalResult emitCalls(ModuleOp module, const Recurrence &r, mt::KernelOp kernel,
                               StringRef symbol, const HostTarget &target) {
  SmallVector<std::string> symbols;
  for (const StepCall &call : r.calls) {
    symbols.push_back((symbol + ".s" + Twine(symbols.size())).str());
    if (failed(
            emitVariant(module, *call.kernel.kernel, call.choice.config, symbols.back(), target)))
      return failure();
  }
  Emitter emitter(module, kernel, r.plan, symbol);
  return emitRecurrence(emitter, r, symbols, target);
}

LogicalResult emitVariant(ModuleOp module, mt::KernelOp kernel, DictionaryAttr config,
                          StringRef symbol, const HostTarget &target) {
  auto name = config.getAs<StringAttr>("emitter");
  if (name && name.getValue() == "recurrence") {
    FailureOr<Recurrence> recurrence = planRecurrence(kernel, target, config);
    if (failed(recurrence))
      return kernel.emitOpError("does not fit its config: ") << config;
    return emitCalls(module, *recurrence, kernel, symbol, target);
  }
  if (name && name.getValue() == "plain" && recurrenceOf(kernel)) {
    FailureOr<Recurrence> recurrence = planPlainRecurrence(kernel);
    return failed(recurrence) ? failure() : emitCalls(module, *recurrence, kernel, symbol, target);
  }
  if (name && name.getValue() == "plain") {
    FailureOr<BufferPlan> plan = planBuffers(kernel);
    if (failed(plan))
      return failure();
    Emitter emitter(module, kernel, *plan, symbol);
    return emitPlain(emitter);
  }
  if (name && name.getValue() == "rows") {
    FailureOr<RowProgram> program = analyseRows(kernel, lanesOf(target));
    FailureOr<ArrayRef<int64_t>> rows = failure();
    if (succeeded(program))
      rows = rowsPerTileOf(*program, config);
    if (failed(rows))
      return kernel.emitOpError("does not fit its config: ") << config;
    Emitter emitter(module, kernel, program->plan, symbol);
    return emitRows(emitter, *program, *rows, lanesOf(target));
  }
  if (name && name.getValue() == "contraction") {
    FailureOr<Contraction> c = analyseContraction(kernel);
    FailureOr<Tiling> tiling = tilingOf(config);
    if (failed(c) || failed(tiling) || c->splitParts)
      return kernel.emitOpError("does not fit its config: ") << config;
    c->plan.scratchBytes = scratchOf(*c, *tiling);
    Emitter emitter(module, kernel, c->plan, symbol);
    return emitContraction(emitter, *c, *tiling, target);
  }
  if (name && (name.getValue() == "matrix" || name.getValue() == "byte_tiles")) {
    FailureOr<Contraction> c = analyseTiles(kernel, name.getValue(), target);
    FailureOr<MatrixTiling> t = matrixTilingOf(c, config);
    if (failed(t))
      return kernel.emitOpError("does not fit its config: ") << config;
    c->plan.scratchBytes = scratchOf(*c, *t).bytes;
    Emitter emitter(module, kernel, c->plan, symbol);
    return emitMatrix(emitter, *c, *t);
  }
  if (name && name.getValue() == "winograd") {
    FailureOr<Winograd> w = analyseWinograd(kernel);
    FailureOr<WinogradTiling> t = failure();
    if (succeeded(w))
      t = tilingOf(*w, config);
    if (failed(t))
      return kernel.emitOpError("does not fit its config: ") << config;
    w->plan.scratchBytes = scratchOf(*w, *t);
    Emitter emitter(module, kernel, w->plan, symbol);
    return emitWinograd(emitter, *w, *t);
  }
  if (name && name.getValue() == "attention") {
    FailureOr<Attention> a = analyseAttention(kernel);
    FailureOr<AttentionTiling> t = attentionTilingOf(config);
    if (failed(a) || failed(t))
      return kernel.emitOpError("does not fit its config: ") << config;
    placeScratch(*a, *t);
    Emitter emitter(module, kernel, a->plan, symbol);
    return emitAttention(emitter, *a, *t, target);
  }
  return kernel.emitOpError("has a config of no known emitter: ") << config;
}

} // namespace mtc::host
