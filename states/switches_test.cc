// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What each switch does to a row of the table of states: the row, and the
// answer or the end of the world that the guard was there to prevent.

#include "base/switches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>
#include <vector>

#include "base/errno_names.h"
#include "mm/debug.h"
#include "mm/mmap.h"
#include "mm/smaps.h"
#include "states/states.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;

struct Case {
  Switch id;
  const char* version;  // exact
  const char* row;
  int guarded;            // 0 or an errno, without the switch
  int switched;           // with it; kStops: a verdict
  const char* says = "";  // part of the verdict, or of what is left at the end
};
constexpr int kStops = -1;

constexpr Case kCases[] = {
    {Switch::kSharersNeedNotDie, "v6.18", "sharers.clone_vm_live", EINVAL, 0},
    {Switch::kCoreDumpIsNoVeto, "v6.18", "coredump.running", EINVAL, kStops,
     "S16"},
    {Switch::kCoreDumpIsNoVeto, "v5.16", "sharers.dumps_core", EINVAL, EINVAL},
    {Switch::kPidfdSelfLeaksPid, "v6.18", "pidfd.self_thread", EINVAL, kStops,
     "S11: process_mrelease() keeps or loses a reference to a pid"},
    {Switch::kNoRecheck, "v6.18", "race.exit_after_check", 0, kStops, "S19"},
    {Switch::kMreleasePinsMmUsers, "v6.18", "race.exit_after_check", 0, kStops,
     "S15"},
    {Switch::kBlockingNotifiers, "v6.18", "notifier.first", EAGAIN, kStops,
     "waits for ever"},
    {Switch::kInitSharedMmNotHidden, "v6.18", "live.oom_skip", 0, EINVAL},
    {Switch::kFreePgtablesUnderReadLock, "v6.18", "race.exit_during_walk", 0,
     kStops, "S3"},
    {Switch::kFreePgtablesUnderReadLock, "v5.17", "race.exit_during_walk", 0,
     kStops, "S3"},
    {Switch::kExitWithoutLock, "v6.1", "race.exit_during_walk", 0, kStops,
     "S3"},
    {Switch::kExitLeavesVmasLinked, "v5.17", "race.exit_after_check", 0, kStops,
     "S3"},
};

class SwitchesTest : public ::testing::TestWithParam<Case> {};

// What became of the row: the answer, the verdict, and what was left over.
struct Ending {
  int answer;
  std::string text;
};
Ending EndOf(const Case& c, Switches switches) {
  absl::StatusOr<std::unique_ptr<Scene>> scene =
      Scene::Create({.version = c.version, .switches = switches});
  EXPECT_TRUE(scene.ok());
  FindState(c.row)->play(**scene);
  const Outcome& outcome = (*scene)->outcome();
  EXPECT_TRUE(outcome.called) << outcome.unreachable;
  if (outcome.verdict) return {kStops, outcome.verdict.ToString()};
  Ending ending = {outcome.ret.error(), ""};
  for (const std::string& left : (*scene)->Shutdown()) ending.text += left;
  const Verdict late = (*scene)->k().TakeVerdict();
  if (late) ending.text += late.ToString();
  return ending;
}

TEST_P(SwitchesTest, ChangesWhatItIsFor) {
  const Case& c = GetParam();
  const Ending guarded = EndOf(c, {});
  EXPECT_EQ(guarded.answer, c.guarded) << guarded.text;
  EXPECT_EQ(guarded.text, "");
  const Ending switched = EndOf(c, {c.id});
  EXPECT_EQ(switched.answer, c.switched) << switched.text;
  EXPECT_THAT(switched.text, HasSubstr(c.says));
}

INSTANTIATE_TEST_SUITE_P(, SwitchesTest, ::testing::ValuesIn(kCases));

// One page of a kind of memory that no reaper may touch, or of which it must
// leave something behind.
class OneVma {
 public:
  explicit OneVma(Switch id) : k_({.switches = {id}}) {}
  User Victim() { return k_.As(victim_); }
  // Kills and reaps the victim.
  SysResult Reap() {
    User reaper = k_.As(reaper_);
    const int fd =
        static_cast<int>(int64_t{reaper.pidfd_open(victim_.pid(), 0)});
    (void)reaper.kill(victim_.pid(), SIGKILL);
    return reaper.process_mrelease(fd, 0);
  }
  Kernel& k() { return k_; }
  Task& victim() { return victim_; }

 private:
  Kernel k_;
  Task& victim_ = k_.Spawn("victim");
  Task& reaper_ = k_.Spawn("reaper");
};

TEST(Switches, LetTheReaperTakeHugetlbMemory) {
  OneVma w(Switch::kReaperTakesHugetlb);
  const int fd = static_cast<int>(int64_t{w.Victim().hugetlb_file(Pages(512))});
  const int64_t at = w.Victim().mmap(Pages(512).bytes(), File(fd).Private());
  ASSERT_TRUE(w.Victim().touch(at, Pages(512).bytes()).ok());
  EXPECT_TRUE(w.Reap().never());
  EXPECT_EQ(w.k().TakeVerdict().what, "S21: a reaper unmaps a hugetlb VMA");
}

TEST(Switches, LetTheReaperDropGuards) {
  OneVma w(Switch::kReaperDropsMarkers);
  const int64_t at = w.Victim().mmap(4_KiB, Anonymous());
  ASSERT_TRUE(w.Victim().madvise(at, 4_KiB, kMadvGuardInstall).ok());
  EXPECT_EQ(CountPages(w.victim().mm().raw(), at, at + 4096).markers, 1u);
  EXPECT_TRUE(w.Reap().never());
  EXPECT_EQ(w.k().TakeVerdict().what, "S28: a reaper clears a guard");
}

// A world without switches is the version's, in every step.
TEST(Switches, AreAllOffUnlessAskedFor) {
  Kernel k;
  EXPECT_TRUE(k.engine().state()->switches.empty());
  EXPECT_TRUE(k.engine().state()->checks.empty());
  EXPECT_EQ(k.engine().state()->differences, k.differences());
}

}  // namespace
}  // namespace reapsim
