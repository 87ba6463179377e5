//===- RunCases.cpp - cases as tenants of one bundle ----------------------===//
#include "RunCases.h"

#include "../../tools/mtrt/Tensors.h"
#include "../Emulator/EmulateBundle.h"

#include "mtc/Pipelines/Phases.h"
#include "mtc/Runtime/Session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>

namespace mtc::conformance {
namespace {

using Requests = std::vector<std::unique_ptr<Request>>;

/// What fits into a row of a table.
std::string firstLine(const std::string &text) {
  return text.substr(0, std::min<size_t>(text.find('\n'), 200));
}

Outcome outcomeOf(const Case &c, const std::string &result, const std::string &reason) {
  return {c.name, c.plain, result, firstLine(reason)};
}

/// "t3" of the case at position 3: names of cases are no names of tenants.
std::string tenantName(size_t position) { return fmt::format("t{}", position); }

TenantSpec tenantOf(const Case &c, size_t position) {
  TenantSpec tenant;
  tenant.name = tenantName(position);
  tenant.model = c.model;
  ShapeBucket &bucket = tenant.buckets.emplace_back();
  for (const CaseTensor &input : c.inputs)
    for (std::vector<Extent> &shape = bucket.shapes[input.name]; int64_t size : input.shape)
      shape.push_back({size, ""});
  for (const std::string &input : c.empty)
    bucket.shapes[input] = {{0, noElements}};
  return tenant;
}

/// Adds the case's values of those inputs that a failed import names; false if it names no new
/// ones.
bool bindWanted(TenantSpec &tenant, const Case &c, const std::vector<UnsupportedNode> &nodes) {
  bool isNew = false;
  for (const UnsupportedNode &node : nodes)
    for (const std::string &name : node.wantedValues)
      for (const CaseTensor &input : c.inputs) {
        StatusOr<ElementType> type = parseElementType(input.elementType);
        if (input.name == name && type.ok() && !tenant.values.count(name)) {
          tenant.values[name].tensor = NpyArray{*type, input.shape, input.bytes};
          isNew = true;
        }
      }
  return isNew;
}

StatusOr<std::unique_ptr<Compilation>> import(std::vector<TenantSpec> tenants, const Where &where,
                                              std::vector<UnsupportedNode> *nodes = nullptr) {
  SetSpec set;
  set.name = "conformance";
  set.targets = {where.target};
  set.tenants = std::move(tenants);
  MTC_ASSIGN_OR_RETURN(auto compilation, Compilation::create(std::move(set)));
  Status status = buildModel(*compilation, {});
  if (nodes)
    *nodes = std::move(compilation->unsupported);
  MTC_RETURN_IF_ERROR(status);
  return compilation;
}

/// What the target cannot run shows before any kernel is compiled. The message is of the first
/// task.
Status checkTarget(Compilation &compilation) {
  MTC_RETURN_IF_ERROR(formTasks(compilation, {}));
  const Status status = tuneKernels(compilation, {});
  const size_t first = status.message().find(": task ");
  if (status.ok() || first == std::string::npos)
    return status;
  const std::string &text = status.message();
  return Status(status.code(), text.substr(first + 2, text.find('\n', first) - first - 2));
}

/// Fills a request's inputs with the case's.
Status feed(Request &request, const Case &c) {
  for (const Tensor &tensor : request.entry().inputs) {
    auto input = std::find_if(c.inputs.begin(), c.inputs.end(),
                              [&](const CaseTensor &t) { return t.name == tensor.name; });
    if (input == c.inputs.end())
      return invalidInput(fmt::format("the case has no input '{}'", tensor.name));
    if (input->elementType != tensor.elementType || input->shape != tensor.shape)
      return invalidInput(fmt::format("input '{}' is {}[{}], the case has {}[{}]", tensor.name,
                                      tensor.elementType, fmt::join(tensor.shape, "x"),
                                      input->elementType, fmt::join(input->shape, "x")));
    MTC_ASSIGN_OR_RETURN(void *memory, request.memory(tensor.name, true));
    std::memcpy(memory, input->bytes.data(), input->bytes.size());
  }
  return okStatus();
}

/// "" if the outputs are the case's, else what differs; whether it is only a number.
std::string compare(Request &request, const Case &c, bool &isOtherNumber) {
  std::vector<Tensor> outputs;
  std::set<int32_t> extents;
  for (const Tensor &tensor : request.entry().outputs)
    if (tensor.extentOutput >= 0)
      extents.insert(tensor.extentOutput);
  for (size_t i = 0; i < request.entry().outputs.size(); ++i) {
    if (extents.count(static_cast<int32_t>(i)))
      continue;
    StatusOr<Tensor> output = tool::outputOf(request, request.entry().outputs[i]);
    if (!output.ok())
      return output.status().message();
    outputs.push_back(*output);
  }
  if (outputs.size() != c.outputs.size())
    return fmt::format("{} outputs, the case has {}", outputs.size(), c.outputs.size());
  for (const CaseTensor &wanted : c.outputs) {
    auto tensor = std::find_if(outputs.begin(), outputs.end(),
                               [&](const Tensor &t) { return t.name == wanted.name; });
    if (tensor == outputs.end())
      return fmt::format("no output '{}'", wanted.name);
    if (tensor->elementType != wanted.elementType || tensor->shape != wanted.shape)
      return fmt::format("output '{}' is {}[{}], wanted {}[{}]", tensor->name, tensor->elementType,
                         fmt::join(tensor->shape, "x"), wanted.elementType,
                         fmt::join(wanted.shape, "x"));
    StatusOr<ElementType> type = parseElementType(wanted.elementType);
    if (!type.ok())
      return type.status().message();
    tool::Tolerance tolerance;
    tolerance.rtol = c.rtol;
    tolerance.atol = c.atol;
    const auto *got = static_cast<const uint8_t *>(request.bound(tensor->name, false));
    const std::string mismatch = describeMismatch(
        tool::difference(*type, {got, wanted.bytes.size()}, wanted.bytes, tolerance), tolerance,
        wanted.shape);
    if (!mismatch.empty()) {
      isOtherNumber = true;
      return fmt::format("output '{}': {}", wanted.name, mismatch);
    }
  }
  return "";
}

RequestStatus runTogether(Session &session, std::vector<Request *> requests) {
  for (Request *request : requests)
    for (const Tensor &tensor : request->entry().outputs)
      if (StatusOr<void *> memory = request->memory(tensor.name, false); memory.ok())
        std::memset(*memory, 0xa5, static_cast<size_t>(tensor.bytes));
  if (RequestStatus status = session.submit(requests); !status.ok())
    return status;
  RequestStatus worst;
  for (Request *request : requests)
    if (RequestStatus status = request->wait(); !status.ok())
      worst = status;
  return worst;
}

std::map<std::string, std::vector<uint8_t>> outputsOf(const Request &request) {
  std::map<std::string, std::vector<uint8_t>> outputs;
  for (const Tensor &tensor : request.entry().outputs) {
    const auto *bytes = static_cast<const uint8_t *>(request.bound(tensor.name, false));
    outputs[tensor.name].assign(bytes, bytes + tensor.bytes);
  }
  return outputs;
}

/// A tenant of the bundle on the way to its outcome.
struct Running {
  size_t position;
  std::unique_ptr<Request> request;
  std::map<std::string, std::vector<uint8_t>> alone;
};

class Suite {
public:
  Suite(const std::vector<Case> &cases, const Where &where) : cases(cases), where(where) {}

  Status run(const std::string &scratch);
  std::vector<Outcome> outcomes;

private:
  std::vector<TenantSpec> importEach();
  Status compile(std::vector<TenantSpec> tenants, const std::string &path);
  void runAlone(Session &session, size_t position);
  void runRound(Session &session);
  void end(size_t position, const std::string &result, const std::string &reason = "") {
    outcomes.push_back(outcomeOf(cases[position], result, reason));
  }

  const std::vector<Case> &cases;
  const Where &where;
  std::vector<size_t> imported;
  std::vector<Running> running; ///< those that answered alone
};

std::vector<TenantSpec> Suite::importEach() {
  std::vector<TenantSpec> tenants;
  for (size_t i = 0; i < cases.size(); ++i) {
    if (!cases[i].problem.empty()) {
      end(i, "unfed", cases[i].problem);
      continue;
    }
    TenantSpec tenant = tenantOf(cases[i], i);
    std::vector<UnsupportedNode> nodes;
    StatusOr<std::unique_ptr<Compilation>> alone = import({tenant}, where, &nodes);
    while (!alone.ok() && bindWanted(tenant, cases[i], nodes))
      alone = import({tenant}, where, &nodes);
    Status status = alone.status();
    if (status.ok() && !where.cudaDriver.empty())
      status = checkTarget(**alone);
    if (status.ok()) {
      imported.push_back(i);
      tenants.push_back(std::move(tenant));
      continue;
    }
    std::string reason = status.message();
    if (const std::string prefix = tenant.name + ": "; reason.starts_with(prefix))
      reason = reason.substr(prefix.size());
    end(i,
        status.code() == ErrorCode::Unsupported    ? "unsupported"
        : status.code() == ErrorCode::InvalidInput ? "invalid"
                                                   : "internal",
        reason);
  }
  return tenants;
}

Status Suite::compile(std::vector<TenantSpec> tenants, const std::string &path) {
  MTC_ASSIGN_OR_RETURN(auto compilation, import(std::move(tenants), where));
  CompileOptions options;
  options.jobs = 1;
  options.assemble = !where.emulates; // the fake takes PTX, too
  MTC_RETURN_IF_ERROR(formTasks(*compilation, options));
  MTC_RETURN_IF_ERROR(tuneKernels(*compilation, options));
  MTC_RETURN_IF_ERROR(exportProblems(*compilation, options));
  MTC_RETURN_IF_ERROR(scheduleTasks(*compilation, options));
  MTC_RETURN_IF_ERROR(makePlans(*compilation, options));
  return writeBundle(*compilation, options, path, {});
}

void Suite::runAlone(Session &session, size_t position) {
  auto request = session.createRequest(tenantName(position));
  if (!request.ok())
    return end(position, "failed", request.status().message());
  if (Status status = feed(**request, cases[position]); !status.ok())
    return end(position, "invalid", status.message());
  if (RequestStatus status = runTogether(session, {request->get()}); !status.ok())
    return end(position, "failed", status.message);
  bool isOtherNumber = false;
  const std::string mismatch = compare(**request, cases[position], isOtherNumber);
  if (!mismatch.empty())
    end(position, isOtherNumber && cases[position].isRandom ? "random" : "wrong", mismatch);
  else
    end(position, "passed");
  auto outputs = outputsOf(**request);
  running.push_back({position, std::move(*request), std::move(outputs)});
}

/// All at once: the answers have to be the same bits.
void Suite::runRound(Session &session) {
  std::vector<Request *> round;
  for (Running &r : running)
    round.push_back(r.request.get());
  const RequestStatus status = runTogether(session, round);
  for (Running &r : running) {
    const std::string reason = !status.ok()                       ? status.message
                               : outputsOf(*r.request) != r.alone ? "other bits than alone"
                                                                  : "";
    auto outcome = std::find_if(outcomes.begin(), outcomes.end(), [&](const Outcome &o) {
      return o.name == cases[r.position].name && o.result == "passed";
    });
    if (!reason.empty() && outcome != outcomes.end())
      *outcome = outcomeOf(cases[r.position], "round", reason);
  }
}

Status Suite::run(const std::string &scratch) {
  std::vector<TenantSpec> tenants = importEach();
  if (tenants.empty())
    return okStatus();
  MTC_RETURN_IF_ERROR(compile(std::move(tenants), scratch));
  MTC_ASSIGN_OR_RETURN(auto program, BundleReader::open(scratch));
  MTC_RETURN_IF_ERROR(program->verifyAll());
  SessionOptions options;
  if (!where.cudaDriver.empty()) {
    if (where.emulates) {
      MTC_RETURN_IF_ERROR(emulator::emulateBundle(*program, scratch, /*checks=*/true));
      ::setenv("MTC_FAKE_CUDA_KERNELS", scratch.c_str(), 1);
    }
    options.device = "cuda";
    options.cudaDriver = where.cudaDriver;
  }
  MTC_ASSIGN_OR_RETURN(auto session, Session::create(program, options));
  for (size_t position : imported)
    runAlone(*session, position);
  if (running.size() == imported.size())
    runRound(*session);
  return okStatus();
}

} // namespace

StatusOr<std::vector<Outcome>> runCases(const std::vector<Case> &cases, const std::string &scratch,
                                        const Where &where) {
  Suite suite(cases, where);
  Status status = suite.run(scratch);
  if (status.ok())
    return std::move(suite.outcomes);
  if (cases.size() > 1)
    return status;
  return std::vector<Outcome>{outcomeOf(cases[0], "internal", status.message())};
}

} // namespace mtc::conformance
