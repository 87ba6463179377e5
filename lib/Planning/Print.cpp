//===- Print.cpp - the text form of a plan --------------------------------===//
#include "mtc/Planning/Plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace mtc {

static std::string printGranules(GranuleMask mask) {
  std::string text;
  for (int granule = 0; granule < 64; ++granule)
    if (mask >> granule & 1)
      text += fmt::format("{}{}", text.empty() ? "" : ",", granule);
  return text;
}

static std::string printBuffer(const BufferRef &ref) {
  switch (ref.space) {
  case Space::Arena:
    return fmt::format("arena {} [{}, {})", ref.index, ref.offset, ref.offset + ref.bytes);
  case Space::Input:
    return fmt::format("input {}", ref.index);
  case Space::Output:
    return fmt::format("output {}", ref.index);
  case Space::Weight:
    return fmt::format("weight {}", ref.index);
  }
  return "?";
}

std::string printPlan(const Problem &problem, const Schedule &schedule, const Plan &plan) {
  std::string text =
      fmt::format("plan {} policy {} granules {} makespan {} ns\n", plan.name, schedule.policy,
                  printGranules(schedule.workload.granules), schedule.makespanNs);
  for (size_t a = 0; a < plan.arenas.size(); ++a)
    text += fmt::format("  arena {} isolation '{}' {} bytes\n", a, plan.arenas[a].isolation,
                        plan.arenas[a].bytes);
  for (size_t c = 0; c < plan.commands.size(); ++c) {
    const Command &command = plan.commands[c];
    const Kernel &kernel = problem.kernels[static_cast<size_t>(command.kernel)];
    std::string reads, writes;
    for (size_t o = 0; o < command.buffers.size(); ++o) {
      std::string &list = kernel.operands[o] == Access::Write ? writes : reads;
      list += fmt::format("{}{}", list.empty() ? "" : ", ", printBuffer(command.buffers[o]));
    }
    text += fmt::format("  {}: {}{} kernel {} variant {} lane {} granules {} waits [{}] reads ({}) "
                        "writes ({})\n",
                        c, command.merged ? "merged " : "",
                        describePlace(problem, schedule, command.place), kernel.name,
                        command.variant, command.lane, printGranules(command.granules),
                        fmt::join(command.waits, ", "), reads, writes);
  }
  return text;
}

} // namespace mtc
