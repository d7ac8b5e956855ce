// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/clients.h"

#include <cerrno>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "latency/clients_report.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kMs = 1'000'000;

// Two slow CPUs and two fast ones.
Machine SmallMachine() {
  Machine machine;
  machine.name = "small";
  machine.memory = 1024 * kMiB;
  machine.watermarks = {.min = 8 * kMiB, .low = 24 * kMiB, .high = 32 * kMiB};
  const CpuConfig little{.kind = "little", .capacity = 256};
  const CpuConfig big{.kind = "big", .capacity = 1024};
  machine.config.cpus = {little, little, big, big};
  return machine;
}

PressureProcess App(const std::string& name, int adj) {
  PressureProcess app;
  app.name = name;
  app.shape.anon = 64 * kMiB;
  app.oom_score_adj = adj;
  app.cgroup = 1;
  return app;
}

// A foreground that needs 64 MiB where 40 are free, and one app to kill.
PressureScenario SmallScenario() {
  PressureScenario s;
  s.name = "small";
  s.machine = "small";
  s.free = 40 * kMiB;
  s.target = 24 * kMiB;
  s.time_limit_ns = 60'000 * kMs;
  s.foreground = {.name = "fg", .needs = 64 * kMiB, .rate = 1024 * kMiB};
  s.cgroups = {"apps", "others"};
  s.processes = {App("app", 900)};
  s.earlyoom.term_percent = 2;  // 20 MiB
  s.earlyoom.kill_percent = 1;
  s.earlyoom.other_processes = 0;
  s.oomd.interval_ns = 1000 * kMs;
  s.oomd.duration_ns = 2000 * kMs;
  return s;
}

ClientRun PlayIt(const PressureScenario& scenario, Client client,
                 Change change = Change::kNone, uint64_t seed = 1,
                 const Machine& machine = SmallMachine()) {
  const absl::StatusOr<CostProfile> profile = LoadProfile("host");
  EXPECT_TRUE(profile.ok()) << profile.status();
  const absl::StatusOr<ClientRun> run =
      RunClient(scenario, machine, *profile, {client, change},
                {.seed = seed, .keep_calls = true});
  EXPECT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->accounts, "");
  EXPECT_EQ(run->verdict, "");
  return *run;
}

// "lmkd_reaper0: process_mrelease(app) 0", without what comes before.
std::vector<std::string> CallsFrom(const ClientRun& run,
                                   const std::string& first,
                                   const std::string& without = "none") {
  std::vector<std::string> calls;
  for (const ClientCall& call : run.calls) {
    if (calls.empty() && !absl::StartsWith(call.text, first)) continue;
    if (absl::StartsWith(call.text, without)) continue;
    calls.push_back(absl::StrCat(call.thread, ": ", call.text));
  }
  return calls;
}

bool Has(const ClientRun& run, const std::string& text, int64_t result) {
  for (const ClientCall& call : run.calls) {
    if (call.text == text && call.result == result) return true;
  }
  return false;
}

// ---- The order of calls

TEST(LmkdTest, KillsAndReapsInAThreadOfItsPool) {
  const ClientRun run = PlayIt(SmallScenario(), Client::kLmkd);
  std::vector<std::string> main;
  std::vector<std::string> reaper;
  std::vector<std::string> setprio;
  for (const std::string& call : CallsFrom(run, "dup")) {
    (absl::StartsWith(call, "lmkd: ")         ? main
     : absl::StartsWith(call, "lmkd_setprio") ? setprio
                                              : reaper)
        .push_back(call.substr(call.find(' ') + 1));
  }
  EXPECT_THAT(main, ElementsAre("dup(app)", "poll(app)"));
  EXPECT_THAT(reaper, ElementsAre("cgroup.kill(app)", "process_mrelease(app)",
                                  "close(app)"));
  EXPECT_THAT(setprio,
              ElementsAre("sched_setaffinity(app)", "setpriority(app)"));
  EXPECT_EQ(run.mrelease, 1u);
  EXPECT_EQ(run.answered_0, 1u);
}

TEST(EarlyoomTest, OpensThePidfdFirstAndReapsAfterTheSignal) {
  EXPECT_THAT(
      CallsFrom(PlayIt(SmallScenario(), Client::kEarlyoom), "pidfd_open"),
      ElementsAre("earlyoom: pidfd_open(app)", "earlyoom: kill(app, SIGTERM)",
                  "earlyoom: process_mrelease(app)", "earlyoom: close(app)"));
}

TEST(OomdTest, KillsInRoundsAndReapsWhoIsListedAfterwards) {
  PressureScenario s = SmallScenario();
  // Deaf to SIGKILL until it has slept: still listed in the second round.
  s.processes[0].doing = Doing::kDriver;
  s.processes[0].driver_ns = 2'500 * kMs;
  EXPECT_THAT(
      CallsFrom(PlayIt(s, Client::kOomd), "cgroup.procs"),
      testing::Contains("oomd: kill(app, SIGKILL)").Times(testing::Ge(2)));
}

TEST(OomdTest, FreezesAndKillsTheCgroupWithKernelkill) {
  PressureScenario s = SmallScenario();
  s.processes[0].doing = Doing::kDriver;
  s.processes[0].driver_ns = 1'000 * kMs;
  EXPECT_THAT(
      CallsFrom(PlayIt(s, Client::kOomd, Change::kKernelkill), "cgroup.freeze"),
      ElementsAre("oomd: cgroup.freeze()", "oomd: cgroup.kill()",
                  "oomd: cgroup.procs()", "oomd: pidfd_open(app)",
                  "oomd: process_mrelease(app)", "oomd: close(app)"));
}

// ---- What a change brings, and why

TEST(ChangeTest, ADeviceThatIsBusyAnswersEagainAndRetryingHelps) {
  PressureScenario s = SmallScenario();
  // It would die on a slow CPU that it shares: the call matters.
  s.processes[0].doing = Doing::kDriver;
  s.processes[0].driver_ns = 3'000 * kMs;
  s.processes[0].device_period_ns = 40 * kMs;
  s.processes[0].device_busy_ns = 30 * kMs;
  const ClientRun once = PlayIt(s, Client::kLmkd);
  EXPECT_EQ(once.mrelease, 1u);
  EXPECT_EQ(once.answered_eagain, 1u);
  const ClientRun again = PlayIt(s, Client::kLmkd, Change::kRetryEagain);
  EXPECT_GT(again.answered_eagain, 0u);
  EXPECT_EQ(again.answered_0, 1u);
  // Once the device lets go, not when the driver wakes up.
  EXPECT_LT(*again.target_ns - *again.first_kill_ns, 100 * kMs);
  EXPECT_LT(again.stall_ns, once.stall_ns);
}

TEST(ChangeTest, WithoutTheCallAVictimInADriverKeepsItsMemory) {
  PressureScenario s = SmallScenario();
  s.processes[0].doing = Doing::kDriver;
  s.processes[0].driver_ns = 3'000 * kMs;
  const ClientRun with = PlayIt(s, Client::kLmkd);
  const ClientRun without = PlayIt(s, Client::kLmkd, Change::kNoMrelease);
  EXPECT_EQ(without.mrelease, 0u);
  EXPECT_LT(with.stall_ns, without.stall_ns);
  // And the bill goes from the victim to the daemon.
  EXPECT_EQ(without.daemon_reclaim_ns, 0u);
  EXPECT_GT(with.daemon_reclaim_ns, 10 * with.victims_reclaim_ns);
}

TEST(ChangeTest, ABigCoreReapsSoonerThanALittleOne) {
  PressureScenario s = SmallScenario();
  s.lmkd.reaper_cpus = 3;  // the little ones
  s.processes[0].doing = Doing::kDriver;
  s.processes[0].driver_ns = 3'000 * kMs;
  const ClientRun little = PlayIt(s, Client::kLmkd);
  const ClientRun big = PlayIt(s, Client::kLmkd, Change::kBigCore);
  // A quarter of the capacity; part of a page's price is memory's.
  EXPECT_LT(*big.target_ns - *big.first_kill_ns,
            (*little.target_ns - *little.first_kill_ns) / 2);
}

TEST(ChangeTest, WaitingLongerForAVictimSparesTheNext) {
  PressureScenario s = SmallScenario();
  // Nothing reaps: a device refuses, and a driver keeps the victim alive for
  // longer than kill_timeout.
  s.processes[0].doing = Doing::kDriver;
  s.processes[0].driver_ns = 500 * kMs;
  s.processes.push_back(App("next", 800));
  const ClientRun hasty =
      PlayIt(s, Client::kLmkd, Change::kNoMrelease, /*seed=*/3);
  EXPECT_EQ(hasty.kills, 2u);
  EXPECT_EQ(hasty.needless, 1u);
  s.lmkd.kill_timeout_ns = 1000 * kMs;  // what Change::kWaitLonger has
  const ClientRun patient =
      PlayIt(s, Client::kLmkd, Change::kNoMrelease, /*seed=*/3);
  EXPECT_EQ(patient.kills, 1u);
  EXPECT_EQ(patient.needless, 0u);
}

TEST(ChangeTest, ATargetThatHandlesSigtermMakesTheFirstCallFutile) {
  PressureScenario s = SmallScenario();
  s.processes[0].on_sigterm = OnSigterm::kCleansUp;
  s.processes[0].cleanup_ns = 300 * kMs;
  const ClientRun as_it_is = PlayIt(s, Client::kEarlyoom);
  EXPECT_TRUE(Has(as_it_is, "process_mrelease(app)", -EINVAL));
  EXPECT_GT(as_it_is.answered_einval, 0u);
  const ClientRun spared =
      PlayIt(s, Client::kEarlyoom, Change::kNotAfterSigterm);
  EXPECT_EQ(spared.answered_einval, 0u);
  const ClientRun at_once = PlayIt(s, Client::kEarlyoom, Change::kSigkillFirst);
  EXPECT_EQ(at_once.answered_0, 1u);
  EXPECT_LE(at_once.stall_ns, as_it_is.stall_ns);
}

// The default action of SIGTERM ends the whole group, as SIGKILL does: the call
// may reap then.
TEST(ChangeTest, ATargetThatDoesNotHandleSigtermIsReaped) {
  const ClientRun run = PlayIt(SmallScenario(), Client::kEarlyoom);
  EXPECT_TRUE(Has(run, "kill(app, SIGTERM)", 0));
  EXPECT_EQ(run.answered_0, 1u);
  EXPECT_EQ(run.answered_einval, 0u);
}

TEST(ChangeTest, OomdReapsNobodyUnlessItOpensFirst) {
  PressureScenario s = SmallScenario();
  const ClientRun as_it_is = PlayIt(s, Client::kOomd);
  // Whoever began to exit is on no list any more.
  EXPECT_EQ(as_it_is.mrelease, 0u);
  const ClientRun opens = PlayIt(s, Client::kOomd, Change::kOpenFirst);
  EXPECT_EQ(opens.mrelease, 1u);
  const ClientRun both = PlayIt(s, Client::kOomd, Change::kKernelkillOpenFirst);
  EXPECT_EQ(both.mrelease, 1u);
}

TEST(ChangeTest, OomdWithKernelkillReapsWhoeverSleepsInADriver) {
  PressureScenario s = SmallScenario();
  s.processes[0].doing = Doing::kDriver;
  s.processes[0].driver_ns = 3'000 * kMs;
  const ClientRun rounds = PlayIt(s, Client::kOomd);
  const ClientRun kernelkill = PlayIt(s, Client::kOomd, Change::kKernelkill);
  EXPECT_EQ(kernelkill.answered_0, 1u);
  EXPECT_LT(*kernelkill.target_ns - *kernelkill.first_kill_ns, 200 * kMs);
  // Round after round, a second apart.
  EXPECT_GT(*rounds.target_ns - *rounds.first_kill_ns,
            *kernelkill.target_ns - *kernelkill.first_kill_ns);
}

// ---- The rest

TEST(ClientsTest, EachVariantOfEachClientEndsThePressure) {
  for (int i = 0; i < kClients; ++i) {
    for (const ClientVariant& variant : VariantsOf(static_cast<Client>(i))) {
      const ClientRun run =
          PlayIt(SmallScenario(), variant.client, variant.change);
      const std::string name = absl::StrCat(ClientName(variant.client), ", ",
                                            ChangeName(variant.change));
      EXPECT_EQ(run.kills, 1u) << name;
      EXPECT_EQ(run.processes, 1u) << name;
      ASSERT_TRUE(run.foreground_ns.has_value()) << name;
      EXPECT_EQ(run.mrelease, run.answered_0 + run.answered_einval +
                                  run.answered_esrch + run.answered_eagain +
                                  run.answered_else)
          << name;
    }
  }
}

TEST(ClientsTest, TheSameSeedGivesTheSameRun) {
  for (int i = 0; i < kClients; ++i) {
    const auto client = static_cast<Client>(i);
    const ClientRun one = PlayIt(SmallScenario(), client, Change::kNone, 7);
    const ClientRun two = PlayIt(SmallScenario(), client, Change::kNone, 7);
    const ClientRun other = PlayIt(SmallScenario(), client, Change::kNone, 8);
    EXPECT_EQ(one.end_ns, two.end_ns);
    EXPECT_EQ(one.daemon_run_ns, two.daemon_run_ns);
    ASSERT_EQ(one.calls.size(), two.calls.size());
    for (size_t c = 0; c < one.calls.size(); ++c) {
      EXPECT_EQ(one.calls[c].at_ns, two.calls[c].at_ns);
      EXPECT_EQ(one.calls[c].text, two.calls[c].text);
    }
    EXPECT_NE(one.end_ns, other.end_ns);
  }
}

TEST(ClientsTest, SaysWhatTheMachineLacks) {
  const absl::StatusOr<CostProfile> profile = LoadProfile("host");
  ASSERT_TRUE(profile.ok());
  const auto refuse = [&](const PressureScenario& s, const std::string& why) {
    const absl::StatusOr<ClientRun> run = RunClient(
        s, SmallMachine(), *profile, {Client::kLmkd, Change::kNone}, {});
    EXPECT_EQ(run.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(run.status().message()), HasSubstr(why));
  };
  PressureScenario s = SmallScenario();
  s.processes[0].affinity = 16;
  refuse(s, "processes[0].cpus: the machine small has CPUs 0 to 3");
  s = SmallScenario();
  s.lmkd.reaper_cpus = 32;
  refuse(s, "lmkd.reaper_cpus");
  s = SmallScenario();
  s.foreground.affinity = 16;
  refuse(s, "foreground.cpus");
  s = SmallScenario();
  s.processes[0].count = 20;
  refuse(s, "come to 1320 MiB; the machine small has 1024 MiB");
  s = SmallScenario();
  s.target = 2048 * kMiB;
  refuse(s, "target");
}

// ---- The report

TEST(ClientsReportTest, MediansAreTheLowerOfTwo) {
  EXPECT_EQ(MedianOf({}), std::nullopt);
  EXPECT_EQ(MedianOf({3, 1, 2}), 2);
  EXPECT_EQ(MedianOf({4, 1, 2, 3}), 2);
  EXPECT_EQ(WorstOf({3, 9, 2}), 9);
}

ClientsReport SmallReport() {
  ClientsReport report{.scenario = "small",
                       .about = "a test.",
                       .machine = "m",
                       .profile = "p",
                       .kernel_note = "v6.18"};
  ClientRun run;
  run.below_ns = 10 * kMs;
  run.first_kill_ns = 30 * kMs;
  run.target_ns = 45 * kMs;
  run.stall_ns = 12'345'678'901;
  run.kills = 2;
  run.needless = 1;
  run.mrelease = 4;
  run.answered_0 = 3;
  run.answered_eagain = 1;
  run.daemon_reclaim_ns = 5 * kMs;
  ClientRun never;
  never.below_ns = 10 * kMs;
  report.variants.push_back({{Client::kLmkd, Change::kNone}, {run, run}});
  report.variants.push_back({{Client::kLmkd, Change::kBigCore}, {run, never}});
  return report;
}

TEST(ClientsReportTest, ShowsMediansSharesAndWhatNeverCame) {
  const std::string text = ClientsText(SmallReport());
  EXPECT_THAT(text,
              HasSubstr("as it is  20.0 (20.0)    15.0 (15.0)  12.3 s (12.3 s)"
                        "    2.0       1.0\n"));
  EXPECT_THAT(text, HasSubstr("big core     20.0 (-)       15.0 (-)"));
  EXPECT_THAT(text, HasSubstr("as it is    4.0  75 %     0 %    0 %    25 %"));
  EXPECT_THAT(text, Not(HasSubstr("oomd")));
}

TEST(ClientsReportTest, WritesEachRunAsJson) {
  const std::string json = ClientsJson(SmallReport());
  EXPECT_THAT(json, HasSubstr("\"change\": \"big core\""));
  EXPECT_THAT(json, HasSubstr("\"needless_kills\": 1"));
  EXPECT_THAT(json, HasSubstr("\"target_ns\": null"));
  EXPECT_THAT(json, HasSubstr("\"EAGAIN\": 1"));
}

}  // namespace
}  // namespace reapsim
