//===- MlTreeOps.cpp - TreeEnsemble, TreeEnsembleClassifier, ...Regressor -===//
//
// All trees of all rows go down one level at a time: a generic over (row, tree) reads the node's
// feature, threshold and children from tables and steps on; a leaf is its own child, so that trees
// of different depths stay together. Then a reduction over trees sums what the leaves say. Children
// are checked when compiling: request data choose between two known nodes only.
//
//===----------------------------------------------------------------------===//
#include "MlOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include "llvm/ADT/StringSwitch.h"

#include <cmath>
#include <limits>
#include <map>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

enum class Test { LessEqual, Less, GreaterEqual, Greater, Equal, NotEqual, Leaf };

struct Forest {
  SmallVector<int64_t> features, ifTrue, ifFalse, tests, missingTrue; ///< by node
  SmallVector<double> thresholds;
  SmallVector<int64_t> roots;
  int64_t depth = 0, targets = 1;
  struct Weight {
    int64_t node, target;
    double value;
  };
  SmallVector<Weight> weights;
  std::string aggregate = "SUM";

  int64_t addNode(Test test, int64_t feature, double threshold, bool missing) {
    int64_t self = int64_t(features.size());
    features.push_back(feature);
    thresholds.push_back(threshold);
    tests.push_back(int64_t(test));
    missingTrue.push_back(missing);
    ifTrue.push_back(self);
    ifFalse.push_back(self);
    return self;
  }
  int64_t size() const { return int64_t(features.size()); }
};

constexpr int64_t maxDepth = 512, maxNodes = int64_t(1) << 22;

/// Finds the depth; rejects what is no forest.
LogicalResult checkForest(NodeContext &c, Forest &f, int64_t features) {
  SmallVector<int64_t> level(f.roots);
  if (f.roots.empty() || f.size() > maxNodes)
    return c.reject("no trees, or more than 2^22 nodes");
  for (int64_t i = 0; i < f.size(); ++i)
    if (f.ifTrue[i] < 0 || f.ifTrue[i] >= f.size() || f.ifFalse[i] < 0 ||
        f.ifFalse[i] >= f.size() || f.features[i] < 0 || f.features[i] >= features)
      return c.reject("node " + Twine(i) + " names a node or feature that is not there");
  for (const Forest::Weight &w : f.weights)
    if (w.target < 0 || w.target >= f.targets)
      return c.reject("a weight of target " + Twine(w.target) + " of " + Twine(f.targets));
  // A node may be shared; a cycle shows as a path longer than all nodes or the cap.
  for (f.depth = 0; !level.empty(); ++f.depth) {
    if (f.depth > maxDepth)
      return c.reject("trees deeper than " + Twine(maxDepth) + ", or a cycle");
    SmallVector<int64_t> next;
    for (int64_t i : level) {
      if (f.tests[i] == int64_t(Test::Leaf))
        continue;
      next.push_back(f.ifTrue[i]);
      if (f.ifFalse[i] != f.ifTrue[i])
        next.push_back(f.ifFalse[i]);
    }
    llvm::sort(next);
    next.erase(llvm::unique(next), next.end());
    level = std::move(next);
  }
  --f.depth; // the leaves take no step
  return success();
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

std::optional<Test> testNamed(StringRef name) {
  return llvm::StringSwitch<std::optional<Test>>(name)
      .Case("BRANCH_LEQ", Test::LessEqual)
      .Case("BRANCH_LT", Test::Less)
      .Case("BRANCH_GTE", Test::GreaterEqual)
      .Case("BRANCH_GT", Test::Greater)
      .Case("BRANCH_EQ", Test::Equal)
      .Case("BRANCH_NEQ", Test::NotEqual)
      .Case("LEAF", Test::Leaf)
      .Default(std::nullopt);
}

/// nodes_* of the classifier and the regressor, whose weights begin with `prefix`.
FailureOr<Forest> readForest(NodeContext &c, StringRef prefix, StringRef ids) {
  Forest f;
  SmallVector<int64_t> trees = c.intsAttr("nodes_treeids"), nodes = c.intsAttr("nodes_nodeids");
  SmallVector<int64_t> features = c.intsAttr("nodes_featureids");
  SmallVector<int64_t> trueIds = c.intsAttr("nodes_truenodeids");
  SmallVector<int64_t> falseIds = c.intsAttr("nodes_falsenodeids");
  SmallVector<int64_t> missing = c.intsAttr("nodes_missing_value_tracks_true");
  SmallVector<double> values = numbersOf(c, "nodes_values");
  if (values.empty())
    values = numbersOf(c, "nodes_values_as_tensor");
  const onnx::AttributeProto *modes = c.attribute("nodes_modes");
  size_t count = nodes.size();
  if (!modes || trees.size() != count || features.size() != count || trueIds.size() != count ||
      falseIds.size() != count || values.size() != count ||
      size_t(modes->strings_size()) != count || (!missing.empty() && missing.size() != count))
    return c.reject("its lists of nodes differ in length");
  std::map<std::pair<int64_t, int64_t>, int64_t> place;
  for (size_t i = 0; i < count; ++i) {
    std::optional<Test> test = testNamed(modes->strings(int(i)));
    if (!test)
      return c.reject("nodes_modes has " + modes->strings(int(i)));
    bool isLeaf = *test == Test::Leaf;
    f.addNode(*test, isLeaf ? 0 : features[i], values[i], !missing.empty() && missing[i]);
    if (!place.try_emplace({trees[i], nodes[i]}, int64_t(i)).second)
      return c.reject("node " + Twine(nodes[i]) + " of tree " + Twine(trees[i]) + " occurs twice");
  }
  SmallVector<bool> isChild(count, false);
  for (size_t i = 0; i < count; ++i) {
    if (f.tests[i] == int64_t(Test::Leaf))
      continue;
    auto onTrue = place.find({trees[i], trueIds[i]}), onFalse = place.find({trees[i], falseIds[i]});
    if (onTrue == place.end() || onFalse == place.end())
      return c.reject("node " + Twine(nodes[i]) + " of tree " + Twine(trees[i]) +
                      " names a node that is not there");
    f.ifTrue[i] = onTrue->second;
    f.ifFalse[i] = onFalse->second;
    isChild[onTrue->second] = isChild[onFalse->second] = true;
  }
  // The first node of a tree that nobody points to is its root.
  std::map<int64_t, bool> hasRoot;
  for (size_t i = 0; i < count; ++i)
    if (!isChild[i] && !std::exchange(hasRoot[trees[i]], true))
      f.roots.push_back(int64_t(i));

  std::string begin = prefix.str() + "_";
  SmallVector<int64_t> ofTree = c.intsAttr(begin + "treeids"),
                       ofNode = c.intsAttr(begin + "nodeids");
  SmallVector<int64_t> ofTarget = c.intsAttr(begin + ids.str());
  SmallVector<double> weights = numbersOf(c, begin + "weights");
  if (weights.empty())
    weights = numbersOf(c, begin + "weights_as_tensor");
  if (ofTree.size() != weights.size() || ofNode.size() != weights.size() ||
      ofTarget.size() != weights.size())
    return c.reject("its lists of weights differ in length");
  for (size_t i = 0; i < weights.size(); ++i) {
    auto it = place.find({ofTree[i], ofNode[i]});
    if (it == place.end())
      return c.reject("a weight names a node that is not there");
    f.weights.push_back({it->second, ofTarget[i], weights[i]});
  }
  return f;
}

/// Attributes of TreeEnsemble, where leaves have lists of their own. A test for membership becomes
/// a chain of tests for equality.
FailureOr<Forest> readSplitForest(NodeContext &c) {
  Forest f;
  SmallVector<int64_t> features = c.intsAttr("nodes_featureids");
  SmallVector<int64_t> trueIds = c.intsAttr("nodes_truenodeids");
  SmallVector<int64_t> falseIds = c.intsAttr("nodes_falsenodeids");
  SmallVector<int64_t> trueLeafs = c.intsAttr("nodes_trueleafs");
  SmallVector<int64_t> falseLeafs = c.intsAttr("nodes_falseleafs");
  SmallVector<int64_t> missing = c.intsAttr("nodes_missing_value_tracks_true");
  SmallVector<int64_t> targets = c.intsAttr("leaf_targetids");
  SmallVector<double> splits = numbersOf(c, "nodes_splits"), modes = numbersOf(c, "nodes_modes");
  SmallVector<double> weights = numbersOf(c, "leaf_weights");
  SmallVector<double> members = numbersOf(c, "membership_values");
  size_t count = features.size();
  if (trueIds.size() != count || falseIds.size() != count || trueLeafs.size() != count ||
      falseLeafs.size() != count || splits.size() != count || modes.size() != count ||
      (!missing.empty() && missing.size() != count) || targets.size() != weights.size())
    return c.reject("its lists differ in length");
  // First nodes, in order; chains and leaves behind them.
  constexpr int64_t member = 6;
  for (size_t i = 0; i < count; ++i) {
    int64_t mode = int64_t(modes[i]);
    if (mode < 0 || mode > member)
      return c.reject("nodes_modes has " + Twine(mode));
    f.addNode(mode == member ? Test::Equal : Test(mode), features[i], splits[i],
              !missing.empty() && missing[i]);
  }
  int64_t firstLeaf = f.size();
  for (size_t i = 0; i < weights.size(); ++i)
    f.weights.push_back({f.addNode(Test::Leaf, 0, 0, false), targets[i], weights[i]});
  size_t next = 0;
  for (size_t i = 0; i < count; ++i) {
    auto child = [&](int64_t id, int64_t isLeaf) {
      int64_t limit = isLeaf ? int64_t(weights.size()) : int64_t(count);
      return id < 0 || id >= limit ? -1 : isLeaf ? firstLeaf + id : id;
    };
    int64_t onTrue = child(trueIds[i], trueLeafs[i]), onFalse = child(falseIds[i], falseLeafs[i]);
    f.ifTrue[i] = onTrue;
    f.ifFalse[i] = onFalse;
    if (int64_t(modes[i]) != member)
      continue;
    // The node's values end with a NaN.
    int64_t at = int64_t(i);
    bool isFirst = true;
    for (; next < members.size() && !std::isnan(members[next]); ++next) {
      if (!isFirst) {
        int64_t link = f.addNode(Test::Equal, features[i], 0, false);
        f.ifFalse[at] = link;
        at = link;
      }
      f.thresholds[at] = members[next];
      f.ifTrue[at] = onTrue;
      f.ifFalse[at] = onFalse;
      isFirst = false;
    }
    ++next;
    if (isFirst) // a member of nothing
      f.ifTrue[at] = onFalse;
  }
  f.roots = c.intsAttr("tree_roots");
  for (int64_t root : f.roots)
    if (root < 0 || root >= int64_t(count))
      return c.reject("a root that is not there");
  f.targets = c.intAttr("n_targets", 1);
  constexpr const char *aggregates[] = {"AVERAGE", "SUM", "MIN", "MAX"};
  int64_t aggregate = c.intAttr("aggregate_function", 1);
  if (aggregate < 0 || aggregate > 3)
    return c.reject("aggregate_function is " + Twine(aggregate));
  f.aggregate = aggregates[aggregate];
  return f;
}

//===----------------------------------------------------------------------===//
// Computing
//===----------------------------------------------------------------------===//

Value passes(Scalars &s, Test test, Value x, Value threshold) {
  switch (test) {
  case Test::LessEqual:
    return s.lessOrEqual(x, threshold);
  case Test::Less:
    return s.less(x, threshold);
  case Test::GreaterEqual:
    return s.lessOrEqual(threshold, x);
  case Test::Greater:
    return s.less(threshold, x);
  case Test::NotEqual:
    return s.negate(s.equal(x, threshold));
  default:
    return s.equal(x, threshold);
  }
}

/// The leaf of each (row, tree), as a number of a node.
Value leavesOf(NodeContext &c, const Forest &f, Value x) {
  Builder &b = c.b;
  auto type = cast<RankedTensorType>(x.getType());
  int64_t rows = type.getDimSize(0), columns = type.getDimSize(1), size = f.size();
  int64_t trees = int64_t(f.roots.size());
  Type i64 = b.getI64Type();
  Value features = longConstant(c, f.features), ifTrue = longConstant(c, f.ifTrue);
  Value ifFalse = longConstant(c, f.ifFalse);
  Value thresholds = longConstant(c, f.thresholds, type.getElementType());
  bool tracksMissing = llvm::is_contained(f.missingTrue, 1);
  Value missing = tracksMissing ? longConstant(c, f.missingTrue) : Value();
  SmallVector<int64_t> used;
  for (int64_t test : f.tests)
    if (test != int64_t(Test::Leaf) && !llvm::is_contained(used, test))
      used.push_back(test);
  Value tests = used.size() > 1 ? longConstant(c, f.tests) : Value();

  RankedTensorType state = tensorType({rows, trees}, i64);
  Value node = mapElements(b, state, {longConstant(c, f.roots)}, {selectDims(b, 2, {1})},
                           [](Scalars &, ValueRange v) { return v[0]; });
  for (int64_t level = 0; level < f.depth; ++level)
    node = mapElements(b, state, {Operand(node)}, [&](Scalars &s, ValueRange v) {
      Value at = s.clampIndex(v[0], size);
      Value feature = s.clampIndex(s.extract(features, {at}), columns);
      Value element = s.extract(x, {s.index(0), feature}), limit = s.extract(thresholds, {at});
      Value isTrue;
      for (int64_t test : used) {
        Value passed = passes(s, Test(test), element, limit);
        if (isTrue) {
          Value applies = s.equal(s.extract(tests, {at}), s.integer(i64, test));
          passed = s.select(applies, passed, isTrue);
        }
        isTrue = passed;
      }
      if (!isTrue) // nothing but leaves
        return v[0];
      if (tracksMissing)
        isTrue = s.either(isTrue, s.both(s.isNaN(element), s.isTrue(s.extract(missing, {at}))));
      return s.select(isTrue, s.extract(ifTrue, {at}), s.extract(ifFalse, {at}));
    });
  return node;
}

/// rows x targets: what the trees' leaves say, aggregated, and the base values.
FailureOr<Value> scoresOf(NodeContext &c, Forest &f, ArrayRef<double> base) {
  Builder &b = c.b;
  Value x = featureRows(c, true);
  auto type = cast<RankedTensorType>(x.getType());
  if (failed(checkForest(c, f, type.getDimSize(1))))
    return failure();
  if (f.size() > maxNodes / std::max<int64_t>(f.targets, 1) || f.targets < 1)
    return c.reject("nodes times targets exceed 2^22");
  bool isMin = f.aggregate == "MIN", isMax = f.aggregate == "MAX";
  if (!isMin && !isMax && f.aggregate != "SUM" && f.aggregate != "AVERAGE")
    return c.reject("aggregate_function is " + f.aggregate);
  double infinity = std::numeric_limits<double>::infinity();
  double neutral = isMin ? infinity : isMax ? -infinity : 0;
  SmallVector<double> table(f.size() * f.targets, neutral);
  for (const Forest::Weight &w : f.weights) {
    double &cell = table[w.node * f.targets + w.target];
    cell = cell == neutral ? w.value : cell + w.value;
  }
  Type element = type.getElementType();
  Value weights = longConstant(c, table, element), leaves = leavesOf(c, f, x);
  int64_t rows = type.getDimSize(0), trees = int64_t(f.roots.size()), targets = f.targets;
  Type i64 = b.getI64Type();
  Combiner combiner = isMin ? Combiner::Min : isMax ? Combiner::Max : Combiner::Add;
  Value scores =
      reduceLoops(b, {rows, targets, trees}, {0, 1}, element, {leaves}, {selectDims(b, 3, {0, 2})},
                  combiner, false, [&](Scalars &s, ValueRange v) {
                    Value cell = s.add(s.mul(v[0], s.integer(i64, targets)), s.position(1, i64));
                    return s.extract(weights, {s.clampIndex(cell, int64_t(table.size()))});
                  });
  double share = f.aggregate == "AVERAGE" ? 1.0 / double(trees) : 1.0;
  if (!base.empty() && int64_t(base.size()) != targets)
    return c.reject("base_values are not one per target");
  SmallVector<Operand> operands{Operand(scores)};
  SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(2)};
  if (!base.empty()) {
    operands.push_back(longConstant(c, base, element));
    maps.push_back(selectDims(b, 2, {1}));
  }
  return mapElements(b, tensorType({rows, targets}, element), operands, maps,
                     [&](Scalars &s, ValueRange v) {
                       Value y = v[0];
                       if (isMin || isMax) // no tree has a weight for this target
                         y = s.select(s.equal(y, s.like(y, neutral)), s.like(y, 0), y);
                       if (share != 1.0)
                         y = s.mul(y, s.like(y, share));
                       return v.size() > 1 ? s.add(y, v[1]) : y;
                     });
}

SmallVector<double> baseValues(NodeContext &c) {
  SmallVector<double> base = numbersOf(c, "base_values");
  return base.empty() ? numbersOf(c, "base_values_as_tensor") : base;
}

Results finish(NodeContext &c, FailureOr<Value> scores, StringRef transform) {
  if (succeeded(scores))
    scores = postTransform(c, *scores, transform);
  if (failed(scores))
    return failure();
  Value y = convertFloat(c.b, *scores, c.resultTypes[0].getElementType());
  return SmallVector<Value>{reshape(c.b, y, c.resultTypes[0].getShape())};
}

} // namespace

Results treeEnsemble(NodeContext &c) {
  FailureOr<Forest> f = readSplitForest(c);
  if (failed(f))
    return failure();
  constexpr const char *transforms[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
  int64_t transform = c.intAttr("post_transform", 0);
  if (transform < 0 || transform > 4)
    return c.reject("post_transform is " + Twine(transform));
  return finish(c, scoresOf(c, *f, {}), transforms[transform]);
}

Results treeEnsembleRegressor(NodeContext &c) {
  FailureOr<Forest> f = readForest(c, "target", "ids");
  if (failed(f))
    return failure();
  f->targets = c.intAttr("n_targets", 1);
  f->aggregate = c.stringAttr("aggregate_function", "SUM");
  return finish(c, scoresOf(c, *f, baseValues(c)), c.stringAttr("post_transform", "NONE"));
}

/// Two classes of which one alone has weights: above 0.5 where all weights are positive, else above
/// 0, the second class wins. Scores of the first class alone are paired, those of the second stand
/// beside 0.
Results treeEnsembleClassifier(NodeContext &c) {
  FailureOr<Forest> f = readForest(c, "class", "ids");
  if (failed(f))
    return failure();
  if (c.attribute("classlabels_strings") && c.attribute("classlabels_strings")->strings_size())
    return c.reject("labels that are strings");
  f->targets = int64_t(c.intsAttr("classlabels_int64s").size());
  bool isSingle = f->targets == 2 && !f->weights.empty(), isPositive = true;
  for (const Forest::Weight &w : f->weights) {
    isSingle &= w.target == f->weights.front().target;
    isPositive &= w.value >= 0;
  }
  SmallVector<double> base = baseValues(c);
  TwoClasses two;
  if (isSingle) {
    if (base.size() == 2)
      return c.reject("scores of one class and base values of two");
    two.limit = isPositive ? 0.5 : 0.0;
    two.other = isPositive ? TwoClasses::Complement : TwoClasses::Opposite;
    if (f->weights.front().target == 0)
      f->targets = 1;
    else if (!base.empty())
      return c.reject("scores of the second class and one base value");
  }
  FailureOr<Value> scores = scoresOf(c, *f, base);
  if (failed(scores))
    return failure();
  return classify(c, *scores, c.stringAttr("post_transform", "NONE"), two);
}

} // namespace mtc::onnx_import
