// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The words of a .reap file.
#ifndef REAPSIM_LITMUS_LEXER_H_
#define REAPSIM_LITMUS_LEXER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "litmus/source.h"

namespace reapsim {

enum class TokenKind : uint8_t { kName, kNumber, kSymbol, kEnd };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // as written; of a symbol: "{", "/\\", ".." …
  int64_t number = 0;
  Place place;

  bool Is(absl::string_view word) const {
    return kind != TokenKind::kNumber && kind != TokenKind::kEnd &&
           text == word;
  }
  // For messages.
  std::string Shown() const;
};

// A line of a (* comment *), without the star and the spaces before it.
struct CommentLine {
  std::string text;
  Place place;
};

struct Words {
  std::string name;  // the first line's
  Place name_place;
  std::vector<Token> tokens;  // ends with kEnd
  std::vector<CommentLine> comments;
};

// A .reap file's text in words. The first line is "REAP NAME"; what follows are
// names, numbers (decimal, or hexadecimal with 0x), symbols and comments:
// (* … *), /* … */ and // … to the end of the line.
absl::StatusOr<Words> SplitIntoWords(absl::string_view text,
                                     absl::string_view file_name);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_LEXER_H_
