//===- Commands.cpp - the command table of mtrt ---------------------------===//
#include "Commands.h"

#include "mtc/Runtime/Cpu.h"
#include "mtc/Support/File.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <cstdio>

namespace mtc::tool {

const char *const exitCodes =
    "Exit codes: 0 ok, 1 internal, 2 usage or bad input, 3 unsupported operator, 4 SLOs cannot be "
    "met,\n"
    "5 numeric mismatch, 6 unstable measurement, 7 device missing or lost, 8 bundle refused.";

const std::vector<CommandRow> &commands() {
  static const std::vector<CommandRow> table = {
      {"run", "run a tenant, or a round of all, on inputs; check and write outputs", declareRun},
      {"bench", "measure rounds, tenants alone, or their tasks", declareBench},
      {"inspect", "show what a bundle holds", declareInspect},
      {"verify", "check every byte of a bundle", declareVerify},
      {"doctor", "show what this machine offers", declareDoctor},
      {"compare", "find the first value that differs between two folders", declareCompare},
      {"completion", "print a completion script for a shell", declareCompletion},
      {"man", "print this manual as a man page", declareMan},
  };
  return table;
}

void declareCommands(CLI::App &app, std::function<Status()> &run) {
  app.set_version_flag("--version", "mtrt " MTC_VERSION, "print the version");
  app.set_help_flag("-h,--help", "print this help");
  app.footer(exitCodes);
  app.require_subcommand(1);
  for (const CommandRow &command : commands()) {
    CLI::App *sub = app.add_subcommand(command.name, command.summary);
    sub->footer(exitCodes);
    std::function<Status()> action = command.declare(*sub);
    sub->callback([&run, action] { run = action; });
  }
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
  const std::string text =
      json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (options.json != "-")
    return writeFile(options.json, text);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return std::fflush(stdout) ? invalidInput("cannot write to stdout") : okStatus();
}

void addDeviceOptions(CLI::App &app, DeviceOptions &options) {
  app.add_option("bundle", options.bundle, "OUT.mtb")->type_name("")->required();
  app.add_option("--device", options.device, "where to run: host")
      ->type_name("D")
      ->capture_default_str();
  app.add_option("--cpus", options.cpus, "CPUs to pin workers to, e.g. 2-5; default: all allowed")
      ->type_name("LIST");
  app.add_option("--jitter", options.jitter,
                 "test aid: make tasks last longer by pseudo-random factors; outputs stay the same")
      ->type_name("SEED");
}

StatusOr<std::shared_ptr<Session>>
openSession(const DeviceOptions &options, const OutputOptions &output, SessionOptions session) {
  if (options.device != "host")
    return Status(ErrorCode::DeviceUnavailable,
                  fmt::format("no device '{}'; known: host", options.device));
  if (!options.cpus.empty()) {
    MTC_ASSIGN_OR_RETURN(session.cpus, host::parseCpuList(options.cpus));
  }
  session.jitterSeed = options.jitter;
  const LogLevel least = output.verbose ? LogLevel::Debug
                         : output.quiet ? LogLevel(int(LogLevel::Warning) + 1)
                                        : LogLevel::Notice;
  session.log = [least](LogLevel level, const std::string &text) {
    if (level >= least)
      fmt::print(stderr, "mtrt: {}\n", text);
  };
  MTC_ASSIGN_OR_RETURN(auto program, BundleReader::open(options.bundle));
  return Session::create(std::move(program), std::move(session));
}

std::string describeDevice(const Session &session) {
  return fmt::format("{} on {}, {} worker{}", session.target().target, host::cpuModel(),
                     session.workers(), session.workers() == 1 ? "" : "s");
}

Status toStatus(const RequestStatus &status) {
  if (status.ok())
    return okStatus();
  const int code = static_cast<int>(status.code);
  return {code < 16 ? static_cast<ErrorCode>(code) : ErrorCode::Internal, status.message};
}

Status runRound(Session &session, const std::vector<Request *> &requests) {
  MTC_RETURN_IF_ERROR(toStatus(session.submit(requests)));
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
