// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "shim/death.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/kernel_version.h"
#include "import/import_mm.h"
#include "mm/mmap.h"
#include "mm/oom_kill.h"
#include "states/states.h"

namespace reapsim {
namespace {

using Kind = ShimSchedule::Kind;

// Who only looks, and looks this often, is looking for the victim's end.
constexpr int kMaxLooks = 1000;
// Threads beyond this are many; a few more make no difference to the model.
constexpr int kMaxThreads = 64;

KernelOptions MachineOf(const ShimModel& model) {
  return {.version = model.kernel, .switches = model.switches};
}

MreleaseAnswer Answer(Kernel& k, Task& caller, const SysResult& ret) {
  MreleaseAnswer answer;
  if (k.stopped()) {
    answer.broken = k.TakeVerdict().ToString();
    return answer;
  }
  REAP_CHECK(!ret.never(), "shim: the modelled caller died");
  answer.error = ret.error();
  answer.decision = DecidedBy(k.LastDecision(caller), k.LastWillFree(caller));
  return answer;
}

// A pidfd of a process that has gone as far as `descriptor` says.
int64_t OpenPidfd(Kernel& k, Task& caller, Descriptor descriptor) {
  if (descriptor == Descriptor::kSelf) {
    return k.As(caller).pidfd_open(caller.pid(), 0).kernel();
  }
  if (descriptor == Descriptor::kKernelThread) {
    return k.As(caller).pidfd_open(k.oom_reaper().pid(), 0).kernel();
  }
  Task& other = k.Spawn("other", {.parent = &caller});
  const int64_t fd = k.As(caller).pidfd_open(other.pid(), 0).kernel();
  if (descriptor == Descriptor::kLive) return fd;
  (void)k.As(caller).kill(other.pid(), SIGKILL);
  k.RunUntilIdle();
  if (descriptor == Descriptor::kReaped) {
    (void)k.As(caller).waitpid(other.pid());
  }
  return fd;
}

int64_t OpenDescriptor(Kernel& k, Task& caller, Descriptor descriptor, int fd) {
  switch (descriptor) {
    case Descriptor::kClosed: {
      if (fd < 0) return fd;
      const int64_t closed = k.As(caller).pipe_fd().kernel();
      (void)k.As(caller).close(static_cast<int>(closed));
      return closed;
    }
    case Descriptor::kOther:
      return k.As(caller).pipe_fd().kernel();
    case Descriptor::kProcDir:
      return k.As(caller).open_proc_dir(k.init().pid()).kernel();
    default:
      return OpenPidfd(k, caller, descriptor);
  }
}

}  // namespace

absl::StatusOr<ShimModel> ParseShimModel(absl::string_view kernel,
                                         absl::string_view schedule,
                                         absl::string_view with) {
  ShimModel model;
  if (!kernel.empty()) model.kernel = std::string(kernel);
  const absl::StatusOr<ResolvedVersion> version = Resolve(model.kernel);
  if (!version.ok()) return version.status();
  model.note = version->note;
  if (!schedule.empty()) {
    const absl::StatusOr<ShimSchedule> parsed = ParseShimSchedule(schedule);
    if (!parsed.ok()) return parsed.status();
    model.schedule = *parsed;
  }
  for (const absl::string_view name :
       absl::StrSplit(with, ',', absl::SkipEmpty())) {
    if (name == "notifier-blocks") {
      model.notifier_blocks = true;
      continue;
    }
    const absl::StatusOr<Switch> found = ParseSwitch(name);
    if (!found.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(found.status().message(), ", and notifier-blocks"));
    }
    model.switches.Add(*found);
  }
  return model;
}

const char* DescriptorText(Descriptor descriptor) {
  switch (descriptor) {
    case Descriptor::kClosed:
      return "a bad descriptor";
    case Descriptor::kOther:
      return "a descriptor that is no pidfd";
    case Descriptor::kProcDir:
      return "a directory of /proc";
    case Descriptor::kLive:
      return "a process that lives";
    case Descriptor::kSelf:
      return "the caller";
    case Descriptor::kZombie:
      return "a zombie";
    case Descriptor::kReaped:
      return "a process that is gone";
    case Descriptor::kKernelThread:
      return "a kernel thread";
  }
  return "?";
}

absl::StatusOr<MreleaseAnswer> AskAbout(const ShimModel& model,
                                        Descriptor descriptor, int fd,
                                        unsigned int flags) {
  absl::StatusOr<std::unique_ptr<Kernel>> kernel =
      Kernel::Create(MachineOf(model));
  if (!kernel.ok()) return kernel.status();
  Kernel& k = **kernel;
  Task& caller = k.Spawn("caller");
  const int64_t number = OpenDescriptor(k, caller, descriptor, fd);
  const SysResult ret =
      k.As(caller).process_mrelease(static_cast<int>(number), flags);
  return Answer(k, caller, ret);
}

// ---- The machine -----------------------------------------------------------

ModelledDeath::ModelledDeath(const ShimModel& model,
                             std::unique_ptr<Kernel> kernel)
    : model_(model),
      k_(std::move(kernel)),
      program_(&k_->Spawn("program")),
      caller_(&k_->Spawn("caller")),
      prng_(model.schedule.amount) {}

absl::StatusOr<std::unique_ptr<ModelledDeath>> ModelledDeath::Create(
    const ShimModel& model, const ProcProcess& process,
    const std::vector<ShimProcess>& sharers) {
  const absl::StatusOr<ImportPlan> plan = ImportPlan::Make(
      process.smaps,
      {.file_name = absl::StrCat("/proc/", process.status.pid, "/smaps"),
       .pages = process.pages.empty() ? nullptr : &process.pages});
  if (!plan.ok()) return plan.status();
  KernelOptions machine = MachineOf(model);
  plan->EnlargeMachine(&machine);
  absl::StatusOr<std::unique_ptr<Kernel>> kernel = Kernel::Create(machine);
  if (!kernel.ok()) return kernel.status();
  std::unique_ptr<ModelledDeath> death(
      new ModelledDeath(model, *std::move(kernel)));
  const absl::Status status = death->Populate(process, *plan, sharers);
  if (!status.ok()) return status;
  return death;
}

absl::Status ModelledDeath::Populate(const ProcProcess& process,
                                     const ImportPlan& plan,
                                     const std::vector<ShimProcess>& sharers) {
  Task& victim = k_->Spawn("victim", {.parent = program_});
  const absl::Status imported = plan.Apply(*k_, victim);
  if (!imported.ok()) return imported;
  members_.push_back({process.status.pid, {&victim}});
  AddThreads(&members_.back(), process.status.threads);
  for (const ShimProcess& sharer : sharers) {
    // A sibling, whoever is its parent in reality.
    const SysResult pid = k_->As(victim).clone_vm(CLONE_PARENT);
    if (!pid.ok()) {
      return absl::ResourceExhaustedError("the model has no more tasks");
    }
    Task& task = k_->TaskOf(static_cast<pid_t>(pid.kernel()));
    members_.push_back({sharer.pid, {&task}});
    AddThreads(&members_.back(), sharer.threads);
  }
  if (model_.notifier_blocks) AddNotifier(victim);
  if (model_.schedule.kind == Kind::kStuck) {
    k_->BlockDriver(true);
    k_->Begin(victim, [](User user) { (void)user.driver_wait(); });
    (void)k_->RunUntilBlocked(victim);
  }
  NoteVerdict();
  return absl::OkStatus();
}

void ModelledDeath::AddThreads(Member* member, int threads) {
  Task& leader = *member->threads.front();
  for (int i = 1; i < std::min(threads, kMaxThreads); ++i) {
    const SysResult tid = k_->As(leader).clone_thread();
    if (!tid.ok()) return;
    member->threads.push_back(&k_->TaskOf(static_cast<pid_t>(tid.kernel())));
  }
}

namespace {

int64_t SubscribeToAll() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mm_struct* mm = current()->mm;
  mmap_write_lock(mm);
  const int64_t subscription = reinterpret_cast<int64_t>(
      mmu_notifier_register(mm, /*interval=*/false, 0, ~uint64_t{0}));
  mmap_write_unlock(mm);
  return subscription;
}

}  // namespace

void ModelledDeath::AddNotifier(Task& task) {
  const SysResult subscription =
      k_->Call(task.raw(), [] { return SubscribeToAll(); });
  notifier_ = reinterpret_cast<mmu_notifier*>(subscription.kernel());
  REAP_CHECK(notifier_ != nullptr, "shim: no memory for a notifier");
  notifier_->busy = true;
}

ModelledDeath::Member* ModelledDeath::Find(pid_t pid) {
  for (Member& member : members_) {
    if (member.pid == pid) return &member;
  }
  return nullptr;
}

const ModelledDeath::Member* ModelledDeath::Find(pid_t pid) const {
  return const_cast<ModelledDeath*>(this)->Find(pid);
}

std::vector<pid_t> ModelledDeath::Pids() const {
  std::vector<pid_t> pids;
  for (const Member& member : members_) pids.push_back(member.pid);
  return pids;
}

void ModelledDeath::NoteVerdict() {
  if (k_->stopped() && broken_.empty()) broken_ = k_->TakeVerdict().ToString();
}

// ---- What happens ----------------------------------------------------------

void ModelledDeath::Kill(pid_t pid) {
  Member* member = Find(pid);
  REAP_CHECK(member != nullptr, "shim: not of this machine");
  if (member->killed || !broken_.empty()) return;
  member->killed = true;
  Task& leader = *member->threads.front();
  const uint64_t rss = leader.has_mm() ? ReportMemory(leader.raw()->mm).rss : 0;
  (void)k_->As(*caller_).kill(leader.pid(), SIGKILL);
  const ShimSchedule& schedule = model_.schedule;
  if (schedule.kind == Kind::kVictimFirst ||
      (schedule.kind == Kind::kVictimWinsBelow && rss < schedule.amount)) {
    RunToEnd();
  } else if (schedule.kind == Kind::kUntil) {
    (void)k_->RunUntil(leader, schedule.point);
  }
  NoteVerdict();
}

bool ModelledDeath::IsKilled(pid_t pid) const {
  const Member* member = Find(pid);
  return member != nullptr && member->killed;
}

MreleaseAnswer ModelledDeath::Mrelease(pid_t pid, unsigned int flags) {
  const Member* member = Find(pid);
  REAP_CHECK(member != nullptr, "shim: not of this machine");
  if (!broken_.empty()) return {.broken = broken_};
  Look();
  if (!broken_.empty()) return {.broken = broken_};
  const SysResult opened =
      k_->As(*caller_).pidfd_open(member->threads.front()->pid(), 0);
  REAP_CHECK(opened.ok(), "shim: no pidfd");
  const int fd = static_cast<int>(opened.kernel());
  SysResult ret = SysResult::Never();
  if (model_.schedule.kind == Kind::kSeed) {
    k_->BeginCall(*caller_,
                  [fd, flags] { return sys_process_mrelease(fd, flags); });
    FinishCallByChance();
    if (!k_->stopped()) (void)k_->Finish(*caller_);
    if (!k_->stopped()) ret = k_->Result(*caller_);
  } else {
    ret = k_->As(*caller_).process_mrelease(fd, flags);
  }
  MreleaseAnswer answer = Answer(*k_, *caller_, ret);
  broken_ = answer.broken;
  if (broken_.empty()) (void)k_->As(*caller_).close(fd);
  return answer;
}

void ModelledDeath::Look() {
  if (!AnyKilledAlive()) return;
  if (model_.schedule.kind == Kind::kSteps) {
    SmallSteps(model_.schedule.amount);
  } else if (model_.schedule.kind == Kind::kSeed) {
    SmallSteps(DrawSteps());
  } else if (model_.schedule.kind != Kind::kStuck && ++looks_ >= kMaxLooks) {
    RunToEnd();
  }
  NoteVerdict();
}

void ModelledDeath::Pass(bool forever) {
  if (stuck()) return;
  const bool in_steps = model_.schedule.kind == Kind::kSteps ||
                        model_.schedule.kind == Kind::kSeed;
  if (in_steps && !forever) {
    Look();
  } else {
    RunToEnd();
  }
}

void ModelledDeath::RunToEnd() {
  if (!AnyKilledAlive()) return;
  if (notifier_ != nullptr && Memory(members_.front().pid).has_value()) {
    notifier_->busy = false;
  }
  k_->BlockDriver(false);
  k_->RunUntilIdle();
  NoteVerdict();
}

bool ModelledDeath::HasEnded(pid_t pid) const {
  const Member* member = Find(pid);
  return std::all_of(
      member->threads.begin(), member->threads.end(),
      [](const Task* task) { return task->phase() != TaskPhase::kAlive; });
}

bool ModelledDeath::AnyKilledAlive() const {
  return broken_.empty() && std::any_of(members_.begin(), members_.end(),
                                        [this](const Member& member) {
                                          return member.killed &&
                                                 !HasEnded(member.pid);
                                        });
}

void ModelledDeath::ExitedByItself(pid_t pid) {
  Member* member = Find(pid);
  if (member->killed || !broken_.empty()) return;
  member->killed = true;
  Task& leader = *member->threads.front();
  k_->Begin(leader, [](User user) { (void)user.exit_group(0); });
  (void)k_->RunUntilBlocked(leader);
  NoteVerdict();
}

// ---- Small steps -----------------------------------------------------------

namespace {

// Back to the host at each schedule point.
class OneStep : public Chooser {
 public:
  explicit OneStep(Engine& engine) : engine_(engine) {
    engine_.SetChooser(this);
  }
  ~OneStep() override { engine_.SetChooser(nullptr); }
  OneStep(const OneStep&) = delete;
  OneStep& operator=(const OneStep&) = delete;

 private:
  Fiber* Next(Fiber* /*running*/) override { return nullptr; }
  Engine& engine_;
};

}  // namespace

void ModelledDeath::SmallSteps(uint64_t steps) {
  const OneStep stepping(k_->engine());
  for (uint64_t i = 0; i < steps && !k_->stopped(); ++i) {
    Fiber* next = nullptr;
    for (Member& member : members_) {
      for (Task* task : member.threads) {
        if (!member.killed || task->phase() != TaskPhase::kAlive) continue;
        Fiber* fiber = task->raw()->thread;
        if (next == nullptr && Engine::CanRun(fiber)) next = fiber;
      }
    }
    if (next == nullptr) break;
    (void)k_->engine().Resume(next);
  }
}

// Mostly few, now and then many: an exit takes from hundreds to hundreds of
// thousands, one for each page.
uint64_t ModelledDeath::DrawSteps() {
  const uint64_t magnitude = prng_.Below(12);
  return prng_.Below(uint64_t{1} << magnitude);
}

Fiber* ModelledDeath::DrawFiber() {
  std::vector<Fiber*> ready;
  k_->engine().state()->fibers.ForEach([&ready](Fiber* fiber) {
    if (Engine::CanRun(fiber)) ready.push_back(fiber);
  });
  return ready.empty() ? nullptr : ready[prng_.Below(ready.size())];
}

void ModelledDeath::FinishCallByChance() {
  const OneStep stepping(k_->engine());
  uint32_t running = caller_->raw()->thread->id;
  while (!k_->stopped() && !k_->Done(*caller_)) {
    // One goes on for a while, so that not only the finest mixtures come up.
    Fiber* fiber = k_->engine().FiberAt(running);
    if (fiber == nullptr || !Engine::CanRun(fiber) || prng_.Below(8) == 0) {
      fiber = DrawFiber();
      if (fiber == nullptr) return;
    }
    running = fiber->id;
    (void)k_->engine().Resume(fiber);
  }
}

// ---- Looking ---------------------------------------------------------------

std::optional<MemoryReport> ModelledDeath::Memory(pid_t pid) const {
  const Member* member = Find(pid);
  if (!broken_.empty()) return std::nullopt;
  for (const Task* task : member->threads) {
    if (task->has_mm()) return ReportMemory(task->raw()->mm);
  }
  return std::nullopt;
}

char ModelledDeath::StateLetter(pid_t pid) const {
  if (HasEnded(pid)) return 'Z';
  return stuck() ? 'D' : 'R';
}

}  // namespace reapsim
