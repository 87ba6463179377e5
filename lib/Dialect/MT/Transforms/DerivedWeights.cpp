//===- DerivedWeights.cpp - expressions over weights, each written once ---===//
#include "DerivedWeights.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace mtc::mt;

/// The text of a derived weight without its name, hash and locations.
static std::string expressionOf(WeightOp weight) {
  WeightOp copy = weight.clone();
  copy.setSymName("expression");
  copy.removeHashAttr();
  std::string text;
  llvm::raw_string_ostream os(text);
  copy->print(os, OpPrintingFlags().useLocalScope());
  copy->destroy();
  return text;
}

DerivedWeights::DerivedWeights(ProgramOp program) : program(program), symbols(program) {
  for (WeightOp weight : program.getBody().getOps<WeightOp>())
    if (weight.getSources())
      byExpression.try_emplace(expressionOf(weight), weight);
}

WeightOp DerivedWeights::find(Value value) {
  auto get = value.getDefiningOp<GetWeightOp>();
  return get ? symbols.lookup<WeightOp>(get.getWeight()) : WeightOp();
}

Value DerivedWeights::get(OpBuilder &b, Location loc, WeightOp weight) {
  return GetWeightOp::create(b, loc, weight.getTensorType(), weight.getSymName());
}

void DerivedWeights::replace(ArrayRef<TaskOp> tasks, unsigned number, StringRef suffix,
                             function_ref<Value(OpBuilder &, Location, Value)> body) {
  for (TaskOp task : tasks) {
    OpOperand &operand = task->getOpOperand(number);
    Location loc = operand.get().getLoc();
    WeightOp weight =
        getOrCreate(loc, suffix, find(operand.get()),
                    [&](OpBuilder &b, ValueRange values) { return body(b, loc, values.front()); });
    OpBuilder b(task);
    Operation *old = operand.get().getDefiningOp();
    operand.set(get(b, loc, weight));
    if (old->use_empty())
      old->erase();
  }
}

WeightOp DerivedWeights::getOrCreate(Location loc, StringRef suffix, ArrayRef<WeightOp> sources,
                                     Body body) {
  MLIRContext *context = program.getContext();
  OpBuilder b(context);
  Block block;
  SmallVector<Attribute> names;
  for (WeightOp source : sources) {
    block.addArgument(source.getTensorType(), loc);
    names.push_back(FlatSymbolRefAttr::get(source.getSymNameAttr()));
  }
  b.setInsertionPointToEnd(&block);
  Value result = body(b, block.getArguments());
  YieldOp::create(b, loc, result);

  std::string name = suffix.str();
  if (!sources.empty())
    name = (WeightOp(sources.front()).getSymName() + "." + suffix).str();
  OperationState state(loc, WeightOp::getOperationName());
  state.addAttribute(SymbolTable::getSymbolAttrName(), b.getStringAttr(name));
  state.addAttribute(WeightOp::getTypeAttrName(OperationName(state.name)),
                     TypeAttr::get(result.getType()));
  state.addAttribute(WeightOp::getSourcesAttrName(OperationName(state.name)),
                     b.getArrayAttr(names));
  Region *region = state.addRegion();
  region->push_back(new Block());
  auto weight = cast<WeightOp>(Operation::create(state));
  Block &target = weight.getBody().front();
  for (BlockArgument argument : block.getArguments())
    argument.replaceAllUsesWith(target.addArgument(argument.getType(), loc));
  target.getOperations().splice(target.end(), block.getOperations());

  auto [known, isNew] = byExpression.try_emplace(expressionOf(weight), weight);
  if (!isNew) {
    weight->destroy();
    return known->second;
  }
  // Weights stay together, in front of kernels and tenants.
  Block &all = program.getBody().front();
  auto place = llvm::find_if(all, [](Operation &op) { return !isa<WeightOp>(op); });
  symbols.insert(weight, place);
  return weight;
}

void DerivedWeights::eraseUnused() {
  llvm::DenseSet<StringRef> used;
  program.walk([&](GetWeightOp get) { used.insert(get.getWeight()); });
  // A weight may be derived from one that follows it, so repeat until nothing more falls away.
  SmallVector<WeightOp> derived;
  for (WeightOp weight : program.getBody().getOps<WeightOp>())
    if (weight.getSources())
      derived.push_back(weight);
  SmallVector<WeightOp> worklist;
  llvm::StringMap<WeightOp> byName;
  for (WeightOp weight : derived) {
    byName[weight.getSymName()] = weight;
    if (used.contains(weight.getSymName()))
      worklist.push_back(weight);
  }
  while (!worklist.empty())
    for (ArrayAttr all = *worklist.pop_back_val().getSources(); Attribute source : all) {
      StringRef name = cast<FlatSymbolRefAttr>(source).getValue();
      if (used.insert(name).second)
        if (WeightOp weight = byName.lookup(name))
          worklist.push_back(weight);
    }
  for (WeightOp weight : derived)
    if (!used.contains(weight.getSymName())) {
      byExpression.erase(expressionOf(weight));
      symbols.erase(weight);
    }
}
