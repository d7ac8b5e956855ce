// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Kernel: a whole small machine, for tests, tools and lessons.
//
//   Kernel k({.version = "v6.18"});
//   Task& victim = k.Spawn("victim");
//   Task& lmkd = k.Spawn("lmkd");
//   uint64_t heap = k.As(victim).mmap(64_MiB, Anonymous());
//   k.As(victim).touch(heap, 64_MiB);
//   int fd = k.As(lmkd).pidfd_open(victim.pid(), 0);
//   k.As(lmkd).kill(victim.pid(), SIGKILL);
//   EXPECT_THAT(k.As(lmkd).process_mrelease(fd, 0), SyscallSucceeds());
//
// Direct mode. `k.As(task).call(…)` makes that task, which stands in user
// mode, make a system call, and returns its result. Nothing else moves, unless
// the call has to wait: then the other tasks run, each until it blocks, lowest
// number first, until the call can go on. If that never happens the run ends
// with a deadlock verdict. So after kill() the victim has not run yet: it is
// at the test's mercy.
//
// Stepping. RunUntil(task, Point::kExitMm) runs one task until it stands
// before that point; RunUntilBlocked(task) until it can't go on; RunUntilIdle()
// runs everybody. Begin(task, program) gives a task calls to make without
// running it, for calls that the test wants to stop half-way. Tests reach
// states by such steps, never by setting fields.
//
// Time passes only in AdvanceTime(), or when a call waits and only a timer can
// end the wait.
//
// At the end, ~Kernel() checks that no verdict was left unread. Shutdown()
// ends every process and checks conservation: frames, references, locks.
#ifndef REAPSIM_SYSCALL_KERNEL_H_
#define REAPSIM_SYSCALL_KERNEL_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/arena.h"
#include "base/kernel_version.h"
#include "base/switches.h"
#include "base/units.h"
#include "mm/mm_types.h"
#include "mm/oom_kill.h"
#include "sched/engine.h"
#include "sched/sched.h"
#include "syscall/conservation.h"
#include "syscall/entry.h"
#include "syscall/invariants.h"
#include "syscall/result.h"
#include "syscall/user.h"

namespace reapsim {

class Kernel;

struct KernelOptions {
  std::string version = "v6.18";  // see base/kernel_version.h
  // In place of the version's. For tests: there may be no such kernel.
  std::optional<Differences> differences = std::nullopt;
  Switches switches = {};  // what to take out of the kernel, or to put back
  Checks checks = {};      // what to look at beside what always is
  // What to lay over the kernel that no version has; CheckProposals() says
  // which versions can carry it.
  Proposals proposals = {};
  bool mmu = true;  // false: CONFIG_MMU is off
  int cpus = 2;
  uint64_t memory = uint64_t{4} << 30;  // bytes of page frames
  uint64_t swap = uint64_t{1} << 30;    // bytes
  int page_table_bits = 9;              // entries of a page table: 1 << bits
  // Process ids are below it; the smaller, the sooner one is used again.
  pid_t pid_max = SchedState::kMaxPids;
};

// An address space, seen from outside. Valid while its mm_struct lives.
class Mm {
 public:
  explicit Mm(const mm_struct* mm) : mm_(mm) {}
  // Exact, whatever the version's own counters say.
  Pages rss(int member) const;
  Pages rss() const;  // anonymous, file and shmem
  Bytes page_tables() const;
  Pages locked() const;
  Pages total_vm() const;
  int vmas() const;
  bool unstable() const { return (mm_->flags >> MMF_UNSTABLE & 1) != 0; }
  bool oom_skip() const { return (mm_->flags >> MMF_OOM_SKIP & 1) != 0; }
  uint32_t users() const { return mm_->mm_users; }
  uint32_t count() const { return mm_->mm_count; }
  const mm_struct* raw() const { return mm_; }

 private:
  const mm_struct* mm_;
};

enum class TaskPhase : uint8_t { kAlive, kZombie, kGone };

// A task, seen from outside. Stays valid, and says kGone, after its end.
class Task {
 public:
  Task(Kernel* kernel, task_struct* task);
  pid_t pid() const { return pid_; }
  TaskPhase phase() const;
  // The address space; the task must have one.
  Mm mm() const;
  bool has_mm() const { return phase() == TaskPhase::kAlive && raw()->mm; }
  // The kernel's own struct. The task must not be gone.
  task_struct* raw() const;
  Kernel& kernel() const { return *kernel_; }
  const std::string& name() const { return name_; }

 private:
  Kernel* kernel_;
  task_struct* task_;
  uint32_t generation_;
  pid_t pid_;
  std::string name_;
};

struct SpawnOptions {
  uid_t uid = 0;
  Task* parent = nullptr;  // null: init
  bool bare = false;       // without the small standard image
};

// Where a stepped task has come to.
enum class Stepped : uint8_t {
  kAtPoint,   // before the point that was named
  kBlocked,   // it can't go on by itself
  kDone,      // its program is done; it stands in user mode
  kFinished,  // it has run its last step
  kVerdict,   // the world has stopped
};

// A value that a task's program hands out to the host: a cell in the arena.
//   Out<int> fd = k.NewOut<int>();
//   k.Begin(lmkd, [=](User user) { fd.Set(user.pidfd_open(pid, 0)); });
template <class T>
class Out {
 public:
  explicit Out(T* cell) : cell_(cell) {}
  void Set(const T& value) const { *cell_ = value; }
  const T& Get() const { return *cell_; }

 private:
  T* cell_;
};

// For programs of tasks, where EXPECT_* must not be used: unless `cond` holds,
// the world stops with the verdict "wrong result: what".
inline void Check(bool cond, const char* what,
                  SourceLine source = SourceLine::Current()) {
  if (!cond) Fail(VerdictKind::kWrongResult, what, source);
}

class Kernel {
 public:
  // Aborts if the version can't be resolved; Create() says why instead.
  explicit Kernel(const KernelOptions& options = {});
  static absl::StatusOr<std::unique_ptr<Kernel>> Create(
      const KernelOptions& options);
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  const ResolvedVersion& version() const { return version_; }
  const Differences& differences() const { return version_.differences; }

  // A new process, child of init (or of options.parent), with an address space
  // of its own: a small standard image (StandardImage() in user.h).
  Task& Spawn(const std::string& comm, const SpawnOptions& options = {});
  // A handle for a task that modelled code has made: fork, clone.
  Task& TaskOf(pid_t pid);
  // The one made last.
  Task& NewestTask();
  Task& init() { return *init_; }
  Task& oom_reaper() { return *oom_reaper_; }

  // The calls that a task can make.
  User As(Task& task) { return User(this, task.raw()); }

  // ---- Stepping

  // Gives `task`, which must stand in user mode, calls to make, and returns at
  // once. `program` is a lambda taking User; at most 512 trivially copyable
  // bytes. It must not touch the host's heap or use EXPECT_*.
  template <class Program>
  void Begin(Task& task, Program program);
  // A cell for a program's results, at first T{}.
  template <class T>
  Out<T> NewOut() {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 64);
    return Out<T>(new (NewCell(sizeof(T))) T{});
  }
  // The same for a single call, fn(), whose result Result() gives when it is
  // done; the task's signals are seen to only after that.
  template <class Fn>
  void BeginCall(Task& task, Fn fn) {
    PrepareCall(task.raw(), fn);
  }
  // Runs the task's program to its end; other tasks run while it waits.
  // kDone, kFinished (the task died) or kVerdict.
  Stepped Finish(Task& task);
  // What the task's last finished call returned: a value or -errno.
  SysResult Result(Task& task) const;
  bool Done(Task& task) const;

  Stepped RunUntil(Task& task, Point point);
  Stepped RunUntilBlocked(Task& task);
  // Everybody, each until it blocks, until nobody can go on.
  void RunUntilIdle();
  // Time passes, timers fire, and everybody runs until idle after each.
  void AdvanceTime(uint64_t ns);
  // A held task runs only when it is itself stepped, never on behalf of
  // others' waits: its CPU is busy with something more important.
  void Hold(Task& task);
  void Release(Task& task);

  // ---- The outside world

  // A device does not answer: driver_wait() sleeps. Nobody reads core dumps.
  void BlockDriver(bool blocked);
  void BlockDump(bool blocked);
  // A kernel thread, as a driver has it, borrows the task's address space
  // (kthread_use_mm()), of which it is a user, until ReturnMm(). Meanwhile it
  // can be given calls that access user memory: As(borrower).get_user(addr).
  Task& LendMm(Task& owner);
  void ReturnMm(Task& borrower);
  // ksmd, ready to make one pass over all mergeable memory: RunUntilIdle(), or
  // in steps.
  Task& StartKsm(bool use_zero_pages = false);
  // The machine runs out of memory, and this is the task to kill: its
  // oom_score_adj is 1000, and init calls the OOM killer.
  void OomKill(Task& task);

  // ---- Looking

  // The verdict that stopped the world, if any; reading it settles it.
  Verdict TakeVerdict() { return engine_->TakeVerdict(); }
  bool stopped() const { return engine_->stopped(); }
  uint64_t trace_hash() const { return engine_->trace_hash(); }
  uint64_t now_ns() const { return engine_->now_ns(); }
  std::vector<std::string> Dmesg() const { return LogOf(LogKind::kDmesg); }
  std::vector<std::string> TraceEvents() const {
    return LogOf(LogKind::kTraceEvent);
  }
  uint64_t Charged(Task& task, Cost kind) const;
  MreleaseDecision LastDecision(Task& task) const;
  WillFreeReason LastWillFree(Task& task) const;
  pid_t LastSharer(Task& task) const;
  uint64_t free_pages() const;
  // The first invariant that this state breaks, or null: syscall/invariants.h.
  const char* BrokenInvariant() {
    return reapsim::BrokenInvariant(*sched_, *mm_, *oom_);
  }
  // What has yet to come about: see there.
  std::vector<std::string> UnmetGoals() {
    return reapsim::UnmetGoals(*sched_, *mm_, *oom_);
  }
  // Everything that is not as it should be in a world at rest: frames and map
  // counts, counters, locks, references. Empty: all is well.
  std::vector<std::string> Conservation() const;
  // Ends every process but init, lets everything run to its end, and returns
  // what is left that should not be. The world is of no more use afterwards.
  std::vector<std::string> Shutdown();

  Engine& engine() { return *engine_; }
  SchedState& sched() { return *sched_; }
  MmState& mm() { return *mm_; }
  OomState& oom() { return *oom_; }

  // For User: runs `fn` (no arguments, returning int64_t) as the task.
  template <class Fn>
  SysResult Call(task_struct* task, Fn fn);

 private:
  explicit Kernel(const KernelOptions& options, ResolvedVersion version);
  static Differences DifferencesOf(const KernelOptions& options,
                                   const ResolvedVersion& version);
  void Boot();
  UserProgram& PrepareProgram(task_struct* task, size_t bytes);
  void* NewCell(size_t bytes);
  template <class Fn>
  void PrepareCall(task_struct* task, Fn fn);
  SysResult FinishCall(task_struct* task);
  Stepped FinishProgram(task_struct* task);
  bool IsHeld(const Fiber* fiber) const;
  // Runs others once round; whether anybody moved.
  bool RunOthers(const Fiber* except);
  bool FireNextTimer(uint64_t not_after_ns);
  Stepped Step(task_struct* task);
  void ReportDeadlock(const task_struct* waiter);
  std::vector<std::string> LogOf(LogKind kind) const;
  TaskHistory& HistoryOf(Task& task) const;

  ResolvedVersion version_;
  Arena arena_;
  std::unique_ptr<Engine> engine_;
  SchedState* sched_;
  MmState* mm_;
  OomState* oom_;
  std::deque<Task> tasks_;
  Task* init_ = nullptr;
  Task* oom_reaper_ = nullptr;
  std::vector<uint32_t> held_;  // fiber ids
  Population at_boot_{};
  Extent* cells_ = nullptr;  // of NewOut()
  std::vector<std::pair<pid_t, MmLoan*>> loans_;
};

template <class Program>
void Kernel::Begin(Task& task, Program program) {
  static_assert(std::is_trivially_copyable_v<Program>,
                "a task's program must be trivially copyable: capture plain "
                "values, no strings, vectors or references to host objects");
  struct Closure {
    Program program;
    User user;
  };
  static_assert(sizeof(Closure) <= UserProgram::kMaxBytes);
  UserProgram& slot = PrepareProgram(task.raw(), sizeof(Closure));
  new (slot.closure) Closure{program, User(this, task.raw())};
  slot.run = [](void* p) {
    auto* closure = static_cast<Closure*>(p);
    closure->program(closure->user);
  };
}

template <class Fn>
void Kernel::PrepareCall(task_struct* task, Fn fn) {
  static_assert(std::is_trivially_copyable_v<Fn> &&
                sizeof(Fn) <= UserProgram::kMaxBytes);
  UserProgram& slot = PrepareProgram(task, sizeof(Fn));
  new (slot.closure) Fn(fn);
  slot.run = [](void* p) {
    SyscallEnter();
    // Signals are seen to after the host has its result: it may want to look
    // at what the call did first.
    NoteResult(RestartableCall(*static_cast<Fn*>(p)));
  };
}

template <class Fn>
SysResult Kernel::Call(task_struct* task, Fn fn) {
  PrepareCall(task, fn);
  return FinishCall(task);
}

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_KERNEL_H_
