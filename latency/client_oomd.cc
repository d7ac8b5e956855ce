// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// oomd: one thread that looks at memory pressure every few seconds, kills a
// whole cgroup, and then leaves everything alone for a while.
// Source: oomd's Oomd.cpp (run), plugins/PressureAbove.cpp,
// plugins/KillMemoryGrowth-inl.h, plugins/BaseKillPlugin.cpp
// (tryToKillCgroup, getAndTryToKillPids, reapCgroupRecursively, reapProcess),
// engine/Ruleset.cpp (pause_actions), commit 88c28fdedcf7.
// Modelled: one ruleset, pressure_above and kill_by_memory_size_or_growth; up
//   to ten rounds of kill(), a second apart from the second on; kernelkill;
//   pidfds that are opened after the kill, from a list read after it.
// Left out: growth (the largest cgroup goes first), memory_reclaim (whoever
//   stands still reclaims), prekill hooks, cgroups inside of cgroups.

#include <signal.h>

#include <algorithm>
#include <vector>

#include "latency/client_world.h"

namespace reapsim {
namespace {

constexpr int kTries = 10;
constexpr uint64_t kBreatherNs = 1'000'000'000;
constexpr int kMostPids = 256;

class Oomd : public ClientProgram {
 public:
  explicit Oomd(ClientWorld* world)
      : world_(*world),
        settings_(world->scenario().oomd),
        phase_ns_(world->Chance(settings_.interval_ns)) {
    for (const Candidate& each : world->candidates()) {
      const bool known = std::find(cgroups_.begin(), cgroups_.end(),
                                   each.cgroup) != cgroups_.end();
      if (each.cgroup != 0 && !known) cgroups_.push_back(each.cgroup);
    }
    world->Begin(world->SpawnDaemon("oomd"),
                 [this](Caller caller) { Run(caller); });
  }

 private:
  bool Kernelkills() const {
    return settings_.kernelkill || world_.change() == Change::kKernelkill ||
           world_.change() == Change::kKernelkillOpenFirst;
  }
  bool OpensFirst() const {
    return world_.change() == Change::kOpenFirst ||
           world_.change() == Change::kKernelkillOpenFirst;
  }

  void Run(Caller caller) {
    if (world_.change() == Change::kBigCore) {
      (void)caller.SetAffinity(world_.FastestCpus());
    }
    caller.Sleep(phase_ns_);
    for (;;) {
      caller.Sleep(settings_.interval_ns);
      caller.Look(settings_.look_ns);
      if (PressureAbove(caller.now_ns()) &&
          caller.now_ns() >= paused_until_ns_) {
        KillSomething(&caller);
      }
    }
  }

  // Pressure has been above the threshold for as long as it has to be.
  bool PressureAbove(uint64_t now_ns) {
    pressure_.Look(now_ns, world_.StallTotal());
    if (pressure_.percent() <= settings_.pressure_percent) {
      above_ = false;
      return false;
    }
    if (!above_) {
      above_ = true;
      above_since_ns_ = now_ns;
    }
    return now_ns - above_since_ns_ >= settings_.duration_ns;
  }

  uint64_t AnonIn(uint32_t cgroup) const {
    uint64_t bytes = 0;
    for (const Candidate& each : world_.candidates()) {
      if (each.cgroup == cgroup) bytes += world_.AnonOf(each);
    }
    return bytes;
  }
  bool Protected(uint32_t cgroup) const {
    return std::any_of(world_.candidates().begin(), world_.candidates().end(),
                       [cgroup](const Candidate& each) {
                         return each.cgroup == cgroup &&
                                each.spec->oom_score_adj == -1000;
                       });
  }

  // The largest first; one that can't be killed is passed over.
  void KillSomething(Caller* caller) {
    std::sort(cgroups_.begin(), cgroups_.end(), [this](uint32_t a, uint32_t b) {
      const uint64_t left = AnonIn(a);
      const uint64_t right = AnonIn(b);
      return left != right ? left > right : a < b;
    });
    for (const uint32_t cgroup : cgroups_) {
      if (Protected(cgroup) || AnonIn(cgroup) == 0) continue;
      if (!TryToKillCgroup(caller, cgroup)) continue;
      paused_until_ns_ = caller->now_ns() + settings_.delay_ns;
      return;
    }
  }

  bool TryToKillCgroup(Caller* caller, uint32_t cgroup) {
    world_.Decide(world_.scenario().target);
    const int killed =
        Kernelkills() ? KernelKill(caller, cgroup) : KillRounds(caller, cgroup);
    if (killed > 0 && world_.calls_mrelease()) Reap(caller, cgroup);
    for (int i = 0; i < opened_; ++i)
      (void)caller->Close(fds_[i], *targets_[i]);
    opened_ = 0;
    return killed > 0;
  }

  int KernelKill(Caller* caller, uint32_t cgroup) {
    (void)caller->FreezeCgroup(cgroup);
    if (OpensFirst()) OpenAll(caller, cgroup);
    return caller->KillCgroup(cgroup).ok() ? 1 : 0;
  }

  int KillRounds(Caller* caller, uint32_t cgroup) {
    if (OpensFirst()) OpenAll(caller, cgroup);
    int killed = 0;
    int killed_before = 0;
    for (int i = 0; i < kTries; ++i) {
      killed += KillAll(caller, cgroup);
      if (killed == killed_before) break;
      if (OpensFirst()) break;
      if (killed_before != 0) caller->Sleep(kBreatherNs);
      killed_before = killed;
    }
    return killed;
  }

  // One round of kill(). Whoever dies, but is not dead, is killed once more.
  int KillAll(Caller* caller, uint32_t cgroup) {
    Candidate* targets[kMostPids];
    const int count = caller->ListCgroup(cgroup, targets, kMostPids);
    int killed = 0;
    for (int i = 0; i < count; ++i) {
      caller->Look(settings_.process_ns);
      if (world_.IsZombie(*targets[i])) continue;
      if (caller->Kill(*targets[i], SIGKILL).ok()) killed++;
    }
    return killed;
  }

  // Change::kOpenFirst.
  void OpenAll(Caller* caller, uint32_t cgroup) {
    Candidate* targets[kMostPids];
    const int count = caller->ListCgroup(cgroup, targets, kMostPids);
    for (int i = 0; i < count; ++i) {
      const SysResult pidfd = caller->PidfdOpen(*targets[i]);
      if (!pidfd.ok()) continue;
      targets_[opened_] = targets[i];
      fds_[opened_++] = static_cast<int>(pidfd.kernel());
    }
  }

  // reapCgroupRecursively(): one after the other.
  void Reap(Caller* caller, uint32_t cgroup) {
    if (OpensFirst()) {
      for (int i = 0; i < opened_; ++i) {
        (void)caller->Mrelease(fds_[i], *targets_[i]);
      }
      return;
    }
    Candidate* targets[kMostPids];
    const int count = caller->ListCgroup(cgroup, targets, kMostPids);
    for (int i = 0; i < count; ++i) {
      const SysResult pidfd = caller->PidfdOpen(*targets[i]);
      if (!pidfd.ok()) continue;
      const int fd = static_cast<int>(pidfd.kernel());
      (void)caller->Mrelease(fd, *targets[i]);
      (void)caller->Close(fd, *targets[i]);
    }
  }

  ClientWorld& world_;
  const OomdSettings& settings_;
  const uint64_t phase_ns_;
  std::vector<uint32_t> cgroups_;
  PsiAverage pressure_;
  bool above_ = false;
  uint64_t above_since_ns_ = 0;
  uint64_t paused_until_ns_ = 0;
  // Change::kOpenFirst: what is open.
  Candidate* targets_[kMostPids] = {};
  int fds_[kMostPids] = {};
  int opened_ = 0;
};

}  // namespace

std::unique_ptr<ClientProgram> StageOomd(ClientWorld* world) {
  return std::make_unique<Oomd>(world);
}

}  // namespace reapsim
