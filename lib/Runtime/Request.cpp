//===- Request.cpp - bindings, waiting, cancelling ------------------------===//
#include "Host/Memory.h"
#include "Padding.h"
#include "SessionState.h"
#include "mtc/Support/ElementType.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace mtc {

StatusOr<std::unique_ptr<Request>> Session::createRequest(std::string_view tenant,
                                                          std::string_view entry) {
  const Problem &problem = target().problem;
  MTC_ASSIGN_OR_RETURN(const int32_t tenantIndex, findTenant(problem, tenant));
  MTC_ASSIGN_OR_RETURN(const int32_t entryIndex, findEntry(problem, tenantIndex, entry));
  std::unique_ptr<Request> request(new Request());
  request->session_ = shared_from_this();
  request->entry_ = entryIndex;
  request->inputs_.resize(problem.entries[entryIndex].inputs.size());
  request->smaller_.resize(request->inputs_.size());
  const auto &outputs = problem.entries[entryIndex].outputs;
  request->outputs_.resize(outputs.size());
  request->deviceInputs_.resize(request->inputs_.size());
  request->deviceOutputs_.resize(outputs.size());
  for (const Tensor &output : outputs)
    if (output.extentOutput >= 0)
      MTC_RETURN_IF_ERROR(request->memory(outputs[output.extentOutput].name, false).status());
  return request;
}

Request::~Request() {
  if (state_ == Queued)
    (void)cancel();
  (void)wait();
}

const Entry &Request::entry() const { return session_->target().problem.entries[entry_]; }
const Tenant &Request::tenant() const { return session_->target().problem.tenants[entry().tenant]; }

using Memory = std::unique_ptr<void, void (*)(void *)>;

static StatusOr<Memory> allocate(const Tensor &tensor) {
  constexpr size_t least = kBufferAlignment;
  const auto needed = static_cast<size_t>(tensor.bytes);
  const size_t bytes = std::max<size_t>(1, (needed + least - 1) / least) * least;
  void *data = nullptr;
  if (posix_memalign(&data, std::max(least, host::pageAlignment(bytes)), bytes))
    return internalError(fmt::format("no {} bytes of memory for '{}'", bytes, tensor.name));
  host::askForHugePages(data, bytes);
  return Memory(data, &std::free);
}

/// What a binding must be, whichever way it goes.
static Status checkBinding(const Tensor &tensor, std::string_view what, const void *data,
                           int64_t bytes, int state) {
  if (state == Queued || state == Running)
    return invalidInput(
        fmt::format("{} '{}' cannot be bound while its request is under way", what, tensor.name));
  if (bytes != tensor.bytes)
    return invalidInput(
        fmt::format("{} '{}' has {} bytes, {} are bound", what, tensor.name, tensor.bytes, bytes));
  if (bytes == 0)
    return okStatus(); // nothing is read or written there
  if (!data)
    return invalidInput(fmt::format("{} '{}' is bound to no memory", what, tensor.name));
  if (reinterpret_cast<uintptr_t>(data) % kBufferAlignment != 0)
    return invalidInput(fmt::format("{} '{}' is bound to an address that is not {}-byte aligned",
                                    what, tensor.name, kBufferAlignment));
  return okStatus();
}

/// Whether memory of a device can be bound there. What decides an entry or a size is read here.
static Status checkKind(MemoryKind kind, const Session &session, const Tensor &tensor, bool isRead,
                        std::string_view what) {
  if (kind == MemoryKind::Host)
    return okStatus();
  if (!session.target().target.starts_with("cuda:"))
    return invalidInput(fmt::format("{} '{}' is bound to memory of a device in a session of a host",
                                    what, tensor.name));
  if (isRead)
    return invalidInput(
        fmt::format("{} '{}' must be bound to host memory: its value is read", what, tensor.name));
  return okStatus();
}

Status Request::bindInput(std::string_view name, const void *data, int64_t bytes, MemoryKind kind) {
  MTC_ASSIGN_OR_RETURN(const int32_t index,
                       findTensor(entry().inputs, name, "input", tenant().name));
  const Tensor &tensor = entry().inputs[index];
  MTC_RETURN_IF_ERROR(checkBinding(tensor, "input", data, bytes, state_));
  MTC_RETURN_IF_ERROR(checkKind(kind, *session_, tensor, tensor.value.has_value(), "input"));
  inputs_[index] = const_cast<void *>(data); // kernels only read it: Problem's Access
  deviceInputs_[index] = kind == MemoryKind::Device;
  smaller_[index].data = nullptr;
  return okStatus();
}

Status Request::bindSmaller(std::string_view name, const void *data, std::span<const int64_t> shape,
                            MemoryKind kind) {
  MTC_ASSIGN_OR_RETURN(const int32_t index,
                       findTensor(entry().inputs, name, "input", tenant().name));
  const Tensor &tensor = entry().inputs[index];
  if (!fitsPadded(tensor, shape))
    return invalidInput(fmt::format("input '{}' takes shape {}{}, {} is bound", name,
                                    fmt::join(tensor.shape, "x"),
                                    tensor.pad ? " and smaller ones" : "", fmt::join(shape, "x")));
  SmallerInput &smaller = smaller_[index];
  if (!smaller.padded) {
    MTC_ASSIGN_OR_RETURN(smaller.padded, allocate(tensor));
  }
  MTC_RETURN_IF_ERROR(checkBinding(tensor, "input", smaller.padded.get(), tensor.bytes, state_));
  MTC_RETURN_IF_ERROR(checkKind(kind, *session_, tensor, true, "input"));
  const bool isEmpty = std::ranges::find(shape, 0) != shape.end();
  if (!data && !isEmpty)
    return invalidInput(fmt::format("input '{}' is bound to no memory", name));
  inputs_[index] = smaller.padded.get();
  deviceInputs_[index] = false;
  smaller.data = data ? data : smaller.padded.get();
  smaller.shape.assign(shape.begin(), shape.end());
  return okStatus();
}

void Request::padInputs() {
  inputShapes_.assign(smaller_.size(), {});
  for (size_t i = 0; i < smaller_.size(); ++i)
    if (smaller_[i].data) {
      inputShapes_[i] = smaller_[i].shape;
      padTensor(smaller_[i].data, smaller_[i].shape, inputs_[i], entry().inputs[i].shape,
                *entry().inputs[i].pad);
    }
}

std::vector<int64_t> Request::croppedShape(const Tensor &output) const {
  std::vector<int64_t> shape = output.shape;
  for (const FollowedDim &followed : output.follows)
    if (!inputShapes_[followed.input].empty())
      shape[followed.dim] = inputShapes_[followed.input][followed.inputDim];
  return shape;
}

void Request::cropOutputs() {
  for (size_t o = 0; o < outputs_.size(); ++o) {
    const Tensor &output = entry().outputs[o];
    const std::vector<int64_t> shape = croppedShape(output);
    if (shape == output.shape || output.bytes == 0)
      continue;
    cropTensor(outputs_[o], output.shape, shape, output.bytes / countElements(output.shape));
  }
}

Status Request::bindOutput(std::string_view name, void *data, int64_t bytes, MemoryKind kind) {
  MTC_ASSIGN_OR_RETURN(const int32_t index,
                       findTensor(entry().outputs, name, "output", tenant().name));
  const auto &outputs = entry().outputs;
  MTC_RETURN_IF_ERROR(checkBinding(outputs[index], "output", data, bytes, state_));
  const bool isExtent = std::any_of(outputs.begin(), outputs.end(), [&](const Tensor &other) {
    return other.extentOutput == index;
  });
  MTC_RETURN_IF_ERROR(checkKind(kind, *session_, outputs[index],
                                isExtent || !outputs[index].follows.empty(), "output"));
  outputs_[index] = data;
  deviceOutputs_[index] = kind == MemoryKind::Device;
  return okStatus();
}

static Status checkEvent(const Session &session, const void *event) {
  if (!event)
    return invalidInput("an event is null");
  return session.target().target.starts_with("cuda:")
             ? okStatus()
             : invalidInput("events need a session on a GPU");
}

Status Request::waitForEvent(void *event) {
  MTC_RETURN_IF_ERROR(checkEvent(*session_, event));
  waitEvents_.push_back(event);
  return okStatus();
}

Status Request::signalEvent(void *event) {
  MTC_RETURN_IF_ERROR(checkEvent(*session_, event));
  signalEvents_.push_back(event);
  return okStatus();
}

StatusOr<void *> Request::memory(std::string_view name, bool isInput) {
  const auto &tensors = isInput ? entry().inputs : entry().outputs;
  MTC_ASSIGN_OR_RETURN(const int32_t index,
                       findTensor(tensors, name, isInput ? "input" : "output", tenant().name));
  void *&slot = (isInput ? inputs_ : outputs_)[index];
  for (const auto &owned : owned_)
    if (slot && owned.get() == slot)
      return slot;
  MTC_ASSIGN_OR_RETURN(auto memory, allocate(tensors[index]));
  void *data = owned_.emplace_back(std::move(memory)).get();
  if (tensors[index].value)
    std::memcpy(data, tensors[index].value->data(), tensors[index].value->size());
  MTC_RETURN_IF_ERROR(isInput ? bindInput(name, data, tensors[index].bytes)
                              : bindOutput(name, data, tensors[index].bytes));
  return data;
}

StatusOr<std::vector<int64_t>> Request::shapeOf(std::string_view output) const {
  MTC_ASSIGN_OR_RETURN(const int32_t index,
                       findTensor(entry().outputs, output, "output", tenant().name));
  const Tensor &tensor = entry().outputs[index];
  std::vector<int64_t> shape = tensor.shape;
  if (tensor.extentOutput < 0 && tensor.follows.empty())
    return shape;
  if (state_ != Finished || code_ != RequestCode::Ok)
    return invalidInput(
        fmt::format("output '{}' has no shape before a run has ended well", output));
  if (tensor.extentOutput < 0)
    return croppedShape(tensor);
  int64_t extent = 0;
  std::memcpy(&extent, outputs_[tensor.extentOutput], sizeof extent);
  shape[tensor.extentDim] = std::clamp<int64_t>(extent, 0, shape[tensor.extentDim]);
  return shape;
}

void *Request::bound(std::string_view name, bool isInput) const {
  const auto index = findTensor(isInput ? entry().inputs : entry().outputs, name, "", "");
  return index.ok() ? (isInput ? inputs_ : outputs_)[*index] : nullptr;
}

Status Request::checkKnownValues() const {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Tensor &tensor = entry().inputs[i];
    if (!tensor.value || !inputs_[i] ||
        std::memcmp(inputs_[i], tensor.value->data(), tensor.value->size()) == 0)
      continue;
    MTC_ASSIGN_OR_RETURN(const ElementType type, parseElementType(tensor.elementType));
    return invalidInput(fmt::format(
        "tenant '{}' input '{}': this entry was compiled for the value {}, got {}", tenant().name,
        tensor.name, formatElements(type, *tensor.value),
        formatElements(type, {static_cast<const uint8_t *>(inputs_[i]), tensor.value->size()})));
  }
  return okStatus();
}

RequestStatus Request::status() const {
  const int state = state_;
  if (state == Queued || state == Running)
    return {RequestCode::Pending, "the request is under way"};
  return {code_, message_};
}

RequestStatus Request::wait(int64_t deadlineNs) {
  const bool ended = session_->state_->signal.await(
      [&] {
        const int state = state_;
        return state == Idle || state == Finished;
      },
      0, deadlineNs);
  if (!ended)
    return {RequestCode::Timeout, "the wait ended before the request did"};
  return {code_, message_};
}

RequestStatus Request::cancel() { return session_->state_->cancel(*this); }

} // namespace mtc
