//===- Encode.cpp - Contents as a FlatBuffers manifest --------------------===//
//
// Through the generated object API: the tables mirror our structs field by field, and the order
// in which Pack() lays them out depends on nothing but their content.
//
//===----------------------------------------------------------------------===//
#include "Format.h"
#include "Manifest.h"

#include <memory>

namespace mtc::bundle {

/// One table per element of `from`, filled by `fill(element, table)`.
template <typename Table, typename Element, typename Fill>
static std::vector<std::unique_ptr<Table>> tables(const std::vector<Element> &from, Fill fill) {
  std::vector<std::unique_ptr<Table>> to;
  to.reserve(from.size());
  for (const Element &element : from) {
    to.push_back(std::make_unique<Table>());
    fill(element, *to.back());
  }
  return to;
}

static void encode(const Tensor &from, fb::TensorT &to) {
  to.name = from.name;
  to.element_type = from.elementType;
  to.shape = from.shape;
  to.bytes = from.bytes;
  to.value = from.value.value_or(std::vector<uint8_t>());
  to.has_value = from.value.has_value();
  to.extent_dim = from.extentDim;
  to.extent_output = from.extentOutput;
  to.pad = from.pad.value_or(std::vector<uint8_t>());
  for (const FollowedDim &followed : from.follows)
    to.follows.insert(to.follows.end(), {followed.dim, followed.input, followed.inputDim});
}

static void encode(const Value &from, fb::ValueT &to) {
  to.kind = static_cast<uint8_t>(from.kind);
  to.bytes = from.bytes;
  to.index = from.index;
}

static void encode(const Task &from, fb::TaskT &to) {
  to.id = from.id;
  to.name = from.name;
  to.kernel = from.kernel;
  to.values = from.values;
}

static void encode(const Entry &from, fb::EntryT &to) {
  const auto any = [](const auto &element, auto &table) { encode(element, table); };
  to.tenant = from.tenant;
  to.name = from.name;
  to.inputs = tables<fb::TensorT>(from.inputs, any);
  to.outputs = tables<fb::TensorT>(from.outputs, any);
  to.values = tables<fb::ValueT>(from.values, any);
  to.tasks = tables<fb::TaskT>(from.tasks, any);
}

static void encode(const Tenant &from, fb::TenantT &to) {
  to.name = from.name;
  to.slo_p99_ns = from.sloP99Ns;
  to.rate_per_second = from.ratePerSecond;
  to.priority = from.priority;
  to.isolation = from.isolation;
  to.arrivals = static_cast<uint8_t>(from.arrivals);
}

static void encode(const ShareTime &from, fb::ShareTimeT &to) {
  to.granules = from.granules;
  to.ns = from.ns;
  to.origin = static_cast<uint8_t>(from.origin);
}

static void encode(const Kernel &from, const std::vector<std::string> *symbols, fb::KernelT &to) {
  to.name = from.name;
  to.kind = static_cast<uint8_t>(from.kind);
  for (Access access : from.operands)
    to.operands.push_back(static_cast<uint8_t>(access));
  to.flops = from.flops;
  to.byte_flops = from.byteFlops;
  to.bytes = from.bytes;
  to.extents = {from.extents.batch, from.extents.rows, from.extents.columns, from.extents.depth};
  if (from.region) {
    to.region = std::make_unique<fb::RegionT>();
    to.region->kind = static_cast<uint8_t>(from.region->kind);
    to.region->bodies = from.region->bodies;
    to.region->carried = from.region->carried;
    to.region->scanned = from.region->scanned;
    to.region->length = from.region->length;
    to.region->max_trips = from.region->maxTrips;
  }
  size_t position = 0;
  to.variants =
      tables<fb::VariantT>(from.variants, [&](const Variant &variant, fb::VariantT &table) {
        table.config = variant.config;
        table.phase_tiles = variant.phaseTiles;
        table.scratch_bytes_per_worker = variant.scratchBytesPerWorker;
        table.times = tables<fb::ShareTimeT>(
            variant.times, [](const ShareTime &time, fb::ShareTimeT &t) { encode(time, t); });
        if (symbols && position < symbols->size())
          table.symbol = (*symbols)[position];
        ++position;
      });
}

static void encode(const Problem &from, const std::vector<std::vector<std::string>> &symbols,
                   fb::ProblemT &to) {
  to.device = std::make_unique<fb::DeviceT>();
  to.device->target = from.device.target;
  to.device->granules = from.device.granules;
  to.device->units_per_granule = from.device.unitsPerGranule;
  to.device->flops_per_ns = from.device.flopsPerNs;
  to.device->bytes_per_ns = from.device.bytesPerNs;
  to.device->launch_ns = from.device.launchNs;
  to.device->barrier_ns = from.device.barrierNs;
  size_t position = 0;
  to.kernels = tables<fb::KernelT>(from.kernels, [&](const Kernel &kernel, fb::KernelT &table) {
    encode(kernel, position < symbols.size() ? &symbols[position] : nullptr, table);
    ++position;
  });
  const auto any = [](const auto &element, auto &table) { encode(element, table); };
  to.tenants = tables<fb::TenantT>(from.tenants, any);
  to.entries = tables<fb::EntryT>(from.entries, any);
  to.bodies = tables<fb::BodyT>(from.bodies, [](const Body &body, fb::BodyT &table) {
    table.graph = std::make_unique<fb::EntryT>();
    encode(body.graph, *table.graph);
    table.offsets = body.offsets;
    table.workspace_bytes = body.workspaceBytes;
  });
}

static void encode(const Schedule &from, fb::ScheduleT &to) {
  to.name = from.workload.name;
  to.instances = from.workload.instances;
  to.granules = from.workload.granules;
  to.policy = from.policy;
  to.makespan_ns = from.makespanNs;
  to.places = tables<fb::PlaceT>(from.places, [](const Place &place, fb::PlaceT &table) {
    table.instance = place.instance;
    table.task = place.task;
    table.variant = place.variant;
    table.lane = place.lane;
    table.granules = place.granules;
    table.start_ns = place.startNs;
    table.duration_ns = place.durationNs;
    table.shared = place.shared;
    table.merged = place.merged;
  });
  for (auto [before, after] : from.edges) {
    to.edges.push_back(before);
    to.edges.push_back(after);
  }
}

static void encode(const Plan &from, fb::PlanT &to) {
  to.name = from.name;
  to.arenas = tables<fb::ArenaT>(from.arenas, [](const Arena &arena, fb::ArenaT &table) {
    table.isolation = arena.isolation;
    table.bytes = arena.bytes;
  });
  to.commands =
      tables<fb::CommandT>(from.commands, [](const Command &command, fb::CommandT &table) {
        table.place = command.place;
        table.instance = command.instance;
        table.task = command.task;
        table.kernel = command.kernel;
        table.variant = command.variant;
        table.lane = command.lane;
        table.granules = command.granules;
        table.merged = command.merged;
        table.waits = command.waits;
        table.buffers =
            tables<fb::BufferRefT>(command.buffers, [](const BufferRef &buffer, fb::BufferRefT &t) {
              t.space = static_cast<uint8_t>(buffer.space);
              t.index = buffer.index;
              t.offset = buffer.offset;
              t.bytes = buffer.bytes;
            });
      });
}

static void encode(const VerdictTable &from, fb::VerdictTableT &to) {
  to.fits = from.fits;
  to.requests = from.requests;
  to.seed = from.seed;
  to.measured = from.measured;
  to.learned = from.learned;
  to.modelled = from.modelled;
  to.partitions = tables<fb::PartitionRowT>(
      from.partitions, [](const PartitionRow &partition, fb::PartitionRowT &table) {
        table.granules = partition.granules;
        table.tenants = partition.tenants;
      });
  to.tenants =
      tables<fb::VerdictRowT>(from.tenants, [](const VerdictRow &row, fb::VerdictRowT &table) {
        table.tenant = row.tenant;
        table.rate_per_second = row.ratePerSecond;
        table.arrivals = static_cast<uint8_t>(row.arrivals);
        table.slo_ns = row.sloNs;
        table.alone_ns = row.aloneNs;
        table.p50_ns = row.p50Ns;
        table.p99_ns = row.p99Ns;
        table.p99_low_ns = row.p99LowNs;
        table.p99_high_ns = row.p99HighNs;
        table.missed = row.missed;
        table.utilisation = row.utilisation;
        table.fits = row.fits;
      });
}

static void encode(const OnlineTables &from, fb::OnlineTablesT &to) {
  to.solos = tables<fb::SoloRowT>(from.solos, [](const SoloRow &row, fb::SoloRowT &table) {
    table.schedule = row.schedule;
    table.entry = row.entry;
    table.granules = row.granules;
    table.mean_ns = row.meanNs;
    table.p50_ns = row.p50Ns;
    table.p99_ns = row.p99Ns;
    table.samples = row.samples;
    table.source = row.source;
    table.device = row.device;
    table.arena_bytes = row.arenaBytes;
    table.weight_bytes = row.weightBytes;
    table.moved_bytes = row.movedBytes;
    table.maximal_instances = row.maximalInstances;
    table.pressure = {row.pressure.units, row.pressure.bandwidth, row.pressure.footprint};
    table.sensitivity = {row.bandwidthSensitivity};
    table.segments = tables<fb::SegmentRowT>(
        row.segments, [](const SegmentRow &segment, fb::SegmentRowT &segmentTable) {
          segmentTable.commands = segment.commands;
          segmentTable.ns = segment.ns;
          segmentTable.live_bytes = segment.liveBytes;
        });
  });
  to.layouts =
      tables<fb::LayoutRowT>(from.layouts, [](const LayoutRow &row, fb::LayoutRowT &table) {
        table.name = row.name;
        table.masks = row.masks;
        table.units = row.units;
        table.memory_bytes = row.memoryBytes;
        table.reconfigure_ns = row.reconfigureNs;
        table.part_units = row.partUnits;
        table.part_memory_bytes = row.partMemoryBytes;
      });
  to.mixes = tables<fb::MixRowT>(from.mixes, [](const MixRow &row, fb::MixRowT &table) {
    table.schedule = row.schedule;
    table.entries = row.entries;
    table.latency_ns = row.latencyNs;
    table.makespan_ns = row.makespanNs;
  });
  if (from.verdict) {
    to.verdict = std::make_unique<fb::VerdictTableT>();
    encode(*from.verdict, *to.verdict);
  }
}

/// Whether rows can be derived: a reader refuses anything else.
static bool isSound(const TargetProgram &target) {
  bool sound = check(target.problem).ok() && target.schedules.size() == target.plans.size();
  for (size_t i = 0; sound && i < target.schedules.size(); ++i)
    sound = verify(target.problem, target.schedules[i], target.plans[i]).ok();
  return sound;
}

std::vector<uint8_t> encodeManifest(const Contents &contents, const Layout &layout) {
  const auto any = [](const auto &element, auto &table) { encode(element, table); };
  fb::ManifestT manifest;
  manifest.compiler_version = contents.compilerVersion;
  manifest.compile_command = contents.compileCommand;
  size_t position = 0;
  manifest.targets = tables<fb::TargetProgramT>(
      contents.targets, [&](const TargetProgram &target, fb::TargetProgramT &table) {
        table.target = target.target;
        table.features = target.features;
        table.problem = std::make_unique<fb::ProblemT>();
        encode(target.problem, target.symbols, *table.problem);
        table.schedules = tables<fb::ScheduleT>(target.schedules, any);
        table.plans = tables<fb::PlanT>(target.plans, any);
        table.code_section = layout.codeSections[position++];
        table.online = std::make_unique<fb::OnlineTablesT>();
        if (isSound(target)) {
          OnlineTables rows = makeOnlineTables(target.problem, target.schedules, target.plans);
          rows.verdict = target.verdict;
          encode(rows, *table.online);
        }
      });
  position = 0;
  manifest.weights =
      tables<fb::WeightT>(contents.weights, [&](const BundleWeight &weight, fb::WeightT &table) {
        table.name = weight.name;
        table.offset = layout.weights[position].offset;
        table.bytes = layout.weights[position].bytes;
        ++position;
      });
  position = 0;
  manifest.texts = tables<fb::TextT>(contents.texts, [&](const BundleText &text, fb::TextT &table) {
    table.name = text.name;
    table.section = layout.textSections[position++];
  });
  manifest.weights_section = layout.weightsSection;
  manifest.chunk_bytes = kChunkBytes;
  for (const Hash &hash : layout.chunkHashes)
    manifest.chunk_hashes.insert(manifest.chunk_hashes.end(), hash.bytes.begin(), hash.bytes.end());

  flatbuffers::FlatBufferBuilder builder(1 << 20);
  builder.Finish(fb::Manifest::Pack(builder, &manifest));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

} // namespace mtc::bundle
