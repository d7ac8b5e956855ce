// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Timed mode: tasks' states, steps, and the passing of time. Who runs where is
// in timed_cpus.cc.

#include "sched/timed.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "sched/rwsem.h"
#include "sched/timer.h"

namespace reapsim {
namespace {

// rwsem's RWSEM_WAIT_TIMEOUT.
constexpr uint64_t kHandoffNs = kNsPerJiffy;

// So many steps in no time are a loop that charges nothing.
constexpr uint64_t kMaxStepsInNoTime = 50'000'000;

WaitKind KindOfWait(Point point) {
  switch (point) {
    case Point::kDownReadWait:
    case Point::kDownWriteWait:
    case Point::kMutexLock:
    case Point::kVmaStartWriteWait:
      return WaitKind::kLock;
    case Point::kRefrigerator:
    case Point::kFreezerTrap:
      return WaitKind::kFrozen;
    default:
      return WaitKind::kSleep;
  }
}

// Waits are kept by their ends. One that a run's end has cut in two is one.
void AddWait(std::vector<TimelineWait>* waits, TimelineWait wait) {
  auto at = std::lower_bound(waits->begin(), waits->end(), wait.start_ns,
                             [](const TimelineWait& each, uint64_t end_ns) {
                               return each.end_ns < end_ns;
                             });
  for (; at != waits->end() && at->end_ns == wait.start_ns; ++at) {
    if (at->task != wait.task || at->kind != wait.kind) continue;
    wait.start_ns = at->start_ns;
    waits->erase(at);
    break;
  }
  waits->push_back(wait);
}

}  // namespace

TimedMachine::TimedMachine(Engine* engine, SchedState* sched,
                           MachineConfig config, const Prices& prices)
    : engine_(engine),
      sched_(sched),
      config_(std::move(config)),
      prices_(prices),
      begin_ns_(engine->now_ns()) {
  REAP_CHECK(!config_.cpus.empty() && config_.cpus.size() <= 64,
             "timed: 1 to 64 CPUs");
  cpus_.resize(config_.cpus.size());
  cpu_accounts_.resize(config_.cpus.size());
  for (size_t i = 0; i < cpus_.size(); ++i) {
    Cpu& cpu = cpus_[i];
    cpu.config = config_.cpus[i];
    REAP_CHECK(cpu.config.opp < cpu.config.mhz.size(), "timed: opp");
    SetOpp(&cpu, cpu.config.opp);
    cpu.at_ns = begin_ns_;
    const uint64_t tick = begin_ns_ - begin_ns_ % kNsPerJiffy;
    cpu.last_tick_ns = tick;
    cpu.next_tick_ns = tick + cpu.config.tick_phase_ns % kNsPerJiffy;
    if (cpu.next_tick_ns <= begin_ns_) cpu.next_tick_ns += kNsPerJiffy;
  }
  for (const BandwidthConfig& b : config_.bandwidth) {
    bandwidth_.emplace_back(b, cpus_.size(), begin_ns_);
  }
  SetSched(sched_->softirq, {.policy = SchedPolicy::kFifo,
                             .rt_priority = kInterruptPriority,
                             .affinity = 1});
  NoticeFibers();
}

TimedMachine::~TimedMachine() = default;

void TimedMachine::KeepTimeline(uint64_t (*gauge)(const void*),
                                const void* arg) {
  keep_timeline_ = true;
  gauge_ = gauge;
  gauge_arg_ = arg;
  ReadGauge();
  for (uint32_t i = 0; i < cpus_.size(); ++i) {
    timeline_.frequencies.push_back(
        {now_ns(), i, cpus_[i].config.mhz[cpus_[i].opp]});
  }
}

void TimedMachine::SetSched(const task_struct* task, const SchedAttr& attr) {
  engine_->state()->fibers.HistoryOf(task->thread).sched = attr;
}

void TimedMachine::MarkNow(const task_struct* task, std::string text) {
  NoticeFibers();
  timeline_.marks.push_back({.at_ns = now_ns(),
                             .task = EntityAt(task->thread->id)->account,
                             .text = std::move(text)});
}

// ---- Births, deaths and states ---------------------------------------------

TimedMachine::Entity* TimedMachine::EntityAt(uint32_t id) const {
  return id < entities_.size() ? entities_[id].get() : nullptr;
}

uint32_t TimedMachine::CgroupOf(const Entity& e) const {
  // The signal_struct goes before the task; what it paid then still counts.
  const signal_struct* signal = TaskOf(e)->signal;
  return signal == nullptr ? accounts_[e.account].cgroup : signal->cgroup;
}

// Fibers come and go with tasks, and their numbers are used again.
void TimedMachine::NoticeFibers() {
  if (engine_->fiber_changes() == fibers_seen_) return;
  fibers_seen_ = engine_->fiber_changes();
  auto& fibers = engine_->state()->fibers;
  // A fork that fails takes back a task that has never run, and a task may end
  // between two runs.
  for (const auto& e : entities_) {
    if (e == nullptr || e->state == State::kDone) continue;
    if (fibers.LiveAt(e->id) != e->fiber ||
        fibers.GenerationOf(e->fiber) != e->generation ||
        e->fiber->status == FiberStatus::kDone) {
      Forget(e.get());
    }
  }
  fibers.ForEach([&](Fiber* fiber) {
    const uint32_t generation = fibers.GenerationOf(fiber);
    const Entity* known = EntityAt(fiber->id);
    if (known == nullptr || known->generation != generation) {
      NewEntity(fiber, generation);
    }
  });
}

// Takes e, whose task is no more, from wherever it is.
void TimedMachine::Forget(Entity* e) {
  LeaveState(e);
  std::erase(sleepers_, e);
  std::erase(throttled_, e);
  Cpu& cpu = cpus_[e->cpu];
  if (e->state == State::kQueued) cpu.queue.Remove(e);
  if (cpu.running == e) (void)TakeOff(&cpu);
  e->state = State::kDone;
  accounts_[e->account].end_ns = now_ns();
}

void TimedMachine::NewEntity(Fiber* fiber, uint32_t generation) {
  if (fiber->id >= entities_.size()) entities_.resize(fiber->id + 1);
  const Entity* before = entities_[fiber->id].get();
  REAP_CHECK(before == nullptr || before->state == State::kDone,
             "timed: a task's fiber was given away");
  for (Cpu& cpu : cpus_) {
    if (cpu.last == before) cpu.last = nullptr;
  }
  const auto* task = static_cast<const task_struct*>(fiber->owner);
  auto e = std::make_unique<Entity>();
  e->fiber = fiber;
  e->past = &engine_->state()->fibers.HistoryOf(fiber);
  e->id = fiber->id;
  e->generation = generation;
  e->account = static_cast<uint32_t>(accounts_.size());
  e->since_ns = now_ns();
  // Where the world was made: all were on the first CPU.
  e->cpu = task->cpu < cpus_.size() ? task->cpu : 0;
  e->point = fiber->op.point;
  if (fiber->status == FiberStatus::kDone) e->state = State::kDone;
  accounts_.push_back(
      {.pid = task->pid,
       .comm = task->comm,
       .cgroup = task->signal == nullptr ? 0 : task->signal->cgroup,
       .start_ns = now_ns()});
  Entity* raw = e.get();
  entities_[fiber->id] = std::move(e);
  if (raw->state == State::kSleeping) AddSleeper(raw);
}

const TaskAccount& TimedMachine::AccountOf(const task_struct* task) const {
  const Entity* e = EntityAt(task->thread->id);
  REAP_CHECK(e != nullptr, "timed: a task that did not take part");
  return accounts_[e->account];
}

// Ends the time that e has spent in its state.
void TimedMachine::LeaveState(Entity* e) {
  const uint64_t now = now_ns();
  const uint64_t ns = now - e->since_ns;
  TaskAccount& account = accounts_[e->account];
  WaitKind kind = WaitKind::kSleep;
  switch (e->state) {
    case State::kQueued:
      kind = WaitKind::kRunQueue;
      account.runqueue_ns += ns;
      break;
    case State::kThrottled:
      kind = WaitKind::kThrottled;
      account.throttled_ns += ns;
      break;
    case State::kSleeping:
      kind = KindOfWait(e->point);
      (kind == WaitKind::kLock     ? account.lock_wait_ns
       : kind == WaitKind::kFrozen ? account.frozen_ns
                                   : account.sleep_ns) += ns;
      break;
    case State::kOnCpu:
    case State::kDone:
      e->since_ns = now;
      return;
  }
  if (keep_timeline_ && ns != 0) {
    AddWait(&timeline_.waits, {.start_ns = e->since_ns,
                               .end_ns = now,
                               .task = e->account,
                               .kind = kind,
                               .point = e->point,
                               .object = e->object});
  }
  e->since_ns = now;
}

void TimedMachine::Sleep(Entity* e) {
  const Op& op = e->fiber->op;
  LeaveState(e);
  e->state = State::kSleeping;
  e->point = op.point;
  e->object = op.object;
  e->handoff_due = op.point == Point::kDownWriteWait;
  AddSleeper(e);
}

void TimedMachine::AddSleeper(Entity* e) {
  const auto by_id = [](const Entity* a, const Entity* b) {
    return a->id < b->id;
  };
  sleepers_.insert(
      std::lower_bound(sleepers_.begin(), sleepers_.end(), e, by_id), e);
}

void TimedMachine::WakeSleepers() {
  NoticeFibers();
  for (size_t i = 0; i < sleepers_.size();) {
    Entity* e = sleepers_[i];
    if (!Engine::CanRun(e->fiber) || TaskOf(*e)->__state == TASK_NEW) {
      ++i;
      continue;
    }
    sleepers_.erase(sleepers_.begin() + static_cast<ptrdiff_t>(i));
    Wake(e);
  }
}

// ---- Steps -----------------------------------------------------------------

// A contended spinlock goes to who has spun for longest.
bool TimedMachine::IsFirstSpinner(const Entity& e) const {
  for (const Cpu& cpu : cpus_) {
    const Entity* other = cpu.running;
    if (other == nullptr || other == &e || !other->spinning ||
        other->object != e.object) {
      continue;
    }
    if (other->since_ns < e.since_ns ||
        (other->since_ns == e.since_ns && other->cpu < e.cpu)) {
      return false;
    }
  }
  return true;
}

// Whether the task on that CPU can go on now.
bool TimedMachine::StepDue(const Cpu& cpu) const {
  const Entity* e = cpu.running;
  if (e == nullptr || e->payment.any()) return false;
  return !e->spinning || (Engine::CanRun(e->fiber) && IsFirstSpinner(*e));
}

void TimedMachine::Step(size_t index) {
  Account(index);
  Cpu& cpu = cpus_[index];
  Entity* e = cpu.running;
  e->spinning = false;
  e->since_ns = now_ns();
  switch (engine_->Resume(e->fiber)) {
    case Stop::kWork:
      TakeWork(e);
      break;
    case Stop::kBlocked:
      if (e->fiber->op.point == Point::kSpinLock) {
        e->spinning = true;
        e->object = e->fiber->op.object;
      } else {
        Sleep(e);
        NoteNames(*e);
        (void)TakeOff(&cpu);
      }
      break;
    case Stop::kAtPoint:
    case Stop::kYielded:
      break;
    case Stop::kFinished:
      Forget(e);
      break;
    case Stop::kVerdict:
      return;
  }
  ReadGauge();
  // How tasks are to be scheduled changes by system calls only: those made in
  // this step, or entered in the one before.
  const uint64_t calls = e->past->charges[static_cast<int>(Cost::kSyscall)];
  if (calls != e->calls_before) FollowWishes();
  e->calls_before = e->calls;
  e->calls = calls;
}

// A task gets its number after its birth, and its name at exec.
void TimedMachine::NoteNames(const Entity& e) {
  const task_struct* task = TaskOf(e);
  TaskAccount& account = accounts_[e.account];
  account.pid = task->pid;
  account.cgroup = CgroupOf(e);
  if (account.comm != task->comm) account.comm = task->comm;
}

// Runs all that can run without time passing.
TimedMachine::Settled TimedMachine::Settle(absl::FunctionRef<bool()> done) {
  if (done()) return Settled::kDone;
  WakeSleepers();
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t i = 0; i < cpus_.size(); ++i) {
      Pick(i);
      if (!StepDue(cpus_[i])) continue;
      REAP_CHECK(++steps_now_ < kMaxStepsInNoTime,
                 "timed: a task goes round for ever in no time");
      Step(i);
      if (engine_->stopped()) return Settled::kVerdict;
      if (done()) return Settled::kDone;
      moved = true;
      WakeSleepers();
    }
  }
  return Settled::kQuiet;
}

TimedStop TimedMachine::Run(uint64_t until_ns, absl::FunctionRef<bool()> done) {
  engine_->SetPrices(&prices_);
  TimedStop stop = TimedStop::kVerdict;
  fibers_seen_ = ~uint64_t{0};
  NoticeFibers();
  FollowWishes();
  for (;;) {
    const Settled settled = Settle(done);
    if (settled != Settled::kQuiet) {
      stop = settled == Settled::kDone ? TimedStop::kDone : TimedStop::kVerdict;
      break;
    }
    const uint64_t next = NextEvent();
    if (next == UINT64_MAX || next > until_ns) {
      stop = next == UINT64_MAX ? TimedStop::kIdle : TimedStop::kDeadline;
      if (until_ns != UINT64_MAX && until_ns > now_ns()) {
        engine_->AdvanceClock(until_ns - now_ns());
      }
      break;
    }
    if (next > now_ns()) {
      engine_->AdvanceClock(next - now_ns());
      steps_now_ = 0;
    }
    HandleEvents();
  }
  for (size_t i = 0; i < cpus_.size(); ++i) Account(i);
  for (const auto& e : entities_) {
    if (e == nullptr || e->state == State::kDone) continue;
    NoteNames(*e);
    // Accounts have waits that go on, too; but a writer's handoff is reckoned
    // from the beginning of its wait.
    if (e->state != State::kOnCpu && !e->handoff_due) LeaveState(e.get());
  }
  engine_->SetPrices(nullptr);
  return stop;
}

// ---- Time ------------------------------------------------------------------

void TimedMachine::SetOpp(Cpu* cpu, uint32_t opp) {
  cpu->opp = opp;
  cpu->speed = Speed::Of(uint64_t{cpu->config.capacity} * cpu->config.mhz[opp],
                         uint64_t{1024} * cpu->config.mhz.back());
}

// The CPU, accounted for up to now, has other work, or another speed.
void TimedMachine::Reckon(Cpu* cpu) {
  const Entity* e = cpu->running;
  if (e == nullptr) return;
  cpu->paid_ns = cpu->at_ns + e->payment.Nanoseconds(cpu->speed);
}

// By how many permille contended work takes longer now.
uint64_t TimedMachine::ContentionFor(const Entity& payer) const {
  uint64_t others = 0;
  for (const Cpu& cpu : cpus_) {
    const Entity* e = cpu.running;
    if (e != nullptr && e != &payer && e->payment.contended()) others++;
  }
  return others * config_.contention_permille;
}

void TimedMachine::TakeWork(Entity* e) {
  Work& work = e->past->work;
  if (!work.any) return;  // it only asked whether it may go on
  e->payment.Add(work, ContentionFor(*e), config_.stall_permille);
  e->at_user_mode =
      e->payment.user() || e->fiber->op.point == Point::kSyscallEntry;
  work = Work{};
  Reckon(&cpus_[e->cpu]);
}

// Charges e for what it did not ask for.
void TimedMachine::Pay(Entity* e, Cost cost) {
  const auto i = static_cast<int>(cost);
  e->past->charges[i]++;
  Work work{};
  work.Add(kCostInfo[i], prices_.of[i], 1);
  e->payment.Add(work, 0, config_.stall_permille);
  Reckon(&cpus_[e->cpu]);
}

// Brings the accounts of a CPU, and of who runs on it, up to now.
void TimedMachine::Account(size_t index) {
  Cpu& cpu = cpus_[index];
  const uint64_t from = cpu.at_ns;
  const uint64_t ns = now_ns() - from;
  cpu.at_ns = now_ns();
  Entity* e = cpu.running;
  if (e == nullptr) {
    cpu_accounts_[index].idle_ns += ns;
    return;
  }
  TaskAccount& account = accounts_[e->account];
  cpu_accounts_[index].busy_ns += ns;
  account.run_ns += ns;
  cpu.turn_ns += ns;
  cpu.busy_at_tick_ns += ns;
  AddSlice(index, *e, from);
  if (e->spinning) {
    account.spin_ps += ns * 1000;
  } else {
    e->payment.Advance(ns, cpu.speed, &account);
  }
  if (e->attr.policy == SchedPolicy::kFifo) return;
  e->vruntime += Weighted(ns, e->attr.nice);
  cpu.queue.RaiseMinVruntime(e);
  if (Bandwidth* bandwidth = BandwidthOf(*e)) bandwidth->Used(index, ns);
}

void TimedMachine::AddSlice(size_t index, const Entity& e, uint64_t from_ns) {
  if (!keep_timeline_ || from_ns == now_ns()) return;
  const SliceKind kind = e.spinning         ? SliceKind::kSpin
                         : e.payment.user() ? SliceKind::kUser
                                            : SliceKind::kKernel;
  // Most go on where the CPU's last one ended; that is near the end.
  auto& slices = timeline_.slices;
  const size_t look = std::min(slices.size(), cpus_.size());
  for (size_t i = 0; i < look; ++i) {
    TimelineSlice& last = slices[slices.size() - 1 - i];
    if (last.cpu != index) continue;
    if (last.task == e.account && last.kind == kind && last.end_ns == from_ns) {
      last.end_ns = now_ns();
      return;
    }
    break;
  }
  slices.push_back({.start_ns = from_ns,
                    .end_ns = now_ns(),
                    .cpu = static_cast<uint32_t>(index),
                    .task = e.account,
                    .kind = kind});
}

// When something happens on a CPU by itself.
uint64_t TimedMachine::NextEvent(const Cpu& cpu, size_t index) {
  Entity* e = cpu.running;
  if (e == nullptr) return UINT64_MAX;
  uint64_t next = cpu.next_tick_ns;
  if (!e->spinning && e->payment.any()) next = std::min(next, cpu.paid_ns);
  if (e->attr.policy == SchedPolicy::kFifo) return next;
  if (Bandwidth* bandwidth = BandwidthOf(*e)) {
    // At 0 it is only waiting for a place where it can be stopped.
    const uint64_t left = bandwidth->MayRun(index);
    if (left != 0) next = std::min(next, cpu.at_ns + left);
  }
  return next;
}

uint64_t TimedMachine::NextEvent() {
  uint64_t next = UINT64_MAX;
  for (size_t i = 0; i < cpus_.size(); ++i) {
    next = std::min(next, NextEvent(cpus_[i], i));
  }
  uint64_t deadline = 0;
  if (sched_->expired_timer == nullptr &&
      earliest_timer(sched_, &deadline) != nullptr) {
    next = std::min(next, std::max(deadline, now_ns()));
  }
  for (const Entity* e : sleepers_) {
    if (e->handoff_due) next = std::min(next, e->since_ns + kHandoffNs);
  }
  if (!throttled_.empty()) {
    for (const Bandwidth& b : bandwidth_) {
      next = std::min(next, b.next_period_ns());
    }
  }
  return next;
}

// One timer at a time, as the softirq task takes them.
void TimedMachine::FireTimers() {
  uint64_t deadline = 0;
  if (sched_->expired_timer != nullptr) return;
  timer_list* timer = earliest_timer(sched_, &deadline);
  if (timer == nullptr || deadline > now_ns()) return;
  timer_expired(timer);
  sched_->expired_timer = timer;
}

// A writer that has waited for 4 ms, and is the first, lets nobody pass.
void TimedMachine::HandOff() {
  for (Entity* e : sleepers_) {
    if (!e->handoff_due || e->since_ns + kHandoffNs > now_ns()) continue;
    e->handoff_due = false;
    char* world = reinterpret_cast<char*>(reinterpret_cast<uintptr_t>(sched_) &
                                          ~(Arena::kSlotSize - 1));
    (void)rwsem_handoff_timeout(
        reinterpret_cast<rw_semaphore*>(world + size_t{e->object} * 8));
  }
}

void TimedMachine::HandleEvents() {
  const uint64_t now = now_ns();
  FireTimers();
  HandOff();
  bool refilled = false;
  for (Bandwidth& b : bandwidth_) {
    while (b.next_period_ns() <= now) {
      b.Refill();
      refilled = true;
    }
  }
  if (refilled) {
    std::vector<Entity*> again;
    again.swap(throttled_);
    for (Entity* e : again) Enqueue(e, e->cpu);
  }
  for (size_t i = 0; i < cpus_.size(); ++i) {
    Cpu& cpu = cpus_[i];
    if (cpu.next_tick_ns <= now) {
      Tick(i);
    } else if (cpu.running != nullptr && NextEvent(cpu, i) <= now) {
      Account(i);
    }
  }
}

void TimedMachine::ReadGauge() {
  if (gauge_ == nullptr) return;
  const uint64_t value = gauge_(gauge_arg_);
  auto& values = timeline_.free_pages;
  if (!values.empty() && values.back().value == value) return;
  if (!values.empty() && values.back().at_ns == now_ns()) {
    values.back().value = value;
    return;
  }
  values.push_back({now_ns(), value});
}

// ---- Accounts --------------------------------------------------------------

uint64_t TimedMachine::CgroupUsage(uint32_t cgroup) const {
  uint64_t sum = 0;
  for (const TaskAccount& account : accounts_) {
    if (account.cgroup == cgroup) sum += account.run_ns;
  }
  return sum;
}

std::string TimedMachine::CheckAccounts() const {
  uint64_t paid = 0;
  for (const TaskAccount& account : accounts_) {
    paid += account.run_ns;
    uint64_t ps = account.spin_ps;
    for (const uint64_t part : account.by_class_ps) ps += part;
    // Below a nanosecond is left over from each payment, for the next.
    const uint64_t run_ps = account.run_ns * 1000;
    if (ps > run_ps || run_ps - ps >= 1000) {
      return account.comm + " (pid " + std::to_string(account.pid) +
             ") ran for " + std::to_string(run_ps) + " ps, for " +
             std::to_string(ps) + " ps of work";
    }
  }
  uint64_t busy = 0;
  for (size_t i = 0; i < cpus_.size(); ++i) {
    busy += now_ns() - begin_ns_ - cpu_accounts_[i].idle_ns;
    if (cpu_accounts_[i].busy_ns + cpu_accounts_[i].idle_ns !=
        now_ns() - begin_ns_) {
      return "CPU " + std::to_string(i) + " was neither busy nor idle";
    }
  }
  if (paid == busy) return "";
  return "tasks paid " + std::to_string(paid) + " ns, CPUs were busy for " +
         std::to_string(busy) + " ns";
}

}  // namespace reapsim
