//===- Sqlite.cpp - statements that clean up after themselves -------------===//
#include "Sqlite.h"

#include <fmt/format.h>

namespace mtc::tuning {

Status sqliteError(sqlite3 *connection, const std::string &path) {
  return invalidInput(fmt::format("tuning database '{}': {}", path, sqlite3_errmsg(connection)));
}

Status execute(sqlite3 *connection, const std::string &path, const char *sql) {
  return sqlite3_exec(connection, sql, nullptr, nullptr, nullptr) == SQLITE_OK
             ? okStatus()
             : sqliteError(connection, path);
}

StatusOr<Statement> Statement::prepare(sqlite3 *connection, const std::string &path,
                                       const char *sql) {
  Statement result;
  sqlite3_stmt *statement = nullptr;
  if (sqlite3_prepare_v2(connection, sql, -1, &statement, nullptr) != SQLITE_OK)
    return sqliteError(connection, path);
  result.statement_.reset(statement);
  result.path_ = path;
  return result;
}

Statement &Statement::bind(int at, std::string_view text) {
  sqlite3_bind_text(statement_.get(), at, text.data(), int(text.size()), SQLITE_STATIC);
  return *this;
}

Statement &Statement::bind(int at, int64_t number) {
  sqlite3_bind_int64(statement_.get(), at, number);
  return *this;
}

StatusOr<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW)
    return true;
  if (code == SQLITE_DONE)
    return false;
  return sqliteError(sqlite3_db_handle(statement_.get()), path_);
}

Status Statement::run() {
  Status status;
  for (bool more = true; more;) {
    StatusOr<bool> row = step();
    if (!row.ok())
      status = row.status();
    more = row.ok() && *row;
  }
  sqlite3_reset(statement_.get());
  return status;
}

std::string Statement::text(int column) const {
  const auto *text = reinterpret_cast<const char *>(sqlite3_column_text(statement_.get(), column));
  return text ? std::string(text, size_t(sqlite3_column_bytes(statement_.get(), column))) : "";
}

int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

} // namespace mtc::tuning
