// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// lmkd: a main thread that is told of memory pressure and picks a victim, a
// pool of threads that kill and reap it, and a thread that makes the victim
// fast.
// Source: Android's system/memory/lmkd: lmkd.cpp (mp_event_psi,
// find_and_kill_process, kill_one_process, mainloop) and reaper.cpp
// (async_kill, reaper_main, victim_priority_setter); docs/clients.md says which
// texts.
// Modelled: PSI at 70 ms in a second, polls of 10 and 100 ms, the wait for the
//   victim's end or kill_timeout, the watermarks, the least adj and, after a
//   kill, 0, one call of process_mrelease(), no reaping when the pool is busy.
// Left out: swap, thrashing and the file cache among the reasons to kill, the
//   critical level, the watchdog; the pidfd is opened when a process is
//   registered, before the play begins.

#include <signal.h>

#include <vector>

#include "latency/client_world.h"

namespace reapsim {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kWindowNs = 1000 * kMs;  // of PSI, and of polling
constexpr uint64_t kShortPollNs = 10 * kMs;
constexpr uint64_t kLongPollNs = 100 * kMs;
constexpr uint64_t kLongerNs = 1000 * kMs;  // Change::kWaitLonger
constexpr int kPerceptibleAppAdj = 200;
constexpr int kHighestPriority = -20;  // ANDROID_PRIORITY_HIGHEST
constexpr int kNormalPriority = 0;     // ANDROID_PRIORITY_NORMAL

// Jobs from one thread to others, as a queue with a condition variable: who
// finds it empty sleeps on a word of user memory, which each push changes.
class JobQueue {
 public:
  struct Job {
    Candidate* target = nullptr;
    int pidfd = -1;
  };
  explicit JobQueue(uint64_t word) : word_(word) {}

  void Push(Caller* caller, const Job& job) {
    jobs_[end_++ % kRoom] = job;
    (void)caller->user().store(word_, ++pushes_);
    (void)caller->user().futex_wake(word_, 1);
  }
  Job Pop(Caller* caller) {
    for (;;) {
      const SysResult seen = caller->user().load(word_);
      if (begin_ != end_) return jobs_[begin_++ % kRoom];
      (void)caller->user().futex_wait(word_,
                                      static_cast<uint64_t>(seen.kernel()));
    }
  }

 private:
  // Whoever is killed is pushed once.
  static constexpr uint64_t kRoom = kMaxPressureProcesses;
  const uint64_t word_;
  Job jobs_[kRoom];
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
  uint64_t pushes_ = 0;
};

class Lmkd : public ClientProgram {
 public:
  explicit Lmkd(ClientWorld* world)
      : world_(*world),
        settings_(world->scenario().lmkd),
        phase_ns_(world->Chance(kLongPollNs)),
        trigger_(settings_.partial_stall_ns, kWindowNs),
        main_(world->SpawnDaemon("lmkd")),
        words_(world->MapWords(main_, 2)),
        reap_queue_(words_),
        setprio_queue_(words_ + PAGE_SIZE) {
    for (const Candidate& each : world->candidates()) {
      const SysResult pidfd = world->kernel().As(main_).pidfd_open(each.pid, 0);
      pidfds_.push_back(static_cast<int>(pidfd.kernel()));
      registered_.push_back(true);
    }
    // Threads while the main thread still has nothing to do.
    world->Begin(world->SpawnThread(main_, "lmkd_setprio"),
                 [this](Caller caller) { SetVictimPriorities(caller); });
    for (uint32_t i = 0; i < settings_.threads; ++i) {
      world->Begin(world->SpawnThread(main_, "lmkd_reaper" + std::to_string(i)),
                   [this](Caller caller) { ReaperMain(caller); });
    }
    world->Begin(main_, [this](Caller caller) { MainLoop(caller); });
  }

 private:
  // ---- lmkd.cpp

  void MainLoop(Caller caller) {
    (void)caller.SetFifo(1);
    caller.Sleep(phase_ns_);
    for (;;) {
      bool event = false;
      if (victim_ != nullptr) {
        WaitForKill(&caller);
      } else {
        caller.Sleep(polling_ ? poll_ns_ : trigger_.period_ns());
        event = PsiSpeaks(caller.now_ns());
        if (!polling_ && !event) continue;
      }
      MpEventPsi(&caller, event);
    }
  }

  // The kernel looks for the daemon, ten times in a window.
  bool PsiSpeaks(uint64_t now_ns) {
    if (now_ns < next_look_ns_) return false;
    next_look_ns_ = now_ns + trigger_.period_ns();
    return trigger_.Look(now_ns, world_.StallTotal());
  }

  uint64_t KillTimeout() const {
    return world_.change() == Change::kWaitLonger ? kLongerNs
                                                  : settings_.kill_timeout_ns;
  }

  // Until the victim is dead, or has had its time; then looks again at once.
  void WaitForKill(Caller* caller) {
    const uint64_t passed = caller->now_ns() - last_kill_ns_;
    if (passed < KillTimeout()) {
      (void)caller->Poll(victim_fd_, *victim_, KillTimeout() - passed);
    }
    victim_ = nullptr;
    StartPolling(caller->now_ns());
    poll_ns_ = kShortPollNs;
  }

  void StartPolling(uint64_t now_ns) {
    polling_ = true;
    poll_start_ns_ = now_ns;
  }

  void MpEventPsi(Caller* caller, bool event) {
    const uint64_t now_ns = caller->now_ns();
    caller->Look(settings_.look_ns);
    const bool after_kill = killing_;
    killing_ = false;
    const Watermarks& marks = world_.machine().watermarks;
    const uint64_t free = world_.free_bytes();
    // Somebody scanned for pages, or kswapd did, which works below `high`.
    const uint64_t stall = world_.StallTotal();
    const bool direct_reclaim = stall != last_stall_ns_;
    last_stall_ns_ = stall;
    if (direct_reclaim || free < marks.high) {
      if (after_kill && free < marks.min) {
        FindAndKill(caller, /*min_adj=*/0, now_ns);
      } else if (free < marks.low) {
        FindAndKill(caller, settings_.min_adj, now_ns);
      }
    }
    if (victim_ != nullptr) return;  // no polls while it waits for that
    if (event || direct_reclaim) {
      StartPolling(now_ns);
    } else if (polling_ && now_ns - poll_start_ns_ > kWindowNs) {
      polling_ = false;
    }
    poll_ns_ = kLongPollNs;
  }

  // From the highest adj down: the one that was registered first, or, from
  // perceptible apps down, the one with the most resident.
  void FindAndKill(Caller* caller, int min_adj, uint64_t now_ns) {
    Candidate* chosen = nullptr;
    uint64_t chosen_rss = 0;
    size_t chosen_at = 0;
    for (size_t i = 0; i < registered_.size(); ++i) {
      Candidate& each = world_.candidates()[i];
      const int adj = each.spec->oom_score_adj;
      const uint64_t rss = world_.RssOf(each);
      // A zombie has no VmRSS: it is forgotten.
      if (!registered_[i] || adj < min_adj || rss == 0) continue;
      if (chosen != nullptr) {
        const int best = chosen->spec->oom_score_adj;
        const bool heavier = adj <= kPerceptibleAppAdj && rss > chosen_rss;
        if (adj < best || (adj == best && !heavier)) continue;
      }
      chosen = &each;
      chosen_rss = rss;
      chosen_at = i;
    }
    if (chosen == nullptr) return;
    registered_[chosen_at] = false;
    KillOne(caller, chosen, pidfds_[chosen_at], now_ns);
  }

  void KillOne(Caller* caller, Candidate* target, int pidfd, uint64_t now_ns) {
    world_.Decide(world_.machine().watermarks.low);
    caller->Look(settings_.look_ns);  // its status, its name
    victim_ = target;
    victim_fd_ = pidfd;
    if (!AsyncKill(caller, target, pidfd)) {
      (void)KillCgroupOrProcess(caller, target, pidfd);
    }
    last_kill_ns_ = now_ns;
    killing_ = true;
  }

  // ---- reaper.cpp

  // False: the pool is busy. The main thread kills, and nobody reaps.
  bool AsyncKill(Caller* caller, Candidate* target, int pidfd) {
    if (active_ >= settings_.threads) return false;
    const SysResult copy = caller->Dup(pidfd, *target);
    if (!copy.ok()) return false;
    active_++;
    reap_queue_.Push(caller, {target, static_cast<int>(copy.kernel())});
    return true;
  }

  static bool KillCgroupOrProcess(Caller* caller, Candidate* target,
                                  int pidfd) {
    if (caller->KillOwnCgroup(*target).ok()) return true;
    return caller->PidfdSendSignal(pidfd, *target, SIGKILL).ok();
  }

  // cpuset "foreground", or as the change has it.
  uint64_t ReaperCpus() const {
    if (world_.change() == Change::kBigCore) return world_.FastestCpus();
    return settings_.reaper_cpus != 0 ? settings_.reaper_cpus
                                      : world_.AllButSlowestCpus();
  }

  void ReaperMain(Caller caller) {
    (void)caller.SetAffinity(ReaperCpus());
    (void)caller.SetNice(kHighestPriority);
    for (;;) {
      const JobQueue::Job job = reap_queue_.Pop(&caller);
      if (KillCgroupOrProcess(&caller, job.target, job.pidfd)) {
        setprio_queue_.Push(&caller, job);
        if (world_.calls_mrelease()) {
          (void)caller.Mrelease(job.pidfd, *job.target);
        }
      }
      (void)caller.Close(job.pidfd, *job.target);
      active_--;
    }
  }

  // The profile of a whole process, and then the priority of each thread.
  void SetVictimPriorities(Caller caller) {
    (void)caller.SetAffinity(ReaperCpus());
    (void)caller.SetNice(kHighestPriority);
    for (;;) {
      const Candidate* target = setprio_queue_.Pop(&caller).target;
      for (const pid_t tid : target->tids) {
        (void)caller.SetAffinity(world_.AllButSlowestCpus(), target, tid);
      }
      for (const pid_t tid : target->tids) {
        (void)caller.SetNice(kNormalPriority, target, tid);
      }
    }
  }

  ClientWorld& world_;
  const LmkdSettings& settings_;
  const uint64_t phase_ns_;
  PsiTrigger trigger_;
  Task& main_;
  const uint64_t words_;
  JobQueue reap_queue_;
  JobQueue setprio_queue_;
  // By candidate: its pidfd, and whether it is still in the list.
  std::vector<int> pidfds_;
  std::vector<bool> registered_;
  // The main thread's.
  uint64_t next_look_ns_ = 0;
  Candidate* victim_ = nullptr;  // for whose end it waits
  int victim_fd_ = -1;
  uint64_t last_kill_ns_ = 0;
  bool killing_ = false;
  bool polling_ = false;
  uint64_t poll_start_ns_ = 0;
  uint64_t poll_ns_ = kLongPollNs;
  uint64_t last_stall_ns_ = 0;
  // Under the pool's mutex, which is held for a moment only.
  uint32_t active_ = 0;
};

}  // namespace

std::unique_ptr<ClientProgram> StageLmkd(ClientWorld* world) {
  return std::make_unique<Lmkd>(world);
}

}  // namespace reapsim
