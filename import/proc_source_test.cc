// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "import/proc_source.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {

void PrintTo(const PageRun& run, std::ostream* out) {
  *out << "{" << std::hex << run.start << std::dec << " +" << run.pages
       << " pages, flags " << int{run.flags} << "}";
}

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kPage = 4096;

constexpr uint64_t Bit(int number) { return uint64_t{1} << number; }

// A /proc of our own with one process, 42. Each test damages what it is about.
class FakeProcTest : public testing::Test {
 protected:
  FakeProcTest()
      : root_(absl::StrCat(
            testing::TempDir(), "/proc_",
            testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(Path(""));
    Write("status",
          "Name:\tjava\nState:\tS (sleeping)\nTgid:\t42\nPid:\t42\n"
          "VmSize:\t   24 kB\nVmLck:\t    8 kB\nRssAnon:\t   12 kB\n"
          "RssFile:\t    4 kB\nRssShmem:\t    0 kB\nVmPTE:\t   48 kB\n"
          "VmSwap:\t   16 kB\nHugetlbPages:\t 2048 kB\nCoreDumping:\t1\n"
          "Threads:\t7\nSigBlk:\t0000000000000001\n"
          "SigIgn:\t0000000000004000\nSigCgt:\tffffffff00000000\n");
    Write("comm", "java (x\n");
    Write("smaps",
          "1000-5000 rw-p 00000000 00:00 0\nSize: 16 kB\nRss: 12 kB\n"
          "6000-8000 r--s 00000000 08:01 5 /f\nSize: 8 kB\nRss: 4 kB\n");
    // The page at 0 first. Bit 55 says soft-dirty, of empty entries as well.
    WritePagemap({0, Bit(63) | Bit(56), Bit(63) | Bit(56), Bit(55), Bit(62), 0,
                  Bit(63) | Bit(61), Bit(57) | Bit(58)});
  }
  ~FakeProcTest() override { std::filesystem::remove_all(root_); }

  std::string Path(absl::string_view file) const {
    return absl::StrCat(root_, "/42/", file);
  }
  void Write(absl::string_view file, absl::string_view text) const {
    std::ofstream(Path(file), std::ios::binary) << text;
  }
  void WritePagemap(const std::vector<uint64_t>& entries) const {
    std::ofstream(Path("pagemap"), std::ios::binary)
        .write(reinterpret_cast<const char*>(entries.data()),
               static_cast<std::streamsize>(entries.size() * sizeof(uint64_t)));
  }

  absl::StatusOr<ProcProcess> Read() const { return ReadProcess("42", root_); }

  // The error's message without the folder that differs from run to run.
  std::string Message() const {
    const std::string message(Read().status().message());
    const size_t at = message.find(root_);
    if (at != 0) return message;
    return message.substr(root_.size());
  }

  const std::string root_;
};

TEST_F(FakeProcTest, GivesWhatTheFilesSay) {
  const absl::StatusOr<ProcProcess> process = Read();
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(process->comm, "java (x");
  const ProcStatus& status = process->status;
  EXPECT_EQ(status.pid, 42);
  EXPECT_EQ(status.tgid, 42);
  EXPECT_EQ(status.threads, 7);
  EXPECT_EQ(status.state, 'S');
  EXPECT_TRUE(status.core_dumping);
  EXPECT_TRUE(status.has_memory);
  EXPECT_EQ(status.rss_anon_kib, 12u);
  EXPECT_EQ(status.rss_file_kib, 4u);
  EXPECT_EQ(status.rss_shmem_kib, 0u);
  EXPECT_EQ(status.swap_kib, 16u);
  EXPECT_EQ(status.hugetlb_kib, 2048u);
  EXPECT_EQ(status.page_tables_kib, 48u);
  EXPECT_EQ(status.locked_kib, 8u);
  EXPECT_EQ(status.signals_blocked, 1u);
  EXPECT_EQ(status.signals_ignored, Bit(SIGTERM - 1));
  EXPECT_EQ(status.signals_caught, 0xffffffff00000000u);
  EXPECT_EQ(process->smaps.vmas.size(), 2u);
}

TEST_F(FakeProcTest, GivesRunsOfPagesWithTheSameFlags) {
  const absl::StatusOr<ProcProcess> process = Read();
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_TRUE(process->pagemap.ok());
  ASSERT_EQ(process->pages.size(), 2u);
  EXPECT_TRUE(process->pages[0].known);
  // Pages 1 and 2 are alike, 3 has no entry, 4 is in swap.
  EXPECT_THAT(process->pages[0].runs,
              ElementsAre(PageRun{0x1000, 2, kPagePresent | kPageExclusive},
                          PageRun{0x4000, 1, kPageSwapped}));
  EXPECT_THAT(process->pages[1].runs,
              ElementsAre(PageRun{0x6000, 1, kPagePresent | kPageFileOrShmem},
                          PageRun{0x7000, 1, kPageUffdWp | kPageGuard}));
}

TEST_F(FakeProcTest, TakesPagesBeyondTheEndOfPagemapAsEmpty) {
  WritePagemap({0, Bit(63)});
  const absl::StatusOr<ProcProcess> process = Read();
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_TRUE(process->pages[0].known);
  EXPECT_THAT(process->pages[0].runs,
              ElementsAre(PageRun{0x1000, 1, kPagePresent}));
  EXPECT_TRUE(process->pages[1].known);
  EXPECT_THAT(process->pages[1].runs, IsEmpty());
}

TEST_F(FakeProcTest, KnowsNoPagesWithoutPagemap) {
  std::filesystem::remove(Path("pagemap"));
  const absl::StatusOr<ProcProcess> process = Read();
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(process->pagemap.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(process->pages, ElementsAre(Field(&VmaPages::known, false),
                                          Field(&VmaPages::known, false)));
}

TEST_F(FakeProcTest, KnowsNoPagesOfAHugeReservation) {
  // 64 GiB is looked at, one page more is not.
  Write("smaps",
        "1000-1000001000 ---p 00000000 00:00 0\nSize: 67108864 kB\nRss: 0 kB\n"
        "2000001000-3000002000 ---p 00000000 00:00 0\nSize: 67108868 kB\n"
        "Rss: 0 kB\n");
  const absl::StatusOr<ProcProcess> process = Read();
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_THAT(process->pages, ElementsAre(Field(&VmaPages::known, true),
                                          Field(&VmaPages::known, false)));
}

TEST_F(FakeProcTest, SaysThatAZombieHasNoMemory) {
  Write("status", "Name:\tx\nState:\tZ (zombie)\nPid:\t42\n");
  EXPECT_EQ(Read().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(), HasSubstr("/42: the process is a zombie"));
}

TEST_F(FakeProcTest, SaysThatAKernelThreadHasNoMemory) {
  Write("status", "Name:\tkthreadd\nState:\tS (sleeping)\nPid:\t42\n");
  EXPECT_EQ(Read().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(), HasSubstr("/42: this is a kernel thread"));
}

TEST_F(FakeProcTest, PlacesAnErrorInSmaps) {
  Write("smaps", "1000-5000 rw-p 00000000 00:00 0\nSize: 16 kB\n");
  EXPECT_EQ(Read().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(), HasSubstr("/42/smaps:1:1: the mapping has no Rss:"));
}

TEST_F(FakeProcTest, SaysThatAProcessMayEndMeanwhile) {
  for (const char* file : {"smaps", "comm", "status"}) {
    std::filesystem::remove(Path(file));
    EXPECT_EQ(Read().status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(Message(),
              absl::StrCat("/42/", file,
                           ": No such thing (ENOENT); the process may have "
                           "ended: look for it with ps"));
  }
}

struct StatusCase {
  std::string line;
  std::string want;
};

TEST_F(FakeProcTest, PlacesAnErrorInStatus) {
  const StatusCase kCases[] = {
      {"State:\t", "2:7"},      {"Pid:\tx", "2:5"},
      {"Threads:\t-", "2:9"},   {"SigBlk:\t0z", "2:8"},
      {"RssAnon:\t12", "2:9"},  {"VmSwap:\tx kB", "2:8"},
      {"VmPTE:\t-1 kB", "2:7"},
  };
  for (const StatusCase& c : kCases) {
    Write("status", absl::StrCat("VmSize:\t24 kB\n", c.line, "\n"));
    EXPECT_THAT(Message(), HasSubstr(absl::StrCat("/42/status:", c.want,
                                                  ": cannot read the value")))
        << c.line;
  }
}

TEST(ReadProcessTest, RefusesWhatIsNoPid) {
  for (const char* pid :
       {"", "0", "-1", "12x", "01", "../1", "selfish", "4294967296", "\x1b"}) {
    const absl::Status status = ReadProcess(pid).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << pid;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("names no process; expected its number, or self"));
  }
  EXPECT_THAT(std::string(ReadProcess("\x1b").status().message()),
              HasSubstr("\"\\x1b\""));
}

TEST(ReadProcessTest, ReadsItself) {
  // Eight pages, of which three have been written to. MADV_NOHUGEPAGE, or the
  // first store would bring in all of them.
  char* memory =
      static_cast<char*>(mmap(nullptr, 8 * kPage, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_EQ(madvise(memory, 8 * kPage, MADV_NOHUGEPAGE), 0);
  for (int page : {1, 2, 6}) memory[page * kPage] = 'x';
  const uint64_t start = reinterpret_cast<uint64_t>(memory);

  const absl::StatusOr<ProcProcess> process = ReadProcess("self");
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ(process->status.pid, getpid());
  EXPECT_GT(process->status.rss_anon_kib, 0u);
  ASSERT_TRUE(process->pagemap.ok()) << process->pagemap;
  std::vector<PageRun> runs;
  for (const VmaPages& pages : process->pages) {
    for (const PageRun& run : pages.runs) {
      if (run.start >= start && run.start < start + 8 * kPage) {
        runs.push_back(run);
      }
    }
  }
  constexpr uint8_t kOwn = kPagePresent | kPageExclusive;
  EXPECT_THAT(runs, ElementsAre(PageRun{start + kPage, 2, kOwn},
                                PageRun{start + 6 * kPage, 1, kOwn}));
  munmap(memory, 8 * kPage);
}

// What pagemap alone does not tell from other pages: the zero page, and huge
// entries.
TEST(ReadProcessTest, FindsZeroPagesAndHugePages) {
  constexpr uint64_t kHuge = uint64_t{2} << 20;
  char* memory =
      static_cast<char*>(mmap(nullptr, 3 * kHuge, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_EQ(madvise(memory, 3 * kHuge, MADV_NOHUGEPAGE), 0);
  char* aligned = reinterpret_cast<char*>(
      (reinterpret_cast<uint64_t>(memory) + kHuge) / kHuge * kHuge);
  const uint64_t start = reinterpret_cast<uint64_t>(aligned);
  volatile const char* first = aligned;
  (void)*first;
  aligned[kPage] = 'x';
  // May fail: then there is a huge page less to be found.
  (void)madvise(aligned + kHuge, kHuge, MADV_HUGEPAGE);
  aligned[kHuge] = 'x';

  const absl::StatusOr<ProcProcess> process = ReadProcess("self");
  ASSERT_TRUE(process.ok()) << process.status();
  uint64_t zero = 0;
  uint64_t huge = 0;
  uint64_t huge_kib = 0;
  for (size_t i = 0; i < process->pages.size(); ++i) {
    const SmapsVma& vma = process->smaps.vmas[i];
    if (vma.end <= start || vma.start >= start + 2 * kHuge) continue;
    if (!process->pages[i].scanned) GTEST_SKIP() << "no PAGEMAP_SCAN here";
    huge_kib += vma.kib.anon_huge_pages;
    for (const PageRun& run : process->pages[i].runs) {
      EXPECT_EQ(
          run.flags & ~(kPagePresent | kPageExclusive | kPageHuge | kPageZero),
          0);
      if ((run.flags & kPageZero) != 0) {
        EXPECT_EQ(run.start, start);
        zero += run.pages;
      }
      if ((run.flags & kPageHuge) != 0) huge += run.pages;
    }
  }
  EXPECT_EQ(zero, 1u);
  EXPECT_EQ(huge * (kPage >> 10), huge_kib);
  munmap(memory, 3 * kHuge);
}

TEST(ReadProcessTest, FollowsAChildFromLifeToGone) {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  const std::string pid = absl::StrCat(child);
  const absl::StatusOr<ProcProcess> alive = ReadProcess(pid);
  ASSERT_TRUE(alive.ok()) << alive.status();
  EXPECT_EQ(alive->status.pid, child);
  EXPECT_THAT(alive->smaps.vmas, Contains(Field(&SmapsVma::name, "[stack]")));

  kill(child, SIGKILL);
  siginfo_t info;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT),
            0);
  EXPECT_THAT(std::string(ReadProcess(pid).status().message()),
              HasSubstr("the process is a zombie"));

  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(ReadProcess(pid).status().code(), absl::StatusCode::kNotFound);
}

TEST(ReadProcessTest, SaysWhoMayReadAProcess) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const std::string parent = absl::StrCat(getpid());
  const pid_t child = fork();
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (setresuid(kNobody, kNobody, kNobody) != 0) _exit(2);
    const absl::Status status = ReadProcess(parent).status();
    const std::string message(status.message());
    const bool right = absl::IsPermissionDenied(status) &&
                       message.find("or by root") != std::string::npos;
    _exit(right ? 0 : 1);
  }
  int result = 0;
  ASSERT_EQ(waitpid(child, &result, 0), child);
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace reapsim
