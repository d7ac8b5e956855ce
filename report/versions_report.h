// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What `reapsim versions` tells: the epochs, and each difference between
// versions with where it comes from and how it is known.
#ifndef REAPSIM_REPORT_VERSIONS_REPORT_H_
#define REAPSIM_REPORT_VERSIONS_REPORT_H_

#include <string>
#include <vector>

#include "base/kernel_version.h"

namespace reapsim {

struct DifferenceEntry {
  DifferenceField field;
  std::vector<DifferenceRow> rows;
};

struct VersionsReport {
  // Two versions of which only the differences are told, or none: then all are
  // told, and the epochs.
  std::vector<ResolvedVersion> compared;
  std::vector<DifferenceEntry> differences;
};

std::string VersionsText(const VersionsReport& report);
// One object. "epochs": name, version, what (not of a comparison). "compared":
// requested, version, used, note. "differences": name, decides_call,
// not_modelled, shown_by, values (of the versions compared), and rows: value,
// since, until, commit, title, changes, evidence, rests_on, backported. What
// does not apply is null.
std::string VersionsJson(const VersionsReport& report);

}  // namespace reapsim

#endif  // REAPSIM_REPORT_VERSIONS_REPORT_H_
