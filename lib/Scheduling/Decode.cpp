//===- Decode.cpp - once through time -------------------------------------===//
#include "Decode.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace mtc {

/// Less than what is left of a task that has ended: sums of doubles are not exact.
static constexpr double kSlackNs = 1e-6;
/// Nodes that may be passed over at one moment; more are looked at when something ends.
static constexpr size_t kLookahead = 12;

SearchGraph buildSearchGraph(const Problem &problem, const Workload &workload) {
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

void Decoder::start(int32_t node, size_t option, GranuleMask home) {
  auto n = static_cast<size_t>(node);
  const WidthOption &o = search_.optionsOf(n)[option];
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
  result_.width[n] = static_cast<uint8_t>(option);
  result_.startNs[n] = nowNs_;
  running_.push_back({node, false, nowNs_ + o.demand.launchNs, o.demand.bytesPerNs, o.demand.bodyNs,
                      mask, search_.doubts[static_cast<size_t>(search_.graph.nodes[n].kernel)]});
  endsKnown_ = false;
  ++placed_;
}

bool Decoder::tryStart(int32_t node, const Decisions &decisions) {
  auto n = static_cast<size_t>(node);
  const std::vector<WidthOption> &options = search_.optionsOf(n);
  GranuleMask home = decisions.home[search_.instanceOf(n)];
  int32_t free = std::popcount(free_ & home), most = std::popcount(home);
  size_t option = decisions.width[n];
  while (option > 0 && options[option].granules > most)
    --option;
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
  const WidthOption &o = options[option];
  if (!nobodyWaits && nowNs_ + o.ns > reservedNs_ && (home & reservedHome_) != 0) {
    if (o.granules > reservedSpare_)
      return false;
    reservedSpare_ -= o.granules;
  }
  start(node, option, home);
  return true;
}

/// Gives idle granules to nodes that have just started, again and again to the one that gains most.
void Decoder::stretchStarted(size_t firstStarted, const Decisions &decisions) {
  while (free_ != 0) {
    Running *best = nullptr;
    double bestGain = 0;
    for (size_t i = firstStarted; i < running_.size(); ++i) {
      auto n = static_cast<size_t>(running_[i].node);
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
    if (!tryStart(top.node, decisions))
      held_.push_back(top);
  }
  if (held_.empty() && ready_.empty())
    stretchStarted(firstStarted, decisions);
  if (hasDoubts_)
    for (size_t i = firstStarted; i < running_.size(); ++i)
      result_.doubtNs += besides_.start(running_[i].node, running_[i].mask, search_.graph.before);
  for (const Ready &r : held_) {
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
  running_.clear();
  ready_.clear();
  endsKnown_ = false;
  free_ = 0;
  for (int32_t g : graph.granules)
    free_ |= GranuleMask(1) << g;
  std::fill(result_.latencyNs.begin(), result_.latencyNs.end(), 0);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    missing_[n] = static_cast<int32_t>(graph.before[n].size());
    if (missing_[n] == 0)
      ready_.push_back({decisions.startBy[n], static_cast<int32_t>(n)});
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
      auto n = static_cast<size_t>(r.node);
      anyEnded = true;
      free_ |= r.mask;
      result_.endNs[n] = nowNs_;
      result_.latencyNs[search_.instanceOf(n)] = nowNs_;
      for (int32_t next : graph.after[n])
        if (--missing_[static_cast<size_t>(next)] == 0) {
          hopeless_ |= nowNs_ + tailNs_[static_cast<size_t>(next)] >= limitNs_;
          ready_.push_back({decisions.startBy[static_cast<size_t>(next)], next});
          std::push_heap(ready_.begin(), ready_.end());
        }
      return true;
    });
  }
  if (hasDoubts_)
    result_.doubtNs += besides_.meet();
  result_.makespanNs = hopeless_ ? INFINITY : nowNs_;
  return result_;
}

} // namespace mtc
