// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/latency_flags.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "latency/amount.h"
#include "latency/json_input.h"
#include "report/text.h"

namespace reapsim {
namespace {

constexpr uint64_t kMaxSleepNs = uint64_t{3600} * 1'000'000'000;

struct StateName {
  absl::string_view name;
  StateAtKill state;
};
constexpr StateName kStates[] = {
    {"sleeping", StateAtKill::kSleeping},
    {"running", StateAtKill::kRunning},
    {"uninterruptible", StateAtKill::kUninterruptible},
    {"frozen-v1", StateAtKill::kFrozenV1},
    {"frozen-v2", StateAtKill::kFrozenV2},
};

constexpr absl::string_view kStandingFields[] = {"nice", "fifo", "cpus",
                                                 "cgroup"};

std::string Shown(absl::string_view text) {
  return absl::StrCat("\"", Tail(Printable(text), 40), "\"");
}

absl::Status Bad(absl::string_view where, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(where, ": ", message));
}

// "; did you mean X?", or else what was expected.
std::string MeantOr(absl::string_view word,
                    absl::Span<const absl::string_view> names) {
  const std::string meant = MeantName(word, names);
  return meant.empty() ? absl::StrCat("; expected ", absl::StrJoin(names, ", "))
                       : meant;
}

class StandingParser {
 public:
  StandingParser(absl::string_view text, absl::string_view where,
                 const Machine& machine)
      : text_(text), where_(where), machine_(machine) {}

  absl::StatusOr<Standing> Run() {
    std::vector<absl::string_view> seen;
    for (absl::string_view part : absl::StrSplit(text_, ',')) {
      const size_t equals = part.find('=');
      if (equals == absl::string_view::npos) {
        return Bad(where_,
                   absl::StrCat("expected FIELD=VALUE, got ", Shown(part)));
      }
      const absl::string_view name = part.substr(0, equals);
      if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
        return Bad(where_, absl::StrCat(name, ": is given twice"));
      }
      seen.push_back(name);
      const absl::Status status = Field(name, part.substr(equals + 1));
      if (!status.ok()) return status;
    }
    return standing_;
  }

 private:
  absl::Status Expected(absl::string_view name, absl::string_view what,
                        absl::string_view got) const {
    return Bad(where_,
               absl::StrCat(name, ": expected ", what, ", got ", Shown(got)));
  }

  absl::Status Field(absl::string_view name, absl::string_view value) {
    if (name == "nice") return Nice(value);
    if (name == "fifo") return Fifo(value);
    if (name == "cpus") return Cpus(value);
    if (name == "cgroup") return Cgroup(value);
    return Bad(where_, absl::StrCat("unknown field ", Shown(name),
                                    MeantOr(name, kStandingFields)));
  }

  absl::Status Nice(absl::string_view value) {
    int nice = 0;
    if (!absl::SimpleAtoi(value, &nice) || nice < -20 || nice > 19) {
      return Expected("nice", "a number from -20 to 19", value);
    }
    standing_.nice = nice;
    return absl::OkStatus();
  }

  absl::Status Fifo(absl::string_view value) {
    uint64_t fifo = 0;
    if (!ParseCount(value, &fifo) || fifo < 1 || fifo > 99) {
      return Expected("fifo", "a priority from 1 to 99", value);
    }
    standing_.fifo = static_cast<uint8_t>(fifo);
    return absl::OkStatus();
  }

  absl::Status Cpus(absl::string_view value) {
    standing_.affinity = machine_.CpusOfKind(value);
    if (standing_.affinity != 0) return absl::OkStatus();
    const size_t count = machine_.config.cpus.size();
    for (absl::string_view number : absl::StrSplit(value, '+')) {
      uint64_t cpu = 0;
      if (!ParseCount(number, &cpu) || cpu >= count) {
        return Expected(
            "cpus",
            absl::StrCat("a kind (", absl::StrJoin(Kinds(), ", "),
                         ") or numbers from 0 to ", count - 1, ", such as 0+1"),
            value);
      }
      standing_.affinity |= uint64_t{1} << cpu;
    }
    return absl::OkStatus();
  }

  std::vector<absl::string_view> Kinds() const {
    std::vector<absl::string_view> kinds;
    for (const CpuConfig& cpu : machine_.config.cpus) {
      if (std::find(kinds.begin(), kinds.end(), cpu.kind) == kinds.end()) {
        kinds.push_back(cpu.kind);
      }
    }
    return kinds;
  }

  absl::Status Cgroup(absl::string_view value) {
    const std::optional<uint32_t> cgroup = machine_.CgroupOf(value);
    if (cgroup.has_value()) {
      standing_.cgroup = *cgroup;
      return absl::OkStatus();
    }
    std::vector<absl::string_view> names;
    for (const MachineCgroup& each : machine_.cgroups) {
      names.push_back(each.name);
    }
    return Bad(where_, absl::StrCat("cgroup: the machine has no ", Shown(value),
                                    MeantName(value, names)));
  }

  const absl::string_view text_;
  const absl::string_view where_;
  const Machine& machine_;
  Standing standing_;
};

}  // namespace

absl::Status ParseStateAtKill(absl::string_view text, absl::string_view where,
                              LatencyVictim* victim) {
  const size_t colon = text.find(':');
  const absl::string_view word = text.substr(0, colon);
  const auto state =
      std::find_if(std::begin(kStates), std::end(kStates),
                   [word](const StateName& each) { return each.name == word; });
  if (state == std::end(kStates)) {
    std::vector<absl::string_view> names;
    for (const StateName& each : kStates) names.push_back(each.name);
    return Bad(where, absl::StrCat("unknown state ", Shown(word),
                                   MeantOr(word, names)));
  }
  uint64_t ns = 0;
  if (state->state == StateAtKill::kUninterruptible) {
    if (colon == absl::string_view::npos ||
        !ParseDuration(text.substr(colon + 1), &ns) || ns > kMaxSleepNs) {
      return Bad(where, absl::StrCat("expected uninterruptible:TIME, such as "
                                     "uninterruptible:2s and at most an hour, "
                                     "got ",
                                     Shown(text)));
    }
  } else if (colon != absl::string_view::npos) {
    return Bad(where, absl::StrCat(word, " takes no time"));
  }
  victim->state = state->state;
  victim->uninterruptible_ns = ns;
  return absl::OkStatus();
}

std::string PrintStateAtKill(const LatencyVictim& victim) {
  for (const StateName& each : kStates) {
    if (each.state != victim.state) continue;
    if (each.state != StateAtKill::kUninterruptible) {
      return std::string(each.name);
    }
    return absl::StrCat(each.name, ":",
                        PrintDuration(victim.uninterruptible_ns));
  }
  return "?";
}

absl::StatusOr<Standing> ParseStanding(absl::string_view text,
                                       absl::string_view where,
                                       const Machine& machine) {
  return StandingParser(text, where, machine).Run();
}

std::string DescribeStanding(const Standing& standing, const Machine& machine) {
  std::vector<std::string> parts;
  if (standing.fifo != 0) {
    parts.push_back(absl::StrCat("SCHED_FIFO priority ", standing.fifo));
  } else if (standing.nice != 0) {
    parts.push_back(absl::StrCat("nice ", standing.nice));
  }
  if (standing.affinity != 0) {
    std::vector<size_t> cpus;
    for (size_t i = 0; i < machine.config.cpus.size(); ++i) {
      if ((standing.affinity >> i & 1) != 0) cpus.push_back(i);
    }
    parts.push_back(absl::StrCat("on CPU ", absl::StrJoin(cpus, ", "), " (",
                                 machine.config.cpus[cpus.front()].kind, ")"));
  }
  if (standing.cgroup != 0) {
    parts.push_back(
        absl::StrCat("in cgroup ", machine.cgroups[standing.cgroup - 1].name));
  }
  return absl::StrJoin(parts, ", ");
}

}  // namespace reapsim
