// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/latency_report.h"

#include <algorithm>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/errno_names.h"
#include "latency/amount.h"
#include "latency/latency_flags.h"
#include "report/json.h"
#include "report/text.h"

namespace reapsim {
namespace {

constexpr Table::Align kLeft = Table::Align::kLeft;
constexpr Table::Align kRight = Table::Align::kRight;

using Time = std::optional<uint64_t> LatencyResult::*;

struct TimeRow {
  const char* json;
  const char* text;
  Time time;
};
constexpr TimeRow kTimes[] = {
    {"back", "99 % of it is back", &LatencyResult::back_ns},
    {"all", "all of it is back", &LatencyResult::all_ns},
    {"call", "the last call returns", &LatencyResult::call_ns},
    {"gone", "the last victim is gone", &LatencyResult::gone_ns},
};

struct ClassRow {
  const char* json;
  const char* text;
  WorkClass work;
};
constexpr ClassRow kClasses[] = {
    {"zap", "unmapping", WorkClass::kZap},
    {"free", "giving back", WorkClass::kFree},
    {"flush", "flushing", WorkClass::kFlush},
    {"kernel", "other kernel work", WorkClass::kKernel},
    {"user", "user mode", WorkClass::kUser},
};

struct WaitRow {
  const char* json;
  const char* text;
  uint64_t Bill::*ns;
};
constexpr WaitRow kWaits[] = {
    {"runqueue", "for a CPU", &Bill::runqueue_ns},
    {"lock_wait", "for a lock", &Bill::lock_wait_ns},
    {"throttled", "for cpu.max", &Bill::throttled_ns},
    {"frozen", "frozen", &Bill::frozen_ns},
    {"sleep", "for anything else", &Bill::sleep_ns},
};

// "12.345"; whole microseconds are enough for people.
std::string Ms(uint64_t ns) {
  return absl::StrFormat("%d.%03d", ns / 1'000'000, ns / 1'000 % 1'000);
}
std::string MsOrNever(const std::optional<uint64_t>& ns) {
  return ns.has_value() ? Ms(*ns) : "never";
}

// ---- Text ------------------------------------------------------------------

std::string StrategyText(const StrategyChoice& strategy) {
  switch (strategy.kind) {
    case KillStrategy::kKill:
      return "kill, and nothing else";
    case KillStrategy::kMrelease:
      return "kill, then process_mrelease()";
    case KillStrategy::kReapers:
      return absl::StrCat("kill, then process_mrelease() by ", strategy.threads,
                          " threads side by side");
    case KillStrategy::kPool:
      return absl::StrCat("kill, process_mrelease() by a pool of ",
                          strategy.threads, " threads");
  }
  return "?";
}

std::string VictimText(const LatencyReport& report) {
  const LatencyVictim& victim = report.with.options.victim;
  std::string text = report.subject;
  if (victim.count != 1) absl::StrAppend(&text, "; ", victim.count, " of them");
  absl::StrAppend(&text, "; ", PrintStateAtKill(victim));
  if (victim.pinned) text += "; a reader is a user of its memory, too";
  const std::string standing =
      DescribeStanding(victim.standing, *report.with.options.machine);
  if (!standing.empty()) absl::StrAppend(&text, "; ", standing);
  return text;
}

std::string CallerText(const LatencyReport& report) {
  const LatencyOptions& options = report.with.options;
  const std::string standing =
      DescribeStanding(options.caller, *options.machine);
  return absl::StrCat(StrategyText(options.strategy),
                      standing.empty() ? "" : "; ", standing);
}

std::string HeadText(const LatencyReport& report) {
  const LatencyOptions& options = report.with.options;
  const uint64_t first = options.seed;
  const uint64_t last = first + report.with.results.size() - 1;
  return absl::StrCat(
      Wrapped("victim     ", VictimText(report)),
      Wrapped("caller     ", CallerText(report)),
      Wrapped("kernel     ", report.kernel),
      Wrapped("machine    ",
              absl::StrCat(Printable(options.machine->name), ": ",
                           Printable(options.machine->origin))),
      Wrapped("costs      ",
              absl::StrCat(Printable(options.profile->name), ": ",
                           Printable(options.profile->origin))),
      Wrapped("seeds      ", first == last
                                 ? absl::StrCat(first)
                                 : absl::StrCat(first, " to ", last)));
}

void AddSpread(const std::string& name, const Spread& spread, Table* table) {
  const auto difference = spread.spread();
  table->Add({name, MsOrNever(spread.p1), MsOrNever(spread.p50),
              MsOrNever(spread.p90), MsOrNever(spread.p99),
              difference.has_value() ? Ms(*difference) : "-"});
}

std::string TimesText(const LatencyReport& report) {
  Table table({kLeft, kRight, kRight, kRight, kRight, kRight});
  table.Add({"ms after the kill", "p1", "p50", "p90", "p99", "p99-p1"});
  const auto add = [&table](const LatencyRuns& runs) {
    for (const TimeRow& row : kTimes) {
      const bool no_call = row.time == &LatencyResult::call_ns &&
                           runs.results.front().calls.empty();
      if (no_call) continue;
      AddSpread(absl::StrCat("  ", row.text), runs.SpreadOfTimes(row.time),
                &table);
    }
  };
  const std::string strategy = PrintStrategy(report.with.options.strategy);
  table.Add({strategy});
  add(report.with);
  if (!report.kill_only.results.empty()) {
    table.Add({"kill alone"});
    add(report.kill_only);
  }
  return table.ToString();
}

std::string MemoryText(const LatencyResult& result) {
  return absl::StrCat("Memory that the death gives back: ",
                      Grouped(static_cast<int64_t>(result.pages * 4)),
                      " KiB.\n");
}

std::string AnswersText(const LatencyRuns& runs) {
  // By what was answered, in the order of the names.
  absl::btree_map<std::string, uint64_t> answers;
  uint64_t calls = 0;
  for (const LatencyResult& result : runs.results) {
    for (const ReapCall& call : result.calls) {
      calls++;
      answers[call.begin_ns == 0 ? "not made"
              : call.end_ns == 0 ? "never returned"
                                 : ResultText(call.result)]++;
    }
  }
  if (calls == 0) return "";
  std::vector<std::string> parts;
  for (const auto& [answer, count] : answers) {
    parts.push_back(
        absl::StrCat(answer, " (", Grouped(static_cast<int64_t>(count)), ")"));
  }
  return Wrapped(
      "", absl::StrCat("Answers of ", Grouped(static_cast<int64_t>(calls)),
                       calls == 1 ? " call: " : " calls: ",
                       absl::StrJoin(parts, ", "), "."));
}

std::string BillText(const LatencyRuns& runs) {
  const LatencyResult& result = runs.results[runs.median];
  Table table({kLeft, kRight, kRight, kRight, kRight});
  std::vector<std::string> head = {"ms"};
  for (int role = 0; role < kRoles; ++role) {
    head.emplace_back(RoleName(static_cast<Role>(role)));
  }
  table.Add(head);
  const auto add = [&](const std::string& name, const auto& ns_of) {
    std::vector<std::string> cells = {name};
    bool any = false;
    for (const Bill& bill : result.bills) {
      const uint64_t ns = ns_of(bill);
      any = any || ns != 0;
      cells.push_back(ns == 0 ? "-" : Ms(ns));
    }
    if (any) table.Add(cells);
  };
  add("paid, in all", [](const Bill& bill) { return bill.run_ns; });
  for (const ClassRow& row : kClasses) {
    add(absl::StrCat("  ", row.text),
        [&row](const Bill& bill) { return bill.class_ns(row.work); });
  }
  add("  spinning", [](const Bill& bill) { return bill.spin_ps / 1000; });
  table.Add({"waited"});
  for (const WaitRow& row : kWaits) {
    add(absl::StrCat("  ", row.text),
        [&row](const Bill& bill) { return bill.*row.ns; });
  }
  return absl::StrCat(
      "Who paid, and who waited, from the caller's waking to the end; seed ",
      runs.options.seed + runs.median, ":\n", table.ToString());
}

// ---- JSON ------------------------------------------------------------------

Json SpreadJson(const Spread& spread) {
  Json json;
  json["p1"] = OrNull(spread.p1);
  json["p50"] = OrNull(spread.p50);
  json["p90"] = OrNull(spread.p90);
  json["p99"] = OrNull(spread.p99);
  json["max"] = OrNull(spread.max);
  json["spread"] = OrNull(spread.spread());
  json["missing"] = spread.missing;
  return json;
}

Json BillJson(const Bill& bill) {
  Json json;
  json["run"] = bill.run_ns;
  for (const ClassRow& row : kClasses) json[row.json] = bill.class_ns(row.work);
  json["spin"] = bill.spin_ps / 1000;
  for (const WaitRow& row : kWaits) json[row.json] = bill.*row.ns;
  json["switches"] = bill.switches;
  return json;
}

Json RunJson(const LatencyResult& result, uint64_t seed) {
  Json json;
  json["seed"] = seed;
  json["kill_delay"] =
      result.kill_ns - std::min(result.wake_ns, result.kill_ns);
  for (const TimeRow& row : kTimes) json[row.json] = OrNull(result.*row.time);
  json["pages"] = result.pages;
  json["calls"] = Json::array();
  for (const ReapCall& call : result.calls) {
    Json each;
    each["target"] = call.target;
    each["answer"] = call.end_ns == 0 ? Json() : Json(ResultText(call.result));
    each["took"] =
        call.end_ns == 0 ? Json() : Json(call.end_ns - call.begin_ns);
    json["calls"].push_back(each);
  }
  for (int role = 0; role < kRoles; ++role) {
    json["bills"][RoleName(static_cast<Role>(role))] =
        BillJson(result.bills[role]);
  }
  return json;
}

Json RunsJson(const LatencyRuns& runs) {
  Json json;
  json["strategy"] = PrintStrategy(runs.options.strategy);
  for (const TimeRow& row : kTimes) {
    json["times"][row.json] = SpreadJson(runs.SpreadOfTimes(row.time));
  }
  json["median_seed"] = runs.options.seed + runs.median;
  json["runs"] = Json::array();
  for (size_t i = 0; i < runs.results.size(); ++i) {
    json["runs"].push_back(RunJson(runs.results[i], runs.options.seed + i));
  }
  return json;
}

}  // namespace

Spread LatencyRuns::SpreadOfTimes(
    std::optional<uint64_t> LatencyResult::*time) const {
  std::vector<std::optional<uint64_t>> times;
  for (const LatencyResult& result : results) times.push_back(result.*time);
  return SpreadOf(std::move(times));
}

LatencyRuns RunLatencies(const LatencyOptions& options, uint32_t seeds) {
  LatencyRuns runs;
  runs.options = options;
  LatencyOptions each = options;
  each.keep_timeline = false;
  for (uint32_t i = 0; i < seeds; ++i) {
    each.seed = options.seed + i;
    runs.results.push_back(RunLatency(each));
  }
  const std::optional<uint64_t> p50 =
      runs.SpreadOfTimes(&LatencyResult::back_ns).p50;
  while (runs.results[runs.median].back_ns != p50) runs.median++;
  if (options.keep_timeline) {
    each.keep_timeline = true;
    each.seed = options.seed + runs.median;
    runs.results[runs.median] = RunLatency(each);
  }
  return runs;
}

std::string LatencyText(const LatencyReport& report) {
  std::string out =
      "How long until the memory is back, in virtual time; nothing is done to "
      "a real\nprocess.\n\n";
  absl::StrAppend(&out, HeadText(report), "\n", TimesText(report), "\n",
                  MemoryText(report.with.results[report.with.median]),
                  AnswersText(report.with), "\n", BillText(report.with));
  return out;
}

std::string LatencyJson(const LatencyReport& report) {
  const LatencyOptions& options = report.with.options;
  Json json;
  json["subject"] = report.subject;
  json["kernel"] = report.kernel;
  json["machine"] = options.machine->name;
  json["profile"] = options.profile->name;
  json["victims"] = options.victim.count;
  json["state"] = PrintStateAtKill(options.victim);
  json["pinned"] = options.victim.pinned;
  json["with"] = RunsJson(report.with);
  json["kill_only"] =
      report.kill_only.results.empty() ? Json() : RunsJson(report.kill_only);
  return Dump(json);
}

}  // namespace reapsim
