//===- Decode.cpp - once through time -------------------------------------===//
#include "Decode.h"

#include "mtc/Scheduling/MergePlaces.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace mtc {

/// Less than what is left of a task that has ended: sums of doubles are not exact.
static constexpr double kSlackNs = 1e-6;
/// Nodes that may be passed over at one moment; more are looked at when something ends.
static constexpr size_t kLookahead = 12;
/// How much longer than its leader alone a launch of several may take, by Decisions::joins, and
/// which part of the area of all apart.
static constexpr double kJoinedRoom[kMostJoins + 1] = {0, 1.05, 1.25, 1.6}, kJoinedArea = 0.95;

/// Sets classes and what launches of their members take.
static void addClasses(const Problem &problem, const Workload &workload, SearchGraph &search) {
  std::vector<std::vector<std::pair<int32_t, int32_t>>> classesOf(problem.kernels.size());
  std::vector<size_t> sizes; // by class
  const auto entryOf = [&](int32_t instance) -> const Entry & {
    return problem.entries[static_cast<size_t>(workload.instances[static_cast<size_t>(instance)])];
  };
  // Each class is told by its first instance: mayMerge() is an equivalence.
  for (const TaskGraph::Node &node : search.graph.nodes) {
    auto &classes = classesOf[static_cast<size_t>(node.kernel)];
    auto found = std::find_if(classes.begin(), classes.end(), [&](const auto &known) {
      return mayMerge(problem, entryOf(known.first), entryOf(node.instance));
    });
    if (problem.kernels[static_cast<size_t>(node.kernel)].region) {
      search.classOf.push_back(-1);
      continue;
    }
    if (found == classes.end()) {
      classes.emplace_back(node.instance, static_cast<int32_t>(sizes.size()));
      found = std::prev(classes.end());
      sizes.push_back(0);
    }
    search.classOf.push_back(found->second);
    ++sizes[static_cast<size_t>(found->second)];
  }
  search.launches.resize(sizes.size());
  for (size_t n = 0; n < search.graph.nodes.size(); ++n) {
    int32_t &own = search.classOf[n];
    if (own < 0)
      continue;
    const auto c = static_cast<size_t>(own);
    const size_t most = std::min(sizes[c], kMostMerged);
    if (most < 2) {
      own = -1;
      continue;
    }
    if (!search.launches[c].empty())
      continue;
    const auto k = static_cast<size_t>(search.graph.nodes[n].kernel);
    const Kernel &kernel = problem.kernels[k];
    for (size_t count = 2; count <= most; ++count) {
      std::vector<WidthOption> &options = search.launches[c].emplace_back();
      for (size_t granules = 1; granules <= search.graph.granules.size(); ++granules) {
        const auto on = static_cast<int32_t>(granules);
        WidthOption best;
        best.ns = INFINITY;
        for (size_t v = 0; v < kernel.variants.size(); ++v) {
          const std::vector<MergedTask> tasks(count,
                                              {static_cast<int32_t>(k), static_cast<int32_t>(v)});
          const int64_t ns = mergedNs(problem, tasks, on);
          const std::vector<int64_t> &tiles = kernel.variants[v].phaseTiles;
          if (double(ns) < best.ns)
            best = {on, static_cast<int32_t>(v), double(ns),
                    demandOf(problem.device, ns, kernel.bytes * static_cast<int64_t>(count),
                             *std::max_element(tiles.begin(), tiles.end()) *
                                 static_cast<int64_t>(count),
                             on)};
        }
        if (options.empty() || best.ns < options.back().ns)
          options.push_back(best);
      }
    }
  }
}

SearchGraph buildSearchGraph(const Problem &problem, const Workload &workload, bool merge) {
  SearchGraph search;
  search.graph = buildTaskGraph(problem, workload);
  search.device = problem.device;
  search.doubts = neighbourDoubts(problem);
  for (size_t k = 0; k < problem.kernels.size(); ++k) {
    std::vector<WidthOption> &options = search.options.emplace_back();
    const std::vector<Choice> &choices = search.graph.choices[k];
    for (size_t count = 1; count <= choices.size(); ++count) {
      const Choice &choice = choices[count - 1];
      auto ns = static_cast<double>(choice.ns);
      if (!options.empty() && ns >= options.back().ns)
        continue;
      auto granules = static_cast<int32_t>(count);
      options.push_back({granules, choice.variant, ns,
                         demandOf(problem.device, problem.kernels[k], choice.variant, granules)});
    }
  }
  if (merge && !isHost(problem.device))
    addClasses(problem, workload, search);
  else
    search.classOf.assign(search.graph.nodes.size(), -1);
  return search;
}

Decoder::Decoder(const SearchGraph &search, size_t instanceCount)
    : search_(search), hasDoubts_(isHost(search.device)),
      besides_(search.graph.nodes.size(), search.graph.granules.size()) {
  size_t count = search.graph.nodes.size();
  tailNs_.assign(count, 0);
  for (size_t n = count; n-- > 0;) {
    for (int32_t next : search.graph.after[n])
      tailNs_[n] = std::max(tailNs_[n], tailNs_[static_cast<size_t>(next)]);
    tailNs_[n] += search.optionsOf(n).back().ns;
  }
  result_.placements.resize(count);
  result_.width.resize(count);
  result_.startNs.resize(count);
  result_.endNs.resize(count);
  result_.latencyNs.resize(instanceCount);
  missing_.resize(count);
  isPlaced_.resize(count);
  nextMember_.resize(count);
  readyOf_.resize(search.launches.size());
}

double Decoder::leftNs(const Running &r) const {
  if (!r.inBody)
    return r.target - nowNs_;
  return r.bytesPerNs > 0 ? (r.target - progress_) / rate_ : r.target - nowNs_;
}

/// When `granules` of a home are free, if nothing else starts.
double Decoder::freeTimeNs(int32_t granules, GranuleMask home) {
  int32_t count = std::popcount(free_ & home);
  if (count >= granules)
    return nowNs_;
  if (!endsKnown_) {
    ends_.clear();
    for (const Running &r : running_) {
      double left = leftNs(r);
      if (!r.inBody)
        left += r.bytesPerNs > 0 ? r.ns / rate_ : r.ns;
      ends_.emplace_back(nowNs_ + left, r.mask);
    }
    std::sort(ends_.begin(), ends_.end());
    endsKnown_ = true;
  }
  for (auto [ns, released] : ends_)
    if ((count += std::popcount(released & home)) >= granules)
      return ns;
  return INFINITY;
}

/// Whether what starts now leaves the waiting node, if there is one, when and where it starts.
bool Decoder::fitsReserved(const WidthOption &option, GranuleMask home) {
  if (!std::isfinite(reservedNs_) || nowNs_ + option.ns <= reservedNs_ ||
      (home & reservedHome_) == 0)
    return true;
  if (option.granules > reservedSpare_)
    return false;
  reservedSpare_ -= option.granules;
  return true;
}

/// A node whose predecessors have ended.
void Decoder::makeReady(int32_t node, const Decisions &decisions) {
  const auto n = static_cast<size_t>(node);
  ready_.push_back({decisions.startBy[n], node});
  if (const int32_t own = search_.classOf[n]; own >= 0 && decisions.joins[n])
    readyOf_[static_cast<size_t>(own)].push_back(node);
}

void Decoder::start(int32_t node, const WidthOption &o, GranuleMask home) {
  auto n = static_cast<size_t>(node);
  // Where the inputs were computed before elsewhere, so that lanes go on.
  GranuleMask mask = 0;
  int32_t wanted = o.granules;
  for (int32_t first : search_.graph.before[n]) {
    GranuleMask warm =
        result_.placements[static_cast<size_t>(first)].granules & free_ & home & ~mask;
    for (; warm != 0 && wanted > 0; warm &= warm - 1, --wanted)
      mask |= warm & -warm;
  }
  for (GranuleMask rest = free_ & home & ~mask; wanted > 0; rest &= rest - 1, --wanted)
    mask |= rest & -rest;
  free_ &= ~mask;
  result_.placements[n].granules = mask;
  result_.placements[n].variant = o.variant;
  result_.placements[n].leader = -1;
  result_.startNs[n] = nowNs_;
  isPlaced_[n] = true;
  nextMember_[n] = -1;
  if (const int32_t own = search_.classOf[n]; own >= 0 && !readyOf_.empty())
    std::erase(readyOf_[static_cast<size_t>(own)], node);
  running_.push_back({node, false, nowNs_ + o.demand.launchNs, o.demand.bytesPerNs, o.demand.bodyNs,
                      mask, search_.doubts[static_cast<size_t>(search_.graph.nodes[n].kernel)]});
  endsKnown_ = false;
  ++placed_;
}

/// Starts a node with others of its class, the most urgent ones first, if the launch is as fast as
/// wanted, compared with the node alone on what was decided, and takes less area than all of them
/// apart.
bool Decoder::tryStartMerged(int32_t node, size_t option, GranuleMask home,
                             const Decisions &decisions) {
  const auto n = static_cast<size_t>(node);
  const auto own = static_cast<size_t>(search_.classOf[n]);
  partners_.clear();
  for (int32_t other : readyOf_[own])
    if (other != node && decisions.home[search_.instanceOf(static_cast<size_t>(other))] == home)
      partners_.push_back({decisions.startBy[static_cast<size_t>(other)], other});
  std::sort(partners_.begin(), partners_.end(), [](const Ready &a, const Ready &b) {
    return b < a; // the order of a heap, the least first
  });
  const auto &launches = search_.launches[own];
  const WidthOption &alone = search_.optionsOf(n)[option];
  const int32_t free = std::popcount(free_ & home);
  for (size_t count = std::min(partners_.size(), launches.size()); count > 0; --count)
    for (const WidthOption &launch : launches[count - 1]) {
      if (launch.granules > free)
        break;
      if (launch.ns > kJoinedRoom[decisions.joins[n]] * alone.ns)
        continue;
      const double apart = static_cast<double>(count + 1) * alone.granules * alone.ns;
      if (launch.granules * launch.ns > kJoinedArea * apart || !fitsReserved(launch, home))
        break;
      start(node, launch, home);
      int32_t *next = &nextMember_[n];
      result_.placements[n].leader = node;
      for (size_t i = 0; i < count; ++i) {
        const int32_t other = partners_[i].node;
        const auto o = static_cast<size_t>(other);
        result_.placements[o] = result_.placements[n];
        result_.startNs[o] = nowNs_;
        isPlaced_[o] = true;
        ++placed_;
        ++result_.merged;
        std::erase(readyOf_[own], other);
        *next = other;
        next = &nextMember_[o];
        *next = -1;
      }
      return true;
    }
  return false;
}

bool Decoder::tryStart(int32_t node, const Decisions &decisions) {
  auto n = static_cast<size_t>(node);
  const std::vector<WidthOption> &options = search_.optionsOf(n);
  GranuleMask home = decisions.home[search_.instanceOf(n)];
  int32_t free = std::popcount(free_ & home), most = std::popcount(home);
  size_t option = decisions.width[n];
  while (option > 0 && options[option].granules > most)
    --option;
  if (search_.classOf[n] >= 0 && decisions.joins[n] &&
      tryStartMerged(node, option, home, decisions))
    return true;
  double waitNs = nowNs_;
  if (options[option].granules > free) {
    size_t narrow = option;
    while (narrow > 0 && options[narrow].granules > free)
      --narrow;
    waitNs = freeTimeNs(options[option].granules, home);
    if (options[narrow].granules <= free && !decisions.insists[n] &&
        nowNs_ + options[narrow].ns <= waitNs + options[option].ns) {
      option = narrow;
      waitNs = nowNs_;
    }
  }
  bool nobodyWaits = !std::isfinite(reservedNs_);
  if (waitNs > nowNs_) {
    if (nobodyWaits) {
      reservedNs_ = waitNs;
      reservedHome_ = home;
      reservedSpare_ = free - options[option].granules;
      for (auto [ns, released] : ends_)
        if (ns <= waitNs)
          reservedSpare_ += std::popcount(released & home);
    }
    return false;
  }
  if (!fitsReserved(options[option], home))
    return false;
  start(node, options[option], home);
  result_.width[n] = static_cast<uint8_t>(option);
  return true;
}

/// Gives idle granules to nodes that have just started, again and again to the one that gains most.
void Decoder::stretchStarted(size_t firstStarted, const Decisions &decisions) {
  while (free_ != 0) {
    Running *best = nullptr;
    double bestGain = 0;
    for (size_t i = firstStarted; i < running_.size(); ++i) {
      auto n = static_cast<size_t>(running_[i].node);
      if (nextMember_[n] >= 0)
        continue;
      size_t option = result_.width[n];
      const std::vector<WidthOption> &options = search_.optionsOf(n);
      int32_t free = std::popcount(free_ & decisions.home[search_.instanceOf(n)]);
      if (option >= decisions.stretch[n] ||
          options[option + 1].granules - options[option].granules > free)
        continue;
      double gain = (options[option].ns - options[option + 1].ns) /
                    (options[option + 1].granules - options[option].granules);
      if (gain > bestGain) {
        best = &running_[i];
        bestGain = gain;
      }
    }
    if (!best)
      return;
    auto n = static_cast<size_t>(best->node);
    size_t option = ++result_.width[n];
    const WidthOption &o = search_.optionsOf(n)[option];
    int32_t more = o.granules - std::popcount(best->mask);
    GranuleMask home = decisions.home[search_.instanceOf(n)];
    for (; more > 0; --more) {
      GranuleMask lowest = free_ & home & -(free_ & home);
      best->mask |= lowest;
      free_ &= ~lowest;
    }
    result_.placements[n].granules = best->mask;
    result_.placements[n].variant = o.variant;
    best->target = nowNs_ + o.demand.launchNs;
    best->bytesPerNs = o.demand.bytesPerNs;
    best->ns = o.demand.bodyNs;
  }
}

void Decoder::startReady(const Decisions &decisions) {
  reservedNs_ = INFINITY;
  held_.clear();
  size_t firstStarted = running_.size();
  while (free_ != 0 && !ready_.empty() && held_.size() < kLookahead) {
    std::pop_heap(ready_.begin(), ready_.end());
    Ready top = ready_.back();
    ready_.pop_back();
    if (!isPlaced_[static_cast<size_t>(top.node)] && !tryStart(top.node, decisions))
      held_.push_back(top);
  }
  if (held_.empty() && ready_.empty())
    stretchStarted(firstStarted, decisions);
  if (hasDoubts_)
    for (size_t i = firstStarted; i < running_.size(); ++i)
      result_.doubtNs += besides_.start(running_[i].node, running_[i].mask, search_.graph.before);
  for (const Ready &r : held_)
    if (!isPlaced_[static_cast<size_t>(r.node)]) {
      ready_.push_back(r);
      std::push_heap(ready_.begin(), ready_.end());
    }
}

void Decoder::passTime() {
  double wanted = 0, doubt = 0;
  for (const Running &r : running_) {
    wanted += r.inBody ? r.bytesPerNs : 0;
    doubt = std::max(doubt, r.doubt);
  }
  double most = search_.device.bytesPerNs;
  rate_ = most > 0 && wanted > most ? most / wanted : 1;
  double left = INFINITY;
  for (const Running &r : running_)
    left = std::min(left, leftNs(r));
  left = std::max(left, 0.0);
  if (hasDoubts_ && running_.size() > 1)
    result_.doubtNs += besides_.pass(left, doubt);
  nowNs_ += left;
  progress_ += left * rate_;
  endsKnown_ = false;
}

const Decoded &Decoder::decode(const Decisions &decisions, double limitNs) {
  const TaskGraph &graph = search_.graph;
  nowNs_ = progress_ = result_.doubtNs = 0;
  besides_.clear();
  rate_ = 1;
  limitNs_ = limitNs;
  hopeless_ = false;
  placed_ = 0;
  result_.merged = 0;
  running_.clear();
  ready_.clear();
  std::fill(isPlaced_.begin(), isPlaced_.end(), 0);
  for (std::vector<int32_t> &nodes : readyOf_)
    nodes.clear();
  endsKnown_ = false;
  free_ = 0;
  for (int32_t g : graph.granules)
    free_ |= GranuleMask(1) << g;
  std::fill(result_.latencyNs.begin(), result_.latencyNs.end(), 0);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    missing_[n] = static_cast<int32_t>(graph.before[n].size());
    if (missing_[n] == 0)
      makeReady(static_cast<int32_t>(n), decisions);
  }
  std::make_heap(ready_.begin(), ready_.end());

  bool anyEnded = true;
  while (placed_ < graph.nodes.size() || !running_.empty()) {
    if (anyEnded)
      startReady(decisions);
    if (hopeless_)
      break;
    passTime();
    anyEnded = false;
    std::erase_if(running_, [&](Running &r) {
      if (leftNs(r) > kSlackNs)
        return false;
      if (!r.inBody && r.ns > 0) {
        r.inBody = true;
        r.target = (r.bytesPerNs > 0 ? progress_ : nowNs_) + r.ns;
        return false;
      }
      anyEnded = true;
      free_ |= r.mask;
      for (int32_t member = r.node; member >= 0;
           member = nextMember_[static_cast<size_t>(member)]) {
        const auto n = static_cast<size_t>(member);
        result_.endNs[n] = nowNs_;
        result_.latencyNs[search_.instanceOf(n)] = nowNs_;
        for (int32_t next : graph.after[n])
          if (--missing_[static_cast<size_t>(next)] == 0) {
            hopeless_ |= nowNs_ + tailNs_[static_cast<size_t>(next)] >= limitNs_;
            makeReady(next, decisions);
            std::push_heap(ready_.begin(), ready_.end());
          }
      }
      return true;
    });
  }
  if (hasDoubts_)
    result_.doubtNs += besides_.meet();
  result_.makespanNs = hopeless_ ? INFINITY : nowNs_;
  return result_;
}

std::vector<std::pair<int32_t, int32_t>> criticalChain(const SearchGraph &search,
                                                       const Decoded &decoded) {
  const TaskGraph &graph = search.graph;
  std::vector<int32_t> order(graph.nodes.size());
  std::iota(order.begin(), order.end(), 0);
  auto start = [&](int32_t n) { return decoded.startNs[static_cast<size_t>(n)]; };
  std::sort(order.begin(), order.end(),
            [&](int32_t a, int32_t b) { return std::pair(start(a), a) < std::pair(start(b), b); });
  std::vector<int32_t> cause(graph.nodes.size(), -1);
  int32_t lastOn[64];
  std::fill(std::begin(lastOn), std::end(lastOn), -1);
  int32_t last = -1;
  for (int32_t node : order) {
    auto n = static_cast<size_t>(node);
    auto consider = [&](int32_t first) {
      if (first >= 0 && (cause[n] < 0 || decoded.endNs[static_cast<size_t>(first)] >
                                             decoded.endNs[static_cast<size_t>(cause[n])]))
        cause[n] = first;
    };
    for (int32_t first : graph.before[n])
      consider(first);
    for (GranuleMask rest = decoded.placements[n].granules; rest != 0; rest &= rest - 1) {
      int32_t &previous = lastOn[std::countr_zero(rest)];
      consider(previous);
      previous = node;
    }
    if (last < 0 || decoded.endNs[n] > decoded.endNs[static_cast<size_t>(last)])
      last = node;
  }
  std::vector<std::pair<int32_t, int32_t>> chain;
  for (int32_t node = last; node >= 0; node = cause[static_cast<size_t>(node)]) {
    auto n = static_cast<size_t>(node);
    const std::vector<int32_t> &before = graph.before[n];
    bool isDependence = std::find(before.begin(), before.end(), cause[n]) != before.end();
    chain.emplace_back(node, isDependence ? -1 : cause[n]);
  }
  return chain;
}

} // namespace mtc
