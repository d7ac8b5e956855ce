// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/shape.h"

#include <signal.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/units.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sched/cost.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

VictimShape ShapeOf(const std::string& spec) {
  const absl::StatusOr<VictimShape> shape = ParseShape(spec, "test");
  EXPECT_TRUE(shape.ok()) << shape.status();
  return shape.value_or(VictimShape{});
}

TEST(ShapeTest, ReadsEveryField) {
  const VictimShape shape = ShapeOf(
      "anon=1GiB,thp=64MiB,mlock=4KiB,forked=8KiB,swap=100MiB,file=200MiB,"
      "cow=8MiB,dirty=12KiB,memfd=16KiB,shmem=32MiB,vmas=600,untouched=7,"
      "shared=8,sparse=9,scattered=10,threads=11,sharers=12");
  EXPECT_EQ(shape.anon, uint64_t{1} << 30);
  EXPECT_EQ(shape.thp, uint64_t{64} << 20);
  EXPECT_EQ(shape.mlock, 4096u);
  EXPECT_EQ(shape.forked, 8192u);
  EXPECT_EQ(shape.swap, uint64_t{100} << 20);
  EXPECT_EQ(shape.file, uint64_t{200} << 20);
  EXPECT_EQ(shape.cow, uint64_t{8} << 20);
  EXPECT_EQ(shape.dirty, 12288u);
  EXPECT_EQ(shape.memfd, 16384u);
  EXPECT_EQ(shape.shmem, uint64_t{32} << 20);
  EXPECT_EQ(shape.vmas, 600u);
  EXPECT_EQ(shape.untouched, 7u);
  EXPECT_EQ(shape.shared, 8u);
  EXPECT_EQ(shape.sparse, 9u);
  EXPECT_EQ(shape.scattered, 10u);
  EXPECT_EQ(shape.threads, 11u);
  EXPECT_EQ(shape.sharers, 12u);
}

TEST(ShapeTest, PrintsWhatItHasRead) {
  const std::string spec =
      "anon=1GiB,thp=64MiB,mlock=4KiB,forked=8KiB,swap=100MiB,file=200MiB,"
      "cow=8MiB,dirty=12KiB,memfd=16KiB,shmem=32MiB,vmas=600,untouched=7,"
      "shared=8,sparse=9,scattered=10,threads=11,sharers=12";
  EXPECT_EQ(PrintShape(ShapeOf(spec)), spec);
  EXPECT_EQ(PrintShape(ShapeOf("vmas=1,swap=0,anon=1024KiB")),
            "anon=1MiB,vmas=1");
}

struct BadSpec {
  const char* spec;
  const char* message;
};

TEST(ShapeTest, SaysWhatIsWrongAndWithWhichField) {
  constexpr BadSpec kCases[] = {
      {"", "--shape: expected fields such as anon=64MiB,vmas=600, got nothing"},
      {"anon", "--shape: expected FIELD=AMOUNT, got \"anon\""},
      {"anon=1MiB,", "--shape: expected FIELD=AMOUNT, got \"\""},
      {"anom=1MiB", "--shape: unknown field \"anom\"; did you mean anon?"},
      {"something=1",
       "--shape: unknown field \"something\"; expected anon, thp, mlock, "
       "forked, swap, file, cow, dirty, memfd, shmem, vmas, untouched, shared, "
       "sparse, scattered, threads, sharers"},
      {"anon=1MiB,anon=2MiB", "--shape: anon: is given twice"},
      {"anon=x", "--shape: anon: expected a size such as 64MiB, got \"x\""},
      {"anon=", "--shape: anon: expected a size such as 64MiB, got \"\""},
      {"vmas=1MiB", "--shape: vmas: expected a number, got \"1MiB\""},
      {"anon=4097B",
       "--shape: anon: expected a multiple of 4KiB, got \"4097B\""},
      {"thp=1MiB", "--shape: thp: expected a multiple of 2MiB, got \"1MiB\""},
      {"anon=257GiB", "--shape: anon: expected at most 256GiB, got \"257GiB\""},
      {"vmas=250001", "--shape: vmas: expected at most 250000, got \"250001\""},
      {"anon=200GiB,file=100GiB",
       "--shape: 300GiB of memory in all; expected at most 256GiB"},
      {"swap=129GiB", "--shape: 129GiB in swap; expected at most 128GiB"},
      {"vmas=200000,shared=100000",
       "--shape: 300000 mappings in all; expected at most 250000"},
      {"sparse=100001",
       "--shape: 100001 sparse pages; expected at most 100000"},
      {"scattered=1001",
       "--shape: 1001 scattered pages; expected at most 1000"},
      {"threads=3000,sharers=1001",
       "--shape: 4001 threads and sharers; expected at most 4000"},
      {"anon=0", "--shape: has no memory at all"},
  };
  for (const BadSpec& each : kCases) {
    const absl::StatusOr<VictimShape> shape = ParseShape(each.spec, "--shape");
    ASSERT_FALSE(shape.ok()) << each.spec;
    EXPECT_EQ(shape.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(shape.status().message()), each.message);
  }
}

// A machine that is large enough for the shape, and the victim on it.
struct World {
  explicit World(const std::string& spec)
      : shape(ShapeOf(spec)),
        k(Options(shape)),
        victim(BuildVictim(k, shape)),
        reaper(k.Spawn("reaper")) {}
  static KernelOptions Options(const VictimShape& shape) {
    KernelOptions options{.memory = uint64_t{64} << 20, .swap = 0};
    EnlargeMachine(shape, &options);
    return options;
  }
  uint64_t Charged(Cost kind) { return k.Charged(reaper, kind); }
  // As a low-memory killer does it, to all that have the memory.
  void KillAndReap() {
    const int fd = static_cast<int>(
        k.As(reaper).pidfd_open(victim.task->pid(), 0).kernel());
    for (Task* sharer : victim.sharers) {
      EXPECT_THAT(k.As(reaper).kill(sharer->pid(), SIGKILL), SyscallSucceeds());
    }
    EXPECT_THAT(k.As(reaper).kill(victim.task->pid(), SIGKILL),
                SyscallSucceeds());
    EXPECT_THAT(k.As(reaper).process_mrelease(fd, 0), SyscallSucceeds());
  }

  VictimShape shape;
  Kernel k;
  BuiltVictim victim;
  Task& reaper;
};

// What each field makes, beside the standard image: 8 pages of a file, 3
// anonymous ones, 3 mappings.
struct Built {
  const char* spec;
  uint64_t anon;
  uint64_t file;
  uint64_t shmem;
  uint64_t swap;
  int vmas;
};

TEST(ShapeTest, BuildsWhatEachFieldSays) {
  constexpr Built kCases[] = {
      {"anon=1MiB", 256, 0, 0, 0, 1},
      {"thp=4MiB", 1024, 0, 0, 0, 1},
      {"mlock=1MiB", 256, 0, 0, 0, 1},
      {"forked=1MiB", 256, 0, 0, 0, 1},
      {"swap=1MiB", 0, 0, 0, 256, 1},
      {"file=1MiB", 0, 256, 0, 0, 1},
      {"cow=1MiB", 256, 0, 0, 0, 1},
      {"dirty=1MiB", 0, 256, 0, 0, 1},
      {"memfd=1MiB", 0, 0, 256, 0, 1},
      {"shmem=1MiB", 0, 0, 256, 0, 1},
      {"vmas=20", 20, 0, 0, 0, 20},
      {"untouched=20", 0, 0, 0, 0, 20},
      {"shared=20", 0, 0, 0, 0, 20},
      {"sparse=5", 5, 0, 0, 0, 1},
      {"scattered=5", 5, 0, 0, 0, 1},
      {"threads=3", 3, 0, 0, 0, 3},
      {"sharers=3", 0, 0, 0, 0, 0},
      {"anon=4KiB,cow=8KiB,file=12KiB,shmem=16KiB,swap=20KiB,vmas=6", 9, 3, 4,
       5, 11},
  };
  for (const Built& each : kCases) {
    SCOPED_TRACE(each.spec);
    World w(each.spec);
    const Mm mm = w.victim.task->mm();
    EXPECT_EQ(mm.rss(MM_ANONPAGES), Pages(each.anon + 3));
    EXPECT_EQ(mm.rss(MM_FILEPAGES), Pages(each.file + 8));
    EXPECT_EQ(mm.rss(MM_SHMEMPAGES), Pages(each.shmem));
    EXPECT_EQ(mm.rss(MM_SWAPENTS), Pages(each.swap));
    EXPECT_EQ(mm.vmas(), each.vmas + 3);
    EXPECT_EQ(ShapePages(w.shape), each.anon + each.file + each.shmem);
    EXPECT_THAT(w.k.Conservation(), IsEmpty());
    w.KillAndReap();
    EXPECT_THAT(w.k.Shutdown(), IsEmpty());
  }
}

TEST(ShapeTest, LocksPagesThatItSaysAreLocked) {
  World w("mlock=1MiB,anon=1MiB");
  EXPECT_EQ(w.victim.task->mm().locked(), Pages(256));
  w.KillAndReap();
  EXPECT_EQ(w.Charged(Cost::kMlockedPage), 256u);
}

TEST(ShapeTest, MakesHugePages) {
  World w("thp=4MiB");
  w.KillAndReap();
  EXPECT_EQ(w.Charged(Cost::kHugePage), 2u);
}

TEST(ShapeTest, LeavesForkedPagesWithAChildThatLivesOn) {
  World w("forked=1MiB,anon=1MiB");
  ASSERT_THAT(w.victim.children, SizeIs(1));
  // The image's and the forked ones, and not what came later.
  EXPECT_EQ(w.victim.children[0]->mm().rss(MM_ANONPAGES), Pages(256 + 3));
  const uint64_t free_before = w.k.free_pages();
  w.KillAndReap();
  // The child keeps the forked ones; the victim had its 256, and what the
  // reaper frees of its image are no frames of its own.
  EXPECT_EQ(w.k.free_pages() - free_before, 256u);
}

TEST(ShapeTest, PassesOverWhatIsShared) {
  World w("dirty=1MiB,shmem=1MiB,shared=3");
  const uint64_t skipped = w.Charged(Cost::kVmaSkipped);
  w.KillAndReap();
  EXPECT_EQ(w.Charged(Cost::kVmaSkipped) - skipped, 5u);
  EXPECT_EQ(w.victim.task->mm().rss(MM_SHMEMPAGES), Pages(256));
  EXPECT_EQ(w.victim.task->mm().rss(MM_FILEPAGES), Pages(256));
}

TEST(ShapeTest, PutsSparsePagesIntoTablesOfTheirOwn) {
  World sparse("sparse=5");
  sparse.KillAndReap();
  World together("anon=20KiB");
  together.KillAndReap();
  // Five level-1 tables where the other needs one.
  EXPECT_EQ(sparse.Charged(Cost::kPteTableVisited) -
                together.Charged(Cost::kPteTableVisited),
            4u);
  // And 1 GiB apart, as many of level 2.
  World scattered("scattered=5");
  scattered.KillAndReap();
  EXPECT_EQ(scattered.Charged(Cost::kPmdTableVisited) -
                sparse.Charged(Cost::kPmdTableVisited),
            4u);
}

TEST(ShapeTest, MakesThreadsAndSharers) {
  World w("anon=64KiB,threads=3,sharers=2");
  EXPECT_THAT(w.victim.threads, SizeIs(3));
  EXPECT_THAT(w.victim.sharers, SizeIs(2));
  for (Task* thread : w.victim.threads) {
    EXPECT_EQ(thread->raw()->tgid, w.victim.task->pid());
  }
  for (Task* sharer : w.victim.sharers) {
    EXPECT_EQ(sharer->mm().raw(), w.victim.task->mm().raw());
  }
}

TEST(ShapeTest, BuildsSeveralVictimsOnOneMachine) {
  const VictimShape shape = ShapeOf("anon=1MiB,file=1MiB,memfd=1MiB");
  Kernel k;
  Task& a = *BuildVictim(k, shape, "a").task;
  Task& b = *BuildVictim(k, shape, "b").task;
  // They have the same file.
  EXPECT_EQ(a.mm().rss(MM_FILEPAGES), Pages(256 + 8));
  EXPECT_EQ(b.mm().rss(MM_FILEPAGES), Pages(256 + 8));
  EXPECT_THAT(k.Conservation(), IsEmpty());
  EXPECT_EQ(a.name(), "a");
}

}  // namespace
}  // namespace reapsim
