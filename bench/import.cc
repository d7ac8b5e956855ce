// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// How long it takes to make a modelled address space of the text of smaps.
//
//   parse/FILE  the text read into mappings
//   plan/FILE   what backs them, and which pages are there
//   apply/FILE  made, on a machine of its own each time
//
// FILE is a recording (tests/data/smaps/) or `generated_60000`: 60,000 mappings
// of a page each. A memory that is not what the text says is an error.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "bench/run.h"
#include "bench/world.h"
#include "import/import_mm.h"
#include "import/read_file.h"
#include "import/smaps.h"
#include "mm/smaps.h"
#include "syscall/kernel.h"

namespace reapsim {
namespace {

constexpr int kManyVmas = 60'000;
constexpr const char* kRecordings[] = {
    "bash", "chromium_renderer", "jvm", "postgres", "python3", "redis"};

// One-page mappings, a page apart: three in four anonymous, the others of one
// of a hundred files; each page is there.
std::string ManyVmas() {
  std::string text;
  for (int i = 0; i < kManyVmas; ++i) {
    const uint64_t start = 0x7f0000000000 + uint64_t{2} * 4096 * i;
    const bool file = i % 4 == 3;
    const int inode = i / 4 % 100;
    absl::StrAppendFormat(
        &text, "%x-%x %s %08x %s %d %s\n", start, start + 4096,
        file ? "r--p" : "rw-p", file ? i / 400 * 4096 : 0,
        file ? "fe:01" : "00:00", file ? 100 + inode : 0,
        file ? absl::StrFormat("/usr/lib/lib%d.so", inode) : "");
    absl::StrAppendFormat(
        &text,
        "Size: 4 kB\nKernelPageSize: 4 kB\nMMUPageSize: 4 kB\nRss: 4 kB\n"
        "Pss: 4 kB\nShared_Clean: 0 kB\nShared_Dirty: 0 kB\n"
        "Private_Clean: %d kB\nPrivate_Dirty: %d kB\nReferenced: 4 kB\n"
        "Anonymous: %d kB\nLazyFree: 0 kB\nAnonHugePages: 0 kB\n"
        "ShmemPmdMapped: 0 kB\nFilePmdMapped: 0 kB\nShared_Hugetlb: 0 kB\n"
        "Private_Hugetlb: 0 kB\nSwap: 0 kB\nSwapPss: 0 kB\nLocked: 0 kB\n"
        "VmFlags: %s\n",
        file ? 4 : 0, file ? 0 : 4, file ? 0 : 4,
        file ? "rd mr mw me" : "rd wr mr mw me ac");
  }
  return text;
}

absl::StatusOr<std::string> TextOf(const std::string& name) {
  if (name == "generated_60000") return ManyVmas();
  return ReadFile("tests/data/smaps/" + name + ".smaps");
}

// A text with what comes of it.
struct Input {
  std::string text;
  SmapsFile smaps;
};

absl::StatusOr<Input> Load(const std::string& name) {
  absl::StatusOr<std::string> text = TextOf(name);
  if (!text.ok()) return text.status();
  absl::StatusOr<SmapsFile> smaps = ParseSmaps(*text, name);
  if (!smaps.ok()) return smaps.status();
  return Input{*std::move(text), *std::move(smaps)};
}

void CountVmas(benchmark::State& state, const Input& input) {
  state.counters["vmas"] = static_cast<double>(input.smaps.vmas.size());
  state.counters["per_vma"] =
      benchmark::Counter(static_cast<double>(input.smaps.vmas.size()),
                         benchmark::Counter::kIsIterationInvariantRate |
                             benchmark::Counter::kInvert);
}

std::string Parse(benchmark::State& state, const Input& input) {
  for (auto _ : state) {
    const absl::StatusOr<SmapsFile> smaps = ParseSmaps(input.text, "smaps");
    if (!smaps.ok()) return std::string(smaps.status().message());
    if (smaps->vmas.size() != input.smaps.vmas.size()) return "mappings lost";
  }
  return "";
}

std::string Plan(benchmark::State& state, const Input& input) {
  for (auto _ : state) {
    const absl::StatusOr<ImportPlan> plan = ImportPlan::Make(input.smaps, {});
    if (!plan.ok()) return std::string(plan.status().message());
    if (plan->vmas().size() != input.smaps.vmas.size()) return "mappings lost";
  }
  return "";
}

// What the memory says otherwise than the text.
std::string Compare(const MemoryReport& report, const SmapsFile& smaps) {
  const SmapsSizes totals = Totals(smaps);
  if (report.vmas.size() != smaps.vmas.size()) return "mappings lost";
  if (report.rss != totals.rss * 1024) return "not the Rss of the text";
  if (report.anon != totals.anonymous * 1024) return "not its Anonymous";
  return "";
}

std::string Apply(benchmark::State& state, const Input& input) {
  const absl::StatusOr<ImportPlan> plan = ImportPlan::Make(input.smaps, {});
  if (!plan.ok()) return std::string(plan.status().message());
  KernelOptions options;
  plan->EnlargeMachine(&options);
  for (auto _ : state) {
    Kernel k(options);
    Task& task = k.Spawn("imported");
    absl::Status status;
    state.SetIterationTime(TimeOf([&] { status = plan->Apply(k, task); }));
    if (!status.ok()) return std::string(status.message());
    std::string wrong = Compare(ReportMemory(task.raw()->mm), input.smaps);
    if (k.stopped()) wrong = k.TakeVerdict().ToString();
    if (!wrong.empty()) return wrong;
  }
  return "";
}

using Step = std::string (*)(benchmark::State&, const Input&);

void Run(benchmark::State& state, const std::string& name, Step step) {
  const absl::StatusOr<Input> input = Load(name);
  const std::string error =
      input.ok() ? step(state, *input) : std::string(input.status().message());
  if (!error.empty()) {
    state.SkipWithError(error.c_str());
    return;
  }
  CountVmas(state, *input);
}

void RegisterFile(const std::string& name) {
  const auto add = [&name](const char* what, Step step) {
    return benchmark::RegisterBenchmark(
               (std::string(what) + "/" + name).c_str(),
               [name, step](benchmark::State& state) {
                 Run(state, name, step);
               })
        ->Unit(benchmark::kMicrosecond);
  };
  add("parse", Parse);
  add("plan", Plan);
  // To boot the machine takes longer, and does not count: left to itself the
  // library would go on for minutes.
  add("apply", Apply)->UseManualTime()->Iterations(5);
}

}  // namespace
}  // namespace reapsim

int main(int argc, char** argv) {
  for (const char* name : reapsim::kRecordings) reapsim::RegisterFile(name);
  reapsim::RegisterFile("generated_60000");
  return reapsim::RunBenchmarks(argc, argv);
}
