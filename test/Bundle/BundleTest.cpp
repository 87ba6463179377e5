//===- BundleTest.cpp - what is written is read, or refused ---------------===//
#include "Rehash.h"
#include "SampleContents.h"
#include "mtc/Bundle/Reader.h"
#include "mtc/Bundle/Writer.h"
#include "mtc/Scheduling/Policies.h"
#include "mtc/Support/File.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <random>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mtc;

namespace {

class BundleTest : public testing::Test {
protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("mtc-bundle-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    path_ = folder_ / "a.mtb";
    contents_ = test::sampleContents(2);
    // Small, so that every byte can be tried.
    contents_.weights.pop_back();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::vector<uint8_t> write(const Contents &contents) {
    const Status status = writeBundle(path_, contents);
    EXPECT_TRUE(status.ok()) << status.message();
    auto bytes = readFile(path_);
    EXPECT_TRUE(bytes.ok());
    return *bytes;
  }
  void put(const std::vector<uint8_t> &bytes) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char *>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  /// What `mtrt verify` does.
  Status verifyFile() {
    auto reader = BundleReader::open(path_);
    return reader.ok() ? (*reader)->verifyAll() : reader.status();
  }
  /// Files in the test's folder.
  size_t fileCount() {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_),
                                             std::filesystem::directory_iterator()));
  }

  std::filesystem::path folder_, path_;
  Contents contents_;
};

// Everything that is written comes back: problem, schedules, plans, code, weights, texts.
TEST_F(BundleTest, RoundTrips) {
  write(contents_);
  auto opened = BundleReader::open(path_);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const BundleReader &reader = **opened;
  EXPECT_EQ(reader.compilerVersion(), "0.0-test");
  EXPECT_EQ(reader.compileCommand(), "mtc compile sample.yaml -o sample.mtb");
  ASSERT_EQ(reader.targets().size(), 1u);
  const BundleTarget &target = reader.targets()[0];
  const TargetProgram &wanted = contents_.targets[0];
  EXPECT_EQ(target.target, wanted.target);
  EXPECT_EQ(target.features, wanted.features);
  EXPECT_EQ(target.symbols, wanted.symbols);
  EXPECT_TRUE(
      std::equal(target.code.begin(), target.code.end(), wanted.code.begin(), wanted.code.end()));
  EXPECT_EQ(target.problem.tenants[2].name, "phases");
  EXPECT_EQ(target.problem.kernels[2].variants[0].phaseTiles, (std::vector<int64_t>{64, 64}));
  EXPECT_EQ(target.problem.device.launchNs, 1000);
  EXPECT_EQ(target.problem.entries[1].tasks[2].values, wanted.problem.entries[1].tasks[2].values);
  ASSERT_EQ(target.schedules.size(), wanted.schedules.size());
  for (size_t i = 0; i < wanted.schedules.size(); ++i) {
    EXPECT_EQ(target.schedules[i].workload.name, wanted.schedules[i].workload.name);
    EXPECT_EQ(target.schedules[i].makespanNs, wanted.schedules[i].makespanNs);
    auto plan = reader.plan(0, i);
    ASSERT_TRUE(plan.ok()) << plan.status().message();
    EXPECT_EQ(printPlan(target.problem, plan->schedule, plan->plan),
              printPlan(wanted.problem, wanted.schedules[i], wanted.plans[i]));
    EXPECT_EQ(plan->schedule.edges, wanted.schedules[i].edges);
  }
  ASSERT_EQ(reader.weightCount(), contents_.weights.size());
  for (size_t i = 0; i < reader.weightCount(); ++i) {
    std::vector<uint8_t> bytes;
    ASSERT_TRUE(contents_.weights[i].produce(bytes).ok());
    auto weight = reader.weight(i);
    ASSERT_TRUE(weight.ok());
    EXPECT_TRUE(std::equal(weight->begin(), weight->end(), bytes.begin(), bytes.end()));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(weight->data()) % 64, 0u);
    EXPECT_EQ(reader.weightInfo(i).name, contents_.weights[i].name);
  }
  EXPECT_EQ(*reader.text(0), "mt.program @sample {}\n");
  EXPECT_EQ(*reader.text(1), "");
  EXPECT_TRUE(reader.verifyAll().ok());
}

// Rule R4: equal contents give equal bytes.
TEST_F(BundleTest, IsReproducible) {
  const std::vector<uint8_t> first = write(test::sampleContents(2));
  EXPECT_EQ(first, write(test::sampleContents(2)));
}

// Weights with equal bytes are stored once.
TEST_F(BundleTest, StoresEqualWeightsOnce) {
  write(contents_);
  auto reader = BundleReader::open(path_);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->weightInfo(0).offset, (*reader)->weightInfo(2).offset);
  EXPECT_NE((*reader)->weightInfo(0).offset, (*reader)->weightInfo(1).offset);
  EXPECT_EQ((*reader)->sections()[0].bytes, 2u * 4096);
}

// One changed byte anywhere - header, padding, weights, code, texts, manifest - is noticed with the
// code for refused bundles.
TEST_F(BundleTest, NoticesEveryChangedByte) {
  const std::vector<uint8_t> good = write(contents_);
  ASSERT_LT(good.size(), 60000u);
  const int file = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  for (size_t i = 0; i < good.size(); ++i) {
    const auto at = static_cast<off_t>(i);
    const uint8_t bad = good[i] ^ (i % 3 == 0 ? 0x01 : i % 3 == 1 ? 0x80 : 0xff);
    ASSERT_EQ(pwrite(file, &bad, 1, at), 1);
    const Status status = verifyFile();
    ASSERT_EQ(status.code(), ErrorCode::BundleRefused) << "byte " << i << ": " << status.message();
    ASSERT_EQ(pwrite(file, &good[i], 1, at), 1);
  }
  close(file);
  EXPECT_TRUE(verifyFile().ok());
}

// A damaged weight does not keep a bundle from being opened, nor others from being used; it does
// from being used.
TEST_F(BundleTest, ChecksWeightsWhenTheyAreUsed) {
  contents_ = test::sampleContents(2); // with 3 MiB that nobody uses
  std::vector<uint8_t> bytes = write(contents_);
  bytes[4096 + (2 << 20) + 77] ^= 4;
  put(bytes);
  auto reader = BundleReader::open(path_);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  EXPECT_TRUE((*reader)->weight(1).ok());
  EXPECT_EQ((*reader)->weight(3).status().message(),
            "'" + path_.string() +
                "': the weights are damaged in bytes 2101248 to 3149823 of the file");
  EXPECT_EQ((*reader)->verifyAll().code(), ErrorCode::BundleRefused);
}

// A file that is cut short at any place, or longer, is refused when it is opened.
TEST_F(BundleTest, RefusesOtherLengths) {
  const std::vector<uint8_t> good = write(contents_);
  for (size_t length = 0; length < good.size(); length += length < 128 ? 1 : 509) {
    put({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)});
    auto reader = BundleReader::open(path_);
    ASSERT_FALSE(reader.ok()) << length;
    ASSERT_EQ(reader.status().code(), ErrorCode::BundleRefused) << length;
  }
  std::vector<uint8_t> longer = good;
  longer.push_back(0);
  put(longer);
  EXPECT_EQ(BundleReader::open(path_).status().message(),
            "'" + path_.string() + "': cut short or extended: " + std::to_string(longer.size()) +
                " bytes, " + std::to_string(good.size()) + " were written");
}

// What is no bundle says so; what is no file is the caller's mistake.
TEST_F(BundleTest, RefusesWhatIsNoBundle) {
  put({'h', 'e', 'l', 'l', 'o'});
  EXPECT_EQ(BundleReader::open(path_).status().message(),
            "'" + path_.string() + "': not a bundle: 5 bytes are less than a header");
  put(std::vector<uint8_t>(5000, 'x'));
  EXPECT_EQ(BundleReader::open(path_).status().message(),
            "'" + path_.string() + "': not a bundle: the first bytes are not a bundle's");
  EXPECT_EQ(BundleReader::open(folder_ / "none.mtb").status().code(), ErrorCode::InvalidInput);
  EXPECT_EQ(BundleReader::open(folder_).status().code(), ErrorCode::InvalidInput);
}

// Another format number names both and the command that compiles the bundle again.
TEST_F(BundleTest, NamesTheFormat) {
  std::vector<uint8_t> bytes = write(contents_);
  bytes[8] = 42;
  put(bytes);
  const Status status = BundleReader::open(path_).status();
  EXPECT_EQ(status.code(), ErrorCode::BundleRefused);
  EXPECT_EQ(status.message(),
            "'" + path_.string() +
                "': bundle has format 42, this program reads formats 1 to 3; compile "
                "it again: mtc compile sample.yaml -o sample.mtb");
}

// Correct hashes over senseless content: every index that is out of range is refused, when the
// bundle is opened or the plan is used, never a crash.
TEST_F(BundleTest, RefusesContentThatDoesNotHoldTogether) {
  const auto refuses = [&](const std::function<void(TargetProgram &)> &damage) {
    Contents contents = contents_;
    damage(contents.targets[0]);
    write(contents);
    const Status status = verifyFile();
    EXPECT_EQ(status.code(), ErrorCode::BundleRefused) << status.message();
  };
  for (int32_t bad : {-1, 99, 1 << 30}) {
    refuses([&](TargetProgram &t) { t.problem.entries[0].tenant = bad; });
    refuses([&](TargetProgram &t) { t.problem.entries[0].tasks[0].kernel = bad; });
    refuses([&](TargetProgram &t) { t.problem.entries[0].tasks[0].values[1] = bad; });
    refuses([&](TargetProgram &t) { t.problem.entries[0].values[2].index = bad; });
    refuses([&](TargetProgram &t) { t.problem.entries[0].values[0].index = bad; });
    refuses([&](TargetProgram &t) { t.schedules[0].workload.instances[0] = bad; });
    refuses([&](TargetProgram &t) { t.schedules[0].places[0].task = bad; });
    refuses([&](TargetProgram &t) { t.schedules[0].places[0].instance = bad; });
    refuses([&](TargetProgram &t) { t.schedules[0].places[0].variant = bad; });
    refuses([&](TargetProgram &t) { t.schedules[0].edges = {{0, bad}}; });
    refuses([&](TargetProgram &t) { t.schedules[0].edges = {{bad, 1}}; });
    refuses([&](TargetProgram &t) { t.plans[0].commands[0].kernel = bad; });
    refuses([&](TargetProgram &t) { t.plans[0].commands[0].task = bad; });
    refuses([&](TargetProgram &t) { t.plans[0].commands[0].instance = bad; });
    refuses([&](TargetProgram &t) { t.plans[0].commands[0].variant = bad; });
    refuses([&](TargetProgram &t) { t.plans[0].commands[0].place = bad; });
    refuses([&](TargetProgram &t) { t.plans[0].commands[1].waits = {bad}; });
    refuses([&](TargetProgram &t) { t.plans[0].commands[0].buffers[0].index = bad; });
    refuses([&](TargetProgram &t) { t.plans[0].commands[0].buffers[0].offset = bad; });
  }
  refuses([&](TargetProgram &t) { t.problem.kernels[0].variants.clear(); });
  refuses([&](TargetProgram &t) { t.problem.kernels[0].variants[0].phaseTiles.clear(); });
  refuses([&](TargetProgram &t) { t.problem.kernels[0].variants[0].phaseTiles = {-5}; });
  refuses([&](TargetProgram &t) { t.problem.kernels[0].variants[0].scratchBytesPerWorker = -1; });
  refuses([&](TargetProgram &t) { t.problem.kernels[0].kind = static_cast<KernelKind>(77); });
  refuses([&](TargetProgram &t) { t.problem.kernels[0].operands[0] = static_cast<Access>(9); });
  refuses(
      [&](TargetProgram &t) { t.problem.entries[0].values[0].kind = static_cast<ValueKind>(9); });
  refuses([&](TargetProgram &t) { t.problem.entries[0].values[2].bytes = 1 << 20; });
  refuses([&](TargetProgram &t) {
    t.problem.entries[0].inputs[0].shape = {1 << 30, 1 << 30, 1 << 30};
  });
  refuses([&](TargetProgram &t) { t.problem.entries[0].inputs[0].shape = {-8, -128}; });
  refuses([&](TargetProgram &t) { t.problem.entries[0].inputs[0].elementType = "f31"; });
  refuses([&](TargetProgram &t) { t.problem.device.granules = 0; });
  refuses([&](TargetProgram &t) { t.schedules[0].places[0].granules = 0; });
  refuses([&](TargetProgram &t) { t.schedules[0].workload.granules = ~GranuleMask(0); });
  refuses([&](TargetProgram &t) { t.plans[0].commands.pop_back(); });
  refuses([&](TargetProgram &t) { t.plans[0].commands[0].buffers.pop_back(); });
  refuses(
      [&](TargetProgram &t) { t.plans[0].commands[0].buffers[0].space = static_cast<Space>(9); });
  refuses([&](TargetProgram &t) { t.plans[0].arenas[0].bytes = 1; });
  refuses([&](TargetProgram &t) { t.plans[0].arenas[0].bytes = -1; });
  refuses([&](TargetProgram &t) { t.plans.pop_back(); });
  write(contents_);
  EXPECT_TRUE(verifyFile().ok());
}

// Random changes of the manifest under correct hashes: opened and verified, or refused; never a
// crash, whatever the FlatBuffers verifier lets through (run it with the asan preset).
TEST_F(BundleTest, SurvivesRandomManifests) {
  const std::vector<uint8_t> good = write(contents_);
  const auto sections = (*BundleReader::open(path_))->sections();
  const auto manifest = std::find_if(sections.begin(), sections.end(),
                                     [](const auto &s) { return s.kind == "manifest"; });
  std::mt19937 random(20251122);
  int refused = 0;
  for (int trial = 0; trial < 1500; ++trial) {
    std::vector<uint8_t> bad = good;
    for (uint32_t changes = 1 + random() % 4; changes > 0; --changes) {
      const size_t at = manifest->offset + random() % manifest->bytes;
      bad[at] = trial % 2 ? static_cast<uint8_t>(random()) : bad[at] ^ (1 << random() % 8);
    }
    test::rehash(bad);
    put(bad);
    const Status status = verifyFile();
    ASSERT_TRUE(status.ok() || status.code() == ErrorCode::BundleRefused) << status.message();
    refused += !status.ok();
  }
  EXPECT_GT(refused, 300);
}

// A weight whose callback fails, or gives another size than announced, keeps the old file.
TEST_F(BundleTest, FailingCallbackKeepsTheOldFile) {
  const std::vector<uint8_t> good = write(contents_);
  Contents failing = contents_;
  failing.weights[1].produce = [](std::vector<uint8_t> &) { return invalidInput("no such model"); };
  EXPECT_EQ(writeBundle(path_, failing).message(), "weight 'chain.w1': no such model");
  failing.weights[1].produce = [](std::vector<uint8_t> &bytes) {
    bytes.resize(3);
    return okStatus();
  };
  EXPECT_EQ(writeBundle(path_, failing).message(),
            "weight 'chain.w1' has 3 bytes, 4096 were announced");
  EXPECT_EQ(*readFile(path_), good);
  EXPECT_EQ(fileCount(), 1u);
}

// No space (here: a limit on the size of files) is one line with the system's words; the old file
// stays, nothing else.
TEST_F(BundleTest, NoSpaceKeepsTheOldFile) {
  const std::vector<uint8_t> good = write(contents_);
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {100000, 100000};
    setrlimit(RLIMIT_FSIZE, &limit);
    const Status status = writeBundle(path_, test::sampleContents(2));
    const bool right = status.code() == ErrorCode::InvalidInput &&
                       status.message() == "cannot write '" + path_.string() + "': File too large";
    _exit(right ? 0 : 1);
  }
  int outcome = 0;
  ASSERT_EQ(waitpid(child, &outcome, 0), child);
  EXPECT_EQ(outcome, 0);
  EXPECT_EQ(*readFile(path_), good);
  EXPECT_EQ(fileCount(), 1u);
}

// kill -9 in the middle of writing keeps the old file as it was.
TEST_F(BundleTest, KillKeepsTheOldFile) {
  const std::vector<uint8_t> good = write(contents_);
  for (size_t at = 0; at < contents_.weights.size(); ++at) {
    const pid_t child = fork();
    if (child == 0) {
      Contents dying = contents_;
      dying.weights[at].produce = [](std::vector<uint8_t> &) {
        kill(getpid(), SIGKILL);
        return okStatus();
      };
      (void)writeBundle(path_, dying);
      _exit(0);
    }
    int outcome = 0;
    ASSERT_EQ(waitpid(child, &outcome, 0), child);
    ASSERT_TRUE(WIFSIGNALED(outcome) && WTERMSIG(outcome) == SIGKILL);
    EXPECT_EQ(*readFile(path_), good);
  }
  EXPECT_TRUE(verifyFile().ok());
}

// What is not a regular file is never replaced.
TEST_F(BundleTest, DoesNotReplaceDevices) {
  EXPECT_EQ(writeBundle("/dev/null", contents_).message(),
            "cannot write '/dev/null': not a regular file");
  EXPECT_EQ(writeBundle(folder_, contents_).code(), ErrorCode::InvalidInput);
  EXPECT_EQ(writeBundle(folder_ / "none" / "a.mtb", contents_).code(), ErrorCode::InvalidInput);
}

} // namespace
