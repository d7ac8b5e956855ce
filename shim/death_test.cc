// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "shim/death.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "import/smaps.h"

namespace reapsim {
namespace {

constexpr pid_t kPid = 1234;
constexpr pid_t kSharer = 1235;

// A process with one mapping of 64 KiB, all of it anonymous.
ProcProcess SmallProcess(int threads = 1) {
  absl::StatusOr<SmapsFile> smaps = ParseSmaps(
      "10000-20000 rw-p 00000000 00:00 0\n"
      "Size:                 64 kB\nRss:                  64 kB\n"
      "Private_Dirty:        64 kB\nAnonymous:            64 kB\n"
      "VmFlags: rd wr mr mw me ac\n",
      "small");
  EXPECT_TRUE(smaps.ok()) << smaps.status();
  ProcProcess process;
  process.status.pid = kPid;
  process.status.threads = threads;
  process.smaps = *std::move(smaps);
  return process;
}

ShimModel ModelWith(const std::string& schedule, const std::string& with = "",
                    const std::string& kernel = "v6.18") {
  const absl::StatusOr<ShimModel> model =
      ParseShimModel(kernel, schedule, with);
  EXPECT_TRUE(model.ok()) << model.status();
  return *model;
}

std::unique_ptr<ModelledDeath> Make(const ShimModel& model, int threads = 1,
                                    std::vector<ShimProcess> sharers = {}) {
  absl::StatusOr<std::unique_ptr<ModelledDeath>> death =
      ModelledDeath::Create(model, SmallProcess(threads), sharers);
  EXPECT_TRUE(death.ok()) << death.status();
  return *std::move(death);
}

// ---- Descriptors that are no victim's --------------------------------------

struct DescriptorCase {
  const char* test;
  Descriptor descriptor;
  int fd;
  unsigned int flags;
  int error;
  const char* decision;
};
void PrintTo(const DescriptorCase& each, std::ostream* out) {
  *out << each.test;
}

class DescriptorTest : public testing::TestWithParam<DescriptorCase> {};

TEST_P(DescriptorTest, TheModelledCallDecides) {
  const DescriptorCase& each = GetParam();
  const absl::StatusOr<MreleaseAnswer> answer =
      AskAbout(ShimModel{}, each.descriptor, each.fd, each.flags);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->error, each.error);
  EXPECT_EQ(answer->decision, each.decision);
  EXPECT_EQ(answer->broken, "");
}

INSTANTIATE_TEST_SUITE_P(
    All, DescriptorTest,
    testing::Values(
        DescriptorCase{"Negative", Descriptor::kClosed, -1, 0, EBADF, "pidfd"},
        DescriptorCase{"Closed", Descriptor::kClosed, 7, 0, EBADF, "pidfd"},
        DescriptorCase{"FlagsFirst", Descriptor::kClosed, -1, 1, EINVAL,
                       "flags"},
        DescriptorCase{"Other", Descriptor::kOther, 7, 0, EBADF, "pidfd"},
        DescriptorCase{"ProcDir", Descriptor::kProcDir, 7, 0, EBADF, "pidfd"},
        DescriptorCase{"Live", Descriptor::kLive, 7, 0, EINVAL,
                       "not_freeing.not_exiting"},
        DescriptorCase{"Self", Descriptor::kSelf, 7, 0, EINVAL,
                       "not_freeing.not_exiting"},
        DescriptorCase{"Zombie", Descriptor::kZombie, 7, 0, ESRCH, "no_mm"},
        DescriptorCase{"Reaped", Descriptor::kReaped, 7, 0, ESRCH,
                       "no_process"},
        DescriptorCase{"KernelThread", Descriptor::kKernelThread, 7, 0, ESRCH,
                       "no_mm"}),
    [](const testing::TestParamInfo<DescriptorCase>& info) {
      return info.param.test;
    });

TEST(AskAbout, IsNotThereBeforeTheCallIs) {
  const absl::StatusOr<MreleaseAnswer> answer = AskAbout(
      ModelWith("", "", "v5.10"), Descriptor::kClosed, -1, /*flags=*/1);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->error, ENOSYS);
}

// ---- Schedules -------------------------------------------------------------

struct ScheduleCase {
  const char* test;
  const char* schedule;
  bool ended_when_killed;
  int error;  // of the call after that
  bool ended_after_a_sleep;
};
void PrintTo(const ScheduleCase& each, std::ostream* out) { *out << each.test; }

class ScheduleTest : public testing::TestWithParam<ScheduleCase> {};

TEST_P(ScheduleTest, SaysHowFarTheVictimGets) {
  const ScheduleCase& each = GetParam();
  const auto death = Make(ModelWith(each.schedule));
  EXPECT_EQ(death->Mrelease(kPid, 0).error, EINVAL);
  death->Kill(kPid);
  EXPECT_TRUE(death->IsKilled(kPid));
  EXPECT_EQ(death->HasEnded(kPid), each.ended_when_killed);
  EXPECT_EQ(death->Mrelease(kPid, 0).error, each.error);
  death->Pass();
  EXPECT_EQ(death->HasEnded(kPid), each.ended_after_a_sleep);
  death->RunToEnd();
  EXPECT_TRUE(death->HasEnded(kPid));
  EXPECT_EQ(death->StateLetter(kPid), 'Z');
  EXPECT_FALSE(death->Memory(kPid).has_value());
  EXPECT_EQ(death->Mrelease(kPid, 0).error, ESRCH);
  EXPECT_EQ(death->broken(), "");
}

INSTANTIATE_TEST_SUITE_P(
    All, ScheduleTest,
    testing::Values(
        ScheduleCase{"ReaperFirst", "reaper-first", false, 0, true},
        ScheduleCase{"VictimFirst", "victim-first", true, ESRCH, true},
        // 64 KiB are resident.
        ScheduleCase{"Smaller", "victim-wins-below=65K", true, ESRCH, true},
        ScheduleCase{"AsLarge", "victim-wins-below=64K", false, 0, true},
        ScheduleCase{"Stuck", "stuck", false, 0, false},
        ScheduleCase{"BeforeExitMm", "until=ExitMm", false, 0, true},
        ScheduleCase{"AfterExitMm", "until=ExitMmCleared", false, ESRCH, true},
        ScheduleCase{"Step", "steps=1", false, 0, false},
        ScheduleCase{"Steps", "steps=100000", false, ESRCH, true}),
    [](const testing::TestParamInfo<ScheduleCase>& info) {
      return info.param.test;
    });

TEST(ModelledDeath, StuckIsADiskSleepThatStillCanBeReaped) {
  const auto death = Make(ModelWith("stuck"));
  death->Kill(kPid);
  EXPECT_EQ(death->StateLetter(kPid), 'D');
  EXPECT_EQ(death->Memory(kPid)->rss, 64u << 10);
  EXPECT_EQ(death->Mrelease(kPid, 0).error, 0);
  EXPECT_EQ(death->Memory(kPid)->rss, 0u);
}

TEST(ModelledDeath, EachSeedIsOneScheduleAndSeedsDiffer) {
  std::vector<int> errors[2];
  for (std::vector<int>& round : errors) {
    for (int seed = 0; seed < 40; ++seed) {
      const auto death = Make(ModelWith("seed=" + std::to_string(seed)));
      death->Kill(kPid);
      for (int i = 0; i < 4; ++i) {
        round.push_back(death->Mrelease(kPid, 0).error);
      }
      death->RunToEnd();
      EXPECT_TRUE(death->HasEnded(kPid));
      EXPECT_EQ(death->broken(), "");
    }
  }
  EXPECT_EQ(errors[0], errors[1]);
  EXPECT_NE(std::count(errors[0].begin(), errors[0].end(), 0), 0);
  EXPECT_NE(std::count(errors[0].begin(), errors[0].end(), ESRCH), 0);
}

TEST(ModelledDeath, WhoLooksLongEnoughHasSlept) {
  const auto death = Make(ModelWith("reaper-first"));
  death->Kill(kPid);
  for (int i = 0; i < 999; ++i) death->Look();
  EXPECT_FALSE(death->HasEnded(kPid));
  death->Look();
  EXPECT_TRUE(death->HasEnded(kPid));
}

// ---- Who has the memory ----------------------------------------------------

TEST(ModelledDeath, ASharerThatLivesKeepsTheMemory) {
  const auto death = Make(ModelWith(""), 1, {{kSharer, 2}});
  EXPECT_EQ(death->Pids(), (std::vector<pid_t>{kPid, kSharer}));
  death->Kill(kPid);
  EXPECT_EQ(death->Mrelease(kPid, 0).error, EINVAL);
  EXPECT_EQ(death->Mrelease(kSharer, 0).error, EINVAL);
  death->Kill(kSharer);
  EXPECT_EQ(death->Mrelease(kPid, 0).error, 0);
  EXPECT_EQ(death->Memory(kSharer)->rss, 0u);
}

TEST(ModelledDeath, ASharerMayExitByItself) {
  const auto death = Make(ModelWith(""), 1, {{kSharer, 1}});
  death->Kill(kPid);
  death->ExitedByItself(kSharer);
  EXPECT_TRUE(death->HasEnded(kSharer));
  EXPECT_EQ(death->Mrelease(kPid, 0).error, 0);
}

TEST(ModelledDeath, AllThreadsDie) {
  const auto death = Make(ModelWith(""), 5);
  death->Kill(kPid);
  EXPECT_EQ(death->Mrelease(kPid, 0).error, 0);
  death->Pass();
  EXPECT_TRUE(death->HasEnded(kPid));
}

TEST(ModelledDeath, ANotifierThatBlocksStopsTheReaperNotTheExit) {
  const auto death = Make(ModelWith("", "notifier-blocks"));
  death->Kill(kPid);
  EXPECT_EQ(death->Mrelease(kPid, 0).error, EAGAIN);
  EXPECT_EQ(death->Memory(kPid)->rss, 64u << 10);
  death->RunToEnd();
  EXPECT_TRUE(death->HasEnded(kPid));
}

}  // namespace
}  // namespace reapsim
