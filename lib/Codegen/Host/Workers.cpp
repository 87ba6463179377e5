//===- Workers.cpp - work in processes that may crash, hang or run out ----===//
#include "Workers.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mtc::host {
namespace {

using Clock = std::chrono::steady_clock;
constexpr uint32_t quit = UINT32_MAX;

struct Header {
  uint32_t ok;
  uint32_t job;
  uint64_t bytes;
};

bool readAll(int fd, void *data, size_t size) {
  auto *p = static_cast<char *>(data);
  while (size > 0) {
    ssize_t n = ::read(fd, p, size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    p += n;
    size -= n;
  }
  return true;
}

bool writeAll(int fd, const void *data, size_t size) {
  auto *p = static_cast<const char *>(data);
  while (size > 0) {
    ssize_t n = ::send(fd, p, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    p += n;
    size -= n;
  }
  return true;
}

int64_t addressSpaceBytes() {
  long pages = 0;
  if (FILE *f = ::fopen("/proc/self/statm", "r")) {
    if (::fscanf(f, "%ld", &pages) != 1)
      pages = 0;
    ::fclose(f);
  }
  return pages * ::sysconf(_SC_PAGESIZE);
}

void limit(int resource, rlim_t value) {
  struct rlimit r;
  ::getrlimit(resource, &r);
  r.rlim_cur = std::min(value, r.rlim_max);
  ::setrlimit(resource, &r);
}

/// The life of a worker: jobs in, results out, until told to quit or the parent is gone.
[[noreturn]] void serve(int fd, int log, const KernelLimits &limits,
                        const std::function<Outcome(size_t)> &work) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // A crash is a result here: no stack traces, no core files.
  for (int s : {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGXCPU, SIGTERM, SIGINT})
    ::signal(s, SIG_DFL);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_AS, addressSpaceBytes() + (limits.memoryMiB << 20));
  ::dup2(log, 1);
  ::dup2(log, 2);
  uint32_t job = 0;
  while (readAll(fd, &job, sizeof job) && job != quit) {
    struct rusage used;
    ::getrusage(RUSAGE_SELF, &used);
    limit(RLIMIT_CPU, used.ru_utime.tv_sec + used.ru_stime.tv_sec + 1 + limits.seconds);
    Outcome outcome = work(job);
    Header header{outcome.ok, job, outcome.bytes.size()};
    if (!writeAll(fd, &header, sizeof header) ||
        !writeAll(fd, outcome.bytes.data(), outcome.bytes.size()))
      break;
  }
  ::_exit(0);
}

struct Worker {
  pid_t pid = -1;
  int fd = -1;
  int log = -1; ///< what it writes to stderr
  bool busy = false;
  size_t job = 0;
  size_t served = 0; ///< jobs before this one
  Clock::time_point deadline;
};

class Pool {
public:
  Pool(const KernelLimits &limits, const std::function<Outcome(size_t)> &work)
      : limits(limits), work(work) {}
  ~Pool() {
    for (Worker &w : workers)
      stop(w, /*now=*/w.busy);
  }

  bool start() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
      return false;
    int log = ::memfd_create("worker", MFD_CLOEXEC);
    pid_t pid = ::fork();
    if (pid < 0) {
      ::close(log);
      ::close(fds[0]);
      ::close(fds[1]);
      return false;
    }
    if (pid == 0) {
      ::close(fds[0]);
      for (Worker &other : workers) // else a sibling would not see the parent's end close
        if (other.fd >= 0)
          ::close(other.fd);
      serve(fds[1], log, limits, work);
    }
    ::close(fds[1]);
    Worker w;
    w.pid = pid;
    w.fd = fds[0];
    w.log = log;
    for (Worker &slot : workers)
      if (slot.pid < 0) {
        slot = w;
        return true;
      }
    workers.push_back(w);
    return true;
  }

  /// Ends the process and says how it ended.
  int stop(Worker &w, bool now) {
    if (w.pid < 0)
      return 0;
    if (now)
      ::kill(w.pid, SIGKILL);
    else
      writeAll(w.fd, &quit, sizeof quit);
    ::close(w.fd);
    ::close(w.log);
    int status = 0;
    while (::waitpid(w.pid, &status, 0) < 0 && errno == EINTR) {
    }
    w = Worker();
    return status;
  }

  void give(Worker &w, size_t job) {
    w.busy = true;
    w.job = job;
    w.deadline = Clock::now() + std::chrono::seconds(limits.wallSeconds());
    uint32_t message = static_cast<uint32_t>(job);
    writeAll(w.fd, &message, sizeof message); // a dead worker shows when its answer is read
  }

  const KernelLimits &limits;
  const std::function<Outcome(size_t)> &work;
  std::vector<Worker> workers;
};

/// " (what the worker said before it died)", or nothing.
std::string firstLine(int log) {
  char text[512];
  ssize_t n = ::pread(log, text, sizeof text, 0);
  std::string line(text, n > 0 ? n : 0);
  line = line.substr(0, line.find('\n'));
  return line.empty() ? "" : " (" + line + ")";
}

bool isOverTime(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU; }

std::string describe(int status, const KernelLimits &limits) {
  if (isOverTime(status))
    return "took more than " + std::to_string(limits.seconds) + " s of CPU time";
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
    return "was killed: out of the machine's memory or time";
  return "crashed, or needed more than " + std::to_string(limits.memoryMiB) + " MiB of memory";
}

} // namespace

StatusOr<std::vector<Outcome>> runContained(size_t jobs, int workers, const KernelLimits &limits,
                                            const std::function<Outcome(size_t)> &work,
                                            const std::function<void(size_t done)> &progress) {
  std::vector<Outcome> outcomes(jobs);
  if (jobs == 0)
    return outcomes;
  Pool pool(limits, work);
  size_t wanted = std::min<size_t>(jobs, std::max(1, workers));
  pool.workers.reserve(wanted);
  for (size_t i = 0; i < wanted; ++i)
    if (!pool.start() && i == 0)
      return internalError(std::string("cannot fork a worker process: ") + std::strerror(errno));

  size_t next = 0, done = 0;
  std::vector<size_t> again; // crashed in a process that earlier jobs had filled
  auto finish = [&](size_t job, Outcome outcome) {
    outcomes[job] = std::move(outcome);
    ++done;
    if (progress)
      progress(done);
  };
  while (done < jobs) {
    std::vector<pollfd> fds;
    std::vector<Worker *> polled;
    auto soonest = Clock::now() + std::chrono::hours(1);
    for (Worker &w : pool.workers) {
      if (w.pid >= 0 && !w.busy && w.served == 0 && !again.empty()) {
        pool.give(w, again.back());
        again.pop_back();
      } else if (w.pid >= 0 && !w.busy && next < jobs) {
        pool.give(w, next++);
      }
      if (!w.busy)
        continue;
      fds.push_back({w.fd, POLLIN, 0});
      polled.push_back(&w);
      soonest = std::min(soonest, w.deadline);
    }
    if (polled.empty())
      return internalError("no worker process is left");
    auto wait =
        std::chrono::duration_cast<std::chrono::milliseconds>(soonest - Clock::now()).count();
    ::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<int64_t>(wait + 1, 1, 60'000)));

    for (size_t i = 0; i < fds.size(); ++i) {
      Worker &w = *polled[i];
      if (fds[i].revents) {
        Header header;
        Outcome outcome;
        if (readAll(w.fd, &header, sizeof header)) {
          outcome.ok = header.ok;
          outcome.bytes.resize(header.bytes);
          if (readAll(w.fd, outcome.bytes.data(), header.bytes)) {
            w.busy = false;
            ++w.served;
            finish(w.job, std::move(outcome));
            continue;
          }
        }
        size_t job = w.job;
        bool wasFresh = w.served == 0;
        std::string words = firstLine(w.log);
        int status = pool.stop(w, /*now=*/false);
        if (wasFresh || isOverTime(status))
          finish(job, {false, describe(status, limits) + words});
        else
          again.push_back(job);
        pool.start();
      } else if (Clock::now() >= w.deadline) {
        size_t job = w.job;
        pool.stop(w, /*now=*/true);
        finish(job, {false, "took more than " + std::to_string(limits.wallSeconds()) + " s"});
        pool.start();
      }
    }
  }
  return outcomes;
}

} // namespace mtc::host
