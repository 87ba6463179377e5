//===- Manifest.cpp - reads SET.yaml --------------------------------------===//
//
// A hand-written walk over yaml-cpp's nodes: every key is named in a table, every value is checked
// where it stands, so that each error has a line and a column. yaml-cpp's own conversions throw and
// are not used.
//
//===----------------------------------------------------------------------===//
#include "mtc/Pipelines/Manifest.h"
#include "mtc/Support/File.h"
#include "mtc/Support/Text.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>

namespace mtc {
namespace {

using YAML::Node;

/// A key of a map, and what reads its value.
struct Key {
  const char *name;
  std::function<Status(const Node &)> read;
};

class ManifestReader {
public:
  explicit ManifestReader(std::string path) : path_(std::move(path)) {}

  StatusOr<SetSpec> read(const Node &root);

private:
  Status at(const Node &node, const std::string &message) const {
    YAML::Mark mark = node.Mark();
    return invalidInput(
        fmt::format("{}:{}:{}: {}", path_, mark.line + 1, mark.column + 1, message));
  }

  Status readMap(const Node &node, const std::string &what, const std::vector<Key> &keys) const;
  Status readScalar(const Node &node, const std::string &key, std::string &value) const;
  Status readWord(const Node &node, const std::string &key, const std::vector<std::string> &words,
                  std::string &value) const;
  Status readName(const Node &node, const std::string &key, std::string &value) const;
  Status readCount(const Node &node, const std::string &what, int64_t least, int64_t &value) const;
  template <typename T>
  Status readQuantity(const Node &node, const std::string &key, const char *unit,
                      StatusOr<T> (*parse)(std::string_view), T &value) const;
  Status readTargets(const Node &node, std::vector<std::string> &targets) const;
  Status readTenants(const Node &node, std::vector<TenantSpec> &tenants) const;
  Status readTenant(const Node &node, TenantSpec &tenant) const;
  Status readBuckets(const Node &node, std::vector<ShapeBucket> &buckets) const;
  Status readBucket(const Node &node, ShapeBucket &bucket) const;
  Status readPad(const Node &node, std::map<std::string, InputValue> &pad) const;
  Status readValues(const Node &node, std::map<std::string, InputValue> &values) const;
  Status readDims(const Node &node, std::map<std::string, std::vector<int64_t>> &dims) const;

  std::string path_;
};

/// Reads each key of a map by its row; unknown and repeated keys are errors.
Status ManifestReader::readMap(const Node &node, const std::string &what,
                               const std::vector<Key> &keys) const {
  if (!node.IsMap())
    return at(node, fmt::format("{} must be a map", what));
  std::set<std::string> seen;
  for (const auto &item : node) {
    if (!item.first.IsScalar())
      return at(item.first, fmt::format("a key of {} must be a word", what));
    const std::string &name = item.first.Scalar();
    auto key = std::find_if(keys.begin(), keys.end(), [&](const Key &k) { return name == k.name; });
    if (key == keys.end()) {
      std::string known;
      for (const Key &k : keys)
        known += known.empty() ? k.name : fmt::format(", {}", k.name);
      return at(item.first, fmt::format("unknown key '{}'; known: {}", name, known));
    }
    if (!seen.insert(name).second)
      return at(item.first, fmt::format("key '{}' is given twice", name));
    MTC_RETURN_IF_ERROR(key->read(item.second));
  }
  return okStatus();
}

Status ManifestReader::readScalar(const Node &node, const std::string &key,
                                  std::string &value) const {
  if (!node.IsScalar() || node.Scalar().empty())
    return at(node, fmt::format("{} must be a single value", key));
  value = node.Scalar();
  return okStatus();
}

Status ManifestReader::readWord(const Node &node, const std::string &key,
                                const std::vector<std::string> &words, std::string &value) const {
  MTC_RETURN_IF_ERROR(readScalar(node, key, value));
  if (std::find(words.begin(), words.end(), value) == words.end())
    return at(node, fmt::format("{} has the unknown value '{}'; known: {}", key, value,
                                fmt::join(words, ", ")));
  return okStatus();
}

Status ManifestReader::readName(const Node &node, const std::string &key,
                                std::string &value) const {
  MTC_RETURN_IF_ERROR(readScalar(node, key, value));
  if (!isTenantName(value))
    return at(node, fmt::format("{} '{}' must match [a-z][a-z0-9_-]*", key, value));
  return okStatus();
}

Status ManifestReader::readCount(const Node &node, const std::string &what, int64_t least,
                                 int64_t &value) const {
  std::string text;
  MTC_RETURN_IF_ERROR(readScalar(node, what, text));
  StatusOr<int64_t> number = parseCount(text, what, least);
  if (!number.ok())
    return at(node, number.status().message());
  value = *number;
  return okStatus();
}

/// A quantity with its unit; a number alone is the commonest mistake and has a message of its own.
template <typename T>
Status ManifestReader::readQuantity(const Node &node, const std::string &key, const char *unit,
                                    StatusOr<T> (*parse)(std::string_view), T &value) const {
  std::string text;
  MTC_RETURN_IF_ERROR(readScalar(node, key, text));
  if (text.find_first_not_of("0123456789.") == std::string::npos)
    return at(node, fmt::format("{} needs a unit, e.g. {}{}", key, text, unit));
  StatusOr<T> quantity = parse(text);
  if (!quantity.ok())
    return at(node, fmt::format("{}: {}", key, quantity.status().message()));
  value = *quantity;
  return okStatus();
}

StatusOr<SetSpec> ManifestReader::read(const Node &root) {
  SetSpec set;
  set.name = std::filesystem::path(path_).stem().string();
  bool hasVersion = false;
  auto readVersion = [&](const Node &node) -> Status {
    std::string version;
    MTC_RETURN_IF_ERROR(readScalar(node, "version", version));
    hasVersion = true;
    return version == "1" ? okStatus()
                          : at(node, fmt::format("unknown version '{}'; known: 1", version));
  };
  MTC_RETURN_IF_ERROR(
      readMap(root, "the manifest",
              {{"version", readVersion},
               {"target", [&](const Node &n) { return readTargets(n, set.targets); }},
               {"tenants", [&](const Node &n) { return readTenants(n, set.tenants); }}}));
  if (!hasVersion)
    return at(root, "the manifest needs 'version: 1'");
  if (set.tenants.empty())
    return at(root, "the manifest needs 'tenants'");
  if (set.targets.empty())
    set.targets = {"host"};
  return set;
}

Status ManifestReader::readTargets(const Node &node, std::vector<std::string> &targets) const {
  if (!node.IsSequence())
    return readScalar(node, "target", targets.emplace_back());
  for (const Node &target : node)
    MTC_RETURN_IF_ERROR(readScalar(target, "target", targets.emplace_back()));
  return okStatus();
}

Status ManifestReader::readTenants(const Node &node, std::vector<TenantSpec> &tenants) const {
  if (!node.IsSequence() || node.size() == 0)
    return at(node, "tenants must be a list of at least one tenant");
  for (const Node &item : node) {
    TenantSpec tenant;
    MTC_RETURN_IF_ERROR(readTenant(item, tenant));
    for (const TenantSpec &other : tenants)
      if (other.name == tenant.name)
        return at(item, fmt::format("tenant '{}' is given twice", tenant.name));
    tenants.push_back(std::move(tenant));
  }
  return okStatus();
}

Status ManifestReader::readTenant(const Node &node, TenantSpec &tenant) const {
  auto readSlo = [&](const Node &slo) {
    return readMap(slo, "slo", {{"p99", [&](const Node &n) {
                                   return readQuantity(n, "slo.p99", "ms", parseDurationNs,
                                                       tenant.sloP99Ns);
                                 }}});
  };
  auto readModel = [&](const Node &n) -> Status {
    std::string text;
    MTC_RETURN_IF_ERROR(readScalar(n, "model", text));
    tenant.model = (std::filesystem::path(path_).parent_path() / text).lexically_normal().string();
    return okStatus();
  };
  auto word = [&](const char *key, std::vector<std::string> words, std::string &value) {
    return [this, key, words, &value](const Node &n) { return readWord(n, key, words, value); };
  };
  MTC_RETURN_IF_ERROR(readMap(
      node, "a tenant",
      {{"name", [&](const Node &n) { return readName(n, "name", tenant.name); }},
       {"model", readModel},
       {"shapes", [&](const Node &n) { return readBuckets(n, tenant.buckets); }},
       {"dims", [&](const Node &n) { return readDims(n, tenant.dims); }},
       {"values", [&](const Node &n) { return readValues(n, tenant.values); }},
       {"pad", [&](const Node &n) { return readPad(n, tenant.pad); }},
       {"slo", readSlo},
       {"rate",
        [&](const Node &n) {
          return readQuantity(n, "rate", "/s", parseRatePerSecond, tenant.ratePerSecond);
        }},
       {"arrivals", word("arrivals", {"poisson", "periodic"}, tenant.arrivals)},
       {"priority", [&](const Node &n) { return readCount(n, "priority", 0, tenant.priority); }},
       {"precision", word("precision", {"f32", "tf32", "f16", "bf16"}, tenant.precision)},
       {"isolation", [&](const Node &n) { return readName(n, "isolation", tenant.isolation); }},
       {"numerics", word("numerics", {"strict", "relaxed"}, tenant.numerics)}}));
  if (tenant.name.empty())
    return at(node, "a tenant needs 'name'");
  if (tenant.model.empty())
    return at(node, fmt::format("tenant '{}' needs 'model'", tenant.name));
  return okStatus();
}

Status ManifestReader::readBuckets(const Node &node, std::vector<ShapeBucket> &buckets) const {
  if (node.IsMap())
    return readBucket(node, buckets.emplace_back());
  if (!node.IsSequence() || node.size() == 0)
    return at(node, "shapes must be a map from inputs to shapes, or a list of such maps");
  for (const Node &bucket : node)
    MTC_RETURN_IF_ERROR(readBucket(bucket, buckets.emplace_back()));
  return okStatus();
}

static bool isLetter(const std::string &text) {
  return (std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '_') &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

Status ManifestReader::readBucket(const Node &node, ShapeBucket &bucket) const {
  if (!node.IsMap())
    return at(node, "shapes must be a map from inputs to shapes, or a list of such maps");
  for (const auto &item : node) {
    std::string input;
    MTC_RETURN_IF_ERROR(readScalar(item.first, "the name of an input", input));
    if (input == "values" && item.second.IsMap()) {
      MTC_RETURN_IF_ERROR(readValues(item.second, bucket.values));
      continue;
    }
    if (!item.second.IsSequence())
      return at(item.second,
                fmt::format("the shape of '{}' must be a list, e.g. [N, 3, 480, 640]", input));
    if (bucket.shapes.count(input))
      return at(item.first, fmt::format("input '{}' is given twice", input));
    std::vector<Extent> &shape = bucket.shapes[input];
    for (const Node &extent : item.second) {
      std::string text;
      MTC_RETURN_IF_ERROR(readScalar(extent, "an extent", text));
      if (isLetter(text)) {
        shape.push_back({0, text});
        continue;
      }
      StatusOr<int64_t> size = parseCount(text, "extent", 0);
      if (!size.ok())
        return at(
            extent,
            fmt::format("an extent of '{}' must be an integer of at least 0 or a letter, got '{}'",
                        input, text));
      shape.push_back({*size, ""});
    }
  }
  return okStatus();
}

Status ManifestReader::readPad(const Node &node, std::map<std::string, InputValue> &pad) const {
  if (!node.IsMap())
    return at(node, "pad must be a map from inputs to numbers, e.g. {input_ids: 0}");
  for (const auto &item : node) {
    std::string input;
    MTC_RETURN_IF_ERROR(readScalar(item.first, "the name of an input", input));
    if (pad.count(input))
      return at(item.first, fmt::format("input '{}' is given twice", input));
    MTC_RETURN_IF_ERROR(readScalar(item.second, fmt::format("the pad of '{}'", input),
                                   pad[input].numbers.emplace_back()));
  }
  return okStatus();
}

/// Numbers are kept as they are written: the model knows their type.
Status ManifestReader::readValues(const Node &node,
                                  std::map<std::string, InputValue> &values) const {
  const char *wanted = "must be a list of numbers, a number, or \"@FILE.npy\"";
  if (!node.IsMap())
    return at(node, "values must be a map from inputs to values, e.g. {axes: [1]}");
  for (const auto &item : node) {
    std::string input, text;
    MTC_RETURN_IF_ERROR(readScalar(item.first, "the name of an input", input));
    if (values.count(input))
      return at(item.first, fmt::format("input '{}' is given twice", input));
    InputValue &value = values[input];
    if (item.second.IsSequence()) {
      for (const Node &number : item.second)
        MTC_RETURN_IF_ERROR(readScalar(number, fmt::format("an element of '{}'", input),
                                       value.numbers.emplace_back()));
      continue;
    }
    if (!item.second.IsScalar() || item.second.Scalar().empty())
      return at(item.second, fmt::format("the value of '{}' {}", input, wanted));
    text = item.second.Scalar();
    if (text[0] != '@') {
      value.numbers = {text};
      continue;
    }
    auto array = readNpy((std::filesystem::path(path_).parent_path() / text.substr(1)).string());
    if (!array.ok())
      return at(item.second, array.status().message());
    value.tensor = std::move(*array);
  }
  return okStatus();
}

Status ManifestReader::readDims(const Node &node,
                                std::map<std::string, std::vector<int64_t>> &dims) const {
  if (!node.IsMap())
    return at(node, "dims must be a map, e.g. {N: 1} or {N: [1, 4]}");
  for (const auto &item : node) {
    std::string name;
    MTC_RETURN_IF_ERROR(readScalar(item.first, "the name of a dimension", name));
    if (dims.count(name))
      return at(item.first, fmt::format("dimension '{}' is given twice", name));
    std::vector<int64_t> &values = dims[name];
    std::string what = fmt::format("dimension '{}'", name);
    if (!item.second.IsSequence()) {
      MTC_RETURN_IF_ERROR(readCount(item.second, what, 0, values.emplace_back()));
      continue;
    }
    for (const Node &value : item.second) {
      int64_t size = 0;
      MTC_RETURN_IF_ERROR(readCount(value, what, 0, size));
      if (std::find(values.begin(), values.end(), size) != values.end())
        return at(value, fmt::format("{} has the value {} twice", what, size));
      values.push_back(size);
    }
    if (values.empty())
      return at(item.second, fmt::format("{} needs at least one value", what));
  }
  return okStatus();
}

} // namespace

StatusOr<SetSpec> parseManifest(const std::string &text, const std::string &path) {
  try {
    Node root = YAML::Load(text);
    if (!root.IsMap())
      return invalidInput(fmt::format("{}:1:1: the manifest must be a map", path));
    return ManifestReader(path).read(root);
  } catch (const YAML::Exception &e) {
    return invalidInput(
        fmt::format("{}:{}:{}: {}", path, e.mark.line + 1, e.mark.column + 1, e.msg));
  }
}

StatusOr<SetSpec> readManifest(const std::string &path) {
  MTC_ASSIGN_OR_RETURN(std::string text, readTextFile(path));
  return parseManifest(text, path);
}

} // namespace mtc
