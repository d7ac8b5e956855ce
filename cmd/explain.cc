// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/explain.h"

#include "absl/strings/str_cat.h"

namespace reapsim {
namespace {

using D = MreleaseDecision;
using W = WillFreeReason;

struct DecisionRow {
  D decision;
  const char* condition;
  const char* advice;
};

constexpr DecisionRow kDecisionRows[] = {
    {D::kNoSyscall, "number 448 is in no system call table",
     "Do without: wait for the process to end, or use a kernel from v5.15 on, "
     "built with an MMU."},
    {D::kFlags, "flags != 0", "Pass 0 as flags: none is defined."},
    {D::kPidfd, "the descriptor has no struct pid behind it",
     "Pass a descriptor from pidfd_open() or CLONE_PIDFD that is still open."},
    {D::kNoProcess, "no task has the pid as its PIDTYPE_TGID",
     "Nothing is left to do: the process has ended and been waited for. (A "
     "PIDFD_THREAD descriptor of a thread that leads no group never works.)"},
    {D::kNoMm, "task->mm is NULL in every thread of the group",
     "Nothing is left to do for the call: the last thread has passed "
     "exit_mm(), and the memory goes when the last user of the mm drops it."},
    {D::kOomSkipFirst, "MMF_OOM_SKIP is set in mm->flags", ""},
    {D::kNotFreeing, "task_will_free_mem() is false", ""},
    {D::kInterrupted, "mmap_read_lock_killable() is interrupted",
     "The caller itself was being killed, so it never sees this answer."},
    {D::kOomSkipLater, "MMF_OOM_SKIP is set when mmap_lock has been taken", ""},
    {D::kNotifier, "mmu_notifier_invalidate_range_start_nonblock() is not 0",
     "Call again: only the mapping with the busy notifier is left."},
    {D::kReaped, "__oom_reap_task_mm() is true: no notifier refused", ""},
    {D::kNoUsersLeft, "mmget_not_zero() is false", ""},
    {D::kNotAllKilled, "a process with the mm takes no SIGKILL of the caller's",
     "Somebody else must kill it; those that could be killed have been."},
};

struct WillFreeRow {
  W why;
  const char* condition;
  const char* advice;
};

constexpr WillFreeRow kWillFreeRows[] = {
    {W::kNoMm, "task->mm is NULL", ""},
    {W::kCoreDump, "signal->core_state is set",
     "Wait until the dump is written, then call again; SIGKILL does not always "
     "shorten it."},
    {W::kNotExiting,
     "SIGNAL_GROUP_EXIT is clear, and no lone thread has PF_EXITING",
     "No signal has begun to end the process: SIGTERM does not where it is "
     "handled, blocked or ignored. Send SIGKILL and call again, or wait for it "
     "to end by itself: poll() on the pidfd says when."},
    {W::kOomSkip, "MMF_OOM_SKIP is set in mm->flags", ""},
    {W::kOnlyUser,
     "SIGNAL_GROUP_EXIT is set, or the lone thread has PF_EXITING; mm_users "
     "is at most 1",
     ""},
    {W::kSharerDumps, "another process of the mm has signal->core_state",
     "Wait until that process has written its core dump, then call again."},
    {W::kSharerLives,
     "process_shares_mm() of a process without SIGNAL_GROUP_EXIT",
     "Kill every process that shares the memory (CLONE_VM, vfork), then call "
     "again."},
    {W::kAllSharersDie,
     "SIGNAL_GROUP_EXIT is set here and in all that share the mm", ""},
};

const DecisionRow* RowOf(D decision) {
  for (const DecisionRow& row : kDecisionRows) {
    if (row.decision == decision) return &row;
  }
  return nullptr;
}

const WillFreeRow* RowOf(W why) {
  for (const WillFreeRow& row : kWillFreeRows) {
    if (row.why == why) return &row;
  }
  return nullptr;
}

ReapCheck WillFreeCheck(const Outcome& outcome,
                        const Differences& differences) {
  ReapCheck check{.text = WillFreeText(outcome.why),
                  .condition = RowOf(outcome.why)->condition,
                  .where = DecisionWhere(D::kNotFreeing)};
  if (outcome.why == W::kCoreDump &&
      differences.dying_vetoed_by_group_coredump_flag) {
    check.condition = "SIGNAL_GROUP_COREDUMP is set";
  }
  return check;
}

}  // namespace

std::vector<ReapCheck> ChecksOf(const Outcome& outcome,
                                const Differences& differences) {
  std::vector<ReapCheck> checks;
  const DecisionRow* row = RowOf(outcome.decision);
  if (row == nullptr) return checks;
  const bool asked = outcome.why != W::kNone;
  // There the victim test is itself what decides.
  if (outcome.decision != D::kNotFreeing || !asked) {
    checks.push_back({.text = DecisionText(outcome.decision),
                      .condition = row->condition,
                      .where = DecisionWhere(outcome.decision)});
  }
  if (asked && outcome.decision != D::kOomSkipFirst) {
    checks.push_back(WillFreeCheck(outcome, differences));
  }
  return checks;
}

const char* EffectText(Effect effect) {
  switch (effect) {
    case Effect::kNothing:
      return "nothing changes";
    case Effect::kReleased:
      return "all that may be taken is released; MMF_UNSTABLE is set";
    case Effect::kOnlyMarked:
      return "MMF_UNSTABLE is set, but there was nothing that may be taken";
    case Effect::kPartly:
      return "all but one mapping is released; MMF_UNSTABLE is set";
    case Effect::kGone:
      return "none: the memory was gone before the call";
    case Effect::kGoneDuring:
      return "the process's own exit frees the memory beside the call";
    case Effect::kBroken:
      return "undefined: the kernel uses memory that it has freed";
  }
  return "";
}

std::string AdviceFor(const Outcome& outcome) {
  if (outcome.ret.never() || outcome.ret.ok()) return "";
  if (outcome.decision == D::kNotFreeing) {
    const WillFreeRow* row = RowOf(outcome.why);
    return row == nullptr ? "" : row->advice;
  }
  const DecisionRow* row = RowOf(outcome.decision);
  return row == nullptr ? "" : row->advice;
}

}  // namespace reapsim
