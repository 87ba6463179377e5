//===- Candidates.cpp - what a bundle says of its kernels to a tuner ------===//
#include "mtc/Tuning/Candidates.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace mtc {

using Json = nlohmann::ordered_json;

std::string printCandidates(const Candidates &candidates) {
  Json json = {{"target", candidates.target},
               {"compiler", candidates.compiler},
               {"seed", candidates.seed},
               {"kernels", Json::array()},
               {"features", Json::array()}};
  for (const CandidateKernel &kernel : candidates.kernels)
    json["kernels"].push_back(
        {{"kernel", kernel.kernel}, {"configs", kernel.configs}, {"searched", kernel.searched}});
  for (const KernelRecord &record : candidates.features)
    json["features"].push_back({{"kernel", record.kernel}, {"features", record.features}});
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// The texts of an array; false if something else is in it.
static bool readTexts(const Json &json, std::vector<std::string> &texts) {
  if (!json.is_array())
    return false;
  for (const Json &text : json) {
    if (!text.is_string())
      return false;
    texts.push_back(text.get<std::string>());
  }
  return true;
}

static bool readCandidates(const Json &json, Candidates &candidates) {
  const Json nothing;
  if (!json.value("compiler", nothing).is_string() || !json.value("kernels", nothing).is_array() ||
      !json.value("features", nothing).is_array() ||
      !json.value("seed", nothing).is_number_integer())
    return false;
  candidates.seed = json["seed"].get<int64_t>();
  candidates.compiler = json["compiler"].get<std::string>();
  for (const Json &row : json["kernels"]) {
    CandidateKernel kernel;
    if (!row.is_object() || !row.value("kernel", nothing).is_string() ||
        !readTexts(row.value("configs", nothing), kernel.configs) ||
        !row.value("searched", nothing).is_number_integer())
      return false;
    kernel.kernel = row["kernel"].get<std::string>();
    kernel.searched = row["searched"].get<int64_t>();
    candidates.kernels.push_back(std::move(kernel));
  }
  for (const Json &row : json["features"]) {
    KernelRecord record;
    if (!row.is_object() || !row.value("kernel", nothing).is_string() ||
        !row.value("features", nothing).is_object())
      return false;
    record.kernel = row["kernel"].get<std::string>();
    for (const auto &[name, value] : row["features"].items()) {
      if (!value.is_number())
        return false;
      record.features[name] = value.get<double>();
    }
    candidates.features.push_back(std::move(record));
  }
  return true;
}

StatusOr<Candidates> parseCandidates(std::string_view text, const std::string &target) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const Json json = Json::parse(text.substr(0, end), nullptr, /*allow_exceptions=*/false);
    text.remove_prefix(std::min(end + 1, text.size()));
    Candidates candidates;
    candidates.target = target;
    if (!json.is_object())
      return bundleRefused("the bundle's tuning text is no JSON object");
    if (json.value("target", Json()) != target)
      continue;
    if (!readCandidates(json, candidates))
      return bundleRefused("the bundle's tuning text is damaged");
    return candidates;
  }
  return bundleRefused(fmt::format("the bundle's tuning text has no target '{}'", target));
}

} // namespace mtc
