//===- MT.h - the mt dialect ----------------------------------------------===//
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "mtc/Dialect/MT/IR/MTDialect.h.inc"
#include "mtc/Dialect/MT/IR/MTEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "mtc/Dialect/MT/IR/MTAttrs.h.inc"
#define GET_OP_CLASSES
#include "mtc/Dialect/MT/IR/MTOps.h.inc"
