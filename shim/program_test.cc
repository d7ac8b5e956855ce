// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "shim/program.h"

#include <sys/stat.h>

#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;

// An executable file with these bytes.
std::string Write(const std::string& name, const std::string& bytes) {
  const std::string path = absl::StrCat(testing::TempDir(), "/", name);
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_EQ(chmod(path.c_str(), 0755), 0);
  return path;
}

TEST(Program, IsLookedForAsAShellDoes) {
  const absl::StatusOr<std::string> shell = FindProgram("sh");
  ASSERT_TRUE(shell.ok()) << shell.status();
  EXPECT_THAT(*shell, HasSubstr("/sh"));
  EXPECT_EQ(*FindProgram("/bin/sh"), "/bin/sh");
  EXPECT_EQ(FindProgram("no-such-program").status().message(),
            "no program no-such-program in PATH");
  EXPECT_EQ(FindProgram("/etc").status().message(), "no program /etc");
}

TEST(Program, OfGlibcCanRun) { EXPECT_TRUE(CheckProgram("/bin/sh").ok()); }

TEST(Program, AScriptIsItsInterpreter) {
  EXPECT_TRUE(CheckProgram(Write("script", "#! /bin/sh -e\ntrue\n")).ok());
  EXPECT_THAT(CheckProgram(Write("lost", "#!/no/such\n")).message(),
              HasSubstr("/no/such"));
  const std::string path = absl::StrCat(testing::TempDir(), "/loop");
  EXPECT_THAT(
      CheckProgram(Write("loop", absl::StrCat("#!", path, "\n"))).message(),
      HasSubstr("too many interpreters"));
}

TEST(Program, WhatIsNoneIsRefused) {
  EXPECT_THAT(CheckProgram(Write("text", "hello\n")).message(),
              HasSubstr("it is neither an ELF file nor a script"));
  EXPECT_THAT(CheckProgram(Write("short",
                                 "\x7f"
                                 "ELF"))
                  .message(),
              HasSubstr("it is cut short"));
  std::string bytes(
      "\x7f"
      "ELF\x01",
      5);  // 32 bits
  bytes.resize(4096);
  EXPECT_THAT(CheckProgram(Write("small", bytes)).message(),
              HasSubstr("it is no x86-64 program"));
}

// An ELF file's header and one program header, PT_INTERP.
std::string ElfWithLoader(const std::string& loader) {
  std::string bytes(
      "\x7f"
      "ELF\x02\x01\x01",
      7);
  bytes.resize(4096);
  bytes[18] = 62;                                         // e_machine: x86-64
  bytes[32] = 64;                                         // e_phoff
  bytes[54] = 56;                                         // e_phentsize
  bytes[56] = 1;                                          // e_phnum
  bytes[64] = 3;                                          // PT_INTERP
  bytes[64 + 8] = 120;                                    // p_offset
  bytes[64 + 32] = static_cast<char>(loader.size() + 1);  // p_filesz
  bytes.replace(120, loader.size(), loader);
  return bytes;
}

TEST(Program, NeedsTheLoaderOfGlibc) {
  EXPECT_TRUE(
      CheckProgram(Write("glibc", ElfWithLoader("/lib64/ld-linux-x86-64.so.2")))
          .ok());
  EXPECT_THAT(
      CheckProgram(Write("musl", ElfWithLoader("/lib/ld-musl-x86_64.so.1")))
          .message(),
      HasSubstr("its loader /lib/ld-musl-x86_64.so.1 is not glibc's"));
}

}  // namespace
}  // namespace reapsim
