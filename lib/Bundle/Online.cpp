//===- Online.cpp - rows for who decides at run time ----------------------===//
#include "mtc/Bundle/Online.h"
#include "mtc/Support/DeviceTable.h"
#include "mtc/Support/MigProfiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <set>

namespace mtc {
namespace {

const char *sourceOf(const Problem &problem, const Schedule &schedule) {
  bool isMeasured = true, isLearned = true;
  for (const Place &place : schedule.places) {
    const Entry &entry = problem.entries[static_cast<size_t>(
        schedule.workload.instances[static_cast<size_t>(place.instance)])];
    const int32_t kernel = entry.tasks[static_cast<size_t>(place.task)].kernel;
    for (const ShareTime &time : problem.kernels[static_cast<size_t>(kernel)]
                                     .variants[static_cast<size_t>(place.variant)]
                                     .times) {
      isMeasured &= time.origin == TimeOrigin::Measured;
      isLearned &= time.origin != TimeOrigin::Modelled;
    }
  }
  return isMeasured ? "measured" : isLearned ? "learned" : "modelled";
}

/// Bytes of arenas that commands before each point wrote and later ones read: by number of
/// commands.
std::vector<int64_t> liveAfter(const Problem &problem, const Plan &plan) {
  struct Range {
    int64_t bytes = 0;
    size_t written = 0, lastRead = 0;
  };
  std::map<std::tuple<int32_t, int64_t, int64_t>, Range> current; // by arena, offset, bytes
  std::vector<int64_t> change(plan.commands.size() + 1, 0);
  auto close = [&](const Range &range) {
    if (range.lastRead > range.written) {
      change[range.written] += range.bytes;
      change[range.lastRead] -= range.bytes;
    }
  };
  for (size_t c = 0; c < plan.commands.size(); ++c) {
    const Command &command = plan.commands[c];
    const Kernel &kernel = problem.kernels[static_cast<size_t>(command.kernel)];
    for (size_t b = 0; b < command.buffers.size(); ++b) {
      const BufferRef &buffer = command.buffers[b];
      if (buffer.space != Space::Arena)
        continue;
      const bool isWritten = b < kernel.operands.size() && kernel.operands[b] != Access::Read;
      auto &range = current[{buffer.index, buffer.offset, buffer.bytes}];
      if (isWritten) {
        close(range);
        range = {buffer.bytes, c, c};
      } else {
        range.lastRead = c;
      }
    }
  }
  for (const auto &[key, range] : current)
    close(range);
  std::vector<int64_t> live(plan.commands.size(), 0);
  int64_t bytes = 0;
  for (size_t c = 0; c < live.size(); ++c)
    live[c] = bytes += change[c];
  return live;
}

std::vector<SegmentRow> segmentsOf(const Problem &problem, const Schedule &schedule,
                                   const Plan &plan, int64_t quantumNs) {
  const std::vector<int64_t> live = liveAfter(problem, plan);
  std::vector<SegmentRow> segments;
  int64_t endNs = 0, cutNs = 0;
  for (size_t c = 0; c < plan.commands.size(); ++c) {
    const Place &place = schedule.places[static_cast<size_t>(plan.commands[c].place)];
    endNs = std::max(endNs, place.startNs + place.durationNs);
    if (c + 1 < plan.commands.size() && (endNs - cutNs < quantumNs || plan.commands[c + 1].merged))
      continue;
    segments.push_back(
        {static_cast<int32_t>(c + 1), endNs - cutNs, c + 1 < plan.commands.size() ? live[c] : 0});
    cutNs = endNs;
  }
  return segments;
}

/// What the tasks of an entry draw and touch.
void addUse(const Problem &problem, const Schedule &schedule, SoloRow &row) {
  const Device &device = problem.device;
  const Entry &entry = problem.entries[static_cast<size_t>(row.entry)];
  double unitNs = 0, slowedNs = 0;
  for (const Place &place : schedule.places) {
    const Kernel &kernel =
        problem.kernels[static_cast<size_t>(entry.tasks[static_cast<size_t>(place.task)].kernel)];
    const Variant &variant = kernel.variants[static_cast<size_t>(place.variant)];
    const int64_t tiles = *std::max_element(variant.phaseTiles.begin(), variant.phaseTiles.end());
    const auto ns = static_cast<double>(std::max<int64_t>(1, place.durationNs));
    unitNs += ns * static_cast<double>(std::min<int64_t>(
                       tiles, int64_t(std::popcount(place.granules)) * device.unitsPerGranule));
    row.movedBytes += kernel.bytes;
    // Beside neighbours that want all of the bandwidth, both get their part of it.
    if (device.bytesPerNs > 0)
      slowedNs += std::min(ns, static_cast<double>(kernel.bytes) / device.bytesPerNs);
  }
  for (const Value &value : entry.values) {
    row.pressure.footprint += static_cast<double>(value.bytes);
    row.weightBytes += value.kind == ValueKind::Weight ? value.bytes : 0;
  }
  const auto allNs = static_cast<double>(std::max<int64_t>(1, row.meanNs));
  row.pressure.units =
      std::min(1.0, unitNs / (allNs * device.granules * double(device.unitsPerGranule)));
  row.pressure.bandwidth =
      device.bytesPerNs > 0
          ? std::min(1.0, static_cast<double>(row.movedBytes) / (allNs * device.bytesPerNs))
          : 0;
  row.bandwidthSensitivity = slowedNs / allNs;
}

/// The GPU that a resolved target "cuda:sm_90a[,gpu=NAME],units=N" stands for; null for a host.
const GpuRow *gpuOf(std::string_view target) {
  if (!target.starts_with("cuda:"))
    return nullptr;
  const size_t named = target.find(",gpu=");
  std::string_view name = target.substr(named == std::string_view::npos ? 5 : named + 5);
  name = name.substr(0, name.find(','));
  for (const GpuRow &row : gpuRows())
    if (name == (named == std::string_view::npos ? row.architecture : row.name))
      return &row;
  return nullptr;
}

/// Instances that MIG can make side by side: what four of the seven compute slices are split into,
/// times what the other three are; or all in one.
/// Source: NVIDIA Multi-Instance GPU user guide, "Supported MIG Profiles" (A100, H100).
std::vector<std::vector<int32_t>> migSplits() {
  std::vector<std::vector<int32_t>> splits = {{7}};
  for (const std::vector<int32_t> &four :
       {std::vector<int32_t>{4}, {3}, {2, 2}, {2, 1, 1}, {1, 1, 1, 1}})
    for (const std::vector<int32_t> &three : {std::vector<int32_t>{3}, {2, 1}, {1, 1, 1}}) {
      splits.push_back(four);
      splits.back().insert(splits.back().end(), three.begin(), three.end());
    }
  return splits;
}

/// A layout of MIG instances on a GPU of this name; no masks: one of them has no whole granule, or
/// the device is less than the GPU.
LayoutRow migLayout(const Device &device, std::string_view gpu, const std::vector<int32_t> &split) {
  LayoutRow row;
  row.name = "mig";
  row.reconfigureNs = kMigReconfigureNs;
  int32_t at = 0;
  for (int32_t slices : split)
    for (const MigProfile &profile : migProfiles()) {
      if (profile.gpu != gpu || profile.slices != slices)
        continue;
      const int32_t granules = profile.units / device.unitsPerGranule;
      if (granules == 0 || at + granules > device.granules)
        return {};
      row.name += fmt::format("{}{}g", row.masks.empty() ? " " : "+", slices);
      row.masks.push_back(allGranules(granules) << at);
      row.partUnits.push_back(profile.units);
      row.partMemoryBytes.push_back(profile.memoryMib << 20);
      at += granules;
    }
  if (row.masks.size() != split.size())
    return {};
  row.units = row.partUnits[0];
  row.memoryBytes = row.partMemoryBytes[0];
  return row;
}

/// Splits into equal parts, and into one part and the rest; on a GPU those that MIG knows.
std::vector<LayoutRow> layoutsOf(const Device &device) {
  std::vector<LayoutRow> layouts;
  std::set<std::vector<GranuleMask>> seen;
  auto add = [&](const std::vector<int32_t> &sizes, const std::string &name) {
    LayoutRow row;
    row.name = name;
    int32_t at = 0;
    for (int32_t size : sizes) {
      row.masks.push_back(allGranules(size) << at);
      row.partUnits.push_back(int64_t(size) * device.unitsPerGranule);
      at += size;
    }
    row.units = row.partUnits[0];
    if (seen.insert(row.masks).second)
      layouts.push_back(std::move(row));
  };
  const int32_t all = device.granules;
  for (int32_t parts = 1; parts <= all; ++parts)
    if (all % parts == 0)
      add(std::vector<int32_t>(static_cast<size_t>(parts), all / parts),
          fmt::format("{}x{}", parts, all / parts));
  for (int32_t fifth = 1; fifth < 5; ++fifth)
    if (int32_t first = all * fifth / 5; first > 0)
      add({first, all - first}, fmt::format("{}+{}", first, all - first));
  if (const GpuRow *gpu = gpuOf(device.target))
    for (const std::vector<int32_t> &split : migSplits())
      if (LayoutRow row = migLayout(device, gpu->name, split); !row.masks.empty())
        layouts.push_back(std::move(row));
  return layouts;
}

} // namespace

OnlineTables makeOnlineTables(const Problem &problem, const std::vector<Schedule> &schedules,
                              const std::vector<Plan> &plans, int64_t quantumNs) {
  OnlineTables tables;
  tables.layouts = layoutsOf(problem.device);
  for (size_t s = 0; s < schedules.size() && s < plans.size(); ++s) {
    const Schedule &schedule = schedules[s];
    const Workload &workload = schedule.workload;
    if (workload.instances.size() > 1) {
      tables.mixes.push_back({static_cast<int32_t>(s), workload.instances, latenciesNs(schedule),
                              schedule.makespanNs});
      continue;
    }
    const int32_t granules = std::popcount(workload.granules);
    if (workload.granules != allGranules(granules))
      continue;
    SoloRow row;
    row.schedule = static_cast<int32_t>(s);
    row.entry = workload.instances[0];
    row.granules = granules;
    row.meanNs = row.p50Ns = row.p99Ns = schedule.makespanNs;
    row.source = sourceOf(problem, schedule);
    row.device = problem.device.target;
    for (const Arena &arena : plans[s].arenas)
      row.arenaBytes += arena.bytes;
    row.maximalInstances = std::max(1, problem.device.granules / std::max(1, granules));
    addUse(problem, schedule, row);
    row.segments = segmentsOf(problem, schedule, plans[s], quantumNs);
    tables.solos.push_back(std::move(row));
  }
  return tables;
}

} // namespace mtc
