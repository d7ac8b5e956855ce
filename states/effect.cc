// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What an outcome shows, and the words for it.

#include <string>

#include "states/states.h"

namespace reapsim {
namespace {

struct DecisionWords {
  MreleaseDecision decision;
  const char* word;
  const char* text;
  const char* where;
};

constexpr DecisionWords kDecisions[] = {
    {MreleaseDecision::kNone, "none", "the call was not made", ""},
    {MreleaseDecision::kNoSyscall, "no_syscall",
     "this kernel has no process_mrelease()", "kernel/sys_ni.c"},
    {MreleaseDecision::kFlags, "flags", "flags is not 0",
     "mm/oom_kill.c:process_mrelease()"},
    {MreleaseDecision::kPidfd, "pidfd", "the descriptor is not a pidfd",
     "kernel/pid.c:pidfd_get_pid()"},
    {MreleaseDecision::kNoProcess, "no_process",
     "the pid names no process any more, or a thread that leads none",
     "kernel/pid.c:get_pid_task()"},
    {MreleaseDecision::kNoMm, "no_mm",
     "no thread of the process has an address space (any more)",
     "mm/oom_kill.c:find_lock_task_mm()"},
    {MreleaseDecision::kOomSkipFirst, "oom_skip_first",
     "MMF_OOM_SKIP is set: the memory has been dealt with",
     "mm/oom_kill.c:process_mrelease()"},
    {MreleaseDecision::kNotFreeing, "not_freeing",
     "the memory is not about to be freed",
     "mm/oom_kill.c:task_will_free_mem()"},
    {MreleaseDecision::kInterrupted, "interrupted",
     "a fatal signal ended the caller's wait for mmap_lock",
     "kernel/locking/rwsem.c:down_read_killable()"},
    {MreleaseDecision::kOomSkipLater, "oom_skip_later",
     "MMF_OOM_SKIP was set while the call waited: exit has freed the memory",
     "mm/oom_kill.c:process_mrelease()"},
    {MreleaseDecision::kNotifier, "notifier",
     "an mmu notifier would have had to sleep",
     "mm/oom_kill.c:__oom_reap_task_mm()"},
    {MreleaseDecision::kReaped, "reaped", "the walk is done",
     "mm/oom_kill.c:__oom_reap_task_mm()"},
    {MreleaseDecision::kNoUsersLeft, "no_users_left",
     "mm_users was 0: exit is freeing the memory",
     "mm/oom_kill.c:process_mrelease()"},
    {MreleaseDecision::kNotAllKilled, "not_all_killed",
     "a process that has the memory could not be killed",
     "mm/oom_kill.c:kill_all_shared_mm(), proposed"},
};

const DecisionWords& WordsOf(MreleaseDecision decision) {
  for (const DecisionWords& words : kDecisions) {
    if (words.decision == decision) return words;
  }
  return kDecisions[0];
}

struct WillFreeWords {
  WillFreeReason why;
  const char* word;
  const char* text;
};

constexpr WillFreeWords kWillFree[] = {
    {WillFreeReason::kNone, "none", ""},
    {WillFreeReason::kNoMm, "no_mm", "the thread has no address space"},
    {WillFreeReason::kCoreDump, "core_dump", "a core dump of it runs"},
    {WillFreeReason::kNotExiting, "not_exiting",
     "the process is not exiting: no group exit has begun"},
    {WillFreeReason::kOomSkip, "oom_skip", "its mm has MMF_OOM_SKIP"},
    {WillFreeReason::kOnlyUser, "only_user",
     "it is dying, and the only user of its memory"},
    {WillFreeReason::kSharerDumps, "sharer_dumps",
     "another process with the same memory dumps core"},
    {WillFreeReason::kSharerLives, "sharer_lives",
     "another process with the same memory is not dying"},
    {WillFreeReason::kAllSharersDie, "all_sharers_die",
     "it is dying, and so is everybody with the same memory"},
};

const WillFreeWords& WordsOf(WillFreeReason why) {
  for (const WillFreeWords& words : kWillFree) {
    if (words.why == why) return words;
  }
  return kWillFree[0];
}

// Shared memory that VM_SHARED keeps from the reapers; only exit unmaps it.
uint64_t KeptRss(const MemoryReport& report) {
  uint64_t sum = 0;
  for (const VmaReport& vma : report.vmas) {
    if (vma.vm_ops != VmOps::kAnonymous && (vma.vm_flags & VM_SHARED) != 0) {
      sum += vma.rss;
    }
  }
  return sum;
}

}  // namespace

Effect EffectOf(const Outcome& outcome) {
  if (outcome.verdict) return Effect::kBroken;
  if (!outcome.mm_before) return Effect::kGone;
  if (!outcome.mm_after || KeptRss(outcome.after) < KeptRss(outcome.before)) {
    return Effect::kGoneDuring;
  }
  if (outcome.before == outcome.after) {
    return outcome.unstable_after && !outcome.unstable_before
               ? Effect::kOnlyMarked
               : Effect::kNothing;
  }
  return outcome.decision == MreleaseDecision::kNotifier ? Effect::kPartly
                                                         : Effect::kReleased;
}

const char* EffectName(Effect effect) {
  switch (effect) {
    case Effect::kNothing:
      return "nothing";
    case Effect::kReleased:
      return "released";
    case Effect::kOnlyMarked:
      return "only_marked";
    case Effect::kPartly:
      return "partly_released";
    case Effect::kGone:
      return "gone_before";
    case Effect::kGoneDuring:
      return "freed_by_exit";
    case Effect::kBroken:
      return "kernel_broken";
  }
  return "?";
}

const char* DecisionText(MreleaseDecision decision) {
  return WordsOf(decision).text;
}
const char* DecisionWhere(MreleaseDecision decision) {
  return WordsOf(decision).where;
}
const char* WillFreeText(WillFreeReason why) { return WordsOf(why).text; }

std::string DecidedBy(MreleaseDecision decision, WillFreeReason why) {
  std::string word = WordsOf(decision).word;
  // Only there does the victim test decide the answer.
  if (decision == MreleaseDecision::kNotFreeing) {
    word += std::string(".") + WordsOf(why).word;
  }
  return word;
}

}  // namespace reapsim
