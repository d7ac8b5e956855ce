// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The names of the schedule points: the places at which one task may stop and
// another go on. A task stands *before* the operation that the point names.
// Tests stop tasks at them by name: `k.RunUntil(victim, Point::kExitMm)`.
//
// Two kinds: operations (locks, counters, flags, page-table entries), by which
// tasks see each other, and marks, at which nothing happens but which make a
// good place to hold a task.
#ifndef REAPSIM_SCHED_POINT_H_
#define REAPSIM_SCHED_POINT_H_

#include <cstdint>

namespace reapsim {

// X(name, where in the kernel)
#define REAPSIM_POINTS(X)                                                 \
  /* Operations of locks and waits */                                     \
  X(kSpinLock, "include/linux/spinlock.h:spin_lock")                      \
  X(kSpinUnlock, "include/linux/spinlock.h:spin_unlock")                  \
  X(kMutexLock, "kernel/locking/mutex.c:mutex_lock")                      \
  X(kMutexUnlock, "kernel/locking/mutex.c:mutex_unlock")                  \
  X(kDownRead, "kernel/locking/rwsem.c:down_read")                        \
  X(kDownReadWait, "kernel/locking/rwsem.c:rwsem_down_read_slowpath")     \
  X(kDownWrite, "kernel/locking/rwsem.c:down_write")                      \
  X(kDownWriteWait, "kernel/locking/rwsem.c:rwsem_down_write_slowpath")   \
  X(kUpRead, "kernel/locking/rwsem.c:up_read")                            \
  X(kUpWrite, "kernel/locking/rwsem.c:up_write")                          \
  X(kDowngrade, "kernel/locking/rwsem.c:downgrade_write")                 \
  X(kRcuReadLock, "include/linux/rcupdate.h:rcu_read_lock")               \
  X(kRcuReadUnlock, "include/linux/rcupdate.h:rcu_read_unlock")           \
  X(kWait, "kernel/sched/core.c:schedule")                                \
  X(kWake, "kernel/sched/core.c:try_to_wake_up")                          \
  X(kTimeout, "kernel/time/timer.c:schedule_timeout")                     \
  /* Atomic counters and flags */                                         \
  X(kRefInc, "include/linux/atomic.h:atomic_inc")                         \
  X(kRefDec, "include/linux/atomic.h:atomic_dec_and_test")                \
  X(kFlagRead, "include/linux/bitops.h:test_bit")                         \
  X(kFlagSet, "include/linux/bitops.h:set_bit")                           \
  X(kRacyRead, "include/linux/compiler.h:READ_ONCE")                      \
  X(kTaskFlagsWrite, "kernel/exit.c:exit_signals")                        \
  X(kSignalFlagsWrite, "kernel/signal.c:complete_signal")                 \
  /* System calls and user mode */                                        \
  X(kSyscallEntry, "kernel/entry/common.c:syscall_enter_from_user_mode")  \
  X(kUserMode, "kernel/entry/common.c:exit_to_user_mode_loop")            \
  X(kUserAccess, "arch/x86/mm/fault.c:exc_page_fault")                    \
  X(kDeliverSignal, "kernel/signal.c:get_signal")                         \
  X(kDoSignalStop, "kernel/signal.c:do_signal_stop")                      \
  X(kPtraceStop, "kernel/signal.c:ptrace_stop")                           \
  X(kRefrigerator, "kernel/freezer.c:__refrigerator")                     \
  X(kFreezerTrap, "kernel/signal.c:do_freezer_trap")                      \
  X(kPtraceAttach, "kernel/ptrace.c:ptrace_attach waiting for the trap")  \
  /* Death */                                                             \
  X(kDoGroupExit, "kernel/exit.c:do_group_exit")                          \
  X(kDoExit, "kernel/exit.c:do_exit")                                     \
  X(kCoredumpPark, "kernel/exit.c:coredump_task_exit")                    \
  X(kPtraceEventExit, "kernel/exit.c:ptrace_event")                       \
  X(kExitSignals, "kernel/signal.c:exit_signals")                         \
  X(kExitSignalsDone, "kernel/exit.c:do_exit after exit_signals")         \
  X(kExitMm, "kernel/exit.c:exit_mm")                                     \
  X(kExitMmRelease, "kernel/fork.c:exit_mm_release")                      \
  X(kExitMmCleared, "kernel/exit.c:exit_mm after mm = NULL")              \
  X(kMmput, "kernel/fork.c:__mmput")                                      \
  X(kExitAio, "fs/aio.c:exit_aio")                                        \
  X(kExitMmap, "mm/mmap.c:exit_mmap")                                     \
  X(kExitMmapUnmap, "mm/mmap.c:exit_mmap before unmap_vmas")              \
  X(kExitMmapFreePgtables, "mm/mmap.c:exit_mmap before free_pgtables")    \
  X(kExitMmapDone, "mm/mmap.c:exit_mmap at its end")                      \
  X(kExitFiles, "fs/file.c:exit_files")                                   \
  X(kExitNotify, "kernel/exit.c:exit_notify")                             \
  X(kZombie, "kernel/exit.c:do_task_dead")                                \
  X(kReleaseTask, "kernel/exit.c:release_task")                           \
  X(kWaitForChild, "kernel/exit.c:do_wait")                               \
  X(kVforkWait, "kernel/fork.c:wait_for_vfork_done")                      \
  X(kDupMmap, "kernel/fork.c:dup_mmap with both locks held")              \
  X(kCopyProcess, "kernel/fork.c:copy_process")                           \
  X(kDeThread, "fs/exec.c:de_thread")                                     \
  X(kDeThreadWait, "fs/exec.c:de_thread waiting")                         \
  X(kExecMmap, "fs/exec.c:exec_mmap")                                     \
  X(kCoredumpStart, "fs/coredump.c:coredump_wait")                        \
  X(kCoredumpWaitThreads, "fs/coredump.c:coredump_wait waiting")          \
  X(kCoredumpWrite, "fs/coredump.c:do_coredump while writing")            \
  X(kCoredumpFinish, "fs/coredump.c:coredump_finish")                     \
  /* Memory */                                                            \
  X(kPteEntry, "mm/memory.c: one page-table entry")                       \
  X(kMmapLocked, "mm/mmap.c: with mmap_lock held for write")              \
  X(kZapVma, "mm/memory.c:unmap_single_vma")                              \
  X(kTlbFlush, "mm/mmu_gather.c:tlb_flush_mmu_tlbonly")                   \
  X(kTlbBatchFree, "mm/mmu_gather.c:tlb_batch_pages_flush")               \
  X(kNotifierStart, "mm/mmu_notifier.c:invalidate_range_start")           \
  X(kNotifierEnd, "mm/mmu_notifier.c:invalidate_range_end")               \
  X(kHandleMmFault, "mm/memory.c:handle_mm_fault")                        \
  X(kFinishFault, "mm/memory.c:finish_fault")                             \
  X(kAllocPages, "mm/page_alloc.c:__alloc_pages_may_oom")                 \
  X(kCondResched, "kernel/sched/core.c:cond_resched")                     \
  /* OOM killer, reaper, process_mrelease */                              \
  X(kOutOfMemory, "mm/oom_kill.c:out_of_memory")                          \
  X(kMarkOomVictim, "mm/oom_kill.c:mark_oom_victim")                      \
  X(kOomReaperWait, "mm/oom_kill.c:oom_reaper waiting")                   \
  X(kOomReapTask, "mm/oom_kill.c:oom_reap_task")                          \
  X(kReapVma, "mm/oom_kill.c:__oom_reap_task_mm, each VMA")               \
  X(kMreleaseChecked, "mm/oom_kill.c:process_mrelease after task_unlock") \
  X(kMreleaseWalk, "mm/oom_kill.c:process_mrelease before the walk")      \
  X(kMreleaseDrop, "mm/oom_kill.c:process_mrelease before mmdrop")        \
  X(kDriverWait, "an uninterruptible sleep inside a driver")              \
  /* Locks of single VMAs */                                              \
  X(kVmaLookup, "mm/mmap_lock.c:lock_vma_under_rcu looks up")             \
  X(kVmaStartRead, "mm/mmap_lock.c:vma_start_read")                       \
  X(kVmaLockSeq, "mm/mmap_lock.c:vma_start_read before its last check")   \
  X(kVmaEndRead, "include/linux/mmap_lock.h:vma_refcount_put")            \
  X(kVmaStartWrite, "mm/mmap_lock.c:__vma_start_write")                   \
  X(kVmaStartWriteWait, "mm/mmap_lock.c:__vma_enter_locked waiting")      \
  X(kVmaAttach, "include/linux/mmap_lock.h:vma_mark_attached")            \
  X(kVmaDetach, "mm/mmap_lock.c:vma_mark_detached")                       \
  X(kVmaEndWriteAll, "include/linux/mmap_lock.h:vma_end_write_all")       \
  X(kVmaTreeStore, "mm/vma.h:vma_iter_store")                             \
  /* Others who use, or wait for, somebody's memory */                    \
  X(kFutexWait, "kernel/futex/waitwake.c:futex_do_wait")                  \
  X(kPipeWait, "fs/pipe.c:pipe_read, pipe_write")                         \
  X(kHandleUserfault, "fs/userfaultfd.c:handle_userfault")                \
  X(kUnmapForMigration, "mm/migrate.c: between unmap and move")           \
  X(kKsmScan, "mm/ksm.c:ksm_do_scan, each mm")

enum class Point : uint8_t {
  kNone,
#define X(name, where) name,
  REAPSIM_POINTS(X)
#undef X
      kCount
};

// The name without its k ("ExitMm"), and the place in the kernel.
const char* PointName(Point point);
const char* PointWhere(Point point);

}  // namespace reapsim

#endif  // REAPSIM_SCHED_POINT_H_
