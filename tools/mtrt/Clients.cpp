//===- Clients.cpp - callers of tenants that bring and fetch tensors ------===//
#include "Clients.h"
#include "Commands.h"
#include "mtc/Support/Clock.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>

namespace mtc::tool {

void Client::copyIn() {
  for (auto &[mine, session] : inputs)
    std::memcpy(session, mine.data(), mine.size());
}

void Client::copyOut() {
  for (auto &[mine, session] : outputs)
    std::memcpy(mine.data(), session, mine.size());
}

StatusOr<std::vector<Client>> makeClients(Session &session, const Fill &fill) {
  std::vector<Client> clients;
  for (const Tenant &tenant : session.target().problem.tenants) {
    Client &client = clients.emplace_back();
    MTC_ASSIGN_OR_RETURN(client.request, session.createRequest(tenant.name));
    for (const Tensor &tensor : client.request->entry().inputs) {
      if (tensor.value)
        continue; // need not be bound
      std::vector<uint8_t> mine(static_cast<size_t>(tensor.bytes));
      MTC_RETURN_IF_ERROR(fillTensor(fill, tenant.name, tensor, mine.data()));
      MTC_ASSIGN_OR_RETURN(void *memory, client.request->memory(tensor.name, true));
      client.inputs.emplace_back(std::move(mine), memory);
    }
    for (const Tensor &tensor : client.request->entry().outputs) {
      MTC_ASSIGN_OR_RETURN(void *memory, client.request->memory(tensor.name, false));
      client.outputs.emplace_back(std::vector<uint8_t>(static_cast<size_t>(tensor.bytes)), memory);
    }
  }
  return clients;
}

/// The policy that a session is to plan by.
static std::string plannedBy(const std::string &policy) { return policy == "bundle" ? "" : policy; }

StatusOr<int64_t> iterateRound(Session &session, std::vector<Client> &clients,
                               const std::string &policy, bool keep) {
  std::vector<Request *> round;
  for (Client &client : clients)
    round.push_back(client.request.get());
  const int64_t start = nowNs();
  for (Client &client : clients)
    client.copyIn();
  MTC_RETURN_IF_ERROR(runRound(session, round, plannedBy(policy)));
  for (Client &client : clients)
    client.copyOut();
  const int64_t duration = nowNs() - start;
  for (Client &client : clients)
    if (keep)
      client.latency.ns.push_back(client.request->finishedNs() - start);
  return duration;
}

StatusOr<int64_t> iterateSolo(Session &session, Client &client, const std::string &policy,
                              bool keep) {
  const int64_t start = nowNs();
  client.copyIn();
  MTC_RETURN_IF_ERROR(runRound(session, {client.request.get()}, plannedBy(policy)));
  client.copyOut();
  const int64_t duration = nowNs() - start;
  if (keep)
    client.latency.ns.push_back(duration);
  return duration;
}

Progress::Progress(bool isShown, double all)
    : isShown_(isShown && isatty(STDERR_FILENO)), all_(all), startNs_(nowNs()) {}

Progress::~Progress() {
  if (isShown_)
    fmt::print(stderr, "\r\x1b[K");
}

void Progress::show(double done) const {
  if (isShown_ && done > 0)
    fmt::print(stderr, "\r\x1b[Kmtrt: {:.0f}/{:.0f}, about {:.0f} s left", done, all_,
               double(nowNs() - startNs_) / 1e9 / done * (all_ - done));
}

} // namespace mtc::tool
