// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What `reapsim reap` tells: one call of process_mrelease() on one process, as
// plain data, and as the text and JSON that people and programs read.
#ifndef REAPSIM_REPORT_REAP_REPORT_H_
#define REAPSIM_REPORT_REAP_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace reapsim {

// Memory of a process, KiB.
struct MemoryKib {
  int64_t rss = 0;  // anon + file + shmem
  int64_t anon = 0;
  int64_t file = 0;
  int64_t shmem = 0;
  int64_t swap = 0;
  int64_t hugetlb = 0;
  int64_t page_tables = 0;
};

struct ReapVma {
  uint64_t start = 0;
  uint64_t end = 0;
  std::string permissions;           // "rw-p"; empty: a gate
  std::string name;                  // any bytes
  std::string flags;                 // "rd wr mr mw me ac"
  int64_t rss_before = 0;            // KiB
  std::optional<int64_t> rss_after;  // none: the kernel broke, nobody knows
  std::string verdict;  // "released", "kept: shared (VM_SHARED)" …
};

// Mappings whose memory stays, and why.
struct ReapKept {
  std::string reason;  // a stable word: "shared", "hugetlb" …
  std::string text;    // for people
  int64_t vmas = 0;
  int64_t kib = 0;  // resident, swapped and hugetlb
};

// A check: what it asks, in words, and where the kernel asks it.
struct ReapCheck {
  std::string text;
  std::string condition;  // in the kernel's own terms
  std::string where;      // "mm/oom_kill.c:task_will_free_mem()"
};

struct ReapReport {
  std::string subject;      // whose memory, from where
  std::string kernel;       // the version used
  std::string kernel_note;  // how it stands for the one that was asked for
  std::string state;        // the row of the table of states
  std::string situation;    // the same in words
  std::string evidence;     // "recorded: Debian 6.12.117-1"
  std::vector<std::string> notes;  // what else the reader should know

  // None: the call does not return, as the kernel breaks in it or the caller
  // dies.
  std::optional<int64_t> ret;
  std::string errno_name;  // "EINVAL"; empty if ret is not an error
  std::string errno_text;
  std::string decided_by;         // a stable word; empty if broken
  std::vector<ReapCheck> checks;  // the deciding one first
  std::string effect;             // what the call did, in words
  std::string advice;             // what to do about an error; may be empty
  std::string broken;             // how the kernel breaks; empty: it does not

  MemoryKib before;
  std::optional<MemoryKib> after;  // none: nobody knows
  // Of what is released, how much others map, too.
  std::optional<int64_t> released_shared;
  std::string released_note;  // who released it, if not the call
  std::vector<ReapKept> kept;
  std::vector<ReapVma> vmas;  // by address, the gate last
};

// For a terminal: lines of at most 80 columns. With `vmas`, a line for each
// mapping.
std::string ReapText(const ReapReport& report, bool vmas);
// One JSON object, the fields of docs/reap.md, and a newline.
std::string ReapJson(const ReapReport& report);

}  // namespace reapsim

#endif  // REAPSIM_REPORT_REAP_REPORT_H_
