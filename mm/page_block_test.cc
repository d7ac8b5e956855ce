// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/page_block.h"

#include "gtest/gtest.h"

namespace reapsim {
namespace {

constexpr page kEach = {._refcount = 1, ._mapcount = 2, .flags = 3};
constexpr page_block kPattern = page_block::Of(kEach);

TEST(PageBlockTest, EqualsOnlyItsPattern) {
  page_block block;
  EXPECT_FALSE(IsBlock(block.pages, kPattern));
  SetBlock(block.pages, kPattern);
  EXPECT_TRUE(IsBlock(block.pages, kPattern));
}

TEST(PageBlockTest, SeesEachFieldOfEachPage) {
  struct Change {
    const char* field;
    void (*change)(page*);
  };
  static constexpr Change kChanges[] = {
      {"_refcount", [](page* p) { p->_refcount ^= 1u << 31; }},
      {"_mapcount", [](page* p) { p->_mapcount ^= 1; }},
      {"flags", [](page* p) { p->flags ^= PG_word; }},
      {"_entire_mapcount", [](page* p) { p->_entire_mapcount ^= 1; }},
  };
  for (const Change& c : kChanges) {
    for (uint32_t i = 0; i < kPageBlock; ++i) {
      page_block block = kPattern;
      c.change(&block.pages[i]);
      EXPECT_FALSE(IsBlock(block.pages, kPattern)) << c.field << " of " << i;
    }
  }
}

TEST(RampTest, SeesEachWord) {
  uint64_t words[kPageBlock];
  SetRamp(words, 0x1005, 0x1000);
  EXPECT_EQ(words[0], 0x1005u);
  EXPECT_EQ(words[3], 0x4005u);
  EXPECT_EQ(words[7], 0x8005u);
  EXPECT_TRUE(IsRamp(words, 0x1005, 0x1000));
  EXPECT_FALSE(IsRamp(words, 0x1004, 0x1000));
  for (uint64_t& word : words) {
    word ^= uint64_t{1} << 40;
    EXPECT_FALSE(IsRamp(words, 0x1005, 0x1000)) << &word - words;
    word ^= uint64_t{1} << 40;
  }
}

}  // namespace
}  // namespace reapsim
