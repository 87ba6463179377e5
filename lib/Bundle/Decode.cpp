//===- Decode.cpp - a FlatBuffers manifest as our structs -----------------===//
#include "Manifest.h"

#include <fmt/format.h>

namespace mtc::bundle {

static std::string text(const flatbuffers::String *from) { return from ? from->str() : ""; }

template <typename T, typename From>
static std::vector<T> numbers(const flatbuffers::Vector<From> *from) {
  return from ? std::vector<T>(from->begin(), from->end()) : std::vector<T>();
}

/// One struct per table of `from`, by `decode(table)`.
template <typename T, typename Table, typename Decode>
static std::vector<T> structs(const flatbuffers::Vector<flatbuffers::Offset<Table>> *from,
                              Decode decode) {
  std::vector<T> to;
  if (!from)
    return to;
  to.reserve(from->size());
  for (const Table *table : *from)
    to.push_back(decode(table));
  return to;
}

/// An enumerator of at most `last`; anything above sets `bad`.
template <typename Enum> static Enum enumerator(uint8_t from, Enum last, bool &bad) {
  if (from > static_cast<uint8_t>(last)) {
    bad = true;
    return Enum(0);
  }
  return static_cast<Enum>(from);
}

static Tensor decode(const fb::Tensor *from) {
  Tensor to = {text(from->name()), text(from->element_type()), numbers<int64_t>(from->shape()),
               from->bytes()};
  if (from->has_value())
    to.value = numbers<uint8_t>(from->value());
  to.extentDim = from->extent_dim();
  to.extentOutput = from->extent_output();
  if (from->pad() && from->pad()->size() > 0)
    to.pad = numbers<uint8_t>(from->pad());
  const std::vector<int32_t> follows = numbers<int32_t>(from->follows());
  for (size_t i = 0; i + 3 <= follows.size(); i += 3)
    to.follows.push_back({follows[i], follows[i + 1], follows[i + 2]});
  return to;
}

static Kernel decodeKernel(const fb::Kernel *from, bool &bad) {
  Kernel to;
  to.name = text(from->name());
  to.kind = enumerator(from->kind(), KernelKind::Opaque, bad);
  if (from->operands())
    for (uint8_t access : *from->operands())
      to.operands.push_back(enumerator(access, Access::ReadWrite, bad));
  to.flops = from->flops();
  to.byteFlops = from->byte_flops();
  to.bytes = from->bytes();
  if (auto extents = from->extents(); extents && extents->size() == 4)
    to.extents = {extents->Get(0), extents->Get(1), extents->Get(2), extents->Get(3)};
  if (const fb::Region *region = from->region())
    to.region = Region{enumerator(region->kind(), RegionKind::Loop, bad),
                       numbers<int32_t>(region->bodies()),
                       region->carried(),
                       region->scanned(),
                       region->length(),
                       region->max_trips()};
  to.variants = structs<Variant>(from->variants(), [&](const fb::Variant *variant) {
    Variant v;
    v.config = text(variant->config());
    v.phaseTiles = numbers<int64_t>(variant->phase_tiles());
    v.scratchBytesPerWorker = variant->scratch_bytes_per_worker();
    v.times = structs<ShareTime>(variant->times(), [&](const fb::ShareTime *time) {
      return ShareTime{time->granules(), time->ns(),
                       enumerator(time->origin(), TimeOrigin::Measured, bad)};
    });
    return v;
  });
  return to;
}

static Entry decodeEntry(const fb::Entry *from, bool &bad) {
  Entry to;
  to.tenant = from->tenant();
  to.name = text(from->name());
  to.inputs = structs<Tensor>(from->inputs(), [](const fb::Tensor *t) { return decode(t); });
  to.outputs = structs<Tensor>(from->outputs(), [](const fb::Tensor *t) { return decode(t); });
  to.values = structs<Value>(from->values(), [&](const fb::Value *value) {
    return Value{enumerator(value->kind(), ValueKind::Intermediate, bad), value->bytes(),
                 value->index()};
  });
  to.tasks = structs<Task>(from->tasks(), [](const fb::Task *task) {
    return Task{task->id(), text(task->name()), task->kernel(), numbers<int32_t>(task->values())};
  });
  return to;
}

Status decodeProblem(const fb::Problem *from, Problem &to) {
  if (!from || !from->device())
    return bundleRefused("the manifest has no problem or device");
  const fb::Device *device = from->device();
  to.device = {text(device->target()), device->granules(),     device->units_per_granule(),
               device->flops_per_ns(), device->bytes_per_ns(), device->launch_ns(),
               device->barrier_ns()};
  bool bad = false;
  to.kernels = structs<Kernel>(from->kernels(),
                               [&](const fb::Kernel *kernel) { return decodeKernel(kernel, bad); });
  to.tenants = structs<Tenant>(from->tenants(), [&](const fb::Tenant *tenant) {
    bad |= tenant->arrivals() > static_cast<uint8_t>(ArrivalKind::Bursty);
    return Tenant{text(tenant->name()),      tenant->slo_p99_ns(),
                  tenant->rate_per_second(), tenant->priority(),
                  text(tenant->isolation()), static_cast<ArrivalKind>(tenant->arrivals())};
  });
  to.entries = structs<Entry>(from->entries(),
                              [&](const fb::Entry *entry) { return decodeEntry(entry, bad); });
  to.bodies = structs<Body>(from->bodies(), [&](const fb::Body *body) {
    bad |= !body->graph();
    return Body{body->graph() ? decodeEntry(body->graph(), bad) : Entry(),
                numbers<int64_t>(body->offsets()), body->workspace_bytes()};
  });
  return bad ? bundleRefused("the manifest's problem has an unknown enumerator") : okStatus();
}

std::vector<std::vector<std::string>> decodeSymbols(const fb::Problem *from) {
  return structs<std::vector<std::string>>(from->kernels(), [](const fb::Kernel *kernel) {
    return structs<std::string>(kernel->variants(),
                                [](const fb::Variant *variant) { return text(variant->symbol()); });
  });
}

Schedule decodeSchedule(const fb::Schedule *from) {
  Schedule to;
  to.workload = {text(from->name()), numbers<int32_t>(from->instances()), from->granules()};
  to.policy = text(from->policy());
  to.makespanNs = from->makespan_ns();
  to.places = structs<Place>(from->places(), [](const fb::Place *place) {
    return Place{place->instance(),    place->task(),     place->variant(),
                 place->lane(),        place->granules(), place->start_ns(),
                 place->duration_ns(), place->shared(),   place->merged()};
  });
  if (const auto *edges = from->edges())
    for (uint32_t i = 0; i + 1 < edges->size(); i += 2)
      to.edges.emplace_back(edges->Get(i), edges->Get(i + 1));
  return to;
}

Status decodePlan(const fb::Plan *from, Plan &to) {
  bool bad = false;
  to.name = text(from->name());
  to.arenas = structs<Arena>(from->arenas(), [](const fb::Arena *arena) {
    return Arena{text(arena->isolation()), arena->bytes()};
  });
  to.commands = structs<Command>(from->commands(), [&](const fb::Command *command) {
    Command c;
    c.place = command->place();
    c.instance = command->instance();
    c.task = command->task();
    c.kernel = command->kernel();
    c.variant = command->variant();
    c.lane = command->lane();
    c.granules = command->granules();
    c.merged = command->merged();
    c.waits = numbers<int32_t>(command->waits());
    c.buffers = structs<BufferRef>(command->buffers(), [&](const fb::BufferRef *buffer) {
      return BufferRef{enumerator(buffer->space(), Space::Weight, bad), buffer->index(),
                       buffer->offset(), buffer->bytes()};
    });
    return c;
  });
  return bad ? bundleRefused("the manifest's plan has an unknown enumerator") : okStatus();
}

static VerdictTable decodeVerdict(const fb::VerdictTable &from) {
  VerdictTable to;
  to.fits = from.fits();
  to.requests = from.requests();
  to.seed = from.seed();
  to.measured = from.measured();
  to.learned = from.learned();
  to.modelled = from.modelled();
  to.partitions = structs<PartitionRow>(from.partitions(), [](const fb::PartitionRow *row) {
    return PartitionRow{row->granules(), numbers<int32_t>(row->tenants())};
  });
  to.tenants = structs<VerdictRow>(from.tenants(), [](const fb::VerdictRow *row) {
    return VerdictRow{
        row->tenant(), row->rate_per_second(), static_cast<ArrivalKind>(row->arrivals()),
        row->slo_ns(), row->alone_ns(),        row->p50_ns(),
        row->p99_ns(), row->p99_low_ns(),      row->p99_high_ns(),
        row->missed(), row->utilisation(),     row->fits()};
  });
  return to;
}

OnlineTables decodeOnline(const fb::OnlineTables *from) {
  OnlineTables to;
  if (!from)
    return to;
  // Vectors may be shorter than they should: missing numbers are 0.
  const auto at = [](const flatbuffers::Vector<double> *values, uint32_t index) {
    return values && index < values->size() ? values->Get(index) : 0.0;
  };
  to.solos = structs<SoloRow>(from->solos(), [&](const fb::SoloRow *row) {
    SoloRow r;
    r.schedule = row->schedule();
    r.entry = row->entry();
    r.granules = row->granules();
    r.meanNs = row->mean_ns();
    r.p50Ns = row->p50_ns();
    r.p99Ns = row->p99_ns();
    r.samples = row->samples();
    r.source = text(row->source());
    r.device = text(row->device());
    r.arenaBytes = row->arena_bytes();
    r.weightBytes = row->weight_bytes();
    r.movedBytes = row->moved_bytes();
    r.maximalInstances = row->maximal_instances();
    r.pressure = {at(row->pressure(), 0), at(row->pressure(), 1), at(row->pressure(), 2)};
    r.bandwidthSensitivity = at(row->sensitivity(), 0);
    r.segments = structs<SegmentRow>(row->segments(), [](const fb::SegmentRow *segment) {
      return SegmentRow{segment->commands(), segment->ns(), segment->live_bytes()};
    });
    return r;
  });
  to.layouts = structs<LayoutRow>(from->layouts(), [](const fb::LayoutRow *row) {
    return LayoutRow{text(row->name()),
                     numbers<GranuleMask>(row->masks()),
                     row->units(),
                     row->memory_bytes(),
                     row->reconfigure_ns(),
                     numbers<int64_t>(row->part_units()),
                     numbers<int64_t>(row->part_memory_bytes())};
  });
  to.mixes = structs<MixRow>(from->mixes(), [](const fb::MixRow *row) {
    return MixRow{row->schedule(), numbers<int32_t>(row->entries()),
                  numbers<int64_t>(row->latency_ns()), row->makespan_ns()};
  });
  if (from->verdict())
    to.verdict = decodeVerdict(*from->verdict());
  return to;
}

} // namespace mtc::bundle
