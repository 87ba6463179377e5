//===- Clock.h - what a thread knows of others ----------------------------===//
//
// Between two barriers of the block only mbarriers order threads. Each actor - a thread, or the
// copies that signal an mbarrier - counts its releases; a clock holds how far its owner knows each
// of them. What an actor did at a tick that another knows has happened before.
// Source: C. Flanagan, S. Freund, "FastTrack: efficient and precise dynamic race detection", PLDI
// 2009.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace mtc::emulator {

class Clock {
public:
  uint32_t of(int64_t actor) const { return size_t(actor) < ticks.size() ? ticks[actor] : 0; }
  void set(int64_t actor, uint32_t tick) {
    if (size_t(actor) >= ticks.size())
      ticks.resize(actor + 1);
    ticks[actor] = tick;
  }
  /// Learns all that `other` knows.
  void join(const Clock &other) {
    ticks.resize(std::max(ticks.size(), other.ticks.size()));
    for (size_t i = 0; i < other.ticks.size(); ++i)
      ticks[i] = std::max(ticks[i], other.ticks[i]);
  }
  /// Forgets what `other` does not know.
  void meet(const Clock &other) {
    ticks.resize(std::min(ticks.size(), other.ticks.size()));
    for (size_t i = 0; i < ticks.size(); ++i)
      ticks[i] = std::min(ticks[i], other.ticks[i]);
  }

private:
  std::vector<uint32_t> ticks;
};

} // namespace mtc::emulator
