//===- Commands.h - the commands of mtrt and what they share --------------===//
#pragma once

#include "CommandLine.h"
#include "mtc/Runtime/Session.h"
#include "mtc/Support/Status.h"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <string>
#include <vector>

namespace mtc::tool {

// The commands, one .cpp each.
std::function<Status()> declareRun(CLI::App &app);
std::function<Status()> declareBench(CLI::App &app);
std::function<Status()> declareInspect(CLI::App &app);
std::function<Status()> declareVerify(CLI::App &app);
std::function<Status()> declareDoctor(CLI::App &app);
std::function<Status()> declareCompare(CLI::App &app);
std::function<Status()> declareTuneRun(CLI::App &app);

/// What every command takes.
struct OutputOptions {
  std::string json;
  bool quiet = false, verbose = false;
  /// Whether the text for people goes to stdout: not when the JSON does.
  bool printsText() const { return json != "-"; }
};
void addOutputOptions(CLI::App &app, OutputOptions &options);

struct Tolerance;
/// --rel-norm, --rtol and --atol.
void addToleranceOptions(CLI::App &app, Tolerance &tolerance);

/// Writes the report where --json says, if anywhere.
Status writeJson(const OutputOptions &options, const nlohmann::ordered_json &json);

/// What run and bench take to open a bundle on a device.
struct DeviceOptions {
  std::string bundle, device = "host", cudaDriver, cpus;
  std::string cudaSharing = "graph";
  bool nodeByNode = false;
  bool shareWeights = false;
  int64_t maxTrips = 0;
  uint64_t jitter = 0;
};
void addDeviceOptions(CLI::App &app, DeviceOptions &options);

/// What has to stand in the environment before the CUDA driver starts.
void prepareCuda();

/// What a session is to be created with; the runtime's notices go to stderr.
/// Fails if --cpus is no list (InvalidInput).
StatusOr<SessionOptions> sessionOptions(const DeviceOptions &options, const OutputOptions &output,
                                        SessionOptions session = {});

/// Opens the bundle and a session on it; the runtime's notices go to stderr.
/// Fails as BundleReader::open and Session::create do.
StatusOr<std::shared_ptr<Session>>
openSession(const DeviceOptions &options, const OutputOptions &output, SessionOptions session = {});

/// "host:x86-64-v4,cores=2 on AMD EPYC, 2 workers", for reports.
std::string describeDevice(const Session &session);

/// A request's error as a Status: what has no exit code of its own is Internal.
Status toStatus(const RequestStatus &status);

/// Runs the requests together, by the bundle's plan or a policy's (see Session::submit), and waits.
/// The first error, if any.
Status runRound(Session &session, const std::vector<Request *> &requests,
                const std::string &policy = "");

/// "1x3x480x640", or "scalar".
std::string shapeText(const std::vector<int64_t> &shape);

/// The outputs that users asked for: not those of --keep-values.
bool isKeptValue(const Tensor &tensor);

} // namespace mtc::tool
