// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: fs/exec.c, v5.15 to v7.2; see the header for what is modelled,
// simplified and stubbed. Functions stand in the kernel's order.

#include "syscall/exec.h"

#include <cerrno>
#include <cstdio>
#include <utility>

#include "mm/fork.h"
#include "mm/memory.h"
#include "sched/file.h"
#include "sched/pid.h"
#include "sched/race.h"
#include "sched/sched.h"
#include "sched/signal.h"
#include "syscall/exit.h"
#include "syscall/fork.h"

namespace reapsim {
namespace {

// include/linux/binfmts.h, reduced to what has to be given back.
struct linux_binprm {
  mm_struct* mm = nullptr;      // new, not yet anybody's
  mm_struct* old_mm = nullptr;  // v7.1 on: to be dropped once locks are
  bool point_of_no_return = false;
};

// The step at which the running task's mm becomes another one. Caller: the old
// mm's mmap_lock, if there is one.
void activate_mm(task_struct* tsk, mm_struct* mm) {
  task_lock(tsk);
  PlainWrite(&tsk->mm, "task->mm");
  tsk->active_mm = mm;
  tsk->mm = mm;
  Touch();
  task_unlock(tsk);
}

// 0 with exec_update_lock held, or -EINTR with nothing changed. No analysis:
// the lock is handed to the caller.
// fs/exec.c:exec_mmap()
int exec_mmap(linux_binprm* bprm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  task_struct* tsk = current();
  mm_struct* old_mm = tsk->mm;
  Charge(Cost::kExec, 1);
  Mark(Point::kExecMmap);
  exec_mm_release(tsk, old_mm);
  if (old_mm != nullptr) sync_mm_rss(old_mm);
  if (down_write_killable(&tsk->signal->exec_update_lock) != 0) return -EINTR;
  if (old_mm != nullptr && mmap_read_lock_killable(old_mm) != 0) {
    up_write(&tsk->signal->exec_update_lock);
    return -EINTR;
  }
  activate_mm(tsk, std::exchange(bprm->mm, nullptr));
  if (old_mm == nullptr) return 0;
  mmap_read_unlock(old_mm);
  if (differences().exec_defers_old_mm) {
    bprm->old_mm = old_mm;
    return 0;
  }
  mm_update_next_owner(old_mm);
  mmput(old_mm);
  return 0;
}

// Gives up a takeover of the group: a fatal signal is more important.
int de_thread_killed(signal_struct* sig) {
  // __exit_signal() and exit_notify() look at these under the lock.
  read_lock(tasklist_lock());
  sig->group_exec_task = nullptr;
  sig->notify_count = 0;
  read_unlock(tasklist_lock());
  return -EAGAIN;
}

// Kills all other threads and waits until they are gone, but for a leader.
// False: killed meanwhile, or *error is -EAGAIN: another thread was faster.
bool kill_other_threads(task_struct* tsk, int* error) {
  signal_struct* sig = tsk->signal;
  spinlock_t* lock = &tsk->sighand->siglock;
  spin_lock(lock);
  if (signal_group_exit(sig)) {
    spin_unlock(lock);
    *error = -EAGAIN;
    return false;
  }
  sig->group_exec_task = tsk;
  sig->notify_count = zap_other_threads(tsk);
  if (!thread_group_leader(tsk)) sig->notify_count--;
  while (sig->notify_count != 0) {
    tsk->__state = TASK_KILLABLE;
    spin_unlock(lock);
    WaitUntil(Point::kDeThreadWait, Access::kRead, NumberOf(sig), [=] {
      return sig->notify_count == 0 || fatal_signal_pending(tsk);
    });
    tsk->__state = TASK_RUNNING;
    if (__fatal_signal_pending(tsk)) return false;
    spin_lock(lock);
  }
  spin_unlock(lock);
  return true;
}

// tsk, no leader, takes the dead leader's identity. Caller: tasklist_lock for
// writing.
void replace_leader(task_struct* tsk, task_struct* leader) {
  SchedState& sched = Here<SchedState>();
  exchange_tids(tsk, leader);
  transfer_pid(leader, tsk, PIDTYPE_TGID);
  sched.tasks.insert(sched.tasks.iterator_to(*leader), *tsk);
  sched.tasks.erase(sched.tasks.iterator_to(*leader));
  auto& siblings = leader->real_parent->children;
  siblings.insert(siblings.iterator_to(*leader), *tsk);
  siblings.erase(siblings.iterator_to(*leader));
  tsk->group_leader = tsk;
  leader->group_leader = tsk;
  tsk->exit_signal = SIGCHLD;
  leader->exit_signal = -1;
  Invariant(leader->exit_state == EXIT_ZOMBIE,
            "exec: the old leader is not a zombie");
  leader->exit_state = EXIT_DEAD;
}

// Waits for the leader to die, then takes its place. False: killed.
bool take_over_leader(task_struct* tsk) {
  signal_struct* sig = tsk->signal;
  task_struct* leader = tsk->group_leader;
  for (;;) {
    write_lock(tasklist_lock());
    sig->notify_count = -1;
    if (leader->exit_state != 0) break;
    tsk->__state = TASK_KILLABLE;
    write_unlock(tasklist_lock());
    WaitUntil(Point::kDeThreadWait, Access::kRead, NumberOf(sig), [=] {
      return leader->exit_state != 0 || fatal_signal_pending(tsk);
    });
    tsk->__state = TASK_RUNNING;
    if (__fatal_signal_pending(tsk)) return false;
  }
  replace_leader(tsk, leader);
  write_unlock(tasklist_lock());
  release_task(leader);
  return true;
}

// Makes tsk the only thread of its group, and the leader. 0 or -EAGAIN.
// fs/exec.c:de_thread()
int de_thread(task_struct* tsk) {
  signal_struct* sig = tsk->signal;
  Mark(Point::kDeThread);
  if (!thread_group_empty(tsk)) {
    int error = 0;
    if (!kill_other_threads(tsk, &error)) {
      return error != 0 ? error : de_thread_killed(sig);
    }
    if (!thread_group_leader(tsk) && !take_over_leader(tsk)) {
      return de_thread_killed(sig);
    }
    sig->group_exec_task = nullptr;
    sig->notify_count = 0;
  }
  tsk->exit_signal = SIGCHLD;
  return 0;
}

// A table of handlers that no other process shares. 0 or -ENOMEM.
// fs/exec.c:unshare_sighand()
int unshare_sighand(task_struct* me) {
  sighand_struct* old = me->sighand;
  if (atomic_read(old->count) == 1) return 0;
  sighand_struct* fresh = sighand_dup(old);
  if (fresh == nullptr) return -ENOMEM;
  write_lock(tasklist_lock());
  spin_lock(&old->siglock);
  me->sighand = fresh;
  spin_unlock(&old->siglock);
  write_unlock(tasklist_lock());
  __cleanup_sighand(old);
  return 0;
}

// The new program knows none of the old one's handlers; what was ignored stays
// so. kernel/signal.c:flush_signal_handlers()
void flush_signal_handlers(task_struct* me) {
  sighand_struct* sighand = me->sighand;
  spin_lock(&sighand->siglock);
  for (SigDisposition& action : sighand->action) {
    if (action == SigDisposition::kHandler) action = SigDisposition::kDefault;
  }
  spin_unlock(&sighand->siglock);
}

// What begin_new_exec() does once the mm is the new one. 0 or -ENOMEM.
int become_new_program(task_struct* me, const char* comm) {
  const int error = unshare_sighand(me);
  if (error != 0) return error;
  me->flags &= ~(PF_FORKNOEXEC | PF_NOFREEZE);
  if (comm != nullptr) set_task_comm(me, comm);
  flush_signal_handlers(me);
  return 0;
}

// 0 with exec_update_lock held; on failure it is not. No analysis: see
// exec_mmap(). fs/exec.c:begin_new_exec()
int begin_new_exec(linux_binprm* bprm,
                   const char* comm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  task_struct* me = current();
  bprm->point_of_no_return = true;
  int error = de_thread(me);
  if (error == 0 && me->files != nullptr) {
    error = unshare_files();
    if (error == 0) do_close_on_exec(me->files);
  }
  if (error == 0) error = exec_mmap(bprm);
  if (error != 0) return error;
  error = become_new_program(me, comm);
  if (error != 0) up_write(&me->signal->exec_update_lock);
  return error;
}

void drop_old_mm(linux_binprm* bprm) {
  mm_struct* old_mm = std::exchange(bprm->old_mm, nullptr);
  if (old_mm == nullptr) return;
  mm_update_next_owner(old_mm);
  mmput(old_mm);
}

// Releases what begin_new_exec() and prepare_bprm_creds() took. No analysis:
// see there. fs/exec.c:setup_new_exec()
void setup_new_exec(linux_binprm* bprm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  signal_struct* sig = current()->signal;
  up_write(&sig->exec_update_lock);
  mutex_unlock(&sig->cred_guard_mutex);
  drop_old_mm(bprm);
}

// fs/exec.c:free_bprm(), with cred_guard_mutex still held.
void abort_exec(linux_binprm* bprm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mutex_unlock(&current()->signal->cred_guard_mutex);
  if (bprm->mm != nullptr) mmput(bprm->mm);
  drop_old_mm(bprm);
}

// Maps the new program. 0 or the error of the first mapping that failed.
// fs/binfmt_elf.c:load_elf_binary()
int64_t map_image(const ExecArgs& args) {
  for (uint32_t i = 0; i < args.image_count; ++i) {
    const int64_t address = vm_mmap(args.image[i]);
    if (address < 0) return address;
  }
  return 0;
}

// fs/exec.c:search_binary_handler(), of one format. 0 or an error.
int64_t load_binary(linux_binprm* bprm, const ExecArgs& args) {
  const int error = begin_new_exec(bprm, args.comm);
  if (error != 0) {
    abort_exec(bprm);
    return error;
  }
  setup_new_exec(bprm);
  return map_image(args);
}

}  // namespace

void set_task_comm(task_struct* tsk, const char* comm) {
  task_lock(tsk);
  std::snprintf(tsk->comm, sizeof(tsk->comm), "%s", comm);
  task_unlock(tsk);
}

// No analysis: cred_guard_mutex is released by load_binary().
int64_t do_execve(const ExecArgs& args) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  task_struct* self = current();
  signal_struct* sig = self->signal;
  if (mutex_lock_interruptible(&sig->cred_guard_mutex) != 0) {
    return -ERESTARTNOINTR;
  }
  linux_binprm bprm;
  bprm.mm = mm_alloc();
  if (bprm.mm == nullptr) {
    mutex_unlock(&sig->cred_guard_mutex);
    return -ENOMEM;
  }
  const int64_t error = load_binary(&bprm, args);
  // Half of the old program is gone: there is nothing to return to.
  if (error != 0 && bprm.point_of_no_return && !fatal_signal_pending(self)) {
    force_sig(SIGSEGV);
  }
  return error;
}

}  // namespace reapsim
