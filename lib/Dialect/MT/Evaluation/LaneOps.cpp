//===- LaneOps.cpp - arith and math over rows -----------------------------===//
//
// A table from operation to loop. Semantics are those of the dialects; where these leave behaviour
// undefined (division by zero, shifts beyond the width, float to int out of range) a value is
// chosen instead of a crash: 0, 0 and the nearest representable number.
//
//===----------------------------------------------------------------------===//
#include "Lanes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

#include <bit>
#include <cmath>
#include <limits>

using namespace mlir;

namespace mtc::mt {

using Run = void (*)(const Instruction &, Frame &, int64_t);

//===----------------------------------------------------------------------===//
// Rounding to the type after every operation
//===----------------------------------------------------------------------===//

static float roundToBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (value != value)
    return value;
  bits += 0x7fff + ((bits >> 16) & 1);
  return std::bit_cast<float>(bits & 0xffff0000u);
}

static int64_t wrap(int64_t value, int bits) {
  return bits == 1 ? value & 1 : llvm::SignExtend64(static_cast<uint64_t>(value), bits);
}

static uint64_t unsignedOf(int64_t value, int bits) {
  return static_cast<uint64_t>(value) & llvm::maskTrailingOnes<uint64_t>(bits);
}

template <typename T> static void finish(const Format &format, T *lanes, int64_t n) {
  if constexpr (std::is_same_v<T, float>) {
    if (format.bits == 16 && format.isBf16)
      for (int64_t i = 0; i < n; ++i)
        lanes[i] = roundToBf16(lanes[i]);
    else if (format.bits == 16)
      for (int64_t i = 0; i < n; ++i)
        lanes[i] = static_cast<float>(static_cast<_Float16>(lanes[i]));
  } else if constexpr (std::is_same_v<T, int64_t>) {
    if (format.bits < 64)
      for (int64_t i = 0; i < n; ++i)
        lanes[i] = wrap(lanes[i], format.bits);
  }
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

template <typename T, auto Fn> static void unary(const Instruction &in, Frame &frame, int64_t n) {
  const T *a = frame.lanes<T>(in.operands[0]);
  T *r = frame.lanes<T>(in.result);
  for (int64_t i = 0; i < n; ++i)
    r[i] = Fn(a[i]);
  finish(in.format, r, n);
}

template <typename T, auto Fn> static void binary(const Instruction &in, Frame &frame, int64_t n) {
  const T *a = frame.lanes<T>(in.operands[0]), *b = frame.lanes<T>(in.operands[1]);
  T *r = frame.lanes<T>(in.result);
  for (int64_t i = 0; i < n; ++i)
    r[i] = Fn(a[i], b[i]);
  finish(in.format, r, n);
}

/// Integer operations whose result depends on the width.
template <auto Fn> static void widthBinary(const Instruction &in, Frame &frame, int64_t n) {
  const int64_t *a = frame.lanes<int64_t>(in.operands[0]),
                *b = frame.lanes<int64_t>(in.operands[1]);
  int64_t *r = frame.lanes<int64_t>(in.result);
  for (int64_t i = 0; i < n; ++i)
    r[i] = Fn(a[i], b[i], in.source.bits);
  finish(in.format, r, n);
}

template <typename T> static void fusedMultiplyAdd(const Instruction &in, Frame &frame, int64_t n) {
  const T *a = frame.lanes<T>(in.operands[0]), *b = frame.lanes<T>(in.operands[1]),
          *c = frame.lanes<T>(in.operands[2]);
  T *r = frame.lanes<T>(in.result);
  for (int64_t i = 0; i < n; ++i)
    r[i] = std::fma(a[i], b[i], c[i]);
  finish(in.format, r, n);
}

template <typename T> static void select(const Instruction &in, Frame &frame, int64_t n) {
  const int64_t *c = frame.lanes<int64_t>(in.operands[0]);
  const T *a = frame.lanes<T>(in.operands[1]), *b = frame.lanes<T>(in.operands[2]);
  T *r = frame.lanes<T>(in.result);
  for (int64_t i = 0; i < n; ++i)
    r[i] = c[i] ? a[i] : b[i];
}

/// Predicates of arith.cmpf are a set of outcomes: bits equal, greater, less, unordered.
template <typename T> static void compareFloats(const Instruction &in, Frame &frame, int64_t n) {
  const T *a = frame.lanes<T>(in.operands[0]), *b = frame.lanes<T>(in.operands[1]);
  int64_t *r = frame.lanes<int64_t>(in.result);
  for (int64_t i = 0; i < n; ++i) {
    int outcome = a[i] == b[i] ? 0 : a[i] > b[i] ? 1 : a[i] < b[i] ? 2 : 3;
    r[i] = in.immediate >> outcome & 1;
  }
}

static int64_t outcomesOf(arith::CmpFPredicate predicate) {
  // OEQ to ORD are numbered as their sets; the unordered ones are not: UEQ is 8, UNO is 14.
  static constexpr int64_t kSets[] = {0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 8, 15};
  return kSets[static_cast<int>(predicate)];
}

static void compareInts(const Instruction &in, Frame &frame, int64_t n) {
  const int64_t *a = frame.lanes<int64_t>(in.operands[0]),
                *b = frame.lanes<int64_t>(in.operands[1]);
  int64_t *r = frame.lanes<int64_t>(in.result);
  int bits = in.source.bits;
  auto loop = [&](auto compare) {
    for (int64_t i = 0; i < n; ++i)
      r[i] = compare(a[i], b[i]);
  };
  auto loopUnsigned = [&](auto compare) {
    for (int64_t i = 0; i < n; ++i)
      r[i] = compare(unsignedOf(a[i], bits), unsignedOf(b[i], bits));
  };
  using P = arith::CmpIPredicate;
  switch (static_cast<P>(in.immediate)) {
  case P::eq:
    return loop([](auto x, auto y) { return x == y; });
  case P::ne:
    return loop([](auto x, auto y) { return x != y; });
  case P::slt:
    return loop([](auto x, auto y) { return x < y; });
  case P::sle:
    return loop([](auto x, auto y) { return x <= y; });
  case P::sgt:
    return loop([](auto x, auto y) { return x > y; });
  case P::sge:
    return loop([](auto x, auto y) { return x >= y; });
  case P::ult:
    return loopUnsigned([](auto x, auto y) { return x < y; });
  case P::ule:
    return loopUnsigned([](auto x, auto y) { return x <= y; });
  case P::ugt:
    return loopUnsigned([](auto x, auto y) { return x > y; });
  case P::uge:
    return loopUnsigned([](auto x, auto y) { return x >= y; });
  }
}

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

template <typename To, typename From, bool kUnsignedSource>
static void convert(const Instruction &in, Frame &frame, int64_t n) {
  const From *a = frame.lanes<From>(in.operands[0]);
  To *r = frame.lanes<To>(in.result);
  for (int64_t i = 0; i < n; ++i) {
    if constexpr (kUnsignedSource)
      r[i] = static_cast<To>(unsignedOf(a[i], in.source.bits));
    else
      r[i] = static_cast<To>(a[i]);
  }
  finish(in.format, r, n);
}

/// Nearest representable integer towards zero; NaN gives 0.
template <typename From, bool kUnsigned>
static void floatToInt(const Instruction &in, Frame &frame, int64_t n) {
  const From *a = frame.lanes<From>(in.operands[0]);
  int64_t *r = frame.lanes<int64_t>(in.result);
  int bits = in.format.bits;
  double least = kUnsigned ? 0.0 : -std::ldexp(1.0, bits - 1);
  double limit = std::ldexp(1.0, kUnsigned ? bits : bits - 1);
  int64_t most =
      static_cast<int64_t>(llvm::maskTrailingOnes<uint64_t>(kUnsigned ? bits : bits - 1));
  for (int64_t i = 0; i < n; ++i) {
    double value = static_cast<double>(a[i]);
    if (value != value)
      r[i] = 0;
    else if (value <= least)
      r[i] = static_cast<int64_t>(least);
    else if (value >= limit)
      r[i] = most;
    else
      r[i] = kUnsigned ? static_cast<int64_t>(static_cast<uint64_t>(value))
                       : static_cast<int64_t>(value);
  }
  finish(in.format, r, n);
}

/// A property of a float as 0 or 1.
template <typename T, auto Fn> static void test(const Instruction &in, Frame &frame, int64_t n) {
  const T *a = frame.lanes<T>(in.operands[0]);
  int64_t *r = frame.lanes<int64_t>(in.result);
  for (int64_t i = 0; i < n; ++i)
    r[i] = Fn(a[i]);
}

/// Bits of one type as another of the same width, through memory.
static void bitcast(const Instruction &in, Frame &frame, int64_t n) {
  alignas(8) uint8_t memory[kLanes * 8];
  storeLanes(in.source, frame, in.operands[0], memory, 1, n);
  loadLanes(in.format, memory, 1, frame, in.result, n);
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

namespace {
using Lane = Format::Lane;

template <auto Fn> Run floatUnary(const Format &f) {
  return f.lane == Lane::Double ? Run(unary<double, Fn>) : Run(unary<float, Fn>);
}
template <auto Fn> Run floatBinary(const Format &f) {
  return f.lane == Lane::Double ? Run(binary<double, Fn>) : Run(binary<float, Fn>);
}
template <auto Fn> Run intBinary() { return binary<int64_t, Fn>; }

template <typename To> Run fromFloat(const Format &source) {
  return source.lane == Lane::Double ? Run(convert<To, double, false>)
                                     : Run(convert<To, float, false>);
}
template <bool kUnsigned> Run fromInt(const Format &result) {
  return result.lane == Lane::Double ? Run(convert<double, int64_t, kUnsigned>)
                                     : Run(convert<float, int64_t, kUnsigned>);
}
template <auto Fn> Run classify(const Format &source) {
  return source.lane == Lane::Double ? Run(test<double, Fn>) : Run(test<float, Fn>);
}
template <bool kUnsigned> Run toInt(const Format &source) {
  return source.lane == Lane::Double ? Run(floatToInt<double, kUnsigned>)
                                     : Run(floatToInt<float, kUnsigned>);
}
} // namespace

#define MTC_UNARY(Op, expr)                                                                        \
  .Case<Op>([&](auto) { return floatUnary<[](auto a) { return expr; }>(f); })
#define MTC_BINARY(Op, expr)                                                                       \
  .Case<Op>([&](auto) { return floatBinary<[](auto a, auto b) { return expr; }>(f); })
#define MTC_INT(Op, expr)                                                                          \
  .Case<Op>([&](auto) { return intBinary<[](int64_t a, int64_t b) -> int64_t { return expr; }>(); })
#define MTC_WIDTH(Op, expr)                                                                        \
  .Case<Op>([&](auto) {                                                                            \
    return Run(widthBinary<[](int64_t a, int64_t b, int bits) -> int64_t {                         \
      (void)bits;                                                                                  \
      return expr;                                                                                 \
    }>);                                                                                           \
  })

static Run selectFloat(Operation *op, const Format &f) {
  using namespace arith;
  using namespace math;
  return llvm::TypeSwitch<Operation *, Run>(op)
      // clang-format off
      MTC_BINARY(AddFOp, a + b) MTC_BINARY(SubFOp, a - b) MTC_BINARY(MulFOp, a * b)
      MTC_BINARY(DivFOp, a / b) MTC_BINARY(RemFOp, std::fmod(a, b)) MTC_UNARY(NegFOp, -a)
      MTC_BINARY(MaximumFOp, a != a ? a : b != b ? b : a > b ? a : b)
      MTC_BINARY(MinimumFOp, a != a ? a : b != b ? b : a < b ? a : b)
      MTC_BINARY(MaxNumFOp, std::fmax(a, b)) MTC_BINARY(MinNumFOp, std::fmin(a, b))
      MTC_UNARY(AbsFOp, std::fabs(a)) MTC_UNARY(ExpOp, std::exp(a)) MTC_UNARY(Exp2Op, std::exp2(a))
      MTC_UNARY(ExpM1Op, std::expm1(a)) MTC_UNARY(LogOp, std::log(a)) MTC_UNARY(Log2Op, std::log2(a))
      MTC_UNARY(Log10Op, std::log10(a)) MTC_UNARY(Log1pOp, std::log1p(a))
      MTC_UNARY(SqrtOp, std::sqrt(a)) MTC_UNARY(RsqrtOp, 1 / std::sqrt(a)) MTC_UNARY(CbrtOp, std::cbrt(a))
      MTC_UNARY(SinOp, std::sin(a)) MTC_UNARY(CosOp, std::cos(a)) MTC_UNARY(TanOp, std::tan(a))
      MTC_UNARY(AsinOp, std::asin(a)) MTC_UNARY(AcosOp, std::acos(a)) MTC_UNARY(AtanOp, std::atan(a))
      MTC_UNARY(SinhOp, std::sinh(a)) MTC_UNARY(CoshOp, std::cosh(a)) MTC_UNARY(TanhOp, std::tanh(a))
      MTC_UNARY(AsinhOp, std::asinh(a)) MTC_UNARY(AcoshOp, std::acosh(a)) MTC_UNARY(AtanhOp, std::atanh(a))
      MTC_UNARY(ErfOp, std::erf(a)) MTC_UNARY(ErfcOp, std::erfc(a))
      MTC_UNARY(math::FloorOp, std::floor(a)) MTC_UNARY(math::CeilOp, std::ceil(a))
      MTC_UNARY(math::RoundOp, std::round(a)) MTC_UNARY(math::RoundEvenOp, std::nearbyint(a))
      MTC_UNARY(math::TruncOp, std::trunc(a))
      MTC_BINARY(PowFOp, std::pow(a, b)) MTC_BINARY(Atan2Op, std::atan2(a, b))
      MTC_BINARY(CopySignOp, std::copysign(a, b))
                                                      // clang-format on
                                                      .Case<FmaOp>([&](auto) {
                                                        return f.lane == Lane::Double
                                                                   ? Run(fusedMultiplyAdd<double>)
                                                                   : Run(fusedMultiplyAdd<float>);
                                                      })
                                                      .Default([](Operation *) { return Run(); });
}

static Run selectInt(Operation *op) {
  using namespace arith;
  return llvm::TypeSwitch<Operation *, Run>(op)
      // clang-format off
      MTC_INT(AddIOp, static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)))
      MTC_INT(SubIOp, static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b)))
      MTC_INT(MulIOp, static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b)))
      MTC_INT(AndIOp, a & b) MTC_INT(OrIOp, a | b) MTC_INT(XOrIOp, a ^ b)
      MTC_INT(MaxSIOp, a > b ? a : b) MTC_INT(MinSIOp, a < b ? a : b)
      MTC_WIDTH(MaxUIOp, unsignedOf(a, bits) > unsignedOf(b, bits) ? a : b)
      MTC_WIDTH(MinUIOp, unsignedOf(a, bits) < unsignedOf(b, bits) ? a : b)
      MTC_INT(DivSIOp, b == 0 ? 0 : b == -1 ? static_cast<int64_t>(0 - static_cast<uint64_t>(a)) : a / b)
      MTC_INT(RemSIOp, b == 0 || b == -1 ? 0 : a % b)
      MTC_INT(FloorDivSIOp, b == 0 ? 0 : b == -1 ? static_cast<int64_t>(0 - static_cast<uint64_t>(a))
                                       : a / b - (a % b != 0 && (a < 0) != (b < 0)))
      MTC_INT(CeilDivSIOp, b == 0 ? 0 : b == -1 ? static_cast<int64_t>(0 - static_cast<uint64_t>(a))
                                      : a / b + (a % b != 0 && (a < 0) == (b < 0)))
      MTC_WIDTH(DivUIOp, b == 0 ? 0 : static_cast<int64_t>(unsignedOf(a, bits) / unsignedOf(b, bits)))
      MTC_WIDTH(RemUIOp, b == 0 ? 0 : static_cast<int64_t>(unsignedOf(a, bits) % unsignedOf(b, bits)))
      MTC_WIDTH(ShLIOp, unsignedOf(b, bits) >= static_cast<uint64_t>(bits) ? 0
                            : static_cast<int64_t>(static_cast<uint64_t>(a) << b))
      MTC_WIDTH(ShRUIOp, unsignedOf(b, bits) >= static_cast<uint64_t>(bits) ? 0
                             : static_cast<int64_t>(unsignedOf(a, bits) >> b))
      MTC_WIDTH(ShRSIOp, unsignedOf(b, bits) >= static_cast<uint64_t>(bits) ? 0 : a >> b)
                                                      // clang-format on
                                                      .Case<CmpIOp>(
                                                          [](auto) { return Run(compareInts); })
                                                      .Case<ExtSIOp, TruncIOp,
                                                            IndexCastOp>([](Operation *op) {
                                                        // An i1 is 0 or 1 in a register and -1 when
                                                        // it is sign-extended.
                                                        bool fromBit =
                                                            isa<ExtSIOp, IndexCastOp>(op) &&
                                                            op->getOperand(0).getType().isInteger(
                                                                1);
                                                        return fromBit
                                                                   ? Run(unary<int64_t,
                                                                               [](int64_t a) {
                                                                                 return -a;
                                                                               }>)
                                                                   : Run(convert<int64_t, int64_t,
                                                                                 false>);
                                                      })
                                                      .Case<ExtUIOp, IndexCastUIOp>([](auto) {
                                                        return Run(convert<int64_t, int64_t, true>);
                                                      })
                                                      .Case<math::AbsIOp>([](auto) {
                                                        return Run(unary<int64_t, [](int64_t a) {
                                                          return a < 0
                                                                     ? static_cast<int64_t>(
                                                                           0 -
                                                                           static_cast<uint64_t>(a))
                                                                     : a;
                                                        }>);
                                                      })
                                                      .Default([](Operation *) { return Run(); });
}

static Run selectMixed(Operation *op, const Format &f, const Format &source) {
  using namespace arith;
  auto floats = [](const Format &format, Run asFloat, Run asDouble) {
    return format.lane == Lane::Double ? asDouble : asFloat;
  };
  return llvm::TypeSwitch<Operation *, Run>(op)
      .Case<ExtFOp, TruncFOp>([&](auto) {
        return f.lane == Lane::Double ? fromFloat<double>(source) : fromFloat<float>(source);
      })
      .Case<SIToFPOp>([&](auto) { return fromInt<false>(f); })
      .Case<UIToFPOp>([&](auto) { return fromInt<true>(f); })
      .Case<FPToSIOp>([&](auto) { return toInt<false>(source); })
      .Case<FPToUIOp>([&](auto) { return toInt<true>(source); })
      .Case<BitcastOp>([](auto) { return Run(bitcast); })
      .Case<CmpFOp>(
          [&](auto) { return floats(source, compareFloats<float>, compareFloats<double>); })
      .Case<SelectOp>([&](auto) {
        return f.lane == Lane::Int ? Run(mtc::mt::select<int64_t>)
                                   : floats(f, mtc::mt::select<float>, mtc::mt::select<double>);
      })
      .Case<math::IsNaNOp>([&](auto) { return classify<[](auto a) { return a != a; }>(source); })
      .Case<math::IsInfOp>(
          [&](auto) { return classify<[](auto a) { return std::isinf(a); }>(source); })
      .Case<math::IsFiniteOp>(
          [&](auto) { return classify<[](auto a) { return std::isfinite(a); }>(source); })
      .Default([](Operation *) { return Run(); });
}

StatusOr<Instruction> selectInstruction(Operation *op) {
  Instruction instruction;
  auto unknown = [&]() {
    return unsupported("cannot evaluate '" + op->getName().getStringRef().str() + "'");
  };
  if (op->getNumResults() != 1 || op->getNumOperands() < 1)
    return unknown();
  MTC_ASSIGN_OR_RETURN(instruction.format, Format::of(op->getResult(0).getType()));
  MTC_ASSIGN_OR_RETURN(instruction.source, Format::of(op->getOperand(0).getType()));
  instruction.run = selectMixed(op, instruction.format, instruction.source);
  if (!instruction.run && instruction.source.lane == Lane::Int &&
      instruction.format.lane == Lane::Int)
    instruction.run = selectInt(op);
  if (!instruction.run && instruction.source.lane != Lane::Int &&
      instruction.format.lane != Lane::Int)
    instruction.run = selectFloat(op, instruction.format);
  if (!instruction.run)
    return unknown();
  if (auto compare = dyn_cast<arith::CmpFOp>(op))
    instruction.immediate = outcomesOf(compare.getPredicate());
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    instruction.immediate = static_cast<int64_t>(compare.getPredicate());
  return instruction;
}

} // namespace mtc::mt
