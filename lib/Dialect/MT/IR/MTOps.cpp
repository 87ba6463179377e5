//===- MTOps.cpp - operations of the mt dialect ---------------------------===//
#include "mtc/Dialect/MT/IR/MT.h"

#include "mlir/Interfaces/FunctionImplementation.h"

using namespace mlir;
using namespace mtc::mt;

/// `@a, @b`: the sources of a derived weight.
static ParseResult parseSymbolList(OpAsmParser &parser, ArrayAttr &symbols) {
  SmallVector<Attribute> names;
  auto parseOne = [&]() -> ParseResult {
    StringAttr name;
    if (parser.parseSymbolName(name))
      return failure();
    names.push_back(FlatSymbolRefAttr::get(name));
    return success();
  };
  // An expression without sources is a constant that nobody computes by hand.
  StringAttr first;
  if (succeeded(parser.parseOptionalSymbolName(first))) {
    names.push_back(FlatSymbolRefAttr::get(first));
    while (succeeded(parser.parseOptionalComma()))
      if (parseOne())
        return failure();
  }
  symbols = parser.getBuilder().getArrayAttr(names);
  return success();
}

static void printSymbolList(OpAsmPrinter &printer, Operation *, ArrayAttr symbols) {
  llvm::interleaveComma(symbols, printer, [&](Attribute a) { printer.printAttribute(a); });
}

#define GET_OP_CLASSES
#include "mtc/Dialect/MT/IR/MTOps.cpp.inc"

namespace mtc::mt {

void ProgramOp::build(OpBuilder &b, OperationState &state, StringRef name) {
  state.addAttribute(mlir::SymbolTable::getSymbolAttrName(), b.getStringAttr(name));
  state.addRegion()->emplaceBlock();
}

//===----------------------------------------------------------------------===//
// mt.entry and mt.kernel: functions over tensors
//===----------------------------------------------------------------------===//

static FunctionType makeFunctionType(Builder &b, ArrayRef<Type> args, ArrayRef<Type> results,
                                     function_interface_impl::VariadicFlag, std::string &) {
  return b.getFunctionType(args, results);
}

void EntryOp::build(OpBuilder &b, OperationState &state, StringRef name, FunctionType type) {
  state.addAttribute(SymbolTable::getSymbolAttrName(), b.getStringAttr(name));
  state.addAttribute(getFunctionTypeAttrName(state.name), TypeAttr::get(type));
  Block &body = state.addRegion()->emplaceBlock();
  for (Type t : type.getInputs())
    body.addArgument(t, state.location);
}

ParseResult EntryOp::parse(OpAsmParser &parser, OperationState &result) {
  return function_interface_impl::parseFunctionOp(
      parser, result, /*allowVariadic=*/false, getFunctionTypeAttrName(result.name),
      makeFunctionType, getArgAttrsAttrName(result.name), getResAttrsAttrName(result.name));
}

void EntryOp::print(OpAsmPrinter &printer) {
  function_interface_impl::printFunctionOp(printer, *this, /*isVariadic=*/false,
                                           getFunctionTypeAttrName(), getArgAttrsAttrName(),
                                           getResAttrsAttrName());
}

void KernelOp::build(OpBuilder &b, OperationState &state, StringRef name, KernelKind kind,
                     FunctionType type) {
  state.addAttribute(SymbolTable::getSymbolAttrName(), b.getStringAttr(name));
  state.addAttribute(getKindAttrName(state.name), KernelKindAttr::get(b.getContext(), kind));
  state.addAttribute(getFunctionTypeAttrName(state.name), TypeAttr::get(type));
  Block &body = state.addRegion()->emplaceBlock();
  for (Type t : type.getInputs())
    body.addArgument(t, state.location);
}

// mt.kernel @name kind(elementwise) (args) -> results [numerics("...")] [variants [...]] attributes
// {...} body
ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  StringAttr name;
  std::string kind;
  SMLoc kindLoc;
  if (parser.parseSymbolName(name, SymbolTable::getSymbolAttrName(), result.attributes) ||
      parser.parseKeyword("kind") || parser.parseLParen() || parser.getCurrentLocation(&kindLoc) ||
      parser.parseKeywordOrString(&kind) || parser.parseRParen())
    return failure();
  std::optional<KernelKind> parsed = symbolizeKernelKind(kind);
  if (!parsed)
    return parser.emitError(kindLoc) << "unknown kernel kind '" << kind << "'";
  result.addAttribute(getKindAttrName(result.name),
                      KernelKindAttr::get(parser.getContext(), *parsed));

  SmallVector<OpAsmParser::Argument> args;
  SmallVector<Type> resultTypes;
  SmallVector<DictionaryAttr> resultAttrs;
  bool isVariadic = false;
  if (function_interface_impl::parseFunctionSignatureWithArguments(
          parser, /*allowVariadic=*/false, args, isVariadic, resultTypes, resultAttrs))
    return failure();
  SmallVector<Type> argTypes;
  for (auto &arg : args)
    argTypes.push_back(arg.type);
  result.addAttribute(getFunctionTypeAttrName(result.name),
                      TypeAttr::get(parser.getBuilder().getFunctionType(argTypes, resultTypes)));
  if (succeeded(parser.parseOptionalKeyword("numerics"))) {
    StringAttr numerics;
    if (parser.parseLParen() || parser.parseAttribute(numerics) || parser.parseRParen())
      return failure();
    result.addAttribute(getNumericsAttrName(result.name), numerics);
  }
  if (succeeded(parser.parseOptionalKeyword("variants"))) {
    ArrayAttr variants;
    if (parser.parseAttribute(variants))
      return failure();
    result.addAttribute(getVariantsAttrName(result.name), variants);
  }
  if (parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  return parser.parseRegion(*result.addRegion(), args);
}

void KernelOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  printer << " kind(" << stringifyKernelKind(getKind()) << ") ";
  function_interface_impl::printFunctionSignature(printer, *this, getArgumentTypes(),
                                                  /*isVariadic=*/false, getResultTypes());
  if (auto numerics = getNumericsAttr())
    printer << " numerics(" << numerics << ")";
  if (auto variants = getVariantsAttr())
    printer << " variants " << variants;
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(),
      {SymbolTable::getSymbolAttrName(), getKindAttrName(), getFunctionTypeAttrName(),
       getArgAttrsAttrName(), getResAttrsAttrName(), getNumericsAttrName(), getVariantsAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false, /*printBlockTerminators=*/true);
}

} // namespace mtc::mt
