// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// What a kernel did in each row of `reapsim conform`, as text: recorded once,
// compared with the model ever after (tests/oracle).
//
// A file has lines of fields between tabs; what a field does not have is "-":
//
//   kernel  RELEASE
//   vN      START-END PERMS OFFSET MAJOR:MINOR FILE  FLAGS  SIZES  PAGES  NAME
//   mN      THREADS VMPTE VMLCK  VMAS
//   row     ID  RESULT  EFFECT  [mBEFORE  mAFTER]
//   lacks   ID  WHY
//
// Every VMA and every memory is written once, before its first use, and
// numbered from 1: most rows share them.
//   FILE    files are numbered in each memory in the order of their mappings,
//           as inode numbers are not the same twice; 0: none. In a NAME the
//           number is put in place of the inode's, too
//   SIZES   those of smaps that are not 0, KiB: "rss=24 anonymous=8"
//   PAGES   runs of pages with the same flags (PageFlag, hexadecimal), as
//           "PAGE+COUNT:FLAGS" from the start of the VMA; "s" before them: huge
//           entries and zero pages are known; "?": nothing is known
//   VMPTE, VMLCK  of /proc/PID/status, KiB
//   VMAS    numbers of VMAs, "3-7" for 3 4 5 6 7
//   EFFECT  in words, for readers: it follows from the two memories
#ifndef REAPSIM_CONFORM_RECORDING_H_
#define REAPSIM_CONFORM_RECORDING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "conform/host_states.h"

namespace reapsim {

struct RecordedRow {
  std::string id;
  // With a status that is not OK if the kernel, or the machine that it ran on,
  // lacks what the row needs.
  HostOutcome outcome;
};

struct Recording {
  std::string kernel;  // uname -r
  std::vector<RecordedRow> rows;
};

// "releases 1248 of 1888 KiB"; "-" if nobody looked at any memory.
std::string EffectText(const HostOutcome& outcome);

// What is read again from it equals `recording` in all that ImportPlan and
// Compare() look at.
std::string RecordingText(const Recording& recording);

// kInvalidArgument, "FILE:LINE: ...; expected ...", for what RecordingText()
// does not write.
absl::StatusOr<Recording> ParseRecording(absl::string_view text,
                                         absl::string_view file_name);

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_RECORDING_H_
