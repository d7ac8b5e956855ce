// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The files of /proc/PID as a modelled victim has them: the text of the real,
// stopped process, with what the model knows better put in its place. Names,
// devices, inodes and all that a death does not change stay as they were.
//
// Source: fs/proc/task_mmu.c, fs/proc/array.c.
#ifndef REAPSIM_SHIM_PROC_TEXT_H_
#define REAPSIM_SHIM_PROC_TEXT_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "mm/smaps.h"

namespace reapsim {

// Whether the file of that name ("maps") is one of those below.
bool IsModelledProcFile(absl::string_view name);

// `real` is the file's text, `memory` what the model has (nothing: the process
// has no memory any more), `state` a letter.
//   maps, smaps   empty without memory. A mapping from which pages are gone has
//                 of each kind no more than are left
//   status        State; Vm*, Rss* and HugetlbPages, gone without memory
//   stat          state, vsize, rss
//   statm         size, resident, shared
std::string ModelledProcText(absl::string_view name, absl::string_view real,
                             const std::optional<MemoryReport>& memory,
                             char state);

}  // namespace reapsim

#endif  // REAPSIM_SHIM_PROC_TEXT_H_
