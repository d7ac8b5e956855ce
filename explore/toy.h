// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The toy: the smallest world that a search can search. An arena, an engine,
// tasks, and a few plain objects, without a kernel. Each call of an object is
// one schedule point and one step.
//
//   ToyWorld world;
//   ToyWord* x = world.NewWord(0);
//   for (int i = 0; i < 2; ++i) world.AddTask([x] { x->Store(x->Load() + 1);
//   });
//
// Or a program as data, run by an interpreter on each task's fiber:
//
//   ToyWorld world(program);  // explore/toy_program.h
#ifndef REAPSIM_EXPLORE_TOY_H_
#define REAPSIM_EXPLORE_TOY_H_

#include <cstdint>
#include <new>
#include <string>
#include <type_traits>
#include <vector>

#include "base/arena.h"
#include "explore/toy_program.h"
#include "explore/world.h"
#include "sched/engine.h"
#include "sched/race.h"

namespace reapsim {

// An atomic word. Add(), Or() and Exchange() return the old value, and order
// what comes before them and after, as the kernel's do; Load() and Store()
// order nothing (READ_ONCE(), WRITE_ONCE()).
class ToyWord {
 public:
  explicit ToyWord(int value) : value_(value) {}

  int Load() const {
    SchedulePoint(Point::kRacyRead, Access::kRead, NumberOf(this));
    return value_;
  }
  int LoadAcquire() const {
    SchedulePoint(Point::kRacyRead, Access::kAcquire, NumberOf(this));
    RaceAcquire(this);
    return value_;
  }
  void Store(int value) {
    SchedulePoint(Point::kFlagSet, Access::kWrite, NumberOf(this));
    RaceStore(this, /*release=*/false);
    value_ = value;
  }
  void StoreRelease(int value) {
    SchedulePoint(Point::kFlagSet, Access::kRelease, NumberOf(this));
    RaceStore(this, /*release=*/true);
    value_ = value;
  }
  int Add(int value) {
    SchedulePoint(Point::kRefInc, Access::kWrite, NumberOf(this));
    Order();
    const int old = value_;
    value_ += value;
    return old;
  }
  int Or(int value) {
    SchedulePoint(Point::kFlagSet, Access::kWrite, NumberOf(this));
    Order();
    const int old = value_;
    value_ |= value;
    return old;
  }
  int Exchange(int value) {
    SchedulePoint(Point::kFlagSet, Access::kWrite, NumberOf(this));
    Order();
    const int old = value_;
    value_ = value;
    return old;
  }
  // An acquire.
  void Await(Compare compare, int value) const {
    WaitUntil(Point::kWait, Access::kRead, NumberOf(this),
              [this, compare, value] { return Holds(value_, compare, value); });
    RaceAcquire(this);
  }

  // Without a schedule point: for the host, and for invariants.
  int value() const { return value_; }

 private:
  // Acquire and release.
  void Order() const {
    RaceAcquire(this);
    RaceRelease(this);
  }

  int value_;
};

// Stops the world if the task does not hold the lock that it releases.
inline void ToyHolds(bool held) { Invariant(held, kToyNotHeld); }
inline uint32_t ToySelf() { return Here<EngineState>().current->id; }

// Locked by one task, for which others wait. Who comes first is up to the
// search.
class ToyLock {
 public:
  void Lock() {
    WaitUntil(Point::kMutexLock, Access::kAcquire, NumberOf(this),
              [this] { return !held(); });
    RaceAcquire(this);
    holder_ = ToySelf() + 1;
  }
  bool TryLock() {
    SchedulePoint(Point::kMutexLock, Access::kWrite, NumberOf(this));
    if (held()) return false;
    RaceAcquire(this);
    holder_ = ToySelf() + 1;
    return true;
  }
  void Unlock() {
    SchedulePoint(Point::kMutexUnlock, Access::kRelease, NumberOf(this));
    ToyHolds(holder_ == ToySelf() + 1);
    RaceRelease(this);
    holder_ = 0;
  }

  bool held() const { return holder_ != 0; }

 private:
  uint32_t holder_ = 0;  // the number of its fiber, plus 1
};

// Many readers or one writer; no queue. In which order readers come and go
// leaves no trace. For fibers of numbers below 32.
class ToyRwLock {
 public:
  void DownRead() {
    WaitUntil(Point::kDownRead, Access::kAcquire, NumberOf(this),
              [this] { return writer_ == 0; });
    RaceAcquire(this, Hold::kShared);
    readers_ |= 1u << ToySelf();
  }
  void UpRead() {
    SchedulePoint(Point::kUpRead, Access::kRelease, NumberOf(this));
    ToyHolds((readers_ >> ToySelf() & 1) != 0);
    RaceRelease(this, Hold::kShared);
    readers_ &= ~(1u << ToySelf());
  }
  void DownWrite() {
    WaitUntil(Point::kDownWrite, Access::kAcquire, NumberOf(this),
              [this] { return !held(); });
    RaceAcquire(this);
    writer_ = ToySelf() + 1;
  }
  void UpWrite() {
    SchedulePoint(Point::kUpWrite, Access::kRelease, NumberOf(this));
    ToyHolds(writer_ == ToySelf() + 1);
    RaceRelease(this);
    writer_ = 0;
  }

  bool held() const { return writer_ != 0 || readers_ != 0; }

 private:
  uint32_t readers_ = 0;  // one bit for each
  uint32_t writer_ = 0;   // the number of its fiber, plus 1
};

// Plain accesses to a cell.
inline int ToyRead(const int* cell, SourceLine source = SourceLine::Current()) {
  PlainRead(cell, "a cell", source);
  return *cell;
}
inline void ToyWrite(int* cell, int value,
                     SourceLine source = SourceLine::Current()) {
  PlainWrite(cell, "a cell", source);
  *cell = value;
}

// A check inside a task.
inline void ToyCheck(bool cond, SourceLine source = SourceLine::Current()) {
  if (!cond) Fail(VerdictKind::kWrongResult, kToyWrongResult, source);
}

class ToyWorld : public World {
 public:
  ToyWorld();
  explicit ToyWorld(const ToyProgram& program);
  ~ToyWorld() override;

  // What they return lives as long as the world.
  ToyWord* NewWord(int value);
  ToyLock* NewLock();
  ToyRwLock* NewRwLock();
  // Plain memory: no schedule points. Races of ToyRead() and ToyWrite() are
  // found.
  int* NewCell();

  // A task that runs fn(), which may capture plain values and pointers only.
  template <class Fn>
  void AddTask(Fn fn) {
    static_assert(std::is_trivially_copyable_v<Fn>);
    void* closure = NewConstant(sizeof(Fn));
    new (closure) Fn(fn);
    AddFiber(closure, [](void* p) { (*static_cast<Fn*>(p))(); });
  }
  // words[left] + words[right] <= limit, after each step.
  void AddInvariant(const ToyInvariant& invariant);

  Engine& engine() override { return engine_; }
  const char* BrokenInvariant() const override;
  void AtEnd(std::vector<std::string>* problems) override;
  std::string Outcome() const override;

 private:
  struct Machine;  // what the interpreter needs
  struct Script;   // a task's program
  struct Sum {     // an invariant, quick to ask
    const ToyWord* left;
    const ToyWord* right;
    int limit;
  };

  static void Interpret(const Script& script);
  // Zeroed bytes that no search must look at: they never change.
  void* NewConstant(size_t size);
  void AddFiber(void* closure, void (*entry)(void*));
  void AddScript(const std::vector<Instruction>& task, Machine* machine);

  Arena arena_;
  Engine engine_;
  Extent* state_;
  Extent* constants_;
  std::vector<ToyWord*> words_;
  std::vector<ToyLock*> locks_;
  std::vector<ToyRwLock*> rw_locks_;
  std::vector<int*> cells_;
  std::vector<const int*> registers_;  // of each task's, kToyRegisters
  std::vector<Sum> invariants_;
  mutable ToyEnd end_;  // Outcome()'s, which would make one for each execution
};

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_TOY_H_
