// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/oom_kill.c, v5.15-rc1 to v7.2; see the header for what is
// modelled, simplified and stubbed. Functions stand in the kernel's order.

#include "mm/oom_kill.h"

#include <cerrno>

#include "mm/fork.h"
#include "mm/invariants.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/mmu_gather.h"
#include "mm/mmu_notifier.h"
#include "mm/swapfile.h"
#include "sched/freezer.h"
#include "sched/pid.h"
#include "sched/printk.h"
#include "sched/race.h"
#include "sched/signal.h"

namespace reapsim {
namespace {

OomState& oom() { return Here<OomState>(); }

TaskHistory& HistoryOf(task_struct* task) {
  return Here<SchedState>().task_slab.HistoryOf(task);
}

// Notes, for explanations only, what decided; returns `ret` so that a check
// reads as one line.
long Decide(MreleaseDecision decision, long ret) {
  HistoryOf(current()).mrelease_decision = static_cast<uint8_t>(decision);
  return ret;
}

bool Because(WillFreeReason reason, bool result) {
  HistoryOf(current()).will_free_reason = static_cast<uint8_t>(reason);
  return result;
}

unsigned long K(int64_t pages) {
  return static_cast<unsigned long>(pages) << (PAGE_SHIFT - 10);
}

// mm/oom_kill.c:is_sysrq_oom()
bool is_sysrq_oom(const oom_control* oc) { return oc->order == -1; }

// mm/oom_kill.c:oom_unkillable_task()
bool oom_unkillable_task(const task_struct* p) {
  return is_global_init(p) || (p->flags & PF_KTHREAD) != 0;
}

// What the kernel reads of a counter: exact sums from v7.x on.
int64_t MmCounter(const mm_struct* mm, int member) {
  return differences().exact_rss_sums ? get_mm_counter_sum(mm, member)
                                      : get_mm_counter(mm, member);
}

// All of them, one after the other: each read is a visible step, and in which
// order a compiler evaluates arguments and operands is its own affair.
struct MmCounters {
  int64_t file, anon, shmem, swap;
};
MmCounters ReadCounters(const mm_struct* mm) {
  MmCounters counters;
  counters.file = MmCounter(mm, MM_FILEPAGES);
  counters.anon = MmCounter(mm, MM_ANONPAGES);
  counters.shmem = MmCounter(mm, MM_SHMEMPAGES);
  counters.swap = MmCounter(mm, MM_SWAPENTS);
  return counters;
}

}  // namespace

// Returns with task_lock(t) held, which clang's analysis can't express for a
// lock inside the result.
task_struct* find_lock_task_mm(task_struct* p) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  rcu_read_lock();
  task_struct* found = nullptr;
  for (task_struct& t : p->signal->thread_head) {
    Charge(Cost::kThreadScanned, 1);
    task_lock(&t);
    PlainRead(&t.mm, "task->mm");
    if (t.mm != nullptr) {
      found = &t;
      break;
    }
    task_unlock(&t);
  }
  rcu_read_unlock();
  return found;
}

// The caller's own mm is compared without a lock where the kernel does so.
int64_t oom_badness(task_struct* p,
                    uint64_t totalpages) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (oom_unkillable_task(p)) return INT64_MIN;
  p = find_lock_task_mm(p);
  if (p == nullptr) return INT64_MIN;
  mm_struct* mm = p->mm;
  const int64_t adj = p->signal->oom_score_adj;
  // A vfork child has borrowed the memory: killing it would free nothing.
  const bool in_vfork = p->vfork_done != nullptr && p->real_parent->mm == p->mm;
  if (adj == OOM_SCORE_ADJ_MIN || test_bit(MMF_OOM_SKIP, &mm->flags) ||
      in_vfork) {
    task_unlock(p);
    return INT64_MIN;
  }
  const MmCounters counters = ReadCounters(mm);
  const int64_t points = counters.file + counters.anon + counters.shmem +
                         counters.swap +
                         mm->pgtables_bytes / static_cast<int64_t>(PAGE_SIZE);
  task_unlock(p);
  return points + adj * (static_cast<int64_t>(totalpages) / 1000);
}

namespace {

// mm/oom_kill.c:oom_evaluate_task(). False: stop the scan.
bool oom_evaluate_task(task_struct* task, oom_control* oc) {
  if (oom_unkillable_task(task)) return true;
  // A victim that may still free its memory must be waited for; one whose mm
  // is hidden has nothing more to give.
  if (!is_sysrq_oom(oc) && tsk_is_oom_victim(task)) {
    if (test_bit(MMF_OOM_SKIP, &task->signal->oom_mm->flags)) return true;
    if (oc->chosen != nullptr) put_task_struct(oc->chosen);
    oc->chosen = nullptr;
    oc->aborted = true;
    return false;
  }
  int64_t points = INT64_MAX;
  if (!task->signal->oom_flag_origin) {
    points = oom_badness(task, oc->totalpages);
    // Equal points: the later task wins.
    if (points == INT64_MIN || points < oc->chosen_points) return true;
  }
  if (oc->chosen != nullptr) put_task_struct(oc->chosen);
  get_task_struct(task);
  oc->chosen = task;
  oc->chosen_points = points;
  return true;
}

// mm/oom_kill.c:select_bad_process()
void select_bad_process(oom_control* oc) {
  oc->chosen_points = INT64_MIN;
  rcu_read_lock();
  for (task_struct& p : Here<SchedState>().tasks) {
    Charge(Cost::kProcessScanned, 1);
    if (!oom_evaluate_task(&p, oc)) break;
  }
  rcu_read_unlock();
}

}  // namespace

namespace {

// The flags of VMAs that the reapers of no version take.
uint64_t NeverReaped() {
  return Switched(Switch::kReaperTakesHugetlb) ? 0 : VM_HUGETLB | VM_PFNMAP;
}

}  // namespace

bool process_shares_mm(task_struct* p, mm_struct* mm) {
  for (task_struct& t : p->signal->thread_head) {
    Charge(Cost::kThreadScanned, 1);
    const mm_struct* t_mm = READ_ONCE(t.mm);
    if (t_mm != nullptr) return t_mm == mm;
  }
  return false;
}

// mm_users, mmap_lock and the VMAs' own contents are read under mmap_lock(R);
// the walk's page-table locks are taken below unmap_page_range().
bool __oom_reap_task_mm(mm_struct* mm) {
  const ReapSection section(mm);
  bool ret = true;
  // From here on a fault that would bring back lost contents is refused, at
  // least where the fault path looks; see semantics in docs.
  set_bit(MMF_UNSTABLE, &mm->flags);

  const bool reverse = differences().walks_in_reverse;
  const mmu_notifier_event event =
      differences().notifies_clear ? MMU_NOTIFY_CLEAR : MMU_NOTIFY_UNMAP;
  Charge(Cost::kReapWalk, 1);
  for (vm_area_struct* vma = reverse ? vma_last(mm) : vma_first(mm);
       vma != nullptr; vma = reverse ? vma_prev(vma) : vma_next(vma)) {
    Mark(Point::kReapVma);
    // The mark may have let somebody else run.
    vma_check_live(vma);
    uint64_t never = NeverReaped();
    if (!differences().reaps_mlocked) never |= VM_LOCKED;
    const bool ours = vma_is_anonymous(vma) || (vma->vm_flags & VM_SHARED) == 0;
    if ((vma->vm_flags & never) != 0 || !ours) {
      Charge(Cost::kVmaSkipped, 1);
      continue;
    }
    mmu_notifier_range range{.mm = mm,
                             .start = vma->vm_start,
                             .end = vma->vm_end,
                             .event = event,
                             .blockable = false};
    mmu_gather tlb;
    tlb_gather_mmu(&tlb, mm);
    if (mmu_notifier_invalidate_range_start_nonblock(&range) != 0) {
      tlb_finish_mmu(&tlb);
      ret = false;
      continue;
    }
    unmap_page_range(&tlb, vma, range.start, range.end, {.reaping = true});
    NoteReaped(vma);
    mmu_notifier_invalidate_range_end(&range);
    tlb_finish_mmu(&tlb);
  }
  return ret;
}

namespace {

// mm/oom_kill.c:oom_reap_task_mm(). True: nothing is left to try.
bool oom_reap_task_mm(task_struct* tsk, mm_struct* mm) {
  // A trylock: the holder may itself wait for memory that only a reaper frees.
  if (!mmap_read_trylock(mm)) {
    trace_oom("skip_task_reaping", "pid=%d", tsk->pid);
    return false;
  }
  // exit_mmap has got there first, or the mm is broken.
  if (!Switched(Switch::kReaperNoRecheck) &&
      test_bit(MMF_OOM_SKIP, &mm->flags)) {
    trace_oom("skip_task_reaping", "pid=%d", tsk->pid);
    mmap_read_unlock(mm);
    return true;
  }
  trace_oom("start_task_reaping", "pid=%d", tsk->pid);
  const bool ret = __oom_reap_task_mm(mm);
  if (ret) {
    const MmCounters left = ReadCounters(mm);
    pr_info(
        "oom_reaper: reaped process %d (%s), now anon-rss:%lukB, "
        "file-rss:%lukB, shmem-rss:%lukB",
        tsk->pid, tsk->comm, K(left.anon), K(left.file), K(left.shmem));
  }
  trace_oom("finish_task_reaping", "pid=%d", tsk->pid);
  mmap_read_unlock(mm);
  return ret;
}

// One attempt. True: nothing is left to try.
bool TryToReap(task_struct* tsk, mm_struct* mm) {
  if (!Switched(Switch::kReaperPinsMmUsers)) return oom_reap_task_mm(tsk, mm);
  // v4.6: exit_mmap() can't begin while the reaper is a user of the mm, and
  // falls to the reaper if it is the last.
  if (!mmget_not_zero(mm)) return true;
  const bool done = oom_reap_task_mm(tsk, mm);
  mmput(mm);
  return done;
}

// Whether the reaper is to try once more. No count without an end: the states
// of a search would not repeat.
bool MayTryAgain(int* attempts) {
  return Switched(Switch::kReaperNeverGivesUp) ||
         (*attempts)++ < MAX_OOM_REAP_RETRIES;
}

// mm/oom_kill.c:oom_reap_task()
void oom_reap_task(task_struct* tsk) {
  Mark(Point::kOomReapTask);
  mm_struct* mm = tsk->signal->oom_mm;
  int attempts = 0;
  while (MayTryAgain(&attempts) && !TryToReap(tsk, mm)) {
    (void)schedule_timeout_idle(HZ / 10);
  }
  if (attempts > MAX_OOM_REAP_RETRIES && !test_bit(MMF_OOM_SKIP, &mm->flags)) {
    pr_info("oom_reaper: unable to reap pid:%d (%s)", tsk->pid, tsk->comm);
  }
  PlainWrite(&tsk->oom_reaper_list, "task->oom_reaper_list");
  tsk->oom_reaper_list = nullptr;
  // Reaped or hopeless: either way the OOM killer must look elsewhere, or it
  // would wait for this mm for ever.
  HideMm(mm);
  put_task_struct(tsk);
}

}  // namespace

// mm/oom_kill.c:oom_reaper(), the thread.
void oom_reaper(void* /*unused*/) {
  OomState* state = &oom();
  MyHistory().context = TaskContext::kOomReaper;
  for (;;) {
    WaitUntil(Point::kOomReaperWait, Access::kRead,
              NumberOf(&state->oom_reaper_list),
              [state]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
                return state->oom_reaper_list != nullptr;
              });
    task_struct* tsk = nullptr;
    spin_lock(&state->oom_reaper_lock);
    if (state->oom_reaper_list != nullptr) {
      PlainWrite(&state->oom_reaper_list, "oom_reaper_list");
      PlainRead(&state->oom_reaper_list->oom_reaper_list,
                "task->oom_reaper_list");
      tsk = state->oom_reaper_list;
      state->oom_reaper_list = tsk->oom_reaper_list;
    }
    spin_unlock(&state->oom_reaper_lock);
    if (tsk != nullptr) oom_reap_task(tsk);
  }
}

namespace {

// Whoever is queued is queued once, and for an mm of its own. Caller:
// oom_reaper_lock.
void CheckNotQueued(const task_struct* list, const task_struct* tsk) {
  for (; list != nullptr; list = list->oom_reaper_list) {
    Invariant(list != tsk && list->signal->oom_mm != tsk->signal->oom_mm,
              "S12: an mm is queued for the OOM reaper twice");
  }
}

task_struct* TaskOfTimer(timer_list* timer) {
  const auto offset = reinterpret_cast<uintptr_t>(
      &static_cast<task_struct*>(nullptr)->oom_reaper_timer);
  return reinterpret_cast<task_struct*>(reinterpret_cast<uintptr_t>(timer) -
                                        offset);
}

// mm/oom_kill.c:wake_oom_reaper(): the timer's function from v5.18 on, called
// at once before that.
void wake_oom_reaper(timer_list* timer) {
  task_struct* tsk = TaskOfTimer(timer);
  mm_struct* mm = tsk->signal->oom_mm;
  if (test_bit(MMF_OOM_SKIP, &mm->flags)) {
    put_task_struct(tsk);
    return;
  }
  OomState& state = oom();
  spin_lock(&state.oom_reaper_lock);
  CheckNotQueued(state.oom_reaper_list, tsk);
  PlainWrite(&tsk->oom_reaper_list, "task->oom_reaper_list");
  PlainWrite(&state.oom_reaper_list, "oom_reaper_list");
  tsk->oom_reaper_list = state.oom_reaper_list;
  state.oom_reaper_list = tsk;
  Touch();
  spin_unlock(&state.oom_reaper_lock);
  trace_oom("wake_reaper", "pid=%d", tsk->pid);
}

// mm/oom_kill.c:queue_oom_reaper()
void queue_oom_reaper(task_struct* tsk) {
  // Once for an mm, however many of its threads are marked.
  if (test_and_set_bit(MMF_OOM_REAP_QUEUED, &tsk->signal->oom_mm->flags) &&
      !Switched(Switch::kVictimsQueuedTwice)) {
    return;
  }
  get_task_struct(tsk);
  tsk->oom_reaper_timer.function = wake_oom_reaper;
  if (differences().oom_reaper_delayed) {
    // Gives exit a chance to clean up futexes first (see H13 in docs).
    add_timer(&tsk->oom_reaper_timer, OOM_REAPER_DELAY);
  } else {
    wake_oom_reaper(&tsk->oom_reaper_timer);
  }
}

}  // namespace

void mark_oom_victim(task_struct* tsk) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  Mark(Point::kMarkOomVictim);
  mm_struct* mm = tsk->mm;
  Invariant(!oom().oom_killer_disabled, "an OOM victim while disabled");
  // This thread has been marked before.
  if ((tsk->thread_flags & TIF_MEMDIE) != 0) return;
  tsk->thread_flags |= TIF_MEMDIE;
  SchedulePoint(Point::kFlagSet, Access::kWrite,
                NumberOf(&tsk->signal->oom_mm));
  if (tsk->signal->oom_mm == nullptr) {
    tsk->signal->oom_mm = mm;
    mmgrab(mm);
    if (differences().has_mmf_oom_victim) set_bit(MMF_OOM_VICTIM, &mm->flags);
  }
  // A frozen victim could not exit.
  if (differences().thaws_whole_process) {
    thaw_process(tsk);
  } else {
    __thaw_task(tsk);
  }
  atomic_inc(&oom().oom_victims);
  if (differences().mark_victim_has_fields) {
    const MmCounters has = ReadCounters(mm);
    trace_oom("mark_victim",
              "pid=%d comm=%s total-vm=%lukB anon-rss=%lukB file-rss:%lukB "
              "shmem-rss:%lukB uid=%u pgtables=%lukB oom_score_adj=%hd",
              tsk->pid, tsk->comm, K(static_cast<int64_t>(mm->total_vm)),
              K(has.anon), K(has.file), K(has.shmem), tsk->uid,
              static_cast<unsigned long>(mm->pgtables_bytes >> 10),
              tsk->signal->oom_score_adj);
  } else {
    trace_oom("mark_victim", "pid=%d", tsk->pid);
  }
}

void exit_oom_victim() {
  current()->thread_flags &= ~TIF_MEMDIE;
  (void)atomic_dec_return(&oom().oom_victims);
}

void oom_killer_enable() { oom().oom_killer_disabled = false; }

bool oom_killer_disable(uint64_t timeout_jiffies) {
  OomState* state = &oom();
  if (mutex_lock_killable(&state->oom_lock) != 0) return false;
  state->oom_killer_disabled = true;
  mutex_unlock(&state->oom_lock);
  // Waits for victims to be gone; the time ends the wait, too.
  uint64_t left = timeout_jiffies;
  while (state->oom_victims != 0 && left > 0) {
    (void)schedule_timeout_killable(1);
    left--;
  }
  if (state->oom_victims == 0) return true;
  oom_killer_enable();
  return false;
}

namespace {

// mm/oom_kill.c:__task_will_free_mem(): whether this one task is dying. Reads
// without locks, each one visible step.
bool __task_will_free_mem(task_struct* task,
                          WillFreeReason* why) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  signal_struct* sig = task->signal;
  // A coredump may sleep for long, e.g. on I/O: such a task won't exit soon.
  const bool dumping =
      differences().dying_vetoed_by_group_coredump_flag
          ? (READ_ONCE(sig->flags) & SIGNAL_GROUP_COREDUMP) != 0
          : READ_ONCE(sig->core_state) != nullptr;
  if (dumping && !Switched(Switch::kCoreDumpIsNoVeto)) {
    *why = WillFreeReason::kCoreDump;
    return false;
  }
  MyHistory().passed_dump |= dumping;
  if ((READ_ONCE(sig->flags) & SIGNAL_GROUP_EXIT) != 0) return true;
  if (thread_group_empty(task) && (READ_ONCE(task->flags) & PF_EXITING) != 0) {
    return true;
  }
  *why = WillFreeReason::kNotExiting;
  return false;
}

// A hint for the host, on machines with thousands of processes: who was born
// later mostly lies behind, at the same distance, as does its signal_struct.
void PrefetchLaterOnes(const task_struct& p) {
  constexpr int kAhead = 8;
  __builtin_prefetch(&(&p + kAhead)->mm);
  __builtin_prefetch(&(&p + kAhead)->tasks);
  __builtin_prefetch(&(p.signal + kAhead)->thread_head);
}

// The second half of task_will_free_mem(): every other process with the mm.
// All in one piece, for machines with many processes.
[[gnu::flatten]] bool SharersWillFreeMem(task_struct* task, mm_struct* mm) {
  rcu_read_lock();
  bool ret = true;
  for (task_struct& p : Here<SchedState>().tasks) {
    PrefetchLaterOnes(p);
    Charge(Cost::kProcessScanned, 1);
    if (!process_shares_mm(&p, mm) || same_thread_group(task, &p)) continue;
    WillFreeReason why = WillFreeReason::kNone;
    ret = __task_will_free_mem(&p, &why);
    if (!ret) {
      HistoryOf(current()).sharer = p.pid;
      (void)Because(why == WillFreeReason::kCoreDump
                        ? WillFreeReason::kSharerDumps
                        : WillFreeReason::kSharerLives,
                    false);
      break;
    }
  }
  rcu_read_unlock();
  return ret;
}

bool SharersAreToDie(task_struct* task, mm_struct* mm) {
  return Switched(Switch::kSharersNeedNotDie) || SharersWillFreeMem(task, mm);
}

}  // namespace

bool task_will_free_mem(task_struct* task) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mm_struct* mm = task->mm;
  HistoryOf(current()).sharer = 0;
  // Skip tasks without mm: they may have passed exit_mm, and nothing of it
  // can be said any more.
  if (mm == nullptr) return Because(WillFreeReason::kNoMm, false);
  WillFreeReason why = WillFreeReason::kNone;
  if (!__task_will_free_mem(task, &why)) return Because(why, false);
  // The reaper has done what it could, or given up.
  if (test_bit(MMF_OOM_SKIP, &mm->flags)) {
    return Because(WillFreeReason::kOomSkip, false);
  }
  if (atomic_read(mm->mm_users) <= 1) {
    return Because(WillFreeReason::kOnlyUser, true);
  }
  if (!SharersAreToDie(task, mm)) return false;
  return Because(WillFreeReason::kAllSharersDie, true);
}

namespace {

// mm/oom_kill.c:__oom_kill_process(). Takes over the caller's reference.
void __oom_kill_process(task_struct* victim,
                        const char* message) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  task_struct* p = find_lock_task_mm(victim);
  if (p == nullptr) {
    pr_info("%s: OOM victim %d (%s) is already exiting. Skip killing the task",
            message, victim->pid, victim->comm);
    put_task_struct(victim);
    return;
  }
  if (victim != p) {
    get_task_struct(p);
    put_task_struct(victim);
    victim = p;
  }
  mm_struct* mm = victim->mm;
  mmgrab(mm);
  // The signal comes first: once marked, the victim may dip into the memory
  // reserves, and must not do so as a live program.
  (void)do_send_sig_info(SIGKILL, SEND_SIG_PRIV, victim, PIDTYPE_TGID);
  mark_oom_victim(victim);
  const MmCounters has = ReadCounters(mm);
  pr_info(
      "%s: Killed process %d (%s) total-vm:%lukB, anon-rss:%lukB, "
      "file-rss:%lukB, shmem-rss:%lukB, UID:%u pgtables:%lukB "
      "oom_score_adj:%hd",
      message, victim->pid, victim->comm, K(static_cast<int64_t>(mm->total_vm)),
      K(has.anon), K(has.file), K(has.shmem), victim->uid,
      static_cast<unsigned long>(mm->pgtables_bytes >> 10),
      victim->signal->oom_score_adj);
  task_unlock(victim);

  // Whoever shares the mm must die, too, or it would never be freed.
  bool can_oom_reap = true;
  rcu_read_lock();
  for (task_struct& q : Here<SchedState>().tasks) {
    Charge(Cost::kProcessScanned, 1);
    if (!process_shares_mm(&q, mm) || same_thread_group(&q, victim)) continue;
    if (is_global_init(&q)) {
      can_oom_reap = false;
      if (!Switched(Switch::kInitSharedMmNotHidden)) {
        HideMm(mm);
      }
      pr_info("oom killer %d (%s) has mm pinned by %d (%s)", victim->pid,
              victim->comm, q.pid, q.comm);
      continue;
    }
    // A kernel thread that borrows the mm reads nothing of it that matters.
    if ((q.flags & PF_KTHREAD) != 0) continue;
    (void)do_send_sig_info(SIGKILL, SEND_SIG_PRIV, &q, PIDTYPE_TGID);
  }
  rcu_read_unlock();

  if (can_oom_reap) queue_oom_reaper(victim);
  mmdrop(mm);
  put_task_struct(victim);
}

// mm/oom_kill.c:oom_kill_process()
void oom_kill_process(oom_control* oc,
                      const char* message) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  task_struct* victim = oc->chosen;
  // It is on its way out: no need to kill, only to help and to reap it.
  task_lock(victim);
  if (task_will_free_mem(victim)) {
    mark_oom_victim(victim);
    queue_oom_reaper(victim);
    task_unlock(victim);
    put_task_struct(victim);
    return;
  }
  task_unlock(victim);
  __oom_kill_process(victim, message);
}

// mm/oom_kill.c:check_panic_on_oom(), without memory policies.
void check_panic_on_oom(const oom_control* oc) {
  if (oom().sysctl_panic_on_oom == 0 || is_sysrq_oom(oc)) return;
  Fail(VerdictKind::kDeadlock, "panic: Out of memory: panic_on_oom is enabled");
}

// mm/oom_kill.c:constrained_alloc(), without NUMA: all there is.
uint64_t TotalPages() {
  const MmState& mm = Here<MmState>();
  return mm.options.frames + total_swap_pages(mm);
}

}  // namespace

bool out_of_memory(oom_control* oc) {
  Mark(Point::kOutOfMemory);
  if (oom().oom_killer_disabled) return false;
  // The caller itself is dying: let it through, it frees its memory soonest.
  if (task_will_free_mem(current())) {
    mark_oom_victim(current());
    queue_oom_reaper(current());
    return true;
  }
  const bool tolerated =
      differences().oom_ignores_zero_gfp_mask && oc->gfp_mask == 0;
  if ((oc->gfp_mask & __GFP_FS) == 0 && !tolerated) return true;
  oc->totalpages = TotalPages();
  check_panic_on_oom(oc);
  task_struct* self = current();
  if (oom().sysctl_oom_kill_allocating_task && self->mm != nullptr &&
      !oom_unkillable_task(self) &&
      self->signal->oom_score_adj != OOM_SCORE_ADJ_MIN) {
    get_task_struct(self);
    oc->chosen = self;
    oom_kill_process(oc, "Out of memory (oom_kill_allocating_task)");
    return true;
  }
  select_bad_process(oc);
  // A victim is still busy dying: that is progress.
  if (oc->aborted) return true;
  if (oc->chosen == nullptr) {
    pr_info("Out of memory and no killable processes...");
    if (!is_sysrq_oom(oc)) {
      Fail(VerdictKind::kDeadlock, "panic: System is deadlocked on memory");
    }
    return false;
  }
  oom_kill_process(oc, "Out of memory");
  return true;
}

bool pagefault_out_of_memory() {
  if (!differences().use_pf_oom_killer) {
    // The allocation has called the OOM killer already, if it was to.
    if (!fatal_signal_pending(current())) {
      pr_info("Huh VM_FAULT_OOM leaked out to the #PF handler. Retrying PF");
    }
    return false;
  }
  // Somebody else is at it.
  if (!mutex_trylock(&oom().oom_lock)) return true;
  oom_control oc = {.gfp_mask = 0};
  const bool progress = out_of_memory(&oc);
  mutex_unlock(&oom().oom_lock);
  return progress;
}

bool alloc_pages_may_oom() {
  bool progress = true;
  if (mutex_trylock(&oom().oom_lock)) {
    oom_control oc;
    progress = out_of_memory(&oc);
    mutex_unlock(&oom().oom_lock);
  }
  // Stands for the reclaim that the kernel tries in between: without it a
  // lone allocator would never let its victim run.
  if (progress) (void)schedule_timeout_uninterruptible(1);
  return progress;
}

namespace {

// The form of the original patch (v5.15-rc1), step by step beside it: the pid
// is held to the end, MMF_OOM_SKIP is looked at first and only once, and
// nothing keeps exit_mmap() out while the walk runs.
long process_mrelease_original(int pidfd, unsigned int flags)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (flags != 0) return Decide(MreleaseDecision::kFlags, -EINVAL);

  unsigned int f_flags;
  int error = 0;
  pid* pid = pidfd_get_pid(pidfd, &f_flags, &error);
  if (pid == nullptr) return Decide(MreleaseDecision::kPidfd, error);

  long ret = 0;
  task_struct* task = get_pid_task(pid, PIDTYPE_TGID);
  if (task == nullptr) {
    ret = Decide(MreleaseDecision::kNoProcess, -ESRCH);
    put_pid(pid);
    return ret;
  }

  // A thread that still has the mm: the leader may have dropped it already.
  task_struct* p = find_lock_task_mm(task);
  if (p == nullptr) {
    ret = Decide(MreleaseDecision::kNoMm, -ESRCH);
    put_task_struct(task);
    put_pid(pid);
    return ret;
  }

  mm_struct* mm = p->mm;
  mmgrab(mm);

  bool reap = true;
  if (test_bit(MMF_OOM_SKIP, &mm->flags)) {
    // The work has been done.
    reap = false;
    ret = Decide(MreleaseDecision::kOomSkipFirst, 0);
  } else if (!task_will_free_mem(p)) {
    reap = false;
    ret = Decide(MreleaseDecision::kNotFreeing, -EINVAL);
  }
  task_unlock(p);

  if (reap) {
    Mark(Point::kMreleaseChecked);
    if (mmap_read_lock_killable(mm) != 0) {
      ret = Decide(MreleaseDecision::kInterrupted, -EINTR);
    } else {
      Mark(Point::kMreleaseWalk);
      ret = Decide(MreleaseDecision::kReaped, 0);
      if (!__oom_reap_task_mm(mm)) {
        ret = Decide(MreleaseDecision::kNotifier, -EAGAIN);
      }
      mmap_read_unlock(mm);
    }
  }

  Mark(Point::kMreleaseDrop);
  mmdrop(mm);
  put_task_struct(task);
  put_pid(pid);
  return ret;
}

// What v5.15-rc7 and later do with the mm once the victim is found fit: wait
// for mmap_lock, look again, walk.
long ReapLocked(mm_struct* mm) {
  Mark(Point::kMreleaseChecked);
  if (mmap_read_lock_killable(mm) != 0) {
    return Decide(MreleaseDecision::kInterrupted, -EINTR);
  }
  Mark(Point::kMreleaseWalk);
  long ret = 0;
  // exit_mmap() may have run while we waited: then the VMAs are gone, and only
  // the flag, set before it took the lock for write, tells.
  if (differences().mrelease_rechecks_oom_skip &&
      test_bit(MMF_OOM_SKIP, &mm->flags)) {
    ret = Decide(MreleaseDecision::kOomSkipLater, 0);
  } else if (!__oom_reap_task_mm(mm)) {
    ret = Decide(MreleaseDecision::kNotifier, -EAGAIN);
  } else {
    ret = Decide(MreleaseDecision::kReaped, 0);
  }
  mmap_read_unlock(mm);
  return ret;
}

// The process that the pidfd names, or null and an error. v5.15 keeps the pid
// to the end of the call: then *kept is a reference that the caller must put.
task_struct* FindProcess(int pidfd, pid** kept, int* error) {
  unsigned int f_flags;
  if (differences().pidfd_get_task_drops_pid_early) {
    return pidfd_get_task(pidfd, &f_flags, error);
  }
  *kept = pidfd_get_pid(pidfd, &f_flags, error);
  if (*kept == nullptr) return nullptr;
  task_struct* task = get_pid_task(*kept, PIDTYPE_TGID);
  if (task == nullptr) *error = -ESRCH;
  return task;
}

void PutKept(pid* kept) {
  if (kept != nullptr) put_pid(kept);
}

// v5.15-rc7 and later.
long process_mrelease_later(int pidfd,
                            unsigned int flags) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (flags != 0) return Decide(MreleaseDecision::kFlags, -EINVAL);

  pid* kept = nullptr;
  int error = 0;
  task_struct* task = FindProcess(pidfd, &kept, &error);
  if (task == nullptr) {
    PutKept(kept);
    return Decide(error == -EBADF ? MreleaseDecision::kPidfd
                                  : MreleaseDecision::kNoProcess,
                  error);
  }

  // A thread that still has the mm: the leader may have dropped it already.
  task_struct* p = find_lock_task_mm(task);
  if (p == nullptr) {
    put_task_struct(task);
    PutKept(kept);
    return Decide(MreleaseDecision::kNoMm, -ESRCH);
  }

  long ret = 0;
  bool reap = false;
  mm_struct* mm = p->mm;
  const bool pins_users = differences().mrelease_pins_mm_users;
  if (!pins_users) {
    mmgrab(mm);
  } else if (!mmget_not_zero(mm)) {
    mm = nullptr;
    ret = Decide(MreleaseDecision::kNoUsersLeft, 0);
  }
  if (mm != nullptr) {
    if (task_will_free_mem(p)) {
      reap = true;
    } else if (test_bit(MMF_OOM_SKIP, &mm->flags)) {
      // The work has been done.
      ret = Decide(MreleaseDecision::kOomSkipFirst, 0);
    } else {
      ret = Decide(MreleaseDecision::kNotFreeing, -EINVAL);
    }
  }
  task_unlock(p);

  if (reap) ret = ReapLocked(mm);

  Mark(Point::kMreleaseDrop);
  if (mm != nullptr) pins_users ? mmput(mm) : mmdrop(mm);
  put_task_struct(task);
  PutKept(kept);
  return ret;
}

}  // namespace

// ---- Proposals: of no version (base/switches.h) ----------------------------

namespace {

// Flags that the call knows.
unsigned int ValidMreleaseFlags() {
  return Proposed(Proposal::kReapKill) ? PROCESS_MRELEASE_REAP_KILL : 0;
}

// As find_lock_task_mm(), of a thread that has passed exit_mm().
task_struct* FindLockTaskExitMm(task_struct* p) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  rcu_read_lock();
  task_struct* found = nullptr;
  for (task_struct& t : p->signal->thread_head) {
    Charge(Cost::kThreadScanned, 1);
    task_lock(&t);
    PlainRead(&t.exit_mm, "task->exit_mm");
    if (t.exit_mm != nullptr) {
      found = &t;
      break;
    }
    task_unlock(&t);
  }
  rcu_read_unlock();
  return found;
}

// As task_will_free_mem(), for the mm that task has had. It is none of its
// users any more: where one is left that is somebody else, so that no number
// but 0 would spare the look at the others.
bool KeptMmWillBeFreed(task_struct* task, mm_struct* mm) {
  HistoryOf(current()).sharer = 0;
  WillFreeReason why = WillFreeReason::kNone;
  if (!__task_will_free_mem(task, &why)) return Because(why, false);
  if (test_bit(MMF_OOM_SKIP, &mm->flags)) {
    return Because(WillFreeReason::kOomSkip, false);
  }
  if (Switched(Switch::kKeptMmCountsItself) && atomic_read(mm->mm_users) <= 1) {
    return Because(WillFreeReason::kOnlyUser, true);
  }
  if (!SharersAreToDie(task, mm)) return false;
  return Because(WillFreeReason::kAllSharersDie, true);
}

// A thread of the process and its mm; returns with task_lock held. Null: no
// thread of it has or, where that is kept, had an mm.
task_struct* FindLockMm(task_struct* task,
                        mm_struct** mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  task_struct* p = find_lock_task_mm(task);
  if (p != nullptr) {
    *mm = p->mm;
    return p;
  }
  if (!Proposed(Proposal::kKeepMm)) return nullptr;
  p = FindLockTaskExitMm(task);
  if (p != nullptr) *mm = p->exit_mm;
  return p;
}

// Kills every process that has the mm, as the caller may: 0, or -EBUSY if one
// of them took no signal. mm/oom_kill.c:kill_all_shared_mm() of the third
// posting (2026-05-11).
long kill_all_shared_mm(mm_struct* mm) {
  // What S29 forbids the call as it is, this flag is for.
  MyHistory().context = TaskContext::kOther;
  bool failed = false;
  rcu_read_lock();
  for (task_struct& p : Here<SchedState>().tasks) {
    Charge(Cost::kProcessScanned, 1);
    if (!process_shares_mm(&p, mm)) continue;
    if (is_global_init(&p)) {
      failed = true;
      continue;
    }
    if ((p.flags & PF_KTHREAD) != 0) continue;
    pid* pid = READ_ONCE(p.thread_pid);
    if (!access_pidfd_pidns(pid) ||
        kill_pid_info(SIGKILL, SEND_SIG_NOINFO, pid, PIDTYPE_TGID) != 0) {
      failed = true;
    }
  }
  rcu_read_unlock();
  MyHistory().context = TaskContext::kMrelease;
  return failed ? Decide(MreleaseDecision::kNotAllKilled, -EBUSY) : 0;
}

// The victim test: 0, and *reap says whether to go on, or -EINVAL.
long TestVictim(task_struct* p, mm_struct* mm,
                bool* reap) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  *reap = p->mm == mm ? task_will_free_mem(p) : KeptMmWillBeFreed(p, mm);
  if (*reap) return 0;
  return test_bit(MMF_OOM_SKIP, &mm->flags)
             ? Decide(MreleaseDecision::kOomSkipFirst, 0)
             : Decide(MreleaseDecision::kNotFreeing, -EINVAL);
}

// process_mrelease() with either proposal. With the flag nobody is asked
// whether the victim is dying: it is killed.
long process_mrelease_proposed(int pidfd, unsigned int flags)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (!differences().has_process_mrelease) {
    return Decide(MreleaseDecision::kNoSyscall, -ENOSYS);
  }
  if ((flags & ~ValidMreleaseFlags()) != 0) {
    return Decide(MreleaseDecision::kFlags, -EINVAL);
  }
  const bool reap_kill = (flags & PROCESS_MRELEASE_REAP_KILL) != 0;

  int error = 0;
  task_struct* task = pidfd_get_task(pidfd, nullptr, &error);
  if (task == nullptr) {
    return Decide(error == -EBADF ? MreleaseDecision::kPidfd
                                  : MreleaseDecision::kNoProcess,
                  error);
  }

  mm_struct* mm = nullptr;
  task_struct* p = FindLockMm(task, &mm);
  if (p == nullptr) {
    put_task_struct(task);
    return Decide(MreleaseDecision::kNoMm, -ESRCH);
  }

  bool reap = true;
  long ret = reap_kill ? 0 : TestVictim(p, mm, &reap);
  if (reap) mmgrab(mm);
  task_unlock(p);

  if (reap_kill) ret = kill_all_shared_mm(mm);
  if (reap && ret == 0) ret = ReapLocked(mm);

  Mark(Point::kMreleaseDrop);
  if (reap) mmdrop(mm);
  put_task_struct(task);
  return ret;
}

long do_process_mrelease(int pidfd, unsigned int flags) {
  if (!differences().has_process_mrelease) {
    return Decide(MreleaseDecision::kNoSyscall, -ENOSYS);
  }
  return differences().mrelease_original_form
             ? process_mrelease_original(pidfd, flags)
             : process_mrelease_later(pidfd, flags);
}

}  // namespace

long sys_process_mrelease(int pidfd, unsigned int flags) {
  const MreleaseWatch watch(flags & ~ValidMreleaseFlags());
  const bool proposed =
      Proposed(Proposal::kReapKill) || Proposed(Proposal::kKeepMm);
  return watch.End(proposed ? process_mrelease_proposed(pidfd, flags)
                            : do_process_mrelease(pidfd, flags));
}

}  // namespace reapsim
