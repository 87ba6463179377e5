//===- Walk.h - the host's way through control flow on a GPU --------------===//
//
// One thread walks all regions of a job at once. A walk queues work in its own stream until a value
// of the device decides how to go on: then it has that copied, an event recorded behind it, and is
// left until the event has happened. Steps that wait for no region run in the meantime; those that
// do are launched when the regions before them are over, and wait for their last work by events.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Regions.h"

#include <functional>

namespace mtc::gpu {

/// Values that decide, in memory of the host that the device can write.
struct Decision {
  int64_t trips = 0;
  uint8_t condition = 0;
};

/// One region on its way. What was asked for has arrived whenever advance() is called again.
class RegionWalk {
public:
  struct Place {
    CUstream stream = nullptr;
    CUevent arrived = nullptr; ///< recorded behind what was asked for
    Decision *decision = nullptr;
  };
  RegionWalk(const Driver &cu, const Place &place, const GpuRegion &region, int64_t maxTrips)
      : cu_(cu), place_(place), stack_{Frame{&region}}, tripsLeft_(maxTrips) {}

  /// Goes on to where the next value decides, or to the end.
  /// Fails if the driver does.
  Status advance();
  bool isOver() const { return stack_.empty(); }
  CUevent arrived() const { return place_.arrived; }
  /// 0, kTooManyTrips or kWrongLength; results mean nothing then.
  int32_t status() const { return status_; }

private:
  /// A region that others may lie inside of.
  struct Frame {
    const GpuRegion *region = nullptr;
    enum { Enter, Decide, Body } next = Enter;
    const GpuRegion::Body *body = nullptr;
    size_t segment = 0;
    bool hasTrips = false;
    int64_t trips = 0, trip = 0;
  };
  Status enter(Frame &frame);
  Status decide(Frame &frame);
  Status beginIteration(Frame &frame);
  Status endIteration(Frame &frame);
  Status runBody(Frame &frame, bool &waits);
  Status copy(CUdeviceptr to, CUdeviceptr from, int64_t bytes);
  Status ask(void *to, CUdeviceptr from, size_t bytes);
  void fail(int32_t status);

  const Driver &cu_;
  Place place_;
  std::vector<Frame> stack_;
  int64_t tripsLeft_;
  int32_t status_ = 0;
};

} // namespace mtc::gpu
