// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "cmd/run.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cmd/arguments.h"
#include "cmd/calibrate.h"
#include "cmd/check.h"
#include "cmd/clients.h"
#include "cmd/conform.h"
#include "cmd/latency.h"
#include "cmd/reap.h"
#include "cmd/replay.h"
#include "cmd/shim.h"
#include "cmd/states.h"
#include "cmd/versions.h"
#include "report/text.h"

namespace reapsim {
namespace {

constexpr char kVersion[] = "reapsim 0.1.0\n";

constexpr char kHelp[] =
    R"(reapsim: what Linux's process_mrelease() does, in a model of the kernel

  reapsim reap (--smaps=FILE | --pid=PID) [flags]
      What the call would do to a process: what it returns, which check
      decided, what is released and what stays. The process is only read.
        --smaps=FILE        its memory, from a copy of /proc/PID/smaps;
                            - is standard input
        --pid=PID           its memory, from /proc now; self is this program
        --kernel=VERSION    v6.18, v5.15-rc1, or what uname -r says
        --signal=SIGNAL     what it was sent before: KILL, TERM or none
        --handler           it handles SIGTERM
        --shared-with-live  a process that lives shares its memory
        --state=ID          any other situation, see reapsim states
        --vmas              a line for each mapping
        --json              for programs
  reapsim states [--kernel=VERSION] [flags]
      Every state of a target, and the answer there.
        --with=NAME,...     with these model switches, or proposals such as
                            proposal-keep-mm (docs/proposals.md)
        --flags=N           the call is passed these
        --changed           only rows that --with and --flags change
        --json              for programs
  reapsim versions [--diff A B] [--json]
      What differs between versions of Linux, since when, and how it is known;
      with --diff, between two of them.
  reapsim conform [--rows=GLOB,...] [--kernel=VERSION] [--json]
      Does the kernel that runs here do what the model says? Starts processes
      of its own, brings them into each state, with each kind of memory, makes
      the call, and compares. Needs root.
        --rows=GLOB,...     only these rows: kind.*,killed.running
        --kernel=VERSION    the model's; else what uname -r says
        --random=N          N victims drawn at random instead of the rows
        --seed=S            other ones; victim I of seed S is always the same
        --only=I            victim I alone, and all that happens to it
        --out=DIR           where to write those on which they disagree
  reapsim calibrate (--out=FILE | --check) [flags]
      What does reaping cost on this host? Starts processes of its own, kills
      them, times the call, and fits prices to that. Takes a few minutes; needs
      root. See docs/calibrate.md.
        --out=FILE          writes the prices: a profile for reapsim latency
        --check             predicts shapes that the prices were not fitted to
                            and compares; exit status 1 if they are not met
        --profile=FILE      with --check: these prices, instead of new ones
        --seed=S            with --check: other shapes
  reapsim check FILE.reap... [flags]
      Does each scenario do what its file promises, in every schedule of its
      tasks? See docs/litmus.md.
        --kernel=VERSION    only this one; all: at every version that differs;
                            else the first and last of each promise
        --with=NAME,...     only the promises with these model switches and
                            proposals
        --strategy=NAME     auto, stateful, random, pct or brute-force
        --max-preemptions=N, --seed=S, --executions=N
        --races             data races are verdicts, too; see docs/races.md
        --prove-race-free   try every schedule, however many, to show that there
                            is none
        --schedule          the schedule, also where the promise is kept
        --full              small steps of schedules, too
        --html=FILE         writes a page to step through these schedules
        --json              for programs
  reapsim replay SCHEDULE [--html=FILE] [--trace=FILE] [--races] [--full]
      An execution that reapsim check found, once more.
  reapsim run FILE.reap [--kernel=VERSION] [--with=NAME,...]
      The scenario's tasks one after the other.
        --seed=S            in an order by chance, always the same for one seed
        --full              with it: small steps of the schedule, too
        --trace=FILE        writes a Chrome trace, for Perfetto
        --ftrace            prints the oom:* trace events
  reapsim shim [flags] -- PROGRAM [ARGUMENTS]
      Runs a program as it is; whom it kills dies in the model, which answers
      process_mrelease() from then on. See docs/shim.md.
        --kernel=VERSION    the model's
        --schedule=NAME     how far the victim gets, and when: reaper-first,
                            victim-first, victim-wins-below=SIZE, stuck,
                            until=POINT, steps=K, seed=S
        --with=SWITCH,...   notifier-blocks, or model switches
        --verbose           says on standard error what the shim does
        --trace=FILE        writes that to a file
  reapsim latency (--shape=SPEC | --smaps=FILE) [flags]
      How long until a killed process's memory is back, in virtual time on a
      described machine; who pays for it; with the call, and without. See
      docs/latency-files.md.
        --shape=SPEC        its memory: anon=1GiB,thp=64MiB,vmas=600,...
        --smaps=FILE        its memory, from a copy of /proc/PID/smaps
        --strategy=S        kill, mrelease, reapers:N or pool:N
        --state=STATE       sleeping, running, uninterruptible:TIME, frozen-v1
                            or frozen-v2
        --victims=N         so many of them, killed one by one
        --pinned            a reader is a user of its memory, too
        --victim=STANDING, --caller=STANDING
                            nice=19,cpus=little,fifo=1,cgroup=NAME
        --profile=NAME|FILE what work costs: host, or a file
        --machine=NAME|FILE default, or a file
        --kernel=VERSION    the model's; else the machine's
        --seeds=N, --seed=S so many runs, from that seed on
        --svg=FILE, --html=FILE
                            a picture of the runs, and a page with it
        --json              for programs
  reapsim clients --scenario=(NAME|FILE) [flags]
      lmkd, oomd and earlyoom, as they call process_mrelease(), on a machine
      that runs out of memory, timed: how soon the memory is back, who was
      killed for nothing, how calls were answered, who paid; and what one
      change to them would bring. See docs/clients.md.
        --scenario=NAME     phone, desktop or server
        --client=NAME,...   only lmkd, oomd or earlyoom
        --kernel=VERSION    the model's
        --profile=, --machine=
                            other ones than the scenario's
        --seeds=N, --seed=S N runs, the first with seed S
        --svg=FILE, --html=FILE
                            a picture, or a page: who ran and waited when
        --json              for programs
  reapsim help, reapsim --version

  The defaults are --kernel=v6.18 and --signal=KILL. Exit status: 0, also when
  the call's answer is an error; 1 if conform finds that host and model
  disagree, if calibrate's predictions are not good enough, if a promise is
  broken, or if the kernel breaks in what is replayed or run; 2 for bad usage,
  bad input and output that cannot be written. shim exits as its program does.

  If process 1234 were killed now:         reapsim reap --pid=1234
  If the caller forgot to kill it first:   reapsim reap --pid=1234 --signal=none
)";

struct Command {
  absl::string_view name;
  CommandResult (*run)(absl::Span<const std::string> args,
                       const Environment& environment);
};

CommandResult RunHelp(absl::Span<const std::string> /*args*/,
                      const Environment& /*environment*/) {
  return CommandResult::Ok(kHelp);
}

CommandResult RunVersion(absl::Span<const std::string> /*args*/,
                         const Environment& /*environment*/) {
  return CommandResult::Ok(kVersion);
}

constexpr char kExpected[] =
    "expected reap, states, versions, conform, calibrate, latency, check, "
    "replay, run, shim or clients, see reapsim help";

constexpr Command kCommands[] = {
    {"reap", RunReap},           {"states", RunStates},
    {"versions", RunVersions},   {"conform", RunConform},
    {"calibrate", RunCalibrate}, {"latency", RunLatencyCommand},
    {"check", RunCheck},         {"replay", RunReplay},
    {"run", RunScenario},        {"shim", RunShim},
    {"clients", RunClients},     {"help", RunHelp},
    {"--help", RunHelp},         {"-h", RunHelp},
    {"version", RunVersion},     {"--version", RunVersion},
};

bool AsksForHelp(const std::string& arg) {
  return arg == "--help" || arg == "-h";
}

}  // namespace

CommandResult RunCommand(absl::Span<const std::string> args,
                         const Environment& environment) {
  if (args.empty()) {
    return CommandResult::Fails(absl::StrCat("no command; ", kExpected));
  }
  const auto command = std::find_if(
      std::begin(kCommands), std::end(kCommands),
      [&](const Command& each) { return each.name == args.front(); });
  if (command == std::end(kCommands)) {
    std::vector<absl::string_view> names;
    for (const Command& each : kCommands) names.push_back(each.name);
    const std::string nearest = DidYouMean(args.front(), names);
    return CommandResult::Fails(absl::StrCat(
        "unknown command \"", Tail(Printable(args.front()), 60), "\"",
        nearest.empty() ? absl::StrCat("; ", kExpected) : nearest));
  }
  const absl::Span<const std::string> rest = args.subspan(1);
  // What comes after -- is another program's.
  const auto end = std::find(rest.begin(), rest.end(), "--");
  if (std::any_of(rest.begin(), end, AsksForHelp)) {
    return CommandResult::Ok(kHelp);
  }
  return command->run(rest, environment);
}

}  // namespace reapsim
