// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernel of this host beside the model of v6.18: the same memory, the same
// ends of the call. The model frees nothing real: its lead is the headroom of a
// simulation, and says nothing about the kernel.
//
//   live/SHAPE/SIZE, model/SHAPE/SIZE    the whole walk, first call
//   live_call/BRANCH, model_call/BRANCH  an end of the call, in a loop
//
// Live victims are processes of our own, killed and held at PTRACE_EVENT_EXIT
// (conform/host_machine.h). They are ended whatever happens; nothing else is
// touched. Where the host lacks the call or the right, the error is
// `skipped: why`.

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/units.h"
#include "bench/error_branches.h"
#include "bench/run.h"
#include "bench/time_calls.h"
#include "bench/world.h"
#include "conform/host_machine.h"
#include "import/read_file.h"

namespace reapsim {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kHugeBytes = uint64_t{2} << 20;
constexpr uint64_t kTouchBytes = uint64_t{64} << 20;
// A multiple of 2 MiB, with nothing near it in a fresh victim.
constexpr uint64_t kBase = uint64_t{0x100} << 32;

int64_t CallMrelease(int pidfd, unsigned int flags) {
  const long ret = ::syscall(SYS_process_mrelease, pidfd, flags);
  return ret < 0 ? -errno : ret;
}

// What came of the host's side of a benchmark.
std::string HostError(HostMachine& m) {
  const absl::Status status = m.ok() ? m.End() : m.status();
  if (status.ok()) return "";
  return absl::StrCat(IsLack(status) ? "skipped: " : "", status.message());
}

// Whether the host can do nothing of this; it is said in place of the time.
bool Skipped(benchmark::State& state) {
  const absl::Status can = HostCanConform();
  if (can.ok()) return false;
  state.SkipWithError(absl::StrCat("skipped: ", can.message()).c_str());
  return true;
}

// ---- Walks -----------------------------------------------------------------

struct Walk {
  Shape shape;
  Bytes span;
  const char* size;
};

constexpr Walk kWalks[] = {
    {Shape::kInOrder, 64_MiB, "64MiB"}, {Shape::kInOrder, 1_GiB, "1GiB"},
    {Shape::kHuge, 1_GiB, "1GiB"},      {Shape::kSparse, 64_GiB, "64GiB"},
    {Shape::kVmas, 480_MiB, "480MiB"},
};

// Each walk needs memory that has just been filled.
constexpr int kWalkIterations = 5;

void MapLive(HostTask& victim, uint64_t start, uint64_t bytes) {
  (void)victim.Must(
      SYS_mmap, start, bytes, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
      static_cast<uint64_t>(-1), 0);
}

// Gives the victim that memory; returns how many base pages it has.
uint64_t FillLive(HostTask& victim, const Walk& walk) {
  const uint64_t bytes = walk.span.raw();
  if (walk.shape == Shape::kVmas) {
    for (uint64_t at = 0; at < bytes; at += 2 * kPageBytes) {
      MapLive(victim, kBase + at, kPageBytes);
      victim.Touch(kBase + at, kPageBytes, kPageBytes, true);
    }
    return bytes / kPageBytes / 2;
  }
  MapLive(victim, kBase, bytes);
  const bool huge = walk.shape == Shape::kHuge;
  (void)victim.Must(SYS_madvise, kBase, bytes,
                    huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  const uint64_t stride =
      huge || walk.shape == Shape::kSparse ? kHugeBytes : kPageBytes;
  // In parts: the kernel clears pages for longer than a victim's silence is
  // borne.
  for (uint64_t at = 0; at < bytes; at += kTouchBytes) {
    victim.Touch(kBase + at, std::min(kTouchBytes, bytes - at), stride, true);
  }
  return huge ? bytes / kPageBytes : bytes / stride;
}

// VmRSS in pages, of /proc/PID/statm.
uint64_t ResidentPages(pid_t pid) {
  const auto text = ReadFile(absl::StrCat("/proc/", pid, "/statm"));
  unsigned long size = 0;
  unsigned long resident = 0;
  if (!text.ok() ||
      std::sscanf(text->c_str(), "%lu %lu", &size, &resident) != 2) {
    return 0;
  }
  return resident;
}

// One walk of the host's kernel. Returns its seconds.
double WalkLive(HostMachine& m, const Walk& walk, uint64_t* pages) {
  HostTask& victim = m.Spawn();
  *pages = FillLive(victim, walk);
  const int pidfd = m.PidfdOpen(victim);
  m.KillAndHold({&victim}, SIGKILL);
  if (!m.ok()) return 0;
  const uint64_t before = ResidentPages(victim.tgid());
  int64_t ret = -1;
  const double took = TimeOf([&] { ret = CallMrelease(pidfd, 0); });
  const uint64_t after = ResidentPages(victim.tgid());
  if (ret != 0) {
    m.Fail(absl::InternalError(absl::StrCat("the call returned ", ret)));
  } else if (before < *pages || after > before - *pages) {
    m.Fail(absl::InternalError(
        absl::StrCat("of ", before, " resident pages ", after, " are left")));
  }
  return took;
}

void TimeLiveWalk(benchmark::State& state, const Walk& walk) {
  if (Skipped(state)) return;
  double best = 0;
  uint64_t pages = 0;
  for (auto _ : state) {
    HostMachine m;
    const double took = WalkLive(m, walk, &pages);
    const std::string error = HostError(m);
    if (!error.empty()) {
      state.SkipWithError(error.c_str());
      return;
    }
    state.SetIterationTime(took);
    if (best == 0 || took < best) best = took;
  }
  state.counters["ns_per_page"] = best * 1e9 / static_cast<double>(pages);
}

void TimeModelWalk(benchmark::State& state, const Walk& walk) {
  double best = 0;
  double pages = 0;
  for (auto _ : state) {
    VictimWorld world({.shape = walk.shape, .span = walk.span});
    const double took = TimeOf([&] { world.Reap(); });
    const std::string problem = world.Problem(/*thorough=*/false);
    if (!problem.empty()) {
      state.SkipWithError(problem.c_str());
      return;
    }
    state.SetIterationTime(took);
    pages = static_cast<double>(world.pages());
    if (best == 0 || took < best) best = took;
  }
  state.counters["ns_per_page"] = best * 1e9 / pages;
}

// ---- Ends of the call ------------------------------------------------------

// Brings a live process into a state of error_branches.h, by its name there.
struct LiveBranch {
  const char* name;
  CallArgs (*prepare)(HostMachine&);
};

CallArgs Flags(HostMachine& m) { return {m.PidfdOpen(m.Spawn()), 1}; }
CallArgs MinusOne(HostMachine&) { return {-1}; }
CallArgs Closed(HostMachine& m) {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  (void)m.Must(::close(fd), "close");
  return {fd};
}
CallArgs NoPidfd(HostMachine& m) {
  return {m.Own(::open("/proc/self/stat", O_RDONLY | O_CLOEXEC))};
}
CallArgs Reaped(HostMachine& m) {
  HostTask& victim = m.Spawn();
  const int fd = m.PidfdOpen(victim);
  m.Kill(victim, SIGKILL);
  m.Reap(victim);
  return {fd};
}
CallArgs Zombie(HostMachine& m) {
  HostTask& victim = m.Spawn();
  const int fd = m.PidfdOpen(victim);
  m.Kill(victim, SIGKILL);
  m.WaitZombie(victim);
  return {fd};
}
CallArgs KernelThread(HostMachine& m) { return {m.PidfdOpenKernelThread()}; }
CallArgs Live(HostMachine& m) { return {m.PidfdOpen(m.Spawn())}; }
HostTask& SpawnThreads(HostMachine& m, std::vector<HostTask*>* threads) {
  HostTask& victim = m.Spawn();
  threads->push_back(&victim);
  for (int i = 1; i < 8; ++i) threads->push_back(&victim.CloneThread());
  return victim;
}
CallArgs LiveThreads(HostMachine& m) {
  std::vector<HostTask*> threads;
  return {m.PidfdOpen(SpawnThreads(m, &threads))};
}
// Killed, and held with its memory.
int Dying(HostMachine& m, const std::vector<HostTask*>& threads) {
  const int fd = m.PidfdOpen(*threads.front());
  m.KillAndHold(threads, SIGKILL);
  return fd;
}
CallArgs SharerLives(HostMachine& m) {
  HostTask& victim = m.Spawn();
  (void)victim.CloneVm();
  return {Dying(m, {&victim})};
}
CallArgs Again(HostMachine& m) { return {Dying(m, {&m.Spawn()})}; }
CallArgs AgainThreads(HostMachine& m) {
  std::vector<HostTask*> threads;
  (void)SpawnThreads(m, &threads);
  return {Dying(m, threads)};
}

constexpr LiveBranch kLiveBranches[] = {
    {"EINVAL_flags", Flags},
    {"EBADF_minus_one", MinusOne},
    {"EBADF_closed", Closed},
    {"EBADF_no_pidfd", NoPidfd},
    {"ESRCH_reaped", Reaped},
    {"ESRCH_zombie", Zombie},
    {"ESRCH_kthread", KernelThread},
    {"EINVAL_live", Live},
    {"EINVAL_live_8_threads", LiveThreads},
    {"EINVAL_sharer_lives", SharerLives},
    {"0_again", Again},
    {"0_again_8_threads", AgainThreads},
};

void TimeLiveBranch(benchmark::State& state, const LiveBranch& live, int want) {
  if (Skipped(state)) return;
  HostMachine m;
  const CallArgs args = live.prepare(m);
  // The first one may have memory to release.
  if (m.ok()) (void)CallMrelease(args.fd, args.flags);
  int64_t wrong = 0;
  if (m.ok()) {
    for (auto _ : state) {
      wrong += CallMrelease(args.fd, args.flags) == -want ? 0 : 1;
    }
  }
  std::string error = HostError(m);
  if (error.empty() && wrong != 0) error = "a wrong result";
  Settle(state, error);
}

void Register() {
  for (const Walk& walk : kWalks) {
    const std::string name =
        absl::StrCat(ShapeName(walk.shape), "/", walk.size);
    const auto add = [&](const char* side, auto time) {
      benchmark::RegisterBenchmark(
          absl::StrCat(side, "/", name).c_str(),
          [&walk, time](benchmark::State& state) { time(state, walk); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond)
          ->Iterations(kWalkIterations);
    };
    add("live", TimeLiveWalk);
    add("model", TimeModelWalk);
  }
  for (const LiveBranch& live : kLiveBranches) {
    for (const ErrorBranch& branch : ErrorBranches()) {
      if (std::string(branch.name) != live.name) continue;
      benchmark::RegisterBenchmark(
          absl::StrCat("live_call/", live.name).c_str(),
          [&](benchmark::State& state) {
            TimeLiveBranch(state, live, branch.ret);
          });
      benchmark::RegisterBenchmark(
          absl::StrCat("model_call/", live.name).c_str(),
          [&](benchmark::State& state) { TimeBranch(state, "v6.18", branch); });
    }
  }
}

}  // namespace
}  // namespace reapsim

int main(int argc, char** argv) {
  reapsim::Register();
  benchmark::AddCustomContext("host_kernel", reapsim::HostRelease());
  return reapsim::RunBenchmarks(argc, argv);
}
