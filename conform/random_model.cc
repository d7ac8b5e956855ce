// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/random_model.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "import/import_mm.h"
#include "sched/pid.h"
#include "syscall/kernel.h"
#include "syscall/pidfd.h"
#include "syscall/ptrace.h"

namespace reapsim {
namespace {

class ModelMachine : public RandomMachine {
 public:
  ModelMachine(const RandomMemories& memories, std::unique_ptr<Kernel> kernel)
      : memories_(memories),
        kernel_(std::move(kernel)),
        harness_(kernel_->Spawn("harness")) {}

  absl::Status Begin() {
    return Meet(0, 0, kernel_->Spawn("victim", {.parent = &harness_}));
  }

  absl::Status Do(const RandomStep& step, const RandomGroup& group) override {
    if (IsMemoryStep(step.kind)) return absl::OkStatus();
    absl::Status status =
        MakesTask(step.kind) ? Make(step, group) : DoToTask(step, group);
    if (!group.paused() && step.kind != StepKind::kPause) {
      kernel_->RunUntilIdle();
    }
    NoteVerdict();
    return status;
  }

  Standing Look(int task, const RandomGroup& /*group*/) override {
    const Task& t = *tasks_[task];
    if (t.phase() == TaskPhase::kGone) return {Stand::kGone};
    if (t.phase() == TaskPhase::kZombie) return {Stand::kZombie};
    const task_struct* raw = t.raw();
    if ((raw->__state & __TASK_TRACED) != 0) {
      const bool exits = raw->exit_code >> 8 == PTRACE_EVENT_EXIT;
      return exits ? Standing{Stand::kEventExit}
                   : Standing{Stand::kTraceStop, raw->exit_code};
    }
    if ((raw->__state & __TASK_STOPPED) != 0) return {Stand::kStopped};
    const bool waits = in_vfork_[task] && !kernel_->Done(*tasks_[task]);
    return {waits ? Stand::kVfork : Stand::kParked};
  }

  absl::StatusOr<SeenCall> Call(const RandomStep& step,
                                const RandomGroup& group) override {
    SeenCall call;
    for (int task = 0; task < kMaxRandomTasks; ++task) {
      if (group.memory(task) != task) continue;
      const int reader = group.ReaderOf(task);
      if (reader < 0 || tasks_[reader] == nullptr) continue;
      const auto host = memories_.find(task);
      if (host == memories_.end()) continue;
      call.memory[task].before =
          ImageOf(tasks_[reader]->raw()->mm, host->second);
    }
    call.ret = Release(step, group);
    NoteVerdict();
    if (!broken_.empty()) return call;
    for (auto& [memory, seen] : call.memory) {
      seen.after = ImageOf(tasks_[group.ReaderOf(memory)]->raw()->mm,
                           memories_.at(memory));
    }
    return call;
  }

  std::vector<std::string> Broken() override {
    if (broken_.empty()) broken_ = kernel_->Shutdown();
    NoteVerdict();
    return broken_;
  }

 private:
  // A task that was made: gets its number, its memory, and, if it is a
  // process, a pidfd.
  absl::Status Meet(int id, int memory, Task& task) {
    tasks_[id] = &task;
    pidfds_[id] = static_cast<int>(
        kernel_->As(harness_).pidfd_open(task.pid(), 0).kernel());
    if (id != memory) return absl::OkStatus();
    const auto found = memories_.find(id);
    if (found == memories_.end()) return absl::OkStatus();
    const ProcProcess& process = found->second;
    return ImportSmaps(
        *kernel_, task, process.smaps,
        {.file_name = absl::StrCat("task ", id), .pages = &process.pages});
  }

  absl::Status Make(const RandomStep& step, const RandomGroup& group) {
    Task& maker = *tasks_[step.task];
    User user = kernel_->As(maker);
    int memory = group.memory(step.task);
    SysResult made = SysResult::Never();
    switch (step.kind) {
      case StepKind::kFork:
        made = user.clone(CLONE_PARENT);
        memory = step.id;
        break;
      case StepKind::kCloneVm:
        made = user.clone_vm(CLONE_PARENT);
        break;
      case StepKind::kThread:
        made = user.clone_thread();
        break;
      default: {
        kernel_->Begin(maker, [](User parent) {
          (void)parent.clone(CLONE_VM | CLONE_VFORK | CLONE_PARENT);
        });
        (void)kernel_->RunUntilBlocked(maker);
        in_vfork_[step.task] = true;
        return Meet(step.id, memory, kernel_->NewestTask());
      }
    }
    if (!made.ok()) {
      return absl::InternalError(absl::StrCat(StepText(step), ": it fails"));
    }
    return Meet(step.id, memory,
                kernel_->TaskOf(static_cast<pid_t>(made.kernel())));
  }

  absl::Status DoToTask(const RandomStep& step, const RandomGroup& group) {
    Task& task = *tasks_[step.task];
    const Task& leader = *tasks_[group.process(step.task)];
    const int sig = static_cast<int>(step.what);
    User harness = kernel_->As(harness_);
    switch (step.kind) {
      case StepKind::kHandle:
        (void)kernel_->As(task).sigaction(sig, SigDisposition::kHandler);
        break;
      case StepKind::kIgnore:
        (void)kernel_->As(task).sigaction(sig, SigDisposition::kIgnore);
        break;
      case StepKind::kBlock:
        (void)kernel_->As(task).sigblock(sig);
        break;
      case StepKind::kSeize:
        if (!harness.ptrace_seize(task.pid(), true, true).ok()) {
          return absl::InternalError("ptrace_seize fails");
        }
        break;
      case StepKind::kKill:
        (void)harness.kill(leader.pid(), sig);
        break;
      case StepKind::kTgkill:
        (void)harness.tgkill(leader.pid(), task.pid(), sig);
        break;
      case StepKind::kCont:
        (void)harness.ptrace_cont(task.pid(), sig);
        break;
      case StepKind::kReap:
        (void)harness.waitpid(task.pid(), WNOHANG | __WALL);
        break;
      case StepKind::kExit:
        kernel_->Begin(task, [](User user) { (void)user.exit(0); });
        break;
      case StepKind::kExitGroup:
        kernel_->Begin(task, [](User user) { (void)user.exit_group(0); });
        break;
      default:
        break;
    }
    return absl::OkStatus();
  }

  // The value or -errno of the call, or of what the descriptor is made with.
  int64_t Release(const RandomStep& step, const RandomGroup& group) {
    Task& caller = step.id == kHarness ? harness_ : *tasks_[step.id];
    User user = kernel_->As(caller);
    const int64_t fd = Descriptor(step, group, user);
    const bool meant = step.what == static_cast<uint32_t>(RandomFd::kMinusOne);
    if (SysResult(fd).error() != 0 && !meant) return fd;
    return user.process_mrelease(static_cast<int>(fd), step.flags).kernel();
  }

  int64_t Pidfd(const RandomStep& step, const RandomGroup& group, User& user) {
    const int leader = group.process(step.task);
    if (step.id == kHarness) return pidfds_[leader];
    return user.pidfd_open(tasks_[leader]->pid(), 0).kernel();
  }

  int64_t Descriptor(const RandomStep& step, const RandomGroup& group,
                     User& user) {
    switch (static_cast<RandomFd>(step.what)) {
      case RandomFd::kPidfd:
        return Pidfd(step, group, user);
      case RandomFd::kThread:
        return user.pidfd_open(tasks_[step.task]->pid(), PIDFD_THREAD).kernel();
      case RandomFd::kClosed: {
        const int64_t fd = user.open_file(7, Pages(1), true).kernel();
        (void)user.close(static_cast<int>(fd));
        return fd;
      }
      case RandomFd::kRegular:
        return user.open_file(7, Pages(1), true).kernel();
      case RandomFd::kOPath: {
        const int64_t fd = Pidfd(step, group, user);
        if (fd < 0) return fd;
        return user.reopen(static_cast<int>(fd), true).kernel();
      }
      case RandomFd::kProcDir:
        return user.open_proc_dir(tasks_[group.process(step.task)]->pid())
            .kernel();
      case RandomFd::kSelfThread:
        return PIDFD_SELF_THREAD;
      case RandomFd::kSelfGroup:
        return PIDFD_SELF_THREAD_GROUP;
      case RandomFd::kMinusOne:
        break;
    }
    return -1;
  }

  void NoteVerdict() {
    const Verdict verdict = kernel_->TakeVerdict();
    if (verdict) broken_.push_back(verdict.ToString());
  }

  const RandomMemories& memories_;
  std::unique_ptr<Kernel> kernel_;
  Task& harness_;
  std::array<Task*, kMaxRandomTasks> tasks_{};
  std::array<int, kMaxRandomTasks> pidfds_{};
  std::array<bool, kMaxRandomTasks> in_vfork_{};
  std::vector<std::string> broken_;
};

}  // namespace

RandomRun PlayVictimOnModel(const RandomVictim& victim,
                            const RandomMemories& memories,
                            const std::string& version) {
  RandomRun run;
  absl::StatusOr<std::unique_ptr<Kernel>> kernel =
      Kernel::Create({.version = version});
  run.status = kernel.status();
  if (!kernel.ok()) return run;
  ModelMachine machine(memories, *std::move(kernel));
  run.status = machine.Begin();
  if (!run.status.ok()) return run;
  return PlayVictim(victim, machine);
}

}  // namespace reapsim
