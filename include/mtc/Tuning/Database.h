//===- Database.h - measured times of kernels on disk ---------------------===//
//
// SQLite in WAL mode: any number of processes read and write at once, and what a killed one had
// committed stays. A database is of one compiler: times of other code are no times of this one's.
// Rows carry a hash of their own, since SQLite notices a damaged page only where it breaks a tree.
//
// Source: https://www.sqlite.org/wal.html, https://www.sqlite.org/howtocorrupt.html
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Tuning/Record.h"

#include <memory>

namespace mtc {

/// An open tuning database.
///
/// Ownership: one thread at a time; a process that forks opens it anew in the child.
class TuningDatabase {
public:
  /// Opens the database at `path` and makes it if there is none.
  ///
  /// Fails if it is of another compiler than `compiler` (both are named), of another format,
  /// damaged or no database, or cannot be read and written (InvalidInput; the message begins with
  /// the path).
  static StatusOr<TuningDatabase> open(const std::string &path, const std::string &compiler);

  TuningDatabase(TuningDatabase &&) noexcept;
  TuningDatabase &operator=(TuningDatabase &&) noexcept;
  ~TuningDatabase();

  /// Adds records as one batch: all of them or, when this process dies, none. Of records with equal
  /// keys the better one stays (see isBetter), of searches the larger.
  Status add(const TuningRecords &records);

  /// Everything of one device, or of all with an empty name, sorted by key.
  /// Fails if a row does not have the hash that it carries (InvalidInput).
  StatusOr<TuningRecords> read(const std::string &device = "") const;

  const std::string &path() const;

private:
  struct State;
  explicit TuningDatabase(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The records of `path`, a database or a file of lines, without writing to it: it may lie where
/// nobody can write. Not for a database that this process has open: closing the file would drop the
/// locks. Fails as TuningDatabase::open and parseRecords do, or if there is no such file.
StatusOr<TuningRecords> readTuning(const std::string &path, const std::string &compiler);

} // namespace mtc
