//===- Sections.h - the questions to a GPU --------------------------------===//
//
// Each is a function that answers as JSON (README.md says what the fields mean), asked in a process
// of its own: what loses the device or hangs costs one answer.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Device.h"

namespace probe {

struct Section {
  const char *name;
  Json (*ask)(Device &);
};

/// All questions, in the order of the report.
const std::vector<Section> &sections();

// Placement.cpp: where nodes run.
Json askDevice(Device &device);
Json askPartitions(Device &device);
Json askUnions(Device &device);
Json askContexts(Device &device);

// Edges.cpp: when nodes run.
Json askEdges(Device &device);
Json askPriorities(Device &device);
Json askRanges(Device &device);

// Costs.cpp: what launches cost the host.
Json askLaunches(Device &device);
Json askSwitches(Device &device);
Json askCopies(Device &device);
Json askGraphPerPartition(Device &device);

// Throughput.cpp: what partitions take from each other.
Json askCompute(Device &device);
Json askBandwidth(Device &device);

} // namespace probe
