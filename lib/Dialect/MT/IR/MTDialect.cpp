//===- MTDialect.cpp - the mt dialect -------------------------------------===//
#include "mtc/Dialect/MT/IR/MT.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "mtc/Dialect/MT/IR/MTDialect.cpp.inc"
#include "mtc/Dialect/MT/IR/MTEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "mtc/Dialect/MT/IR/MTAttrs.cpp.inc"

namespace mtc::mt {

void MTDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "mtc/Dialect/MT/IR/MTAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "mtc/Dialect/MT/IR/MTOps.cpp.inc"
      >();
}

LogicalResult VariantAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  DictionaryAttr config, DenseI64ArrayAttr tiles, int64_t scratch,
                                  DenseI64ArrayAttr granules, DenseI64ArrayAttr ns,
                                  StringAttr origin) {
  if (tiles.empty() || llvm::any_of(tiles.asArrayRef(), [](int64_t t) { return t <= 0; }))
    return emitError() << "C1: tiles must be positive and at least one phase";
  ArrayRef<int64_t> shares = granules.asArrayRef();
  if (shares.empty() || shares.size() != ns.asArrayRef().size())
    return emitError() << "C2: granules and ns must have the same length, at least 1; got "
                       << shares.size() << " and " << ns.asArrayRef().size();
  for (auto [i, g] : llvm::enumerate(shares))
    if (g <= (i ? shares[i - 1] : 0))
      return emitError() << "C2: granules must be positive and ascending";
  if (llvm::any_of(ns.asArrayRef(), [](int64_t t) { return t <= 0; }))
    return emitError() << "C3: ns must be positive";
  if (scratch < 0)
    return emitError() << "C4: scratch must not be negative, got " << scratch;
  if (!llvm::is_contained({"modelled", "learned", "measured"}, origin.getValue()))
    return emitError() << "C5: origin must be modelled, learned or measured, got '"
                       << origin.getValue() << "'";
  return success();
}

} // namespace mtc::mt
