//===- StreamCalls.cpp - streams and events -------------------------------===//
#include "StreamCalls.h"

#include <fmt/format.h>

#include <cstring>

namespace mtc::fake {
namespace {

bool isLive(Stream *stream) { return fake().streams.count(stream) != 0; }
bool isLive(Event *event) { return fake().events.count(event) != 0; }

CUresult noStream(const char *name) {
  return violation(fmt::format("{}: no such stream or event", name), CUDA_ERROR_INVALID_HANDLE);
}

CUresult waitFor(Event &event) {
  return event.stream && event.stream->done < event.position ? drain(*event.stream, event.position)
                                                             : CUDA_SUCCESS;
}

/// The host has waited for these launches.
CUresult ended(CUresult result, const Launches &launches) {
  if (result == CUDA_SUCCESS)
    endLaunches(launches);
  return result;
}

} // namespace

CUresult fake_cuStreamCreate(CUstream *stream, unsigned flags) {
  return call(
      "cuStreamCreate", {{"flags", flags}},
      [&](Json &) {
        auto *made = new Stream();
        fake().streams.insert(made);
        *stream = reinterpret_cast<CUstream>(made);
        return CUDA_SUCCESS;
      },
      false, true);
}

CUresult fake_cuStreamDestroy(CUstream handle) {
  return call(
      "cuStreamDestroy", {},
      [&](Json &) {
        Fake &f = fake();
        auto *stream = reinterpret_cast<Stream *>(handle);
        if (f.streams.erase(stream) == 0)
          return noStream("cuStreamDestroy");
        for (Event *event : f.events)
          if (event->stream == stream)
            event->stream = nullptr; // what was recorded has happened
        const CUresult result = f.lost == CUDA_SUCCESS ? drain(*stream) : CUDA_SUCCESS;
        endLaunches(stream->behind);
        delete stream;
        return result;
      },
      true);
}

CUresult fake_cuStreamSynchronize(CUstream handle) {
  return call("cuStreamSynchronize", {}, [&](Json &) {
    auto *stream = reinterpret_cast<Stream *>(handle);
    return isLive(stream) ? ended(drain(*stream), stream->behind) : noStream("cuStreamSynchronize");
  });
}

CUresult fake_cuStreamWaitEvent(CUstream handle, CUevent eventHandle, unsigned flags) {
  return call("cuStreamWaitEvent", {{"flags", flags}}, [&](Json &) {
    auto *stream = reinterpret_cast<Stream *>(handle);
    auto *event = reinterpret_cast<Event *>(eventHandle);
    if (!isLive(stream) || !isLive(event))
      return noStream("cuStreamWaitEvent");
    const Event now = *event; // a later record does not matter
    stream->work.push_back([now] {
      Event recorded = now;
      return recorded.stream && isLive(recorded.stream) ? waitFor(recorded) : CUDA_SUCCESS;
    });
    ++stream->queued;
    stream->behind.insert(now.behind.begin(), now.behind.end());
    return CUDA_SUCCESS;
  });
}

CUresult fake_cuEventCreate(CUevent *event, unsigned flags) {
  return call(
      "cuEventCreate", {{"flags", flags}},
      [&](Json &) {
        auto *made = new Event();
        made->isTimed = (flags & CU_EVENT_DISABLE_TIMING) == 0;
        fake().events.insert(made);
        *event = reinterpret_cast<CUevent>(made);
        return CUDA_SUCCESS;
      },
      false, true);
}

CUresult fake_cuEventDestroy(CUevent handle) {
  return call(
      "cuEventDestroy", {},
      [&](Json &) {
        auto *event = reinterpret_cast<Event *>(handle);
        if (fake().events.erase(event) == 0)
          return noStream("cuEventDestroy");
        delete event;
        return CUDA_SUCCESS;
      },
      true);
}

CUresult fake_cuEventRecord(CUevent eventHandle, CUstream handle) {
  return call("cuEventRecord", {}, [&](Json &) {
    auto *stream = reinterpret_cast<Stream *>(handle);
    auto *event = reinterpret_cast<Event *>(eventHandle);
    if (!isLive(stream) || !isLive(event))
      return noStream("cuEventRecord");
    event->atNs = std::make_shared<uint64_t>(0);
    // An event may be destroyed before it has happened.
    stream->work.push_back([at = event->atNs] {
      *at = tellTime();
      return CUDA_SUCCESS;
    });
    event->stream = stream;
    event->position = ++stream->queued;
    event->behind = stream->behind;
    return CUDA_SUCCESS;
  });
}

/// Each question lets one more piece of work happen, so that polling ends.
CUresult fake_cuEventQuery(CUevent handle) {
  return call("cuEventQuery", {}, [&](Json &) {
    auto *event = reinterpret_cast<Event *>(handle);
    if (!isLive(event))
      return noStream("cuEventQuery");
    if (!event->stream || event->stream->done >= event->position)
      return ended(CUDA_SUCCESS, event->behind);
    const CUresult result = drain(*event->stream, event->stream->done + 1);
    return result == CUDA_SUCCESS ? CUDA_ERROR_NOT_READY : result;
  });
}

CUresult fake_cuEventSynchronize(CUevent handle) {
  return call("cuEventSynchronize", {}, [&](Json &) {
    auto *event = reinterpret_cast<Event *>(handle);
    return isLive(event) ? ended(waitFor(*event), event->behind) : noStream("cuEventSynchronize");
  });
}

CUresult fake_cuEventElapsedTime(float *milliseconds, CUevent startHandle, CUevent endHandle) {
  return call("cuEventElapsedTime", {}, [&](Json &) {
    auto *start = reinterpret_cast<Event *>(startHandle);
    auto *end = reinterpret_cast<Event *>(endHandle);
    for (const Event *event : {start, end}) {
      if (!fake().events.count(const_cast<Event *>(event)))
        return noStream("cuEventElapsedTime");
      if (!event->isTimed)
        return violation("cuEventElapsedTime: an event was made without a time",
                         CUDA_ERROR_INVALID_HANDLE);
      if (!event->atNs)
        return violation("cuEventElapsedTime: an event was never recorded",
                         CUDA_ERROR_INVALID_HANDLE);
      if (*event->atNs == 0)
        return violation("cuEventElapsedTime: nobody has waited for an event",
                         CUDA_ERROR_NOT_READY);
    }
    *milliseconds = static_cast<float>(
        static_cast<double>(static_cast<int64_t>(*end->atNs - *start->atNs)) / 1e6);
    return CUDA_SUCCESS;
  });
}

namespace {

/// Queues work on bytes: with others that nothing orders it must agree as nodes of graphs must.
CUresult enqueue(const char *name, CUstream handle, std::vector<Touch> touches,
                 std::function<void()> work) {
  Fake &f = fake();
  auto *stream = reinterpret_cast<Stream *>(handle);
  if (!isLive(stream))
    return noStream(name);
  const auto isThere = [](const std::vector<Touch> &all) {
    for (const Touch &touch : all)
      if (!(touch.isDevice ? isDeviceMemory(touch.begin, touch.end - touch.begin)
                           : isHostMemory(touch.begin, touch.end - touch.begin)))
        return false;
    return true;
  };
  if (!isThere(touches))
    return violation(
        fmt::format("{}: memory that is not mapped, or not allocated of the host", name));
  Exec exec;
  exec.nodes.emplace_back().touches = touches;
  exec.isEnabled = {true};
  if (const std::string race = findRaceWithOthers(exec, *stream); !race.empty())
    return violation(fmt::format("{}: {}", name, race));
  f.underWay[++f.launches] = exec.nodes;
  stream->behind.insert(f.launches);
  stream->work.push_back([touches, isThere, work] {
    if (!isThere(touches))
      return violation("memory of a copy is gone before it runs", CUDA_ERROR_ILLEGAL_ADDRESS);
    work();
    return CUDA_SUCCESS;
  });
  ++stream->queued;
  return CUDA_SUCCESS;
}

} // namespace

CUresult fake_cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream handle) {
  return call(
      "cuMemcpyDtoDAsync", {{"bytes", bytes}},
      [&](Json &) {
        if (to < from + bytes && from < to + bytes)
          return violation("cuMemcpyDtoDAsync: the memory overlaps");
        return enqueue("cuMemcpyDtoDAsync", handle,
                       {{from, from + bytes, false}, {to, to + bytes, true}}, [=] {
                         std::memcpy(reinterpret_cast<void *>(to),
                                     reinterpret_cast<const void *>(from), bytes);
                       });
      },
      false, true);
}

CUresult fake_cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t bytes, CUstream handle) {
  return call(
      "cuMemcpyDtoHAsync", {{"bytes", bytes}},
      [&](Json &) {
        const auto begin = reinterpret_cast<uintptr_t>(to);
        const CUresult result =
            enqueue("cuMemcpyDtoHAsync", handle,
                    {{from, from + bytes, false}, {begin, begin + bytes, true, false}},
                    [=] { std::memcpy(to, reinterpret_cast<const void *>(from), bytes); });
        // Who reads it before it is there finds something else.
        if (result == CUDA_SUCCESS)
          std::memset(to, 0xFF, bytes);
        return result;
      },
      false, true);
}

CUresult fake_cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream handle) {
  return call(
      "cuMemsetD32Async", {{"value", value}, {"count", count}},
      [&](Json &) {
        if (to % 4 != 0)
          return violation("cuMemsetD32Async: the address is not aligned");
        return enqueue("cuMemsetD32Async", handle, {{to, to + 4 * count, true}}, [=] {
          for (size_t i = 0; i < count; ++i)
            std::memcpy(reinterpret_cast<void *>(to + 4 * i), &value, 4);
        });
      },
      false, true);
}

CUresult fake_cuMemAllocHost(void **memory, size_t bytes) {
  return call(
      "cuMemAllocHost", {{"bytes", bytes}},
      [&](Json &) {
        auto &made = fake().hostMemory.emplace_back(std::make_unique<std::vector<char>>(bytes));
        *memory = made->data();
        return CUDA_SUCCESS;
      },
      false, true);
}

CUresult fake_cuMemFreeHost(void *memory) {
  return call(
      "cuMemFreeHost", {},
      [&](Json &) {
        const size_t count = std::erase_if(
            fake().hostMemory, [&](const auto &known) { return known->data() == memory; });
        return count == 1 ? CUDA_SUCCESS : violation("cuMemFreeHost: no such memory");
      },
      true);
}

} // namespace mtc::fake
