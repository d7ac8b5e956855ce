// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// JSON as this project reads it: people write these files by hand, so whatever
// is wrong is said with line, column and the field's path, and nothing is
// passed over.
//
//   absl::StatusOr<JsonValue> json = ParseJson(text, file);
//   JsonReader reader(file);
//   JsonObject top(&reader, *json, "", {"name", "cpus"});
//   top.String("name", &name);
//   …
//   if (!reader.ok()) return reader.status();
#ifndef REAPSIM_LATENCY_JSON_INPUT_H_
#define REAPSIM_LATENCY_JSON_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace reapsim {

struct JsonMember;

struct JsonValue {
  enum class Kind : uint8_t {
    kNull,
    kBool,
    kNumber,
    kString,
    kArray,
    kObject,
  };
  Kind kind = Kind::kNull;
  bool boolean = false;
  std::string text;  // a string, decoded; a number, as it stands in the file
  std::vector<JsonValue> elements;
  std::vector<JsonMember> members;  // in the file's order
  // Where it begins, from 1. Columns are bytes.
  int line = 0;
  int column = 0;
};

struct JsonMember {
  std::string name;
  int line = 0;
  int column = 0;
  JsonValue value;
};

// Reads one value, which must be all that the text has. Errors are
// kInvalidArgument, "FILE:LINE:COLUMN: …"; a name that an object has twice is
// one, nesting of more than 32 levels, and bytes that are no UTF-8.
absl::StatusOr<JsonValue> ParseJson(absl::string_view text,
                                    absl::string_view file);

// The value as an error shows it: a string in quotes, cut short if it is long;
// a list and an object by their kind.
std::string ShownJson(const JsonValue& value);

// "; did you mean X, or Y?", or "".
std::string MeantName(absl::string_view word,
                      absl::Span<const absl::string_view> candidates);

// Keeps the first error.
class JsonReader {
 public:
  explicit JsonReader(absl::string_view file) : file_(file) {}
  bool ok() const { return status_.ok(); }
  const absl::Status& status() const { return status_; }

  // "FILE:LINE:COLUMN: PATH: message".
  void Fail(const JsonValue& at, absl::string_view path,
            absl::string_view message);
  void Fail(int line, int column, absl::string_view path,
            absl::string_view message);
  // "PATH: expected WHAT, got VALUE".
  void Expected(const JsonValue& at, absl::string_view path,
                absl::string_view what);

 private:
  std::string file_;
  absl::Status status_;
};

// Whether a member must be there.
enum class Presence : uint8_t { kRequired, kOptional };

// The fields of one object. Getters leave their target as it is if an optional
// member is not there, and after an error.
class JsonObject {
 public:
  // `path` is the object's own, "" for the file's. A member that is not among
  // `names` is an error.
  JsonObject(JsonReader* reader, const JsonValue& value, std::string path,
             absl::Span<const absl::string_view> names);
  JsonObject(JsonReader* reader, const JsonValue& value, std::string path,
             std::initializer_list<absl::string_view> names)
      : JsonObject(reader, value, std::move(path),
                   absl::MakeConstSpan(names.begin(), names.size())) {}

  // The member, or null; that a required one is missing is an error.
  const JsonValue* Find(absl::string_view name,
                        Presence presence = Presence::kRequired);
  // Text that is not empty.
  void String(absl::string_view name, std::string* out,
              Presence presence = Presence::kRequired);
  void Bool(absl::string_view name, bool* out,
            Presence presence = Presence::kRequired);
  // A whole number from `least` to `most`.
  void Integer(absl::string_view name, int64_t least, int64_t most,
               int64_t* out, Presence presence = Presence::kRequired);
  // The same for targets that are unsigned, or narrow.
  template <class T>
  void Number(absl::string_view name, int64_t least, int64_t most, T* out,
              Presence presence = Presence::kRequired) {
    int64_t number = static_cast<int64_t>(*out);
    Integer(name, least, most, &number, presence);
    *out = static_cast<T>(number);
  }
  // A number from 0 with at most three decimals, in thousandths.
  void Thousandths(absl::string_view name, uint64_t most, uint64_t* out,
                   Presence presence = Presence::kRequired);
  // Text such as "64MiB" and "2.5ms", from `least` to `most`.
  void Size(absl::string_view name, uint64_t least, uint64_t most,
            uint64_t* bytes, Presence presence = Presence::kRequired);
  void Duration(absl::string_view name, uint64_t least, uint64_t most,
                uint64_t* ns, Presence presence = Presence::kRequired);
  // The elements of a list of at least `least` and at most `most` elements;
  // empty after an error.
  absl::Span<const JsonValue> List(absl::string_view name, size_t least,
                                   size_t most,
                                   Presence presence = Presence::kRequired);

  // The path of a member: "cpus" or "costs.anon_page"; of an element of a list:
  // "cpus[0]".
  std::string PathOf(absl::string_view name) const;
  std::string PathOf(absl::string_view name, size_t index) const;
  const JsonValue& value() const { return value_; }
  JsonReader* reader() const { return reader_; }

 private:
  JsonReader* reader_;
  const JsonValue& value_;
  std::string path_;
};

// A string as JSON has it, in quotes.
std::string JsonQuoted(absl::string_view text);

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_JSON_INPUT_H_
