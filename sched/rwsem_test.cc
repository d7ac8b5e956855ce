// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/rwsem.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "sched/task.h"
#include "sched/testing.h"

namespace reapsim {
namespace {

// Steps of tasks: R takes for read, W for write; each then stops at kWait
// until it is let go, and releases.
struct Lock {
  rw_semaphore sem;
  bool go[8] = {};
  int result[8] = {};
  bool in[8] = {};
};

class RwsemTest : public ::testing::Test {
 protected:
  enum Kind { kRead, kWrite, kReadKillable, kWriteKillable, kTryRead };

  task_struct* Add(int i, Kind kind) {
    Lock* lock = lock_;
    return world_.Add([lock, i, kind]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      bool write = false;
      int error = 0;
      switch (kind) {
        case kRead:
          down_read(&lock->sem);
          break;
        case kWrite:
          down_write(&lock->sem);
          write = true;
          break;
        case kReadKillable:
          error = down_read_killable(&lock->sem);
          break;
        case kWriteKillable:
          error = down_write_killable(&lock->sem);
          write = true;
          break;
        case kTryRead:
          error = down_read_trylock(&lock->sem) ? 0 : -EAGAIN;
          break;
      }
      lock->result[i] = error;
      if (error != 0) return;
      lock->in[i] = true;
      WaitUntil(Point::kWait, Access::kRead, 0,
                [lock, i] { return lock->go[i]; });
      lock->in[i] = false;
      write ? up_write(&lock->sem) : up_read(&lock->sem);
    });
  }
  void LetGo(int i, task_struct* task) {
    lock_->go[i] = true;
    EXPECT_EQ(world_.Step(task), Stop::kFinished);
  }
  static void Kill(task_struct* task) {
    task->pending |= SigBit(SIGKILL);
    task->thread_flags |= TIF_SIGPENDING;
  }

  BareWorld world_;
  Lock* lock_ = world_.New<Lock>();
};

TEST_F(RwsemTest, ReadersShareAndAWriterIsAlone) {
  task_struct* r0 = Add(0, kRead);
  task_struct* r1 = Add(1, kRead);
  task_struct* w2 = Add(2, kWrite);
  EXPECT_EQ(world_.Step(r0), Stop::kBlocked);
  EXPECT_EQ(world_.Step(r1), Stop::kBlocked);
  EXPECT_TRUE(lock_->in[0] && lock_->in[1]);
  EXPECT_EQ(world_.Step(w2), Stop::kBlocked);
  EXPECT_FALSE(lock_->in[2]);
  LetGo(0, r0);
  EXPECT_FALSE(world_.CanRun(w2)) << "one reader is left";
  LetGo(1, r1);
  ASSERT_TRUE(world_.CanRun(w2));
  EXPECT_EQ(world_.Step(w2), Stop::kBlocked);
  EXPECT_TRUE(lock_->in[2]);
  LetGo(2, w2);
  EXPECT_FALSE(rwsem_is_locked(&lock_->sem));
}

TEST_F(RwsemTest, AWaitingWriterStopsNewReaders) {
  task_struct* r0 = Add(0, kRead);
  task_struct* w1 = Add(1, kWrite);
  task_struct* r2 = Add(2, kRead);
  world_.Step(r0);
  world_.Step(w1);
  EXPECT_EQ(world_.Step(r2), Stop::kBlocked);
  EXPECT_FALSE(lock_->in[2]) << "a reader holds it, a writer waits";
  LetGo(0, r0);
  EXPECT_TRUE(world_.CanRun(w1));
  EXPECT_FALSE(world_.CanRun(r2));
  world_.Step(w1);
  LetGo(1, w1);
  EXPECT_TRUE(world_.CanRun(r2));
  world_.Step(r2);
  LetGo(2, r2);
}

TEST_F(RwsemTest, AWaitingWriterAloneMakesTheTrylockFail) {
  task_struct* r0 = Add(0, kRead);
  task_struct* w1 = Add(1, kWrite);
  task_struct* t2 = Add(2, kTryRead);
  world_.Step(r0);
  world_.Step(w1);
  EXPECT_EQ(world_.Step(t2), Stop::kFinished);
  EXPECT_EQ(lock_->result[2], -EAGAIN);
  LetGo(0, r0);
  world_.Step(w1);
  LetGo(1, w1);
}

TEST_F(RwsemTest, AReaderStealsAFreeLockFromTheWaitingWriter) {
  task_struct* r0 = Add(0, kRead);
  task_struct* w1 = Add(1, kWrite);
  task_struct* r2 = Add(2, kRead);
  world_.Step(r0);
  world_.Step(w1);
  LetGo(0, r0);
  // The writer has been woken, but has not run yet.
  world_.Step(r2);
  EXPECT_TRUE(lock_->in[2]);
  EXPECT_FALSE(world_.CanRun(w1));
  LetGo(2, r2);
  world_.Step(w1);
  LetGo(1, w1);
}

TEST_F(RwsemTest, NobodyStealsAfterTheHandoff) {
  task_struct* r0 = Add(0, kRead);
  task_struct* w1 = Add(1, kWrite);
  task_struct* r2 = Add(2, kRead);
  world_.Step(r0);
  EXPECT_FALSE(rwsem_handoff_timeout(&lock_->sem)) << "no writer waits";
  world_.Step(w1);
  LetGo(0, r0);
  EXPECT_TRUE(rwsem_handoff_timeout(&lock_->sem));
  world_.Step(r2);
  EXPECT_FALSE(lock_->in[2]);
  EXPECT_TRUE(world_.CanRun(w1));
  world_.Step(w1);
  LetGo(1, w1);
  world_.Step(r2);
  LetGo(2, r2);
}

TEST_F(RwsemTest, AReaderAtTheHeadBringsReadersPastQueuedWriters) {
  task_struct* w0 = Add(0, kWrite);
  task_struct* r1 = Add(1, kRead);
  task_struct* w2 = Add(2, kWrite);
  task_struct* r3 = Add(3, kRead);
  for (task_struct* task : {w0, r1, w2, r3}) world_.Step(task);
  LetGo(0, w0);
  EXPECT_TRUE(world_.CanRun(r1));
  EXPECT_TRUE(world_.CanRun(r3)) << "past the writer in the queue";
  EXPECT_FALSE(world_.CanRun(w2));
  world_.Step(r1);
  world_.Step(r3);
  LetGo(1, r1);
  LetGo(3, r3);
  world_.Step(w2);
  LetGo(2, w2);
}

TEST_F(RwsemTest, AFatalSignalEndsAKillableWaitOnly) {
  task_struct* w0 = Add(0, kWrite);
  task_struct* r1 = Add(1, kReadKillable);
  task_struct* w2 = Add(2, kWriteKillable);
  task_struct* r3 = Add(3, kRead);
  for (task_struct* task : {w0, r1, w2, r3}) world_.Step(task);
  for (task_struct* task : {r1, w2, r3}) Kill(task);
  EXPECT_EQ(world_.Step(r1), Stop::kFinished);
  EXPECT_EQ(lock_->result[1], -EINTR);
  EXPECT_EQ(world_.Step(w2), Stop::kFinished);
  EXPECT_EQ(lock_->result[2], -EINTR);
  EXPECT_FALSE(world_.CanRun(r3)) << "uninterruptible";
  LetGo(0, w0);
  world_.Step(r3);
  EXPECT_TRUE(lock_->in[3]);
  LetGo(3, r3);
}

TEST_F(RwsemTest, ASignalThatIsNotFatalEndsNoKillableWait) {
  task_struct* w0 = Add(0, kWrite);
  task_struct* r1 = Add(1, kReadKillable);
  world_.Step(w0);
  world_.Step(r1);
  r1->pending |= SigBit(SIGTERM);
  r1->thread_flags |= TIF_SIGPENDING;
  EXPECT_FALSE(world_.CanRun(r1));
  LetGo(0, w0);
  world_.Step(r1);
  LetGo(1, r1);
}

TEST_F(RwsemTest, AFreeLockIsTakenEvenWithSigkillPending) {
  task_struct* r0 = Add(0, kReadKillable);
  Kill(r0);
  world_.Step(r0);
  EXPECT_TRUE(lock_->in[0]);
  LetGo(0, r0);
}

TEST_F(RwsemTest, AGrantThatCameFirstBeatsTheSignal) {
  task_struct* w0 = Add(0, kWrite);
  task_struct* r1 = Add(1, kReadKillable);
  world_.Step(w0);
  world_.Step(r1);
  LetGo(0, w0);  // grants it to the reader
  Kill(r1);
  world_.Step(r1);
  EXPECT_EQ(lock_->result[1], 0);
  EXPECT_TRUE(lock_->in[1]);
  LetGo(1, r1);
}

TEST_F(RwsemTest, ACancelledWriterLetsTheReadersBehindItIn) {
  task_struct* r0 = Add(0, kRead);
  task_struct* w1 = Add(1, kWriteKillable);
  task_struct* r2 = Add(2, kRead);
  for (task_struct* task : {r0, w1, r2}) world_.Step(task);
  EXPECT_FALSE(world_.CanRun(r2));
  Kill(w1);
  world_.Step(w1);
  EXPECT_TRUE(world_.CanRun(r2));
  world_.Step(r2);
  LetGo(0, r0);
  LetGo(2, r2);
}

TEST_F(RwsemTest, DowngradingKeepsTheLockAndLetsReadersIn) {
  Lock* lock = lock_;
  task_struct* w = world_.Add([lock]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    down_write(&lock->sem);
    WaitUntil(Point::kWait, Access::kRead, 0, [lock] { return lock->go[0]; });
    downgrade_write(&lock->sem);
    WaitUntil(Point::kWait, Access::kRead, 0, [lock] { return lock->go[1]; });
    up_read(&lock->sem);
  });
  task_struct* r2 = Add(2, kRead);
  task_struct* w3 = Add(3, kWrite);
  for (task_struct* task : {w, r2, w3}) world_.Step(task);
  lock_->go[0] = true;
  EXPECT_EQ(world_.Step(w), Stop::kBlocked);
  world_.Step(r2);
  EXPECT_TRUE(lock_->in[2]);
  EXPECT_FALSE(world_.CanRun(w3));
  LetGo(2, r2);
  EXPECT_FALSE(world_.CanRun(w3)) << "the downgraded one still reads";
  lock_->go[1] = true;
  EXPECT_EQ(world_.Step(w), Stop::kFinished);
  world_.Step(w3);
  LetGo(3, w3);
}

TEST_F(RwsemTest, ReleasingAnUnheldLockIsAVerdict) {
  Lock* lock = lock_;
  task_struct* t = world_.Add(
      [lock]() ABSL_NO_THREAD_SAFETY_ANALYSIS { up_write(&lock->sem); });
  EXPECT_EQ(world_.Step(t), Stop::kVerdict);
  EXPECT_EQ(world_.engine().TakeVerdict().kind, VerdictKind::kInvariantBroken);
}

// The promise is the writer's who was first; the next one has none.
TEST_F(RwsemTest, APromiseGoesWithTheWriterThatHasIt) {
  task_struct* r0 = Add(0, kRead);
  task_struct* w1 = Add(1, kWriteKillable);
  task_struct* w2 = Add(2, kWrite);
  task_struct* r3 = Add(3, kRead);
  world_.Step(r0);
  world_.Step(w1);
  world_.Step(w2);
  ASSERT_TRUE(rwsem_handoff_timeout(&lock_->sem));
  Kill(w1);
  EXPECT_EQ(world_.Step(w1), Stop::kFinished);
  LetGo(0, r0);
  world_.Step(r3);
  EXPECT_TRUE(lock_->in[3]) << "the lock is free, and promised to nobody";
  LetGo(3, r3);
  world_.Step(w2);
  LetGo(2, w2);
}

TEST_F(RwsemTest, WhoQueuesBehindOneThatGaveUpIsNotForgotten) {
  task_struct* w0 = Add(0, kWrite);
  task_struct* r1 = Add(1, kRead);
  task_struct* r2 = Add(2, kReadKillable);
  task_struct* r3 = Add(3, kRead);
  world_.Step(w0);
  world_.Step(r1);
  world_.Step(r2);
  Kill(r2);
  EXPECT_EQ(world_.Step(r2), Stop::kFinished);
  world_.Step(r3);
  LetGo(0, w0);
  for (task_struct* reader : {r1, r3}) EXPECT_TRUE(world_.CanRun(reader));
}

// MAX_READERS_WAKEUP, 256.
TEST_F(RwsemTest, OneReleaseLetsIn256Readers) {
  task_struct* w0 = Add(0, kWrite);
  world_.Step(w0);
  Lock* lock = lock_;
  for (int i = 0; i < 257; ++i) {
    world_.Step(world_.Add(
        [lock]() ABSL_NO_THREAD_SAFETY_ANALYSIS { down_read(&lock->sem); }));
  }
  LetGo(0, w0);
  EXPECT_EQ(lock_->sem.readers, 256u);
}

TEST_F(RwsemTest, WritersGoOneByOneInTheirOrder) {
  task_struct* w0 = Add(0, kWrite);
  task_struct* w1 = Add(1, kWrite);
  task_struct* w2 = Add(2, kWrite);
  task_struct* w3 = Add(3, kWrite);
  world_.Step(w0);
  world_.Step(w1);
  world_.Step(w2);
  LetGo(0, w0);
  EXPECT_FALSE(world_.CanRun(w2)) << "it is not first";
  // Nor does one that comes now overtake those who wait.
  world_.Step(w3);
  EXPECT_FALSE(lock_->in[3]);
  world_.Step(w1);
  EXPECT_TRUE(lock_->in[1]);
}

TEST_F(RwsemTest, ASignalThatIsNotFatalEndsNoWritersWait) {
  task_struct* r0 = Add(0, kRead);
  task_struct* w1 = Add(1, kWriteKillable);
  world_.Step(r0);
  world_.Step(w1);
  w1->pending |= SigBit(SIGTERM);
  w1->thread_flags |= TIF_SIGPENDING;
  EXPECT_FALSE(world_.CanRun(w1));
}

TEST_F(RwsemTest, ATryEntersBesideReaders) {
  task_struct* r0 = Add(0, kRead);
  task_struct* t1 = Add(1, kTryRead);
  world_.Step(r0);
  world_.Step(t1);
  EXPECT_TRUE(lock_->in[1]);
}

TEST_F(RwsemTest, NoReaderIsPromisedTheLock) {
  task_struct* w0 = Add(0, kWrite);
  task_struct* r1 = Add(1, kRead);
  world_.Step(w0);
  EXPECT_FALSE(rwsem_handoff_timeout(&lock_->sem)) << "nobody waits";
  world_.Step(r1);
  EXPECT_FALSE(rwsem_handoff_timeout(&lock_->sem));
}

}  // namespace
}  // namespace reapsim
