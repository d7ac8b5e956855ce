// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/markup.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct EscapedCase {
  const char* test;
  std::string text;
  const char* want;
};

class EscapedTest : public ::testing::TestWithParam<EscapedCase> {};

TEST_P(EscapedTest, SaysIt) {
  EXPECT_EQ(Escaped(GetParam().text), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    , EscapedTest,
    ::testing::Values(
        EscapedCase{"PlainText", "lmkd 105", "lmkd 105"},
        EscapedCase{"MarkupByName", "<b title='\"'>&</b>",
                    "&lt;b title=&#39;&quot;&#39;&gt;&amp;&lt;/b&gt;"},
        EscapedCase{"OtherLettersAsTheyAre", "\xc3\xbc", "\xc3\xbc"},
        EscapedCase{"WhatIsNoUtf8", "a\xff z", "a\xef\xbf\xbd z"},
        EscapedCase{"ControlCharacters", std::string("a\x1b\0b", 4),
                    "a\xef\xbf\xbd\xef\xbf\xbd"
                    "b"},
        EscapedCase{"WhatXmlHasNoWayToSay", "\xef\xbf\xbf", "\xef\xbf\xbd"}),
    [](const ::testing::TestParamInfo<EscapedCase>& info) {
      return info.param.test;
    });

TEST(ScriptJson, CannotEndItsElement) {
  const std::string text = ScriptJson({{"name", "</script><!-- & \xff"}});
  EXPECT_THAT(text, Not(HasSubstr("<")));
  EXPECT_THAT(text, Not(HasSubstr("&")));
  EXPECT_EQ(Json::parse(text).at("name"), "</script><!-- & \xef\xbf\xbd");
}

TEST(Palette, HasAllColoursLightAndDark) {
  const std::string css = Palette("svg");
  const size_t dark = css.find("prefers-color-scheme:dark");
  ASSERT_NE(dark, std::string::npos);
  for (const char* name :
       {"--bg:",    "--fg:",     "--muted:",    "--line:",      "--panel:",
        "--mark:",  "--accent:", "--bad:",      "--user:",      "--kernel:",
        "--spin:",  "--lock:",   "--queue:",    "--throttled:", "--frozen:",
        "--sleep:", "--free:",   "--freefill:", "--l0:",        "--l5:"}) {
    EXPECT_LT(css.find(name), dark) << name;
    EXPECT_NE(css.find(name, dark), std::string::npos) << name;
  }
}

TEST(HtmlPage, AsksForNothingFromElsewhere) {
  const std::string page = HtmlPage("<A>", "p{}", "<p>b</p>\n", "'use';\n");
  EXPECT_THAT(page, HasSubstr("<title>&lt;A&gt;</title>"));
  EXPECT_THAT(page, Not(HasSubstr("http")));
  EXPECT_THAT(page, Not(HasSubstr("<link")));
  EXPECT_THAT(page, Not(HasSubstr("src=")));
}

}  // namespace
}  // namespace reapsim
