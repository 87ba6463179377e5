//===- Names.cpp - tenants, entries and tensors by name -------------------===//
#include "Padding.h"
#include "mtc/Runtime/Session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>

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

/// The tenant's entries that are left have these shapes of `input`: "n1 (1x3x8x8), n4 (4x3x8x8)".
static std::string entriesByShape(const Problem &problem, const std::vector<int32_t> &entries,
                                  std::string_view input) {
  std::vector<std::string> texts;
  for (int32_t e : entries)
    for (const Tensor &tensor : problem.entries[e].inputs)
      if (tensor.name == input)
        texts.push_back(
            fmt::format("{} ({})", problem.entries[e].name, fmt::join(tensor.shape, "x")));
  return fmt::format("{}", fmt::join(texts, ", "));
}

namespace {

/// How an entry fits the shapes that a caller has.
struct Candidate {
  int32_t entry = 0;
  bool fits = true, isPadded = false;
  int64_t elements = 0; ///< of its inputs that are given

  void add(const Tensor &tensor, std::span<const int64_t> shape) {
    const bool isEqual = std::ranges::equal(tensor.shape, shape);
    isPadded |= !isEqual;
    fits &= isEqual || fitsPadded(tensor, shape);
    elements += countElements(tensor.shape);
  }
  /// Exact ones first, then the smallest; equal ones keep their order.
  std::tuple<bool, bool, int64_t> key() const { return {!fits, isPadded, isPadded ? elements : 0}; }
};

} // namespace

bool fitsPadded(const Tensor &input, std::span<const int64_t> shape) {
  return input.pad && shape.size() == input.shape.size() &&
         std::ranges::equal(shape, input.shape, [](int64_t given, int64_t full) {
           return given >= 0 && given <= full;
         });
}

StatusOr<int32_t> chooseEntry(const Problem &problem, int32_t tenant,
                              std::span<const GivenShape> given) {
  std::vector<int32_t> left;
  for (size_t e = 0; e < problem.entries.size(); ++e)
    if (problem.entries[e].tenant == tenant)
      left.push_back(static_cast<int32_t>(e));
  if (left.empty())
    return findEntry(problem, tenant, "").status();
  const std::string &name = problem.tenants[tenant].name;
  std::vector<Candidate> candidates;
  for (int32_t e : left) {
    Candidate candidate{e};
    for (const GivenShape &g : given) {
      MTC_ASSIGN_OR_RETURN(const int32_t index,
                           findTensor(problem.entries[e].inputs, g.input, "input", name));
      candidate.add(problem.entries[e].inputs[index], g.shape);
    }
    candidates.push_back(candidate);
  }
  const auto best = std::ranges::min_element(candidates, {}, &Candidate::key);
  if (best->fits)
    return best->entry;
  // None: say which input it is.
  for (const GivenShape &g : given) {
    std::vector<int32_t> fitting;
    for (int32_t e : left) {
      const auto &inputs = problem.entries[e].inputs;
      Candidate candidate{e};
      candidate.add(*std::ranges::find(inputs, g.input, &Tensor::name), g.shape);
      if (candidate.fits)
        fitting.push_back(e);
    }
    if (fitting.empty())
      return invalidInput(fmt::format(
          "no entry of tenant '{}' takes an input '{}' of shape {}; {}: {}", name, g.input,
          fmt::join(g.shape, "x"),
          given.size() > 1 ? "with the other inputs as they are there are" : "there are",
          entriesByShape(problem, left, g.input)));
    left = std::move(fitting);
  }
  return left.front();
}

} // namespace mtc
