// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The stage on which a daemon plays: the processes of a scenario, the
// foreground, and what the daemon can see and do. What it sees of /proc is the
// host's own view of the modelled machine at that instant of virtual time; to
// read and parse it is charged to the daemon as time in user mode. What it does
// are system calls of the model.
//
// A program must not use the host's heap. It gets at this stage by a pointer:
// everything here that a program touches was allocated before it began.
#ifndef REAPSIM_LATENCY_CLIENT_WORLD_H_
#define REAPSIM_LATENCY_CLIENT_WORLD_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/prng.h"
#include "latency/clients.h"
#include "latency/psi.h"
#include "syscall/kernel.h"

namespace reapsim {

struct mmu_notifier;
class ClientWorld;

// One process that may be killed.
struct Candidate {
  std::string name;
  const PressureProcess* spec = nullptr;
  uint32_t cgroup = 0;  // its number in the model
  Task* task = nullptr;
  pid_t pid = 0;
  std::vector<pid_t> tids;  // of its tasks; the first is `pid`
  const mm_struct* mm = nullptr;
  uint32_t mm_generation = 0;
  mmu_notifier* notifier = nullptr;  // of its device, or null
  uint32_t notifier_generation = 0;
  uint64_t phase_ns = 0;  // by chance: what it or its device does begins here
  bool killed = false;    // a signal is on its way that ends it
};

// What a program of a daemon calls. Each system call is noted.
class Caller {
 public:
  Caller(User user, ClientWorld* world) : user_(user), world_(world) {}

  uint64_t now_ns() const;
  // Reads and parses: user time on the reference CPU.
  void Look(uint64_t ns) { (void)user_.compute(ns); }
  void Sleep(uint64_t ns);

  // `target` is whom the descriptor or number means.
  SysResult PidfdOpen(const Candidate& target);
  SysResult Kill(Candidate& target, int sig);
  SysResult PidfdSendSignal(int pidfd, Candidate& target, int sig);
  SysResult Mrelease(int pidfd, const Candidate& target);
  SysResult Poll(int pidfd, const Candidate& target, uint64_t timeout_ns);
  SysResult Dup(int pidfd, const Candidate& target);
  SysResult Close(int pidfd, const Candidate& target);
  // cgroup.kill of a process that has a cgroup to itself.
  SysResult KillOwnCgroup(Candidate& target);
  // cgroup.kill, cgroup.freeze, and cgroup.procs, which fills `targets` with at
  // most `most` and returns how many.
  SysResult KillCgroup(uint32_t cgroup);
  SysResult FreezeCgroup(uint32_t cgroup);
  int ListCgroup(uint32_t cgroup, Candidate** targets, int most);
  // Of a thread of the target; null: of the caller.
  SysResult SetAffinity(uint64_t cpus, const Candidate* target = nullptr,
                        pid_t tid = 0);
  SysResult SetNice(int nice, const Candidate* target = nullptr, pid_t tid = 0);
  SysResult SetFifo(int priority);

  User& user() { return user_; }

 private:
  SysResult Note(const char* call, const Candidate* target, const char* more,
                 SysResult result);

  User user_;
  ClientWorld* world_;
};

// A daemon: what its programs share, and what they do.
class ClientProgram {
 public:
  virtual ~ClientProgram() = default;
};

class ClientWorld {
 public:
  // What the machine lacks for the scenario.
  static absl::Status Check(const PressureScenario& scenario,
                            const Machine& machine);
  // REQUIRES: Check(). Builds everybody but the daemon, in direct mode.
  ClientWorld(const PressureScenario& scenario, const Machine& machine,
              const ClientVariant& variant, const ClientOptions& options);
  ~ClientWorld();

  // Plays until the foreground has what it needs and the pressure is over, or
  // time is up.
  ClientRun Play(const CostProfile& profile);

  const PressureScenario& scenario() const { return scenario_; }
  const Machine& machine() const { return machine_; }
  Change change() const { return variant_.change; }
  bool calls_mrelease() const { return change() != Change::kNoMrelease; }
  Kernel& kernel() { return *kernel_; }
  // The same for the same seed.
  uint64_t Chance(uint64_t below);

  // CPUs, a bit each.
  uint64_t AllCpus() const;
  uint64_t FastestCpus() const;
  uint64_t AllButSlowestCpus() const;

  // ---- The host's view, for programs

  uint64_t now_ns() const { return kernel_->now_ns(); }
  uint64_t free_bytes() const;
  // PSI "some", for memory.
  uint64_t StallTotal() const { return stall_.Total(now_ns()); }
  std::vector<Candidate>& candidates() { return candidates_; }
  Candidate* CandidateOf(pid_t pid);
  // VmRSS of /proc/PID/status, in bytes; 0: it has no memory any more.
  uint64_t RssOf(const Candidate& candidate) const;
  // Anonymous memory that is still charged to it, also of one that is past
  // telling: what a memory cgroup knows.
  uint64_t AnonOf(const Candidate& candidate) const;
  uint64_t OomScoreOf(const Candidate& candidate) const;  // /proc/PID/oom_score
  // State Z; of one without other threads.
  bool IsZombie(const Candidate& candidate) const;
  bool IsDead(const Candidate& candidate) const;

  // Said when the daemon has decided to kill, before it does. With `enough`
  // bytes free it would not have.
  void Decide(uint64_t enough);

  // ---- Staging a daemon; direct mode

  Task& SpawnDaemon(const std::string& name);
  Task& SpawnThread(Task& daemon, const std::string& name);
  // Words of the daemon's memory, which its threads share, a page each.
  uint64_t MapWords(Task& daemon, uint64_t words);
  // What the task is to run: run(caller).
  template <class Fn>
  void Begin(Task& task, Fn run) {
    ClientWorld* world = this;
    kernel_->Begin(task, [=](User user) { run(Caller(user, world)); });
  }

 private:
  friend class Caller;

  struct NotedCall {
    uint64_t at_ns;
    pid_t tid;
    const char* call;
    const Candidate* target;
    const char* more;
    int64_t result;
  };
  static constexpr size_t kMostCalls = 65'536;

  void StageProcesses();
  void StageProcess(const PressureProcess& spec, const std::string& name);
  void StageDoing(Candidate* candidate);
  void StageDevice(Candidate* candidate);
  void StageForeground();
  void StageBackground();
  void SetSched(pid_t pid, int nice, uint64_t cpus);
  void RunForeground(User user);
  bool Watching(const Candidate& candidate);
  // Looks at the machine between two steps. True: the play is over.
  bool Observe();
  void NoteKill(Candidate* target, int sig, bool sent);
  void CountMrelease(const SysResult& result);
  void Settle(const class TimedMachine& timed);
  void ChooseTasks();

  const PressureScenario& scenario_;
  const Machine& machine_;
  const ClientVariant variant_;
  const ClientOptions options_;
  Prng prng_;
  std::unique_ptr<Kernel> kernel_;
  std::vector<Candidate> candidates_;
  std::vector<std::pair<pid_t, std::string>> daemon_;  // its threads
  std::unique_ptr<ClientProgram> program_;
  StallClock stall_;
  pid_t foreground_pid_ = 0;
  uint64_t foreground_addr_ = 0;
  uint64_t foreground_phase_ns_ = 0;
  bool below_target_ = false;
  std::vector<NotedCall> noted_;
  ClientRun run_;
};

// The daemons; REQUIRES: the world's variant is one of the client's.
std::unique_ptr<ClientProgram> StageLmkd(ClientWorld* world);
std::unique_ptr<ClientProgram> StageOomd(ClientWorld* world);
std::unique_ptr<ClientProgram> StageEarlyoom(ClientWorld* world);

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_CLIENT_WORLD_H_
