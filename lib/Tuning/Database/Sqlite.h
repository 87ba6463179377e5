//===- Sqlite.h - statements that clean up after themselves ---------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mtc::tuning {

struct CloseConnection {
  void operator()(sqlite3 *connection) const { sqlite3_close_v2(connection); }
};
using Connection = std::unique_ptr<sqlite3, CloseConnection>;

/// What SQLite says went wrong, with the path in front.
Status sqliteError(sqlite3 *connection, const std::string &path);

/// Runs statements without results.
Status execute(sqlite3 *connection, const std::string &path, const char *sql);

/// A prepared statement: bind, then step until there are no more rows.
class Statement {
public:
  static StatusOr<Statement> prepare(sqlite3 *connection, const std::string &path, const char *sql);

  /// Values by position from 1. Text must live until the next reset().
  Statement &bind(int at, std::string_view text);
  Statement &bind(int at, int64_t number);

  /// True: there is a row; false: no more. Fails as SQLite does.
  StatusOr<bool> step();
  /// Runs it to its end and makes it ready for other values.
  Status run();

  std::string text(int column) const;
  int64_t number(int column) const;

private:
  struct Finalize {
    void operator()(sqlite3_stmt *statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  std::string path_;
};

} // namespace mtc::tuning
