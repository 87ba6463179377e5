//===- Builders.h - how operator handlers write linalg on tensors ---------===//
//
// Every ONNX operator is one of a few shapes of IR: an all-parallel generic (elementwise,
// broadcast, gather), a reduction generic with one combiner, a contraction, or a move. These
// functions build those shapes in the form that the passes of the model phase expect: broadcasting
// by indexing maps that are projected permutations, scalars known when compiling as arith.constant
// inside the body, integer division, shifts, casts and indices guarded, f16 and bf16 computed in
// f32.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "NodeContext.h"
#include "mlir/IR/AffineMap.h"
#include "mtc/Support/SmallFloat.h"

namespace mtc::onnx_import {

using Builder = mlir::ImplicitLocOpBuilder;
using Shape = llvm::SmallVector<int64_t>;

/// What ONNX Cast leaves open for floats of 8 bits and fewer: whether what is too large becomes the
/// largest finite number (else infinity, or NaN where there is none), and how e8m0 rounds.
struct CastRules {
  enum class Rounding : uint8_t { Up, Down, Nearest };
  bool saturate = true;
  Rounding powerOfTwo = Rounding::Up;
};

/// Builds the arithmetic of a body: picks the float or integer op by the operands' type.
/// Integers are signed unless `isUnsigned`. Conditions are i1; bool elements (i8 holding 0 or 1)
/// become conditions by `isTrue`.
class Scalars {
public:
  Scalars(Builder b, bool isUnsigned) : b(std::move(b)), isUnsigned(isUnsigned) {}
  Builder b;
  bool isUnsigned;

  mlir::Value constant(mlir::Type type, double v); ///< exact for integers below 2^53
  mlir::Value integer(mlir::Type type, int64_t v);
  mlir::Value like(mlir::Value x, double v) { return constant(x.getType(), v); }

  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value div(mlir::Value x, mlir::Value y); ///< integers: x / 0 = 0, min / -1 = min
  mlir::Value rem(mlir::Value x, mlir::Value y); ///< sign of x; integers: x % 0 = 0
  mlir::Value max(mlir::Value x, mlir::Value y); ///< a NaN of either side is the result
  mlir::Value min(mlir::Value x, mlir::Value y);
  mlir::Value neg(mlir::Value x);
  mlir::Value abs(mlir::Value x);
  mlir::Value exp(mlir::Value x);
  mlir::Value log(mlir::Value x);
  mlir::Value sqrt(mlir::Value x);
  mlir::Value tanh(mlir::Value x);
  mlir::Value sigmoid(mlir::Value x);  ///< 1 / (1 + exp(-x)), by exp(-|x|)
  mlir::Value softplus(mlir::Value x); ///< max(x, 0) + log1p(exp(-|x|)): no overflow

  mlir::Value equal(mlir::Value x, mlir::Value y); ///< false for a NaN, as all comparisons
  mlir::Value less(mlir::Value x, mlir::Value y);
  mlir::Value lessOrEqual(mlir::Value x, mlir::Value y);
  mlir::Value isNaN(mlir::Value x);
  mlir::Value isTrue(mlir::Value x); ///< x != 0, also for a NaN
  mlir::Value both(mlir::Value p, mlir::Value q);
  mlir::Value either(mlir::Value p, mlir::Value q);
  mlir::Value negate(mlir::Value p);
  mlir::Value select(mlir::Value p, mlir::Value x, mlir::Value y);

  mlir::Value index(int64_t dim);                     ///< the iteration's position, of type index
  mlir::Value position(int64_t dim, mlir::Type type); ///< the same, as a number of `type`
  mlir::Value toInteger(mlir::Value index, mlir::Type type); ///< index to an integer type
  /// An index of a data-dependent value: negative counts from the end, then clamped to [0, size).
  mlir::Value clampIndex(mlir::Value i, int64_t size);
  mlir::Value extract(mlir::Value tensor, mlir::ValueRange indices);
  /// ONNX Cast between element types: floats to integers truncate and saturate, NaN gives 0; to
  /// bool is != 0; integers and floats to integers of 4 and 2 bits keep the low bits. All others
  /// round once, half to even; what is to be f16 or bf16 comes as an f32 that rounds to it.
  mlir::Value cast(mlir::Value x, int32_t from, int32_t to, CastRules rules = {});
  /// The f32 that the code of a small float (an i8) stands for; exact. (SmallFloats.cpp)
  mlir::Value decodeSmallFloat(mlir::Value code, const SmallFloat &format);
  /// The code (an i8) of an f32 or f64, rounded once.
  mlir::Value encodeSmallFloat(mlir::Value x, const SmallFloat &format, CastRules rules);
  /// An f64 as an f32 that is odd where it is inexact, so that rounding it once more, to at most 22
  /// bits, gives what rounding the f64 would have. Source: Boldo and Melquiond, "Emulation of FMA
  /// and correctly rounded sums", IEEE TC 2008.
  mlir::Value roundToOdd(mlir::Value x);
};

/// An operand of an elementwise computation: a tensor, or a number that is known when compiling.
struct Operand {
  mlir::Value tensor;
  mlir::TypedAttr scalar;
  Operand(mlir::Value tensor) : tensor(tensor) {}
  Operand(mlir::TypedAttr scalar) : scalar(scalar) {}
};

/// Input `i`: as a number if it has one element and is known when compiling.
Operand operand(const NodeContext &c, unsigned i);
llvm::SmallVector<Operand> allOperands(const NodeContext &c);

bool isUnsignedType(int32_t onnxType);
/// The format of an ONNX type that is a float of 8 bits or fewer, carried as i8; else null.
const SmallFloat *smallFloat(int32_t onnxType);
/// 4 or 2 for ONNX's integers of so many bits, carried one an i8; else 0.
unsigned subByteIntegerBits(int32_t onnxType);
bool isFloat(mlir::Type type);
/// f32 for f16 and bf16, else the type itself.
mlir::Type computeType(mlir::Type type);
mlir::TypedAttr numberAttr(mlir::Type type, double v);
mlir::TypedAttr integerAttr(mlir::Type type, int64_t v);
mlir::RankedTensorType tensorType(llvm::ArrayRef<int64_t> shape, mlir::Type element);
int64_t elementCount(llvm::ArrayRef<int64_t> shape);
/// A possibly negative axis of a tensor of `rank` as 0 <= axis < rank.
int64_t normalizeAxis(int64_t axis, int64_t rank);
/// The same for axes that the importer has not checked (those of inputs). Rejects the node if one
/// is out of range or occurs twice.
mlir::LogicalResult normalizeAxes(NodeContext &c, llvm::MutableArrayRef<int64_t> axes,
                                  int64_t rank);

/// Computes an element of the result from the operands' elements. f16 and bf16 arrive as f32; an
/// f32 or i1 result is converted to the result's element type.
using ScalarBody = llvm::function_ref<mlir::Value(Scalars &, mlir::ValueRange)>;

/// An all-parallel generic over the result's dims; operands broadcast as NumPy does (aligned at the
/// last dim; size-1 dims that broadcast are collapsed away). A body may read captured tensors.
mlir::Value mapElements(Builder &b, mlir::RankedTensorType result, llvm::ArrayRef<Operand> operands,
                        ScalarBody body, bool isUnsigned = false);
/// The same with an explicit map from the result's dims for each operand (null for a scalar).
mlir::Value mapElements(Builder &b, mlir::RankedTensorType result, llvm::ArrayRef<Operand> operands,
                        llvm::ArrayRef<mlir::AffineMap> maps, ScalarBody body,
                        bool isUnsigned = false);

/// A tensor without the dims that broadcast to `result`, and its map from the result's dims. What
/// does not broadcast gets a map that does not verify.
std::pair<mlir::Value, mlir::AffineMap> broadcastOperand(Builder &b, mlir::Value v,
                                                         llvm::ArrayRef<int64_t> result);

enum class Combiner { Add, Mul, Max, Min };

/// A reduction `combine(acc, f(elements))` over the loops of `loopSizes` that do not appear in
/// `resultDims` (ascending order not needed). Maps give each input's place in the loops. The result
/// has the dims `resultDims`; its element type is what f returns (f32 for f16).
mlir::Value reduceLoops(Builder &b, llvm::ArrayRef<int64_t> loopSizes,
                        llvm::ArrayRef<int64_t> resultDims, mlir::Type accumulator,
                        llvm::ArrayRef<mlir::Value> inputs, llvm::ArrayRef<mlir::AffineMap> maps,
                        Combiner combiner, bool isUnsigned, ScalarBody f);
/// Reduces `axes` of `in`, dropping them. Element type: computeType of the input.
mlir::Value reduceAxes(Builder &b, mlir::Value in, llvm::ArrayRef<int64_t> axes, Combiner combiner,
                       bool isUnsigned, ScalarBody f);
mlir::Value reduceAxes(Builder &b, mlir::Value in, llvm::ArrayRef<int64_t> axes, Combiner combiner,
                       bool isUnsigned = false);

/// A contraction: sum over the loops not in the result of lhs * rhs, the maps give the loops of
/// each. f16 and bf16 are converted to f32 before and the result is f32.
mlir::Value contract(Builder &b, llvm::ArrayRef<int64_t> loopSizes,
                     llvm::ArrayRef<int64_t> resultDims, mlir::Value lhs, mlir::AffineMap lhsMap,
                     mlir::Value rhs, mlir::AffineMap rhsMap);

mlir::Value fill(Builder &b, mlir::RankedTensorType type, mlir::TypedAttr value);
/// Converts element types between floats or keeps the value.
mlir::Value convertFloat(Builder &b, mlir::Value v, mlir::Type element);
/// A reshape to a static shape of as many elements: collapse or expand, else both by way of 1-D.
mlir::Value reshape(Builder &b, mlir::Value v, llvm::ArrayRef<int64_t> shape);
/// A permutation of dims; a reshape if only size-1 dims move.
mlir::Value transpose(Builder &b, mlir::Value v, llvm::ArrayRef<int64_t> permutation);
mlir::Value pad(Builder &b, mlir::Value v, llvm::ArrayRef<int64_t> low,
                llvm::ArrayRef<int64_t> high, mlir::TypedAttr value);
/// The elements of `bits` each that lie one after the other in the bytes of `packed` (the first in
/// the lowest bits), one an i8; integers with a sign are extended.
mlir::Value unpackBits(Builder &b, mlir::Value packed, mlir::RankedTensorType result, unsigned bits,
                       bool isSigned);
/// Static offsets, sizes and positive strides.
mlir::Value extractSlice(Builder &b, mlir::Value v, llvm::ArrayRef<int64_t> offsets,
                         llvm::ArrayRef<int64_t> sizes, llvm::ArrayRef<int64_t> strides);
mlir::Value insertSlice(Builder &b, mlir::Value v, mlir::Value into,
                        llvm::ArrayRef<int64_t> offsets, llvm::ArrayRef<int64_t> strides);
mlir::Value concat(Builder &b, llvm::ArrayRef<mlir::Value> parts, int64_t axis);
/// The elements i * step + start of `axis`, for i in [0, count); a negative step reads backwards.
mlir::Value takeRange(Builder &b, mlir::Value v, int64_t axis, int64_t start, int64_t step,
                      int64_t count);
/// The most 8-byte numbers that a constant of the program may hold (mt.weight C3).
inline constexpr int64_t maxConstantNumbers = 8192;
/// The most positions of an axis that an importer looks at one by one: 2^22 take about 0.1 s.
inline constexpr int64_t maxPositions = int64_t(1) << 22;

/// The elements of `axis` at position(i) for i in [0, count); positions may repeat. Null, and the
/// node rejected, if they are no range and a table of them is larger than a constant may be.
mlir::Value takeAt(NodeContext &c, mlir::Value v, int64_t axis, int64_t count,
                   llvm::function_ref<int64_t(int64_t)> position);
mlir::Value takeAt(NodeContext &c, mlir::Value v, int64_t axis, llvm::ArrayRef<int64_t> table);

/// Projected permutation of `loops` dims that selects `dims`.
mlir::AffineMap selectDims(Builder &b, unsigned loops, llvm::ArrayRef<int64_t> dims);
mlir::DenseElementsAttr integersAttr(Builder &b, llvm::ArrayRef<int64_t> values);
mlir::DenseElementsAttr floatsAttr(Builder &b, llvm::ArrayRef<int64_t> shape, mlir::Type element,
                                   llvm::ArrayRef<double> values);

} // namespace mtc::onnx_import
