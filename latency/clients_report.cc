// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/clients_report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "report/json.h"
#include "report/text.h"

namespace reapsim {
namespace {

using Optional = std::optional<uint64_t>;

// From one moment to another; negative if it came before.
std::optional<int64_t> Since(const Optional& from, const Optional& to) {
  if (!from.has_value() || !to.has_value()) return std::nullopt;
  return static_cast<int64_t>(*to) - static_cast<int64_t>(*from);
}

std::optional<int64_t> KillNs(const ClientRun& run) {
  return Since(run.below_ns, run.first_kill_ns);
}
std::optional<int64_t> BackNs(const ClientRun& run) {
  return Since(run.first_kill_ns, run.target_ns);
}
std::optional<int64_t> StallNs(const ClientRun& run) {
  return static_cast<int64_t>(run.stall_ns);
}

std::vector<int64_t> Values(const ClientRuns& runs,
                            std::optional<int64_t> (*of)(const ClientRun&)) {
  std::vector<int64_t> values;
  for (const ClientRun& run : runs.runs) {
    const std::optional<int64_t> value = of(run);
    if (value.has_value()) values.push_back(*value);
  }
  return values;
}

// "12.3"; from 100 on "123"; from 10,000 on "12.3 s".
std::string Ms(int64_t ns) {
  const double ms = static_cast<double>(ns) / 1e6;
  const int64_t size = ns < 0 ? -ns : ns;
  if (size >= 10'000'000'000) return absl::StrFormat("%.1f s", ms / 1000);
  return size >= 100'000'000 ? absl::StrFormat("%.0f", ms)
                             : absl::StrFormat("%.1f", ms);
}

// "102 (180)"; "-" for the worst where it did not come in each run, and alone
// where it came in none.
std::string MedianAndWorst(const ClientRuns& runs,
                           std::optional<int64_t> (*of)(const ClientRun&)) {
  const std::vector<int64_t> values = Values(runs, of);
  if (values.empty()) return "-";
  return absl::StrCat(
      Ms(*MedianOf(values)), " (",
      values.size() < runs.runs.size() ? "-" : Ms(*WorstOf(values)), ")");
}

template <class Field>
uint64_t Sum(const ClientRuns& runs, Field field) {
  uint64_t sum = 0;
  for (const ClientRun& run : runs.runs) sum += run.*field;
  return sum;
}

template <class Field>
double Mean(const ClientRuns& runs, Field field) {
  return static_cast<double>(Sum(runs, field)) /
         static_cast<double>(runs.runs.size());
}

template <class Field>
std::string MeanText(const ClientRuns& runs, Field field) {
  return absl::StrFormat("%.1f", Mean(runs, field));
}
template <class Field>
std::string MeanMs(const ClientRuns& runs, Field field) {
  return absl::StrFormat("%.1f", Mean(runs, field) / 1e6);
}

// The share of all calls, in percent; "-" if there was none.
template <class Field>
std::string Share(const ClientRuns& runs, Field field) {
  const uint64_t calls = Sum(runs, &ClientRun::mrelease);
  if (calls == 0) return "-";
  return absl::StrFormat("%.0f %%", 100.0 *
                                        static_cast<double>(Sum(runs, field)) /
                                        static_cast<double>(calls));
}

constexpr auto kLeft = Table::Align::kLeft;
constexpr auto kRight = Table::Align::kRight;

void AppendTables(const ClientsReport& report, Client client,
                  std::string* out) {
  Table times({kLeft, kRight, kRight, kRight, kRight, kRight});
  Table calls({kLeft, kRight, kRight, kRight, kRight, kRight, kRight, kRight});
  times.Add({std::string(ClientName(client)), "first kill", "back after it",
             "stalled", "kills", "needless"});
  calls.Add(
      {"", "calls", "0", "EINVAL", "ESRCH", "EAGAIN", "daemon", "victims"});
  for (const ClientRuns& runs : report.variants) {
    if (runs.variant.client != client) continue;
    const std::string name(ChangeName(runs.variant.change));
    times.Add({name, MedianAndWorst(runs, KillNs), MedianAndWorst(runs, BackNs),
               MedianAndWorst(runs, StallNs), MeanText(runs, &ClientRun::kills),
               MeanText(runs, &ClientRun::needless)});
    calls.Add({name, MeanText(runs, &ClientRun::mrelease),
               Share(runs, &ClientRun::answered_0),
               Share(runs, &ClientRun::answered_einval),
               Share(runs, &ClientRun::answered_esrch),
               Share(runs, &ClientRun::answered_eagain),
               MeanMs(runs, &ClientRun::daemon_reclaim_ns),
               MeanMs(runs, &ClientRun::victims_reclaim_ns)});
  }
  absl::StrAppend(out, "\n", times.ToString(), "\n", calls.ToString());
}

bool Has(const ClientsReport& report, Client client) {
  return std::any_of(report.variants.begin(), report.variants.end(),
                     [client](const ClientRuns& runs) {
                       return runs.variant.client == client;
                     });
}

Json JsonOf(const ClientRun& run, uint64_t seed) {
  Json json;
  json["seed"] = seed;
  json["below_target_ns"] = OrNull(run.below_ns);
  json["first_stall_ns"] = OrNull(run.pressure_ns);
  json["first_kill_ns"] = OrNull(run.first_kill_ns);
  json["target_ns"] = OrNull(run.target_ns);
  json["foreground_done_ns"] = OrNull(run.foreground_ns);
  json["stall_ns"] = run.stall_ns;
  json["kills"] = run.kills;
  json["needless_kills"] = run.needless;
  json["processes_killed"] = run.processes;
  json["calls"] = {
      {"all", run.mrelease},           {"0", run.answered_0},
      {"EINVAL", run.answered_einval}, {"ESRCH", run.answered_esrch},
      {"EAGAIN", run.answered_eagain}, {"else", run.answered_else}};
  json["reclaim_paid_ns"] = {{"daemon", run.daemon_reclaim_ns},
                             {"victims", run.victims_reclaim_ns}};
  json["daemon_run_ns"] = run.daemon_run_ns;
  json["end_ns"] = run.end_ns;
  return json;
}

}  // namespace

std::optional<int64_t> MedianOf(std::vector<int64_t> values) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  return values[(values.size() - 1) / 2];
}

std::optional<int64_t> WorstOf(const std::vector<int64_t>& values) {
  if (values.empty()) return std::nullopt;
  return *std::max_element(values.begin(), values.end());
}

std::string ClientsText(const ClientsReport& report) {
  const size_t seeds =
      report.variants.empty() ? 0 : report.variants.front().runs.size();
  std::string out = Wrapped(absl::StrCat(report.scenario, ": "), report.about);
  absl::StrAppend(
      &out,
      Wrapped("", absl::StrCat("machine ", report.machine, ", profile ",
                               report.profile, ", kernel ", report.kernel_note,
                               "; seeds ", report.first_seed, " to ",
                               report.first_seed + seeds - 1)),
      "\n",
      Wrapped("",
              "Times are in ms: median (worst). First kill: after less than "
              "the target was free for the first time. Back after it: from "
              "then until the target was free again. Stalled: the foreground "
              "stood still. Kills and calls are a run's, on average; calls are "
              "those of process_mrelease(), and how they were answered. Daemon "
              "and victims: CPU time that went into unmapping and freeing "
              "memory, and who paid it. -: it did not come to that."));
  for (int i = 0; i < kClients; ++i) {
    const auto client = static_cast<Client>(i);
    if (Has(report, client)) AppendTables(report, client, &out);
  }
  out += "\n";
  std::vector<Change> told;
  for (const ClientRuns& runs : report.variants) {
    const Change change = runs.variant.change;
    if (std::find(told.begin(), told.end(), change) != told.end()) continue;
    told.push_back(change);
    out += Wrapped(absl::StrCat(ChangeName(change), ": "), ChangeText(change));
  }
  return out;
}

std::string ClientsJson(const ClientsReport& report) {
  Json json;
  json["scenario"] = report.scenario;
  json["machine"] = report.machine;
  json["profile"] = report.profile;
  json["kernel"] = report.kernel_note;
  json["variants"] = Json::array();
  for (const ClientRuns& runs : report.variants) {
    Json variant;
    variant["client"] = ClientName(runs.variant.client);
    variant["change"] = ChangeName(runs.variant.change);
    variant["what"] = ChangeText(runs.variant.change);
    variant["runs"] = Json::array();
    for (size_t i = 0; i < runs.runs.size(); ++i) {
      variant["runs"].push_back(JsonOf(runs.runs[i], report.first_seed + i));
    }
    json["variants"].push_back(std::move(variant));
  }
  return Dump(json);
}

}  // namespace reapsim
