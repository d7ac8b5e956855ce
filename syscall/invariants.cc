// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/invariants.h"

#include "mm/memory.h"

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
const char* BrokenByTask(const MmState& mm, Checks checks,
                         const task_struct& t) {
  if (t.mm == nullptr) return nullptr;
  if (!mm.mm_slab.IsLive(t.mm) || t.mm->mm_users == 0) {
    return "S17: a task has an mm that has no users";
  }
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

const char* BrokenBySignal(SchedState& sched, const MmState& mm,
                           signal_struct* signal) {
  if (signal->oom_mm != nullptr &&
      (!mm.mm_slab.IsLive(signal->oom_mm) || signal->oom_mm->mm_count == 0)) {
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
  const char* broken = nullptr;
  const auto first = [&broken](const auto& ask) {
    if (broken == nullptr) broken = ask();
  };
  sched.task_slab.ForEach([&](const task_struct* t) {
    first([&] { return BrokenByTask(mm, checks, *t); });
  });
  mm.mm_slab.ForEach(
      [&](mm_struct* m) { first([&] { return BrokenByMm(mm, m); }); });
  sched.signal_slab.ForEach([&](signal_struct* s) {
    first([&] { return BrokenBySignal(sched, mm, s); });
  });
  first([&] { return BrokenByList(sched, oom); });
  if (checks.Has(Check::kS10)) {
    mm.vma_slab.ForEach([&](const vm_area_struct* vma) {
      first([&] { return BrokenByVma(vma); });
    });
  }
  return broken;
}

}  // namespace reapsim
