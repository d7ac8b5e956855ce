// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What `reapsim conform` tells: what the call did on the host, row by row, and
// whether the model says so, too.
#ifndef REAPSIM_REPORT_CONFORM_REPORT_H_
#define REAPSIM_REPORT_CONFORM_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace reapsim {

struct ConformLine {
  enum class Agree : uint8_t { kYes, kNo, kSkipped };

  std::string state;  // id
  std::string title;
  // The answers in words, "0" or "EINVAL"; empty: there is none.
  std::string host;
  std::string model;
  Agree agree = Agree::kYes;
  // In words: what differs, or why the row could not be played.
  std::vector<std::string> differs;
  std::string skipped;
};

struct ConformReport {
  std::string host_kernel;  // as uname -r says
  std::string kernel_note;  // of the model's
  // The host can't play any row, and why; empty: it can.
  std::string skipped;
  std::vector<ConformLine> lines;

  int Count(ConformLine::Agree agree) const;
};

std::string ConformText(const ConformReport& report);
// A JSON object: host_kernel, model_kernel, skipped; rows, an array of objects
// with state, title, host, model, agree (null: skipped), differs and skipped;
// and how many rows agree, disagree and were skipped.
std::string ConformJson(const ConformReport& report);

}  // namespace reapsim

#endif  // REAPSIM_REPORT_CONFORM_REPORT_H_
