//===- File.cpp - POSIX files with errors as Status -----------------------===//
//
// The order fsync, rename, fsync of the folder is what survives a power cut on ext4 and xfs:
// https://lwn.net/Articles/457667/ (Jeff Moyer, "Ensuring data reaches disk").
//
//===----------------------------------------------------------------------===//
#include "mtc/Support/File.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mtc {

static Status systemError(const char *action, const std::string &path, int error) {
  return invalidInput(fmt::format("cannot {} '{}': {}", action, path, std::strerror(error)));
}

namespace {
/// A descriptor of a regular file and its size.
struct OpenFile {
  int descriptor = -1;
  size_t size = 0;
};
} // namespace

/// Opens without blocking: a FIFO without a writer would otherwise hang here.
static StatusOr<OpenFile> openRegular(const std::string &path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return systemError("open", path, errno);
  struct stat info;
  if (::fstat(descriptor, &info) != 0) {
    int error = errno;
    ::close(descriptor);
    return systemError("open", path, error);
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(descriptor);
    return invalidInput(fmt::format("cannot read '{}': {}", path,
                                    S_ISDIR(info.st_mode) ? "is a folder" : "not a regular file"));
  }
  return OpenFile{descriptor, static_cast<size_t>(info.st_size)};
}

/// Fills `data` from the descriptor and closes it. The file may be shorter by now than it was.
static Status readInto(const OpenFile &file, const std::string &path, void *data) {
  size_t done = 0;
  while (done < file.size) {
    ssize_t got = ::read(file.descriptor, static_cast<char *>(data) + done, file.size - done);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0) {
      int error = errno;
      ::close(file.descriptor);
      if (got < 0)
        return systemError("read", path, error);
      return invalidInput(fmt::format("cannot read '{}': it got shorter while it was read", path));
    }
    done += static_cast<size_t>(got);
  }
  ::close(file.descriptor);
  return okStatus();
}

StatusOr<std::vector<uint8_t>> readFile(const std::string &path) {
  MTC_ASSIGN_OR_RETURN(OpenFile file, openRegular(path));
  std::vector<uint8_t> bytes(file.size);
  MTC_RETURN_IF_ERROR(readInto(file, path, bytes.data()));
  return bytes;
}

StatusOr<std::string> readTextFile(const std::string &path) {
  MTC_ASSIGN_OR_RETURN(OpenFile file, openRegular(path));
  std::string text(file.size, '\0');
  MTC_RETURN_IF_ERROR(readInto(file, path, text.data()));
  return text;
}

//===- MappedFile ---------------------------------------------------------===//

MappedFile::~MappedFile() {
  if (data_)
    ::munmap(const_cast<uint8_t *>(data_), size_);
}

void MappedFile::swap(MappedFile &other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
}

StatusOr<MappedFile> MappedFile::open(const std::string &path) {
  MTC_ASSIGN_OR_RETURN(OpenFile file, openRegular(path));
  MappedFile mapped;
  if (file.size == 0) {
    ::close(file.descriptor);
    return mapped;
  }
  void *data = ::mmap(nullptr, file.size, PROT_READ, MAP_PRIVATE, file.descriptor, 0);
  int error = errno;
  ::close(file.descriptor);
  if (data == MAP_FAILED)
    return systemError("map", path, error);
  mapped.data_ = static_cast<const uint8_t *>(data);
  mapped.size_ = file.size;
  return mapped;
}

//===- AtomicFile ---------------------------------------------------------===//

static std::string folderOf(const std::string &path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::swap(AtomicFile &other) noexcept {
  std::swap(path_, other.path_);
  std::swap(temporary_, other.temporary_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(position_, other.position_);
}

void AtomicFile::discard() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
  descriptor_ = -1;
  if (!temporary_.empty())
    ::unlink(temporary_.c_str());
  temporary_.clear();
}

/// The Status of errno; the temporary file is gone at once, not only when the object goes.
Status AtomicFile::failed(const char *action) {
  int error = errno;
  discard();
  return systemError(action, path_, error);
}

StatusOr<AtomicFile> AtomicFile::create(const std::string &path) {
  AtomicFile file;
  file.path_ = path;
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) {
    if (!S_ISREG(info.st_mode))
      return invalidInput(
          fmt::format("cannot write '{}': {}", path,
                      S_ISDIR(info.st_mode) ? "is a folder" : "not a regular file"));
    char *real = ::realpath(path.c_str(), nullptr);
    if (!real)
      return systemError("write", path, errno);
    file.path_ = real;
    std::free(real);
  }
  // The process id keeps two writers apart; O_EXCL skips what an earlier kill -9 left.
  for (int attempt = 0; attempt < 1000; ++attempt) {
    std::string name = fmt::format("{}.tmp-{}-{}", file.path_, ::getpid(), attempt);
    file.descriptor_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file.descriptor_ >= 0) {
      file.temporary_ = std::move(name);
      return file;
    }
    if (errno != EEXIST)
      break;
  }
  return systemError("write", path, errno);
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
      return failed("write");
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
      return failed("write");
    done += static_cast<size_t>(put);
  }
  return okStatus();
}

Status AtomicFile::commit() {
  if (descriptor_ < 0)
    return internalError(fmt::format("commit of '{}' after commit or an error", path_));
  if (::fsync(descriptor_) != 0)
    return failed("write");
  int descriptor = std::exchange(descriptor_, -1);
  if (::close(descriptor) != 0)
    return failed("write");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    return failed("write");
  temporary_.clear();
  int folder = ::open(folderOf(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0)
    return systemError("write", path_, errno);
  int rc = ::fsync(folder);
  int error = errno;
  ::close(folder);
  // Some file systems (FUSE, overlays) cannot sync a folder; the file itself is already safe.
  if (rc != 0 && error != EINVAL && error != ENOTSUP)
    return systemError("write", path_, error);
  return okStatus();
}

Status writeFile(const std::string &path, std::string_view text) {
  MTC_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  MTC_RETURN_IF_ERROR(file.write(text));
  return file.commit();
}

} // namespace mtc
