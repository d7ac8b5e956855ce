// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "states/evidence.h"

#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/check.h"

namespace reapsim {
namespace {

constexpr RecordedKernel kKernels[] = {
#include "states/recorded_rows.inc"
};

// Beside those that decide the call: what a caller may ask for, and what makes
// a target dying.
constexpr absl::string_view kDecidesRows[] = {
    "has_pidfd_thread",
    "pidfd_self",
    "pidfd_open_nonleader_enoent",
    "coredump_sets_group_exit",
    "group_exit_one_siglock_section",
    "thread_group_empty_needs_leader",
};

bool Decides(const DifferenceField& field) {
  return field.decides_call || absl::c_linear_search(kDecidesRows, field.name);
}

KernelVersion VersionOf(const RecordedKernel& kernel) {
  const absl::StatusOr<KernelVersion> version =
      ParseKernelVersion(kernel.release);
  REAP_CHECK(version.ok(), "evidence: a recording of no known kernel");
  return *version;
}

bool SameAnswers(const Differences& a, const Differences& b) {
  return absl::c_all_of(DifferenceFields(), [&](const DifferenceField& field) {
    return !Decides(field) || field.value(a) == field.value(b);
  });
}

// The weakest of the differences that could change an answer.
AnswerEvidence EvidenceOfDifferences() {
  std::vector<absl::string_view> reasoned;
  for (const DifferenceRow& row : DifferenceRows()) {
    const auto is_it = [&row](const DifferenceField& field) {
      return field.name == row.field && Decides(field);
    };
    if (row.evidence == Evidence::kReasoning &&
        absl::c_any_of(DifferenceFields(), is_it)) {
      reasoned.push_back(row.field);
    }
  }
  if (reasoned.empty()) {
    return {Evidence::kSource, "the source of versions before and after"};
  }
  return {Evidence::kReasoning,
          absl::StrCat("not read: ", absl::StrJoin(reasoned, ", "))};
}

}  // namespace

std::string AnswerEvidence::Text() const {
  return absl::StrCat(ToString(kind), ": ", rests_on);
}

bool RecordedKernel::HasRow(absl::string_view id) const {
  return absl::StrContains(rows, absl::StrCat(" ", id, " "));
}

bool RecordedKernel::IsOf(const KernelVersion& version) const {
  const KernelVersion own = VersionOf(*this);
  return own.major == version.major && own.minor == version.minor &&
         version.rc == 0;
}

absl::Span<const RecordedKernel> RecordedKernels() { return kKernels; }

AnswerEvidence EvidenceOfRow(absl::string_view id,
                             const ResolvedVersion& version) {
  const RecordedKernel* alike = nullptr;
  for (const RecordedKernel& kernel : kKernels) {
    if (!kernel.HasRow(id)) continue;
    if (kernel.IsOf(version.used)) {
      return {Evidence::kRecorded,
              absl::StrCat("Debian ", kernel.package_version)};
    }
    if (SameAnswers(DifferencesAt(VersionOf(kernel)), version.differences)) {
      alike = &kernel;
    }
  }
  if (alike != nullptr) {
    return {Evidence::kRecorded,
            absl::StrCat("Debian ", alike->package_version,
                         ", which is not known to answer otherwise")};
  }
  return EvidenceOfDifferences();
}

AnswerEvidence EvidenceOfSchedules() {
  AnswerEvidence evidence = EvidenceOfDifferences();
  if (evidence.kind == Evidence::kSource) {
    evidence.rests_on = "no kernel was made to take these schedules";
  }
  return evidence;
}

}  // namespace reapsim
