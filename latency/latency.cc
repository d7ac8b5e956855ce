// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/latency.h"

#include <signal.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/errno_names.h"
#include "base/prng.h"
#include "base/units.h"
#include "mm/userfaultfd.h"
#include "sched/timed.h"
#include "sched/timer.h"

namespace reapsim {
namespace {

constexpr uint64_t kMs = 1'000'000;
// How long everything runs before the caller wakes up, and by how much a seed
// may prolong that.
constexpr uint64_t kBeforeNs = 40 * kMs;
constexpr uint64_t kBeforeMoreNs = 20 * kMs;
// After the end: what RCU and timers still have to give back.
constexpr uint64_t kAfterNs = 20 * kMs;
// A busy victim computes in pieces of this size.
constexpr uint64_t kPieceNs = kMs;

SchedAttr AttrOf(const Standing& standing) {
  SchedAttr attr;
  attr.nice = static_cast<int8_t>(standing.nice);
  if (standing.fifo != 0) {
    attr.policy = SchedPolicy::kFifo;
    attr.rt_priority = standing.fifo;
  }
  if (standing.affinity != 0) attr.affinity = standing.affinity;
  return attr;
}

// The world of one run.
class Stage {
 public:
  explicit Stage(const LatencyOptions& options)
      : options_(options),
        prng_(options.seed),
        config_(ConfigOf(*options.machine, options.profile->contention_permille,
                         options.kernel)),
        k_(KernelFor(options)) {
    for (CpuConfig& cpu : config_.cpus) {
      cpu.tick_phase_ns = prng_.Below(kNsPerJiffy);
    }
    wake_ns_ = kBeforeNs + prng_.Below(kBeforeMoreNs);
    BuildVictims();
    caller_ =
        std::make_unique<Caller>(k_, options.strategy, Leaders(), sharers_);
    SpawnLoads();
    PutIntoCgroups();
    if (Frozen()) Freeze(true);
    machine_ = std::make_unique<TimedMachine>(
        &k_.engine(), &k_.sched(), config_, options.profile->ToPrices());
    GiveStandings();
    BeginAll();
  }

  LatencyResult Run() {
    if (options_.keep_timeline) machine_->KeepTimeline(GaugeFreePages, &k_);
    (void)machine_->Run(wake_ns_, [] { return false; });
    const std::deque<TaskAccount> before = machine_->accounts();
    free_before_ = k_.free_pages();
    caller_->Wake();
    const TimedStop stop = machine_->Run(Deadline(), [this] {
      Look();
      return caller_->Done() && alive_.empty();
    });
    // What comes back when pins are let go of, or after the deadline, was only
    // let happen to count it.
    const bool whole = stop == TimedStop::kDone && readers_.empty();
    const size_t points = whole ? SIZE_MAX : memory_.size();
    LatencyResult result;
    result.wake_ns = wake_ns_;
    result.kill_ns = caller_->kill_ns();
    result.end_ns = machine_->now_ns();
    result.calls = caller_->calls();
    TakeAccounts(before, &result);
    if (options_.keep_timeline) result.timeline = machine_->timeline();
    const bool gone = alive_.empty();
    LetGo();
    result.pages = GainedSoFar();
    memory_.resize(std::min(points, memory_.size()));
    TakeTimes(&result);
    if (!gone) result.gone_ns.reset();
    result.account_problem = machine_->CheckAccounts();
    if (options_.keep_timeline) AddMarks(&result);
    return result;
  }

 private:
  static KernelOptions KernelFor(const LatencyOptions& options) {
    KernelOptions kernel{.version = options.kernel};
    SetMachine(*options.machine, &kernel);
    if (options.victim.import != nullptr) {
      options.victim.import->EnlargeMachine(&kernel);
    }
    EnlargeMachine(options.victim.shape, &kernel, options.victim.count);
    return kernel;
  }

  // ---- Who is there

  void BuildVictims() {
    const LatencyVictim& victim = options_.victim;
    for (uint32_t i = 0; i < victim.count; ++i) {
      const std::string comm =
          victim.count == 1 ? "victim" : absl::StrCat("victim", i + 1);
      BuiltVictim built = BuildVictim(k_, victim.shape, comm);
      if (victim.import != nullptr) {
        REAP_CHECK(victim.import->Apply(k_, *built.task).ok(),
                   "latency: the machine is too small");
      }
      sharers_.insert(sharers_.end(), built.sharers.begin(),
                      built.sharers.end());
      if (victim.pinned) Pin(*built.task);
      victims_.push_back(std::move(built));
    }
    for (const BuiltVictim& built : victims_) {
      alive_.push_back(built.task);
      alive_.insert(alive_.end(), built.threads.begin(), built.threads.end());
      alive_.insert(alive_.end(), built.sharers.begin(), built.sharers.end());
    }
    for (const Task* task : alive_) roles_[task->pid()] = Role::kVictim;
  }

  // Somebody reads a page of the victim that nobody will ever provide, and is a
  // user of its memory meanwhile.
  void Pin(Task& victim) {
    Task& reader = k_.Spawn("reader");
    User user = k_.As(victim);
    const auto must = [](const SysResult& result) {
      REAP_CHECK(result.ok(), "latency: userfaultfd");
      return static_cast<uint64_t>(result.kernel());
    };
    const int uffd = static_cast<int>(must(user.userfaultfd()));
    const uint64_t page = must(user.mmap(Bytes(PAGE_SIZE), Anonymous()));
    must(user.uffd_register(uffd, page, Bytes(PAGE_SIZE),
                            UFFDIO_REGISTER_MODE_MISSING));
    // The reader keeps it open when the victim is gone.
    must(user.send_fd(uffd, reader.pid()));
    must(user.close(uffd));
    const pid_t pid = victim.pid();
    k_.Begin(reader, [=](User by) { (void)by.peek(pid, page); });
    readers_.push_back(&reader);
  }

  std::vector<Task*> Leaders() const {
    std::vector<Task*> leaders;
    for (const BuiltVictim& built : victims_) leaders.push_back(built.task);
    return leaders;
  }

  void SpawnLoads() {
    for (const BackgroundLoad& load : options_.machine->background) {
      for (uint32_t i = 0; i < load.count; ++i) {
        Task& task = k_.Spawn(load.name, {.bare = true});
        loads_.emplace_back(&task, &load);
        roles_[task.pid()] = Role::kBackground;
      }
    }
  }

  void Attach(const Task& task, uint32_t cgroup) {
    if (cgroup == 0) return;
    const SysResult attached =
        k_.As(k_.init()).cgroup_attach(task.pid(), cgroup);
    REAP_CHECK(attached.ok(), "latency: cgroup_attach");
  }

  void PutIntoCgroups() {
    for (const Task* leader : Leaders()) {
      Attach(*leader, options_.victim.standing.cgroup);
    }
    for (const Task* sharer : sharers_) {
      Attach(*sharer, options_.victim.standing.cgroup);
    }
    Attach(caller_->main(), options_.caller.cgroup);
    for (const auto& [task, load] : loads_) Attach(*task, load->cgroup);
  }

  bool Frozen() const {
    return options_.victim.state == StateAtKill::kFrozenV1 ||
           options_.victim.state == StateAtKill::kFrozenV2;
  }
  void Freeze(bool frozen) {
    for (const Task* task : alive_) {
      if (task->phase() != TaskPhase::kAlive) continue;
      User user = k_.As(k_.init());
      const SysResult done = options_.victim.state == StateAtKill::kFrozenV1
                                 ? user.freeze_v1(task->pid(), frozen)
                                 : user.freeze_v2(task->pid(), frozen);
      REAP_CHECK(done.ok(), "latency: freeze");
    }
  }

  void GiveStandings() {
    const SchedAttr victim = AttrOf(options_.victim.standing);
    for (const Task* task : alive_) machine_->SetSched(task->raw(), victim);
    const SchedAttr caller = AttrOf(options_.caller);
    machine_->SetSched(caller_->main().raw(), caller);
    roles_[caller_->main().pid()] = Role::kCaller;
    for (const Task* thread : caller_->threads()) {
      machine_->SetSched(thread->raw(), caller);
      roles_[thread->pid()] = Role::kCaller;
    }
    for (const auto& [task, load] : loads_) {
      machine_->SetSched(task->raw(),
                         AttrOf({.nice = load->nice,
                                 .fifo = static_cast<uint8_t>(load->fifo),
                                 .affinity = load->affinity}));
    }
  }

  // ---- What they do

  void BeginAll() {
    for (const auto& [task, load] : loads_) BeginLoad(*task, *load);
    if (options_.victim.state == StateAtKill::kRunning) {
      for (Task* task : alive_) {
        k_.Begin(*task, [](User user) {
          while (true) (void)user.compute(kPieceNs);
        });
      }
    }
    if (options_.victim.state == StateAtKill::kUninterruptible) {
      const uint64_t ns = wake_ns_ + options_.victim.uninterruptible_ns;
      for (Task* task : Leaders()) {
        k_.Begin(*task, [ns](User user) { (void)user.driver_sleep(ns); });
      }
    }
    caller_->BeginThreads();
  }

  // It stands somewhere in its round.
  void BeginLoad(Task& task, const BackgroundLoad& load) {
    const uint64_t busy = load.busy_ns;
    const uint64_t sleep = load.sleep_ns;
    const uint64_t at = prng_.Below(busy + sleep);
    k_.Begin(task, [=](User user) {
      if (at < busy) (void)user.compute(busy - at);
      const uint64_t slept = at < busy ? 0 : at - busy;
      if (sleep != 0) (void)user.nanosleep(sleep - slept);
      while (true) {
        (void)user.compute(busy);
        if (sleep != 0) (void)user.nanosleep(sleep);
      }
    });
  }

  uint64_t Deadline() const {
    return wake_ns_ + options_.victim.uninterruptible_ns + options_.deadline_ns;
  }

  // ---- What is seen

  uint64_t GainedSoFar() const {
    const uint64_t free = k_.free_pages();
    return free < free_before_ ? 0 : free - free_before_;
  }

  // After each moment at which something happened.
  void Look() {
    const uint64_t gained = GainedSoFar();
    if (memory_.empty() || memory_.back().pages != gained) {
      // Of one moment only what it comes to.
      if (!memory_.empty() && memory_.back().at_ns == machine_->now_ns()) {
        memory_.pop_back();
      }
      memory_.push_back({.at_ns = machine_->now_ns(), .pages = gained});
    }
    const size_t before = alive_.size();
    while (!alive_.empty() && alive_.back()->phase() != TaskPhase::kAlive) {
      alive_.pop_back();
    }
    if (alive_.empty() && before != 0) gone_ns_ = machine_->now_ns();
  }

  // Whatever still keeps memory lets go of it, and what waits for RCU comes
  // back: then it is known how much there was.
  void LetGo() {
    if (Frozen() && !alive_.empty()) Freeze(false);
    for (const Task* reader : readers_) {
      REAP_CHECK(k_.As(k_.init()).kill(reader->pid(), SIGKILL).ok(),
                 "latency: kill");
    }
    const auto gone = [this] {
      Look();
      return alive_.empty() &&
             std::all_of(readers_.begin(), readers_.end(), [](Task* reader) {
               return reader->phase() != TaskPhase::kAlive;
             });
    };
    (void)machine_->Run(machine_->now_ns() + options_.deadline_ns, gone);
    (void)machine_->Run(machine_->now_ns() + kAfterNs, [this] {
      Look();
      return false;
    });
  }

  Role RoleOf(pid_t pid) const {
    const auto at = roles_.find(pid);
    return at == roles_.end() ? Role::kOther : at->second;
  }

  void TakeAccounts(const std::deque<TaskAccount>& before,
                    LatencyResult* result) {
    const std::deque<TaskAccount>& after = machine_->accounts();
    for (size_t i = 0; i < after.size(); ++i) {
      const Role role = RoleOf(after[i].pid);
      const TaskAccount none;
      const TaskAccount& was = i < before.size() ? before[i] : none;
      result->bills[static_cast<int>(role)].Add(Bill::Between(was, after[i]));
      result->tasks.push_back(after[i]);
      result->roles.push_back(role);
    }
    result->cpus = machine_->cpus();
  }

  void TakeTimes(LatencyResult* result) const {
    const uint64_t kill = result->kill_ns;
    if (kill == 0) return;
    const auto since_kill = [kill](uint64_t at) {
      return at < kill ? 0 : at - kill;
    };
    const auto when = [&](uint64_t pages) -> std::optional<uint64_t> {
      for (const MemoryPoint& point : memory_) {
        if (point.pages >= pages) return since_kill(point.at_ns);
      }
      return std::nullopt;
    };
    result->back_ns = when(result->pages - result->pages / 100);
    result->all_ns = when(result->pages);
    if (gone_ns_.has_value()) result->gone_ns = since_kill(*gone_ns_);
    uint64_t last = 0;
    bool returned = !result->calls.empty();
    for (const ReapCall& call : result->calls) {
      last = std::max(last, call.end_ns);
      if (call.end_ns == 0) returned = false;
    }
    if (returned) result->call_ns = since_kill(last);
    result->memory = memory_;
  }

  void AddMarks(LatencyResult* result) const {
    std::vector<TimelineMark>& marks = result->timeline.marks;
    const auto add = [&](uint64_t at, pid_t pid, std::string text) {
      for (size_t i = 0; i < result->tasks.size(); ++i) {
        if (result->tasks[i].pid != pid) continue;
        marks.push_back({.at_ns = at,
                         .task = static_cast<uint32_t>(i),
                         .text = std::move(text)});
        return;
      }
    };
    const pid_t caller = caller_->main().pid();
    if (result->kill_ns != 0) add(result->kill_ns, caller, "kill");
    for (const ReapCall& call : result->calls) {
      if (call.end_ns == 0) continue;
      add(call.end_ns, caller,
          absl::StrCat("process_mrelease(", call.target, ") = ",
                       call.result == 0
                           ? "0"
                           : ErrnoName(static_cast<int>(-call.result))));
    }
    for (const TaskAccount& task : result->tasks) {
      const bool victim = RoleOf(task.pid) == Role::kVictim;
      if (victim && task.end_ns != 0) add(task.end_ns, task.pid, "gone");
    }
    if (result->back_ns.has_value()) {
      add(result->kill_ns + *result->back_ns, caller, "99 % is back");
    }
    std::stable_sort(marks.begin(), marks.end(),
                     [](const TimelineMark& a, const TimelineMark& b) {
                       return a.at_ns < b.at_ns;
                     });
  }

  const LatencyOptions& options_;
  Prng prng_;
  MachineConfig config_;
  Kernel k_;
  uint64_t wake_ns_ = 0;
  std::vector<BuiltVictim> victims_;
  std::vector<Task*> sharers_;
  std::vector<Task*> readers_;
  std::vector<std::pair<Task*, const BackgroundLoad*>> loads_;
  absl::btree_map<pid_t, Role> roles_;  // others are kOther
  std::unique_ptr<Caller> caller_;
  std::unique_ptr<TimedMachine> machine_;
  std::vector<Task*> alive_;  // victims, threads and sharers; the last one is
  uint64_t free_before_ = 0;
  std::vector<MemoryPoint> memory_;
  std::optional<uint64_t> gone_ns_;
};

}  // namespace

const char* RoleName(Role role) {
  switch (role) {
    case Role::kCaller:
      return "caller";
    case Role::kVictim:
      return "victim";
    case Role::kBackground:
      return "background";
    case Role::kOther:
      return "other";
  }
  return "?";
}

Bill Bill::Between(const TaskAccount& before, const TaskAccount& after) {
  Bill bill;
  bill.run_ns = after.run_ns - before.run_ns;
  for (int i = 0; i < kWorkClasses; ++i) {
    bill.by_class_ps[i] = after.by_class_ps[i] - before.by_class_ps[i];
  }
  bill.spin_ps = after.spin_ps - before.spin_ps;
  bill.runqueue_ns = after.runqueue_ns - before.runqueue_ns;
  bill.lock_wait_ns = after.lock_wait_ns - before.lock_wait_ns;
  bill.throttled_ns = after.throttled_ns - before.throttled_ns;
  bill.frozen_ns = after.frozen_ns - before.frozen_ns;
  bill.sleep_ns = after.sleep_ns - before.sleep_ns;
  bill.switches = after.switches - before.switches;
  return bill;
}

void Bill::Add(const Bill& other) {
  run_ns += other.run_ns;
  for (int i = 0; i < kWorkClasses; ++i) {
    by_class_ps[i] += other.by_class_ps[i];
  }
  spin_ps += other.spin_ps;
  runqueue_ns += other.runqueue_ns;
  lock_wait_ns += other.lock_wait_ns;
  throttled_ns += other.throttled_ns;
  frozen_ns += other.frozen_ns;
  sleep_ns += other.sleep_ns;
  switches += other.switches;
}

LatencyResult RunLatency(const LatencyOptions& options) {
  REAP_CHECK(options.profile != nullptr && options.machine != nullptr,
             "latency: no profile, or no machine");
  REAP_CHECK(options.victim.count >= 1 && options.victim.count <= kMaxVictims,
             "latency: victims");
  return Stage(options).Run();
}

// ---- Several runs ----------------------------------------------------------

std::optional<uint64_t> Spread::spread() const {
  if (!p1.has_value() || !p99.has_value()) return std::nullopt;
  return *p99 - *p1;
}

Spread SpreadOf(std::vector<std::optional<uint64_t>> times) {
  // What has not come about is later than everything else.
  std::sort(times.begin(), times.end(), [](const auto& a, const auto& b) {
    return a.has_value() && (!b.has_value() || *a < *b);
  });
  Spread spread;
  spread.runs = static_cast<uint32_t>(times.size());
  if (times.empty()) return spread;
  spread.missing = static_cast<uint32_t>(
      std::count(times.begin(), times.end(), std::nullopt));
  const auto rank = [&times](uint64_t percent) {
    const uint64_t nth = (times.size() * percent + 99) / 100;
    return times[std::max<uint64_t>(nth, 1) - 1];
  };
  spread.p1 = rank(1);
  spread.p50 = rank(50);
  spread.p90 = rank(90);
  spread.p99 = rank(99);
  spread.max = rank(100);
  return spread;
}

}  // namespace reapsim
