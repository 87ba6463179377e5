//===- Database.cpp - tables, batches, checks -----------------------------===//
#include "mtc/Tuning/Database.h"

#include "Sqlite.h"

#include "mtc/Support/File.h"
#include "mtc/Support/Hash.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace mtc {

using namespace tuning;

namespace {

/// "mtct": files of SQLite that are no tuning databases are told apart.
constexpr int64_t kApplicationId = 0x6d746374;
constexpr int64_t kFormat = 2;
/// How long a writer waits for others; a batch takes milliseconds.
constexpr int kBusyMs = 120'000;

constexpr const char *kSchema = R"(
  PRAGMA application_id = 0x6d746374;
  PRAGMA user_version = 2;
  CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE times (kernel TEXT NOT NULL, config TEXT NOT NULL, granules INTEGER NOT NULL,
    neighbour TEXT NOT NULL, device TEXT NOT NULL, ns INTEGER NOT NULL, samples INTEGER NOT NULL,
    failure TEXT NOT NULL, half INTEGER NOT NULL, other INTEGER NOT NULL, code TEXT NOT NULL,
    hash TEXT NOT NULL, PRIMARY KEY (kernel, config, granules, neighbour, device)) WITHOUT ROWID;
  CREATE TABLE kernels (kernel TEXT PRIMARY KEY, features TEXT NOT NULL, hash TEXT NOT NULL)
    WITHOUT ROWID;
  CREATE TABLE searches (kernel TEXT NOT NULL, device TEXT NOT NULL, candidates INTEGER NOT NULL,
    seed INTEGER NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (kernel, device, seed)) WITHOUT ROWID;
)";

/// The hash that a row carries: of the line that it is printed as.
std::string rowHash(const TuningRecords &one) {
  return hashText(printRecords(one)).hex().substr(0, 16);
}
std::string rowHash(const TimeRecord &record) { return rowHash(TuningRecords{{record}, {}, {}}); }
std::string rowHash(const KernelRecord &record) { return rowHash(TuningRecords{{}, {record}, {}}); }
std::string rowHash(const SearchRecord &record) { return rowHash(TuningRecords{{}, {}, {record}}); }

StatusOr<Connection> connect(const std::string &path, int flags) {
  sqlite3 *raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Connection connection(raw);
  if (code != SQLITE_OK)
    return sqliteError(raw, path);
  sqlite3_busy_timeout(raw, kBusyMs);
  return connection;
}

StatusOr<int64_t> pragma(sqlite3 *connection, const std::string &path, const char *sql) {
  MTC_ASSIGN_OR_RETURN(Statement statement, Statement::prepare(connection, path, sql));
  MTC_ASSIGN_OR_RETURN(const bool row, statement.step());
  return row ? statement.number(0) : 0;
}

Status fill(const std::string &path, const std::string &compiler) {
  MTC_ASSIGN_OR_RETURN(Connection connection,
                       connect(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
  MTC_RETURN_IF_ERROR(execute(connection.get(), path, "PRAGMA journal_mode = WAL"));
  MTC_RETURN_IF_ERROR(execute(connection.get(), path, kSchema));
  MTC_ASSIGN_OR_RETURN(
      Statement about,
      Statement::prepare(connection.get(), path, "INSERT INTO about VALUES ('compiler', ?)"));
  return about.bind(1, compiler).run();
}

/// Makes a database that nobody sees before it is complete: ten processes may start at once.
Status create(const std::string &path, const std::string &compiler) {
  const std::string temporary = fmt::format("{}.new-{}", path, getpid());
  auto removeTemporary = [&] {
    for (const char *suffix : {"", "-wal", "-shm"})
      unlink((temporary + suffix).c_str());
  };
  removeTemporary(); // of a process of this number that was killed
  Status status = fill(temporary, compiler);
  if (status.ok() && link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST)
    status = invalidInput(
        fmt::format("cannot make tuning database '{}': {}", path, std::strerror(errno)));
  removeTemporary();
  return status;
}

/// Whether the file is a sound database of this compiler.
Status checkDatabase(sqlite3 *connection, const std::string &path, const std::string &compiler) {
  auto refuse = [&](const std::string &why) {
    return invalidInput(fmt::format("tuning database '{}' {}", path, why));
  };
  StatusOr<int64_t> id = pragma(connection, path, "PRAGMA application_id");
  MTC_RETURN_IF_ERROR(id.status());
  if (*id != kApplicationId)
    return refuse("is no tuning database");
  MTC_ASSIGN_OR_RETURN(const int64_t format, pragma(connection, path, "PRAGMA user_version"));
  if (format != kFormat)
    return refuse(fmt::format("has format {}, this compiler reads {}", format, kFormat));
  MTC_ASSIGN_OR_RETURN(Statement sound,
                       Statement::prepare(connection, path, "PRAGMA quick_check(1)"));
  MTC_ASSIGN_OR_RETURN(const bool hasRow, sound.step());
  if (!hasRow || sound.text(0) != "ok")
    return refuse(fmt::format("is damaged: {}", hasRow ? sound.text(0) : "no answer"));
  MTC_ASSIGN_OR_RETURN(
      Statement about,
      Statement::prepare(connection, path, "SELECT value FROM about WHERE name = 'compiler'"));
  MTC_ASSIGN_OR_RETURN(const bool known, about.step());
  if (!known || about.text(0) != compiler)
    return refuse(
        fmt::format("is of compiler '{}', this is '{}'", known ? about.text(0) : "", compiler));
  return okStatus();
}

StatusOr<TuningRecords> readRows(sqlite3 *connection, const std::string &path,
                                 const std::string &device) {
  TuningRecords records;
  auto damaged = [&](const char *table, const std::string &kernel) {
    return invalidInput(fmt::format("tuning database '{}' is damaged: a row of '{}' of kernel '{}' "
                                    "does not have the hash that it carries",
                                    path, table, kernel));
  };
  MTC_ASSIGN_OR_RETURN(
      Statement times,
      Statement::prepare(connection, path,
                         "SELECT kernel, config, granules, neighbour, device, ns, samples, failure,"
                         " half, other, code, hash FROM times WHERE ?1 = '' OR device = ?1"
                         " ORDER BY kernel, config, granules, neighbour, device"));
  times.bind(1, device);
  for (;;) {
    MTC_ASSIGN_OR_RETURN(const bool more, times.step());
    if (!more)
      break;
    TimeRecord record;
    record.key = {times.text(0), times.text(1), int32_t(times.number(2)), times.text(3),
                  times.text(4)};
    record.ns = times.number(5);
    record.samples = int32_t(times.number(6));
    record.failure = times.text(7);
    record.halves = {times.number(8), times.number(9)};
    record.code = times.text(10);
    if (times.text(11) != rowHash(record))
      return damaged("times", record.key.kernel);
    records.times.push_back(std::move(record));
  }
  MTC_ASSIGN_OR_RETURN(
      Statement kernels,
      Statement::prepare(connection, path,
                         "SELECT kernel, features, hash FROM kernels ORDER BY kernel"));
  for (;;) {
    MTC_ASSIGN_OR_RETURN(const bool more, kernels.step());
    if (!more)
      break;
    // The features are stored as the line that they are printed as.
    StatusOr<TuningRecords> line = parseRecords(printHeader("-") + kernels.text(1), "-", path);
    if (!line.ok() || line->kernels.size() != 1 || rowHash(line->kernels[0]) != kernels.text(2) ||
        line->kernels[0].kernel != kernels.text(0))
      return damaged("kernels", kernels.text(0));
    records.kernels.push_back(std::move(line->kernels[0]));
  }
  MTC_ASSIGN_OR_RETURN(
      Statement searches,
      Statement::prepare(connection, path,
                         "SELECT kernel, device, candidates, seed, hash FROM searches"
                         " WHERE ?1 = '' OR device = ?1 ORDER BY kernel, device, seed"));
  searches.bind(1, device);
  for (;;) {
    MTC_ASSIGN_OR_RETURN(const bool more, searches.step());
    if (!more)
      break;
    SearchRecord record{searches.text(0), searches.text(1), searches.number(2), searches.number(3)};
    if (searches.text(4) != rowHash(record))
      return damaged("searches", record.kernel);
    records.searches.push_back(std::move(record));
  }
  return records;
}

} // namespace

struct TuningDatabase::State {
  std::string path;
  Connection connection;
};

TuningDatabase::TuningDatabase(std::unique_ptr<State> state) : state_(std::move(state)) {}
TuningDatabase::TuningDatabase(TuningDatabase &&) noexcept = default;
TuningDatabase &TuningDatabase::operator=(TuningDatabase &&) noexcept = default;
TuningDatabase::~TuningDatabase() = default;

const std::string &TuningDatabase::path() const { return state_->path; }

StatusOr<TuningDatabase> TuningDatabase::open(const std::string &path,
                                              const std::string &compiler) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    MTC_RETURN_IF_ERROR(create(path, compiler));
  if (!std::filesystem::is_regular_file(path, error))
    return invalidInput(fmt::format("tuning database '{}' is no regular file", path));
  auto state = std::make_unique<State>();
  state->path = path;
  MTC_ASSIGN_OR_RETURN(state->connection, connect(path, SQLITE_OPEN_READWRITE));
  MTC_RETURN_IF_ERROR(checkDatabase(state->connection.get(), path, compiler));
  // What is committed survives kill -9; a power cut may cost the last batches, never the rest.
  MTC_RETURN_IF_ERROR(execute(state->connection.get(), path, "PRAGMA synchronous = NORMAL"));
  return TuningDatabase(std::move(state));
}

Status TuningDatabase::add(const TuningRecords &records) {
  sqlite3 *connection = state_->connection.get();
  const std::string &path = state_->path;
  // From the start a writer: one that begins as a reader may be refused in the middle.
  MTC_RETURN_IF_ERROR(execute(connection, path, "BEGIN IMMEDIATE"));
  Status status = [&]() -> Status {
    MTC_ASSIGN_OR_RETURN(
        Statement times,
        Statement::prepare(
            connection, path,
            "INSERT INTO times VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON"
            " CONFLICT DO UPDATE SET ns = ?6, samples = ?7, failure = ?8, half = ?9, other = ?10,"
            " code = ?11, hash = ?12 WHERE ?7 > samples OR (?7 = samples AND (?6 < ns OR (?6 = ns "
            "AND ?8 < failure)))"));
    for (const TimeRecord &record : records.times) {
      const TimeKey &key = record.key;
      const std::string hash = rowHash(record);
      MTC_RETURN_IF_ERROR(times.bind(1, key.kernel)
                              .bind(2, key.config)
                              .bind(3, int64_t(key.granules))
                              .bind(4, key.neighbour)
                              .bind(5, key.device)
                              .bind(6, record.ns)
                              .bind(7, int64_t(record.samples))
                              .bind(8, record.failure)
                              .bind(9, record.halves[0])
                              .bind(10, record.halves[1])
                              .bind(11, record.code)
                              .bind(12, hash)
                              .run());
    }
    MTC_ASSIGN_OR_RETURN(
        Statement kernels,
        Statement::prepare(connection, path, "INSERT OR REPLACE INTO kernels VALUES (?1, ?2, ?3)"));
    for (const KernelRecord &record : records.kernels) {
      const std::string text = printRecords({{}, {record}, {}}), hash = rowHash(record);
      MTC_RETURN_IF_ERROR(kernels.bind(1, record.kernel).bind(2, text).bind(3, hash).run());
    }
    MTC_ASSIGN_OR_RETURN(
        Statement searches,
        Statement::prepare(connection, path,
                           "INSERT INTO searches VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE"
                           " SET candidates = ?3, hash = ?5 WHERE ?3 > candidates"));
    for (const SearchRecord &record : records.searches) {
      const std::string hash = rowHash(record);
      MTC_RETURN_IF_ERROR(searches.bind(1, record.kernel)
                              .bind(2, record.device)
                              .bind(3, record.candidates)
                              .bind(4, record.seed)
                              .bind(5, hash)
                              .run());
    }
    return execute(connection, path, "COMMIT");
  }();
  if (!status.ok())
    (void)execute(connection, path, "ROLLBACK");
  return status;
}

StatusOr<TuningRecords> TuningDatabase::read(const std::string &device) const {
  return readRows(state_->connection.get(), state_->path, device);
}

StatusOr<TuningRecords> readTuning(const std::string &path, const std::string &compiler) {
  MTC_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open(path));
  const auto bytes = file.bytes();
  if (!bytes.empty() && bytes[0] == '{')
    return parseRecords({reinterpret_cast<const char *>(bytes.data()), bytes.size()}, compiler,
                        path);
  StatusOr<Connection> connection = connect(path, SQLITE_OPEN_READONLY);
  MTC_RETURN_IF_ERROR(connection.status());
  Status sound = checkDatabase(connection->get(), path, compiler);
  if (!sound.ok() && sqlite3_errcode(connection->get()) == SQLITE_CANTOPEN) {
    // Where nobody can write nobody does: without the files that readers and writers share.
    std::string uri = "file:";
    for (char c : std::filesystem::absolute(path).string())
      uri += std::strchr("%?#", c) ? fmt::format("%{:02x}", static_cast<unsigned char>(c))
                                   : std::string(1, c);
    MTC_ASSIGN_OR_RETURN(*connection,
                         connect(uri + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI));
    sound = checkDatabase(connection->get(), path, compiler);
  }
  MTC_RETURN_IF_ERROR(sound);
  return readRows(connection->get(), path, "");
}

} // namespace mtc
