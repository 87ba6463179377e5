//===- Manifest.h - the set of models to compile together -----------------===//
//
// A set comes from a manifest (SET.yaml) or from the command line; both become the same SetSpec.
// The manifest's form is docs/set.schema.json; unknown keys are errors, quantities carry units.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Import/ONNX/InputValue.h"
#include "mtc/Support/Status.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mtc {

struct EntryBinding; // of Import/ONNX/Import.h

/// An extent of a shape: a number, or a letter that `dims` binds.
struct Extent {
  int64_t size = 0;   ///< at least 0, unless `letter` is given
  std::string letter; ///< empty for a number
};

/// In place of a shape: the sequence has no elements, the optional holds nothing.
inline constexpr const char *noElements = "none";

/// Shapes of inputs by name, and the values of those that are known when compiling. A tenant with
/// several buckets has entries for each.
struct ShapeBucket {
  std::map<std::string, std::vector<Extent>> shapes;
  std::map<std::string, InputValue> values;
};

/// One model of the set, and what its user asks for.
struct TenantSpec {
  std::string name;                 ///< [a-z][a-z0-9_-]*
  std::string model;                ///< path of the ONNX file, from the working directory
  std::vector<ShapeBucket> buckets; ///< empty: the model's own shapes
  std::map<std::string, std::vector<int64_t>>
      dims;                                 ///< a dimension's values: an entry for each combination
  std::map<std::string, InputValue> values; ///< of inputs, unless their bucket has another
  std::map<std::string, InputValue>
      pad; ///< inputs that may be smaller than their entry's, and the element that fills the rest
  int64_t sloP99Ns = 0;             ///< 0: none
  double ratePerSecond = 0;         ///< 0: unknown
  std::string arrivals = "poisson"; ///< or "periodic"
  int64_t priority = 0;
  std::string precision = "f32";     ///< f32, tf32, f16, bf16
  std::string isolation = "guarded"; ///< or the name of a group
  std::string numerics = "strict";   ///< or "relaxed"
};

struct SetSpec {
  std::string name = "set";         ///< of the program: the manifest's stem
  std::vector<std::string> targets; ///< at least one, as written ("host", "host:x86-64-v3,cores=4")
  std::vector<TenantSpec> tenants;  ///< at least one, names unique
};

/// Parses the text of a manifest. `path` names it in messages, and its folder is where `model:`
/// starts. Fails if the text is not such a manifest; the message begins with `path:line:column: `.
StatusOr<SetSpec> parseManifest(const std::string &text, const std::string &path);

/// Reads and parses the manifest at `path`. Fails if it cannot be read or parsed.
StatusOr<SetSpec> readManifest(const std::string &path);

/// The entries of a tenant: its buckets times the combinations of its dims. Their names come from
/// the dims ("n1", "n4_s128"), else from their number ("e0"). Fails if a letter of a shape is not
/// bound, or there are more than 1024 entries.
StatusOr<std::vector<EntryBinding>> bindEntries(const TenantSpec &tenant);

/// Whether `name` matches [a-z][a-z0-9_-]*.
bool isTenantName(const std::string &name);

/// What the arguments of `compile` and `explain` say about the set, as they were typed.
struct SetArguments {
  std::vector<std::string> models;  ///< SET.yaml, or [TENANT=]MODEL.onnx ...
  std::vector<std::string> shapes;  ///< [TENANT/]INPUT:1x3x480x640
  std::vector<std::string> dims;    ///< [TENANT/]N=1,4
  std::vector<std::string> values;  ///< [TENANT/]INPUT=1,2,3 or [TENANT/]INPUT=@FILE.npy
  std::vector<std::string> pads;    ///< [TENANT/]INPUT=0
  std::vector<std::string> targets; ///< replace the manifest's
  std::string precision;            ///< replaces the manifest's
};

/// Reads the manifest or makes one of the models, then applies the flags.
/// Fails if models and a manifest are mixed, a name is taken twice, a flag is malformed, or a flag
/// without a tenant leaves open which one it means.
StatusOr<SetSpec> makeSet(const SetArguments &arguments);

} // namespace mtc
