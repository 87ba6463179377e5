//===- KernelSpace.cpp - CUDA kernels as the tuner sees them --------------===//
#include "mtc/Codegen/CUDA/KernelSpace.h"

#include "ContractionFrame.h"
#include "StagedWeight.h"
#include "Variants.h"

#include "mtc/Dialect/MT/Transforms/CountOperations.h"
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"

#include <cmath>
#include <map>

using namespace mlir;

namespace mtc::cuda {

/// Numbers of a config that are marks in its attribute.
static bool isMark(StringRef name) {
  return name == groupKey || name == stagedKey || name == mappedKey;
}

FailureOr<Config> configOf(DictionaryAttr attribute) {
  Config config;
  std::string format;
  for (NamedAttribute entry : attribute) {
    const StringRef name = entry.getName();
    if (name == resourcesKey)
      continue;
    if (auto text = dyn_cast<StringAttr>(entry.getValue()); text && name == "emitter")
      config.emitter = text.str();
    else if (text && name == mmaKey)
      format = "-" + text.str();
    else if (isa<UnitAttr>(entry.getValue()) && isMark(name))
      config.numbers.push_back({name.str(), {1}, false});
    else if (auto number = dyn_cast<IntegerAttr>(entry.getValue()))
      config.numbers.push_back({name.str(), {number.getInt()}, false});
    else
      return failure();
  }
  config.emitter += format;
  return config;
}

DictionaryAttr configAttr(MLIRContext *context, const Config &config) {
  Builder b(context);
  const auto [emitter, format] = StringRef(config.emitter).split('-');
  NamedAttrList entries;
  entries.set("emitter", b.getStringAttr(emitter));
  if (!format.empty())
    entries.set(mmaKey, b.getStringAttr(format));
  for (const ConfigNumber &number : config.numbers)
    entries.set(number.name, isMark(number.name) ? Attribute(b.getUnitAttr())
                             : number.isList     ? Attribute(b.getDenseI64ArrayAttr(number.values))
                                                 : b.getI64IntegerAttr(number.values[0]));
  return entries.getDictionary(context);
}

namespace {

/// Configs as they are thought of; what does not fit is left out by their pricing.
class Enumeration {
public:
  explicit Enumeration(DictionaryAttr first) : first(first), b(first.getContext()) {}

  SmallVector<DictionaryAttr> run() {
    const StringRef emitter = first.getAs<StringAttr>("emitter").getValue();
    if (emitter == "phases") {
      for (int64_t threads : {64, 128, 256, 512})
        for (int64_t width : {0, 1, 2, 4, 8})
          add({{"threads", threads}, {widthKey, width}});
    } else if (emitter == "rows") {
      for (int64_t together : {0, 2, 4, 8, 16})
        add({{"threads", first.getAs<IntegerAttr>("threads").getInt()}, {togetherKey, together}});
    } else if (emitter == "contraction" && !first.contains(mmaKey)) {
      addCudaCores();
    } else if (emitter == "contraction" && first.contains(groupKey)) {
      addGroups();
    }
    if (emitter == "contraction" && first.contains(mmaKey) && !first.contains(stagedKey) &&
        (!first.contains(groupKey) || isOfBytes()))
      addWarps();
    addGrids();
    return std::move(configs);
  }

private:
  /// Each config with smaller grids: of tiles that share a cache fewer may be faster, and leave
  /// more of an SM to nobody. What an SM cannot hold anyway is not priced.
  void addGrids() {
    for (size_t i = 0, end = configs.size(); i < end; ++i)
      for (int64_t blocks : {1, 2, 4}) {
        NamedAttrList config(configs[i]);
        config.set(blocksKey, b.getI64IntegerAttr(blocks));
        configs.push_back(config.getDictionary(b.getContext()));
      }
  }

  bool isOfBytes() const { return first.getAs<StringAttr>(mmaKey).getValue() == "i8"; }

  /// `first` with other numbers; those that are 0 are not there.
  void add(ArrayRef<std::pair<StringRef, int64_t>> numbers, bool byGroup = false,
           bool mapped = false) {
    NamedAttrList config;
    for (StringRef kept : {StringRef("emitter"), StringRef(mmaKey), StringRef(stagedKey)})
      if (Attribute value = first.get(kept))
        config.set(kept, value);
    if (byGroup)
      config.set(groupKey, b.getUnitAttr());
    if (mapped)
      config.set(mappedKey, b.getUnitAttr());
    for (auto [name, value] : numbers)
      if (value != 0)
        config.set(name, b.getI64IntegerAttr(value));
    configs.push_back(config.getDictionary(b.getContext()));
  }

  void addCudaCores() {
    for (int64_t bm : {8, 16, 32, 64, 128})
      for (int64_t bn : {16, 32, 64, 128})
        for (int64_t bk : {8, 16, 32})
          for (int64_t tm : {1, 2, 4, 8})
            for (int64_t tn : {4, 8})
              add({{"bm", bm}, {"bn", bn}, {"bk", bk}, {"tm", tm}, {"tn", tn}});
  }

  /// Terms in so many bytes of the format.
  int64_t termsIn(int64_t bytes) const {
    const StringRef format = first.getAs<StringAttr>(mmaKey).getValue();
    return format == "tf32" ? bytes / 4 : format == "i8" ? bytes : bytes / 2;
  }

  void addWarps() {
    for (int64_t bm : {16, 32, 64, 128})
      for (int64_t bn : {16, 32, 64, 128, 256})
        for (int64_t bk : {termsIn(64), termsIn(128)})
          for (int64_t wm : {16, 32, 64})
            for (int64_t wn : {16, 32, 64})
              for (int64_t stages : {2, 3, 4})
                if (bm / wm * bn / wn <= 16)
                  add({{"bm", bm},
                       {"bn", bn},
                       {"bk", bk},
                       {"wm", wm},
                       {"wn", wn},
                       {"stages", stages}});
  }

  void addGroups() {
    for (int64_t bm : {64, 128, 256})
      for (int64_t bn : {32, 64, 128, 256})
        for (int64_t parts : {1, 2})
          for (int64_t stages : {2, 3, 4, 6})
            for (auto [producers, mapped] :
                 {std::pair(0, false), {1, false}, {2, false}, {1, true}})
              add({{"bm", bm},
                   {"bn", bn},
                   {"bk", termsIn(128)},
                   {"wm", 64},
                   {"wn", bn / parts},
                   {"stages", stages},
                   {"producers", producers}},
                  /*byGroup=*/true, mapped);
  }

  DictionaryAttr first;
  Builder b;
  SmallVector<DictionaryAttr> configs;
};

DictionaryAttr firstConfig(mt::KernelOp kernel, const CudaTarget &target) {
  FailureOr<SmallVector<mt::VariantAttr>> chosen = chooseVariants(kernel, target, /*plain=*/false);
  return failed(chosen) ? DictionaryAttr() : chosen->front().getConfig();
}

/// All variants of the space, with modelled times.
SmallVector<mt::VariantAttr> pricedSpace(mt::KernelOp kernel, const CudaTarget &target) {
  SmallVector<mt::VariantAttr> variants;
  if (DictionaryAttr first = firstConfig(kernel, target))
    variants = priceVariants(kernel, target, Enumeration(first).run());
  llvm::erase(variants, mt::VariantAttr());
  return variants;
}

} // namespace

/// Forms of kernels in features, by emitter: they are learned apart.
enum GpuForm { coreContraction = 10, tensorContraction, rowsForm, phasesForm };

KernelFeatureMap kernelFeatures(mt::KernelOp kernel, const CudaTarget &target) {
  const GpuRow &gpu = target.gpu;
  KernelFeatureMap f = {{"kind", double(kernel.getKind())},
                        {"flops", double(mt::flopsOf(kernel))},
                        {"bytes", double(mt::bytesOf(kernel))},
                        {"units_per_granule", double(gpu.unitsPerGranule)},
                        {"unit_bytes_per_ns", gpu.unitBytesPerNs},
                        {"bytes_per_ns", gpu.bytesPerNs},
                        {"unit_flops_per_ns", gpu.f32FlopsPerNs},
                        {"unit_shared_bytes", double(gpu.unitSharedBytes)},
                        {"launch_ns", double(gpu.launchNs + gpu.rampNs)}};
  DictionaryAttr first = firstConfig(kernel, target);
  if (!first)
    return {};
  const StringRef emitter = first.getAs<StringAttr>("emitter").getValue();
  PlainKernel plain(kernel);
  if (emitter == "contraction") {
    const auto c = *analyseContraction(plain.kernel(), plain.stagedArgument());
    const std::optional<MmaFormat> format = mmaFormatOf(kernel, c);
    const bool isTensor = first.contains(mmaKey);
    f["form"] = isTensor ? tensorContraction : coreContraction;
    f["batch"] = double(c.product(c.batch));
    f["m"] = double(c.product(rowLoopsOf(c)));
    f["n"] = double(c.extent(c.n));
    f["depth"] = double(c.product(c.reductions));
    f["operand_bytes"] = double(storedType(c, c.vectorInput).getIntOrFloatBitWidth()) / 8;
    f["tensor_format"] = isTensor && format ? 1 + int(*format) : 0;
    if (isTensor)
      f["unit_flops_per_ns"] = gpu.f16TensorFlopsPerNs;
    return f;
  }
  int64_t elements = 0;
  for (Type type : kernel.getResultTypes())
    elements = std::max(elements, cast<ShapedType>(type).getNumElements());
  f["form"] = emitter == "rows" ? rowsForm : phasesForm;
  f["elements"] = double(elements);
  const mt::VariantAttr variant = priceVariants(kernel, target, first).front();
  if (emitter == "rows" && variant) {
    f["rows"] = double(variant.getTiles()[0]);
    f["row_elements"] = double(elements) / std::max(1.0, f["rows"]);
  } else if (variant) {
    f["phases"] = double(variant.getTiles().size());
  }
  return f;
}

std::vector<Config> configSpace(mt::KernelOp kernel, const CudaTarget &target) {
  std::vector<Config> space;
  for (mt::VariantAttr variant : pricedSpace(kernel, target))
    space.push_back(*configOf(variant.getConfig()));
  return space;
}

RankConfig rankConfigs(mt::KernelOp kernel, const CudaTarget &target) {
  std::map<std::string, std::vector<std::pair<int64_t, int64_t>>> times;
  for (mt::VariantAttr variant : pricedSpace(kernel, target))
    for (auto [granules, ns] :
         llvm::zip(variant.getGranules().asArrayRef(), variant.getNs().asArrayRef()))
      times[printConfig(*configOf(variant.getConfig()))].push_back({granules, ns});
  return [times = std::move(times)](const Config &config, int32_t granules) {
    double ns = INFINITY;
    if (auto row = times.find(printConfig(config)); row != times.end())
      for (auto [share, time] : row->second)
        if (share <= granules)
          ns = static_cast<double>(time);
    return ns;
  };
}

FailureOr<mt::VariantAttr> variantOf(mt::KernelOp kernel, const CudaTarget &target,
                                     DictionaryAttr config, ArrayRef<int64_t> granules,
                                     ArrayRef<int64_t> ns, StringRef origin) {
  DictionaryAttr first = firstConfig(kernel, target);
  mt::VariantAttr priced = priceVariants(kernel, target, config).front();
  if (!first || !priced || !addAlike(first, config) ||
      first.get("emitter") != config.get("emitter"))
    return failure();
  MLIRContext *context = kernel.getContext();
  return mt::VariantAttr::get(context, config, priced.getTiles(), priced.getScratch(),
                              DenseI64ArrayAttr::get(context, granules),
                              DenseI64ArrayAttr::get(context, ns),
                              StringAttr::get(context, origin));
}

} // namespace mtc::cuda
