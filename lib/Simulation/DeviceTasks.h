//===- DeviceTasks.h - places as the device sees them (internal) ----------===//
#pragma once

#include "SharedDevice.h"
#include "mtc/Scheduling/MergePlaces.h"

#include <algorithm>
#include <bit>

namespace mtc {

/// Units of a variant's widest phase on `granules`.
inline double unitsOf(const Variant &variant, const Device &device, int32_t granules) {
  int64_t tiles = *std::max_element(variant.phaseTiles.begin(), variant.phaseTiles.end());
  return static_cast<double>(std::min<int64_t>(tiles, int64_t(granules) * device.unitsPerGranule));
}

/// A use of a kernel's variant on some granules.
inline DeviceTask deviceTask(const Device &device, const Kernel &kernel, int32_t variantIndex,
                             GranuleMask granules, bool shared) {
  const Variant &variant = kernel.variants[static_cast<size_t>(variantIndex)];
  int32_t count = std::popcount(granules);
  auto ns = static_cast<double>(variantNs(variant, count));
  DeviceTask task;
  task.launchNs = std::min(ns, static_cast<double>(device.launchNs));
  task.bodyNs = ns - task.launchNs;
  // A kernel that works out of caches may be faster than memory: then it does not draw all of it.
  task.bytes = static_cast<double>(kernel.bytes);
  if (device.bytesPerNs > 0)
    task.bytes = std::min(task.bytes, device.bytesPerNs * task.bodyNs);
  task.units = unitsOf(variant, device, count);
  task.granules = granules;
  task.shared = shared;
  return task;
}

inline DeviceTask deviceTask(const Problem &problem, const Schedule &schedule, const Place &place) {
  int32_t entry = schedule.workload.instances[static_cast<size_t>(place.instance)];
  const Task &task =
      problem.entries[static_cast<size_t>(entry)].tasks[static_cast<size_t>(place.task)];
  return deviceTask(problem.device, problem.kernels[static_cast<size_t>(task.kernel)],
                    place.variant, place.granules, place.shared);
}

/// What place `first` adds to the device: its command with all that is merged with it, or nothing
/// if it is merged itself.
inline DeviceTask commandTask(const Problem &problem, const Schedule &schedule, size_t first) {
  const auto &places = schedule.places;
  if (places[first].merged)
    return {};
  DeviceTask command = deviceTask(problem, schedule, places[first]);
  size_t end = first + 1;
  for (; end < places.size() && places[end].merged; ++end) {
    const DeviceTask task = deviceTask(problem, schedule, places[end]);
    command.bytes += task.bytes;
    command.units += task.units;
  }
  if (end == first + 1)
    return command;
  const auto ns = static_cast<double>(
      commandNs(problem, schedule, static_cast<int32_t>(first), static_cast<int32_t>(end)));
  const Device &device = problem.device;
  command.launchNs = std::min(ns, static_cast<double>(device.launchNs));
  command.bodyNs = ns - command.launchNs;
  if (device.bytesPerNs > 0)
    command.bytes = std::min(command.bytes, device.bytesPerNs * command.bodyNs);
  command.units =
      std::min(command.units, double(std::popcount(command.granules)) * device.unitsPerGranule);
  return command;
}

} // namespace mtc
