// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/trace_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "report/json.h"
#include "sched/point.h"

namespace reapsim {
namespace {

std::string NameAt(const std::vector<std::string>& names, uint32_t fiber) {
  return fiber < names.size() && !names[fiber].empty()
             ? names[fiber]
             : absl::StrCat("task ", fiber);
}

// Who was running at that step: the task of the last point passed before.
uint32_t FiberAt(const std::vector<TraceEntry>& trace, uint64_t step) {
  const auto after = std::upper_bound(
      trace.begin(), trace.end(), step,
      [](uint64_t s, const TraceEntry& entry) { return s < entry.step; });
  return after == trace.begin() ? 0 : std::prev(after)->fiber;
}

}  // namespace

std::string ChromeTrace(const std::vector<std::string>& names,
                        const std::vector<TraceEntry>& trace) {
  Json events = Json::array();
  absl::btree_set<uint32_t> fibers;
  for (const TraceEntry& entry : trace) fibers.insert(entry.fiber);
  for (const uint32_t fiber : fibers) {
    events.push_back({{"ph", "M"},
                      {"name", "thread_name"},
                      {"pid", 1},
                      {"tid", fiber},
                      {"args", {{"name", NameAt(names, fiber)}}}});
  }
  for (const TraceEntry& entry : trace) {
    Json event;
    event["ph"] = "X";
    event["name"] = PointName(entry.point);
    event["cat"] = "step";
    event["pid"] = 1;
    event["tid"] = entry.fiber;
    event["ts"] = entry.step;
    event["dur"] = 1;
    event["args"] = {{"kernel", PointWhere(entry.point)},
                     {"object", entry.object}};
    if (entry.source.file != nullptr) {
      event["args"]["source"] =
          absl::StrCat(entry.source.file, ":", entry.source.line);
    }
    events.push_back(std::move(event));
  }
  Json whole;
  whole["displayTimeUnit"] = "ns";
  whole["traceEvents"] = std::move(events);
  return Dump(whole);
}

std::string FtraceText(ScenarioMachine& machine) {
  const Engine& engine = machine.kernel().engine();
  std::string text = "# tracer: nop\n#\n";
  for (const LogLine& line : engine.log()) {
    if (line.kind != LogKind::kTraceEvent) continue;
    const uint32_t fiber = FiberAt(engine.trace(), line.step);
    const uint64_t us = line.now_ns / 1000;
    absl::StrAppend(
        &text, absl::StrFormat("%16s-%-7d [%03d] ..... %5d.%06d: %s\n",
                               machine.CommOf(fiber), machine.PidOf(fiber), 0,
                               us / 1'000'000, us % 1'000'000, line.text));
  }
  return text;
}

}  // namespace reapsim
