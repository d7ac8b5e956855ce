// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A killed process, filled to measure, and somebody who reaps it.
//
//   VictimWorld w({.shape = Shape::kInOrder, .span = 1_GiB});
//   const double seconds = TimeOf([&] { w.Reap(); });
//   if (!w.Problem().empty()) state.SkipWithError(…);
//
// One world serves one walk: what is measured is always the first walk of
// memory that has just been filled.
#ifndef REAPSIM_BENCH_WORLD_H_
#define REAPSIM_BENCH_WORLD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"
#include "mm/mm_types.h"
#include "syscall/kernel.h"

namespace reapsim {

// How the victim's memory is laid out. In every shape each page-table entry is
// there, explicit.
enum class Shape : uint8_t {
  kInOrder,    // anonymous pages whose frames ascend with the addresses
  kScattered,  // likewise, but each frame lies anywhere
  kHuge,       // huge pages of 2 MiB
  kSparse,     // one page in each 2 MiB
  kVmas,       // each page in a VMA of its own, one page apart
  kSwapped,    // swap entries
};
const char* ShapeName(Shape shape);

struct VictimOptions {
  Shape shape = Shape::kInOrder;
  Bytes span = 1_GiB;  // of address space; a multiple of 2 MiB
  std::string version = "v6.18";
};

class VictimWorld {
 public:
  // Builds the machine, fills the victim as the importer does, kills it and
  // takes a pidfd. The victim has not run since.
  explicit VictimWorld(const VictimOptions& options);
  VictimWorld(const VictimWorld&) = delete;
  VictimWorld& operator=(const VictimWorld&) = delete;

  Kernel& kernel() { return k_; }
  Task& victim() { return *victim_; }
  Task& reaper() { return *reaper_; }
  int pidfd() const { return pidfd_; }

  // Entries that map a page or name a swap slot; in base pages.
  uint64_t pages() const { return pages_; }
  // Host memory that the machine needs for them, by the kernel's count.
  uint64_t host_bytes() const { return host_bytes_; }

  // The whole call, once.
  void Reap();
  // The same in timed mode: each operation is charged for, on a machine of one
  // CPU, which the victim does not get.
  void ReapTimed();
  // Why the result is not to be believed; empty: it is. Looks at what the call
  // returned, at the counters, the frames, and each entry. `thorough` adds the
  // conservation check of the whole machine, which needs much memory.
  std::string Problem(bool thorough);

  // ---- Yardsticks. They leave a world that is good for nothing.

  // Goes over the same entries and frame records as the walk, without a model:
  // reads and clears each entry, and takes one from the map count and the
  // reference count of its frame. Returns how many entries there were.
  uint64_t BareLoop();
  // Fills all bytes that the walk touches: the last-level tables and the
  // frame records. Returns how many bytes that were.
  uint64_t Memset();

 private:
  struct Run {
    uint64_t start;  // address
    uint64_t pages;
  };
  void MapAndFill(const VictimOptions& options);
  void Fill(const Run& run, Shape shape);
  void Scatter(const Run& run);
  // Calls fn(pte_t*, n) for the victim's entries, by address: the first one of
  // `n` in a table. Huge entries come one by one.
  template <class Fn>
  void ForEachTable(const Fn& fn);
  uint64_t BareSmall();
  uint64_t BareHuge();
  uint64_t BareSwap();

  Kernel k_;
  Task* victim_;
  Task* reaper_;
  const Shape shape_;
  const mm_struct* mm_ = nullptr;  // the victim's
  std::vector<Run> runs_;
  uint64_t pages_ = 0;
  uint64_t host_bytes_ = 0;
  uint64_t frames_before_ = 0;  // free ones, before the victim's memory
  uint64_t first_frame_ = 0;    // of the victim's
  int pidfd_ = -1;
  SysResult result_ = SysResult::Never();
};

// How much time of a CPU fn() takes, in seconds. Time in which the host runs
// somebody else does not count.
double CpuSeconds();
template <class Fn>
double TimeOf(const Fn& fn) {
  const double start = CpuSeconds();
  fn();
  return CpuSeconds() - start;
}

// Memory of this process on the host, in bytes: now, and at most so far.
uint64_t ResidentNow();
uint64_t ResidentPeak();

}  // namespace reapsim

#endif  // REAPSIM_BENCH_WORLD_H_
