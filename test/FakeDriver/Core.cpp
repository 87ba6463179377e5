//===- Core.cpp - counting, recording, failing ----------------------------===//
#include "Fake.h"

#include <fmt/format.h>

#include <dlfcn.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace mtc::fake {

Fake &fake() {
  static Fake instance;
  return instance;
}

std::vector<Context *> &contextStack() {
  thread_local std::vector<Context *> stack;
  return stack;
}

uint64_t tellTime() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  uint64_t &clock = fake().clockNs;
  clock = std::max<uint64_t>(clock + 1,
                             std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  return clock;
}

Context *current() { return contextStack().empty() ? nullptr : contextStack().back(); }

static std::string variable(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

static std::string loadKernels(Fake &f, const std::string &prefix) {
  // dlopen looks for a name without a slash elsewhere.
  const std::string path = std::filesystem::absolute(prefix + ".so").string();
  void *library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return ::dlerror();
  std::ifstream file(prefix + ".json");
  const Json table = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!table.is_array())
    return prefix + ".json is no array";
  for (const Json &row : table) {
    KernelInfo info;
    const std::string name = row["name"];
    info.function = reinterpret_cast<MtcKernelFn>(::dlsym(library, name.c_str()));
    if (!info.function)
      return fmt::format("no emulated kernel '{}'", name);
    info.threads = row["threads"];
    info.sharedBytes = row["shared_bytes"];
    info.synchronizes = row["synchronizes"];
    info.isChecked = row.value("is_checked", true);
    info.bufferBytes = row["buffer_bytes"].get<std::vector<int64_t>>();
    info.isWritten = row["is_written"].get<std::vector<bool>>();
    info.mostMembers = row.value("most_members", 1);
    for (const Json &from : row.value("tensor_maps", Json::array())) {
      GpuTensorMap &map = info.tensorMaps.emplace_back();
      map.buffer = from["buffer"];
      map.offset = from["offset"];
      map.element = static_cast<GpuTensorMap::Element>(from["element"].get<int>());
      map.sizes = from["sizes"].get<std::vector<int64_t>>();
      map.strides = from["strides"].get<std::vector<int64_t>>();
      map.box = from["box"].get<std::vector<int32_t>>();
      map.steps = from["steps"].get<std::vector<int32_t>>();
      map.swizzleBytes = from["swizzle_bytes"];
      map.lower = from["lower"].get<std::vector<int32_t>>();
      map.upper = from["upper"].get<std::vector<int32_t>>();
    }
    f.kernels[name] = std::move(info);
  }
  return "";
}

/// The runtime's own kernel (lib/Runtime/CUDA/Stamp.h) for the host.
static int32_t stamp(const MtcKernelArgs *args) {
  *static_cast<uint64_t *>(args->buffers[0]) = tellTime();
  return 0;
}

/// The neighbour of measurements (lib/Runtime/CUDA/Press.h), which takes and leaves nothing.
static int32_t press(const MtcKernelArgs *) { return 0; }

std::string configure(Fake &f) {
  if (const std::string path = variable("MTC_FAKE_CUDA_RECORD"); !path.empty() && !f.record)
    f.record = std::fopen(path.c_str(), "w");
  if (const std::string text = variable("MTC_FAKE_CUDA_FAIL"); !text.empty()) {
    const size_t colon = text.find(':');
    if (text.starts_with("cu"))
      f.failName = text.substr(0, colon);
    else
      f.failAt = std::strtoll(text.c_str(), nullptr, 10);
    f.failWith = static_cast<CUresult>(
        colon == std::string::npos ? CUDA_ERROR_UNKNOWN : std::atoi(text.c_str() + colon + 1));
  }
  if (const std::string text = variable("MTC_FAKE_CUDA_SEED"); !text.empty())
    f.random.seed(std::strtoull(text.c_str(), nullptr, 10));
  if (const std::string text = variable("MTC_FAKE_CUDA_UNITS"); !text.empty())
    f.units = static_cast<unsigned>(std::atoi(text.c_str()));
  if (const std::string text = variable("MTC_FAKE_CUDA_MEMORY"); !text.empty())
    f.memoryBytes = std::strtoull(text.c_str(), nullptr, 10) << 10;
  f.sharesUnits = !variable("MTC_FAKE_CUDA_SHARED").empty();
  if (!f.kernels.empty())
    return "";
  KernelInfo &own = f.kernels["mtc_stamp"];
  own.function = stamp;
  own.threads = 1;
  own.synchronizes = own.isChecked = false;
  own.bufferBytes = {8};
  own.isWritten = {true};
  KernelInfo &neighbour = f.kernels["mtc_press"];
  neighbour = own;
  neighbour.function = press;
  neighbour.threads = 256;
  neighbour.isWritten = {false};
  const std::string prefix = variable("MTC_FAKE_CUDA_KERNELS");
  return prefix.empty() ? "" : loadKernels(f, prefix);
}

CUresult violation(const std::string &what, CUresult result) {
  Fake &f = fake();
  ++f.violations;
  f.violation = what;
  fmt::print(stderr, "fake CUDA driver: violation: {}\n", what);
  return result;
}

/// Errors after which the context is gone.
static bool losesDevice(CUresult result) {
  return result == CUDA_ERROR_ILLEGAL_ADDRESS || result == CUDA_ERROR_LAUNCH_FAILED ||
         result == CUDA_ERROR_LAUNCH_TIMEOUT || result == CUDA_ERROR_ECC_UNCORRECTABLE ||
         result == CUDA_ERROR_ILLEGAL_INSTRUCTION || result == CUDA_ERROR_UNKNOWN;
}

CUresult call(const char *name, Json arguments, const std::function<CUresult(Json &)> &body,
              bool effectFirst, bool needsContext) {
  Fake &f = fake();
  std::lock_guard lock(f.mutex);
  const uint64_t number = f.calls++;
  const uint64_t violationsBefore = f.violations;
  Json results = Json::object();
  CUresult result = CUDA_SUCCESS;
  if (!f.isInitialized && std::string_view(name) != "cuInit") {
    result = CUDA_ERROR_NOT_INITIALIZED;
  } else if (needsContext && !current() && f.lost == CUDA_SUCCESS) {
    result =
        violation(fmt::format("{} without a current context", name), CUDA_ERROR_INVALID_CONTEXT);
  } else {
    const bool isTold = int64_t(number) == f.failAt || f.failName == name;
    if (isTold && losesDevice(f.failWith))
      f.lost = f.failWith;
    const CUresult told = f.lost != CUDA_SUCCESS ? f.lost : isTold ? f.failWith : CUDA_SUCCESS;
    if (told == CUDA_SUCCESS || effectFirst)
      result = body(results);
    if (told != CUDA_SUCCESS)
      result = told;
    if (losesDevice(result) && f.lost == CUDA_SUCCESS)
      f.lost = result;
  }
  if (f.record) {
    Json line = {{"n", number}, {"call", name}, {"result", int(result)}};
    if (!arguments.empty())
      line["in"] = std::move(arguments);
    if (!results.empty())
      line["out"] = std::move(results);
    if (f.violations != violationsBefore)
      line["violation"] = f.violation;
    fmt::print(f.record, "{}\n", line.dump(-1, ' ', false, Json::error_handler_t::replace));
    std::fflush(f.record);
  }
  return result;
}

} // namespace mtc::fake
