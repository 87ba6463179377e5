//===- ExportProblemTest.cpp - tests of programs as Problems --------------===//
#include "mtc/Dialect/MT/Transforms/CountOperations.h"
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"
#include "mtc/Dialect/MT/IR/Register.h"
#include "mtc/Scheduling/Policies.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace mtc::mt;

namespace {

constexpr const char *kProgram = R"MLIR(
mt.program @p target("host:x86-64-v4,cores=2") attributes {
    mt.device = {granules = 2 : i64, units_per_granule = 1 : i64, flops_per_ns = 300.0 : f64, bytes_per_ns = 20.0 : f64,
                 launch_ns = 100 : i64, barrier_ns = 50 : i64}} {
  mt.weight @unused : tensor<4x8xf32> from("w.bin" at 0)
  mt.weight @w : tensor<4x8xf32> from("w.bin" at 128)
  mt.kernel @never kind(move) (%x: tensor<4xf32>) -> tensor<4xf32> {
    mt.yield %x : tensor<4xf32>
  }
  mt.kernel @relu kind(elementwise) (%x: tensor<2x8xf32>) -> tensor<2x8xf32>
      variants [#mt.variant<config = {unroll = 2 : i64}, tiles = [2, 1], scratch = 64, granules = [1, 2], ns = [20, 10], origin = "measured">] {
    %c = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<2x8xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) {
    ^bb0(%a: f32, %o: f32):
      %k = arith.cmpf ogt, %a, %c : f32
      %m = arith.maximumf %a, %c : f32
      linalg.yield %m : f32
    } -> tensor<2x8xf32>
    mt.yield %r : tensor<2x8xf32>
  }
  mt.kernel @mm kind(contraction) (%x: tensor<2x4xf32>, %w: tensor<4x8xf32>) -> tensor<2x8xf32>
      variants [#mt.variant<config = {}, tiles = [1], scratch = 0, granules = [1], ns = [30], origin = "modelled">] {
    %c = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<2x8xf32>
    %f = linalg.fill ins(%c : f32) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
    %r = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x8xf32>) outs(%f : tensor<2x8xf32>) -> tensor<2x8xf32>
    mt.yield %r : tensor<2x8xf32>
  }
  mt.kernel @bytes kind(contraction) (%x: tensor<2x4xi8>, %w: tensor<4x8xi8>) -> tensor<2x8xi32> {
    %c = arith.constant 0 : i32
    %e = tensor.empty() : tensor<2x8xi32>
    %f = linalg.fill ins(%c : i32) outs(%e : tensor<2x8xi32>) -> tensor<2x8xi32>
    %r = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>,
                                          affine_map<(i, j, k) -> (i, j)>],
        iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<2x4xi8>, tensor<4x8xi8>)
        outs(%f : tensor<2x8xi32>) {
    ^bb0(%a: i8, %b: i8, %o: i32):
      %aw = arith.extui %a : i8 to i32
      %bw = arith.extsi %b : i8 to i32
      %m = arith.muli %aw, %bw : i32
      %s = arith.addi %o, %m : i32
      linalg.yield %s : i32
    } -> tensor<2x8xi32>
    mt.yield %r : tensor<2x8xi32>
  }
  mt.kernel @filter kind(contraction) (%x: tensor<3x6xf32>) -> tensor<3x6xf32> numerics("winograd-f4x4-3x3") {
    %t = arith.constant dense<1.0> : tensor<6x6xf32>
    %c = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<3x6xf32>
    %f = linalg.fill ins(%c : f32) outs(%e : tensor<3x6xf32>) -> tensor<3x6xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(n, i, j) -> (n, j)>, affine_map<(n, i, j) -> (i, j)>,
                                          affine_map<(n, i, j) -> (n, i)>],
        iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %t : tensor<3x6xf32>, tensor<6x6xf32>)
        outs(%f : tensor<3x6xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %m = arith.mulf %a, %b : f32
      %s = arith.addf %o, %m : f32
      linalg.yield %s : f32
    } -> tensor<3x6xf32>
    mt.yield %r : tensor<3x6xf32>
  }
  mt.kernel @lookup kind(elementwise) (%i: tensor<2xi64>, %t: tensor<100x8xf32>) -> tensor<2x8xf32> {
    %e = tensor.empty() : tensor<2x8xf32>
    %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]} ins(%i : tensor<2xi64>) outs(%e : tensor<2x8xf32>) {
    ^bb0(%a: i64, %o: f32):
      %k = arith.index_cast %a : i64 to index
      %j = linalg.index 1 : index
      %v = tensor.extract %t[%k, %j] : tensor<100x8xf32>
      linalg.yield %v : f32
    } -> tensor<2x8xf32>
    mt.yield %r : tensor<2x8xf32>
  }
  mt.kernel @slice kind(move) (%x: tensor<100x8xf32>) -> tensor<1x8xf32> {
    %r = tensor.extract_slice %x[7, 0] [1, 8] [1, 1] : tensor<100x8xf32> to tensor<1x8xf32>
    mt.yield %r : tensor<1x8xf32>
  }
  mt.kernel @sum kind(rows) (%x: tensor<5x8xf32>) -> tensor<5xf32> {
    %c = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<5xf32>
    %f = linalg.fill ins(%c : f32) outs(%e : tensor<5xf32>) -> tensor<5xf32>
    %r = linalg.reduce ins(%x : tensor<5x8xf32>) outs(%f : tensor<5xf32>) dimensions = [1]
      (%a: f32, %b: f32) { %s = arith.addf %a, %b : f32 linalg.yield %s : f32 }
    mt.yield %r : tensor<5xf32>
  }
  mt.tenant @det attributes {slo_p99_ns = 60 : i64, rate = 10.0 : f64, arrivals = "periodic", priority = 2 : i64, isolation = "vision"} {
    mt.entry @n1(%x: tensor<2x2x2xf32> {mt.name = "in/x", mt.element_type = "f32"})
        -> (tensor<2x8xf32> {mt.name = "y"}, tensor<16xf32> {mt.name = "z", mt.element_type = "f32"}) {
      %v = tensor.collapse_shape %x [[0], [1, 2]] : tensor<2x2x2xf32> into tensor<2x4xf32>
      %w1 = mt.get_weight @w : tensor<4x8xf32>
      %w2 = mt.get_weight @w : tensor<4x8xf32>
      %a = mt.task 5 @mm(%v, %w1) : (tensor<2x4xf32>, tensor<4x8xf32>) -> tensor<2x8xf32> loc(fused["conv_1", "bn_1"])
      %b = mt.task 6 @mm(%v, %w2) : (tensor<2x4xf32>, tensor<4x8xf32>) -> tensor<2x8xf32> loc("conv_2")
      %c = mt.task 8 @relu(%b) : (tensor<2x8xf32>) -> tensor<2x8xf32>
      %d = tensor.collapse_shape %c [[0, 1]] : tensor<2x8xf32> into tensor<16xf32>
      mt.return %a, %d : tensor<2x8xf32>, tensor<16xf32>
    }
  }
  mt.tenant @rec {
    mt.entry @n1(%x: tensor<2x8xf32> {mt.name = "x"}) -> (tensor<2x8xf32> {mt.name = "y"}) {
      %c = mt.task 0 @relu(%x) : (tensor<2x8xf32>) -> tensor<2x8xf32>
      mt.return %c : tensor<2x8xf32>
    }
  }
}
)MLIR";

class ExportProblemTest : public ::testing::Test {
protected:
  ExportProblemTest() {
    DialectRegistry registry;
    mtc::registerMtcDialects(registry);
    context.appendDialectRegistry(registry);
    module = parseSourceString<ModuleOp>(kProgram, &context);
    program = *module->getBody()->getOps<ProgramOp>().begin();
    auto exportedOr = exportProblem(program, deviceOf(program));
    EXPECT_TRUE(exportedOr.ok()) << exportedOr.status().message();
    exported = *exportedOr;
  }

  KernelOp kernel(StringRef name) { return SymbolTable(program).lookup<KernelOp>(name); }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  ProgramOp program;
  ExportedProblem exported;
};

// The device is what mt.device says; writing it gives the same attribute.
TEST_F(ExportProblemTest, Device) {
  const mtc::Device &device = exported.problem.device;
  EXPECT_EQ(device.target, "host:x86-64-v4,cores=2");
  EXPECT_EQ(device.granules, 2);
  EXPECT_EQ(device.flopsPerNs, 300);
  EXPECT_EQ(device.bytesPerNs, 20);
  EXPECT_EQ(device.launchNs, 100);
  EXPECT_EQ(device.barrierNs, 50);
  Attribute before = program->getAttr("mt.device");
  setDevice(program, device);
  EXPECT_EQ(program->getAttr("mt.device"), before);
}

// Kernels in the order of their first uses, unused ones left out.
TEST_F(ExportProblemTest, Kernels) {
  const auto &kernels = exported.problem.kernels;
  ASSERT_EQ(kernels.size(), 2u);
  EXPECT_EQ(kernels[0].name, "mm");
  EXPECT_EQ(kernels[1].name, "relu");
  EXPECT_EQ(exported.kernels[1], kernel("relu"));
  EXPECT_EQ(kernels[0].kind, mtc::KernelKind::Contraction);
  EXPECT_EQ(kernels[0].operands,
            (std::vector<mtc::Access>{mtc::Access::Read, mtc::Access::Read, mtc::Access::Write}));
  const mtc::Variant &variant = kernels[1].variants[0];
  EXPECT_EQ(variant.config, "{unroll = 2 : i64}");
  EXPECT_EQ(variant.phaseTiles, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(variant.scratchBytesPerWorker, 64);
  ASSERT_EQ(variant.times.size(), 2u);
  EXPECT_EQ(variant.times[1].granules, 2);
  EXPECT_EQ(variant.times[1].ns, 10);
  EXPECT_EQ(variant.times[1].origin, mtc::TimeOrigin::Measured);
}

// A contraction is 2 * M * N * K; comparisons and fills are free.
TEST_F(ExportProblemTest, FlopsAndBytes) {
  EXPECT_EQ(flopsOf(kernel("mm")), 2 * 2 * 4 * 8);
  EXPECT_EQ(flopsOf(kernel("relu")), 2 * 8);
  EXPECT_EQ(flopsOf(kernel("never")), 0);
  EXPECT_EQ(bytesOf(kernel("mm")), 4 * (8 + 32 + 16));
  EXPECT_EQ(exported.problem.kernels[0].flops, flopsOf(kernel("mm")));
  EXPECT_EQ(flopsOf(kernel("bytes")), 2 * 2 * 4 * 8);
  EXPECT_EQ(byteFlopsOf(kernel("bytes")), 2 * 2 * 4 * 8);
  EXPECT_EQ(byteFlopsOf(kernel("mm")), 0);
}

// A transform of minimal filtering is said as a product with a matrix, but takes less.
TEST_F(ExportProblemTest, FlopsOfFiltering) {
  EXPECT_EQ(flopsOf(kernel("filter")), 3 * 19);
}

// Of a table only what is looked up counts, of a tensor only the slices that are taken.
TEST_F(ExportProblemTest, BytesOfPartsThatAreRead) {
  EXPECT_EQ(bytesOf(kernel("lookup")), 2 * 8 + 4 * (16 + 16));
  EXPECT_EQ(bytesOf(kernel("slice")), 4 * (8 + 8));
}

// A product has rows, columns and depth; a reduction rows and depth; the rest rows.
TEST_F(ExportProblemTest, Extents) {
  auto extents = [&](StringRef name) {
    mtc::Extents e = extentsOf(kernel(name));
    return std::vector<int64_t>{e.batch, e.rows, e.columns, e.depth};
  };
  EXPECT_EQ(extents("mm"), (std::vector<int64_t>{1, 2, 8, 4}));
  EXPECT_EQ(extents("sum"), (std::vector<int64_t>{1, 5, 1, 8}));
  EXPECT_EQ(extents("relu"), (std::vector<int64_t>{1, 16, 1, 1}));
  EXPECT_EQ(extents("never"), (std::vector<int64_t>{1, 1, 1, 1}));
  EXPECT_EQ(exported.problem.kernels[0].extents.columns, 8);
}

// Views and repeated weights are one value; results know their positions.
TEST_F(ExportProblemTest, Values) {
  const mtc::Entry &entry = exported.problem.entries[0];
  ASSERT_EQ(entry.values.size(), 5u); // x, w, a, b, c
  EXPECT_EQ(entry.values[0].kind, mtc::ValueKind::Input);
  EXPECT_EQ(entry.values[0].bytes, 32);
  EXPECT_EQ(entry.values[1].kind, mtc::ValueKind::Weight);
  EXPECT_EQ(entry.values[1].index, 0);
  EXPECT_EQ(entry.values[2].kind, mtc::ValueKind::Output);
  EXPECT_EQ(entry.values[2].index, 0);
  EXPECT_EQ(entry.values[3].kind, mtc::ValueKind::Intermediate);
  EXPECT_EQ(entry.values[4].kind, mtc::ValueKind::Output);
  EXPECT_EQ(entry.values[4].index, 1);
  ASSERT_EQ(exported.weights.size(), 1u);
  EXPECT_EQ(exported.weights[0].getSymName(), "w");
  ASSERT_EQ(entry.tasks.size(), 3u);
  EXPECT_EQ(entry.tasks[0].values, (std::vector<int32_t>{0, 1, 2}));
  EXPECT_EQ(entry.tasks[1].values, (std::vector<int32_t>{0, 1, 3}));
  EXPECT_EQ(entry.tasks[2].values, (std::vector<int32_t>{3, 4}));
}

// Names are those of ONNX: of tensors, and of nodes in tasks' locations.
TEST_F(ExportProblemTest, Names) {
  const mtc::Entry &entry = exported.problem.entries[0];
  EXPECT_EQ(entry.name, "n1");
  EXPECT_EQ(entry.inputs[0].name, "in/x");
  EXPECT_EQ(entry.inputs[0].shape, (std::vector<int64_t>{2, 2, 2}));
  EXPECT_EQ(entry.outputs[0].elementType, "f32");
  EXPECT_EQ(entry.outputs[1].shape, (std::vector<int64_t>{16}));
  EXPECT_EQ(entry.tasks[0].name, "conv_1+bn_1");
  EXPECT_EQ(entry.tasks[0].id, 5);
  EXPECT_EQ(entry.tasks[2].name, "relu");
}

// Tenants carry what their users promised and asked for.
TEST_F(ExportProblemTest, Tenants) {
  ASSERT_EQ(exported.problem.tenants.size(), 2u);
  const mtc::Tenant &det = exported.problem.tenants[0];
  EXPECT_EQ(det.name, "det");
  EXPECT_EQ(det.sloP99Ns, 60);
  EXPECT_EQ(det.ratePerSecond, 10);
  EXPECT_EQ(det.arrivals, mtc::ArrivalKind::Periodic);
  EXPECT_EQ(det.priority, 2);
  EXPECT_EQ(det.isolation, "vision");
  EXPECT_EQ(exported.problem.tenants[1].isolation, "guarded");
  EXPECT_EQ(exported.problem.entries[1].tenant, 1);
}

// A schedule that is written to the program and read back is the same; writing it twice leaves one.
TEST_F(ExportProblemTest, SchedulesSurviveTheProgram) {
  auto schedules = mtc::defaultSchedules(exported.problem);
  ASSERT_TRUE(schedules.ok()) << schedules.status().message();
  for (mtc::Schedule &schedule : *schedules) {
    schedule.edges.push_back({0, static_cast<int32_t>(schedule.places.size()) - 1});
    schedule.places.back().shared = true;
    insertSchedule(program, schedule, exported);
    ScheduleOp op = insertSchedule(program, schedule, exported);
    auto read = readSchedule(op, exported);
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_EQ(read->workload.name, schedule.workload.name);
    EXPECT_EQ(read->workload.instances, schedule.workload.instances);
    EXPECT_EQ(read->workload.granules, schedule.workload.granules);
    EXPECT_EQ(read->policy, schedule.policy);
    EXPECT_EQ(read->makespanNs, schedule.makespanNs);
    EXPECT_EQ(read->edges, schedule.edges);
    ASSERT_EQ(read->places.size(), schedule.places.size());
    for (size_t i = 0; i < schedule.places.size(); ++i) {
      const mtc::Place &a = read->places[i], &b = schedule.places[i];
      EXPECT_EQ(std::tie(a.instance, a.task, a.variant, a.lane, a.granules, a.startNs, a.durationNs,
                         a.shared),
                std::tie(b.instance, b.task, b.variant, b.lane, b.granules, b.startNs, b.durationNs,
                         b.shared));
    }
  }
  auto ops = program.getBody().getOps<ScheduleOp>();
  EXPECT_EQ(static_cast<size_t>(std::distance(ops.begin(), ops.end())), schedules->size());
  EXPECT_TRUE(succeeded(mlir::verify(program)));
}

} // namespace
