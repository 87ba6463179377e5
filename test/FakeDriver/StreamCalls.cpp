//===- StreamCalls.cpp - streams and events -------------------------------===//
#include "StreamCalls.h"

#include <fmt/format.h>

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
    stream->work.push_back([] { return CUDA_SUCCESS; });
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

} // namespace mtc::fake
