// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "import/smaps.h"

#include <cstdint>
#include <fstream>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {

void PrintTo(const SmapsSizes& sizes, std::ostream* out) {
  *out << "{size " << sizes.size << " rss " << sizes.rss << " ...}";
}

namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

// One mapping of 16 KiB as Linux 6.18 prints it, all but its header.
constexpr absl::string_view kFields =
    R"(Size:                 16 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                  12 kB
Pss:                   9 kB
Pss_Dirty:             8 kB
Shared_Clean:          4 kB
Shared_Dirty:          0 kB
Private_Clean:         0 kB
Private_Dirty:         8 kB
Referenced:           12 kB
Anonymous:             8 kB
KSM:                   0 kB
LazyFree:              4 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  4 kB
SwapPss:               2 kB
Locked:                1 kB
THPeligible:           0
ProtectionKey:         0
VmFlags: rd wr mr mw me ac sd 
)";

constexpr absl::string_view kHeader =
    "55e0d0003000-55e0d0007000 rw-p 00001000 fe:1f 247498"
    "                     /usr/bin/a file\n";

std::string Mapping() { return absl::StrCat(kHeader, kFields); }

// The same with `from` replaced, which has to be there.
std::string With(absl::string_view from, absl::string_view to) {
  const std::string text = Mapping();
  EXPECT_THAT(text, HasSubstr(std::string(from)));
  return absl::StrReplaceAll(text, {{from, to}});
}

SmapsFile Parsed(absl::string_view text) {
  absl::StatusOr<SmapsFile> file = ParseSmaps(text, "f");
  EXPECT_TRUE(file.ok()) << file.status();
  return file.ok() ? *std::move(file) : SmapsFile();
}

SmapsVma ParsedVma(absl::string_view text) {
  SmapsFile file = Parsed(text);
  EXPECT_EQ(file.vmas.size(), 1u);
  return file.vmas.empty() ? SmapsVma() : file.vmas.front();
}

TEST(ParseSmapsTest, ReadsEveryFieldOfAMapping) {
  const SmapsVma vma = ParsedVma(Mapping());
  EXPECT_EQ(vma.start, 0x55e0d0003000u);
  EXPECT_EQ(vma.end, 0x55e0d0007000u);
  EXPECT_EQ(vma.permissions, (SmapsPermissions{.read = true, .write = true}));
  EXPECT_EQ(vma.offset, 0x1000u);
  EXPECT_EQ(vma.dev_major, 0xfeu);
  EXPECT_EQ(vma.dev_minor, 0x1fu);
  EXPECT_EQ(vma.inode, 247498u);
  EXPECT_EQ(vma.name, "/usr/bin/a file");
  EXPECT_FALSE(vma.deleted);
  EXPECT_EQ(vma.line, 1);
  const SmapsSizes kWant = {.size = 16,
                            .rss = 12,
                            .pss = 9,
                            .shared_clean = 4,
                            .private_dirty = 8,
                            .referenced = 12,
                            .anonymous = 8,
                            .lazy_free = 4,
                            .swap = 4,
                            .swap_pss = 2,
                            .locked = 1};
  EXPECT_EQ(vma.kib, kWant);
  EXPECT_THAT(vma.vm_flags,
              ElementsAre("rd", "wr", "mr", "mw", "me", "ac", "sd"));
  EXPECT_TRUE(vma.HasFlag("ac"));
  EXPECT_FALSE(vma.HasFlag("sh"));
}

TEST(ParseSmapsTest, ReadsHugePagesAndHugetlb) {
  constexpr absl::string_view kThp =
      "7f0000200000-7f0000800000 rw-p 00000000 00:00 0 \n"
      "Size: 6144 kB\nRss: 6144 kB\nAnonymous: 2048 kB\n"
      "AnonHugePages: 2048 kB\nShmemPmdMapped: 2048 kB\n"
      "FilePmdMapped: 2048 kB\nVmFlags: rd wr\n";
  const SmapsVma thp = ParsedVma(kThp);
  EXPECT_EQ(thp.kib.anon_huge_pages, 2048u);
  EXPECT_EQ(thp.kib.shmem_pmd_mapped, 2048u);
  EXPECT_EQ(thp.kib.file_pmd_mapped, 2048u);
  constexpr absl::string_view kHugetlb =
      "7f0000200000-7f0000800000 rw-s 00000000 00:0e 7 /anon_hugepage\n"
      "Size: 6144 kB\nKernelPageSize: 2048 kB\nMMUPageSize: 2048 kB\n"
      "Rss: 0 kB\nShared_Hugetlb: 2048 kB\nPrivate_Hugetlb: 4096 kB\n"
      "VmFlags: rd wr sh ms ht\n";
  const SmapsVma hugetlb = ParsedVma(kHugetlb);
  EXPECT_EQ(hugetlb.kib.kernel_page_size, 2048u);
  EXPECT_EQ(hugetlb.kib.mmu_page_size, 2048u);
  EXPECT_EQ(hugetlb.kib.shared_hugetlb, 2048u);
  EXPECT_EQ(hugetlb.kib.private_hugetlb, 4096u);
}

struct NameCase {
  std::string printed;
  std::string want;
  bool want_deleted;
};

TEST(ParseSmapsTest, KeepsNamesAsTheKernelPrintsThem) {
  const NameCase kCases[] = {
      {"", "", false},
      {"   ", "", false},
      {" [heap]", "[heap]", false},
      {" [anon:scudo primary]", "[anon:scudo primary]", false},
      {" [vdso]", "[vdso]", false},
      {" [vvar_vclock]", "[vvar_vclock]", false},
      {" /a file with  two spaces", "/a file with  two spaces", false},
      {" /tmp/gone (deleted)", "/tmp/gone (deleted)", true},
      {" /memfd:x (deleted)", "/memfd:x (deleted)", true},
      {" /dev/zero (deleted)", "/dev/zero (deleted)", true},
      {" /tmp/new\\012line", "/tmp/new\\012line", false},
      {" /tmp/\xff\xfe", "/tmp/\xff\xfe", false},
      {" 7f00-8000 r--p", "7f00-8000 r--p", false},
      {" anon_inode:[io_uring]", "anon_inode:[io_uring]", false},
  };
  for (const NameCase& c : kCases) {
    const SmapsVma vma = ParsedVma(absl::StrCat(
        "1000-5000 rw-p 00001000 fe:1f 247498", c.printed, "\n", kFields));
    EXPECT_EQ(vma.name, c.want);
    EXPECT_EQ(vma.deleted, c.want_deleted) << c.want;
  }
}

TEST(ParseSmapsTest, TakesANameFromAndroidsNameField) {
  EXPECT_EQ(ParsedVma(absl::StrCat("1000-5000 rw-p 00000000 00:00 0 \n"
                                   "Name:           [anon:libc_malloc]\n",
                                   kFields))
                .name,
            "[anon:libc_malloc]");
}

TEST(ParseSmapsTest, KeepsVsyscallApartFromTheMappings) {
  const SmapsFile file = Parsed(
      absl::StrCat(Mapping(),
                   "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 "
                   "                 [vsyscall]\n"
                   "Size:                  4 kB\nRss:                   0 kB\n"
                   "VmFlags: ex \n"));
  EXPECT_EQ(file.vmas.size(), 1u);
  ASSERT_EQ(file.gates.size(), 1u);
  EXPECT_EQ(file.gates[0].start, 0xffffffffff600000u);
  EXPECT_EQ(file.gates[0].end, 0xffffffffff601000u);
  EXPECT_EQ(file.gates[0].name, "[vsyscall]");
}

TEST(ParseSmapsTest, AcceptsFieldsThatItDoesNotKnow) {
  const SmapsVma vma = ParsedVma(With("THPeligible:           0\n",
                                      "THPeligible:           1\n"
                                      "Some_New(thing):      12 kB\n"));
  EXPECT_EQ(vma.kib.rss, 12u);
}

TEST(ParseSmapsTest, AcceptsTheFewFieldsOfALessonsFile) {
  const SmapsVma vma =
      ParsedVma("1000-3000 r--p 00000000 00:00 0\nSize: 8 kB\nRss: 4 kB\n");
  EXPECT_EQ(vma.kib, (SmapsSizes{.size = 8, .rss = 4}));
}

struct FlagsCase {
  std::string header_rest;
  std::string fields;
  std::vector<std::string> want;
};

TEST(ParseSmapsTest, MakesFlagsFromPermissionsWhereThereAreNone) {
  const FlagsCase kCases[] = {
      {"rw-p 00000000 00:00 0", "", {"rd", "wr", "mr", "mw", "me"}},
      {"r-xp 00000000 08:01 5 /bin/x", "", {"rd", "ex", "mr", "mw", "me"}},
      {"---p 00000000 00:00 0", "", {"mr", "mw", "me"}},
      {"r--s 00000000 08:01 5 /x", "", {"rd", "sh", "mr", "mw", "me", "ms"}},
      {"rw-p 00000000 00:00 0 [stack]",
       "",
       {"rd", "wr", "mr", "mw", "me", "gd"}},
      {"rw-p 00000000 00:00 0",
       "Locked: 4 kB\n",
       {"rd", "wr", "mr", "mw", "me", "lo"}},
  };
  for (const FlagsCase& c : kCases) {
    const SmapsFile file = Parsed(absl::StrCat(
        "1000-3000 ", c.header_rest, "\nSize: 8 kB\nRss: 4 kB\n", c.fields));
    ASSERT_EQ(file.vmas.size(), 1u);
    EXPECT_EQ(file.vmas[0].vm_flags, c.want) << c.header_rest;
    EXPECT_FALSE(file.has_vm_flags);
  }
  EXPECT_TRUE(Parsed(Mapping()).has_vm_flags);
}

TEST(ParseSmapsTest, SumsOverTheMappings) {
  const std::string second = absl::StrCat(
      "55e0d0007000-55e0d000b000 rw-p 00000000 00:00 0 \n", kFields);
  const SmapsSizes totals = Totals(Parsed(absl::StrCat(Mapping(), second)));
  EXPECT_EQ(totals.size, 32u);
  EXPECT_EQ(totals.rss, 24u);
  EXPECT_EQ(totals.anonymous, 16u);
  EXPECT_EQ(totals.swap, 8u);
  EXPECT_EQ(totals.kernel_page_size, 4u);
}

struct ErrorCase {
  std::string text;
  std::string want;  // A part of the message, with its place.
};

void ExpectErrors(const std::vector<ErrorCase>& cases) {
  for (const ErrorCase& c : cases) {
    const absl::StatusOr<SmapsFile> file = ParseSmaps(c.text, "dir/f.smaps");
    EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument)
        << c.want;
    const std::string message(file.status().message());
    EXPECT_TRUE(absl::StartsWith(message, absl::StrCat("dir/f.smaps:", c.want)))
        << "want " << c.want << "\n got " << message;
    EXPECT_THAT(message, HasSubstr("; expected "));
  }
}

std::string Header(absl::string_view header) {
  return absl::StrCat(header, "\n", kFields);
}

TEST(ParseSmapsErrorTest, NamesWhatIsWrongWithAHeader) {
  ExpectErrors({
      {Header("hello"), "1:1: \"hello\"; expected an address"},
      {Header("1000"), "1:5: \"\"; expected '-'"},
      {Header("1000_5000 rw-p 0 0:0 0"), "1:5: \"_5000 rw-p"},
      {Header("11112222333344445-5 rw-p 0 0:0 0"), "1:1: "},
      {Header("1000-x rw-p 0 0:0 0"), "1:6: \"x rw-p 0 0:0 0\""},
      {Header("1000-5000"), "1:6: \"\"; expected an address"},
      {Header("1000-5000 rwxq 0 0:0 0"), "1:11: \"rwxq\"; expected permis"},
      {Header("1000-5000 r 0 0:0 0"), "1:11: \"r\"; expected permis"},
      {Header("1000-5000 wrxp 0 0:0 0"), "1:11: \"wrxp\"; expected permis"},
      {Header("1000-5000 rw-p"), "1:15: the line ends; expected the file of"},
      {Header("1000-5000 rw-p z 0:0 0"), "1:16: \"z 0:0 0\"; expected a file"},
      {Header("1000-5000 rw-p 0 0-0 0"), "1:18: no device number"},
      {Header("1000-5000 rw-p 0 1ffffffff:0 0"), "1:18: no device number"},
      {Header("1000-5000 rw-p 0 0:0 x"), "1:22: no inode number"},
      {Header("1000-5000 rw-p 0 0:0 5x"), "1:22: no inode number"},
      {Header("1000-5000 rw-p 0 0:0 99999999999999999999"),
       "1:22: no inode number"},
  });
}

TEST(ParseSmapsErrorTest, NamesMappingsThatCannotBe) {
  const std::string kSecond = absl::StrCat(
      "55e0d0006000-55e0d000a000 rw-p 00000000 00:00 0 \n", kFields);
  const std::string kBefore =
      absl::StrCat("1000-5000 rw-p 00000000 00:00 0 \n", kFields);
  ExpectErrors({
      {Header("5000-5000 rw-p 0 0:0 0"), "1:1: the mapping ends where it"},
      {Header("5000-1000 rw-p 0 0:0 0"), "1:1: the mapping ends where it"},
      {Header("1001-5000 rw-p 0 0:0 0"), "1:1: the mapping is not made of"},
      {Header("1000-5800 rw-p 0 0:0 0"), "1:1: the mapping is not made of"},
      // The first page of the upper half, and one of five-level tables.
      {Header("7fffffffd000-800000001000 rw-p 0 0:0 0"),
       "1:1: the mapping ends at 800000001000, beyond 47 bits"},
      {Header("ff7f00000000000-ff7f00000004000 rw-p 0 0:0 0"),
       "1:1: the mapping ends at ff7f00000004000, beyond 47 bits"},
      {Header("1000-5000 --xp 0 0:0 0 [vsyscall]"),
       "1:1: [vsyscall] lies in user space"},
      // The fields of one mapping take 25 lines, its header one.
      {Mapping() + kSecond,
       "27:1: the mapping overlaps the one at line 1, which ends at "
       "55e0d0007000"},
      {Mapping() + Mapping(), "27:1: the mapping overlaps the one at line 1"},
      {Mapping() + kBefore, "27:1: the mapping comes before the one at line"},
  });
}

TEST(ParseSmapsErrorTest, NamesWhatIsWrongWithAField) {
  ExpectErrors({
      {std::string(kFields), "1:1: Size: comes before any mapping"},
      {With("Rss:     ", "Rss "), "5:1: \" "},
      {With("Rss:", "R.ss:"), "5:1: \".ss:"},
      {With("Rss:", ":"), "5:1: \": "},
      {With("Rss:", " Rss:"), "5:1: \" Rss:"},
      {With("12 kB\nPss:", "x kB\nPss:"), "5:23: Rss: has no number"},
      {With("12 kB\nPss:", "99999999999999999999 kB\nPss:"),
       "5:23: Rss: has no number that fits"},
      {With("12 kB\nPss:", "-12 kB\nPss:"), "5:23: Rss: has no number"},
      {With("12 kB\nPss:", "12\nPss:"), "5:25: Rss: has \"\" after its num"},
      {With("12 kB\nPss:", "12 MB\nPss:"), "5:25: Rss: has \" MB\" after"},
      {With("12 kB\nPss:", "12 kB \nPss:"), "5:25: Rss: has \" kB \" after"},
      {With("12 kB\nPss:", "10 kB\nPss:"),
       "5:23: Rss: is 10 kB; expected a multiple of 4"},
      {With("AnonHugePages:         0", "AnonHugePages:         4"),
       "16:24: AnonHugePages: is 4 kB; expected a multiple of 2048"},
      {With("THPeligible:           0", "THPeligible:           0 MB"),
       "24:25: THPeligible: has \" MB\" after"},
      {With("Pss_Dirty:             8", "Pss:                   8"),
       "7:1: a second Pss: of one mapping"},
      {With("VmFlags: rd", "VmFlags: r"), "26:10: VmFlags: has something"},
      {With("VmFlags: rd", "VmFlags: rdx"), "26:10: VmFlags: has something"},
      {With("VmFlags: rd", "VmFlags: rd,"), "26:10: VmFlags: has something"},
      {With("VmFlags: rd ", "VmFlags: rd  "), "26:13: VmFlags: has some"},
  });
}

TEST(ParseSmapsErrorTest, NamesSizesThatCannotBe) {
  ExpectErrors({
      {With("Size:                 16", "Size:                 20"),
       "2:23: Size: is 20 kB; expected 16 kB by the addresses"},
      {With("KernelPageSize:        4", "KernelPageSize:       12"),
       "3:23: KernelPageSize: is 12 kB; expected a power of two"},
      {With("MMUPageSize:           4", "MMUPageSize:           0"),
       "4:24: MMUPageSize: is 0 kB; expected a power of two"},
      {With("KernelPageSize:        4", "KernelPageSize:       32"),
       "3:23: KernelPageSize: is 32 kB; expected no more than the 16 kB"},
      {With("MMUPageSize:           4", "MMUPageSize:          32"),
       "4:23: MMUPageSize: is 32 kB; expected no more than the 16 kB"},
      {With("Rss:                  12", "Rss:                  20"),
       "5:23: Rss: is 20 kB; expected no more than the 16 kB of Size:"},
      {With("Pss:                   9", "Pss:                  13"),
       "6:23: Pss: is 13 kB; expected no more than the 12 kB of Rss:"},
      {With("Shared_Clean:          4", "Shared_Clean:         16"),
       "8:23: Shared_Clean: is 16 kB"},
      {With("Shared_Dirty:          0", "Shared_Dirty:         16"),
       "9:23: Shared_Dirty: is 16 kB"},
      {With("Private_Clean:         0", "Private_Clean:        16"),
       "10:23: Private_Clean: is 16 kB"},
      {With("Private_Dirty:         8", "Private_Dirty:        16"),
       "11:23: Private_Dirty: is 16 kB"},
      {With("Referenced:           12", "Referenced:           16"),
       "12:23: Referenced: is 16 kB"},
      {With("Anonymous:             8", "Anonymous:            16"),
       "13:23: Anonymous: is 16 kB; expected no more than the 12 kB of Rss:"},
      {With("LazyFree:              4", "LazyFree:             12"),
       "15:23: LazyFree: is 12 kB; expected no more than the 8 kB of Anony"},
      {With("AnonHugePages:         0", "AnonHugePages:      2048"),
       "16:21: AnonHugePages: is 2048 kB; expected no more than the 8 kB"},
      {With("ShmemPmdMapped:        0", "ShmemPmdMapped:     2048"),
       "17:21: ShmemPmdMapped: is 2048 kB"},
      {With("FilePmdMapped:         0", "FilePmdMapped:      2048"),
       "18:21: FilePmdMapped: is 2048 kB"},
      {With("Shared_Hugetlb:        0", "Shared_Hugetlb:       20"),
       "19:23: Shared_Hugetlb: is 20 kB"},
      {With("Private_Hugetlb:       0", "Private_Hugetlb:      20"),
       "20:23: Private_Hugetlb: is 20 kB"},
      {absl::StrReplaceAll(
           With("Shared_Hugetlb:        0", "Shared_Hugetlb:       12"),
           {{"Private_Hugetlb:       0", "Private_Hugetlb:       8"}}),
       "20:24: the _Hugetlb fields make up 20 kB; expected no more than the "
       "16 kB"},
      {With("Swap:                  4", "Swap:                 20"),
       "21:23: Swap: is 20 kB"},
      {With("SwapPss:               2", "SwapPss:               5"),
       "22:24: SwapPss: is 5 kB; expected no more than the 4 kB of Swap:"},
      {With("Locked:                1", "Locked:               13"),
       "23:23: Locked: is 13 kB"},
      {With("Shared_Clean:          4", "Shared_Clean:          0"),
       "5:23: Rss: is 12 kB; expected the 8 kB that Shared_ and Private_"},
  });
}

TEST(ParseSmapsErrorTest, ComparesRssAndSwapWithTheRoomOnlyWithoutAFile) {
  const std::string kTooMuch = absl::StrReplaceAll(
      With("Swap:                  4", "Swap:                  8"),
      {{"247498                     /usr/bin/a file", "0"}});
  ExpectErrors(
      {{kTooMuch, "21:24: Rss: and Swap: make up 20 kB; expected no"}});
  EXPECT_EQ(
      ParsedVma(With("Swap:                  4", "Swap:                  8"))
          .kib.swap,
      8u);
}

TEST(ParseSmapsErrorTest, RefusesMoreHugePagesThanFit) {
  // 4 MiB that start 4 KiB before a boundary span only one aligned 2 MiB.
  constexpr absl::string_view kMisaligned =
      "1ff000-5ff000 rw-p 00000000 00:00 0 \nSize: 4096 kB\nRss: 4096 kB\n"
      "Anonymous: 4096 kB\nAnonHugePages: $0 kB\n";
  ExpectErrors({{absl::StrReplaceAll(kMisaligned, {{"$0", "4096"}}),
                 "5:16: the mapping has 4096 kB of huge pages; expected no "
                 "more than the 2048 kB"}});
  EXPECT_EQ(ParsedVma(absl::StrReplaceAll(kMisaligned, {{"$0", "2048"}}))
                .kib.anon_huge_pages,
            2048u);
}

TEST(ParseSmapsErrorTest, NamesFlagsThatContradictThePermissions) {
  ExpectErrors({
      {With("VmFlags: rd wr", "VmFlags: wr"), "26:10: VmFlags: has no rd"},
      {With("VmFlags: rd wr", "VmFlags: rd"), "26:10: VmFlags: has no wr"},
      {With("VmFlags: rd wr", "VmFlags: rd wr ex"), "26:10: VmFlags: has ex"},
      {With("VmFlags: rd wr", "VmFlags: rd wr ms"), "26:10: VmFlags: has ms"},
      {With("rw-p", "rw-s"), "26:10: VmFlags: has no ms"},
      {With("VmFlags: rd wr", "VmFlags: rd wr sh"),
       "26:10: VmFlags: has sh without ms"},
  });
}

TEST(ParseSmapsErrorTest, RecognisesFilesThatAreNotWhole) {
  const std::string kTwo = absl::StrCat(
      Mapping(), "55e0d0008000-55e0d000c000 rw-p 00000000 00:00 0 \n");
  ExpectErrors({
      {"", "1:1: the file is empty"},
      {"\n", "1:1: an empty line"},
      {Mapping() + "\n", "27:1: an empty line"},
      {Mapping().substr(0, 20), "1:21: the file ends inside a line"},
      {Mapping().substr(0, Mapping().size() - 1),
       "26:31: the file ends inside a line"},
      {std::string(kHeader), "1:1: the mapping has no Size:"},
      {kTwo, "27:1: the mapping has no Size:"},
      {absl::StrCat(kTwo, "Size: 16 kB\n"), "27:1: the mapping has no Rss:"},
      {absl::StrCat(kTwo, kFields.substr(0, kFields.find("VmFlags"))),
       "27:1: the mapping has no VmFlags:, which the one at line 1 has"},
      // What /proc/PID/maps looks like.
      {absl::StrCat(kHeader, "55e0d0008000-55e0d000c000 rw-p 0 0:0 0\n"),
       "1:1: the mapping has no Size:; expected one; give it smaps, not maps"},
      {"55e000-7ff000 ---p 00000000 00:00 0   [rollup]\nRss: 4 kB\n",
       "1:1: this is the text of smaps_rollup"},
      {"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n",
       "1:1: there is no mapping but [vsyscall]"},
      {absl::StrReplaceAll(Mapping(), {{"\n", "\r\n"}}),
       "1:89: a carriage return"},
      {absl::StrCat(Mapping(), absl::string_view("Rss\0: 4\n", 8)),
       "27:4: a byte of 0"},
  });
}

TEST(ParseSmapsErrorTest, ShowsNoControlCharactersAndNoLongLines) {
  const absl::StatusOr<SmapsFile> file =
      ParseSmaps(absl::StrCat("\x1b[2J", std::string(100, 'x'), "\n"), "f");
  EXPECT_THAT(std::string(file.status().message()),
              HasSubstr(absl::StrCat("\"?[2J", std::string(36, 'x'), "...\"")));
}

struct RecordedCase {
  std::string name;
  std::vector<std::string> want_names;
};

class RecordedSmapsTest : public testing::TestWithParam<RecordedCase> {
 protected:
  std::string path() const {
    return absl::StrCat("tests/data/smaps/", GetParam().name, ".smaps");
  }
};

// Read a second time, and more simply: the sum of one field over all mappings.
uint64_t SumOfLines(const std::string& path, const std::string& key) {
  std::ifstream in(path);
  uint64_t sum = 0;
  for (std::string word; in >> word;) {
    uint64_t value = 0;
    if (word == key && in >> value) sum += value;
  }
  return sum;
}

TEST_P(RecordedSmapsTest, ReadsWhatTheProgramHad) {
  const absl::StatusOr<SmapsFile> file = ReadSmaps(path());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(file->has_vm_flags);
  const SmapsSizes totals = Totals(*file);
  EXPECT_GT(totals.rss, 1024u);
  EXPECT_EQ(totals.rss, SumOfLines(path(), "Rss:"));
  EXPECT_EQ(totals.pss, SumOfLines(path(), "Pss:"));
  EXPECT_EQ(totals.anonymous, SumOfLines(path(), "Anonymous:"));
  EXPECT_EQ(totals.private_dirty, SumOfLines(path(), "Private_Dirty:"));
  // The gate is the one mapping that is not among the process's own.
  EXPECT_EQ(totals.size + 4, SumOfLines(path(), "Size:"));
  EXPECT_THAT(file->gates, ElementsAre(Field(&SmapsGate::name, "[vsyscall]")));
  for (const std::string& name : GetParam().want_names) {
    EXPECT_THAT(file->vmas, testing::Contains(Field(&SmapsVma::name, name)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Programs, RecordedSmapsTest,
    testing::Values(RecordedCase{"bash",
                                 {"/usr/bin/bash", "[heap]", "[stack]", ""}},
                    RecordedCase{"chromium_renderer",
                                 {"/usr/lib/chromium/chromium",
                                  "/memfd:shared-memory-region (deleted)"}},
                    RecordedCase{"jvm", {"/tmp/hsperfdata_user/1", "[vdso]"}},
                    RecordedCase{"postgres", {"/dev/zero (deleted)", "[vvar]"}},
                    RecordedCase{"python3", {"/usr/bin/python3.11", "[heap]"}},
                    RecordedCase{"redis", {"[vvar_vclock]"}}),
    [](const testing::TestParamInfo<RecordedCase>& info) {
      return info.param.name == "chromium_renderer" ? "Chromium"
                                                    : info.param.name;
    });

TEST(ReadSmapsTest, SaysWhyAFileCannotBeRead) {
  const absl::StatusOr<SmapsFile> missing = ReadSmaps("no/such.smaps");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(missing.status().message(),
            "no/such.smaps: No such thing (ENOENT)");
  const absl::StatusOr<SmapsFile> folder = ReadSmaps("tests/data/smaps");
  EXPECT_EQ(folder.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(folder.status().message()), HasSubstr("EISDIR"));
}

}  // namespace
}  // namespace reapsim
