//===- LaunchTest.cpp - the emulator's own rules --------------------------===//
//
// Kernels written by hand against ThreadView: right ones give the answer whatever the seed, wrong
// ones are named.
//
//===----------------------------------------------------------------------===//
#include "Emulator/Launch.h"

#include <gtest/gtest.h>

using namespace mtc;
using namespace mtc::emulator;

namespace {

ThreadView &viewOf(const MtcKernelArgs *args) { return *static_cast<ThreadView *>(args->scratch); }

/// Announces and performs accesses of int32 elements of buffer `b` of `args`.
struct Memory {
  const MtcKernelArgs *args;
  int32_t buffer;
  int32_t *data() const { return static_cast<int32_t *>(args->buffers[buffer]); }
  int32_t load(int64_t i) const {
    viewOf(args).access(&viewOf(args), buffer, 4 * i, 4, 0);
    return data()[i];
  }
  void store(int64_t i, int32_t value) const {
    viewOf(args).access(&viewOf(args), buffer, 4 * i, 4, 1);
    data()[i] = value;
  }
};

void barrier(const MtcKernelArgs *args) { viewOf(args).barrier(&viewOf(args), nullptr); }

/// A launch on one buffer of 64 elements and as many of shared memory.
struct Fixture {
  std::vector<int32_t> memory = std::vector<int32_t>(64, -1);
  bool synchronizes = true;
  Status run(MtcKernelFn kernel, int64_t threads = 64, int64_t blocks = 1, uint64_t seed = 0,
             bool written = true) {
    Launch launch;
    launch.function = kernel;
    launch.threads = threads;
    launch.blocks = blocks;
    launch.hi = 1;
    launch.sharedBytes = 256;
    launch.seed = seed;
    launch.synchronizes = synchronizes;
    launch.buffers = {{memory.data(), 256, written}};
    return emulator::run(launch);
  }
  std::string message(MtcKernelFn kernel, int64_t threads = 64, int64_t blocks = 1,
                      bool written = true) {
    return run(kernel, threads, blocks, 1, written).message();
  }
};

// Each thread reads what another has written before the barrier.
TEST(Launch, BarrierOrders) {
  auto reverse = [](const MtcKernelArgs *args) -> int32_t {
    int64_t t = viewOf(args).thread;
    Memory shared{args, 1}, out{args, 0};
    shared.store(t, int32_t(t));
    barrier(args);
    out.store(t, shared.load(63 - t));
    return 0;
  };
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Fixture f;
    Status status = f.run(reverse, 64, 1, seed);
    ASSERT_TRUE(status.ok()) << status.message();
    for (int i = 0; i < 64; ++i)
      EXPECT_EQ(f.memory[i], 63 - i);
  }
}

// Lanes exchange values within segments of the width; a source outside leaves a lane its own.
TEST(Launch, Shuffles) {
  auto kernel = [](const MtcKernelArgs *args) -> int32_t {
    ThreadView &view = viewOf(args);
    auto mode = static_cast<int32_t>(args->hi);
    int64_t got = view.shuffle(&view, int32_t(view.thread), 1, 8, mode);
    Memory{args, 0}.store(view.thread, int32_t(got) * 2 + int32_t(got >> 32));
    return 0;
  };
  auto expected = [](ShuffleMode mode, int t) {
    int lane = t % 8;
    int source = mode == ShuffleMode::Xor    ? t ^ 1
                 : mode == ShuffleMode::Up   ? (lane == 0 ? -1 : t - 1)
                 : mode == ShuffleMode::Down ? (lane == 7 ? -1 : t + 1)
                                             : t - lane + 1;
    return source < 0 ? t * 2 : source * 2 + 1;
  };
  for (ShuffleMode mode :
       {ShuffleMode::Xor, ShuffleMode::Up, ShuffleMode::Down, ShuffleMode::Index}) {
    Fixture f;
    Launch launch;
    launch.function = kernel;
    launch.threads = 64;
    launch.hi = static_cast<int64_t>(mode);
    launch.buffers = {{f.memory.data(), 256, true}};
    Status status = emulator::run(launch);
    ASSERT_TRUE(status.ok()) << status.message();
    for (int t = 0; t < 64; ++t)
      EXPECT_EQ(f.memory[t], expected(mode, t)) << int(mode) << " " << t;
  }
}

// All threads read, and after a barrier one may write.
TEST(Launch, ReadersOfEarlierIntervals) {
  auto kernel = [](const MtcKernelArgs *args) -> int32_t {
    Memory memory{args, 0};
    for (int i = 0; i < 3; ++i) {
      memory.load(0);
      barrier(args);
      if (viewOf(args).thread == i)
        memory.store(0, i);
      barrier(args);
    }
    return 0;
  };
  Fixture f;
  EXPECT_EQ(f.message(kernel), "");
  EXPECT_EQ(f.memory[0], 2);
}

// Without the barrier, whatever the order of threads, somebody reads too early or races.
TEST(Launch, FindsMissingBarriers) {
  auto kernel = [](const MtcKernelArgs *args) -> int32_t {
    int64_t t = viewOf(args).thread;
    Memory shared{args, 1};
    shared.store(t, 1);
    Memory{args, 0}.store(t, shared.load(63 - t));
    return 0;
  };
  for (uint64_t seed = 0; seed < 5; ++seed)
    EXPECT_FALSE(Fixture().run(kernel, 64, 1, seed).ok()) << seed;
}

TEST(Launch, FindsRaces) {
  auto writeWrite = [](const MtcKernelArgs *args) -> int32_t {
    Memory{args, 0}.store(3, 1);
    return 0;
  };
  EXPECT_NE(Fixture()
                .message(writeWrite)
                .find("write of 4 bytes at 12 of buffer 0 races with another thread's write"),
            std::string::npos);
  // Other blocks never meet, also if threads have the same number.
  EXPECT_NE(Fixture().message(writeWrite, 1, 2).find("races with another thread's write"),
            std::string::npos);
  EXPECT_EQ(Fixture().message(writeWrite, 1, 1), "");
  auto readWrite = [](const MtcKernelArgs *args) -> int32_t {
    ThreadView &view = viewOf(args);
    if (view.block == 0)
      Memory{args, 0}.load(3);
    else
      Memory{args, 0}.store(3, 1);
    return 0;
  };
  EXPECT_NE(Fixture().message(readWrite, 1, 2).find("races with a"), std::string::npos);
}

TEST(Launch, FindsBadAccesses) {
  EXPECT_EQ(Fixture().message(
                [](const MtcKernelArgs *args) -> int32_t {
                  Memory{args, 0}.load(64);
                  return 0;
                },
                1),
            "block 0 thread 0: read of 4 bytes at 256 of buffer 0 is out of bounds");
  EXPECT_EQ(Fixture().message(
                [](const MtcKernelArgs *args) -> int32_t {
                  Memory{args, 1}.load(0);
                  return 0;
                },
                1),
            "block 0 thread 0: read of 4 bytes at 0 of shared memory reads what was never written");
  EXPECT_EQ(Fixture().message(
                [](const MtcKernelArgs *args) -> int32_t {
                  Memory{args, 0}.load(1);
                  return 0;
                },
                1, 1, /*written=*/false),
            "block 0 thread 0: read of 4 bytes at 4 of buffer 0 reads what was never written");
}

// A part that was found right need not be checked again.
TEST(Launch, ChecksNoAccesses) {
  int32_t memory = 0;
  Launch launch;
  launch.function = [](const MtcKernelArgs *args) -> int32_t {
    viewOf(args).access(&viewOf(args), 0, 64, 4, 1);
    ++*static_cast<int32_t *>(args->buffers[0]);
    return 0;
  };
  launch.blocks = 3;
  launch.buffers = {{&memory, 4, true}};
  EXPECT_FALSE(emulator::run(launch).ok());
  launch.checksAccesses = false;
  EXPECT_TRUE(emulator::run(launch).ok());
  EXPECT_EQ(memory, 3);
}

// Shared memory of one block is not that of the next.
TEST(Launch, SharedMemoryDies) {
  auto kernel = [](const MtcKernelArgs *args) -> int32_t {
    Memory shared{args, 1};
    if (viewOf(args).block == 0)
      shared.store(0, 1);
    else
      shared.load(0);
    return 0;
  };
  for (uint64_t seed = 0; seed < 4; ++seed)
    EXPECT_FALSE(Fixture().run(kernel, 1, 2, seed).ok());
}

// Threads that wait for nobody run without fibers, in random order, and are checked as others.
TEST(Launch, ThreadsApart) {
  auto kernel = [](const MtcKernelArgs *args) -> int32_t {
    Memory{args, 0}.store(viewOf(args).block * 16 + viewOf(args).thread, int32_t(args->hi));
    return 0;
  };
  Fixture f;
  f.synchronizes = false;
  EXPECT_EQ(f.run(kernel, 16, 4).message(), "");
  EXPECT_EQ(f.memory, std::vector<int32_t>(64, 1));
  EXPECT_NE(f.run(kernel, 17, 4).message().find("races with another thread's write"),
            std::string::npos);
  EXPECT_NE(f.run(kernel, 16, 5).message().find("buffer 0 is out of bounds"), std::string::npos);
  auto waiting = [](const MtcKernelArgs *args) -> int32_t {
    if (viewOf(args).thread == 3)
      barrier(args);
    return 0;
  };
  EXPECT_EQ(f.run(waiting, 4).message(),
            "block 0 thread 3: waits, in a launch whose threads wait for nobody");
}

TEST(Launch, FindsLostThreads) {
  EXPECT_NE(Fixture()
                .message([](const MtcKernelArgs *args) -> int32_t {
                  if (viewOf(args).thread != 5)
                    barrier(args);
                  return 0;
                })
                .find("waits at a barrier that not all threads of the block reach"),
            std::string::npos);
  EXPECT_NE(Fixture()
                .message([](const MtcKernelArgs *args) -> int32_t {
                  ThreadView &view = viewOf(args);
                  if (view.thread != 5)
                    view.shuffle(&view, 1, 1, 32, 0);
                  return 0;
                })
                .find("waits in a shuffle that not all lanes of its warp reach"),
            std::string::npos);
}

} // namespace
