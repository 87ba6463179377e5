//===- ProblemText.cpp - print and parse Problems -------------------------===//
//
// Both directions read the fields in the same order. Numbers with a fraction are printed with the
// fewest digits that read back as the same number.
//
//===----------------------------------------------------------------------===//
#include "mtc/Scheduling/ProblemText.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <charconv>

namespace mtc {
namespace {

constexpr std::array<const char *, 7> kKinds = {"contraction", "rows",       "elementwise", "move",
                                                "attention",   "recurrence", "opaque"};
constexpr std::array<const char *, 2> kRegions = {"if", "loop"};
constexpr std::array<const char *, 4> kValues = {"input", "output", "weight", "intermediate"};
constexpr std::array<const char *, 3> kArrivals = {"poisson", "periodic", "bursty"};
constexpr std::array<const char *, 3> kTensorFacts = {"extent", "pad", "dim"};
constexpr std::string_view kOrigins = "mlr"; // modelled, learned, run (measured)
constexpr std::string_view kAccesses = "rwu";

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '\n') {
      result += "\\n";
      continue;
    }
    if (c == '"' || c == '\\')
      result += '\\';
    result += c;
  }
  return result + "\"";
}

//===- printing -----------------------------------------------------------===//

void printTensor(const Tensor &tensor, const char *role, std::string &out) {
  std::string more;
  if (tensor.extentOutput >= 0)
    more += fmt::format(" extent of {} in output {}", tensor.extentDim, tensor.extentOutput);
  if (tensor.pad)
    more += fmt::format(" pad {}", fmt::join(*tensor.pad, ","));
  for (const FollowedDim &followed : tensor.follows)
    more += fmt::format(" dim {} follows {} of input {}", followed.dim, followed.inputDim,
                        followed.input);
  fmt::format_to(std::back_inserter(out), "  {} {} {} {} {}{}\n", role, quoted(tensor.name),
                 tensor.elementType,
                 tensor.shape.empty() ? "scalar" : fmt::format("{}", fmt::join(tensor.shape, "x")),
                 tensor.bytes, more);
}

void printKernel(const Kernel &kernel, std::string &out) {
  auto to = std::back_inserter(out);
  std::string accesses;
  for (Access access : kernel.operands)
    accesses += kAccesses[static_cast<size_t>(access)];
  fmt::format_to(to, "kernel {} {} operands {} flops {} bytes {} extents {} {} {} {}{}\n",
                 quoted(kernel.name), kernelKindName(kernel.kind), accesses, kernel.flops,
                 kernel.bytes, kernel.extents.batch, kernel.extents.rows, kernel.extents.columns,
                 kernel.extents.depth,
                 kernel.byteFlops > 0 ? fmt::format(" byte_flops {}", kernel.byteFlops) : "");
  for (const Variant &variant : kernel.variants) {
    std::string times;
    for (const ShareTime &time : variant.times)
      times += fmt::format("{}{}:{}{}", times.empty() ? "" : ",", time.granules, time.ns,
                           kOrigins[static_cast<size_t>(time.origin)]);
    fmt::format_to(to, "  variant tiles {} scratch {} times {} {}\n",
                   fmt::join(variant.phaseTiles, ","), variant.scratchBytesPerWorker, times,
                   quoted(variant.config));
  }
  if (const auto &region = kernel.region)
    fmt::format_to(to, "  region {} bodies {} carried {} scanned {} length {} max_trips {}\n",
                   kRegions[static_cast<size_t>(region->kind)], fmt::join(region->bodies, ","),
                   region->carried, region->scanned, region->length, region->maxTrips);
}

void printGraph(const Entry &graph, std::string &out) {
  auto to = std::back_inserter(out);
  for (const Tensor &tensor : graph.inputs)
    printTensor(tensor, "input", out);
  for (const Tensor &tensor : graph.outputs)
    printTensor(tensor, "output", out);
  for (const Value &value : graph.values)
    fmt::format_to(to, "  value {} {} {}\n", kValues[static_cast<size_t>(value.kind)], value.bytes,
                   value.index);
  for (const Task &task : graph.tasks)
    fmt::format_to(to, "  task {} {} {} {}\n", task.id, task.kernel, fmt::join(task.values, ","),
                   quoted(task.name));
}

//===- parsing ------------------------------------------------------------===//

/// The fields of one line, taken from left to right. The first that is wrong is kept.
class Fields {
public:
  explicit Fields(std::string_view line) : rest_(line) {
    while (!rest_.empty() && rest_.front() == ' ')
      rest_.remove_prefix(1);
  }

  std::string_view word() {
    size_t end = std::min(rest_.find(' '), rest_.size());
    std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (word.empty())
      fail("ends where a field is wanted");
    return word;
  }

  bool atEnd() const { return rest_.empty(); }

  void keyword(std::string_view wanted) {
    std::string_view got = word();
    if (got != wanted)
      fail(fmt::format("has '{}' where '{}' is wanted", got, wanted));
  }

  bool hasMore() const { return !rest_.empty(); }

  template <typename T> T number() { return parse<T>(word()); }

  std::string text() {
    std::string result;
    if (rest_.empty() || rest_.front() != '"') {
      fail("has no quoted text where one is wanted");
      return result;
    }
    size_t i = 1;
    for (; i < rest_.size() && rest_[i] != '"'; ++i) {
      if (rest_[i] == '\\' && ++i < rest_.size()) {
        result += rest_[i] == 'n' ? '\n' : rest_[i];
        continue;
      }
      if (i < rest_.size())
        result += rest_[i];
    }
    if (i >= rest_.size())
      fail("has a text that does not end");
    rest_.remove_prefix(std::min(i + 2, rest_.size()));
    return result;
  }

  /// The parts of a word between `separator`s.
  std::vector<std::string_view> list(char separator) {
    std::vector<std::string_view> parts;
    std::string_view all = word();
    for (size_t at = 0; at <= all.size() && !all.empty();) {
      size_t end = std::min(all.find(separator, at), all.size());
      parts.push_back(all.substr(at, end - at));
      at = end + 1;
    }
    return parts;
  }

  template <typename T> std::vector<T> numbers(char separator) {
    std::vector<T> values;
    for (std::string_view part : list(separator))
      values.push_back(parse<T>(part));
    return values;
  }

  template <size_t N> size_t choice(const std::array<const char *, N> &names) {
    std::string_view got = word();
    for (size_t i = 0; i < N; ++i)
      if (got == names[i])
        return i;
    fail(fmt::format("has '{}'; known: {}", got, fmt::join(names, ", ")));
    return 0;
  }

  size_t letter(char got, std::string_view letters) {
    size_t at = letters.find(got);
    if (at == std::string_view::npos)
      fail(fmt::format("has '{}'; known: {}", got, letters));
    return at == std::string_view::npos ? 0 : at;
  }

  template <typename T> T parse(std::string_view text) {
    T value{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      fail(fmt::format("has '{}' where a number is wanted", text));
    return value;
  }

  void fail(std::string what) {
    if (error_.empty())
      error_ = std::move(what);
  }
  std::string finish() {
    if (!rest_.empty())
      fail(fmt::format("goes on with '{}'", rest_));
    return error_;
  }

private:
  std::string_view rest_;
  std::string error_;
};

Device parseDevice(Fields &f) {
  Device device;
  device.target = f.text();
  f.keyword("granules");
  device.granules = f.number<int32_t>();
  f.keyword("units");
  device.unitsPerGranule = f.number<int32_t>();
  f.keyword("flops_per_ns");
  device.flopsPerNs = f.number<double>();
  f.keyword("bytes_per_ns");
  device.bytesPerNs = f.number<double>();
  f.keyword("launch_ns");
  device.launchNs = f.number<int64_t>();
  f.keyword("barrier_ns");
  device.barrierNs = f.number<int64_t>();
  return device;
}

Kernel parseKernel(Fields &f) {
  Kernel kernel;
  kernel.name = f.text();
  kernel.kind = static_cast<KernelKind>(f.choice(kKinds));
  f.keyword("operands");
  for (char access : f.word())
    kernel.operands.push_back(static_cast<Access>(f.letter(access, kAccesses)));
  f.keyword("flops");
  kernel.flops = f.number<int64_t>();
  f.keyword("bytes");
  kernel.bytes = f.number<int64_t>();
  f.keyword("extents");
  kernel.extents.batch = f.number<int64_t>();
  kernel.extents.rows = f.number<int64_t>();
  kernel.extents.columns = f.number<int64_t>();
  kernel.extents.depth = f.number<int64_t>();
  if (f.hasMore()) {
    f.keyword("byte_flops");
    kernel.byteFlops = f.number<int64_t>();
  }
  return kernel;
}

Variant parseVariant(Fields &f) {
  Variant variant;
  f.keyword("tiles");
  variant.phaseTiles = f.numbers<int64_t>(',');
  f.keyword("scratch");
  variant.scratchBytesPerWorker = f.number<int64_t>();
  f.keyword("times");
  for (std::string_view part : f.list(',')) {
    size_t colon = part.find(':');
    if (colon == std::string_view::npos || colon + 2 > part.size()) {
      f.fail(fmt::format("has '{}' where GRANULES:NS and an origin are wanted", part));
      continue;
    }
    variant.times.push_back({f.parse<int32_t>(part.substr(0, colon)),
                             f.parse<int64_t>(part.substr(colon + 1, part.size() - colon - 2)),
                             static_cast<TimeOrigin>(f.letter(part.back(), kOrigins))});
  }
  variant.config = f.text();
  return variant;
}

Tensor parseTensor(Fields &f) {
  Tensor tensor;
  tensor.name = f.text();
  tensor.elementType = f.word();
  std::string_view shape = f.word();
  if (shape != "scalar") {
    Fields extents(shape);
    tensor.shape = extents.numbers<int64_t>('x');
    if (std::string error = extents.finish(); !error.empty())
      f.fail(error);
  }
  tensor.bytes = f.number<int64_t>();
  while (f.hasMore()) {
    const size_t what = f.choice(kTensorFacts);
    if (what == 0) {
      f.keyword("of");
      tensor.extentDim = f.number<int32_t>();
      f.keyword("in");
      f.keyword("output");
      tensor.extentOutput = f.number<int32_t>();
    } else if (what == 1) {
      tensor.pad = f.numbers<uint8_t>(',');
    } else {
      FollowedDim &followed = tensor.follows.emplace_back();
      followed.dim = f.number<int32_t>();
      f.keyword("follows");
      followed.inputDim = f.number<int32_t>();
      f.keyword("of");
      f.keyword("input");
      followed.input = f.number<int32_t>();
    }
  }
  return tensor;
}

Tenant parseTenant(Fields &f) {
  Tenant tenant;
  tenant.name = f.text();
  f.keyword("slo_p99_ns");
  tenant.sloP99Ns = f.number<int64_t>();
  f.keyword("rate");
  tenant.ratePerSecond = f.number<double>();
  f.keyword("priority");
  tenant.priority = f.number<int32_t>();
  f.keyword("isolation");
  tenant.isolation = f.text();
  if (!f.atEnd()) {
    f.keyword("arrivals");
    tenant.arrivals = static_cast<ArrivalKind>(f.choice(kArrivals));
  }
  return tenant;
}

Region parseRegion(Fields &f) {
  Region region;
  region.kind = static_cast<RegionKind>(f.choice(kRegions));
  f.keyword("bodies");
  region.bodies = f.numbers<int32_t>(',');
  f.keyword("carried");
  region.carried = f.number<int32_t>();
  f.keyword("scanned");
  region.scanned = f.number<int32_t>();
  f.keyword("length");
  region.length = f.number<int64_t>();
  f.keyword("max_trips");
  region.maxTrips = f.number<int64_t>();
  return region;
}

Body parseBody(Fields &f) {
  Body body;
  body.graph.tenant = f.number<int32_t>();
  body.graph.name = f.text();
  f.keyword("workspace");
  body.workspaceBytes = f.number<int64_t>();
  f.keyword("offsets");
  body.offsets = f.numbers<int64_t>(',');
  return body;
}

/// Adds the thing of one line to the problem. Lines of a kernel, a body or an entry follow theirs,
/// bodies stand before entries.
void parseLine(Fields &f, Problem &problem) {
  std::string_view what = f.word();
  Entry *graph = !problem.entries.empty()  ? &problem.entries.back()
                 : !problem.bodies.empty() ? &problem.bodies.back().graph
                                           : nullptr;
  auto inEntry = [&] {
    if (!graph)
      f.fail(fmt::format("is '{}' before the first entry", what));
    return graph != nullptr;
  };
  if (what == "device") {
    problem.device = parseDevice(f);
  } else if (what == "kernel") {
    problem.kernels.push_back(parseKernel(f));
  } else if (what == "variant") {
    if (problem.kernels.empty())
      return f.fail("is a variant before the first kernel");
    problem.kernels.back().variants.push_back(parseVariant(f));
  } else if (what == "region") {
    if (problem.kernels.empty())
      return f.fail("is a region before the first kernel");
    problem.kernels.back().region = parseRegion(f);
  } else if (what == "body") {
    problem.bodies.push_back(parseBody(f));
  } else if (what == "tenant") {
    problem.tenants.push_back(parseTenant(f));
  } else if (what == "entry") {
    Entry &entry = problem.entries.emplace_back();
    entry.tenant = f.number<int32_t>();
    entry.name = f.text();
  } else if (what == "input" && inEntry()) {
    graph->inputs.push_back(parseTensor(f));
  } else if (what == "output" && inEntry()) {
    graph->outputs.push_back(parseTensor(f));
  } else if (what == "value" && inEntry()) {
    Value value;
    value.kind = static_cast<ValueKind>(f.choice(kValues));
    value.bytes = f.number<int64_t>();
    value.index = f.number<int32_t>();
    graph->values.push_back(value);
  } else if (what == "task" && inEntry()) {
    Task task;
    task.id = f.number<int32_t>();
    task.kernel = f.number<int32_t>();
    task.values = f.numbers<int32_t>(',');
    task.name = f.text();
    graph->tasks.push_back(std::move(task));
  } else {
    f.fail(fmt::format(
        "begins with '{}'; known: device, kernel, variant, region, body, tenant, entry, "
        "input, output, value, task",
        what));
  }
}

} // namespace

const char *kernelKindName(KernelKind kind) { return kKinds[static_cast<size_t>(kind)]; }

const char *arrivalKindName(ArrivalKind kind) { return kArrivals[static_cast<size_t>(kind)]; }

std::string printProblem(const Problem &problem) {
  std::string out = "problem 1\n";
  auto to = std::back_inserter(out);
  const Device &device = problem.device;
  fmt::format_to(to,
                 "device {} granules {} units {} flops_per_ns {} bytes_per_ns {} launch_ns {} "
                 "barrier_ns {}\n",
                 quoted(device.target), device.granules, device.unitsPerGranule, device.flopsPerNs,
                 device.bytesPerNs, device.launchNs, device.barrierNs);
  for (const Kernel &kernel : problem.kernels)
    printKernel(kernel, out);
  for (const Body &body : problem.bodies) {
    fmt::format_to(to, "body {} {} workspace {} offsets {}\n", body.graph.tenant,
                   quoted(body.graph.name), body.workspaceBytes, fmt::join(body.offsets, ","));
    printGraph(body.graph, out);
  }
  for (const Tenant &tenant : problem.tenants)
    fmt::format_to(to, "tenant {} slo_p99_ns {} rate {} priority {} isolation {}{}\n",
                   quoted(tenant.name), tenant.sloP99Ns, tenant.ratePerSecond, tenant.priority,
                   quoted(tenant.isolation),
                   tenant.arrivals == ArrivalKind::Poisson
                       ? ""
                       : fmt::format(" arrivals {}", arrivalKindName(tenant.arrivals)));
  for (const Entry &entry : problem.entries) {
    fmt::format_to(to, "entry {} {}\n", entry.tenant, quoted(entry.name));
    printGraph(entry, out);
  }
  return out;
}

StatusOr<Problem> parseProblem(std::string_view text) {
  Problem problem;
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (++number == 1 && line != "problem 1")
      return invalidInput(fmt::format("line 1: got '{}', wanted 'problem 1'", line.substr(0, 40)));
    if (number == 1 || line.empty())
      continue;
    Fields fields(line);
    parseLine(fields, problem);
    if (std::string error = fields.finish(); !error.empty())
      return invalidInput(fmt::format("line {}: {}", number, error));
  }
  if (number == 0)
    return invalidInput("line 1: got nothing, wanted 'problem 1'");
  MTC_RETURN_IF_ERROR(check(problem));
  return problem;
}

} // namespace mtc
