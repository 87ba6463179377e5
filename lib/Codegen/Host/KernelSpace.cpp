//===- KernelSpace.cpp - kernels as the tuner sees them -------------------===//
#include "mtc/Codegen/Host/KernelSpace.h"

#include "Contraction.h"
#include "DotProduct.h"
#include "FetchAhead.h"
#include "MatrixTiles.h"
#include "Nest.h"
#include "Roofline.h"
#include "Variants.h"
#include "Winograd.h"

using namespace mlir;

namespace mtc::host {

CoreShape coreShape(const HostTarget &target) {
  return {target.vectorBytes, target.vectorRegisters, target.cores, target.fetchesAhead};
}

static ContractionShape shapeOf(const Contraction &c, const HostTarget &target) {
  ContractionShape shape;
  shape.batch = c.product(c.batch);
  shape.rows = c.product(c.rows);
  shape.m = c.extent(c.m);
  shape.n = c.extent(c.n);
  shape.depth = c.product(c.reductions);
  if (!c.reductions.empty() && !c.windowOfInner(c.reductions.back()))
    shape.inner = c.extent(c.reductions.back());
  for (const Operand &o : c.operands)
    shape.panel = std::max(shape.panel, o.panel);
  shape.accumulatorBytes = c.accumulatorBytes();
  for (int64_t i = 0; i < c.inputs; ++i)
    if (c.operands[i].storage >= 0)
      shape.operandBytes = elementBytes(c.plan.storages[c.operands[i].storage].elementType);
  const bool isSplit = c.groups >= 0 && !hasByteDotProduct(target);
  shape.vectorsPerLoad = isSplit ? 2 : 1;
  shape.operations = isSplit ? 4 : c.groups < 0 && c.element.isInteger() ? 3 : 1;
  shape.packs = c.packs;
  shape.vectorRows = c.vectorRows;
  shape.isWidened = hasNarrowPanels(c) && c.groups < 0;
  shape.readsInPlace = mayReadInPlace(c);
  shape.mayFetchAhead = mayFetchAhead(c);
  return shape;
}

KernelShape kernelShape(mt::KernelOp kernel, const HostTarget &target) {
  FailureOr<Choice> choice = chooseConfig(kernel, target, /*plain=*/false);
  if (failed(choice))
    return std::monostate();
  const StringRef emitter = choice->config.getAs<StringAttr>("emitter").getValue();
  if (emitter == "contraction")
    return shapeOf(*analyseContraction(kernel), target);
  if (emitter == "matrix") {
    const Contraction c = *analyseMatrix(kernel);
    return MatrixShape{positionsOf(c), c.extent(c.n), c.splitDepth, c.splitParts,
                       gatheredVectors(c)};
  }
  if (emitter == "winograd") {
    const Winograd w = *analyseWinograd(kernel);
    return WinogradShape{w.tiles(), w.c, w.nr, w.positions(), w.groups};
  }
  if (emitter != "rows")
    return std::monostate();
  FailureOr<RowProgram> program = analyseRows(kernel, target.vectorBytes / 4);
  RowsShape shape;
  for (const Segment &segment : program->segments)
    shape.segments.push_back({std::max<int64_t>(1, segment.rows()),
                              std::max<int64_t>(1, rowBytes(segment, program->plan))});
  if (shape.segments.empty())
    return std::monostate();
  return shape;
}

KernelFeatureMap kernelFeatures(mt::KernelOp kernel, const HostTarget &target) {
  const Work work = workOf(kernel, target);
  KernelFeatureMap features = {{"kind", double(kernel.getKind())},
                               {"flops", double(work.flops)},
                               {"bytes", double(work.bytes)}};
  const KernelShape shape = kernelShape(kernel, target);
  features["form"] = double(shape.index());
  if (const auto *c = std::get_if<ContractionShape>(&shape)) {
    features["batch"] = double(c->batch);
    features["rows"] = double(c->rows);
    features["m"] = double(c->m);
    features["n"] = double(c->n);
    features["depth"] = double(c->depth);
    features["inner"] = double(c->inner);
    features["panel"] = double(c->panel);
    features["accumulator_bytes"] = double(c->accumulatorBytes);
    features["operand_bytes"] = double(c->operandBytes);
    features["vectors_per_load"] = double(c->vectorsPerLoad);
    features["operations"] = c->operations;
    features["packs"] = c->packs;
    features["vector_rows"] = c->vectorRows;
    features["is_widened"] = c->isWidened;
    features["reads_in_place"] = c->readsInPlace;
    features["may_fetch_ahead"] = c->mayFetchAhead;
    const Contraction whole = *analyseContraction(kernel);
    features["windows"] = double(whole.windows.size());
    features["epilogue_inputs"] = double(whole.epilogueInputs);
    features["spills_epilogue"] = whole.spillsEpilogue;
  } else if (const auto *r = std::get_if<RowsShape>(&shape)) {
    features["segments"] = double(r->segments.size());
    for (auto [i, segment] : llvm::enumerate(r->segments)) {
      features["rows" + std::to_string(i)] = double(segment.rows);
      features["row_bytes" + std::to_string(i)] = double(segment.bytes);
    }
  } else if (const auto *w = std::get_if<WinogradShape>(&shape)) {
    features["tiles"] = double(w->tiles);
    features["channels"] = double(w->channels);
    features["positions"] = double(w->positions);
    features["panel"] = double(w->panel);
    features["groups"] = double(w->groups);
  } else if (const auto *t = std::get_if<MatrixShape>(&shape)) {
    features["positions"] = double(t->positions);
    features["columns"] = double(t->columns);
    features["depth"] = double(t->depth);
    features["parts"] = double(t->parts);
    features["vectors"] = double(t->vectors);
  }
  features["vector_bytes"] = double(target.vectorBytes);
  features["vector_registers"] = double(target.vectorRegisters);
  return features;
}

FailureOr<Config> configOf(DictionaryAttr attribute) {
  Config config;
  for (NamedAttribute entry : attribute) {
    const std::string name = entry.getName().str();
    if (auto text = dyn_cast<StringAttr>(entry.getValue()); text && name == "emitter")
      config.emitter = text.str();
    else if (auto number = dyn_cast<IntegerAttr>(entry.getValue()))
      config.numbers.push_back({name, {number.getInt()}, false});
    else if (auto list = dyn_cast<DenseI64ArrayAttr>(entry.getValue()))
      config.numbers.push_back({name, list.asArrayRef().vec(), true});
    else
      return failure();
  }
  return config;
}

DictionaryAttr configAttr(MLIRContext *context, const Config &config) {
  Builder b(context);
  SmallVector<NamedAttribute> entries = {
      b.getNamedAttr("emitter", b.getStringAttr(config.emitter))};
  for (const ConfigNumber &number : config.numbers)
    entries.push_back(b.getNamedAttr(
        number.name, number.isList ? Attribute(b.getDenseI64ArrayAttr(number.values))
                                   : Attribute(b.getI64IntegerAttr(number.values[0]))));
  return b.getDictionaryAttr(entries);
}

FailureOr<mt::VariantAttr> variantOf(mt::KernelOp kernel, const HostTarget &target,
                                     DictionaryAttr config, ArrayRef<int64_t> granules,
                                     ArrayRef<int64_t> ns, StringRef origin) {
  FailureOr<Choice> choice = choiceOf(kernel, target, config);
  if (failed(choice))
    return failure();
  MLIRContext *context = kernel.getContext();
  return mt::VariantAttr::get(
      context, choice->config, DenseI64ArrayAttr::get(context, choice->tiles), choice->scratchBytes,
      DenseI64ArrayAttr::get(context, granules), DenseI64ArrayAttr::get(context, ns),
      StringAttr::get(context, origin));
}

} // namespace mtc::host
