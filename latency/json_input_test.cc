// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/json_input.h"

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

JsonValue Parsed(const std::string& text) {
  const absl::StatusOr<JsonValue> json = ParseJson(text, "f");
  EXPECT_TRUE(json.ok()) << text << ": " << json.status();
  return json.value_or(JsonValue{});
}

TEST(JsonInputTest, ReadsEveryKindOfValueAndWhereItStands) {
  const JsonValue json = Parsed(
      "{\"a\": [null, true, false],\n"
      "  \"b\": {\"c\": -1.50e+2, \"d\": \"x\"},\r\n"
      "\t\"e\": {}, \"f\": []}\n");
  ASSERT_EQ(json.kind, JsonValue::Kind::kObject);
  ASSERT_EQ(json.members.size(), 4u);
  const JsonValue& a = json.members[0].value;
  ASSERT_EQ(a.elements.size(), 3u);
  EXPECT_EQ(a.elements[0].kind, JsonValue::Kind::kNull);
  EXPECT_TRUE(a.elements[1].boolean);
  EXPECT_EQ(a.elements[2].kind, JsonValue::Kind::kBool);
  EXPECT_FALSE(a.elements[2].boolean);
  EXPECT_EQ(a.elements[1].line, 1);
  EXPECT_EQ(a.elements[1].column, 14);
  const JsonMember& b = json.members[1];
  EXPECT_EQ(b.line, 2);
  EXPECT_EQ(b.column, 3);
  ASSERT_EQ(b.value.members.size(), 2u);
  EXPECT_EQ(b.value.members[0].name, "c");
  EXPECT_EQ(b.value.members[0].value.kind, JsonValue::Kind::kNumber);
  EXPECT_EQ(b.value.members[0].value.text, "-1.50e+2");
  EXPECT_EQ(b.value.members[1].value.text, "x");
  EXPECT_EQ(json.members[3].value.kind, JsonValue::Kind::kArray);
}

TEST(JsonInputTest, DecodesStrings) {
  struct Case {
    const char* json;
    const char* text;
  };
  constexpr Case kCases[] = {
      {R"("")", ""},
      {R"("a\"\\\/\b\f\n\r\t")", "a\"\\/\b\f\n\r\t"},
      {R"("\u0041\u00e9\u20aC")", "A\xc3\xa9\xe2\x82\xac"},
      {R"("\ud83d\ude00")", "\xf0\x9f\x98\x80"},
      // As they stand: two, three and four bytes, the first and last of each.
      {"\"\xc2\x80 \xdf\xbf\"", "\xc2\x80 \xdf\xbf"},
      {"\"\xe0\xa0\x80 \xef\xbf\xbf\"", "\xe0\xa0\x80 \xef\xbf\xbf"},
      {"\"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf\"",
       "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"},
  };
  for (const Case& each : kCases) {
    const JsonValue json = Parsed(each.json);
    EXPECT_EQ(json.kind, JsonValue::Kind::kString);
    EXPECT_EQ(json.text, each.text);
    // And back.
    EXPECT_EQ(Parsed(JsonQuoted(json.text)).text, each.text);
  }
}

TEST(JsonInputTest, SaysWhereTextIsNoJson) {
  struct Case {
    std::string text;
    const char* message;
  };
  const Case kCases[] = {
      {"", "f:1:1: expected a value, got the end of the file"},
      {"\n\n x", "f:3:2: expected a value, got 'x'"},
      {"tru", "f:1:1: expected a value, got 't'"},
      {"{} {}", "f:1:4: expected the end of the file, got '{'"},
      {"[1 2]", "f:1:4: expected ',' or ']', got '2'"},
      {"[1,]", "f:1:4: expected a value, got ']'"},
      {"[1,", "f:1:4: expected a value, got the end of the file"},
      {"{\"a\" 1}", "f:1:6: expected ':', got '1'"},
      {"{\"a\": 1 \"b\": 2}", "f:1:9: expected ',' or '}', got '\"'"},
      {"{\"a\": 1,}", "f:1:9: expected a name in quotes, got '}'"},
      {"{a: 1}", "f:1:2: expected a name in quotes, got 'a'"},
      {"{\"a\": 1,\n \"b\": {\"a\": 2},\n \"a\": 3}",
       "f:3:2: \"a\" is there twice, first in line 1"},
      {"01", "f:1:2: a number begins with 0"},
      {"-x", "f:1:2: expected a digit, got 'x'"},
      {"1.", "f:1:3: expected a digit, got the end of the file"},
      {"1e+", "f:1:4: expected a digit, got the end of the file"},
      {"\"a",
       "f:1:3: expected the string's closing quote, got the end of the "
       "file"},
      {"\"a\nb\"",
       "f:1:3: expected the string's closing quote, got the end of "
       "the line"},
      {"\"a\tb\"", "f:1:3: a control character in a string"},
      {R"("\x")", "f:1:3: expected an escape such as \\n, got 'x'"},
      {"\"\\",
       "f:1:3: expected an escape such as \\n, got the end of the "
       "file"},
      {R"("\u12g4")", "f:1:6: expected four hex digits, got 'g'"},
      {R"("\ud800x")", "f:1:8: half of a surrogate pair"},
      {R"("\ud800\u0041")", "f:1:14: half of a surrogate pair"},
      {R"("\ude00")", "f:1:8: half of a surrogate pair"},
      {std::string(33, '['),
       "f:1:33: more than 32 lists and objects inside each other"},
  };
  for (const Case& each : kCases) {
    const absl::StatusOr<JsonValue> json = ParseJson(each.text, "f");
    ASSERT_FALSE(json.ok()) << each.text;
    EXPECT_EQ(json.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(json.status().message()), each.message);
  }
  EXPECT_TRUE(ParseJson(std::string(32, '[') + std::string(32, ']'), "f").ok());
}

TEST(JsonInputTest, RefusesBytesThatAreNotUtf8) {
  constexpr const char* kCases[] = {
      "\x80",              // continues nothing
      "\xc1\xbf",          // longer than need be
      "\xc3",              // cut short
      "\xe0\x9f\xbf",      // longer than need be
      "\xed\xa0\x80",      // a surrogate
      "\xe2\x82",          // cut short
      "\xe2\x28\xa1",      // does not go on
      "\xf0\x8f\xbf\xbf",  // longer than need be
      "\xf4\x90\x80\x80",  // above the last character
      "\xf0\x9f\x98",      // cut short
      "\xff",
  };
  for (const char* bytes : kCases) {
    const absl::StatusOr<JsonValue> json =
        ParseJson(absl::StrCat("\"", bytes, "\""), "f");
    ASSERT_FALSE(json.ok());
    EXPECT_EQ(std::string(json.status().message()),
              "f:1:2: bytes that are not UTF-8");
  }
}

// What a reader that expects these fields says of the text; "" if it is
// content.
std::string Reading(const std::string& text) {
  const JsonValue json = Parsed(text);
  JsonReader reader("f");
  JsonObject top(&reader, json, "",
                 {"s", "b", "n", "t", "size", "time", "list"});
  std::string s;
  bool b = false;
  int8_t n = 0;
  uint64_t t = 0;
  uint64_t size = 0;
  uint64_t time = 0;
  if (reader.ok()) {
    top.String("s", &s, Presence::kOptional);
    top.Bool("b", &b, Presence::kOptional);
    top.Number("n", -5, 5, &n, Presence::kOptional);
    top.Thousandths("t", 10'000, &t, Presence::kOptional);
    top.Size("size", 4096, 8192, &size, Presence::kOptional);
    top.Duration("time", 1'000, 2'000, &time, Presence::kOptional);
    top.List("list", 1, 2, Presence::kOptional);
  }
  return std::string(reader.status().message());
}

TEST(JsonInputTest, SaysWhichFieldIsWrong) {
  struct Case {
    const char* text;
    const char* message;
  };
  constexpr Case kCases[] = {
      {R"({"s": "x", "b": true, "n": -5, "t": 9.999, "size": "8KiB",
          "time": "1us", "list": [1, 2]})",
       ""},
      {"[]", "f:1:1: expected an object, got a list"},
      {R"({"siz": 1})", "f:1:2: unknown field \"siz\"; did you mean size?"},
      {R"({"q17": 1})",
       "f:1:2: unknown field \"q17\"; expected s, b, n, t, size, time, list"},
      {R"({"s": ""})", "f:1:7: s: expected a text, got \"\""},
      {R"({"s": 1})", "f:1:7: s: expected a text, got 1"},
      {R"({"b": 1})", "f:1:7: b: expected true or false, got 1"},
      {R"({"b": null})", "f:1:7: b: expected true or false, got null"},
      {R"({"n": 6})", "f:1:7: n: expected a whole number from -5 to 5, got 6"},
      {R"({"n": -6})",
       "f:1:7: n: expected a whole number from -5 to 5, got -6"},
      {R"({"n": 1.5})",
       "f:1:7: n: expected a whole number from -5 to 5, got 1.5"},
      {R"({"n": 99999999999999999999})",
       "f:1:7: n: expected a whole number from -5 to 5, got "
       "99999999999999999999"},
      {R"({"n": true})",
       "f:1:7: n: expected a whole number from -5 to 5, got true"},
      {R"({"t": "x"})", "f:1:7: t: expected a number >= 0, got \"x\""},
      {R"({"t": -1})", "f:1:7: t: expected a number >= 0, got -1"},
      {R"({"t": 0.0001})",
       "f:1:7: t: expected a number with at most three decimals, got 0.0001"},
      {R"({"t": 10.001})", "f:1:7: t: expected at most 10, got 10.001"},
      {R"({"size": 4096})",
       "f:1:10: size: expected a size such as \"64MiB\", got 4096"},
      {R"({"size": "4kb"})",
       "f:1:10: size: expected a size such as \"64MiB\", got \"4kb\""},
      {R"({"size": "1B"})",
       "f:1:10: size: expected a size from 4KiB to 8KiB, got \"1B\""},
      {R"({"size": "9KiB"})",
       "f:1:10: size: expected a size from 4KiB to 8KiB, got \"9KiB\""},
      {R"({"time": {}})",
       "f:1:10: time: expected a time such as \"2.5ms\", got an object"},
      {R"({"time": "soon"})",
       "f:1:10: time: expected a time such as \"2.5ms\", got \"soon\""},
      {R"({"time": "999ns"})",
       "f:1:10: time: expected a time from 1us to 2us, got \"999ns\""},
      {R"({"time": "3us"})",
       "f:1:10: time: expected a time from 1us to 2us, got \"3us\""},
      {R"({"list": 1})", "f:1:10: list: expected a list, got 1"},
      {R"({"list": []})", "f:1:10: list: has 0 elements; expected 1 to 2"},
      {R"({"list": [1, 2, 3]})",
       "f:1:10: list: has 3 elements; expected 1 to 2"},
  };
  for (const Case& each : kCases) {
    EXPECT_EQ(Reading(each.text), each.message);
  }
}

TEST(JsonInputTest, NamesWhatIsMissing) {
  const JsonValue json = Parsed("{\n  \"inner\": {}}");
  JsonReader reader("f");
  JsonObject top(&reader, json, "", {"inner"});
  JsonObject inner(&reader, *top.Find("inner"), "inner", {"n"});
  EXPECT_EQ(inner.PathOf("n", 3), "inner.n[3]");
  int n = 7;
  inner.Number("n", 0, 9, &n);
  EXPECT_EQ(std::string(reader.status().message()),
            "f:2:12: inner.n: is missing");
  EXPECT_EQ(n, 7);
}

TEST(JsonInputTest, KeepsTheFirstError) {
  const JsonValue json = Parsed("[1, 2]");
  JsonReader reader("f");
  reader.Expected(json.elements[0], "a", "more");
  reader.Expected(json.elements[1], "b", "less");
  EXPECT_EQ(std::string(reader.status().message()),
            "f:1:2: a: expected more, got 1");
}

TEST(JsonInputTest, ShowsLongTextsCutShort) {
  JsonValue value;
  value.kind = JsonValue::Kind::kString;
  value.text = std::string(50, 'x') + "\n";
  EXPECT_EQ(ShownJson(value), "\"" + std::string(40, 'x') + "...\"");
  value.text = "a\nb";
  EXPECT_EQ(ShownJson(value), "\"a?b\"");
}

}  // namespace
}  // namespace reapsim
