// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Timed mode: who runs where, and how fast.

#include <algorithm>

#include "base/check.h"
#include "sched/task.h"
#include "sched/timed.h"
#include "sched/timer.h"

namespace reapsim {
namespace {

bool Same(const SchedAttr& a, const SchedAttr& b) {
  return a.policy == b.policy && a.nice == b.nice &&
         a.rt_priority == b.rt_priority && a.affinity == b.affinity;
}

bool IsFair(const RunEntity& e) {
  return e.attr.policy == SchedPolicy::kNormal;
}

uint64_t WeightOf(const RunEntity& e) {
  return NiceWeight(IsFair(e) ? e.attr.nice : -20);
}

}  // namespace

// ---- Which CPU -------------------------------------------------------------

// The CPUs that e may run on: all, if it wants none that the machine has.
uint64_t TimedMachine::AllowedOf(const Entity& e) const {
  const size_t n = cpus_.size();
  const uint64_t all = n == 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1;
  const uint64_t allowed = e.attr.affinity & all;
  return allowed == 0 ? all : allowed;
}

uint64_t TimedMachine::LoadOf(const Cpu& cpu) const {
  return cpu.queue.weight() +
         (cpu.running == nullptr ? 0 : WeightOf(*cpu.running));
}

// Where a woken task goes: to an idle CPU, its last one if it can be, else the
// one with the lowest number; if none is idle, a SCHED_FIFO task to one that it
// preempts, and anybody else to the one with the least load.
size_t TimedMachine::ChooseCpu(const Entity& e) const {
  const uint64_t allowed = AllowedOf(e);
  const auto may = [&](size_t i) { return (allowed >> i & 1) != 0; };
  const auto idle = [&](size_t i) {
    return cpus_[i].running == nullptr && cpus_[i].queue.empty();
  };
  if (may(e.cpu) && idle(e.cpu)) return e.cpu;
  size_t best = cpus_.size();
  for (size_t i = 0; i < cpus_.size(); ++i) {
    if (!may(i)) continue;
    if (idle(i)) return i;
    if (best == cpus_.size()) {
      best = i;
      continue;
    }
    const Cpu& cpu = cpus_[i];
    const Cpu& old = cpus_[best];
    if (!IsFair(e) && cpu.running != nullptr && old.running != nullptr &&
        RunsBefore(*old.running, *cpu.running) && RunsBefore(e, *cpu.running)) {
      best = i;
    } else if (IsFair(e) && (LoadOf(cpu) < LoadOf(old) ||
                             (LoadOf(cpu) == LoadOf(old) && i == e.cpu))) {
      best = i;
    }
  }
  return best;
}

// Puts e, which is in no queue, into that of a CPU.
void TimedMachine::Enqueue(Entity* e, size_t index) {
  Account(index);
  LeaveState(e);
  e->attr = e->past->sched;
  Cpu& cpu = cpus_[index];
  if (IsFair(*e)) {
    // What it had, relative to the others where it was.
    const uint64_t there = cpus_[e->cpu].queue.min_vruntime();
    const uint64_t here = cpu.queue.min_vruntime();
    const uint64_t ahead = e->vruntime > there ? e->vruntime - there : 0;
    const uint64_t floor =
        here > config_.slice_ns ? here - config_.slice_ns : 0;
    e->vruntime = index == e->cpu ? std::max(e->vruntime, floor) : here + ahead;
  }
  e->cpu = index;
  e->state = State::kQueued;
  e->queued_seq = ++queued_seq_;
  cpu.queue.Add(e);
  if (cpu.running != nullptr &&
      WakeupPreempts(*e, *cpu.running, config_.wakeup_granularity_ns)) {
    AskToPreempt(&cpu);
  }
}

void TimedMachine::Wake(Entity* e) {
  e->handoff_due = false;
  e->attr = e->past->sched;
  Enqueue(e, ChooseCpu(*e));
}

// Tasks may have said how they, or others, want to be scheduled.
void TimedMachine::FollowWishes() {
  for (size_t i = 0; i < cpus_.size(); ++i) {
    Cpu& cpu = cpus_[i];
    if (Entity* e = cpu.running;
        e != nullptr && !Same(e->attr, e->past->sched)) {
      Account(i);
      e->attr = e->past->sched;
      AskToPreempt(&cpu);
    }
    const auto changed = [](RunEntity* queued) {
      const auto* e = static_cast<Entity*>(queued);
      return !Same(e->attr, e->past->sched);
    };
    const auto& waiting = cpu.queue.waiting();
    for (;;) {
      const auto found = std::find_if(waiting.begin(), waiting.end(), changed);
      if (found == waiting.end()) break;
      auto* e = static_cast<Entity*>(*found);
      cpu.queue.Remove(e);
      e->attr = e->past->sched;
      const bool stays = (AllowedOf(*e) >> i & 1) != 0;
      Enqueue(e, stays ? i : ChooseCpu(*e));
    }
  }
}

// ---- Who runs --------------------------------------------------------------

void TimedMachine::AskToPreempt(Cpu* cpu) {
  cpu->running->past->need_resched = true;
}

// Whoever holds a spinlock, or spins for one, stays on its CPU.
bool TimedMachine::MayPreempt(const Entity& e) const {
  return !e.spinning && e.fiber->atomic_depth == 0;
}

Bandwidth* TimedMachine::BandwidthOf(const Entity& e) {
  if (bandwidth_.empty()) return nullptr;
  const uint32_t cgroup = CgroupOf(e);
  for (Bandwidth& b : bandwidth_) {
    if (b.cgroup() == cgroup) return &b;
  }
  return nullptr;
}

// Whether e, on its CPU, must wait for its cgroup's next period.
bool TimedMachine::Throttled(const Entity& e) {
  if (!IsFair(e)) return false;
  if (!config_.throttle_in_kernel && !e.at_user_mode) return false;
  Bandwidth* bandwidth = BandwidthOf(e);
  return bandwidth != nullptr && bandwidth->MayRun(e.cpu) == 0;
}

void TimedMachine::Throttle(Entity* e) {
  LeaveState(e);
  e->state = State::kThrottled;
  e->since_ns = now_ns();
  throttled_.push_back(e);
}

// Who ran; nobody does now.
TimedMachine::Entity* TimedMachine::TakeOff(Cpu* cpu) {
  Entity* e = cpu->running;
  cpu->running = nullptr;
  cpu->last = e;
  return e;
}

// Takes who runs off its CPU, able to go on.
void TimedMachine::PutBack(Cpu* cpu) {
  Entity* e = TakeOff(cpu);
  e->past->need_resched = false;
  e->since_ns = now_ns();
  if (Throttled(*e)) {
    Throttle(e);
    return;
  }
  if ((AllowedOf(*e) >> e->cpu & 1) == 0) {
    Enqueue(e, ChooseCpu(*e));
    return;
  }
  // A SCHED_FIFO task keeps its place.
  if (IsFair(*e)) e->queued_seq = ++queued_seq_;
  e->state = State::kQueued;
  cpu->queue.Add(e);
}

// An idle CPU takes work from others: a SCHED_FIFO task if one waits anywhere,
// else from where the load is highest.
TimedMachine::Entity* TimedMachine::Pull(size_t index) {
  Entity* best = nullptr;
  for (const Cpu& cpu : cpus_) {
    for (RunEntity* queued : cpu.queue.waiting()) {
      auto* e = static_cast<Entity*>(queued);
      if ((AllowedOf(*e) >> index & 1) == 0) continue;
      if (best != nullptr) {
        const uint64_t load = LoadOf(cpus_[e->cpu]);
        const uint64_t most = LoadOf(cpus_[best->cpu]);
        const bool fair = IsFair(*e) && IsFair(*best);
        if (fair && load != most ? load < most : !RunsBefore(*e, *best)) {
          continue;
        }
      }
      best = e;
    }
  }
  if (best == nullptr) return nullptr;
  const size_t from = best->cpu;
  cpus_[from].queue.Remove(best);
  const uint64_t there = cpus_[from].queue.min_vruntime();
  best->vruntime = cpus_[index].queue.min_vruntime() +
                   (best->vruntime > there ? best->vruntime - there : 0);
  best->cpu = index;
  return best;
}

void TimedMachine::SwitchTo(Cpu* cpu, Entity* e) {
  LeaveState(e);
  e->state = State::kOnCpu;
  e->attr = e->past->sched;
  e->past->need_resched = false;
  cpu->running = e;
  cpu->turn_ns = 0;
  Reckon(cpu);
  TaskOf(*e)->cpu = static_cast<uint32_t>(e->cpu);
  if (cpu->next_tick_ns <= now_ns()) {
    cpu->next_tick_ns +=
        ((now_ns() - cpu->next_tick_ns) / kNsPerJiffy + 1) * kNsPerJiffy;
  }
  if (cpu->last == e) return;
  accounts_[e->account].switches++;
  Pay(e, Cost::kContextSwitch);
}

// Lets the right task have a CPU, now that something may have changed.
void TimedMachine::Pick(size_t index) {
  Cpu& cpu = cpus_[index];
  if (Entity* e = cpu.running; e != nullptr) {
    // A signal interrupts user mode.
    if (e->payment.user() && signal_pending(TaskOf(*e))) {
      Account(index);
      e->payment.DropUser();
      Reckon(&cpu);
    }
    if (Throttled(*e)) e->past->need_resched = true;
    if (!e->past->need_resched) return;
    if (!MayPreempt(*e)) return;
    Account(index);
    PutBack(&cpu);
  }
  for (;;) {
    auto* next = static_cast<Entity*>(cpu.queue.First());
    if (next != nullptr) {
      cpu.queue.Remove(next);
    } else {
      next = Pull(index);
    }
    if (next == nullptr) return;
    if (Throttled(*next)) {
      Throttle(next);
      continue;
    }
    Account(index);
    SwitchTo(&cpu, next);
    StepFrequency(index);
    return;
  }
}

// ---- Ticks, and how fast ---------------------------------------------------

void TimedMachine::Tick(size_t index) {
  Cpu& cpu = cpus_[index];
  Account(index);
  cpu.next_tick_ns += kNsPerJiffy;
  Entity* e = cpu.running;
  if (e == nullptr) return;
  if (!e->spinning) Pay(e, Cost::kTick);
  StepFrequency(index);
  if (!IsFair(*e) || cpu.turn_ns < config_.slice_ns) return;
  const RunEntity* first = cpu.queue.First();
  if (first != nullptr && RunsBefore(*first, *e)) AskToPreempt(&cpu);
}

void TimedMachine::SetFrequency(size_t index, uint32_t opp) {
  Cpu& cpu = cpus_[index];
  if (opp == cpu.opp) return;
  Account(index);
  SetOpp(&cpu, opp);
  Reckon(&cpu);
  if (!keep_timeline_) return;
  timeline_.frequencies.push_back({.at_ns = now_ns(),
                                   .cpu = static_cast<uint32_t>(index),
                                   .mhz = cpu.config.mhz[opp]});
}

void TimedMachine::StepFrequency(size_t index) {
  Cpu& cpu = cpus_[index];
  if (cpu.config.governor != Governor::kStepped) return;
  const uint64_t ns = now_ns() - cpu.last_tick_ns;
  if (const uint64_t ticks = ns / kNsPerJiffy; ticks != 0) {
    cpu.use.Add(ticks,
                std::min<uint64_t>(cpu.busy_at_tick_ns * 1000 / ns, 1000),
                cpu.config.mhz[cpu.opp], cpu.config.mhz.back());
    cpu.last_tick_ns = now_ns();
    cpu.busy_at_tick_ns = 0;
  }
  const bool fifo = cpu.running != nullptr && !IsFair(*cpu.running) &&
                    cpu.running->attr.rt_priority < kInterruptPriority;
  SetFrequency(index, fifo ? static_cast<uint32_t>(cpu.config.mhz.size() - 1)
                           : StepFor(cpu.use.value(), cpu.config.mhz));
}

}  // namespace reapsim
