//===- Writer.cpp - bytes of a bundle in file order -----------------------===//
//
// Header (left blank), weights, code, texts, manifest; then the header again, now that offsets and
// hashes are known. Weights stream through: one is in memory at a time, and what repeats an
// earlier one byte by byte (by hash) is not written again.
//
//===----------------------------------------------------------------------===//
#include "mtc/Bundle/Writer.h"
#include "mtc/Bundle/GpuCode.h"

#include "Format.h"
#include "Manifest.h"
#include "mtc/Support/File.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <span>

using namespace mtc;
using namespace mtc::bundle;

namespace {
/// Hashes a stream in chunks of kChunkBytes.
class ChunkHasher {
public:
  void update(std::span<const uint8_t> bytes) {
    while (!bytes.empty()) {
      size_t part = std::min<size_t>(bytes.size(), kChunkBytes - filled_);
      hasher_.update(bytes.first(part));
      bytes = bytes.subspan(part);
      filled_ += part;
      if (filled_ == kChunkBytes)
        close();
    }
  }
  std::vector<Hash> finish() {
    if (filled_)
      close();
    return std::move(hashes_);
  }

private:
  void close() {
    hashes_.push_back(hasher_.finish());
    hasher_ = Hasher();
    filled_ = 0;
  }
  Hasher hasher_;
  size_t filled_ = 0;
  std::vector<Hash> hashes_;
};
} // namespace

template <typename T> static std::span<const uint8_t> bytesOf(const T *data, size_t count) {
  return {reinterpret_cast<const uint8_t *>(data), count * sizeof(T)};
}

static Status pad(AtomicFile &file, uint64_t alignment) {
  const std::vector<uint8_t> zeros(alignUp(file.position(), alignment) - file.position());
  return file.write(zeros);
}

/// Appends one page-aligned section and its row of the section table.
static Status writeSection(AtomicFile &file, SectionKind kind, std::span<const uint8_t> bytes,
                           std::vector<Section> &sections) {
  MTC_RETURN_IF_ERROR(pad(file, kPageBytes));
  sections.push_back(
      {static_cast<uint32_t>(kind), 0, file.position(), bytes.size(), 0, hashBytes(bytes)});
  return file.write(bytes);
}

/// Appends the weights section; fills the layout's weights and chunk hashes.
static Status writeWeights(AtomicFile &file, const std::vector<BundleWeight> &weights,
                           Layout &layout, std::vector<Section> &sections) {
  MTC_RETURN_IF_ERROR(pad(file, kPageBytes));
  const uint64_t start = file.position();
  std::map<std::pair<uint64_t, Hash>, uint64_t> offsets;
  ChunkHasher chunks;
  for (const BundleWeight &weight : weights) {
    std::vector<uint8_t> bytes;
    MTC_RETURN_IF_ERROR(weight.produce(bytes).withContext(fmt::format("weight '{}'", weight.name)));
    if (static_cast<int64_t>(bytes.size()) != weight.bytes)
      return internalError(fmt::format("weight '{}' has {} bytes, {} were announced", weight.name,
                                       bytes.size(), weight.bytes));
    const uint64_t offset = alignUp(file.position() - start, kWeightAlignment);
    auto [stored, isNew] = offsets.try_emplace({bytes.size(), hashBytes(bytes)}, offset);
    layout.weights.push_back({stored->second, bytes.size()});
    if (!isNew)
      continue;
    const std::vector<uint8_t> zeros(start + offset - file.position());
    chunks.update(zeros);
    chunks.update(bytes);
    MTC_RETURN_IF_ERROR(file.write(zeros));
    MTC_RETURN_IF_ERROR(file.write(bytes));
  }
  layout.chunkHashes = chunks.finish();
  layout.weightsSection = static_cast<uint32_t>(sections.size());
  sections.push_back({static_cast<uint32_t>(SectionKind::Weights), 0, start,
                      file.position() - start, 0,
                      hashBytes(bytesOf(layout.chunkHashes.data(), layout.chunkHashes.size()))});
  return okStatus();
}

static bool hasMergedPlaces(const Contents &contents) {
  for (const TargetProgram &target : contents.targets)
    for (const Schedule &schedule : target.schedules)
      for (const Place &place : schedule.places)
        if (place.merged)
          return true;
  return false;
}

static uint32_t formatOf(const Contents &contents) {
  for (const TargetProgram &target : contents.targets)
    if (target.target.starts_with("cuda:") && hasTensorMaps(target.code))
      return kTensorMapFormatNumber;
  return hasMergedPlaces(contents) ? kMergedFormatNumber : kFormatNumber;
}

Status mtc::writeBundle(const std::string &path, const Contents &contents) {
  const std::string &command = contents.compileCommand;
  if (command.size() > kMaxCommandBytes)
    return invalidInput(fmt::format("the compile command has {} bytes, a bundle stores at most {}",
                                    command.size(), kMaxCommandBytes));
  const uint64_t tableOffset = alignUp(sizeof(Header) + command.size(), kTableAlignment);
  const size_t sectionCount = 2 + contents.targets.size() + contents.texts.size();
  const uint64_t headerBytes = alignUp(tableOffset + sectionCount * sizeof(Section), kPageBytes);

  MTC_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  MTC_RETURN_IF_ERROR(file.write(std::vector<uint8_t>(headerBytes)));

  std::vector<Section> sections;
  Layout layout;
  MTC_RETURN_IF_ERROR(writeWeights(file, contents.weights, layout, sections));
  for (const TargetProgram &target : contents.targets) {
    layout.codeSections.push_back(static_cast<uint32_t>(sections.size()));
    MTC_RETURN_IF_ERROR(writeSection(file, SectionKind::Code, target.code, sections));
  }
  for (const BundleText &text : contents.texts) {
    layout.textSections.push_back(static_cast<uint32_t>(sections.size()));
    MTC_RETURN_IF_ERROR(writeSection(file, SectionKind::Text,
                                     bytesOf(text.text.data(), text.text.size()), sections));
  }
  MTC_RETURN_IF_ERROR(
      writeSection(file, SectionKind::Manifest, encodeManifest(contents, layout), sections));

  std::vector<uint8_t> head(headerBytes);
  Header header = {kMagic,
                   formatOf(contents),
                   static_cast<uint32_t>(command.size()),
                   file.position(),
                   static_cast<uint32_t>(sections.size()),
                   static_cast<uint32_t>(headerBytes),
                   {}};
  std::memcpy(head.data(), &header, sizeof(header));
  std::memcpy(head.data() + sizeof(header), command.data(), command.size());
  std::memcpy(head.data() + tableOffset, sections.data(), sections.size() * sizeof(Section));
  header.hash = hashBytes(head);
  std::memcpy(head.data(), &header, sizeof(header));
  MTC_RETURN_IF_ERROR(file.writeAt(0, head));
  return file.commit();
}
