// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/markup.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace reapsim {
namespace {

constexpr absl::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

// With U+FFFD for what is no UTF-8.
std::string AsUtf8(absl::string_view text) {
  const std::string dumped = Json(std::string(text))
                                 .dump(-1, ' ', /*ensure_ascii=*/false,
                                       Json::error_handler_t::replace);
  return Json::parse(dumped).get<std::string>();
}

// Which characters XML has no way to say.
bool IsUnspeakable(unsigned char c) {
  return c == 0x7f || (c < 0x20 && c != '\n' && c != '\t');
}

constexpr absl::string_view kLight =
    "--bg:#fff;--fg:#1d2127;--muted:#5a636e;--line:#d8dce1;--panel:#f5f6f8;"
    "--mark:#ffedb3;--accent:#0b5cad;--bad:#b3261e;"
    "--user:#4f9d8f;--kernel:#3a76b5;--spin:#d0453b;--lock:#8a63c4;"
    "--queue:#d99a2b;--throttled:#b0578d;--frozen:#79b4d6;--sleep:#c9ced5;"
    "--free:#2f7d4f;--freefill:#d5ecdd;--l0:#3a76b5;--l1:#c7692a;--l2:#3d8f62;"
    "--l3:#8a63c4;--l4:#b0578d;--l5:#7a7f16;";
constexpr absl::string_view kDark =
    "--bg:#15181c;--fg:#e4e7eb;--muted:#9fa9b4;--line:#363d46;--panel:#1d2126;"
    "--mark:#54430f;--accent:#86bdf7;--bad:#ff8a80;"
    "--user:#69bfb0;--kernel:#5f9bdc;--spin:#f0756b;--lock:#ad8ae3;"
    "--queue:#e5b455;--throttled:#d585b4;--frozen:#8cc7e8;--sleep:#4a525c;"
    "--free:#6cc794;--freefill:#1f3d2c;--l0:#5f9bdc;--l1:#e8935a;--l2:#63bb8b;"
    "--l3:#ad8ae3;--l4:#d585b4;--l5:#b9bf4b;";

}  // namespace

std::string Escaped(absl::string_view text) {
  std::string shown;
  for (const char c : AsUtf8(text)) {
    if (IsUnspeakable(static_cast<unsigned char>(c))) {
      absl::StrAppend(&shown, kReplacement);
    } else {
      shown.push_back(c);
    }
  }
  return absl::StrReplaceAll(shown, {{"&", "&amp;"},
                                     {"<", "&lt;"},
                                     {">", "&gt;"},
                                     {"\"", "&quot;"},
                                     {"'", "&#39;"},
                                     // No characters, says XML.
                                     {"\xef\xbf\xbe", kReplacement},
                                     {"\xef\xbf\xbf", kReplacement}});
}

std::string ScriptJson(const Json& json) {
  return absl::StrReplaceAll(
      json.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace),
      {{"<", "\\u003c"}, {">", "\\u003e"}, {"&", "\\u0026"}});
}

std::string Palette(absl::string_view root) {
  return absl::StrCat(root, "{", kLight,
                      "color-scheme:light dark}\n"
                      "@media (prefers-color-scheme:dark){",
                      root, "{", kDark, "}}\n");
}

std::string HtmlPage(absl::string_view title, absl::string_view style,
                     absl::string_view body, absl::string_view script) {
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"/>\n<title>",
      Escaped(title), "</title>\n<style>\n", Palette(":root"), style,
      "</style>\n</head>\n<body>\n", body,
      script.empty() ? "" : absl::StrCat("<script>\n", script, "</script>\n"),
      "</body>\n</html>\n");
}

}  // namespace reapsim
