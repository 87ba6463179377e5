//===- DatabaseTest.cpp - many writers, kill -9, damage -------------------===//
#include "mtc/Tuning/Database.h"

#include "mtc/Support/File.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mtc {
namespace {

const std::string kCompiler = "mtc 1";

class Database : public testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/mtc-tuning-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder = name;
    path = folder + "/tuning.db";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  TuningRecords rows() {
    auto database = TuningDatabase::open(path, kCompiler);
    EXPECT_TRUE(database.ok()) << database.status().message();
    auto records = database.ok() ? database->read() : StatusOr<TuningRecords>(database.status());
    EXPECT_TRUE(records.ok()) << records.status().message();
    return records.ok() ? std::move(*records) : TuningRecords();
  }

  void expectRefused(const std::string &message) {
    auto database = TuningDatabase::open(path, kCompiler);
    Status status = database.ok() ? database->read().status() : database.status();
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.code(), ErrorCode::InvalidInput);
    EXPECT_NE(status.message().find(path), std::string::npos) << status.message();
    EXPECT_NE(status.message().find(message), std::string::npos) << status.message();
    EXPECT_EQ(readTuning(path, kCompiler).status().message(), status.message());
  }

  std::string folder, path;
};

TimeRecord timeOf(int writer, int batch, int row) {
  TimeRecord record;
  record.key = {"kernel" + std::to_string(writer),
                "rows rows=" + std::to_string(batch) + "," + std::to_string(row), 1, "none",
                "CPU " + std::to_string(writer)};
  record.ns = 1000 + batch * 10 + row;
  record.samples = 3;
  record.halves = {1000 + batch, 1000 + row};
  record.code = "c" + std::to_string(row);
  return record;
}

constexpr int kBatchRows = 5;

TuningRecords batchOf(int writer, int batch) {
  TuningRecords records;
  for (int row = 0; row < kBatchRows; ++row)
    records.times.push_back(timeOf(writer, batch, row));
  return records;
}

/// Adds batches until `batches` are done or it is killed; after each commit a byte goes to
/// `report`.
void writeBatches(const std::string &path, int writer, int batches, int report) {
  auto database = TuningDatabase::open(path, kCompiler);
  if (!database.ok())
    _exit(1);
  for (int batch = 0; batch < batches; ++batch) {
    if (!database->add(batchOf(writer, batch)).ok())
      _exit(2);
    if (report >= 0 && write(report, "x", 1) != 1)
      _exit(3);
  }
  database = Status(ErrorCode::Internal, "closed");
  _exit(0);
}

// What is added is read back, sorted; of two records of one key the better one stays.
TEST_F(Database, KeepsTheBetterOfTwo) {
  auto database = TuningDatabase::open(path, kCompiler);
  ASSERT_TRUE(database.ok()) << database.status().message();
  TuningRecords records = batchOf(0, 0);
  records.kernels = {{"kernel0", {{"flops", 3.5}}}};
  records.searches = {{"kernel0", "CPU 0", 8, 0}};
  ASSERT_TRUE(database->add(records).ok());
  TuningRecords worse = batchOf(0, 0), better = batchOf(0, 0);
  worse.times[1].ns = 1;
  worse.times[1].samples = 1;
  better.times[2].ns = 5;
  worse.searches = {{"kernel0", "CPU 0", 4, 0}};
  ASSERT_TRUE(database->add(worse).ok());
  ASSERT_TRUE(database->add(better).ok());
  auto read = database->read("CPU 0");
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->times.size(), size_t(kBatchRows));
  EXPECT_EQ(read->times[1].ns, 1001);
  EXPECT_EQ(read->times[2].ns, 5);
  EXPECT_EQ(read->kernels[0].features.at("flops"), 3.5);
  EXPECT_EQ(read->searches[0].candidates, 8);
  EXPECT_TRUE(database->read("another CPU")->times.empty());
}

// Merged in either order, the same text comes out; exported lines are a tuning file themselves.
TEST_F(Database, MergesInAnyOrder) {
  TuningRecords a = batchOf(0, 0), b = batchOf(0, 0), c = batchOf(1, 0);
  b.times[0].ns = 7;
  c.times[0].samples = 0;
  c.times[0].ns = 0;
  c.times[0].failure = "crashes";
  std::string texts[2];
  for (int order = 0; order < 2; ++order) {
    path = folder + "/" + std::to_string(order) + ".db";
    auto database = TuningDatabase::open(path, kCompiler);
    ASSERT_TRUE(database.ok());
    for (const TuningRecords &records : order ? std::vector{c, b, a} : std::vector{a, b, c})
      ASSERT_TRUE(database->add(records).ok());
    texts[order] = printHeader(kCompiler) + printRecords(*database->read());
  }
  EXPECT_EQ(texts[0], texts[1]);
  ASSERT_TRUE(writeFile(folder + "/lines.jsonl", texts[0]).ok());
  auto lines = readTuning(folder + "/lines.jsonl", kCompiler);
  ASSERT_TRUE(lines.ok()) << lines.status().message();
  EXPECT_EQ(printHeader(kCompiler) + printRecords(*lines), texts[0]);
}

// Ten processes that all find no database make one and fill it; nothing is lost.
TEST_F(Database, TenWritersLoseNothing) {
  constexpr int writers = 10, batches = 20;
  std::vector<pid_t> children;
  for (int writer = 0; writer < writers; ++writer) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0)
      writeBatches(path, writer, batches, -1);
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  EXPECT_EQ(rows().times.size(), size_t(writers * batches * kBatchRows));
  for (const auto &file : std::filesystem::directory_iterator(folder))
    EXPECT_EQ(file.path().string().find(".new-"), std::string::npos) << file.path();
}

// A writer that is killed at any moment leaves whole batches: all that it had reported, and at most
// the one that it was about to report.
TEST_F(Database, KilledWriterLosesAtMostTheLastBatch) {
  std::mt19937 random(1);
  size_t expected = 0;
  for (int round = 0; round < 200; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(ends[0]);
      writeBatches(path, round, 1000000, ends[1]); // until it is killed
    }
    close(ends[1]);
    // A random moment after a random number of batches; what it then reports is counted, too.
    char byte;
    size_t reported = 0;
    for (size_t wait = 1 + random() % 6; reported < wait && read(ends[0], &byte, 1) == 1;)
      ++reported;
    usleep(random() % 2000);
    kill(child, SIGKILL);
    while (read(ends[0], &byte, 1) == 1)
      ++reported;
    close(ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "round " << round << ": " << status;
    auto database = TuningDatabase::open(path, kCompiler);
    ASSERT_TRUE(database.ok()) << database.status().message();
    auto mine = database->read("CPU " + std::to_string(round));
    ASSERT_TRUE(mine.ok()) << mine.status().message();
    const size_t gained = mine->times.size();
    ASSERT_EQ(gained % kBatchRows, 0u) << "round " << round;
    ASSERT_GE(gained / kBatchRows, reported) << "round " << round;
    ASSERT_LE(gained / kBatchRows, reported + 1) << "round " << round;
    expected += gained;
  }
  EXPECT_EQ(rows().times.size(), expected);
}

// A database of another compiler names both.
TEST_F(Database, OfAnotherCompiler) {
  ASSERT_TRUE(TuningDatabase::open(path, "mtc 0").ok());
  expectRefused("is of compiler 'mtc 0', this is 'mtc 1'");
}

// Files that are something else, cut short or empty.
TEST_F(Database, WhatIsNoDatabase) {
  ASSERT_TRUE(writeFile(path, "no database, but long enough that a header would fit into it").ok());
  expectRefused("file is not a database");
  ASSERT_TRUE(writeFile(path, "").ok());
  expectRefused("is no tuning database");
  path = folder;
  EXPECT_FALSE(TuningDatabase::open(path, kCompiler).ok());
  EXPECT_FALSE(readTuning(folder + "/missing.db", kCompiler).ok());
  EXPECT_FALSE(TuningDatabase::open(folder + "/no/folder.db", kCompiler).ok());
}

// A byte that changed in a row is noticed even where the tree of the table stays sound.
TEST_F(Database, DamagedRow) {
  {
    auto database = TuningDatabase::open(path, kCompiler);
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE(database->add(batchOf(3, 1)).ok());
  }
  auto text = readTextFile(path);
  ASSERT_TRUE(text.ok());
  const size_t at = text->find("rows rows=1,2");
  ASSERT_NE(at, std::string::npos);
  (*text)[at + 12] = '7';
  std::ofstream(path, std::ios::binary) << *text;
  expectRefused("is damaged: a row of 'times' of kernel 'kernel3'");
}

// A file cut short, and one whose pages hold noise.
TEST_F(Database, DamagedPages) {
  {
    auto database = TuningDatabase::open(path, kCompiler);
    ASSERT_TRUE(database.ok());
    for (int batch = 0; batch < 40; ++batch)
      ASSERT_TRUE(database->add(batchOf(3, batch)).ok());
  }
  const std::string whole = *readTextFile(path);
  ASSERT_GT(whole.size(), size_t(16384));
  std::ofstream(path, std::ios::binary) << whole.substr(0, whole.size() - 8192);
  expectRefused("tuning database");
  std::string noise = whole;
  std::mt19937 random(2);
  for (size_t i = 4096 * 2; i < noise.size(); ++i)
    noise[i] = char(random());
  std::ofstream(path, std::ios::binary) << noise;
  expectRefused("damaged");
}

// Reading needs no right to write: where one has none, SQLite could not make its shared files.
TEST_F(Database, ReadsWhereNobodyCanWrite) {
  {
    auto database = TuningDatabase::open(path, kCompiler);
    ASSERT_TRUE(database.ok());
    ASSERT_TRUE(database->add(batchOf(0, 0)).ok());
  }
  ASSERT_EQ(chmod(path.c_str(), 0444), 0);
  ASSERT_EQ(chmod(folder.c_str(), 0555), 0);
  auto records = readTuning(path, kCompiler);
  chmod(folder.c_str(), 0755);
  ASSERT_TRUE(records.ok()) << records.status().message();
  EXPECT_EQ(records->times.size(), size_t(kBatchRows));
}

} // namespace
} // namespace mtc
