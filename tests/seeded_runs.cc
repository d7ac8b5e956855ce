// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "tests/seeded_runs.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "explore/explore.h"
#include "import/read_file.h"
#include "litmus/checker.h"
#include "litmus/judge.h"

namespace reapsim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolders[] = {"litmus/examples", "tests/bugs"};
constexpr const char* kVersions[] = {"v5.15-rc1", "v6.18"};
constexpr uint64_t kSeeds = 3;

std::vector<fs::path> Files() {
  std::vector<fs::path> files;
  for (const char* folder : kFolders) {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".reap") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

Scenario Load(const fs::path& path) {
  const absl::StatusOr<std::string> text = ReadFile(path.string());
  REAP_CHECK(text.ok(), "seeded runs: a scenario can't be read");
  absl::StatusOr<Scenario> scenario = ReadScenario(*text, path.string());
  REAP_CHECK(scenario.ok(), "seeded runs: a scenario is wrong");
  return *std::move(scenario);
}

std::string EndOf(const Replayed& played) {
  return absl::StrCat(
      played.verdict ? OutcomeOf(played.verdict) : played.outcome, "\t",
      played.preemptions, "\t", played.schedule.size(), "\t",
      absl::StrFormat("%016x", played.trace_hash));
}

// The seed's execution, and the one by the schedule that it has noted.
std::string Run(const Scenario& scenario, const char* version, uint64_t seed) {
  const auto machine = MachineOf(scenario, {.version = version});
  REAP_CHECK(machine.ok(), "seeded runs: a machine can't be made");
  ScenarioWorld world(machine->get());
  const Replayed played = PlayAtRandom(world, seed);
  const std::string end = EndOf(played);
  const std::string again = EndOf(Replay(world, played.deviations));
  return again == end ? end : absl::StrCat(end, "\t, replayed: ", again);
}

}  // namespace

std::string SeededRuns() {
  std::string lines;
  for (const fs::path& path : Files()) {
    const Scenario scenario = Load(path);
    for (const char* version : kVersions) {
      for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
        absl::StrAppend(&lines, path.filename().string(), "\t", version, "\t",
                        seed, "\t", Run(scenario, version, seed), "\n");
      }
    }
  }
  return lines;
}

}  // namespace reapsim
