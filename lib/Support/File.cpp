//===- File.cpp - POSIX files with errors as Status -----------------------===//
#include "mtc/Support/File.h"

#include <fmt/format.h>

#include <cerrno>
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

} // namespace mtc
