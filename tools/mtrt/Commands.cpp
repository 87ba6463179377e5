//===- Commands.cpp - what the commands of mtrt share ---------------------===//
#include "Commands.h"

#include "Tensors.h"

#include "mtc/Support/Cores.h"
#include "mtc/Support/File.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>

namespace mtc::tool {

void addToleranceOptions(CLI::App &app, Tolerance &tolerance) {
  app.add_option("--rel-norm", tolerance.relNorm,
                 "largest norm of the difference over norm of the reference; default: 1e-4, unless "
                 "--rtol or --atol is given")
      ->type_name("R")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--rtol", tolerance.rtol, "each element may differ by A + R x |reference|")
      ->type_name("R")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--atol", tolerance.atol, "see --rtol")
      ->type_name("A")
      ->check(CLI::NonNegativeNumber);
}

void addOutputOptions(CLI::App &app, OutputOptions &options) {
  app.add_option("--json", options.json, "write a report; '-' is stdout")->type_name("FILE");
  app.add_flag("-q,--quiet", options.quiet, "errors only on stderr");
  app.add_flag("-v,--verbose", options.verbose, "say what is done");
}

Status writeJson(const OutputOptions &options, const nlohmann::ordered_json &json) {
  if (options.json.empty())
    return okStatus();
  // Names in a bundle may be any bytes: what is not UTF-8 is replaced, not thrown.
  return writeReport(options.json,
                     json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
                         "\n");
}

void addDeviceOptions(CLI::App &app, DeviceOptions &options) {
  app.add_option("bundle", options.bundle, "OUT.mtb")->type_name("")->required();
  app.add_option("--device", options.device, "where to run: host, cuda or cuda:N")
      ->type_name("D")
      ->capture_default_str();
  app.add_option("--cuda-driver", options.cudaDriver,
                 "the CUDA driver's library; default: libcuda.so.1")
      ->type_name("FILE");
  app.add_option("--cuda-sharing", options.cudaSharing,
                 "on a GPU: one graph whose nodes have partitions of the SMs, a graph and a stream "
                 "per partition (graphs), or limits on grids alone (grids)")
      ->type_name("HOW")
      ->capture_default_str()
      ->check(CLI::IsMember({"graph", "graphs", "grids"}));
  app.add_flag("--node-by-node", options.nodeByNode,
               "on a GPU: wait after every task, so that an error names its task");
  app.add_flag(
      "--share-weights", options.shareWeights,
      "leave weights in the bundle's mapping, which processes share; slower where they are "
      "large");
  app.add_option("--cpus", options.cpus, "CPUs to pin workers to, e.g. 2-5; default: all allowed")
      ->type_name("LIST");
  app.add_option(
         "--max-trips", options.maxTrips,
         "iterations of all loops of a task; one more fails the request; default: as compiled")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_option("--jitter", options.jitter,
                 "test aid: make tasks last longer by pseudo-random factors; outputs stay the same")
      ->type_name("SEED");
}

void prepareCuda() {
  // Parallel branches of a graph need a hardware queue each; the driver reads it once, at cuInit.
  ::setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", /*overwrite=*/1);
}

StatusOr<SessionOptions> sessionOptions(const DeviceOptions &options, const OutputOptions &output,
                                        SessionOptions session) {
  session.device = options.device;
  session.cudaDriver = options.cudaDriver;
  session.cudaSharing = options.cudaSharing == "graphs"  ? CudaSharing::Graphs
                        : options.cudaSharing == "grids" ? CudaSharing::Grids
                                                         : CudaSharing::Graph;
  session.nodeByNode = options.nodeByNode;
  session.shareWeights = options.shareWeights;
  prepareCuda();
  if (!options.cpus.empty()) {
    MTC_ASSIGN_OR_RETURN(session.cpus, parseCpuList(options.cpus));
  }
  session.jitterSeed = options.jitter;
  session.maxTrips = options.maxTrips;
  const LogLevel least = output.verbose ? LogLevel::Debug
                         : output.quiet ? LogLevel(int(LogLevel::Warning) + 1)
                                        : LogLevel::Notice;
  session.log = [least](LogLevel level, const std::string &text) {
    if (level >= least)
      fmt::print(stderr, "mtrt: {}\n", text);
  };
  return session;
}

StatusOr<std::shared_ptr<Session>>
openSession(const DeviceOptions &options, const OutputOptions &output, SessionOptions session) {
  MTC_ASSIGN_OR_RETURN(session, sessionOptions(options, output, std::move(session)));
  MTC_ASSIGN_OR_RETURN(auto program, BundleReader::open(options.bundle));
  return Session::create(std::move(program), std::move(session));
}

std::string describeDevice(const Session &session) {
  return fmt::format("{} on {}", session.target().target, session.describeDevice());
}

Status toStatus(const RequestStatus &status) {
  if (status.ok())
    return okStatus();
  if (status.code == RequestCode::TooManyTrips)
    return invalidInput(status.message);
  const int code = static_cast<int>(status.code);
  return {code < 16 ? static_cast<ErrorCode>(code) : ErrorCode::Internal, status.message};
}

Status runRound(Session &session, const std::vector<Request *> &requests,
                const std::string &policy) {
  MTC_RETURN_IF_ERROR(toStatus(session.submit(requests, 0, {}, policy)));
  Status first;
  for (Request *request : requests)
    if (Status status = toStatus(request->wait()); first.ok() && !status.ok())
      first = status;
  return first;
}

std::string shapeText(const std::vector<int64_t> &shape) {
  return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, "x"));
}

bool isKeptValue(const Tensor &tensor) { return tensor.name.starts_with("value:"); }

} // namespace mtc::tool
