// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "states/trace_hashes.h"

#include <cinttypes>
#include <cstdio>

#include "states/states.h"

namespace reapsim {
namespace {

uint64_t HashOf(const State& state, const char* version) {
  absl::StatusOr<std::unique_ptr<Scene>> scene =
      Scene::Create({.version = version});
  REAP_CHECK(scene.ok(), "trace hashes: version");
  state.play(**scene);
  if (!(*scene)->k().stopped()) (void)(*scene)->Shutdown();
  (void)(*scene)->k().TakeVerdict();
  return (*scene)->k().trace_hash();
}

}  // namespace

std::string TraceHashes() {
  std::string lines;
  for (const State& state : States()) {
    char line[128];
    std::snprintf(line, sizeof(line), "%s\t%016" PRIx64 "\t%016" PRIx64 "\n",
                  state.id, HashOf(state, "v5.15-rc1"), HashOf(state, "v6.18"));
    lines += line;
  }
  return lines;
}

}  // namespace reapsim
