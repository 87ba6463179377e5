//===- MTRegionVerifiers.cpp - what mt.region_task promises ---------------===//
//
// As MTVerifiers.cpp: the labels are those of MTOps.td.
//
//===----------------------------------------------------------------------===//
#include "mtc/Dialect/MT/IR/MT.h"

using namespace mlir;

namespace mtc::mt {

static bool isScalarOf(Type type, unsigned bits) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() && tensor.getNumElements() == 1 &&
         tensor.getElementType().isInteger(bits);
}

/// The type of an element of the first dim; null if there is none.
static Type elementOf(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  if (tensor.getRank() == 0)
    return {};
  return RankedTensorType::get(tensor.getShape().drop_front(), tensor.getElementType());
}

/// Checks that `got` are the types of `wanted`, as `label`.
static LogicalResult verifyTypes(Operation *op, const char *label, const Twine &what, TypeRange got,
                                 TypeRange wanted) {
  if (llvm::equal(got, wanted))
    return success();
  return op->emitOpError() << label << ": " << what << " must be (" << wanted << "), got (" << got
                           << ")";
}

LogicalResult RegionTaskOp::verify() {
  if (static_cast<int64_t>(getId()) < 0 || static_cast<int64_t>(getExpected()) < 0 ||
      static_cast<int64_t>(getMaxTrips()) < 1)
    return emitOpError() << "C7: id and expected must not be negative and max_trips positive";
  if (!isScalarOf(getCondition().getType(), 8))
    return emitOpError() << "C2: the condition must be one i8, got " << getCondition().getType();
  bool isLoop = getKind() == RegionKind::Loop;
  if (isLoop != static_cast<bool>(getTrips()))
    return emitOpError() << "C2: a loop has trips and an if has not";
  if (isLoop && !isScalarOf(getTrips().getType(), 64))
    return emitOpError() << "C2: trips must be one i64, got " << getTrips().getType();
  if (!isLoop && (!getCarried().empty() || !getScanned().empty()))
    return emitOpError() << "C3: an if carries and scans nothing";
  if (getNumResults() < getCarried().size())
    return emitOpError() << "C5: a loop of " << getCarried().size() << " carried values has "
                         << getNumResults() << " results";
  std::optional<int64_t> length;
  SmallVector<Type> sliced = llvm::to_vector(getScanned().getTypes());
  if (isLoop)
    llvm::append_range(sliced, llvm::drop_begin(getResultTypes(), getCarried().size()));
  for (Type type : sliced) {
    auto tensor = cast<RankedTensorType>(type);
    if (tensor.getRank() == 0 || (length && *length != tensor.getDimSize(0)))
      return emitOpError() << "C6: scanned operands and stacked results must have the same first "
                              "dim, got "
                           << type;
    length = tensor.getDimSize(0);
  }
  return success();
}

LogicalResult RegionTaskOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto entry = cast<EntryOp>((*this)->getParentOp());
  SmallVector<EntryOp> bodies;
  for (auto name : getBodies().getAsRange<FlatSymbolRefAttr>()) {
    auto body = symbols.lookupNearestSymbolFrom<EntryOp>(entry->getParentOp(), name);
    if (!body || !body.getIsBody() || !body->isBeforeInBlock(entry))
      return emitOpError() << "C1: " << name << " is not a body that stands before its entry";
    bodies.push_back(body);
  }
  bool isLoop = getKind() == RegionKind::Loop;
  if (bodies.size() != (isLoop ? 1 : 2))
    return emitOpError() << "C1: wants " << (isLoop ? "one body" : "two bodies") << ", got "
                         << bodies.size();
  if (!isLoop) {
    for (EntryOp body : bodies)
      if (failed(verifyTypes(*this, "C3", "arguments of " + Twine(body.getSymName()),
                             body.getArgumentTypes(), getCaptured().getTypes())) ||
          failed(verifyTypes(*this, "C3", "results of " + Twine(body.getSymName()),
                             body.getResultTypes(), getResultTypes())))
        return failure();
    return success();
  }
  EntryOp body = bodies.front();
  SmallVector<Type> arguments = {RankedTensorType::get({}, IntegerType::get(getContext(), 64)),
                                 getCondition().getType()};
  llvm::append_range(arguments, getCarried().getTypes());
  for (Type type : getScanned().getTypes())
    arguments.push_back(elementOf(type));
  llvm::append_range(arguments, getCaptured().getTypes());
  if (failed(verifyTypes(*this, "C4", "arguments of " + Twine(body.getSymName()),
                         body.getArgumentTypes(), arguments)))
    return failure();
  SmallVector<Type> results;
  if (body.getResultTypes().empty() || !isScalarOf(body.getResultTypes().front(), 8))
    return emitOpError() << "C5: the first result of " << body.getSymName() << " must be one i8";
  results.push_back(body.getResultTypes().front());
  llvm::append_range(results, getCarried().getTypes());
  for (Type type : llvm::drop_begin(getResultTypes(), getCarried().size()))
    results.push_back(elementOf(type));
  if (failed(verifyTypes(*this, "C5", "results of " + Twine(body.getSymName()),
                         body.getResultTypes(), results)))
    return failure();
  return verifyTypes(*this, "C5", "the first results",
                     TypeRange(getResultTypes()).take_front(getCarried().size()),
                     getCarried().getTypes());
}

} // namespace mtc::mt
