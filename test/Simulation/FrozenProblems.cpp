//===- FrozenProblems.cpp - sets of models put together -------------------===//
#include "FrozenProblems.h"
#include "mtc/Scheduling/ProblemText.h"
#include "mtc/Support/File.h"

#include <fmt/format.h>

#include <filesystem>
#include <sstream>

namespace mtc::test {
namespace {

struct SetRow {
  std::string name, members;
};

std::vector<SetRow> setRows() {
  std::vector<SetRow> rows;
  StatusOr<std::string> text = readTextFile(MTC_FROZEN_SETS);
  std::istringstream lines(text.ok() ? *text : "");
  for (std::string line; std::getline(lines, line);)
    if (size_t tab = line.find('\t'); tab != std::string::npos && line[0] != '#')
      rows.push_back({line.substr(0, tab), line.substr(tab + 1)});
  return rows;
}

/// Adds the tenants of `from` to `to`; kernels and weights are not shared between models.
void append(const Problem &from, const std::string &name, Problem &to) {
  auto firstKernel = static_cast<int32_t>(to.kernels.size());
  auto firstTenant = static_cast<int32_t>(to.tenants.size());
  to.device = from.device;
  to.kernels.insert(to.kernels.end(), from.kernels.begin(), from.kernels.end());
  to.tenants.insert(to.tenants.end(), from.tenants.begin(), from.tenants.end());
  to.tenants.back().name = name;
  for (Entry entry : from.entries) {
    entry.tenant += firstTenant;
    for (Task &task : entry.tasks)
      task.kernel += firstKernel;
    to.entries.push_back(std::move(entry));
  }
}

/// Adds a model, which has one tenant with one entry, `copies` times.
Status addMember(const std::string &model, int copies, const std::string &device, int batch,
                 FrozenProblem &set) {
  auto path = [&](int b) {
    return fmt::format("{}/{}.b{}.{}.txt", MTC_FROZEN_PROBLEMS, model, b, device);
  };
  bool hasBatch = batch == 1 || std::filesystem::exists(path(batch));
  MTC_ASSIGN_OR_RETURN(std::string text, readTextFile(path(hasBatch ? batch : 1)));
  StatusOr<Problem> problem = parseProblem(text);
  if (!problem.ok())
    return problem.status().withContext(model);
  for (int copy = 0; copy < copies; ++copy) {
    append(*problem, copies == 1 ? model : fmt::format("{}_{}", model, copy), set.problem);
    auto entry = static_cast<int32_t>(set.problem.entries.size() - 1);
    for (int i = 0; i < (hasBatch ? 1 : batch); ++i)
      set.round.instances.push_back(entry);
  }
  return okStatus();
}

} // namespace

std::vector<std::string> frozenSets() {
  std::vector<std::string> names;
  for (const SetRow &row : setRows())
    names.push_back(row.name);
  return names;
}

StatusOr<FrozenProblem> frozenProblem(const std::string &name, const std::string &device,
                                      int batch) {
  for (const SetRow &row : setRows()) {
    if (row.name != name)
      continue;
    FrozenProblem set;
    set.round.name = "round";
    std::istringstream members(row.members);
    for (std::string member; members >> member;) {
      size_t star = member.find('*');
      int copies = star == std::string::npos ? 1 : std::atoi(member.c_str() + star + 1);
      MTC_RETURN_IF_ERROR(addMember(member.substr(0, star), copies, device, batch, set));
    }
    set.round.granules = allGranules(set.problem.device.granules);
    MTC_RETURN_IF_ERROR(check(set.problem));
    return set;
  }
  return invalidInput(fmt::format("no frozen set '{}'", name));
}

} // namespace mtc::test
