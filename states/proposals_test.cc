// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What each proposal does to the table of states: the rows that it changes, and
// no other. docs/proposals.md shows the same.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/errno_names.h"
#include "base/switches.h"
#include "mm/oom_kill.h"
#include "states/states.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr unsigned int kFlag = PROCESS_MRELEASE_REAP_KILL;

// What a row comes to: "ESRCH no_mm".
std::string AnswerOf(const State& state, Proposals proposals,
                     unsigned int flags) {
  absl::StatusOr<std::unique_ptr<Scene>> scene =
      Scene::Create({.proposals = proposals}, {}, flags);
  EXPECT_TRUE(scene.ok());
  state.play(**scene);
  const Outcome& outcome = (*scene)->outcome();
  EXPECT_TRUE(outcome.called) << state.id << ": " << outcome.unreachable;
  EXPECT_FALSE(outcome.verdict) << state.id << outcome.verdict.ToString();
  EXPECT_THAT((*scene)->Shutdown(), IsEmpty()) << state.id;
  return std::string(outcome.ret.never() ? "never"
                                         : ErrnoName(outcome.ret.error())) +
         " " + EffectName(EffectOf(outcome)) + " " +
         DecidedBy(outcome.decision, outcome.why);
}

// The rows that differ from those of v6.18 as it is, called without flags.
std::map<std::string, std::string> ChangedRows(Proposals proposals,
                                               unsigned int flags) {
  std::map<std::string, std::string> changed;
  for (const State& state : States()) {
    const std::string answer = AnswerOf(state, proposals, flags);
    if (answer != AnswerOf(state, {}, 0)) changed[state.id] = answer;
  }
  return changed;
}

using Rows = std::map<std::string, std::string>;

TEST(KeepMm, ChangesOnlyTheRowsOfProcessesThatHavePassedExitMm) {
  EXPECT_EQ(ChangedRows({Proposal::kKeepMm}, 0),
            (Rows{
                // exit_mmap() has set MMF_OOM_SKIP.
                {"gone.zombie", "0 gone_before oom_skip_first"},
                {"gone.zombie_threads", "0 gone_before oom_skip_first"},
                {"freezer.v2_killed_ran", "0 gone_before oom_skip_first"},
                // H22.
                {"exit.pinned", "0 released reaped"},
            }));
}

TEST(ReapKill, IsOnlyAFlag) {
  // Rows that pass it themselves.
  EXPECT_EQ(ChangedRows({Proposal::kReapKill}, 0),
            (Rows{{"args.flags_bad_fd", "EBADF nothing pidfd"},
                  {"args.flags_live", "0 released reaped"},
                  {"args.flags_dying", "0 released reaped"},
                  {"args.flags_gone", "ESRCH gone_before no_process"}}));
}

TEST(ReapKill, KillsAndReapsWhoeverLives) {
  Rows rows = ChangedRows({Proposal::kReapKill}, kFlag);
  const std::string kReleased = "0 released reaped";
  const std::string kBusy = "EBUSY nothing not_all_killed";
  const Rows kOthers = {
      {"args.flags_bad_fd", "EBADF nothing pidfd"},
      {"args.flags_gone", "ESRCH gone_before no_process"},
      // Init has the memory, too, or is the target.
      {"live.oom_skip", kBusy},
      {"live.global_init", kBusy},
      // As kill(2) and pidfd_send_signal(2) would refuse.
      {"caller.unprivileged", kBusy},
      {"caller.other_namespace", kBusy},
      // Nobody asks for MMF_OOM_SKIP before mmap_lock is taken.
      {"oom.victim_reaped", "0 nothing oom_skip_later"},
  };
  for (const auto& [id, answer] : kOthers) {
    EXPECT_EQ(rows[id], answer) << id;
    rows.erase(id);
  }
  std::vector<std::string> ids;
  for (const auto& [id, answer] : rows) {
    EXPECT_EQ(answer, kReleased) << id;
    ids.push_back(id);
  }
  EXPECT_THAT(
      ids,
      ElementsAre(
          "args.flags_dying", "args.flags_live", "coredump.killed",
          "coredump.running", "exec.de_thread", "exit.leader_zombie",
          "exit.one_of_several", "freezer.v1_sigterm", "freezer.v2_sigsegv",
          "kthread.borrows_killed", "kthread.borrows_mm", "live.running",
          "namespace.init_killed_inside", "pidfd.self_thread",
          "pidfd.self_thread_group", "self.alive", "sharers.clone_vm_live",
          "sharers.dumps_core", "sharers.first_lives", "sharers.last_lives",
          "sharers.leader_zombie", "sharers.vfork_child_killed",
          "sharers.vfork_parent_killed", "signal.sigsegv_d_state",
          "signal.sigsegv_sent", "signal.sigterm_blocked",
          "signal.sigterm_handled", "signal.sigterm_ignored",
          "signal.sigterm_stopped", "signal.sigterm_traced"));
}

TEST(ReapKill, IsTheOnlyFlag) {
  for (const unsigned int flags : {2u, 3u, 1u << 31}) {
    for (const State& state : States()) {
      const absl::StatusOr<Outcome> outcome =
          Play(state, {.proposals = {Proposal::kReapKill}}, {}, flags);
      ASSERT_TRUE(outcome.ok());
      // Such a call never comes to where a row would hold it.
      if (!outcome->called) continue;
      EXPECT_EQ(outcome->ret.error(), EINVAL) << state.id;
      EXPECT_EQ(outcome->decision, MreleaseDecision::kFlags) << state.id;
    }
  }
}

TEST(ReapKill, IsNoFlagOfAKernelWithoutIt) {
  for (const Proposals proposals :
       {Proposals{}, Proposals{Proposal::kKeepMm}}) {
    EXPECT_EQ(AnswerOf(*FindState("args.flags_dying"), proposals, 0),
              "EINVAL nothing flags");
  }
}

// A process that shares the victim's memory, of that user.
Task& SharerOf(Kernel& k, Task& victim, uid_t uid) {
  Task& sharer = k.TaskOf(
      static_cast<pid_t>(k.As(victim).clone_vm(CLONE_PARENT).kernel()));
  EXPECT_EQ(k.As(sharer).setuid(uid).kernel(), 0);
  return sharer;
}

bool IsDying(const Task& task) {
  return (task.raw()->signal->flags & SIGNAL_GROUP_EXIT) != 0;
}

// The signals that were sent are not taken back.
TEST(ReapKill, LeavesSomeDeadWhereOneCanNotBeKilled) {
  Kernel k({.proposals = {Proposal::kReapKill}});
  Task& victim = k.Spawn("victim");
  Task& mine = SharerOf(k, victim, 1000);
  Task& roots = SharerOf(k, victim, 0);
  Task& last = SharerOf(k, victim, 1000);
  Task& lmkd = k.Spawn("lmkd", {.uid = 1000});
  const int fd =
      static_cast<int>(k.As(lmkd).pidfd_open(mine.pid(), 0).kernel());
  EXPECT_EQ(k.As(lmkd).process_mrelease(fd, kFlag).kernel(), -EBUSY);
  EXPECT_EQ(k.LastDecision(lmkd), MreleaseDecision::kNotAllKilled);
  EXPECT_FALSE(IsDying(victim));
  EXPECT_TRUE(IsDying(mine));
  EXPECT_FALSE(IsDying(roots));
  EXPECT_TRUE(IsDying(last));
  EXPECT_FALSE(victim.mm().unstable());
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

// Also the vfork parent, who waits and has done nothing.
TEST(ReapKill, KillsTheParentOfAVforkChild) {
  Kernel k({.proposals = {Proposal::kReapKill}});
  Task& parent = k.Spawn("parent");
  Task& lmkd = k.Spawn("lmkd");
  k.Begin(parent, [](User user) { (void)user.vfork(); });
  (void)k.RunUntilBlocked(parent);
  const pid_t child = k.NewestTask().pid();
  const int fd = static_cast<int>(k.As(lmkd).pidfd_open(child, 0).kernel());
  EXPECT_EQ(k.As(lmkd).process_mrelease(fd, kFlag).kernel(), 0);
  EXPECT_TRUE(IsDying(parent));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

// The mm_struct is there as long as the zombie; its memory is not.
TEST(KeepMm, KeepsTheStructUntilTheTaskIsFreed) {
  Kernel k({.proposals = {Proposal::kKeepMm}});
  Task& shell = k.Spawn("shell");
  Task& victim = k.Spawn("victim", {.parent = &shell});
  const mm_struct* mm = victim.raw()->mm;
  EXPECT_EQ(k.As(shell).kill(victim.pid(), SIGKILL).kernel(), 0);
  (void)k.RunUntilBlocked(victim);
  ASSERT_EQ(victim.phase(), TaskPhase::kZombie);
  EXPECT_EQ(victim.raw()->exit_mm, mm);
  EXPECT_EQ(mm->mm_users, 0u);
  EXPECT_EQ(mm->mm_count, 1u);
  EXPECT_EQ(Mm(mm).rss(), Pages(0));
  EXPECT_EQ(k.As(shell).waitpid(victim.pid()).kernel(), victim.pid());
  EXPECT_THAT(k.Shutdown(), IsEmpty());
  EXPECT_FALSE(k.mm().mm_slab.IsLive(mm));
}

// Somebody who lives has the memory: it must stay, and says so.
TEST(KeepMm, SparesWhatASharerStillUses) {
  Kernel k({.proposals = {Proposal::kKeepMm}});
  Task& victim = k.Spawn("victim");
  Task& sharer = SharerOf(k, victim, 0);
  Task& lmkd = k.Spawn("lmkd");
  const int fd =
      static_cast<int>(k.As(lmkd).pidfd_open(victim.pid(), 0).kernel());
  EXPECT_EQ(k.As(lmkd).kill(victim.pid(), SIGKILL).kernel(), 0);
  (void)k.RunUntilBlocked(victim);
  EXPECT_EQ(k.As(lmkd).process_mrelease(fd, 0).kernel(), -EINVAL);
  EXPECT_EQ(k.LastWillFree(lmkd), WillFreeReason::kSharerLives);
  EXPECT_FALSE(sharer.mm().unstable());
  EXPECT_EQ(k.As(lmkd).kill(sharer.pid(), SIGKILL).kernel(), 0);
  EXPECT_EQ(k.As(lmkd).process_mrelease(fd, 0).kernel(), 0);
  EXPECT_EQ(k.LastDecision(lmkd), MreleaseDecision::kReaped);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

// What had no VMA is torn down without MMF_OOM_SKIP, and may be walked.
TEST(KeepMm, WalksAnMmThatHadNothingMapped) {
  Kernel k({.proposals = {Proposal::kKeepMm}});
  Task& shell = k.Spawn("shell");
  Task& bare = k.Spawn("bare", {.parent = &shell, .bare = true});
  const int fd =
      static_cast<int>(k.As(shell).pidfd_open(bare.pid(), 0).kernel());
  EXPECT_EQ(k.As(shell).kill(bare.pid(), SIGKILL).kernel(), 0);
  (void)k.RunUntilBlocked(bare);
  EXPECT_EQ(k.As(shell).process_mrelease(fd, 0).kernel(), 0);
  EXPECT_EQ(k.LastDecision(shell), MreleaseDecision::kReaped);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Proposals, AreRefusedWhereTheKernelCanNotCarryThem) {
  struct Case {
    Proposal id;
    const char* first;
    const char* too_old;
  };
  for (const Case& c : {Case{Proposal::kReapKill, "v5.17", "v5.16"},
                        Case{Proposal::kKeepMm, "v6.1", "v6.0"}}) {
    EXPECT_TRUE(Kernel::Create({.version = c.first, .proposals = {c.id}}).ok());
    const absl::Status status =
        Kernel::Create({.version = c.too_old, .proposals = {c.id}}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(std::string(" is for ") + c.first +
                          " and later, not for " + c.too_old));
  }
}

TEST(Proposals, AddNoCallToAKernelWithoutAnMmu) {
  Kernel k({.proposals = {Proposal::kKeepMm}, .mmu = false});
  EXPECT_EQ(k.As(k.Spawn("lmkd")).process_mrelease(-1, 0).kernel(), -ENOSYS);
}

TEST(Proposals, AreAllOffUnlessAskedFor) {
  Kernel k;
  EXPECT_TRUE(k.engine().state()->proposals.empty());
}

}  // namespace
}  // namespace reapsim
