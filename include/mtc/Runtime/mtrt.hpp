//===- mtrt.hpp - the C API with destructors and exceptions ---------------===//
//
// Header-only and thin: each class owns one handle of mtrt.h, each method is one call. Needs C++17.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Runtime/mtrt.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace mtrt {

/// What a failed call throws.
class Error : public std::runtime_error {
public:
  Error(mtrt_status status, const char *message) : std::runtime_error(message), status_(status) {}
  mtrt_status status() const { return status_; }

private:
  mtrt_status status_;
};

/// Calls `function(&error)` and throws what it reports.
template <typename Function> void check(Function function) {
  mtrt_error error = {};
  error.size = sizeof(error);
  const mtrt_status status = function(&error);
  if (status != MTRT_OK)
    throw Error(status, error.message);
}

class Program {
public:
  explicit Program(const std::string &path) {
    mtrt_program *program = nullptr;
    check([&](mtrt_error *error) { return mtrt_program_open(path.c_str(), &program, error); });
    handle_.reset(program);
  }
  std::vector<std::string> tenants() const {
    std::vector<std::string> names;
    for (int32_t i = 0; i < mtrt_program_tenants(get()); ++i) {
      mtrt_tenant_info info = {};
      info.size = sizeof(info);
      check([&](mtrt_error *error) { return mtrt_program_tenant(get(), i, &info, error); });
      names.push_back(info.name);
    }
    return names;
  }
  void verify() const {
    check([&](mtrt_error *error) { return mtrt_program_verify(get(), error); });
  }
  mtrt_program *get() const { return handle_.get(); }

private:
  struct Close {
    void operator()(mtrt_program *program) const { mtrt_program_close(program); }
  };
  std::unique_ptr<mtrt_program, Close> handle_;
};

class Session {
public:
  explicit Session(const Program &program, const mtrt_session_options *options = nullptr,
                   const char *device = "host") {
    mtrt_session *session = nullptr;
    check([&](mtrt_error *error) {
      return mtrt_session_create(program.get(), device, options, &session, error);
    });
    handle_.reset(session);
  }
  mtrt_session *get() const { return handle_.get(); }

private:
  struct Destroy {
    void operator()(mtrt_session *session) const { mtrt_session_destroy(session); }
  };
  std::unique_ptr<mtrt_session, Destroy> handle_;
};

class Request {
public:
  Request(const Session &session, const std::string &tenant, const char *entry = nullptr) {
    mtrt_request *request = nullptr;
    check([&](mtrt_error *error) {
      return mtrt_request_create(session.get(), tenant.c_str(), entry, &request, error);
    });
    handle_.reset(request);
  }
  void bind(const std::string &name, const DLTensor &tensor) {
    check(
        [&](mtrt_error *error) { return mtrt_request_bind(get(), name.c_str(), &tensor, error); });
  }
  /// What is bound to `name`; memory of the request's own if nothing was.
  DLTensor tensor(const std::string &name) {
    DLTensor tensor = {};
    check([&](mtrt_error *error) {
      return mtrt_request_tensor(get(), name.c_str(), &tensor, error);
    });
    return tensor;
  }
  /// The shape that the last run gave an output.
  std::vector<int64_t> shape(const std::string &output) {
    std::vector<int64_t> shape(static_cast<size_t>(tensor(output).ndim));
    check([&](mtrt_error *error) {
      return mtrt_request_shape(get(), output.c_str(), shape.data(),
                                static_cast<int32_t>(shape.size()), error);
    });
    return shape;
  }
  void submit(int64_t deadlineNs = 0, mtrt_done_fn done = nullptr, void *user = nullptr) {
    check([&](mtrt_error *error) { return mtrt_submit(get(), deadlineNs, done, user, error); });
  }
  void wait(int64_t deadlineNs = 0) {
    check([&](mtrt_error *error) { return mtrt_wait(get(), deadlineNs, error); });
  }
  void run() {
    check([&](mtrt_error *error) { return mtrt_run(get(), error); });
  }
  mtrt_request *get() const { return handle_.get(); }

private:
  struct Destroy {
    void operator()(mtrt_request *request) const { mtrt_request_destroy(request); }
  };
  std::unique_ptr<mtrt_request, Destroy> handle_;
};

/// Queues requests of one session to run together.
inline void submitRound(const std::vector<Request *> &requests, int64_t deadlineNs = 0,
                        mtrt_done_fn done = nullptr, void *user = nullptr) {
  std::vector<mtrt_request *> handles;
  for (const Request *request : requests)
    handles.push_back(request->get());
  check([&](mtrt_error *error) {
    return mtrt_submit_round(handles.data(), static_cast<int32_t>(handles.size()), deadlineNs, done,
                             user, error);
  });
}

} // namespace mtrt
