// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// earlyoom: one thread that polls /proc/meminfo, sends one process SIGTERM or
// SIGKILL, and waits for its end.
// Source: earlyoom's main.c (poll_loop, sleep_time_ms, lowmem_sig) and kill.c
// (find_largest_process, kill_process, kill_wait, kill_release), commit
// 5c3e3ea8cb9c, and its unit file.
// Modelled: the order of calls, the thresholds, the adaptive sleep, the wait of
//   at most 100 times 100 ms, the second signal. Left out: swap (there is
//   none), -g, -n, -N, -P, --prefer, --avoid, --ignore.

#include <signal.h>

#include <algorithm>

#include "latency/client_world.h"

namespace reapsim {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr int kPolls = 100;
constexpr uint64_t kPollNs = 100 * kMs;

class Earlyoom : public ClientProgram {
 public:
  explicit Earlyoom(ClientWorld* world)
      : world_(*world),
        settings_(world->scenario().earlyoom),
        phase_ns_(world->Chance(kPollNs)) {
    world->Begin(world->SpawnDaemon("earlyoom"),
                 [this](Caller caller) { PollLoop(caller); });
  }

 private:
  void PollLoop(Caller caller) {
    (void)caller.SetNice(-20);  // its unit file: Nice=-20
    if (world_.change() == Change::kBigCore) {
      (void)caller.SetAffinity(world_.FastestCpus());
    }
    caller.Sleep(phase_ns_);
    for (;;) {
      caller.Look(settings_.look_ns);
      const int sig = LowmemSig();
      if (sig != 0) {
        Candidate* victim = FindLargestProcess(&caller);
        // To look at them all took a while.
        caller.Look(settings_.look_ns);
        if (LowmemSig() != 0 && victim != nullptr) {
          KillProcess(&caller, sig, victim);
        }
      }
      caller.Sleep(SleepNs());
    }
  }

  bool Below(uint32_t percent) const {
    return world_.free_bytes() <= world_.machine().memory / 100 * percent;
  }

  int LowmemSig() const {
    if (Below(settings_.kill_percent)) return SIGKILL;
    if (!Below(settings_.term_percent)) return 0;
    return world_.change() == Change::kSigkillFirst ? SIGKILL : SIGTERM;
  }

  // As long as it takes to fill what is left, at 6000 KiB a millisecond.
  uint64_t SleepNs() const {
    const uint64_t limit =
        world_.machine().memory / 100 * settings_.term_percent;
    const uint64_t free = world_.free_bytes();
    const uint64_t headroom = free > limit ? free - limit : 0;
    const uint64_t ms = headroom / 1024 / 6000;
    return std::clamp<uint64_t>(ms, 100, 1000) * kMs;
  }

  // The highest oom_score, and of those the most resident.
  Candidate* FindLargestProcess(Caller* caller) {
    caller->Look(settings_.process_ns * settings_.other_processes);
    Candidate* victim = nullptr;
    uint64_t victim_score = 0;
    uint64_t victim_rss = 0;
    for (Candidate& each : world_.candidates()) {
      caller->Look(settings_.process_ns);
      if (each.spec->oom_score_adj == -1000) continue;
      const uint64_t score = world_.OomScoreOf(each);
      const uint64_t rss = world_.RssOf(each);
      const bool larger =
          score > victim_score || (score == victim_score && rss > victim_rss);
      if (!larger) continue;
      victim = &each;
      victim_score = score;
      victim_rss = rss;
    }
    return victim;
  }

  // kill_wait(): the signal, and at most ten seconds.
  void KillProcess(Caller* caller, int sig, Candidate* victim) {
    world_.Decide(world_.machine().memory / 100 * settings_.term_percent);
    const SysResult pidfd = caller->PidfdOpen(*victim);
    const int fd = pidfd.ok() ? static_cast<int>(pidfd.kernel()) : -1;
    if (KillRelease(caller, fd, sig, victim)) {
      WaitForEnd(caller, fd, sig, victim);
    }
    if (fd >= 0) (void)caller->Close(fd, *victim);
  }

  bool KillRelease(Caller* caller, int pidfd, int sig, Candidate* victim) {
    if (!caller->Kill(*victim, sig).ok()) return false;
    const bool calls =
        world_.calls_mrelease() &&
        !(world_.change() == Change::kNotAfterSigterm && sig == SIGTERM);
    if (pidfd >= 0 && calls) (void)caller->Mrelease(pidfd, *victim);
    return true;
  }

  void WaitForEnd(Caller* caller, int pidfd, int sig, Candidate* victim) {
    for (int i = 0; i < kPolls; ++i) {
      if (sig != SIGKILL) {
        caller->Look(settings_.look_ns);
        if (Below(settings_.kill_percent)) {
          sig = SIGKILL;
          if (!KillRelease(caller, pidfd, sig, victim)) return;
        }
      }
      caller->Look(settings_.process_ns);
      if (world_.IsDead(*victim)) return;
      caller->Sleep(kPollNs);
    }
  }

  ClientWorld& world_;
  const EarlyoomSettings& settings_;
  const uint64_t phase_ns_;
};

}  // namespace

std::unique_ptr<ClientProgram> StageEarlyoom(ClientWorld* world) {
  return std::make_unique<Earlyoom>(world);
}

}  // namespace reapsim
