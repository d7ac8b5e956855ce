// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/mmu_notifier.c, v5.15 to v7.2.
// Modelled: list and interval subscribers, refusal of non-blocking calls and
//   the pairing of starts and ends around it.
// Simplified: no SRCU, no sequence counts, callbacks only count.

#include "mm/mmu_notifier.h"

#include <cerrno>

#include "mm/mmap.h"
#include "sched/task.h"

namespace reapsim {
namespace {

// Whether the subscriber is asked about the range. Release takes list
// subscribers off the list; interval subscribers stay.
bool Overlaps(const mmu_notifier& subscription,
              const mmu_notifier_range& range) {
  if (!subscription.interval) return !subscription.released;
  return subscription.start < range.end && range.start < subscription.end;
}

// The subscription's own callback: false if it would have to sleep but must
// not.
bool InvalidateStart(mmu_notifier* subscription,
                     const mmu_notifier_range& range) {
  Charge(Cost::kNotifierCall, 1);
  subscription->event = range.event;
  if (range.blockable) {
    WaitUntil(Point::kNotifierStart, Access::kWrite, NumberOf(subscription),
              [subscription] { return !subscription->busy; });
  } else {
    SchedulePoint(Point::kNotifierStart, Access::kWrite,
                  NumberOf(subscription));
    if (subscription->busy) {
      subscription->failed_starts++;
      MyHistory().refused++;
      return false;
    }
  }
  subscription->starts++;
  subscription->active++;
  return true;
}

void InvalidateEnd(mmu_notifier* subscription) {
  SchedulePoint(Point::kNotifierEnd, Access::kWrite, NumberOf(subscription));
  Invariant(subscription->active > 0,
            "S13: a notifier range is ended that was not started");
  subscription->active--;
  subscription->ends++;
}

// Interval subscribers: the first refusal ends the round, and those that had
// agreed are told so here.
int mn_itree_invalidate(const mmu_notifier_range& range) {
  mmu_notifier* refused = nullptr;
  for (mmu_notifier* s = range.mm->notifier_subscriptions; s != nullptr;
       s = s->next) {
    if (!s->interval || !Overlaps(*s, range)) continue;
    if (InvalidateStart(s, range)) continue;
    refused = s;
    break;
  }
  if (refused == nullptr) return 0;
  for (mmu_notifier* s = range.mm->notifier_subscriptions; s != refused;
       s = s->next) {
    if (s->interval && Overlaps(*s, range)) InvalidateEnd(s);
  }
  return -EAGAIN;
}

// List subscribers: all are asked; if some refuse, the others are told that
// the range has ended. Interval subscribers that had agreed are not: the
// kernel leaves their range open as well.
int mn_hlist_invalidate_range_start(const mmu_notifier_range& range) {
  // Bit i: the i-th list subscriber agreed.
  uint64_t agreed = 0;
  int ret = 0;
  unsigned i = 0;
  for (mmu_notifier* s = range.mm->notifier_subscriptions; s != nullptr;
       s = s->next) {
    if (s->interval || !Overlaps(*s, range)) continue;
    REAP_CHECK(i < 64, "mmu_notifier: too many subscribers");
    if (InvalidateStart(s, range)) {
      agreed |= uint64_t{1} << i;
    } else {
      ret = -EAGAIN;
    }
    i++;
  }
  if (ret == 0) return 0;
  i = 0;
  for (mmu_notifier* s = range.mm->notifier_subscriptions; s != nullptr;
       s = s->next) {
    if (s->interval || !Overlaps(*s, range)) continue;
    if ((agreed >> i++ & 1) != 0) InvalidateEnd(s);
  }
  return ret;
}

int __mmu_notifier_invalidate_range_start(const mmu_notifier_range& range) {
  if (range.mm->notifier_subscriptions == nullptr) return 0;
  const int ret = mn_itree_invalidate(range);
  if (ret != 0) return ret;
  return mn_hlist_invalidate_range_start(range);
}

}  // namespace

void mmu_notifier_release(mm_struct* mm) {
  for (mmu_notifier* s = mm->notifier_subscriptions; s != nullptr;
       s = s->next) {
    SchedulePoint(Point::kNotifierStart, Access::kWrite, NumberOf(s));
    s->released = true;
  }
}

void mmu_notifier_invalidate_range_start(mmu_notifier_range* range) {
  range->blockable = true;
  Invariant(__mmu_notifier_invalidate_range_start(*range) == 0,
            "a notifier refuses although it may sleep");
}

int mmu_notifier_invalidate_range_start_nonblock(mmu_notifier_range* range) {
  if (Switched(Switch::kBlockingNotifiers)) {
    mmu_notifier_invalidate_range_start(range);
    return 0;
  }
  range->blockable = false;
  return __mmu_notifier_invalidate_range_start(*range);
}

void mmu_notifier_invalidate_range_end(mmu_notifier_range* range) {
  for (mmu_notifier* s = range->mm->notifier_subscriptions; s != nullptr;
       s = s->next) {
    if (Overlaps(*s, *range)) InvalidateEnd(s);
  }
}

mmu_notifier* mmu_notifier_register(mm_struct* mm, bool interval,
                                    uint64_t start, uint64_t end) {
  mmu_notifier* s = mm_state().notifier_slab.New();
  if (s == nullptr) return nullptr;
  s->mm = mm;
  s->interval = interval;
  s->start = start;
  s->end = end;
  // In the order of registration.
  mmu_notifier** link = &mm->notifier_subscriptions;
  while (*link != nullptr) link = &(*link)->next;
  *link = s;
  return s;
}

void mmu_notifier_unregister(mmu_notifier* subscription) {
  mmu_notifier** link = &subscription->mm->notifier_subscriptions;
  while (*link != subscription) {
    REAP_CHECK(*link != nullptr, "mmu_notifier: not registered");
    link = &(*link)->next;
  }
  *link = subscription->next;
  REAP_CHECK(mm_state().notifier_slab.Delete(subscription),
             "mmu_notifier: unregister");
}

void mmu_notifier_subscriptions_destroy(mm_struct* mm) {
  while (mm->notifier_subscriptions != nullptr) {
    mmu_notifier_unregister(mm->notifier_subscriptions);
  }
}

}  // namespace reapsim
