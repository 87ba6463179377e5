//===- SetArguments.cpp - the set from the command line; its entries ------===//
//
// A set typed on the command line has no manifest, but means the same. Names may hold any
// character, so the rules that split them are fixed: the last colon of NAME:DIMS, and `T/x` names a
// tenant only if T is one.
//
//===----------------------------------------------------------------------===//
#include "mtc/Import/ONNX/Import.h"
#include "mtc/Pipelines/Manifest.h"
#include "mtc/Support/Text.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace mtc {
namespace {

std::string sanitized(const std::string &text, bool allowDash) {
  std::string result;
  for (unsigned char c : text)
    result += std::isalnum(c) || c == '_' || (allowDash && c == '-') ? char(std::tolower(c)) : '_';
  return result;
}

std::vector<std::string> split(const std::string &text, char separator) {
  std::vector<std::string> parts(1);
  for (char c : text)
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

bool isManifestPath(const std::string &path) {
  std::string extension = std::filesystem::path(path).extension().string();
  return extension == ".yaml" || extension == ".yml";
}

/// `[TENANT=]MODEL.onnx`; a '=' after the first '/' belongs to the path.
StatusOr<TenantSpec> parseModelArgument(const std::string &argument) {
  TenantSpec tenant;
  size_t equals = argument.substr(0, argument.find('/')).find('=');
  tenant.model = equals == std::string::npos ? argument : argument.substr(equals + 1);
  tenant.name = equals == std::string::npos
                    ? sanitized(std::filesystem::path(argument).stem().string(), true)
                    : argument.substr(0, equals);
  if (!isTenantName(tenant.name))
    return invalidInput(fmt::format(
        "'{}' is no tenant name: it must match [a-z][a-z0-9_-]*; name the tenant: NAME={}",
        tenant.name, tenant.model));
  if (tenant.model.empty())
    return invalidInput(fmt::format("'{}' names no model", argument));
  return tenant;
}

/// The tenants that the part before the ':' or '=' of a flag speaks of; `name` loses the tenant.
StatusOr<std::vector<TenantSpec *>> selectTenants(SetSpec &set, const std::string &flag,
                                                  std::string &name, bool toAll) {
  size_t slash = name.find('/');
  if (slash != std::string::npos)
    for (TenantSpec &tenant : set.tenants)
      if (name.compare(0, slash, tenant.name) == 0) {
        name = name.substr(slash + 1);
        return std::vector<TenantSpec *>{&tenant};
      }
  std::vector<TenantSpec *> all;
  std::string names;
  for (TenantSpec &tenant : set.tenants) {
    all.push_back(&tenant);
    names += (names.empty() ? "" : ", ") + tenant.name;
  }
  if (all.size() > 1 && !toAll)
    return invalidInput(fmt::format("{}: name the tenant of '{}' as TENANT/{}; known: {}", flag,
                                    name, name, names));
  return all;
}

Status applyShape(SetSpec &set, const std::string &text, std::set<std::string> &seen) {
  std::string flag = "--shapes " + text;
  size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0)
    return invalidInput(flag + ": expected [TENANT/]INPUT:1x3x480x640");
  std::string name = text.substr(0, colon);
  std::vector<Extent> shape;
  std::string dims = text.substr(colon + 1);
  for (const std::string &part : dims.empty() ? std::vector<std::string>() : split(dims, 'x')) {
    StatusOr<int64_t> size = parseCount(part, "extent", 0);
    if (size.ok())
      shape.push_back({*size, ""});
    else if (!part.empty() &&
             std::all_of(part.begin(), part.end(), [](unsigned char c) { return std::isalpha(c); }))
      shape.push_back({0, part});
    else
      return invalidInput(
          fmt::format("{}: '{}' is no extent: an integer of at least 0 or a letter", flag, part));
  }
  MTC_ASSIGN_OR_RETURN(std::vector<TenantSpec *> tenants, selectTenants(set, flag, name, false));
  for (TenantSpec *tenant : tenants) {
    if (!seen.insert(tenant->name + '/' + name).second)
      return invalidInput(fmt::format("{}: the shape of '{}' is given twice", flag, name));
    if (tenant->buckets.empty())
      tenant->buckets.emplace_back();
    for (ShapeBucket &bucket : tenant->buckets)
      bucket.shapes[name] = shape;
  }
  return okStatus();
}

Status applyDim(SetSpec &set, const std::string &text, std::set<std::string> &seen) {
  std::string flag = "--dim " + text;
  size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0)
    return invalidInput(flag + ": expected [TENANT/]NAME=1 or NAME=1,4");
  std::string name = text.substr(0, equals);
  std::vector<int64_t> values;
  for (const std::string &part : split(text.substr(equals + 1), ',')) {
    StatusOr<int64_t> size = parseCount(part, "extent", 0);
    if (!size.ok())
      return invalidInput(fmt::format("{}: '{}' is no integer of at least 0", flag, part));
    if (std::find(values.begin(), values.end(), *size) != values.end())
      return invalidInput(fmt::format("{}: {} is given twice", flag, *size));
    values.push_back(*size);
  }
  MTC_ASSIGN_OR_RETURN(std::vector<TenantSpec *> tenants, selectTenants(set, flag, name, true));
  for (TenantSpec *tenant : tenants) {
    if (!seen.insert(tenant->name + '/' + name).second)
      return invalidInput(fmt::format("{}: dimension '{}' is given twice", flag, name));
    tenant->dims[name] = values;
  }
  return okStatus();
}

Status applyValue(SetSpec &set, const std::string &text, std::set<std::string> &seen) {
  std::string flag = "--value " + text;
  size_t equals = text.find("=@");
  bool isFile = equals != std::string::npos;
  if (!isFile)
    equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0)
    return invalidInput(flag + ": expected [TENANT/]INPUT=1,2,3 or [TENANT/]INPUT=@FILE.npy");
  std::string name = text.substr(0, equals), list = text.substr(equals + 1);
  InputValue value;
  if (isFile) {
    MTC_ASSIGN_OR_RETURN(value.tensor, readNpy(list.substr(1)));
  } else if (!list.empty()) {
    value.numbers = split(list, ',');
  }
  MTC_ASSIGN_OR_RETURN(std::vector<TenantSpec *> tenants, selectTenants(set, flag, name, false));
  for (TenantSpec *tenant : tenants) {
    if (!seen.insert(tenant->name + '/' + name).second)
      return invalidInput(fmt::format("{}: the value of '{}' is given twice", flag, name));
    tenant->values[name] = value;
    for (ShapeBucket &bucket : tenant->buckets)
      bucket.values.erase(name);
  }
  return okStatus();
}

Status applyPad(SetSpec &set, const std::string &text, std::set<std::string> &seen) {
  std::string flag = "--pad " + text;
  size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    return invalidInput(flag + ": expected [TENANT/]INPUT=0");
  std::string name = text.substr(0, equals);
  MTC_ASSIGN_OR_RETURN(std::vector<TenantSpec *> tenants, selectTenants(set, flag, name, false));
  for (TenantSpec *tenant : tenants) {
    if (!seen.insert(tenant->name + '/' + name).second)
      return invalidInput(fmt::format("{}: the pad of '{}' is given twice", flag, name));
    tenant->pad[name].numbers = {text.substr(equals + 1)};
  }
  return okStatus();
}

} // namespace

bool isTenantName(const std::string &name) {
  return !name.empty() && name[0] >= 'a' && name[0] <= 'z' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

StatusOr<SetSpec> makeSet(const SetArguments &arguments) {
  SetSpec set;
  set.targets = {"host"};
  size_t manifests =
      std::count_if(arguments.models.begin(), arguments.models.end(), isManifestPath);
  if (manifests && arguments.models.size() > 1)
    return invalidInput("give one SET.yaml or models, not both");
  if (manifests) {
    MTC_ASSIGN_OR_RETURN(set, readManifest(arguments.models[0]));
  } else {
    for (const std::string &argument : arguments.models) {
      MTC_ASSIGN_OR_RETURN(TenantSpec tenant, parseModelArgument(argument));
      for (const TenantSpec &other : set.tenants)
        if (other.name == tenant.name)
          return invalidInput(fmt::format("tenant '{}' is given twice; name one: NAME={}",
                                          tenant.name, tenant.model));
      set.tenants.push_back(std::move(tenant));
    }
  }
  if (set.tenants.empty())
    return invalidInput("no model: give SET.yaml or [TENANT=]MODEL.onnx ...");
  if (!arguments.targets.empty())
    set.targets = arguments.targets;
  if (!arguments.precision.empty())
    for (TenantSpec &tenant : set.tenants)
      tenant.precision = arguments.precision;
  std::set<std::string> seenShapes, seenDims, seenValues, seenPads;
  for (const std::string &text : arguments.shapes)
    MTC_RETURN_IF_ERROR(applyShape(set, text, seenShapes));
  for (const std::string &text : arguments.dims)
    MTC_RETURN_IF_ERROR(applyDim(set, text, seenDims));
  for (const std::string &text : arguments.values)
    MTC_RETURN_IF_ERROR(applyValue(set, text, seenValues));
  for (const std::string &text : arguments.pads)
    MTC_RETURN_IF_ERROR(applyPad(set, text, seenPads));
  return set;
}

StatusOr<std::vector<EntryBinding>> bindEntries(const TenantSpec &tenant) {
  constexpr size_t maxEntries = 1024;
  // The combinations of dims, the last dimension fastest.
  std::vector<std::map<std::string, int64_t>> combinations(1);
  for (const auto &[name, values] : tenant.dims) {
    std::vector<std::map<std::string, int64_t>> next;
    for (const auto &combination : combinations)
      for (int64_t value : values) {
        next.push_back(combination);
        next.back()[name] = value;
      }
    combinations = std::move(next);
    if (combinations.size() > maxEntries)
      return invalidInput(fmt::format("{}: more than {} entries", tenant.name, maxEntries));
  }

  std::vector<ShapeBucket> buckets = tenant.buckets;
  if (buckets.empty())
    buckets.emplace_back();
  if (buckets.size() * combinations.size() > maxEntries)
    return invalidInput(fmt::format("{}: more than {} entries", tenant.name, maxEntries));

  std::vector<EntryBinding> entries;
  for (size_t b = 0; b < buckets.size(); ++b)
    for (const auto &dims : combinations) {
      EntryBinding &entry = entries.emplace_back();
      if (buckets.size() > 1 || dims.empty())
        entry.name = fmt::format("e{}", b);
      for (const auto &[name, value] : dims)
        entry.name +=
            fmt::format("{}{}{}", entry.name.empty() ? "" : "_", sanitized(name, false), value);
      entry.dims = dims;
      entry.values = buckets[b].values;
      entry.values.insert(tenant.values.begin(), tenant.values.end());
      entry.pad = tenant.pad;
      for (const auto &[input, extents] : buckets[b].shapes) {
        if (extents.size() == 1 && extents[0].letter == noElements) {
          entry.absent.insert(input);
          continue;
        }
        entry.shapes[input]; // a scalar's shape is empty, but given
        for (const Extent &extent : extents) {
          auto bound = dims.find(extent.letter);
          if (!extent.letter.empty() && bound == dims.end())
            return invalidInput(
                fmt::format("{0}: dimension '{1}' of input '{2}' unbound; add --dim {0}/{1}=1",
                            tenant.name, extent.letter, input));
          entry.shapes[input].push_back(extent.letter.empty() ? extent.size : bound->second);
        }
      }
    }
  return entries;
}

} // namespace mtc
