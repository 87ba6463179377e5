//===- File.h - whole files in, whole files out ---------------------------===//
//
// Reading maps or copies a regular file; anything else (a folder, a FIFO, a device) is an error
// instead of a hang. Writing goes to a file without a name that replaces the old one at the end, so
// a full disk or kill -9 leaves neither half a file under the final name nor a stray one beside it.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mtc {

/// The bytes of a regular file.
///
/// Fails if it cannot be opened or read, or is not a regular file (InvalidInput).
StatusOr<std::vector<uint8_t>> readFile(const std::string &path);

/// As readFile, as a string.
StatusOr<std::string> readTextFile(const std::string &path);

/// A regular file mapped read-only into memory; an empty file has an empty range.
///
/// Ownership: the mapping lives as long as the object; moving keeps the addresses. A file that
/// somebody truncates while it is mapped raises SIGBUS on access: bundles are replaced by rename,
/// never in place.
class MappedFile {
public:
  MappedFile() = default;
  MappedFile(MappedFile &&other) noexcept { swap(other); }
  MappedFile &operator=(MappedFile &&other) noexcept {
    swap(other);
    return *this;
  }
  ~MappedFile();

  /// Fails if the file cannot be opened or mapped, or is not a regular file (InvalidInput).
  static StatusOr<MappedFile> open(const std::string &path);

  std::span<const uint8_t> bytes() const { return {data_, size_}; }

private:
  void swap(MappedFile &other) noexcept;

  const uint8_t *data_ = nullptr;
  size_t size_ = 0;
};

struct AtomicFileOptions {
  /// commit() survives a power cut; false for what is checked when it is read, such as a cache.
  bool durable = true;
  /// The file gets its name at the end, where the file system can do that. False, or elsewhere, it
  /// is called NAME.tmp-PID-N till then, and kill -9 leaves that to the next writer of NAME.
  bool nameless = true;
};

/// A file being written: bytes go to a temporary file in the same folder; commit() makes it the
/// file.
///
/// Ownership: owns the descriptor and the temporary file. Without a successful commit() the
/// destructor removes the temporary file and the old file, if any, is untouched. Starting to write
/// a file removes the temporary files of its writers that were killed.
///
/// Fails if the file system does; every error is InvalidInput with the path and the system's words.
class AtomicFile {
public:
  AtomicFile() = default;
  AtomicFile(AtomicFile &&other) noexcept { swap(other); }
  AtomicFile &operator=(AtomicFile &&other) noexcept {
    swap(other);
    return *this;
  }
  ~AtomicFile();

  /// Starts writing what will be `path`. A symbolic link is followed, so that it stays one.
  ///
  /// Fails if the folder is missing or not writable, or `path` is something that is not a regular
  /// file.
  ///
  /// Complexity: reads the names in the folder once.
  static StatusOr<AtomicFile> create(const std::string &path, AtomicFileOptions options = {});

  /// Appends bytes.
  Status write(std::span<const uint8_t> bytes);
  Status write(std::string_view text);

  /// Overwrites bytes that were already written, e.g. a header whose content is known last.
  ///
  /// Fails if [offset, offset + size) is not inside [0, position()) (Internal).
  Status writeAt(uint64_t offset, std::span<const uint8_t> bytes);

  /// Bytes appended so far.
  uint64_t position() const { return position_; }

  /// fsync, final name, fsync of the folder. Nothing may be written afterwards.
  Status commit();

private:
  void swap(AtomicFile &other) noexcept;
  Status failed();
  void discard();
  bool openNamed();
  bool place();

  std::string path_, temporary_; ///< temporary_ is empty while the file has no name
  int descriptor_ = -1;
  uint64_t position_ = 0;
  bool durable_ = true;
};

/// Writes a whole file through AtomicFile.
Status writeFile(const std::string &path, std::string_view text, AtomicFileOptions options = {});

} // namespace mtc
