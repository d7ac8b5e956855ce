// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the command `reapsim clients` prints of runs of RunClient().
#ifndef REAPSIM_LATENCY_CLIENTS_REPORT_H_
#define REAPSIM_LATENCY_CLIENTS_REPORT_H_

#include <string>
#include <vector>

#include "latency/clients.h"

namespace reapsim {

// All runs of one variant, one for each seed.
struct ClientRuns {
  ClientVariant variant;
  std::vector<ClientRun> runs;
};

struct ClientsReport {
  std::string scenario;
  std::string about;
  std::string machine;
  std::string profile;
  std::string kernel_note;
  uint64_t first_seed = 1;
  std::vector<ClientRuns> variants;
};

// The middle one of the values, the lower of two; the greatest. Of none: not
// set.
std::optional<int64_t> MedianOf(std::vector<int64_t> values);
std::optional<int64_t> WorstOf(const std::vector<int64_t>& values);

// Tables for a terminal, with a line on each change at the end.
std::string ClientsText(const ClientsReport& report);
std::string ClientsJson(const ClientsReport& report);

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_CLIENTS_REPORT_H_
