//===- MTVerifiers.cpp - what the operations of the mt dialect promise ----===//
//
// The labels C1, C2, ... in the messages are those of the operations' descriptions in MTOps.td; a
// test in test/Dialect/invalid-*.mlir repeats every one of them. What looks at nested operations is
// a region verifier (it runs after those operations verified), what looks up symbols is
// verifySymbolUses.
//
//===----------------------------------------------------------------------===//
#include "mtc/Dialect/MT/IR/MT.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace mtc::mt {

/// The largest constant that a weight holds by value; more would be printed and hashed over and
/// over.
static constexpr int64_t kMaxValueBytes = 64 << 10;

/// A shape beyond it is damage: sizes in bytes are computed as int64_t all over the compiler.
static constexpr int64_t kMaxElements = int64_t(1) << 48;

static bool isStaticTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape() || !tensor.getElementType().isIntOrFloat())
    return false;
  int64_t elements = 1;
  for (int64_t extent : tensor.getShape())
    if (llvm::MulOverflow(elements, extent, elements) || elements > kMaxElements)
      return false;
  return true;
}

/// Checks that all types of a function are static tensors, as `label`.
static LogicalResult verifyStaticTensors(Operation *op, StringRef label, FunctionType type) {
  auto verifyAll = [&](StringRef what, TypeRange types) -> LogicalResult {
    for (auto [i, t] : llvm::enumerate(types))
      if (!isStaticTensor(t))
        return op->emitOpError()
               << label << ": " << what << " " << i
               << " must be a tensor of static shape with at most 2^48 elements, got " << t;
    return success();
  };
  return failure(failed(verifyAll("argument", type.getInputs())) ||
                 failed(verifyAll("result", type.getResults())));
}

/// Checks that `body` ends in an `Terminator` of exactly `results`, as `label`.
template <typename Terminator>
static LogicalResult verifyTerminator(Operation *op, StringRef label, Region &body,
                                      TypeRange results) {
  auto end = body.front().empty() ? Terminator() : dyn_cast<Terminator>(body.front().back());
  if (!end)
    return op->emitOpError() << label << ": the body must end in '"
                             << Terminator::getOperationName() << "'";
  TypeRange got = end.getOperandTypes();
  if (llvm::equal(got, results))
    return success();
  return op->emitOpError() << label << ": '" << Terminator::getOperationName()
                           << "' must have the result types (" << results << "), got (" << got
                           << ")";
}

/// The symbol of the enclosing program that `name` means, if it is an `Op`.
template <typename Op>
static Op lookupInProgram(SymbolTableCollection &symbols, Operation *user, SymbolRefAttr name) {
  auto program = user->getParentOfType<ProgramOp>();
  return program ? symbols.lookupSymbolIn<Op>(program, name) : Op();
}

//===----------------------------------------------------------------------===//
// mt.program
//===----------------------------------------------------------------------===//

static LogicalResult verifyDevice(ProgramOp program, Attribute attr) {
  auto fail = [&]() { return program.emitOpError() << "C2: mt.device "; };
  auto device = dyn_cast<DictionaryAttr>(attr);
  if (!device)
    return fail() << "must be a dictionary, got " << attr;
  for (NamedAttribute entry : device) {
    StringRef key = entry.getName();
    bool isRate = llvm::is_contained({"flops_per_ns", "bytes_per_ns"}, key);
    bool isCount = llvm::is_contained({"granules", "units_per_granule"}, key);
    bool isTime = llvm::is_contained({"launch_ns", "barrier_ns"}, key);
    if (!isRate && !isCount && !isTime)
      return fail() << "has no key '" << key
                    << "'; known are granules, units_per_granule, flops_per_ns, bytes_per_ns, "
                       "launch_ns, barrier_ns";
    auto rate = dyn_cast<FloatAttr>(entry.getValue());
    auto number = dyn_cast<IntegerAttr>(entry.getValue());
    if (isRate && (!rate || !rate.getType().isF64() || !(rate.getValueAsDouble() > 0)))
      return fail() << "'" << key << "' must be a positive f64, got " << entry.getValue();
    if (!isRate && (!number || !number.getType().isInteger(64)))
      return fail() << "'" << key << "' must be an i64, got " << entry.getValue();
    if (isCount && (number.getInt() < 1 || (key == "granules" && number.getInt() > 64)))
      return fail() << "'" << key << "' must be positive and granules at most 64, got "
                    << number.getInt();
    if (isTime && number.getInt() < 0)
      return fail() << "'" << key << "' must not be negative, got " << number.getInt();
  }
  return success();
}

LogicalResult ProgramOp::verify() {
  if (Attribute device = (*this)->getAttr(getDeviceAttrName()))
    return verifyDevice(*this, device);
  return success();
}

/// Weights' expressions are evaluated in the order of their sources, so these must not form a
/// cycle: Kahn's algorithm, one visit an edge.
static LogicalResult verifyNoWeightCycles(ProgramOp program) {
  llvm::MapVector<StringRef, WeightOp> weights;
  for (WeightOp weight : program.getBody().getOps<WeightOp>())
    weights.insert({weight.getSymName(), weight});
  llvm::DenseMap<StringRef, SmallVector<StringRef>> users;
  llvm::DenseMap<StringRef, unsigned> waitsFor;
  SmallVector<StringRef> ready;
  for (auto &[name, weight] : weights) {
    ArrayAttr sources = weight.getSourcesAttr();
    waitsFor[name] = sources ? sources.size() : 0;
    if (!waitsFor[name])
      ready.push_back(name);
    else
      for (auto source : sources.getAsRange<FlatSymbolRefAttr>())
        users[source.getValue()].push_back(name);
  }
  size_t done = 0;
  for (; !ready.empty(); ++done)
    for (StringRef user : users.lookup(ready.pop_back_val()))
      if (--waitsFor[user] == 0)
        ready.push_back(user);
  if (done == weights.size())
    return success();
  for (auto &[name, weight] : weights)
    if (waitsFor[name])
      return weight.emitOpError() << "C4: sources form a cycle through '@" << name << "'";
  return success();
}

LogicalResult ProgramOp::verifyRegions() {
  llvm::StringSet<> schedules;
  for (ScheduleOp schedule : getBody().getOps<ScheduleOp>())
    if (!schedules.insert(schedule.getLabel()).second)
      return schedule.emitOpError() << "C5: '@" << schedule.getLabel() << "' is there already";
  for (Operation &op : getBody().front())
    if (!isa<WeightOp, KernelOp, TenantOp, ScheduleOp>(op))
      return op.emitError() << "'" << getOperationName()
                            << "' op C1: holds weights, kernels, tenants and schedules only, got '"
                            << op.getName() << "'";
  return verifyNoWeightCycles(*this);
}

//===----------------------------------------------------------------------===//
// mt.weight and mt.get_weight
//===----------------------------------------------------------------------===//

LogicalResult WeightOp::verify() {
  int forms = getFile().has_value() + getValue().has_value() + getSources().has_value();
  if (forms != 1 || getSources().has_value() == getBody().empty())
    return emitOpError()
           << "C1: exactly one of a file, a value and sources with a body must be given";
  if (!isStaticTensor(getType()))
    return emitOpError()
           << "C2: the type must be a tensor of static shape with at most 2^48 elements, got "
           << getType();
  if (auto value = getValueAttr()) {
    if (value.getShapedType() != getType())
      return emitOpError() << "C3: the value's type must be " << getType() << ", got "
                           << value.getShapedType();
    int64_t bytes = getTensorType().getNumElements() *
                    llvm::divideCeil(getTensorType().getElementTypeBitWidth(), 8);
    if (bytes > kMaxValueBytes)
      return emitOpError() << "C3: a value holds at most " << kMaxValueBytes << " bytes, got "
                           << bytes;
  }
  if (getFile().has_value() != getOffset().has_value())
    return emitOpError() << "C6: an offset must be given with a file";
  if (static_cast<int64_t>(getOffset().value_or(0)) < 0 ||
      static_cast<int64_t>(getLength().value_or(0)) < 0)
    return emitOpError() << "C6: offset and length must not be negative";
  if (getProto() && !getLength())
    return emitOpError() << "C6: proto needs a length";
  return success();
}

LogicalResult WeightOp::verifyRegions() {
  return getBody().empty() ? success()
                           : verifyTerminator<YieldOp>(*this, "C5", getBody(), getType());
}

LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (!getSources())
    return success();
  auto sources = getSourcesAttr().getAsRange<FlatSymbolRefAttr>();
  if (getBody().getNumArguments() != getSourcesAttr().size())
    return emitOpError() << "C4: the body must have an argument for each of "
                         << getSourcesAttr().size() << " sources, got "
                         << getBody().getNumArguments();
  for (auto [source, argument] : llvm::zip(sources, getBody().getArguments())) {
    auto weight = lookupInProgram<WeightOp>(symbols, *this, source);
    if (!weight)
      return emitOpError() << "C4: source " << source << " is not an mt.weight of the program";
    if (weight.getType() != argument.getType())
      return emitOpError() << "C4: the argument for source " << source << " must have its type "
                           << weight.getType() << ", got " << argument.getType();
  }
  return success();
}

LogicalResult GetWeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto weight = lookupInProgram<WeightOp>(symbols, *this, getWeightAttr());
  if (!weight)
    return emitOpError() << "C1: " << getWeightAttr() << " is not an mt.weight of the program";
  if (weight.getType() != getResult().getType())
    return emitOpError() << "C2: the result must have the type of " << getWeightAttr() << ", "
                         << weight.getType() << ", got " << getResult().getType();
  return success();
}

//===----------------------------------------------------------------------===//
// mt.tenant, mt.entry and mt.task
//===----------------------------------------------------------------------===//

LogicalResult TenantOp::verifyRegions() {
  for (Operation &op : getBody().front())
    if (!isa<EntryOp>(op))
      return emitOpError() << "C1: holds entries only, got '" << op.getName() << "'";
  StringRef name = getSymName();
  bool valid =
      !name.empty() && name.front() >= 'a' && name.front() <= 'z' && llvm::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
      });
  if (!valid)
    return emitOpError() << "C2: the name must match [a-z][a-z0-9_-]*, got '" << name << "'";
  return success();
}

/// C7 and C8: inputs that may be smaller, and what of the results is smaller then.
static LogicalResult verifyPadding(EntryOp entry) {
  for (unsigned i = 0; i < entry.getNumArguments(); ++i) {
    Attribute value = entry.getArgAttr(i, "mt.pad");
    auto pad = dyn_cast_or_null<DenseElementsAttr>(value);
    auto type = cast<RankedTensorType>(entry.getArgumentTypes()[i]);
    if (value && (!pad || pad.getType() != RankedTensorType::get({}, type.getElementType()) ||
                  entry.getArgAttr(i, "mt.value")))
      return entry.emitOpError() << "C7: the mt.pad of argument " << i
                                 << " must be dense<...> : tensor<" << type.getElementType()
                                 << ">, and it has no mt.value";
  }
  for (unsigned i = 0; i < entry.getNumResults(); ++i) {
    Attribute value = entry.getResultAttr(i, "mt.follows");
    if (!value)
      continue;
    auto follows = dyn_cast<DenseI64ArrayAttr>(value);
    auto type = cast<RankedTensorType>(entry.getResultTypes()[i]);
    bool fits = follows && follows.size() % 3 == 0 && !entry.getResultAttr(i, "mt.extent");
    int64_t before = -1;
    for (int64_t k = 0; fits && k < follows.size(); k += 3) {
      int64_t dim = follows[k], argument = follows[k + 1], of = follows[k + 2];
      fits = dim > before && dim < type.getRank() && argument >= 0 &&
             argument < entry.getNumArguments() && entry.getArgAttr(argument, "mt.pad");
      if (!fits)
        break;
      auto from = cast<RankedTensorType>(entry.getArgumentTypes()[argument]);
      fits = of >= 0 && of < from.getRank() && from.getDimSize(of) == type.getDimSize(dim);
      before = dim;
    }
    if (!fits)
      return entry.emitOpError() << "C8: the mt.follows of result " << i
                                 << " must be [dim, argument, its dim, ...] with ascending dims of "
                                    "the size of a dim of an argument with mt.pad";
  }
  return success();
}

LogicalResult EntryOp::verify() {
  if (failed(verifyStaticTensors(*this, "C1", getFunctionType())))
    return failure();
  for (unsigned i = 0; i < getNumArguments(); ++i)
    if (!getArgAttrOfType<StringAttr>(i, "mt.name"))
      return emitOpError() << "C2: argument " << i << " needs an mt.name";
  for (unsigned i = 0; i < getNumResults(); ++i)
    if (!getResultAttrOfType<StringAttr>(i, "mt.name"))
      return emitOpError() << "C2: result " << i << " needs an mt.name";
  for (unsigned i = 0; i < getNumArguments(); ++i) {
    Attribute value = getArgAttr(i, "mt.value");
    if (!value)
      continue;
    auto elements = dyn_cast<DenseElementsAttr>(value);
    if (!elements || elements.getType() != getArgumentTypes()[i])
      return emitOpError() << "C5: the mt.value of argument " << i << " must be dense elements of "
                           << getArgumentTypes()[i];
  }
  for (unsigned i = 0; i < getNumResults(); ++i) {
    Attribute value = getResultAttr(i, "mt.extent");
    if (!value)
      continue;
    auto extent = dyn_cast<DenseI64ArrayAttr>(value);
    int64_t rank = cast<RankedTensorType>(getResultTypes()[i]).getRank();
    auto inRange = [](int64_t v, int64_t end) { return v >= 0 && v < end; };
    if (!extent || extent.size() != 2 || !inRange(extent[0], rank) ||
        !inRange(extent[1], getNumResults()) ||
        getResultTypes()[extent[1]] !=
            RankedTensorType::get({}, IntegerType::get(getContext(), 64)))
      return emitOpError() << "C6: the mt.extent of result " << i
                           << " must be one of its dims and a result of type tensor<i64>";
  }
  return verifyPadding(*this);
}

/// The id of a task, with or without control flow in it.
static std::optional<uint64_t> taskId(Operation *op) {
  if (auto task = dyn_cast<TaskOp>(op))
    return task.getId();
  if (auto region = dyn_cast<RegionTaskOp>(op))
    return region.getId();
  return std::nullopt;
}

LogicalResult EntryOp::verifyRegions() {
  if (failed(verifyTerminator<ReturnOp>(*this, "C3", getBody(), getResultTypes())))
    return failure();
  for (BlockArgument argument : getBody().getArguments())
    if (getArgAttr(argument.getArgNumber(), "mt.value") && !argument.use_empty())
      return emitOpError() << "C5: argument " << argument.getArgNumber()
                           << " has an mt.value and must not be used";
  // In the model phase, where regions are the only tasks, they have no ids yet.
  if (getBody().getOps<TaskOp>().empty())
    return success();
  llvm::DenseSet<uint64_t> ids;
  for (Operation &op : getBody().front())
    if (std::optional<uint64_t> id = taskId(&op); id && !ids.insert(*id).second)
      return op.emitOpError() << "C4: id " << *id << " occurs twice in entry '" << getSymName()
                              << "'";
  return success();
}

LogicalResult TaskOp::verify() {
  if (static_cast<int64_t>(getId()) < 0)
    return emitOpError() << "C3: the id must not be negative, got "
                         << static_cast<int64_t>(getId());
  return success();
}

LogicalResult TaskOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = lookupInProgram<KernelOp>(symbols, *this, getKernelAttr());
  if (!kernel)
    return emitOpError() << "C1: " << getKernelAttr() << " is not an mt.kernel of the program";
  if (TypeRange(kernel.getArgumentTypes()) != getOperandTypes() ||
      TypeRange(kernel.getResultTypes()) != getResultTypes())
    return emitOpError() << "C2: types must be those of " << getKernelAttr() << ", "
                         << kernel.getFunctionType();
  return success();
}

//===----------------------------------------------------------------------===//
// mt.kernel
//===----------------------------------------------------------------------===//

LogicalResult KernelOp::verify() {
  if (failed(verifyStaticTensors(*this, "C1", getFunctionType())))
    return failure();
  if (getResultTypes().empty())
    return emitOpError() << "C3: needs at least one result";
  if (ArrayAttr variants = getVariantsAttr())
    if (variants.empty() || !llvm::all_of(variants, llvm::IsaPred<VariantAttr>))
      return emitOpError() << "C4: variants must be #mt.variant attributes, at least one";
  return success();
}

LogicalResult KernelOp::verifyRegions() {
  return verifyTerminator<YieldOp>(*this, "C2", getBody(), getResultTypes());
}

//===----------------------------------------------------------------------===//
// mt.recurrence
//===----------------------------------------------------------------------===//

/// The type of one slice along the first dim.
static Type sliceOf(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape().drop_front(), tensor.getElementType());
}

LogicalResult RecurrenceOp::verify() {
  if (getInputs().empty())
    return emitOpError() << "C1: needs an input";
  if (getNumResults() < getStates().size() ||
      !llvm::equal(getResults().take_back(getStates().size()).getTypes(), getStates().getTypes()))
    return emitOpError() << "C3: the last results must be the states (" << getStates().getTypes()
                         << "), got (" << getResultTypes() << ")";
  SmallVector<Type> stepped(getInputs().getTypes());
  llvm::append_range(stepped, getResults().take_front(getNumOutputs()).getTypes());
  for (Type type : stepped) {
    auto tensor = cast<RankedTensorType>(type);
    if (!isStaticTensor(type) || tensor.getRank() == 0 || tensor.getDimSize(0) != getSteps() ||
        getSteps() < 1)
      return emitOpError() << "C1: all inputs and outputs must have the same number of steps as "
                              "first dim, got "
                           << type;
  }
  SmallVector<Type> wanted = llvm::map_to_vector(getInputs().getTypes(), sliceOf);
  llvm::append_range(wanted, getStates().getTypes());
  llvm::append_range(wanted, getInvariants().getTypes());
  if (!llvm::equal(getBody().getArgumentTypes(), wanted))
    return emitOpError() << "C2: the body must take (" << wanted << "), got ("
                         << getBody().getArgumentTypes() << ")";
  return success();
}

LogicalResult RecurrenceOp::verifyRegions() {
  SmallVector<Type> wanted =
      llvm::map_to_vector(getResults().take_front(getNumOutputs()).getTypes(), sliceOf);
  llvm::append_range(wanted, getStates().getTypes());
  return verifyTerminator<YieldOp>(*this, "C3", getBody(), wanted);
}

//===----------------------------------------------------------------------===//
// mt.schedule and mt.place
//===----------------------------------------------------------------------===//

LogicalResult ScheduleOp::verifyRegions() {
  int64_t count = 0;
  for (Operation &op : getBody().front()) {
    if (!isa<PlaceOp>(op))
      return emitOpError() << "C1: holds places only, got '" << op.getName() << "'";
    ++count;
  }
  PlaceOp previous;
  for (PlaceOp place : getBody().getOps<PlaceOp>()) {
    if (place.getMerged() && (!previous || place.getLane() != previous.getLane() ||
                              place.getGranules() != previous.getGranules()))
      return place.emitOpError() << "C6: merged with no place of lane "
                                 << static_cast<int64_t>(place.getLane()) << " and granules "
                                 << static_cast<int64_t>(place.getGranules()) << " before it";
    previous = place;
  }
  ArrayRef<int64_t> edges = getEdges().value_or(ArrayRef<int64_t>());
  if (edges.size() % 2)
    return emitOpError() << "C3: edges must be pairs, got " << edges.size() << " positions";
  for (int64_t end : edges)
    if (end < 0 || end >= count)
      return emitOpError() << "C3: edge to place " << end << ", the schedule has " << count;
  return success();
}

LogicalResult ScheduleOp::verifySymbolUses(SymbolTableCollection &symbols) {
  llvm::DenseMap<Operation *, llvm::DenseSet<uint64_t>> idsOfEntry;
  SmallVector<EntryOp> entries;
  for (auto name : getInstances().getAsRange<SymbolRefAttr>()) {
    auto entry = lookupInProgram<EntryOp>(symbols, *this, name);
    if (!entry)
      return emitOpError() << "C2: instance " << name << " is not an mt.entry of the program";
    entries.push_back(entry);
    auto [ids, isNew] = idsOfEntry.try_emplace(entry);
    if (isNew)
      for (Operation &op : entry.getBody().front())
        if (std::optional<uint64_t> id = taskId(&op))
          ids->second.insert(*id);
  }
  for (PlaceOp place : getBody().getOps<PlaceOp>()) {
    if (place.getInstance() >= entries.size())
      return place.emitOpError() << "C4: instance " << static_cast<int64_t>(place.getInstance())
                                 << ", the schedule has " << entries.size();
    EntryOp entry = entries[place.getInstance()];
    if (!idsOfEntry[entry].contains(place.getTask()))
      return place.emitOpError() << "C4: entry '" << entry.getSymName() << "' has no task "
                                 << static_cast<int64_t>(place.getTask());
  }
  return success();
}

LogicalResult PlaceOp::verify() {
  if (getGranules() == 0)
    return emitOpError() << "C1: granules must not be zero";
  for (uint64_t number : {getStart(), getDuration(), getVariant(), getLane()})
    if (static_cast<int64_t>(number) < 0)
      return emitOpError() << "C2: start, duration, variant and lane must not be negative, got "
                           << static_cast<int64_t>(number);
  return success();
}

} // namespace mtc::mt
