//===- Status.h - errors of the base half ---------------------------------===//
//
// A Status is a code and one line of text: lower case, no period, what was wanted and what was
// got. The codes are the exit codes of the programs, so that an error keeps its meaning from
// the place where it is found to the shell.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>

namespace mtc {

/// What kind of failure it is; the numbers are the documented exit codes.
enum class ErrorCode : int {
  Ok = 0,
  Internal = 1,
  InvalidInput = 2,
  Unsupported = 3,
  SloInfeasible = 4,
  NumericMismatch = 5,
  Unstable = 6,
  DeviceUnavailable = 7,
  BundleRefused = 8,
};

/// Success, or a code with a message. Cheap to move; ok() costs one comparison.
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {
    assert(code != ErrorCode::Ok && "an error needs an error code");
  }

  bool ok() const { return code_ == ErrorCode::Ok; }
  ErrorCode code() const { return code_; }
  const std::string &message() const { return message_; }
  int exitCode() const { return static_cast<int>(code_); }

  /// The same error with `prefix: ` before its message; success stays success.
  Status withContext(const std::string &prefix) const {
    return ok() ? *this : Status(code_, prefix + ": " + message_);
  }

private:
  ErrorCode code_ = ErrorCode::Ok;
  std::string message_;
};

inline Status okStatus() { return Status(); }
inline Status internalError(std::string m) { return {ErrorCode::Internal, std::move(m)}; }
inline Status invalidInput(std::string m) { return {ErrorCode::InvalidInput, std::move(m)}; }
inline Status unsupported(std::string m) { return {ErrorCode::Unsupported, std::move(m)}; }
inline Status bundleRefused(std::string m) { return {ErrorCode::BundleRefused, std::move(m)}; }

/// A value or the Status that says why there is none.
template <typename T> class [[nodiscard]] StatusOr {
public:
  StatusOr(T value) : value_(std::move(value)) {}
  StatusOr(Status status) : status_(std::move(status)) {
    assert(!status_.ok() && "a StatusOr without a value needs an error");
  }

  bool ok() const { return status_.ok(); }
  const Status &status() const { return status_; }
  T &operator*() & { return *value_; }
  const T &operator*() const & { return *value_; }
  T &&operator*() && { return std::move(*value_); }
  T *operator->() { return &*value_; }
  const T *operator->() const { return &*value_; }

private:
  Status status_;
  std::optional<T> value_;
};

} // namespace mtc

/// Returns from the enclosing function when `expr` (a Status) is an error.
#define MTC_RETURN_IF_ERROR(expr)                                                                  \
  do {                                                                                             \
    if (::mtc::Status mtcStatus_ = (expr); !mtcStatus_.ok())                                       \
      return mtcStatus_;                                                                           \
  } while (false)

#define MTC_CONCAT_IMPL_(a, b) a##b
#define MTC_CONCAT_(a, b) MTC_CONCAT_IMPL_(a, b)

/// `MTC_ASSIGN_OR_RETURN(auto x, f())` binds the value of a StatusOr or returns its error.
#define MTC_ASSIGN_OR_RETURN(decl, expr)                                                           \
  auto MTC_CONCAT_(mtcOr_, __LINE__) = (expr);                                                     \
  if (!MTC_CONCAT_(mtcOr_, __LINE__).ok())                                                         \
    return MTC_CONCAT_(mtcOr_, __LINE__).status();                                                 \
  decl = std::move(*MTC_CONCAT_(mtcOr_, __LINE__))
