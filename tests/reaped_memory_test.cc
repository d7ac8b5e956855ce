// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is left of reaped memory for those who still look: MMF_UNSTABLE as the
// kernel really checks it. Every row was seen on a live v6.18; the source of
// v5.15 has the same checks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::IsEmpty;

constexpr uint64_t kStored = 0x42;  // what the victim stores everywhere

// A victim with one page of each kind, killed, reaped, and not yet exited; and
// a reader that looks at it through process_vm_readv and process_vm_writev.
class ReapedMemoryTest : public ::testing::TestWithParam<const char*> {
 protected:
  ReapedMemoryTest() {
    anon_ = Map(Anonymous());
    locked_ = Map(Anonymous().Locked());
    const int file =
        static_cast<int>(int64_t{Victim().open_file(9, Pages(64), true)});
    // 64 pages, so that fault-around has something to map.
    cow_ = Victim().mmap(Pages(64).bytes(), File(file));
    original_ = Victim().load(cow_);
    untouched_ = cow_ + 40 * 4096;  // beyond what fault-around maps at 0
    const int memfd =
        static_cast<int>(int64_t{Victim().memfd_create(Pages(1))});
    shared_ = Map(File(memfd).Shared());
    for (const uint64_t addr : {anon_, locked_, cow_, shared_}) {
      EXPECT_THAT(Victim().store(addr, kStored), SyscallSucceeds());
    }
    zero_ = Map(Anonymous());
    EXPECT_THAT(Victim().load(zero_), SyscallSucceedsWithValue(0));
  }

  void Reap() {
    const int fd =
        static_cast<int>(int64_t{Reader().pidfd_open(victim_.pid(), 0)});
    EXPECT_THAT(Reader().kill(victim_.pid(), SIGKILL), SyscallSucceeds());
    EXPECT_THAT(Reader().process_mrelease(fd, 0), SyscallSucceeds());
  }

  uint64_t Map(const Mapping& mapping) {
    const SysResult addr = Victim().mmap(4_KiB, mapping);
    EXPECT_THAT(addr, SyscallSucceeds());
    return static_cast<uint64_t>(addr.kernel());
  }
  User Victim() { return k_.As(victim_); }
  User Reader() { return k_.As(reader_); }
  SysResult Peek(uint64_t addr) { return Reader().peek(victim_.pid(), addr); }
  SysResult Poke(uint64_t addr) {
    return Reader().poke(victim_.pid(), addr, 0x77);
  }
  void TearDown() override { EXPECT_THAT(k_.Shutdown(), IsEmpty()); }

  Kernel k_{{.version = GetParam()}};
  Task& victim_ = k_.Spawn("victim");
  Task& reader_ = k_.Spawn("reader");
  uint64_t anon_, locked_, cow_, untouched_, shared_, zero_;
  int64_t original_;
};

TEST_P(ReapedMemoryTest, IsAsStoredBeforeTheReap) {
  for (const uint64_t addr : {anon_, locked_, cow_, shared_}) {
    EXPECT_THAT(Peek(addr), SyscallSucceedsWithValue(kStored));
  }
  EXPECT_NE(original_, static_cast<int64_t>(kStored));
}

TEST_P(ReapedMemoryTest, AnonymousPagesAreLostAndDoNotComeBackAsZeroes) {
  Reap();
  EXPECT_THAT(Peek(anon_), SyscallFailsWithErrno(EFAULT));
  EXPECT_THAT(Poke(anon_), SyscallFailsWithErrno(EFAULT));
  EXPECT_THAT(Peek(zero_), SyscallFailsWithErrno(EFAULT));
}

TEST_P(ReapedMemoryTest, SharedMemoryIsAsItWas) {
  Reap();
  EXPECT_THAT(Peek(shared_), SyscallSucceedsWithValue(kStored));
  EXPECT_THAT(Poke(shared_), SyscallSucceeds());
}

TEST_P(ReapedMemoryTest, ACopiedFilePageReadsBackAsTheFile) {
  Reap();
  // Fault-around does not look at MMF_UNSTABLE: the reader gets the bytes of
  // the file, which the victim had overwritten.
  EXPECT_THAT(Peek(cow_), SyscallSucceedsWithValue(original_));
  EXPECT_THAT(Poke(cow_), SyscallSucceeds()) << "a new copy, after the read";
}

TEST_P(ReapedMemoryTest, AWriteToAFilePageThatIsNotMappedFails) {
  Reap();
  EXPECT_THAT(Poke(untouched_), SyscallFailsWithErrno(EFAULT));
}

TEST_P(ReapedMemoryTest, MlockedPagesAreKeptOnlyByOldKernels) {
  Reap();
  if (k_.differences().reaps_mlocked) {
    EXPECT_THAT(Peek(locked_), SyscallFailsWithErrno(EFAULT));
  } else {
    EXPECT_THAT(Peek(locked_), SyscallSucceedsWithValue(kStored));
  }
  // 4 KiB of VmLck either way: the reapers do not count it down.
  EXPECT_EQ(victim_.mm().locked(), Pages(1));
}

TEST_P(ReapedMemoryTest, AForkedChildKeepsItsCopyOnWritePages) {
  Task& child = k_.TaskOf(static_cast<pid_t>(int64_t{Victim().fork()}));
  Reap();
  EXPECT_THAT(k_.As(child).load(anon_), SyscallSucceedsWithValue(kStored));
  EXPECT_THAT(k_.As(child).load(cow_), SyscallSucceedsWithValue(kStored));
  EXPECT_EQ(child.mm().unstable(), false);
}

TEST_P(ReapedMemoryTest, AParentKeepsWhatItSharedWithAReapedChild) {
  Task& child = k_.TaskOf(static_cast<pid_t>(int64_t{Victim().fork()}));
  const int fd = static_cast<int>(int64_t{Reader().pidfd_open(child.pid(), 0)});
  EXPECT_THAT(Reader().kill(child.pid(), SIGKILL), SyscallSucceeds());
  EXPECT_THAT(Reader().process_mrelease(fd, 0), SyscallSucceeds());
  EXPECT_THAT(Victim().load(anon_), SyscallSucceedsWithValue(kStored));
  EXPECT_THAT(Victim().load(cow_), SyscallSucceedsWithValue(kStored));
}

// The victim is in a system call that reads its own memory when it is reaped:
// it must not see zeroes.
TEST_P(ReapedMemoryTest, TheVictimsOwnSystemCallGetsEfaultNotZeroes) {
  const pid_t self = victim_.pid();
  const Out<int64_t> seen = k_.NewOut<int64_t>();
  const uint64_t anon = anon_;
  k_.Begin(victim_, [=](User user) {
    const SysResult word = user.peek(self, anon);
    seen.Set(word.kernel());
  });
  ASSERT_EQ(k_.RunUntil(victim_, Point::kSyscallEntry), Stepped::kAtPoint);
  Reap();
  k_.RunUntilIdle();
  EXPECT_EQ(seen.Get(), 0) << "it died before it came back from the call";
  EXPECT_EQ(victim_.raw()->program.result, -EFAULT);
}

// Private or shared, hugetlb memory is never walked.
TEST_P(ReapedMemoryTest, HugetlbPagesAreKept) {
  const int fd = static_cast<int>(int64_t{Victim().hugetlb_file(Pages(512))});
  const SysResult huge = Victim().mmap(2_MiB, File(fd).Private());
  EXPECT_THAT(huge, SyscallSucceeds());
  EXPECT_THAT(Victim().store(huge.kernel(), kStored), SyscallSucceeds());
  Reap();
  EXPECT_THAT(Peek(huge.kernel()), SyscallSucceedsWithValue(kStored));
}

// H3: what the check of MMF_UNSTABLE is for.
TEST(ReapedMemorySwitched, ComesBackAsZeroes) {
  Kernel k({.switches = {Switch::kFaultsIgnoreUnstable}});
  Task& victim = k.Spawn("victim");
  Task& reader = k.Spawn("reader");
  const int64_t heap = k.As(victim).mmap(4_KiB, Anonymous());
  EXPECT_THAT(k.As(victim).store(heap, kStored), SyscallSucceeds());
  const int fd =
      static_cast<int>(int64_t{k.As(reader).pidfd_open(victim.pid(), 0)});
  EXPECT_THAT(k.As(reader).kill(victim.pid(), SIGKILL), SyscallSucceeds());
  EXPECT_THAT(k.As(reader).process_mrelease(fd, 0), SyscallSucceeds());
  EXPECT_THAT(k.As(reader).peek(victim.pid(), heap),
              SyscallSucceedsWithValue(0));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(, ReapedMemoryTest,
                         ::testing::Values("v5.15-rc1", "v6.18"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase_if(name,
                                         [](char c) { return !isalnum(c); });
                           return name;
                         });

// H22: the answer ESRCH does not mean that the memory is free.
TEST(PinnedMemory, StaysAfterTheProcessIsDeadUntilTheReaderIsDone) {
  Kernel k;
  Task& victim = k.Spawn("victim");
  Task& reader = k.Spawn("reader");
  Task& lmkd = k.Spawn("lmkd");
  const Bytes size = 256_KiB;
  const uint64_t heap = k.As(victim).mmap(size, Anonymous());
  EXPECT_THAT(k.As(victim).touch(heap, size), SyscallSucceeds());
  const int fd =
      static_cast<int>(int64_t{k.As(lmkd).pidfd_open(victim.pid(), 0)});
  const Mm mm = victim.mm();
  const uint64_t free_before = k.free_pages();

  const pid_t pid = victim.pid();
  k.Begin(reader, [=](User user) { (void)user.peek(pid, heap); });
  ASSERT_EQ(k.RunUntil(reader, Point::kDownRead), Stepped::kAtPoint);
  EXPECT_THAT(k.As(lmkd).kill(pid, SIGKILL), SyscallSucceeds());
  (void)k.RunUntilBlocked(victim);
  EXPECT_EQ(victim.phase(), TaskPhase::kZombie);
  EXPECT_THAT(k.As(lmkd).process_mrelease(fd, 0), SyscallFailsWithErrno(ESRCH));
  EXPECT_EQ(mm.rss(MM_ANONPAGES), Pages(64 + 3)) << "nothing has been freed";
  EXPECT_EQ(k.free_pages(), free_before);
  EXPECT_EQ(k.Finish(reader), Stepped::kDone);  // its mmput is the last
  EXPECT_GE(k.free_pages(), free_before + 67);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

}  // namespace
}  // namespace reapsim
