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

constexpr ProposalInfo kProposals[] = {
#define X(id, name, since, meaning) {Proposal::id, name, since, meaning},
    REAPSIM_PROPOSALS(X)
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

template <class Info>
const Info* FindOrNull(absl::Span<const Info> all, absl::string_view name) {
  for (const Info& info : all) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

// Whether a proposal can be laid over a kernel with these differences. What it
// builds on came later than the call.
bool CanCarry(const Differences& differences, Proposal proposal) {
  switch (proposal) {
    case Proposal::kReapKill:
      return differences.has_process_mrelease &&
             !differences.mrelease_original_form &&
             !differences.mrelease_pins_mm_users;
    case Proposal::kKeepMm:
      // Else a walk after exit_mmap() would find what it has freed.
      return differences.exit_mmap_protocol == ExitMmapProtocol::kReadThenWrite;
    case Proposal::kCgroupPidfds:
      return differences.has_process_mrelease;
    case Proposal::kCount:
      break;
  }
  return false;
}

}  // namespace

absl::Span<const SwitchInfo> AllSwitches() { return kSwitches; }
absl::Span<const CheckInfo> AllChecks() { return kChecks; }
absl::Span<const ProposalInfo> AllProposals() { return kProposals; }

absl::StatusOr<Switch> ParseSwitch(absl::string_view name) {
  return Find(AllSwitches(), "switch", name);
}
absl::StatusOr<Check> ParseCheck(absl::string_view name) {
  return Find(AllChecks(), "check", name);
}

absl::Status AddByName(absl::string_view name, Variation* variation) {
  if (const auto* found = FindOrNull(AllProposals(), name); found != nullptr) {
    variation->proposals.Add(found->id);
    return absl::OkStatus();
  }
  if (const auto* found = FindOrNull(AllSwitches(), name); found != nullptr) {
    variation->switches.Add(found->id);
    return absl::OkStatus();
  }
  std::string message(ParseSwitch(name).status().message());
  absl::StrAppend(&message, "; and the proposals");
  const char* separator = " ";
  for (const ProposalInfo& info : AllProposals()) {
    absl::StrAppend(&message, separator, info.name);
    separator = ", ";
  }
  return absl::InvalidArgumentError(message);
}

absl::StatusOr<Variation> VariationOf(absl::Span<const std::string> names) {
  Variation variation;
  for (const std::string& name : names) {
    if (absl::Status status = AddByName(name, &variation); !status.ok()) {
      return status;
    }
  }
  return variation;
}

absl::Status CheckProposals(Proposals proposals, const Differences& differences,
                            absl::string_view version) {
  for (const ProposalInfo& info : AllProposals()) {
    if (!proposals.Has(info.id) || CanCarry(differences, info.id)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        info.name, " is for ", info.since, " and later, not for ", version));
  }
  return absl::OkStatus();
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
