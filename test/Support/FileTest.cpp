//===- FileTest.cpp - files in, files out, and what goes wrong ------------===//
#include "mtc/Support/File.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mtc;
namespace fs = std::filesystem;

namespace {

/// Each case has an empty folder of its own.
class File : public ::testing::Test {
protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "mtc-file-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string path(const std::string &name) const { return folder + "/" + name; }
  size_t fileCount() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder), {}));
  }
  std::string content(const std::string &name) const {
    StatusOr<std::string> text = readTextFile(path(name));
    return text.ok() ? *text : text.status().message();
  }

  std::string folder;
};

std::span<const uint8_t> bytesOf(std::string_view text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

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

// The old content stands until commit(), and afterwards if there is none.
TEST_F(File, AtomicReplacement) {
  ASSERT_TRUE(writeFile(path("a"), "old").ok());
  {
    StatusOr<AtomicFile> file = AtomicFile::create(path("a"));
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->write("new").ok());
    EXPECT_EQ(content("a"), "old");
    EXPECT_EQ(fileCount(), 2u);
  }
  EXPECT_EQ(content("a"), "old");
  EXPECT_EQ(fileCount(), 1u);

  StatusOr<AtomicFile> file = AtomicFile::create(path("a"));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->write("new").ok());
  ASSERT_TRUE(file->commit().ok());
  EXPECT_EQ(content("a"), "new");
  EXPECT_EQ(fileCount(), 1u);
  EXPECT_EQ(file->write("more").message(), "write to '" + path("a") + "' after commit or an error");
  EXPECT_EQ(file->writeAt(0, bytesOf("x")).message(),
            "write to '" + path("a") + "' after commit or an error");
  EXPECT_EQ(file->commit().message(), "commit of '" + path("a") + "' after commit or an error");
}

// A header may be written last, inside what is there already.
TEST_F(File, WriteAt) {
  StatusOr<AtomicFile> file = AtomicFile::create(path("a"));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->write("....body").ok());
  ASSERT_TRUE(file->writeAt(0, bytesOf("head")).ok());
  ASSERT_TRUE(file->write("!").ok());
  EXPECT_EQ(file->position(), 9u);
  EXPECT_EQ(file->writeAt(7, bytesOf("abc")).message(),
            "write of 3 bytes at 7 of '" + path("a") + "', which has 9 so far");
  ASSERT_TRUE(file->commit().ok());
  EXPECT_EQ(content("a"), "headbody!");
}

// A symbolic link stays one; its target is replaced.
TEST_F(File, FollowsLinks) {
  ASSERT_TRUE(writeFile(path("target"), "old").ok());
  fs::create_symlink("target", path("link"));
  ASSERT_TRUE(writeFile(path("link"), "new").ok());
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(content("target"), "new");
}

// New files have the permissions that the umask leaves, not those of a private temporary file.
TEST_F(File, Permissions) {
  mode_t old = ::umask(022);
  ASSERT_TRUE(writeFile(path("a"), "x").ok());
  ::umask(old);
  EXPECT_EQ(fs::status(path("a")).permissions(), fs::perms(0644));
}

// A device such as /dev/null is never replaced by a file, nor is a folder.
TEST_F(File, CreateErrors) {
  EXPECT_EQ(AtomicFile::create("/dev/null").status().message(),
            "cannot write '/dev/null': not a regular file");
  EXPECT_EQ(AtomicFile::create(folder).status().message(),
            "cannot write '" + folder + "': is a folder");
  EXPECT_EQ(AtomicFile::create(path("no/a")).status().message(),
            "cannot write '" + path("no/a") + "': No such file or directory");
}

// No space: the limit on file sizes fails a write in the same way as a full disk. The old file
// stands.
TEST_F(File, FullDisk) {
  ASSERT_TRUE(writeFile(path("a"), "old").ok());
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto handler = ::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  Status status = writeFile(path("a"), std::string(10000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(status.message(), "cannot write '" + path("a") + "': File too large");
  EXPECT_EQ(status.code(), ErrorCode::InvalidInput);
  EXPECT_EQ(content("a"), "old");
  EXPECT_EQ(fileCount(), 1u);
}

// kill -9 while writing: the old file stands, and the next writer is not stopped by what was left.
TEST_F(File, KilledWriter) {
  ASSERT_TRUE(writeFile(path("a"), "old").ok());
  pid_t child = ::fork();
  if (child == 0) {
    StatusOr<AtomicFile> file = AtomicFile::create(path("a"));
    if (file.ok() && file->write("half").ok())
      ::raise(SIGKILL);
    ::_exit(1);
  }
  int state = 0;
  ASSERT_EQ(::waitpid(child, &state, 0), child);
  ASSERT_TRUE(WIFSIGNALED(state));
  EXPECT_EQ(content("a"), "old");
  ASSERT_TRUE(writeFile(path("a"), "new").ok());
  EXPECT_EQ(content("a"), "new");
}

} // namespace
