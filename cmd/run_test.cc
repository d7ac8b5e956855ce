// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The command line but for its output, which golden_test.cc compares.

#include "cmd/run.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "states/states.h"

namespace reapsim {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

constexpr char kExample[] = "--smaps=cmd/testdata/example.smaps";

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string TempPath(const std::string& name) {
  return absl::StrCat(testing::TempDir(), "/", name);
}

std::string WriteTemp(const std::string& name, const std::string& text) {
  const std::string path = TempPath(name);
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

nlohmann::json RunJson(std::vector<std::string> args,
                       const Environment& environment = {}) {
  args.push_back("--json");
  const CommandResult result = RunCommand(args, environment);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  return nlohmann::json::parse(result.out);
}

// ---- Bad usage and bad input -----------------------------------------------

struct BadCase {
  const char* test;
  std::vector<std::string> args;
  const char* message;  // part of it
};

class BadUsageTest : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadUsageTest, IsOneLineOnStandardErrorAndExitStatusTwo) {
  const CommandResult result = RunCommand(GetParam().args);
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, MatchesRegex("reapsim: [^\n]*\n"));
  EXPECT_THAT(result.err, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    , BadUsageTest,
    ::testing::Values(
        BadCase{"ConformRowThatIsNone",
                {"conform", "--rows=kind.thp,kind.tph"},
                "--rows: no row is called \"kind.tph\"; did you mean"},
        BadCase{"ConformKernelThatIsNone", {"conform", "--kernel=x"}, "x"},
        BadCase{"ConformFlagThatIsNone", {"conform", "--row"}, "--rows"},
        BadCase{"NoCommand",
                {},
                "no command; expected reap, states, versions, conform, "
                "calibrate, latency, check, replay, run, shim or clients"},
        BadCase{
            "UnknownCommand",
            {"frobnicate"},
            "unknown command \"frobnicate\"; expected reap, states, versions, "
            "conform, calibrate, latency, check, replay, run, shim or "
            "clients"},
        BadCase{"ClientsWithoutScenario",
                {"clients"},
                "--scenario is missing; expected a file, or one of desktop, "
                "phone, server"},
        BadCase{"ClientsScenarioThatIsNone",
                {"clients", "--scenario=fone"},
                "fone: No such"},
        BadCase{"ClientThatIsNone",
                {"clients", "--scenario=phone", "--client=lmkd,omd"},
                "--client: \"omd\"; expected lmkd, oomd, earlyoom; did you "
                "mean oomd?"},
        BadCase{"ClientsOnTooSmallAMachine",
                {"clients", "--scenario=phone", "--machine=default"},
                "has CPUs 0 to 1"},
        BadCase{"ClientsSeedsThatAreNone",
                {"clients", "--scenario=phone", "--seeds=0"},
                "--seeds"},
        BadCase{
            "LatencyOfNothing", {"latency"}, "whose memory? expected --shape"},
        BadCase{"LatencyOfTwo",
                {"latency", "--shape=anon=1MiB", kExample},
                "--shape and --smaps are both given"},
        BadCase{"LatencyFlagThatIsNone",
                {"latency", "--shap=anon=1MiB"},
                "--shape"},
        BadCase{"LatencyShape",
                {"latency", "--shape=anon=x"},
                "--shape: anon: expected a size such as 64MiB, got \"x\""},
        BadCase{"LatencySmaps",
                {"latency", "--smaps=cmd/testdata/nothing.smaps"},
                "cmd/testdata/nothing.smaps: "},
        BadCase{"LatencyVictims",
                {"latency", "--shape=anon=1MiB", "--victims=201"},
                "--victims: expected a number from 1 to 200, got \"201\""},
        BadCase{"LatencyVictimsOfSmaps",
                {"latency", kExample, "--victims=2"},
                "--victims: more than one of them needs --shape"},
        BadCase{"LatencyVictimsTooLarge",
                {"latency", "--shape=anon=2GiB", "--victims=200"},
                "--victims: more than 256GiB in all"},
        BadCase{"LatencyState",
                {"latency", "--shape=anon=1MiB", "--state=runing"},
                "--state: unknown state \"runing\"; did you mean running?"},
        BadCase{"LatencyStrategy",
                {"latency", "--shape=anon=1MiB", "--strategy=pool"},
                "--strategy: expected pool:N"},
        BadCase{"LatencySeeds",
                {"latency", "--shape=anon=1MiB", "--seeds=0"},
                "--seeds: expected a number from 1 to 10000, got \"0\""},
        BadCase{"LatencySeed",
                {"latency", "--shape=anon=1MiB", "--seed=x"},
                "--seed: expected a number from 0 to"},
        BadCase{"LatencyStanding",
                {"latency", "--shape=anon=1MiB", "--caller=nice=20"},
                "--caller: nice: expected a number from -20 to 19"},
        BadCase{"LatencyVictimStanding",
                {"latency", "--shape=anon=1MiB", "--victim=cpus=big"},
                "--victim: cpus: expected a kind (cpu)"},
        BadCase{"LatencyProfile",
                {"latency", "--shape=anon=1MiB", "--profile=nobody"},
                "nobody: "},
        BadCase{"LatencyMachine",
                {"latency", "--shape=anon=1MiB",
                 "--machine=cmd/testdata/killed.json"},
                "cmd/testdata/killed.json:3:3: unknown field \"evidence\""},
        BadCase{"LatencyKernel",
                {"latency", "--shape=anon=1MiB", "--kernel=newest"},
                "unknown kernel version"},
        BadCase{"ShimOfNothing", {"shim"}, "what to run? expected -- PROGRAM"},
        BadCase{"ShimOfNothingAfterDashes", {"shim", "--"}, "what to run?"},
        BadCase{"ShimFlagThatIsNone",
                {"shim", "--shedule=stuck", "--", "true"},
                "did you mean --schedule?"},
        BadCase{"ShimScheduleThatIsNone",
                {"shim", "--schedule=fast", "--", "true"},
                "--schedule=fast: there are reaper-first, victim-first"},
        BadCase{"ShimPointThatIsNone",
                {"shim", "--schedule=until=ExitMn", "--", "true"},
                "no such point; did you mean ExitMm"},
        BadCase{"ShimPointLikeNone",
                {"shim", "--schedule=until=qqqqqqqqqqqq", "--", "true"},
                "they are in sched/point.h"},
        BadCase{"ShimSizeThatIsNone",
                {"shim", "--schedule=victim-wins-below=4X", "--", "true"},
                "expected a size such as 4M"},
        BadCase{
            "ShimSizeTooLarge",
            {"shim", "--schedule=victim-wins-below=99999999999G", "--", "true"},
            "expected a size such as 4M"},
        BadCase{"ShimNoSteps",
                {"shim", "--schedule=steps=0", "--", "true"},
                "expected a number of steps, at least 1"},
        BadCase{"ShimSeedThatIsNone",
                {"shim", "--schedule=seed=x", "--", "true"},
                "--schedule=seed=x: expected a number"},
        BadCase{"ShimSwitchThatIsNone",
                {"shim", "--with=notifier", "--", "true"},
                "and notifier-blocks"},
        BadCase{"ShimVersionThatIsNone",
                {"shim", "--kernel=v5.99", "--", "true"},
                "v5.99"},
        BadCase{"ShimTraceToNowhere",
                {"shim", "--trace=/nowhere/trace", "--", "true"},
                "cannot write /nowhere/trace: No such file"},
        BadCase{"ShimOfNoProgram",
                {"shim", "--", "no-such-program"},
                "no program no-such-program in PATH"},
        BadCase{"ShimOfADirectory", {"shim", "--", "/"}, "no program /"},
        BadCase{"ShimOfAText",
                {"shim", "--", "litmus/examples/no-such.reap"},
                "no program litmus/examples/no-such.reap"},
        BadCase{"NearCommand", {"state"}, "did you mean states?"},
        BadCase{"UnknownFlagOfReap", {"reap", "--jsn"}, "did you mean --json?"},
        BadCase{"UnknownFlagOfStates",
                {"states", "--vmas"},
                "unknown flag \"--vmas\""},
        BadCase{"NoSource", {"reap"}, "whose memory?"},
        BadCase{"BothSources",
                {"reap", kExample, "--pid=self"},
                "--smaps and --pid are both given"},
        BadCase{
            "UnknownVersion", {"reap", kExample, "--kernel=v5.99"}, "v5.99"},
        BadCase{"DiffOfOneVersion",
                {"versions", "--diff", "v6.17", "--json"},
                "--diff needs two versions after it, as in --diff v5.15 v6.18"},
        BadCase{"DiffOfNothing", {"versions", "--diff"}, "--diff needs two"},
        BadCase{"DiffOfOneWord",
                {"versions", "--diff=v6.17,v6.18"},
                "--diff needs two"},
        BadCase{"DiffOfNoVersion",
                {"versions", "--diff", "v6.17", "six"},
                "unknown kernel version \"six\""},
        BadCase{"DiffTwice",
                {"versions", "--diff", "6.1", "6.2", "--diff", "6.3", "6.4"},
                "unknown flag \"--diff\""},
        BadCase{"UnknownFlagOfVersions",
                {"versions", "--kernel=v6.18"},
                "unknown flag \"--kernel"},
        BadCase{"UnknownVersionOfStates", {"states", "--kernel=six"}, "six"},
        BadCase{"NothingThatChanges",
                {"states", "--changed"},
                "--changed shows what --with or --flags changes"},
        BadCase{"FlagsThatAreNone",
                {"states", "--flags=kill"},
                "--flags needs a number from 0 to 4294967295"},
        BadCase{"UnknownProposal",
                {"states", "--with=proposal-keep"},
                "and the proposals proposal-reap-kill, proposal-keep-mm"},
        BadCase{"ProposalForANewerKernel",
                {"states", "--with=proposal-keep-mm", "--kernel=v5.15-rc1"},
                "proposal-keep-mm is for v6.1 and later, not for v5.15-rc1"},
        BadCase{"UnknownState",
                {"reap", kExample, "--state=signal.sigterm"},
                "unknown state \"signal.sigterm\"; did you mean "
                "signal.sigterm_default, or "},
        BadCase{"UnknownStateNearNothing",
                {"reap", kExample, "--state=%%%%"},
                "unknown state \"%%%%\"; reapsim states lists them all"},
        BadCase{"UnknownSignal",
                {"reap", kExample, "--signal=HUP"},
                "unknown signal \"HUP\"; expected KILL, TERM or none"},
        BadCase{"SmallLettersForASignal",
                {"reap", kExample, "--signal=None"},
                "did you mean none?"},
        BadCase{"StateAndSignal",
                {"reap", kExample, "--state=live.running", "--signal=KILL"},
                "--state and --signal are both given"},
        BadCase{"StateAndHandler",
                {"reap", kExample, "--state=live.running", "--handler"},
                "--state and --handler are both given"},
        BadCase{
            "StateAndSharer",
            {"reap", kExample, "--state=live.running", "--shared-with-live"},
            "--state and --shared-with-live are both given"},
        BadCase{"HandlerOfSigkill",
                {"reap", kExample, "--handler"},
                "SIGKILL cannot be handled"},
        BadCase{"HandlerOfNothing",
                {"reap", kExample, "--handler", "--signal=none"},
                "no signal is sent"},
        BadCase{"SharerAndSigterm",
                {"reap", kExample, "--shared-with-live", "--signal=TERM"},
                "--shared-with-live needs --signal=KILL"},
        BadCase{"StateThatIsImpossibleThere",
                {"reap", kExample, "--state=pidfd.thread_live",
                 "--kernel=v5.15-rc1"},
                "can't exist here with v5.15-rc1: pidfd_open() knows no "
                "PIDFD_THREAD"},
        BadCase{"NoSuchFile",
                {"reap", "--smaps=cmd/testdata/none"},
                "cmd/testdata/none: "},
        BadCase{"PidThatIsNone", {"reap", "--pid=0"}, "names no process"},
        BadCase{"PidThatIsGone",
                {"reap", "--pid=999999999"},
                "the process may have ended"}),
    [](const ::testing::TestParamInfo<BadCase>& info) {
      return info.param.test;
    });

// What is done to a good file, and what is then wrong where.
struct BadFileCase {
  const char* test;
  std::string (*damage)(const std::string& text);
  const char* message;
};

class BadFileTest : public ::testing::TestWithParam<BadFileCase> {};

TEST_P(BadFileTest, IsToldWithFileLineAndColumn) {
  const std::string path =
      WriteTemp(absl::StrCat(GetParam().test, ".smaps"),
                GetParam().damage(ReadText("cmd/testdata/example.smaps")));
  const CommandResult result =
      RunCommand({"reap", absl::StrCat("--smaps=", path)});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, MatchesRegex("reapsim: [^\n]*:[0-9]+:[0-9]+: "
                                       "[^\n]*\n"));
  EXPECT_THAT(result.err,
              HasSubstr(absl::StrCat(path, ":", GetParam().message)));
}

std::string Replace(const std::string& text, const char* from, const char* to) {
  const std::string changed = absl::StrReplaceAll(text, {{from, to}});
  EXPECT_NE(changed, text);
  return changed;
}

// A mapping has 20 lines: the second begins at line 21, the fourth at 61.
INSTANTIATE_TEST_SUITE_P(
    , BadFileTest,
    ::testing::Values(
        BadFileCase{"Empty", [](const std::string&) { return std::string(); },
                    "1:1: the file is empty"},
        BadFileCase{"Malformed",
                    [](const std::string& text) {
                      return Replace(text, "rw-s 00000000 00:01",
                                     "rw-z 00000000 00:01");
                    },
                    "81:27: \"rw-z\""},
        BadFileCase{"Truncated",
                    [](const std::string& text) {
                      return text.substr(0, text.find("[heap]") + 40);
                    },
                    "43:6: the file ends inside a line"},
        BadFileCase{"Overlapping",
                    [](const std::string& text) {
                      return Replace(text, "00410000-00414000",
                                     "0040f000-00413000");
                    },
                    "21:1: the mapping overlaps the one at line 1"},
        BadFileCase{"AbsurdNumber",
                    [](const std::string& text) {
                      return Replace(text, "    2560 kB\nPss",
                                     "99999999999999999999 kB\nPss");
                    },
                    "45:"},
        BadFileCase{"AbsurdSize",
                    [](const std::string& text) {
                      return Replace(text, "Rss:                  20 kB",
                                     "Rss:          4000000000 kB");
                    },
                    "185:"},
        BadFileCase{"BeyondUserSpace",
                    [](const std::string& text) {
                      return Replace(text, "7ffe00030000-7ffe00032000",
                                     "7fffffffe000-800000000000");
                    },
                    "201:1: the mapping includes the last page"}),
    [](const ::testing::TestParamInfo<BadFileCase>& info) {
      return info.param.test;
    });

// ---- Situations ------------------------------------------------------------

struct SituationCase {
  const char* test;
  std::vector<std::string> flags;
  const char* decided_by;
  int ret;
};

class SituationTest : public ::testing::TestWithParam<SituationCase> {};

TEST_P(SituationTest, DecidesTheAnswer) {
  std::vector<std::string> args = {"reap", kExample};
  args.insert(args.end(), GetParam().flags.begin(), GetParam().flags.end());
  const nlohmann::json report = RunJson(args);
  EXPECT_EQ(report["decided_by"], GetParam().decided_by);
  EXPECT_EQ(report["return"], GetParam().ret);
}

INSTANTIATE_TEST_SUITE_P(
    , SituationTest,
    ::testing::Values(
        SituationCase{"KilledUnlessSaid", {}, "reaped", 0},
        SituationCase{"Kill", {"--signal=KILL"}, "reaped", 0},
        SituationCase{"Term", {"--signal=TERM"}, "reaped", 0},
        SituationCase{"TermHandled",
                      {"--signal=TERM", "--handler"},
                      "not_freeing.not_exiting",
                      -22},
        SituationCase{
            "Nothing", {"--signal=none"}, "not_freeing.not_exiting", -22},
        SituationCase{"SharedWithLive",
                      {"--shared-with-live"},
                      "not_freeing.sharer_lives",
                      -22},
        SituationCase{"State", {"--state=gone.zombie"}, "no_mm", -3},
        SituationCase{
            "BeforeTheCallExisted", {"--kernel=5.10"}, "no_syscall", -38}),
    [](const ::testing::TestParamInfo<SituationCase>& info) {
      return info.param.test;
    });

// The JVM in a /proc of our own, with a set of signals that is not the default.
Environment FakeProc(const std::string& name, const std::string& signals) {
  const Environment environment{.proc = TempPath(name)};
  std::filesystem::create_directories(environment.proc + "/42");
  WriteTemp(name + "/42/status",
            absl::StrCat("State:\tS (sleeping)\nTgid:\t42\nPid:\t42\n"
                         "VmSize:\t   24 kB\nThreads:\t7\n",
                         signals, "\n"));
  WriteTemp(name + "/42/comm", "ja\x1bva\n");
  WriteTemp(name + "/42/smaps", ReadText("tests/data/smaps/jvm.smaps"));
  return environment;
}

TEST(SigtermTest, MeetsWhatTheRealProcessDoesAboutIt) {
  // SIGTERM is signal 15: bit 14.
  const struct {
    const char* mask;
    const char* note;
  } kCases[] = {{"SigBlk:\t0000000000004000", "The process blocks SIGTERM"},
                {"SigIgn:\t0000000000004000", "The process ignores SIGTERM"},
                {"SigCgt:\t0000000000004000", "The process handles SIGTERM"}};
  for (const auto& each : kCases) {
    const CommandResult result = RunCommand(
        {"reap", "--pid=42", "--signal=TERM"}, FakeProc("sigterm", each.mask));
    EXPECT_THAT(result.out, HasSubstr(each.note));
    EXPECT_THAT(result.out, HasSubstr("errno EINVAL"));
  }
  const CommandResult result =
      RunCommand({"reap", "--pid=42", "--signal=TERM"},
                 FakeProc("sigterm", "SigCgt:\t0000000000000000"));
  EXPECT_THAT(result.out, HasSubstr("returns    0\n"));
}

TEST(PidTest, SaysWhatCouldNotBeReadAndWhatIsSimplified) {
  const CommandResult result =
      RunCommand({"reap", "--pid=42"}, FakeProc("notes", "SigCgt:\t0"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("ja?va, pid 42, 174 mappings"));
  EXPECT_THAT(result.out, HasSubstr("Which pages are there is not known"));
  EXPECT_THAT(result.out, HasSubstr("It has 7 threads"));
}

TEST(PidTest, ReapsThisVeryProcess) {
  const nlohmann::json report = RunJson({"reap", "--pid=self"});
  EXPECT_EQ(report["return"], 0);
  EXPECT_GT(report["before_kib"]["rss"], 1000);
  EXPECT_EQ(report["after_kib"]["anon"], 0);
}

// ---- Output ----------------------------------------------------------------

// Each of the sums is the sum over the mappings, and nothing appears or
// vanishes.
TEST(JsonTest, AddsUp) {
  const nlohmann::json report = RunJson({"reap", kExample});
  int64_t before = 0;
  int64_t after = 0;
  for (const auto& vma : report["vmas"]) {
    before += vma["rss_before_kib"].get<int64_t>();
    after += vma["rss_after_kib"].get<int64_t>();
  }
  EXPECT_EQ(report["before_kib"]["rss"], before);
  EXPECT_EQ(report["after_kib"]["rss"], after);
  for (const auto& [key, released] : report["released_kib"].items()) {
    EXPECT_EQ(report["before_kib"][key].get<int64_t>() -
                  report["after_kib"][key].get<int64_t>(),
              released)
        << key;
  }
}

TEST(JsonTest, HasTheFieldsOfTheManualAndNoOthers) {
  const nlohmann::json report = RunJson({"reap", kExample});
  std::vector<std::string> keys;
  for (const auto& [key, value] : report.items()) keys.push_back(key);
  // nlohmann::json sorts them.
  EXPECT_THAT(keys,
              testing::ElementsAre("after_kib", "before_kib", "decided_by",
                                   "errno", "evidence", "kept", "kernel",
                                   "released_kib", "return", "vmas"));
}

TEST(JsonTest, ReplacesBytesThatAreNoUtf8) {
  const std::string path = WriteTemp(
      "latin1.smaps", Replace(ReadText("cmd/testdata/example.smaps"),
                              "/usr/bin/example", "/usr/bin/ex\xe4mple"));
  const nlohmann::json report = RunJson({"reap", "--smaps=" + path});
  EXPECT_EQ(report["vmas"][0]["name"], "/usr/bin/ex\xef\xbf\xbdmple");
}

TEST(StatesTest, TellsWhatTheTableExpects) {
  for (const bool newer : {false, true}) {
    const std::string version = newer ? "v6.18" : "v5.15-rc1";
    const nlohmann::json lines = RunJson({"states", "--kernel=" + version});
    ASSERT_EQ(lines.size(), States().size());
    for (size_t i = 0; i < lines.size(); ++i) {
      const State& state = States()[i];
      const Expected& want = newer ? state.v6_18 : state.v5_15_rc1;
      EXPECT_EQ(lines[i]["state"], state.id);
      SCOPED_TRACE(state.id);
      if (!want.reachable) {
        EXPECT_EQ(lines[i]["effect"], "unreachable");
        EXPECT_TRUE(lines[i]["return"].is_null());
        EXPECT_TRUE(lines[i]["decided_by"].is_null());
        continue;
      }
      EXPECT_EQ(lines[i]["effect"], EffectName(want.effect));
      if (want.effect == Effect::kBroken) {
        EXPECT_TRUE(lines[i]["return"].is_null());
      } else {
        EXPECT_EQ(lines[i]["return"], -want.ret);
      }
    }
  }
}

TEST(RunTest, HelpsAndTellsItsVersion) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"help"},
                                             {"--help"},
                                             {"-h"},
                                             {"reap", "--help"},
                                             {"states", "-h"}}) {
    const CommandResult result = RunCommand(args);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.out, HasSubstr("reapsim reap (--smaps=FILE"));
  }
  EXPECT_THAT(RunCommand({"--version"}).out, MatchesRegex("reapsim [0-9.]+\n"));
}

TEST(RunTest, NamesTheRowAboutAnotherProcess) {
  const CommandResult result =
      RunCommand({"reap", kExample, "--state=memory.only_shared", "--vmas"});
  EXPECT_THAT(result.out, HasSubstr("another process than the imported one"));
  EXPECT_THAT(result.out, Not(HasSubstr("[heap]")));
}

// ---- Scenarios -------------------------------------------------------------

constexpr char kScenario[] = "litmus/examples/killed-first.reap";

INSTANTIATE_TEST_SUITE_P(
    Scenario, BadUsageTest,
    ::testing::Values(
        BadCase{"CheckNothing", {"check"}, "check needs files"},
        BadCase{"CheckNoFile", {"check", "nowhere.reap"}, "nowhere.reap: "},
        BadCase{"CheckNoScenario",
                {"check", "cmd/testdata/example.smaps"},
                "example.smaps:1:1: the file does not begin with its name"},
        BadCase{"CheckVersionThatIsNone",
                {"check", kScenario, "--kernel=six"},
                "six"},
        BadCase{"CheckSwitchThatIsNone",
                {"check", kScenario, "--with=nothing"},
                "nothing"},
        BadCase{"CheckStrategyThatIsNone",
                {"check", kScenario, "--strategy=luck"},
                "--strategy is auto, stateful, random, pct or brute-force, not "
                "\"luck\""},
        // What a search can't show it does not promise.
        BadCase{
            "CheckPromiseOfAStatefulSearch",
            {"check", kScenario, "--strategy=stateful", "--prove-race-free"},
            "no search that merges states can promise that there is no data "
            "race: merging states can skip the only history in which two "
            "accesses race; brute force can"},
        BadCase{"CheckNumberThatIsNone",
                {"check", kScenario, "--max-preemptions=x"},
                "--max-preemptions needs a number from 0 to 1000"},
        BadCase{"CheckFlagThatIsNone",
                {"check", kScenario, "--shedule"},
                "did you mean --schedule?"},
        BadCase{"ReplayNothing", {"replay"}, "replay needs one schedule"},
        BadCase{"ReplayNoSchedule",
                {"replay", kScenario},
                "expected FILE.reap@VERSION/CHOICES"},
        BadCase{"ReplayVersionThatIsNone", {"replay", "x.reap@six/-"}, "six"},
        BadCase{
            "ReplayChoicesThatAreNone", {"replay", "x.reap@v6.18/1-2"}, "1-2"},
        BadCase{"RunNothing", {"run"}, "run needs one file"},
        BadCase{"RunSeedThatIsNone",
                {"run", kScenario, "--seed=x"},
                "--seed needs a number from 0 to "},
        BadCase{"RunSeedWithoutLog",
                {"run", kScenario, "--seed=1", "--ftrace"},
                "--ftrace shows the run without --seed"},
        BadCase{"RunFullWithoutSeed",
                {"run", kScenario, "--full"},
                "--full shows all of the schedule of --seed"},
        BadCase{"RunInto",
                {"run", kScenario, "--trace=/nowhere/x"},
                "/nowhere/x: "}),
    [](const ::testing::TestParamInfo<BadCase>& info) {
      return info.param.test;
    });

std::string OtherPromise(const std::string& promise) {
  return WriteTemp("other.reap", Replace(ReadText(kScenario), "Result: Always",
                                         ("Result: " + promise).c_str()));
}

TEST(CheckTest, TellsOfEveryFileThatIsNone) {
  const std::string bad = WriteTemp("bad.reap", "REAP bad\n{ }\n");
  const CommandResult result =
      RunCommand({"check", "nowhere.reap", kScenario, bad});
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err,
            "reapsim: nowhere.reap: No such thing (ENOENT)\nreapsim: " + bad +
                ":2:1: the file promises no result; expected a comment (* "
                "Result: Never *), or Sometimes, or Always, before this\n");
}

TEST(CheckTest, ExitsWith1IfAPromiseIsBrokenAndShowsTheWay) {
  const CommandResult result =
      RunCommand({"check", OtherPromise("Never v6.18"), "--kernel=v6.18"});
  EXPECT_EQ(result.exit_code, kExitFinding);
  EXPECT_THAT(result.out,
              HasSubstr("Promised Never: BROKEN; promised Never, found Always; "
                        "every schedule was tried\n"));
  EXPECT_THAT(result.out, HasSubstr("Schedule to where the condition holds"));
  EXPECT_THAT(result.out, HasSubstr("Replay: reapsim replay "));
  EXPECT_THAT(result.out, HasSubstr("1 case, 1 broken\n"));
}

TEST(CheckTest, TriesOnlyWhatThePromiseNames) {
  const std::string path = OtherPromise("Always v5.15-rc1, v6.18");
  EXPECT_THAT(RunCommand({"check", path}).out,
              AllOf(HasSubstr("Kernel v5.15-rc1\n"),
                    HasSubstr("Kernel v6.18\n"), HasSubstr("2 cases")));
  EXPECT_THAT(RunCommand({"check", path, "--kernel=v6.1"}).out,
              HasSubstr("Promised nothing"));
}

TEST(CheckTest, SharesItsCasesOutAsBazelAsks) {
  const std::string path = OtherPromise("Always v5.15-rc1, v6.18");
  setenv("TEST_TOTAL_SHARDS", "2", 1);
  setenv("TEST_SHARD_INDEX", "1", 1);
  EXPECT_THAT(
      RunCommand({"check", path}).out,
      AllOf(Not(HasSubstr("Kernel v5.15-rc1\n")), HasSubstr("Kernel v6.18\n"),
            HasSubstr("1 case of 2 (shard 2 of 2), every promise kept")));
  setenv("TEST_TOTAL_SHARDS", "2", 1);
  setenv("TEST_SHARD_INDEX", "2", 1);
  EXPECT_EQ(RunCommand({"check", path}).exit_code, kExitUsage);
}

TEST(CheckTest, SaysWhatItKnowsOfRaces) {
  const CommandResult result =
      RunCommand({"check", kScenario, "--kernel=v6.18", "--races"});
  EXPECT_EQ(result.exit_code, kExitOk) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("\nRaces not exhausted: merging states "));
  EXPECT_THAT(RunCommand({"check", kScenario, "--kernel=v6.18"}).out,
              Not(HasSubstr("Races")));
}

TEST(CheckTest, SaysWhatARandomSearchIsWorth) {
  const CommandResult result =
      RunCommand({"check", kScenario, "--kernel=v6.18", "--strategy=random",
                  "--executions=10", "--seed=7"});
  EXPECT_EQ(result.exit_code, kExitOk) << result.err;
  EXPECT_THAT(result.out, HasSubstr("\nSearched 10 executions, "));
  EXPECT_THAT(result.out, Not(HasSubstr("all there are")));
}

TEST(ReplayTest, PlaysWhatWasFoundTwiceTheSame) {
  const std::string schedule =
      "litmus/examples/exit-versus-call.reap@v5.15-rc1/29:5";
  const CommandResult first = RunCommand({"replay", schedule});
  EXPECT_EQ(first.exit_code, kExitFinding) << first.err;
  EXPECT_THAT(first.out, HasSubstr("End: use after free: S3: "));
  // Choice 29 is the victim's; the first of its rows that is not left out is
  // that of choice 31.
  EXPECT_THAT(first.out, HasSubstr("\n  victim [5]\n    31  "));
  EXPECT_THAT(first.out, Not(HasSubstr(", step ")));
  EXPECT_THAT(first.out, HasSubstr("Preemptions 1, steps "));
  EXPECT_EQ(first.out, RunCommand({"replay", schedule}).out);
}

// Choices are numbered alike wherever they are shown.
TEST(ReplayTest, ShowsEveryStepIfAsked) {
  const std::string schedule =
      "litmus/examples/exit-versus-call.reap@v5.15-rc1/29:5";
  const CommandResult full = RunCommand({"replay", schedule, "--full"});
  EXPECT_THAT(full.out, AllOf(HasSubstr("\n     0  "), HasSubstr("\n    71  "),
                              HasSubstr("READ_ONCE\n"), HasSubstr("steps 72,"),
                              Not(HasSubstr("Not shown: "))));
  EXPECT_THAT(RunCommand({"replay", schedule}).out, HasSubstr("Not shown: "));
  const CommandResult checked =
      RunCommand({"check", "litmus/examples/exit-versus-call.reap",
                  "--kernel=v5.15-rc1", "--schedule", "--full"});
  EXPECT_THAT(checked.out,
              AllOf(HasSubstr("\n     0  "), HasSubstr("\n    71  "),
                    Not(HasSubstr("Not shown: "))));
}

TEST(ReplayTest, RefusesAScheduleOfAnotherWorld) {
  const CommandResult result =
      RunCommand({"replay", std::string(kScenario) + "@v6.18/0:77"});
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_THAT(result.err, HasSubstr("the schedule is of another world: "));
}

TEST(RunScenarioTest, PlaysASeedWhichItsScheduleReplays) {
  const CommandResult seeded =
      RunCommand({"run", "litmus/examples/two-callers.reap", "--seed=1"});
  EXPECT_EQ(seeded.exit_code, kExitOk) << seeded.err;
  const size_t replay = seeded.out.find("Replay: reapsim replay ");
  ASSERT_NE(replay, std::string::npos) << seeded.out;
  std::string schedule = seeded.out.substr(replay + 23);
  schedule.pop_back();  // the line's end
  EXPECT_EQ(RunCommand({"replay", schedule}).out, seeded.out.substr(0, replay));
}

TEST(RunScenarioTest, WritesAChromeTrace) {
  const std::string path = WriteTemp("trace.json", "");
  const CommandResult result =
      RunCommand({"run", kScenario, "--trace=" + path});
  EXPECT_EQ(result.exit_code, kExitOk) << result.err;
  EXPECT_EQ(result.out,
            "Test killed-first\nKernel v6.18\n"
            "End: 0:r0=-EINVAL; 0:r1=0;\n");
  const nlohmann::json trace = nlohmann::json::parse(ReadText(path));
  std::set<std::string> tasks;
  size_t steps = 0;
  for (const nlohmann::json& event : trace["traceEvents"]) {
    if (event["ph"] == "M") tasks.insert(event["args"]["name"]);
    if (event["ph"] == "X") steps++;
  }
  EXPECT_EQ(tasks.count("P0 lmkd"), 1u);
  EXPECT_EQ(tasks.count("P1 victim"), 1u);
  EXPECT_GT(steps, 50u);
}

}  // namespace
}  // namespace reapsim
