//===- Names.cpp - tenants, entries and tensors by name -------------------===//
#include "mtc/Runtime/Session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace mtc {

/// "unknown tenant 'dat'; known: det, rec"
static Status unknown(std::string_view what, std::string_view name, std::string_view of,
                      const std::vector<std::string> &known) {
  return invalidInput(
      fmt::format("unknown {} '{}'{}; known: {}", what, name, of,
                  known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", "))));
}

StatusOr<int32_t> findTenant(const Problem &problem, std::string_view name) {
  std::vector<std::string> known;
  for (size_t i = 0; i < problem.tenants.size(); ++i) {
    if (problem.tenants[i].name == name)
      return static_cast<int32_t>(i);
    known.push_back(problem.tenants[i].name);
  }
  return unknown("tenant", name, "", known);
}

StatusOr<int32_t> findEntry(const Problem &problem, int32_t tenant, std::string_view name) {
  std::vector<std::string> known;
  for (size_t i = 0; i < problem.entries.size(); ++i) {
    if (problem.entries[i].tenant != tenant)
      continue;
    if (name.empty() || problem.entries[i].name == name)
      return static_cast<int32_t>(i);
    known.push_back(problem.entries[i].name);
  }
  return unknown("entry", name, fmt::format(" of tenant '{}'", problem.tenants[tenant].name),
                 known);
}

StatusOr<int32_t> findTensor(const std::vector<Tensor> &tensors, std::string_view name,
                             std::string_view what, std::string_view tenant) {
  std::vector<std::string> known;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].name == name)
      return static_cast<int32_t>(i);
    // Kept values (mtc compile --keep-values) are outputs that users did not ask for.
    if (!tensors[i].name.starts_with("value:"))
      known.push_back(tensors[i].name);
  }
  return unknown(what, name, fmt::format(" of tenant '{}'", tenant), known);
}

} // namespace mtc
