// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Gives the fuzz target of the parser what fuzzing has found, the recorded
// files, and damaged copies of both, without libFuzzer.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/prng.h"
#include "gtest/gtest.h"
#include "import/read_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace reapsim {
namespace {

void Feed(absl::string_view text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()),
                         text.size());
}

// The files of both folders, at most `most` bytes of each.
std::vector<std::string> Corpus(size_t most) {
  std::vector<std::filesystem::path> paths;
  for (const char* folder :
       {"import/testdata/smaps_corpus", "tests/data/smaps"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> texts;
  for (const std::filesystem::path& path : paths) {
    absl::StatusOr<std::string> text = ReadFile(path.string());
    EXPECT_TRUE(text.ok()) << text.status();
    texts.push_back(text->substr(0, most));
  }
  return texts;
}

TEST(SmapsCorpusTest, IsReadWithoutAFault) {
  const std::vector<std::string> texts = Corpus(SIZE_MAX);
  // Six recorded files, and what is in the corpus.
  ASSERT_GT(texts.size(), 10u);
  for (const std::string& text : texts) Feed(text);
}

// The first mapping and a part of the second.
constexpr size_t kFewMappings = 1200;

TEST(SmapsCorpusTest, MayBeCutAnywhere) {
  for (const std::string& text : Corpus(kFewMappings)) {
    for (size_t length = 0; length <= text.size(); ++length) {
      Feed(absl::string_view(text).substr(0, length));
    }
  }
}

TEST(SmapsCorpusTest, MayBeDamagedAnywhere) {
  Prng prng(448);
  constexpr absl::string_view kBytes = "0189afx -:.\n\r\t\0[](kB\x7f\xff";
  for (const std::string& text : Corpus(kFewMappings)) {
    if (text.empty()) continue;
    for (int round = 0; round < 2000; ++round) {
      std::string damaged = text;
      for (uint64_t edits = prng.Between(1, 3); edits > 0; --edits) {
        const size_t at = prng.Below(damaged.size());
        const char byte = kBytes[prng.Below(kBytes.size())];
        if (prng.OneIn(2)) {
          damaged[at] = byte;
        } else {
          damaged.insert(at, 1, byte);
        }
      }
      Feed(damaged);
    }
  }
}

}  // namespace
}  // namespace reapsim
