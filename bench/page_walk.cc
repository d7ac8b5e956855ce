// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// How fast process_mrelease() walks, in nanoseconds of this machine. The model
// frees nothing real: this is how much memory a simulation can afford, not how
// fast a kernel is.
//
//   walk/SHAPE/SIZE    the call, on a victim that has just been filled
//   timed/SHAPE/SIZE   the call in timed mode: all that it does is charged for
//   bare/SHAPE/SIZE    the same entries and frame records, without a model
//   memset/SHAPE/SIZE  the bytes of these, filled
//
// Each iteration builds a machine of its own, outside of the time. A walk whose
// result is wrong reports an error and no time.

#include <benchmark/benchmark.h>

#include <string>

#include "base/units.h"
#include "bench/run.h"
#include "bench/world.h"

namespace reapsim {
namespace {

enum class Kind { kWalk, kTimed, kBare, kMemset };

struct Case {
  Shape shape;
  Bytes span;
  const char* size;
};

constexpr Case kCases[] = {
    // Small ones, whose results a test looks at.
    {Shape::kInOrder, 16_MiB, "16MiB"},
    {Shape::kScattered, 16_MiB, "16MiB"},
    {Shape::kHuge, 16_MiB, "16MiB"},
    {Shape::kSparse, 16_MiB, "16MiB"},
    {Shape::kVmas, 16_MiB, "16MiB"},
    {Shape::kSwapped, 16_MiB, "16MiB"},
    // What is measured.
    {Shape::kInOrder, 1_GiB, "1GiB"},
    {Shape::kScattered, 1_GiB, "1GiB"},
    {Shape::kInOrder, 64_GiB, "64GiB"},
    {Shape::kScattered, 64_GiB, "64GiB"},
    {Shape::kHuge, 64_GiB, "64GiB"},
    {Shape::kSparse, 64_GiB, "64GiB"},
    {Shape::kVmas, 480_MiB, "480MiB"},
    {Shape::kSwapped, 64_GiB, "64GiB"},
    {Shape::kInOrder, 1_TiB, "1TiB"},
    {Shape::kScattered, 1_TiB, "1TiB"},
};

// The conservation check keeps books on each frame.
bool Thorough(const Case& c) { return c.span <= 1_GiB; }

// Filling the machine takes much longer than the walk, and does not count:
// left to itself the library would go on for minutes.
int64_t IterationsOf(const Case& c) {
  if (c.span >= 1_TiB) return 1;
  return c.span >= 64_GiB ? 3 : 20;
}

void Measure(benchmark::State& state, Kind kind, const Case& c) {
  double seconds = 0;
  double best = 0;
  double pages = 0;
  for (auto _ : state) {
    const uint64_t resident = ResidentNow();
    VictimWorld world({.shape = c.shape, .span = c.span});
    state.counters["host_bytes_per_page"] =
        static_cast<double>(world.host_bytes()) /
        static_cast<double>(world.pages());
    state.counters["resident_bytes_per_page"] =
        static_cast<double>(ResidentNow() - resident) /
        static_cast<double>(world.pages());
    uint64_t done = world.pages();
    double took = 0;
    switch (kind) {
      case Kind::kWalk:
      case Kind::kTimed: {
        took = kind == Kind::kWalk ? TimeOf([&] { world.Reap(); })
                                   : TimeOf([&] { world.ReapTimed(); });
        const std::string problem = world.Problem(Thorough(c));
        if (!problem.empty()) {
          state.SkipWithError(problem.c_str());
          return;
        }
        break;
      }
      case Kind::kBare:
        took = TimeOf([&] { done = world.BareLoop(); });
        break;
      case Kind::kMemset:
        took = TimeOf([&] { benchmark::DoNotOptimize(world.Memset()); });
        break;
    }
    if (done != world.pages()) {
      state.SkipWithError("the yardstick missed pages");
      return;
    }
    state.SetIterationTime(took);
    seconds += took;
    pages += static_cast<double>(world.pages());
    const double each = took / static_cast<double>(world.pages());
    if (best == 0 || each < best) best = each;
  }
  state.counters["ns_per_page"] = seconds * 1e9 / pages;
  // What the least disturbed iteration took.
  state.counters["best_ns_per_page"] = best * 1e9;
  state.counters["peak_rss_MiB"] =
      static_cast<double>(ResidentPeak()) / (1 << 20);
}

void Register() {
  static constexpr struct {
    Kind kind;
    const char* name;
  } kKinds[] = {{Kind::kWalk, "walk"},
                {Kind::kTimed, "timed"},
                {Kind::kBare, "bare"},
                {Kind::kMemset, "memset"}};
  for (const Case& c : kCases) {
    for (const auto& kind : kKinds) {
      const std::string name =
          std::string(kind.name) + "/" + ShapeName(c.shape) + "/" + c.size;
      benchmark::internal::Benchmark* benchmark = benchmark::RegisterBenchmark(
          name.c_str(), [kind = kind.kind, &c](benchmark::State& state) {
            Measure(state, kind, c);
          });
      benchmark->UseManualTime()->Unit(benchmark::kMillisecond);
      benchmark->Iterations(IterationsOf(c));
    }
  }
}

}  // namespace
}  // namespace reapsim

int main(int argc, char** argv) {
  reapsim::Register();
  return reapsim::RunBenchmarks(argc, argv);
}
