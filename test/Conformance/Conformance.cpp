//===- Conformance.cpp - runs the node tests of ONNX ----------------------===//
//
// mtc-conformance FOLDER TABLE [--json FILE] [--update] [--filter TEXT] [--jobs N] [--per-set N]
//                 [--names FILE] [--cuda-driver FAKE | --gpu ARCHITECTURE]
//
// FOLDER holds node/CASE/... and tol.json. The cases are dealt to child processes, many a set; what
// crashes, hangs or fails as a whole is halved until the case is found. TABLE lists every case that
// does not pass with its reason: a difference in either direction is exit 1; --update writes
// the rows of the cases that were run. --names takes only the cases that FILE lists, a line each;
// --cuda-driver runs them through the fake driver with their kernels emulated, --gpu on a GPU.
//
//===----------------------------------------------------------------------===//
#include "RunCases.h"

#include "mtc/Support/File.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <thread>

using namespace mtc;
using namespace mtc::conformance;
using Clock = std::chrono::steady_clock;

namespace {

struct Arguments {
  std::string folder, table, json, filter, names;
  Where where;
  bool update = false;
  size_t jobs = std::max(1u, std::thread::hardware_concurrency());
  size_t perSet = 64;
};

/// Cases that a child runs as one set; their outcomes come back through `fd`, a line of JSON each.
struct Child {
  pid_t pid = 0;
  int fd = -1;
  std::vector<Case> cases;
  std::string text;
  Clock::time_point deadline;
  bool late = false;
};

std::string lineOf(const Outcome &o) {
  return nlohmann::json::array({o.name, o.plain, o.result, o.reason})
             .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

/// Halves a set or says how its only case ended.
class Pool {
public:
  explicit Pool(const Arguments &arguments) : arguments(arguments) {
    scratch = std::filesystem::temp_directory_path() / fmt::format("mtc-conformance-{}", getpid());
    std::filesystem::create_directories(scratch);
  }
  ~Pool() {
    std::error_code ignored;
    std::filesystem::remove_all(scratch, ignored);
  }

  std::vector<Outcome> run(std::deque<std::vector<Case>> sets);

private:
  void start(std::vector<Case> cases);
  bool wait();
  void finish(Child child, int status);

  const Arguments &arguments;
  std::filesystem::path scratch;
  std::deque<std::vector<Case>> sets;
  std::vector<Child> children;
  std::vector<Outcome> outcomes;
  int started = 0;
};

void Pool::start(std::vector<Case> cases) {
  int ends[2];
  if (pipe(ends) != 0)
    std::abort();
  const std::string bundle = scratch / fmt::format("{}.mtb", started++);
  const pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0); // its kernel compilers end with it
    close(ends[0]);
    StatusOr<std::vector<Outcome>> result = runCases(cases, bundle, arguments.where);
    if (!result.ok()) {
      fmt::print(stderr, "a set of {} cases: {}\n", cases.size(), result.status().message());
      _exit(1);
    }
    std::string text;
    for (const Outcome &outcome : *result)
      text += lineOf(outcome);
    for (size_t done = 0; done < text.size();) {
      const ssize_t n = write(ends[1], text.data() + done, text.size() - done);
      if (n <= 0)
        _exit(1);
      done += static_cast<size_t>(n);
    }
    _exit(0);
  }
  close(ends[1]);
  // An emulated GPU runs kernels a thread at a time, with every access checked.
  const auto limit =
      std::chrono::seconds((arguments.where.emulates ? 10 : 1) * (20 + 5 * cases.size()));
  children.push_back({pid, ends[0], std::move(cases), "", Clock::now() + limit});
}

void Pool::finish(Child child, int status) {
  close(child.fd);
  std::vector<Outcome> ended;
  for (size_t begin = 0, end; (end = child.text.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    const auto row = nlohmann::json::parse(child.text.substr(begin, end - begin));
    ended.push_back({row[0], row[1], row[2], row[3]});
  }
  if (status == 0 && ended.size() == child.cases.size()) {
    outcomes.insert(outcomes.end(), ended.begin(), ended.end());
    fmt::print(stderr, "\r{} cases", outcomes.size());
    return;
  }
  if (child.cases.size() == 1) {
    const Case &c = child.cases[0];
    const std::string reason = WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
                                                   : fmt::format("exit {}", WEXITSTATUS(status));
    outcomes.push_back({c.name, c.plain, child.late ? "timeout" : "crashed",
                        child.late ? "did not end in time" : reason});
    return;
  }
  const size_t half = child.cases.size() / 2;
  sets.emplace_front(child.cases.begin() + half, child.cases.end());
  sets.emplace_front(child.cases.begin(), child.cases.begin() + half);
}

/// Waits until a child says something or ends. False if there is none.
bool Pool::wait() {
  if (children.empty())
    return false;
  std::vector<pollfd> fds;
  for (const Child &child : children)
    fds.push_back({child.fd, POLLIN, 0});
  poll(fds.data(), fds.size(), 200);
  for (size_t i = children.size(); i-- > 0;) {
    Child &child = children[i];
    if (!child.late && Clock::now() > child.deadline) {
      child.late = true;
      kill(-child.pid, SIGKILL);
    }
    if (!fds[i].revents)
      continue;
    char buffer[1 << 16];
    const ssize_t n = read(child.fd, buffer, sizeof(buffer));
    if (n > 0) {
      child.text.append(buffer, static_cast<size_t>(n));
      continue;
    }
    int status = 0;
    waitpid(child.pid, &status, 0);
    kill(-child.pid, SIGKILL);
    Child ended = std::move(child);
    children.erase(children.begin() + static_cast<ptrdiff_t>(i));
    finish(std::move(ended), status);
  }
  return true;
}

std::vector<Outcome> Pool::run(std::deque<std::vector<Case>> all) {
  sets = std::move(all);
  do {
    while (!sets.empty() && children.size() < arguments.jobs) {
      std::vector<Case> next = std::move(sets.front());
      sets.pop_front();
      start(std::move(next));
    }
  } while (wait());
  fmt::print(stderr, "\n");
  std::sort(outcomes.begin(), outcomes.end(),
            [](const Outcome &a, const Outcome &b) { return a.name < b.name; });
  return std::move(outcomes);
}

StatusOr<std::deque<std::vector<Case>>> dealCases(const Arguments &arguments) {
  MTC_ASSIGN_OR_RETURN(const std::string text, readTextFile(arguments.folder + "/tol.json"));
  const auto tolerances = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!tolerances.is_object())
    return invalidInput(fmt::format("'{}/tol.json' is not an object", arguments.folder));
  std::set<std::string> names;
  if (!arguments.names.empty()) {
    MTC_ASSIGN_OR_RETURN(const std::string list, readTextFile(arguments.names));
    std::istringstream lines(list);
    for (std::string line; std::getline(lines, line);)
      if (!line.empty() && line[0] != '#')
        names.insert(line);
  }
  std::deque<std::vector<Case>> sets;
  for (const auto &[name, tolerance] : tolerances.items()) {
    if (name.find(arguments.filter) == std::string::npos ||
        (!arguments.names.empty() && names.erase(name) == 0))
      continue;
    MTC_ASSIGN_OR_RETURN(Case c, readCase(arguments.folder + "/node", name));
    c.rtol = tolerance.at(0);
    c.atol = tolerance.at(1);
    if (sets.empty() || sets.back().size() == arguments.perSet)
      sets.emplace_back();
    sets.back().push_back(std::move(c));
  }
  if (!names.empty() && arguments.filter.empty())
    return invalidInput(fmt::format("no case is called '{}'", *names.begin()));
  return sets;
}

struct Row {
  std::string result, reason;
};
using Table = std::map<std::string, Row>; ///< by name of the case

StatusOr<Table> readTable(const std::string &path) {
  MTC_ASSIGN_OR_RETURN(const std::string text, readTextFile(path));
  Table rows;
  for (size_t begin = 0, end; begin < text.size(); begin = end + 1) {
    end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    const size_t first = line.find('\t'), second = line.find('\t', first + 1);
    if (line.empty() || line[0] == '#')
      continue;
    if (second == std::string::npos)
      return invalidInput(fmt::format("'{}': a row needs name, result and reason", path));
    rows[line.substr(0, first)] = {line.substr(first + 1, second - first - 1),
                                   line.substr(second + 1)};
  }
  return rows;
}

/// Writes the rows of `outcomes` and those rows of `kept` whose cases were not run, below the
/// comments that the file has now.
Status writeTable(const std::string &path, const std::vector<Outcome> &outcomes, Table kept) {
  MTC_ASSIGN_OR_RETURN(const std::string old, readTextFile(path));
  std::istringstream lines(old);
  std::string text;
  for (std::string line; std::getline(lines, line) && line.starts_with('#');)
    text += line + "\n";
  for (const Outcome &o : outcomes) {
    kept.erase(o.name);
    if (o.result != "passed")
      kept[o.name] = {o.result, o.reason};
  }
  for (const auto &[name, row] : kept)
    text += fmt::format("{}\t{}\t{}\n", name, row.result, row.reason);
  return writeFile(path, text);
}

/// Lines for what changed against the table, in both directions.
std::vector<std::string> changes(const Table &table, const std::vector<Outcome> &outcomes,
                                 bool whole) {
  std::vector<std::string> lines;
  Table left = table;
  for (const Outcome &o : outcomes) {
    auto row = table.find(o.name);
    const std::string wanted = row == table.end() ? "passed" : row->second.result;
    left.erase(o.name);
    if (wanted != o.result)
      lines.push_back(fmt::format("{}: {} in the table, now {}{}{}", o.name, wanted, o.result,
                                  o.reason.empty() ? "" : ": ", o.reason));
  }
  if (whole)
    for (const auto &[name, row] : left)
      lines.push_back(
          fmt::format("{}: {} in the table, but there is no such case", name, row.result));
  return lines;
}

Status run(const Arguments &arguments) {
  MTC_ASSIGN_OR_RETURN(auto sets, dealCases(arguments));
  const std::vector<Outcome> outcomes = Pool(arguments).run(std::move(sets));
  std::map<std::string, int> counts;
  int plain = 0, plainPassed = 0;
  for (const Outcome &o : outcomes) {
    ++counts[o.result];
    plain += o.plain;
    plainPassed += o.plain && o.result == "passed";
  }
  const int passed = counts["passed"];
  const int skipped = counts["unsupported"] + counts["unfed"];
  const int failed = static_cast<int>(outcomes.size()) - passed - skipped;
  if (!arguments.json.empty()) {
    const nlohmann::ordered_json json = {{"version", 1},
                                         {"passed", passed},
                                         {"failed", failed},
                                         {"skipped", skipped},
                                         {"plain_passed", plainPassed},
                                         {"plain_total", plain},
                                         {"results", counts}};
    MTC_RETURN_IF_ERROR(writeFile(arguments.json, json.dump(2) + "\n"));
  }
  for (const auto &[result, count] : counts)
    fmt::print("{:6} {}\n", count, result);
  fmt::print("plain: {} of {}\n", plainPassed, plain);
  MTC_ASSIGN_OR_RETURN(const auto table, readTable(arguments.table));
  const bool whole = arguments.filter.empty() && arguments.names.empty();
  if (arguments.update)
    return writeTable(arguments.table, outcomes, whole ? Table() : table);
  const auto lines = changes(table, outcomes, whole);
  for (const std::string &line : lines)
    fmt::print("changed: {}\n", line);
  return lines.empty() ? okStatus()
                       : internalError(fmt::format("{} cases differ from '{}'; if that is right, "
                                                   "test/Conformance/run.sh --update",
                                                   lines.size(), arguments.table));
}

} // namespace

int main(int argc, char **argv) {
  Arguments arguments;
  std::vector<std::string> places;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const bool hasValue = flag == "--json" || flag == "--filter" || flag == "--jobs" ||
                          flag == "--per-set" || flag == "--names" || flag == "--cuda-driver" ||
                          flag == "--gpu";
    if (hasValue && ++i == argc)
      return 2;
    if (flag == "--update")
      arguments.update = true;
    else if (flag == "--json")
      arguments.json = argv[i];
    else if (flag == "--filter")
      arguments.filter = argv[i];
    else if (flag == "--names")
      arguments.names = argv[i];
    else if (flag == "--cuda-driver")
      arguments.where = {"cuda:sm_90a", std::filesystem::absolute(argv[i]), true};
    else if (flag == "--gpu")
      arguments.where = {std::string("cuda:") + argv[i], "libcuda.so.1", false};
    else if (flag == "--jobs")
      arguments.jobs = std::max(1, std::atoi(argv[i]));
    else if (flag == "--per-set")
      arguments.perSet = std::max(1, std::atoi(argv[i]));
    else
      places.push_back(flag);
  }
  if (places.size() != 2) {
    fmt::print(stderr, "usage: mtc-conformance FOLDER TABLE [--json FILE] [--update] "
                       "[--filter TEXT] [--jobs N] [--per-set N] [--names FILE] "
                       "[--cuda-driver FAKE | --gpu ARCHITECTURE]\n");
    return 2;
  }
  arguments.folder = places[0];
  arguments.table = places[1];
  const Status status = run(arguments);
  if (!status.ok())
    fmt::print(stderr, "error: {}\n", status.message());
  return status.exitCode();
}
