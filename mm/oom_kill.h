// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The OOM killer, the OOM reaper, and process_mrelease(2).
//
// Source: mm/oom_kill.c, v5.15-rc1 to v7.2, in its order.
// Modelled: the victim test, the reapers' walk, selection without memory
//   cgroups and NUMA, marking, the reaper thread with its delay and retries,
//   disabling, process_mrelease.
// Simplified: badness counts what rss_stat has; the report is one line.
// Stubbed: memory cgroups, cpusets, mempolicy, the notifier chain.
#ifndef REAPSIM_MM_OOM_KILL_H_
#define REAPSIM_MM_OOM_KILL_H_

#include <cstdint>

#include "mm/mm_types.h"
#include "sched/mutex.h"
#include "sched/task.h"

namespace reapsim {

inline constexpr int16_t OOM_SCORE_ADJ_MIN = -1000;
inline constexpr int16_t OOM_SCORE_ADJ_MAX = 1000;
inline constexpr int MAX_OOM_REAP_RETRIES = 10;
inline constexpr uint64_t OOM_REAPER_DELAY = 2 * HZ;

// Proposal::kReapKill: include/uapi/linux/mman.h.
inline constexpr unsigned int PROCESS_MRELEASE_REAP_KILL = 1u << 0;

inline constexpr uint32_t __GFP_FS = 0x80;
inline constexpr uint32_t GFP_KERNEL = 0xcc0;

struct OomState {
  static constexpr RootId kRoot = RootId::kOom;
  mutex oom_lock{.lock_class = LockClass::kOomLock};
  // oom_lock:
  bool oom_killer_disabled = false;
  // Atomic: threads with TIF_MEMDIE.
  uint32_t oom_victims = 0;

  spinlock_t oom_reaper_lock{.lock_class = LockClass::kOomReaperLock};
  // oom_reaper_lock: last in, first out, linked by task->oom_reaper_list.
  task_struct* oom_reaper_list ABSL_GUARDED_BY(oom_reaper_lock) = nullptr;

  task_struct* oom_reaper_th = nullptr;  // constant
  // sysctls, set by the host.
  int sysctl_panic_on_oom = 0;
  bool sysctl_oom_kill_allocating_task = false;
};

struct oom_control {
  uint32_t gfp_mask = GFP_KERNEL;
  int order = 0;  // -1: from sysrq
  // Out.
  task_struct* chosen = nullptr;
  bool aborted = false;  // the kernel's chosen == (void *)-1UL
  int64_t chosen_points = INT64_MIN;
  uint64_t totalpages = 0;
};

// ---- The victim test -------------------------------------------------------

// Whether and why task_will_free_mem() said what it did.
enum class WillFreeReason : uint8_t {
  kNone,
  kNoMm,           // the task has no mm (any more)
  kCoreDump,       // a core dump of its group runs
  kNotExiting,     // no group exit, and not a lone thread in exit
  kOomSkip,        // the mm is done with: MMF_OOM_SKIP
  kOnlyUser,       // true: dying, and mm_users <= 1
  kSharerDumps,    // another process with the mm dumps core
  kSharerLives,    // another process with the mm is not dying
  kAllSharersDie,  // true: every process with the mm is dying
};

// The thread of p's group that still has an mm, in list order, with its
// task_lock held; or null. No reference is taken: p must not be touched once
// the lock is dropped. Locks: none required.
task_struct* find_lock_task_mm(task_struct* p);

// Whether some thread of p has this mm; only the first thread with any mm is
// looked at. Needs rcu_read_lock() or tasklist_lock.
bool process_shares_mm(task_struct* p, mm_struct* mm);

// Whether the task's memory will be freed soon: it is dying, its mm is not
// hidden, and everybody who shares the mm is dying, too. Caller holds
// task_lock(task), or task is current().
bool task_will_free_mem(task_struct* task);

// ---- The walk --------------------------------------------------------------

// Unmaps everything that is private to the mm. False if a notifier refused
// some VMA; the others are unmapped all the same. Caller holds mmap_lock for
// read at least.
bool __oom_reap_task_mm(mm_struct* mm)
    ABSL_SHARED_LOCKS_REQUIRED(mm->mmap_lock);

// ---- OOM killer and reaper -------------------------------------------------

// LONG_MIN (INT64_MIN) if p must not be chosen; else pages, adjusted.
int64_t oom_badness(task_struct* p, uint64_t totalpages);

// Caller holds oom_lock, and tsk->mm can't change.
void mark_oom_victim(task_struct* tsk);
// At the end of exit_mm(), by a thread that has TIF_MEMDIE.
void exit_oom_victim();
bool oom_killer_disable(uint64_t timeout_jiffies);
void oom_killer_enable();
inline bool tsk_is_oom_victim(task_struct* tsk) {
  return tsk->signal->oom_mm != nullptr;
}

// True: progress can be expected. Caller holds oom_lock.
bool out_of_memory(oom_control* oc);

// What a page fault in user mode that found no memory (VM_FAULT_OOM) does next.
// True: somebody is dying for it, and the fault is to be tried again.
bool pagefault_out_of_memory();

// What an allocation that finds no frame does next: calls the OOM killer,
// unless somebody else is at it, and waits a tick for what that brings. True:
// try again. Source: mm/page_alloc.c:__alloc_pages_may_oom().
bool alloc_pages_may_oom();

// The reaper thread's function; whoever boots the machine starts it.
void oom_reaper(void* unused);

// ---- process_mrelease(2) ---------------------------------------------------

// Which check decided the result of a call.
enum class MreleaseDecision : uint8_t {
  kNone,
  kNoSyscall,     // ENOSYS: before v5.15, or no MMU
  kFlags,         // EINVAL
  kPidfd,         // EBADF
  kNoProcess,     // ESRCH: the pid names no thread group (any more)
  kNoMm,          // ESRCH: no thread of it has an mm (any more)
  kOomSkipFirst,  // 0, no walk: MMF_OOM_SKIP at the victim test
  kNotFreeing,    // EINVAL: task_will_free_mem() is false
  kInterrupted,   // EINTR: killed while waiting for mmap_lock
  kOomSkipLater,  // 0, no walk: MMF_OOM_SKIP under mmap_lock
  kNotifier,      // EAGAIN: a notifier refused
  kReaped,        // 0, the walk is done
  kNoUsersLeft,   // 0: v5.15-rc7 to v5.16, mm_users was 0
  kNotAllKilled,  // EBUSY: Proposal::kReapKill, a sharer took no signal
};

// The system call, number 448: 0 or a negative errno.
//   -ENOSYS  the modelled kernel has no such call
//   -EINVAL  flags is not 0
//   -EBADF   pidfd is not a pidfd
//   -ESRCH   no such thread group, or none of its threads has an mm
//   -EINVAL  not dying, or the mm is shared with a process that is not, or a
//            core dump runs
//   -EINTR   a fatal signal for the caller ended its wait for mmap_lock
//   -EAGAIN  a notifier refused part of the address space
//   -EBUSY   Proposal::kReapKill only: not all who have the mm could be killed
long sys_process_mrelease(int pidfd, unsigned int flags);

}  // namespace reapsim

#endif  // REAPSIM_MM_OOM_KILL_H_
