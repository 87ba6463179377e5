//===- CApi.cpp - mtrt.h over Session.h -----------------------------------===//
//
// No exception leaves: std::bad_alloc and the like become MTRT_INTERNAL.
//
//===----------------------------------------------------------------------===//
#include "mtc/Runtime/mtrt.h"

#include "mtc/Runtime/Session.h"
#include "mtc/Support/ElementType.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <exception>

using namespace mtc;

struct mtrt_program {
  std::shared_ptr<const BundleReader> reader;
};
struct mtrt_session {
  std::shared_ptr<Session> session;
};
struct mtrt_request {
  std::shared_ptr<Session> session;
  std::unique_ptr<Request> request;
};

//===- Errors and sized structs -------------------------------------------===//

static mtrt_status report(mtrt_error *error, mtrt_status status, std::string_view message) {
  constexpr size_t offset = offsetof(mtrt_error, message);
  if (error && error->size > offset) {
    const size_t room = std::min(error->size, sizeof(mtrt_error)) - offset - 1;
    const size_t length = std::min(room, message.size());
    std::memcpy(error->message, message.data(), length);
    error->message[length] = 0;
  }
  return status;
}

static mtrt_status report(mtrt_error *error, const RequestStatus &status) {
  return report(error, static_cast<mtrt_status>(status.code), status.message);
}

/// Runs `body`, which returns a RequestStatus (or a Status), at the border to C.
template <typename Body> static mtrt_status guarded(mtrt_error *error, Body body) {
  try {
    return report(error, RequestStatus(body()));
  } catch (const std::exception &exception) {
    return report(error, MTRT_INTERNAL, exception.what());
  }
}

/// The caller's struct as ours: what the caller does not know is zero.
template <typename T> static T readSized(const T *from) {
  T to = {};
  if (from)
    std::memcpy(&to, from, std::min(from->size, sizeof(T)));
  return to;
}

/// Fills as much of the caller's struct as it has; `size` stays.
template <typename T> static Status writeSized(T from, T *to) {
  if (!to || to->size < sizeof(size_t))
    return invalidInput("the size of a struct is not set");
  from.size = to->size;
  std::memcpy(to, &from, std::min(to->size, sizeof(T)));
  return okStatus();
}

static Status needed(const void *pointer, const char *what) {
  return pointer ? okStatus() : invalidInput(fmt::format("{} is null", what));
}

extern "C" {

const char *mtrt_status_string(mtrt_status status) {
  switch (status) {
  case MTRT_OK:
    return "ok";
  case MTRT_INTERNAL:
    return "internal error";
  case MTRT_INVALID_ARGUMENT:
    return "invalid argument";
  case MTRT_DEVICE_UNAVAILABLE:
    return "device unavailable";
  case MTRT_BUNDLE_REFUSED:
    return "bundle refused";
  case MTRT_BUSY:
    return "busy";
  case MTRT_TIMEOUT:
    return "timeout";
  case MTRT_CANCELLED:
    return "cancelled";
  case MTRT_KERNEL_FAILED:
    return "kernel failed";
  case MTRT_TOO_MANY_TRIPS:
    return "too many trips";
  case MTRT_PENDING:
    return "pending";
  }
  return "unknown";
}

const char *mtrt_version(void) { return MTC_VERSION; }

//===- Programs -----------------------------------------------------------===//

mtrt_status mtrt_program_open(const char *path, mtrt_program **program, mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_RETURN_IF_ERROR(needed(path, "path"));
    MTC_RETURN_IF_ERROR(needed(program, "program"));
    *program = nullptr;
    MTC_ASSIGN_OR_RETURN(auto reader, BundleReader::open(path));
    if (reader->targets().empty())
      return bundleRefused(fmt::format("'{}': the bundle has no target", path));
    *program = new mtrt_program{std::move(reader)};
    return okStatus();
  });
}

void mtrt_program_close(mtrt_program *program) { delete program; }

mtrt_status mtrt_program_verify(const mtrt_program *program, mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_RETURN_IF_ERROR(needed(program, "program"));
    return program->reader->verifyAll();
  });
}

/// Tenants, entries and tensors are the same in all targets.
static const Problem &problemOf(const mtrt_program *program) {
  return program->reader->targets().front().problem;
}

int32_t mtrt_program_tenants(const mtrt_program *program) {
  return program ? static_cast<int32_t>(problemOf(program).tenants.size()) : 0;
}

/// The tenant's entries, in order.
static StatusOr<std::vector<const Entry *>> entriesOf(const mtrt_program *program, int32_t tenant) {
  MTC_RETURN_IF_ERROR(needed(program, "program"));
  const Problem &problem = problemOf(program);
  if (tenant < 0 || size_t(tenant) >= problem.tenants.size())
    return invalidInput(
        fmt::format("tenant {} of {} does not exist", tenant, problem.tenants.size()));
  std::vector<const Entry *> entries;
  for (const Entry &entry : problem.entries)
    if (entry.tenant == tenant)
      entries.push_back(&entry);
  return entries;
}

static StatusOr<const Entry *> entryOf(const mtrt_program *program, int32_t tenant, int32_t index) {
  MTC_ASSIGN_OR_RETURN(const auto entries, entriesOf(program, tenant));
  if (index < 0 || size_t(index) >= entries.size())
    return invalidInput(fmt::format("entry {} of {} does not exist", index, entries.size()));
  return entries[index];
}

mtrt_status mtrt_program_tenant(const mtrt_program *program, int32_t index, mtrt_tenant_info *info,
                                mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_ASSIGN_OR_RETURN(const auto entries, entriesOf(program, index));
    mtrt_tenant_info filled = {};
    filled.name = problemOf(program).tenants[index].name.c_str();
    filled.entries = static_cast<int32_t>(entries.size());
    if (!entries.empty()) {
      filled.inputs = static_cast<int32_t>(entries[0]->inputs.size());
      filled.outputs = static_cast<int32_t>(entries[0]->outputs.size());
    }
    return writeSized(filled, info);
  });
}

mtrt_status mtrt_program_entry(const mtrt_program *program, int32_t tenant, int32_t index,
                               const char **name, mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_RETURN_IF_ERROR(needed(name, "name"));
    MTC_ASSIGN_OR_RETURN(const Entry *entry, entryOf(program, tenant, index));
    *name = entry->name.c_str();
    return okStatus();
  });
}

mtrt_status mtrt_program_choose_entry(const mtrt_program *program, int32_t tenant,
                                      const mtrt_input_shape *shapes, int32_t count, int32_t *index,
                                      const char **name, mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_ASSIGN_OR_RETURN(const auto entries, entriesOf(program, tenant));
    if (count > 0)
      MTC_RETURN_IF_ERROR(needed(shapes, "shapes"));
    std::vector<GivenShape> given;
    for (int32_t i = 0; i < count; ++i) {
      MTC_RETURN_IF_ERROR(needed(shapes[i].name, "name"));
      if (shapes[i].rank > 0)
        MTC_RETURN_IF_ERROR(needed(shapes[i].dims, "dims"));
      given.push_back({shapes[i].name, {shapes[i].dims, size_t(std::max(shapes[i].rank, 0))}});
    }
    const Problem &problem = problemOf(program);
    MTC_ASSIGN_OR_RETURN(const int32_t chosen, chooseEntry(problem, tenant, given));
    const Entry *entry = &problem.entries[chosen];
    if (index)
      *index = static_cast<int32_t>(std::ranges::find(entries, entry) - entries.begin());
    if (name)
      *name = entry->name.c_str();
    return okStatus();
  });
}

static StatusOr<DLDataType> dlpackType(const std::string &elementType) {
  MTC_ASSIGN_OR_RETURN(const ElementType type, parseElementType(elementType));
  const ElementTypeInfo &info = elementTypeInfo(type);
  return DLDataType{info.dlpackCode, info.dlpackBits, 1};
}

static Status describe(const std::vector<Tensor> &tensors, int32_t index, mtrt_tensor_info *info) {
  if (index < 0 || size_t(index) >= tensors.size())
    return invalidInput(fmt::format("tensor {} of {} does not exist", index, tensors.size()));
  const Tensor &tensor = tensors[index];
  MTC_ASSIGN_OR_RETURN(const DLDataType dtype, dlpackType(tensor.elementType));
  const bool isBounded = tensor.extentOutput >= 0;
  return writeSized(
      mtrt_tensor_info{0, tensor.name.c_str(), tensor.elementType.c_str(), dtype,
                       static_cast<int32_t>(tensor.shape.size()), tensor.shape.data(), tensor.bytes,
                       !tensor.value          ? nullptr
                       : tensor.value->size() ? tensor.value->data()
                                              : static_cast<const void *>(""),
                       isBounded ? tensors[tensor.extentOutput].name.c_str() : nullptr,
                       isBounded ? tensor.extentDim : 0, 0,
                       tensor.pad ? tensor.pad->data() : nullptr},
      info);
}

mtrt_status mtrt_program_input(const mtrt_program *program, int32_t tenant, int32_t entry,
                               int32_t index, mtrt_tensor_info *info, mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_ASSIGN_OR_RETURN(const Entry *found, entryOf(program, tenant, entry));
    return describe(found->inputs, index, info);
  });
}

mtrt_status mtrt_program_output(const mtrt_program *program, int32_t tenant, int32_t entry,
                                int32_t index, mtrt_tensor_info *info, mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_ASSIGN_OR_RETURN(const Entry *found, entryOf(program, tenant, entry));
    return describe(found->outputs, index, info);
  });
}

//===- Sessions -----------------------------------------------------------===//

mtrt_status mtrt_session_create(const mtrt_program *program, const char *device,
                                const mtrt_session_options *callerOptions, mtrt_session **session,
                                mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_RETURN_IF_ERROR(needed(program, "program"));
    MTC_RETURN_IF_ERROR(needed(session, "session"));
    *session = nullptr;
    MTC_RETURN_IF_ERROR(needed(device, "device"));
    const mtrt_session_options from = readSized(callerOptions);
    if (from.cpu_count < 0 || (from.cpu_count > 0 && !from.cpus) || from.workers < 0 ||
        from.queue_capacity < -1 || from.spin_ns < 0 || from.idle_spin_ns < 0 || from.max_trips < 0)
      return invalidInput("a session option is out of range");
    SessionOptions options;
    options.cpus.assign(from.cpus, from.cpus + (from.cpus ? from.cpu_count : 0));
    std::sort(options.cpus.begin(), options.cpus.end());
    options.cpus.erase(std::unique(options.cpus.begin(), options.cpus.end()), options.cpus.end());
    options.workers = from.workers;
    if (from.queue_capacity != 0)
      options.queueCapacity = std::max(0, from.queue_capacity);
    if (from.spin_ns != 0)
      options.spinNs = from.spin_ns;
    if (from.idle_spin_ns != 0)
      options.idleSpinNs = from.idle_spin_ns;
    options.maxTrips = from.max_trips;
    options.device = device;
    options.cudaDriver = from.cuda_driver ? from.cuda_driver : "";
    options.cudaContext = from.cuda_context;
    options.nodeByNode = from.node_by_node != 0;
    options.shareWeights = from.share_weights != 0;
    if (from.log)
      options.log = [log = from.log, user = from.log_user](LogLevel level,
                                                           const std::string &message) {
        log(user, static_cast<mtrt_log_level>(level), message.c_str());
      };
    MTC_ASSIGN_OR_RETURN(auto created, Session::create(program->reader, std::move(options)));
    *session = new mtrt_session{std::move(created)};
    return okStatus();
  });
}

void mtrt_session_destroy(mtrt_session *session) { delete session; }

mtrt_status mtrt_session_statistics(const mtrt_session *session, mtrt_statistics *statistics,
                                    mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_RETURN_IF_ERROR(needed(session, "session"));
    const SessionStatistics s = session->session->statistics();
    return writeSized(mtrt_statistics{0, s.completed, s.failed, s.timedOut, s.cancelled, s.busy,
                                      s.queued, s.arenaBytes, s.workers},
                      statistics);
  });
}

//===- Requests -----------------------------------------------------------===//

mtrt_status mtrt_request_create(mtrt_session *session, const char *tenant, const char *entry,
                                mtrt_request **request, mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_RETURN_IF_ERROR(needed(session, "session"));
    MTC_RETURN_IF_ERROR(needed(tenant, "tenant"));
    MTC_RETURN_IF_ERROR(needed(request, "request"));
    *request = nullptr;
    MTC_ASSIGN_OR_RETURN(auto created, session->session->createRequest(tenant, entry ? entry : ""));
    *request = new mtrt_request{session->session, std::move(created)};
    return okStatus();
  });
}

void mtrt_request_destroy(mtrt_request *request) {
  if (request)
    request->request.reset(); // before the session, which ends with its last request
  delete request;
}

/// The tensor called `name` and whether it is an input. Inputs come first where both have the name.
static StatusOr<std::pair<const Tensor *, bool>>
tensorOf(const Entry &entry, const std::string &tenant, const char *name) {
  std::vector<Tensor> known;
  for (const auto *tensors : {&entry.inputs, &entry.outputs})
    for (const Tensor &tensor : *tensors) {
      if (tensor.name == name)
        return std::pair(&tensor, tensors == &entry.inputs);
      known.push_back(tensor);
    }
  return findTensor(known, name, "input or output", tenant).status();
}

static Status checkTensor(const Tensor &tensor, const DLTensor &given) {
  const auto bad = [&](const std::string &what) {
    return invalidInput(fmt::format("tensor '{}': {}", tensor.name, what));
  };
  MTC_ASSIGN_OR_RETURN(const DLDataType want, dlpackType(tensor.elementType));
  if (given.device.device_type != kDLCPU && given.device.device_type != kDLCUDA)
    return bad("is in memory of another kind than kDLCPU and kDLCUDA");
  if (given.dtype.code != want.code || given.dtype.bits != want.bits || given.dtype.lanes != 1)
    return bad(fmt::format("has DLPack type {{{}, {}, {}}}, expected {} {{{}, {}, 1}}",
                           given.dtype.code, given.dtype.bits, given.dtype.lanes,
                           tensor.elementType, want.code, want.bits));
  const auto rank = static_cast<int32_t>(tensor.shape.size());
  if (given.ndim != rank || (rank > 0 && !given.shape))
    return bad(fmt::format("has {} dimensions, expected {}", given.ndim, rank));
  const std::span<const int64_t> shape(given.shape, tensor.shape.size());
  if (tensor.pad && !fitsPadded(tensor, shape))
    return bad(fmt::format("has shape {}, expected {} or smaller", fmt::join(shape, "x"),
                           fmt::join(tensor.shape, "x")));
  int64_t stride = 1;
  for (int32_t dim = rank - 1; dim >= 0; --dim) {
    if (given.shape[dim] != tensor.shape[dim] && !tensor.pad)
      return bad(fmt::format("has {} in dimension {}, expected {}", given.shape[dim], dim,
                             tensor.shape[dim]));
    if (given.strides && given.shape[dim] > 1 && given.strides[dim] != stride)
      return bad(fmt::format("has stride {} in dimension {}, expected {} (row-major)",
                             given.strides[dim], dim, stride));
    stride *= given.shape[dim];
  }
  return okStatus();
}

mtrt_status mtrt_request_bind(mtrt_request *request, const char *name, const DLTensor *tensor,
                              mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_RETURN_IF_ERROR(needed(request, "request"));
    MTC_RETURN_IF_ERROR(needed(name, "name"));
    MTC_RETURN_IF_ERROR(needed(tensor, "tensor"));
    Request &r = *request->request;
    MTC_ASSIGN_OR_RETURN(const auto found, tensorOf(r.entry(), r.tenant().name, name));
    MTC_RETURN_IF_ERROR(checkTensor(*found.first, *tensor));
    void *data = tensor->data ? static_cast<char *>(tensor->data) + tensor->byte_offset : nullptr;
    const MemoryKind kind =
        tensor->device.device_type == kDLCUDA ? MemoryKind::Device : MemoryKind::Host;
    const std::span<const int64_t> shape(tensor->shape, found.first->shape.size());
    if (found.second && !std::ranges::equal(shape, found.first->shape))
      return r.bindSmaller(name, data, shape, kind);
    return found.second ? r.bindInput(name, data, found.first->bytes, kind)
                        : r.bindOutput(name, data, found.first->bytes, kind);
  });
}

mtrt_status mtrt_request_wait_event(mtrt_request *request, void *event, mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_RETURN_IF_ERROR(needed(request, "request"));
    return request->request->waitForEvent(event);
  });
}

mtrt_status mtrt_request_signal_event(mtrt_request *request, void *event, mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_RETURN_IF_ERROR(needed(request, "request"));
    return request->request->signalEvent(event);
  });
}

mtrt_status mtrt_request_tensor(mtrt_request *request, const char *name, DLTensor *tensor,
                                mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_RETURN_IF_ERROR(needed(request, "request"));
    MTC_RETURN_IF_ERROR(needed(name, "name"));
    MTC_RETURN_IF_ERROR(needed(tensor, "tensor"));
    Request &r = *request->request;
    MTC_ASSIGN_OR_RETURN(const auto found, tensorOf(r.entry(), r.tenant().name, name));
    MTC_ASSIGN_OR_RETURN(const DLDataType dtype, dlpackType(found.first->elementType));
    void *data = r.bound(name, found.second);
    if (!data) {
      MTC_ASSIGN_OR_RETURN(data, r.memory(name, found.second));
    }
    const auto &tensors = found.second ? r.entry().inputs : r.entry().outputs;
    const bool onDevice =
        r.isOnDevice(found.second, static_cast<int32_t>(found.first - tensors.data()));
    *tensor = {data,
               {onDevice ? kDLCUDA : kDLCPU, 0},
               static_cast<int32_t>(found.first->shape.size()),
               dtype,
               const_cast<int64_t *>(found.first->shape.data()),
               nullptr,
               0};
    return okStatus();
  });
}

mtrt_status mtrt_request_shape(const mtrt_request *request, const char *name, int64_t *shape,
                               int32_t ndim, mtrt_error *error) {
  return guarded(error, [&]() -> Status {
    MTC_RETURN_IF_ERROR(needed(request, "request"));
    MTC_RETURN_IF_ERROR(needed(name, "name"));
    MTC_ASSIGN_OR_RETURN(const std::vector<int64_t> actual, request->request->shapeOf(name));
    if (ndim < 0 || static_cast<size_t>(ndim) < actual.size())
      return invalidInput(fmt::format("output '{}' has {} dimensions, there is room for {}", name,
                                      actual.size(), ndim));
    if (!actual.empty())
      MTC_RETURN_IF_ERROR(needed(shape, "shape"));
    std::copy(actual.begin(), actual.end(), shape);
    return okStatus();
  });
}

mtrt_status mtrt_submit_round(mtrt_request *const *requests, int32_t count, int64_t deadline,
                              mtrt_done_fn done, void *user, mtrt_error *error) {
  return guarded(error, [&]() -> RequestStatus {
    if (!requests || count <= 0)
      return invalidInput("no request to submit");
    std::vector<Request *> all;
    for (int32_t i = 0; i < count; ++i) {
      if (!requests[i])
        return invalidInput("a request is null");
      all.push_back(requests[i]->request.get());
    }
    Session::Done callback;
    if (done)
      callback = [done, user, handles = std::vector(requests, requests + count)](
                     Request &request, const RequestStatus &status) {
        const auto handle = std::find_if(handles.begin(), handles.end(), [&](mtrt_request *h) {
          return h->request.get() == &request;
        });
        done(user, *handle, static_cast<mtrt_status>(status.code));
      };
    return requests[0]->session->submit(all, deadline, std::move(callback));
  });
}

mtrt_status mtrt_submit(mtrt_request *request, int64_t deadline, mtrt_done_fn done, void *user,
                        mtrt_error *error) {
  return mtrt_submit_round(&request, 1, deadline, done, user, error);
}

mtrt_status mtrt_wait(mtrt_request *request, int64_t deadline, mtrt_error *error) {
  return guarded(error, [&]() -> RequestStatus {
    MTC_RETURN_IF_ERROR(needed(request, "request"));
    return request->request->wait(deadline);
  });
}

mtrt_status mtrt_request_status(const mtrt_request *request, mtrt_error *error) {
  return guarded(error, [&]() -> RequestStatus {
    MTC_RETURN_IF_ERROR(needed(request, "request"));
    return request->request->status();
  });
}

mtrt_status mtrt_cancel(mtrt_request *request, mtrt_error *error) {
  return guarded(error, [&]() -> RequestStatus {
    MTC_RETURN_IF_ERROR(needed(request, "request"));
    return request->request->cancel();
  });
}

mtrt_status mtrt_run(mtrt_request *request, mtrt_error *error) {
  const mtrt_status status = mtrt_submit(request, 0, nullptr, nullptr, error);
  return status == MTRT_OK ? mtrt_wait(request, 0, error) : status;
}

mtrt_status mtrt_request_timing(const mtrt_request *request, mtrt_timing *timing,
                                mtrt_error *error) {
  return guarded(error, [&]() -> RequestStatus {
    MTC_RETURN_IF_ERROR(needed(request, "request"));
    const Request &r = *request->request;
    if (r.status().code == RequestCode::Pending)
      return r.status();
    return writeSized(mtrt_timing{0, r.submittedNs(), r.startedNs(), r.finishedNs()}, timing);
  });
}

} // extern "C"
