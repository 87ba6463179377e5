//===- AtomicFile.cpp - files that are there whole, or not at all ----------===//
//
// While it is written the file has no name (O_TMPFILE), so that a killed process leaves nothing. A
// new file gets its name by linkat; one that replaces another needs a temporary name between linkat
// and rename. Where the file system has no nameless files, the temporary name is there from the
// start. Whoever makes a temporary name holds a lock on the file; one without a lock is a dead
// process's, and the next writer of the same file removes it. (Process ids would not do: writers in
// two containers may share a folder.)
//
// The order fsync, rename, fsync of the folder is what survives a power cut on ext4 and xfs:
// https://lwn.net/Articles/457667/ (Jeff Moyer, "Ensuring data reaches disk"). linkat of a
// descriptor: open(2), O_TMPFILE.
//
//===----------------------------------------------------------------------===//
#include "mtc/Support/File.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mtc {

static Status systemError(const std::string &path, int error) {
  return invalidInput(fmt::format("cannot write '{}': {}", path, std::strerror(error)));
}

static std::string folderOf(const std::string &path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

static std::string temporaryName(const std::string &path, int attempt) {
  return fmt::format("{}.tmp-{}-{}", path, ::getpid(), attempt);
}

/// Whether `name` is what temporaryName gives for a file called `base`, in whatever process.
static bool isTemporaryOf(std::string_view name, std::string_view base) {
  constexpr std::string_view infix = ".tmp-";
  if (!name.starts_with(base) || !name.substr(base.size()).starts_with(infix))
    return false;
  const std::string_view numbers = name.substr(base.size() + infix.size());
  const size_t dash = numbers.find('-');
  const auto isNumber = [](std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  return dash != std::string_view::npos && isNumber(numbers.substr(0, dash)) &&
         isNumber(numbers.substr(dash + 1));
}

/// Removes what writers of `path` left when they were killed: temporary names that nobody locks.
static void sweep(const std::string &path) {
  DIR *folder = ::opendir(folderOf(path).c_str());
  if (!folder)
    return;
  const std::string base = path.substr(path.rfind('/') + 1);
  while (const dirent *entry = ::readdir(folder)) {
    if (!isTemporaryOf(entry->d_name, base))
      continue;
    const int file =
        ::openat(::dirfd(folder), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0)
      continue;
    struct stat info;
    if (::fstat(file, &info) == 0 && S_ISREG(info.st_mode) && ::flock(file, LOCK_EX | LOCK_NB) == 0)
      ::unlinkat(::dirfd(folder), entry->d_name, 0);
    ::close(file);
  }
  ::closedir(folder);
}

/// How a process without privileges names a nameless file.
static std::string linkOf(int descriptor) { return fmt::format("/proc/self/fd/{}", descriptor); }

/// A nameless file in the folder of `path`, locked, or -1 where there are none.
static int openNameless(const std::string &path) {
  const int descriptor = ::open(folderOf(path).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (descriptor < 0)
    return -1;
  // Without /proc it could not be named at the end.
  if (::access(linkOf(descriptor).c_str(), F_OK) == 0 && ::flock(descriptor, LOCK_EX) == 0)
    return descriptor;
  ::close(descriptor);
  return -1;
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::swap(AtomicFile &other) noexcept {
  std::swap(path_, other.path_);
  std::swap(temporary_, other.temporary_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(position_, other.position_);
  std::swap(durable_, other.durable_);
}

void AtomicFile::discard() {
  // The name goes first: without the lock somebody else might remove it, or have made it anew.
  if (!temporary_.empty())
    ::unlink(temporary_.c_str());
  temporary_.clear();
  if (descriptor_ >= 0)
    ::close(descriptor_);
  descriptor_ = -1;
}

/// The Status of errno; the temporary file is gone at once, not only when the object goes.
Status AtomicFile::failed() {
  const int error = errno;
  discard();
  return systemError(path_, error);
}

/// Opens a temporary file that has a name; false with errno if it cannot be.
bool AtomicFile::openNamed() {
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const std::string name = temporaryName(path_, attempt);
    const int descriptor = ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0 && errno == EEXIST)
      continue;
    if (descriptor < 0)
      return false;
    descriptor_ = descriptor;
    temporary_ = name;
    // Somebody who swept between open and flock took it away: try the next name.
    struct stat info;
    if (::flock(descriptor, LOCK_EX) != 0 || ::fstat(descriptor, &info) != 0 || info.st_nlink)
      return true; // without locks (some network file systems) there is no sweep either
    temporary_.clear();
    discard();
  }
  errno = EEXIST;
  return false;
}

StatusOr<AtomicFile> AtomicFile::create(const std::string &path, AtomicFileOptions options) {
  AtomicFile file;
  file.path_ = path;
  file.durable_ = options.durable;
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) {
    if (!S_ISREG(info.st_mode))
      return invalidInput(
          fmt::format("cannot write '{}': {}", path,
                      S_ISDIR(info.st_mode) ? "is a folder" : "not a regular file"));
    char *real = ::realpath(path.c_str(), nullptr);
    if (!real)
      return systemError(path, errno);
    file.path_ = real;
    std::free(real);
  }
  sweep(file.path_);
  if (options.nameless)
    file.descriptor_ = openNameless(file.path_);
  if (file.descriptor_ < 0 && !file.openNamed())
    return systemError(path, errno);
  return file;
}

Status AtomicFile::write(std::span<const uint8_t> bytes) {
  if (descriptor_ < 0)
    return internalError(fmt::format("write to '{}' after commit or an error", path_));
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t put = ::write(descriptor_, bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      return failed();
    done += static_cast<size_t>(put);
  }
  position_ += bytes.size();
  return okStatus();
}

Status AtomicFile::write(std::string_view text) {
  return write(std::span(reinterpret_cast<const uint8_t *>(text.data()), text.size()));
}

Status AtomicFile::writeAt(uint64_t offset, std::span<const uint8_t> bytes) {
  if (descriptor_ < 0)
    return internalError(fmt::format("write to '{}' after commit or an error", path_));
  if (offset > position_ || bytes.size() > position_ - offset)
    return internalError(fmt::format("write of {} bytes at {} of '{}', which has {} so far",
                                     bytes.size(), offset, path_, position_));
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t put = ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done,
                           static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      return failed();
    done += static_cast<size_t>(put);
  }
  return okStatus();
}

/// Gives the finished file its final name, over an old file if there is one.
bool AtomicFile::place() {
  if (temporary_.empty()) {
    const std::string link = linkOf(descriptor_);
    if (::linkat(AT_FDCWD, link.c_str(), AT_FDCWD, path_.c_str(), AT_SYMLINK_FOLLOW) == 0)
      return true;
    for (int attempt = 0; errno == EEXIST && attempt < 1000; ++attempt) {
      std::string name = temporaryName(path_, attempt);
      if (::linkat(AT_FDCWD, link.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
        temporary_ = std::move(name);
        break;
      }
    }
    if (temporary_.empty())
      return false;
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    return false;
  temporary_.clear();
  return true;
}

Status AtomicFile::commit() {
  if (descriptor_ < 0)
    return internalError(fmt::format("commit of '{}' after commit or an error", path_));
  if (durable_ && ::fsync(descriptor_) != 0)
    return failed();
  if (!place())
    return failed();
  if (::close(std::exchange(descriptor_, -1)) != 0)
    return systemError(path_, errno);
  if (!durable_)
    return okStatus();
  int folder = ::open(folderOf(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0)
    return systemError(path_, errno);
  int rc = ::fsync(folder);
  int error = errno;
  ::close(folder);
  // Some file systems (FUSE, overlays) cannot sync a folder; the file itself is already safe.
  if (rc != 0 && error != EINVAL && error != ENOTSUP)
    return systemError(path_, error);
  return okStatus();
}

Status writeFile(const std::string &path, std::string_view text, AtomicFileOptions options) {
  MTC_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, options));
  MTC_RETURN_IF_ERROR(file.write(text));
  return file.commit();
}

} // namespace mtc
