// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pieces of HTML and SVG.
#ifndef REAPSIM_REPORT_MARKUP_H_
#define REAPSIM_REPORT_MARKUP_H_

#include <string>

#include "absl/strings/string_view.h"
#include "report/json.h"

namespace reapsim {

// The text as content or as an attribute's value: &, <, > and quotes by name.
// Bytes that are not printable ASCII, or no UTF-8, become U+FFFD: names come
// from other people's files.
std::string Escaped(absl::string_view text);

// The JSON as the content of a script element: in one line, and without
// anything that could end the element.
std::string ScriptJson(const Json& json);

// Fonts and colours of all pages and pictures, as CSS variables, light and, if
// that is what the reader prefers, dark. `root` is the selector that gets them.
std::string Palette(absl::string_view root);

// A whole HTML page: `style` and `script` are as they stand in their elements;
// `body` is escaped already, `title` is not.
std::string HtmlPage(absl::string_view title, absl::string_view style,
                     absl::string_view body, absl::string_view script);

}  // namespace reapsim

#endif  // REAPSIM_REPORT_MARKUP_H_
