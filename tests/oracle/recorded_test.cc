// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Whether the model does what real kernels did: each row of each recording.

#include <dirent.h>

#include <algorithm>
#include <cctype>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/check.h"
#include "base/kernel_version.h"
#include "conform/conform.h"
#include "conform/recording.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "import/read_file.h"

namespace reapsim {
namespace {

constexpr char kFolder[] = "tests/oracle/recorded";

struct Recorded {
  std::string package_version;  // "6.1.192-2"
  std::string text;
  Recording recording;
};

std::vector<Recorded>* ReadAll() {
  std::vector<std::string> names;
  DIR* folder = opendir(kFolder);
  REAP_CHECK(folder != nullptr, "recorded_test: no recordings");
  while (const dirent* entry = readdir(folder)) {
    if (absl::EndsWith(entry->d_name, ".tsv")) names.push_back(entry->d_name);
  }
  (void)closedir(folder);
  std::sort(names.begin(), names.end());
  auto* all = new std::vector<Recorded>;
  for (const std::string& name : names) {
    const absl::StatusOr<std::string> text =
        ReadFile(absl::StrCat(kFolder, "/", name));
    REAP_CHECK(text.ok(), "recorded_test: a recording can't be read");
    absl::StatusOr<Recording> recording = ParseRecording(*text, name);
    if (!recording.ok()) {
      ADD_FAILURE() << recording.status().message();
      continue;
    }
    all->push_back({std::string(absl::StripSuffix(name, ".tsv")), *text,
                    *std::move(recording)});
  }
  return all;
}

const std::vector<Recorded>& All() {
  static const std::vector<Recorded>* all = ReadAll();
  return *all;
}

const ConformRow* FindRow(const std::string& id) {
  for (const ConformRow& row : ConformRows()) {
    if (row.id == id) return &row;
  }
  return nullptr;
}

struct RecordedCase {
  const Recorded* kernel;
  const RecordedRow* row;
};

std::ostream& operator<<(std::ostream& out, const RecordedCase& one) {
  return out << one.kernel->package_version << " " << one.row->id;
}

std::vector<RecordedCase> Cases() {
  std::vector<RecordedCase> cases;
  for (const Recorded& kernel : All()) {
    for (const RecordedRow& row : kernel.recording.rows) {
      if (row.outcome.status.ok()) cases.push_back({&kernel, &row});
    }
  }
  return cases;
}

class RecordedTest : public ::testing::TestWithParam<RecordedCase> {};

TEST_P(RecordedTest, TheModelAgrees) {
  const RecordedRow& recorded = *GetParam().row;
  const ConformRow* row = FindRow(recorded.id);
  ASSERT_NE(row, nullptr) << "there is no row " << recorded.id;
  const ConformLine line =
      Judge(*row, recorded.outcome, GetParam().kernel->recording.kernel);
  EXPECT_EQ(line.agree, ConformLine::Agree::kYes)
      << absl::StrJoin(line.differs, "\n");
}

std::string NameOf(const ::testing::TestParamInfo<RecordedCase>& info) {
  std::string name =
      absl::StrCat(info.param.kernel->package_version, "_", info.param.row->id);
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

// At least 120 rows of each kernel, played or lacking; and those that the call
// exists in have most of them.
TEST(RecordingsTest, AreOfAllTheKernelsThatTheDocsName) {
  std::set<std::string> series;
  for (const Recorded& kernel : All()) {
    const absl::StatusOr<KernelVersion> version =
        ParseKernelVersion(kernel.recording.kernel);
    ASSERT_TRUE(version.ok()) << version.status();
    // Package and `uname -r` name the same release, or Debian's ABI of it.
    EXPECT_TRUE(absl::StartsWith(
        kernel.package_version,
        absl::StrCat(version->major, ".", version->minor, ".")))
        << kernel.package_version << " " << kernel.recording.kernel;
    series.insert(absl::StrCat(version->major, ".", version->minor));
    EXPECT_GE(kernel.recording.rows.size(), 120u) << kernel.package_version;
  }
  EXPECT_THAT(series, ::testing::IsSupersetOf({"5.10", "6.1", "6.12", "6.16",
                                               "6.17", "6.18", "6.19", "7.0",
                                               "7.1", "7.2", "7.3"}));
}

// So a kernel that is recorded again shows what has changed, and nothing else.
TEST(RecordingsTest, AreAsTheyAreWritten) {
  for (const Recorded& kernel : All()) {
    EXPECT_EQ(RecordingText(kernel.recording), kernel.text);
  }
}

// A row that the host knows and no recording has would never be compared.
TEST(RecordingsTest, HaveEveryRow) {
  std::set<std::string> ids;
  for (const Recorded& kernel : All()) {
    for (const RecordedRow& row : kernel.recording.rows) ids.insert(row.id);
  }
  for (const ConformRow& row : ConformRows()) {
    EXPECT_EQ(ids.erase(row.id), 1u) << row.id << ": record the kernels anew";
  }
  EXPECT_THAT(ids, ::testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(, RecordedTest, ::testing::ValuesIn(Cases()), NameOf);

}  // namespace
}  // namespace reapsim
