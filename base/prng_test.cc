// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "base/prng.h"

#include <array>
#include <cstdint>
#include <set>
#include <type_traits>

#include "gtest/gtest.h"

namespace reapsim {
namespace {

static_assert(std::is_trivially_copyable_v<Prng>);

// Published vectors: they are what "the same for ever" means.
TEST(PrngTest, SplitMixFollowsThePublishedSequence) {
  uint64_t state = 1234567;
  EXPECT_EQ(SplitMix64(state), 6457827717110365317u);
  EXPECT_EQ(SplitMix64(state), 3203168211198807973u);
  EXPECT_EQ(SplitMix64(state), 9817491932198370423u);
  EXPECT_EQ(SplitMix64(state), 4593380528125082431u);
  EXPECT_EQ(SplitMix64(state), 16408922859458223821u);
}

TEST(PrngTest, XoshiroFollowsThePublishedSequence) {
  Prng prng(Prng::State{1, 2, 3, 4});
  constexpr uint64_t kWant[] = {
      11520,
      0,
      1509978240,
      1215971899390074240,
      1216172134540287360,
      607988272756665600,
      16172922978634559625u,
      8476171486693032832,
      10595114339597558777u,
      2904607092377533576,
  };
  for (uint64_t want : kWant) EXPECT_EQ(prng.Next(), want);
}

TEST(PrngTest, SeedsGiveStatesBySplitMix) {
  uint64_t seed = 42;
  Prng::State state;
  for (uint64_t& word : state) word = SplitMix64(seed);
  EXPECT_EQ(Prng(42), Prng(state));
}

TEST(PrngTest, EqualSeedsGiveEqualNumbersAndOthersDoNot) {
  Prng a(7);
  Prng b(7);
  Prng c(8);
  int equal = 0;
  for (int i = 0; i < 100; ++i) {
    const uint64_t number = a.Next();
    EXPECT_EQ(number, b.Next());
    if (number == c.Next()) ++equal;
  }
  EXPECT_EQ(equal, 0);
}

TEST(PrngTest, BelowReachesEveryNumberAndNoOther) {
  Prng prng(1);
  std::set<uint64_t> seen;
  for (int i = 0; i < 200; ++i) seen.insert(prng.Below(7));
  EXPECT_EQ(seen.size(), 7u);
  EXPECT_EQ(*seen.rbegin(), 6u);
}

// With the bound 3 * 2^62 a plain remainder gives the lowest third of the range
// twice as often as the rest: 5000 of 10000 draws instead of 3333. The margin
// of 200 is more than four standard deviations (47).
TEST(PrngTest, BelowHasNoModuloBias) {
  constexpr uint64_t kThird = uint64_t{1} << 62;
  Prng prng(2);
  int in_lowest_third = 0;
  for (int i = 0; i < 10000; ++i) {
    if (prng.Below(3 * kThird) < kThird) ++in_lowest_third;
  }
  EXPECT_NEAR(in_lowest_third, 3333, 200);
}

// With a bound of three quarters of 2^32, one draw in four is rejected: without
// that, some numbers would be drawn twice as often as others.
TEST(PrngTest, SmallBelowIsEvenForAWideBound) {
  constexpr uint32_t kQuarter = uint32_t{1} << 30;
  Prng prng(2);
  int multiples_of_3 = 0;
  for (int i = 0; i < 10000; ++i) {
    const uint32_t number = prng.SmallBelow(3 * kQuarter);
    ASSERT_LT(number, 3 * kQuarter);
    if (number % 3 == 0) ++multiples_of_3;
  }
  EXPECT_NEAR(multiples_of_3, 3333, 200);
}

TEST(PrngTest, SmallBelowDrawsEachNumber) {
  Prng prng(3);
  std::set<uint32_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(prng.SmallBelow(3));
  EXPECT_EQ(seen, (std::set<uint32_t>{0, 1, 2}));
  EXPECT_EQ(prng.SmallBelow(1), 0u);
}

TEST(PrngTest, BelowOfOneIsAlwaysZero) {
  Prng prng(3);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(prng.Below(1), 0u);
}

TEST(PrngTest, BetweenIncludesBothEnds) {
  Prng prng(4);
  std::set<uint64_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(prng.Between(5, 7));
  EXPECT_EQ(seen, (std::set<uint64_t>{5, 6, 7}));
  EXPECT_EQ(prng.Between(9, 9), 9u);
  Prng all(5);
  Prng raw(5);
  EXPECT_EQ(all.Between(0, UINT64_MAX), raw.Next());
}

// 10000 draws at one in ten: 1000 expected, standard deviation 30.
TEST(PrngTest, OneInIsTrueThatOften) {
  Prng prng(6);
  int hits = 0;
  for (int i = 0; i < 10000; ++i) hits += prng.OneIn(10) ? 1 : 0;
  EXPECT_NEAR(hits, 1000, 150);
}

TEST(PrngDeathTest, RefusesWhatHasNoAnswer) {
  EXPECT_DEATH(Prng(1).Below(0), "prng: nothing below 0");
  EXPECT_DEATH(Prng(1).SmallBelow(0), "prng: no small number below 0");
  EXPECT_DEATH(Prng(1).Between(2, 1), "prng: empty range");
  EXPECT_DEATH(Prng(Prng::State{}), "prng: state of zeros");
}

}  // namespace
}  // namespace reapsim
