//===- Learn.h - times that follow from measured ones ---------------------===//
//
// Gradient-boosted regression trees on features of kernel, config and share. One sum of
// trees predicts by what factors the configs of a kernel differ, another one what its times have in
// common, over what the roofline says: they fill in times of kernels that nobody measured, which
// are then called learned. A third one ranks their configs.
//
// Sources: Friedman, "Greedy function approximation", Annals of Statistics 29(5), 2001, and
// "Stochastic gradient boosting", Computational Statistics & Data Analysis 38(4), 2002.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Tuning/ConfigSpace.h"
#include "mtc/Tuning/Record.h"

#include <span>

namespace mtc {

/// A row of numbers and what they led to.
struct Example {
  std::vector<double> features;
  double target = 0;
};

/// A sum of small trees.
class BoostedTrees {
public:
  struct Options {
    int rounds = 120, depth = 4;
    size_t leastInLeaf = 5;
    double rate = 0.1;
    double rows = 1, features = 1; ///< parts of the examples and features that a tree sees, drawn
  };
  /// Least squares. All examples have equally many features. Deterministic: what is drawn is drawn
  /// from a fixed seed.
  /// Complexity: rounds x depth x features x examples.
  static BoostedTrees train(std::span<const Example> examples, const Options &options);
  static BoostedTrees train(std::span<const Example> examples) { return train(examples, {}); }
  double predict(std::span<const double> features) const;

private:
  struct Node {
    int feature = -1; ///< -1: a leaf
    double value = 0; ///< a leaf's, or where the feature is split
    int left = -1, right = -1;
  };
  /// What the tree at `root` adds.
  double valueOf(int root, std::span<const double> features) const;

  double base_ = 0;
  std::vector<Node> nodes_;
  std::vector<int> roots_;
};

/// The shape that host::kernelFeatures described; std::monostate if it has none.
KernelShape shapeOf(const KernelFeatureMap &features);

/// What was learned from records of one device.
class LearnedTimes {
public:
  /// Forms of kernels with fewer than `least` usable records are not learned.
  static LearnedTimes train(const TuningRecords &records, const std::string &device,
                            size_t least = 150);

  /// Whether kernels of this form were learned.
  bool knows(const KernelFeatureMap &kernel) const;

  /// Predicted ns, at least 1. `kernel` must be of a known form.
  double ns(const KernelFeatureMap &kernel, const Config &config, int32_t granules,
            const std::string &neighbour = "none") const;

private:
  struct Model {
    BoostedTrees level, config; ///< of a kernel's times on a share; what its configs differ by
  };
  std::map<int, Model> models_; ///< by form
};

/// In which order the configs of a kernel are, learned from records of one device: by how many
/// times the spread of its kernel's times a config lies above their mean. So a kernel counts as
/// much as another, however far its configs are apart, as it does where rankings are judged.
class LearnedRanking {
public:
  /// Forms of kernels with fewer than `least` usable records are not learned.
  static LearnedRanking train(const TuningRecords &records, const std::string &device,
                              size_t least = 150);

  /// Whether kernels of this form were learned.
  bool knows(const KernelFeatureMap &kernel) const;

  /// Only the order within a kernel and a number of granules counts. `kernel` must be of a known
  /// form.
  double cost(const KernelFeatureMap &kernel, const Config &config, int32_t granules) const;

private:
  std::map<int, BoostedTrees> models_; ///< by form
};

/// Spearman's rank correlation of two lists of equal length; ties share their mean rank. 0 if one
/// of them is constant.
double rankCorrelation(std::span<const double> a, std::span<const double> b);

/// How well rankings hold for kernels that were not learned from.
struct RankingQuality {
  int64_t kernels = 0;   ///< with eight configs or more on one share
  double learned = 0;    ///< mean rank correlation within a kernel
  double modelled = 0;   ///< that of modelledCycles
  double repeatable = 0; ///< that of the two halves of the samples; 0: they were not kept
  double firstFive = 0;  ///< kernels whose best of the first five candidates is within 10 %
  /// What the learned ranking's first tenth of the configs gains over the defaults, and what all of
  /// them gain, in geometric mean: found by one half of the samples, measured by the other, so that
  /// luck does not count. 1: the halves were not kept, or defaults not measured.
  double gainOfTenth = 1, gainOfAll = 1;
};

/// Learns from four fifths of the kernels, ranks the configs of the others, five times, by their
/// times alone on `granules`; if some configs were sampled equally often, by theirs only.
/// `defaults` are the printed configs of kernels without measurements.
RankingQuality evaluateRanking(const TuningRecords &records, const std::string &device,
                               int32_t granules,
                               const std::map<std::string, std::string> &defaults = {});

} // namespace mtc
