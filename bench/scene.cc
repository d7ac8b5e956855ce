// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "bench/scene.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "base/units.h"
#include "mm/mm_types.h"
#include "sched/sched.h"
#include "sched/timed.h"
#include "sched/timer.h"
#include "syscall/fork.h"
#include "syscall/kernel.h"

namespace reapsim {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kForeverNs = 3'600'000 * kMs;
constexpr uint64_t kMostNs = 100'000 * kMs;  // that a scene may last
constexpr uint32_t kPoolThreads = 2;

// What somebody does who reads the victim's memory, or /proc/PID/cmdline, and
// is kept from going on.
struct Pin {
  mm_struct* mm;
  uint64_t ns;
};

void PinThread(void* arg) {
  const auto* pin = static_cast<const Pin*>(arg);
  mmget(pin->mm);
  schedule_hrtimeout_uninterruptible(pin->ns);
  mmput(pin->mm);
}

// What the programs share. Virtual time goes in one order: no locks.
struct Board {
  struct Victim {
    pid_t pid;
    int pidfd[8];  // of each reaper
  };
  std::vector<Victim> victims;
  uint32_t next = 0;     // victim that nobody has taken yet
  uint32_t busy = 0;     // threads of the pool
  uint32_t working = 0;  // programs that are not done
  uint64_t returned_at_ns = 0;
  uint32_t reaped = 0;
  uint32_t refused = 0;
};

void SleepUntil(User user, uint64_t at_ns) {
  const auto now = static_cast<uint64_t>(user.now().kernel());
  if (now < at_ns) (void)user.nanosleep(at_ns - now);
}

void Reap(User user, Board* board, int pidfd) {
  const SysResult result = user.process_mrelease(pidfd, 0);
  ++(result.ok() ? board->reaped : board->refused);
  board->returned_at_ns = static_cast<uint64_t>(user.now().kernel());
}

class Stage {
 public:
  explicit Stage(const Scene& scene)
      : scene_(scene), kill_at_ns_(scene.before_ns), k_(OptionsOf(scene)) {
    for (uint32_t i = 0; i < scene.victims; ++i) AddVictim();
    AddReapers();
    AddThirdParty();
    AddHogs(scene.hogs, scene.victim.affinity);
    AddHogs(scene.reaper_hogs, scene.reaper.affinity);
  }

  SceneResult Run() {
    const Prices prices = scene_.profile->ToPrices();
    TimedMachine machine(
        &k_.engine(), &k_.sched(),
        ConfigOf(*scene_.machine, scene_.profile->contention_permille,
                 scene_.kernel),
        prices);
    machine.KeepTimeline(GaugeFreePages, &k_);
    for (const auto& [task, attr] : attrs_) machine.SetSched(task, attr);
    Begin();
    (void)machine.Run(kill_at_ns_ - 1, [] { return false; });
    const std::deque<TaskAccount> before = machine.accounts();
    SceneResult result;
    const TimedStop stop = machine.Run(kill_at_ns_ + kMostNs, [&] {
      if (!VictimsAreGone()) return false;
      if (result.gone_ns == 0) result.gone_ns = SinceKill(k_.now_ns());
      return board_.working == 0 && PinIsOver();
    });
    Count(machine, before, &result);
    result.problem = machine.CheckAccounts();
    if (stop == TimedStop::kVerdict) {
      result.problem = k_.TakeVerdict().ToString();
    } else if (stop != TimedStop::kDone) {
      result.problem = "the scene does not end";
    }
    return result;
  }

 private:
  static KernelOptions OptionsOf(const Scene& scene) {
    KernelOptions options;
    options.version = scene.kernel;
    SetMachine(*scene.machine, &options);
    VictimShape all = scene.shape;
    all.anon += uint64_t{scene.regions} << 20;
    EnlargeMachine(all, &options, scene.victims);
    return options;
  }

  void AddVictim() {
    Task& task = *BuildVictim(k_, scene_.shape).task;
    constexpr uint64_t kRegionsAt = uint64_t{1} << 40;
    for (uint64_t i = 0; i < scene_.regions; ++i) {
      const uint64_t at = kRegionsAt + i * (2_MiB).raw();
      (void)k_.As(task).mmap(1_MiB, Anonymous().With(MAP_FIXED), at);
      (void)k_.As(task).touch(at, 1_MiB);
    }
    victims_.push_back(&task);
    attrs_.emplace_back(task.raw(), scene_.victim);
    board_.victims.push_back({.pid = task.pid(), .pidfd = {}});
  }

  // Processes for kCall, threads of one for the pools, the main one first.
  void AddReapers() {
    const bool pool = scene_.reaping >= Reaping::kPool;
    const uint32_t count = pool                               ? 1 + kPoolThreads
                           : scene_.reaping == Reaping::kCall ? scene_.reapers
                                                              : 1;
    for (uint32_t i = 0; i < count; ++i) {
      Task& task = pool && i > 0
                       ? k_.TaskOf(static_cast<pid_t>(
                             k_.As(*reapers_[0]).clone_thread().kernel()))
                       : k_.Spawn("reaper");
      reapers_.push_back(&task);
      SchedAttr attr = scene_.reaper;
      if (scene_.reaper_cpus[i] != 0) attr.affinity = scene_.reaper_cpus[i];
      attrs_.emplace_back(task.raw(), attr);
      if (pool && i > 0) continue;
      for (auto& victim : board_.victims) {
        victim.pidfd[i] =
            static_cast<int>(k_.As(task).pidfd_open(victim.pid, 0).kernel());
      }
    }
  }

  void AddThirdParty() {
    if (scene_.pinned_ns != 0) {
      const Out<Pin> pin = k_.NewOut<Pin>();
      pin.Set(
          {.mm = victims_[0]->raw()->mm, .ns = kill_at_ns_ + scene_.pinned_ns});
      const task_struct* thread = MakeKernelThread(
          &k_.sched(), PinThread, const_cast<Pin*>(&pin.Get()), "reader");
      reader_ = &k_.TaskOf(thread->pid);
    }
    if (Frozen()) freezer_ = &k_.Spawn("freezer");
  }

  bool Frozen() const {
    return scene_.state == SceneState::kFrozen1 ||
           scene_.state == SceneState::kFrozen2;
  }

  void AddHogs(uint32_t count, uint64_t affinity) {
    for (uint32_t i = 0; i < count; ++i) {
      hogs_.push_back(&k_.Spawn("hog"));
      attrs_.emplace_back(hogs_.back()->raw(), SchedAttr{.affinity = affinity});
    }
  }

  void Begin() {
    const SceneState state = scene_.state;
    const uint64_t until_ns =
        scene_.state_ns == 0 ? 0 : kill_at_ns_ + scene_.state_ns;
    for (Task* task : victims_) {
      k_.Begin(*task, [state, until_ns](User user) {
        if (state == SceneState::kRuns) {
          (void)user.compute(kForeverNs);
        } else if (state == SceneState::kDriver && until_ns != 0) {
          (void)user.driver_sleep(until_ns);
        }
        for (;;) (void)user.nanosleep(kForeverNs);
      });
    }
    for (Task* task : hogs_) {
      k_.Begin(*task, [](User user) {
        for (;;) (void)user.compute(kForeverNs);
      });
    }
    if (freezer_ != nullptr) BeginFreezer();
    switch (scene_.reaping) {
      case Reaping::kKill:
      case Reaping::kCall:
        BeginReapers();
        break;
      case Reaping::kPool:
      case Reaping::kPoolOrKill:
        BeginPool();
        break;
    }
  }

  void BeginFreezer() {
    const pid_t pid = victims_[0]->pid();
    const bool v1 = scene_.state == SceneState::kFrozen1;
    const uint64_t until = kill_at_ns_ + scene_.state_ns;
    k_.Begin(*freezer_, [=](User user) {
      SleepUntil(user, kMs);
      (void)(v1 ? user.freeze_v1(pid, true) : user.freeze_v2(pid, true));
      SleepUntil(user, until);
      (void)(v1 ? user.freeze_v1(pid, false) : user.freeze_v2(pid, false));
    });
  }

  void BeginReapers() {
    Board* board = &board_;
    const uint64_t kill_at_ns = kill_at_ns_;
    const bool call = scene_.reaping == Reaping::kCall;
    board_.working = static_cast<uint32_t>(reapers_.size());
    for (uint32_t i = 0; i < reapers_.size(); ++i) {
      k_.Begin(*reapers_[i], [=](User user) {
        // The others know of the kill before they call.
        SleepUntil(user, kill_at_ns + (i == 0 ? 0 : kMs / 50));
        for (const Board::Victim& victim : board->victims) {
          if (i == 0) (void)user.kill(victim.pid, SIGKILL);
          if (call) Reap(user, board, victim.pidfd[i]);
        }
        --board->working;
      });
    }
  }

  void BeginPool() {
    Board* board = &board_;
    const uint64_t kill_at_ns = kill_at_ns_;
    const bool or_kill = scene_.reaping == Reaping::kPoolOrKill;
    board_.working = static_cast<uint32_t>(reapers_.size());
    k_.Begin(*reapers_[0], [=](User user) {
      SleepUntil(user, kill_at_ns);
      // The threads take theirs at the same time; the rest is for this one.
      while (or_kill && board->next < board->victims.size()) {
        if (board->busy < kPoolThreads) {
          (void)user.nanosleep(kMs / 100);
          continue;
        }
        (void)user.kill(board->victims[board->next++].pid, SIGKILL);
      }
      --board->working;
    });
    for (uint32_t i = 1; i < reapers_.size(); ++i) {
      k_.Begin(*reapers_[i], [=](User user) {
        SleepUntil(user, kill_at_ns);
        while (board->next < board->victims.size()) {
          const Board::Victim& victim = board->victims[board->next++];
          ++board->busy;
          (void)user.kill(victim.pid, SIGKILL);
          Reap(user, board, victim.pidfd[0]);
          --board->busy;
        }
        --board->working;
      });
    }
  }

  bool VictimsAreGone() const {
    return std::all_of(victims_.begin(), victims_.end(), [](const Task* task) {
      return task->phase() != TaskPhase::kAlive;
    });
  }

  bool PinIsOver() const {
    return reader_ == nullptr || reader_->phase() != TaskPhase::kAlive;
  }

  uint64_t SinceKill(uint64_t at_ns) const {
    return at_ns > kill_at_ns_ ? at_ns - kill_at_ns_ : 0;
  }

  void Count(TimedMachine& machine, const std::deque<TaskAccount>& before,
             SceneResult* result) {
    const std::deque<TaskAccount>& after = machine.accounts();
    for (size_t i = 0; i < after.size(); ++i) {
      const TaskAccount none;
      const TaskAccount& was = i < before.size() ? before[i] : none;
      const uint64_t ran = after[i].run_ns - was.run_ns;
      const uint64_t spun = (after[i].spin_ps - was.spin_ps) / 1000;
      if (after[i].comm == "victim") {
        result->victim_cpu_ns += ran;
        result->victim_spin_ns += spun;
      } else if (after[i].comm == "reader") {
        result->other_cpu_ns += ran;
      } else if (after[i].comm == "reaper") {
        result->reaper_cpu_ns += ran;
        result->reaper_spin_ns += spun;
      }
    }
    result->call_ns = SinceKill(board_.returned_at_ns);
    result->reaped = board_.reaped;
    result->refused = board_.refused;
    CountPages(machine.timeline(), result);
  }

  // When 99 of 100 pages that came back since the kill were back.
  void CountPages(const Timeline& timeline, SceneResult* result) const {
    uint64_t at_kill = 0;
    for (const TimelineGauge& gauge : timeline.free_pages) {
      if (gauge.at_ns <= kill_at_ns_) at_kill = gauge.value;
    }
    if (timeline.free_pages.empty()) return;
    const uint64_t end = timeline.free_pages.back().value;
    if (end <= at_kill) return;
    result->pages = end - at_kill;
    for (const TimelineGauge& gauge : timeline.free_pages) {
      if (gauge.at_ns <= kill_at_ns_) continue;
      if ((gauge.value - at_kill) * 100 < result->pages * 99) continue;
      result->back_ns = SinceKill(gauge.at_ns);
      return;
    }
  }

  const Scene& scene_;
  const uint64_t kill_at_ns_;
  Kernel k_;
  Board board_;
  std::vector<Task*> victims_;
  std::vector<Task*> reapers_;
  std::vector<Task*> hogs_;
  Task* freezer_ = nullptr;
  Task* reader_ = nullptr;
  std::vector<std::pair<task_struct*, SchedAttr>> attrs_;
};

}  // namespace

SceneResult Play(const Scene& scene) { return Stage(scene).Run(); }

}  // namespace reapsim
