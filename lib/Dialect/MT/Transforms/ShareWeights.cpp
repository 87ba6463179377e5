//===- ShareWeights.cpp - equal weights become one ------------------------===//
//
// Weights that are read are compared by type and content hash, but first by type and a sample of
// their bytes: reading two cache lines of each is enough to see that most have no equal, and
// hashing 100 MB costs 130 ms. Derived weights are compared by expression, in an order in which
// sources come first, so that one visit each reaches the fixed point.
//
//===----------------------------------------------------------------------===//
#include "mtc/Dialect/MT/Evaluation/Evaluate.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace mtc::mt {

#define GEN_PASS_DEF_SHAREWEIGHTS
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"

namespace {

/// Which weight stands for each; absent: itself.
using Representatives = llvm::DenseMap<StringAttr, WeightOp>;

/// Where a weight's bytes lie, as text: equal places are equal weights.
static std::string placeOf(WeightOp weight) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << weight.getType() << '|';
  if (auto value = weight.getValueAttr())
    os << value;
  else
    os << *weight.getFile() << '|' << *weight.getOffset() << '|' << weight.getProto() << '|'
       << weight.getLength().value_or(0);
  return text;
}

/// Type and the first and last bytes; a weight that cannot be read equals only those at its place
/// or of its hash.
static std::string sampleOf(WeightOp weight, Evaluation &evaluation) {
  constexpr size_t kSample = 64;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << weight.getType() << '|';
  StatusOr<TensorBytes> bytes = evaluation.bytesOf(weight);
  if (!bytes.ok())
    return text + "unreadable";
  ArrayRef<uint8_t> head = bytes->data.take_front(kSample), tail = bytes->data.take_back(kSample);
  os << StringRef(reinterpret_cast<const char *>(head.data()), head.size());
  os << StringRef(reinterpret_cast<const char *>(tail.data()), tail.size());
  return text;
}

/// The content hash: as given, or of the bytes; the place when there is neither.
static std::string contentOf(WeightOp weight, Evaluation &evaluation) {
  if (auto hash = weight.getHash())
    return hash->str();
  StatusOr<TensorBytes> bytes = evaluation.bytesOf(weight);
  return bytes.ok() ? hashOf(bytes->type, bytes->data) : placeOf(weight);
}

/// Merges each weight of `weights` with the first that has the same key.
template <typename Key>
static void mergeBy(ArrayRef<WeightOp> weights, Key key, Representatives &representatives) {
  llvm::StringMap<WeightOp> first;
  for (WeightOp weight : weights) {
    auto [entry, isNew] = first.try_emplace(key(weight), weight);
    if (!isNew)
      representatives[weight.getSymNameAttr()] = entry->second;
  }
}

/// Weights that lie in files or in the program.
static void mergeStored(ProgramOp program, Evaluation &evaluation,
                        Representatives &representatives) {
  SmallVector<WeightOp> stored;
  for (WeightOp weight : program.getBody().getOps<WeightOp>())
    if (!weight.getSources())
      stored.push_back(weight);
  mergeBy(stored, placeOf, representatives);

  llvm::MapVector<Type, SmallVector<WeightOp>> ofType;
  for (WeightOp weight : stored)
    if (!representatives.contains(weight.getSymNameAttr()))
      ofType[weight.getType()].push_back(weight);
  llvm::MapVector<Attribute, SmallVector<WeightOp>> alike;
  for (auto &[type, weights] : ofType)
    if (weights.size() > 1)
      for (WeightOp weight : weights)
        alike[StringAttr::get(program.getContext(), sampleOf(weight, evaluation))].push_back(
            weight);
  for (auto &[sample, weights] : alike)
    if (weights.size() > 1)
      mergeBy(
          weights, [&](WeightOp weight) { return contentOf(weight, evaluation); }, representatives);
}

/// Derived weights, sources before users.
static SmallVector<WeightOp> derivedInOrder(ProgramOp program, SymbolTable &symbols) {
  llvm::SetVector<Operation *> done;
  for (WeightOp root : program.getBody().getOps<WeightOp>()) {
    SmallVector<std::pair<WeightOp, bool>> stack = {{root, false}};
    while (!stack.empty()) {
      auto [weight, sourcesDone] = stack.pop_back_val();
      if (!weight.getSources() || done.contains(weight))
        continue;
      if (sourcesDone) {
        done.insert(weight);
        continue;
      }
      stack.push_back({weight, true});
      for (auto source : weight.getSourcesAttr().getAsRange<FlatSymbolRefAttr>())
        stack.push_back({symbols.lookup<WeightOp>(source.getValue()), false});
    }
  }
  return llvm::map_to_vector(done, [](Operation *op) { return cast<WeightOp>(op); });
}

/// Renames the sources, then merges expressions that are equal.
static void mergeDerived(ProgramOp program, Representatives &representatives) {
  SymbolTable symbols(program);
  llvm::DenseMap<std::pair<Type, Attribute>, SmallVector<WeightOp, 1>> candidates;
  for (WeightOp weight : derivedInOrder(program, symbols)) {
    SmallVector<Attribute> sources;
    for (auto source : weight.getSourcesAttr().getAsRange<FlatSymbolRefAttr>()) {
      WeightOp other = representatives.lookup(source.getAttr());
      sources.push_back(other ? FlatSymbolRefAttr::get(other.getSymNameAttr()) : source);
    }
    weight.setSourcesAttr(ArrayAttr::get(program.getContext(), sources));
    auto &bucket = candidates[{weight.getType(), weight.getSourcesAttr()}];
    WeightOp *equal = llvm::find_if(bucket, [&](WeightOp other) {
      return OperationEquivalence::isRegionEquivalentTo(&weight.getBody(), &other.getBody(),
                                                        OperationEquivalence::IgnoreLocations);
    });
    if (equal == bucket.end())
      bucket.push_back(weight);
    else
      representatives[weight.getSymNameAttr()] = *equal;
  }
}

struct ShareWeights : impl::ShareWeightsBase<ShareWeights> {
  void runOnOperation() override {
    ProgramOp program = getOperation();
    Representatives representatives;
    {
      Evaluation evaluation(program);
      mergeStored(program, evaluation, representatives);
    }
    mergeDerived(program, representatives);
    merged = representatives.size();

    // What entries use, and what that is derived from.
    SymbolTable symbols(program);
    llvm::SetVector<Operation *> used;
    program.walk([&](GetWeightOp get) {
      if (WeightOp other = representatives.lookup(get.getWeightAttr().getAttr()))
        get.setWeightAttr(FlatSymbolRefAttr::get(other.getSymNameAttr()));
      used.insert(symbols.lookup(get.getWeight()));
    });
    for (size_t i = 0; i < used.size(); ++i)
      if (ArrayAttr sources = cast<WeightOp>(used[i]).getSourcesAttr())
        for (auto source : sources.getAsRange<FlatSymbolRefAttr>())
          used.insert(symbols.lookup(source.getValue()));
    for (WeightOp weight : llvm::make_early_inc_range(program.getBody().getOps<WeightOp>()))
      if (!used.contains(weight)) {
        ++erased;
        weight.erase();
      }
  }
};

} // namespace
} // namespace mtc::mt
