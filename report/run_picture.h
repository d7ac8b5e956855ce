// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pictures of runs in virtual time (sched/timed.h): free memory over time, what
// each CPU ran, what each task did and waited for, and how times spread over
// several runs. As one SVG file, or as a page with tables beside them.
//
//   RunPicture picture = PictureOf(result.timeline, result.tasks, config.cpus,
//                                  result.wake_ns, result.end_ns);
//   picture.title = "kill, then process_mrelease()";
//   picture.zero_ns = result.kill_ns;
//   picture.moments = {{result.kill_ns, "kill"}, {back_ns, "memory back"}};
//   picture.levels = {{"low", watermarks.low / 4096}};
//   PictureSheet sheet{.title = …, .runs = {picture}};
//   SheetSvg(sheet); SheetHtml(sheet);
//
// What is shorter than a pixel is put together with its neighbours, so that a
// picture's size depends on how many lanes it has, not on how long a run was.
#ifndef REAPSIM_REPORT_RUN_PICTURE_H_
#define REAPSIM_REPORT_RUN_PICTURE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sched/machine_config.h"
#include "sched/timeline.h"

namespace reapsim {

// Something that happened to all: a line through the picture.
struct PictureMoment {
  uint64_t at_ns = 0;  // of the run's clock
  std::string label;   // "memory back"; a few words
};

// A number of free pages that means something: a watermark.
struct PictureLevel {
  std::string label;
  uint64_t pages = 0;
};

// One run, from begin_ns to end_ns of its clock. Times are shown from zero_ns
// on.
struct RunPicture {
  std::string title;
  std::string about;  // machine, profile, seed; empty: none
  uint64_t begin_ns = 0;
  uint64_t end_ns = 0;
  uint64_t zero_ns = 0;
  std::vector<std::string> cpus;  // "CPU 0, little"
  std::vector<TaskAccount> tasks;
  // Which tasks get a lane, in this order, by index; at most kMaxLanes are
  // drawn. The others are shown where they run on a CPU.
  std::vector<uint32_t> lanes;
  Timeline timeline;
  std::vector<PictureMoment> moments;
  std::vector<PictureLevel> levels;
};
inline constexpr size_t kMaxLanes = 32;

// A picture of that part of a run, without moments, levels and title: lanes for
// the tasks of `first` (indices), then for those that run in it.
RunPicture PictureOf(Timeline timeline, std::vector<TaskAccount> tasks,
                     const std::vector<CpuConfig>& cpus, uint64_t begin_ns,
                     uint64_t end_ns, const std::vector<uint32_t>& first = {});

// How a time came out in several runs; one row for each of what is compared.
struct SpreadRow {
  std::string label;  // "lmkd, as it is"
  // Of each run, in nanoseconds; nullopt: it did not come about.
  std::vector<std::optional<uint64_t>> times;
};
struct SpreadPicture {
  std::string title;  // "Memory back after the kill"
  std::vector<SpreadRow> rows;
};

struct PictureSheet {
  std::string title;
  std::string about;  // one sentence; empty: none
  std::string text;   // what the command prints; on the page only
  std::vector<SpreadPicture> spreads;
  std::vector<RunPicture> runs;
};

// A self-contained file.
std::string SheetSvg(const PictureSheet& sheet);
// A self-contained page: the same, what each task paid and waited, and its
// longest waits, in tables.
std::string SheetHtml(const PictureSheet& sheet);

}  // namespace reapsim

#endif  // REAPSIM_REPORT_RUN_PICTURE_H_
