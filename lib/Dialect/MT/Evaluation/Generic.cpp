//===- Generic.cpp - linalg operations, a row at a time -------------------===//
//
// The loop nest of a linalg operation is run with one parallel dimension over the lanes of the
// registers and all others as loops. A dimension that every operand walks as a continuation of the
// next is merged with it, so that elementwise operations become one long row. With reductions the
// lanes run over a parallel dimension, so the order of a reduction is that of its loops: one
// element after the other.
//
//===----------------------------------------------------------------------===//
#include "Expression.h"
#include "Lanes.h"
#include "Strided.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseMap.h"

#include <algorithm>
#include <optional>

using namespace mlir;

namespace mtc::mt {

namespace {

/// An operand as the loops see it.
struct Operand {
  Format format;
  int32_t reg = 0;
  const uint8_t *data = nullptr;
  uint8_t *output = nullptr;         ///< only of an init
  int64_t offset = 0;                ///< elements, at index 0
  SmallVector<int64_t> strides;      ///< elements per step of each loop
  AffineMap gather;                  ///< set when the map is not linear
  SmallVector<int64_t> shapeStrides; ///< row-major strides, for gather
  bool isRead = true;
};

struct Loops {
  SmallVector<int64_t> extents;
  SmallVector<bool> parallel;
};

/// The body as instructions.
struct Program {
  std::vector<Instruction> instructions;
  SmallVector<std::pair<int32_t, std::pair<Format, Attribute>>> constants;
  SmallVector<TensorBytes> captured;
  SmallVector<int32_t> yielded;
  int32_t registers = 0;
  bool usesIndex = false;
};

} // namespace

/// Strides of a map over the loops, or nothing when it has divisions.
static std::optional<std::pair<int64_t, SmallVector<int64_t>>>
linearStrides(AffineMap map, ArrayRef<int64_t> shapeStrides) {
  bool linear = true;
  map.walkExprs([&](AffineExpr e) {
    linear &= e.getKind() == AffineExprKind::Add || e.getKind() == AffineExprKind::Mul ||
              e.getKind() == AffineExprKind::Constant || e.getKind() == AffineExprKind::DimId;
  });
  if (!linear)
    return std::nullopt;
  // A linear function is known by its values at the origin and at the unit vectors.
  SmallVector<int64_t> point(map.getNumDims(), 0);
  auto offsetAt = [&]() {
    int64_t offset = 0;
    for (auto [index, stride] : llvm::zip(map.compose(point), shapeStrides))
      offset += index * stride;
    return offset;
  };
  int64_t origin = offsetAt();
  SmallVector<int64_t> strides;
  for (int64_t &coordinate : point) {
    coordinate = 1;
    strides.push_back(offsetAt() - origin);
    coordinate = 0;
  }
  return std::make_pair(origin, strides);
}

/// Translates the body. Values from outside are constants or captured tensors.
static StatusOr<Program> compileBody(linalg::LinalgOp op, const Values &values) {
  Program program;
  llvm::DenseMap<Value, int32_t> registers;
  Block &body = *op.getBlock();
  auto define = [&](Value v) { return registers[v] = program.registers++; };
  for (BlockArgument arg : body.getArguments())
    define(arg);
  auto use = [&](Value v) -> StatusOr<int32_t> {
    if (auto known = registers.find(v); known != registers.end())
      return known->second;
    Attribute constant = values.scalar(v);
    if (!constant && !matchPattern(v, m_Constant(&constant)))
      return unsupported("cannot evaluate a value from outside of '" +
                         op->getName().getStringRef().str() + "'");
    MTC_ASSIGN_OR_RETURN(Format format, Format::of(v.getType()));
    program.constants.push_back({program.registers, {format, constant}});
    return define(v);
  };
  for (Operation &inner : body.without_terminator()) {
    if (isa<arith::ConstantOp>(inner))
      continue; // use() finds it
    Instruction instruction;
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      instruction.run = runIndex;
      instruction.immediate = static_cast<int64_t>(index.getDim());
      program.usesIndex = true;
    } else if (auto extract = dyn_cast<tensor::ExtractOp>(inner)) {
      const TensorBytes *tensor = values.tensor(extract.getTensor());
      if (!tensor)
        return unsupported("cannot evaluate the source of 'tensor.extract'");
      instruction.run = runExtract;
      instruction.immediate = static_cast<int64_t>(program.captured.size());
      program.captured.push_back(*tensor);
      MTC_ASSIGN_OR_RETURN(instruction.format, Format::of(extract.getType()));
    } else {
      MTC_ASSIGN_OR_RETURN(instruction, selectInstruction(&inner));
    }
    for (Value operand : inner.getOperands()) {
      if (isa<TensorType>(operand.getType()))
        continue;
      MTC_ASSIGN_OR_RETURN(int32_t reg, use(operand));
      instruction.operands.push_back(reg);
    }
    instruction.result = define(inner.getResult(0));
    program.instructions.push_back(instruction);
  }
  for (Value v : body.getTerminator()->getOperands()) {
    MTC_ASSIGN_OR_RETURN(int32_t reg, use(v));
    program.yielded.push_back(reg);
  }
  return program;
}

/// Merges neighbouring loops that all operands walk as one. Not with linalg.index, whose numbers
/// would change.
static void mergeLoops(Loops &loops, MutableArrayRef<Operand> operands) {
  auto erase = [&](size_t d) {
    loops.extents.erase(loops.extents.begin() + d);
    loops.parallel.erase(loops.parallel.begin() + d);
    for (Operand &operand : operands)
      operand.strides.erase(operand.strides.begin() + d);
  };
  for (size_t d = loops.extents.size(); d-- > 0;)
    if (loops.extents[d] == 1)
      erase(d);
  for (size_t d = loops.extents.size(); d-- > 1;) {
    bool mergeable = loops.parallel[d - 1] == loops.parallel[d] &&
                     llvm::all_of(operands, [&](const Operand &operand) {
                       return operand.strides[d - 1] == operand.strides[d] * loops.extents[d];
                     });
    if (!mergeable)
      continue;
    loops.extents[d] *= loops.extents[d - 1];
    erase(d - 1);
  }
}

/// The loop over the lanes: parallel, preferably long, preferably inner; -1 if there is none.
static int32_t chooseLaneDim(const Loops &loops) {
  int32_t best = -1;
  int64_t bestExtent = 0;
  for (size_t d = 0; d < loops.extents.size(); ++d) {
    int64_t extent = std::min<int64_t>(loops.extents[d], 64);
    if (loops.parallel[d] && extent >= bestExtent) {
      best = static_cast<int32_t>(d);
      bestExtent = extent;
    }
  }
  return best;
}

/// Loads a row through a map with divisions.
static void gatherLanes(const Operand &operand, Frame &frame, int64_t n) {
  int64_t bytes = operand.format.bytes();
  alignas(8) uint8_t row[kLanes * 8];
  SmallVector<int64_t> point(frame.loop);
  for (int64_t i = 0; i < n; ++i) {
    int64_t offset = 0;
    for (auto [index, stride] : llvm::zip(operand.gather.compose(point), operand.shapeStrides))
      offset += index * stride;
    std::copy_n(operand.data + offset * bytes, bytes, row + i * bytes);
    if (frame.laneDim >= 0)
      ++point[frame.laneDim];
  }
  loadLanes(operand.format, row, 1, frame, operand.reg, n);
}

/// Runs the body for `n` lanes from `frame.loop` on.
static void runRow(const Program &program, MutableArrayRef<Operand> operands, Frame &frame,
                   int64_t n) {
  auto offsetOf = [&](const Operand &operand) {
    int64_t offset = operand.offset;
    for (auto [index, stride] : llvm::zip(frame.loop, operand.strides))
      offset += index * stride;
    return offset * operand.format.bytes();
  };
  auto laneStride = [&](const Operand &operand) {
    return frame.laneDim < 0 ? 0 : operand.strides[frame.laneDim];
  };
  for (Operand &operand : operands) {
    if (!operand.isRead)
      continue;
    if (operand.gather)
      gatherLanes(operand, frame, n);
    else
      loadLanes(operand.format, operand.data + offsetOf(operand), laneStride(operand), frame,
                operand.reg, n);
  }
  for (const Instruction &instruction : program.instructions)
    instruction.run(instruction, frame, n);
  size_t result = 0;
  for (Operand &operand : operands)
    if (operand.output)
      storeLanes(operand.format, frame, program.yielded[result++],
                 operand.output + offsetOf(operand), laneStride(operand), n);
}

/// All rows of the loop nest, the lane dimension in pieces of kLanes.
static Status runLoops(const Loops &loops, const Program &program,
                       MutableArrayRef<Operand> operands, Frame &frame) {
  if (llvm::is_contained(loops.extents, 0))
    return okStatus();
  int64_t lanes = frame.laneDim < 0 ? 1 : loops.extents[frame.laneDim];
  frame.loop.assign(loops.extents.size(), 0);
  while (true) {
    for (int64_t lane = 0; lane < lanes; lane += kLanes) {
      if (frame.laneDim >= 0)
        frame.loop[frame.laneDim] = lane;
      runRow(program, operands, frame, std::min(kLanes, lanes - lane));
      if (frame.outOfRange)
        return invalidInput("index of 'tensor.extract' out of range");
    }
    if (frame.laneDim >= 0)
      frame.loop[frame.laneDim] = 0;
    size_t d = loops.extents.size();
    while (d > 0 && (static_cast<int32_t>(d - 1) == frame.laneDim ||
                     ++frame.loop[d - 1] == loops.extents[d - 1]))
      frame.loop[--d] = 0;
    if (d == 0)
      return okStatus();
  }
}

/// The operand at `use` with its strides.
static StatusOr<Operand> describeOperand(linalg::LinalgOp op, OpOperand &use,
                                         const Values &values) {
  Operand operand;
  operand.reg = static_cast<int32_t>(use.getOperandNumber());
  operand.isRead = op.payloadUsesValueFromOperand(&use);
  MTC_ASSIGN_OR_RETURN(operand.format, Format::of(getElementTypeOrSelf(use.get())));
  AffineMap map = op.getMatchingIndexingMap(&use);
  if (auto type = dyn_cast<RankedTensorType>(use.get().getType())) {
    const TensorBytes *tensor = values.tensor(use.get());
    if (!tensor)
      return unsupported("cannot evaluate an operand of '" + op->getName().getStringRef().str() +
                         "'");
    operand.data = tensor->data.data();
    operand.shapeStrides = rowMajorStrides(type.getShape());
  }
  if (auto linear = linearStrides(map, operand.shapeStrides))
    std::tie(operand.offset, operand.strides) = *linear;
  else {
    operand.gather = map;
    operand.strides.assign(map.getNumDims(), 0);
  }
  return operand;
}

StatusOr<SmallVector<TensorBytes>> evaluateLinalg(linalg::LinalgOp op, const Values &values) {
  MTC_ASSIGN_OR_RETURN(Program program, compileBody(op, values));
  Loops loops;
  loops.extents.assign(op.getStaticLoopRanges());
  for (utils::IteratorType type : op.getIteratorTypesArray())
    loops.parallel.push_back(type == utils::IteratorType::parallel);

  SmallVector<Operand> operands;
  SmallVector<NewTensor> results;
  SmallVector<std::pair<int32_t, Attribute>> scalars;
  bool mergeable = !program.usesIndex;
  for (OpOperand &use : op->getOpOperands()) {
    MTC_ASSIGN_OR_RETURN(Operand operand, describeOperand(op, use, values));
    mergeable &= !operand.gather;
    if (!operand.data) {
      Attribute scalar = values.scalar(use.get());
      if (!scalar)
        return unsupported("cannot evaluate a scalar operand of '" +
                           op->getName().getStringRef().str() + "'");
      program.constants.push_back({operand.reg, {operand.format, scalar}});
      continue;
    }
    if (op.isDpsInit(&use)) {
      if (operand.gather)
        return unsupported("cannot evaluate an output with divisions in its map");
      bool covers = op.getMatchingIndexingMap(&use).isPermutation();
      const TensorBytes *init = values.tensor(use.get());
      results.push_back(operand.isRead || !covers ? NewTensor::copyOf(*init)
                                                  : NewTensor(init->type));
      operand.output = results.back().data;
      operand.data = operand.output;
    }
    operands.push_back(std::move(operand));
  }
  if (mergeable)
    mergeLoops(loops, operands);

  Frame frame(program.registers);
  frame.captured.assign(program.captured.begin(), program.captured.end());
  frame.laneDim = chooseLaneDim(loops);
  for (auto &[reg, constant] : program.constants)
    splatLanes(constant.first, constant.second, frame, reg);
  MTC_RETURN_IF_ERROR(runLoops(loops, program, operands, frame));

  SmallVector<TensorBytes> frozen;
  for (NewTensor &result : results)
    frozen.push_back(std::move(result).freeze());
  return frozen;
}

StatusOr<Attribute> evaluateScalar(Operation *op, const Values &values) {
  MTC_ASSIGN_OR_RETURN(Instruction instruction, selectInstruction(op));
  Frame frame(op->getNumOperands() + 1);
  for (OpOperand &use : op->getOpOperands()) {
    Attribute value = values.scalar(use.get());
    if (!value)
      return unsupported("cannot evaluate an operand of '" + op->getName().getStringRef().str() +
                         "'");
    MTC_ASSIGN_OR_RETURN(Format format, Format::of(use.get().getType()));
    splatLanes(format, value, frame, static_cast<int32_t>(use.getOperandNumber()));
    instruction.operands.push_back(static_cast<int32_t>(use.getOperandNumber()));
  }
  instruction.result = static_cast<int32_t>(op->getNumOperands());
  instruction.run(instruction, frame, 1);
  uint64_t bits = 0;
  storeLanes(instruction.format, frame, instruction.result, reinterpret_cast<uint8_t *>(&bits), 1,
             1);
  Type type = op->getResult(0).getType();
  APInt value(instruction.format.bits, bits, /*isSigned=*/false, /*implicitTrunc=*/true);
  if (auto floatType = dyn_cast<FloatType>(type))
    return Attribute(FloatAttr::get(type, APFloat(floatType.getFloatSemantics(), value)));
  return Attribute(IntegerAttr::get(type, value));
}

} // namespace mtc::mt
