// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/mmu_notifier.h"

#include <cerrno>

#include "gtest/gtest.h"
#include "mm/testing.h"

namespace reapsim {
namespace {

constexpr uint64_t kStart = 0x1000;
constexpr uint64_t kEnd = 0x5000;

// A task whose mm has subscribers, and the range that it invalidates.
class MmuNotifierTest : public testing::Test {
 protected:
  mmu_notifier* Subscribe(bool interval, uint64_t start = 0,
                          uint64_t end = ~uint64_t{0}) {
    mmu_notifier* s = nullptr;
    w_.Run(task_, [&] {
      s = mmu_notifier_register(current()->mm, interval, start, end);
    });
    return s;
  }
  int StartNonblock() {
    int ret = 1;
    w_.Run(task_, [&] {
      mmu_notifier_range range = Range();
      ret = mmu_notifier_invalidate_range_start_nonblock(&range);
    });
    return ret;
  }
  void End() {
    w_.Run(task_, [] {
      mmu_notifier_range range = Range();
      mmu_notifier_invalidate_range_end(&range);
    });
  }
  static mmu_notifier_range Range() {
    return {.mm = current()->mm,
            .start = kStart,
            .end = kEnd,
            .event = MMU_NOTIFY_UNMAP};
  }

  MmWorld w_{"v6.18"};
  task_struct* task_ = w_.Spawn();
};

TEST_F(MmuNotifierTest, EveryStartThatSucceedsHasOneEnd) {
  mmu_notifier* list = Subscribe(false);
  mmu_notifier* interval = Subscribe(true);
  EXPECT_EQ(StartNonblock(), 0);
  EXPECT_EQ(list->active + interval->active, 2u);
  End();
  EXPECT_EQ(list->active + interval->active, 0u);
  EXPECT_EQ(list->ends + interval->ends, 2u);
}

TEST_F(MmuNotifierTest, IntervalSubscribersHearOnlyOfTheirRange) {
  mmu_notifier* inside = Subscribe(true, kEnd - 1, kEnd + 1);
  mmu_notifier* behind = Subscribe(true, kEnd, kEnd + 1);
  behind->busy = true;
  EXPECT_EQ(StartNonblock(), 0);
  End();
  EXPECT_EQ(inside->starts, 1u);
  EXPECT_EQ(behind->starts + behind->failed_starts, 0u);
}

TEST_F(MmuNotifierTest, ABusyIntervalSubscriberEndsTheRoundAtOnce) {
  mmu_notifier* first = Subscribe(true);
  mmu_notifier* busy = Subscribe(true);
  mmu_notifier* later = Subscribe(true);
  mmu_notifier* list = Subscribe(false);
  busy->busy = true;
  EXPECT_EQ(StartNonblock(), -EAGAIN);
  EXPECT_EQ(first->starts, 1u);
  EXPECT_EQ(first->ends, 1u) << "ended inside the failing call";
  EXPECT_EQ(busy->failed_starts, 1u);
  EXPECT_EQ(later->starts, 0u);
  EXPECT_EQ(list->starts, 0u);
  busy->busy = false;
  EXPECT_EQ(StartNonblock(), 0);
  End();
}

TEST_F(MmuNotifierTest, AllListSubscribersAreAskedEvenAfterARefusal) {
  mmu_notifier* busy = Subscribe(false);
  mmu_notifier* later = Subscribe(false);
  busy->busy = true;
  EXPECT_EQ(StartNonblock(), -EAGAIN);
  EXPECT_EQ(busy->failed_starts, 1u);
  EXPECT_EQ(busy->ends, 0u);
  EXPECT_EQ(later->starts, 1u);
  EXPECT_EQ(later->ends, 1u);
}

TEST_F(MmuNotifierTest, ABlockingCallWaitsForABusySubscriber) {
  mmu_notifier* busy = Subscribe(false);
  busy->busy = true;
  w_.Start(task_, [] {
    mmu_notifier_range range = Range();
    mmu_notifier_invalidate_range_start(&range);
  });
  EXPECT_FALSE(w_.Go(task_));
  busy->busy = false;
  EXPECT_TRUE(w_.Go(task_));
  EXPECT_EQ(busy->starts, 1u);
}

TEST_F(MmuNotifierTest, AfterReleaseListSubscribersAreNotAsked) {
  mmu_notifier* list = Subscribe(false);
  mmu_notifier* interval = Subscribe(true);
  w_.Run(task_, [] { mmu_notifier_release(current()->mm); });
  EXPECT_TRUE(list->released);
  list->busy = true;
  EXPECT_EQ(StartNonblock(), 0);
  EXPECT_EQ(interval->starts, 1u);
}

TEST_F(MmuNotifierTest, AnEndWithoutAStartIsAVerdict) {
  Subscribe(false);
  End();
  ASSERT_TRUE(w_.engine().stopped());
  EXPECT_EQ(w_.engine().TakeVerdict().what,
            "S13: a notifier range is ended that was not started");
}

}  // namespace
}  // namespace reapsim
