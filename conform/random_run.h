// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Many random victims, on the host and in the model; what was found.
#ifndef REAPSIM_CONFORM_RANDOM_RUN_H_
#define REAPSIM_CONFORM_RANDOM_RUN_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "conform/random_group.h"
#include "conform/random_host.h"
#include "conform/random_model.h"
#include "conform/random_victim.h"

namespace reapsim {

// The two sides; tests have others.
struct RandomSides {
  std::function<RandomRun(const RandomVictim&, RandomMemories*, HostLacks*)>
      host;
  std::function<RandomRun(const RandomVictim&, const RandomMemories&)> model;
};
// The host itself, and the model of that version.
RandomSides RealSides(const std::string& version);

// One victim on both sides.
struct RandomMatch {
  RandomRun host;
  RandomRun model;  // not played if the host could not
  RandomMemories memories;
  std::vector<std::string> differences;  // CompareRuns()
};
RandomMatch PlayBoth(const RandomVictim& victim, const RandomSides& sides,
                     HostLacks* lacks);
// All that happened, step by step and call by call, in words.
std::string MatchText(const RandomVictim& victim, const RandomMatch& match);

struct RandomOptions {
  uint64_t seed = 0;
  uint64_t first = 0;    // victims by number, from this one
  uint64_t victims = 1;  // so many
  std::string host;      // as in PrintedVictim
  std::string version;
  bool tells = false;  // RandomTally::told is asked for
  // Told now and then how many victims are done; may be null.
  std::function<void(uint64_t)> progress;
};

// A victim on which host and model disagree.
struct RandomFinding {
  uint64_t index = 0;
  RandomVictim victim;  // as small as it got
  std::vector<std::string> differences;
  // When played again, the host did as the model says: it was not shrunk.
  bool once_only = false;
  std::string test;                  // TestText()
  std::map<int, std::string> smaps;  // SmapsText(), by RandomGroup::memory()
};

struct RandomTally {
  uint64_t victims = 0;  // that were played
  uint64_t agree = 0;
  uint64_t disagree = 0;
  uint64_t played_again = 0;  // times that the host failed, and then did not
  // With a call that returned something other than 0.
  uint64_t with_errors = 0;
  std::map<std::string, uint64_t> returns;  // of calls: "0", "EINVAL" …
  // Victims that the host could not play, and why.
  std::map<std::string, uint64_t> skipped;
  HostLacks lacks;
  std::string told;  // MatchText() of each victim
  // The first few; the rest is counted only.
  std::vector<RandomFinding> findings;
};

// Plays the victims one after the other. The error is that of a host that
// fails: kInternal, with the victim's number.
absl::StatusOr<RandomTally> RunRandom(const RandomOptions& options,
                                      const RandomSides& sides);

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_RANDOM_RUN_H_
