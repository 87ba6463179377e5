//===- Steps.cpp - a plan cut into graphs by contexts ---------------------===//
#include "Steps.h"

#include <algorithm>
#include <map>

namespace mtc::gpu {

std::vector<StepCut> cutByContexts(const std::vector<Command> &commands,
                                   const std::vector<int32_t> &contextOf) {
  std::vector<int32_t> changes(commands.size());
  std::map<std::pair<int32_t, int32_t>, StepCut> cuts; // by changes, context
  for (size_t c = 0; c < commands.size(); ++c) {
    for (int32_t wait : commands[c].waits) {
      const auto w = static_cast<size_t>(wait);
      changes[c] = std::max(changes[c], changes[w] + (contextOf[w] != contextOf[c]));
    }
    cuts[{changes[c], contextOf[c]}].commands.push_back(static_cast<int32_t>(c));
  }
  std::vector<StepCut> steps;
  std::vector<int32_t> stepOf(commands.size());
  for (auto &[key, cut] : cuts) {
    cut.context = key.second;
    for (int32_t c : cut.commands)
      stepOf[static_cast<size_t>(c)] = static_cast<int32_t>(steps.size());
    steps.push_back(std::move(cut));
  }
  for (StepCut &step : steps) {
    for (int32_t c : step.commands)
      for (int32_t wait : commands[static_cast<size_t>(c)].waits)
        if (contextOf[static_cast<size_t>(wait)] != step.context)
          step.after.push_back(stepOf[static_cast<size_t>(wait)]);
    std::sort(step.after.begin(), step.after.end());
    step.after.erase(std::unique(step.after.begin(), step.after.end()), step.after.end());
  }
  return steps;
}

} // namespace mtc::gpu
