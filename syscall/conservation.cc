// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/conservation.h"

#include <signal.h>
#include <sys/wait.h>

#include <bit>
#include <vector>

#include "mm/debug.h"
#include "mm/pgtable.h"
#include "sched/freezer.h"
#include "syscall/exit.h"
#include "syscall/signal.h"

namespace reapsim {
namespace {

using Problems = std::vector<std::string>;

std::string Who(const task_struct& task) {
  return std::string(task.comm) + " (pid " + std::to_string(task.pid) + ")";
}

void CheckFibers(SchedState& sched, Problems* problems) {
  EngineState& engine = RootOf<EngineState>(&sched);
  engine.fibers.ForEach([&](Fiber* fiber) {
    const auto* task = static_cast<const task_struct*>(fiber->owner);
    if (fiber->rcu_nesting != 0) {
      problems->push_back(Who(*task) + " is in an RCU read section");
    }
    if (fiber->atomic_depth != 0) {
      problems->push_back(Who(*task) + " holds a spinlock");
    }
    uint32_t held = engine.fibers.HistoryOf(fiber).held;
    for (; held != 0; held &= held - 1) {
      problems->push_back(
          Who(*task) + " holds " +
          LockClassName(static_cast<LockClass>(std::countr_zero(held))));
    }
  });
}

// mm_users is exactly the tasks that have the mm: nobody is in a call that
// pins it. Borrowing kernel threads count through their owner's pin.
void CheckMmUsers(SchedState& sched, MmState& mm, Problems* problems) {
  std::vector<uint32_t> users(mm.mm_slab.high_water());
  sched.task_slab.ForEach([&](task_struct* task) {
    if (task->mm != nullptr) users[mm.mm_slab.IndexOf(task->mm)]++;
  });
  mm.mm_slab.ForEach([&](mm_struct* m) {
    const uint32_t tasks = users[mm.mm_slab.IndexOf(m)];
    if (m->mm_users == tasks) return;
    problems->push_back("an mm has mm_users " + std::to_string(m->mm_users) +
                        ", but " + std::to_string(tasks) + " tasks have it");
  });
}

void CheckOom(SchedState& sched, OomState& oom, Problems* problems) {
  uint32_t marked = 0;
  sched.task_slab.ForEach([&](task_struct* task) {
    if ((task->thread_flags & TIF_MEMDIE) != 0) marked++;
  });
  if (marked != oom.oom_victims) {
    problems->push_back("S25: oom_victims is " +
                        std::to_string(oom.oom_victims) + ", but " +
                        std::to_string(marked) + " threads are marked");
  }
}

void CompareCount(const char* what, uint64_t before, uint64_t after,
                  Problems* problems) {
  if (before == after) return;
  problems->push_back(std::string(what) + ": " + std::to_string(before) +
                      " at first, " + std::to_string(after) + " at the end");
}

}  // namespace

Population CountPopulation(SchedState& sched, MmState& mm) {
  // The huge zero page is made on first use and stays.
  const uint64_t kept =
      mm.huge_zero_pfn == kNoPfn ? 0 : uint64_t{1} << GeometryOf(mm).bits;
  return {.tasks = sched.task_slab.live(),
          .signals = sched.signal_slab.live(),
          .sighands = sched.sighand_slab.live(),
          .pids = sched.pid_slab.live(),
          .namespaces = sched.pid_ns_slab.live(),
          .mms = mm.mm_slab.live(),
          .vmas = mm.vma_slab.live(),
          .mappings = mm.mapping_slab.live(),
          .page_tables = mm.ptdesc_slab.live(),
          .free_frames = mm.nr_free + kept,
          .swap_used = mm.swap.used};
}

void CheckConservation(SchedState& sched, MmState& mm, OomState& oom,
                       Problems* problems) {
  CheckFibers(sched, problems);
  CheckMmUsers(sched, mm, problems);
  CheckOom(sched, oom, problems);
  CheckMmConservation(mm, problems);
}

void ComparePopulations(const Population& before, const Population& after,
                        Problems* problems) {
  CompareCount("tasks", before.tasks, after.tasks, problems);
  CompareCount("signal_structs", before.signals, after.signals, problems);
  CompareCount("sighand_structs", before.sighands, after.sighands, problems);
  CompareCount("pids", before.pids, after.pids, problems);
  CompareCount("pid namespaces", before.namespaces, after.namespaces, problems);
  CompareCount("mm_structs", before.mms, after.mms, problems);
  CompareCount("VMAs", before.vmas, after.vmas, problems);
  CompareCount("mappings", before.mappings, after.mappings, problems);
  CompareCount("page-table pages", before.page_tables, after.page_tables,
               problems);
  CompareCount("free frames", before.free_frames, after.free_frames, problems);
  CompareCount("swap slots", before.swap_used, after.swap_used, problems);
}

int64_t KillEverybody() {
  rcu_read_lock();
  for (task_struct& p : Here<SchedState>().tasks) {
    if ((p.flags & PF_KTHREAD) != 0 || is_global_init(&p)) continue;
    freezer_change_state(&p, false);
    cgroup_freeze(&p, false);
    (void)do_send_sig_info(SIGKILL, SEND_SIG_PRIV, &p, PIDTYPE_TGID);
  }
  rcu_read_unlock();
  return 0;
}

int64_t ReapAllChildren() {
  while (sys_wait4(-1, nullptr, WNOHANG | __WALL) > 0) {
  }
  return 0;
}

}  // namespace reapsim
