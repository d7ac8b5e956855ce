// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "base/switches.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace reapsim {
namespace {

constexpr SwitchInfo kSwitches[] = {
#define X(id, name, bug, meaning) {Switch::id, name, bug, meaning},
    REAPSIM_SWITCHES(X)
#undef X
};

constexpr CheckInfo kChecks[] = {
#define X(id, name, meaning) {Check::id, name, meaning},
    REAPSIM_CHECKS(X)
#undef X
};

// The entry with that name, or an error that lists all of them.
template <class Info>
auto Find(absl::Span<const Info> all, absl::string_view kind,
          absl::string_view name) -> absl::StatusOr<decltype(Info::id)> {
  std::string names;
  for (const Info& info : all) {
    if (info.name == name) return info.id;
    absl::StrAppend(&names, names.empty() ? "" : ", ", info.name);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "no ", kind, " is called \"", name, "\"; there are ", names));
}

}  // namespace

absl::Span<const SwitchInfo> AllSwitches() { return kSwitches; }
absl::Span<const CheckInfo> AllChecks() { return kChecks; }

absl::StatusOr<Switch> ParseSwitch(absl::string_view name) {
  return Find(AllSwitches(), "switch", name);
}
absl::StatusOr<Check> ParseCheck(absl::string_view name) {
  return Find(AllChecks(), "check", name);
}

Differences WithSwitches(Differences differences, Switches switches) {
  if (switches.Has(Switch::kNoRecheck)) {
    differences.mrelease_rechecks_oom_skip = false;
  }
  if (switches.Has(Switch::kMreleasePinsMmUsers)) {
    differences.mrelease_pins_mm_users = true;
  }
  if (switches.Has(Switch::kRmapBeforeFlush)) differences.delays_rmap = false;
  if (switches.Has(Switch::kFailedForkNotHidden)) {
    differences.failed_dup_mmap_hides_mm = false;
  }
  if (switches.Has(Switch::kThawOneThread)) {
    differences.thaws_whole_process = false;
  }
  return differences;
}

}  // namespace reapsim
