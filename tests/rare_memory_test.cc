// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The rarer things that a victim's memory may have to do with when it is
// reaped: those who wait for it, pin it, write from it, or watch it. What is
// marked "seen" was seen on a live v6.18; the rest is from the sources.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "mm/memory.h"
#include "mm/smaps.h"
#include "mm/userfaultfd.h"
#include "syscall/futex.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kStored = 0x42;

std::string VersionName(const ::testing::TestParamInfo<const char*>& info) {
  std::string name = info.param;
  std::erase_if(name, [](char c) { return !isalnum(c); });
  return name;
}

// A victim, a killer that reaps it before it has run again, and a third party.
class RareMemoryTest : public ::testing::TestWithParam<const char*> {
 protected:
  User Victim() { return k_.As(victim_); }
  User Killer() { return k_.As(killer_); }
  User Other() { return k_.As(other_); }

  uint64_t Map(User user, uint64_t pages, const Mapping& mapping) {
    const SysResult addr = user.mmap(Pages(pages).bytes(), mapping);
    EXPECT_THAT(addr, SyscallSucceeds());
    return static_cast<uint64_t>(addr.kernel());
  }
  uint64_t MapAnon(uint64_t pages) { return Map(Victim(), pages, Anonymous()); }
  void Store(uint64_t addr, uint64_t word) {
    EXPECT_THAT(Victim().store(addr, word), SyscallSucceeds());
  }
  void OpenPidfd() {
    fd_ = static_cast<int>(int64_t{Killer().pidfd_open(victim_.pid(), 0)});
  }
  void Kill() {
    if (fd_ < 0) OpenPidfd();
    EXPECT_THAT(Killer().kill(victim_.pid(), SIGKILL), SyscallSucceeds());
  }
  SysResult Release() { return Killer().process_mrelease(fd_, 0); }
  void KillAndReap() {
    Kill();
    EXPECT_THAT(Release(), SyscallSucceeds());
  }
  PageCounts Count(uint64_t addr, uint64_t pages) {
    return CountPages(victim_.mm().raw(), addr, addr + pages * kPage);
  }
  // The third party gets a descriptor of the victim's.
  int Send(int fd) {
    return static_cast<int>(int64_t{Victim().send_fd(fd, other_.pid())});
  }
  int Uffd(uint64_t features = 0) {
    const SysResult fd = Victim().userfaultfd(features);
    EXPECT_THAT(fd, SyscallSucceeds());
    return static_cast<int>(fd.kernel());
  }
  bool IsNew() const { return k_.differences().reaps_mlocked; }
  void TearDown() override { EXPECT_THAT(k_.Shutdown(), IsEmpty()); }

  Kernel k_{{.version = GetParam()}};
  Task& victim_ = k_.Spawn("victim");
  Task& killer_ = k_.Spawn("killer");
  Task& other_ = k_.Spawn("other");
  int fd_ = -1;
};

// ---- Robust futexes (H13) --------------------------------------------------

// The victim owns a lock in shared memory, on which another process sleeps. The
// list that says so lies in the victim's private memory.
class RobustFutexTest : public RareMemoryTest {
 protected:
  RobustFutexTest() {
    const int memfd =
        static_cast<int>(int64_t{Victim().memfd_create(Pages(2))});
    shared_ = Map(Victim(), 2, File(memfd).Shared());
    const uint64_t seen_by_other = Map(Other(), 2, File(Send(memfd)).Shared());
    word_ = static_cast<uint64_t>(victim_.pid()) | FUTEX_WAITERS;
    const uint64_t head = MapAnon(kRobustHeadPages);
    Store(head + kRobustListNext, shared_);
    Store(head + kRobustFutexOffset, kPage);
    Store(head + kRobustListOpPending, 0);
    Store(shared_, head);
    Store(shared_ + kPage, word_);
    EXPECT_THAT(Victim().set_robust_list(head), SyscallSucceeds());
    lock_in_other_ = seen_by_other + kPage;
    const uint64_t at = lock_in_other_;
    const uint64_t value = word_;
    k_.Begin(other_, [=](User user) { (void)user.futex_wait(at, value); });
    EXPECT_EQ(k_.RunUntilBlocked(other_), Stepped::kBlocked);
  }
  uint64_t LockWord() {
    return static_cast<uint64_t>(
        Killer().peek(other_.pid(), lock_in_other_).kernel());
  }
  uint64_t shared_, lock_in_other_, word_;
};

TEST_P(RobustFutexTest, TheWaiterIsToldOfTheDeathIfExitComesFirst) {
  Kill();
  (void)k_.RunUntilBlocked(victim_);
  EXPECT_EQ(LockWord(), FUTEX_OWNER_DIED | FUTEX_WAITERS);
  EXPECT_THAT(k_.UnmetGoals(), IsEmpty());
  EXPECT_EQ(k_.RunUntilBlocked(other_), Stepped::kDone) << "it was woken";
  EXPECT_EQ(k_.Result(other_).kernel(), 0);
}

// Seen: the waiter gets ETIMEDOUT instead of EOWNERDEAD.
TEST_P(RobustFutexTest, TheWaiterSleepsForEverIfTheListWasReaped) {
  KillAndReap();
  (void)k_.RunUntilBlocked(victim_);
  EXPECT_EQ(victim_.phase(), TaskPhase::kZombie);
  EXPECT_EQ(LockWord(), word_) << "the dead owner's tid is still there";
  EXPECT_THAT(k_.UnmetGoals(),
              ElementsAre(StartsWith("L5: somebody waits for a robust lock")));
  k_.AdvanceTime(uint64_t{60'000'000'000});
  EXPECT_FALSE(k_.Done(other_));
}

// The OOM reaper gives exit two seconds for this, from v5.18 on.
TEST_P(RobustFutexTest, TheOomReapersDelayIsThereForIt) {
  k_.OomKill(victim_);
  k_.Hold(victim_);
  k_.AdvanceTime(uint64_t{1'000'000'000});
  k_.Release(victim_);
  (void)k_.RunUntilBlocked(victim_);
  k_.RunUntilIdle();
  EXPECT_EQ(k_.Done(other_), k_.differences().oom_reaper_delayed);
}

// ---- What the victim's own write(2) emits (H19) ----------------------------

// The victim's write to a pipe sleeps uninterruptibly on the pipe's mutex,
// which a third party holds while it waits for a page of its own.
class PipeWriteTest : public RareMemoryTest {
 protected:
  PipeWriteTest() {
    int fds[2];
    EXPECT_THAT(Killer().pipe(fds), SyscallSucceeds());
    in_ = fds[0];
    buffer_ = Map(Killer(), 8, Anonymous());
    const int victims =
        static_cast<int>(int64_t{Killer().send_fd(fds[1], victim_.pid())});
    const int others =
        static_cast<int>(int64_t{Killer().send_fd(fds[1], other_.pid())});
    out_ = victims;
    slow_ = Map(Other(), 1, Anonymous());
    uffd_ = static_cast<int>(int64_t{Other().userfaultfd()});
    EXPECT_THAT(Other().uffd_register(uffd_, slow_, 4_KiB,
                                      UFFDIO_REGISTER_MODE_MISSING),
                SyscallSucceeds());
    sent_uffd_ =
        static_cast<int>(int64_t{Other().send_fd(uffd_, killer_.pid())});
    const uint64_t slow = slow_;
    k_.Begin(other_, [=](User user) { (void)user.write(others, slow, 4_KiB); });
    EXPECT_EQ(k_.RunUntilBlocked(other_), Stepped::kBlocked);
  }
  // The victim begins to write, and is reaped while it waits; then it goes on.
  // What its call returns.
  int64_t WriteAndBeReaped(uint64_t addr, uint64_t pages) {
    const int out = out_;
    const Bytes length = Pages(pages).bytes();
    k_.Begin(victim_, [=](User user) { (void)user.write(out, addr, length); });
    EXPECT_EQ(k_.RunUntilBlocked(victim_), Stepped::kBlocked);
    EXPECT_EQ(victim_.raw()->__state, TASK_UNINTERRUPTIBLE);
    KillAndReap();
    EXPECT_THAT(Killer().uffd_zeropage(sent_uffd_, slow_, 4_KiB),
                SyscallSucceeds());
    EXPECT_EQ(k_.Finish(other_), Stepped::kDone);
    EXPECT_EQ(k_.RunUntil(victim_, Point::kDeliverSignal), Stepped::kAtPoint);
    const int64_t result = victim_.raw()->program.result;
    // The other's page goes before.
    EXPECT_THAT(Killer().read(in_, buffer_, 4_KiB),
                SyscallSucceedsWithValue(kPage));
    return result;
  }
  int64_t Received() {
    EXPECT_THAT(Killer().read(in_, buffer_, 4_KiB),
                SyscallSucceedsWithValue(kPage));
    return Killer().load(buffer_).kernel();
  }
  int in_, out_, uffd_, sent_uffd_;
  uint64_t buffer_, slow_;
};

// Seen: the pipe receives 'AAAA' of the file where the victim had stored 'B'.
TEST_P(PipeWriteTest, IsWhatTheFileHoldsWhereThePrivateCopyWasReaped) {
  const int file =
      static_cast<int>(int64_t{Victim().open_file(9, Pages(64), true)});
  const uint64_t cow = Map(Victim(), 64, File(file));
  const int64_t of_the_file = Victim().load(cow).kernel();
  Store(cow, kStored);
  EXPECT_EQ(WriteAndBeReaped(cow, 1), int64_t{kPage});
  EXPECT_EQ(Received(), of_the_file) << "the victim never wrote this";
  EXPECT_NE(of_the_file, static_cast<int64_t>(kStored));
}

// Seen.
TEST_P(PipeWriteTest, IsNothingWhereAnonymousMemoryWasReaped) {
  const uint64_t anon = MapAnon(1);
  Store(anon, kStored);
  EXPECT_EQ(WriteAndBeReaped(anon, 1), -EFAULT);
}

TEST_P(PipeWriteTest, IsWhatCameBeforeTheReapedPart) {
  const int memfd = static_cast<int>(int64_t{Victim().memfd_create(Pages(2))});
  const uint64_t at = MapAnon(3);
  EXPECT_THAT(Victim().mmap(8_KiB, File(memfd).Shared().With(MAP_FIXED), at),
              SyscallSucceeds());
  for (uint64_t i = 0; i < 3; ++i) Store(at + i * kPage, kStored + i);
  EXPECT_EQ(WriteAndBeReaped(at, 3), 2 * int64_t{kPage});
  EXPECT_EQ(Received(), static_cast<int64_t>(kStored));
  EXPECT_EQ(Received(), static_cast<int64_t>(kStored + 1));
}

TEST_P(RareMemoryTest, AWriteToAFileNoticesThatItsTaskIsDead) {
  const int file =
      static_cast<int>(int64_t{Victim().open_file(9, Pages(64), true)});
  const int target =
      static_cast<int>(int64_t{Victim().open_file(10, Pages(1), true)});
  const uint64_t cow = Map(Victim(), 64, File(file));
  (void)Victim().load(cow);
  Store(cow, kStored);
  k_.Begin(victim_, [=](User user) { (void)user.write(target, cow, 4_KiB); });
  ASSERT_EQ(k_.RunUntil(victim_, Point::kUserAccess), Stepped::kAtPoint);
  KillAndReap();
  EXPECT_EQ(k_.RunUntil(victim_, Point::kDeliverSignal), Stepped::kAtPoint);
  EXPECT_EQ(victim_.raw()->program.result, -EINTR);
}

// ---- userfaultfd -----------------------------------------------------------

// H21. Seen: RssAnon grows again.
TEST_P(RareMemoryTest, AMonitorBringsReapedPagesBack) {
  const uint64_t anon = MapAnon(2);
  const int uffd = Uffd();
  EXPECT_THAT(
      Victim().uffd_register(uffd, anon, 8_KiB, UFFDIO_REGISTER_MODE_MISSING),
      SyscallSucceeds());
  const int others = Send(uffd);
  const uint64_t source = Map(Other(), 2, Anonymous());
  EXPECT_THAT(Other().store(source, kStored), SyscallSucceeds());
  EXPECT_THAT(Other().uffd_copy(others, anon, source, 8_KiB),
              SyscallSucceedsWithValue(2 * kPage));
  KillAndReap();
  EXPECT_EQ(Count(anon, 2).anon, 0u);
  EXPECT_THAT(Other().uffd_copy(others, anon, source, 4_KiB),
              SyscallSucceedsWithValue(kPage));
  EXPECT_THAT(Other().uffd_zeropage(others, anon + kPage, 4_KiB),
              SyscallSucceedsWithValue(kPage));
  EXPECT_THAT(Killer().peek(victim_.pid(), anon),
              SyscallSucceedsWithValue(kStored));
  EXPECT_THAT(Killer().peek(victim_.pid(), anon + kPage),
              SyscallSucceedsWithValue(0));
  EXPECT_EQ(Count(anon, 2).anon, 1u);
  EXPECT_THAT(Release(), SyscallSucceeds());  // a second call takes them again
  EXPECT_EQ(Count(anon, 2).anon + Count(anon, 2).zero, 0u);
}

TEST_P(RareMemoryTest, AMonitorIsToldWhenTheMemoryIsGone) {
  const uint64_t anon = MapAnon(1);
  const int uffd = Uffd();
  EXPECT_THAT(
      Victim().uffd_register(uffd, anon, 4_KiB, UFFDIO_REGISTER_MODE_MISSING),
      SyscallSucceeds());
  const int others = Send(uffd);
  const uint64_t source = Map(Other(), 1, Anonymous());
  EXPECT_THAT(Other().store(source, 1), SyscallSucceeds());
  Kill();
  (void)k_.RunUntilBlocked(victim_);
  EXPECT_THAT(Other().uffd_copy(others, anon, source, 4_KiB),
              SyscallFailsWithErrno(ESRCH));
}

// H22. Seen, with 594 MB: a reader that waits for a monitor keeps everything.
TEST_P(RareMemoryTest, AReaderOnAWatchedPagePinsWhatNobodyCanReapAnyMore) {
  const uint64_t watched = MapAnon(1);
  const uint64_t heap = MapAnon(64);
  EXPECT_THAT(Victim().touch(heap, 256_KiB), SyscallSucceeds());
  const int uffd = Uffd();
  EXPECT_THAT(Victim().uffd_register(uffd, watched, 4_KiB,
                                     UFFDIO_REGISTER_MODE_MISSING),
              SyscallSucceeds());
  const int sent =
      static_cast<int>(int64_t{Victim().send_fd(uffd, killer_.pid())});
  const pid_t pid = victim_.pid();
  k_.Begin(other_, [=](User user) { (void)user.peek(pid, watched); });
  EXPECT_EQ(k_.RunUntilBlocked(other_), Stepped::kBlocked);
  const Mm mm = victim_.mm();
  EXPECT_EQ(mm.users(), 2u);
  Kill();
  (void)k_.RunUntilBlocked(victim_);
  EXPECT_EQ(victim_.phase(), TaskPhase::kZombie);
  EXPECT_THAT(Release(), SyscallFailsWithErrno(ESRCH));
  EXPECT_EQ(mm.users(), 1u);
  EXPECT_EQ(mm.rss(MM_ANONPAGES), Pages(64 + 3));
  const uint64_t free_before = k_.free_pages();
  EXPECT_THAT(Killer().uffd_zeropage(sent, watched, 4_KiB), SyscallSucceeds());
  EXPECT_EQ(k_.Finish(other_), Stepped::kDone);
  EXPECT_EQ(k_.Result(other_).kernel(), 0) << "the zero page";
  EXPECT_GE(k_.free_pages(), free_before + 64);
}

// What a reaper takes away wakes nobody: the monitor has to.
TEST_P(RareMemoryTest, AReaderOfAProtectedPageSleepsOnThroughAReap) {
  const uint64_t anon = MapAnon(1);
  Store(anon, kStored);
  const int uffd = Uffd();
  EXPECT_THAT(
      Victim().uffd_register(uffd, anon, 4_KiB, UFFDIO_REGISTER_MODE_WP),
      SyscallSucceeds());
  EXPECT_THAT(Victim().uffd_writeprotect(uffd, anon, 4_KiB, true),
              SyscallSucceeds());
  const int sent =
      static_cast<int>(int64_t{Victim().send_fd(uffd, killer_.pid())});
  const pid_t pid = victim_.pid();
  k_.Begin(other_, [=](User user) { (void)user.poke(pid, anon, 7); });
  EXPECT_EQ(k_.RunUntilBlocked(other_), Stepped::kBlocked);
  KillAndReap();
  EXPECT_EQ(k_.RunUntilBlocked(other_), Stepped::kBlocked);
  EXPECT_FALSE(k_.Done(other_));
  EXPECT_THAT(Killer().uffd_wake(sent, anon, 4_KiB), SyscallSucceeds());
  EXPECT_EQ(k_.Finish(other_), Stepped::kDone);
  EXPECT_EQ(k_.Result(other_).kernel(), -EFAULT);
}

TEST_P(RareMemoryTest, ADyingTaskWaitsForNoMonitor) {
  const uint64_t head = MapAnon(kRobustHeadPages);
  const int uffd = Uffd();
  EXPECT_THAT(Victim().set_robust_list(head), SyscallSucceeds());
  EXPECT_THAT(
      Victim().uffd_register(uffd, head, 4_KiB, UFFDIO_REGISTER_MODE_MISSING),
      SyscallSucceeds());
  (void)Send(uffd);  // or the descriptor would go with the victim
  k_.Begin(victim_, [](User user) { (void)user.exit_group(0); });
  (void)k_.RunUntilBlocked(victim_);
  EXPECT_EQ(victim_.phase(), TaskPhase::kZombie);
}

// ---- Markers (S28) ---------------------------------------------------------

struct MarkerCase {
  const char* name;
  bool shmem;  // a private mapping of a memfd, or anonymous memory
  // Makes what is to be reaped at the page; false: this version has none.
  bool (*make)(RareMemoryTest&, User user, int uffd, uint64_t addr);
  uint64_t markers_before, markers_after;
};

bool Protect(User user, int uffd, uint64_t addr) {
  EXPECT_THAT(user.uffd_writeprotect(uffd, addr, 4_KiB, true),
              SyscallSucceeds());
  return true;
}
bool ProtectTouched(RareMemoryTest&, User user, int uffd, uint64_t addr) {
  EXPECT_THAT(user.store(addr, kStored), SyscallSucceeds());
  return Protect(user, uffd, addr);
}
bool ProtectRead(RareMemoryTest&, User user, int uffd, uint64_t addr) {
  EXPECT_THAT(user.load(addr), SyscallSucceeds());
  return Protect(user, uffd, addr);
}
bool ProtectEmpty(RareMemoryTest&, User user, int uffd, uint64_t addr) {
  return Protect(user, uffd, addr);
}
bool ProtectSwapped(RareMemoryTest&, User user, int uffd, uint64_t addr) {
  EXPECT_THAT(user.store(addr, kStored), SyscallSucceeds());
  (void)Protect(user, uffd, addr);
  EXPECT_THAT(user.madvise(addr, 4_KiB, MADV_PAGEOUT), SyscallSucceeds());
  return true;
}
bool Guard(RareMemoryTest&, User user, int, uint64_t addr) {
  EXPECT_THAT(user.madvise(addr, 4_KiB, kMadvGuardInstall), SyscallSucceeds());
  return true;
}
bool Poison(RareMemoryTest&, User user, int uffd, uint64_t addr) {
  EXPECT_THAT(user.uffd_poison(uffd, addr, 4_KiB),
              SyscallSucceedsWithValue(kPage));
  return true;
}

const MarkerCase kMarkerCases[] = {
    {"AnonProtected", false, ProtectTouched, 0, 0},
    {"AnonProtectedEmpty", false, ProtectEmpty, 1, 0},
    {"AnonProtectedSwapped", false, ProtectSwapped, 0, 0},
    // Seen: a marker takes the page's place.
    {"ShmemProtected", true, ProtectRead, 0, 1},
    {"ShmemProtectedCopied", true, ProtectTouched, 0, 1},
    {"ShmemProtectedEmpty", true, ProtectEmpty, 1, 1},
    {"ShmemProtectedSwapped", true, ProtectSwapped, 0, 1},
    // Seen: pagemap's bit 58 stays.
    {"AnonGuard", false, Guard, 1, 1},
    {"ShmemGuard", true, Guard, 1, 1},
    {"AnonPoison", false, Poison, 1, 0},
};

class MarkerTest : public RareMemoryTest {};

TEST_P(MarkerTest, AreKeptOrTakenAsTheKernelDoes) {
  for (const MarkerCase& c : kMarkerCases) {
    SCOPED_TRACE(c.name);
    Task& victim = k_.Spawn("marked");
    User user = k_.As(victim);
    uint64_t addr = 0;
    if (c.shmem) {
      const int memfd = static_cast<int>(int64_t{user.memfd_create(Pages(1))});
      addr = Map(user, 1, File(memfd).Private());
    } else {
      addr = Map(user, 1, Anonymous());
    }
    const int uffd = static_cast<int>(
        int64_t{user.userfaultfd(UFFD_FEATURE_WP_UNPOPULATED)});
    EXPECT_THAT(user.uffd_register(uffd, addr, 4_KiB, UFFDIO_REGISTER_MODE_WP),
                SyscallSucceeds());
    ASSERT_TRUE(c.make(*this, user, uffd, addr));
    const mm_struct* mm = victim.mm().raw();
    EXPECT_EQ(CountPages(mm, addr, addr + kPage).markers, c.markers_before);
    const int fd =
        static_cast<int>(int64_t{Killer().pidfd_open(victim.pid(), 0)});
    EXPECT_THAT(Killer().kill(victim.pid(), SIGKILL), SyscallSucceeds());
    EXPECT_THAT(Killer().process_mrelease(fd, 0), SyscallSucceeds());
    const PageCounts after = CountPages(mm, addr, addr + kPage);
    EXPECT_EQ(after.markers, c.markers_after);
    EXPECT_EQ(after.rss() + after.swap + after.zero, 0u);
  }
}

TEST_P(RareMemoryTest, OldUserfaultfdProtectsAnonymousMemoryOnly) {
  const int memfd = static_cast<int>(int64_t{Victim().memfd_create(Pages(1))});
  const uint64_t shmem = Map(Victim(), 1, File(memfd).Private());
  const uint64_t anon = MapAnon(1);
  const int uffd = Uffd();
  EXPECT_THAT(
      Victim().uffd_register(uffd, anon, 4_KiB, UFFDIO_REGISTER_MODE_WP),
      SyscallSucceeds());
  const SysResult of_shmem =
      Victim().uffd_register(uffd, shmem, 4_KiB, UFFDIO_REGISTER_MODE_WP);
  if (IsNew()) {
    EXPECT_THAT(of_shmem, SyscallSucceeds());
  } else {
    EXPECT_THAT(of_shmem, SyscallFailsWithErrno(EINVAL));
    EXPECT_THAT(Victim().userfaultfd(UFFD_FEATURE_WP_UNPOPULATED),
                SyscallFailsWithErrno(EINVAL));
  }
}

// Seen: no stale bytes here, because fault-around is off where userfaultfd
// protects, and finish_fault() looks at MMF_UNSTABLE.
TEST_P(MarkerTest, AProtectedFilePageIsLostInsteadOfStale) {
  const int file =
      static_cast<int>(int64_t{Victim().open_file(9, Pages(64), true)});
  const uint64_t cow = Map(Victim(), 64, File(file));
  const int64_t of_the_file = Victim().load(cow).kernel();
  const int uffd = Uffd(UFFD_FEATURE_WP_ASYNC);
  EXPECT_THAT(Victim().uffd_register(uffd, cow, Pages(64).bytes(),
                                     UFFDIO_REGISTER_MODE_WP),
              SyscallSucceeds());
  EXPECT_THAT(Victim().uffd_writeprotect(uffd, cow, Pages(64).bytes(), true),
              SyscallSucceeds());
  Store(cow, kStored);  // resolves its own fault
  EXPECT_NE(of_the_file, static_cast<int64_t>(kStored));
  KillAndReap();
  EXPECT_THAT(Killer().peek(victim_.pid(), cow), SyscallFailsWithErrno(EFAULT));
}

// ---- Pins, and requests in flight (X3, H12) --------------------------------

class InFlightTest : public RareMemoryTest {
 protected:
  InFlightTest() {
    buffer_ = MapAnon(4);
    EXPECT_THAT(Victim().touch(buffer_, 16_KiB), SyscallSucceeds());
    k_.BlockDriver(true);
    EXPECT_THAT(Victim().io_submit(buffer_, 8_KiB, 0x99),
                SyscallSucceedsWithValue(1));
  }
  uint64_t buffer_;
};

TEST_P(InFlightTest, PinnedPagesAreUnmappedButNotFreed) {
  const uint64_t before = k_.free_pages();
  const Pages rss = victim_.mm().rss(MM_ANONPAGES);
  KillAndReap();
  EXPECT_EQ(victim_.mm().rss(MM_ANONPAGES), Pages(0));
  EXPECT_EQ(k_.free_pages(), before + rss.raw() - 2)
      << "all but the two that the device may write to";
  k_.BlockDriver(false);
  k_.RunUntilIdle();
  EXPECT_GE(k_.free_pages(), before + rss.raw());
}

TEST_P(InFlightTest, ExitWaitsForTheDeviceAndNobodyCanReapMeanwhile) {
  Kill();
  const Mm mm = victim_.mm();
  EXPECT_EQ(k_.RunUntil(victim_, Point::kExitAio), Stepped::kAtPoint);
  EXPECT_EQ(k_.RunUntilBlocked(victim_), Stepped::kBlocked);
  EXPECT_EQ(victim_.raw()->__state, TASK_UNINTERRUPTIBLE);
  EXPECT_EQ(mm.users(), 0u);
  EXPECT_THAT(Release(), SyscallFailsWithErrno(ESRCH));
  EXPECT_GT(mm.rss(MM_ANONPAGES), Pages(0));
  k_.BlockDriver(false);
  k_.RunUntilIdle();
  EXPECT_EQ(victim_.phase(), TaskPhase::kZombie);
}

// The caller has mm_count only: it never waits there (S15).
TEST_P(InFlightTest, ACallerThatReapsInTimeDoesNotWait) {
  Kill();
  EXPECT_THAT(Release(), SyscallSucceeds());
  EXPECT_EQ(victim_.mm().users(), 1u);
}

// H12: v5.15-rc7 to v5.16, played on v6.18 with that one difference.
class PinnedUsersTest : public InFlightTest {};
TEST_P(PinnedUsersTest,
       ACallerThatPinsUsersWaitsForTheDeviceInTheVictimsPlace) {
  k_.engine().state()->differences.mrelease_pins_mm_users = true;
  Kill();
  const int fd = fd_;
  k_.Begin(killer_, [=](User user) { (void)user.process_mrelease(fd, 0); });
  ASSERT_EQ(k_.RunUntil(killer_, Point::kMreleaseWalk), Stepped::kAtPoint);
  (void)k_.RunUntilBlocked(victim_);
  EXPECT_EQ(victim_.phase(), TaskPhase::kZombie) << "it left the rest to us";
  EXPECT_EQ(k_.RunUntilBlocked(killer_), Stepped::kBlocked);
  EXPECT_EQ(killer_.raw()->thread->op.point, Point::kExitAio);
  EXPECT_EQ(killer_.raw()->__state, TASK_UNINTERRUPTIBLE);
  k_.BlockDriver(false);
  EXPECT_EQ(k_.Finish(killer_), Stepped::kDone);
  EXPECT_EQ(k_.Result(killer_).kernel(), 0);
}

TEST_P(InFlightTest, TheDeviceWritesToItsPageNotToWhoeverHasTheFrameNext) {
  KillAndReap();
  const uint64_t reused = Map(Other(), 512, Anonymous());
  EXPECT_THAT(Other().touch(reused, 2_MiB), SyscallSucceeds());
  k_.BlockDriver(false);
  k_.RunUntilIdle();
  for (uint64_t i = 0; i < 512; ++i) {
    ASSERT_THAT(Other().load(reused + i * kPage), SyscallSucceedsWithValue(1));
  }
}

TEST_P(RareMemoryTest, ADeviceReadArrivesInTheCallersMemory) {
  const uint64_t buffer = MapAnon(4);
  EXPECT_THAT(Victim().io_submit(buffer, 8_KiB, 0x99),
              SyscallSucceedsWithValue(1));
  EXPECT_THAT(Victim().load(buffer + kPage), SyscallSucceedsWithValue(0x99));
  EXPECT_THAT(Victim().load(buffer + 2 * kPage), SyscallSucceedsWithValue(0));
  EXPECT_THAT(Victim().io_submit(buffer, Pages(17).bytes(), 1),
              SyscallFailsWithErrno(EINVAL));
  EXPECT_THAT(Victim().munmap(buffer, 16_KiB), SyscallSucceeds());
  EXPECT_THAT(Victim().io_submit(buffer, 4_KiB, 1),
              SyscallFailsWithErrno(EFAULT));
}

// ---- Kernel threads that borrow the memory (H24) ---------------------------

TEST_P(RareMemoryTest, ABorrowingKernelThreadStandsInTheWay) {
  const uint64_t anon = MapAnon(1);
  Store(anon, kStored);
  Task& borrower = k_.LendMm(victim_);
  EXPECT_THAT(k_.As(borrower).get_user(anon),
              SyscallSucceedsWithValue(kStored));
  Kill();
  EXPECT_THAT(Release(), SyscallFailsWithErrno(EINVAL));
  EXPECT_EQ(k_.LastSharer(killer_), borrower.pid());
  EXPECT_FALSE(victim_.mm().unstable());
  k_.ReturnMm(borrower);
  EXPECT_THAT(Release(), SyscallSucceeds());
  EXPECT_EQ(victim_.mm().rss(MM_ANONPAGES), Pages(0));
}

// The OOM reaper takes the memory all the same. H3: what it took must not read
// as zeroes.
TEST_P(RareMemoryTest, ABorrowingKernelThreadReadsNoZeroesAfterTheOomReaper) {
  const uint64_t anon = MapAnon(1);
  Store(anon, kStored);
  Task& borrower = k_.LendMm(victim_);
  k_.Hold(victim_);
  k_.OomKill(victim_);
  k_.AdvanceTime(uint64_t{3'000'000'000});
  EXPECT_TRUE(victim_.mm().oom_skip());
  EXPECT_EQ(victim_.mm().rss(MM_ANONPAGES), Pages(0));
  EXPECT_THAT(k_.As(borrower).get_user(anon), SyscallFailsWithErrno(EFAULT));
}

// ---- Pages on their way ----------------------------------------------------

TEST_P(RareMemoryTest, APageThatMovesIsUnmappedAndTheMoverKeepsNothing) {
  const uint64_t anon = MapAnon(1);
  Store(anon, kStored);
  const uint64_t free_before = k_.free_pages();
  const pid_t pid = victim_.pid();
  k_.Begin(other_, [=](User user) { (void)user.move_page(pid, anon); });
  ASSERT_EQ(k_.RunUntil(other_, Point::kUnmapForMigration), Stepped::kAtPoint);
  EXPECT_EQ(Count(anon, 1).anon, 1u) << "it still counts as resident";
  KillAndReap();
  EXPECT_EQ(victim_.mm().rss(MM_ANONPAGES), Pages(0));
  EXPECT_EQ(Count(anon, 1).anon, 0u);
  EXPECT_EQ(k_.Finish(other_), Stepped::kDone);
  EXPECT_EQ(Count(anon, 1).anon, 0u) << "it must not come back";
  EXPECT_GE(k_.free_pages(), free_before + 1) << "both frames are free";
  EXPECT_THAT(k_.Conservation(), IsEmpty());
}

TEST_P(RareMemoryTest, APageMovesWithItsContents) {
  const uint64_t anon = MapAnon(2);
  Store(anon, kStored);
  const int memfd = static_cast<int>(int64_t{Victim().memfd_create(Pages(1))});
  const uint64_t shmem = Map(Victim(), 1, File(memfd).Shared());
  Store(shmem, kStored + 1);
  const pid_t pid = victim_.pid();
  EXPECT_THAT(Other().move_page(pid, anon), SyscallSucceeds());
  EXPECT_THAT(Other().move_page(pid, shmem), SyscallSucceeds());
  EXPECT_THAT(Victim().load(anon), SyscallSucceedsWithValue(kStored));
  EXPECT_THAT(Victim().load(shmem), SyscallSucceedsWithValue(kStored + 1));
  EXPECT_THAT(Victim().store(anon, 1), SyscallSucceeds());
  EXPECT_THAT(k_.Conservation(), IsEmpty());
  struct {
    const char* what;
    uint64_t addr;
    int error;
  } const kCases[] = {
      {"no page", anon + kPage, ENOENT},
      {"nothing mapped", anon + 1000 * kPage, EFAULT},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(Other().move_page(pid, c.addr), SyscallFailsWithErrno(c.error))
        << c.what;
  }
  EXPECT_THAT(Victim().fork(), SyscallSucceeds());
  EXPECT_THAT(Other().move_page(pid, anon), SyscallFailsWithErrno(EACCES));
}

TEST_P(InFlightTest, APinnedPageStaysWhereItIs) {
  EXPECT_THAT(Other().move_page(victim_.pid(), buffer_),
              SyscallFailsWithErrno(EAGAIN));
  EXPECT_THAT(Victim().load(buffer_), SyscallSucceedsWithValue(1));
  k_.BlockDriver(false);
  k_.RunUntilIdle();
  EXPECT_THAT(Victim().load(buffer_), SyscallSucceedsWithValue(0x99))
      << "where the device has written";
}

TEST_P(RareMemoryTest, AnAccessWaitsForAPageThatMoves) {
  const uint64_t anon = MapAnon(1);
  Store(anon, kStored);
  const pid_t pid = victim_.pid();
  k_.Begin(other_, [=](User user) { (void)user.move_page(pid, anon); });
  ASSERT_EQ(k_.RunUntil(other_, Point::kUnmapForMigration), Stepped::kAtPoint);
  k_.Begin(victim_, [=](User user) { (void)user.load(anon); });
  EXPECT_EQ(k_.RunUntilBlocked(victim_), Stepped::kBlocked);
  EXPECT_EQ(k_.Finish(other_), Stepped::kDone);
  EXPECT_EQ(k_.Finish(victim_), Stepped::kDone);
  EXPECT_EQ(k_.Result(victim_).kernel(), static_cast<int64_t>(kStored));
}

// ---- Device memory ---------------------------------------------------------

TEST_P(RareMemoryTest, PagesAtADeviceAreReleased) {
  struct {
    const char* what;
    bool exclusive;
  } const kCases[] = {{"private", false}, {"exclusive", true}};
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.what);
    Task& victim = k_.Spawn("gpu");
    User user = k_.As(victim);
    const uint64_t anon = Map(user, 2, Anonymous());
    for (const uint64_t addr : {anon, anon + kPage}) {
      EXPECT_THAT(user.store(addr, kStored), SyscallSucceeds());
      EXPECT_THAT(c.exclusive ? user.make_device_exclusive(addr)
                              : user.migrate_to_device(addr),
                  SyscallSucceeds());
    }
    const mm_struct* mm = victim.mm().raw();
    EXPECT_EQ(CountPages(mm, anon, anon + 2 * kPage).anon, 2u);
    EXPECT_THAT(k_.Conservation(), IsEmpty());
    EXPECT_THAT(user.load(anon + kPage), SyscallSucceedsWithValue(kStored))
        << "the CPU has it back";
    EXPECT_EQ(CountPages(mm, anon, anon + 2 * kPage).anon, 2u);
    const uint64_t free_before = k_.free_pages();
    const int fd =
        static_cast<int>(int64_t{Killer().pidfd_open(victim.pid(), 0)});
    EXPECT_THAT(Killer().kill(victim.pid(), SIGKILL), SyscallSucceeds());
    EXPECT_THAT(Killer().process_mrelease(fd, 0), SyscallSucceeds());
    EXPECT_EQ(victim.mm().rss(MM_ANONPAGES), Pages(0));
    EXPECT_EQ(CountPages(mm, anon, anon + 2 * kPage).anon, 0u);
    EXPECT_GE(k_.free_pages(), free_before + 2);
    EXPECT_THAT(k_.Conservation(), IsEmpty());
  }
}

TEST_P(RareMemoryTest, ForkTakesAPageBackFromTheDevice) {
  const uint64_t anon = MapAnon(2);
  Store(anon, kStored);
  Store(anon + kPage, kStored);
  EXPECT_THAT(Victim().make_device_exclusive(anon), SyscallSucceeds());
  EXPECT_THAT(Victim().migrate_to_device(anon + kPage), SyscallSucceeds());
  Task& child = k_.TaskOf(static_cast<pid_t>(int64_t{Victim().fork()}));
  EXPECT_THAT(k_.Conservation(), IsEmpty());
  EXPECT_THAT(k_.As(child).load(anon), SyscallSucceedsWithValue(kStored));
  EXPECT_THAT(k_.As(child).load(anon + kPage),
              SyscallSucceedsWithValue(kStored));
  EXPECT_THAT(k_.As(child).store(anon, 1), SyscallSucceeds());
  EXPECT_THAT(Victim().load(anon), SyscallSucceedsWithValue(kStored));
}

// migrate_vma_insert_page() looks at MMF_UNSTABLE, under the entry's lock.
TEST_P(RareMemoryTest, ADeviceMakesNoNewPagesInReapedMemory) {
  const uint64_t anon = MapAnon(2);
  EXPECT_THAT(Victim().migrate_to_device(anon), SyscallSucceeds());
  EXPECT_EQ(Count(anon, 1).anon, 1u) << "a page that was never on the CPU";
  const uint64_t second = anon + kPage;
  k_.Begin(victim_, [=](User user) { (void)user.migrate_to_device(second); });
  ASSERT_EQ(k_.RunUntil(victim_, Point::kSyscallEntry), Stepped::kAtPoint);
  KillAndReap();
  EXPECT_EQ(k_.RunUntil(victim_, Point::kDeliverSignal), Stepped::kAtPoint);
  EXPECT_EQ(victim_.raw()->program.result, -EINVAL);
  EXPECT_EQ(Count(anon, 2).anon, 0u);
}

// ---- KSM -------------------------------------------------------------------

class KsmTest : public RareMemoryTest {
 protected:
  // A page that may be merged, with that word.
  uint64_t Mergeable(User user, uint64_t word) {
    const uint64_t addr = Map(user, 1, Anonymous());
    EXPECT_THAT(user.store(addr, word), SyscallSucceeds());
    EXPECT_THAT(user.madvise(addr, 4_KiB, MADV_MERGEABLE), SyscallSucceeds());
    return addr;
  }
  void Scan(bool use_zero_pages = false) {
    (void)k_.StartKsm(use_zero_pages);
    k_.RunUntilIdle();
  }
};

TEST_P(KsmTest, AMergedPageIsUnmappedAndOthersKeepIt) {
  const uint64_t mine = Mergeable(Victim(), kStored);
  const uint64_t theirs = Mergeable(Other(), kStored);
  const uint64_t different = Mergeable(Other(), kStored + 1);
  const uint64_t free_before = k_.free_pages();
  Scan();
  EXPECT_EQ(k_.free_pages(), free_before + 1) << "two pages share a frame";
  EXPECT_THAT(k_.Conservation(), IsEmpty());
  EXPECT_EQ(Count(mine, 1).anon, 1u);
  KillAndReap();
  EXPECT_EQ(Count(mine, 1).anon, 0u);
  EXPECT_EQ(victim_.mm().rss(MM_ANONPAGES), Pages(0));
  EXPECT_THAT(Other().load(theirs), SyscallSucceedsWithValue(kStored));
  EXPECT_THAT(Other().load(different), SyscallSucceedsWithValue(kStored + 1));
  // A later scan merges with what is still there, not with what is gone.
  const uint64_t late = Mergeable(Killer(), kStored);
  Scan();
  EXPECT_THAT(Killer().store(late, 9), SyscallSucceeds());
  EXPECT_THAT(Other().load(theirs), SyscallSucceedsWithValue(kStored));
}

TEST_P(KsmTest, AWriteOrAdviceUndoesTheMerge) {
  const uint64_t mine = Mergeable(Victim(), kStored);
  const uint64_t theirs = Mergeable(Other(), kStored);
  Scan();
  const uint64_t free_before = k_.free_pages();
  EXPECT_THAT(Other().madvise(theirs, 4_KiB, MADV_UNMERGEABLE),
              SyscallSucceeds());
  EXPECT_EQ(k_.free_pages(), free_before - 1);
  EXPECT_THAT(Victim().store(mine, 1), SyscallSucceeds());
  EXPECT_THAT(Other().load(theirs), SyscallSucceedsWithValue(kStored));
  Scan();
  EXPECT_THAT(k_.Conservation(), IsEmpty());
}

TEST_P(KsmTest, PinnedAndSharedPagesAreLeftAlone) {
  const uint64_t mine = Mergeable(Victim(), kStored);
  (void)Mergeable(Other(), kStored);
  EXPECT_THAT(Other().fork(), SyscallSucceeds());
  k_.BlockDriver(true);
  EXPECT_THAT(Victim().io_submit(mine, 4_KiB, 7), SyscallSucceedsWithValue(1));
  const uint64_t free_before = k_.free_pages();
  Scan();
  EXPECT_EQ(k_.free_pages(), free_before);
}

TEST_P(KsmTest, ZeroPagesThatItPlacedAreCountedDownByAReap) {
  const bool counts = k_.differences().ksm_counts_zero_pages;
  const uint64_t written = Mergeable(Victim(), 0);
  const uint64_t reaped = Mergeable(Victim(), 0);
  // The real zero page of somebody who only reads is not one of them.
  const uint64_t read = MapAnon(1);
  EXPECT_THAT(Victim().load(read), SyscallSucceedsWithValue(0));
  const Pages before = victim_.mm().rss(MM_ANONPAGES);
  Scan(/*use_zero_pages=*/true);
  EXPECT_EQ(victim_.mm().rss(MM_ANONPAGES), before - Pages(2));
  EXPECT_EQ(Count(reaped, 1).zero, 1u);
  EXPECT_EQ(k_.mm().ksm_zero_pages, counts ? 2u : 0u);
  EXPECT_THAT(Victim().store(written, 5), SyscallSucceeds());
  EXPECT_EQ(k_.mm().ksm_zero_pages, counts ? 1u : 0u);
  EXPECT_EQ(victim_.mm().raw()->ksm_zero_pages, counts ? 1u : 0u);
  KillAndReap();
  EXPECT_EQ(Count(reaped, 1).zero, 0u);
  EXPECT_EQ(k_.mm().ksm_zero_pages, 0u);
  EXPECT_EQ(victim_.mm().raw()->ksm_zero_pages, 0u);
}

TEST_P(KsmTest, AForkCountsItsZeroPagesToo) {
  (void)Mergeable(Victim(), 0);
  Scan(/*use_zero_pages=*/true);
  Task& child = k_.TaskOf(static_cast<pid_t>(int64_t{Victim().fork()}));
  const uint64_t placed = k_.mm().ksm_zero_pages;
  EXPECT_EQ(placed, k_.differences().ksm_counts_zero_pages ? 2u : 0u);
  EXPECT_THAT(Killer().kill(child.pid(), SIGKILL), SyscallSucceeds());
  k_.RunUntilIdle();
  EXPECT_EQ(k_.mm().ksm_zero_pages, placed / 2);
}

// The mm's end waits while ksmd is inside, and a scan leaves the dead alone.
TEST_P(KsmTest, ExitWaitsForAScanThatIsAtWork) {
  (void)Mergeable(Victim(), kStored);
  Task& ksmd = k_.StartKsm();
  ASSERT_EQ(k_.RunUntil(ksmd, Point::kKsmScan), Stepped::kAtPoint);
  const Mm mm = victim_.mm();
  Kill();
  EXPECT_EQ(k_.RunUntilBlocked(victim_), Stepped::kBlocked);
  EXPECT_EQ(mm.users(), 0u);
  EXPECT_GT(mm.rss(MM_ANONPAGES), Pages(0));
  EXPECT_THAT(Release(), SyscallFailsWithErrno(ESRCH));
  k_.RunUntilIdle();
  EXPECT_EQ(victim_.phase(), TaskPhase::kZombie);
}

// ---- Drivers' mappings, secret memory, hugetlb -----------------------------

struct KindCase {
  const char* name;
  // Maps one page, or 2 MiB, in the victim.
  SysResult (*map)(User user);
  bool huge;
  // Whether the reapers of v5.15-rc1 and of v6.18 take it.
  bool old_takes, new_takes;
  int counter;  // in which it counts, or -1
};

int OpenFd(const SysResult& fd) {
  EXPECT_THAT(fd, SyscallSucceeds());
  return static_cast<int>(fd.kernel());
}
template <DeviceMemory kKind, bool kShared>
SysResult MapDeviceMemory(User user) {
  const int fd = OpenFd(user.open_device(Pages(1), kKind));
  return user.mmap(4_KiB, kShared ? File(fd).Shared() : File(fd).ReadOnly());
}
SysResult MapSecret(User user) {
  const int fd = OpenFd(user.memfd_secret(Pages(1)));
  const SysResult addr = user.mmap(4_KiB, File(fd).Shared());
  EXPECT_THAT(user.store(static_cast<uint64_t>(addr.kernel()), 1),
              SyscallSucceeds());
  return addr;
}
SysResult MapSecretReadOnly(User user) {
  const int fd = OpenFd(user.memfd_secret(Pages(1)));
  const SysResult writable = user.mmap(4_KiB, File(fd).Shared());
  EXPECT_THAT(user.store(static_cast<uint64_t>(writable.kernel()), 1),
              SyscallSucceeds());
  const int again = OpenFd(user.reopen(fd, false, /*read_only=*/true));
  const SysResult addr = user.mmap(4_KiB, File(again).Shared().ReadOnly());
  EXPECT_THAT(user.load(static_cast<uint64_t>(addr.kernel())),
              SyscallSucceeds());
  return addr;
}
SysResult MapHugetlb(User user) {
  const SysResult addr = user.mmap(2_MiB, Anonymous().With(MAP_HUGETLB));
  EXPECT_THAT(user.store(static_cast<uint64_t>(addr.kernel()), 1),
              SyscallSucceeds());
  return addr;
}

const KindCase kKindCases[] = {
    {"PfnmapShared", MapDeviceMemory<DeviceMemory::kPfnmap, true>, false, false,
     false, -1},
    {"PfnmapPrivate", MapDeviceMemory<DeviceMemory::kPfnmap, false>, false,
     false, false, -1},
    {"MixedmapPfnShared", MapDeviceMemory<DeviceMemory::kMixedmapPfn, true>,
     false, false, false, -1},
    {"MixedmapPfnPrivate", MapDeviceMemory<DeviceMemory::kMixedmapPfn, false>,
     false, true, true, -1},
    {"MixedmapPageShared", MapDeviceMemory<DeviceMemory::kMixedmapPage, true>,
     false, false, false, MM_FILEPAGES},
    {"MixedmapPagePrivate", MapDeviceMemory<DeviceMemory::kMixedmapPage, false>,
     false, true, true, MM_FILEPAGES},
    {"Secret", MapSecret, false, false, false, MM_FILEPAGES},
    // Shared, mlocked, and without VM_SHARED: mlocked memory is spared by old
    // reapers only.
    {"SecretReadOnly", MapSecretReadOnly, false, false, true, MM_FILEPAGES},
    {"Hugetlb", MapHugetlb, true, false, false, -1},
};

uint64_t Mapped(const PageCounts& counts) {
  return counts.rss() + counts.special + counts.hugetlb;
}

TEST_P(RareMemoryTest, KindsOfMemoryAreTakenOrKeptAsTheKernelDoes) {
  for (const KindCase& c : kKindCases) {
    SCOPED_TRACE(c.name);
    Task& victim = k_.Spawn("kind");
    const SysResult mapped = c.map(k_.As(victim));
    EXPECT_THAT(mapped, SyscallSucceeds());
    const auto addr = static_cast<uint64_t>(mapped.kernel());
    const uint64_t pages = c.huge ? 512 : 1;
    const mm_struct* mm = victim.mm().raw();
    const uint64_t end = addr + pages * kPage;
    EXPECT_EQ(Mapped(CountPages(mm, addr, end)), pages);
    const Pages counted = c.counter < 0 ? Pages(0) : victim.mm().rss(c.counter);
    EXPECT_THAT(k_.Conservation(), IsEmpty());
    const int fd =
        static_cast<int>(int64_t{Killer().pidfd_open(victim.pid(), 0)});
    EXPECT_THAT(Killer().kill(victim.pid(), SIGKILL), SyscallSucceeds());
    EXPECT_THAT(Killer().process_mrelease(fd, 0), SyscallSucceeds());
    const bool taken = IsNew() ? c.new_takes : c.old_takes;
    EXPECT_EQ(Mapped(CountPages(mm, addr, end)), taken ? 0 : pages);
    if (c.counter >= 0) {
      // The image's pages go, too.
      EXPECT_LT(victim.mm().rss(c.counter), counted);
    }
    EXPECT_THAT(k_.Conservation(), IsEmpty());
  }
}

TEST_P(RareMemoryTest, ADriversMemoryDoesNotComeBack) {
  const int fd =
      OpenFd(Victim().open_device(Pages(1), DeviceMemory::kMixedmapPage));
  const uint64_t addr = Map(Victim(), 1, File(fd).ReadOnly());
  EXPECT_THAT(Killer().peek(victim_.pid(), addr), SyscallSucceedsWithValue(0));
  KillAndReap();
  EXPECT_THAT(Killer().peek(victim_.pid(), addr),
              SyscallFailsWithErrno(EFAULT));
}

TEST_P(RareMemoryTest, NobodyElseReadsSecretMemory) {
  const auto addr = static_cast<uint64_t>(MapSecret(Victim()).kernel());
  EXPECT_THAT(Killer().peek(victim_.pid(), addr),
              SyscallFailsWithErrno(EFAULT));
  EXPECT_THAT(Victim().io_submit(addr, 4_KiB, 1),
              SyscallFailsWithErrno(EFAULT));
}

// ---- Memory that reclaim may drop ------------------------------------------

TEST_P(RareMemoryTest, FreedPagesAreDroppedUnlessTheyAreWrittenToAgain) {
  const uint64_t anon = MapAnon(2);
  Store(anon, kStored);
  Store(anon + kPage, kStored);
  EXPECT_THAT(Victim().madvise(anon, 8_KiB, MADV_FREE), SyscallSucceeds());
  Store(anon + kPage, kStored + 1);
  EXPECT_THAT(Victim().madvise(anon, 8_KiB, MADV_PAGEOUT), SyscallSucceeds());
  EXPECT_EQ(Count(anon, 1).rss() + Count(anon, 1).swap, 0u);
  EXPECT_EQ(Count(anon + kPage, 1).anon, 1u);
  EXPECT_THAT(Victim().madvise(anon, 8_KiB, MADV_PAGEOUT), SyscallSucceeds());
  EXPECT_EQ(Count(anon + kPage, 1).swap, 1u) << "now it is worth swap";
  EXPECT_THAT(Victim().load(anon), SyscallSucceedsWithValue(0));
  EXPECT_THAT(Victim().load(anon + kPage),
              SyscallSucceedsWithValue(kStored + 1));
}

TEST_P(RareMemoryTest, FreedPagesAreReleasedLikeOthers) {
  const uint64_t anon = MapAnon(1);
  Store(anon, kStored);
  EXPECT_THAT(Victim().madvise(anon, 4_KiB, MADV_FREE), SyscallSucceeds());
  KillAndReap();
  EXPECT_EQ(Count(anon, 1).anon, 0u);
  EXPECT_EQ(victim_.mm().rss(MM_ANONPAGES), Pages(0));
}

TEST_P(RareMemoryTest, DroppableMemoryIsReleasedLikeOther) {
  const SysResult mapped = Victim().mmap(8_KiB, Droppable());
  if (!k_.differences().has_droppable) {
    EXPECT_THAT(mapped, SyscallFailsWithErrno(EINVAL));
    return;
  }
  // Seen on v6.18: each of these.
  EXPECT_THAT(mapped, SyscallSucceeds());
  EXPECT_THAT(Victim().mmap(8_KiB, Droppable().Locked()),
              SyscallFailsWithErrno(EINVAL));
  const auto addr = static_cast<uint64_t>(mapped.kernel());
  EXPECT_THAT(Victim().madvise(addr, 4_KiB, MADV_KEEPONFORK),
              SyscallFailsWithErrno(EINVAL));
  EXPECT_THAT(Victim().mlock(addr, 4_KiB), SyscallSucceeds());
  EXPECT_EQ(victim_.mm().locked(), Pages(0)) << "passed over";
  Store(addr, kStored);
  EXPECT_THAT(Victim().madvise(addr, 4_KiB, MADV_PAGEOUT), SyscallSucceeds());
  EXPECT_THAT(Victim().load(addr), SyscallSucceedsWithValue(0)) << "dropped";
  Store(addr, kStored);
  EXPECT_EQ(Count(addr, 1).anon, 1u);
  KillAndReap();
  EXPECT_EQ(Count(addr, 1).anon, 0u);
}

// ---- Swap of shared memory -------------------------------------------------

TEST_P(RareMemoryTest, SwapOfSharedMemoryIsTheObjectsAndStays) {
  const int memfd = static_cast<int>(int64_t{Victim().memfd_create(Pages(2))});
  const uint64_t shared = Map(Victim(), 2, File(memfd).Shared());
  Store(shared, kStored);
  EXPECT_THAT(Victim().madvise(shared, 4_KiB, MADV_PAGEOUT), SyscallSucceeds());
  const uint64_t copy = Map(Victim(), 2, File(memfd).Private());
  const auto swap_of = [&](uint64_t start) {
    for (const VmaReport& vma : ReportMemory(victim_.mm().raw()).vmas) {
      if (vma.start == start) return vma.swap;
    }
    return ~uint64_t{0};
  };
  EXPECT_EQ(swap_of(shared), kPage);
  EXPECT_EQ(swap_of(copy), kPage) << "it would read the object's";
  EXPECT_EQ(ReportMemory(victim_.mm().raw()).swap, 0u) << "VmSwap";
  KillAndReap();
  EXPECT_EQ(swap_of(shared), kPage);
  EXPECT_THAT(Killer().peek(victim_.pid(), shared),
              SyscallSucceedsWithValue(kStored));
  EXPECT_EQ(swap_of(shared), 0u) << "it is back";
}

TEST_P(RareMemoryTest, MlockallLocksAllThatWillBeReaped) {
  EXPECT_THAT(Victim().mlockall(MCL_CURRENT | MCL_FUTURE), SyscallSucceeds());
  const uint64_t anon = MapAnon(1);
  EXPECT_EQ(Count(anon, 1).anon, 1u) << "faulted in at once";
  const Pages locked = victim_.mm().locked();
  KillAndReap();
  EXPECT_EQ(Count(anon, 1).anon, IsNew() ? 0u : 1u);
  EXPECT_EQ(victim_.mm().locked(), locked);
}

INSTANTIATE_TEST_SUITE_P(, RareMemoryTest,
                         ::testing::Values("v5.15-rc1", "v6.18"), VersionName);
INSTANTIATE_TEST_SUITE_P(, RobustFutexTest,
                         ::testing::Values("v5.15-rc1", "v6.18"), VersionName);
INSTANTIATE_TEST_SUITE_P(, PipeWriteTest,
                         ::testing::Values("v5.15-rc1", "v6.18"), VersionName);
// v5.15-rc1 has no markers.
INSTANTIATE_TEST_SUITE_P(, MarkerTest, ::testing::Values("v6.18"), VersionName);
INSTANTIATE_TEST_SUITE_P(, InFlightTest,
                         ::testing::Values("v5.15-rc1", "v6.18"), VersionName);
INSTANTIATE_TEST_SUITE_P(, KsmTest, ::testing::Values("v5.15-rc1", "v6.18"),
                         VersionName);
INSTANTIATE_TEST_SUITE_P(, PinnedUsersTest, ::testing::Values("v6.18"),
                         VersionName);

}  // namespace
}  // namespace reapsim
