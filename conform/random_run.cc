// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/random_run.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/errno_names.h"
#include "conform/host_machine.h"
#include "conform/random_print.h"
#include "conform/random_shrink.h"

namespace reapsim {
namespace {

constexpr size_t kMaxFindings = 3;
constexpr int kShrinkTries = 400;
constexpr uint64_t kProgressEvery = 20;

class Runner {
 public:
  Runner(const RandomOptions& options, const RandomSides& sides)
      : options_(options), sides_(sides) {}

  absl::StatusOr<RandomTally> Run() {
    for (uint64_t i = 0; i < options_.victims; ++i) {
      const absl::Status status = PlayOne(options_.first + i);
      if (!status.ok()) return status;
      if (options_.progress != nullptr && (i + 1) % kProgressEvery == 0) {
        options_.progress(i + 1);
      }
    }
    return std::move(tally_);
  }

 private:
  absl::Status PlayOne(uint64_t index) {
    const RandomVictim victim = DrawVictim(options_.seed, index);
    const RandomMatch match = PlayBoth(victim, sides_, &tally_.lacks);
    if (options_.tells) tally_.told += MatchText(victim, match);
    if (IsLack(match.host.status)) {
      ++tally_.skipped[std::string(match.host.status.message())];
      return absl::OkStatus();
    }
    if (!match.host.status.ok()) {
      return absl::InternalError(absl::StrCat(
          "victim ", index, " of seed ", options_.seed,
          " can't be played on the host: ", match.host.status.message()));
    }
    Count(match.host);
    if (match.differences.empty()) {
      ++tally_.agree;
    } else {
      ++tally_.disagree;
      if (tally_.findings.size() < kMaxFindings) {
        tally_.findings.push_back(Find(index, victim, match));
      }
    }
    return absl::OkStatus();
  }

  void Count(const RandomRun& host) {
    ++tally_.victims;
    tally_.played_again += static_cast<uint64_t>(host.played_again);
    bool error = false;
    for (const SeenCall& call : host.calls) {
      error |= call.ret != 0;
      ++tally_.returns[ResultText(call.ret)];
    }
    tally_.with_errors += error ? 1 : 0;
  }

  RandomFinding Find(uint64_t index, const RandomVictim& victim,
                     const RandomMatch& match) {
    RandomMatch smallest = PlayBoth(victim, sides_, &tally_.lacks);
    const bool again = !smallest.differences.empty();
    RandomVictim small = victim;
    if (again) {
      small = ShrinkVictim(victim, kShrinkTries, [&](const RandomVictim& each) {
        RandomMatch played = PlayBoth(each, sides_, &tally_.lacks);
        if (played.differences.empty()) return false;
        smallest = std::move(played);
        return true;
      });
    } else {
      smallest = match;
    }
    RandomFinding finding = {.index = index,
                             .victim = std::move(small),
                             .differences = smallest.differences,
                             .once_only = !again,
                             .test = "",
                             .smaps = {}};
    finding.test = TestText({.seed = options_.seed,
                             .index = index,
                             .host = options_.host,
                             .version = options_.version,
                             .differences = finding.differences},
                            finding.victim, smallest.host, smallest.memories);
    for (const auto& [memory, process] : smallest.memories) {
      finding.smaps[memory] = SmapsText(process.smaps);
    }
    return finding;
  }

  const RandomOptions& options_;
  const RandomSides& sides_;
  RandomTally tally_;
};

}  // namespace

RandomSides RealSides(const std::string& version) {
  return {.host = PlayVictimOnHost,
          .model = [version](const RandomVictim& victim,
                             const RandomMemories& memories) {
            return PlayVictimOnModel(victim, memories, version);
          }};
}

RandomMatch PlayBoth(const RandomVictim& victim, const RandomSides& sides,
                     HostLacks* lacks) {
  RandomMatch match;
  match.host = sides.host(victim, &match.memories, lacks);
  if (!match.host.status.ok()) return match;
  match.model = sides.model(victim, match.memories);
  match.differences = CompareRuns(victim, match.host, match.model);
  return match;
}

namespace {

// Who stands where, if that is another place than before.
std::string MovesText(const Standings& before, const Standings& after) {
  std::string text;
  for (int task = 0; task < kMaxRandomTasks; ++task) {
    if (before[task] == after[task]) continue;
    absl::StrAppend(&text, "    task ", task, ": ",
                    StandText(after[task].stand), "\n");
  }
  return text;
}

std::string MemoryText(int memory, const SeenMemory& seen) {
  std::string text;
  absl::StrAppend(&text, "    memory of task ", memory,
                  ", Rss in KiB before and after:\n");
  for (size_t i = 0; i < seen.before.vmas.size(); ++i) {
    const VmaImage& vma = seen.before.vmas[i];
    const SmapsVma& smaps = seen.host_before.smaps.vmas[i];
    const uint64_t after =
        i < seen.after.vmas.size() ? seen.after.vmas[i].rss_kib : 0;
    absl::StrAppend(&text, "      ", absl::Hex(vma.start), "-",
                    absl::Hex(vma.end), " ", vma.rss_kib, " ", after,
                    smaps.name.empty() ? "" : " ", smaps.name, "\n");
  }
  return text;
}

std::string CallText(size_t number, const RandomMatch& match) {
  const SeenCall& host = match.host.calls[number];
  std::string text = absl::StrCat("    host ", ResultText(host.ret));
  if (number < match.model.calls.size()) {
    absl::StrAppend(&text, ", model ",
                    ResultText(match.model.calls[number].ret));
  }
  absl::StrAppend(&text, "\n");
  for (const auto& [memory, seen] : host.memory) {
    absl::StrAppend(&text, MemoryText(memory, seen));
  }
  return text;
}

}  // namespace

std::string MatchText(const RandomVictim& victim, const RandomMatch& match) {
  std::string text;
  Standings before = RandomGroup().standings();
  size_t calls = 0;
  for (size_t i = 0; i < match.host.standings.size(); ++i) {
    const RandomStep& step = victim.steps[i];
    absl::StrAppend(&text, "  ", StepText(step),
                    match.host.done[i] ? "\n" : " (can't be done)\n");
    if (match.host.done[i] && step.kind == StepKind::kCall) {
      absl::StrAppend(&text, CallText(calls++, match));
    }
    absl::StrAppend(&text, MovesText(before, match.host.standings[i]));
    before = match.host.standings[i];
  }
  return text;
}

absl::StatusOr<RandomTally> RunRandom(const RandomOptions& options,
                                      const RandomSides& sides) {
  return Runner(options, sides).Run();
}

}  // namespace reapsim
