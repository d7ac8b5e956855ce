// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/invariants.h"

#include <string>
#include <vector>

#include "mm/memory.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "syscall/syscall_state.h"

namespace reapsim {
namespace {

// Whether the group is ending, or a lone thread is past exit_signals(): what
// __task_will_free_mem() asks, without its steps and without core dumps.
bool IsDying(const task_struct& t) {
  if ((t.signal->flags & SIGNAL_GROUP_EXIT) != 0) return true;
  const ThreadList& threads = t.signal->thread_head;
  return (t.flags & PF_EXITING) != 0 && !threads.empty() &&
         &threads.front() == &threads.back();
}

bool IsDumping(const task_struct& t) {
  return (t.signal->flags & SIGNAL_GROUP_COREDUMP) != 0 ||
         t.signal->core_state != nullptr || t.mm->core_state_515 != nullptr;
}

// Everything about one task and its mm.
const char* BrokenByTask(Checks checks, const task_struct& t) {
  if (t.mm == nullptr) return nullptr;
  // Of a freed one, too: free memory is zero.
  if (t.mm->mm_users == 0) return "S17: a task has an mm that has no users";
  if (t.mm->reapers == 0 || (t.flags & PF_KTHREAD) != 0) return nullptr;
  if (!IsDying(t)) {
    return "S8: a reaper is at work on the memory of a task that is not dying";
  }
  if (checks.Has(Check::kS16) && IsDumping(t)) {
    return "S16: a reaper is at work on memory whose core is being dumped";
  }
  return nullptr;
}

// The flags that never go off again, of those seen before.
const char* BrokenByFlags(uint64_t never_off, uint64_t flags, FlagsSeen* seen) {
  if (seen->flags == flags) return nullptr;
  if ((seen->flags & ~flags & never_off) != 0) {
    return "S14: a flag that says what is over has been cleared";
  }
  seen->flags = flags;
  return nullptr;
}

const char* BrokenByMm(MmState& state, mm_struct* mm) {
  constexpr uint64_t kNeverOff =
      uint64_t{1} << MMF_OOM_SKIP | uint64_t{1} << MMF_UNSTABLE;
  if (mm->mm_users > 0 && mm->mm_count == 0) {
    return "S17: an mm has users, but mm_count is 0";
  }
  return BrokenByFlags(kNeverOff, mm->flags, &state.mm_slab.HistoryOf(mm));
}

const char* BrokenBySignal(SchedState& sched, signal_struct* signal) {
  if (signal->oom_mm != nullptr && signal->oom_mm->mm_count == 0) {
    return "S25: an OOM victim's mm is gone before the victim";
  }
  return BrokenByFlags(SIGNAL_GROUP_EXIT, signal->flags,
                       &sched.signal_slab.HistoryOf(signal));
}

// No analysis: the host looks between steps.
const char* BrokenByList(SchedState& sched,
                         const OomState& oom) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  uint32_t entries = 0;
  for (const task_struct* t = oom.oom_reaper_list; t != nullptr;
       t = t->oom_reaper_list) {
    if (!sched.task_slab.IsLive(t) || t->usage == 0) {
      return "S12: the OOM reaper's list has a task without a reference";
    }
    if (++entries > sched.task_slab.live()) {
      return "S12: the OOM reaper's list has no end";
    }
  }
  return nullptr;
}

const char* BrokenByVma(const vm_area_struct* vma) {
  if (!vma->reaped) return nullptr;
  const PageCounts pages = CountPages(vma->vm_mm, vma->vm_start, vma->vm_end);
  return pages.rss() + pages.zero == 0
             ? nullptr
             : "S10: a page is back in private memory that has been reaped";
}

}  // namespace

const char* BrokenInvariant(SchedState& sched, MmState& mm, OomState& oom) {
  const Checks checks = RootOf<EngineState>(&sched).checks;
  // What `ask` says of the first object of a slab of which it says something.
  const auto first = [](auto& slab, const auto& ask) -> const char* {
    for (uint32_t i = 0; i < slab.high_water(); ++i) {
      auto* object = slab.LiveAt(i);
      if (object == nullptr) continue;
      const char* broken = ask(object);
      if (broken != nullptr) [[unlikely]]
        return broken;
    }
    return nullptr;
  };
  const char* broken = first(sched.task_slab, [&](const task_struct* t) {
    return BrokenByTask(checks, *t);
  });
  if (broken == nullptr) {
    broken = first(mm.mm_slab,
                   [&](mm_struct* each) { return BrokenByMm(mm, each); });
  }
  if (broken == nullptr) {
    broken = first(sched.signal_slab, [&](signal_struct* each) {
      return BrokenBySignal(sched, each);
    });
  }
  if (broken == nullptr) broken = BrokenByList(sched, oom);
  if (broken == nullptr && checks.Has(Check::kS10)) {
    broken = first(mm.vma_slab, BrokenByVma);
  }
  return broken;
}

namespace {

std::string Who(const task_struct& task) {
  return std::string(task.comm) + " (pid " + std::to_string(task.pid) + ")";
}

// Somebody outside of the machine holds the task: a tracer, job control, a
// device, a freezer that no OOM kill opens.
bool IsHeldFromOutside(const task_struct& t) {
  switch (t.thread->op.point) {
    case Point::kPtraceStop:
    case Point::kDoSignalStop:
    case Point::kDriverWait:
    case Point::kCoredumpWrite:
    case Point::kExitAio:
      return true;
    case Point::kRefrigerator:
      return t.signal->oom_mm == nullptr;
    default:
      return false;
  }
}

// L2. Nobody who has the mm will live on, and nobody outside keeps them.
bool OughtToBeFreed(SchedState& sched, const mm_struct* mm) {
  bool users = false;
  bool ought = true;
  sched.task_slab.ForEach([&](const task_struct* t) {
    if (t->mm != mm) return;
    users = true;
    ought &=
        (t->flags & PF_KTHREAD) == 0 && IsDying(*t) && !IsHeldFromOutside(*t);
  });
  return users && ought;
}

// L3. No analysis: the host looks between steps.
bool ReaperIsBusy(const OomState& oom) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const Fiber* fiber = oom.oom_reaper_th->thread;
  return oom.oom_reaper_list != nullptr ||
         (fiber->status != FiberStatus::kNew &&
          fiber->op.point != Point::kOomReaperWait);
}

// The word of a futex that somebody waits for; false if it is nowhere.
bool FutexWord(const MmState& state, const futex_key& key, uint64_t* word) {
  const auto* mm = static_cast<const mm_struct*>(key.object);
  if (!state.mm_slab.IsLive(mm)) {
    const auto* mapping = static_cast<const address_space*>(key.object);
    if (!state.mapping_slab.IsLive(mapping)) return false;
    const uint64_t entry = mapping->i_pages.Get(key.offset);
    if (entry == 0 || entry >> kSwpTypeShift != 0) return false;
    *word = ReadPageWord(state, static_cast<pfn_t>(entry));
    return true;
  }
  int level = 0;
  const pte_t* entry = FindEntry(state, mm, key.offset, &level);
  if (entry == nullptr || level != 1 || !pte_present(*entry)) return false;
  *word = ReadPageWord(state, pte_pfn(*entry));
  return true;
}

// L5. The word names an owner that is dead, and does not say so.
bool OwnerDiedUntold(SchedState& sched, uint64_t word) {
  const uint64_t owner = word & FUTEX_TID_MASK;
  if (owner == 0 || (word & FUTEX_OWNER_DIED) != 0) return false;
  bool alive = false;
  sched.task_slab.ForEach([&](const task_struct* t) {
    alive |= static_cast<uint64_t>(t->pid) == owner && t->exit_state == 0;
  });
  return !alive;
}

// The mm for whose mmap_lock a fiber stands at `point`, or null.
const mm_struct* MmWaitedFor(MmState& state, const Fiber& fiber, Point point) {
  const mm_struct* found = nullptr;
  if (fiber.op.point != point) return found;
  state.mm_slab.ForEach([&](const mm_struct* mm) {
    if (NumberOf(&mm->mmap_lock) == fiber.op.object) found = mm;
  });
  return found;
}

// L8. Whoever reads that way: the call walks, and looks again, with the lock.
const char* WaitsThoughItNeedNot(SchedState& sched, MmState& mm,
                                 const task_struct* t) {
  const bool calls =
      sched.task_slab.HistoryOf(t).context == TaskContext::kMrelease;
  if (!calls) return nullptr;
  const mm_struct* waited = MmWaitedFor(mm, *t->thread, Point::kDownReadWait);
  if (waited == nullptr) return nullptr;
  if (fatal_signal_pending(t)) return "it has been killed";
  return waited->mmap_lock.writer == 0 ? "nobody holds that for writing"
                                       : nullptr;
}

}  // namespace

std::vector<std::string> UnmetGoals(SchedState& sched, MmState& mm,
                                    OomState& oom) {
  std::vector<std::string> goals;
  sched.task_slab.ForEach([&](const task_struct* t) {
    const mm_struct* oom_mm = t->signal->oom_mm;
    const ThreadList& threads = t->signal->thread_head;
    if (oom_mm == nullptr || threads.empty() || &threads.front() != t) return;
    if ((oom_mm->flags >> MMF_OOM_SKIP & 1) != 0) return;
    goals.push_back("L1: the memory of the OOM victim " + Who(*t) +
                    " is not hidden: the OOM killer waits for it");
  });
  mm.mm_slab.ForEach([&](const mm_struct* m) {
    if (!OughtToBeFreed(sched, m)) return;
    goals.push_back("L2: everybody who has mm " +
                    std::to_string(mm.mm_slab.IndexOf(m)) +
                    " is to die, and it is not freed");
  });
  if (ReaperIsBusy(oom)) {
    goals.push_back("L3: the OOM reaper is not done with what it was given");
  }
  SyscallState& calls = RootOf<SyscallState>(&sched);
  for (const futex_q& q : calls.futex_queue) {
    uint64_t word = 0;
    if (!FutexWord(mm, q.key, &word) || !OwnerDiedUntold(sched, word)) continue;
    goals.push_back(
        "L5: somebody waits for a robust lock, and does not hear "
        "that its owner, " +
        std::to_string(word & FUTEX_TID_MASK) + ", has died");
  }
  sched.task_slab.ForEach([&](const task_struct* t) {
    const char* why = WaitsThoughItNeedNot(sched, mm, t);
    if (why != nullptr) {
      goals.push_back("L8: " + Who(*t) +
                      " waits for mmap_lock in process_mrelease(), although " +
                      why);
    }
    const mm_struct* left = MmWaitedFor(mm, *t->thread, Point::kDownWriteWait);
    if (left != nullptr && left->mm_users == 0) {
      goals.push_back("L9: " + Who(*t) + " waits for mmap_lock in exit_mmap()");
    }
  });
  return goals;
}

}  // namespace reapsim
