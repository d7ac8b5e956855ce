// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/json_input.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "latency/amount.h"
#include "report/json.h"
#include "report/nearest.h"
#include "report/text.h"

namespace reapsim {
namespace {

constexpr int kMostLevels = 32;

std::string Quoted(absl::string_view text) {
  constexpr size_t kMost = 40;
  return absl::StrCat("\"", Printable(text.substr(0, kMost)),
                      text.size() > kMost ? "..." : "", "\"");
}

// The bytes of the UTF-8 character at the front; 0: it is none.
size_t CharacterSize(absl::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto continues = [&](size_t i, uint8_t least = 0x80,
                             uint8_t most = 0xbf) {
    return i < text.size() && byte(i) >= least && byte(i) <= most;
  };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    // Neither longer than need be, nor a surrogate.
    const uint8_t least = first == 0xe0 ? 0xa0 : 0x80;
    const uint8_t most = first == 0xed ? 0x9f : 0xbf;
    return continues(1, least, most) && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const uint8_t least = first == 0xf0 ? 0x90 : 0x80;
    const uint8_t most = first == 0xf4 ? 0x8f : 0xbf;
    return continues(1, least, most) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

void AppendUtf8(uint32_t code, std::string* out) {
  const auto put = [out](uint32_t byte) {
    out->push_back(static_cast<char>(byte));
  };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

class Parser {
 public:
  Parser(absl::string_view text, absl::string_view file)
      : text_(text), file_(file) {}

  absl::StatusOr<JsonValue> Run() {
    JsonValue value;
    SkipSpace();
    if (Value(&value, 0)) {
      SkipSpace();
      if (at_ != text_.size()) Unexpected("the end of the file");
    }
    if (!status_.ok()) return status_;
    return value;
  }

 private:
  // ---- Errors; the first stays. All return false.

  bool Fail(absl::string_view message) {
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(absl::StrCat(
          Printable(file_), ":", line_, ":", column_, ": ", message));
    }
    return false;
  }
  bool Unexpected(absl::string_view expected) {
    const std::string found =
        at_ == text_.size() ? "the end of the file"
        : text_[at_] == '\n'
            ? "the end of the line"
            : absl::StrCat("'", Printable(text_.substr(at_, 1)), "'");
    return Fail(absl::StrCat("expected ", expected, ", got ", found));
  }

  // ---- Bytes

  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void Take(size_t bytes = 1) {
    for (size_t i = 0; i < bytes; ++i) {
      const bool newline = text_[at_++] == '\n';
      line_ += newline ? 1 : 0;
      column_ = newline ? 1 : column_ + 1;
    }
  }
  void SkipSpace() {
    while (at_ < text_.size() &&
           absl::StrContains(absl::string_view(" \t\r\n"), text_[at_])) {
      Take();
    }
  }
  bool TakeIf(char wanted) {
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    Take();
    return true;
  }

  // ---- Values

  bool Value(JsonValue* value, int level) {
    value->line = line_;
    value->column = column_;
    switch (Peek()) {
      case '{':
        return Deeper(level) && Object(value, level + 1);
      case '[':
        return Deeper(level) && Array(value, level + 1);
      case '"':
        value->kind = JsonValue::Kind::kString;
        return String(&value->text);
      default:
        break;
    }
    if (Peek() == '-' || absl::ascii_isdigit(Peek())) return Number(value);
    return Word(value);
  }

  bool Deeper(int level) {
    return level < kMostLevels ||
           Fail(absl::StrCat("more than ", kMostLevels,
                             " lists and objects inside each other"));
  }

  bool Word(JsonValue* value) {
    struct Known {
      absl::string_view word;
      JsonValue::Kind kind;
      bool boolean;
    };
    constexpr Known kWords[] = {{"null", JsonValue::Kind::kNull, false},
                                {"true", JsonValue::Kind::kBool, true},
                                {"false", JsonValue::Kind::kBool, false}};
    for (const Known& known : kWords) {
      if (!absl::StartsWith(text_.substr(at_), known.word)) continue;
      Take(known.word.size());
      value->kind = known.kind;
      value->boolean = known.boolean;
      return true;
    }
    return Unexpected("a value");
  }

  bool Digits() {
    if (!absl::ascii_isdigit(Peek())) return Unexpected("a digit");
    while (absl::ascii_isdigit(Peek())) Take();
    return true;
  }

  bool Number(JsonValue* value) {
    value->kind = JsonValue::Kind::kNumber;
    const size_t begin = at_;
    TakeIf('-');
    if (TakeIf('0')) {
      if (absl::ascii_isdigit(Peek())) return Fail("a number begins with 0");
    } else if (!Digits()) {
      return false;
    }
    if (TakeIf('.') && !Digits()) return false;
    if (TakeIf('e') || TakeIf('E')) {
      if (!TakeIf('+')) TakeIf('-');
      if (!Digits()) return false;
    }
    value->text = std::string(text_.substr(begin, at_ - begin));
    return true;
  }

  bool String(std::string* out) {
    Take();
    while (!TakeIf('"')) {
      if (at_ == text_.size() || text_[at_] == '\n') {
        return Unexpected("the string's closing quote");
      }
      if (static_cast<uint8_t>(text_[at_]) < 0x20) {
        return Fail("a control character in a string");
      }
      if (TakeIf('\\')) {
        if (!Escape(out)) return false;
        continue;
      }
      const size_t size = CharacterSize(text_.substr(at_));
      if (size == 0) return Fail("bytes that are not UTF-8");
      absl::StrAppend(out, text_.substr(at_, size));
      Take(size);
    }
    return true;
  }

  bool Escape(std::string* out) {
    constexpr absl::string_view kFrom = "\"\\/bfnrt";
    constexpr absl::string_view kTo = "\"\\/\b\f\n\r\t";
    const size_t known =
        at_ < text_.size() ? kFrom.find(text_[at_]) : absl::string_view::npos;
    if (known != absl::string_view::npos) {
      Take();
      out->push_back(kTo[known]);
      return true;
    }
    if (!TakeIf('u')) return Unexpected("an escape such as \\n");
    uint32_t code = 0;
    if (!Hex(&code)) return false;
    if (code >= 0xd800 && code < 0xdc00) {
      uint32_t low = 0;
      if (!TakeIf('\\') || !TakeIf('u') || !Hex(&low) || low < 0xdc00 ||
          low >= 0xe000) {
        return Fail("half of a surrogate pair");
      }
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
      return Fail("half of a surrogate pair");
    }
    AppendUtf8(code, out);
    return true;
  }

  bool Hex(uint32_t* code) {
    for (int i = 0; i < 4; ++i) {
      const char c = Peek();
      if (!absl::ascii_isxdigit(c)) return Unexpected("four hex digits");
      const char lower = absl::ascii_tolower(c);
      *code = *code * 16 + static_cast<uint32_t>(lower >= 'a' ? lower - 'a' + 10
                                                              : lower - '0');
      Take();
    }
    return true;
  }

  bool Array(JsonValue* value, int level) {
    value->kind = JsonValue::Kind::kArray;
    Take();
    SkipSpace();
    if (TakeIf(']')) return true;
    while (true) {
      SkipSpace();
      value->elements.emplace_back();
      if (!Value(&value->elements.back(), level)) return false;
      SkipSpace();
      if (TakeIf(']')) return true;
      if (!TakeIf(',')) return Unexpected("',' or ']'");
    }
  }

  bool Object(JsonValue* value, int level) {
    value->kind = JsonValue::Kind::kObject;
    Take();
    SkipSpace();
    if (TakeIf('}')) return true;
    while (true) {
      SkipSpace();
      if (!Member(value, level)) return false;
      SkipSpace();
      if (TakeIf('}')) return true;
      if (!TakeIf(',')) return Unexpected("',' or '}'");
    }
  }

  bool Member(JsonValue* object, int level) {
    JsonMember member;
    member.line = line_;
    member.column = column_;
    if (Peek() != '"') return Unexpected("a name in quotes");
    if (!String(&member.name)) return false;
    for (const JsonMember& other : object->members) {
      if (other.name != member.name) continue;
      line_ = member.line;
      column_ = member.column;
      return Fail(absl::StrCat(Quoted(member.name),
                               " is there twice, first in ", "line ",
                               other.line));
    }
    SkipSpace();
    if (!TakeIf(':')) return Unexpected("':'");
    SkipSpace();
    object->members.push_back(std::move(member));
    // What is inside moves when more members come, so it is made here first.
    JsonValue value;
    if (!Value(&value, level)) return false;
    object->members.back().value = std::move(value);
    return true;
  }

  const absl::string_view text_;
  const absl::string_view file_;
  size_t at_ = 0;
  int line_ = 1;
  int column_ = 1;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<JsonValue> ParseJson(absl::string_view text,
                                    absl::string_view file) {
  return Parser(text, file).Run();
}

std::string ShownJson(const JsonValue& value) {
  switch (value.kind) {
    case JsonValue::Kind::kNull:
      return "null";
    case JsonValue::Kind::kBool:
      return value.boolean ? "true" : "false";
    case JsonValue::Kind::kNumber:
      return Tail(value.text, 40);
    case JsonValue::Kind::kString:
      return Quoted(value.text);
    case JsonValue::Kind::kArray:
      return "a list";
    case JsonValue::Kind::kObject:
      return "an object";
  }
  return "?";
}

std::string MeantName(absl::string_view word,
                      absl::Span<const absl::string_view> candidates) {
  const std::vector<std::string> names = NearestNames(word, candidates);
  if (names.empty()) return "";
  return absl::StrCat("; did you mean ", absl::StrJoin(names, ", or "), "?");
}

// ---- JsonReader ------------------------------------------------------------

void JsonReader::Fail(const JsonValue& at, absl::string_view path,
                      absl::string_view message) {
  Fail(at.line, at.column, path, message);
}

void JsonReader::Fail(int line, int column, absl::string_view path,
                      absl::string_view message) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(
      absl::StrCat(Printable(file_), ":", line, ":", column, ": ", path,
                   path.empty() ? "" : ": ", message));
}

void JsonReader::Expected(const JsonValue& at, absl::string_view path,
                          absl::string_view what) {
  Fail(at, path, absl::StrCat("expected ", what, ", got ", ShownJson(at)));
}

// ---- JsonObject ------------------------------------------------------------

JsonObject::JsonObject(JsonReader* reader, const JsonValue& value,
                       std::string path,
                       absl::Span<const absl::string_view> names)
    : reader_(reader), value_(value), path_(std::move(path)) {
  if (value.kind != JsonValue::Kind::kObject) {
    reader->Expected(value, path_, "an object");
    return;
  }
  for (const JsonMember& member : value.members) {
    if (std::find(names.begin(), names.end(), member.name) != names.end()) {
      continue;
    }
    const std::string meant = MeantName(member.name, names);
    reader->Fail(
        member.line, member.column, path_,
        absl::StrCat("unknown field ", Quoted(member.name),
                     meant.empty() ? absl::StrCat("; expected ",
                                                  absl::StrJoin(names, ", "))
                                   : meant));
    return;
  }
}

std::string JsonObject::PathOf(absl::string_view name) const {
  return path_.empty() ? std::string(name) : absl::StrCat(path_, ".", name);
}

std::string JsonObject::PathOf(absl::string_view name, size_t index) const {
  return absl::StrCat(PathOf(name), "[", index, "]");
}

const JsonValue* JsonObject::Find(absl::string_view name, Presence presence) {
  for (const JsonMember& member : value_.members) {
    if (member.name == name) return &member.value;
  }
  if (presence == Presence::kRequired) {
    reader_->Fail(value_, PathOf(name), "is missing");
  }
  return nullptr;
}

void JsonObject::String(absl::string_view name, std::string* out,
                        Presence presence) {
  const JsonValue* value = Find(name, presence);
  if (value == nullptr) return;
  if (value->kind != JsonValue::Kind::kString || value->text.empty()) {
    reader_->Expected(*value, PathOf(name), "a text");
    return;
  }
  *out = value->text;
}

void JsonObject::Bool(absl::string_view name, bool* out, Presence presence) {
  const JsonValue* value = Find(name, presence);
  if (value == nullptr) return;
  if (value->kind != JsonValue::Kind::kBool) {
    reader_->Expected(*value, PathOf(name), "true or false");
    return;
  }
  *out = value->boolean;
}

void JsonObject::Integer(absl::string_view name, int64_t least, int64_t most,
                         int64_t* out, Presence presence) {
  const JsonValue* value = Find(name, presence);
  if (value == nullptr) return;
  int64_t number = 0;
  // SimpleAtoi takes spaces, which the parser has not let in.
  if (value->kind != JsonValue::Kind::kNumber ||
      !absl::SimpleAtoi(value->text, &number) || number < least ||
      number > most) {
    reader_->Expected(
        *value, PathOf(name),
        absl::StrCat("a whole number from ", least, " to ", most));
    return;
  }
  *out = number;
}

void JsonObject::Thousandths(absl::string_view name, uint64_t most,
                             uint64_t* out, Presence presence) {
  const JsonValue* value = Find(name, presence);
  if (value == nullptr) return;
  const bool is_number = value->kind == JsonValue::Kind::kNumber;
  uint64_t number = 0;
  if (!is_number || value->text.front() == '-') {
    reader_->Expected(*value, PathOf(name), "a number >= 0");
  } else if (!ParseThousandths(value->text, &number)) {
    reader_->Expected(*value, PathOf(name),
                      "a number with at most three decimals");
  } else if (number > most) {
    reader_->Expected(*value, PathOf(name),
                      absl::StrCat("at most ", PrintThousandths(most)));
  } else {
    *out = number;
  }
}

void JsonObject::Size(absl::string_view name, uint64_t least, uint64_t most,
                      uint64_t* bytes, Presence presence) {
  const JsonValue* value = Find(name, presence);
  if (value == nullptr) return;
  uint64_t size = 0;
  if (value->kind != JsonValue::Kind::kString ||
      !ParseSize(value->text, &size)) {
    reader_->Expected(*value, PathOf(name), "a size such as \"64MiB\"");
  } else if (size < least || size > most) {
    reader_->Expected(*value, PathOf(name),
                      absl::StrCat("a size from ", PrintSize(least), " to ",
                                   PrintSize(most)));
  } else {
    *bytes = size;
  }
}

void JsonObject::Duration(absl::string_view name, uint64_t least, uint64_t most,
                          uint64_t* ns, Presence presence) {
  const JsonValue* value = Find(name, presence);
  if (value == nullptr) return;
  uint64_t time = 0;
  if (value->kind != JsonValue::Kind::kString ||
      !ParseDuration(value->text, &time)) {
    reader_->Expected(*value, PathOf(name), "a time such as \"2.5ms\"");
  } else if (time < least || time > most) {
    reader_->Expected(*value, PathOf(name),
                      absl::StrCat("a time from ", PrintDuration(least), " to ",
                                   PrintDuration(most)));
  } else {
    *ns = time;
  }
}

absl::Span<const JsonValue> JsonObject::List(absl::string_view name,
                                             size_t least, size_t most,
                                             Presence presence) {
  const JsonValue* value = Find(name, presence);
  if (value == nullptr) return {};
  if (value->kind != JsonValue::Kind::kArray) {
    reader_->Expected(*value, PathOf(name), "a list");
    return {};
  }
  const size_t size = value->elements.size();
  if (size < least || size > most) {
    reader_->Fail(*value, PathOf(name),
                  absl::StrCat("has ", size, " elements; expected ", least,
                               " to ", most));
    return {};
  }
  return value->elements;
}

std::string JsonQuoted(absl::string_view text) {
  return Json(std::string(text))
      .dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace reapsim
