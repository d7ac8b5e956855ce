// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/run_queue.h"

#include <gtest/gtest.h>

#include <vector>

namespace reapsim {
namespace {

constexpr uint64_t kMs = 1'000'000;

RunEntity Fair(uint64_t vruntime, uint64_t seq, int nice = 0) {
  RunEntity e;
  e.attr.nice = static_cast<int8_t>(nice);
  e.vruntime = vruntime;
  e.queued_seq = seq;
  return e;
}
RunEntity Fifo(int priority, uint64_t seq) {
  RunEntity e;
  e.attr.policy = SchedPolicy::kFifo;
  e.attr.rt_priority = static_cast<uint8_t>(priority);
  e.queued_seq = seq;
  return e;
}

TEST(RunQueueTest, WeightsAreAQuarterApart) {
  // The kernel's table has 88761, 3121, 1024, 335, 110 and 15.
  struct Row {
    int nice;
    uint64_t weight;
  };
  for (const Row& row : std::vector<Row>{{-20, 88818},
                                         {-5, 3125},
                                         {0, 1024},
                                         {5, 336},
                                         {10, 110},
                                         {19, 15}}) {
    EXPECT_EQ(NiceWeight(row.nice), row.weight) << row.nice;
  }
  EXPECT_EQ(Weighted(3 * kMs, 0), 3 * kMs);
  EXPECT_EQ(Weighted(336, 5), 1024u);
}

TEST(RunQueueTest, WhoIsNext) {
  struct Row {
    const char* what;
    RunEntity before;
    RunEntity after;
  };
  for (const Row& row : std::vector<Row>{
           {"real time before fair", Fifo(1, 2), Fair(0, 1)},
           {"the higher priority", Fifo(2, 2), Fifo(1, 1)},
           {"of one priority, who came first", Fifo(1, 1), Fifo(1, 2)},
           {"fair: who had less", Fair(1, 2), Fair(2, 1)},
           {"who had the same: who came first", Fair(1, 1), Fair(1, 2)},
       }) {
    SCOPED_TRACE(row.what);
    EXPECT_TRUE(RunsBefore(row.before, row.after));
    EXPECT_FALSE(RunsBefore(row.after, row.before));
    RunQueue queue;
    RunEntity a = row.after;
    RunEntity b = row.before;
    queue.Add(&a);
    queue.Add(&b);
    EXPECT_EQ(queue.First(), &b);
    queue.Remove(&b);
    EXPECT_EQ(queue.First(), &a);
  }
}

TEST(RunQueueTest, WhoIsPreemptedByAWakeUp) {
  struct Row {
    const char* what;
    RunEntity woken;
    RunEntity running;
    bool preempts;
  };
  for (const Row& row : std::vector<Row>{
           {"real time, fair", Fifo(1, 1), Fair(0, 0), true},
           {"fair, real time", Fair(0, 1), Fifo(1, 0), false},
           {"the same priority", Fifo(3, 1), Fifo(3, 0), false},
           {"a higher one", Fifo(4, 1), Fifo(3, 0), true},
           {"just a granularity behind", Fair(0, 1), Fair(kMs, 0), false},
           {"more than one", Fair(0, 1), Fair(kMs + 1, 0), true},
           {"nice 5: a granularity is 3 ms", Fair(0, 1, 5), Fair(3 * kMs, 0),
            false},
       }) {
    EXPECT_EQ(WakeupPreempts(row.woken, row.running, kMs), row.preempts)
        << row.what;
  }
}

TEST(RunQueueTest, MinVruntimeFollowsTheLeastOfAllAndNeverFalls) {
  RunQueue queue;
  RunEntity waiting = Fair(5, 1);
  RunEntity running = Fair(9, 0);
  RunEntity fifo = Fifo(1, 2);
  queue.RaiseMinVruntime(&running);
  EXPECT_EQ(queue.min_vruntime(), 9u);
  queue.Add(&waiting);
  queue.Add(&fifo);
  queue.RaiseMinVruntime(&running);
  EXPECT_EQ(queue.min_vruntime(), 9u);
  waiting.vruntime = 12;
  running.vruntime = 20;
  queue.RaiseMinVruntime(&running);
  EXPECT_EQ(queue.min_vruntime(), 12u);
  EXPECT_EQ(queue.weight(), 1024 + NiceWeight(-20));
}

}  // namespace
}  // namespace reapsim
