// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The fiber engine. Each task of the modelled machine runs on a fiber whose
// stack lies in the arena; one fiber runs at a time, on one host thread. A
// fiber gives way only at schedule points, and only when
//   - the operation before which it stands can't be done now (it waits), or
//   - the host asked it to stop at that point by name, or
//   - what the host asked of it is done, or
//   - the run met a verdict.
// So between schedule points a task is atomic to the others.
//
// What decides who runs is on the host's side: Engine::Resume() runs one fiber
// until it gives way and says why. Stepping (syscall/kernel.h) is a loop around
// it. A search (explore/) sets a Chooser, which is asked at each schedule point
// who goes on from there, and goes back by Take() and Restore().
//
// Every schedule point passed adds (fiber, point, object) to the trace hash:
// numbers and names only, so the hash is equal on every run, compiler and
// optimisation level.
#ifndef REAPSIM_SCHED_ENGINE_H_
#define REAPSIM_SCHED_ENGINE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/kernel_version.h"
#include "base/slab.h"
#include "base/switches.h"
#include "sched/cost.h"
#include "sched/point.h"
#include "sched/verdict.h"

namespace reapsim {

class Engine;
struct LockHistory;  // sched/lockdep.h
struct RaceState;    // sched/race.h

// What an operation does to its object. Reductions of a search live on this
// declaration, so it must be true.
enum class Access : uint8_t { kMark, kRead, kWrite, kAcquire, kRelease };

// A place in the model's own source.
struct SourceLine {
  const char* file;
  int line;
  static SourceLine Current(const char* file = __builtin_FILE(),
                            int line = __builtin_LINE()) {
    return {file, line};
  }
};

// The operation before which a fiber stands.
struct Op {
  Point point = Point::kNone;
  Access access = Access::kMark;
  uint32_t object = 0;  // its stable number: NumberOf()
  // Whether it can be done now; null means always. Must only read the world.
  bool (*enabled)(const void*) = nullptr;
  const void* arg = nullptr;
  SourceLine source{nullptr, 0};
};

enum class FiberStatus : uint8_t { kNew, kSuspended, kRunning, kDone };

// Why Resume() returned.
enum class Stop : uint8_t {
  kBlocked,   // the fiber's operation is not enabled
  kAtPoint,   // it stands before the point at which the host stops it
  kYielded,   // it gave way by itself (what it was asked to do is done)
  kWork,      // timed mode: it has work to do first, or is to be preempted
  kFinished,  // it returned from its entry function
  kVerdict,   // the world has stopped
};

struct Fiber {
  // Constant after NewFiber().
  uint32_t id;
  void* owner;  // the task_struct
  void (*entry)(void* owner);
  char* stack;  // lowest address; kStackSize bytes
  // The engine's own.
  FiberStatus status;
  void* context;  // of the suspended fiber
  Op op;
  Point stop_at;  // the host wants it to stop here; kNone: nowhere
  // Maintained by sched/rcu.h and sched/spinlock.h.
  uint32_t rcu_nesting;
  uint32_t rcu_seq;       // grace-period number at the outermost entry
  uint32_t atomic_depth;  // spinlocks held: such a task must not sleep
};

inline constexpr int kMaxLockClasses = 32;

// A lock that a fiber holds: noted in explored mode, for messages.
struct HeldLock {
  uint32_t object;  // NumberOf() the lock
  uint8_t lock_class;
  SourceLine source;  // where it was taken
};
inline constexpr int kMaxHeldLocks = 16;

enum class SchedPolicy : uint8_t { kNormal, kFifo };

// How a task wants to be scheduled; looked at in timed mode only.
struct SchedAttr {
  SchedPolicy policy = SchedPolicy::kNormal;
  int8_t nice = 0;            // -20 to 19
  uint8_t rt_priority = 0;    // kFifo: 1 to 99, higher goes first
  uint64_t affinity = ~0ull;  // CPUs that it may run on, by bit
};

// The part of a fiber that never decides anything but, in timed mode, when.
struct FiberHistory {
  uint64_t charges[kCostKinds];
  // sched/lockdep.h: the classes of locks that it holds, one bit each. To wait
  // for a second lock of a class is an inversion, so only those taken by trying
  // are more than one.
  uint32_t held;
  uint8_t more[kMaxLockClasses];  // than the one in `held`
  HeldLock locks[kMaxHeldLocks];  // those it holds, oldest first
  uint32_t lock_count;
  // Timed mode (sched/timed.h): what it has been charged for and has not done
  // yet; whether somebody else is to run; and how it wants to be scheduled,
  // which a new task inherits.
  Work work;
  bool need_resched;
  SchedAttr sched;
};

// One passed schedule point, for whoever wants to look at a run.
struct TraceEntry {
  uint64_t step;
  uint32_t fiber;
  Point point;
  Access access;
  uint32_t object;
  SourceLine source;
};

enum class LogKind : uint8_t { kDmesg, kTraceEvent };

// One line of the modelled kernel's log; see sched/printk.h.
struct LogLine {
  LogKind kind;
  uint64_t step;
  uint64_t now_ns;
  std::string text;
};

// What a restore must bring back but a hash must not see.
struct EngineHistory {
  uint64_t step;
  uint64_t trace_hash;
  uint64_t now_ns;  // the machine's clock
  // Something that invariants of the state look at may have changed since they
  // were last asked: see Touch().
  bool touched;
  // Timed mode: what charges cost. Constant while there is one; else null.
  const Prices* prices;

  // Counts a passed point; `runner` is EngineState::runner.
  void Count(uint64_t runner, Point point, uint32_t object) {
    step++;
    // One round of a multiply-xorshift mixer; the constant is splitmix64's.
    // Outside the sum, so that one point need not wait for the one before.
    uint64_t x =
        (uint64_t{object} << 32) ^ runner ^ static_cast<uint8_t>(point);
    x *= 0xbf58476d1ce4e5b9;
    trace_hash = trace_hash * 3 + (x ^ (x >> 29));
  }
};

// The engine's root in the arena. What modelled code needs at every step is
// here, one look away from its stack pointer.
struct EngineState {
  static constexpr RootId kRoot = RootId::kEngine;
  Engine* engine;  // constant; a host address
  Fiber* current;
  EngineHistory* history;  // constant
  LockHistory* locks;      // constant once the sched room is set up
  FiberHistory* past;      // that of `current`
  // sched/race.h: null unless somebody watches plain accesses; and the room for
  // its clocks, null until then.
  RaceState* races;
  Extent* race_room;
  uint64_t runner;   // the number of `current`, times 2^8; or 0
  uint32_t rcu_seq;  // sched/rcu.h: of the grace period begun last
  // While a fiber runs: the host wants it to stop somewhere, or keeps its
  // trace. If not, points are passed without a further look.
  bool watched;
  Differences differences;  // of the kernel version; constant
  Switches switches;        // constant
  Checks checks;            // constant
  Proposals proposals;      // constant
  Slab<Fiber, FiberHistory> fibers;
};

// Who goes on, in explored mode.
class Chooser {
 public:
  virtual ~Chooser() = default;
  // Asked when `running` stands before its next operation (null: it has run its
  // last step). Returns the fiber that makes the next step, which must be able
  // to, or null: the host goes on. Called on the running fiber's stack: it must
  // not touch the host's heap outside a HostSection.
  virtual Fiber* Next(Fiber* running) = 0;
};

// A copy of a world at rest: no fiber runs. Small worlds only.
class Snapshot {
 private:
  friend class Engine;
  struct Piece {
    char* at;
    size_t size;
  };
  std::vector<size_t> used_;   // of each extent
  std::vector<Piece> pieces_;  // where what is in use lies
  std::vector<char> bytes_;    // of all pieces, in that order
  size_t log_lines_ = 0;
  size_t trace_entries_ = 0;
};

class Engine {
 public:
  static constexpr uint32_t kMaxFibers = 16384;
  // Deep enough for -O0 and asan; untouched pages cost nothing.
  static constexpr size_t kStackSize = 256 << 10;

  Engine(Arena* arena, const Differences& differences, Switches switches = {},
         Checks checks = {}, Proposals proposals = {});
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // A fiber that will run entry(owner) when first resumed. Null when there
  // are kMaxFibers.
  Fiber* NewFiber(void* owner, void (*entry)(void*));
  // The fiber must be done, or never have run.
  void FreeFiber(Fiber* fiber);
  // How often there was either: while it stays the same, so do the fibers.
  uint64_t fiber_changes() const { return fiber_changes_; }

  // Host side. Runs `fiber` until it gives way. Must not be called from a
  // fiber, nor once there is a verdict.
  Stop Resume(Fiber* fiber);
  // True iff the fiber could go on now.
  static bool CanRun(const Fiber* fiber) {
    return fiber->status != FiberStatus::kDone &&
           fiber->status != FiberStatus::kRunning &&
           (fiber->op.enabled == nullptr || fiber->op.enabled(fiber->op.arg));
  }

  const Verdict& verdict() const { return verdict_; }
  // Host side: takes the verdict away, so that the destructor of the world
  // knows that somebody has looked. The world stays stopped.
  Verdict TakeVerdict();
  bool stopped() const { return stopped_; }

  // Explored mode, until called with null: at each schedule point but marks,
  // and where a fiber ends, the chooser decides who goes on. No fiber stops at
  // points by name meanwhile, and points are counted and hashed only while a
  // trace is kept.
  void SetChooser(Chooser* chooser) { chooser_ = chooser; }

  // Zeroes what is left below the suspended fiber's stack of deeper calls: they
  // would differ between two ways into one state.
  static void CleanStack(const Fiber* fiber);

  // Host side: copies the world, which has no verdict; puts it back as it was,
  // even if a verdict has stopped it since.
  void Take(Snapshot* to) const;
  void Restore(const Snapshot& from);
  // The world's bytes were put back by other means: a verdict that has stopped
  // it since is forgotten.
  void Rewound() {
    stopped_ = false;
    verdict_ = Verdict{};
  }
  // The end, the highest address, of the stack of the fiber of that number.
  char* StackTop(uint32_t id) const {
    return stacks_->base + (size_t{id} + 1) * kStackSize;
  }

  // Records a verdict of the host's own (a deadlock that no fiber sees).
  void Report(VerdictKind kind, std::string what,
              SourceLine source = SourceLine::Current());

  uint64_t step() const { return history_->step; }
  uint64_t trace_hash() const { return history_->trace_hash; }
  uint64_t now_ns() const { return history_->now_ns; }
  void AdvanceClock(uint64_t ns) { history_->now_ns += ns; }

  // Timed mode, until called with null: what is charged has these prices, and
  // a fiber that has been charged gives way (Stop::kWork) before it passes
  // anything more. The prices must outlive the mode.
  void SetPrices(const Prices* prices) { history_->prices = prices; }

  // Why some data races may have been passed over since this was last set, in
  // whatever execution (a literal), or null: sched/race.h.
  const char* races_missed() const { return races_missed_; }
  void SetRacesMissed(const char* why) { races_missed_ = why; }

  // Keeps every passed point from now on; costs host memory.
  void KeepTrace(bool keep = true) { keep_trace_ = keep; }
  const std::vector<TraceEntry>& trace() const { return trace_; }

  void Log(LogKind kind, const char* text);
  const std::vector<LogLine>& log() const { return log_; }

  EngineState* state() const { return state_; }
  // The live fiber of that number, or null.
  Fiber* FiberAt(uint32_t id) const { return state_->fibers.LiveAt(id); }
  Arena* arena() const { return arena_; }

  // Modelled side; see the free functions below.
  void Pass(const Op& op);
  // What SchedulePoint() does if somebody takes an interest in the point.
  void PassWatched(Point point, Access access, uint32_t object,
                   SourceLine source);
  // Gives way to the host; goes on when resumed.
  void Yield(Stop why = Stop::kYielded);
  // Timed mode: gives way until the running fiber has done its work.
  void DoWork() {
    if (history_->prices != nullptr) GiveWayToWork();
  }
  // Ends the running fiber for good, from any depth of its stack.
  [[noreturn]] void Finish();
  [[noreturn]] void Fail(VerdictKind kind, const char* what, SourceLine source);

 private:
  void Keep(const Fiber& fiber, const Op& op);
  void SetCurrent(Fiber* fiber);
  void GiveWay(Fiber* fiber);
  void GiveWayToWork();
  void SwitchToHost(Stop why);
  void SwitchTo(Fiber* from, Fiber* to);
  static void FiberMain(Engine* engine, Fiber* fiber);
  friend struct FiberStart;

  Arena* arena_;
  EngineState* state_;
  EngineHistory* history_;
  Extent* stacks_;
  Chooser* chooser_ = nullptr;
  void* host_context_ = nullptr;
  Stop why_ = Stop::kYielded;
  uint64_t fiber_changes_ = 0;
  bool stopped_ = false;
  bool keep_trace_ = false;
  const char* races_missed_ = nullptr;
  Verdict verdict_;
  std::vector<TraceEntry> trace_;
  std::vector<LogLine> log_;
};

// ---------------------------------------------------------------------------
// For modelled code, which runs on a fiber.

// The differences of the kernel version that this world models.
inline const Differences& differences() {
  return Here<EngineState>().differences;
}

// Whether this world was made with that switch, or asked for that check. Not
// for code that is in a hurry.
inline bool Switched(Switch s) { return Here<EngineState>().switches.Has(s); }
// Whether this world has what somebody proposed; as with switches.
inline bool Proposed(Proposal p) {
  return Here<EngineState>().proposals.Has(p);
}
inline bool Checked(Check c) { return Here<EngineState>().checks.Has(c); }

// An operation that can always be done: the task may be stopped before it.
inline void SchedulePoint(Point point, Access access, uint32_t object,
                          SourceLine source = SourceLine::Current()) {
  EngineState& state = Here<EngineState>();
  if (state.watched) [[unlikely]] {
    state.engine->PassWatched(point, access, object, source);
    return;
  }
  state.history->Count(state.runner, point, object);
}

// A place to hold a task by name, at which nothing happens.
inline void Mark(Point point, SourceLine source = SourceLine::Current()) {
  SchedulePoint(point, Access::kMark, 0, source);
}

// Waits until cond() is true, then goes on in the same step: the native form
// of every blocking operation. `cond` must only read the world.
template <class Cond>
inline void WaitUntil(Point point, Access access, uint32_t object,
                      const Cond& cond,
                      SourceLine source = SourceLine::Current()) {
  Here<EngineState>().engine->Pass({.point = point,
                                    .access = access,
                                    .object = object,
                                    .enabled = [](const void* p) -> bool {
                                      return (*static_cast<const Cond*>(p))();
                                    },
                                    .arg = &cond,
                                    .source = source});
}

// Stops the world: the modelled kernel has done what it must not. `what` is
// one sentence; it is copied.
[[noreturn]] inline void Fail(VerdictKind kind, const char* what,
                              SourceLine source = SourceLine::Current()) {
  Here<EngineState>().engine->Fail(kind, what, source);
}

// Fails with "invariant broken" unless cond. `what` opens with the number of
// the invariant where it has one: "S17: mm_users is 0 but a task has the mm".
inline void Invariant(bool cond, const char* what,
                      SourceLine source = SourceLine::Current()) {
  if (!cond) [[unlikely]] {
    Fail(VerdictKind::kInvariantBroken, what, source);
  }
}

// Said by whoever may break an invariant of the state (syscall/invariants.h),
// or changes what one must have seen: a count drops to 0, a flag changes, a
// task gets an mm, a group a thread. What can only mend one need not say so.
inline void Touch() { Here<EngineState>().history->touched = true; }

// Charges `count` operations of a kind to the running task.
inline void Charge(Cost kind, uint64_t count) {
  const EngineState& state = Here<EngineState>();
  const auto i = static_cast<int>(kind);
  state.past->charges[i] += count;
  if (const Prices* prices = state.history->prices; prices != nullptr)
      [[unlikely]] {
    state.past->work.Add(kCostInfo[i], prices->of[i], count);
  }
}

// The number of an object that is not in the state part: see NumberOf().
uint32_t NumberOutsideState(const void* object);

// The stable number of an arena object, for Op::object: its offset in the
// world, in units of 8 bytes. Equal on every run, whatever the slot. Where on a
// stack an object lies is up to the compiler, so there the number is that of
// the stack.
inline uint32_t NumberOf(const void* object) {
  // Slots begin at multiples of 2^35, and their state part ends after 2^34.
  static_assert(Arena::kSlotSize == uint64_t{1} << 35);
  static_assert(Arena::kStackBegin == uint64_t{1} << 34);
  const auto number =
      static_cast<uint32_t>(reinterpret_cast<uintptr_t>(object) >> 3);
  if (number >> 31 != 0) [[unlikely]]
    return NumberOutsideState(object);
  return number;
}

}  // namespace reapsim

#endif  // REAPSIM_SCHED_ENGINE_H_
