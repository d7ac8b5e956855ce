// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/recording.h"

#include <cerrno>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "import/proc_source.h"
#include "import/smaps.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;

// All that a file can have: v1 has everything, v2 as little as possible.
constexpr char kText[] =
    "kernel\t6.18.15-test\n"
    "row\targs.flags\tEINVAL\t-\n"
    "v1\t10000-20000 rw-p 1000 fe:1 1\trd wr mr\trss=24 anonymous=8 swap=4 "
    "page=2048\ts 0+2:9 2+4:5 6+1:2\t/a\\tb (deleted)\n"
    "v2\t20000-21000 ---s 0 0:0 0\t-\t-\t?\t-\n"
    "v3\t30000-31000 r-xp 0 fe:1 2\trd\t-\t-\t/c\n"
    "m1\t1 44 8\t1-3\n"
    "v4\t10000-20000 rw-p 1000 fe:1 1\trd wr mr\t-\ts\t/a\\tb (deleted)\n"
    "m2\t1 40 8\t2-4\n";
constexpr char kRows[] =
    "row\tkilled\t0\treleases 28 of 28 KiB\tm1\tm2\n"
    "lacks\tpidfd.thread\tpidfd_open: EINVAL\n";

// m2 with its mappings by address.
std::string Whole() {
  return absl::StrReplaceAll(absl::StrCat(kText, kRows), {{"2-4", "4 2-3"}});
}

TEST(RecordingTest, ReadsWhatItWrites) {
  const absl::StatusOr<Recording> recording = ParseRecording(Whole(), "r.tsv");
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_EQ(RecordingText(*recording), Whole());
}

TEST(RecordingTest, KeepsAllThatIsCompared) {
  const absl::StatusOr<Recording> recording = ParseRecording(Whole(), "r.tsv");
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_EQ(recording->kernel, "6.18.15-test");
  ASSERT_EQ(recording->rows.size(), 3u);
  EXPECT_EQ(recording->rows[0].id, "args.flags");
  EXPECT_EQ(recording->rows[0].outcome.ret, -EINVAL);
  EXPECT_FALSE(recording->rows[0].outcome.has_memory);

  const HostOutcome& killed = recording->rows[1].outcome;
  EXPECT_EQ(killed.ret, 0);
  ASSERT_TRUE(killed.has_memory);
  const ProcProcess& before = killed.before;
  EXPECT_EQ(before.status.threads, 1);
  EXPECT_EQ(before.status.page_tables_kib, 44u);
  EXPECT_EQ(before.status.locked_kib, 8u);
  EXPECT_FALSE(before.pagemap.ok());  // of v2 nothing is known
  ASSERT_EQ(before.smaps.vmas.size(), 3u);
  const SmapsVma& vma = before.smaps.vmas[0];
  EXPECT_EQ(vma.start, 0x10000u);
  EXPECT_EQ(vma.end, 0x20000u);
  EXPECT_EQ(vma.permissions, (SmapsPermissions{.read = true, .write = true}));
  EXPECT_EQ(vma.offset, 0x1000u);
  EXPECT_EQ(vma.dev_major, 0xfeu);
  EXPECT_EQ(vma.dev_minor, 1u);
  EXPECT_EQ(vma.inode, 1u);
  EXPECT_EQ(vma.name, "/a\tb (deleted)");
  EXPECT_TRUE(vma.deleted);
  EXPECT_THAT(vma.vm_flags, ElementsAre("rd", "wr", "mr"));
  EXPECT_EQ(vma.kib, (SmapsSizes{.size = 64,
                                 .rss = 24,
                                 .anonymous = 8,
                                 .swap = 4,
                                 .kernel_page_size = 2048}));
  EXPECT_TRUE(before.pages[0].known);
  EXPECT_TRUE(before.pages[0].scanned);
  EXPECT_THAT(before.pages[0].runs,
              ElementsAre(PageRun{0x10000, 2, 9}, PageRun{0x12000, 4, 5},
                          PageRun{0x16000, 1, 2}));
  EXPECT_FALSE(before.pages[1].known);
  EXPECT_TRUE(before.smaps.vmas[1].permissions.shared);
  EXPECT_TRUE(before.pages[2].known);
  EXPECT_FALSE(before.pages[2].scanned);

  EXPECT_EQ(recording->rows[2].outcome.status,
            absl::UnimplementedError("pidfd_open: EINVAL"));
}

// What changes from one boot to the next must not look like a change.
TEST(RecordingTest, NumbersFilesByTheirFirstMapping) {
  absl::StatusOr<Recording> recording = ParseRecording(Whole(), "r.tsv");
  ASSERT_TRUE(recording.ok()) << recording.status();
  for (ProcProcess* process : {&recording->rows[1].outcome.before,
                               &recording->rows[1].outcome.after}) {
    process->smaps.vmas[0].inode = 4711;
    process->smaps.vmas[2].inode = 815;
  }
  EXPECT_EQ(RecordingText(*recording), Whole());
  // A name may have the number in it.
  for (ProcProcess* process : {&recording->rows[1].outcome.before,
                               &recording->rows[1].outcome.after}) {
    process->smaps.vmas[0].name = "socket:[4711]";
    process->smaps.vmas[2].name = "/var/tmp/#815 (deleted)";
  }
  const std::string text = RecordingText(*recording);
  EXPECT_THAT(text, ::testing::HasSubstr("\tsocket:[1]\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("\t/var/tmp/#2 (deleted)\n"));
}

struct EffectCase {
  uint64_t before;
  uint64_t after;
  const char* text;
};

TEST(RecordingTest, SaysTheEffectInWords) {
  for (const EffectCase& each : {EffectCase{8, 8, "keeps 8 KiB"},
                                 EffectCase{8, 4, "releases 4 of 8 KiB"},
                                 EffectCase{4, 8, "grows from 4 to 8 KiB"}}) {
    HostOutcome outcome{
        .status = {}, .has_memory = true, .before = {}, .after = {}};
    outcome.before.smaps.vmas = {{.kib = {.rss = each.before}}};
    outcome.after.smaps.vmas = {{.kib = {.swap = each.after}}};
    EXPECT_EQ(EffectText(outcome), each.text);
  }
  EXPECT_EQ(EffectText({}), "-");
}

struct BadCase {
  const char* name;
  const char* from;  // in Whole(), replaced
  const char* to;
  const char* error;
};

class BadRecordingTest : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadRecordingTest, IsRefusedWithItsPlace) {
  const std::string text =
      absl::StrReplaceAll(Whole(), {{GetParam().from, GetParam().to}});
  ASSERT_NE(text, Whole());
  const absl::StatusOr<Recording> recording = ParseRecording(text, "r.tsv");
  EXPECT_EQ(recording.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(recording.status().message()), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    , BadRecordingTest,
    ::testing::Values(
        BadCase{"EndsInsideALine", "EINVAL\n", "EINVAL",
                "r.tsv:10: the file ends inside a line; expected a newline"},
        BadCase{"NoKernel", "kernel\t6.18.15-test\n", "",
                "r.tsv:9: no line says which kernel it was; expected kernel "
                "and a release"},
        BadCase{"UnknownLine", "lacks\t", "luck\t",
                "r.tsv:10: a line of 3 fields that begins with \"luck\"; "
                "expected kernel, row, lacks, v5 or m3 and its fields"},
        BadCase{"NumbersNotInOrder", "v2\t", "v3\t",
                "r.tsv:4: a line of 6 fields that begins with \"v3\"; expected "
                "kernel, row, lacks, v2 or m1 and its fields"},
        BadCase{"Range", "20000-21000", "20000-20000",
                "r.tsv:4: a mapping that can't be read; expected START-END "
                "PERMS OFFSET MAJOR:MINOR FILE"},
        BadCase{"OddAddress", "20000-21000", "20000-20800",
                "r.tsv:4: a mapping that can't be read; expected START-END "
                "PERMS OFFSET MAJOR:MINOR FILE"},
        BadCase{"Size", "rss=24", "rsz=24",
                "r.tsv:3: \"rsz=24\" among sizes; expected such as rss=24"},
        BadCase{"SizeWithoutNumber", "rss=24", "rss=",
                "r.tsv:3: \"rss=\" among sizes; expected such as rss=24"},
        BadCase{"PageOutside", "6+1:2", "6+11:2",
                "r.tsv:3: \"6+11:2\" among pages; expected PAGE+COUNT:FLAGS, "
                "by page, inside the mapping"},
        BadCase{"PagesOverlap", "6+1:2", "5+1:2",
                "r.tsv:3: \"5+1:2\" among pages; expected PAGE+COUNT:FLAGS, by "
                "page, inside the mapping"},
        BadCase{"PageWithoutFlags", "6+1:2", "6+1:0",
                "r.tsv:3: \"6+1:0\" among pages; expected PAGE+COUNT:FLAGS, by "
                "page, inside the mapping"},
        BadCase{"Name", "/a\\tb", "/a\\zb",
                "r.tsv:3: a name that can't be read; expected a C string "
                "without quotes"},
        BadCase{"Memory", "1 44 8", "1 44",
                "r.tsv:6: a memory that can't be read; expected THREADS VMPTE "
                "VMLCK"},
        BadCase{"MappingThatIsNotThere", "\t1-3\n", "\t1-4\n",
                "r.tsv:6: \"1-4\" among mappings; expected numbers of mappings "
                "above"},
        BadCase{"MappingsNotByAddress", "\t4 2-3\n", "\t2-4\n",
                "r.tsv:8: v4 begins before the one before it ends; expected "
                "mappings by address"},
        BadCase{"Result", "\tEINVAL\t", "\tEINVALID\t",
                "r.tsv:2: result \"EINVALID\"; expected 0 or the name of an "
                "errno"},
        BadCase{"Effect", "28 of 28", "24 of 28",
                "r.tsv:9: effect \"releases 24 of 28 KiB\"; expected "
                "\"releases 28 of 28 KiB\", which follows from the memories"},
        BadCase{"MemoryThatIsNotThere", "m1\tm2\n", "m1\tm3\n",
                "r.tsv:9: \"m3\"; expected the name of a memory above, such as "
                "m1"},
        BadCase{"RowTwice", "row\tkilled", "row\targs.flags",
                "r.tsv:9: a second line about args.flags; expected each row "
                "once"},
        BadCase{"LackOfARowThatIsThere", "lacks\tpidfd.thread", "lacks\tkilled",
                "r.tsv:10: a second line about killed; expected each row "
                "once"}),
    [](const ::testing::TestParamInfo<BadCase>& info) {
      return info.param.name;
    });

}  // namespace
}  // namespace reapsim
