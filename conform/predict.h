// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// What the model says that a call does to memory that was read from the host,
// and whether the host agrees.
#ifndef REAPSIM_CONFORM_PREDICT_H_
#define REAPSIM_CONFORM_PREDICT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "conform/host_states.h"
#include "import/proc_source.h"
#include "mm/mm_types.h"
#include "states/states.h"

namespace reapsim {

// What is compared of one VMA.
struct VmaImage {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t rss_kib = 0;
  uint64_t anonymous_kib = 0;
  uint64_t swap_kib = 0;
  uint64_t anon_huge_kib = 0;
  // Present pages and markers, as pagemap shows them. Not compared: whether a
  // page is mapped elsewhere (others come and go), and whether a page of a file
  // is mapped by a huge entry (the model has none).
  std::vector<PageRun> pages;
  bool operator==(const VmaImage&) const = default;
};

// What is compared of an address space.
struct MemoryImage {
  std::vector<VmaImage> vmas;
  int64_t page_tables_kib = 0;  // of the host's: the difference to `before`
  int64_t locked_kib = 0;       // is what counts
};

struct Prediction {
  int64_t ret = 0;          // 0 or -errno
  bool has_memory = false;  // the watched memory is there, before and after
  MemoryImage before;       // what the import made of `before`
  MemoryImage after;
  std::string broken;  // a verdict of the model; empty: none
};

// Plays the row with what was read as the memory of those it watches; null:
// nobody looked at any. `version` is as in KernelOptions. Errors: pagemap could
// not be read (kFailedPrecondition), what was read can't be imported, or the
// row is out of reach in that version (kUnimplemented).
absl::StatusOr<Prediction> Predict(const State& state,
                                   const std::string& version,
                                   const ProcProcess* before);

MemoryImage ImageOf(const ProcProcess& process);
// The same of a modelled address space, as the host that shows `host` would
// show it.
MemoryImage ImageOf(const mm_struct* mm, const ProcProcess& host);

// In words, one line each, what differs; empty if host and model agree. What
// the import did not get right counts, too. REQUIRES: host.status is OK.
std::vector<std::string> Compare(const HostOutcome& host,
                                 const Prediction& model);

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_PREDICT_H_
