//===- ManifestTest.cpp - every key and every error of a set manifest -----===//
#include "mtc/Pipelines/Manifest.h"
#include "mtc/Import/ONNX/Import.h"
#include "mtc/Support/File.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <sstream>

using namespace mtc;

static std::string errorOf(const std::string &text) {
  StatusOr<SetSpec> set = parseManifest(text, "dir/set.yaml");
  if (set.ok())
    return "";
  EXPECT_EQ(set.status().code(), ErrorCode::InvalidInput);
  return set.status().message();
}

/// A manifest whose one tenant has `lines` after its name and model.
static std::string withTenant(const std::string &lines) {
  return "version: 1\ntenants:\n  - name: det\n    model: det.onnx\n" + lines;
}

// The example of the documentation: every key is read, the model's path starts at the manifest.
TEST(Manifest, ReadsEveryKey) {
  StatusOr<SetSpec> set = parseManifest(R"(
version: 1
target: host:x86-64-v3,cores=4
tenants:
  - name: det
    model: models/det.onnx
    shapes: {x: [N, 3, 480, 640]}
    dims: {N: [1, 4]}
    slo: {p99: 60ms}
    rate: 10/s
    arrivals: periodic
    priority: 2
    precision: f32
    isolation: vision
    numerics: relaxed
  - {name: cls, model: /abs/cls.onnx}
)",
                                        "dir/document.yaml");
  ASSERT_TRUE(set.ok()) << set.status().message();
  EXPECT_EQ(set->name, "document");
  EXPECT_EQ(set->targets, std::vector<std::string>{"host:x86-64-v3,cores=4"});
  ASSERT_EQ(set->tenants.size(), 2u);
  const TenantSpec &det = set->tenants[0];
  EXPECT_EQ(det.model, "dir/models/det.onnx");
  ASSERT_EQ(det.buckets.size(), 1u);
  EXPECT_EQ(det.buckets[0].shapes.at("x")[0].letter, "N");
  EXPECT_EQ(det.buckets[0].shapes.at("x")[3].size, 640);
  EXPECT_EQ(det.dims.at("N"), (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(det.sloP99Ns, 60'000'000);
  EXPECT_EQ(det.ratePerSecond, 10);
  EXPECT_EQ(det.arrivals, "periodic");
  EXPECT_EQ(det.priority, 2);
  EXPECT_EQ(det.isolation, "vision");
  EXPECT_EQ(det.numerics, "relaxed");
  EXPECT_EQ(set->tenants[1].model, "/abs/cls.onnx");
  EXPECT_EQ(set->tenants[1].isolation, "guarded");
}

// Every error says where it is and what was wanted.
TEST(Manifest, NamesPlaceAndReason) {
  const char *tenant = "version: 1\ntenants:\n  - {name: det, model: d.onnx}\n";
  const std::pair<std::string, std::string> cases[] = {
      {std::string(tenant) + "foo: 1\n",
       "dir/set.yaml:4:1: unknown key 'foo'; known: version, target, tenants"},
      {withTenant("    foo: 1\n"),
       "dir/set.yaml:5:5: unknown key 'foo'; known: name, model, shapes, dims, values, pad, slo, "
       "rate, arrivals, priority, precision, isolation, numerics"},
      {withTenant("    slo: {p95: 1ms}\n"), "dir/set.yaml:5:11: unknown key 'p95'; known: p99"},
      {withTenant("    slo: {p99: 60}\n"), "dir/set.yaml:5:16: slo.p99 needs a unit, e.g. 60ms"},
      {withTenant("    slo: {p99: 60h}\n"), "dir/set.yaml:5:16: slo.p99: duration '60h' has "
                                            "unknown unit 'h'; known: ns, us, ms, s, min"},
      {withTenant("    slo: 60ms\n"), "dir/set.yaml:5:10: slo must be a map"},
      {withTenant("    rate: 10\n"), "dir/set.yaml:5:11: rate needs a unit, e.g. 10/s"},
      {withTenant("    rate: fast\n"),
       "dir/set.yaml:5:11: rate: rate 'fast' is not a positive number with a unit, e.g. 10/s"},
      {withTenant("    rate: [1/s]\n"), "dir/set.yaml:5:11: rate must be a single value"},
      {withTenant("    arrivals: often\n"),
       "dir/set.yaml:5:15: arrivals has the unknown value 'often'; known: poisson, periodic"},
      {withTenant("    precision: f8\n"),
       "dir/set.yaml:5:16: precision has the unknown value 'f8'; known: f32, tf32, f16, bf16"},
      {withTenant("    numerics: any\n"),
       "dir/set.yaml:5:15: numerics has the unknown value 'any'; known: strict, relaxed"},
      {withTenant("    priority: high\n"),
       "dir/set.yaml:5:15: priority 'high' is not a whole number of at least 0"},
      {withTenant("    isolation: A B\n"),
       "dir/set.yaml:5:16: isolation 'A B' must match [a-z][a-z0-9_-]*"},
      {withTenant("    name: det\n"), "dir/set.yaml:5:5: key 'name' is given twice"},
      {withTenant("    shapes: 3\n"),
       "dir/set.yaml:5:13: shapes must be a map from inputs to shapes, or a list of such maps"},
      {withTenant("    shapes: []\n"),
       "dir/set.yaml:5:13: shapes must be a map from inputs to shapes, or a list of such maps"},
      {withTenant("    shapes: {x: 3}\n"),
       "dir/set.yaml:5:17: the shape of 'x' must be a list, e.g. [N, 3, 480, 640]"},
      {withTenant("    shapes: {x: [-1]}\n"), "dir/set.yaml:5:18: an extent of 'x' must be an "
                                              "integer of at least 0 or a letter, got '-1'"},
      {withTenant("    shapes: {x: [1], x: [2]}\n"), "dir/set.yaml:5:22: input 'x' is given twice"},
      {withTenant("    values: 4\n"),
       "dir/set.yaml:5:13: values must be a map from inputs to values, e.g. {axes: [1]}"},
      {withTenant("    values: {axes: {a: 1}}\n"),
       "dir/set.yaml:5:20: the value of 'axes' must be a list of numbers, a number, or "
       "\"@FILE.npy\""},
      {withTenant("    values: {axes: [[1]]}\n"),
       "dir/set.yaml:5:21: an element of 'axes' must be a single value"},
      {withTenant("    values: {axes: 1, axes: 2}\n"),
       "dir/set.yaml:5:23: input 'axes' is given twice"},
      {withTenant("    pad: [x]\n"),
       "dir/set.yaml:5:10: pad must be a map from inputs to numbers, e.g. {input_ids: 0}"},
      {withTenant("    pad: {x: 0, x: 1}\n"), "dir/set.yaml:5:17: input 'x' is given twice"},
      {withTenant("    pad: {x: [0]}\n"),
       "dir/set.yaml:5:14: the pad of 'x' must be a single value"},
      {withTenant("    dims: 4\n"),
       "dir/set.yaml:5:11: dims must be a map, e.g. {N: 1} or {N: [1, 4]}"},
      {withTenant("    dims: {N: -1}\n"),
       "dir/set.yaml:5:15: dimension 'N' '-1' is not a whole number of at least 0"},
      {withTenant("    dims: {N: [1, 1]}\n"),
       "dir/set.yaml:5:19: dimension 'N' has the value 1 twice"},
      {withTenant("    dims: {N: []}\n"),
       "dir/set.yaml:5:15: dimension 'N' needs at least one value"},
      {withTenant("  - name: det\n    model: e.onnx\n"),
       "dir/set.yaml:5:5: tenant 'det' is given twice"},
      {withTenant("  - name: rec\n"), "dir/set.yaml:5:5: tenant 'rec' needs 'model'"},
      {withTenant("  - model: r.onnx\n"), "dir/set.yaml:5:5: a tenant needs 'name'"},
      {withTenant("  - name: Rec\n    model: r.onnx\n"),
       "dir/set.yaml:5:11: name 'Rec' must match [a-z][a-z0-9_-]*"},
      {withTenant("  - 7\n"), "dir/set.yaml:5:5: a tenant must be a map"},
      {"version: 2\n", "dir/set.yaml:1:10: unknown version '2'; known: 1"},
      {"tenants:\n  - {name: det, model: d.onnx}\n",
       "dir/set.yaml:1:1: the manifest needs 'version: 1'"},
      {"version: 1\n", "dir/set.yaml:1:1: the manifest needs 'tenants'"},
      {"version: 1\ntenants: []\n",
       "dir/set.yaml:2:10: tenants must be a list of at least one tenant"},
      {"[1]", "dir/set.yaml:1:1: the manifest must be a map"},
      {"", "dir/set.yaml:1:1: the manifest must be a map"},
      {"version: [1\n", "dir/set.yaml:2:1: end of sequence flow not found"},
  };
  for (const auto &[text, message] : cases)
    EXPECT_EQ(errorOf(text), message) << text;
}

// The published schema and the reader know the same keys.
TEST(Manifest, AgreesWithTheSchema) {
  StatusOr<std::string> text = readTextFile(MTC_SOURCE_DIR "/docs/set.schema.json");
  ASSERT_TRUE(text.ok()) << text.status().message();
  nlohmann::json schema = nlohmann::json::parse(*text);
  auto expectKeys = [](const std::string &message, const nlohmann::json &properties) {
    std::vector<std::string> known, published;
    std::istringstream words(message.substr(message.find("known: ") + 7));
    for (std::string word; std::getline(words, word, ',');)
      known.push_back(word.substr(word.find_first_not_of(' ')));
    for (const auto &item : properties.items())
      published.push_back(item.key());
    std::sort(known.begin(), known.end());
    EXPECT_EQ(known, published); // nlohmann's objects are sorted
  };
  expectKeys(errorOf("foo: 1\n"), schema["properties"]);
  const nlohmann::json &tenant = schema["$defs"]["tenant"]["properties"];
  expectKeys(errorOf(withTenant("    foo: 1\n")), tenant);
  expectKeys(errorOf(withTenant("    slo: {foo: 1}\n")), tenant["slo"]["properties"]);
}

static std::vector<std::string> entryNames(const TenantSpec &tenant) {
  StatusOr<std::vector<EntryBinding>> entries = bindEntries(tenant);
  EXPECT_TRUE(entries.ok()) << entries.status().message();
  std::vector<std::string> names;
  for (const EntryBinding &entry : *entries)
    names.push_back(entry.name);
  return names;
}

// Dims give an entry for each combination, buckets multiply them; names say which.
TEST(Manifest, BindsEntries) {
  TenantSpec tenant;
  tenant.name = "det";
  EXPECT_EQ(entryNames(tenant), std::vector<std::string>{"e0"});
  tenant.dims = {{"N", {1, 4}}, {"seq len", {128}}};
  EXPECT_EQ(entryNames(tenant), (std::vector<std::string>{"n1_seq_len128", "n4_seq_len128"}));
  tenant.buckets = {{{{"x", {{0, "N"}, {3, ""}}}}, {}}, {{{"x", {{0, "N"}, {5, ""}}}}, {}}};
  tenant.dims = {{"N", {1, 4}}};
  EXPECT_EQ(entryNames(tenant), (std::vector<std::string>{"e0_n1", "e0_n4", "e1_n1", "e1_n4"}));
  EXPECT_EQ((*bindEntries(tenant))[3].shapes.at("x"), (std::vector<int64_t>{4, 5}));
}

// A letter without a value names the flag that would bind it.
TEST(Manifest, ReportsUnboundLetters) {
  TenantSpec tenant;
  tenant.name = "det";
  tenant.buckets = {{{{"x", {{0, "N"}}}}, {}}};
  EXPECT_EQ(bindEntries(tenant).status().message(),
            "det: dimension 'N' of input 'x' unbound; add --dim det/N=1");
  std::vector<int64_t> many;
  for (int64_t i = 1; i <= 40; ++i)
    many.push_back(i);
  tenant.dims = {{"N", many}, {"M", many}};
  EXPECT_EQ(bindEntries(tenant).status().message(), "det: more than 1024 entries");
}

// Models on the command line: names from stems, flags with and without a tenant.
TEST(SetArguments, MakesASetOfModels) {
  SetArguments arguments;
  arguments.models = {"det=a/b=c.onnx", "dir/My.Model.onnx"};
  arguments.shapes = {"det/x:Nx3x8", "my_model/in/0:1:2x4"};
  arguments.dims = {"det/N=1,4", "seq=128"};
  arguments.targets = {"host:x86-64-v3,cores=2"};
  StatusOr<SetSpec> set = makeSet(arguments);
  ASSERT_TRUE(set.ok()) << set.status().message();
  ASSERT_EQ(set->tenants.size(), 2u);
  EXPECT_EQ(set->tenants[0].name, "det");
  EXPECT_EQ(set->tenants[0].model, "a/b=c.onnx");
  EXPECT_EQ(set->tenants[0].dims.at("N"), (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(set->tenants[0].dims.at("seq"), std::vector<int64_t>{128});
  EXPECT_EQ(set->tenants[1].name, "my_model");
  EXPECT_EQ(set->tenants[1].buckets[0].shapes.at("in/0:1")[1].size, 4);
  EXPECT_EQ(set->targets, arguments.targets);
}

// Values of inputs: from the command line, which replaces what buckets say, and from a manifest.
TEST(SetArguments, BindsValues) {
  SetArguments arguments;
  arguments.models = {"m.onnx"};
  arguments.values = {"axes=1,-2", "m/none=", "a=b=0.5"};
  StatusOr<SetSpec> set = makeSet(arguments);
  ASSERT_TRUE(set.ok()) << set.status().message();
  StatusOr<std::vector<EntryBinding>> entries = bindEntries(set->tenants[0]);
  ASSERT_TRUE(entries.ok()) << entries.status().message();
  const auto &values = entries->front().values;
  ASSERT_EQ(values.size(), 3u);
  EXPECT_EQ(values.at("axes").numbers, (std::vector<std::string>{"1", "-2"}));
  EXPECT_TRUE(values.at("none").numbers.empty());
  EXPECT_EQ(values.at("a=b").numbers, std::vector<std::string>{"0.5"});
}

// A bucket's own values go before the tenant's; 'values' with a list is an input of that name.
TEST(Manifest, BindsValues) {
  StatusOr<SetSpec> set = parseManifest(
      withTenant("    shapes: [{x: [4], values: {axes: [1, 2], s: 0.5}}, {values: [3]}]\n"
                 "    values: {axes: [], k: 7}\n"),
      "dir/set.yaml");
  ASSERT_TRUE(set.ok()) << set.status().message();
  StatusOr<std::vector<EntryBinding>> entries = bindEntries(set->tenants[0]);
  ASSERT_TRUE(entries.ok()) << entries.status().message();
  ASSERT_EQ(entries->size(), 2u);
  const auto &first = (*entries)[0].values, &second = (*entries)[1].values;
  EXPECT_EQ(first.at("axes").numbers, (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(first.at("s").numbers, std::vector<std::string>{"0.5"});
  EXPECT_EQ(first.at("k").numbers, std::vector<std::string>{"7"});
  EXPECT_TRUE(second.at("axes").numbers.empty());
  EXPECT_EQ((*entries)[1].shapes.at("values"), std::vector<int64_t>{3});
}

// Every error of the arguments.
TEST(SetArguments, NamesWhatIsWrong) {
  auto errorOfArguments = [](SetArguments arguments) {
    StatusOr<SetSpec> set = makeSet(arguments);
    return set.ok() ? "" : set.status().message();
  };
  EXPECT_EQ(errorOfArguments({}), "no model: give SET.yaml or [TENANT=]MODEL.onnx ...");
  EXPECT_EQ(errorOfArguments({.models = {"s.yaml", "m.onnx"}}),
            "give one SET.yaml or models, not both");
  EXPECT_EQ(errorOfArguments({.models = {"missing.yaml"}}).find("missing.yaml"), 13u);
  EXPECT_EQ(errorOfArguments({.models = {"a/m.onnx", "b/m.onnx"}}),
            "tenant 'm' is given twice; name one: NAME=b/m.onnx");
  EXPECT_EQ(
      errorOfArguments({.models = {"3d.onnx"}}),
      "'3d' is no tenant name: it must match [a-z][a-z0-9_-]*; name the tenant: NAME=3d.onnx");
  EXPECT_EQ(
      errorOfArguments({.models = {"Det=d.onnx"}}),
      "'Det' is no tenant name: it must match [a-z][a-z0-9_-]*; name the tenant: NAME=d.onnx");
  EXPECT_EQ(errorOfArguments({.models = {"det="}}), "'det=' names no model");
  EXPECT_EQ(errorOfArguments({.models = {"m.onnx"}, .shapes = {"x"}}),
            "--shapes x: expected [TENANT/]INPUT:1x3x480x640");
  EXPECT_EQ(errorOfArguments({.models = {"m.onnx"}, .shapes = {"x:1x-3"}}),
            "--shapes x:1x-3: '-3' is no extent: an integer of at least 0 or a letter");
  EXPECT_EQ(errorOfArguments({.models = {"m.onnx"}, .shapes = {"x:1", "m/x:2"}}),
            "--shapes m/x:2: the shape of 'x' is given twice");
  EXPECT_EQ(errorOfArguments({.models = {"a.onnx", "b.onnx"}, .shapes = {"c/x:1"}}),
            "--shapes c/x:1: name the tenant of 'c/x' as TENANT/c/x; known: a, b");
  EXPECT_EQ(errorOfArguments({.models = {"m.onnx"}, .dims = {"N"}}),
            "--dim N: expected [TENANT/]NAME=1 or NAME=1,4");
  EXPECT_EQ(errorOfArguments({.models = {"m.onnx"}, .dims = {"N=1,x"}}),
            "--dim N=1,x: 'x' is no integer of at least 0");
  EXPECT_EQ(errorOfArguments({.models = {"m.onnx"}, .dims = {"N=1,1"}}),
            "--dim N=1,1: 1 is given twice");
  EXPECT_EQ(errorOfArguments({.models = {"m.onnx"}, .dims = {"N=1", "m/N=2"}}),
            "--dim m/N=2: dimension 'N' is given twice");
  EXPECT_EQ(errorOfArguments({.models = {"m.onnx"}, .values = {"axes"}}),
            "--value axes: expected [TENANT/]INPUT=1,2,3 or [TENANT/]INPUT=@FILE.npy");
  EXPECT_EQ(errorOfArguments({.models = {"m.onnx"}, .values = {"axes=1", "m/axes=2"}}),
            "--value m/axes=2: the value of 'axes' is given twice");
  EXPECT_EQ(errorOfArguments({.models = {"a.onnx", "b.onnx"}, .values = {"axes=1"}}),
            "--value axes=1: name the tenant of 'axes' as TENANT/axes; known: a, b");
  EXPECT_EQ(
      errorOfArguments({.models = {"m.onnx"}, .values = {"axes=@missing.npy"}}).find("missing.npy"),
      13u);
}
