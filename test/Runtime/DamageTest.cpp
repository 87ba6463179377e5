//===- DamageTest.cpp - what passes the checks of a bundle can be used ----===//
//
// Verifying is half of it: a bundle with a changed manifest under right hashes is opened, verified,
// and then used by a session and requests of all its tenants. Its code is not called: what native
// code does with other numbers than it was compiled for is nobody's to check.
//
//===----------------------------------------------------------------------===//
#include "Rehash.h"
#include "SampleContents.h"
#include "mtc/Bundle/Writer.h"
#include "mtc/Runtime/Session.h"
#include "mtc/Support/File.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace mtc;

namespace {

/// Bits of what became of a changed bundle.
enum Outcome { Refused = 0, Opened = 1, Ready = 2 };

/// Opens, verifies and uses; how far that came.
Outcome use(const std::string &path) {
  auto reader = BundleReader::open(path);
  if (!reader.ok() || !(*reader)->verifyAll().ok())
    return Refused;
  auto session = Session::create(*reader);
  if (!session.ok())
    return Opened;
  std::vector<std::unique_ptr<Request>> requests;
  for (const Tenant &tenant : (*reader)->targets()[0].problem.tenants) {
    auto request = (*session)->createRequest(tenant.name);
    if (!request.ok())
      return Opened;
    for (const Tensor &input : (*request)->entry().inputs)
      if (!(*request)->memory(input.name, true).ok())
        return Opened;
    for (const Tensor &output : (*request)->entry().outputs)
      if (!(*request)->memory(output.name, false).ok())
        return Opened;
    requests.push_back(std::move(*request));
  }
  return Ready;
}

} // namespace

// 400 random changes: refused, or used without a crash.
TEST(DamageTest, ChangedManifests) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("mtc-damage-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "a.mtb";
  ASSERT_TRUE(writeBundle(path, test::sampleContents(2)).ok());
  const std::vector<uint8_t> good = *readFile(path);
  const auto sections = (*BundleReader::open(path))->sections();
  const auto manifest = std::find_if(sections.begin(), sections.end(),
                                     [](const auto &s) { return s.kind == "manifest"; });
  ASSERT_EQ(use(path), Ready);
  std::mt19937 random(20261123);
  int counts[3] = {};
  for (int trial = 0; trial < 400; ++trial) {
    std::vector<uint8_t> bad = good;
    for (uint32_t changes = 1 + random() % 2; changes > 0; --changes) {
      const size_t at = manifest->offset + random() % manifest->bytes;
      bad[at] = trial % 2 ? static_cast<uint8_t>(random()) : bad[at] ^ (1 << random() % 8);
    }
    test::rehash(bad);
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char *>(bad.data()),
               static_cast<std::streamsize>(bad.size()));
    const pid_t child = fork();
    if (child == 0) {
      const rlimit none = {0, 0}, time = {20, 20};
      setrlimit(RLIMIT_CORE, &none);
      setrlimit(RLIMIT_CPU, &time);
      _exit(use(path));
    }
    int state = 0;
    ASSERT_EQ(waitpid(child, &state, 0), child);
    ASSERT_TRUE(WIFEXITED(state)) << "trial " << trial << " dies of signal " << WTERMSIG(state);
    ++counts[std::min(WEXITSTATUS(state), 2)];
  }
  std::filesystem::remove_all(folder);
  EXPECT_GT(counts[Refused], 100);
  EXPECT_GT(counts[Ready], 20) << "too few changes pass the checks: the test proves little";
}
