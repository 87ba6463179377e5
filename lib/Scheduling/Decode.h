//===- Decode.h - decisions to a schedule in time (internal) --------------===//
//
// The search of `joint` decides on widths and urgencies; this turns them into placements by going
// through time once: whenever something ends, the most urgent nodes that are ready start on free
// granules. Bandwidth is shared as in Contention.h while time passes, so what is predicted includes
// neighbours. A decode is the unit in which searches are bounded: a microsecond per node.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Contention.h"
#include "Neighbours.h"
#include "TaskGraph.h"

#include <cmath>

namespace mtc {

/// A number of granules that pays: every larger option of a kernel is faster.
struct WidthOption {
  int32_t granules = 1;
  int32_t variant = 0;
  double ns = 0;
  Demand demand;
};

/// A workload as searches see it.
struct SearchGraph {
  TaskGraph graph;
  Device device;
  std::vector<std::vector<WidthOption>> options; ///< by kernel, ascending in granules
  std::vector<double> doubts;                    ///< by kernel, of Neighbours.h
  /// Nodes of one class may share a launch (MergePlaces.h): several of one kernel, of one tenant or
  /// group. By node; -1: none.
  std::vector<int32_t> classOf;
  /// By class, then by members of a launch - 2: what options() is for one.
  std::vector<std::vector<std::vector<WidthOption>>> launches;

  const std::vector<WidthOption> &optionsOf(size_t node) const {
    return options[static_cast<size_t>(graph.nodes[node].kernel)];
  }
  size_t instanceOf(size_t node) const { return static_cast<size_t>(graph.nodes[node].instance); }
};

/// `merge`: with classes, if the device is a GPU.
SearchGraph buildSearchGraph(const Problem &problem, const Workload &workload, bool merge);

inline constexpr uint8_t kMostJoins = 3;

/// What a search decides for every node.
struct Decisions {
  std::vector<uint8_t> width;    ///< position in the node's options
  std::vector<uint8_t> insists;  ///< whether it waits for that width
  std::vector<uint8_t> stretch;  ///< at least `width`: what it may take if granules would stay idle
  std::vector<uint8_t> joins;    ///< 0: it shares no launch; to kMostJoins: the later that may end
  std::vector<double> startBy;   ///< the node with the least starts first
  std::vector<GranuleMask> home; ///< by instance: the granules it keeps to
};

/// Where and when nodes run.
struct Decoded {
  std::vector<Placement> placements; ///< without times
  std::vector<uint8_t> width; ///< options that were taken; not wider than decided; not of launches
                              ///< of several
  std::vector<double> startNs, endNs;
  std::vector<double> latencyNs; ///< by instance
  double makespanNs = 0;
  double doubtNs = 0; ///< how much longer it may take, as Neighbours.h says
  size_t merged = 0;  ///< nodes that run in the launch of another
};

/// Decodes many decisions over one graph; keeps its buffers.
class Decoder {
public:
  Decoder(const SearchGraph &search, size_t instanceCount);

  /// Goes through time once.
  ///
  /// A node that finds fewer free granules than decided takes those, or waits for more, whichever
  /// ends earlier as things stand, unless it insists. While the most urgent one waits, others start
  /// only if they end before it can start or leave it enough. Nodes that start when no other is
  /// ready may stretch. A node that may join takes those of its class that are ready into its
  /// launch, as many as leave it as fast as decided and need less area so than apart.
  ///
  /// Stops early, with `makespanNs` infinite, once it cannot end before `limitNs`.
  ///
  /// Complexity: O(nodes * (log nodes + running)).
  const Decoded &decode(const Decisions &decisions, double limitNs = INFINITY);

private:
  struct Running {
    int32_t node;
    bool inBody;
    double target; ///< time of the launch's end, or progress at the body's end
    double bytesPerNs;
    double ns; ///< of the body
    GranuleMask mask;
    double doubt;
  };
  struct Ready {
    double startBy;
    int32_t node;
    bool operator<(const Ready &other) const { // for a heap with the least on top
      return startBy != other.startBy ? startBy > other.startBy : node > other.node;
    }
  };
  void startReady(const Decisions &decisions);
  void stretchStarted(size_t firstStarted, const Decisions &decisions);
  bool tryStart(int32_t node, const Decisions &decisions);
  bool tryStartMerged(int32_t node, size_t option, GranuleMask home, const Decisions &decisions);
  bool fitsReserved(const WidthOption &option, GranuleMask home);
  void start(int32_t node, const WidthOption &option, GranuleMask home);
  void makeReady(int32_t node, const Decisions &decisions);
  double freeTimeNs(int32_t granules, GranuleMask home);
  void passTime();
  double leftNs(const Running &r) const;

  const SearchGraph &search_;
  const bool hasDoubts_;
  Besides besides_;
  std::vector<double> tailNs_; ///< by node: the longest path to the end of its instance, at best
  std::vector<Running> running_;
  std::vector<Ready> ready_, held_;
  std::vector<std::vector<int32_t>> readyOf_; ///< by class; not in the order of anything
  std::vector<uint8_t> isPlaced_;             ///< by node: nodes in `ready_` that have started
  std::vector<int32_t> nextMember_;           ///< by node: of its launch; -1: none
  std::vector<Ready> partners_;
  std::vector<int32_t> missing_;
  std::vector<std::pair<double, GranuleMask>> ends_; ///< of running nodes: when, granules; sorted
  bool endsKnown_ = false;
  GranuleMask free_ = 0;
  double nowNs_ = 0, progress_ = 0, rate_ = 1, limitNs_ = 0;
  double reservedNs_ = 0;        ///< when the waiting node starts; infinite if none waits
  GranuleMask reservedHome_ = 0; ///< where
  int32_t reservedSpare_ = 0;    ///< granules of its home that it then leaves
  size_t placed_ = 0;
  bool hopeless_ = false;
  Decoded result_;
};

/// Nodes of the chain that determines the makespan: from the last one back, always to what ended
/// last before it started. With each, who held its granules, or -1 if it waited for a dependence.
std::vector<std::pair<int32_t, int32_t>> criticalChain(const SearchGraph &search,
                                                       const Decoded &decoded);

} // namespace mtc
