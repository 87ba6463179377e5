//===- AtomicFileTest.cpp - what kill -9 and a full disk leave ------------===//
#include "FileFixture.h"

#include <csignal>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mtc;

namespace {

constexpr AtomicFileOptions named = {.nameless = false};

// The old content stands until commit(), and afterwards if there is none. Only a named temporary
// file shows meanwhile.
TEST_F(File, AtomicReplacement) {
  ASSERT_TRUE(writeFile(path("a"), "old").ok());
  for (AtomicFileOptions options : {AtomicFileOptions{}, named}) {
    StatusOr<AtomicFile> file = AtomicFile::create(path("a"), options);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->write("new").ok());
    EXPECT_EQ(content("a"), "old");
    EXPECT_EQ(fileCount(), options.nameless ? 1u : 2u);
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

/// Runs `body` in a process of its own; what waitpid said, or -1.
template <typename Body> int inChild(Body body) {
  const pid_t child = ::fork();
  if (child == 0)
    ::_exit(body());
  int state = 0;
  return child > 0 && ::waitpid(child, &state, 0) == child ? state : -1;
}

// A real full disk: the write fails with the system's words, the old file stands, nothing is left.
TEST_F(File, FullFileSystem) {
  const int state = inChild([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", "", MS_REC | MS_PRIVATE, "") != 0 ||
        ::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=64k") != 0)
      return 77;
    for (AtomicFileOptions options : {AtomicFileOptions{}, named}) {
      if (!writeFile(path("a"), "old", options).ok())
        return 1;
      const Status status = writeFile(path("a"), std::string(100000, 'x'), options);
      if (status.message() != "cannot write '" + path("a") + "': No space left on device")
        return 2;
      if (content("a") != "old" || fileCount() != 1)
        return 3;
    }
    return 0;
  });
  ASSERT_TRUE(WIFEXITED(state));
  if (WEXITSTATUS(state) == 77)
    GTEST_SKIP() << "may not mount a tmpfs";
  EXPECT_EQ(WEXITSTATUS(state), 0);
}

// kill -9 while writing: without a name nothing is left; what a named one left goes with the next
// write of the same file, and of no other.
TEST_F(File, KilledWriter) {
  for (AtomicFileOptions options : {AtomicFileOptions{}, named}) {
    ASSERT_TRUE(writeFile(path("a"), "old").ok());
    const int state = inChild([&] {
      StatusOr<AtomicFile> file = AtomicFile::create(path("a"), options);
      if (file.ok() && file->write("half").ok())
        ::raise(SIGKILL);
      return 1;
    });
    ASSERT_TRUE(WIFSIGNALED(state));
    EXPECT_EQ(content("a"), "old");
    EXPECT_EQ(fileCount(), options.nameless ? 1u : 2u);
    ASSERT_TRUE(writeFile(path("b"), "other").ok());
    EXPECT_EQ(fileCount(), options.nameless ? 2u : 3u);
    ASSERT_TRUE(writeFile(path("a"), "new").ok());
    EXPECT_EQ(content("a"), "new");
    EXPECT_EQ(fileCount(), 2u);
    fs::remove(path("b"));
  }
}

// What looks like a temporary file but is being written, is a folder, or has another form stays.
TEST_F(File, SweepsOnlyTheDead) {
  StatusOr<AtomicFile> alive = AtomicFile::create(path("a"), named);
  ASSERT_TRUE(alive.ok());
  ASSERT_TRUE(alive->write("alive").ok());
  for (const char *name : {"a.tmp-", "a.tmp-1", "a.tmp-1-", "a.tmp-1-x", "a.tmp-x-1", "b.tmp-1-1"})
    ASSERT_TRUE(writeFile(path(name), "").ok());
  fs::create_directory(path("a.tmp-2-2"));
  fs::create_symlink("nowhere", path("a.tmp-3-3"));
  const size_t before = fileCount();
  ASSERT_TRUE(writeFile(path("a.tmp-4-4"), "dead").ok());
  ASSERT_TRUE(writeFile(path("a"), "other").ok());
  EXPECT_EQ(fileCount(), before + 1);
  EXPECT_FALSE(fs::exists(path("a.tmp-4-4")));
  ASSERT_TRUE(alive->commit().ok());
  EXPECT_EQ(content("a"), "alive");
}

// kill -9 at any moment of a writer that never stops: the file is always whole, and one more write
// leaves it alone in its folder.
TEST_F(File, KilledAtRandomMoments) {
  constexpr size_t bytes = 20000;
  unsigned seed = 7;
  size_t strays = 0;
  for (int round = 0; round < 150 || (strays == 0 && round < 3000); ++round) {
    const AtomicFileOptions options = {.durable = round % 10 == 0, .nameless = round % 3 != 0};
    const pid_t child = ::fork();
    if (child == 0)
      for (int version = 0;; ++version)
        if (!writeFile(path("a"), std::string(bytes, char('a' + version % 26)), options).ok())
          ::_exit(1);
    ::usleep(::rand_r(&seed) % 4000);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int state = 0;
    ASSERT_EQ(::waitpid(child, &state, 0), child);
    ASSERT_TRUE(WIFSIGNALED(state)) << "the writer failed";
    if (fs::exists(path("a"))) {
      const std::string text = content("a");
      ASSERT_EQ(text.size(), bytes);
      ASSERT_EQ(text.find_first_not_of(text[0]), std::string::npos);
      strays += fileCount() - 1;
    }
    if (round % 5 == 0) {
      ASSERT_TRUE(writeFile(path("a"), std::string(bytes, 'z')).ok());
      ASSERT_EQ(fileCount(), 1u);
    }
    if (round % 7 == 0)
      fs::remove(path("a"));
  }
  EXPECT_GT(strays, 0u) << "no kill hit a named temporary file: the test proves little";
}

// Several writers of one file at a time, all sweeping: each writes whole files, no name stays.
TEST_F(File, ConcurrentWriters) {
  std::vector<pid_t> children;
  for (int w = 0; w < 4; ++w) {
    children.push_back(::fork());
    if (children.back() == 0) {
      bool ok = true;
      for (int i = 0; i < 100; ++i)
        ok = ok && writeFile(path("a"), std::string(5000, char('a' + w)),
                             {.durable = false, .nameless = w % 2 == 0})
                       .ok();
      ::_exit(ok ? 0 : 1);
    }
  }
  for (pid_t child : children) {
    int state = 0;
    ASSERT_EQ(::waitpid(child, &state, 0), child);
    EXPECT_EQ(state, 0);
  }
  const std::string text = content("a");
  EXPECT_EQ(text.size(), 5000u);
  EXPECT_EQ(text.find_first_not_of(text[0]), std::string::npos);
  EXPECT_EQ(fileCount(), 1u);
}

} // namespace
