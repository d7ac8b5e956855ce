// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "states/vectors.h"

#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/check.h"
#include "base/errno_names.h"
#include "base/kernel_version.h"
#include "states/evidence.h"
#include "states/states.h"

namespace reapsim {
namespace {

constexpr char kHead[] =
    "# What process_mrelease(2) answers and does, by state of its target.\n"
    "# Written by ./bazelw run //states:vectors; README.md beside this file\n"
    "# says what the columns mean. Apache-2.0.\n"
    "state\ttitle\tfrom\tto\tresult\teffect\tevidence\n";

constexpr KernelVersion kOldest = {.major = 5, .minor = 10};

struct Vector {
  std::string from;
  std::string to;
  std::string result;
  std::string effect;
  std::vector<std::string> recorded;  // packages
  std::string otherwise;              // what it rests on if there are none
};

Vector PlayOne(const State& state, const std::string& version) {
  const absl::StatusOr<ResolvedVersion> resolved = Resolve(version);
  const absl::StatusOr<Outcome> outcome = Play(state, {.version = version});
  REAP_CHECK(resolved.ok() && outcome.ok(), "vectors: a row can't be played");
  const AnswerEvidence evidence = EvidenceOfRow(state.id, *resolved);
  Vector one{.from = version,
             .to = version,
             .result = "-",
             .effect = "unreachable",
             .recorded = {},
             .otherwise = std::string(ToString(evidence.kind))};
  for (const RecordedKernel& kernel : RecordedKernels()) {
    if (kernel.IsOf(resolved->used) && kernel.HasRow(state.id)) {
      one.recorded.emplace_back(kernel.package_version);
    }
  }
  if (!outcome->called) return one;
  one.effect = EffectName(EffectOf(*outcome));
  if (!outcome->ret.never()) one.result = ResultText(outcome->ret.kernel());
  return one;
}

// Joins it to the one before, if that says the same.
void Add(const Vector& one, std::vector<Vector>* all) {
  if (all->empty() || all->back().result != one.result ||
      all->back().effect != one.effect) {
    all->push_back(one);
    return;
  }
  Vector& last = all->back();
  last.to = one.to;
  last.recorded.insert(last.recorded.end(), one.recorded.begin(),
                       one.recorded.end());
}

std::string EvidenceText(const Vector& one) {
  if (one.recorded.empty()) return one.otherwise;
  return absl::StrCat("recorded ", absl::StrJoin(one.recorded, " "));
}

}  // namespace

std::vector<std::string> VectorVersions() {
  const auto older = [](const KernelVersion& a, const KernelVersion& b) {
    return a < b;
  };
  absl::btree_set<KernelVersion, decltype(older)> versions(older);
  for (int major = kOldest.major; major <= NewestKnownVersion().major;
       ++major) {
    // What was never released, or is not known, can't be read.
    for (int minor = major == kOldest.major ? kOldest.minor : 0;; ++minor) {
      const absl::StatusOr<KernelVersion> release =
          ParseKnownVersion(absl::StrCat(major, ".", minor));
      if (!release.ok()) break;
      versions.insert(*release);
    }
  }
  for (const DifferenceRow& row : DifferenceRows()) {
    for (const KernelVersion& edge : {row.since, row.until}) {
      if (edge == KernelVersion{}) continue;
      // What comes with a candidate is mostly seen in the release as well.
      const KernelVersion release = {.major = edge.major, .minor = edge.minor};
      if (DifferencesAt(edge) != DifferencesAt(release)) versions.insert(edge);
    }
  }
  std::vector<std::string> names;
  for (const KernelVersion& version : versions) {
    names.push_back(ToString(version));
  }
  return names;
}

std::string Vectors() {
  std::string text = kHead;
  const std::vector<std::string> versions = VectorVersions();
  for (const State& state : States()) {
    std::vector<Vector> all;
    for (const std::string& version : versions) {
      Add(PlayOne(state, version), &all);
    }
    for (const Vector& one : all) {
      absl::StrAppend(&text, state.id, "\t", state.title, "\t", one.from, "\t",
                      one.to, "\t", one.result, "\t", one.effect, "\t",
                      EvidenceText(one), "\n");
    }
  }
  return text;
}

}  // namespace reapsim
