//===- Reader.cpp - verifies a bundle while it is used --------------------===//
//
// Nothing of the file is trusted before its hash is checked, and nothing of the manifest before
// the FlatBuffers verifier, check() and verify() have accepted it: a file with correct hashes and
// senseless content must be refused like a damaged one, never crash.
//
//===----------------------------------------------------------------------===//
#include "mtc/Bundle/Reader.h"

#include "Format.h"
#include "Manifest.h"
#include "mtc/Support/ElementType.h"
#include "mtc/Support/File.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>

using namespace mtc;
using namespace mtc::bundle;

struct BundleReader::State {
  std::string path;
  MappedFile file;
  Header header;
  std::vector<Section> sections;
  const fb::Manifest *manifest = nullptr;
  std::string compilerVersion, compileCommand;
  std::vector<BundleTarget> targets;
  std::span<const uint8_t> weights;
  std::span<const Hash> chunkHashes;
  std::unique_ptr<std::atomic<bool>[]> chunkChecked; ///< by chunk of weights

  std::span<const uint8_t> bytes(const Section &section) const {
    return file.bytes().subspan(section.offset, section.bytes);
  }
  Status refused(std::string_view what) const {
    return bundleRefused(fmt::format("'{}': {}", path, what));
  }

  Status readHeader();
  Status readSections();
  StatusOr<const Section *> section(uint32_t index, SectionKind kind) const;
  Status checkHash(const Section &section, std::string_view what) const;
  Status readManifest();
  Status readWeights();
  Status readTarget(const fb::TargetProgram *from);
  Status checkChunk(size_t index) const;
};

static std::string_view kindName(uint32_t kind) {
  switch (static_cast<SectionKind>(kind)) {
  case SectionKind::Manifest:
    return "manifest";
  case SectionKind::Weights:
    return "weights";
  case SectionKind::Code:
    return "code";
  case SectionKind::Text:
    return "text";
  }
  return "unknown";
}

//===- Header and sections ------------------------------------------------===//

Status BundleReader::State::readHeader() {
  const auto all = file.bytes();
  if (all.size() < sizeof(Header))
    return refused(fmt::format("not a bundle: {} bytes are less than a header", all.size()));
  std::memcpy(&header, all.data(), sizeof(header));
  if (header.magic != kMagic)
    return refused("not a bundle: the first bytes are not a bundle's");
  if (header.format < kFormatNumber || header.format > kTensorMapFormatNumber) {
    const size_t length =
        std::min<size_t>({header.commandBytes, kMaxCommandBytes, all.size() - sizeof(header)});
    const std::string command(reinterpret_cast<const char *>(all.data()) + sizeof(header), length);
    return refused(fmt::format(
        "bundle has format {}, this program reads formats {} to {}; compile it again: {}",
        header.format, kFormatNumber, kTensorMapFormatNumber, command));
  }
  if (header.fileBytes != all.size())
    return refused(fmt::format("cut short or extended: {} bytes, {} were written", all.size(),
                               header.fileBytes));
  if (header.headerBytes > all.size() || header.headerBytes < sizeof(header) ||
      header.headerBytes % kPageBytes != 0)
    return refused("the header is damaged");

  Header blank = header;
  blank.hash = {};
  const Hash hash = Hasher()
                        .update({reinterpret_cast<const uint8_t *>(&blank), sizeof(blank)})
                        .update(all.subspan(sizeof(blank), header.headerBytes - sizeof(blank)))
                        .finish();
  if (hash != header.hash)
    return refused("the header is damaged");
  return okStatus();
}

Status BundleReader::State::readSections() {
  if (header.commandBytes > kMaxCommandBytes || header.sections > kMaxSections)
    return refused("the header's counts are out of range");
  const uint64_t table = alignUp(sizeof(Header) + header.commandBytes, kTableAlignment);
  if (table + header.sections * sizeof(Section) > header.headerBytes)
    return refused("the section table does not fit its header");
  sections.resize(header.sections);
  std::memcpy(sections.data(), file.bytes().data() + table, header.sections * sizeof(Section));
  uint64_t end = header.headerBytes;
  for (const Section &s : sections) {
    if (s.offset % kPageBytes != 0 || s.offset < end || s.offset > header.fileBytes ||
        s.bytes > header.fileBytes - s.offset)
      return refused("a section lies outside the file or in another section");
    end = s.offset + s.bytes;
  }
  if (end != header.fileBytes)
    return refused("the sections do not fill the file");
  return okStatus();
}

StatusOr<const Section *> BundleReader::State::section(uint32_t index, SectionKind kind) const {
  if (index >= sections.size() || sections[index].kind != static_cast<uint32_t>(kind))
    return refused(fmt::format("the manifest names section {} as {}, which it is not", index,
                               kindName(static_cast<uint32_t>(kind))));
  return &sections[index];
}

Status BundleReader::State::checkHash(const Section &section, std::string_view what) const {
  if (hashBytes(bytes(section)) != section.hash)
    return refused(fmt::format("the {} is damaged", what));
  return okStatus();
}

//===- Manifest -----------------------------------------------------------===//

Status BundleReader::State::readManifest() {
  const auto found = std::find_if(sections.begin(), sections.end(), [](const Section &s) {
    return s.kind == static_cast<uint32_t>(SectionKind::Manifest);
  });
  if (found == sections.end())
    return refused("no manifest");
  MTC_RETURN_IF_ERROR(checkHash(*found, "manifest"));
  const auto range = bytes(*found);
  flatbuffers::Verifier verifier(range.data(), range.size(), /*max_depth=*/16,
                                 /*max_tables=*/flatbuffers::uoffset_t(100'000'000));
  if (!verifier.VerifyBuffer<fb::Manifest>(nullptr))
    return refused("the manifest is malformed");
  manifest = flatbuffers::GetRoot<fb::Manifest>(range.data());
  if (manifest->compiler_version())
    compilerVersion = manifest->compiler_version()->str();
  if (manifest->compile_command())
    compileCommand = manifest->compile_command()->str();
  MTC_RETURN_IF_ERROR(readWeights());
  if (manifest->targets())
    for (const fb::TargetProgram *target : *manifest->targets())
      MTC_RETURN_IF_ERROR(readTarget(target));
  if (manifest->texts())
    for (const fb::Text *text : *manifest->texts())
      MTC_RETURN_IF_ERROR(section(text->section(), SectionKind::Text).status());
  return okStatus();
}

Status BundleReader::State::readWeights() {
  MTC_ASSIGN_OR_RETURN(const Section *s,
                       section(manifest->weights_section(), SectionKind::Weights));
  weights = bytes(*s);
  if (manifest->chunk_bytes() != kChunkBytes)
    return refused(fmt::format("weights are hashed in chunks of {} bytes, expected {}",
                               manifest->chunk_bytes(), kChunkBytes));
  const size_t chunks = alignUp(weights.size(), kChunkBytes) / kChunkBytes;
  const auto *hashes = manifest->chunk_hashes();
  if ((hashes ? hashes->size() : 0) != chunks * sizeof(Hash))
    return refused(fmt::format("weights of {} bytes need {} hashes", weights.size(), chunks));
  if (hashes)
    chunkHashes = {reinterpret_cast<const Hash *>(hashes->data()), chunks};
  if (hashBytes({reinterpret_cast<const uint8_t *>(chunkHashes.data()), chunks * sizeof(Hash)}) !=
      s->hash)
    return refused("the weights' hashes are not those of the section table");
  chunkChecked = std::make_unique<std::atomic<bool>[]>(chunks);
  if (manifest->weights())
    for (const fb::Weight *weight : *manifest->weights())
      if (weight->offset() % kWeightAlignment != 0 || weight->offset() > weights.size() ||
          weight->bytes() > weights.size() - weight->offset())
        return refused("a weight lies outside its section");
  return okStatus();
}

/// Whether a tensor's bytes are those of its type and shape.
static Status checkTensor(const Tensor &tensor) {
  MTC_ASSIGN_OR_RETURN(const ElementType type, parseElementType(tensor.elementType));
  int64_t bytes = elementTypeBytes(type);
  bool overflow = false;
  for (int64_t dim : tensor.shape)
    overflow |= dim < 0 || __builtin_mul_overflow(bytes, dim, &bytes);
  if (overflow || bytes != tensor.bytes)
    return bundleRefused(
        fmt::format("tensor '{}' has not the {} bytes that it says", tensor.name, tensor.bytes));
  return okStatus();
}

/// Whether what tasks and plans say about weights, inputs and outputs holds in this bundle:
/// check() and verify() know nothing of weights' sizes.
static Status checkOperands(const Problem &problem, const fb::Manifest &manifest) {
  const auto *weights = manifest.weights();
  std::vector<const Entry *> graphs;
  for (const Entry &entry : problem.entries)
    graphs.push_back(&entry);
  for (const Body &body : problem.bodies)
    graphs.push_back(&body.graph);
  for (const Entry *graph : graphs) {
    const Entry &entry = *graph;
    for (const auto *tensors : {&entry.inputs, &entry.outputs})
      for (const Tensor &tensor : *tensors)
        MTC_RETURN_IF_ERROR(checkTensor(tensor));
    for (const Value &value : entry.values) {
      if (value.kind != ValueKind::Weight)
        continue;
      if (!weights || value.index < 0 || uint32_t(value.index) >= weights->size())
        return bundleRefused(fmt::format("entry '{}' uses weight {}, which the bundle lacks",
                                         entry.name, value.index));
      if (uint64_t(value.bytes) > weights->Get(value.index)->bytes())
        return bundleRefused(fmt::format("entry '{}' expects {} bytes of weight {}, which has {}",
                                         entry.name, value.bytes, value.index,
                                         weights->Get(value.index)->bytes()));
    }
  }
  return okStatus();
}

Status BundleReader::State::readTarget(const fb::TargetProgram *from) {
  BundleTarget target;
  if (from->target())
    target.target = from->target()->str();
  if (from->features())
    for (const flatbuffers::String *feature : *from->features())
      target.features.push_back(feature->str());
  const auto named = [&](const Status &status) {
    return bundleRefused(
        fmt::format("'{}': target '{}': {}", path, target.target, status.message()));
  };
  if (Status status = decodeProblem(from->problem(), target.problem); !status.ok())
    return named(status);
  if (Status status = check(target.problem); !status.ok())
    return named(status);
  if (Status status = checkOperands(target.problem, *manifest); !status.ok())
    return named(status);
  target.symbols = decodeSymbols(from->problem());
  const uint32_t schedules = from->schedules() ? from->schedules()->size() : 0;
  if (schedules != (from->plans() ? from->plans()->size() : 0))
    return refused(fmt::format("target '{}' has not one plan per schedule", target.target));
  for (uint32_t i = 0; i < schedules; ++i) {
    const fb::Schedule *schedule = from->schedules()->Get(i);
    BundleSchedule summary;
    Workload &workload = summary.workload;
    if (schedule->policy())
      summary.policy = schedule->policy()->str();
    summary.makespanNs = schedule->makespan_ns();
    if (schedule->name())
      workload.name = schedule->name()->str();
    if (schedule->instances())
      workload.instances.assign(schedule->instances()->begin(), schedule->instances()->end());
    workload.granules = schedule->granules();
    for (int32_t entry : workload.instances)
      if (entry < 0 || size_t(entry) >= target.problem.entries.size())
        return refused(
            fmt::format("schedule '{}' names entry {}, which there is not", workload.name, entry));
    target.schedules.push_back(std::move(summary));
  }
  MTC_ASSIGN_OR_RETURN(const Section *code, section(from->code_section(), SectionKind::Code));
  MTC_RETURN_IF_ERROR(checkHash(*code, fmt::format("code of target '{}'", target.target)));
  target.code = bytes(*code);
  targets.push_back(std::move(target));
  return okStatus();
}

Status BundleReader::State::checkChunk(size_t index) const {
  if (chunkChecked[index].load(std::memory_order_acquire))
    return okStatus();
  const size_t start = index * kChunkBytes;
  const auto chunk = weights.subspan(start, std::min<size_t>(kChunkBytes, weights.size() - start));
  if (hashBytes(chunk) != chunkHashes[index])
    return refused(fmt::format("the weights are damaged in bytes {} to {} of the file",
                               weights.data() + start - file.bytes().data(),
                               weights.data() + start + chunk.size() - file.bytes().data() - 1));
  chunkChecked[index].store(true, std::memory_order_release);
  return okStatus();
}

//===- Public -------------------------------------------------------------===//

BundleReader::BundleReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
BundleReader::~BundleReader() = default;

StatusOr<std::shared_ptr<const BundleReader>> BundleReader::open(const std::string &path) {
  auto state = std::make_unique<State>();
  state->path = path;
  MTC_ASSIGN_OR_RETURN(state->file, MappedFile::open(path));
  MTC_RETURN_IF_ERROR(state->readHeader());
  MTC_RETURN_IF_ERROR(state->readSections());
  MTC_RETURN_IF_ERROR(state->readManifest());
  return std::shared_ptr<const BundleReader>(new BundleReader(std::move(state)));
}

const std::string &BundleReader::path() const { return state_->path; }
const std::string &BundleReader::compilerVersion() const { return state_->compilerVersion; }
const std::string &BundleReader::compileCommand() const { return state_->compileCommand; }
uint64_t BundleReader::fileBytes() const { return state_->header.fileBytes; }
const std::vector<BundleTarget> &BundleReader::targets() const { return state_->targets; }

StatusOr<ScheduledPlan> BundleReader::plan(size_t target, size_t index) const {
  const fb::TargetProgram *from = state_->manifest->targets()->Get(target);
  const Problem &problem = state_->targets[target].problem;
  const auto named = [&](const Status &status) {
    return state_->refused(fmt::format("schedule '{}': {}",
                                       state_->targets[target].schedules[index].workload.name,
                                       status.message()));
  };
  ScheduledPlan result;
  result.schedule = decodeSchedule(from->schedules()->Get(index));
  if (Status status = verify(problem, result.schedule); !status.ok())
    return named(status);
  if (Status status = decodePlan(from->plans()->Get(index), result.plan); !status.ok())
    return named(status);
  if (Status status = verify(problem, result.schedule, result.plan); !status.ok())
    return named(status);
  return result;
}

/// Why rows do not hold together; empty: they do.
static std::string wrongRow(const OnlineTables &tables, const BundleTarget &target) {
  const Problem &problem = target.problem;
  const auto inside = [](int32_t index, size_t count) {
    return index >= 0 && static_cast<size_t>(index) < count;
  };
  for (const SoloRow &row : tables.solos) {
    if (!inside(row.schedule, target.schedules.size()) ||
        !inside(row.entry, problem.entries.size()))
      return fmt::format("a solo row names schedule {} and entry {}", row.schedule, row.entry);
    if (row.granules < 1 || row.granules > problem.device.granules)
      return fmt::format("a solo row is of {} granules", row.granules);
    int32_t commands = 0;
    for (const SegmentRow &segment : row.segments) {
      if (segment.commands <= commands || segment.ns < 0 || segment.liveBytes < 0)
        return fmt::format("a segment ends after command {}, the one before after {}",
                           segment.commands, commands);
      commands = segment.commands;
    }
  }
  for (const LayoutRow &row : tables.layouts)
    for (GranuleMask mask : row.masks)
      if (mask == 0 || (mask & ~allGranules(problem.device.granules)) != 0)
        return fmt::format("layout '{}' has mask {:#x}", row.name, mask);
  if (const auto &verdict = tables.verdict) {
    for (const PartitionRow &partition : verdict->partitions) {
      if ((partition.granules & ~allGranules(problem.device.granules)) != 0)
        return fmt::format("a partition of the verdict has mask {:#x}", partition.granules);
      for (int32_t tenant : partition.tenants)
        if (!inside(tenant, problem.tenants.size()))
          return fmt::format("a partition of the verdict serves tenant {}", tenant);
    }
    for (const VerdictRow &row : verdict->tenants)
      if (!inside(row.tenant, problem.tenants.size()) || row.arrivals > ArrivalKind::Bursty)
        return fmt::format("the verdict names tenant {}", row.tenant);
  }
  for (const MixRow &row : tables.mixes) {
    if (!inside(row.schedule, target.schedules.size()) ||
        row.entries.size() != row.latencyNs.size())
      return fmt::format("a mix names schedule {}", row.schedule);
    for (int32_t entry : row.entries)
      if (!inside(entry, problem.entries.size()))
        return fmt::format("a mix names entry {}", entry);
  }
  return "";
}

StatusOr<OnlineTables> BundleReader::online(size_t target) const {
  OnlineTables tables = decodeOnline(state_->manifest->targets()->Get(target)->online());
  if (std::string wrong = wrongRow(tables, state_->targets[target]); !wrong.empty())
    return state_->refused(wrong);
  return tables;
}

size_t BundleReader::weightCount() const {
  return state_->manifest->weights() ? state_->manifest->weights()->size() : 0;
}

BundleReader::WeightInfo BundleReader::weightInfo(size_t index) const {
  const fb::Weight *weight = state_->manifest->weights()->Get(index);
  return {weight->name() ? weight->name()->string_view() : "", weight->offset(), weight->bytes()};
}

StatusOr<std::span<const uint8_t>> BundleReader::weight(size_t index) const {
  const WeightInfo info = weightInfo(index);
  if (info.bytes > 0)
    for (size_t chunk = info.offset / kChunkBytes;
         chunk <= (info.offset + info.bytes - 1) / kChunkBytes; ++chunk)
      MTC_RETURN_IF_ERROR(state_->checkChunk(chunk));
  return state_->weights.subspan(info.offset, info.bytes);
}

size_t BundleReader::textCount() const {
  return state_->manifest->texts() ? state_->manifest->texts()->size() : 0;
}

std::string_view BundleReader::textName(size_t index) const {
  const auto *name = state_->manifest->texts()->Get(index)->name();
  return name ? name->string_view() : "";
}

StatusOr<std::string_view> BundleReader::text(size_t index) const {
  const Section &section = state_->sections[state_->manifest->texts()->Get(index)->section()];
  MTC_RETURN_IF_ERROR(state_->checkHash(section, fmt::format("text '{}'", textName(index))));
  const auto bytes = state_->bytes(section);
  return std::string_view(reinterpret_cast<const char *>(bytes.data()), bytes.size());
}

std::vector<BundleReader::SectionInfo> BundleReader::sections() const {
  std::vector<SectionInfo> infos;
  for (const Section &section : state_->sections)
    infos.push_back({kindName(section.kind), section.offset, section.bytes});
  return infos;
}

Status BundleReader::verifyAll() const {
  uint64_t end = state_->header.headerBytes;
  for (const Section &section : state_->sections) {
    const auto gap = state_->file.bytes().subspan(end, section.offset - end);
    if (std::any_of(gap.begin(), gap.end(), [](uint8_t byte) { return byte != 0; }))
      return state_->refused(fmt::format("the padding before byte {} is damaged", section.offset));
    if (section.kind != static_cast<uint32_t>(SectionKind::Weights))
      MTC_RETURN_IF_ERROR(state_->checkHash(section, kindName(section.kind)));
    end = section.offset + section.bytes;
  }
  for (size_t chunk = 0; chunk < state_->chunkHashes.size(); ++chunk)
    MTC_RETURN_IF_ERROR(state_->checkChunk(chunk));
  for (size_t target = 0; target < state_->targets.size(); ++target) {
    for (size_t index = 0; index < state_->targets[target].schedules.size(); ++index)
      MTC_RETURN_IF_ERROR(plan(target, index).status());
    MTC_RETURN_IF_ERROR(online(target).status());
  }
  return okStatus();
}
