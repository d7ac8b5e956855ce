// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/fork.c, v5.15 to v7.2; see the header for what is modelled,
// simplified and stubbed. Functions stand in the kernel's order.

#include "syscall/fork.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <iterator>

#include "mm/fork.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "sched/file.h"
#include "sched/freezer.h"
#include "sched/pid.h"
#include "sched/race.h"
#include "sched/signal.h"
#include "syscall/exit.h"
#include "syscall/futex.h"
#include "syscall/pidfd.h"
#include "syscall/ptrace.h"

namespace reapsim {
namespace {

// Where a new task's fiber begins. arch/x86/entry/entry_64.S:ret_from_fork()
void ret_from_fork(void* arg) {
  auto* task = static_cast<task_struct*>(arg);
  WaitUntil(Point::kWake, Access::kRead, NumberOf(&task->__state),
            [task] { return task->__state != TASK_NEW; });
  RaceAcquire(&task->__state);
  Here<SchedState>().task_entry(task);
}

void CopyComm(task_struct* tsk, const char* comm) {
  std::snprintf(tsk->comm, sizeof(tsk->comm), "%s", comm);
}

// An empty task with a fiber; null if there is no room. Host side, too.
task_struct* alloc_task_struct(SchedState* sched) {
  Engine* engine = RootOf<EngineState>(sched).engine;
  task_struct* tsk = sched->task_slab.New();
  if (tsk == nullptr) return nullptr;
  tsk->thread = engine->NewFiber(tsk, ret_from_fork);
  if (tsk->thread == nullptr) {
    REAP_CHECK(sched->task_slab.Delete(tsk), "fork: slab");
    return nullptr;
  }
  tsk->usage = 1;
  tsk->rcu_users = 2;
  tsk->__state = TASK_NEW;
  return tsk;
}

// kernel/fork.c:dup_task_struct(), and what copy_process() resets at once.
task_struct* dup_task_struct(const task_struct* orig) {
  task_struct* tsk = alloc_task_struct(&Here<SchedState>());
  if (tsk == nullptr) return nullptr;
  tsk->uid = orig->uid;
  tsk->cpu = orig->cpu;
  tsk->pid_ns = orig->pid_ns;
  tsk->blocked = orig->blocked;
  tsk->flags = orig->flags & ~(PF_KTHREAD | PF_SIGNALED | PF_DUMPCORE);
  CopyComm(tsk, orig->comm);
  return tsk;
}

// kernel/fork.c:complete_vfork_done()
void complete_vfork_done(task_struct* tsk) {
  task_lock(tsk);
  completion* vfork = tsk->vfork_done;
  if (vfork != nullptr) {
    tsk->vfork_done = nullptr;
    RaceRelease(vfork);
    vfork->done++;
  }
  task_unlock(tsk);
}

// Waits until `child` lets go of the mm; whether the caller was killed first.
// kernel/fork.c:wait_for_vfork_done()
bool wait_for_vfork_done(task_struct* child, const completion* vfork) {
  task_struct* self = current();
  cgroup_enter_frozen();
  self->__state = TASK_KILLABLE;
  WaitUntil(Point::kVforkWait, Access::kRead, NumberOf(child),
            [=] { return vfork->done != 0 || fatal_signal_pending(self); });
  self->__state = TASK_RUNNING;
  cgroup_leave_frozen(/*always_leave=*/false);
  const bool killed = vfork->done == 0;
  if (!killed) RaceAcquire(vfork);
  if (killed) {
    task_lock(child);
    child->vfork_done = nullptr;
    task_unlock(child);
  }
  put_task_struct(child);
  return killed;
}

// kernel/fork.c:mm_release()
void mm_release(task_struct* tsk, mm_struct* mm) {
  if (tsk->clear_child_tid != 0) {
    if (atomic_read(mm->mm_users) > 1) {
      uint64_t zero = 0;
      (void)access_user_word(tsk->clear_child_tid, /*write=*/true, &zero,
                             /*user_mode=*/false);
      (void)futex_wake(tsk->clear_child_tid, 1);
    }
    tsk->clear_child_tid = 0;
  }
  // Now the parent may have its mm back.
  if (tsk->vfork_done != nullptr) complete_vfork_done(tsk);
}

// kernel/fork.c:copy_mm()
int copy_mm(uint64_t clone_flags, task_struct* tsk) {
  mm_struct* oldmm = current()->mm;
  if (oldmm == nullptr) return 0;
  mm_struct* mm = oldmm;
  if ((clone_flags & CLONE_VM) != 0) {
    mmget(oldmm);
  } else {
    mm = dup_mm(oldmm);
    if (mm == nullptr) return -ENOMEM;
    mm->owner = tsk;
  }
  tsk->mm = mm;
  tsk->active_mm = mm;
  Touch();
  return 0;
}

// kernel/fork.c:copy_files()
int copy_files(uint64_t clone_flags, task_struct* tsk) {
  files_struct* oldf = current()->files;
  if (oldf == nullptr) return 0;
  if ((clone_flags & CLONE_FILES) != 0) {
    atomic_inc(&oldf->count);
    tsk->files = oldf;
    return 0;
  }
  tsk->files = dup_fd(oldf);
  return tsk->files == nullptr ? -ENOMEM : 0;
}

// kernel/fork.c:copy_sighand()
int copy_sighand(uint64_t clone_flags, task_struct* tsk) {
  sighand_struct* old = current()->sighand;
  if ((clone_flags & CLONE_SIGHAND) != 0) {
    tsk->sighand = old;
    atomic_inc(&old->count);
    return 0;
  }
  tsk->sighand = sighand_dup(old);
  return tsk->sighand == nullptr ? -ENOMEM : 0;
}

// A signal_struct for the first thread of a group; null if there is no room.
// Host side, too.
signal_struct* alloc_signal(SchedState* sched, task_struct* leader) {
  signal_struct* sig = sched->signal_slab.New();
  if (sig == nullptr) return nullptr;
  sig->nr_threads = 1;
  sig->quick_threads = 1;
  sig->live = 1;
  sig->sigcnt = 1;
  sig->thread_head.push_back(*leader);
  sig->curr_target = leader;
  return sig;
}

// kernel/fork.c:copy_signal()
int copy_signal(uint64_t clone_flags, task_struct* tsk) {
  const task_struct* self = current();
  if ((clone_flags & CLONE_THREAD) != 0) {
    tsk->signal = self->signal;
    return 0;
  }
  tsk->signal = alloc_signal(&Here<SchedState>(), tsk);
  if (tsk->signal == nullptr) return -ENOMEM;
  tsk->signal->oom_score_adj = self->signal->oom_score_adj;
  tsk->signal->cgroup = self->signal->cgroup;
  return 0;
}

// A process that shares its mm but is not a vfork child or a thread marks the
// mm, for the OOM killer's score. kernel/fork.c:copy_oom_score_adj()
void copy_oom_score_adj(uint64_t clone_flags, task_struct* tsk) {
  constexpr uint64_t kMask = CLONE_VM | CLONE_THREAD | CLONE_VFORK;
  if (tsk->mm == nullptr || (clone_flags & kMask) != CLONE_VM) return;
  set_bit(MMF_MULTIPROCESS, &tsk->mm->flags);
  tsk->signal->oom_score_adj = current()->signal->oom_score_adj;
}

// The combinations of flags that make no sense. 0 or -EINVAL.
int check_clone_flags(uint64_t flags) {
  const task_struct* self = current();
  if ((flags & CLONE_THREAD) != 0 && (flags & CLONE_SIGHAND) == 0) {
    return -EINVAL;
  }
  if ((flags & CLONE_SIGHAND) != 0 && (flags & CLONE_VM) == 0) return -EINVAL;
  // Inits have no siblings: nobody would reap them.
  if ((flags & CLONE_PARENT) != 0 &&
      (self->signal->flags & SIGNAL_UNKILLABLE) != 0) {
    return -EINVAL;
  }
  if ((flags & CLONE_THREAD) != 0 &&
      ((flags & CLONE_NEWPID) != 0 ||
       task_active_pid_ns(self) != self->pid_ns)) {
    return -EINVAL;
  }
  if ((flags & CLONE_PIDFD) != 0 && (flags & CLONE_THREAD) != 0 &&
      !differences().has_pidfd_thread) {
    return -EINVAL;
  }
  return 0;
}

// kernel/nsproxy.c:copy_namespaces(), of which only the pid's matters.
int copy_namespaces(uint64_t clone_flags, task_struct* tsk) {
  if ((clone_flags & CLONE_NEWPID) == 0) return 0;
  int error = 0;
  tsk->pid_ns = create_pid_namespace(current()->pid_ns, &error);
  return error;
}

// All that copy_process() copies or shares, in the kernel's order.
int copy_everything(const kernel_clone_args& args, task_struct* p) {
  int error = copy_files(args.flags, p);
  if (error == 0) error = copy_sighand(args.flags, p);
  if (error == 0) error = copy_signal(args.flags, p);
  if (error == 0) error = copy_mm(args.flags, p);
  if (error == 0) error = copy_namespaces(args.flags, p);
  return error;
}

// Undoes what copy_process() has done so far, newest first. Whatever `p` does
// not have yet is null. The labels bad_fork_* of kernel/fork.c.
void bad_fork(const kernel_clone_args& args, task_struct* p, pid* pid) {
  if (pid != nullptr) free_pid(pid);
  if (p->pid_ns != nullptr && p->pid_ns != current()->pid_ns) {
    put_pid_ns(p->pid_ns);
  }
  if (mm_struct* mm = p->mm; mm != nullptr) {
    if (mm->owner == p) mm->owner = nullptr;
    p->mm = p->active_mm = nullptr;
    mmput(mm);
  }
  if ((args.flags & CLONE_THREAD) == 0 && p->signal != nullptr) {
    signal_struct* sig = p->signal;
    REAP_CHECK(Here<SchedState>().signal_slab.Delete(sig), "fork: signal");
  }
  if (p->sighand != nullptr) __cleanup_sighand(p->sighand);
  exit_files(p);
  p->__state = TASK_DEAD;
  free_task(p);
}

// A pidfd that is handed over when its task is visible.
struct clone_pidfd {
  int fd = -1;
  struct file* file = nullptr;
};

// kernel/fork.c:__pidfd_prepare(): no task is attached to the pid yet.
int prepare_clone_pidfd(const kernel_clone_args& args, pid* pid,
                        clone_pidfd* pidfd) {
  if ((args.flags & CLONE_PIDFD) == 0) return 0;
  const int fd = get_unused_fd_flags(O_CLOEXEC);
  if (fd < 0) return fd;
  const bool thread = (args.flags & CLONE_THREAD) != 0;
  file* file = alloc_file(FileKind::kPidfd, FMODE_READ | FMODE_WRITE,
                          O_RDWR | (thread ? PIDFD_THREAD : 0));
  if (file == nullptr) {
    put_unused_fd(fd);
    return -ENFILE;
  }
  file->pid = get_pid(pid);
  *pidfd = {.fd = fd, .file = file};
  return 0;
}

void finish_clone_pidfd(const kernel_clone_args& args, bool success,
                        const clone_pidfd& pidfd) {
  if (pidfd.file == nullptr) return;
  if (success) {
    fd_install(pidfd.fd, pidfd.file);
    if (args.pidfd != nullptr) *args.pidfd = pidfd.fd;
    return;
  }
  fput(pidfd.file);
  put_unused_fd(pidfd.fd);
}

// Who will be told of p's death. Caller: tasklist_lock for write.
void set_parent(const kernel_clone_args& args, task_struct* p) {
  task_struct* self = current();
  if ((args.flags & (CLONE_PARENT | CLONE_THREAD)) == 0) {
    p->real_parent = self;
    p->exit_signal = args.exit_signal;
    return;
  }
  p->real_parent = self->real_parent;
  p->exit_signal =
      (args.flags & CLONE_THREAD) != 0 ? -1 : self->group_leader->exit_signal;
}

// Makes a complete task known to all. Caller: tasklist_lock for write, and the
// siglock of the running task.
void attach_new_task(task_struct* p, pid* pid) {
  SchedState& sched = Here<SchedState>();
  init_task_pid(p, PIDTYPE_PID, pid);
  if (!thread_group_leader(p)) {
    signal_struct* sig = current()->signal;
    sig->nr_threads++;
    sig->quick_threads++;
    atomic_inc(&sig->live);
    atomic_inc(&sig->sigcnt);
    task_join_group_stop(p);
    sig->thread_head.push_back(*p);
    Touch();
    attach_pid(p, PIDTYPE_PID);
    return;
  }
  init_task_pid(p, PIDTYPE_TGID, pid);
  if (is_child_reaper(pid)) {
    p->pid_ns->child_reaper = p;
    p->signal->flags |= SIGNAL_UNKILLABLE;
  }
  p->real_parent->children.push_back(*p);
  sched.tasks.push_back(*p);
  attach_pid(p, PIDTYPE_TGID);
  attach_pid(p, PIDTYPE_PID);
}

// The last part of copy_process(): under both locks, p becomes visible unless
// the caller has been killed meanwhile. 0, -ENOMEM or -EINTR.
int publish_task(const kernel_clone_args& args, task_struct* p, pid* pid) {
  task_struct* self = current();
  sighand_struct* sighand = self->sighand;
  Mark(Point::kCopyProcess);
  write_lock(tasklist_lock());
  set_parent(args, p);
  spin_lock(&sighand->siglock);
  int error = 0;
  if (ns_of_pid(pid)->dying) error = -ENOMEM;
  if (error == 0 && fatal_signal_pending(self)) error = -EINTR;
  if (error == 0) {
    ptrace_init_task(p, (args.flags & CLONE_PTRACE) != 0);
    attach_new_task(p, pid);
  }
  spin_unlock(&sighand->siglock);
  write_unlock(tasklist_lock());
  return error;
}

// The signals that came before the fork are seen to before it.
bool signals_before_fork() {
  task_struct* self = current();
  sighand_struct* sighand = self->sighand;
  spin_lock(&sighand->siglock);
  recalc_sigpending();
  spin_unlock(&sighand->siglock);
  return signal_pending(self);
}

void set_task_ids(const kernel_clone_args& args, task_struct* p,
                  const pid* pid) {
  p->pid = pid_nr(pid);
  const bool thread = (args.flags & CLONE_THREAD) != 0;
  p->group_leader = thread ? current()->group_leader : p;
  p->tgid = thread ? current()->tgid : p->pid;
}

// What kthreadd runs: kernel threads are made by whoever wants them.
void KthreaddSleep(void* /*unused*/) {
  current()->__state = TASK_INTERRUPTIBLE;
  WaitUntil(Point::kWait, Access::kRead, 0, [] { return false; });
}

// A pid of the initial namespace that names `leader`. Host side, too.
pid* MakePid(SchedState* sched, task_struct* leader) {
  pid_namespace* ns = sched->init_pid_ns;
  pid* pid = sched->pid_slab.New();
  if (pid == nullptr) return nullptr;
  const pid_t nr = ++ns->last_pid;
  REAP_CHECK_LT(nr, static_cast<pid_t>(SchedState::kMaxPids), "fork: pids");
  pid->count = 1;
  pid->numbers[0].nr = nr;
  pid->numbers[0].ns = ns;
  pid->tasks[PIDTYPE_PID] = leader;
  pid->tasks[PIDTYPE_TGID] = leader;
  sched->SetPid(nr, pid);
  ns->count++;
  ns->pids++;
  return pid;
}

// A process of one thread without mm and files, made from nothing. All that a
// world boots with fits, so failure is a programming error. Host side, too.
task_struct* MakeTask(SchedState* sched, const char* comm,
                      SigDisposition all_signals)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  task_struct* tsk = alloc_task_struct(sched);
  sighand_struct* sighand = sched->sighand_slab.New();
  if (tsk == nullptr || sighand == nullptr) return nullptr;
  CopyComm(tsk, comm);
  sighand->count = 1;
  std::fill(std::begin(sighand->action), std::end(sighand->action),
            all_signals);
  tsk->sighand = sighand;
  tsk->signal = alloc_signal(sched, tsk);
  tsk->pid_ns = sched->init_pid_ns;
  tsk->thread_pid = MakePid(sched, tsk);
  if (tsk->signal == nullptr || tsk->thread_pid == nullptr) return nullptr;
  tsk->signal->leader_pid = tsk->thread_pid;
  tsk->pid = tsk->tgid = tsk->thread_pid->numbers[0].nr;
  tsk->group_leader = tsk;
  tsk->exit_signal = SIGCHLD;
  tsk->__state = TASK_RUNNING;
  sched->tasks.push_back(*tsk);
  return tsk;
}

void AdoptKernelThread(task_struct* tsk, task_struct* parent,
                       void (*fn)(void* arg), void* arg) {
  tsk->flags = PF_KTHREAD | PF_NOFREEZE | PF_FORKNOEXEC;
  tsk->kthread_fn = fn;
  tsk->kthread_arg = arg;
  tsk->real_parent = tsk->parent = parent;
}

}  // namespace

// No analysis: nobody knows the new one yet, so its lock is not needed.
sighand_struct* sighand_dup(sighand_struct* old)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  sighand_struct* sighand = Here<SchedState>().sighand_slab.New();
  if (sighand == nullptr) return nullptr;
  sighand->count = 1;
  spin_lock(&old->siglock);
  std::copy(std::begin(old->action), std::end(old->action), sighand->action);
  spin_unlock(&old->siglock);
  return sighand;
}

void __cleanup_sighand(sighand_struct* sighand) {
  if (atomic_dec_return(&sighand->count) != 0) return;
  // The kernel reuses it at once, but never as anything else; a grace period
  // promises the same to those who still look at it.
  call_rcu(&sighand->rcu, [](rcu_head* head) {
    auto* dead = reinterpret_cast<sighand_struct*>(
        reinterpret_cast<char*>(head) - offsetof(sighand_struct, rcu));
    if (!Here<SchedState>().sighand_slab.Delete(dead)) {
      Fail(VerdictKind::kDoubleFree, "a sighand_struct is freed twice");
    }
  });
}

void exit_mm_release(task_struct* tsk, mm_struct* mm) {
  Mark(Point::kExitMmRelease);
  futex_cleanup(tsk);
  mm_release(tsk, mm);
}

void exec_mm_release(task_struct* tsk, mm_struct* mm) {
  futex_cleanup(tsk);
  mm_release(tsk, mm);
}

task_struct* copy_process(const kernel_clone_args& args, int* error) {
  *error = check_clone_flags(args.flags);
  if (*error != 0) return nullptr;
  if (signals_before_fork()) {
    *error = -ERESTARTNOINTR;
    return nullptr;
  }
  *error = -ENOMEM;
  task_struct* p = dup_task_struct(current());
  if (p == nullptr) return nullptr;
  p->flags |= PF_FORKNOEXEC;
  if (args.user_worker) {
    p->flags |= PF_USER_WORKER;
    p->blocked = ~(SigBit(SIGKILL) | SigBit(SIGSTOP));
  }
  if (args.comm != nullptr) CopyComm(p, args.comm);
  if ((args.flags & CLONE_CHILD_CLEARTID) != 0) {
    p->clear_child_tid = args.child_tid;
  }
  *error = copy_everything(args, p);
  pid* pid = nullptr;
  clone_pidfd pidfd;
  if (*error == 0) pid = alloc_pid(p->pid_ns, error);
  if (*error == 0) *error = prepare_clone_pidfd(args, pid, &pidfd);
  if (*error == 0) {
    set_task_ids(args, p, pid);
    *error = publish_task(args, p, pid);
  }
  finish_clone_pidfd(args, *error == 0, pidfd);
  if (*error != 0) {
    bad_fork(args, p, pid);
    return nullptr;
  }
  cgroup_post_fork(p);
  copy_oom_score_adj(args.flags, p);
  Charge(Cost::kFork, 1);
  return p;
}

void wake_up_new_task(task_struct* p) {
  SchedulePoint(Point::kWake, Access::kWrite, NumberOf(&p->__state));
  RaceRelease(&p->__state);
  p->__state = TASK_RUNNING;
}

int64_t kernel_clone(const kernel_clone_args& args) {
  int error = 0;
  task_struct* p = copy_process(args, &error);
  if (p == nullptr) return error;
  // Nothing of p may be looked at once it runs, unless it is pinned.
  const pid_t nr = task_pid_vnr(p);
  completion vfork;
  if ((args.flags & CLONE_VFORK) != 0) {
    p->vfork_done = &vfork;
    get_task_struct(p);
  }
  wake_up_new_task(p);
  if ((args.flags & CLONE_VFORK) != 0) (void)wait_for_vfork_done(p, &vfork);
  return nr;
}

task_struct* kernel_thread(void (*fn)(void* arg), void* arg, const char* comm) {
  write_lock(tasklist_lock());
  task_struct* tsk = MakeKernelThread(&Here<SchedState>(), fn, arg, comm);
  write_unlock(tasklist_lock());
  return tsk;
}

task_struct* MakeKernelThread(SchedState* sched, void (*fn)(void* arg),
                              void* arg, const char* comm) {
  task_struct* tsk = MakeTask(sched, comm, SigDisposition::kIgnore);
  REAP_CHECK(tsk != nullptr, "fork: no room for a kernel thread");
  AdoptKernelThread(tsk, sched->kthreadd, fn, arg);
  sched->kthreadd->children.push_back(*tsk);
  return tsk;
}

task_struct* make_init_task(SchedState* sched, const char* comm) {
  REAP_CHECK(sched->init_task == nullptr, "fork: there is an init already");
  pid_namespace* ns = sched->pid_ns_slab.New();
  ns->count = 1;
  sched->init_pid_ns = ns;
  task_struct* init = MakeTask(sched, comm, SigDisposition::kDefault);
  task_struct* kthreadd = MakeTask(sched, "kthreadd", SigDisposition::kIgnore);
  REAP_CHECK(init != nullptr && kthreadd != nullptr, "fork: boot");
  // Both are children of the swapper, which nobody ever sees; each stands in
  // for it.
  init->real_parent = init->parent = init;
  init->signal->flags = SIGNAL_UNKILLABLE;
  AdoptKernelThread(kthreadd, kthreadd, KthreaddSleep, nullptr);
  ns->child_reaper = init;
  sched->init_task = init;
  sched->kthreadd = kthreadd;
  return init;
}

int init_task_start() {
  task_struct* self = current();
  mm_struct* mm = mm_alloc();
  files_struct* files = alloc_files();
  if (mm == nullptr || files == nullptr) return -ENOMEM;
  task_lock(self);
  self->mm = self->active_mm = mm;
  self->files = files;
  task_unlock(self);
  return 0;
}

}  // namespace reapsim
