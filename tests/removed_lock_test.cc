// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A lock that is forgotten does not compile under clang: each program below
// is accepted as written, and rejected by -Wthread-safety for the reason given
// once the line marked "// <-- removed" is gone.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;

constexpr char kMarker[] = "// <-- removed";

struct RemovedLockCase {
  std::string name;
  std::string program;
  std::string want_error;
};

void PrintTo(const RemovedLockCase& c, std::ostream* os) { *os << c.name; }

const std::vector<RemovedLockCase>& Cases() {
  static const auto* cases = new std::vector<RemovedLockCase>{
      {.name = "AGuardedFieldNeedsItsSpinlock",
       .program = R"(
#include "mm/oom_kill.h"
namespace reapsim {
task_struct* First(OomState& oom) {
  spin_lock(&oom.oom_reaper_lock);  // <-- removed
  task_struct* first = oom.oom_reaper_list;
  spin_unlock(&oom.oom_reaper_lock);  // <-- removed
  return first;
})",
       .want_error = "reading variable 'oom_reaper_list' requires holding"},
      {.name = "TheVmaCountNeedsMmapLockToBeRead",
       .program = R"(
#include "mm/mmap.h"
namespace reapsim {
int Count(mm_struct* mm) {
  mmap_read_lock(mm);  // <-- removed
  int count = mm->map_count;
  mmap_read_unlock(mm);  // <-- removed
  return count;
})",
       .want_error = "reading variable 'map_count' requires holding"},
      {.name = "TheVmaCountNeedsMmapLockToBeWritten",
       .program = R"(
#include "mm/mmap.h"
namespace reapsim {
void Add(mm_struct* mm) {
  mmap_write_lock(mm);  // <-- removed
  mm->map_count++;
  mmap_write_unlock(mm);  // <-- removed
})",
       .want_error = "writing variable 'map_count' requires holding"},
      {.name = "AReaderMustLeave",
       .program = R"(
#include "mm/mmap.h"
namespace reapsim {
int Count(mm_struct* mm) {
  mmap_read_lock(mm);
  int count = mm->map_count;
  mmap_read_unlock(mm);  // <-- removed
  return count;
})",
       .want_error = "is still held at the end of function"},
      {.name = "OnlyWhoHoldsAMutexUnlocksIt",
       .program = R"(
#include "mm/oom_kill.h"
namespace reapsim {
void Disable(OomState& oom) {
  mutex_lock(&oom.oom_lock);  // <-- removed
  oom.oom_killer_disabled = true;
  mutex_unlock(&oom.oom_lock);
})",
       .want_error = "releasing mutex 'oom.oom_lock' that was not held"},
      {.name = "AFailedKillableLockIsNotHeld",
       .program = R"(
#include "mm/mmap.h"
namespace reapsim {
int Lock(mm_struct* mm) {
  if (mmap_write_lock_killable(mm)) return -4;  // <-- removed
  mm->locked_vm++;
  mmap_write_unlock(mm);
  return 0;
})",
       .want_error = "writing variable 'locked_vm' requires holding"},
      {.name = "AFailedTrylockIsNotHeld",
       .program = R"(
#include "mm/mmap.h"
namespace reapsim {
int Count(mm_struct* mm) {
  if (!mmap_read_trylock(mm)) return 0;  // <-- removed
  int count = mm->map_count;
  mmap_read_unlock(mm);
  return count;
})",
       .want_error = "reading variable 'map_count' requires holding"},
      {.name = "ADowngradedLockDoesNotLetWrite",
       .program = R"(
#include "mm/mmap.h"
namespace reapsim {
void Add(mm_struct* mm) {
  mmap_write_lock(mm);
  downgrade_write(&mm->mmap_lock);
  up_read(&mm->mmap_lock);  // <-- removed
  mmap_write_lock(mm);  // <-- removed
  mm->map_count++;
  up_write(&mm->mmap_lock);
})",
       .want_error = "writing variable 'map_count' requires holding"},
  };
  return *cases;
}

// The program as written, or without its marked lines.
std::string Variant(const std::string& program, bool with_lock) {
  std::istringstream lines(program);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    if (with_lock || line.find(kMarker) == std::string::npos) {
      text += line + "\n";
    }
  }
  return text + "}  // namespace reapsim\n";
}

// The directory of the sources: Bazel links WORKSPACE into the test's own.
std::string SourceRoot() {
  return std::filesystem::canonical("WORKSPACE").parent_path().string();
}

bool ClangIsHere() {
  return std::system("clang-14 --version >/dev/null 2>&1") == 0;
}

// What clang says to a program; nothing if it accepts it.
std::string ErrorsOf(const std::string& name, const std::string& program) {
  const std::string stem = ::testing::TempDir() + name;
  std::ofstream(stem + ".cc") << program;
  const std::string command =
      "clang-14 -std=c++20 -fsyntax-only -Wthread-safety"
      " -Werror=thread-safety -iquote " +
      SourceRoot() + " " + stem + ".cc 2>" + stem + ".txt";
  const bool accepted = std::system(command.c_str()) == 0;
  std::ostringstream said;
  said << std::ifstream(stem + ".txt").rdbuf();
  return accepted ? "" : said.str();
}

class RemovedLockTest : public ::testing::TestWithParam<RemovedLockCase> {
 protected:
  void SetUp() override {
    if (!ClangIsHere()) {
      GTEST_SKIP() << "no clang-14; ./bazelw test --config=clang installs it";
    }
  }
};

TEST_P(RemovedLockTest, CompilesOnlyWithTheLock) {
  const auto& [name, program, want_error] = GetParam();
  EXPECT_EQ(ErrorsOf(name + "Kept", Variant(program, true)), "");
  EXPECT_THAT(ErrorsOf(name, Variant(program, false)), HasSubstr(want_error));
}

INSTANTIATE_TEST_SUITE_P(Programs, RemovedLockTest,
                         ::testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace reapsim
