// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/text.h"

#include <cstdint>
#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace reapsim {
namespace {

TEST(TextTest, GroupsDigitsByThrees) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(1000), "1,000");
  EXPECT_EQ(Grouped(1234567), "1,234,567");
  EXPECT_EQ(Grouped(-999), "-999");
  EXPECT_EQ(Grouped(-1000), "-1,000");
  EXPECT_EQ(Grouped(std::numeric_limits<int64_t>::min()),
            "-9,223,372,036,854,775,808");
}

TEST(TextTest, ShowsOnlyWhatATerminalMayPrint) {
  EXPECT_EQ(Printable("a b~"), "a b~");
  EXPECT_EQ(Printable("\x1b[31m\n\t\xc3\xa9\x7f"), "?[31m?????");
}

TEST(TextTest, KeepsTheTail) {
  EXPECT_EQ(Tail("/usr/lib/x", 10), "/usr/lib/x");
  EXPECT_EQ(Tail("/usr/lib/xy", 10), ".../lib/xy");
}

TEST(TextTest, WrapsAtEightyColumns) {
  const std::string word(39, 'w');
  EXPECT_EQ(Wrapped("", word + " " + word + "+"),
            word + " " + word + "+\n");  // 80 columns
  EXPECT_EQ(Wrapped("", word + " " + word + "++"), word + "\n" + word + "++\n");
}

TEST(TextTest, IndentsContinuedLines) {
  const std::string word(40, 'w');
  EXPECT_EQ(Wrapped("lead ", word + " " + word),
            "lead " + word + "\n     " + word + "\n");
}

TEST(TextTest, DoesNotBreakAWordThatIsTooLong) {
  const std::string word(100, 'w');
  EXPECT_EQ(Wrapped("a ", word + " b"), "a " + word + "\n  b\n");
}

TEST(TextTest, WrapsNothingToTheLeadAlone) {
  EXPECT_EQ(Wrapped("lead   ", ""), "lead\n");
}

TEST(TableTest, AlignsColumnsAndLeavesNoTrailingSpaces) {
  Table table({Table::Align::kLeft, Table::Align::kRight, Table::Align::kLeft});
  table.Add({"name", "KiB", "why"});
  table.Add({"a", "1,000", ""});
  EXPECT_EQ(table.ToString(1), " name    KiB  why\n a     1,000\n");
}

}  // namespace
}  // namespace reapsim
