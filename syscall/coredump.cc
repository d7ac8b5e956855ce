// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: fs/coredump.c, in its order; kernel/exit.c:coredump_task_exit().

#include "syscall/coredump.h"

#include <cerrno>

#include "mm/mm_types.h"
#include "sched/freezer.h"
#include "sched/race.h"
#include "sched/sched.h"

namespace reapsim {
namespace {

// Sets the group's flags and has all threads exit that the dump must wait for;
// returns how many. Caller: siglock of `start`.
int zap_process(task_struct* start, int exit_code, uint32_t flags) {
  const bool waits_in_exit_mm = differences().coredump_waits_in_exit_mm;
  signal_struct* signal = start->signal;
  SchedulePoint(Point::kSignalFlagsWrite, Access::kWrite,
                NumberOf(&signal->flags));
  PlainWrite(&signal->flags, "signal->flags");
  PlainWrite(&signal->group_exit_code, "signal->group_exit_code");
  signal->flags = flags;
  Touch();
  signal->group_exit_code = exit_code;
  signal->group_stop_count = 0;
  int nr = 0;
  for (task_struct& t : signal->thread_head) {
    task_clear_jobctl_pending(&t, JOBCTL_PENDING_MASK);
    const bool past_the_wait =
        waits_in_exit_mm ? t.mm == nullptr : (t.flags & PF_POSTCOREDUMP) != 0;
    if (&t == current() || past_the_wait) continue;
    t.pending |= SigBit(SIGKILL);
    signal_wake_up(&t, true);
    nr++;
  }
  return nr;
}

// Stops the other threads of the dumper's own group: how many, or -EAGAIN if
// the group is ending or exec'ing already.
int zap_own_group(task_struct* tsk, core_state* core_state, int exit_code) {
  const Differences& d = differences();
  signal_struct* signal = tsk->signal;
  int nr = -EAGAIN;
  spin_lock(&tsk->sighand->siglock);
  if (!signal_group_exit(signal)) {
    if (d.coredump_kills_mm_sharers) {
      PlainWrite(&tsk->mm->core_state_515, "mm->core_state");
      tsk->mm->core_state_515 = core_state;
    } else {
      PlainWrite(&signal->core_state, "signal->core_state");
      signal->core_state = core_state;
    }
    // What ends a group other than by SIGNAL_GROUP_EXIT.
    if (!d.coredump_sets_group_exit) signal->group_exec_task = tsk;
    nr = zap_process(
        tsk, exit_code,
        d.coredump_sets_group_exit ? SIGNAL_GROUP_EXIT : SIGNAL_GROUP_COREDUMP);
    tsk->thread_flags &= ~TIF_SIGPENDING;
    tsk->flags |= PF_DUMPCORE;
    core_state->nr_threads = static_cast<uint32_t>(nr);
  }
  spin_unlock(&tsk->sighand->siglock);
  return nr;
}

// Up to v5.15: kills the processes that share the mm; returns their threads.
int zap_mm_sharers(const task_struct* tsk, const mm_struct* mm, int exit_code) {
  int nr = 0;
  rcu_read_lock();
  for (task_struct& g : Here<SchedState>().tasks) {
    if (&g == tsk->group_leader || (g.flags & PF_KTHREAD) != 0) continue;
    for (task_struct& p : g.signal->thread_head) {
      const mm_struct* p_mm = READ_ONCE(p.mm);
      if (p_mm == nullptr) continue;
      if (p_mm == mm && lock_task_sighand(&p) != nullptr) {
        nr += zap_process(&p, exit_code,
                          SIGNAL_GROUP_COREDUMP | SIGNAL_GROUP_EXIT);
        unlock_task_sighand(&p);
      }
      break;
    }
  }
  rcu_read_unlock();
  return nr;
}

int zap_threads(task_struct* tsk, core_state* core_state, int exit_code) {
  int nr = zap_own_group(tsk, core_state, exit_code);
  if (nr < 0 || !differences().coredump_kills_mm_sharers) return nr;
  const mm_struct* mm = tsk->mm;
  if (atomic_read(mm->mm_users) != static_cast<uint32_t>(nr) + 1) {
    nr += zap_mm_sharers(tsk, mm, exit_code);
  }
  // mmap_lock is held: nobody has come to the count yet.
  core_state->nr_threads = static_cast<uint32_t>(nr);
  return nr;
}

// Up to v5.15 the dump is the mm's, and its lock keeps users from leaving.
int zap_threads_515(task_struct* tsk, core_state* core_state, int exit_code) {
  mm_struct* mm = tsk->mm;
  if (down_write_killable(&mm->mmap_lock) != 0) return -EINTR;
  const int nr = mm->core_state_515 == nullptr
                     ? zap_threads(tsk, core_state, exit_code)
                     : -EBUSY;
  up_write(&mm->mmap_lock);
  return nr;
}

// Stops all other threads and waits until they are out of the way. Negative:
// there is nothing to dump, somebody else is ending the group.
int coredump_wait(int exit_code, core_state* core_state) {
  task_struct* self = current();
  core_state->dumper = {.task = self, .next = nullptr};
  const int nr = differences().coredump_kills_mm_sharers
                     ? zap_threads_515(self, core_state, exit_code)
                     : zap_threads(self, core_state, exit_code);
  if (nr <= 0) return nr;
  self->__state = TASK_UNINTERRUPTIBLE;
  WaitUntil(Point::kCoredumpWaitThreads, Access::kRead,
            NumberOf(&core_state->nr_threads), [self, core_state] {
              return core_state->nr_threads == 0 && !freezing(self);
            });
  RaceAcquire(&core_state->nr_threads);
  self->__state = TASK_RUNNING;
  return nr;
}

// Lets go of the threads that wait for the end of the dump.
void ReleaseParked(core_thread* next) {
  while (next != nullptr) {
    core_thread* curr = next;
    next = curr->next;
    // Once its task is null the thread, with this entry, may be gone.
    SchedulePoint(Point::kWake, Access::kWrite, NumberOf(curr));
    RaceRelease(curr);
    curr->task = nullptr;
  }
}

void coredump_finish(bool core_dumped) {
  task_struct* self = current();
  signal_struct* signal = self->signal;
  const Differences& d = differences();
  core_state* of_mm = self->mm->core_state_515;
  core_thread* next = nullptr;
  spin_lock(&self->sighand->siglock);
  if (core_dumped && !__fatal_signal_pending(self)) {
    PlainWrite(&signal->group_exit_code, "signal->group_exit_code");
    signal->group_exit_code |= 0x80;
  }
  SchedulePoint(Point::kSignalFlagsWrite, Access::kWrite,
                NumberOf(&signal->flags));
  if (!d.coredump_sets_group_exit) {
    signal->group_exec_task = nullptr;
    PlainWrite(&signal->flags, "signal->flags");
    signal->flags = SIGNAL_GROUP_EXIT;
    Touch();
  }
  if (!d.coredump_kills_mm_sharers) {
    next = signal->core_state->dumper.next;
    PlainWrite(&signal->core_state, "signal->core_state");
    signal->core_state = nullptr;
  }
  spin_unlock(&self->sighand->siglock);
  if (d.coredump_kills_mm_sharers) next = of_mm->dumper.next;
  ReleaseParked(next);
  if (d.coredump_kills_mm_sharers) {
    PlainWrite(&self->mm->core_state_515, "mm->core_state");
    self->mm->core_state_515 = nullptr;
  }
}

bool dump_interrupted() {
  const task_struct* self = current();
  return fatal_signal_pending(self) || freezing(self);
}

// Writes the dump: whether all of it was written.
bool WriteCore() {
  task_struct* self = current();
  const SchedState* outside = &Here<SchedState>();
  self->__state = TASK_INTERRUPTIBLE;
  WaitUntil(Point::kCoredumpWrite, Access::kRead,
            NumberOf(&outside->dump_blocked), [self, outside] {
              return !outside->dump_blocked || signal_pending(self);
            });
  self->__state = TASK_RUNNING;
  return !dump_interrupted();
}

}  // namespace

void do_coredump(int sig) {
  core_state core_state;
  Mark(Point::kCoredumpStart);
  if (coredump_wait(sig, &core_state) < 0) return;
  const bool core_dumped = WriteCore();
  Mark(Point::kCoredumpFinish);
  coredump_finish(core_dumped);
}

void coredump_task_exit(task_struct* tsk, core_state* core_state) {
  core_thread self{.task = tsk};
  // A thread that was in exit(2) anyway is not part of the dump.
  const bool parks = (tsk->flags & PF_SIGNALED) != 0;
  if (parks) {
    SchedulePoint(Point::kFlagSet, Access::kWrite,
                  NumberOf(&core_state->dumper));
    self.next = core_state->dumper.next;
    core_state->dumper.next = &self;
  }
  (void)atomic_dec_return(&core_state->nr_threads);
  if (!parks) return;
  tsk->__state = differences().coredump_waits_in_exit_mm ? TASK_UNINTERRUPTIBLE
                                                         : TASK_IDLE;
  const core_thread* entry = &self;
  WaitUntil(Point::kCoredumpPark, Access::kRead, NumberOf(entry),
            [tsk, entry] { return entry->task == nullptr && !freezing(tsk); });
  RaceAcquire(entry);
  tsk->__state = TASK_RUNNING;
}

}  // namespace reapsim
