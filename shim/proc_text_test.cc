// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "shim/proc_text.h"

#include <optional>
#include <string>

#include "gtest/gtest.h"

namespace reapsim {
namespace {

// What is left of one mapping of 8 KiB: one page of a file, not its anonymous
// one.
MemoryReport OnePageLeft() {
  VmaReport vma;
  vma.start = 0x1000;
  vma.end = 0x3000;
  vma.rss = 4096;
  vma.file = 4096;
  MemoryReport memory;
  memory.vmas = {vma};
  memory.rss = 4096;
  memory.file = 4096;
  memory.page_tables_bytes = 8192;
  return memory;
}

TEST(ProcText, KnowsItsFiles) {
  for (const char* name : {"maps", "smaps", "status", "stat", "statm"}) {
    EXPECT_TRUE(IsModelledProcFile(name)) << name;
  }
  for (const char* name : {"", "map", "comm", "task/1/stat", "smaps_rollup"}) {
    EXPECT_FALSE(IsModelledProcFile(name)) << name;
  }
}

TEST(ProcText, NoLineOfSmapsHasMoreThanIsLeft) {
  const std::string real =
      "1000-3000 rw-p 00000000 08:01 7                /a: b\n"
      "Size:                  8 kB\n"
      "Rss:                   8 kB\n"
      "Private_Dirty:         8 kB\n"
      "Shared_Clean:          0 kB\n"
      "Anonymous:             4 kB\n"
      "VmFlags: rd wr\n"
      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]\n"
      "Rss:                   0 kB\n";
  EXPECT_EQ(
      ModelledProcText("smaps", real, OnePageLeft(), 'R'),
      "1000-3000 rw-p 00000000 08:01 7                /a: b\n"
      "Size:                  8 kB\n"
      "Rss:                   4 kB\n"
      "Private_Dirty:         4 kB\n"
      "Shared_Clean:          0 kB\n"
      "Anonymous:             0 kB\n"
      "VmFlags: rd wr\n"
      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]\n"
      "Rss:                   0 kB\n");
}

TEST(ProcText, StatusHasTheModelsNumbersAndState) {
  const std::string real =
      "Name:\tx\nState:\tT (stopped)\nVmSize:\t      99 kB\n"
      "VmRSS:\t       8 kB\nRssAnon:\t       4 kB\nVmPTE:\t       8 kB\n"
      "Threads:\t1\n";
  EXPECT_EQ(ModelledProcText("status", real, OnePageLeft(), 'D'),
            "Name:\tx\nState:\tD (disk sleep)\nVmSize:\t      99 kB\n"
            "VmRSS:\t       4 kB\nRssAnon:\t       0 kB\nVmPTE:\t       8 kB\n"
            "Threads:\t1\n");
  EXPECT_EQ(ModelledProcText("status", real, std::nullopt, 'R'),
            "Name:\tx\nState:\tR (running)\nThreads:\t1\n");
}

TEST(ProcText, StatIsReadBehindTheName) {
  // The name may look like anything; from the state on, fields 3 to 25.
  const std::string real =
      "42 (a) T 9) T 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 777 888 "
      "25\n";
  EXPECT_EQ(ModelledProcText("stat", real, OnePageLeft(), 'R'),
            "42 (a) T 9) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 777 "
            "1 25\n");
  EXPECT_EQ(ModelledProcText("stat", real, std::nullopt, 'R'),
            "42 (a) T 9) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 0 0 "
            "25\n");
  EXPECT_EQ(ModelledProcText("stat", "cut", std::nullopt, 'R'), "cut");
}

TEST(ProcText, StatmCountsPages) {
  EXPECT_EQ(ModelledProcText("statm", "99 2 1 5 0 6 0\n", OnePageLeft(), 'R'),
            "99 1 1 5 0 6 0\n");
  EXPECT_EQ(ModelledProcText("statm", "99 2 1 5 0 6 0\n", std::nullopt, 'R'),
            "0 0 0 0 0 0 0\n");
}

TEST(ProcText, MapsGoWithTheMemory) {
  EXPECT_EQ(ModelledProcText("maps", "1000-3000 x\n", OnePageLeft(), 'R'),
            "1000-3000 x\n");
  EXPECT_EQ(ModelledProcText("maps", "1000-3000 x\n", std::nullopt, 'R'), "");
  EXPECT_EQ(ModelledProcText("smaps", "1000-3000 x\n", std::nullopt, 'R'), "");
}

}  // namespace
}  // namespace reapsim
