//===- Record.cpp - records as lines of JSON ------------------------------===//
#include "mtc/Tuning/Record.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <iterator>
#include <tuple>

namespace mtc {

using Json = nlohmann::ordered_json;

const std::vector<std::string> &neighbourNames() {
  static const std::vector<std::string> names = {"none", "low", "medium", "high", kFlushed};
  return names;
}

template <typename T> static void move(std::vector<T> &to, std::vector<T> &from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

void TuningRecords::append(TuningRecords other) {
  move(times, other.times);
  move(kernels, other.kernels);
  move(searches, other.searches);
}

bool isBetter(const TimeRecord &a, const TimeRecord &b) {
  if (a.samples != b.samples)
    return a.samples > b.samples;
  return std::tie(a.ns, a.failure) < std::tie(b.ns, b.failure);
}

/// Text from elsewhere may hold anything, and dump() throws where that is no UTF-8.
static std::string line(const Json &json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string printHeader(const std::string &compiler) {
  return line({{"type", "tuning"}, {"version", 1}, {"compiler", compiler}});
}

std::string printRecords(const TuningRecords &records) {
  std::string text;
  for (const KernelRecord &record : records.kernels)
    text += line({{"type", "kernel"}, {"kernel", record.kernel}, {"features", record.features}});
  for (const TimeRecord &record : records.times) {
    const TimeKey &key = record.key;
    Json json = {{"type", record.samples > 0 ? "time" : "failure"},
                 {"kernel", key.kernel},
                 {"config", key.config},
                 {"granules", key.granules},
                 {"neighbour", key.neighbour},
                 {"device", key.device}};
    if (record.samples > 0) {
      json["ns"] = record.ns;
      json["samples"] = record.samples;
      if (record.halves[0] > 0)
        json["halves"] = record.halves;
      if (!record.code.empty())
        json["code"] = record.code;
    } else {
      json["why"] = record.failure;
    }
    text += line(json);
  }
  for (const SearchRecord &record : records.searches)
    text += line({{"type", "search"},
                  {"kernel", record.kernel},
                  {"device", record.device},
                  {"candidates", record.candidates},
                  {"seed", record.seed}});
  return text;
}

namespace {

/// The fields of a line; the first that is missing or wrong is remembered.
class Fields {
public:
  explicit Fields(const Json &json) : json(json) {}

  std::string text(const char *name, bool mayBeEmpty = false) {
    auto at = json.find(name);
    if (at == json.end() || !at->is_string() || (!mayBeEmpty && at->empty()) ||
        (!mayBeEmpty && at->get_ref<const std::string &>().empty()))
      return wrong(name, "a text"), "";
    return at->get<std::string>();
  }

  int64_t number(const char *name, int64_t least, int64_t most) {
    auto at = json.find(name);
    if (at == json.end() || !at->is_number_integer())
      return wrong(name, "a whole number"), least;
    if (at->is_number_unsigned() && at->get<uint64_t>() > uint64_t(INT64_MAX))
      return wrong(name, "a smaller number"), least;
    const auto value = at->get<int64_t>();
    if (value < least || value > most)
      return wrong(name, fmt::format("{} to {}, not {}", least, most, value)), least;
    return value;
  }

  std::array<int64_t, 2> halves() {
    auto at = json.find("halves");
    if (at == json.end())
      return {0, 0};
    auto isTime = [](const Json &value) {
      return value.is_number_integer() && value.get<double>() >= 1 && value.get<double>() < 9e18;
    };
    if (!at->is_array() || at->size() != 2 || !isTime((*at)[0]) || !isTime((*at)[1]))
      return wrong("halves", "two times"), std::array<int64_t, 2>{0, 0};
    return {(*at)[0].get<int64_t>(), (*at)[1].get<int64_t>()};
  }

  KernelFeatureMap features() {
    KernelFeatureMap result;
    auto at = json.find("features");
    if (at == json.end() || !at->is_object())
      return wrong("features", "an object"), result;
    for (const auto &[name, value] : at->items())
      if (!value.is_number() || !std::isfinite(value.get<double>()))
        wrong(name.c_str(), "a number");
      else
        result[name] = value.get<double>();
    return result;
  }

  std::string error;

private:
  void wrong(const char *name, const std::string &wanted) {
    if (error.empty())
      error = fmt::format("'{}' must be {}", name, wanted);
  }
  const Json &json;
};

/// Adds what a line says to the records; returns what is wrong with it.
std::string addLine(const Json &json, TuningRecords &records) {
  Fields fields(json);
  const std::string type = fields.text("type");
  if (type == "kernel") {
    KernelRecord record;
    record.kernel = fields.text("kernel");
    record.features = fields.features();
    records.kernels.push_back(std::move(record));
  } else if (type == "time" || type == "failure") {
    TimeRecord record;
    record.key.kernel = fields.text("kernel");
    record.key.config = fields.text("config");
    record.key.granules = int32_t(fields.number("granules", 1, 64));
    record.key.neighbour = fields.text("neighbour");
    record.key.device = fields.text("device");
    if (type == "time") {
      record.ns = fields.number("ns", 1, INT64_MAX);
      record.samples = int32_t(fields.number("samples", 1, INT32_MAX));
      record.halves = fields.halves();
      if (json.contains("code"))
        record.code = fields.text("code");
    } else {
      record.failure = fields.text("why", /*mayBeEmpty=*/true);
    }
    records.times.push_back(std::move(record));
  } else if (type == "search") {
    SearchRecord record;
    record.kernel = fields.text("kernel");
    record.device = fields.text("device");
    record.candidates = fields.number("candidates", 0, INT64_MAX);
    record.seed = fields.number("seed", 0, INT64_MAX);
    records.searches.push_back(std::move(record));
  } else if (fields.error.empty()) {
    return fmt::format("type '{}' is unknown; known: tuning, kernel, time, failure, search", type);
  }
  return fields.error;
}

} // namespace

StatusOr<TuningRecords> parseRecords(std::string_view text, const std::string &compiler,
                                     const std::string &name) {
  TuningRecords records;
  bool hasHeader = false;
  int64_t lineNumber = 0;
  while (!text.empty()) {
    ++lineNumber;
    const size_t end = text.find('\n');
    auto fail = [&](const std::string &what) {
      return invalidInput(fmt::format("tuning records '{}', line {}: {}", name, lineNumber, what));
    };
    if (end == std::string_view::npos)
      return fail("is cut short");
    const std::string_view here = text.substr(0, end);
    text.remove_prefix(end + 1);
    const Json json = Json::parse(here, nullptr, /*allow_exceptions=*/false);
    if (!json.is_object())
      return fail("is no JSON object");
    if (json.value("type", Json()) == "tuning") {
      Fields fields(json);
      const std::string theirs = fields.text("compiler");
      if (fields.number("version", 1, 1); !fields.error.empty())
        return fail(fields.error);
      if (!compiler.empty() && theirs != compiler)
        return fail(fmt::format("is of compiler '{}', this is '{}'", theirs, compiler));
      hasHeader = true;
      continue;
    }
    if (!hasHeader)
      return fail("stands before the line that says which compiler it is of");
    if (std::string error = addLine(json, records); !error.empty())
      return fail(error);
  }
  return records;
}

} // namespace mtc
