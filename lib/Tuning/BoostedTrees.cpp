//===- BoostedTrees.cpp - regression by a sum of small trees --------------===//
//
// Rows are sorted once by each feature; a node is a range of a permutation that keeps these orders,
// so a split costs one walk over each feature.
//
//===----------------------------------------------------------------------===//
#include "mtc/Tuning/Learn.h"

#include "mtc/Support/Random.h"

#include <algorithm>
#include <numeric>

namespace mtc {
namespace {

struct Split {
  int feature = -1;
  double value = 0, gain = 0;
};

/// The rows of a node by each of the features that its tree sees.
struct Orders {
  std::vector<int> features;
  std::vector<std::vector<uint32_t>> rows;
};

/// The split of `orders` that lowers the squared error most.
Split bestSplit(std::span<const Example> examples, const std::vector<double> &residuals,
                const Orders &orders, size_t leastInLeaf) {
  Split best;
  const size_t count = orders.rows[0].size();
  double sum = 0;
  for (uint32_t row : orders.rows[0])
    sum += residuals[row];
  for (size_t o = 0; o < orders.features.size(); ++o) {
    const std::vector<uint32_t> &rows = orders.rows[o];
    const auto f = size_t(orders.features[o]);
    double left = 0;
    for (size_t i = 0; i + 1 < count; ++i) {
      left += residuals[rows[i]];
      const double here = examples[rows[i]].features[f];
      const double next = examples[rows[i + 1]].features[f];
      if (here == next || i + 1 < leastInLeaf || count - i - 1 < leastInLeaf)
        continue;
      const double right = sum - left;
      const double gain = left * left / double(i + 1) + right * right / double(count - i - 1) -
                          sum * sum / double(count);
      if (gain > best.gain + 1e-12)
        best = {int(f), (here + next) / 2, gain};
    }
  }
  return best;
}

/// The parts of `sorted` that a tree sees: all, or rows and features that are drawn.
Orders draw(const std::vector<std::vector<uint32_t>> &sorted, const BoostedTrees::Options &options,
            SplitMix64 &random) {
  std::vector<char> isDrawn(sorted[0].size(), 1);
  if (options.rows < 1) {
    for (char &drawn : isDrawn)
      drawn = random.real() < options.rows;
    isDrawn[0] = 1;
  }
  Orders orders;
  for (size_t f = 0; f < sorted.size(); ++f) {
    const bool isLast = f + 1 == sorted.size() && orders.features.empty();
    if (options.features < 1 && random.real() >= options.features && !isLast)
      continue;
    orders.features.push_back(int(f));
    std::vector<uint32_t> &rows = orders.rows.emplace_back();
    for (uint32_t row : sorted[f])
      if (isDrawn[row])
        rows.push_back(row);
  }
  return orders;
}

} // namespace

BoostedTrees BoostedTrees::train(std::span<const Example> examples, const Options &options) {
  BoostedTrees result;
  if (examples.empty())
    return result;
  const size_t rows = examples.size(), features = examples[0].features.size();
  for (const Example &example : examples)
    result.base_ += example.target / double(rows);
  std::vector<double> residuals;
  for (const Example &example : examples)
    residuals.push_back(example.target - result.base_);
  std::vector<std::vector<uint32_t>> sorted(features, std::vector<uint32_t>(rows));
  for (size_t f = 0; f < features; ++f) {
    std::iota(sorted[f].begin(), sorted[f].end(), 0);
    std::stable_sort(sorted[f].begin(), sorted[f].end(), [&](uint32_t a, uint32_t b) {
      return examples[a].features[f] < examples[b].features[f];
    });
  }
  struct Open {
    int node;
    int depth;
    Orders orders;
  };
  SplitMix64 random(1);
  for (int round = 0; round < options.rounds && features > 0; ++round) {
    result.roots_.push_back(int(result.nodes_.size()));
    result.nodes_.push_back({});
    std::vector<Open> open;
    open.push_back({result.roots_.back(), 0, draw(sorted, options, random)});
    while (!open.empty()) {
      Open work = std::move(open.back());
      open.pop_back();
      const Split split = work.depth < options.depth
                              ? bestSplit(examples, residuals, work.orders, options.leastInLeaf)
                              : Split();
      if (split.feature < 0) {
        double mean = 0;
        for (uint32_t row : work.orders.rows[0])
          mean += residuals[row] / double(work.orders.rows[0].size());
        result.nodes_[size_t(work.node)].value = options.rate * mean;
        continue;
      }
      Open sides[2];
      for (Open &side : sides) {
        side.node = int(result.nodes_.size());
        side.depth = work.depth + 1;
        side.orders.features = work.orders.features;
        side.orders.rows.resize(work.orders.rows.size());
        result.nodes_.push_back({});
      }
      for (size_t o = 0; o < work.orders.rows.size(); ++o)
        for (uint32_t row : work.orders.rows[o]) {
          const bool isRight = examples[row].features[size_t(split.feature)] > split.value;
          sides[isRight].orders.rows[o].push_back(row);
        }
      result.nodes_[size_t(work.node)] = {split.feature, split.value, sides[0].node, sides[1].node};
      open.push_back(std::move(sides[0]));
      open.push_back(std::move(sides[1]));
    }
    for (size_t row = 0; row < rows; ++row)
      residuals[row] -= result.valueOf(result.roots_.back(), examples[row].features);
  }
  return result;
}

double BoostedTrees::valueOf(int root, std::span<const double> features) const {
  const Node *node = &nodes_[size_t(root)];
  while (node->feature >= 0)
    node =
        &nodes_[size_t(features[size_t(node->feature)] > node->value ? node->right : node->left)];
  return node->value;
}

double BoostedTrees::predict(std::span<const double> features) const {
  double sum = base_;
  for (int root : roots_)
    sum += valueOf(root, features);
  return sum;
}

} // namespace mtc
