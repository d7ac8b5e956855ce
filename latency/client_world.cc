// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/client_world.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/units.h"
#include "latency/client_calls.h"
#include "mm/mmap_lock.h"
#include "mm/mmu_notifier.h"
#include "sched/timed.h"

namespace reapsim {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kSecond = 1000 * kMs;
constexpr int kRetries = 100;  // Change::kRetryEagain
constexpr uint64_t kRetryNs = kMs;
// Numbers of the scenario's cgroups that are none of the machine's.
constexpr uint32_t kFirstCgroup = 1000;

// A driver subscribes to all of the running task's memory.
int64_t Subscribe() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mm_struct* mm = current()->mm;
  mmap_write_lock(mm);
  mmu_notifier* notifier =
      mmu_notifier_register(mm, /*interval=*/false, 0, ~uint64_t{0});
  mmap_write_unlock(mm);
  return reinterpret_cast<int64_t>(notifier);
}

uint64_t ReclaimNs(const TaskAccount& account) {
  const auto of = [&account](WorkClass work) {
    return account.by_class_ps[static_cast<int>(work)];
  };
  return (of(WorkClass::kZap) + of(WorkClass::kFree) + of(WorkClass::kFlush)) /
         1000;
}

}  // namespace

// ---- Caller ----------------------------------------------------------------

uint64_t Caller::now_ns() const { return world_->now_ns(); }

void Caller::Sleep(uint64_t ns) {
  if (ns != 0) (void)user_.nanosleep(ns);
}

SysResult Caller::Note(const char* call, const Candidate* target,
                       const char* more, SysResult result) {
  std::vector<ClientWorld::NotedCall>& noted = world_->noted_;
  // Room for all of them was made before: a task must not allocate.
  if (noted.size() < noted.capacity()) {
    noted.push_back({world_->now_ns(), user_.task()->pid, call, target, more,
                     result.kernel()});
  }
  return result;
}

SysResult Caller::PidfdOpen(const Candidate& target) {
  return Note("pidfd_open", &target, "", user_.pidfd_open(target.pid, 0));
}

SysResult Caller::Kill(Candidate& target, int sig) {
  const SysResult result = user_.kill(target.pid, sig);
  world_->NoteKill(&target, sig, result.ok());
  return Note("kill", &target, sig == SIGKILL ? ", SIGKILL" : ", SIGTERM",
              result);
}

SysResult Caller::PidfdSendSignal(int pidfd, Candidate& target, int sig) {
  const SysResult result = user_.pidfd_send_signal(pidfd, sig);
  world_->NoteKill(&target, sig, result.ok());
  return Note("pidfd_send_signal", &target,
              sig == SIGKILL ? ", SIGKILL" : ", SIGTERM", result);
}

SysResult Caller::Mrelease(int pidfd, const Candidate& target) {
  const int most = world_->change() == Change::kRetryEagain ? kRetries + 1 : 1;
  SysResult result(0);
  for (int i = 0; i < most; ++i) {
    if (i > 0) Sleep(kRetryNs);
    result = user_.process_mrelease(pidfd, 0);
    world_->CountMrelease(result);
    (void)Note("process_mrelease", &target, "", result);
    if (result.error() != EAGAIN) break;
  }
  return result;
}

SysResult Caller::Poll(int pidfd, const Candidate& target,
                       uint64_t timeout_ns) {
  return Note("poll", &target, "", PollPidfd(pidfd, timeout_ns));
}

SysResult Caller::Dup(int pidfd, const Candidate& target) {
  return Note("dup", &target, "", user_.dup(pidfd));
}

SysResult Caller::Close(int pidfd, const Candidate& target) {
  return Note("close", &target, "", user_.close(pidfd));
}

SysResult Caller::KillOwnCgroup(Candidate& target) {
  const SysResult result = reapsim::KillOwnCgroup(target.pid);
  world_->NoteKill(&target, SIGKILL, result.ok());
  return Note("cgroup.kill", &target, "", result);
}

SysResult Caller::KillCgroup(uint32_t cgroup) {
  const SysResult result = reapsim::KillCgroup(cgroup);
  for (Candidate& each : world_->candidates()) {
    if (each.cgroup == cgroup) world_->NoteKill(&each, SIGKILL, result.ok());
  }
  return Note("cgroup.kill", nullptr, "", result);
}

SysResult Caller::FreezeCgroup(uint32_t cgroup) {
  return Note("cgroup.freeze", nullptr, "", reapsim::FreezeCgroup(cgroup));
}

int Caller::ListCgroup(uint32_t cgroup, Candidate** targets, int most) {
  pid_t pids[kMaxPressureProcesses];
  const SysResult listed = reapsim::ListCgroup(
      cgroup, pids, std::min<int>(most, kMaxPressureProcesses));
  (void)Note("cgroup.procs", nullptr, "", listed);
  int count = 0;
  for (int64_t i = 0; i < listed.kernel(); ++i) {
    Candidate* target = world_->CandidateOf(pids[i]);
    if (target != nullptr) targets[count++] = target;
  }
  return count;
}

SysResult Caller::SetAffinity(uint64_t cpus, const Candidate* target,
                              pid_t tid) {
  return Note("sched_setaffinity", target, "",
              user_.sched_setaffinity(tid, cpus));
}

SysResult Caller::SetNice(int nice, const Candidate* target, pid_t tid) {
  return Note("setpriority", target, "", user_.setpriority(tid, nice));
}

SysResult Caller::SetFifo(int priority) {
  return Note("sched_setscheduler", nullptr, "",
              user_.sched_setscheduler(0, priority));
}

// ---- ClientWorld: what it is made of ---------------------------------------

absl::Status ClientWorld::Check(const PressureScenario& scenario,
                                const Machine& machine) {
  const size_t cpus = machine.config.cpus.size();
  const uint64_t known = cpus < 64 ? (uint64_t{1} << cpus) - 1 : ~uint64_t{0};
  const auto check = [&](uint64_t mask, const std::string& field) {
    if ((mask & ~known) == 0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(scenario.name, ": ", field, ": the machine ", machine.name,
                     " has CPUs 0 to ", cpus - 1));
  };
  absl::Status status = check(scenario.foreground.affinity, "foreground.cpus");
  status.Update(check(scenario.lmkd.reaper_cpus, "lmkd.reaper_cpus"));
  uint64_t pages = PagesToHold(Bytes(scenario.free)).raw();
  for (size_t i = 0; i < scenario.processes.size(); ++i) {
    const PressureProcess& process = scenario.processes[i];
    status.Update(
        check(process.affinity, absl::StrCat("processes[", i, "].cpus")));
    pages += process.count * ShapePages(process.shape);
  }
  if (pages > machine.memory / PAGE_SIZE) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat(scenario.name, ": its processes and `free` come to ",
                     pages * PAGE_SIZE >> 20, " MiB; the machine ",
                     machine.name, " has ", machine.memory >> 20, " MiB")));
  }
  if (scenario.target > machine.memory) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat(scenario.name, ": target: more than the machine ",
                     machine.name, " has")));
  }
  return status;
}

ClientWorld::ClientWorld(const PressureScenario& scenario,
                         const Machine& machine, const ClientVariant& variant,
                         const ClientOptions& options)
    : scenario_(scenario),
      machine_(machine),
      variant_(variant),
      options_(options),
      prng_(options.seed) {
  KernelOptions kernel{.version = options.kernel};
  SetMachine(machine, &kernel);
  for (const PressureProcess& process : scenario.processes) {
    EnlargeMachine(process.shape, &kernel);
  }
  kernel_ = std::make_unique<Kernel>(kernel);
  noted_.reserve(kMostCalls);
  StageProcesses();
  StageForeground();
  StageBackground();
  switch (variant.client) {
    case Client::kLmkd:
      program_ = StageLmkd(this);
      break;
    case Client::kOomd:
      program_ = StageOomd(this);
      break;
    case Client::kEarlyoom:
      program_ = StageEarlyoom(this);
      break;
  }
  // The rest of the memory is the kernel's and the page cache's, of which
  // nothing can be taken back.
  REAP_CHECK_GE(kernel_->mm().nr_free, scenario.free / PAGE_SIZE,
                "clients: memory");
  kernel_->mm().nr_free = scenario.free / PAGE_SIZE;
}

ClientWorld::~ClientWorld() = default;

uint64_t ClientWorld::Chance(uint64_t below) { return prng_.Below(below); }

void ClientWorld::StageProcesses() {
  size_t count = 0;
  for (const PressureProcess& spec : scenario_.processes) count += spec.count;
  // Programs keep pointers to them.
  candidates_.reserve(count);
  for (const PressureProcess& spec : scenario_.processes) {
    for (uint32_t i = 0; i < spec.count; ++i) {
      StageProcess(
          spec, spec.count == 1 ? spec.name : absl::StrCat(spec.name, i + 1));
    }
  }
}

void ClientWorld::StageProcess(const PressureProcess& spec,
                               const std::string& name) {
  const BuiltVictim built = BuildVictim(*kernel_, spec.shape, name);
  candidates_.emplace_back();
  Candidate& candidate = candidates_.back();
  candidate.name = name;
  candidate.spec = &spec;
  candidate.task = built.task;
  candidate.pid = built.task->pid();
  candidate.tids = {candidate.pid};
  for (const Task* thread : built.threads) {
    candidate.tids.push_back(thread->pid());
  }
  candidate.mm = built.task->mm().raw();
  candidate.mm_generation = kernel_->mm().mm_slab.GenerationOf(candidate.mm);
  User init = kernel_->As(kernel_->init());
  (void)init.oom_score_adj(candidate.pid, spec.oom_score_adj);
  if (spec.cgroup != 0) {
    candidate.cgroup = machine_.CgroupOf(scenario_.cgroups[spec.cgroup - 1])
                           .value_or(kFirstCgroup + spec.cgroup);
    (void)init.cgroup_attach(candidate.pid, candidate.cgroup);
  }
  for (const pid_t tid : candidate.tids) {
    SetSched(tid, spec.nice, spec.affinity);
  }
  StageDevice(&candidate);
  StageDoing(&candidate);
}

void ClientWorld::SetSched(pid_t pid, int nice, uint64_t cpus) {
  User init = kernel_->As(kernel_->init());
  (void)init.setpriority(pid, nice);
  if (cpus != 0) (void)init.sched_setaffinity(pid, cpus);
}

void ClientWorld::StageDoing(Candidate* candidate) {
  const PressureProcess& spec = *candidate->spec;
  Task& task = *candidate->task;
  User user = kernel_->As(task);
  if (spec.on_sigterm != OnSigterm::kDies) {
    (void)user.sigaction(SIGTERM, spec.on_sigterm == OnSigterm::kIgnores
                                      ? SigDisposition::kIgnore
                                      : SigDisposition::kHandler);
  }
  const TaskHistory* history =
      &kernel_->sched().task_slab.HistoryOf(task.raw());
  const uint64_t cleanup_ns = spec.cleanup_ns;
  const auto clean_up = [history, cleanup_ns](User u) {
    if (history->signals_handled == 0) return;
    (void)u.compute(cleanup_ns);
    (void)u.exit_group(0);
  };
  switch (spec.doing) {
    case Doing::kSleeps:
      // Without a handler it stands in user mode, as if in pause(2).
      if (spec.on_sigterm != OnSigterm::kCleansUp) return;
      kernel_->Begin(task, [clean_up](User u) {
        for (;;) {
          (void)u.nanosleep(3600 * kSecond);
          clean_up(u);
        }
      });
      return;
    case Doing::kComputes:
      kernel_->Begin(task, [clean_up](User u) {
        for (;;) {
          (void)u.compute(10 * kMs);
          clean_up(u);
        }
      });
      return;
    case Doing::kDriver: {
      const uint64_t ns = spec.driver_ns;
      const uint64_t first_ns = Chance(ns) + 1;
      kernel_->Begin(task, [ns, first_ns](User u) {
        (void)u.driver_sleep(first_ns);
        for (;;) (void)u.driver_sleep(ns);
      });
      return;
    }
    case Doing::kFrozen:
      (void)kernel_->As(kernel_->init()).freeze_v2(candidate->pid, true);
      for (const pid_t tid : candidate->tids) {
        (void)kernel_->RunUntilBlocked(kernel_->TaskOf(tid));
      }
      return;
  }
}

bool ClientWorld::Watching(const Candidate& candidate) {
  auto& slab = kernel_->mm().notifier_slab;
  return slab.IsLive(candidate.notifier) &&
         slab.GenerationOf(candidate.notifier) == candidate.notifier_generation;
}

// Its driver is a task of its own, which holds a lock by turns.
void ClientWorld::StageDevice(Candidate* candidate) {
  const uint64_t period_ns = candidate->spec->device_period_ns;
  if (period_ns == 0) return;
  const SysResult subscribed =
      kernel_->Call(candidate->task->raw(), [] { return Subscribe(); });
  candidate->notifier = reinterpret_cast<mmu_notifier*>(subscribed.kernel());
  REAP_CHECK(candidate->notifier != nullptr, "clients: no room for a notifier");
  candidate->notifier_generation =
      kernel_->mm().notifier_slab.GenerationOf(candidate->notifier);
  const uint64_t busy_ns = candidate->spec->device_busy_ns;
  const uint64_t phase_ns = Chance(period_ns) + 1;
  ClientWorld* world = this;
  kernel_->Begin(kernel_->Spawn("device", {.bare = true}), [=](User u) {
    (void)u.nanosleep(phase_ns);
    while (world->Watching(*candidate)) {
      candidate->notifier->busy = true;
      (void)u.nanosleep(busy_ns);
      if (!world->Watching(*candidate)) return;
      candidate->notifier->busy = false;
      (void)u.nanosleep(period_ns - busy_ns);
    }
  });
}

void ClientWorld::StageForeground() {
  const Foreground& spec = scenario_.foreground;
  Task& task = kernel_->Spawn(spec.name);
  foreground_pid_ = task.pid();
  const Bytes needs(spec.needs);
  foreground_addr_ = static_cast<uint64_t>(
      kernel_->As(task).mmap(needs, Anonymous()).kernel());
  SetSched(task.pid(), spec.nice, spec.affinity);
  // It begins at any moment of the others' periods.
  foreground_phase_ns_ = Chance(100 * kMs) + 1;
  ClientWorld* world = this;
  kernel_->Begin(task, [world](User user) { world->RunForeground(user); });
}

void ClientWorld::RunForeground(User user) {
  const Foreground& spec = scenario_.foreground;
  const uint64_t min_pages = machine_.watermarks.min / PAGE_SIZE;
  (void)user.nanosleep(foreground_phase_ns_);
  for (uint64_t done = 0; done < spec.needs;) {
    const uint64_t step = std::min(spec.step, spec.needs - done);
    const uint64_t wanted = min_pages + PagesToHold(Bytes(step)).raw();
    if (kernel_->free_pages() < wanted) {
      if (!run_.pressure_ns.has_value()) run_.pressure_ns = now_ns();
      stall_.Begin(now_ns());
      WaitForFree(wanted);
      stall_.End(now_ns());
    }
    FaultIn(foreground_addr_ + done, wanted - min_pages);
    // What it does with the memory.
    (void)user.compute(step * 1000 / (spec.rate / kMs));
    done += step;
  }
  run_.foreground_ns = now_ns();
}

// The machine's own load: tasks that work and sleep by turns.
void ClientWorld::StageBackground() {
  for (const BackgroundLoad& load : machine_.background) {
    for (uint32_t i = 0; i < load.count; ++i) {
      Task& task = kernel_->Spawn(load.name, {.bare = true});
      SetSched(task.pid(), load.nice, load.affinity);
      User init = kernel_->As(kernel_->init());
      if (load.fifo != 0) {
        (void)init.sched_setscheduler(task.pid(), static_cast<int>(load.fifo));
      }
      if (load.cgroup != 0) (void)init.cgroup_attach(task.pid(), load.cgroup);
      const uint64_t busy_ns = load.busy_ns;
      const uint64_t sleep_ns = load.sleep_ns;
      const uint64_t phase_ns = Chance(busy_ns + sleep_ns) + 1;
      kernel_->Begin(task, [=](User u) {
        if (sleep_ns != 0) (void)u.nanosleep(phase_ns);
        for (;;) {
          (void)u.compute(busy_ns);
          if (sleep_ns != 0) (void)u.nanosleep(sleep_ns);
        }
      });
    }
  }
}

Task& ClientWorld::SpawnDaemon(const std::string& name) {
  Task& task = kernel_->Spawn(name);
  daemon_.emplace_back(task.pid(), name);
  return task;
}

Task& ClientWorld::SpawnThread(Task& daemon, const std::string& name) {
  const SysResult tid = kernel_->As(daemon).clone_thread();
  REAP_CHECK(tid.ok(), "clients: no thread");
  daemon_.emplace_back(static_cast<pid_t>(tid.kernel()), name);
  return kernel_->TaskOf(static_cast<pid_t>(tid.kernel()));
}

uint64_t ClientWorld::MapWords(Task& daemon, uint64_t words) {
  const Bytes length(words * PAGE_SIZE);
  User user = kernel_->As(daemon);
  const auto addr =
      static_cast<uint64_t>(user.mmap(length, Anonymous()).kernel());
  for (uint64_t i = 0; i < words; ++i) {
    (void)user.store(addr + i * PAGE_SIZE, 0);
  }
  return addr;
}

// ---- ClientWorld: what can be seen -----------------------------------------

uint64_t ClientWorld::AllCpus() const {
  const size_t cpus = machine_.config.cpus.size();
  return cpus < 64 ? (uint64_t{1} << cpus) - 1 : ~uint64_t{0};
}

uint64_t ClientWorld::FastestCpus() const {
  uint32_t best = 0;
  for (const CpuConfig& cpu : machine_.config.cpus) {
    best = std::max(best, cpu.capacity);
  }
  uint64_t mask = 0;
  for (size_t i = 0; i < machine_.config.cpus.size(); ++i) {
    if (machine_.config.cpus[i].capacity == best) mask |= uint64_t{1} << i;
  }
  return mask;
}

uint64_t ClientWorld::AllButSlowestCpus() const {
  uint32_t worst = ~uint32_t{0};
  for (const CpuConfig& cpu : machine_.config.cpus) {
    worst = std::min(worst, cpu.capacity);
  }
  uint64_t mask = 0;
  for (size_t i = 0; i < machine_.config.cpus.size(); ++i) {
    if (machine_.config.cpus[i].capacity != worst) mask |= uint64_t{1} << i;
  }
  return mask != 0 ? mask : AllCpus();  // all alike
}

uint64_t ClientWorld::free_bytes() const {
  return kernel_->free_pages() * PAGE_SIZE;
}

Candidate* ClientWorld::CandidateOf(pid_t pid) {
  for (Candidate& each : candidates_) {
    if (each.pid == pid) return &each;
  }
  return nullptr;
}

uint64_t ClientWorld::RssOf(const Candidate& candidate) const {
  if (!candidate.task->has_mm()) return 0;
  return candidate.task->mm().rss().raw() * PAGE_SIZE;
}

uint64_t ClientWorld::AnonOf(const Candidate& candidate) const {
  auto& slab = kernel_->mm().mm_slab;
  if (!slab.IsLive(candidate.mm) ||
      slab.GenerationOf(candidate.mm) != candidate.mm_generation) {
    return 0;
  }
  return Mm(candidate.mm).rss(MM_ANONPAGES).raw() * PAGE_SIZE;
}

// fs/proc/base.c:proc_oom_score()
uint64_t ClientWorld::OomScoreOf(const Candidate& candidate) const {
  if (!candidate.task->has_mm()) return 0;
  const auto total = static_cast<int64_t>(machine_.memory / PAGE_SIZE);
  const Mm mm = candidate.task->mm();
  const int64_t points =
      static_cast<int64_t>(
          (mm.rss().raw() + PagesToHold(mm.page_tables()).raw())) +
      candidate.spec->oom_score_adj * (total / 1000);
  return static_cast<uint64_t>(
      std::max<int64_t>(0, (1000 + points * 1000 / total) * 2 / 3));
}

bool ClientWorld::IsZombie(const Candidate& candidate) const {
  return candidate.task->phase() != TaskPhase::kAlive;
}

bool ClientWorld::IsDead(const Candidate& candidate) const {
  switch (candidate.task->phase()) {
    case TaskPhase::kAlive:
      return false;
    case TaskPhase::kZombie:
      return candidate.task->raw()->signal->nr_threads <= 1;
    case TaskPhase::kGone:
      break;
  }
  return true;
}

// ---- ClientWorld: instruments ----------------------------------------------

void ClientWorld::Decide(uint64_t enough) {
  uint64_t on_its_way = 0;
  for (const Candidate& each : candidates_) {
    if (each.killed) on_its_way += AnonOf(each);
  }
  if (run_.kills++ > 0 && free_bytes() + on_its_way >= enough) run_.needless++;
}

void ClientWorld::NoteKill(Candidate* target, int sig, bool sent) {
  const bool ends = sent && (sig == SIGKILL ||
                             target->spec->on_sigterm != OnSigterm::kIgnores);
  if (!ends || target->killed) return;
  target->killed = true;
  run_.processes++;
  if (!run_.first_kill_ns.has_value()) run_.first_kill_ns = now_ns();
}

void ClientWorld::CountMrelease(const SysResult& result) {
  run_.mrelease++;
  switch (result.error()) {
    case 0:
      run_.answered_0++;
      break;
    case EINVAL:
      run_.answered_einval++;
      break;
    case ESRCH:
      run_.answered_esrch++;
      break;
    case EAGAIN:
      run_.answered_eagain++;
      break;
    default:
      run_.answered_else++;
  }
}

bool ClientWorld::Observe() {
  const bool below = free_bytes() < scenario_.target;
  if (below && !below_target_) {
    if (!run_.below_ns.has_value()) run_.below_ns = now_ns();
  } else if (!below && below_target_ && run_.first_kill_ns.has_value() &&
             !run_.target_ns.has_value()) {
    run_.target_ns = now_ns();
  }
  below_target_ = below;
  if (below || !run_.foreground_ns.has_value()) return false;
  return std::none_of(candidates_.begin(), candidates_.end(),
                      [this](const Candidate& each) {
                        return each.killed && AnonOf(each) > 0;
                      });
}

ClientRun ClientWorld::Play(const CostProfile& profile) {
  MachineConfig config =
      ConfigOf(machine_, profile.contention_permille, options_.kernel);
  for (CpuConfig& cpu : config.cpus) cpu.tick_phase_ns = Chance(kNsPerJiffy);
  const Prices prices = profile.ToPrices();
  TimedMachine timed(&kernel_->engine(), &kernel_->sched(), config, prices);
  if (options_.keep_timeline) {
    timed.KeepTimeline(GaugeFreePages, kernel_.get());
  }
  (void)timed.Run(scenario_.time_limit_ns, [this] { return Observe(); });
  Settle(timed);
  const Verdict verdict = kernel_->TakeVerdict();
  if (verdict.kind != VerdictKind::kNone) run_.verdict = verdict.what;
  run_.accounts = timed.CheckAccounts();
  if (options_.keep_timeline) {
    run_.timeline = timed.timeline();
    ChooseTasks();
  }
  return std::move(run_);
}

void ClientWorld::ChooseTasks() {
  const auto add = [this](pid_t pid) {
    for (uint32_t i = 0; i < run_.tasks.size(); ++i) {
      if (run_.tasks[i].pid == pid) run_.first_tasks.push_back(i);
    }
  };
  for (const auto& [pid, name] : daemon_) add(pid);
  add(foreground_pid_);
  for (const Candidate& each : candidates_) {
    if (each.killed) add(each.pid);
  }
}

// What the run came to, when it is over.
void ClientWorld::Settle(const TimedMachine& timed) {
  run_.end_ns = now_ns();
  run_.stall_ns = StallTotal();
  run_.tasks.assign(timed.accounts().begin(), timed.accounts().end());
  for (const TaskAccount& account : run_.tasks) {
    const auto is = [&account](const auto& pids) {
      return std::any_of(pids.begin(), pids.end(), [&account](const auto& p) {
        return p == account.pid;
      });
    };
    std::vector<pid_t> daemon;
    for (const auto& [pid, name] : daemon_) daemon.push_back(pid);
    if (is(daemon)) {
      run_.daemon_run_ns += account.run_ns;
      run_.daemon_reclaim_ns += ReclaimNs(account);
    }
    for (const Candidate& each : candidates_) {
      if (each.killed && is(each.tids)) {
        run_.victims_reclaim_ns += ReclaimNs(account);
      }
    }
  }
  if (!options_.keep_calls) return;
  for (const NotedCall& call : noted_) {
    const auto thread = std::find_if(
        daemon_.begin(), daemon_.end(),
        [&call](const auto& each) { return each.first == call.tid; });
    run_.calls.push_back(
        {.at_ns = call.at_ns,
         .tid = call.tid,
         .thread = thread->second,
         .text = absl::StrCat(call.call, "(",
                              call.target != nullptr ? call.target->name : "",
                              call.more, ")"),
         .result = call.result});
  }
}

}  // namespace reapsim
