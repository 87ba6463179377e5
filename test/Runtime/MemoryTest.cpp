//===- MemoryTest.cpp - whose memory an arena is --------------------------===//
#include "Host/Memory.h"

#include <gtest/gtest.h>

using namespace mtc;

namespace {

/// Three tenants with an entry each: one guarded and called "ocr", two in the group "ocr".
Problem problem() {
  Problem p;
  p.tenants = {{"ocr", 0, 0, 0, "guarded"}, {"det", 0, 0, 0, "ocr"}, {"rec", 0, 0, 0, "ocr"}};
  for (int32_t tenant : {0, 1, 2}) {
    Entry entry;
    entry.tenant = tenant;
    p.entries.push_back(entry);
  }
  return p;
}

/// A plan in which instance i uses arena i.
Plan plan(std::vector<Arena> arenas) {
  Plan made;
  for (size_t i = 0; i < arenas.size(); ++i) {
    Command command;
    command.instance = static_cast<int32_t>(i);
    command.buffers = {{Space::Arena, static_cast<int32_t>(i), 0, 64}};
    made.commands.push_back(command);
  }
  made.arenas = std::move(arenas);
  return made;
}

} // namespace

// A group called like a tenant outside it has memory of its own; members of the group share theirs.
TEST(MemoryTest, GroupsAndTenantsAreApart) {
  Schedule schedule;
  schedule.workload.instances = {0, 1};
  const auto both = host::arenaNeeds(problem(), schedule, plan({{"ocr", 64}, {"ocr", 128}}));
  EXPECT_EQ(both[0].key, "tenant ocr 0");
  EXPECT_EQ(both[1].key, "group ocr 0");
  schedule.workload.instances = {2};
  EXPECT_EQ(host::arenaNeeds(problem(), schedule, plan({{"ocr", 256}}))[0].key, "group ocr 0");
  schedule.workload.instances = {1, 2};
  const auto two = host::arenaNeeds(problem(), schedule, plan({{"ocr", 64}, {"ocr", 128}}));
  EXPECT_EQ(two[1].key, "group ocr 1");
}

// The pool grows to the largest need, keeps addresses otherwise, and says when they changed.
TEST(MemoryTest, PoolGrows) {
  host::ArenaPool pool;
  ASSERT_TRUE(pool.reserve({{"a", 100}, {"b", 200}}).ok());
  const uint64_t generation = pool.generation();
  char *a = pool.address({"a", 100});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a) % 64, 0u);
  a[99] = 1;
  ASSERT_TRUE(pool.reserve({{"a", 50}}).ok());
  EXPECT_EQ(pool.generation(), generation);
  EXPECT_EQ(pool.address({"a", 50}), a);
  ASSERT_TRUE(pool.reserve({{"a", 1 << 20}}).ok());
  EXPECT_GT(pool.generation(), generation);
  EXPECT_EQ(pool.bytes(), (1 << 20) + 200);
  const Status status = pool.reserve({{"c", int64_t(1) << 60}});
  EXPECT_EQ(status.message(), "no 1152921504606846976 bytes of memory: Cannot allocate memory");
}

// Large memory begins where a huge page may, small memory on a page; all of it can be written.
TEST(MemoryTest, LargeMappingsFitHugePages) {
  using host::kHugePageBytes;
  const int64_t large = 3 * int64_t(kHugePageBytes) + 4097;
  for (int64_t bytes : {int64_t(1), int64_t(kHugePageBytes) - 1, int64_t(kHugePageBytes), large}) {
    auto mapping = host::Mapping::create(bytes);
    ASSERT_TRUE(mapping.ok());
    const size_t alignment = bytes < int64_t(kHugePageBytes) ? 4096 : kHugePageBytes;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(mapping->data()) % alignment, 0u) << bytes;
    char *data = static_cast<char *>(mapping->data());
    data[0] = data[bytes - 1] = 1;
    EXPECT_EQ(data[bytes / 2], bytes == 1 ? 1 : 0);
  }
}
