//===- EinsumOps.cpp - Einsum ---------------------------------------------===//
//
// Labels are loops. A label that occurs twice in an operand reads its diagonal; two operands are
// one contraction, more are contracted from the left, where labels that neither the result nor a
// later operand has are summed over at once.
//
//===----------------------------------------------------------------------===//
#include "Builders.h"
#include "Contractions.h"

#include <map>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

/// An equation without its spaces, split into the labels of each input and of the output; '.'
/// stands for one dim of an ellipsis and is replaced by digits '0'... (labels are letters).
struct Equation {
  SmallVector<std::string> inputs;
  std::string output;
};

bool parseEquation(NodeContext &c, Equation &equation) {
  std::string text;
  for (char ch : c.stringAttr("equation", ""))
    if (ch != ' ')
      text.push_back(ch);
  auto [left, right] = StringRef(text).split("->");
  bool isExplicit = text.find("->") != std::string::npos;
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  if (terms.size() != c.inputs.size())
    return false;
  size_t ellipsisRank = 0;
  for (auto [i, term] : llvm::enumerate(terms))
    if (size_t at = term.find("..."); at != StringRef::npos)
      ellipsisRank = std::max<size_t>(ellipsisRank, c.type(i).getRank() - (term.size() - 3));
  std::string ellipsis;
  for (size_t d = 0; d < ellipsisRank; ++d)
    ellipsis.push_back('0' + d);
  auto expand = [&](StringRef term, size_t rank) {
    size_t at = term.find("...");
    if (at == StringRef::npos)
      return term.str();
    size_t own = rank - (term.size() - 3);
    return (term.take_front(at) + StringRef(ellipsis).take_back(own) + term.drop_front(at + 3))
        .str();
  };
  for (auto [i, term] : llvm::enumerate(terms)) {
    equation.inputs.push_back(expand(term, c.type(i).getRank()));
    if (int64_t(equation.inputs.back().size()) != c.type(i).getRank())
      return false;
  }
  if (isExplicit) {
    size_t rank =
        right.find("...") == StringRef::npos ? right.size() : right.size() - 3 + ellipsisRank;
    equation.output = expand(right, rank);
    return true;
  }
  // Implicit: the ellipsis, then labels that occur once, in alphabetical order.
  std::map<char, int> uses;
  for (const std::string &term : equation.inputs)
    for (char ch : term)
      ++uses[ch];
  for (auto [label, count] : uses)
    if (count == 1 || ellipsis.find(label) != std::string::npos)
      equation.output.push_back(label);
  return true;
}

/// A tensor whose dims have labels, all different.
struct Labelled {
  Value value;
  std::string labels;
};

/// An operand with the diagonal of labels that occur more than once, and without dims of size 1
/// that broadcast.
Labelled withoutRepeats(Builder &b, Value v, StringRef term, const std::map<char, int64_t> &sizes) {
  auto type = cast<RankedTensorType>(v.getType());
  Labelled t;
  Shape shape;
  for (auto [d, ch] : llvm::enumerate(term))
    if (type.getDimSize(d) == sizes.at(ch) && t.labels.find(ch) == std::string::npos) {
      t.labels.push_back(ch);
      shape.push_back(type.getDimSize(d));
    }
  if (elementCount(shape) == type.getNumElements()) {
    t.value = reshape(b, v, shape);
    return t;
  }
  t.value =
      mapElements(b, tensorType(shape, type.getElementType()), {}, [&](Scalars &s, ValueRange) {
        SmallVector<Value> at;
        for (auto [d, ch] : llvm::enumerate(term))
          at.push_back(type.getDimSize(d) == 1 ? s.integer(s.b.getIndexType(), 0)
                                               : s.index(t.labels.find(ch)));
        Value element = s.extract(v, at);
        if (isFloat(element.getType())) // f16 as f32
          element = s.cast(element, onnx::TensorProto::FLOAT,
                           element.getType().isF64() ? onnx::TensorProto::DOUBLE
                                                     : onnx::TensorProto::FLOAT);
        return element;
      });
  return t;
}

/// The loops of one step: the labels that stay, in order, then those that are summed over.
struct Loops {
  std::string labels;
  Shape sizes, result;
  AffineMap map(Builder &b, const Labelled &t) const {
    Shape dims;
    for (char ch : t.labels)
      dims.push_back(labels.find(ch));
    return selectDims(b, labels.size(), dims);
  }
};

Loops loopsOf(const std::string &result, ArrayRef<Labelled> operands,
              const std::map<char, int64_t> &sizes) {
  Loops loops;
  loops.labels = result;
  for (const Labelled &t : operands)
    for (char ch : t.labels)
      if (loops.labels.find(ch) == std::string::npos)
        loops.labels.push_back(ch);
  for (char ch : loops.labels)
    loops.sizes.push_back(sizes.at(ch));
  for (size_t d = 0; d < result.size(); ++d)
    loops.result.push_back(d);
  return loops;
}

} // namespace

Results einsum(NodeContext &c) {
  Builder &b = c.b;
  Equation equation;
  if (!parseEquation(c, equation))
    return c.reject("the equation does not fit the operands");
  std::map<char, int64_t> sizes;
  for (auto [i, term] : llvm::enumerate(equation.inputs))
    for (auto [d, ch] : llvm::enumerate(term)) {
      int64_t &size = sizes.try_emplace(ch, 1).first->second, own = c.type(i).getDimSize(d);
      if (own != 1 && size != 1 && own != size)
        return c.reject(Twine("label '") + Twine(ch) + "' has sizes " + Twine(size) + " and " +
                        Twine(own));
      size = own == 1 ? size : own;
    }
  for (char ch : equation.output)
    if (!sizes.count(ch))
      return c.reject(Twine("label '") + Twine(ch) + "' of the result is in no operand");
  SmallVector<Labelled> operands;
  for (auto [i, term] : llvm::enumerate(equation.inputs))
    operands.push_back(withoutRepeats(b, c.inputs[i], term, sizes));
  Type element = c.resultTypes[0].getElementType();
  // What a step keeps: what the result or a later operand has.
  auto keptAfter = [&](size_t step) {
    if (step + 1 == operands.size())
      return equation.output;
    std::string kept;
    for (auto [label, size] : sizes) {
      auto has = [label = label](const std::string &text) {
        return text.find(label) != std::string::npos;
      };
      bool isUsed = has(operands[0].labels) || has(operands[step].labels);
      bool isNeeded = has(equation.output);
      for (size_t later = step + 1; later < operands.size(); ++later)
        isNeeded |= has(operands[later].labels);
      if (isUsed && isNeeded)
        kept.push_back(label);
    }
    return kept;
  };
  if (operands.size() == 1) {
    Loops loops = loopsOf(equation.output, operands, sizes);
    operands[0].value = reduceLoops(b, loops.sizes, loops.result, computeType(element),
                                    {operands[0].value}, {loops.map(b, operands[0])}, Combiner::Add,
                                    false, [](Scalars &, ValueRange v) { return v[0]; });
  }
  for (size_t i = 1; i < operands.size(); ++i) {
    std::string kept = keptAfter(i);
    Loops loops = loopsOf(kept, {operands[0], operands[i]}, sizes);
    operands[0] = {contract(b, loops.sizes, loops.result, operands[0].value,
                            loops.map(b, operands[0]), operands[i].value,
                            loops.map(b, operands[i])),
                   kept};
    if (i + 1 < operands.size()) // the type of the next operand
      operands[0].value = convertFloat(b, operands[0].value, element);
  }
  return SmallVector<Value>{convertFloat(b, operands[0].value, element)};
}

} // namespace mtc::onnx_import
