//===- EmitRing.cpp - products whose copies are other warps' work ---------===//
//
// On sm_90a some warpgroups of a block produce - they copy terms to the next free stage of a ring
// in shared memory, rounded and swizzled as in EmitMma - and the others consume, multiplying by
// wgmma. Nobody waits at a barrier of the block: a stage has two mbarriers, `full`, on which its
// producers arrive, and `free`, on which a lane of each consuming warp arrives when the products
// that read the stage are over, which is one step later. Producers run into the next tile while
// consumers still finish this one.
//
//   producer: for tile, k: load terms; wait free[s]; store; fence; arrive full[s]
//   consumer: for tile, k: wait full[s]; start products of s; wait for those of k - 1; arrive free
//
// A staged weight comes by bulk copies of one producer, whose bytes `full` counts beside arrivals.
// Where everything comes so or by tensor maps (TensorBox.h), one thread is all producers:
//
//   producer: for tile, k: wait free[s]; arrive full[s], expecting bytes; start copies of boxes
//
// Its warpgroup then gives most of its registers to the consumers (setmaxnreg).
// Stages and parities go on over tiles, so both count alike whatever the range of tiles.
//
// Source: PTX ISA 9.0, 9.7.13.15 (mbarrier), 9.7.15.4 (proxies), 9.7.9.25
// (cp.async.bulk.tensor), 9.7.19.5 (setmaxnreg); NVIDIA's CUTLASS describes
// warp-specialized kernels (docs: efficient_gemm).
//
//===----------------------------------------------------------------------===//
#include "EmitMma.h"

#include "MmaFrame.h"
#include "StagedWeight.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using mtc::host::Contraction;

namespace mtc::cuda {
namespace {

/// Elements that a producer loads before it stores them, or the next ones are its registers'.
constexpr int64_t loadedAtOnce = 64;

class RingEmitter : MmaFrame {
public:
  RingEmitter(ThreadEmitter &e, const Contraction &c, const MmaTile &tile) : MmaFrame(e, c, tile) {}

  void run() {
    start();
    barriers = e.shared(2 * t.stages, b.getI64Type(), 8);
    firstBarrier = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, barriers);
    isFirstLane = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, lane, e.constant(0));
    initBarriers();
    const int64_t consumers = t.threads() - t.copyThreads();
    // The same in all lanes, for ptxas to see.
    Value warp = arith::DivUIOp::create(b, loc, e.thread, e.constant(warpThreads));
    Value number = arith::IndexCastOp::create(b, loc, b.getI32Type(), warp);
    number = gpu::ShuffleOp::create(b, loc, number, 0, warpThreads, gpu::ShuffleMode::IDX)
                 .getShuffleResult();
    Value isConsumer = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, number,
                                             i32(consumers / warpThreads));
    auto roles = scf::IfOp::create(b, loc, isConsumer, /*withElseRegion=*/true);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(roles.elseBlock());
      copyThread = e.add(e.thread, e.constant(-consumers));
      setRegisters(/*isConsumer=*/false);
      auto produceTiles = [&](function_ref<void(Value, const Place &)> body) {
        forTilesInRing([&](const Place &begin) {
          return forStepsOfTile(begin, {},
                                [&](Value step, const Place &at, ValueRange) {
                                  body(step, at);
                                  return SmallVector<Value>();
                                })
              .first;
        });
      };
      if (t.mapped)
        whenElected(number, consumers / warpThreads, [&] {
          produceTiles([&](Value step, const Place &at) { produceBoxes(step, at); });
        });
      else
        produceTiles([&](Value step, const Place &at) { produce(step, at); });
    }
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(roles.thenBlock());
      setRegisters(/*isConsumer=*/true);
      consume();
    }
    e.finish();
  }

private:
  /// A stage, and the parity of the number of times that it was used.
  struct Place {
    Value stage, parity;
  };

  Value i32(int64_t value) { return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value)); }

  void setRegisters(bool isConsumer) {
    if (std::optional<RegisterSplit> split = registerSplitOf(t))
      NVVM::SetMaxRegisterOp::create(
          b, loc, static_cast<uint32_t>(isConsumer ? split->consumer : split->producer),
          isConsumer ? NVVM::SetMaxRegisterAction::increase : NVVM::SetMaxRegisterAction::decrease);
  }

  /// Runs `body` in one thread of a warp, of which ptxas sees that it is one.
  void whenElected(Value warp, int64_t which, function_ref<void()> body) {
    Value isWarp = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, warp, i32(which));
    e.when(isWarp,
           [&] { e.when(NVVM::ElectSyncOp::create(b, loc, b.getI1Type(), Value()), body); });
  }

  //===--------------------------------------------------------------------===//
  // mbarriers
  //===--------------------------------------------------------------------===//

  Value barrierAt(Value number) {
    Value at = e.add(firstBarrier, e.mul(number, 8));
    at = arith::IndexCastOp::create(b, loc, b.getI64Type(), at);
    return LLVM::IntToPtrOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext(), 3), at);
  }
  Value full(Value stage) { return barrierAt(stage); }
  Value free(Value stage) { return barrierAt(e.add(stage, e.constant(t.stages))); }

  void initBarriers() {
    const int64_t consumingWarps = (t.threads() - t.copyThreads()) / warpThreads;
    Value isFirst =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, e.thread, e.constant(0));
    e.when(isFirst, [&] {
      for (int64_t s = 0; s < t.stages; ++s) {
        NVVM::MBarrierInitOp::create(b, loc, full(e.constant(s)),
                                     i32(t.mapped ? 1 : t.copyThreads()), Value());
        NVVM::MBarrierInitOp::create(b, loc, free(e.constant(s)), i32(consumingWarps), Value());
      }
      NVVM::FenceMbarrierInitOp::create(b, loc);
    });
    e.barrier();
  }

  void arrive(Value barrier) { NVVM::MBarrierArriveOp::create(b, loc, Type(), barrier, Value()); }
  /// Until the phase of `parity` is over.
  void await(Value barrier, Value parity) {
    constexpr int64_t mostNs = 10'000'000; // before it asks again
    NVVM::MBarrierTryWaitParityOp::create(b, loc, barrier, parity, i32(mostNs));
  }

  //===--------------------------------------------------------------------===//
  // Loops
  //===--------------------------------------------------------------------===//

  Place following(const Place &at) {
    Value next = wrapped(e.add(at.stage, e.constant(1)), at.stage, 1 - t.stages);
    Value isWrapped = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, next, e.constant(0));
    Value flipped = arith::XOrIOp::create(b, loc, at.parity, i32(1));
    return {next, arith::SelectOp::create(b, loc, isWrapped, flipped, at.parity)};
  }

  /// The steps of a tile from `at` on; `body` gets and returns what is carried. Returns where the
  /// next tile begins, and that.
  std::pair<Place, SmallVector<Value>>
  forStepsOfTile(const Place &at, ArrayRef<Value> carried,
                 function_ref<SmallVector<Value>(Value, const Place &, ValueRange)> body) {
    SmallVector<Value> all = {at.stage, at.parity};
    llvm::append_range(all, carried);
    auto loop = scf::ForOp::create(b, loc, e.constant(0), e.constant(steps), e.constant(1), all);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    const Place here{loop.getRegionIterArg(0), loop.getRegionIterArg(1)};
    SmallVector<Value> results =
        body(loop.getInductionVar(), here, loop.getRegionIterArgs().drop_front(2));
    const Place next = following(here);
    results.insert(results.begin(), {next.stage, next.parity});
    scf::YieldOp::create(b, loc, results);
    return {{loop.getResult(0), loop.getResult(1)},
            SmallVector<Value>(loop.getResults().drop_front(2))};
  }

  /// The tiles of this block; `body` gets where its steps begin and returns where the next begin.
  void forTilesInRing(function_ref<Place(const Place &)> body) {
    e.forTiles({e.constant(0), i32(0)}, [&](Value tile, ValueRange carried) {
      startTile(tile);
      const Place next = body({carried[0], carried[1]});
      return SmallVector<Value>{next.stage, next.parity};
    });
  }

  //===--------------------------------------------------------------------===//
  // Roles
  //===--------------------------------------------------------------------===//

  /// Brings the terms of a step to its stage: as many at once as registers hold.
  void produce(Value step, const Place &at) {
    Value firstTerm = e.mul(step, t.bk);
    SmallVector<std::pair<const Plan *, int64_t>> parts;
    for (const Plan *p : {&a, &w})
      for (int64_t i = 0; !p->isStaged && i < perThread(*p); ++i)
        parts.emplace_back(p, i);
    bool isFree = false;
    for (size_t next = 0; next < parts.size();) {
      SmallVector<Value> loaded;
      const size_t first = next;
      for (int64_t elements = 0; next < parts.size() && elements < loadedAtOnce; ++next) {
        loaded.push_back(load(*parts[next].first, parts[next].second, firstTerm));
        elements += parts[next].first->group * (t.format == MmaFormat::I8 ? 1 : 4) / 4;
      }
      if (!isFree) { // it is so at first: the phase before the first one counts as over
        await(free(at.stage), arith::XOrIOp::create(b, loc, at.parity, i32(1)));
        if (w.isStaged)
          startBulk(step, at);
      }
      isFree = true;
      for (auto [i, value] : llvm::enumerate(loaded))
        store(*parts[first + i].first, parts[first + i].second, value, at.stage);
    }
    fenceProxy();
    arrive(full(at.stage));
  }

  // The block's own shared memory is part of its cluster's (PTX ISA 5.1, .shared), as PTX 8.0 wants
  // it.
  static constexpr unsigned global = 1, sharedOfCluster = 7;

  Value pointer(Value address, unsigned space) {
    address = arith::IndexCastOp::create(b, loc, b.getI64Type(), address);
    return LLVM::IntToPtrOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext(), space),
                                    address);
  }
  int64_t stageBytes(const Plan &p) const { return p.size * bytes; }
  /// Where a stage begins in shared memory.
  Value stageStart(const Plan &p, Value stage) {
    Value to = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, p.memory);
    return e.add(to, e.mul(stage, stageBytes(p)));
  }

  /// The weight's part of a stage by one thread's bulk copies, of which `full` counts the bytes.
  void startBulk(Value step, const Place &at) {
    auto isFirst =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, copyThread, e.constant(0));
    e.when(isFirst, [&] {
      NVVM::MBarrierExpectTxOp::create(b, loc, full(at.stage), i32(stageBytes(w)));
      startChunks(step, at);
    });
  }

  void startChunks(Value step, const Place &at) {
    const int64_t chunks = t.bk * bytes / chunkBytes, rowBytes = t.bn * chunkBytes;
    Value to = stageStart(w, at.stage);
    Value from = memref::ExtractAlignedPointerAsIndexOp::create(
        b, loc, e.memory[c.operands[w.side.operand].storage]);
    from = e.add(from, e.mul(step, chunks * columns * chunkBytes));
    from = e.add(from, e.mul(tileColumn, chunkBytes));
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      Value source = pointer(e.add(from, e.constant(chunk * columns * chunkBytes)), 0);
      source = LLVM::AddrSpaceCastOp::create(
          b, loc, LLVM::LLVMPointerType::get(b.getContext(), global), source);
      NVVM::CpAsyncBulkGlobalToSharedClusterOp::create(
          b, loc, pointer(e.add(to, e.constant(chunk * rowBytes)), sharedOfCluster), source,
          full(at.stage), i32(rowBytes), Value(), Value());
    }
  }

  /// A stage by one thread.
  void produceBoxes(Value step, const Place &at) {
    await(free(at.stage), arith::XOrIOp::create(b, loc, at.parity, i32(1)));
    NVVM::MBarrierArriveExpectTxOp::create(
        b, loc, Type(), full(at.stage), i32(stageBytes(a) + stageBytes(w)), NVVM::MemScopeKind::CTA,
        /*relaxed=*/false, Value());
    for (const Plan *p : {&a, &w})
      p->isStaged ? startChunks(step, at) : startBoxes(*p, step, at);
  }

  void startBoxes(const Plan &p, Value step, const Place &at) {
    const int64_t boxBytes = stageBytes(p) / p.box->count;
    Value to = stageStart(p, at.stage);
    for (int64_t i = 0; i < p.box->count; ++i) {
      auto [first, offsets] = coordinates(p, i * p.box->width, step);
      NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
          b, loc, pointer(e.add(to, e.constant(i * boxBytes)), sharedOfCluster), p.map, first,
          full(at.stage), offsets, Value(), Value(),
          p.box->map.isIm2col() ? NVVM::TMALoadMode::IM2COL : NVVM::TMALoadMode::TILE,
          /*isCTAOnly=*/false, NVVM::CTAGroupKindAttr(), Value());
    }
  }

  /// Where the box begins whose first row or column is `across` of the tile, and in im2col mode how
  /// far its pixels are moved. What is past the end is zeros, or other rows and columns that nobody
  /// stores.
  std::pair<SmallVector<Value>, SmallVector<Value>> coordinates(const Plan &p, int64_t across,
                                                                Value step) {
    SmallVector<Value> saved = index;
    Value flat = e.add(p.side.isRows ? tileRow : tileColumn, e.constant(across));
    if (p.side.isRows)
      setLoops(rowLoops, flat);
    else
      index[c.n] = flat;
    setLoops(c.reductions, e.mul(step, t.bk));
    auto valuesOf = [&](ArrayRef<TensorBox::Dimension> dimensions, Type type) {
      SmallVector<Value> values;
      for (const TensorBox::Dimension &dimension : dimensions) {
        SmallVector<std::pair<Value, int64_t>> parts;
        for (auto [loop, factor] : dimension.loops)
          parts.emplace_back(index[loop], factor);
        Value at = e.linear(dimension.start, parts);
        values.push_back(arith::IndexCastOp::create(b, loc, type, at));
      }
      return values;
    };
    SmallVector<Value> first = valuesOf(p.box->dimensions, b.getI32Type());
    SmallVector<Value> offsets = valuesOf(p.box->offsets, b.getI16Type());
    index = saved;
    return {first, offsets};
  }

  void consume() {
    forTilesInRing([&](const Place &begin) {
      auto [next, results] = forStepsOfTile(
          begin, {begin.stage, firstSums()}, [&](Value step, const Place &at, ValueRange carried) {
            await(full(at.stage), at.parity);
            Value sums = multiplyGroup(at.stage, carried[1]);
            NVVM::WgmmaWaitGroupSyncOp::create(b, loc, uint64_t(1));
            Value isOver =
                arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, step, e.constant(0));
            release(carried[0], arith::AndIOp::create(b, loc, isFirstLane, isOver));
            return SmallVector<Value>{at.stage, sums};
          });
      SmallVector<Value> sums = finishedSums(results[1]);
      release(results[0], isFirstLane);
      finishTile(sums);
      return next;
    });
  }

  void release(Value stage, Value condition) {
    e.when(condition, [&] { arrive(free(stage)); });
  }

  Value barriers, firstBarrier, isFirstLane;
};

} // namespace

void emitRing(ThreadEmitter &emitter, const Contraction &c, const MmaTile &tile) {
  RingEmitter(emitter, c, tile).run();
}

} // namespace mtc::cuda
