// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Tasks, thread groups and pids, with the kernel's names.
// Source: include/linux/sched.h, include/linux/sched/signal.h,
// include/linux/pid.h, v5.15 to v7.2.
//
// Fields are grouped by the lock that guards them. Where the kernel itself
// reads a field without its lock, the reader says READ_ONCE().
#ifndef REAPSIM_SCHED_TASK_H_
#define REAPSIM_SCHED_TASK_H_

#include <sys/types.h>

#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "sched/engine.h"
#include "sched/mutex.h"
#include "sched/race.h"
#include "sched/rcu.h"
#include "sched/rwsem.h"
#include "sched/signal_types.h"
#include "sched/spinlock.h"
#include "sched/timer.h"

namespace reapsim {

struct mm_struct;     // mm/mm_types.h
struct files_struct;  // sched/file.h
struct core_state;    // sched/signal.h
struct task_struct;
struct signal_struct;
struct pid;

// Unlinking leaves the unlinked element's own links as they were (normal_link),
// as list_del_rcu() does: whoever stands on it finds the way on. So there is
// no is_linked(); whoever unlinks must know.
using ListHook = boost::intrusive::list_member_hook<
    boost::intrusive::link_mode<boost::intrusive::normal_link>>;
template <class T, ListHook T::*kHook>
using IntrusiveList =
    boost::intrusive::list<T, boost::intrusive::member_hook<T, ListHook, kHook>,
                           boost::intrusive::constant_time_size<false>>;

// task_struct::__state. Bits, so that a wake-up can name a set of them.
inline constexpr uint32_t TASK_RUNNING = 0x00;
inline constexpr uint32_t TASK_INTERRUPTIBLE = 0x01;
inline constexpr uint32_t TASK_UNINTERRUPTIBLE = 0x02;
inline constexpr uint32_t __TASK_STOPPED = 0x04;
inline constexpr uint32_t __TASK_TRACED = 0x08;
inline constexpr uint32_t TASK_DEAD = 0x80;
inline constexpr uint32_t TASK_WAKEKILL = 0x100;
inline constexpr uint32_t TASK_NOLOAD = 0x400;
inline constexpr uint32_t TASK_NEW = 0x800;
inline constexpr uint32_t TASK_FROZEN = 0x8000;
inline constexpr uint32_t TASK_KILLABLE = TASK_WAKEKILL | TASK_UNINTERRUPTIBLE;
inline constexpr uint32_t TASK_IDLE = TASK_UNINTERRUPTIBLE | TASK_NOLOAD;
inline constexpr uint32_t TASK_STOPPED = TASK_WAKEKILL | __TASK_STOPPED;
inline constexpr uint32_t TASK_TRACED = TASK_WAKEKILL | __TASK_TRACED;

// task_struct::exit_state.
inline constexpr uint32_t EXIT_DEAD = 0x10;
inline constexpr uint32_t EXIT_ZOMBIE = 0x20;
inline constexpr uint32_t EXIT_TRACE = EXIT_ZOMBIE | EXIT_DEAD;

// Results that never leave the kernel (include/linux/errno.h): the call is
// made again, or ends with EINTR, when the signal has been dealt with.
inline constexpr int ERESTARTSYS = 512;
inline constexpr int ERESTARTNOINTR = 513;

// task_struct::flags.
inline constexpr uint32_t PF_EXITING = 0x00000004;
inline constexpr uint32_t PF_POSTCOREDUMP = 0x00000008;
inline constexpr uint32_t PF_USER_WORKER = 0x00000020;
inline constexpr uint32_t PF_FORKNOEXEC = 0x00000040;
inline constexpr uint32_t PF_DUMPCORE = 0x00000200;
inline constexpr uint32_t PF_SIGNALED = 0x00000400;
inline constexpr uint32_t PF_NOFREEZE = 0x00008000;
inline constexpr uint32_t PF_KTHREAD = 0x00200000;

// task_struct::thread_flags (the kernel's thread_info::flags).
inline constexpr uint32_t TIF_SIGPENDING = 1u << 0;
inline constexpr uint32_t TIF_NEED_RESCHED = 1u << 1;
inline constexpr uint32_t TIF_MEMDIE = 1u << 2;

// task_struct::jobctl.
inline constexpr uint32_t JOBCTL_STOP_PENDING = 1u << 0;
inline constexpr uint32_t JOBCTL_STOP_CONSUME = 1u << 1;
inline constexpr uint32_t JOBCTL_TRAP_FREEZE = 1u << 2;  // cgroup v2
inline constexpr uint32_t JOBCTL_STOPPED = 1u << 3;
inline constexpr uint32_t JOBCTL_TRACED = 1u << 4;

// task_struct::ptrace.
inline constexpr uint32_t PT_SEIZED = 1u << 0;
inline constexpr uint32_t PT_TRACE_EXIT = 1u << 1;
inline constexpr uint32_t PT_EXITKILL = 1u << 2;

// signal_struct::flags.
inline constexpr uint32_t SIGNAL_STOP_STOPPED = 0x00000001;
inline constexpr uint32_t SIGNAL_STOP_CONTINUED = 0x00000002;
inline constexpr uint32_t SIGNAL_GROUP_EXIT = 0x00000004;
inline constexpr uint32_t SIGNAL_GROUP_COREDUMP = 0x00000008;  // up to v5.16
inline constexpr uint32_t SIGNAL_UNKILLABLE = 0x00000040;

// How a pid is used.
enum pid_type : uint8_t { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_MAX };

// Only what reaping needs of a namespace: who is its init, and inside which
// other one it lies.
struct pid_namespace {
  pid_namespace* parent = nullptr;
  task_struct* child_reaper = nullptr;
  pid_t last_pid = 0;
  uint32_t level = 0;
  uint32_t count = 0;  // atomic: its pids' and its creator's references
  uint32_t pids = 0;   // numbers in use in it (the kernel's pid_allocated)
  bool dying = false;  // siglock of its init: no new pids (!PIDNS_ADDING)
};

// Nested namespaces that one pid can be known in.
inline constexpr uint32_t kPidLevels = 4;

struct pid {
  uint32_t count = 0;  // atomic
  uint32_t level = 0;  // constant: of the innermost namespace
  struct {
    pid_t nr = 0;
    pid_namespace* ns = nullptr;
  } numbers[kPidLevels];
  // Whom it names: RCU to read, tasklist_lock for write to change.
  task_struct* tasks[PIDTYPE_MAX] = {};
  rcu_head rcu;
};

// What a waiting task waits for, for messages and for /proc/PID/status.
struct completion {
  uint32_t done = 0;
};

// Work that the host hands to a task standing in user mode: a closure, copied
// into the arena, that makes system calls.
struct UserProgram {
  static constexpr size_t kMaxBytes = 512;
  void (*run)(void* closure) = nullptr;  // null: nothing to do
  bool done = false;
  int64_t result = 0;  // what the last call returned: a value, or -errno
  alignas(16) char closure[kMaxBytes] = {};
};

// References that a call can keep or lose.
enum RefKind : uint8_t {
  kRefPid,
  kRefTask,
  kRefMmCount,
  kRefMmUsers,
  kRefKinds
};

// What a task is doing, for rules about what must not be done meanwhile.
enum class TaskContext : uint8_t { kOther, kMrelease, kOomReaper };

// Explanations, and what invariants are judged by (docs/invariants.md). Decides
// nothing itself but verdicts.
struct TaskHistory {
  // Which check decided the latest process_mrelease(): MreleaseDecision and
  // WillFreeReason of mm/oom_kill.h.
  uint8_t mrelease_decision = 0;
  uint8_t will_free_reason = 0;
  pid_t sharer = 0;  // the process that does not let go, if one decided
  uint32_t signals_handled = 0;  // handlers run

  TaskContext context = TaskContext::kOther;
  bool reaping = false;      // inside of __oom_reap_task_mm()
  bool passed_dump = false;  // a victim test saw a core dump, and went on
  uint32_t walks = 0;        // of __oom_reap_task_mm()
  uint32_t refused = 0;      // notifiers that refused in them
  // References taken less those given back, by kind; and how many of either.
  int32_t refs[kRefKinds] = {};
  uint32_t ref_changes = 0;
};

struct task_struct {
  // Constant after copy_process().
  Fiber* thread = nullptr;
  pid_namespace* pid_ns = nullptr;  // in which its children are born
  uid_t uid = 0;
  int exit_signal = 0;  // -1: a thread, nobody is told

  // Owner-private, but for exec's switch of identity (under tasklist_lock).
  pid_t pid = 0;  // in the initial namespace
  pid_t tgid = 0;
  char comm[16] = {};

  // Atomic.
  uint32_t usage = 0;
  uint32_t rcu_users = 0;     // its release, its last switch; share one usage
  uint32_t thread_flags = 0;  // TIF_*
  uint32_t __state = TASK_RUNNING;

  // Written by the task itself (PF_EXITING under siglock), read by anybody.
  uint32_t flags = 0;

  // alloc_lock ("task_lock"):
  spinlock_t alloc_lock{.lock_class = LockClass::kAllocLock};
  mm_struct* mm = nullptr;  // changed with mmap_lock(R), too
  files_struct* files = nullptr;
  completion* vfork_done = nullptr;
  // Proposal::kKeepMm: the mm that it had until exit_mm(), and an mm_count.
  mm_struct* exit_mm = nullptr;

  // Owner-private.
  mm_struct* active_mm = nullptr;
  uint64_t clear_child_tid = 0;  // a user address; 0: none
  uint64_t robust_list = 0;      // a user address; 0: none
  uint32_t cpu = 0;
  int exit_code = 0;

  // sighand->siglock:
  sigset64 pending = 0;
  sigset64 blocked = 0;
  uint32_t jobctl = 0;
  int last_siginfo = 0;  // the signal shown to the tracer

  // tasklist_lock (write to change):
  uint32_t exit_state = 0;
  uint32_t ptrace = 0;
  task_struct* real_parent = nullptr;
  task_struct* parent = nullptr;  // who waits: the tracer, or real_parent
  task_struct* group_leader = nullptr;
  signal_struct* signal = nullptr;
  struct sighand_struct* sighand = nullptr;
  struct pid* thread_pid = nullptr;
  ListHook tasks;         // in SchedState::tasks, leaders only; RCU to read
  ListHook thread_node;   // in signal->thread_head; RCU to read
  ListHook sibling;       // in real_parent's children
  ListHook ptrace_entry;  // in the tracer's ptraced
  IntrusiveList<task_struct, &task_struct::sibling> children;
  IntrusiveList<task_struct, &task_struct::ptrace_entry> ptraced;

  // Freezer (kernel/freezer.c): who wants it frozen.
  bool cgroup_v1_freezing = false;  // freezer_mutex
  bool frozen = false;              // it does sit in the refrigerator
  bool cgroup_v2_freezing = false;  // siglock: CGRP_FREEZE of its cgroup
  bool cgroup_v2_frozen = false;    // owner-private: the kernel's `frozen`

  // OOM: oom_reaper_lock for the link.
  timer_list oom_reaper_timer;
  task_struct* oom_reaper_list = nullptr;

  // Up to v6.1: rss_stat events not yet moved into the mm (owner-private).
  int32_t rss_cache[4] = {};
  uint32_t rss_cache_events = 0;

  // A kernel thread's function; null for user tasks. Constant.
  void (*kthread_fn)(void* arg) = nullptr;
  void* kthread_arg = nullptr;

  // What it runs in user mode.
  UserProgram program;
  rcu_head rcu;
};

struct sighand_struct {
  uint32_t count = 0;  // atomic
  spinlock_t siglock{.lock_class = LockClass::kSiglock};
  SigDisposition action[kSignals + 1] ABSL_GUARDED_BY(siglock) = {};
  rcu_head rcu;  // memory outlives readers of task->sighand
};

using ThreadList = IntrusiveList<task_struct, &task_struct::thread_node>;
using TaskList = IntrusiveList<task_struct, &task_struct::tasks>;

struct signal_struct {
  // Atomic.
  uint32_t sigcnt = 0;  // references; every thread holds one
  uint32_t live = 0;    // threads that have not passed exit's halfway

  // sighand->siglock:
  uint32_t flags = 0;
  int group_exit_code = 0;
  int group_stop_count = 0;
  int nr_threads = 0;
  int quick_threads = 0;  // v6.1 on: not yet in do_exit
  int notify_count = 0;   // exec waits for it to reach 0
  sigset64 shared_pending = 0;
  task_struct* curr_target = nullptr;
  task_struct* group_exec_task = nullptr;
  // v5.17 on: set while a core dump runs. Read without a lock by the victim
  // test.
  struct core_state* core_state = nullptr;

  // tasklist_lock (write to change), RCU to read:
  ThreadList thread_head;  // leader first, then by creation
  struct pid* leader_pid = nullptr;

  // The cgroup (v2) that the process is in, by number; 0: the root. Written by
  // whoever moves it there, in one step.
  uint32_t cgroup = 0;

  // oom_lock:
  mm_struct* oom_mm = nullptr;  // holds one mm_count; cmpxchg NULL -> mm
  bool oom_flag_origin = false;
  int16_t oom_score_adj = 0;

  // exec:
  mutex cred_guard_mutex{.lock_class = LockClass::kCredGuardMutex};
  rw_semaphore exec_update_lock{.lock_class = LockClass::kExecUpdateLock};
};

// The running task. Modelled code only.
inline task_struct* current() {
  return static_cast<task_struct*>(Here<EngineState>().current->owner);
}

// A read that the kernel, too, makes without the lock that guards the field:
// one visible step of its own.
template <class T>
inline T READ_ONCE(const T& field, SourceLine source = SourceLine::Current())
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  SchedulePoint(Point::kRacyRead, Access::kRead, NumberOf(&field), source);
  return field;
}

// Atomic counters: one visible step each. What returns a value orders what
// comes before it and after (Documentation/atomic_t.txt); what does not,
// nothing.
inline void atomic_inc(uint32_t* v, SourceLine source = SourceLine::Current()) {
  SchedulePoint(Point::kRefInc, Access::kWrite, NumberOf(v), source);
  (*v)++;
}
// Returns the new value; going below zero is a verdict.
inline uint32_t atomic_dec_return(uint32_t* v,
                                  SourceLine source = SourceLine::Current()) {
  SchedulePoint(Point::kRefDec, Access::kWrite, NumberOf(v), source);
  Invariant(*v > 0, "S6: a counter is decremented below zero", source);
  RaceAcquire(v);
  RaceRelease(v);
  const uint32_t left = --*v;
  if (left == 0) Touch();
  return left;
}
inline uint32_t atomic_read(const uint32_t& v,
                            SourceLine source = SourceLine::Current()) {
  SchedulePoint(Point::kFlagRead, Access::kRead, NumberOf(&v), source);
  return v;
}

// Atomic flag words (one step each). `bit` counts from 0.
template <class Word>
inline bool test_bit(unsigned bit, const Word* word,
                     SourceLine source = SourceLine::Current()) {
  SchedulePoint(Point::kFlagRead, Access::kRead, NumberOf(word), source);
  return (*word >> bit & 1) != 0;
}
template <class Word>
inline bool test_and_set_bit(unsigned bit, Word* word,
                             SourceLine source = SourceLine::Current()) {
  SchedulePoint(Point::kFlagSet, Access::kWrite, NumberOf(word), source);
  RaceAcquire(word);
  RaceRelease(word);
  Touch();
  const bool was = (*word >> bit & 1) != 0;
  *word |= Word{1} << bit;
  return was;
}
template <class Word>
inline void set_bit(unsigned bit, Word* word,
                    SourceLine source = SourceLine::Current()) {
  SchedulePoint(Point::kFlagSet, Access::kWrite, NumberOf(word), source);
  Touch();
  *word |= Word{1} << bit;
}

inline void task_lock(task_struct* p, SourceLine source = SourceLine::Current())
    ABSL_EXCLUSIVE_LOCK_FUNCTION(p->alloc_lock) {
  spin_lock(&p->alloc_lock, source);
}
inline void task_unlock(task_struct* p,
                        SourceLine source = SourceLine::Current())
    ABSL_UNLOCK_FUNCTION(p->alloc_lock) {
  spin_unlock(&p->alloc_lock, source);
}

// The bit alone, without a schedule point: for predicates of waits and for the
// host. A task reads its own signal state this way, too.
inline bool signal_pending(const task_struct* p) {
  return (p->thread_flags & TIF_SIGPENDING) != 0;
}
inline bool fatal_signal_pending(const task_struct* p) {
  return signal_pending(p) && SigSetHas(p->pending, SIGKILL);
}

inline bool thread_group_leader(const task_struct* p) {
  return p->exit_signal >= 0;
}
inline bool same_thread_group(const task_struct* a, const task_struct* b) {
  return a->signal == b->signal;
}
inline bool is_global_init(const task_struct* p) { return p->tgid == 1; }

}  // namespace reapsim

#endif  // REAPSIM_SCHED_TASK_H_
