// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/kernel.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "mm/memory.h"
#include "mm/mmap.h"
#include "sched/point.h"
#include "syscall/entry.h"
#include "syscall/fork.h"
#include "syscall/image.h"
#include "syscall/syscall_state.h"

namespace reapsim {
namespace {

absl::StatusOr<ResolvedVersion> ResolveAsAsked(const KernelOptions& options) {
  absl::StatusOr<ResolvedVersion> version = Resolve(options.version);
  if (!version.ok()) return version;
  const absl::Status fit = CheckProposals(
      options.proposals, version->differences, version->requested);
  if (!fit.ok()) return fit;
  return version;
}

ResolvedVersion ResolveOrDie(const KernelOptions& options) {
  absl::StatusOr<ResolvedVersion> resolved = ResolveAsAsked(options);
  if (!resolved.ok()) {
    CheckFailed(__FILE__, __LINE__, "kernel: version",
                std::string(resolved.status().message()).c_str());
  }
  return *std::move(resolved);
}

task_struct* OwnerOf(const Fiber& fiber) {
  return static_cast<task_struct*>(fiber.owner);
}

}  // namespace

// ---- Mm, Task --------------------------------------------------------------

Pages Mm::rss(int member) const {
  const int64_t pages = get_mm_counter_sum(mm_, member);
  REAP_CHECK_GE(pages, 0, "mm: rss below zero");
  return Pages(static_cast<uint64_t>(pages));
}
Pages Mm::rss() const {
  return rss(MM_ANONPAGES) + rss(MM_FILEPAGES) + rss(MM_SHMEMPAGES);
}
Bytes Mm::page_tables() const {
  return Bytes(static_cast<uint64_t>(mm_->pgtables_bytes));
}
// The host looks while nothing runs: no lock is needed.
Pages Mm::locked() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return Pages(mm_->locked_vm);
}
Pages Mm::total_vm() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return Pages(mm_->total_vm);
}
int Mm::vmas() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return mm_->map_count; }

Task::Task(Kernel* kernel, task_struct* task)
    : kernel_(kernel),
      task_(task),
      generation_(kernel->sched().task_slab.GenerationOf(task)),
      pid_(task->pid),
      name_(task->comm) {}

TaskPhase Task::phase() const {
  auto& slab = kernel_->sched().task_slab;
  if (!slab.IsLive(task_) || slab.GenerationOf(task_) != generation_ ||
      task_->exit_state == EXIT_DEAD) {
    return TaskPhase::kGone;
  }
  return task_->exit_state == EXIT_ZOMBIE ? TaskPhase::kZombie
                                          : TaskPhase::kAlive;
}

task_struct* Task::raw() const {
  auto& slab = kernel_->sched().task_slab;
  if (!slab.IsLive(task_) || slab.GenerationOf(task_) != generation_) {
    CheckFailed(__FILE__, __LINE__, "task: gone", name_.c_str());
  }
  return task_;
}

Mm Task::mm() const {
  const mm_struct* mm = raw()->mm;
  REAP_CHECK(mm != nullptr, "task: it has no mm any more");
  return Mm(mm);
}

// ---- Birth and death of a machine ------------------------------------------

Differences Kernel::DifferencesOf(const KernelOptions& options,
                                  const ResolvedVersion& version) {
  Differences differences = options.differences.value_or(version.differences);
  if (!options.mmu) differences.has_process_mrelease = false;
  return differences;
}

Kernel::Kernel(const KernelOptions& options)
    : Kernel(options, ResolveOrDie(options)) {}

Kernel::Kernel(const KernelOptions& options, ResolvedVersion version)
    : version_(std::move(version)) {
  version_.differences = DifferencesOf(options, version_);
  engine_ =
      std::make_unique<Engine>(&arena_, version_.differences, options.switches,
                               options.checks, options.proposals);
  sched_ = InitSched(&arena_);
  REAP_CHECK_LE(options.pid_max, static_cast<pid_t>(SchedState::kMaxPids),
                "kernel: pid_max");
  sched_->pid_max = options.pid_max;
  mm_ = InitMm(&arena_, {.cpus = options.cpus,
                         .frames = options.memory >> PAGE_SHIFT,
                         .swap_slots = options.swap >> PAGE_SHIFT,
                         .table_bits = options.page_table_bits});
  mm_->out_of_memory = alloc_pages_may_oom;
  oom_ = arena_.NewRoot<OomState>();
  InitSyscallState(&arena_);
  Boot();
}

absl::StatusOr<std::unique_ptr<Kernel>> Kernel::Create(
    const KernelOptions& options) {
  absl::StatusOr<ResolvedVersion> version = ResolveAsAsked(options);
  if (!version.ok()) return version.status();
  return std::unique_ptr<Kernel>(new Kernel(options, *std::move(version)));
}

Kernel::~Kernel() = default;

void Kernel::Boot() {
  sched_->task_entry = TaskEntry;
  task_struct* init = make_init_task(sched_, "init");
  sched_->softirq =
      MakeKernelThread(sched_, SoftirqThread, nullptr, "ksoftirqd/0");
  oom_->oom_reaper_th =
      MakeKernelThread(sched_, reapsim::oom_reaper, nullptr, "oom_reaper");
  init_ = &tasks_.emplace_back(this, init);
  oom_reaper_ = &tasks_.emplace_back(this, oom_->oom_reaper_th);
  const SysResult started = Call(init, [] { return init_task_start(); });
  REAP_CHECK_EQ(started.kernel(), 0, "kernel: boot");
  at_boot_ = CountPopulation(*sched_, *mm_);
}

Task& Kernel::Spawn(const std::string& comm, const SpawnOptions& options) {
  Task& parent = options.parent == nullptr ? *init_ : *options.parent;
  char name[16] = {};
  std::snprintf(name, sizeof(name), "%s", comm.c_str());
  struct Args {
    char name[16];
    uid_t uid;
    bool bare;
  } args{{}, options.uid, options.bare};
  std::copy(std::begin(name), std::end(name), args.name);
  const SysResult pid = Call(
      parent.raw(), [args]() -> int64_t { return SpawnProcess(args.name); });
  REAP_CHECK(pid.ok(), "kernel: spawn");
  Task& task = TaskOf(static_cast<pid_t>(pid.kernel()));
  const SysResult exec = Call(task.raw(), [args]() -> int64_t {
    return ExecStandardImage(args.name, args.bare, args.uid);
  });
  REAP_CHECK_EQ(exec.kernel(), 0, "kernel: spawn: exec");
  task = Task(this, task.raw());
  return task;
}

Task& Kernel::TaskOf(pid_t pid) {
  for (Task& task : tasks_) {
    if (task.pid() == pid && task.phase() != TaskPhase::kGone) return task;
  }
  task_struct* found = nullptr;
  sched_->task_slab.ForEach([&](task_struct* task) {
    if (task->pid == pid && task->exit_state != EXIT_DEAD) found = task;
  });
  REAP_CHECK(found != nullptr, "kernel: no task has this pid");
  return tasks_.emplace_back(this, found);
}

Task& Kernel::NewestTask() {
  task_struct* newest = nullptr;
  sched_->task_slab.ForEach([&](task_struct* task) {
    if (newest == nullptr || task->pid > newest->pid) newest = task;
  });
  return TaskOf(newest->pid);
}

// ---- The outside world -----------------------------------------------------

void Kernel::BlockDriver(bool blocked) {
  RootOf<SyscallState>(sched_).driver_blocked = blocked;
}

void Kernel::BlockDump(bool blocked) { sched_->dump_blocked = blocked; }

Task& Kernel::LendMm(Task& owner) {
  auto* loan = new (NewCell(sizeof(MmLoan))) MmLoan{.mm = owner.raw()->mm};
  REAP_CHECK(loan->mm != nullptr, "kernel: nothing to lend");
  task_struct* thread = MakeKernelThread(sched_, BorrowerThread, loan, "vhost");
  loans_.emplace_back(thread->pid, loan);
  Task& borrower = TaskOf(thread->pid);
  (void)RunUntilBlocked(borrower);
  return borrower;
}

void Kernel::ReturnMm(Task& borrower) {
  for (auto& [pid, loan] : loans_) {
    if (pid == borrower.pid()) loan->over = true;
  }
  (void)RunUntilBlocked(borrower);
}

Task& Kernel::StartKsm(bool use_zero_pages) {
  task_struct* thread = MakeKernelThread(
      sched_, KsmThread, use_zero_pages ? sched_ : nullptr, "ksmd");
  return TaskOf(thread->pid);
}

void Kernel::OomKill(Task& task) {
  const SysResult adjusted = As(*init_).oom_score_adj(task.pid(), 1000);
  REAP_CHECK(adjusted.ok(), "kernel: oom_score_adj");
  (void)As(*init_).run_out_of_memory();
}

// ---- Stepping --------------------------------------------------------------

UserProgram& Kernel::PrepareProgram(task_struct* task, size_t bytes) {
  UserProgram& program = task->program;
  REAP_CHECK(program.run == nullptr,
             "kernel: the task is still busy with an earlier call");
  REAP_CHECK(!engine_->stopped(), "kernel: the world has stopped");
  REAP_CHECK(
      task->thread->status != FiberStatus::kDone && task->exit_state == 0,
      "kernel: a dead task makes no calls");
  REAP_CHECK_LE(bytes, UserProgram::kMaxBytes, "kernel: program too large");
  program.done = false;
  program.result = SysResult::Never().kernel();
  return program;
}

void* Kernel::NewCell(size_t bytes) {
  constexpr size_t kMaxCells = 1024;
  constexpr size_t kCellSize = 64;
  if (cells_ == nullptr) {
    cells_ = arena_.Reserve(Part::kState, kMaxCells * kCellSize);
  }
  REAP_CHECK_LE(bytes, kCellSize, "kernel: cell too large");
  REAP_CHECK_LT(cells_->used, cells_->capacity, "kernel: no cell left");
  void* cell = cells_->base + cells_->used;
  cells_->used += kCellSize;
  return cell;
}

bool Kernel::IsHeld(const Fiber* fiber) const {
  return std::find(held_.begin(), held_.end(), fiber->id) != held_.end();
}

void Kernel::Hold(Task& task) { held_.push_back(task.raw()->thread->id); }

void Kernel::Release(Task& task) { std::erase(held_, task.raw()->thread->id); }

// One turn of a task: until it blocks, stops, or is done.
Stepped Kernel::Step(task_struct* task) {
  switch (engine_->Resume(task->thread)) {
    case Stop::kBlocked:
      return Stepped::kBlocked;
    case Stop::kAtPoint:
      return Stepped::kAtPoint;
    case Stop::kYielded:
      return Stepped::kDone;
    case Stop::kFinished:
      return Stepped::kFinished;
    case Stop::kVerdict:
      return Stepped::kVerdict;
    case Stop::kWork:
      break;  // timed mode only, which does not step
  }
  CheckFailed(__FILE__, __LINE__, "kernel: stepped in timed mode", "");
}

bool Kernel::RunOthers(const Fiber* except) {
  // By number, not by iterator: a fiber's run may make and free others.
  bool moved = false;
  for (uint32_t id = 0; id < engine_->state()->fibers.high_water(); ++id) {
    Fiber* fiber = engine_->FiberAt(id);
    if (fiber == nullptr || fiber == except || IsHeld(fiber)) continue;
    while (!engine_->stopped() && engine_->FiberAt(id) == fiber &&
           Engine::CanRun(fiber)) {
      moved = true;
      if (Step(OwnerOf(*fiber)) == Stepped::kFinished) break;
    }
    if (engine_->stopped()) return true;
  }
  return moved;
}

bool Kernel::FireNextTimer(uint64_t not_after_ns) {
  uint64_t deadline = 0;
  timer_list* timer = earliest_timer(sched_, &deadline);
  if (timer == nullptr || deadline > not_after_ns) return false;
  if (deadline > now_ns()) engine_->AdvanceClock(deadline - now_ns());
  timer_expired(timer);
  REAP_CHECK(sched_->expired_timer == nullptr, "kernel: softirq is late");
  sched_->expired_timer = timer;
  (void)Step(sched_->softirq);
  return true;
}

Stepped Kernel::FinishProgram(task_struct* task) {
  Fiber* fiber = task->thread;
  for (;;) {
    const Stepped stepped = Step(task);
    if (stepped == Stepped::kVerdict || stepped == Stepped::kFinished ||
        (stepped == Stepped::kDone && task->program.done)) {
      return stepped;
    }
    while (!engine_->stopped() && !Engine::CanRun(fiber)) {
      if (!RunOthers(fiber) && !FireNextTimer(UINT64_MAX)) {
        ReportDeadlock(task);
      }
    }
    if (engine_->stopped()) return Stepped::kVerdict;
  }
}

SysResult Kernel::FinishCall(task_struct* task) {
  return FinishProgram(task) == Stepped::kDone ? SysResult(task->program.result)
                                               : SysResult::Never();
}

Stepped Kernel::Finish(Task& task) {
  if (task.raw()->program.done) return Stepped::kDone;
  return FinishProgram(task.raw());
}

SysResult Kernel::Result(Task& task) const {
  return SysResult(task.raw()->program.result);
}

bool Kernel::Done(Task& task) const { return task.raw()->program.done; }

Stepped Kernel::RunUntil(Task& task, Point point) {
  Fiber* fiber = task.raw()->thread;
  fiber->stop_at = point;
  const Stepped stepped = RunUntilBlocked(task);
  if (stepped != Stepped::kAtPoint && stepped != Stepped::kFinished) {
    fiber->stop_at = Point::kNone;
  }
  return stepped;
}

Stepped Kernel::RunUntilBlocked(Task& task) {
  Fiber* fiber = task.raw()->thread;
  Stepped last = Stepped::kBlocked;
  while (Engine::CanRun(fiber)) {
    last = Step(OwnerOf(*fiber));
    if (last != Stepped::kDone || fiber->stop_at == Point::kNone) return last;
  }
  return last;
}

void Kernel::RunUntilIdle() {
  while (!engine_->stopped() && RunOthers(nullptr)) {
  }
}

void Kernel::AdvanceTime(uint64_t ns) {
  const uint64_t end = now_ns() + ns;
  RunUntilIdle();
  while (!engine_->stopped() && FireNextTimer(end)) RunUntilIdle();
  if (now_ns() < end) engine_->AdvanceClock(end - now_ns());
}

void Kernel::ReportDeadlock(const task_struct* waiter) {
  std::string text = std::string(waiter->comm) + " (pid " +
                     std::to_string(waiter->pid) + ") waits for ever:";
  engine_->state()->fibers.ForEach([&](Fiber* fiber) {
    const Op& op = fiber->op;
    // Kernel threads and tasks in user mode wait for nobody.
    if (op.point == Point::kNone || op.point == Point::kUserMode) return;
    if (OwnerOf(*fiber)->kthread_fn != nullptr) return;
    text += std::string(" ") + OwnerOf(*fiber)->comm + " stands at " +
            PointName(op.point) + " (" + op.source.file + ":" +
            std::to_string(op.source.line) + ")" +
            (IsHeld(fiber) ? ", held by the test" : "") + ";";
  });
  text.pop_back();
  engine_->Report(VerdictKind::kDeadlock, text);
}

// ---- Looking ---------------------------------------------------------------

TaskHistory& Kernel::HistoryOf(Task& task) const {
  return sched_->task_slab.HistoryOf(task.raw());
}

uint64_t Kernel::Charged(Task& task, Cost kind) const {
  return engine_->state()
      ->fibers.HistoryOf(task.raw()->thread)
      .charges[static_cast<int>(kind)];
}

MreleaseDecision Kernel::LastDecision(Task& task) const {
  return static_cast<MreleaseDecision>(HistoryOf(task).mrelease_decision);
}
WillFreeReason Kernel::LastWillFree(Task& task) const {
  return static_cast<WillFreeReason>(HistoryOf(task).will_free_reason);
}
pid_t Kernel::LastSharer(Task& task) const { return HistoryOf(task).sharer; }

uint64_t Kernel::free_pages() const { return mm_->nr_free; }

std::vector<std::string> Kernel::LogOf(LogKind kind) const {
  std::vector<std::string> lines;
  for (const LogLine& line : engine_->log()) {
    if (line.kind == kind) lines.push_back(line.text);
  }
  return lines;
}

std::vector<std::string> Kernel::Conservation() const {
  std::vector<std::string> problems;
  CheckConservation(*sched_, *mm_, *oom_, &problems);
  return problems;
}

std::vector<std::string> Kernel::Shutdown() {
  const std::vector<std::string> broken = {
      "a verdict stopped the world before its end"};
  if (engine_->stopped()) return broken;
  held_.clear();
  BlockDriver(false);
  BlockDump(false);
  for (auto& [pid, loan] : loans_) loan->over = true;
  // A round ends a generation: tracers before tracees, parents before children
  // that init then inherits.
  for (int round = 0; round < 6; ++round) {
    if (Call(init_->raw(), KillEverybody).never()) return broken;
    AdvanceTime(uint64_t{5'000'000'000});
    if (engine_->stopped()) return broken;
    if (Call(init_->raw(), ReapAllChildren).never()) return broken;
    RunUntilIdle();
  }
  const auto drop_files = []() -> int64_t {
    DropFiles();
    return 0;
  };
  if (Call(init_->raw(), drop_files).never()) return broken;
  std::vector<std::string> problems = Conservation();
  ComparePopulations(at_boot_, CountPopulation(*sched_, *mm_), &problems);
  return problems;
}

}  // namespace reapsim
