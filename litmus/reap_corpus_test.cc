// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Gives the fuzz target of the language the examples, and damaged copies of
// them, without libFuzzer.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/prng.h"
#include "gtest/gtest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace reapsim {
namespace {

void Feed(absl::string_view text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()),
                         text.size());
}

std::vector<std::string> Corpus() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator("litmus/examples")) {
    if (entry.path().extension() == ".reap") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> texts;
  for (const std::filesystem::path& path : paths) {
    std::ifstream file(path);
    texts.emplace_back(std::istreambuf_iterator<char>(file),
                       std::istreambuf_iterator<char>());
  }
  return texts;
}

TEST(ReapCorpusTest, IsReadWithoutAFault) {
  const std::vector<std::string> texts = Corpus();
  ASSERT_GE(texts.size(), 4u);
  for (const std::string& text : texts) Feed(text);
}

TEST(ReapCorpusTest, MayBeCutAnywhere) {
  for (const std::string& text : Corpus()) {
    for (size_t length = 0; length <= text.size(); ++length) {
      Feed(absl::string_view(text).substr(0, length));
    }
  }
}

TEST(ReapCorpusTest, MayBeDamagedAnywhere) {
  Prng prng(448);
  constexpr absl::string_view kBytes = "09afP_ {}()[],;:=<>~-+|&/\\*\n\t\0\xff";
  for (const std::string& text : Corpus()) {
    for (int round = 0; round < 300; ++round) {
      std::string damaged = text;
      for (uint64_t edits = prng.Between(1, 4); edits > 0; --edits) {
        const size_t at = prng.Below(damaged.size());
        const char byte = kBytes[prng.Below(kBytes.size())];
        switch (prng.Below(3)) {
          case 0:
            damaged[at] = byte;
            break;
          case 1:
            damaged.insert(at, 1, byte);
            break;
          default:
            // A piece of it again, elsewhere.
            damaged.insert(at, damaged.substr(prng.Below(damaged.size()), 30));
        }
      }
      Feed(damaged);
    }
  }
}

// What would nest without end.
TEST(ReapCorpusTest, MayBeLongAndDeep) {
  const std::string head =
      "REAP t\n(* Result: Never *)\n{ process p; }\nP0(p) { r = ";
  for (const char* piece : {"(", "-", "1+", "a[", "&a[", "~", "not ", "/*"}) {
    std::string deep;
    for (int i = 0; i < 20000; ++i) deep += piece;
    Feed(head + deep);
    Feed(head + "1; }\nexists (" + deep);
  }
}

}  // namespace
}  // namespace reapsim
