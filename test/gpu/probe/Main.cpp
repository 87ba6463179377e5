//===- Main.cpp - mtc-gpu-probe -------------------------------------------===//
//
// What the first GPU that can be had must answer: the design rests on one CUDA graph whose kernel
// nodes run in several green contexts of one split of the SMs. Prints one JSON object (README.md
// says what its fields mean). Exit 7: no driver or device.
//
//   mtc-gpu-probe [--device N] [--repeat N] [--copy-mib N] [--driver FILE] [--only SECTION]
//
// Every section runs in a process of its own, so one that loses the device, crashes or hangs is an
// "error" in the report and the others still answer.
// Source: CUDA driver API 13.0, "Green Contexts" and "Graph Management".
//
//===----------------------------------------------------------------------===//
#include "Sections.h"

#include <fmt/format.h>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

using namespace probe;

const std::vector<Section> &probe::sections() {
  static const std::vector<Section> all = {{"device", askDevice},
                                           {"partitions", askPartitions},
                                           {"unions", askUnions},
                                           {"edges", askEdges},
                                           {"priorities", askPriorities},
                                           {"ranges", askRanges},
                                           {"launches", askLaunches},
                                           {"switches", askSwitches},
                                           {"copies", askCopies},
                                           {"contexts", askContexts},
                                           {"compute", askCompute},
                                           {"bandwidth", askBandwidth},
                                           {"graph_per_partition", askGraphPerPartition}};
  return all;
}

namespace {

constexpr int noDevice = 7;
constexpr int sectionSeconds = 60;

struct Arguments {
  Options options;
  std::string driver = "libcuda.so.1", only, section;
};

/// Answers one section in this process.
int answer(const Arguments &arguments) {
  // Branches of a graph need hardware queues; must be set before cuInit.
  ::setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 1);
  Driver driver;
  std::string missing = open(driver, arguments.driver);
  int count = 0;
  if (missing.empty() &&
      (driver.cuInit(0) != CUDA_SUCCESS || driver.cuDeviceGetCount(&count) != CUDA_SUCCESS ||
       count <= arguments.options.ordinal))
    missing = fmt::format("the driver finds no device {}", arguments.options.ordinal);
  if (!missing.empty()) {
    fmt::print("{}\n", Json{{"error", missing}}.dump());
    return noDevice;
  }
  try {
    Device device(driver, arguments.options);
    for (const Section &section : sections())
      if (section.name == arguments.section)
        fmt::print("{}\n", section.ask(device).dump());
    return 0;
  } catch (const std::exception &error) {
    fmt::print("{}\n", Json{{"error", error.what()}}.dump());
    return 1;
  }
}

struct Answer {
  Json json;
  int status = 0; ///< of exit; -1: killed
};

/// Answers one section in a process of its own.
Answer askApart(const Arguments &arguments, const std::string &section) {
  const std::vector<std::string> words = {"mtc-gpu-probe",
                                          "--section",
                                          section,
                                          "--device",
                                          std::to_string(arguments.options.ordinal),
                                          "--repeat",
                                          std::to_string(arguments.options.repeat),
                                          "--copy-mib",
                                          std::to_string(arguments.options.copyMib),
                                          "--driver",
                                          arguments.driver};
  std::vector<char *> pointers;
  for (const std::string &word : words)
    pointers.push_back(const_cast<char *>(word.c_str()));
  pointers.push_back(nullptr);
  int ends[2];
  if (::pipe(ends) != 0)
    throw std::runtime_error("cannot make a pipe");
  const pid_t pid = ::fork();
  if (pid < 0)
    throw std::runtime_error("cannot fork");
  if (pid == 0) {
    ::dup2(ends[1], 1);
    ::close(ends[0]);
    ::close(ends[1]);
    ::execv("/proc/self/exe", pointers.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string text;
  const auto start = Clock::now();
  bool isLate = false;
  for (;;) {
    const int64_t left = sectionSeconds * 1000 - nsSince(start) / 1'000'000;
    pollfd fd = {ends[0], POLLIN, 0};
    if (left <= 0 || ::poll(&fd, 1, static_cast<int>(left)) == 0) {
      isLate = true;
      ::kill(pid, SIGKILL);
      break;
    }
    char buffer[1 << 14];
    const ssize_t n = ::read(ends[0], buffer, sizeof buffer);
    if (n <= 0)
      break;
    text.append(buffer, static_cast<size_t>(n));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  Answer answer;
  answer.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  answer.json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (isLate)
    answer.json = {{"error", fmt::format("took more than {} s", sectionSeconds)}};
  else if (WIFSIGNALED(status))
    answer.json = {{"error", fmt::format("died: {}", ::strsignal(WTERMSIG(status)))}};
  else if (answer.json.is_discarded())
    answer.json = {{"error", fmt::format("exit {} without an answer", answer.status)}};
  return answer;
}

/// Which design the answers allow. Null: not asked, or no answer.
Json verdict(const Json &report) {
  const auto ask = [&](const char *section, auto &&question) -> Json {
    if (!report.contains(section) || report[section].is_null() ||
        (report[section].is_object() && report[section].contains("error")))
      return nullptr;
    return question(report[section]);
  };
  return {
      {"nodes_keep_to_their_sms",
       ask("partitions",
           [](const Json &p) { return p["shared_sms"] == 0 && p["nodes_on_other_counts"] == 0; })},
      {"partitions_overlap",
       ask("partitions", [](const Json &p) { return p["overlapping_pairs"] == p["pairs"]; })},
      {"unions_hold", ask("unions",
                          [](const Json &rows) {
                            bool isRight = true;
                            for (const Json &row : rows)
                              isRight &= row["sms_seen"] == row["sms_promised"] &&
                                         (row["sms_of_no_member"].is_null() ||
                                          row["sms_of_no_member"] == 0) &&
                                         row["started_early"] == false;
                            return isRight;
                          })},
      {"edges_order_and_show_memory", ask("edges",
                                          [](const Json &e) {
                                            bool isRight = true;
                                            for (const Json &row : e)
                                              if (row.is_object())
                                                isRight &= row.value("started_early", 0) == 0 &&
                                                           row.value("wrong", 0) == 0;
                                            return isRight;
                                          })},
      {"priorities_count", ask("priorities",
                               [](const Json &rows) {
                                 return rows[0]["ended_before_low"] == true &&
                                        rows[0]["wait_ns"] < 2 * int64_t(rows[0]["block_ns"]);
                               })},
      {"copies_are_right", ask("copies", [](const Json &rows) {
         bool isRight = true;
         for (const Json &row : rows)
           isRight &= row["right"] == true;
         return isRight;
       })}};
}

int askAll(const Arguments &arguments) {
  Json report = {{"version", 2}};
  for (const Section &section : sections()) {
    if (!arguments.only.empty() && arguments.only != section.name)
      continue;
    Answer answer = askApart(arguments, section.name);
    if (answer.status == noDevice) {
      fmt::print(stderr, "mtc-gpu-probe: error: {}\n", answer.json["error"].get<std::string>());
      return noDevice;
    }
    report[section.name] = std::move(answer.json);
  }
  report["verdict"] = verdict(report);
  fmt::print("{}\n", report.dump(2));
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const char *value = i + 1 < argc ? argv[++i] : "";
    if (flag == "--device")
      arguments.options.ordinal = std::atoi(value);
    else if (flag == "--repeat")
      arguments.options.repeat = std::max(2, std::atoi(value));
    else if (flag == "--copy-mib")
      arguments.options.copyMib = std::max(1, std::atoi(value));
    else if (flag == "--driver")
      arguments.driver = value;
    else if (flag == "--only")
      arguments.only = value;
    else if (flag == "--section") // one section in this process, for askAll
      arguments.section = value;
    else {
      fmt::print(stderr, "usage: mtc-gpu-probe [--device N] [--repeat N] [--copy-mib N] "
                         "[--driver FILE] [--only SECTION]\n");
      return 2;
    }
  }
  try {
    return arguments.section.empty() ? askAll(arguments) : answer(arguments);
  } catch (const std::exception &error) {
    fmt::print(stderr, "mtc-gpu-probe: error: {}\n", error.what());
    return 1;
  }
}
