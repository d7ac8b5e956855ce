// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/builtin.h"

namespace reapsim {
namespace {

struct BuiltinFile {
  absl::string_view directory;
  absl::string_view name;
  absl::string_view text;
};

constexpr BuiltinFile kFiles[] = {
// {"profiles", "host", R"json(…)json"},
#include "latency/builtin_files.inc"
};

}  // namespace

std::vector<absl::string_view> BuiltinNames(absl::string_view directory) {
  std::vector<absl::string_view> names;
  for (const BuiltinFile& file : kFiles) {
    if (file.directory == directory) names.push_back(file.name);
  }
  return names;
}

absl::string_view BuiltinText(absl::string_view directory,
                              absl::string_view name) {
  for (const BuiltinFile& file : kFiles) {
    if (file.directory == directory && file.name == name) return file.text;
  }
  return "";
}

}  // namespace reapsim
