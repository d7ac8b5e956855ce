// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/observer.h"

#include <signal.h>
#include <string.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "mm/memory.h"
#include "sched/lockdep.h"
#include "sched/point.h"
#include "sched/signal.h"

namespace reapsim {
namespace {

struct BitName {
  uint64_t bit;
  const char* name;
};

template <size_t kCount>
std::string BitsText(uint64_t bits, const BitName (&names)[kCount]) {
  std::string text;
  for (const BitName& each : names) {
    if ((bits & each.bit) == 0) continue;
    absl::StrAppend(&text, text.empty() ? "" : " ", each.name);
  }
  return text;
}

constexpr BitName kTaskFlags[] = {
    {PF_EXITING, "PF_EXITING"},
    {PF_SIGNALED, "PF_SIGNALED"},
    {PF_DUMPCORE, "PF_DUMPCORE"},
    {PF_POSTCOREDUMP, "PF_POSTCOREDUMP"},
};
constexpr BitName kGroupFlags[] = {
    {SIGNAL_GROUP_EXIT, "SIGNAL_GROUP_EXIT"},
    {SIGNAL_GROUP_COREDUMP, "SIGNAL_GROUP_COREDUMP"},
    {SIGNAL_STOP_STOPPED, "SIGNAL_STOP_STOPPED"},
};
constexpr BitName kThreadFlags[] = {
    {TIF_SIGPENDING, "TIF_SIGPENDING"},
    {TIF_MEMDIE, "TIF_MEMDIE"},
};
constexpr BitName kMmFlags[] = {
    {uint64_t{1} << MMF_UNSTABLE, "MMF_UNSTABLE"},
    {uint64_t{1} << MMF_OOM_SKIP, "MMF_OOM_SKIP"},
    {uint64_t{1} << MMF_OOM_REAP_QUEUED, "MMF_OOM_REAP_QUEUED"},
    {uint64_t{1} << MMF_OOM_VICTIM, "MMF_OOM_VICTIM"},
};

std::string SignalsText(sigset64 signals) {
  std::string text;
  for (int sig = 1; sig <= kSignals; ++sig) {
    if (!SigSetHas(signals, sig)) continue;
    const char* name = sigabbrev_np(sig);
    absl::StrAppend(&text, text.empty() ? "" : " ",
                    name == nullptr ? absl::StrCat("signal ", sig)
                                    : absl::StrCat("SIG", name));
  }
  return text;
}

// As ps(1) would have it, in words.
const char* StateText(const task_struct& task) {
  if ((task.exit_state & EXIT_DEAD) != 0) return "dead";
  if ((task.exit_state & EXIT_ZOMBIE) != 0) return "zombie";
  if ((task.__state & TASK_DEAD) != 0) return "dead";
  if ((task.__state & TASK_FROZEN) != 0) return "frozen";
  if ((task.__state & __TASK_STOPPED) != 0) return "stopped";
  if ((task.__state & __TASK_TRACED) != 0) return "traced";
  if ((task.__state & TASK_UNINTERRUPTIBLE) != 0) {
    return (task.__state & TASK_WAKEKILL) != 0 ? "sleeps, killably"
                                               : "sleeps, uninterruptibly";
  }
  if ((task.__state & TASK_INTERRUPTIBLE) != 0) return "sleeps";
  return "runs";
}

uint64_t TlbEntries(const MmState& state, const mm_struct* mm) {
  uint64_t count = 0;
  for (const auto& cpu : state.tlb) {
    for (const TlbEntry& entry : cpu) count += entry.mm == mm ? 1 : 0;
  }
  return count;
}

// The host looks while nothing runs: no lock is needed.
int VmasOf(const mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return mm->map_count;
}

bool IsSharedLock(LockClass lock_class) {
  return lock_class == LockClass::kMmapLock ||
         lock_class == LockClass::kMmapLockNested ||
         lock_class == LockClass::kExecUpdateLock ||
         lock_class == LockClass::kTasklistLock;
}

bool IsHeldByReaders(const rw_semaphore& sem) { return sem.writer == 0; }

}  // namespace

void Observer::Set(absl::string_view group, const std::string& subject,
                   absl::string_view name, std::string value) {
  const std::string key = absl::StrCat(group, "\n", subject, "\n", name);
  const auto [found, is_new] = index_.emplace(key, facts_.size());
  if (is_new) {
    facts_.push_back({.group = std::string(group),
                      .subject = subject,
                      .name = std::string(name),
                      .start = ""});
  }
  if (now_.values.size() < facts_.size()) now_.values.resize(facts_.size());
  now_.values[found->second] = std::move(value);
}

std::string Observer::NameOf(uint32_t fiber) {
  const auto [found, is_new] = names_.emplace(fiber, "");
  if (is_new) found->second = world_.NameOf(static_cast<Choice>(fiber));
  return found->second;
}

bool Observer::Watches(const task_struct& task) const {
  if (task.thread == nullptr) return false;
  if (fibers_.contains(task.thread->id)) return true;
  return !is_global_init(&task) && !machine_.NameOf(task.thread->id).empty();
}

Observation Observer::Look() {
  std::vector<std::string> before = std::move(now_.values);
  now_ = Observation{};
  now_.values.resize(facts_.size());
  LookAtTerms();
  if (machine_.kernel().engine().stopped()) {
    // Nothing is true of an end state that is none.
    for (size_t i = 0; i < before.size(); ++i) {
      if (facts_[i].group == kTermFacts) now_.values[i] = before[i];
    }
  }
  LookAtTasks();
  LookAtMemory();
  LookAtLocks();
  return now_;
}

void Observer::LookAtTerms() {
  if (machine_.kernel().engine().stopped()) return;
  const std::vector<Term>& terms = machine_.scenario().terms;
  const std::vector<Value> values = machine_.Values();
  for (size_t i = 0; i < terms.size(); ++i) {
    if (terms[i].function == "verdict") continue;
    Set(kTermFacts, "", terms[i].ToString(),
        values[i].ToString(terms[i].function.empty()));
  }
}

void Observer::LookAtTasks() {
  for (const auto& [fiber, name] : names_) {
    if (index_.contains(absl::StrCat(kTaskFacts, "\n", name, "\nstate"))) {
      Set(kTaskFacts, name, "state", "gone");
    }
  }
  machine_.kernel().sched().task_slab.ForEach([this](const task_struct* task) {
    if (Watches(*task)) LookAtTask(*task);
  });
}

void Observer::LookAtTask(const task_struct& task) {
  SchedState& sched = machine_.kernel().sched();
  const std::string name = NameOf(task.thread->id);
  const bool in_user_mode = task.thread->op.point == Point::kUserMode &&
                            (task.__state & TASK_INTERRUPTIBLE) != 0;
  Set(kTaskFacts, name, "state",
      in_user_mode ? "in user mode" : StateText(task));
  Set(kTaskFacts, name, kWaitsFor, WaitText(*task.thread));
  Set(kTaskFacts, name, "mm",
      task.mm == nullptr ? "NULL" : MemoryName(task.mm));
  Set(kTaskFacts, name, "flags", BitsText(task.flags, kTaskFlags));
  Set(kTaskFacts, name, "thread flags",
      BitsText(task.thread_flags, kThreadFlags));
  std::string group;
  sigset64 pending = task.pending;
  if (task.signal != nullptr && sched.signal_slab.IsLive(task.signal)) {
    group = BitsText(task.signal->flags, kGroupFlags);
    if (task.signal->core_state != nullptr) {
      absl::StrAppend(&group, group.empty() ? "" : " ", "core_state");
    }
    pending |= task.signal->shared_pending;
  }
  Set(kTaskFacts, name, "signal flags", std::move(group));
  Set(kTaskFacts, name, "pending", SignalsText(pending));
}

// Where it stands, if it can't go on.
std::string Observer::WaitText(const Fiber& fiber) {
  if (fiber.status == FiberStatus::kDone || Engine::CanRun(&fiber) ||
      machine_.kernel().engine().stopped()) {
    return "";
  }
  if (fiber.op.point == Point::kUserMode) return "";
  return PointWhere(fiber.op.point);
}

std::string Observer::MemoryName(const mm_struct* mm) {
  Kernel& kernel = machine_.kernel();
  auto& slab = kernel.mm().mm_slab;
  if (!slab.IsLive(mm)) return "freed memory";
  const Identity identity{slab.IndexOf(mm), slab.GenerationOf(mm)};
  if (const auto found = memory_names_.find(identity);
      found != memory_names_.end()) {
    return found->second;
  }
  std::string owner = machine_.OwnerOf(mm);
  if (owner.empty()) {
    kernel.sched().task_slab.ForEach([&](const task_struct* task) {
      if (owner.empty() && task->mm == mm) owner = task->comm;
    });
  }
  std::string name = absl::StrCat("mm of ", owner.empty() ? "nobody" : owner);
  // A process may have had several, one after the other.
  const auto taken = static_cast<size_t>(std::count_if(
      memory_names_.begin(), memory_names_.end(), [&](const auto& each) {
        return each.second == name || each.second.starts_with(name + " #");
      }));
  if (taken > 0) absl::StrAppend(&name, " #", taken + 1);
  memory_names_.emplace(identity, name);
  return name;
}

void Observer::LookAtMemory() {
  Kernel& kernel = machine_.kernel();
  auto& slab = kernel.mm().mm_slab;
  const auto watch = [&](const mm_struct* mm) {
    watched_memory_.emplace(slab.IndexOf(mm), slab.GenerationOf(mm));
  };
  kernel.sched().task_slab.ForEach([&](const task_struct* task) {
    if (Watches(*task) && task->mm != nullptr && slab.IsLive(task->mm)) {
      watch(task->mm);
    }
  });
  for (const Identity& each : watched_memory_) {
    const auto name = memory_names_.find(each);
    if (name != memory_names_.end()) {
      Set(kMemoryFacts, name->second, "struct", "freed");
    }
  }
  slab.ForEach([&](const mm_struct* mm) {
    if (watched_memory_.contains({slab.IndexOf(mm), slab.GenerationOf(mm)})) {
      LookAtMm(*mm);
    }
  });
  Set(kMachineFacts, "", "free pages", absl::StrCat(kernel.mm().nr_free));
}

void Observer::LookAtMm(const mm_struct& mm) {
  const std::string name = MemoryName(&mm);
  const auto pages = [&](int member) {
    return absl::StrCat(get_mm_counter_sum(&mm, member));
  };
  Set(kMemoryFacts, name, "struct", "");
  Set(kMemoryFacts, name, "mm_users", absl::StrCat(mm.mm_users));
  Set(kMemoryFacts, name, "mm_count", absl::StrCat(mm.mm_count));
  Set(kMemoryFacts, name, "flags", BitsText(mm.flags, kMmFlags));
  Set(kMemoryFacts, name, "anonymous pages", pages(MM_ANONPAGES));
  Set(kMemoryFacts, name, "file pages", pages(MM_FILEPAGES));
  Set(kMemoryFacts, name, "shmem pages", pages(MM_SHMEMPAGES));
  Set(kMemoryFacts, name, "swap entries", pages(MM_SWAPENTS));
  Set(kMemoryFacts, name, "VMAs", absl::StrCat(VmasOf(&mm)));
  Set(kMemoryFacts, name, "page tables, bytes",
      absl::StrCat(mm.pgtables_bytes));
  Set(kMemoryFacts, name, "TLB entries",
      absl::StrCat(TlbEntries(machine_.kernel().mm(), &mm)));
}

// Whose locks have which numbers now.
void Observer::NameLocks() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  lock_owners_.clear();
  Kernel& kernel = machine_.kernel();
  kernel.mm().ptdesc_slab.ForEach([this](const ptdesc* table) {
    if (table->mm == nullptr) return;
    lock_owners_[NumberOf(&table->ptl)] = {MemoryName(table->mm)};
  });
  kernel.mm().mm_slab.ForEach([this](const mm_struct* mm) {
    const std::string name = MemoryName(mm);
    lock_owners_[NumberOf(&mm->mmap_lock)] = {name,
                                              IsHeldByReaders(mm->mmap_lock)};
    lock_owners_[NumberOf(&mm->page_table_lock)] = {name};
  });
  SchedState& sched = kernel.sched();
  lock_owners_[NumberOf(&sched.tasklist_lock)] = {
      "", sched.tasklist_lock.writer == 0};
  sched.task_slab.ForEach([&](const task_struct* task) {
    if (task->thread == nullptr) return;
    const std::string name = NameOf(task->thread->id);
    lock_owners_[NumberOf(&task->alloc_lock)] = {name};
    if (task->signal != nullptr && sched.signal_slab.IsLive(task->signal)) {
      signal_struct* signal = task->signal;
      lock_owners_.try_emplace(NumberOf(&signal->cred_guard_mutex),
                               Owner{name});
      lock_owners_.try_emplace(
          NumberOf(&signal->exec_update_lock),
          Owner{name, IsHeldByReaders(signal->exec_update_lock)});
    }
    if (task->sighand != nullptr && sched.sighand_slab.IsLive(task->sighand)) {
      lock_owners_.try_emplace(NumberOf(&task->sighand->siglock), Owner{name});
    }
  });
}

bool Observer::HeldShared(LockClass lock_class, uint32_t object) {
  if (!IsSharedLock(lock_class)) return false;
  const auto found = lock_owners_.find(object);
  return found != lock_owners_.end() && found->second.shared;
}

// "mmap_lock, mm of victim". Several of one name are numbered.
std::string Observer::LockName(LockClass lock_class, uint32_t object) {
  const auto found = lock_owners_.find(object);
  const bool owned = found != lock_owners_.end() && !found->second.name.empty();
  std::string name = absl::StrCat(LockClassName(lock_class), owned ? ", " : "",
                                  owned ? found->second.name : "");
  std::vector<uint32_t>& objects = same_name_[name];
  const auto known = std::find(objects.begin(), objects.end(), object);
  const auto number = known - objects.begin();
  if (known == objects.end()) objects.push_back(object);
  if (number > 0) absl::StrAppend(&name, " #", number + 1);
  return name;
}

void Observer::AddHeld(const Fiber& fiber) {
  const FiberHistory& past =
      machine_.kernel().engine().state()->fibers.HistoryOf(&fiber);
  uint32_t unknown = past.held;
  for (uint32_t i = 0; i < past.lock_count; ++i) {
    const auto lock_class = static_cast<LockClass>(past.locks[i].lock_class);
    unknown &= ~(1u << past.locks[i].lock_class);
    const uint32_t object = past.locks[i].object;
    now_.locks.push_back({HeldShared(lock_class, object)
                              ? ScheduleSpan::Kind::kShared
                              : ScheduleSpan::Kind::kExclusive,
                          LockName(lock_class, object), fiber.id});
  }
  // Of locks that were taken before the schedule only the class is known.
  for (int i = 0; i < kLockClasses; ++i) {
    if ((unknown >> i & 1) == 0) continue;
    now_.locks.push_back({ScheduleSpan::Kind::kExclusive,
                          LockClassName(static_cast<LockClass>(i)), fiber.id});
  }
}

void Observer::AddWaited(const Fiber& fiber) {
  if (machine_.kernel().engine().stopped() || Engine::CanRun(&fiber) ||
      fiber.op.access != Access::kAcquire) {
    return;
  }
  // What holds it, by class, names it.
  auto& fibers = machine_.kernel().engine().state()->fibers;
  std::string name;
  fibers.ForEach([&](const Fiber* holder) {
    const FiberHistory& past = fibers.HistoryOf(holder);
    for (uint32_t i = 0; i < past.lock_count; ++i) {
      if (past.locks[i].object != fiber.op.object) continue;
      name = LockName(static_cast<LockClass>(past.locks[i].lock_class),
                      fiber.op.object);
    }
  });
  if (name.empty()) return;
  now_.locks.push_back({ScheduleSpan::Kind::kWaits, name, fiber.id});
}

void Observer::LookAtLocks() {
  NameLocks();
  machine_.kernel().engine().state()->fibers.ForEach(
      [this](const Fiber* fiber) {
        if (fiber->status == FiberStatus::kDone) return;
        AddHeld(*fiber);
        AddWaited(*fiber);
      });
  SetLockFacts();
}

void Observer::SetLockFacts() {
  absl::btree_map<std::string, std::pair<std::string, std::string>> by_lock;
  for (const LockUse& use : now_.locks) {
    const bool waits = use.kind == ScheduleSpan::Kind::kWaits;
    auto& [owners, waiters] = by_lock[use.lock];
    std::string& text = waits ? waiters : owners;
    absl::StrAppend(&text, text.empty() ? "" : ", ", NameOf(use.fiber),
                    use.kind == ScheduleSpan::Kind::kShared ? " (reads)" : "");
  }
  for (auto& [lock, uses] : by_lock) {
    Set(kLockFacts, lock, "owner", std::move(uses.first));
    Set(kLockFacts, lock, "waits", std::move(uses.second));
  }
}

}  // namespace reapsim
