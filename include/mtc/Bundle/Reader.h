//===- Reader.h - opens a bundle file and checks what it uses -------------===//
//
// Opening maps the file and verifies header, manifest and code; weights, schedules and plans are
// verified when they are first asked for, so that a process that runs one small tenant of a
// large set touches little else. verifyAll() checks every byte.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Bundle/Contents.h"
#include "mtc/Bundle/Online.h"

#include <memory>
#include <span>
#include <string_view>

namespace mtc {

/// A schedule without its places, which are decoded when they are asked for.
struct BundleSchedule {
  Workload workload;
  std::string policy;
  int64_t makespanNs = 0; ///< predicted
};

/// What of a target is decoded when the bundle is opened.
struct BundleTarget {
  std::string target;
  std::vector<std::string> features; ///< CPU features that the code needs
  Problem problem;                   ///< checked
  std::vector<BundleSchedule> schedules;
  std::vector<std::vector<std::string>> symbols; ///< [kernel][variant]
  std::span<const uint8_t> code;                 ///< hash checked
};

struct ScheduledPlan {
  Schedule schedule;
  Plan plan;
};

/// An open bundle file. Immutable for its users and safe for concurrent use.
///
/// Ownership: owns the mapping; every range it gives lives as long as it does.
class BundleReader {
public:
  struct WeightInfo {
    std::string_view name;
    uint64_t offset = 0; ///< in the weights section; equal weights share bytes
    uint64_t bytes = 0;
  };
  struct SectionInfo {
    std::string_view kind;
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };

  /// Fails with BundleRefused if the file is cut short, damaged in header, manifest or code, of
  /// another format number (the message names both and the compile command), or if what the
  /// manifest says does not hold together; with InvalidInput if there is no such file.
  static StatusOr<std::shared_ptr<const BundleReader>> open(const std::string &path);
  ~BundleReader();

  const std::string &path() const;
  const std::string &compilerVersion() const;
  const std::string &compileCommand() const;
  uint64_t fileBytes() const;

  const std::vector<BundleTarget> &targets() const;

  /// Schedule and plan at `index` of the target's schedules, both verified.
  /// Fails if either does not verify (BundleRefused). Complexity: that of verify(Plan).
  StatusOr<ScheduledPlan> plan(size_t target, size_t index) const;

  /// What schedulers that decide at run time need of a target. Empty in bundles that are older than
  /// these tables. Fails if an index or a mask is out of range, or a segment runs backwards
  /// (BundleRefused).
  StatusOr<OnlineTables> online(size_t target) const;

  size_t weightCount() const;
  WeightInfo weightInfo(size_t index) const;

  /// The bytes of a weight, 64-byte aligned, in the mapping. The first use of a MiB of weights
  /// hashes it. Fails if the hash differs (BundleRefused).
  StatusOr<std::span<const uint8_t>> weight(size_t index) const;

  size_t textCount() const;
  std::string_view textName(size_t index) const;
  /// Fails if the text's hash differs (BundleRefused).
  StatusOr<std::string_view> text(size_t index) const;

  std::vector<SectionInfo> sections() const;

  /// Every byte: all sections' hashes, zeros between them, and every schedule and plan.
  /// Fails at the first that does not hold (BundleRefused).
  Status verifyAll() const;

private:
  struct State;
  explicit BundleReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace mtc
