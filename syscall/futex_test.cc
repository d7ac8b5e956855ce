// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/futex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::IsEmpty;

constexpr uint64_t kPage = 4096;

// Two processes with a page of shared memory each knows by an address of its
// own, and private memory.
class FutexTest : public ::testing::Test {
 protected:
  FutexTest() {
    // A mapping more, so that the addresses differ.
    (void)A().mmap(64_KiB, Anonymous());
    const int fd = static_cast<int>(int64_t{A().memfd_create(Pages(2))});
    const int sent = static_cast<int>(int64_t{A().send_fd(fd, b_.pid())});
    in_a_ = Map(A(), File(fd).Shared());
    in_b_ = Map(B(), File(sent).Shared());
    private_ = Map(A(), Anonymous());
  }
  static uint64_t Map(User user, const Mapping& mapping) {
    return static_cast<uint64_t>(user.mmap(8_KiB, mapping).kernel());
  }
  User A() { return k_.As(a_); }
  User B() { return k_.As(b_); }
  void Sleep(Task& task, uint64_t addr, uint64_t value) {
    k_.Begin(task, [=](User user) { (void)user.futex_wait(addr, value); });
    EXPECT_EQ(k_.RunUntilBlocked(task), Stepped::kBlocked);
    EXPECT_EQ(task.raw()->__state, TASK_INTERRUPTIBLE);
  }
  void TearDown() override { EXPECT_THAT(k_.Shutdown(), IsEmpty()); }

  Kernel k_;
  Task& a_ = k_.Spawn("a");
  Task& b_ = k_.Spawn("b");
  uint64_t in_a_, in_b_, private_;
};

TEST_F(FutexTest, IsTheSameWhereverTheFileIsMapped) {
  ASSERT_NE(in_a_, in_b_);
  Sleep(a_, in_a_, 0);
  EXPECT_THAT(B().futex_wake(in_b_ + kPage, 1), SyscallSucceedsWithValue(0));
  EXPECT_THAT(B().futex_wake(in_b_, 5), SyscallSucceedsWithValue(1));
  EXPECT_EQ(k_.Finish(a_), Stepped::kDone);
  EXPECT_EQ(k_.Result(a_).kernel(), 0);
  EXPECT_THAT(B().futex_wake(in_b_, 1), SyscallSucceedsWithValue(0));
}

TEST_F(FutexTest, OfPrivateMemoryIsTheProcessesOwn) {
  const uint64_t same_address = Map(B(), Anonymous());
  Sleep(a_, private_, 0);
  EXPECT_THAT(B().futex_wake(same_address, 1), SyscallSucceedsWithValue(0));
  Task& thread = k_.TaskOf(
      static_cast<pid_t>(B().getpid().kernel()));  // not a thread of A
  EXPECT_THAT(k_.As(thread).futex_wake(same_address, 1),
              SyscallSucceedsWithValue(0));
  EXPECT_THAT(B().kill(a_.pid(), SIGKILL), SyscallSucceeds());
}

TEST_F(FutexTest, WaitsOnlyWhileTheWordIsWhatTheCallerSaw) {
  EXPECT_THAT(A().store(in_a_, 7), SyscallSucceeds());
  EXPECT_THAT(A().futex_wait(in_a_, 6), SyscallFailsWithErrno(EAGAIN));
}

TEST_F(FutexTest, WakesThoseFirstWhoSleptFirstAndNoMoreThanAsked) {
  Task& c = k_.TaskOf(static_cast<pid_t>(A().clone_vm().kernel()));
  Sleep(c, in_a_, 0);
  Sleep(b_, in_b_, 0);
  EXPECT_THAT(A().futex_wake(in_a_, 1), SyscallSucceedsWithValue(1));
  EXPECT_EQ(k_.RunUntilBlocked(b_), Stepped::kBlocked);
  EXPECT_FALSE(k_.Done(b_));
  EXPECT_EQ(k_.Finish(c), Stepped::kDone);
  EXPECT_THAT(A().futex_wake(in_a_, 1), SyscallSucceedsWithValue(1));
  EXPECT_EQ(k_.Finish(b_), Stepped::kDone);
}

TEST_F(FutexTest, CanNotBeTakenWhereNothingIsMapped) {
  EXPECT_THAT(A().munmap(private_, 8_KiB), SyscallSucceeds());
  EXPECT_THAT(A().futex_wait(private_, 0), SyscallFailsWithErrno(EFAULT));
  EXPECT_THAT(A().futex_wake(private_, 1), SyscallFailsWithErrno(EFAULT));
}

TEST_F(FutexTest, ASignalEndsTheSleepAndTheQueueForgetsTheSleeper) {
  EXPECT_THAT(A().sigaction(SIGUSR1, SigDisposition::kHandler),
              SyscallSucceeds());
  Sleep(a_, in_a_, 0);
  EXPECT_THAT(B().kill(a_.pid(), SIGUSR1), SyscallSucceeds());
  EXPECT_EQ(k_.Finish(a_), Stepped::kDone);
  EXPECT_EQ(k_.Result(a_).kernel(), -EINTR);
  EXPECT_THAT(B().futex_wake(in_b_, 1), SyscallSucceedsWithValue(0));
}

// ---- Robust lists ----------------------------------------------------------

// A list of locks in private memory of process a, each with its word in the
// page after its entry.
class RobustListTest : public FutexTest {
 protected:
  static constexpr int kLocks = 3;
  RobustListTest() {
    head_ = static_cast<uint64_t>(
        A().mmap(Bytes((kRobustHeadPages + 2 * kLocks) * kPage), Anonymous())
            .kernel());
    // Another process looks at the words when a is dead.
    twin_ = &k_.TaskOf(static_cast<pid_t>(A().clone_vm().kernel()));
    Store(head_ + kRobustFutexOffset, kPage);
    Store(head_ + kRobustListOpPending, 0);
    uint64_t link = head_ + kRobustListNext;
    for (int i = 0; i < kLocks; ++i) {
      Store(link, Entry(i));
      Store(Word(i), static_cast<uint64_t>(a_.pid()));
      link = Entry(i);
    }
    Store(link, head_);
    EXPECT_THAT(A().set_robust_list(head_), SyscallSucceeds());
  }
  uint64_t Entry(int i) const {
    return head_ + (kRobustHeadPages + 2 * static_cast<uint64_t>(i)) * kPage;
  }
  uint64_t Word(int i) const { return Entry(i) + kPage; }
  void Store(uint64_t addr, uint64_t word) {
    EXPECT_THAT(A().store(addr, word), SyscallSucceeds());
  }
  void Die() {
    EXPECT_THAT(B().kill(a_.pid(), SIGKILL), SyscallSucceeds());
    (void)k_.RunUntilBlocked(a_);
    EXPECT_EQ(a_.phase(), TaskPhase::kZombie);
  }
  std::vector<uint64_t> Words() {
    std::vector<uint64_t> words;
    for (int i = 0; i < kLocks; ++i) {
      words.push_back(
          static_cast<uint64_t>(k_.As(*twin_).load(Word(i)).kernel()));
    }
    return words;
  }
  uint64_t Mine() const { return static_cast<uint64_t>(a_.pid()); }

  uint64_t head_;
  Task* twin_;
};

TEST_F(RobustListTest, TellsOfEachLockOnIt) {
  Die();
  EXPECT_EQ(Words(), std::vector<uint64_t>(kLocks, FUTEX_OWNER_DIED));
}

TEST_F(RobustListTest, TellsAlsoOfTheLockThatWasBeingTaken) {
  Store(Entry(0), head_);  // a list of one
  Store(head_ + kRobustListOpPending, Entry(2));
  Die();
  EXPECT_EQ(Words(), (std::vector<uint64_t>{FUTEX_OWNER_DIED, Mine(),
                                            FUTEX_OWNER_DIED}));
}

TEST_F(RobustListTest, WakesAWaiterOfALockThatWasBeingReleased) {
  Store(head_ + kRobustListNext, head_);
  Store(head_ + kRobustListOpPending, Entry(1));
  Store(Word(1), 0);
  Sleep(*twin_, Word(1), 0);
  Die();
  EXPECT_EQ(k_.Finish(*twin_), Stepped::kDone) << "it was woken";
  EXPECT_EQ(Words()[1], 0u);
}

TEST_F(RobustListTest, StopsWhereItCanNotBeRead) {
  // The second lock's entry, not its word, is gone.
  EXPECT_THAT(A().munmap(Entry(1), 4_KiB), SyscallSucceeds());
  Die();
  EXPECT_EQ(Words(), (std::vector<uint64_t>{FUTEX_OWNER_DIED, FUTEX_OWNER_DIED,
                                            Mine()}));
}

TEST_F(RobustListTest, StopsAtALockThatCanNotBeWritten) {
  EXPECT_THAT(A().mprotect(Word(0), 4_KiB, PROT_READ), SyscallSucceeds());
  Die();
  EXPECT_EQ(Words(), std::vector<uint64_t>(kLocks, Mine()));
}

TEST_F(RobustListTest, IsNoTrapIfItIsARing) {
  Store(Entry(2), Entry(0));
  Die();
  EXPECT_EQ(Words(), std::vector<uint64_t>(kLocks, FUTEX_OWNER_DIED));
}

TEST_F(RobustListTest, IsSettledByExecToo) {
  EXPECT_THAT(A().execve(), SyscallSucceeds());
  EXPECT_EQ(Words(), std::vector<uint64_t>(kLocks, FUTEX_OWNER_DIED));
  EXPECT_EQ(a_.raw()->robust_list, 0u);
}

}  // namespace
}  // namespace reapsim
