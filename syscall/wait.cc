// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/exit.c from do_wait() on, v5.15 to v7.2 without a difference
// in what is modelled; see exit.h. The first half is in exit.cc.
//
// A waiter is not woken: it asks again whenever the world has changed. So each
// test of the kernel's wait_*() functions is written once, as a question about
// the world (EventOf()), which both the waiter's condition and the code that
// takes the event ask.

#include <fcntl.h>
#include <limits.h>
#include <sys/wait.h>

#include <cerrno>

#include "mm/fork.h"
#include "sched/pid.h"
#include "sched/race.h"
#include "sched/sched.h"
#include "sched/signal.h"
#include "syscall/exit.h"
#include "syscall/ptrace.h"

namespace reapsim {
namespace {

struct wait_opts {
  bool any = false;       // wo_type == PIDTYPE_MAX
  pid* wo_pid = nullptr;  // otherwise: this one
  int wo_flags = 0;
  waitid_info* wo_info = nullptr;
  int wo_stat = 0;
  int notask_error = 0;
};

enum class Event : uint8_t { kNone, kZombie, kStopped, kContinued };

// kernel/exit.c:eligible_child()
bool eligible_child(const wait_opts& wo, bool ptrace, const task_struct* p) {
  if (!wo.any && p->thread_pid != wo.wo_pid) return false;
  if (ptrace || (wo.wo_flags & __WALL) != 0) return true;
  const bool clone_child = p->exit_signal != SIGCHLD;
  return clone_child == ((wo.wo_flags & __WCLONE) != 0);
}

// The word that holds the signal by which p stopped, or null if it did not.
// kernel/exit.c:task_stopped_code()
int* task_stopped_code(task_struct* p, bool ptrace) {
  if (ptrace) return task_is_traced(p) ? &p->exit_code : nullptr;
  return (p->signal->flags & SIGNAL_STOP_STOPPED) != 0
             ? &p->signal->group_exit_code
             : nullptr;
}

// delay_group_leader() for a condition: no schedule point. The two forms of
// thread_group_empty() differ for a leader only while exec replaces another.
bool LeaderMustStay(const task_struct* p) {
  if (!thread_group_leader(p)) return false;
  const ThreadList& threads = p->signal->thread_head;
  return RootOf<EngineState>(p).differences.thread_group_empty_needs_leader
             ? &threads.back() != p
             : &threads.back() != &threads.front();
}

// Whether a zombie may be waited for by this caller: not while its threads
// live, nor by its parent while it is traced.
bool ZombieIsReady(const task_struct* p, bool ptrace) {
  return !LeaderMustStay(p) && (ptrace || p->ptrace == 0);
}

// What an eligible child has to tell; kNone: nothing now. Clears
// *notask_error if it may have something later. Reads only the world.
// kernel/exit.c:wait_consider_task()
Event EventOf(const wait_opts& wo, bool ptrace, task_struct* p,
              int* notask_error) {
  const uint32_t exit_state = p->exit_state;
  if (exit_state == EXIT_DEAD || !eligible_child(wo, ptrace, p)) {
    return Event::kNone;
  }
  if (exit_state == EXIT_TRACE) {
    if (!ptrace) *notask_error = 0;
    return Event::kNone;
  }
  if (!ptrace && p->ptrace != 0 && !ptrace_reparented(p)) ptrace = true;
  if (exit_state == EXIT_ZOMBIE) {
    if (ZombieIsReady(p, ptrace)) {
      if ((wo.wo_flags & WEXITED) != 0) return Event::kZombie;
      return Event::kNone;
    }
    if (!ptrace || (wo.wo_flags & (WCONTINUED | WEXITED)) != 0) {
      *notask_error = 0;
    }
  } else {
    *notask_error = 0;
  }
  if (ptrace || (wo.wo_flags & WUNTRACED) != 0) {
    const int* code = task_stopped_code(p, ptrace);
    if (code != nullptr && *code != 0) return Event::kStopped;
  }
  const bool continued = (p->signal->flags & SIGNAL_STOP_CONTINUED) != 0;
  if (continued && (wo.wo_flags & WCONTINUED) != 0) return Event::kContinued;
  return Event::kNone;
}

// The first child or tracee of the group of `self` with an event.
struct Found {
  task_struct* task = nullptr;
  bool ptrace = false;
  Event event = Event::kNone;
};

// Takes p for the result if it has an event.
bool Consider(const wait_opts& wo, bool ptrace, task_struct* p,
              int* notask_error, Found* found) {
  const Event event = EventOf(wo, ptrace, p, notask_error);
  if (event == Event::kNone) return false;
  *found = {.task = p,
            .ptrace = ptrace || (p->ptrace != 0 && !ptrace_reparented(p)),
            .event = event};
  return true;
}

// kernel/exit.c:do_wait_thread(), ptrace_do_wait(), do_wait_pid(), which comes
// to the same. Reads only the world, so that it serves as a condition, too.
Found FindEvent(const wait_opts& wo, task_struct* self, int* notask_error) {
  Found found;
  const bool one_thread = (wo.wo_flags & __WNOTHREAD) != 0;
  for (task_struct& t : self->signal->thread_head) {
    if (one_thread && &t != self) continue;
    for (task_struct& p : t.children) {
      if (Consider(wo, false, &p, notask_error, &found)) return found;
    }
    for (task_struct& p : t.ptraced) {
      if (Consider(wo, true, &p, notask_error, &found)) return found;
    }
  }
  return found;
}

int exit_status(const task_struct* p) {
  PlainRead(&p->signal->flags, "signal->flags");
  PlainRead(&p->signal->group_exit_code, "signal->group_exit_code");
  return (p->signal->flags & SIGNAL_GROUP_EXIT) != 0
             ? p->signal->group_exit_code
             : p->exit_code;
}

void fill_exit_info(int status, pid_t pid, uid_t uid, waitid_info* info) {
  if (info == nullptr) return;
  info->pid = pid;
  info->uid = uid;
  if ((status & 0x7f) == 0) {
    info->cause = CLD_EXITED;
    info->status = status >> 8;
  } else {
    info->cause = (status & 0x80) != 0 ? CLD_DUMPED : CLD_KILLED;
    info->status = status & 0x7f;
  }
}

// A tracer that is not the parent has seen the zombie: the parent is next.
// Whether p is to be released. kernel/exit.c:wait_task_zombie()
bool hand_zombie_to_parent(task_struct* p) {
  write_lock(tasklist_lock());
  __ptrace_unlink(p);
  const bool autoreap = do_notify_parent(p, p->exit_signal);
  p->exit_state = autoreap ? EXIT_DEAD : EXIT_ZOMBIE;
  write_unlock(tasklist_lock());
  return autoreap;
}

// Caller: tasklist_lock for reading, which is dropped. Returns p's pid, or 0
// if another waiter was faster; then the lock is still held.
// kernel/exit.c:wait_task_zombie()
int64_t wait_task_zombie(wait_opts* wo,
                         task_struct* p) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const pid_t pid = task_pid_vnr(p);
  const uid_t uid = p->uid;
  if ((wo->wo_flags & WNOWAIT) != 0) {
    const int status = exit_status(p);
    read_unlock(tasklist_lock());
    fill_exit_info(status, pid, uid, wo->wo_info);
    return pid;
  }
  const bool trace = ptrace_reparented(p) && thread_group_leader(p);
  SchedulePoint(Point::kFlagSet, Access::kWrite, NumberOf(&p->exit_state));
  if (p->exit_state != EXIT_ZOMBIE) return 0;
  p->exit_state = trace ? EXIT_TRACE : EXIT_DEAD;
  // From here on it is ours alone to release.
  read_unlock(tasklist_lock());
  const int status = exit_status(p);
  wo->wo_stat = status;
  if (!trace || hand_zombie_to_parent(p)) release_task(p);
  fill_exit_info(status, pid, uid, wo->wo_info);
  return pid;
}

// As above. kernel/exit.c:wait_task_stopped()
int64_t wait_task_stopped(wait_opts* wo, bool ptrace,
                          task_struct* p) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  spinlock_t* siglock = &p->sighand->siglock;
  spin_lock(siglock);
  int* code = task_stopped_code(p, ptrace);
  const int exit_code = code == nullptr ? 0 : *code;
  if (exit_code != 0 && (wo->wo_flags & WNOWAIT) == 0) *code = 0;
  spin_unlock(siglock);
  if (exit_code == 0) return 0;
  const pid_t pid = task_pid_vnr(p);
  const uid_t uid = p->uid;
  read_unlock(tasklist_lock());
  wo->wo_stat = exit_code << 8 | 0x7f;
  if (wo->wo_info != nullptr) {
    *wo->wo_info = {.pid = pid,
                    .uid = uid,
                    .status = exit_code,
                    .cause = ptrace ? CLD_TRAPPED : CLD_STOPPED};
  }
  return pid;
}

// As above. kernel/exit.c:wait_task_continued()
int64_t wait_task_continued(wait_opts* wo,
                            task_struct* p) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  spinlock_t* siglock = &p->sighand->siglock;
  spin_lock(siglock);
  const bool continued = (p->signal->flags & SIGNAL_STOP_CONTINUED) != 0;
  if (continued && (wo->wo_flags & WNOWAIT) == 0) {
    p->signal->flags &= ~SIGNAL_STOP_CONTINUED;
  }
  spin_unlock(siglock);
  if (!continued) return 0;
  const pid_t pid = task_pid_vnr(p);
  const uid_t uid = p->uid;
  read_unlock(tasklist_lock());
  wo->wo_stat = 0xffff;
  if (wo->wo_info != nullptr) {
    *wo->wo_info = {
        .pid = pid, .uid = uid, .status = SIGCONT, .cause = CLD_CONTINUED};
  }
  return pid;
}

// As above, by what was found.
int64_t TakeEvent(wait_opts* wo,
                  const Found& found) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  switch (found.event) {
    case Event::kNone:
      break;
    case Event::kZombie:
      return wait_task_zombie(wo, found.task);
    case Event::kStopped:
      return wait_task_stopped(wo, found.ptrace, found.task);
    case Event::kContinued:
      return wait_task_continued(wo, found.task);
  }
  return 0;
}

// One look: a pid, or -ECHILD, or 0 (WNOHANG), or -ERESTARTSYS: wait.
// kernel/exit.c:__do_wait(). The lock is dropped inside TakeEvent().
int64_t __do_wait(wait_opts* wo) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  wo->notask_error = -ECHILD;
  if (wo->any ||
      (wo->wo_pid != nullptr && pid_has_task(wo->wo_pid, PIDTYPE_PID))) {
    read_lock(tasklist_lock());
    for (;;) {
      const Found found = FindEvent(*wo, current(), &wo->notask_error);
      if (found.event == Event::kNone) break;
      if (const int64_t pid = TakeEvent(wo, found); pid != 0) return pid;
      // Somebody else took it; it won't be found again.
    }
    read_unlock(tasklist_lock());
  }
  if (wo->notask_error != 0) return wo->notask_error;
  return (wo->wo_flags & WNOHANG) != 0 ? 0 : -ERESTARTSYS;
}

// Whether a sleeping waiter has a reason to look again.
bool WorthAnotherLook(const wait_opts& wo, task_struct* self) {
  int notask_error = -ECHILD;
  return FindEvent(wo, self, &notask_error).event != Event::kNone ||
         notask_error != 0;
}

// kernel/exit.c:do_wait()
int64_t do_wait(wait_opts* wo) {
  task_struct* self = current();
  for (;;) {
    const int64_t ret = __do_wait(wo);
    if (ret != -ERESTARTSYS || signal_pending(self)) return ret;
    self->__state = TASK_INTERRUPTIBLE;
    WaitUntil(Point::kWaitForChild, Access::kRead, NumberOf(self->signal),
              [wo, self] {
                return WorthAnotherLook(*wo, self) || signal_pending(self);
              });
    self->__state = TASK_RUNNING;
  }
}

constexpr int kCommonOptions =
    WNOHANG | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL;

// kernel/exit.c:kernel_waitid_prepare()
int waitid_prepare(wait_opts* wo, int which, pid_t upid, int options) {
  constexpr int kEvents = WEXITED | WSTOPPED | WCONTINUED;
  if ((options & ~(kCommonOptions | kEvents | WNOWAIT)) != 0) return -EINVAL;
  if ((options & kEvents) == 0) return -EINVAL;
  wo->wo_flags = options;
  unsigned int f_flags = 0;
  int error = 0;
  switch (which) {
    case P_ALL:
      wo->any = true;
      break;
    case P_PID:
      if (upid <= 0) return -EINVAL;
      wo->wo_pid = find_get_pid(upid);
      break;
    case P_PIDFD:
      if (upid < 0) return -EINVAL;
      wo->wo_pid = pidfd_get_pid(upid, &f_flags, &error);
      if (wo->wo_pid == nullptr) return error;
      break;
    default:
      return -EINVAL;
  }
  if ((f_flags & O_NONBLOCK) != 0) wo->wo_flags |= WNOHANG;
  return 0;
}

}  // namespace

int64_t sys_wait4(pid_t upid, int* stat, int options) {
  if ((options & ~(kCommonOptions | WUNTRACED)) != 0) return -EINVAL;
  if (upid == INT_MIN) return -ESRCH;
  wait_opts wo{.any = upid == -1 || upid == 0, .wo_flags = options | WEXITED};
  if (upid > 0) wo.wo_pid = find_get_pid(upid);
  const int64_t ret = do_wait(&wo);
  put_pid(wo.wo_pid);
  if (ret > 0 && stat != nullptr) *stat = wo.wo_stat;
  return ret;
}

int64_t sys_waitid(int which, pid_t upid, waitid_info* info, int options) {
  waitid_info found;
  wait_opts wo{.wo_info = &found};
  int64_t ret = waitid_prepare(&wo, which, upid, options);
  if (ret != 0) return ret;
  ret = do_wait(&wo);
  // A pidfd's O_NONBLOCK, unlike WNOHANG, is an error to the caller.
  if (ret == 0 && (options & WNOHANG) == 0 && (wo.wo_flags & WNOHANG) != 0) {
    ret = -EAGAIN;
  }
  put_pid(wo.wo_pid);
  if (info != nullptr) *info = found;
  return ret > 0 ? 0 : ret;
}

void zap_pid_ns_processes(pid_namespace* pid_ns) {
  task_struct* me = current();
  sighand_struct* sighand = me->sighand;
  SchedState& sched = Here<SchedState>();
  // What is left besides this thread, when all others are gone: its leader.
  const uint32_t init_pids = thread_group_leader(me) ? 1 : 2;
  spin_lock(&sighand->siglock);
  pid_ns->dying = true;
  // Children that die from here on need nobody to wait for them.
  sighand->action[SIGCHLD] = SigDisposition::kIgnore;
  spin_unlock(&sighand->siglock);

  read_lock(tasklist_lock());
  for (pid_t nr = 1; nr < sched.PidLimit(); ++nr) {
    pid* pid = sched.PidAt(nr);
    if (pid == nullptr || pid->level < pid_ns->level) continue;
    const auto& upid = pid->numbers[pid_ns->level];
    if (upid.ns != pid_ns || upid.nr < 2) continue;
    task_struct* task = pid_task(pid, PIDTYPE_PID);
    if (task != nullptr && !__fatal_signal_pending(task)) {
      (void)do_send_sig_info(SIGKILL, SEND_SIG_PRIV, task, PIDTYPE_TGID);
    }
  }
  read_unlock(tasklist_lock());

  int64_t rc = 0;
  do {
    me->thread_flags &= ~TIF_SIGPENDING;
    rc = sys_wait4(-1, nullptr, __WALL);
  } while (rc != -ECHILD);

  // Those whose parents are outside, and those that are dead but not released.
  me->__state = TASK_IDLE;
  WaitUntil(Point::kWait, Access::kRead, NumberOf(pid_ns),
            [=] { return pid_ns->pids <= init_pids; });
  me->__state = TASK_RUNNING;
}

}  // namespace reapsim
