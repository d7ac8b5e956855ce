// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/latency_pictures.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/units.h"
#include "latency/latency.h"
#include "latency/machine.h"
#include "latency/strategy.h"

namespace reapsim {
namespace {

using TimeOf = std::optional<uint64_t> LatencyResult::*;

// What stands in the picture's line of a run.
constexpr struct {
  TimeOf time;
  const char* label;
} kMoments[] = {
    {&LatencyResult::back_ns, "99 % of the memory is back"},
    {&LatencyResult::call_ns, "the last call returns"},
    {&LatencyResult::gone_ns, "the last victim is gone"},
};

std::string StrategyText(const LatencyRuns& runs) {
  return runs.options.strategy.kind == KillStrategy::kKill
             ? "kill alone"
             : PrintStrategy(runs.options.strategy);
}

void AddRow(const LatencyRuns& runs, TimeOf time, SpreadPicture* spread) {
  if (runs.results.empty()) return;
  SpreadRow row{.label = StrategyText(runs), .times = {}};
  for (const LatencyResult& result : runs.results) {
    row.times.push_back(result.*time);
  }
  spread->rows.push_back(std::move(row));
}

SpreadPicture SpreadPictureOf(const LatencyReport& report, TimeOf time,
                              absl::string_view title) {
  SpreadPicture spread{.title = std::string(title), .rows = {}};
  AddRow(report.with, time, &spread);
  AddRow(report.kill_only, time, &spread);
  return spread;
}

std::vector<PictureLevel> LevelsOf(const Watermarks& marks) {
  std::vector<PictureLevel> levels;
  const auto add = [&levels](const char* label, uint64_t bytes) {
    if (bytes > 0) levels.push_back({label, bytes / kPageSize});
  };
  add("min", marks.min);
  add("low", marks.low);
  add("high", marks.high);
  return levels;
}

// Who kills and who dies comes first.
std::vector<uint32_t> FirstLanes(const LatencyResult& result) {
  std::vector<uint32_t> lanes;
  for (const Role role : {Role::kCaller, Role::kVictim}) {
    for (uint32_t task = 0; task < result.roles.size(); ++task) {
      if (result.roles[task] == role) lanes.push_back(task);
    }
  }
  return lanes;
}

// A bit before the caller wakes up, and a bit after the last thing that comes
// about, or all of it if something does not.
std::pair<uint64_t, uint64_t> WindowOf(const LatencyResult& result) {
  uint64_t last = 0;
  for (const auto& moment : kMoments) {
    const std::optional<uint64_t> time = result.*moment.time;
    last = std::max(last, time.value_or(0));
  }
  uint64_t end = std::min(result.end_ns, result.kill_ns + last);
  if (!result.back_ns.has_value() || !result.gone_ns.has_value()) {
    end = result.end_ns;
  }
  const uint64_t margin = std::max<uint64_t>(1000, (end - result.wake_ns) / 20);
  return {result.wake_ns - std::min(margin, result.wake_ns), end + margin};
}

void AddRun(const LatencyRuns& runs, PictureSheet* sheet) {
  if (runs.results.empty()) return;
  const LatencyResult& result = runs.results[runs.median];
  if (result.timeline.slices.empty()) return;
  const Machine& machine = *runs.options.machine;
  const auto [begin, end] = WindowOf(result);
  RunPicture run = PictureOf(result.timeline, result.tasks, machine.config.cpus,
                             begin, end, FirstLanes(result));
  run.title = absl::StrCat(StrategyText(runs), ", seed ",
                           runs.options.seed + runs.median,
                           runs.results.size() > 1 ? ", the median run" : "");
  run.about = absl::StrCat("machine ", machine.name, ", profile ",
                           runs.options.profile->name);
  run.zero_ns = result.kill_ns;
  run.moments.push_back({result.kill_ns, "the first kill"});
  for (const auto& moment : kMoments) {
    const std::optional<uint64_t> time = result.*moment.time;
    if (time.has_value()) {
      run.moments.push_back({result.kill_ns + *time, moment.label});
    }
  }
  run.levels = LevelsOf(machine.watermarks);
  sheet->runs.push_back(std::move(run));
}

}  // namespace

PictureSheet LatencySheet(const LatencyReport& report) {
  PictureSheet sheet;
  sheet.title = "How long until the memory of a killed process is back";
  sheet.about =
      absl::StrCat(report.subject, "; kernel ", report.kernel, ", machine ",
                   report.with.options.machine->name, ", profile ",
                   report.with.options.profile->name, ".");
  sheet.text = LatencyText(report);
  sheet.spreads.push_back(
      SpreadPictureOf(report, &LatencyResult::back_ns,
                      "From the kill until 99 % of the memory is back"));
  sheet.spreads.push_back(SpreadPictureOf(report, &LatencyResult::gone_ns,
                                          "From the kill until the last victim "
                                          "is gone"));
  AddRun(report.with, &sheet);
  AddRun(report.kill_only, &sheet);
  return sheet;
}

}  // namespace reapsim
