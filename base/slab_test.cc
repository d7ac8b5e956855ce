// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "base/slab.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "base/arena.h"

namespace reapsim {
namespace {

template <int kBytes>
struct Object {
  char bytes[kBytes];
};

// Sizes with and without odd factors: how a slot number is found depends on
// them.
template <class T>
class SlabTest : public ::testing::Test {
 protected:
  SlabTest() { slab_.Init(&arena_, "object", 1000); }
  static T* Off(T* object, int64_t bytes) {
    return reinterpret_cast<T*>(reinterpret_cast<char*>(object) + bytes);
  }

  Arena arena_;
  Slab<T> slab_;
};
using Sizes = ::testing::Types<Object<1>, Object<8>, Object<24>, Object<64>,
                               Object<104>, Object<960>>;
TYPED_TEST_SUITE(SlabTest, Sizes);

TYPED_TEST(SlabTest, KnowsTheStartsOfLiveObjectsAndNothingElse) {
  constexpr int64_t kSize = sizeof(TypeParam);
  std::vector<TypeParam*> live;
  for (int i = 0; i < 500; ++i) live.push_back(this->slab_.New());
  for (uint32_t i = 0; i < live.size(); ++i) {
    EXPECT_TRUE(this->slab_.IsLive(live[i]));
    EXPECT_EQ(this->slab_.IndexOf(live[i]), i);
    for (int64_t off = 1; off < kSize; ++off) {
      EXPECT_FALSE(this->slab_.IsLive(this->Off(live[i], off))) << off;
    }
  }
  EXPECT_FALSE(this->slab_.IsLive(nullptr));
  EXPECT_FALSE(this->slab_.IsLive(this->Off(live.front(), -kSize)));
  EXPECT_FALSE(this->slab_.IsLive(this->Off(live.back(), kSize)));
  EXPECT_FALSE(this->slab_.IsLive(this->Off(live.front(), 4096 * kSize)));
}

TYPED_TEST(SlabTest, ForgetsWhatIsDeleted) {
  TypeParam* object = this->slab_.New();
  EXPECT_TRUE(this->slab_.Delete(object));
  EXPECT_FALSE(this->slab_.IsLive(object));
  EXPECT_FALSE(this->slab_.Delete(object)) << "a second time";
  EXPECT_EQ(this->slab_.live(), 0u);
}

}  // namespace
}  // namespace reapsim
