//===- DotProduct.cpp - multiply and add at vector level ------------------===//
//
// vpmaddubsw, which multiplies bytes without VNNI, saturates its sums of two products; so without
// VNNI bytes are extended to 16 bits and multiplied by vpmaddwd, which cannot overflow on them.
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, VPDPBUSD, PMADDWD.
//
//===----------------------------------------------------------------------===//
#include "DotProduct.h"

#include "VectorBody.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mtc::host {

bool hasByteDotProduct(const HostTarget &target) {
  return llvm::is_contained(target.features, "avx512vnni") ||
         llvm::is_contained(target.features, "avxvnni");
}

static Value callIntrinsic(Emitter &e, StringRef name, Type result, ValueRange arguments) {
  return LLVM::CallIntrinsicOp::create(e.b, e.loc, result, e.b.getStringAttr(name), arguments)
      ->getResult(0);
}

ByteGroups prepareGroups(Emitter &e, Value bytes, bool isSigned, bool hasInstruction) {
  if (hasInstruction)
    return {bytes, {}, {}};
  int64_t count = cast<VectorType>(bytes.getType()).getNumElements();
  auto pairs = VectorType::get({count / 2}, e.b.getI16Type());
  Value both = vector::BitCastOp::create(e.b, e.loc, pairs, bytes);
  auto splat = [&](int64_t v) {
    return e.constant(cast<TypedAttr>(DenseElementsAttr::get(pairs, e.b.getI16IntegerAttr(v))));
  };
  if (!isSigned) {
    Value even = arith::AndIOp::create(e.b, e.loc, both, splat(255));
    return {{}, even, arith::ShRUIOp::create(e.b, e.loc, both, splat(8))};
  }
  Value high = arith::ShLIOp::create(e.b, e.loc, both, splat(8));
  return {{},
          arith::ShRSIOp::create(e.b, e.loc, high, splat(8)),
          arith::ShRSIOp::create(e.b, e.loc, both, splat(8))};
}

Value groupAt(Emitter &e, Value memory, Value at, int64_t numbers, int64_t lanes) {
  OpBuilder &b = e.b;
  auto four = VectorType::get({4}, b.getI8Type()), one = VectorType::get({1}, b.getI32Type());
  Value word;
  if (numbers == 0) {
    Value bytes = vector::LoadOp::create(b, e.loc, four, memory, at);
    word = vector::BitCastOp::create(b, e.loc, one, bytes);
    word = vector::ExtractOp::create(b, e.loc, word, ArrayRef<int64_t>{0});
  }
  for (int64_t i = 0; i < numbers; ++i) {
    Value byte = memref::LoadOp::create(b, e.loc, memory, e.add(at, e.constant(i)));
    Value wide = arith::ExtUIOp::create(b, e.loc, b.getI32Type(), byte);
    wide = arith::ShLIOp::create(
        b, e.loc, wide,
        e.constant(cast<TypedAttr>(b.getI32IntegerAttr(static_cast<int32_t>(8 * i)))));
    word = word ? Value(arith::OrIOp::create(b, e.loc, word, wide)) : wide;
  }
  return vector::BitCastOp::create(b, e.loc, VectorType::get({4 * lanes}, b.getI8Type()),
                                   broadcast(e, word, lanes));
}

Value dotProduct(Emitter &e, Value acc, const ByteGroups &unsignedSide,
                 const ByteGroups &signedSide, bool hasInstruction) {
  bool wide = cast<VectorType>(acc.getType()).getNumElements() == 16;
  if (hasInstruction)
    return callIntrinsic(e, wide ? "llvm.x86.avx512.vpdpbusd.512" : "llvm.x86.avx512.vpdpbusd.256",
                         acc.getType(), {acc, unsignedSide.bytes, signedSide.bytes});
  StringRef multiply = wide ? "llvm.x86.avx512.pmaddw.d.512" : "llvm.x86.avx2.pmadd.wd";
  for (auto [x, y] :
       {std::pair(unsignedSide.even, signedSide.even), std::pair(unsignedSide.odd, signedSide.odd)})
    acc = arith::AddIOp::create(e.b, e.loc, acc, callIntrinsic(e, multiply, acc.getType(), {x, y}));
  return acc;
}

Value multiplyAdd(Emitter &e, Value x, Value y, Value acc) {
  if (isa<FloatType>(getElementTypeOrSelf(acc)))
    return vector::FMAOp::create(e.b, e.loc, x, y, acc);
  Value product = arith::MulIOp::create(e.b, e.loc, x, y);
  return arith::AddIOp::create(e.b, e.loc, acc, product);
}

} // namespace mtc::host
