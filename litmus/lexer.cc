// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/lexer.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace reapsim {
namespace {

// Longest first: the first that fits is taken.
constexpr absl::string_view kSymbols[] = {
    "/\\", "\\/", "!=", "<=", ">=", "{", "}", "(", ")", "[", "]", ",",
    ";",   ":",   "=",  "<",  ">",  "~", "-", "+", "|", "&", "*",
};

constexpr absl::string_view kSpaces = " \t\r\n";

bool BeginsName(char c) {
  return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_';
}
bool InName(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
}
bool InTestName(char c) {
  return InName(c) || c == '-' || c == '+' || c == '.';
}

// The character at the beginning of `text` that no part of the language is.
std::string NameOfCharacter(absl::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (absl::ascii_isprint(first)) {
    return absl::StrCat("the character ", Quoted(text.substr(0, 1)));
  }
  const int length = std::countl_one(first);  // in UTF-8
  uint32_t code = first & (0x7fU >> length);
  bool valid =
      length >= 2 && length <= 4 && text.size() >= static_cast<size_t>(length);
  for (int i = 1; valid && i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    valid = (byte & 0xc0U) == 0x80;
    code = code << 6 | (byte & 0x3fU);
  }
  return valid ? absl::StrFormat("the character U+%04X", code)
               : absl::StrFormat("the byte 0x%02x", first);
}

class Lexer {
 public:
  Lexer(absl::string_view text, absl::string_view file_name)
      : rest_(text), file_name_(file_name) {}

  absl::StatusOr<Words> Run() {
    if (absl::Status status = FirstLine(); !status.ok()) return status;
    for (;;) {
      if (absl::Status status = SkipBlanks(); !status.ok()) return status;
      if (rest_.empty()) break;
      if (absl::Status status = OneToken(); !status.ok()) return status;
    }
    words_.tokens.push_back({.place = place_});
    return std::move(words_);
  }

 private:
  absl::Status Error(Place place, absl::string_view what,
                     absl::string_view advice) const {
    return ErrorAt(file_name_, place, what, advice);
  }

  // Goes on by `count` bytes.
  absl::string_view Take(size_t count) {
    const absl::string_view taken = rest_.substr(0, count);
    for (const char c : taken) {
      if (c == '\n') {
        place_.line++;
        place_.column = 1;
      } else {
        place_.column++;
      }
    }
    rest_.remove_prefix(count);
    return taken;
  }
  template <class Accept>
  absl::string_view TakeWhile(Accept accept) {
    size_t count = 0;
    while (count < rest_.size() && accept(rest_[count])) ++count;
    return Take(count);
  }

  absl::Status FirstLine() {
    if (absl::StartsWith(rest_, "\xef\xbb\xbf")) {
      return Error({}, "the file begins with a byte order mark",
                   "a file without one, which begins with REAP");
    }
    if (!absl::StartsWith(rest_, "REAP ")) {
      return Error({}, "the file does not begin with its name",
                   "a first line such as REAP exit-versus-call");
    }
    (void)Take(5);
    (void)TakeWhile([](char c) { return c == ' '; });
    words_.name_place = place_;
    words_.name = std::string(TakeWhile(InTestName));
    (void)TakeWhile([](char c) { return c == ' ' || c == '\r'; });
    if (words_.name.empty() || (!rest_.empty() && rest_[0] != '\n')) {
      return Error(words_.name_place, "this is no name of a scenario",
                   "letters, digits and any of - + . _, and then a new line");
    }
    return absl::OkStatus();
  }

  absl::Status SkipBlanks() {
    for (;;) {
      (void)TakeWhile(
          [](char c) { return absl::StrContains(kSpaces, c) && c != 0; });
      const Place begin = place_;
      if (absl::StartsWith(rest_, "//")) {
        (void)TakeWhile([](char c) { return c != '\n'; });
      } else if (absl::StartsWith(rest_, "(*")) {
        if (absl::Status status = Comment(begin, "*)"); !status.ok()) {
          return status;
        }
      } else if (absl::StartsWith(rest_, "/*")) {
        if (absl::Status status = Comment(begin, "*/"); !status.ok()) {
          return status;
        }
      } else {
        return absl::OkStatus();
      }
    }
  }

  absl::Status Comment(Place begin, absl::string_view end) {
    const size_t length = rest_.find(end, 2);
    if (length == absl::string_view::npos) {
      return Error(begin, "this comment has no end", absl::StrCat(end));
    }
    const bool ours = rest_[0] == '(';
    (void)Take(2);
    absl::string_view left = rest_.substr(0, length - 2);
    for (;;) {
      const size_t line = left.find('\n');
      const bool last = line == absl::string_view::npos;
      if (ours) KeepCommentLine(left.substr(0, line));
      (void)Take(last ? left.size() : line + 1);
      if (last) break;
      left.remove_prefix(line + 1);
    }
    (void)Take(2);
    return absl::OkStatus();
  }

  void KeepCommentLine(absl::string_view line) {
    absl::string_view text = absl::StripLeadingAsciiWhitespace(line);
    if (absl::ConsumePrefix(&text, "*")) {
      text = absl::StripLeadingAsciiWhitespace(text);
    }
    Place place = place_;
    place.column += static_cast<int>(line.size() - text.size());
    text = absl::StripTrailingAsciiWhitespace(text);
    words_.comments.push_back({std::string(text), place});
  }

  absl::Status OneToken() {
    Token token{.place = place_};
    const char first = rest_[0];
    if (BeginsName(first)) {
      token.kind = TokenKind::kName;
      token.text = std::string(TakeWhile(InName));
    } else if (absl::ascii_isdigit(static_cast<unsigned char>(first))) {
      token.kind = TokenKind::kNumber;
      token.text = std::string(TakeWhile(InName));
      const absl::string_view text = token.text;
      const bool read = absl::StartsWith(text, "0x")
                            ? absl::SimpleHexAtoi(text, &token.number)
                            : absl::SimpleAtoi(text, &token.number);
      if (!read) {
        return Error(token.place, Quoted(text) + " is no number",
                     "a decimal one, or 0x and a hexadecimal one, of less than "
                     "2^63");
      }
    } else {
      token.kind = TokenKind::kSymbol;
      for (const absl::string_view symbol : kSymbols) {
        if (!absl::StartsWith(rest_, symbol)) continue;
        token.text = std::string(Take(symbol.size()));
        break;
      }
      if (token.text.empty()) {
        return Error(token.place,
                     NameOfCharacter(rest_) + " means nothing here",
                     "a name, a number, or one of { } ( ) [ ] , ; : = < > ~ - "
                     "+ | & /\\ \\/");
      }
    }
    words_.tokens.push_back(std::move(token));
    return absl::OkStatus();
  }

  absl::string_view rest_;
  absl::string_view file_name_;
  Place place_;
  Words words_;
};

}  // namespace

std::string Token::Shown() const {
  return kind == TokenKind::kEnd ? "the end of the file" : Quoted(text);
}

absl::StatusOr<Words> SplitIntoWords(absl::string_view text,
                                     absl::string_view file_name) {
  return Lexer(text, file_name).Run();
}

}  // namespace reapsim
