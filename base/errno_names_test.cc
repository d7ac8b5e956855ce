// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "base/errno_names.h"

#include <string.h>

#include <cerrno>
#include <string>

#include "gtest/gtest.h"

namespace reapsim {
namespace {

// The C library's own names, which it has since 2.32, are the judge.
TEST(ErrnoNamesTest, AgreeWithTheCLibrary) {
  int known = 0;
  for (int value = 1; value < 200; ++value) {
    const std::string name = ErrnoName(value);
    if (name == "errno " + std::to_string(value)) {
      EXPECT_STREQ(ErrnoText(value), "Unknown error");
      continue;
    }
    ++known;
    EXPECT_STREQ(strerrorname_np(value), name.c_str());
    EXPECT_STRNE(ErrnoText(value), "Unknown error") << name;
  }
  // All but the entry of 0.
  EXPECT_EQ(known, 36);
}

TEST(ErrnoNamesTest, KnowEveryAnswerOfTheCall) {
  for (int value : {EINVAL, EBADF, ESRCH, EINTR, EAGAIN, ENOSYS}) {
    EXPECT_EQ(ErrnoName(value)[0], 'E') << value;
  }
  EXPECT_STREQ(ErrnoText(EINVAL), "Invalid argument");
}

TEST(ErrnoNamesTest, TellAResultFromAnErrno) {
  EXPECT_EQ(ResultText(-EINVAL), "EINVAL");
  EXPECT_EQ(ResultText(0), "0");
  // As a value, not ESRCH.
  EXPECT_EQ(ResultText(ESRCH), "3");
  EXPECT_EQ(ResultText(-4711), "errno 4711");
}

TEST(ErrnoNamesTest, GiveWordsForZeroAndForTheUnknown) {
  EXPECT_EQ(ErrnoName(0), "0");
  EXPECT_STREQ(ErrnoText(0), "Success");
  EXPECT_EQ(ErrnoName(4711), "errno 4711");
  EXPECT_EQ(ErrnoName(-EINVAL), "errno -22");
  EXPECT_STREQ(ErrnoText(4711), "Unknown error");
}

}  // namespace
}  // namespace reapsim
