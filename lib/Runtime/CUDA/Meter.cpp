//===- Meter.cpp - times of single kernels on a GPU -----------------------===//
//
// A sample is a graph with a chain of runs of one variant in the context of its share, between two
// events of a stream: what a task costs in a plan, the edge to the next one included. Operands are
// where the run before left them, in the level-2 cache as far as they fit, or a copy of more than
// that cache holds comes before. A neighbour (Press.h) runs in another stream on the SMs that are
// left, from before the sample until after it: where it ended too early, the sample does not count
// and it gets twice the rounds.
// Source: CUDA driver API 13.0, cuEventElapsedTime, "Graph Management".
//
//===----------------------------------------------------------------------===//
#include "mtc/Runtime/Meter.h"

#include "Chain.h"
#include "Memory.h"
#include "Press.h"
#include "mtc/Runtime/Cuda.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace mtc {
namespace {

using namespace gpu;

/// Events tell half a microsecond; a sample lasts at least this long where that is known.
constexpr int64_t kSampleNs = 200'000;
constexpr int64_t kMostRepeats = 64;
/// Copied to flush: more than twice any level-2 cache.
constexpr int64_t kFlushBytes = int64_t(128) << 20;

/// Rounds that a neighbour begins with, about a millisecond, and those that are too many.
constexpr int64_t kPressRounds = 8 << 10, kMostPressRounds = int64_t(1) << 28;

/// A graph that runs a chain again and again.
struct RepeatedChain {
  const Driver &cu;
  CUgraph graph = nullptr;
  CUgraphExec exec = nullptr;
  ~RepeatedChain() {
    if (exec)
      cu.cuGraphExecDestroy(exec);
    if (graph)
      cu.cuGraphDestroy(graph);
  }

  Status make(const Chain &chain, int64_t repeats, CUstream stream) {
    MTC_CU(cu, cuGraphCreate, &graph, 0);
    std::vector<CUgraphNode> before;
    for (int64_t i = 0; i < repeats; ++i)
      MTC_RETURN_IF_ERROR(addNodes(cu, graph, chain, before));
    MTC_CU(cu, cuGraphInstantiateWithFlags, &exec, graph,
           CUDA_GRAPH_INSTANTIATE_FLAG_USE_NODE_PRIORITY);
    MTC_CU(cu, cuGraphUpload, exec, stream);
    return okStatus();
  }
};

class CudaMeter : public KernelMeter {
public:
  CudaMeter(const BundleTarget &target, std::string device, std::string driver)
      : target_(target), device_(std::move(device)), path_(std::move(driver)) {}

  ~CudaMeter() override {
    if (!gpu_)
      return;
    const Driver &cu = gpu_->driver();
    for (CUstream stream : {stream_, pressStream_})
      if (stream)
        (void)cu.cuStreamSynchronize(stream);
    for (CUevent event : {begin_, end_, pressed_[0], pressed_[1]})
      if (event)
        cu.cuEventDestroy(event);
    for (CUstream stream : {stream_, pressStream_})
      if (stream)
        cu.cuStreamDestroy(stream);
    operands_.clear();
    scratch_.reset();
    pressMemory_.reset();
    flush_.clear();
    kernels_.reset();
    current_.reset();
  }

  std::vector<int> shares() const override {
    std::vector<int> shares;
    const int all = gpu_ ? gpu_->granules() : 1;
    for (int sixteenths : {1, 2, 4, 8, 12, 16})
      if (const int share = std::max(1, all * sixteenths / 16);
          shares.empty() || share > shares.back())
        shares.push_back(share);
    return shares;
  }

  Status prepare(size_t kernel, std::vector<std::vector<uint8_t>> operands) override {
    if (kernel >= target_.problem.kernels.size())
      return invalidInput(fmt::format("kernel {} has no code", kernel));
    if (!gpu_)
      MTC_RETURN_IF_ERROR(open());
    kernel_ = kernel;
    operands_.clear();
    bytes_.clear();
    for (const std::vector<uint8_t> &bytes : operands) {
      bytes_.push_back(static_cast<int64_t>(bytes.size()));
      operands_.push_back(std::make_unique<GuardedRange>(*gpu_));
      MTC_RETURN_IF_ERROR(operands_.back()->grow(std::max<int64_t>(256, int64_t(bytes.size()))));
      MTC_CU(gpu_->driver(), cuMemcpyHtoD, operands_.back()->address(), bytes.data(), bytes.size());
    }
    int64_t scratch = 256;
    for (const Variant &variant : target_.problem.kernels[kernel].variants)
      scratch = std::max(scratch, variant.scratchBytesPerWorker);
    return scratch_->grow(scratch);
  }

  StatusOr<std::vector<int64_t>> run(size_t variant, int granules, const std::string &neighbour,
                                     int samples) override {
    const bool flushes = neighbour == "flushed";
    const std::optional<Press> press = pressOf(neighbour);
    if (!flushes && !press && neighbour != "none")
      return invalidInput(fmt::format("neighbour '{}' is not known", neighbour));
    if (press && granules >= gpu_->granules())
      return invalidInput(fmt::format("no granule is left for neighbour '{}'", neighbour));
    if (granules < 1 || granules > gpu_->granules())
      return invalidInput(
          fmt::format("{} granules wanted, {} available", granules, gpu_->granules()));
    const Driver &cu = gpu_->driver();
    Chain chain;
    MTC_ASSIGN_OR_RETURN(chain.partition, gpu_->partition(allGranules(granules)));
    for (const auto &operand : operands_)
      chain.buffers.push_back(operand->address());
    chain.bytes = bytes_;
    chain.buffers.push_back(scratch_->address());
    MTC_RETURN_IF_ERROR(addLaunches(chain, *kernels_, target_.problem,
                                    static_cast<int32_t>(kernel_), static_cast<int32_t>(variant),
                                    granules));
    const int64_t predicted =
        variantNs(target_.problem.kernels[kernel_].variants[variant], granules);
    const int64_t repeats =
        flushes ? 1 : std::clamp<int64_t>(kSampleNs / predicted, 1, kMostRepeats);
    RepeatedChain repeated{cu};
    MTC_RETURN_IF_ERROR(repeated.make(chain, repeats, stream_));
    std::vector<int64_t> ns;
    for (int sample = -1; sample < samples; ++sample) { // the first one warms up
      if (flushes)
        MTC_RETURN_IF_ERROR(flush());
      MTC_ASSIGN_OR_RETURN(const double took, press ? besideNs(repeated.exec, *press, granules)
                                                    : aloneNs(repeated.exec));
      if (sample >= 0)
        ns.push_back(std::max<int64_t>(1, static_cast<int64_t>(took) / repeats));
    }
    return ns;
  }

private:
  /// What a launch of `exec` takes.
  StatusOr<double> aloneNs(CUgraphExec exec) {
    const Driver &cu = gpu_->driver();
    MTC_CU(cu, cuEventRecord, begin_, stream_);
    MTC_CU(cu, cuGraphLaunch, exec, stream_);
    MTC_CU(cu, cuEventRecord, end_, stream_);
    MTC_CU(cu, cuEventSynchronize, end_);
    float milliseconds = 0;
    MTC_CU(cu, cuEventElapsedTime, &milliseconds, begin_, end_);
    return static_cast<double>(milliseconds) * 1e6;
  }

  /// The same while a neighbour presses on the granules that are left, all the time.
  StatusOr<double> besideNs(CUgraphExec exec, const Press &press, int granules) {
    const Driver &cu = gpu_->driver();
    while (rounds_ <= kMostPressRounds) {
      RepeatedChain neighbour{cu};
      MTC_RETURN_IF_ERROR(makePress(press, granules, neighbour));
      MTC_CU(cu, cuEventRecord, pressed_[0], pressStream_);
      MTC_CU(cu, cuGraphLaunch, neighbour.exec, pressStream_);
      MTC_CU(cu, cuEventRecord, pressed_[1], pressStream_);
      MTC_CU(cu, cuStreamWaitEvent, stream_, pressed_[0], 0);
      MTC_ASSIGN_OR_RETURN(const double ns, aloneNs(exec));
      const CUresult isDone = cu.cuEventQuery(pressed_[1]);
      if (isDone != CUDA_ERROR_NOT_READY)
        MTC_RETURN_IF_ERROR(cu.check(isDone, "cuEventQuery"));
      MTC_CU(cu, cuStreamSynchronize, pressStream_);
      if (isDone == CUDA_ERROR_NOT_READY)
        return ns;
      rounds_ *= 2;
    }
    return internalError("no neighbour lasts as long as the kernel");
  }

  Status makePress(const Press &press, int granules, RepeatedChain &result) {
    const auto bytes =
        std::min<int64_t>(press.bytes, static_cast<int64_t>(gpu_->memoryBytes() / 16));
    MTC_RETURN_IF_ERROR(pressMemory_->grow(bytes));
    Chain chain;
    MTC_ASSIGN_OR_RETURN(chain.partition,
                         gpu_->partition(allGranules(gpu_->granules()) & ~allGranules(granules)));
    chain.buffers = {pressMemory_->address()};
    Launch &launch = chain.launches.emplace_back();
    MTC_ASSIGN_OR_RETURN(launch.kernel, kernels_->press());
    launch.threads = kPressThreads;
    launch.blocks = static_cast<unsigned>(chain.partition.units) * press.blocks;
    launch.lo = bytes;
    launch.hi = bytes + rounds_;
    return result.make(chain, 1, pressStream_);
  }

  Status open() {
    MTC_ASSIGN_OR_RETURN(const int ordinal, parseOrdinal(device_));
    MTC_ASSIGN_OR_RETURN(auto driver, Driver::open(path_));
    MTC_ASSIGN_OR_RETURN(gpu_, Gpu::open(std::move(driver), ordinal, nullptr));
    MTC_RETURN_IF_ERROR(checkArchitecture(target_.target, gpu_->major(), gpu_->minor()));
    const Device &compiled = target_.problem.device;
    MTC_RETURN_IF_ERROR(gpu_->split(compiled.unitsPerGranule, compiled.granules));
    const Driver &cu = gpu_->driver();
    current_ = std::make_unique<CurrentContext>(cu, gpu_->primary());
    MTC_RETURN_IF_ERROR(current_->status());
    MTC_ASSIGN_OR_RETURN(kernels_, Kernels::create(*gpu_, target_));
    scratch_ = std::make_unique<GuardedRange>(*gpu_);
    pressMemory_ = std::make_unique<GuardedRange>(*gpu_);
    for (CUstream *stream : {&stream_, &pressStream_})
      MTC_CU(cu, cuStreamCreate, stream, CU_STREAM_NON_BLOCKING);
    for (CUevent *event : {&begin_, &end_, &pressed_[0], &pressed_[1]})
      MTC_CU(cu, cuEventCreate, event, CU_EVENT_DEFAULT);
    return okStatus();
  }

  Status flush() {
    const auto bytes =
        std::min<int64_t>(kFlushBytes, static_cast<int64_t>(gpu_->memoryBytes() / 256));
    while (flush_.size() < 2) {
      flush_.push_back(std::make_unique<GuardedRange>(*gpu_));
      MTC_RETURN_IF_ERROR(flush_.back()->grow(bytes));
    }
    MTC_CU(gpu_->driver(), cuMemcpyDtoDAsync, flush_[1]->address(), flush_[0]->address(),
           static_cast<size_t>(bytes), stream_);
    return okStatus();
  }

  const BundleTarget &target_;
  const std::string device_, path_;
  std::unique_ptr<Gpu> gpu_;
  std::unique_ptr<CurrentContext> current_;
  std::unique_ptr<Kernels> kernels_;
  std::vector<std::unique_ptr<GuardedRange>> operands_, flush_;
  std::vector<int64_t> bytes_; ///< of the operands
  std::unique_ptr<GuardedRange> scratch_, pressMemory_;
  CUstream stream_ = nullptr, pressStream_ = nullptr;
  CUevent begin_ = nullptr, end_ = nullptr, pressed_[2] = {nullptr, nullptr};
  int64_t rounds_ = kPressRounds; ///< that the last neighbour needed
  size_t kernel_ = 0;
};

} // namespace

std::unique_ptr<KernelMeter> makeCudaMeter(const BundleTarget &target, const std::string &device,
                                           const std::string &driver) {
  return std::make_unique<CudaMeter>(target, device, driver);
}

} // namespace mtc
