//===- ProgressLine.h - work done and to do, on a terminal ----------------===//
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace mtc::tool {

/// One line that is overwritten, with the time left as the rate so far predicts it.
class ProgressLine {
public:
  void update(const std::string &what, int64_t done, int64_t total) {
    auto now = std::chrono::steady_clock::now();
    if (what != what_) {
      what_ = what;
      start_ = now;
    }
    double elapsed = std::chrono::duration<double>(now - start_).count();
    std::string left = done > 0 && elapsed > 0.5
                           ? fmt::format(", about {:.0f} s left", elapsed / done * (total - done))
                           : "";
    fmt::print(stderr, "\r\x1b[Kmtc: {} {}/{}{}", what, done, total, left);
    std::fflush(stderr);
    shown_ = true;
  }
  void clear() {
    if (shown_)
      fmt::print(stderr, "\r\x1b[K");
    shown_ = false;
  }

private:
  std::string what_;
  std::chrono::steady_clock::time_point start_;
  bool shown_ = false;
};

} // namespace mtc::tool
