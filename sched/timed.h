// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Timed mode: the modelled code, run in virtual time on a described machine.
//
//   Kernel k({.cpus = 2});
//   … Spawn(), mmap, touch: in direct mode, in no time …
//   TimedMachine machine(&k.engine(), &k.sched(), config, prices);
//   k.Begin(lmkd, [=](User user) { … user.nanosleep(…); … });
//   machine.Run(UINT64_MAX, [&] { return k.Done(lmkd); });
//
// Discrete events. What a task is charged for (Charge()) it has to do before
// it passes its next schedule point: it keeps a CPU busy for as long as that
// takes there, and holds what locks it holds. A contended spinlock keeps the
// waiter's CPU busy, too; who waits for a rw-semaphore, a mutex, or anything
// else, gives the CPU away. So everything happens in the order in which it
// would on the machine, up to what is charged in one piece (docs/timed.md).
//
// A program's task that has nothing to do stands in user mode, asleep. Timers
// fire at their time, in the softirq task, which goes before everybody on CPU
// 0. Between two calls of Run() the world is in direct mode and nothing costs
// anything. Everything is whole numbers, and the same on every machine.
//
// Source: kernel/sched/core.c, fair.c, rt.c, v5.15 to v7.2.
// Simplified: full preemption (CONFIG_PREEMPT); CPUs are chosen at wake-up and
//   pull work when idle, without other balancing, cache or energy awareness;
//   no bandwidth limit for SCHED_FIFO, no migration cost, no idle states; a
//   tick is 4 ms (HZ=250) and only on busy CPUs; rw-semaphores don't spin.
#ifndef REAPSIM_SCHED_TIMED_H_
#define REAPSIM_SCHED_TIMED_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "sched/bandwidth.h"
#include "sched/engine.h"
#include "sched/frequency.h"
#include "sched/machine_config.h"
#include "sched/payment.h"
#include "sched/run_queue.h"
#include "sched/sched.h"
#include "sched/timeline.h"

namespace reapsim {

enum class TimedStop : uint8_t {
  kDone,      // done() said so
  kDeadline,  // the time is over
  kIdle,      // nothing will ever happen again
  kVerdict,   // the world has stopped
};

class TimedMachine {
 public:
  // The softirq task, which stands for interrupts, goes before everybody.
  static constexpr uint8_t kInterruptPriority = 100;

  // All tasks of the world take part. Its prices are in force during Run()
  // only. One machine for a world at a time.
  TimedMachine(Engine* engine, SchedState* sched, MachineConfig config,
               const Prices& prices);
  ~TimedMachine();
  TimedMachine(const TimedMachine&) = delete;
  TimedMachine& operator=(const TimedMachine&) = delete;

  // From now on keeps what timeline() shows; gauge(arg) is how many pages are
  // free, asked for after each step.
  void KeepTimeline(uint64_t (*gauge)(const void* arg), const void* arg);
  // Between runs: how a task is to be scheduled.
  void SetSched(const task_struct* task, const SchedAttr& attr);
  // A word on the timeline, now.
  void MarkNow(const task_struct* task, std::string text);

  // Lets time pass, to `until_ns` at most, until done() is true, which is asked
  // whenever a task has made a step.
  TimedStop Run(uint64_t until_ns, absl::FunctionRef<bool()> done);

  uint64_t now_ns() const { return engine_->now_ns(); }
  // Of every task that ever was, in the order of their births. Complete
  // between runs only, as are the others.
  const std::deque<TaskAccount>& accounts() const { return accounts_; }
  // That of a living task.
  const TaskAccount& AccountOf(const task_struct* task) const;
  const std::vector<CpuAccount>& cpus() const { return cpu_accounts_; }
  const Timeline& timeline() const { return timeline_; }
  uint64_t CgroupUsage(uint32_t cgroup) const;
  // What does not add up, or nothing: tasks against CPUs, and each task's run
  // time against what it was for.
  std::string CheckAccounts() const;

 private:
  enum class State : uint8_t { kSleeping, kQueued, kOnCpu, kThrottled, kDone };

  struct Entity : RunEntity {
    Fiber* fiber = nullptr;
    FiberHistory* past = nullptr;  // the fiber's
    uint32_t id = 0;
    uint32_t generation = 0;
    uint32_t account = 0;  // in accounts_
    State state = State::kSleeping;
    bool spinning = false;      // kOnCpu: for the lock before which it stands
    bool handoff_due = false;   // kSleeping: as first writer of a rw-semaphore
    bool at_user_mode = false;  // what it pays for now it does in user mode
    size_t cpu = 0;             // on which it is, or was
    uint64_t since_ns = 0;      // in this state
    Point point = Point::kNone;
    uint32_t object = 0;  // of the operation for which it waits
    Payment payment;
    // System calls that it had made after its last step, and the one before.
    uint64_t calls = 0;
    uint64_t calls_before = 0;
  };

  struct Cpu {
    CpuConfig config;
    uint32_t opp = 0;
    Speed speed;  // at that operating point
    RunQueue queue;
    Entity* running = nullptr;
    Entity* last = nullptr;  // who ran before
    uint64_t at_ns = 0;      // accounted for up to here
    uint64_t paid_ns = 0;    // when `running` has done its work
    uint64_t turn_ns = 0;    // that `running` has had since it was picked
    uint64_t next_tick_ns = 0;
    uint64_t last_tick_ns = 0;  // that was looked at
    uint64_t busy_at_tick_ns = 0;
    CpuUse use;
  };

  // Births, deaths and states.
  Entity* EntityAt(uint32_t id) const;
  uint32_t CgroupOf(const Entity& e) const;
  static task_struct* TaskOf(const Entity& e) {
    return static_cast<task_struct*>(e.fiber->owner);
  }
  void NoticeFibers();
  void NewEntity(Fiber* fiber, uint32_t generation);
  void Forget(Entity* e);
  void WakeSleepers();
  void Wake(Entity* e);
  void Sleep(Entity* e);
  void AddSleeper(Entity* e);
  void LeaveState(Entity* e);
  void Throttle(Entity* e);

  // Who runs where.
  uint64_t AllowedOf(const Entity& e) const;
  size_t ChooseCpu(const Entity& e) const;
  uint64_t LoadOf(const Cpu& cpu) const;
  void Enqueue(Entity* e, size_t cpu);
  bool MayPreempt(const Entity& e) const;
  void AskToPreempt(Cpu* cpu);
  bool MustStop(const Entity& e) const;
  bool Throttled(const Entity& e);
  void Pick(size_t index);
  Entity* Pull(size_t index);
  Entity* TakeOff(Cpu* cpu);
  void PutBack(Cpu* cpu);
  void SwitchTo(Cpu* cpu, Entity* e);
  void FollowWishes();

  // Steps.
  bool IsFirstSpinner(const Entity& e) const;
  bool StepDue(const Cpu& cpu) const;
  void NoteNames(const Entity& e);
  void Step(size_t index);
  enum class Settled : uint8_t { kQuiet, kDone, kVerdict };
  Settled Settle(absl::FunctionRef<bool()> done);

  // Time.
  static void SetOpp(Cpu* cpu, uint32_t opp);
  static void Reckon(Cpu* cpu);
  uint64_t ContentionFor(const Entity& payer) const;
  void TakeWork(Entity* e);
  void Pay(Entity* e, Cost cost);
  void Account(size_t index);
  void AddSlice(size_t index, const Entity& e, uint64_t from_ns);
  uint64_t NextEvent(const Cpu& cpu, size_t index);
  uint64_t NextEvent();
  void Tick(size_t index);
  void SetFrequency(size_t index, uint32_t opp);
  void StepFrequency(size_t index);
  void FireTimers();
  void HandOff();
  void HandleEvents();
  void ReadGauge();
  Bandwidth* BandwidthOf(const Entity& e);

  Engine* engine_;
  SchedState* sched_;
  MachineConfig config_;
  Prices prices_;
  std::vector<Cpu> cpus_;
  std::vector<CpuAccount> cpu_accounts_;
  std::vector<std::unique_ptr<Entity>> entities_;  // by fiber id
  std::vector<Entity*> sleepers_;                  // by id
  std::vector<Entity*> throttled_;                 // in order
  std::vector<Bandwidth> bandwidth_;
  std::deque<TaskAccount> accounts_;
  Timeline timeline_;
  bool keep_timeline_ = false;
  uint64_t (*gauge_)(const void*) = nullptr;
  const void* gauge_arg_ = nullptr;
  uint64_t queued_seq_ = 0;
  uint64_t fibers_seen_ = ~uint64_t{0};
  uint64_t begin_ns_ = 0;
  uint64_t steps_now_ = 0;  // since time last passed
};

}  // namespace reapsim

#endif  // REAPSIM_SCHED_TIMED_H_
