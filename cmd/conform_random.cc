// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/conform_random.h"

#include <cstdint>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "report/json.h"
#include "report/text.h"

namespace reapsim {
namespace {

// At 10 ms each that would be a day.
constexpr uint64_t kMaxVictims = 10'000'000;

// The value of a flag that is a number, or `otherwise`.
absl::StatusOr<uint64_t> NumberOf(const Arguments& args,
                                  const std::string& flag, uint64_t otherwise,
                                  uint64_t most) {
  const std::optional<std::string> text = args.Value(flag);
  if (!text.has_value()) return otherwise;
  uint64_t number = 0;
  if (!absl::SimpleAtoi(*text, &number) || number > most) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", flag, "=", Tail(Printable(*text), 30),
                     ": expected a number from 0 to ", most));
  }
  return number;
}

struct Wanted {
  RandomOptions options;
  bool only = false;
  std::string out;
};

absl::StatusOr<Wanted> Read(const Arguments& args) {
  if (args.Has("random") && args.Has("only")) {
    return absl::InvalidArgumentError(
        "--random and --only: expected one of them");
  }
  const absl::StatusOr<uint64_t> seed = NumberOf(args, "seed", 0, ~uint64_t{0});
  if (!seed.ok()) return seed.status();
  const absl::StatusOr<uint64_t> victims =
      NumberOf(args, "random", 1, kMaxVictims);
  if (!victims.ok()) return victims.status();
  const absl::StatusOr<uint64_t> only = NumberOf(args, "only", 0, ~uint64_t{0});
  if (!only.ok()) return only.status();
  Wanted wanted;
  wanted.options.seed = *seed;
  wanted.options.victims = *victims;
  wanted.options.first = *only;
  wanted.only = args.Has("only");
  wanted.out = args.Value("out").value_or(".");
  return wanted;
}

// ---- Findings --------------------------------------------------------------

// A file of a finding.
struct Kept {
  std::string path;
  const std::string* text;
};

std::vector<Kept> FilesOf(const Wanted& wanted, const RandomFinding& finding) {
  const std::string stem = absl::StrCat(
      wanted.out, "/victim-", wanted.options.seed, "-", finding.index);
  std::vector<Kept> files = {{stem + "_test.cc", &finding.test}};
  for (const auto& [memory, text] : finding.smaps) {
    files.push_back({absl::StrCat(stem, "-task", memory, ".smaps"), &text});
  }
  return files;
}

absl::Status Write(const std::vector<Kept>& files) {
  for (const Kept& file : files) {
    std::ofstream stream(file.path, std::ios::binary);
    stream << *file.text;
    if (!stream.flush()) {
      return absl::InvalidArgumentError(
          absl::StrCat(Printable(file.path), ": cannot be written"));
    }
  }
  return absl::OkStatus();
}

// ---- Words -----------------------------------------------------------------

std::string Percent(uint64_t part, uint64_t all) {
  return all == 0 ? "0 %" : absl::StrCat(part * 100 / all, " %");
}

std::string FindingText(const Wanted& wanted, const RandomFinding& finding) {
  std::string text = absl::StrCat(
      "\nVictim ", finding.index, ": host and model disagree",
      finding.once_only ? ", though not again when it was played again.\n"
                        : ". The smallest that still does:\n");
  for (const RandomStep& step : finding.victim.steps) {
    absl::StrAppend(&text, "  ", StepText(step), "\n");
  }
  for (const std::string& difference : finding.differences) {
    absl::StrAppend(&text, "  ! ", difference, "\n");
  }
  for (const Kept& file : FilesOf(wanted, finding)) {
    absl::StrAppend(&text, "  written to ", Printable(file.path), "\n");
  }
  absl::StrAppend(&text, "\n", finding.test);
  return text;
}

std::string TallyText(const Wanted& wanted, const RandomTally& tally) {
  std::string text = absl::StrCat(
      "victims          ", tally.victims, "\n", "agree            ",
      tally.agree, "\n", "disagree         ", tally.disagree, "\n",
      "other than 0     ", tally.with_errors, " (",
      Percent(tally.with_errors, tally.victims), ")\n", "returns         ");
  for (const auto& [name, count] : tally.returns) {
    absl::StrAppend(&text, " ", name, ": ", count);
  }
  absl::StrAppend(&text, "\n");
  if (tally.played_again > 0) {
    absl::StrAppend(&text, "played again     ", tally.played_again, "\n");
  }
  for (const auto& [reason, count] : tally.skipped) {
    absl::StrAppend(&text, "skipped          ", count, ": ", reason, "\n");
  }
  for (const auto& [what, error] : tally.lacks) {
    absl::StrAppend(&text, "without          ", what, ": ", error, "\n");
  }
  for (const RandomFinding& finding : tally.findings) {
    absl::StrAppend(&text, FindingText(wanted, finding));
  }
  return text;
}

Json CountsOf(const std::map<std::string, uint64_t>& counts) {
  Json object = Json::object();
  for (const auto& [name, count] : counts) object[name] = count;
  return object;
}

Json FindingJson(const Wanted& wanted, const RandomFinding& finding) {
  Json object;
  object["victim"] = finding.index;
  object["once_only"] = finding.once_only;
  object["steps"] = Json::array();
  for (const RandomStep& step : finding.victim.steps) {
    object["steps"].push_back(StepText(step));
  }
  object["differences"] = finding.differences;
  object["files"] = Json::array();
  for (const Kept& file : FilesOf(wanted, finding)) {
    object["files"].push_back(file.path);
  }
  object["test"] = finding.test;
  return object;
}

Json TallyJson(const Wanted& wanted, const RandomTally& tally) {
  Json object;
  object["seed"] = wanted.options.seed;
  object["first"] = wanted.options.first;
  object["host"] = wanted.options.host;
  object["kernel"] = wanted.options.version;
  object["victims"] = tally.victims;
  object["agree"] = tally.agree;
  object["disagree"] = tally.disagree;
  object["played_again"] = tally.played_again;
  object["other_than_0"] = tally.with_errors;
  object["returns"] = CountsOf(tally.returns);
  object["skipped"] = CountsOf(tally.skipped);
  object["without"] = Json::object();
  for (const auto& [what, error] : tally.lacks) object["without"][what] = error;
  object["findings"] = Json::array();
  for (const RandomFinding& finding : tally.findings) {
    object["findings"].push_back(FindingJson(wanted, finding));
  }
  return object;
}

CommandResult Report(const Wanted& wanted, const RandomTally& tally,
                     bool json) {
  for (const RandomFinding& finding : tally.findings) {
    const absl::Status status = Write(FilesOf(wanted, finding));
    if (!status.ok()) return CommandResult::Fails(status.message());
  }
  CommandResult result;
  result.exit_code = tally.disagree == 0 ? kExitOk : kExitFinding;
  if (json) {
    result.out = Dump(TallyJson(wanted, tally));
    return result;
  }
  result.out = absl::StrCat(
      "Random victims of seed ", wanted.options.seed, " from number ",
      wanted.options.first, " on.\nHost ", wanted.options.host, ", model ",
      wanted.options.version, ".\n\n", TallyText(wanted, tally));
  return result;
}

}  // namespace

CommandResult RunConformRandom(const Arguments& args,
                               const Environment& environment,
                               const RandomContest& contest,
                               const RandomSides& sides) {
  absl::StatusOr<Wanted> wanted = Read(args);
  if (!wanted.ok()) return CommandResult::Fails(wanted.status().message());
  wanted->options.host = contest.host;
  wanted->options.version = contest.version;
  if (!contest.skipped.empty()) {
    RandomTally none;
    none.skipped[contest.skipped] = wanted->options.victims;
    return Report(*wanted, none, args.Has("json"));
  }
  const uint64_t all = wanted->options.victims;
  if (environment.progress != nullptr) {
    wanted->options.progress = [&](uint64_t done) {
      environment.progress(absl::StrCat(done, " of ", all, " victims"));
    };
  }
  wanted->options.tells = wanted->only && !args.Has("json");
  const absl::StatusOr<RandomTally> tally = RunRandom(wanted->options, sides);
  if (environment.progress != nullptr) environment.progress("");
  if (!tally.ok()) return CommandResult::Fails(tally.status().message());
  CommandResult result = Report(*wanted, *tally, args.Has("json"));
  if (wanted->options.tells && result.exit_code != kExitUsage) {
    absl::StrAppend(&result.out, "\n", tally->told);
  }
  return result;
}

}  // namespace reapsim
