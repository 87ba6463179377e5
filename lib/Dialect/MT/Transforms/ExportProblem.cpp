//===- ExportProblem.cpp - programs as Problems ---------------------------===//
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"
#include "mtc/Dialect/MT/Evaluation/Evaluate.h"
#include "mtc/Dialect/MT/Transforms/CountOperations.h"
#include "mtc/Scheduling/Regions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace mtc::mt {

//===----------------------------------------------------------------------===//
// The device
//===----------------------------------------------------------------------===//

Device deviceOf(ProgramOp program) {
  Device device;
  device.target = program.getTarget().value_or("").str();
  device.flopsPerNs = device.bytesPerNs = 1;
  auto attr = program->getAttrOfType<DictionaryAttr>(ProgramOp::getDeviceAttrName());
  if (!attr)
    return device;
  auto number = [&](StringRef key, int64_t absent) {
    auto value = attr.getAs<IntegerAttr>(key);
    return value ? value.getInt() : absent;
  };
  auto rate = [&](StringRef key) {
    auto value = attr.getAs<FloatAttr>(key);
    return value ? value.getValueAsDouble() : 1.0;
  };
  device.granules = static_cast<int32_t>(number("granules", 1));
  device.unitsPerGranule = static_cast<int32_t>(number("units_per_granule", 1));
  device.launchNs = number("launch_ns", 0);
  device.barrierNs = number("barrier_ns", 0);
  device.flopsPerNs = rate("flops_per_ns");
  device.bytesPerNs = rate("bytes_per_ns");
  return device;
}

void setDevice(ProgramOp program, const Device &device) {
  Builder b(program.getContext());
  program.setTargetAttr(b.getStringAttr(device.target));
  program->setAttr(
      ProgramOp::getDeviceAttrName(),
      b.getDictionaryAttr(
          {b.getNamedAttr("granules", b.getI64IntegerAttr(device.granules)),
           b.getNamedAttr("units_per_granule", b.getI64IntegerAttr(device.unitsPerGranule)),
           b.getNamedAttr("flops_per_ns", b.getF64FloatAttr(device.flopsPerNs)),
           b.getNamedAttr("bytes_per_ns", b.getF64FloatAttr(device.bytesPerNs)),
           b.getNamedAttr("launch_ns", b.getI64IntegerAttr(device.launchNs)),
           b.getNamedAttr("barrier_ns", b.getI64IntegerAttr(device.barrierNs))}));
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// Bytes of an argument that a kernel reads: all, unless it only takes slices or single elements
/// (a lookup in a table of embeddings).
static int64_t readBytes(mlir::Value argument) {
  auto type = cast<RankedTensorType>(argument.getType());
  int64_t all = tensorBytes(type), elementBytes = all / std::max<int64_t>(1, type.getNumElements());
  int64_t read = 0;
  SmallVector<mlir::Value> views = {argument};
  while (!views.empty() && read < all)
    for (Operation *user : views.pop_back_val().getUsers()) {
      if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(user)) {
        views.push_back(user->getResult(0));
      } else if (isa<tensor::ExtractSliceOp>(user)) {
        read += tensorBytes(cast<RankedTensorType>(user->getResult(0).getType()));
      } else if (auto loops = user->getParentOfType<linalg::LinalgOp>();
                 loops && isa<tensor::ExtractOp>(user)) {
        int64_t iterations = 1;
        for (int64_t extent : loops.getStaticLoopRanges())
          iterations *= extent;
        read += iterations * elementBytes;
      } else {
        return all;
      }
    }
  return std::min(read, all);
}

int64_t bytesOf(KernelOp kernel) {
  int64_t bytes = 0;
  for (mlir::Value argument : kernel.getBody().getArguments())
    bytes += readBytes(argument);
  for (Type type : kernel.getResultTypes())
    bytes += tensorBytes(cast<RankedTensorType>(type));
  return bytes;
}

/// Whether a body is acc + a * b of the operation's two inputs.
static bool isProduct(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0)
    return false;
  Operation *sum = op.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::AddFOp, arith::AddIOp>(sum))
    return false;
  return llvm::any_of(sum->getOperands(), [](mlir::Value term) {
    return isa_and_nonnull<arith::MulFOp, arith::MulIOp>(term.getDefiningOp());
  });
}

static Extents productExtents(linalg::LinalgOp op) {
  Extents extents;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  for (auto [d, size] : llvm::enumerate(op.getStaticLoopRanges())) {
    bool inFirst = maps[0].isFunctionOfDim(d), inSecond = maps[1].isFunctionOfDim(d);
    if (!maps[2].isFunctionOfDim(d))
      extents.depth *= size;
    else if (inFirst && inSecond)
      extents.batch *= size;
    else
      (inFirst ? extents.rows : extents.columns) *= size;
  }
  return extents;
}

Extents extentsOf(KernelOp kernel) {
  linalg::LinalgOp largest;
  int64_t most = 0;
  Extents reduction, parallel;
  bool reduces = false;
  kernel.getBody().walk([&](linalg::LinalgOp op) {
    int64_t rows = 1, depth = 1;
    for (auto [type, size] : llvm::zip(op.getIteratorTypesArray(), op.getStaticLoopRanges()))
      (type == utils::IteratorType::parallel ? rows : depth) *= size;
    if (op.getNumReductionLoops() == 0)
      parallel.rows = std::max(parallel.rows, rows);
    else if (!reduces || rows < reduction.rows) {
      reduction.rows = rows;
      reduction.depth = depth;
      reduces = true;
    }
    if (rows * depth > most) {
      most = rows * depth;
      largest = op;
    }
  });
  if (largest && isProduct(largest))
    return productExtents(largest);
  return reduces ? reduction : parallel;
}

static TimeOrigin parseOrigin(StringRef origin) {
  return origin == "measured"  ? TimeOrigin::Measured
         : origin == "learned" ? TimeOrigin::Learned
                               : TimeOrigin::Modelled;
}

static Variant exportVariant(VariantAttr attr) {
  Variant variant;
  llvm::raw_string_ostream(variant.config) << attr.getConfig();
  variant.phaseTiles = attr.getTiles().asArrayRef().vec();
  variant.scratchBytesPerWorker = attr.getScratch();
  for (auto [granules, ns] : llvm::zip(attr.getGranules().asArrayRef(), attr.getNs().asArrayRef()))
    variant.times.push_back(
        {static_cast<int32_t>(granules), ns, parseOrigin(attr.getOrigin().getValue())});
  return variant;
}

StatusOr<Kernel> exportKernel(KernelOp op) {
  if (!op.getVariants())
    return invalidInput("kernel '" + op.getSymName().str() + "' has no variants");
  Kernel kernel;
  kernel.name = op.getSymName().str();
  kernel.kind = static_cast<mtc::KernelKind>(op.getKind());
  kernel.operands.assign(op.getArgumentTypes().size(), Access::Read);
  kernel.operands.insert(kernel.operands.end(), op.getResultTypes().size(), Access::Write);
  kernel.flops = flopsOf(op);
  kernel.byteFlops = byteFlopsOf(op);
  kernel.bytes = bytesOf(op);
  kernel.extents = extentsOf(op);
  for (auto variant : op.getVariantsAttr().getAsRange<VariantAttr>())
    kernel.variants.push_back(exportVariant(variant));
  return kernel;
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

std::string namesOf(Location loc) {
  llvm::SmallSetVector<StringRef, 4> names;
  SmallVector<Location> stack = {loc};
  while (!stack.empty()) {
    Location current = stack.pop_back_val();
    if (auto named = dyn_cast<NameLoc>(current))
      names.insert(named.getName().getValue());
    else if (auto fused = dyn_cast<FusedLoc>(current))
      stack.append(llvm::to_vector(llvm::reverse(fused.getLocations())));
    else if (auto call = dyn_cast<CallSiteLoc>(current))
      stack.push_back(call.getCallee());
  }
  return llvm::join(names, "+");
}

/// An input or output as its caller sees it.
static Tensor exportTensor(Type type, DictionaryAttr attrs) {
  auto tensorType = cast<RankedTensorType>(type);
  Tensor tensor;
  tensor.name = cast<StringAttr>(attrs.get("mt.name")).str();
  if (auto element = attrs.getAs<StringAttr>("mt.element_type"))
    tensor.elementType = element.str();
  else
    llvm::raw_string_ostream(tensor.elementType) << tensorType.getElementType();
  tensor.shape = tensorType.getShape().vec();
  tensor.bytes = tensorBytes(tensorType);
  if (auto value = attrs.getAs<DenseElementsAttr>("mt.value")) {
    ArrayRef<char> raw = value.getRawData();
    auto &bytes = tensor.value.emplace();
    for (int64_t copies = value.isSplat() ? value.getNumElements() : 1; copies > 0; --copies)
      bytes.insert(bytes.end(), raw.begin(), raw.end());
  }
  if (auto extent = attrs.getAs<DenseI64ArrayAttr>("mt.extent")) {
    tensor.extentDim = static_cast<int32_t>(extent[0]);
    tensor.extentOutput = static_cast<int32_t>(extent[1]);
  }
  if (auto pad = attrs.getAs<DenseElementsAttr>("mt.pad"))
    tensor.pad.emplace(pad.getRawData().begin(), pad.getRawData().end());
  if (auto follows = attrs.getAs<DenseI64ArrayAttr>("mt.follows"))
    for (int64_t i = 0; i + 3 <= follows.size(); i += 3)
      tensor.follows.push_back({static_cast<int32_t>(follows[i]),
                                static_cast<int32_t>(follows[i + 1]),
                                static_cast<int32_t>(follows[i + 2])});
  return tensor;
}

static Tenant exportTenant(TenantOp op) {
  Tenant tenant;
  tenant.name = op.getSymName().str();
  tenant.sloP99Ns = static_cast<int64_t>(op.getSloP99Ns().value_or(0));
  if (auto rate = op.getRateAttr())
    tenant.ratePerSecond = rate.getValueAsDouble();
  if (op.getArrivals() == "periodic")
    tenant.arrivals = ArrivalKind::Periodic;
  tenant.priority = static_cast<int32_t>(op.getPriority().value_or(0));
  tenant.isolation = op.getIsolation().value_or("guarded").str();
  return tenant;
}

namespace {

/// Translates one program.
class Exporter {
public:
  Exporter(ProgramOp program) : symbols_(program) {}

  Status addKernel(KernelOp op) {
    auto [known, isNew] = kernels_.try_emplace(op, static_cast<int32_t>(exported.kernels.size()));
    if (!isNew)
      return okStatus();
    MTC_ASSIGN_OR_RETURN(Kernel kernel, exportKernel(op));
    exported.kernels.push_back(op);
    exported.problem.kernels.push_back(std::move(kernel));
    return okStatus();
  }

  Status addEntry(EntryOp op, int32_t tenant);
  Status addBody(EntryOp op, int32_t tenant);

  ExportedProblem exported;

private:
  StatusOr<Entry> exportGraph(EntryOp op, int32_t tenant);
  void addRegion(RegionTaskOp op, Entry &entry);
  Status addTask(TaskOp op, Entry &entry);
  void addWeight(GetWeightOp op, Entry &entry);
  Status addOutputs(EntryOp op, Entry &entry);

  int32_t addValue(mlir::Value value, ValueKind kind, int32_t index, Entry &entry) {
    auto type = cast<RankedTensorType>(value.getType());
    values_[value] = static_cast<int32_t>(entry.values.size());
    entry.values.push_back({kind, tensorBytes(type), index});
    return values_[value];
  }

  SymbolTable symbols_;
  llvm::DenseMap<Operation *, int32_t> kernels_;
  llvm::DenseMap<Operation *, int32_t> weights_;
  llvm::DenseMap<StringRef, int32_t> bodies_; ///< of the current tenant, by name
  // Of the current entry.
  llvm::DenseMap<mlir::Value, int32_t> values_;
  llvm::DenseMap<Operation *, int32_t> weightValues_;
};

} // namespace

void Exporter::addWeight(GetWeightOp op, Entry &entry) {
  auto weight = symbols_.lookup<WeightOp>(op.getWeight());
  if (auto known = weightValues_.find(weight); known != weightValues_.end()) {
    values_[op.getResult()] = known->second;
    return;
  }
  auto [index, isNew] = weights_.try_emplace(weight, static_cast<int32_t>(exported.weights.size()));
  if (isNew)
    exported.weights.push_back(weight);
  weightValues_[weight] = addValue(op.getResult(), ValueKind::Weight, index->second, entry);
}

Status Exporter::addTask(TaskOp op, Entry &entry) {
  auto kernel = symbols_.lookup<KernelOp>(op.getKernel());
  MTC_RETURN_IF_ERROR(addKernel(kernel));
  Task task;
  task.id = static_cast<int32_t>(op.getId());
  task.name = namesOf(op.getLoc());
  if (task.name.empty())
    task.name = op.getKernel().str();
  task.kernel = kernels_.lookup(kernel);
  for (mlir::Value operand : op.getOperands())
    task.values.push_back(values_.lookup(operand));
  for (mlir::Value result : op.getResults())
    task.values.push_back(addValue(result, ValueKind::Intermediate, -1, entry));
  entry.tasks.push_back(std::move(task));
  return okStatus();
}

/// A kernel of its own, without code: its operands are the op's and the workspace.
void Exporter::addRegion(RegionTaskOp op, Entry &entry) {
  Problem &problem = exported.problem;
  Region region;
  region.kind = static_cast<mtc::RegionKind>(op.getKind());
  for (auto name : op.getBodies().getAsRange<FlatSymbolRefAttr>())
    region.bodies.push_back(bodies_.lookup(name.getValue()));
  region.carried = static_cast<int32_t>(op.getCarried().size());
  region.scanned = static_cast<int32_t>(op.getScanned().size());
  region.maxTrips = static_cast<int64_t>(op.getMaxTrips());
  SmallVector<Type> sliced = llvm::to_vector(op.getScanned().getTypes());
  llvm::append_range(sliced, llvm::drop_begin(op.getResultTypes(), region.carried));
  if (op.getKind() == RegionKind::Loop && !sliced.empty())
    region.length = cast<RankedTensorType>(sliced.front()).getDimSize(0);

  Kernel kernel;
  kernel.name = (stringifyRegionKind(op.getKind()) + "_" + Twine(problem.kernels.size())).str();
  Task task;
  task.id = static_cast<int32_t>(op.getId());
  task.name = namesOf(op.getLoc());
  if (task.name.empty())
    task.name = kernel.name;
  task.kernel = static_cast<int32_t>(problem.kernels.size());
  if (op.getTrips())
    task.values.push_back(values_.lookup(op.getTrips()));
  task.values.push_back(values_.lookup(op.getCondition()));
  for (OperandRange operands : {op.getCarried(), op.getScanned(), op.getCaptured()})
    for (mlir::Value operand : operands)
      task.values.push_back(values_.lookup(operand));
  kernel.operands.assign(task.values.size(), Access::Read);
  for (mlir::Value result : op.getResults())
    task.values.push_back(addValue(result, ValueKind::Intermediate, -1, entry));
  task.values.push_back(static_cast<int32_t>(entry.values.size()));
  entry.values.push_back({ValueKind::Intermediate, layoutOf(problem, region).bytes, -1});
  kernel.operands.resize(task.values.size(), Access::Write);

  auto trips = static_cast<int64_t>(op.getExpected());
  Variant variant;
  variant.config = "region";
  variant.phaseTiles = {problem.device.granules};
  for (int32_t body : region.bodies)
    for (const Task &inner : problem.bodies[body].graph.tasks) {
      const Kernel &used = problem.kernels[inner.kernel];
      kernel.flops += used.flops * trips;
      kernel.byteFlops += used.byteFlops * trips;
      kernel.bytes += used.bytes * trips;
      variant.scratchBytesPerWorker =
          std::max(variant.scratchBytesPerWorker, used.variants[0].scratchBytesPerWorker);
    }
  for (int32_t granules = 1; granules <= problem.device.granules; ++granules)
    variant.times.push_back(
        {granules, regionNs(problem, region, trips, granules), TimeOrigin::Modelled});
  kernel.variants.push_back(std::move(variant));
  kernel.region = std::move(region);
  exported.kernels.push_back({});
  problem.kernels.push_back(std::move(kernel));
  entry.tasks.push_back(std::move(task));
}

Status Exporter::addOutputs(EntryOp op, Entry &entry) {
  for (auto [i, operand] : llvm::enumerate(op.getBody().front().getTerminator()->getOperands())) {
    mtc::Value &value = entry.values[values_.lookup(operand)];
    if (value.kind != ValueKind::Intermediate)
      return invalidInput("result " + std::to_string(i) +
                          (value.kind == ValueKind::Output ? " is the same value as another result"
                                                           : " is not produced by a task"));
    value.kind = ValueKind::Output;
    value.index = static_cast<int32_t>(i);
  }
  return okStatus();
}

StatusOr<Entry> Exporter::exportGraph(EntryOp op, int32_t tenant) {
  values_.clear();
  weightValues_.clear();
  Entry entry;
  entry.tenant = tenant;
  entry.name = op.getSymName().str();
  for (unsigned i = 0; i < op.getNumArguments(); ++i) {
    entry.inputs.push_back(exportTensor(op.getArgumentTypes()[i], op.getArgAttrDict(i)));
    addValue(op.getArgument(i), ValueKind::Input, static_cast<int32_t>(i), entry);
  }
  for (unsigned i = 0; i < op.getNumResults(); ++i)
    entry.outputs.push_back(exportTensor(op.getResultTypes()[i], op.getResultAttrDict(i)));
  for (Operation &inner : op.getBody().front().without_terminator()) {
    if (auto get = dyn_cast<GetWeightOp>(inner))
      addWeight(get, entry);
    else if (auto task = dyn_cast<TaskOp>(inner))
      MTC_RETURN_IF_ERROR(addTask(task, entry));
    else if (auto region = dyn_cast<RegionTaskOp>(inner))
      addRegion(region, entry);
    else if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(inner))
      values_[inner.getResult(0)] = values_.lookup(inner.getOperand(0));
    else
      return invalidInput("holds '" + inner.getName().getStringRef().str() +
                          "', which is neither a task nor a view");
  }
  MTC_RETURN_IF_ERROR(addOutputs(op, entry));
  return entry;
}

Status Exporter::addEntry(EntryOp op, int32_t tenant) {
  MTC_ASSIGN_OR_RETURN(Entry entry, exportGraph(op, tenant));
  exported.entries.push_back(op);
  exported.problem.entries.push_back(std::move(entry));
  return okStatus();
}

Status Exporter::addBody(EntryOp op, int32_t tenant) {
  Body body;
  MTC_ASSIGN_OR_RETURN(body.graph, exportGraph(op, tenant));
  layoutBody(exported.problem, body);
  bodies_[op.getSymName()] = static_cast<int32_t>(exported.problem.bodies.size());
  exported.problem.bodies.push_back(std::move(body));
  return okStatus();
}

StatusOr<ExportedProblem> exportProblem(ProgramOp program, const Device &device) {
  Exporter exporter(program);
  Problem &problem = exporter.exported.problem;
  problem.device = device;
  for (TenantOp tenant : program.getBody().getOps<TenantOp>()) {
    problem.tenants.push_back(exportTenant(tenant));
    for (EntryOp entry : tenant.getBody().getOps<EntryOp>()) {
      auto position = static_cast<int32_t>(problem.tenants.size()) - 1;
      Status status = entry.getIsBody() ? exporter.addBody(entry, position)
                                        : exporter.addEntry(entry, position);
      if (!status.ok())
        return status.withContext("entry '" + tenant.getSymName().str() + "." +
                                  entry.getSymName().str() + "'");
    }
  }
  MTC_RETURN_IF_ERROR(check(problem));
  return std::move(exporter.exported);
}

} // namespace mtc::mt
