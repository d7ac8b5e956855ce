// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The table of states under every epoch of the kernel's history. Most rows
// answer everywhere as in v6.18; where they do not is said here, by the
// version at which the answer became today's.

#include <gtest/gtest.h>

#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "base/errno_names.h"
#include "states/states.h"

namespace reapsim {
namespace {

// What a row answered before some version.
struct Earlier {
  const char* id;
  const char* until;  // "" for ever
  int ret;            // 0 or a positive errno
};
constexpr int kUnreachable = -1;
constexpr int kBroken = -2;

// Source: the columns of the semantics paper's table in which a row differs
// from its last one. The first row that applies counts.
constexpr Earlier kEarlier[] = {
    // The sentinels for the caller itself.
    {"pidfd.self_thread", "6.15-rc1", EBADF},
    {"pidfd.self_thread_group", "6.17-rc1", EBADF},
    {"pidfd.self_thread_group_first", "6.15-rc1", EBADF},
    {"pidfd.thread_live", "6.9-rc1", kUnreachable},
    {"pidfd.thread_killed", "6.9-rc1", kUnreachable},
    {"pidfd.leader_thread", "6.9-rc1", kUnreachable},
    // Only from v6.1 on does the last thread's exit(2) end the group.
    {"exit.single_event_exit", "6.1-rc1", EINVAL},
    {"exit.last_thread", "6.1-rc1", EINVAL},
    // Up to v5.16 a SIGKILL takes SIGNAL_GROUP_COREDUMP away, which alone says
    // that a dump runs. (The paper has EINVAL; the source decides.)
    {"coredump.killed", "5.17-rc1", 0},
    // exit_mmap() beside the call: without a lock, with the mm pinned, under
    // the write lock with and without freed VMAs left behind.
    {"race.exit_after_check", "5.15-rc7", kBroken},
    {"race.exit_during_walk", "5.15-rc7", kBroken},
    {"race.exit_after_check", "5.17-rc1", 0},
    {"race.exit_after_check", "5.17-rc6", kBroken},
    {"race.behind_exit_mmap", "5.15-rc7", 0},
    {"race.behind_exit_mmap", "5.17-rc1", kUnreachable},
    {"race.behind_exit_mmap", "5.17-rc6", kBroken},
};

KernelVersion V(absl::string_view text) {
  return ParseKernelVersion(text).value();
}

// The answer of a row at a version.
int WantedAt(const State& state, absl::string_view version) {
  for (const Earlier& e : kEarlier) {
    if (std::string(state.id) == e.id && V(version) < V(e.until)) return e.ret;
  }
  if (!state.v6_18.reachable) return kUnreachable;
  return state.v6_18.effect == Effect::kBroken ? kBroken : state.v6_18.ret;
}

std::string Name(int ret) {
  if (ret == kUnreachable) return "unreachable";
  return ret == kBroken ? "broken" : ErrnoName(ret);
}

int AnswerOf(const Outcome& outcome) {
  if (outcome.verdict) return kBroken;
  if (!outcome.called) return kUnreachable;
  return outcome.ret.error();
}

TEST(Epochs, AnswerEveryRowAsTheirColumnOfThePaperSays) {
  for (const Epoch& epoch : Epochs()) {
    for (const State& state : States()) {
      SCOPED_TRACE(std::string(epoch.name) + " " + std::string(epoch.version) +
                   " " + state.id);
      absl::StatusOr<std::unique_ptr<Scene>> scene =
          Scene::Create({.version = std::string(epoch.version)});
      ASSERT_TRUE(scene.ok()) << scene.status();
      state.play(**scene);
      const Outcome& outcome = (*scene)->outcome();
      EXPECT_EQ(Name(AnswerOf(outcome)), Name(WantedAt(state, epoch.version)))
          << outcome.verdict.ToString() << outcome.unreachable;
      if ((*scene)->k().stopped()) {
        (void)(*scene)->k().TakeVerdict();
        continue;
      }
      EXPECT_EQ((*scene)->Shutdown(), std::vector<std::string>())
          << (*scene)->k().TakeVerdict().ToString();
    }
  }
}

// Row 48: locked memory is walked from v5.18 on.
TEST(Epochs, ReleaseLockedMemoryFromV518On) {
  for (const Epoch& epoch : Epochs()) {
    SCOPED_TRACE(std::string(epoch.version));
    const bool newer = !(V(epoch.version) < V("5.18-rc1"));
    const absl::StatusOr<Outcome> outcome = Play(
        *FindState("killed.running"), {.version = std::string(epoch.version)});
    ASSERT_TRUE(outcome.ok());
    uint64_t after = 0;
    for (const VictimPart& part : StandardVictimParts()) {
      const bool released =
          newer ? part.released_v6_18 : part.released_v5_15_rc1;
      if (!released) after += part.pages;
    }
    EXPECT_EQ(outcome->after.rss, after * 4096);
  }
}

}  // namespace
}  // namespace reapsim
