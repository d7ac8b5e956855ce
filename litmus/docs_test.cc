// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// docs/litmus.md: every scenario on it does what it promises, and it names
// every call, constant and term.

#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "litmus/calls.h"
#include "litmus/judge.h"
#include "litmus/terms.h"

namespace reapsim {
namespace {

std::string Page() {
  std::ifstream file("docs/litmus.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

// What stands between ```reap and ```.
std::vector<std::string> ScenariosOf(absl::string_view page) {
  constexpr absl::string_view kBegin = "```reap\n";
  std::vector<std::string> scenarios;
  for (size_t at = page.find(kBegin); at != absl::string_view::npos;
       at = page.find(kBegin)) {
    page.remove_prefix(at + kBegin.size());
    scenarios.emplace_back(page.substr(0, page.find("```")));
  }
  return scenarios;
}

TEST(LitmusPageTest, ShowsOnlyScenariosThatKeepTheirPromises) {
  const std::vector<std::string> scenarios = ScenariosOf(Page());
  EXPECT_GE(scenarios.size(), 4u);
  for (const std::string& text : scenarios) {
    const absl::StatusOr<Scenario> scenario = ReadScenario(text, "page");
    ASSERT_TRUE(scenario.ok()) << scenario.status() << "\n" << text;
    const absl::StatusOr<std::vector<Case>> cases = CasesOf(*scenario, "", {});
    ASSERT_TRUE(cases.ok()) << cases.status();
    for (const Case& each : *cases) {
      const absl::StatusOr<Judgement> made = Judge(*scenario, each, {});
      ASSERT_TRUE(made.ok()) << made.status();
      EXPECT_TRUE(made->kept()) << scenario->file.name << " "
                                << each.variant.ToString() << ": " << made->why;
    }
  }
}

TEST(LitmusPageTest, NamesEveryCallConstantAndTerm) {
  const std::string page = Page();
  for (const CallSpec& call : Calls()) {
    EXPECT_TRUE(
        absl::StrContains(page, absl::StrCat("`", call.Signature(), "`")))
        << call.Signature();
  }
  for (const absl::string_view name : ConstantNames()) {
    EXPECT_TRUE(absl::StrContains(page, absl::StrCat("`", name, "`"))) << name;
  }
  for (const TermSpec& term : TermSpecs()) {
    const bool named = absl::StrContains(page, absl::StrCat("`", term.name));
    EXPECT_TRUE(named) << term.name;
  }
}

}  // namespace
}  // namespace reapsim
