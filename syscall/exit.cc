// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/exit.c, v5.15 to v7.2; see the header for what is modelled,
// simplified and stubbed. Functions stand in the kernel's order. The half from
// do_wait() on is in wait.cc.

#include "syscall/exit.h"

#include <sys/wait.h>

#include <cerrno>
#include <cstddef>

#include "mm/fork.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/oom_kill.h"
#include "sched/file.h"
#include "sched/pid.h"
#include "sched/printk.h"
#include "sched/race.h"
#include "sched/sched.h"
#include "sched/signal.h"
#include "syscall/coredump.h"
#include "syscall/fork.h"
#include "syscall/ptrace.h"

namespace reapsim {
namespace {

// Takes a dead task out of every list by which it can be found. Caller:
// tasklist_lock for write, siglock. kernel/exit.c:__unhash_process()
void __unhash_process(task_struct* p, bool group_dead) {
  SchedState& sched = Here<SchedState>();
  detach_pid(p, PIDTYPE_PID);
  if (group_dead) {
    detach_pid(p, PIDTYPE_TGID);
    sched.tasks.erase(sched.tasks.iterator_to(*p));
    task_struct* father = p->real_parent;
    father->children.erase(father->children.iterator_to(*p));
  }
  ThreadList& threads = p->signal->thread_head;
  threads.erase(threads.iterator_to(*p));
}

// kernel/exit.c:__exit_signal(). Caller: tasklist_lock for write.
void __exit_signal(task_struct* tsk) {
  signal_struct* sig = tsk->signal;
  sighand_struct* sighand = tsk->sighand;
  const bool group_dead = thread_group_leader(tsk);
  spin_lock(&sighand->siglock);
  if (!group_dead) {
    // De_thread() counts the threads that it waits for.
    if (sig->notify_count > 0) sig->notify_count--;
    if (tsk == sig->curr_target) sig->curr_target = next_thread(tsk);
  }
  sig->nr_threads--;
  __unhash_process(tsk, group_dead);
  tsk->pending = 0;
  tsk->sighand = nullptr;
  spin_unlock(&sighand->siglock);
  __cleanup_sighand(sighand);
  tsk->thread_flags &= ~TIF_SIGPENDING;
  if (group_dead) sig->shared_pending = 0;
}

// kernel/exit.c:delayed_put_task_struct()
void delayed_put_task_struct(rcu_head* head) {
  put_task_struct(reinterpret_cast<task_struct*>(reinterpret_cast<char*>(head) -
                                                 offsetof(task_struct, rcu)));
}

// After the last thread but the leader: whether the leader, a zombie already,
// is to be released, too. Caller: tasklist_lock for write.
bool leader_goes_too(const task_struct* p, task_struct* leader) {
  if (leader == p || !thread_group_empty(leader) ||
      leader->exit_state != EXIT_ZOMBIE) {
    return false;
  }
  if (!do_notify_parent(leader, leader->exit_signal)) return false;
  leader->exit_state = EXIT_DEAD;
  return true;
}

// release_task() without its loop: the leader if it is next, else null.
task_struct* release_one_task(task_struct* p) {
  Mark(Point::kReleaseTask);
  write_lock(tasklist_lock());
  if (p->ptrace != 0) __ptrace_unlink(p);
  __exit_signal(p);
  task_struct* leader = p->group_leader;
  const bool zap_leader = leader_goes_too(p, leader);
  write_unlock(tasklist_lock());
  put_task_struct_rcu_user(p);
  return zap_leader ? leader : nullptr;
}

void release_all(DeadList* dead) {
  while (!dead->empty()) {
    task_struct* p = &dead->front();
    dead->pop_front();
    release_task(p);
  }
}

// Whether a walk of all processes finds a thread that uses mm; it becomes the
// owner. kernel/exit.c:try_to_set_owner()
bool try_to_set_owner(task_struct* g, mm_struct* mm) {
  for (task_struct& t : g->signal->thread_head) {
    mm_struct* t_mm = READ_ONCE(t.mm);
    if (t_mm == nullptr) continue;
    if (t_mm != mm) return false;
    task_lock(&t);
    PlainRead(&t.mm, "task->mm");
    const bool still = t.mm == mm;
    if (still) mm->owner = &t;
    task_unlock(&t);
    if (still) return true;
  }
  return false;
}

// Up to v5.15 threads wait for a core dump in exit_mm(): PF_EXITING is set,
// the mm is still theirs, mmap_lock is free.
void wait_for_dump_in_exit_mm(task_struct* tsk, mm_struct* mm) {
  if (!differences().coredump_waits_in_exit_mm) return;
  mmap_read_lock(mm);
  PlainRead(&mm->core_state_515, "mm->core_state");
  core_state* core = mm->core_state_515;
  mmap_read_unlock(mm);
  if (core != nullptr) coredump_task_exit(tsk, core);
}

// As Jann Horn's patch of 2020 has it. Caller: task_lock. free_task() drops the
// reference.
void KeepExitMm(task_struct* tsk,
                mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mmgrab(mm);
  PlainWrite(&tsk->exit_mm, "task->exit_mm");
  tsk->exit_mm = mm;
}

void exit_mm() {
  task_struct* self = current();
  mm_struct* mm = self->mm;
  Mark(Point::kExitMm);
  exit_mm_release(self, mm);
  if (mm == nullptr) return;
  sync_mm_rss(mm);
  wait_for_dump_in_exit_mm(self, mm);
  mmap_read_lock(mm);
  // The task goes on running on this mm's page tables without owning it, until
  // it is switched away from for the last time.
  mmgrab(mm);
  Invariant(mm == self->active_mm, "exit_mm: active_mm is another mm");
  task_lock(self);
  PlainWrite(&self->mm, "task->mm");
  self->mm = nullptr;
  if (Proposed(Proposal::kKeepMm)) KeepExitMm(self, mm);
  task_unlock(self);
  mmap_read_unlock(mm);
  Mark(Point::kExitMmCleared);
  mm_update_next_owner(mm);
  mmput(mm);
  if ((self->thread_flags & TIF_MEMDIE) != 0) exit_oom_victim();
}

// kernel/exit.c:find_alive_thread()
task_struct* find_alive_thread(task_struct* p) {
  for (task_struct& t : p->signal->thread_head) {
    if ((t.flags & PF_EXITING) == 0) return &t;
  }
  return nullptr;
}

// Who takes the orphans of father's namespace. Where father is its init and
// nobody is left to stand in, ends the namespace first; drops and retakes the
// lock for that. kernel/exit.c:find_child_reaper()
task_struct* find_child_reaper(task_struct* father, DeadList* dead)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(*tasklist_lock()) {
  pid_namespace* pid_ns = task_active_pid_ns(father);
  if (pid_ns->child_reaper != father) return pid_ns->child_reaper;
  if (task_struct* reaper = find_alive_thread(father); reaper != nullptr) {
    pid_ns->child_reaper = reaper;
    return reaper;
  }
  write_unlock(tasklist_lock());
  release_all(dead);
  zap_pid_ns_processes(pid_ns);
  write_lock(tasklist_lock());
  return father;
}

// kernel/exit.c:find_new_reaper()
task_struct* find_new_reaper(task_struct* father, task_struct* child_reaper) {
  task_struct* thread = find_alive_thread(father);
  return thread != nullptr ? thread : child_reaper;
}

// kernel/exit.c:reparent_leader()
void reparent_leader(task_struct* p, DeadList* dead) {
  if (p->exit_state == EXIT_DEAD) return;
  // Init gets no surprising signals.
  p->exit_signal = SIGCHLD;
  if (p->ptrace == 0 && p->exit_state == EXIT_ZOMBIE && thread_group_empty(p) &&
      do_notify_parent(p, p->exit_signal)) {
    p->exit_state = EXIT_DEAD;
    dead->push_front(*p);
  }
}

// kernel/exit.c:forget_original_parent()
void forget_original_parent(task_struct* father, DeadList* dead)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(*tasklist_lock()) {
  if (!father->ptraced.empty()) exit_ptrace(father, dead);
  task_struct* reaper = find_child_reaper(father, dead);
  if (father->children.empty()) return;
  reaper = find_new_reaper(father, reaper);
  for (task_struct& p : father->children) {
    for (task_struct& t : p.signal->thread_head) {
      t.real_parent = reaper;
      if (t.ptrace == 0) t.parent = reaper;
    }
    if (!same_thread_group(reaper, father)) reparent_leader(&p, dead);
  }
  reaper->children.splice(reaper->children.end(), father->children);
}

// Whether nobody will wait for tsk, now a zombie. Caller: tasklist_lock for
// write.
bool notify_of_death(task_struct* tsk) {
  const bool leader = thread_group_leader(tsk);
  if (tsk->ptrace != 0) {
    const bool as_child =
        leader && thread_group_empty(tsk) && !ptrace_reparented(tsk);
    return do_notify_parent(tsk, as_child ? tsk->exit_signal : SIGCHLD);
  }
  if (!leader) return true;
  return thread_group_empty(tsk) && do_notify_parent(tsk, tsk->exit_signal);
}

// kernel/exit.c:exit_notify()
void exit_notify(task_struct* tsk) {
  DeadList dead;
  Mark(Point::kExitNotify);
  write_lock(tasklist_lock());
  forget_original_parent(tsk, &dead);
  tsk->exit_state = EXIT_ZOMBIE;
  if (notify_of_death(tsk)) {
    tsk->exit_state = EXIT_DEAD;
    dead.push_front(*tsk);
  }
  write_unlock(tasklist_lock());
  release_all(&dead);
}

// The last thread to begin dying makes it the end of the group, however it
// came about. Caller: siglock.
void count_quick_thread(signal_struct* signal, int code) {
  signal->quick_threads--;
  if (signal->quick_threads == 0 && (signal->flags & SIGNAL_GROUP_EXIT) == 0) {
    PlainWrite(&signal->flags, "signal->flags");
    PlainWrite(&signal->group_exit_code, "signal->group_exit_code");
    signal->flags = SIGNAL_GROUP_EXIT;
    Touch();
    signal->group_exit_code = code;
    signal->group_stop_count = 0;
  }
}

// From here on a dump that begins does not count on this thread; the dump that
// runs already, if any. Caller: siglock.
core_state* leave_coredump(task_struct* tsk) {
  tsk->flags |= PF_POSTCOREDUMP;
  PlainRead(&tsk->signal->core_state, "signal->core_state");
  return tsk->signal->core_state;
}

// kernel/exit.c:coredump_task_exit(), v5.16 to v6.14, with its siglock section.
void coredump_task_exit_locked(task_struct* tsk) {
  spinlock_t* siglock = &tsk->sighand->siglock;
  spin_lock(siglock);
  core_state* core = leave_coredump(tsk);
  spin_unlock(siglock);
  if (core != nullptr) coredump_task_exit(tsk, core);
}

// kernel/exit.c:synchronize_group_exit(); from v6.15 on with the core dump's
// part in the same siglock section.
void synchronize_group_exit(task_struct* tsk, int code) {
  spinlock_t* siglock = &tsk->sighand->siglock;
  const bool with_dump = differences().group_exit_one_siglock_section;
  spin_lock(siglock);
  count_quick_thread(tsk->signal, code);
  core_state* core = with_dump ? leave_coredump(tsk) : nullptr;
  spin_unlock(siglock);
  if (core != nullptr) coredump_task_exit(tsk, core);
}

// The steps of do_exit() before PTRACE_EVENT_EXIT, by version.
void prepare_to_die(task_struct* tsk, int code) {
  const Differences& d = differences();
  if (d.guarantees_group_exit) synchronize_group_exit(tsk, code);
  if (!d.coredump_waits_in_exit_mm && !d.group_exit_one_siglock_section) {
    coredump_task_exit_locked(tsk);
  }
}

// With the last thread of a namespace's init goes what its maker held.
// kernel/nsproxy.c:exit_task_namespaces()
void exit_task_namespaces(const task_struct* tsk) {
  const pid* leader = tsk->signal->leader_pid;
  if (is_child_reaper(leader)) put_pid_ns(ns_of_pid(leader));
}

// The last switch away from a dead task, which here it makes itself: whatever
// ran next would drop what it leaves behind.
// kernel/sched/core.c:finish_task_switch()
[[noreturn]] void finish_task_switch(task_struct* prev) {
  prev->__state = TASK_DEAD;
  mm_struct* mm = prev->active_mm;
  prev->active_mm = nullptr;
  if (mm != nullptr) mmdrop(mm);
  put_task_struct_rcu_user(prev);
  Here<EngineState>().engine->Finish();
}

// kernel/sched/core.c:do_task_dead(), after
// kernel/locking/lockdep.c:debug_check_no_locks_held().
[[noreturn]] void do_task_dead() {
  task_struct* self = current();
  Mark(Point::kZombie);
  if (LocksHeld() != 0 || self->thread->rcu_nesting != 0) {
    Fail(VerdictKind::kLeak, "a task ends with a lock held");
  }
  finish_task_switch(self);
}

}  // namespace

void put_task_struct_rcu_user(task_struct* task) {
  if (atomic_dec_return(&task->rcu_users) != 0) return;
  call_rcu(&task->rcu, delayed_put_task_struct);
}

void release_task(task_struct* p) {
  while (p != nullptr) p = release_one_task(p);
}

void mm_update_next_owner(mm_struct* mm) {
  if (mm->owner != current()) return;
  if (atomic_read(mm->mm_users) <= 1) {
    mm->owner = nullptr;
    return;
  }
  read_lock(tasklist_lock());
  mm->owner = nullptr;
  for (task_struct& g : Here<SchedState>().tasks) {
    if ((g.flags & PF_KTHREAD) == 0 && try_to_set_owner(&g, mm)) break;
  }
  read_unlock(tasklist_lock());
}

bool delay_group_leader(const task_struct* p) {
  return thread_group_leader(p) && !thread_group_empty(p);
}

void do_exit(int code) {
  task_struct* tsk = current();
  Mark(Point::kDoExit);
  prepare_to_die(tsk, code);
  Mark(Point::kPtraceEventExit);
  ptrace_event(PTRACE_EVENT_EXIT);
  Charge(Cost::kExit, 1);
  Mark(Point::kExitSignals);
  exit_signals(tsk);
  Mark(Point::kExitSignalsDone);
  if (tsk->mm != nullptr) sync_mm_rss(tsk->mm);
  const bool group_dead = atomic_dec_return(&tsk->signal->live) == 0;
  if (group_dead && is_global_init(tsk)) {
    Fail(VerdictKind::kInvariantBroken,
         "Kernel panic: Attempted to kill init!");
  }
  tsk->exit_code = code;
  exit_mm();
  Mark(Point::kExitFiles);
  exit_files(tsk);
  if (group_dead) exit_task_namespaces(tsk);
  exit_notify(tsk);
  do_task_dead();
}

void sys_exit(int error_code) { do_exit((error_code & 0xff) << 8); }

// Up to v6.0 a process of one thread needs no group exit, and makes none.
void do_group_exit(int exit_code) {
  task_struct* self = current();
  signal_struct* sig = self->signal;
  Mark(Point::kDoGroupExit);
  const bool always = differences().guarantees_group_exit;
  if ((READ_ONCE(sig->flags) & SIGNAL_GROUP_EXIT) != 0) {
    PlainRead(&sig->group_exit_code, "signal->group_exit_code");
    exit_code = sig->group_exit_code;
  } else if (READ_ONCE(sig->group_exec_task) != nullptr) {
    exit_code = 0;
  } else if (always || !thread_group_empty(self)) {
    spinlock_t* siglock = &self->sighand->siglock;
    spin_lock(siglock);
    // Another thread may have been faster.
    PlainRead(&sig->flags, "signal->flags");
    if ((sig->flags & SIGNAL_GROUP_EXIT) != 0) {
      exit_code = sig->group_exit_code;
    } else if (sig->group_exec_task != nullptr) {
      exit_code = 0;
    } else {
      PlainWrite(&sig->group_exit_code, "signal->group_exit_code");
      PlainWrite(&sig->flags, "signal->flags");
      sig->group_exit_code = exit_code;
      sig->flags = SIGNAL_GROUP_EXIT;
      Touch();
      zap_other_threads(self);
    }
    spin_unlock(siglock);
  }
  do_exit(exit_code);
}

void sys_exit_group(int error_code) { do_group_exit((error_code & 0xff) << 8); }

}  // namespace reapsim
