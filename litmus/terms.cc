// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/terms.h"

#include "absl/strings/str_cat.h"
#include "base/errno_names.h"
#include "syscall/result.h"

namespace reapsim {
namespace {

const std::vector<TermSpec>& Table() {
  static const auto* table = new std::vector<TermSpec>{
      {"anon", TermOf::kMemory, {}},
      {"filepages", TermOf::kMemory, {}},
      {"freed", TermOf::kMemory, {}},
      {"mm_count", TermOf::kMemory, {}},
      {"mm_users", TermOf::kMemory, {}},
      {"oom_skip", TermOf::kMemory, {}},
      {"present", TermOf::kArea, {}},
      {"rss", TermOf::kMemory, {}},
      {"shmem", TermOf::kMemory, {}},
      {"state", TermOf::kTask, {"alive", "zombie", "gone"}},
      {"swap", TermOf::kMemory, {}},
      {"unstable", TermOf::kMemory, {}},
      {"verdict",
       TermOf::kNothing,
       {"none", "invariant_broken", "data_race", "use_after_free",
        "double_free", "deadlock", "lock_order_inversion", "livelock", "leak",
        "wrong_result"}},
      {"waits", TermOf::kTask, {}},
  };
  return *table;
}

}  // namespace

std::string Value::ToString(bool is_result) const {
  if (!word.empty()) return word;
  if (is_result && number < 0 && number >= -SysResult::kMaxErrno) {
    return absl::StrCat("-", ErrnoName(static_cast<int>(-number)));
  }
  return absl::StrCat(number);
}

absl::Span<const TermSpec> TermSpecs() { return Table(); }

const TermSpec* FindTerm(absl::string_view name) {
  for (const TermSpec& spec : Table()) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

}  // namespace reapsim
