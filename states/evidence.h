// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What an answer of the model rests on: a kernel that was seen to do it, or the
// source that was read.
#ifndef REAPSIM_STATES_EVIDENCE_H_
#define REAPSIM_STATES_EVIDENCE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/kernel_version.h"

namespace reapsim {

struct AnswerEvidence {
  Evidence kind = Evidence::kReasoning;
  std::string rests_on;  // "Debian 6.12.117-1"

  // "recorded: Debian 6.12.117-1"
  std::string Text() const;
};

// A kernel that was recorded (tests/oracle); the model is tested to agree with
// it in each of its rows.
struct RecordedKernel {
  absl::string_view package_version;  // Debian's, "6.12.117-1"
  absl::string_view release;          // uname -r
  absl::string_view rows;             // ids, a space around each
  bool HasRow(absl::string_view id) const;
  // Whether it is of that version's series. A candidate may lack what its
  // release has: none is.
  bool IsOf(const KernelVersion& version) const;
};

// By the names of their files.
absl::Span<const RecordedKernel> RecordedKernels();

// Of a row of the table of states, or of `reapsim conform`, under a version:
//   kRecorded   a kernel of that series played it; or one of another series of
//               which no difference is known that could change the answer
//   kSource     no kernel did, but all differences that could change it were
//               read in source or recorded
//   kReasoning  one of those is known neither way
AnswerEvidence EvidenceOfRow(absl::string_view id,
                             const ResolvedVersion& version);

// Of what one schedule of many does, in any version: no kernel was made to take
// it. Never kRecorded.
AnswerEvidence EvidenceOfSchedules();

}  // namespace reapsim

#endif  // REAPSIM_STATES_EVIDENCE_H_
