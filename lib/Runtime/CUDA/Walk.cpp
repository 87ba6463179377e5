//===- Walk.cpp - the host's way through control flow on a GPU ------------===//
#include "Walk.h"

#include "../RegionStatus.h"

namespace mtc::gpu {

static CUdeviceptr at(CUdeviceptr base, int64_t offset) {
  return base + static_cast<CUdeviceptr>(offset);
}

Status RegionWalk::copy(CUdeviceptr to, CUdeviceptr from, int64_t bytes) {
  if (bytes > 0)
    MTC_CU(cu_, cuMemcpyDtoDAsync, to, from, static_cast<size_t>(bytes), place_.stream);
  return okStatus();
}

Status RegionWalk::ask(void *to, CUdeviceptr from, size_t bytes) {
  MTC_CU(cu_, cuMemcpyDtoHAsync, to, from, bytes, place_.stream);
  return okStatus();
}

/// The results of a region that has failed are what they are; nobody reads them.
void RegionWalk::fail(int32_t status) {
  status_ = status;
  stack_.clear();
}

Status RegionWalk::advance() {
  while (!stack_.empty()) {
    Frame &frame = stack_.back();
    bool waits = false;
    switch (frame.next) {
    case Frame::Enter:
      MTC_RETURN_IF_ERROR(enter(frame));
      waits = true;
      break;
    case Frame::Decide:
      MTC_RETURN_IF_ERROR(decide(frame));
      break;
    case Frame::Body:
      MTC_RETURN_IF_ERROR(runBody(frame, waits));
      break;
    }
    if (waits) {
      MTC_CU(cu_, cuEventRecord, place_.arrived, place_.stream);
      return okStatus();
    }
  }
  return okStatus();
}

/// Asks for what decides first; a loop's state begins as its operands.
Status RegionWalk::enter(Frame &frame) {
  const GpuRegion &r = *frame.region;
  frame.next = Frame::Decide;
  if (r.region->kind == RegionKind::If)
    return ask(&place_.decision->condition, r.operands[0], sizeof(uint8_t));
  MTC_RETURN_IF_ERROR(ask(&place_.decision->trips, r.operands[0], sizeof(int64_t)));
  MTC_RETURN_IF_ERROR(ask(&place_.decision->condition, r.operands[1], sizeof(uint8_t)));
  for (size_t i = 0; i < r.layout.state.size(); ++i)
    MTC_RETURN_IF_ERROR(
        copy(at(r.workspace(), r.layout.state[i]), r.operands[1 + i], r.bodies[0].outputBytes[i]));
  return okStatus();
}

Status RegionWalk::decide(Frame &frame) {
  const GpuRegion &r = *frame.region;
  const bool condition = place_.decision->condition != 0;
  frame.segment = 0;
  frame.next = Frame::Body;
  if (r.region->kind == RegionKind::If) {
    frame.body = &r.bodies[condition ? 0 : 1];
    return okStatus();
  }
  frame.body = &r.bodies[0];
  if (!frame.hasTrips)
    frame.trips = place_.decision->trips;
  frame.hasTrips = true;
  const bool hasLength = !r.layout.scannedElement.empty() || !r.layout.stackedElement.empty();
  if (frame.trip < frame.trips && condition) {
    if (tripsLeft_-- <= 0)
      fail(kTooManyTrips);
    else if (hasLength && frame.trip == r.region->length)
      fail(kWrongLength);
    else
      return beginIteration(frame);
    return okStatus();
  }
  if (hasLength && frame.trip != r.region->length) {
    fail(kWrongLength);
    return okStatus();
  }
  const size_t results = frame.body->inputBytes.size();
  for (size_t i = 1; i < r.layout.state.size(); ++i)
    MTC_RETURN_IF_ERROR(copy(r.operands[results + i - 1], at(r.workspace(), r.layout.state[i]),
                             frame.body->outputBytes[i]));
  stack_.pop_back();
  return okStatus();
}

/// The number of the iteration, and its elements of what is scanned.
Status RegionWalk::beginIteration(Frame &frame) {
  const GpuRegion &r = *frame.region;
  const CUdeviceptr trip = at(r.workspace(), r.layout.trip);
  const auto number = static_cast<uint64_t>(frame.trip);
  MTC_CU(cu_, cuMemsetD32Async, trip, static_cast<unsigned>(number), 1, place_.stream);
  MTC_CU(cu_, cuMemsetD32Async, trip + 4, static_cast<unsigned>(number >> 32), 1, place_.stream);
  const size_t first = 1 + r.layout.state.size();
  for (size_t i = 0; i < r.layout.scannedElement.size(); ++i) {
    const int64_t bytes = frame.body->inputBytes[first + i];
    MTC_RETURN_IF_ERROR(copy(at(r.workspace(), r.layout.scannedElement[i]),
                             at(r.operands[first + i], frame.trip * bytes), bytes));
  }
  return okStatus();
}

/// Keeps the elements of what is stacked, makes the next state the state, and asks whether to go
/// on.
Status RegionWalk::endIteration(Frame &frame) {
  const GpuRegion &r = *frame.region;
  const size_t states = r.layout.state.size();
  const size_t firstResult = frame.body->inputBytes.size() + states - 1;
  for (size_t i = 0; i < r.layout.stackedElement.size(); ++i) {
    const int64_t bytes = frame.body->outputBytes[states + i];
    MTC_RETURN_IF_ERROR(copy(at(r.operands[firstResult + i], frame.trip * bytes),
                             at(r.workspace(), r.layout.stackedElement[i]), bytes));
  }
  for (size_t i = 0; i < states; ++i)
    MTC_RETURN_IF_ERROR(copy(at(r.workspace(), r.layout.state[i]),
                             at(r.workspace(), r.layout.nextState[i]), frame.body->outputBytes[i]));
  ++frame.trip;
  frame.next = Frame::Decide;
  return ask(&place_.decision->condition, at(r.workspace(), r.layout.state[0]), sizeof(uint8_t));
}

/// Launches the body up to a region inside it, or its end.
Status RegionWalk::runBody(Frame &frame, bool &waits) {
  while (frame.segment < frame.body->segments.size()) {
    const GpuRegion::Segment &segment = frame.body->segments[frame.segment++];
    if (segment.region) {
      stack_.push_back(Frame{segment.region}); // the frame's place may change
      return okStatus();
    }
    MTC_CU(cu_, cuGraphLaunch, segment.exec, place_.stream);
  }
  if (frame.region->region->kind == RegionKind::If) {
    stack_.pop_back();
    return okStatus();
  }
  waits = true;
  return endIteration(frame);
}

} // namespace mtc::gpu
