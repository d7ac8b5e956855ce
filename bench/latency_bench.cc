// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The claims made for process_mrelease(), each as rows in virtual time: a kill
// alone (.../kill) and a kill with the call (.../call). The manual time is from
// kill() until the victim's memory is back; the counters, in milliseconds, are
// in docs/latency.md, which is made from them. Nothing here depends on the
// machine that it runs on.
//
//   CLAIM/ROW/kill          a kill alone
//   CLAIM/ROW/call          with the call
//   published/SOURCE/...    figures of bench/published.json, as the model has
//                           them: counter `model`, in the unit given there
//   grid/kill, grid/call    all cells of the grid: p1, p50, p99
//
// --phone_profile=FILE takes another profile for the published phone
// (bench/fit_phone.py).

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "bench/run.h"
#include "bench/scene.h"
#include "latency/machine.h"
#include "latency/profile.h"
#include "latency/shape.h"

namespace reapsim {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kSecond = 1000 * kMs;

double Ms(uint64_t ns) { return static_cast<double>(ns) / kMs; }

// ---- Machines and profiles -------------------------------------------------

template <class T>
T Must(absl::StatusOr<T> loaded) {
  if (!loaded.ok()) {
    std::fprintf(stderr, "latency_bench: %s\n",
                 std::string(loaded.status().message()).c_str());
    std::exit(2);
  }
  return *std::move(loaded);
}

// Where the first CPU of each kind is; all four of a kind are alike.
constexpr uint32_t kLittle = 0;
constexpr uint32_t kBig = 4;
constexpr uint64_t kLittleCpus = 0x0f;
constexpr uint64_t kBigCpus = 0xf0;

enum class Speed { kLowest, kHighest, kStepped };

// The phone, with its little and big cores at some speed.
Machine Phone(Speed little, Speed big) {
  static const Machine* phone = new Machine(Must(LoadMachine("snapdragon845")));
  Machine machine = *phone;
  for (uint32_t i = 0; i < machine.config.cpus.size(); ++i) {
    CpuConfig& cpu = machine.config.cpus[i];
    const Speed speed = i < kBig ? little : big;
    const auto highest = static_cast<uint32_t>(cpu.mhz.size() - 1);
    cpu.opp = speed == Speed::kHighest ? highest : 0;
    cpu.governor =
        speed == Speed::kStepped ? Governor::kStepped : Governor::kFixed;
  }
  return machine;
}

Machine PhoneAt(Speed speed) { return Phone(speed, speed); }

std::string g_phone_profile = "snapdragon845";

const CostProfile* PhoneProfile() {
  static const CostProfile* profile =
      new CostProfile(Must(LoadProfile(g_phone_profile)));
  return profile;
}

const CostProfile* Profile(const char* name) {
  return new CostProfile(Must(LoadProfile(name)));
}

VictimShape Shape(const char* spec) { return Must(ParseShape(spec, spec)); }

SchedAttr OnCpus(uint64_t affinity, int nice = 0) {
  return {.nice = static_cast<int8_t>(nice), .affinity = affinity};
}

// ---- Rows ------------------------------------------------------------------

// A scene with the machine that it is played on.
struct Row {
  std::string name;
  Machine machine;
  Scene scene;
};

void Report(benchmark::State& state, const Scene& scene,
            const SceneResult& result) {
  state.counters["back"] = Ms(result.back_ns);
  state.counters["gone"] = Ms(result.gone_ns);
  state.counters["victim_cpu"] = Ms(result.victim_cpu_ns);
  state.counters["victim_spin"] = Ms(result.victim_spin_ns);
  state.counters["other_cpu"] = Ms(result.other_cpu_ns);
  state.counters["pages"] = static_cast<double>(result.pages);
  if (scene.reaping == Reaping::kKill) return;
  state.counters["call"] = Ms(result.call_ns);
  state.counters["caller_cpu"] = Ms(result.reaper_cpu_ns);
  state.counters["caller_spin"] = Ms(result.reaper_spin_ns);
  state.counters["reaped"] = result.reaped;
  state.counters["refused"] = result.refused;
}

SceneResult PlayRow(const Row& row) {
  Scene scene = row.scene;
  scene.machine = &row.machine;
  return Play(scene);
}

benchmark::internal::Benchmark* RegisterOnce(
    const std::string& name, std::function<void(benchmark::State&)> run) {
  return benchmark::RegisterBenchmark(
             name.c_str(),
             [run = std::move(run)](benchmark::State& state) {
               for (auto _ : state) run(state);
             })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond)
      ->Iterations(1);
}

void RegisterRow(const Row& row) {
  RegisterOnce(row.name, [row](benchmark::State& state) {
    const SceneResult result = PlayRow(row);
    if (!result.problem.empty()) state.SkipWithError(result.problem.c_str());
    state.SetIterationTime(static_cast<double>(result.back_ns) / 1e9);
    Report(state, row.scene, result);
  });
}

// A kill alone, and with the call.
void RegisterPair(Row row) {
  const std::string name = row.name;
  const Reaping call =
      row.scene.reaping == Reaping::kKill ? Reaping::kCall : row.scene.reaping;
  row.name = name + "/kill";
  row.scene.reaping = Reaping::kKill;
  RegisterRow(row);
  row.name = name + "/call";
  row.scene.reaping = call;
  RegisterRow(row);
}

// A victim of 256 MiB on a little core, reaped from a big one.
Row OnThePhone(const std::string& name, const Machine& machine) {
  Row row;
  row.name = name;
  row.machine = machine;
  row.scene.profile = PhoneProfile();
  row.scene.shape = Shape("anon=256MiB");
  row.scene.victim = OnCpus(kLittleCpus);
  row.scene.reaper = OnCpus(kBigCpus);
  return row;
}

// ---- The claims
// --------------------------------------------------------------

void Sleep() {
  static constexpr struct {
    const char* name;
    uint64_t ns;
  } kSleeps[] = {{"0", 0},           {"1ms", kMs},
                 {"10ms", 10 * kMs}, {"100ms", 100 * kMs},
                 {"1s", kSecond},    {"10s", 10 * kSecond}};
  for (const auto& sleep : kSleeps) {
    Row row = OnThePhone(std::string("sleep/") + sleep.name,
                         PhoneAt(Speed::kHighest));
    row.scene.state = SceneState::kDriver;
    row.scene.state_ns = sleep.ns;
    RegisterPair(row);
  }
}

void Core() {
  static constexpr struct {
    const char* name;
    uint64_t cpus;
    Speed speed;
  } kCores[] = {{"little_300MHz", kLittleCpus, Speed::kLowest},
                {"little_1613MHz", kLittleCpus, Speed::kHighest},
                // Two of the big ones stay fast, for the caller.
                {"big_826MHz", 1 << kBig, Speed::kLowest},
                {"big_2477MHz", 1 << kBig, Speed::kHighest}};
  for (const auto& core : kCores) {
    Row row = OnThePhone(
        std::string("core/") + core.name,
        Phone(core.cpus == kLittleCpus ? core.speed : Speed::kHighest,
              Speed::kHighest));
    row.scene.victim = OnCpus(core.cpus);
    if (core.cpus != kLittleCpus) {
      CpuConfig& cpu = row.machine.config.cpus[kBig];
      cpu.opp = core.speed == Speed::kLowest
                    ? 0
                    : static_cast<uint32_t>(cpu.mhz.size() - 1);
      row.scene.reaper = OnCpus(kBigCpus & ~core.cpus);
    }
    RegisterPair(row);
  }
}

void Nice() {
  for (const int nice : {0, 19}) {
    for (const uint32_t hogs : {0u, 1u, 2u, 4u, 8u}) {
      Row row = OnThePhone(
          "nice/" + std::to_string(nice) + "_beside_" + std::to_string(hogs),
          PhoneAt(Speed::kHighest));
      row.scene.state = SceneState::kRuns;
      row.scene.victim = OnCpus(1 << kLittle, nice);
      row.scene.hogs = hogs;
      RegisterPair(row);
    }
  }
}

// Where the call does not pay: a caller that is slower than the victim.
void SlowCaller() {
  static constexpr struct {
    const char* name;
    Speed little;
    int nice;
    uint64_t caller;
    uint32_t hogs;
  } kCallers[] = {
      {"big", Speed::kHighest, 0, kBigCpus & ~(1 << kBig), 0},
      {"little_1613MHz", Speed::kHighest, 0, 1 << kLittle, 0},
      {"little_300MHz", Speed::kLowest, 0, 1 << kLittle, 0},
      {"little_300MHz_nice_19", Speed::kLowest, 19, 1 << kLittle, 0},
      {"little_300MHz_nice_19_beside_2", Speed::kLowest, 19, 1 << kLittle, 2}};
  for (const auto& caller : kCallers) {
    Row row = OnThePhone(std::string("caller/") + caller.name,
                         Phone(caller.little, Speed::kHighest));
    row.scene.victim = OnCpus(1 << kBig);
    row.scene.reaper = OnCpus(caller.caller, caller.nice);
    row.scene.reaper_hogs = caller.hogs;
    RegisterPair(row);
  }
}

void HugePages() {
  for (const char* size : {"64MiB", "512MiB", "2GiB"}) {
    for (const char* kind : {"anon", "thp"}) {
      Row row;
      row.name = std::string("huge/") + kind + "_" + size;
      row.machine = Must(LoadMachine("default"));
      row.scene.profile = Profile("host");
      row.scene.shape = Shape((std::string(kind) + "=" + size).c_str());
      RegisterPair(row);
    }
  }
}

void Reapers() {
  for (uint32_t reapers = 1; reapers <= 8; ++reapers) {
    Row row = OnThePhone("reapers/" + std::to_string(reapers),
                         PhoneAt(Speed::kHighest));
    row.scene.shape = Shape("anon=64MiB,vmas=1000");
    row.scene.regions = 192;
    row.scene.reapers = reapers;
    row.scene.victim = OnCpus(1 << kLittle);
    // One on each CPU, the big ones first; the last beside the victim.
    constexpr uint64_t kOrder[] = {4, 5, 6, 7, 1, 2, 3, 0};
    for (uint32_t i = 0; i < reapers; ++i) {
      row.scene.reaper_cpus[i] = uint64_t{1} << kOrder[i];
    }
    RegisterPair(row);
  }
}

void FrozenVictim() {
  static constexpr struct {
    const char* name;
    SceneState state;
    uint64_t ns;
  } kFrozen[] = {{"v1_100ms", SceneState::kFrozen1, 100 * kMs},
                 {"v1_1s", SceneState::kFrozen1, kSecond},
                 {"v1_10s", SceneState::kFrozen1, 10 * kSecond},
                 {"v2_10s", SceneState::kFrozen2, 10 * kSecond}};
  for (const auto& frozen : kFrozen) {
    Row row = OnThePhone(std::string("frozen/") + frozen.name,
                         PhoneAt(Speed::kHighest));
    row.scene.state = frozen.state;
    row.scene.state_ns = frozen.ns;
    RegisterPair(row);
  }
}

// Before and after the reaper turned round.
void Reverse() {
  for (const char* kernel : {"v6.17", "v6.18"}) {
    for (const auto& [name, shape, regions] :
         {std::tuple("one_mapping", "anon=256MiB", 0u),
          std::tuple("many_mappings", "anon=64MiB,vmas=1000", 192u)}) {
      Row row;
      row.name = std::string("walk/") + kernel + "_" + name;
      row.machine = Must(LoadMachine("default"));
      row.scene.kernel = kernel;
      row.scene.profile = Profile("reverse_walk");
      row.scene.shape = Shape(shape);
      row.scene.regions = regions;
      RegisterPair(row);
    }
  }
}

void Pinned() {
  static constexpr struct {
    const char* name;
    uint64_t ns;
  } kPins[] = {{"10ms", 10 * kMs}, {"1s", kSecond}, {"10s", 10 * kSecond}};
  for (const auto& pin : kPins) {
    Row row =
        OnThePhone(std::string("pinned/") + pin.name, PhoneAt(Speed::kHighest));
    row.scene.pinned_ns = pin.ns;
    RegisterPair(row);
  }
}

void Pool() {
  for (const auto& [name, reaping] :
       {std::pair("two_threads", Reaping::kPool),
        std::pair("two_threads_or_kill", Reaping::kPoolOrKill)}) {
    Row row = OnThePhone(std::string("pool/") + name, PhoneAt(Speed::kHighest));
    row.scene.shape = Shape("anon=32MiB");
    row.scene.victims = 100;
    row.scene.reaping = reaping;
    RegisterPair(row);
  }
}

void Contents() {
  // Of 512 MiB; the shares are those of an app that was measured after 0 and
  // 15 minutes in the background (docs/latency.md).
  for (const auto& [name, shape] :
       {std::pair("swap/0_percent", "anon=512MiB"),
        std::pair("swap/31_percent", "anon=356MiB,swap=156MiB"),
        std::pair("swap/65_percent", "anon=180MiB,swap=332MiB"),
        std::pair("file/0_percent", "anon=512MiB"),
        std::pair("file/50_percent", "anon=256MiB,file=256MiB"),
        std::pair("file/90_percent", "anon=52MiB,file=460MiB"),
        std::pair("file/shared_dirty_50_percent",
                  "anon=256MiB,dirty=256MiB")}) {
    Row row;
    row.name = name;
    row.machine = Must(LoadMachine("default"));
    row.scene.profile = Profile("host");
    row.scene.shape = Shape(shape);
    RegisterPair(row);
  }
}

// ---- The grid --------------------------------------------------------------

// States of the victim, by kinds of cores, by their frequencies. The caller is
// on a big core at its highest.
std::vector<Row> GridCells() {
  static constexpr struct {
    SceneState state;
    uint64_t ns;
    int nice;
    uint32_t hogs;
  } kStates[] = {{SceneState::kSleeps, 0, 0, 0},
                 {SceneState::kRuns, 0, 0, 0},
                 {SceneState::kRuns, 0, 0, 2},
                 {SceneState::kRuns, 0, 19, 2},
                 {SceneState::kDriver, 10 * kMs, 0, 0},
                 {SceneState::kDriver, 100 * kMs, 0, 0},
                 {SceneState::kFrozen1, 100 * kMs, 0, 0}};
  std::vector<Row> cells;
  for (const auto& state : kStates) {
    for (const uint32_t cpu : {kLittle, kBig}) {
      const Machine phone = PhoneAt(Speed::kHighest);
      const auto points =
          static_cast<uint32_t>(phone.config.cpus[cpu].mhz.size());
      for (uint32_t opp = 0; opp < points; opp += 2) {
        Row row = OnThePhone("grid", phone);
        row.machine.config.cpus[cpu].opp = opp;
        row.scene.state = state.state;
        row.scene.state_ns = state.ns;
        row.scene.victim = OnCpus(1 << cpu, state.nice);
        row.scene.hogs = state.hogs;
        row.scene.reaper = OnCpus(kBigCpus & ~(1 << kBig));
        cells.push_back(row);
      }
    }
  }
  return cells;
}

// By nearest rank.
double Percentile(const std::vector<double>& sorted, size_t percent) {
  const size_t rank = (percent * sorted.size() + 99) / 100;
  return sorted[std::max<size_t>(rank, 1) - 1];
}

void Grid() {
  for (const Reaping reaping : {Reaping::kKill, Reaping::kCall}) {
    const bool call = reaping == Reaping::kCall;
    RegisterOnce(std::string("grid/") + (call ? "call" : "kill"),
                 [reaping](benchmark::State& state) {
                   std::vector<double> back;
                   for (Row& row : GridCells()) {
                     row.scene.reaping = reaping;
                     const SceneResult result = PlayRow(row);
                     if (!result.problem.empty()) {
                       state.SkipWithError(result.problem.c_str());
                     }
                     back.push_back(Ms(result.back_ns));
                   }
                   std::sort(back.begin(), back.end());
                   const double p1 = Percentile(back, 1);
                   const double p99 = Percentile(back, 99);
                   state.SetIterationTime((p99 - p1) / 1000);
                   state.counters["cells"] = static_cast<double>(back.size());
                   state.counters["p1"] = p1;
                   state.counters["p50"] = Percentile(back, 50);
                   state.counters["p99"] = p99;
                   state.counters["spread"] = p99 - p1;
                 });
  }
}

// ---- Published figures -----------------------------------------------------

// A figure of bench/published.json, from one scene; `row.name` is the scene's,
// which several figures may have.
void RegisterFigure(const std::string& name, const Row& row,
                    double (*value)(const SceneResult&)) {
  static auto* played = new std::map<std::string, SceneResult>;
  RegisterOnce("published/" + name, [row, value](benchmark::State& state) {
    const auto [at, is_new] = played->try_emplace(row.name);
    if (is_new) at->second = PlayRow(row);
    const SceneResult& result = at->second;
    if (!result.problem.empty()) state.SkipWithError(result.problem.c_str());
    state.SetIterationTime(static_cast<double>(result.gone_ns) / 1e9);
    state.counters["model"] = value(result);
  });
}

// MiB per second until the victim is gone.
double SpeedOf(const SceneResult& result) {
  return static_cast<double>(result.pages) * 4096 / (1 << 20) /
         (static_cast<double>(result.gone_ns) / 1e9);
}

void PublishedPhone() {
  static constexpr struct {
    const char* name;
    Speed speed;
    SceneState state;
  } kGovernors[] = {
      {"powersave", Speed::kLowest, SceneState::kSleeps},
      {"performance", Speed::kHighest, SceneState::kSleeps},
      // What a victim did before decides at which frequency it dies.
      {"schedutil", Speed::kStepped, SceneState::kSleeps},
      {"schedutil_busy", Speed::kStepped, SceneState::kRuns}};
  for (const auto& governor : kGovernors) {
    for (const bool big : {false, true}) {
      for (const Reaping reaping : {Reaping::kKill, Reaping::kCall}) {
        const std::string name =
            std::string("snapdragon845/") + governor.name +
            (big ? "/big" : "/little") +
            (reaping == Reaping::kKill ? "/kill" : "/reap");
        Row row = OnThePhone(name, PhoneAt(governor.speed));
        // As with that patch, reaper and exit_mmap() go upwards side by side.
        row.scene.kernel = "v6.1";
        row.scene.state = governor.state;
        if (governor.state == SceneState::kRuns) row.scene.before_ns = kSecond;
        row.scene.victim = OnCpus(big ? 1 << kBig : 1 << kLittle);
        row.scene.reaper = OnCpus(kBigCpus & ~(1 << kBig));
        row.scene.reaping = reaping;
        RegisterFigure(name, row, SpeedOf);
      }
    }
  }
}

void PublishedWalk() {
  for (const bool reverse : {true, false}) {
    Row row;
    row.machine = Must(LoadMachine("default"));
    row.scene.kernel = reverse ? "v6.18" : "v6.17";
    row.scene.profile = Profile("reverse_walk");
    row.scene.shape = Shape("anon=64MiB,vmas=3000");
    row.scene.regions = 128;
    row.scene.reaping = Reaping::kCall;
    const std::string name =
        std::string("reverse_walk/") + (reverse ? "reverse" : "forward");
    row.name = name;
    RegisterFigure(name + "/victim", row,
                   [](const SceneResult& r) { return Ms(r.victim_cpu_ns); });
    RegisterFigure(name + "/reaper", row,
                   [](const SceneResult& r) { return Ms(r.reaper_cpu_ns); });
    RegisterFigure(name + "/total", row, [](const SceneResult& r) {
      return Ms(r.victim_cpu_ns + r.reaper_cpu_ns);
    });
    RegisterFigure(name + "/lock_wait", row, [](const SceneResult& r) {
      return Ms(r.victim_spin_ns + r.reaper_spin_ns);
    });
    if (reverse) continue;
    RegisterFigure(name + "/lock_wait_victim", row,
                   [](const SceneResult& r) { return Ms(r.victim_spin_ns); });
    RegisterFigure(name + "/lock_wait_reaper", row,
                   [](const SceneResult& r) { return Ms(r.reaper_spin_ns); });
  }
}

void PublishedSwap() {
  // The app as its swap shows it, and the same without.
  for (const bool swap : {true, false}) {
    Row row;
    row.machine = Must(LoadMachine("default"));
    row.scene.profile = Profile("swap_heavy");
    row.scene.shape =
        Shape(swap ? "anon=67660KiB,file=131136KiB,swap=366488KiB,vmas=3000"
                   : "anon=67660KiB,file=131136KiB,vmas=3000");
    row.name = swap ? "swap_heavy/exit_mmap" : "swap_heavy/without_swap";
    RegisterFigure(row.name, row,
                   [](const SceneResult& r) { return Ms(r.victim_cpu_ns); });
    if (!swap) continue;
    row.name = "swap_heavy/with_call";
    row.scene.reaping = Reaping::kCall;
    RegisterFigure(row.name, row,
                   [](const SceneResult& r) { return Ms(r.gone_ns); });
  }
}

void PublishedBothEnds() {
  for (const char* shape :
       {"anon_512MiB", "anon_64MiB", "huge_512MiB", "huge_64MiB"}) {
    RegisterOnce(
        std::string("published/both_ends/") + shape + "/gain",
        [shape](benchmark::State& state) {
          Row row;
          row.machine = Must(LoadMachine("default"));
          row.scene.profile = Profile("host");
          const std::string size = std::strchr(shape, '_') + 1;
          row.scene.shape =
              Shape(((shape[0] == 'h' ? "thp=" : "anon=") + size).c_str());
          const SceneResult kill = PlayRow(row);
          row.scene.reaping = Reaping::kCall;
          const SceneResult call = PlayRow(row);
          state.SetIterationTime(static_cast<double>(call.gone_ns) / 1e9);
          state.counters["model"] = Ms(kill.gone_ns) / Ms(call.gone_ns);
        });
  }
}

void Register() {
  Sleep();
  Core();
  Nice();
  SlowCaller();
  HugePages();
  Reapers();
  FrozenVictim();
  Reverse();
  Pinned();
  Pool();
  Contents();
  Grid();
  PublishedPhone();
  PublishedWalk();
  PublishedSwap();
  PublishedBothEnds();
}

}  // namespace
}  // namespace reapsim

int main(int argc, char** argv) {
  constexpr const char kFlag[] = "--phone_profile=";
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], kFlag, std::strlen(kFlag)) != 0) continue;
    reapsim::g_phone_profile = argv[i] + std::strlen(kFlag);
    std::copy(argv + i + 1, argv + argc, argv + i);
    --argc;
  }
  reapsim::Register();
  return reapsim::RunBenchmarks(argc, argv);
}
