// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/predict.h"

#include <cerrno>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kAnon = 0x10000;
constexpr uint64_t kFile = 0x400000;

// Four pages of private memory, two of which are there, and a shared file's
// page.
ProcProcess Small() {
  ProcProcess process;
  process.comm = "victim";
  SmapsVma anon;
  anon.start = kAnon;
  anon.end = kAnon + 0x4000;
  anon.permissions = {.read = true, .write = true};
  anon.vm_flags = {"rd", "wr", "mr", "mw", "me", "ac"};
  anon.kib.size = 16;
  anon.kib.rss = 8;
  anon.kib.anonymous = 8;
  SmapsVma file;
  file.start = kFile;
  file.end = kFile + 0x1000;
  file.permissions = {.read = true, .write = true, .shared = true};
  file.vm_flags = {"rd", "wr", "sh", "mr", "mw", "me", "ms"};
  file.inode = 5;
  file.name = "/f";
  file.kib.size = 4;
  file.kib.rss = 4;
  process.smaps.vmas = {anon, file};
  process.pages = {
      {.known = true,
       .scanned = true,
       .runs = {{kAnon + 0x1000, 2, kPagePresent | kPageExclusive}}},
      {.known = true,
       .scanned = true,
       .runs = {{kFile, 1, kPagePresent | kPageFileOrShmem}}},
  };
  process.status.page_tables_kib = 40;
  return process;
}

Prediction Killed() {
  const ProcProcess before = Small();
  absl::StatusOr<Prediction> prediction =
      Predict(*FindState("killed.running"), "v6.18", &before);
  EXPECT_TRUE(prediction.ok()) << prediction.status();
  return *std::move(prediction);
}

// What a host does that agrees.
HostOutcome Agreeing() {
  HostOutcome host;
  host.has_memory = true;
  host.before = Small();
  host.after = Small();
  host.after.pages[0].runs.clear();
  host.after.smaps.vmas[0].kib.rss = 0;
  host.after.smaps.vmas[0].kib.anonymous = 0;
  return host;
}

TEST(PredictTest, TakesWhatTheCallTakesAndKeepsTheRest) {
  const Prediction model = Killed();
  EXPECT_EQ(model.ret, 0);
  EXPECT_TRUE(model.has_memory);
  EXPECT_EQ(model.broken, "");
  ASSERT_EQ(model.before.vmas.size(), 2u);
  EXPECT_THAT(model.before.vmas[0].pages,
              ElementsAre(PageRun{kAnon + 0x1000, 2, kPagePresent}));
  ASSERT_EQ(model.after.vmas.size(), 2u);
  EXPECT_THAT(model.after.vmas[0].pages, IsEmpty());
  EXPECT_EQ(model.after.vmas[0].rss_kib, 0u);
  EXPECT_EQ(model.after.vmas[1], model.before.vmas[1]);
  EXPECT_THAT(Compare(Agreeing(), model), IsEmpty());
}

// The new image of exec has the memory that was read, too.
TEST(PredictTest, GivesTheMemoryToWhomTheRowWatches) {
  for (const char* id :
       {"exec.done_killed", "self.alive", "memory.only_shared",
        "namespace.init_killed_outside", "sharers.vfork_child_killed"}) {
    const ProcProcess before = Small();
    const absl::StatusOr<Prediction> model =
        Predict(*FindState(id), "v6.18", &before);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(model->before.vmas, ImageOf(before).vmas) << id;
  }
}

TEST(PredictTest, NeedsNoMemoryForAnAnswer) {
  const absl::StatusOr<Prediction> model =
      Predict(*FindState("gone.zombie"), "v6.18", nullptr);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->ret, -ESRCH);
  EXPECT_FALSE(model->has_memory);
}

TEST(PredictTest, SaysThatMemoryIsGone) {
  const ProcProcess before = Small();
  const absl::StatusOr<Prediction> model =
      Predict(*FindState("race.behind_exit_mmap"), "v6.18", &before);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_FALSE(model->has_memory);
  HostOutcome host = Agreeing();
  EXPECT_THAT(Compare(host, *model),
              ElementsAre("the memory is there, in the model it is gone"));
  host.has_memory = false;
  EXPECT_THAT(Compare(host, *model), IsEmpty());
}

TEST(PredictTest, SaysThatTheModelBreaks) {
  const ProcProcess before = Small();
  const absl::StatusOr<Prediction> model =
      Predict(*FindState("race.exit_during_walk"), "v5.15-rc1", &before);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(model->broken, HasSubstr("use after free"));
  EXPECT_THAT(Compare(Agreeing(), *model),
              ElementsAre(HasSubstr("the model breaks: use after free")));
}

TEST(PredictTest, FailsWhereNothingCanBeCompared) {
  ProcProcess before = Small();
  before.pagemap = absl::PermissionDeniedError("not for you");
  const State& killed = *FindState("killed.running");
  EXPECT_EQ(Predict(killed, "v6.18", &before).status().code(),
            absl::StatusCode::kFailedPrecondition);
  before = Small();
  before.smaps.vmas[0].kib.kernel_page_size = 1;
  EXPECT_EQ(Predict(killed, "v6.18", &before).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Predict(killed, "x", nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
  before = Small();
  EXPECT_EQ(Predict(*FindState("pidfd.thread_live"), "v5.15-rc1", &before)
                .status()
                .code(),
            absl::StatusCode::kUnimplemented);
}

// An old kernel knows no huge and zero pages: then they don't count.
TEST(PredictTest, ComparesWhatTheHostKnows) {
  ProcProcess before = Small();
  before.pages[0].runs = {{kAnon + 0x1000, 1, kPagePresent},
                          {kAnon + 0x2000, 2, kPagePresent | kPageExclusive}};
  before.pages[0].scanned = false;
  const absl::StatusOr<Prediction> model =
      Predict(*FindState("live.running"), "v6.18", &before);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->before.vmas, ImageOf(before).vmas);
  EXPECT_THAT(model->before.vmas[0].pages,
              ElementsAre(PageRun{kAnon + 0x1000, 3, kPagePresent}));
}

TEST(PredictTest, DoesNotCompareHugeEntriesOfFiles) {
  ProcProcess before = Small();
  before.pages[1].runs[0].flags |= kPageHuge;
  EXPECT_THAT(ImageOf(before).vmas[1].pages,
              ElementsAre(PageRun{kFile, 1, kPagePresent | kPageFileOrShmem}));
}

struct DifferenceCase {
  const char* test;
  void (*change)(HostOutcome& host);
  std::vector<std::string> says;
};

class CompareTest : public ::testing::TestWithParam<DifferenceCase> {};

TEST_P(CompareTest, SaysWhatDiffers) {
  HostOutcome host = Agreeing();
  GetParam().change(host);
  EXPECT_EQ(Compare(host, Killed()), GetParam().says);
}

INSTANTIATE_TEST_SUITE_P(
    , CompareTest,
    ::testing::Values(
        DifferenceCase{"Answer",
                       [](HostOutcome& h) { h.ret = -EINVAL; },
                       {"returns EINVAL, in the model 0"}},
        DifferenceCase{"AnswerOnly",
                       [](HostOutcome& h) {
                         h.ret = -EINVAL;
                         h.has_memory = false;
                       },
                       {"returns EINVAL, in the model 0"}},
        DifferenceCase{
            "Rss",
            [](HostOutcome& h) { h.after.smaps.vmas[1].kib.rss = 0; },
            {"after: 400000-401000 /f: Rss 0 KiB, in the model 4 KiB"}},
        DifferenceCase{
            "Anonymous",
            [](HostOutcome& h) { h.after.smaps.vmas[0].kib.anonymous = 4; },
            {"after: 10000-14000 anonymous: Anonymous 4 KiB, in the model 0 "
             "KiB"}},
        DifferenceCase{
            "Swap",
            [](HostOutcome& h) { h.after.smaps.vmas[0].kib.swap = 4; },
            {"after: 10000-14000 anonymous: Swap 4 KiB, in the model 0 KiB"}},
        DifferenceCase{"AnonHugePages",
                       [](HostOutcome& h) {
                         h.after.smaps.vmas[0].kib.anon_huge_pages = 2048;
                       },
                       {"after: 10000-14000 anonymous: AnonHugePages 2048 KiB, "
                        "in the model 0 KiB"}},
        DifferenceCase{
            "PageThatStays",
            [](HostOutcome& h) {
              h.after.pages[0].runs = {{kAnon + 0x2000, 1, kPagePresent}};
            },
            {"after: 10000-14000 anonymous: page 12000 is present, "
             "in the model nothing"}},
        DifferenceCase{"MarkerThatIsNotThere",
                       [](HostOutcome& h) {
                         h.after.pages[1].runs[0].flags =
                             kPageSwapped | kPageUffdWp;
                       },
                       {"after: 400000-401000 /f: page 400000 is swap uffd-wp, "
                        "in the model present file"}},
        DifferenceCase{
            "Imported",
            [](HostOutcome& h) { h.before.pages[0].runs[0].pages = 3; },
            {"imported: 10000-14000 anonymous: page 13000 is "
             "present, in the model nothing"}},
        DifferenceCase{"Mappings",
                       [](HostOutcome& h) {
                         h.after.smaps.vmas.pop_back();
                         h.after.pages.pop_back();
                       },
                       {"after: 1 mappings, in the model 2"}},
        DifferenceCase{
            "Place",
            [](HostOutcome& h) { h.after.smaps.vmas[0].end += 0x1000; },
            {"after: 10000-14000 anonymous is 10000-15000, in the model "
             "10000-14000"}},
        DifferenceCase{
            "PageTables",
            [](HostOutcome& h) { h.after.status.page_tables_kib = 36; },
            {"VmPTE changes by -4 KiB, in the model by 0 KiB"}},
        DifferenceCase{"Locked",
                       [](HostOutcome& h) { h.after.status.locked_kib = 8; },
                       {"VmLck changes by 8 KiB, in the model by 0 KiB"}}),
    [](const ::testing::TestParamInfo<DifferenceCase>& info) {
      return info.param.test;
    });

}  // namespace
}  // namespace reapsim
