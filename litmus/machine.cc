// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/machine.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/errno_names.h"
#include "litmus/return_if_error.h"
#include "litmus/source.h"
#include "mm/memory.h"

namespace reapsim {
namespace {

// A small machine, so that a search has little to copy: 1 MiB, page tables of
// eight entries.
constexpr uint64_t kDefaultPages = 256;
constexpr uint64_t kDefaultSwap = 64;
constexpr int kDefaultTableBits = 3;
// Files of areas without a number have their own, from here on.
constexpr uint64_t kFirstInode = 1000;
// Room for the registers of all programs.
constexpr size_t kCellBytes = size_t{1} << 20;

std::optional<int64_t> OptionOf(const Declaration& declaration,
                                absl::string_view option) {
  for (const Option& each : declaration.options) {
    if (each.name == option) return each.number.value_or(1);
  }
  return std::nullopt;
}

std::string WordOf(const Declaration& declaration, absl::string_view option) {
  for (const Option& each : declaration.options) {
    if (each.name == option) return each.word;
  }
  return "";
}

bool Has(const Declaration& declaration, absl::string_view option) {
  return OptionOf(declaration, option).has_value();
}

size_t RegisterBytes(int registers) {
  return sizeof(int64_t) * static_cast<size_t>(registers);
}

}  // namespace

absl::Status ScenarioMachine::Error(Place place, absl::string_view what,
                                    absl::string_view advice) const {
  return ErrorAt(scenario_.file.file_name, place, what, advice);
}

absl::Status ScenarioMachine::Must(const SysResult& result, Place place,
                                   absl::string_view what) const {
  if (result.ok() && !kernel_->stopped()) return absl::OkStatus();
  if (kernel_->stopped()) {
    return Error(place,
                 absl::StrCat("the initial state breaks the kernel: ",
                              kernel_->TakeVerdict().ToString()),
                 "an initial state that can be reached one call after the "
                 "other");
  }
  return Error(
      place,
      absl::StrCat(what, result.never() ? " never returns" : " fails with ",
                   result.never() ? "" : ErrnoName(result.error()), " under ",
                   kernel_->version().requested),
      !result.never() && result.error() == ENOMEM
          ? "less memory, or a larger machine: first of all a declaration such "
            "as machine pages=4096, entries=16;"
          : "an initial state whose every call succeeds");
}

absl::Status ScenarioMachine::CheckRunning(Place place) {
  return Must(SysResult(0), place, "this");
}

void ScenarioMachine::NameTask(const std::string& name, Task& task) {
  tasks_[name] = &task;
  values_[name] = task.pid();
  names_[task.raw()->thread->id] = name;
  pids_[task.raw()->thread->id] = task.pid();
}

void ScenarioMachine::Settle() {
  Task& softirq = kernel_->TaskOf(kernel_->sched().softirq->pid);
  if (!kernel_->stopped()) (void)kernel_->RunUntilBlocked(softirq);
}

absl::Status ScenarioMachine::Boot(const KernelOptions& given) {
  KernelOptions options = given;
  options.memory = kDefaultPages << PAGE_SHIFT;
  options.swap = kDefaultSwap << PAGE_SHIFT;
  options.page_table_bits = kDefaultTableBits;
  options.cpus = kDefaultCpus;
  for (const Declaration& each : scenario_.file.declarations) {
    if (each.kind != Declaration::Kind::kMachine) continue;
    options.cpus =
        static_cast<int>(OptionOf(each, "cpus").value_or(kDefaultCpus));
    options.memory =
        static_cast<uint64_t>(OptionOf(each, "pages").value_or(kDefaultPages))
        << PAGE_SHIFT;
    options.swap =
        static_cast<uint64_t>(OptionOf(each, "swap").value_or(kDefaultSwap))
        << PAGE_SHIFT;
    options.page_table_bits = std::countr_zero(static_cast<uint64_t>(
        OptionOf(each, "entries").value_or(1 << kDefaultTableBits)));
    options.pid_max = static_cast<pid_t>(
        OptionOf(each, "pids").value_or(SchedState::kMaxPids));
  }
  absl::StatusOr<std::unique_ptr<Kernel>> kernel = Kernel::Create(options);
  if (!kernel.ok()) return kernel.status();
  kernel_ = *std::move(kernel);
  NameTask("init", kernel_->init());
  // Kernel threads come to where they wait for work.
  kernel_->RunUntilIdle();
  return absl::OkStatus();
}

// ---- The initial state -----------------------------------------------------

absl::Status ScenarioMachine::Do(const Declaration& each) {
  switch (each.kind) {
    case Declaration::Kind::kMachine:
      return absl::OkStatus();
    case Declaration::Kind::kTask:
      return MakeTask(each);
    case Declaration::Kind::kArea:
      return MakeArea(each);
    case Declaration::Kind::kBlock:
      if (each.word == "device") {
        kernel_->BlockDriver(true);
      } else {
        kernel_->BlockDump(true);
      }
      return absl::OkStatus();
    case Declaration::Kind::kRun:
      (void)kernel_->RunUntilBlocked(*tasks_[each.names[0].name]);
      return CheckRunning(each.place);
    case Declaration::Kind::kDo:
      return Perform(each);
  }
  return absl::OkStatus();
}

absl::Status ScenarioMachine::MakeTask(const Declaration& each) {
  for (const auto& [name, place] : each.names) {
    if (each.word == "process") {
      REAPSIM_RETURN_IF_ERROR(MakeProcess(name, each));
      continue;
    }
    Task& owner = *tasks_[each.owner];
    if (owner.phase() != TaskPhase::kAlive || !owner.has_mm()) {
      return Error(each.owner_place, Quoted(each.owner) + " lives no more",
                   "a task that is alive here");
    }
    if (each.word == "borrower") {
      NameTask(name, kernel_->LendMm(owner));
      continue;
    }
    User user = kernel_->As(owner);
    // Nobody can be init's brother.
    const uint64_t flags = each.owner == "init" ? 0 : CLONE_PARENT;
    const SysResult pid =
        each.word == "thread" ? user.clone_thread() : user.clone_vm(flags);
    REAPSIM_RETURN_IF_ERROR(Must(pid, place, "clone()"));
    NameTask(name, kernel_->TaskOf(static_cast<pid_t>(pid.kernel())));
    (void)kernel_->RunUntilBlocked(*tasks_[name]);
  }
  return absl::OkStatus();
}

absl::Status ScenarioMachine::MakeProcess(const std::string& name,
                                          const Declaration& each) {
  const std::string parent = WordOf(each, "parent");
  Task& task = kernel_->Spawn(
      name, {.uid = static_cast<uid_t>(OptionOf(each, "uid").value_or(0)),
             .parent = parent.empty() ? nullptr : tasks_[parent],
             .bare = !Has(each, "image")});
  NameTask(name, task);
  task.raw()->cpu = static_cast<uint32_t>(OptionOf(each, "cpu").value_or(0));
  if (const auto adj = OptionOf(each, "oom_score_adj"); adj.has_value()) {
    return Must(kernel_->As(kernel_->init())
                    .oom_score_adj(task.pid(), static_cast<int>(*adj)),
                each.place, "oom_score_adj()");
  }
  return absl::OkStatus();
}

// The descriptor of the file that the area maps; -1: it is anonymous.
absl::StatusOr<int> ScenarioMachine::OpenForArea(const Declaration& each) {
  if (each.word == "anon") return -1;
  User user = kernel_->As(*tasks_[each.owner]);
  const Pages pages(static_cast<uint64_t>(each.pages));
  const std::string other = WordOf(each, "of");
  SysResult fd(-EINVAL);
  if (!other.empty()) {
    const auto known = area_fds_.find(other);
    if (known == area_fds_.end()) {
      return Error(each.place, Quoted(other) + " is no file's memory",
                   "memory of a file or memfd");
    }
    // The owner's name is found by way of the area's declaration.
    const std::string& owner =
        std::find_if(scenario_.file.declarations.begin(),
                     scenario_.file.declarations.end(),
                     [&](const Declaration& declared) {
                       return declared.kind == Declaration::Kind::kArea &&
                              declared.names[0].name == other;
                     })
            ->owner;
    fd = kernel_->As(*tasks_[owner])
             .send_fd(known->second, tasks_[each.owner]->pid());
  } else if (each.word == "file") {
    const auto number = static_cast<uint64_t>(
        OptionOf(each, "inode").value_or(kFirstInode + area_fds_.size()));
    fd = user.open_file(number, pages, !Has(each, "readonly"));
  } else if (each.word == "memfd") {
    fd = user.memfd_create(pages);
  } else if (each.word == "secretmem") {
    fd = user.memfd_secret(pages);
  } else if (each.word == "hugetlb") {
    fd = user.hugetlb_file(pages);
  } else {
    fd = user.open_device(pages, DeviceMemory::kPfnmap);
  }
  REAPSIM_RETURN_IF_ERROR(Must(fd, each.place, "opening the file"));
  return static_cast<int>(fd.kernel());
}

absl::Status ScenarioMachine::MakeArea(const Declaration& each) {
  const std::string& name = each.names[0].name;
  Task& owner = *tasks_[each.owner];
  if (!owner.has_mm() || owner.raw()->program.run != nullptr) {
    return Error(each.owner_place, Quoted(each.owner) + " can't map memory",
                 "a task that is alive and not busy");
  }
  absl::StatusOr<int> fd = OpenForArea(each);
  if (!fd.ok()) return fd.status();
  if (*fd >= 0) area_fds_[name] = *fd;
  Mapping mapping = *fd < 0 ? Anonymous() : File(*fd);
  const bool shared_by_nature =
      each.word != "anon" && each.word != "file" && !Has(each, "private");
  if (Has(each, "shared") || shared_by_nature) mapping = mapping.Shared();
  if (Has(each, "readonly")) mapping = mapping.ReadOnly();
  User user = kernel_->As(owner);
  const Bytes length = Pages(static_cast<uint64_t>(each.pages)).bytes();
  const SysResult at = user.mmap(length, mapping);
  REAPSIM_RETURN_IF_ERROR(Must(at, each.place, "mmap()"));
  values_[name] = at.kernel();
  const auto addr = static_cast<uint64_t>(at.kernel());
  const auto touched = static_cast<uint64_t>(
      std::min(OptionOf(each, "touched").value_or(each.pages), each.pages));
  const bool reads = Has(each, "read") || Has(each, "readonly") ||
                     (each.word == "file" && !Has(each, "written"));
  if (!Has(each, "untouched") && each.word != "device") {
    const Bytes part = Pages(touched).bytes();
    const SysResult done =
        reads ? user.read_touch(addr, part) : user.touch(addr, part);
    REAPSIM_RETURN_IF_ERROR(Must(done, each.place, "touching the pages"));
  }
  if (!Has(each, "locked")) return absl::OkStatus();
  return Must(user.mlock(addr, length), each.place, "mlock()");
}

int64_t* ScenarioMachine::Begin(Task& task, Code code, int registers) {
  codes_.push_back(std::make_unique<Code>(std::move(code)));
  const Code* text = codes_.back().get();
  if (cells_ == nullptr) {
    cells_ = kernel_->engine().arena()->Reserve(Part::kState, kCellBytes);
  }
  const size_t bytes = RegisterBytes(registers);
  REAP_CHECK_LE(cells_->used + bytes, kCellBytes, "litmus: registers");
  auto* first_register =
      reinterpret_cast<int64_t*>(cells_->base + cells_->used);
  cells_->used += bytes;
  std::fill_n(first_register, registers, kUnassigned);
  const Instruction* first = text->data();
  const size_t count = text->size();
  kernel_->Begin(
      task, [=](User user) { RunCode(user, first, count, first_register); });
  return first_register;
}

absl::Status ScenarioMachine::Perform(const Declaration& each) {
  Task& task = *tasks_[each.owner];
  if (task.phase() != TaskPhase::kAlive || task.raw()->program.run != nullptr) {
    return Error(each.owner_place, Quoted(each.owner) + " can't do anything",
                 "a task that is alive and not busy");
  }
  const std::vector<std::string> registers = {each.statement.target};
  Compiler compiler(scenario_.file.file_name, values_, registers);
  REAPSIM_RETURN_IF_ERROR(compiler.Add(each.statement));
  int64_t* cells = Begin(task, compiler.code(), compiler.registers());
  if (each.start) {
    (void)kernel_->RunUntilBlocked(task);
    return CheckRunning(each.place);
  }
  const Stepped stepped = kernel_->Finish(task);
  const int64_t computed = cells[0];
  // A call that is done needs no registers any more.
  cells_->used =
      static_cast<size_t>(reinterpret_cast<char*>(cells) - cells_->base);
  std::fill_n(cells_->base + cells_->used, RegisterBytes(compiler.registers()),
              0);
  const int64_t result =
      stepped == Stepped::kDone ? kernel_->Result(task).kernel() : kUnassigned;
  if (each.statement.kind == Statement::Kind::kCompute) {
    values_[each.statement.target] = computed;
    return CheckRunning(each.place);
  }
  const std::string what = each.statement.kind == Statement::Kind::kCall
                               ? absl::StrCat(each.statement.call, "()")
                               : "the access";
  REAPSIM_RETURN_IF_ERROR(Must(SysResult(result), each.statement.place, what));
  if (!each.statement.target.empty()) {
    values_[each.statement.target] = computed;
  }
  return absl::OkStatus();
}

absl::Status ScenarioMachine::BeginPrograms() {
  for (size_t i = 0; i < scenario_.file.programs.size(); ++i) {
    const TaskProgram& program = scenario_.file.programs[i];
    Task& task = *tasks_[program.task];
    if (task.phase() != TaskPhase::kAlive ||
        task.raw()->program.run != nullptr) {
      return Error(program.task_place,
                   Quoted(program.task) + " can't begin its program",
                   "a task that is alive and not busy after the initial state");
    }
    Compiler compiler(scenario_.file.file_name, values_,
                      scenario_.registers[i]);
    for (const Statement& each : program.statements) {
      REAPSIM_RETURN_IF_ERROR(compiler.Add(each));
    }
    registers_[program.task] =
        Begin(task, compiler.code(), compiler.registers());
    std::string& name = names_[task.raw()->thread->id];
    name = absl::StrCat("P", i, " ", name);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ScenarioMachine>> ScenarioMachine::Build(
    const Scenario& scenario, const KernelOptions& options) {
  std::unique_ptr<ScenarioMachine> machine(new ScenarioMachine(scenario));
  REAPSIM_RETURN_IF_ERROR(machine->Boot(options));
  for (const Declaration& each : scenario.file.declarations) {
    REAPSIM_RETURN_IF_ERROR(machine->Do(each));
    machine->Settle();
  }
  auto& slab = machine->kernel_->mm().mm_slab;
  for (const auto& [name, task] : machine->tasks_) {
    if (!task->has_mm()) continue;
    const mm_struct* mm = task->raw()->mm;
    const std::string& process = scenario.symbols.at(name).memory;
    machine->memory_[process] = {mm, slab.GenerationOf(mm)};
  }
  REAPSIM_RETURN_IF_ERROR(machine->BeginPrograms());
  return machine;
}

// ---- Looking ---------------------------------------------------------------

const mm_struct* ScenarioMachine::LiveMm(const std::string& process) const {
  const auto found = memory_.find(process);
  if (found == memory_.end()) return nullptr;
  auto& slab = kernel_->mm().mm_slab;
  const auto& [mm, generation] = found->second;
  return slab.IsLive(mm) && slab.GenerationOf(mm) == generation ? mm : nullptr;
}

Value ScenarioMachine::ValueOfMemory(const Term& term) const {
  const mm_struct* live = LiveMm(scenario_.symbols.at(term.argument).memory);
  if (term.function == "freed") return Value::Of(live == nullptr ? 1 : 0);
  if (live == nullptr) return Value::Of(0);
  const Mm mm(live);
  const auto pages = [&](int member) {
    return Value::Of(static_cast<int64_t>(mm.rss(member).raw()));
  };
  if (term.function == "rss") {
    return Value::Of(static_cast<int64_t>(mm.rss().raw()));
  }
  if (term.function == "anon") return pages(MM_ANONPAGES);
  if (term.function == "filepages") return pages(MM_FILEPAGES);
  if (term.function == "shmem") return pages(MM_SHMEMPAGES);
  if (term.function == "swap") return pages(MM_SWAPENTS);
  if (term.function == "mm_users") return Value::Of(int64_t{mm.users()});
  if (term.function == "mm_count") return Value::Of(int64_t{mm.count()});
  if (term.function == "unstable") return Value::Of(mm.unstable() ? 1 : 0);
  return Value::Of(mm.oom_skip() ? 1 : 0);
}

bool ScenarioMachine::Waits(const std::string& name) const {
  const Task& task = *tasks_.at(name);
  if (task.phase() != TaskPhase::kAlive) return false;
  const Point at = task.raw()->thread->op.point;
  return at != Point::kNone && at != Point::kUserMode;
}

Value ScenarioMachine::ValueOf(const Term& term) const {
  if (term.function.empty()) {
    const TaskProgram& program = scenario_.file.programs[term.task];
    const std::vector<std::string>& names = scenario_.registers[term.task];
    const auto index =
        std::find(names.begin(), names.end(), term.reg) - names.begin();
    const int64_t held = registers_.at(program.task)[index];
    return held == kUnassigned ? Value::Of(kNeverWord) : Value::Of(held);
  }
  if (term.function == "state") {
    switch (tasks_.at(term.argument)->phase()) {
      case TaskPhase::kAlive:
        return Value::Of("alive");
      case TaskPhase::kZombie:
        return Value::Of("zombie");
      case TaskPhase::kGone:
        return Value::Of("gone");
    }
  }
  if (term.function == "waits") {
    return Value::Of(Waits(term.argument) ? 1 : 0);
  }
  if (term.function == "present") {
    const Symbol& area = scenario_.symbols.at(term.argument);
    const mm_struct* mm = LiveMm(area.memory);
    if (mm == nullptr) return Value::Of(0);
    const auto start = static_cast<uint64_t>(values_.at(term.argument));
    const PageCounts counts = CountPages(
        mm, start, start + (static_cast<uint64_t>(area.pages) << PAGE_SHIFT));
    return Value::Of(static_cast<int64_t>(counts.anon + counts.file +
                                          counts.shmem + counts.zero));
  }
  return ValueOfMemory(term);
}

std::vector<Value> ScenarioMachine::Values() const {
  std::vector<Value> values;
  for (const Term& term : scenario_.terms) values.push_back(ValueOf(term));
  return values;
}

std::string ScenarioMachine::Outcome() const {
  std::string text;
  for (const Term& term : scenario_.terms) {
    absl::StrAppend(&text, text.empty() ? "" : " ", term.ToString(), "=",
                    ValueOf(term).ToString(term.function.empty()), ";");
  }
  return text;
}

std::string ScenarioMachine::NameOf(uint32_t fiber) const {
  const auto found = names_.find(fiber);
  return found == names_.end() ? "" : found->second;
}

pid_t ScenarioMachine::PidOf(uint32_t fiber) const {
  if (const auto named = pids_.find(fiber); named != pids_.end()) {
    return named->second;
  }
  const Fiber* live = kernel_->engine().FiberAt(fiber);
  return live == nullptr ? 0 : static_cast<task_struct*>(live->owner)->pid;
}

std::string ScenarioMachine::CommOf(uint32_t fiber) const {
  for (const auto& [name, task] : tasks_) {
    if (task->pid() == PidOf(fiber)) return task->name();
  }
  const Fiber* live = kernel_->engine().FiberAt(fiber);
  return live == nullptr ? "<...>"
                         : static_cast<task_struct*>(live->owner)->comm;
}

std::string ScenarioMachine::OwnerOf(const mm_struct* mm) const {
  for (const auto& [process, name] : memory_) {
    if (LiveMm(process) == mm) return process;
  }
  return "";
}

namespace {

bool WasKilled(const task_struct& t) {
  return (t.signal->flags & SIGNAL_GROUP_EXIT) != 0 &&
         (t.signal->group_exit_code & 0x7f) == SIGKILL;
}

// What process_mrelease() of that process would make of mm, in its order; null:
// it would release it, or must not.
const char* WhyNotReleased(SchedState& sched, const task_struct& process,
                           const mm_struct* mm) {
  bool own = false;
  bool lives = false;
  bool borrowed = false;
  sched.task_slab.ForEach([&](const task_struct* t) {
    // What exit_mm() has kept, the call finds, too.
    const bool kept = t->exit_mm == mm && t->signal == process.signal;
    if (t->mm != mm && !kept) return;
    if ((t->flags & PF_KTHREAD) != 0) {
      borrowed = true;
    } else if (t->signal == process.signal) {
      own = true;
    } else {
      lives |= (t->signal->flags & SIGNAL_GROUP_EXIT) == 0;
    }
  });
  if (lives) return nullptr;
  if (!own) return "answers ESRCH";
  if (borrowed) return "answers EINVAL";
  return Mm(mm).oom_skip() ? "does nothing" : nullptr;
}

}  // namespace

void ScenarioMachine::UnreleasedMemory(std::vector<std::string>* goals) const {
  for (const auto& [process, name] : memory_) {
    const mm_struct* mm = LiveMm(process);
    const Task& task = *tasks_.at(process);
    if (mm == nullptr || task.phase() == TaskPhase::kGone ||
        Mm(mm).rss(MM_ANONPAGES) == Pages(0) || !WasKilled(*task.raw())) {
      continue;
    }
    const char* why = WhyNotReleased(kernel_->sched(), *task.raw(), mm);
    if (why == nullptr) continue;
    goals->push_back(absl::StrCat("L4: ", process,
                                  " has been killed and keeps its memory: "
                                  "process_mrelease() ",
                                  why));
  }
}

bool ScenarioMachine::TwoVictimsHaveMemory() const {
  int victims = 0;
  for (const auto& [process, name] : memory_) {
    const mm_struct* mm = LiveMm(process);
    if (mm == nullptr || Mm(mm).rss() == Pages(0)) continue;
    bool chosen = false;
    kernel_->sched().signal_slab.ForEach(
        [&](const signal_struct* signal) { chosen |= signal->oom_mm == mm; });
    victims += chosen ? 1 : 0;
  }
  return victims > 1;
}

bool ScenarioMachine::MayWait(uint32_t fiber) const {
  for (const Term& term : scenario_.terms) {
    if (term.function != "waits") continue;
    const Task& task = *tasks_.at(term.argument);
    if (task.phase() != TaskPhase::kGone && task.raw()->thread->id == fiber) {
      return true;
    }
  }
  return false;
}

}  // namespace reapsim
