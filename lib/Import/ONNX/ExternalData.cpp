//===- ExternalData.cpp - tensors in files beside the model ---------------===//
//
// A model may name any path as the place of a tensor's bytes. Only plain files below the model's
// own folder are read: openat2 refuses "..", absolute paths and symbolic links in one step, without
// a race; a second name (hard link) could be somebody else's file; a FIFO would hang.
//
//===----------------------------------------------------------------------===//
#include "Steps.h"

#include "llvm/ADT/Twine.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

using llvm::Twine;

namespace mtc::onnx_import {
namespace {

struct Descriptor {
  int fd = -1;
  explicit Descriptor(int fd) : fd(fd) {}
  Descriptor(const Descriptor &) = delete;
  ~Descriptor() {
    if (fd >= 0)
      close(fd);
  }
};

std::string folderOf(const std::string &path) {
  size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

int openBeneath(const std::string &modelPath, const std::string &location) {
  Descriptor folder(open(folderOf(modelPath).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd < 0)
    return -1;
  open_how how{};
  how.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  return static_cast<int>(syscall(SYS_openat2, folder.fd, location.c_str(), &how, sizeof(how)));
}

Status refused(const std::string &location, const Twine &why) {
  return invalidInput(("external data '" + Twine(location) + "' " + why).str());
}

std::string openProblem(int error) {
  switch (error) {
  case EXDEV:
    return "leaves the model's folder";
  case ELOOP:
    return "is a symbolic link or behind one";
  default:
    return std::string("cannot be opened: ") + std::strerror(error);
  }
}

} // namespace

StatusOr<Payload> checkExternalData(const std::string &modelPath, const std::string &location,
                                    uint64_t offset, std::optional<uint64_t> length) {
  if (location.empty() || location.find('\0') != std::string::npos)
    return refused(location, "is no file name");
  Descriptor file(openBeneath(modelPath, location));
  if (file.fd < 0)
    return refused(location, openProblem(errno));
  struct stat info;
  if (fstat(file.fd, &info) != 0)
    return refused(location, openProblem(errno));
  if (!S_ISREG(info.st_mode))
    return refused(location, "is not a regular file");
  if (info.st_nlink != 1)
    return refused(location, "has a second name (hard link)");
  uint64_t size = info.st_size;
  if (offset > size || length.value_or(0) > size - offset)
    return refused(location, "has " + Twine(size) + " bytes, the range is " +
                                 Twine(length.value_or(0)) + " bytes at " + Twine(offset));
  Payload payload;
  std::string folder = folderOf(modelPath);
  payload.file = modelPath.find('/') == std::string::npos ? location : folder + "/" + location;
  payload.offset = offset;
  payload.length = length.value_or(size - offset);
  payload.external = true;
  payload.location = location;
  return payload;
}

StatusOr<std::span<const uint8_t>> payloadBytes(const ModelFile &file, const Payload &payload,
                                                std::vector<uint8_t> &buffer) {
  if (!payload.external)
    return std::span<const uint8_t>(file.bytes).subspan(payload.offset, payload.length);
  MTC_RETURN_IF_ERROR(
      checkExternalData(file.path, payload.location, payload.offset, payload.length).status());
  Descriptor source(openBeneath(file.path, payload.location));
  buffer.resize(payload.length);
  for (size_t done = 0; done < buffer.size();) {
    ssize_t got = pread(source.fd, buffer.data() + done, buffer.size() - done,
                        static_cast<off_t>(payload.offset + done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return refused(payload.location, "cannot be read");
    done += got;
  }
  return std::span<const uint8_t>(buffer);
}

} // namespace mtc::onnx_import
