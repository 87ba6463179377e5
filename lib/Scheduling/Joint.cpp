//===- Joint.cpp - order, lanes, granules and variants together -----------===//
//
// A large-neighbourhood search over decisions that Decode.h turns into schedules. Per instance two
// numbers decide almost everything: how much area it may spend on speed (the trade, which picks the
// width and variant of every kernel as the Lagrangian of time and area does), and a deadline, from
// which its nodes' latest starts follow. Seeds take them from guesses of the makespan, in the
// manner of dual approximation (Mounie, Rapine, Trystram, "A 3/2-approximation algorithm for
// scheduling independent monotonic malleable tasks", SIAM J. Comput. 37(2), 2007). Then the search
// changes one instance, a run of its nodes, or a node of the chain that determines the makespan,
// and keeps what is better, or hardly worse at the beginning.
//
// Deterministic: its own random numbers, bounded by steps.
//
//===----------------------------------------------------------------------===//
#include "Decode.h"
#include "Neighbours.h"
#include "mtc/Scheduling/Policies.h"
#include "mtc/Support/Random.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <numeric>
#include <span>
#include <tuple>

namespace mtc {
namespace {

/// Prices of a granule for the time of a task, relative to the task's time: ns * (1 + trade * g) is
/// least. 0: whatever is fastest.
constexpr double kTrades[] = {0,    0.004, 0.008, 0.016, 0.032, 0.05, 0.08,
                              0.12, 0.18,  0.27,  0.4,   0.7,   1.5,  1e6};
constexpr int kTradeCount = static_cast<int>(std::size(kTrades));

/// How much worse than the best a schedule may be that the search goes on from, at its beginning.
constexpr double kRoom = 0.02;

/// Steps without a gain after which the search starts again from a changed best.
constexpr int64_t kLeastPatience = 80, kMostPatience = 500;

/// Nodes that a whole search may place: 30 s on one core of an AMD EPYC (Zen 4), 2025-11.
constexpr int64_t kNodeVisits = 25'000'000;

/// With more nodes than these `heft` takes too long to be tried as well.
constexpr size_t kHeftNodes = 5000;

/// What the search changes.
struct Genome {
  std::vector<int> trade;       ///< by instance: position in kTrades of its first nodes
  std::vector<int> slope;       ///< by instance: added to that towards its last nodes
  std::vector<int> stretch;     ///< by instance: cheaper price of granules that would stay idle
  std::vector<double> deadline; ///< by instance
  std::vector<int> home;        ///< by instance: how many of the last granules it keeps to; 0: all
  std::vector<int8_t> widen;    ///< by node: options more than the trade picks
  std::vector<double> nudge;    ///< by node: added to the latest start
  std::vector<uint8_t> insists; ///< by node: waits for its width
  std::vector<uint8_t> joins;   ///< by instance: how it shares launches with others of its group
  std::vector<uint8_t> alone;   ///< by class of nodes that may share launches: they do not
};

class JointSearch {
public:
  JointSearch(const Problem &problem, const Workload &workload, const PolicyOptions &options)
      : problem_(problem), workload_(workload), options_(options),
        search_(buildSearchGraph(problem, workload, options.merge)),
        decoder_(search_, instanceCount()), begin_(std::chrono::steady_clock::now()) {
    fillPicks();
    auto nodes = static_cast<int64_t>(std::max<size_t>(1, nodeCount()));
    stepsLeft_ = std::min(options.searchSteps * std::clamp<int64_t>(200 / nodes, 1, 16),
                          std::max<int64_t>(50, kNodeVisits / nodes));
    firstNode_.assign(instanceCount() + 1, nodeCount());
    for (size_t n = nodeCount(); n-- > 0;)
      firstNode_[search_.instanceOf(n)] = n;
    // An instance without tasks begins where the next one does.
    for (size_t i = instanceCount(); i-- > 0;)
      firstNode_[i] = std::min(firstNode_[i], firstNode_[i + 1]);
    decisions_.width.resize(nodeCount());
    decisions_.stretch.resize(nodeCount());
    decisions_.insists.resize(nodeCount());
    decisions_.joins.resize(nodeCount());
    decisions_.home.resize(instanceCount());
    decisions_.startBy.resize(nodeCount());
  }

  StatusOr<Schedule> run() {
    MTC_RETURN_IF_ERROR(setReference());
    trySeeds();
    improve();
    MTC_ASSIGN_OR_RETURN(
        Schedule best, makeSchedule(problem_, workload_, "joint", search_.graph, bestPlacements_));
    for (auto other : {scheduleSequential, scheduleHeft}) {
      if (other == scheduleHeft && nodeCount() > kHeftNodes)
        continue;
      MTC_ASSIGN_OR_RETURN(Schedule schedule, other(problem_, workload_, options_));
      MTC_RETURN_IF_ERROR(predictTimes(problem_, schedule));
      if (double e = energy(latencies(schedule), expectedNs(problem_, schedule)); e < bestEnergy_) {
        bestEnergy_ = e;
        best = std::move(schedule);
      }
    }
    if (isHost(problem_.device)) {
      MTC_ASSIGN_OR_RETURN(Schedule inTurn, scheduleInTurn());
      if (static_cast<double>(inTurn.makespanNs) <= expectedNs(problem_, best) &&
          misses(latencies(inTurn)) <= misses(latencies(best)))
        best = std::move(inTurn);
    }
    best.policy = "joint";
    return best;
  }

private:
  size_t instanceCount() const { return workload_.instances.size(); }
  size_t nodeCount() const { return search_.graph.nodes.size(); }

  /// What tenants are compared with, and what no schedule can beat.
  Status setReference() {
    MTC_ASSIGN_OR_RETURN(Schedule streams, scheduleStreams(problem_, workload_));
    MTC_RETURN_IF_ERROR(predictTimes(problem_, streams));
    streamNs_ = limitNs_ = latencies(streams);
    boundNs_ = 1;
    areaNs_.assign(instanceCount(), 0);
    std::vector<double> rank(nodeCount(), 0);
    for (size_t n = nodeCount(); n-- > 0;) {
      double least = INFINITY;
      for (const WidthOption &option : search_.optionsOf(n))
        least = std::min(least, option.ns * option.granules);
      areaNs_[search_.instanceOf(n)] += least;
      for (int32_t next : search_.graph.after[n])
        rank[n] = std::max(rank[n], rank[static_cast<size_t>(next)]);
      rank[n] += search_.optionsOf(n).back().ns;
      boundNs_ = std::max(boundNs_, rank[n]);
    }
    double areaNs = std::accumulate(areaNs_.begin(), areaNs_.end(), 0.0);
    boundNs_ = std::max(boundNs_, areaNs / static_cast<double>(search_.graph.granules.size()));
    for (size_t i = 0; i < instanceCount(); ++i) {
      streamNs_[i] = std::max(1.0, streamNs_[i]);
      limitNs_[i] = streamNs_[i] * options_.slowdownRoom;
      const Tenant &tenant = tenantOf(i);
      sloNs_.push_back(tenant.sloP99Ns > 0 ? static_cast<double>(tenant.sloP99Ns) : INFINITY);
      weight_.push_back(std::exp2(std::clamp(tenant.priority, -20, 20)));
    }
    return okStatus();
  }

  const Tenant &tenantOf(size_t instance) const {
    const Entry &entry = problem_.entries[static_cast<size_t>(workload_.instances[instance])];
    return problem_.tenants[static_cast<size_t>(entry.tenant)];
  }

  //===- genome to decisions ----------------------------------------------===//

  /// The option of a node that a trade picks, from the table by kernel and trade.
  int pick(size_t node, int trade) const {
    auto kernel = static_cast<size_t>(search_.graph.nodes[node].kernel);
    return picks_[kernel][static_cast<size_t>(std::clamp(trade, 0, kTradeCount - 1))];
  }

  void fillPicks() {
    for (const std::vector<WidthOption> &options : search_.options) {
      std::array<uint8_t, kTradeCount> &row = picks_.emplace_back();
      for (size_t t = 0; t < row.size(); ++t) {
        double bestCost = INFINITY;
        for (size_t o = 0; o < options.size(); ++o)
          if (double cost = options[o].ns * (1 + kTrades[t] * options[o].granules);
              cost < bestCost) {
            row[t] = static_cast<uint8_t>(o);
            bestCost = cost;
          }
      }
    }
  }

  /// The last `count` granules of the workload.
  GranuleMask lastGranules(int count) const {
    const std::vector<int32_t> &granules = search_.graph.granules;
    GranuleMask mask = 0;
    for (size_t g = granules.size() - std::min(granules.size(), static_cast<size_t>(count));
         g < granules.size(); ++g)
      mask |= GranuleMask(1) << granules[g];
    return count == 0 ? workload_.granules : mask;
  }

  void express(const Genome &genome, size_t instance) {
    decisions_.home[instance] = lastGranules(genome.home[instance]);
    auto count = static_cast<int>(firstNode_[instance + 1] - firstNode_[instance]);
    for (size_t n = firstNode_[instance + 1]; n-- > firstNode_[instance];) {
      const std::vector<WidthOption> &options = search_.optionsOf(n);
      auto position = static_cast<int>(n - firstNode_[instance]);
      int t = genome.trade[instance] + genome.slope[instance] * position / count;
      int width = pick(n, t) + genome.widen[n];
      width = std::clamp(width, 0, static_cast<int>(options.size()) - 1);
      decisions_.width[n] = static_cast<uint8_t>(width);
      decisions_.insists[n] = genome.insists[n];
      const int32_t own = search_.classOf[n];
      const bool mayJoin = own >= 0 && !genome.alone[static_cast<size_t>(own)];
      decisions_.joins[n] = mayJoin ? genome.joins[instance] : uint8_t(0);
      decisions_.stretch[n] =
          static_cast<uint8_t>(std::max(width, pick(n, t - genome.stretch[instance])));
      double latest = genome.deadline[instance];
      for (int32_t next : search_.graph.after[n])
        latest = std::min(latest, decisions_.startBy[static_cast<size_t>(next)] -
                                      genome.nudge[static_cast<size_t>(next)]);
      latest -= options[static_cast<size_t>(width)].ns;
      decisions_.startBy[n] = latest + genome.nudge[n];
    }
  }

  void express(const Genome &genome) {
    for (size_t i = 0; i < instanceCount(); ++i)
      express(genome, i);
  }

  /// Of a genome that differs from what was expressed, but for `alone`, in some instances only.
  void expressChanged(const Genome &genome, std::span<const size_t> instances,
                      bool changesClasses) {
    if (changesClasses)
      return express(genome);
    for (size_t i : instances)
      express(genome, i);
  }

  /// The longest path of an instance with the widths of a trade.
  double pathNs(size_t instance, int trade) const {
    std::vector<double> rank(firstNode_[instance + 1] - firstNode_[instance], 0);
    double longest = 0;
    for (size_t n = firstNode_[instance + 1]; n-- > firstNode_[instance];) {
      double &own = rank[n - firstNode_[instance]];
      for (int32_t next : search_.graph.after[n])
        own = std::max(own, rank[static_cast<size_t>(next) - firstNode_[instance]]);
      const std::vector<WidthOption> &options = search_.optionsOf(n);
      own += options[static_cast<size_t>(pick(n, trade))].ns;
      longest = std::max(longest, own);
    }
    return longest;
  }

  //===- what is good -----------------------------------------------------===//

  /// SLO misses, then slowdown beyond what a stream would give, then makespan, then mean slowdown,
  /// as one number: each weighs far more than the next. The makespan is what is expected on a host.
  double energy(const std::vector<double> &latencyNs, double makespanNs) const {
    double excess = 0, slowdown = 0;
    for (size_t i = 0; i < instanceCount(); ++i) {
      excess += weight_[i] * std::max(0.0, latencyNs[i] / limitNs_[i] - 1);
      slowdown += latencyNs[i] / streamNs_[i];
    }
    return 1000 * misses(latencyNs) + 10 * excess + makespanNs / boundNs_ +
           0.002 * slowdown / static_cast<double>(instanceCount());
  }

  std::vector<double> latencies(const Schedule &schedule) const {
    std::vector<double> latencyNs(instanceCount(), 0);
    for (const Place &place : schedule.places) {
      double &latency = latencyNs[static_cast<size_t>(place.instance)];
      latency = std::max(latency, static_cast<double>(place.startNs + place.durationNs));
    }
    return latencyNs;
  }

  bool outOfSteps() {
    if (stepsLeft_ <= 0)
      return true;
    if (options_.budgetSeconds > 0) {
      std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin_;
      return spent.count() > options_.budgetSeconds;
    }
    return false;
  }

  /// Decodes the decisions; infinite if that is not below `limit`.
  double evaluate(double limit = INFINITY) {
    --stepsLeft_;
    const Decoded &decoded = decoder_.decode(decisions_, limit * boundNs_);
    if (!std::isfinite(decoded.makespanNs))
      return INFINITY;
    double e = energy(decoded.latencyNs, decoded.makespanNs + decoded.doubtNs);
    if (e < bestEnergy_) {
      bestEnergy_ = e;
      bestPlacements_ = decoded.placements;
      for (size_t n = 0; n < nodeCount(); ++n) {
        Placement &placement = bestPlacements_[n];
        placement.startNs = std::llround(decoded.startNs[n]);
        placement.durationNs = std::llround(decoded.endNs[n]) - placement.startNs;
      }
    }
    last_ = &decoded;
    return e;
  }

  double misses(const std::vector<double> &latencyNs) const {
    double sum = 0;
    for (size_t i = 0; i < instanceCount(); ++i)
      sum += weight_[i] * (latencyNs[i] > sloNs_[i]);
    return sum;
  }

  /// Every task on all granules, the shortest instance first: nothing runs beside anything.
  StatusOr<Schedule> scheduleInTurn() const {
    std::vector<int32_t> order(search_.graph.nodes.size());
    std::iota(order.begin(), order.end(), 0);
    const auto rank = [&](int32_t n) {
      const size_t i = search_.instanceOf(static_cast<size_t>(n));
      return std::tuple(areaNs_[i] / weight_[i], i, n);
    };
    std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return rank(a) < rank(b); });
    MTC_ASSIGN_OR_RETURN(Schedule schedule,
                         makeSchedule(problem_, workload_, "joint", search_.graph,
                                      placeInTurn(search_.graph, workload_.granules, order)));
    MTC_RETURN_IF_ERROR(predictTimes(problem_, schedule));
    return schedule;
  }

  //===- seeds ------------------------------------------------------------===//

  /// Without launches of several, and if there are any with them, too.
  void trySeed(Genome genome) {
    for (uint8_t joins : {0, 2, 1}) {
      if (outOfSteps() || (joins && search_.launches.empty()))
        return;
      std::fill(genome.joins.begin(), genome.joins.end(), joins);
      express(genome);
      double e = evaluate();
      if (e < currentEnergy_) {
        currentEnergy_ = e;
        current_ = genome;
      }
      merges_ |= last_->merged > 0;
      if (joins && last_->merged == 0)
        return;
    }
  }

  void trySeeds() {
    Genome genome;
    genome.trade.assign(instanceCount(), 0);
    genome.slope.assign(instanceCount(), 0);
    genome.stretch.assign(instanceCount(), 3);
    genome.home.assign(instanceCount(), 0);
    genome.deadline.assign(instanceCount(), 0);
    genome.widen.assign(nodeCount(), 0);
    genome.nudge.assign(nodeCount(), 0);
    genome.insists.assign(nodeCount(), 0);
    genome.joins.assign(instanceCount(), 0);
    genome.alone.assign(search_.launches.size(), 0);
    std::vector<std::vector<double>> path(instanceCount());
    for (size_t i = 0; i < instanceCount(); ++i)
      for (int t = 0; t < kTradeCount; ++t)
        path[i].push_back(pathNs(i, t));
    for (int t = 0; t < kTradeCount; ++t)
      for (bool fair : {true, false}) {
        std::fill(genome.trade.begin(), genome.trade.end(), t);
        for (size_t i = 0; i < instanceCount(); ++i)
          genome.deadline[i] = deadlineFor(i, 1.2 * boundNs_, fair);
        trySeed(genome);
      }
    for (double factor : {1.0, 1.05, 1.1, 1.2, 1.35, 1.6})
      for (double part : {0.5, 0.65, 0.8, 0.9, 1.0})
        for (bool fair : {true, false}) {
          genome.slope.assign(instanceCount(), 0);
          for (size_t i = 0; i < instanceCount(); ++i) {
            genome.deadline[i] = deadlineFor(i, factor * boundNs_, fair);
            int t = kTradeCount - 1;
            while (t > 0 && path[i][static_cast<size_t>(t)] > part * genome.deadline[i])
              --t;
            genome.trade[i] = t;
          }
          trySeed(genome);
          for (size_t i = 0; i < instanceCount(); ++i) {
            genome.trade[i] = std::min(genome.trade[i] + 2, kTradeCount - 1);
            genome.slope[i] = -4;
          }
          trySeed(genome);
          if (fair)
            trySmallTogether(genome);
        }
    // One after the other on all granules: by priority, the shortest first.
    std::vector<size_t> order(instanceCount());
    std::iota(order.begin(), order.end(), size_t(0));
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::tuple(-weight_[a], path[a][0], a) < std::tuple(-weight_[b], path[b][0], b);
    });
    double ns = 0;
    for (size_t i : order) {
      genome.trade[i] = 0;
      genome.deadline[i] = ns += path[i][0];
    }
    trySeed(genome);
    if (isHost(problem_.device))
      tryFilled(genome, order);
    if (bestPlacements_.empty()) { // no steps: the last seed's decisions
      express(genome);
      evaluate();
      current_ = genome;
    }
  }

  /// The instances of least area on the last granules, as many as their part of all area needs.
  void trySmallTogether(Genome genome) {
    if (instanceCount() < 2 || search_.graph.granules.size() < 4)
      return;
    std::vector<size_t> order(instanceCount());
    std::iota(order.begin(), order.end(), size_t(0));
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::pair(areaNs_[a], a) < std::pair(areaNs_[b], b);
    });
    double all = std::accumulate(areaNs_.begin(), areaNs_.end(), 0.0), small = 0;
    for (size_t i : order) {
      small += areaNs_[i];
      auto granules = static_cast<double>(search_.graph.granules.size());
      int count = static_cast<int>(std::ceil(1.1 * granules * small / all));
      if (i == order.back() || count * 2 > static_cast<int>(granules))
        break;
      genome.home[i] = -1;
      for (int &home : genome.home)
        if (home != 0)
          home = count;
    }
    trySeed(genome);
  }

  /// Instances in turn, whose wide tasks wait for all their granules, while narrow tasks of others
  /// fill what one leaves idle; then the first ones of the order beside each other, each task as
  /// wide as a trade says, before the others in turn.
  void tryFilled(Genome genome, const std::vector<size_t> &order) {
    std::fill(genome.insists.begin(), genome.insists.end(), 1);
    const std::vector<double> inTurn = genome.deadline;
    for (int t = 0; t < kTradeCount; ++t) {
      std::fill(genome.trade.begin(), genome.trade.end(), t);
      trySeed(genome);
    }
    for (size_t count = 2; count <= order.size(); ++count)
      for (int t = kTradeCount / 2; t < kTradeCount; t += 2) {
        genome.deadline = inTurn;
        std::fill(genome.trade.begin(), genome.trade.end(), 0);
        for (size_t at = 0; at < count; ++at) {
          genome.deadline[order[at]] = inTurn[order[count - 1]];
          genome.trade[order[at]] = t;
        }
        trySeed(genome);
      }
  }

  double deadlineFor(size_t instance, double makespanNs, bool fair) const {
    double deadline = std::min(makespanNs, sloNs_[instance]);
    return fair ? std::min(deadline, limitNs_[instance]) : deadline;
  }

  //===- improvement ------------------------------------------------------===//

  /// Changes one number of an instance.
  void mutateInstance(Genome &genome, size_t i) {
    int sign = random_.below(2) ? 1 : -1;
    auto granules = static_cast<int>(search_.graph.granules.size());
    switch (random_.below(6)) {
    case 4:
      genome.home[i] = genome.home[i] > 0 && random_.below(2)
                           ? std::clamp(genome.home[i] + sign, 0, granules)
                           : static_cast<int>(random_.below(static_cast<size_t>(granules)));
      break;
    case 0:
      genome.trade[i] = std::clamp(genome.trade[i] + sign, 0, kTradeCount - 1);
      break;
    case 1:
      genome.slope[i] = std::clamp(genome.slope[i] + 2 * sign, -12, 12);
      break;
    case 2:
      genome.stretch[i] = std::clamp(genome.stretch[i] + sign, 0, 12);
      break;
    case 3:
      genome.deadline[i] += (random_.real() - 0.5) * (random_.below(2) ? 1.5 : 0.4) * boundNs_;
      break;
    default:
      genome.deadline[i] += (random_.real() - 0.5) * 0.08 * boundNs_;
      break;
    }
  }

  /// Changes widths or urgency of a run of nodes of an instance.
  void mutateRun(Genome &genome, size_t i) {
    size_t count = firstNode_[i + 1] - firstNode_[i];
    size_t from = firstNode_[i] + random_.below(count);
    size_t length = 1 + random_.below(random_.below(2) ? std::min<size_t>(count, 6) : count);
    size_t to = std::min(firstNode_[i + 1], from + length);
    int change = random_.below(2) ? 1 : -1;
    double shift = (random_.real() - 0.5) * 0.2 * boundNs_;
    bool isWidth = random_.below(2) == 0;
    for (size_t n = from; n < to; ++n) {
      if (isWidth)
        genome.widen[n] = static_cast<int8_t>(std::clamp(genome.widen[n] + change, -20, 20));
      else
        genome.nudge[n] += shift;
    }
  }

  /// Changes a node of the chain, or who kept it from starting; returns its instance.
  size_t mutateChain(Genome &genome) {
    // Nodes that nothing can change are passed over, for some tries.
    for (int tries = 0; tries < 8; ++tries) {
      auto [node, blocker] = chain_[random_.below(chain_.size())];
      auto n = static_cast<size_t>(node);
      if (blocker >= 0 && random_.below(2) == 0) {
        auto b = static_cast<size_t>(blocker);
        switch (random_.below(3)) {
        case 0: // before its blocker
          genome.nudge[n] += std::min(0.0, decisions_.startBy[b] - decisions_.startBy[n]) -
                             random_.real() * 0.01 * boundNs_;
          return search_.instanceOf(n);
        case 1:
          genome.nudge[n] -= random_.real() * 0.1 * boundNs_;
          return search_.instanceOf(n);
        default:
          if (search_.optionsOf(b).size() < 2)
            continue;
          genome.widen[b] = static_cast<int8_t>(
              std::clamp(genome.widen[b] + (random_.below(2) ? 1 : -1), -20, 20));
          return search_.instanceOf(b);
        }
      }
      if (search_.optionsOf(n).size() < 2)
        continue;
      if (random_.below(6) == 0)
        genome.insists[n] ^= 1;
      else
        genome.widen[n] =
            static_cast<int8_t>(std::clamp(genome.widen[n] + (random_.below(4) ? 1 : -1), -20, 20));
      return search_.instanceOf(n);
    }
    size_t i = random_.below(instanceCount());
    mutateInstance(genome, i);
    return i;
  }

  /// Changes who shares launches: an instance, or all nodes of a class; returns the instance.
  size_t mutateLaunches(Genome &genome) {
    const size_t n = random_.below(nodeCount()), i = search_.instanceOf(n);
    if (search_.classOf[n] >= 0 && random_.below(2))
      genome.alone[static_cast<size_t>(search_.classOf[n])] ^= 1;
    else
      genome.joins[i] = static_cast<uint8_t>(random_.below(kMostJoins + 1));
    return i;
  }

  /// Changes a genome at random; returns the instance that it changed.
  size_t mutate(Genome &genome) {
    if (merges_ && random_.below(12) == 0)
      return mutateLaunches(genome);
    size_t kind = random_.below(10);
    if (kind < 4)
      return mutateChain(genome);
    size_t i = random_.below(instanceCount());
    if (kind < 7 || firstNode_[i] == firstNode_[i + 1])
      mutateInstance(genome, i);
    else
      mutateRun(genome, i);
    return i;
  }

  /// Takes over the genes of an instance and its nodes.
  void copyInstance(const Genome &from, size_t i, Genome &to) const {
    to.trade[i] = from.trade[i];
    to.slope[i] = from.slope[i];
    to.stretch[i] = from.stretch[i];
    to.deadline[i] = from.deadline[i];
    to.home[i] = from.home[i];
    to.joins[i] = from.joins[i];
    auto copy = [&](const auto &a, auto &b) {
      std::copy(a.begin() + static_cast<std::ptrdiff_t>(firstNode_[i]),
                a.begin() + static_cast<std::ptrdiff_t>(firstNode_[i + 1]),
                b.begin() + static_cast<std::ptrdiff_t>(firstNode_[i]));
    };
    copy(from.widen, to.widen);
    copy(from.nudge, to.nudge);
    copy(from.insists, to.insists);
  }

  /// Changes much at random: where the search goes on when it found nothing better for long.
  void scatter(Genome &genome) {
    // A small workload is searched from all sides, a large one never recovers from a bad start.
    if (nodeCount() <= 64 && random_.below(2) == 0) {
      for (size_t n = 0; n < nodeCount(); ++n) {
        genome.widen[n] = static_cast<int8_t>(static_cast<int>(random_.below(5)) - 2);
        genome.nudge[n] = (random_.real() - 0.5) * boundNs_;
        genome.insists[n] = random_.below(4) == 0;
      }
      for (size_t i = 0; i < instanceCount(); ++i) {
        genome.trade[i] = static_cast<int>(random_.below(kTradeCount));
        genome.slope[i] = 0;
        genome.home[i] = 0;
        genome.deadline[i] = (0.3 + random_.real()) * boundNs_;
      }
    }
    for (int change = 0; change < 6; ++change)
      mutate(genome);
    for (int change = 0; change < 4; ++change) {
      size_t n = random_.below(nodeCount());
      genome.widen[n] =
          static_cast<int8_t>(std::clamp(genome.widen[n] + (random_.below(2) ? 1 : -1), -20, 20));
      n = random_.below(nodeCount());
      genome.insists[n] ^= 1;
      n = random_.below(nodeCount());
      genome.nudge[n] += (random_.real() - 0.5) * 0.3 * boundNs_;
    }
  }

  void improve() {
    if (outOfSteps() || nodeCount() == 0)
      return;
    express(current_);
    currentEnergy_ = evaluate();
    chain_ = criticalChain(search_, *last_);
    const int64_t patience = std::clamp<int64_t>(stepsLeft_ / 10, kLeastPatience, kMostPatience);
    int64_t lastGain = stepsLeft_, accepted = 0;
    double knownBest = bestEnergy_;
    Genome candidate = current_, best = current_;
    while (!outOfSteps()) {
      if (lastGain - stepsLeft_ > patience) {
        lastGain = stepsLeft_;
        current_ = best;
        scatter(current_);
        express(current_);
        currentEnergy_ = evaluate();
        chain_ = criticalChain(search_, *last_);
        candidate = current_;
      }
      // What is worse is accepted less and less until the next restart.
      double part = 1 - static_cast<double>(lastGain - stepsLeft_) / static_cast<double>(patience);
      double limit = std::max(currentEnergy_, bestEnergy_ * (1 + kRoom * part));
      size_t changed[3];
      size_t changes = 1 + random_.below(3);
      for (size_t c = 0; c < changes; ++c)
        changed[c] = mutate(candidate);
      const bool changesClasses = candidate.alone != current_.alone;
      expressChanged(candidate, {changed, changes}, changesClasses);
      double e = evaluate(limit);
      if (e < limit) {
        currentEnergy_ = e;
        std::swap(current_, candidate);
        candidate.alone = current_.alone;
        for (size_t c = 0; c < changes; ++c)
          copyInstance(current_, changed[c], candidate);
        // The chain hardly changes from one to the next, and finding it costs as much as a decode.
        if (++accepted % 4 == 0)
          chain_ = criticalChain(search_, *last_);
      } else {
        candidate.alone = current_.alone;
        for (size_t c = 0; c < changes; ++c)
          copyInstance(current_, changed[c], candidate);
        expressChanged(candidate, {changed, changes}, changesClasses);
      }
      if (bestEnergy_ < knownBest) {
        knownBest = bestEnergy_;
        lastGain = stepsLeft_;
        best = current_;
      }
    }
  }

  const Problem &problem_;
  const Workload &workload_;
  const PolicyOptions &options_;
  SearchGraph search_;
  Decoder decoder_;
  std::chrono::steady_clock::time_point begin_;
  int64_t stepsLeft_ = 0;
  SplitMix64 random_{1};
  std::vector<size_t> firstNode_;                                    ///< by instance, and one more
  std::vector<double> streamNs_, limitNs_, sloNs_, weight_, areaNs_; ///< by instance
  double boundNs_ = 1;
  std::vector<std::array<uint8_t, kTradeCount>> picks_; ///< option by kernel, then trade
  Decisions decisions_;
  const Decoded *last_ = nullptr;
  bool merges_ = false; ///< some seed had a launch of several
  Genome current_;
  double currentEnergy_ = INFINITY, bestEnergy_ = INFINITY;
  std::vector<Placement> bestPlacements_;
  std::vector<std::pair<int32_t, int32_t>> chain_; ///< node, and who held its granules before
};

} // namespace

StatusOr<Schedule> scheduleJoint(const Problem &problem, const Workload &workload,
                                 const PolicyOptions &options) {
  return JointSearch(problem, workload, options).run();
}

} // namespace mtc
