//===- Clients.h - callers of tenants, for what measures ------------------===//
#pragma once

#include "Tensors.h"

#include "mtc/Runtime/Session.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mtc::tool {

/// Times in ns and what is reported of them.
struct Samples {
  std::vector<int64_t> ns;
  double quantileMs(double q) const {
    std::vector<int64_t> sorted = ns;
    std::sort(sorted.begin(), sorted.end());
    const auto at = static_cast<size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5);
    return static_cast<double>(sorted[at]) / 1e6;
  }
  double medianMs() const { return quantileMs(0.5); }
  /// Distance of the quartiles, relative to the median.
  double spread() const { return (quantileMs(0.75) - quantileMs(0.25)) / medianMs(); }
};

/// A tenant with the caller's side of its tensors.
struct Client {
  std::unique_ptr<Request> request;
  std::vector<std::pair<std::vector<uint8_t>, void *>> inputs, outputs; ///< caller's, session's
  Samples latency;                                                      ///< of what was kept

  void copyIn();
  void copyOut();
};

/// A client of every tenant's first entry, its inputs filled.
/// Fails as Session::createRequest and fillTensor do.
StatusOr<std::vector<Client>> makeClients(Session &session, const Fill &fill);

/// One round of all by a policy's plan, "bundle" or none is the stored one; returns its duration, from the first
/// copy of an input to the last one of an output. Units: ns. Fails as Session::submit does.
StatusOr<int64_t> iterateRound(Session &session, std::vector<Client> &clients,
                               const std::string &policy, bool keep);

/// One iteration of a tenant alone, as iterateRound().
StatusOr<int64_t> iterateSolo(Session &session, Client &client, const std::string &policy,
                              bool keep);

/// How far a command is, on stderr where somebody looks at it.
class Progress {
public:
  /// Of `all` steps.
  Progress(bool isShown, double all);
  ~Progress(); ///< clears the line
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;
  void show(double done) const;

private:
  bool isShown_;
  double all_;
  int64_t startNs_;
};

} // namespace mtc::tool
