//===- FileTest.cpp - files in, files out, and what goes wrong ------------===//
#include "FileFixture.h"

#include <sys/stat.h>

using namespace mtc;

namespace {

// What is written is what is read, copied or mapped; an empty file is an empty range.
TEST_F(File, RoundTrip) {
  ASSERT_TRUE(writeFile(path("a"), "hello").ok());
  EXPECT_EQ(content("a"), "hello");
  StatusOr<std::vector<uint8_t>> bytes = readFile(path("a"));
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(bytes->size(), 5u);
  StatusOr<MappedFile> mapped = MappedFile::open(path("a"));
  ASSERT_TRUE(mapped.ok());
  EXPECT_TRUE(
      std::equal(bytes->begin(), bytes->end(), mapped->bytes().begin(), mapped->bytes().end()));
  ASSERT_TRUE(writeFile(path("empty"), "").ok());
  StatusOr<MappedFile> empty = MappedFile::open(path("empty"));
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(empty->bytes().empty());
}

// A mapping survives a move of its owner, and the file's replacement.
TEST_F(File, MappingKeepsTheOldFile) {
  ASSERT_TRUE(writeFile(path("a"), "old").ok());
  StatusOr<MappedFile> opened = MappedFile::open(path("a"));
  ASSERT_TRUE(opened.ok());
  MappedFile mapped = std::move(*opened);
  ASSERT_TRUE(writeFile(path("a"), "new").ok());
  EXPECT_EQ(std::string(mapped.bytes().begin(), mapped.bytes().end()), "old");
  EXPECT_EQ(content("a"), "new");
}

// Errors name the path and say what the system said; nothing hangs on a FIFO.
TEST_F(File, ReadErrors) {
  EXPECT_EQ(readFile(path("none")).status().message(),
            "cannot open '" + path("none") + "': No such file or directory");
  EXPECT_EQ(readFile(folder).status().message(), "cannot read '" + folder + "': is a folder");
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(MappedFile::open(path("fifo")).status().message(),
            "cannot read '" + path("fifo") + "': not a regular file");
  EXPECT_EQ(MappedFile::open(path("fifo")).status().code(), ErrorCode::InvalidInput);
}

} // namespace
