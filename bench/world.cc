// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "bench/world.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "base/check.h"
#include "mm/mmap.h"
#include "mm/pgtable.h"
#include "mm/populate.h"
#include "sched/task.h"
#include "sched/timed.h"

namespace reapsim {
namespace {

// Where the victim's memory begins; aligned for huge pages and whole tables.
constexpr uint64_t kBase = uint64_t{4} << 30;
constexpr uint64_t kTableSpan = uint64_t{2} << 20;

// More of everything than the victim needs.
KernelOptions OptionsFor(const VictimOptions& options) {
  const Bytes spare = 256_MiB;
  KernelOptions kernel;
  kernel.version = options.version;
  kernel.memory = (options.span + spare).raw();
  kernel.swap = options.shape == Shape::kSwapped ? options.span.raw() : 0;
  kernel.swap += spare.raw();
  return kernel;
}

PopulateKind KindOf(Shape shape) {
  switch (shape) {
    case Shape::kHuge:
      return PopulateKind::kHuge;
    case Shape::kSwapped:
      return PopulateKind::kSwap;
    case Shape::kInOrder:
    case Shape::kScattered:
    case Shape::kSparse:
    case Shape::kVmas:
      break;
  }
  return PopulateKind::kAnon;
}

// A fixed permutation of [0, 2^bits) that looks like none: each step can be
// undone, so no two numbers become one.
uint64_t Mix(uint64_t x, int bits) {
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  for (int round = 0; round < 3; ++round) {
    x ^= x >> (bits / 2 + 1);
    // An odd factor; the constant is splitmix64's.
    x = x * 0xbf58476d1ce4e5b9 & mask;
  }
  return x ^ x >> (bits / 2 + 1);
}

// A fixed permutation of [0, n).
uint64_t Permuted(uint64_t x, uint64_t n) {
  int bits = 1;
  while (uint64_t{1} << bits < n) ++bits;
  // Follows the cycle back into the range.
  do {
    x = Mix(x, bits);
  } while (x >= n);
  return x;
}

uint64_t ArenaBytes(Kernel& k) {
  return k.engine().arena()->UsedBytes(Part::kState) +
         k.engine().arena()->UsedBytes(Part::kHistory);
}

}  // namespace

const char* ShapeName(Shape shape) {
  switch (shape) {
    case Shape::kInOrder:
      return "in_order";
    case Shape::kScattered:
      return "scattered";
    case Shape::kHuge:
      return "huge";
    case Shape::kSparse:
      return "sparse";
    case Shape::kVmas:
      return "vmas";
    case Shape::kSwapped:
      return "swapped";
  }
  return "?";
}

VictimWorld::VictimWorld(const VictimOptions& options)
    : k_(OptionsFor(options)),
      victim_(&k_.Spawn("victim", {.bare = true})),
      reaper_(&k_.Spawn("reaper")),
      shape_(options.shape) {
  const SysResult fd = k_.As(*reaper_).pidfd_open(victim_->pid(), 0);
  REAP_CHECK(fd.ok(), "bench: pidfd_open");
  pidfd_ = static_cast<int>(fd.kernel());
  frames_before_ = k_.free_pages();
  first_frame_ = k_.mm().fresh_pfn;
  const uint64_t before = ArenaBytes(k_);
  mm_ = victim_->mm().raw();
  MapAndFill(options);
  host_bytes_ = ArenaBytes(k_) - before;
  const SysResult killed = k_.As(*reaper_).kill(victim_->pid(), SIGKILL);
  REAP_CHECK(killed.ok(), "bench: kill");
}

void VictimWorld::MapAndFill(const VictimOptions& options) {
  const auto map = [this](uint64_t start, uint64_t bytes) {
    const SysResult at =
        k_.As(*victim_).mmap(Bytes(bytes), Anonymous().With(MAP_FIXED), start);
    REAP_CHECK(at.ok(), "bench: mmap");
  };
  const uint64_t span = options.span.raw();
  REAP_CHECK(span % kTableSpan == 0, "bench: not whole tables");
  switch (shape_) {
    case Shape::kInOrder:
    case Shape::kScattered:
    case Shape::kHuge:
    case Shape::kSwapped:
      map(kBase, span);
      runs_.push_back({.start = kBase, .pages = span >> PAGE_SHIFT});
      break;
    case Shape::kSparse:
      map(kBase, span);
      for (uint64_t at = 0; at < span; at += kTableSpan) {
        runs_.push_back({.start = kBase + at, .pages = 1});
      }
      break;
    case Shape::kVmas:
      for (uint64_t at = 0; at < span; at += 2 * PAGE_SIZE) {
        map(kBase + at, PAGE_SIZE);
        runs_.push_back({.start = kBase + at, .pages = 1});
      }
      break;
  }
  for (const Run& run : runs_) Fill(run, shape_);
  if (shape_ == Shape::kScattered) Scatter(runs_.front());
}

void VictimWorld::Fill(const Run& run, Shape shape) {
  const SysResult filled =
      k_.Call(victim_->raw(), [run, shape]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
        // Nobody else has the mm.
        vm_area_struct* vma = find_vma(current()->mm, run.start);
        return static_cast<int64_t>(
            PopulatePresent(vma, run.start, run.pages, KindOf(shape)));
      });
  REAP_CHECK_EQ(filled.kernel(), static_cast<int64_t>(run.pages),
                "bench: the machine is too small");
  pages_ += run.pages;
}

template <class Fn>
void VictimWorld::ForEachTable(const Fn& fn) {
  for (const Run& run : runs_) {
    const uint64_t end = run.start + run.pages * PAGE_SIZE;
    for (uint64_t at = run.start; at < end;) {
      const uint64_t next = GeometryOf(k_.mm()).addr_end(at, end, 2);
      int level = 0;
      const pte_t* entry = FindEntry(k_.mm(), mm_, at, &level);
      if (entry != nullptr) {
        fn(const_cast<pte_t*>(entry), level == 2 ? 1 : (next - at) / PAGE_SIZE);
      }
      at = next;
    }
  }
}

void VictimWorld::Scatter(const Run& run) {
  // All frames are alike, so entries may change places. A machine that nobody
  // has used hands frames out in order.
  MmState& mm = k_.mm();
  uint64_t next = 0;
  ForEachTable([&](pte_t* entries, uint64_t nr) {
    for (uint64_t i = 0; i < nr; ++i, ++next) {
      REAP_CHECK_EQ(pte_pfn(entries[i]), first_frame_ + next,
                    "bench: frames are not in order");
      const uint64_t pfn = first_frame_ + Permuted(next, run.pages);
      entries[i] =
          pfn_pte(static_cast<pfn_t>(pfn), entries[i] & (PAGE_SIZE - 1));
    }
  });
  REAP_CHECK_EQ(next, run.pages, "bench: entries");
  REAP_CHECK_EQ(mm.fresh_pfn, first_frame_ + run.pages, "bench: frames");
}

void VictimWorld::Reap() {
  result_ = k_.As(*reaper_).process_mrelease(pidfd_, 0);
}

void VictimWorld::ReapTimed() {
  Prices prices{};
  for (Price& price : prices.of) price.cpu_ps = 1000;
  MachineConfig config;
  config.cpus.resize(1);
  TimedMachine machine(&k_.engine(), &k_.sched(), config, prices);
  machine.SetSched(reaper_->raw(),
                   {.policy = SchedPolicy::kFifo, .rt_priority = 1});
  const int fd = pidfd_;
  k_.Begin(*reaper_, [fd](User user) { (void)user.process_mrelease(fd, 0); });
  (void)machine.Run(UINT64_MAX, [this] { return k_.Done(*reaper_); });
  result_ = k_.Result(*reaper_);
}

std::string VictimWorld::Problem(bool thorough) {
  if (k_.stopped()) return k_.TakeVerdict().what;
  if (!result_.ok()) return "the call failed";
  if (k_.LastDecision(*reaper_) != MreleaseDecision::kReaped) {
    return "the call did not reap";
  }
  const Mm mm = victim_->mm();
  if (mm.rss().raw() != 0) return "pages are left in rss";
  if (mm.rss(MM_SWAPENTS).raw() != 0) return "swap entries are left";
  if (k_.mm().swap.used != 0) return "swap slots are left";
  if (k_.free_pages() != frames_before_) return "frames are missing";
  uint64_t left = 0;
  ForEachTable([&left](const pte_t* entries, uint64_t nr) {
    for (uint64_t i = 0; i < nr; ++i) left += entries[i] != 0 ? 1 : 0;
  });
  if (left != 0) return "entries are left";
  if (!thorough) return "";
  const std::vector<std::string> problems = k_.Conservation();
  return problems.empty() ? "" : problems.front();
}

// ---- Yardsticks ------------------------------------------------------------

uint64_t VictimWorld::BareLoop() {
  switch (shape_) {
    case Shape::kHuge:
      return BareHuge();
    case Shape::kSwapped:
      return BareSwap();
    case Shape::kInOrder:
    case Shape::kScattered:
    case Shape::kSparse:
    case Shape::kVmas:
      break;
  }
  return BareSmall();
}

uint64_t VictimWorld::BareSmall() {
  page* mem_map = pfn_to_page(k_.mm(), 0);
  uint64_t found = 0;
  ForEachTable([&found, mem_map](pte_t* entries, uint64_t nr) {
    for (uint64_t i = 0; i < nr; ++i) {
      const pte_t entry = entries[i];
      if (entry == 0) continue;
      entries[i] = 0;
      page* p = &mem_map[pte_pfn(entry)];
      p->_mapcount--;
      p->_refcount--;
      found++;
    }
  });
  return found;
}

uint64_t VictimWorld::BareHuge() {
  page* mem_map = pfn_to_page(k_.mm(), 0);
  const uint64_t nr_pages = GeometryOf(k_.mm()).hpage_pmd_nr();
  uint64_t found = 0;
  ForEachTable([=, &found](pte_t* entries, uint64_t) {
    page* p = &mem_map[pte_pfn(entries[0])];
    entries[0] = 0;
    p->_entire_mapcount--;
    p->_refcount--;
    for (uint64_t i = 0; i < nr_pages; ++i) p[i].flags = 0;
    found += nr_pages;
  });
  return found;
}

uint64_t VictimWorld::BareSwap() {
  const swap_info_struct& swap = k_.mm().swap;
  uint64_t found = 0;
  ForEachTable([&found, &swap](pte_t* entries, uint64_t nr) {
    for (uint64_t i = 0; i < nr; ++i) {
      const pte_t entry = entries[i];
      if (entry == 0) continue;
      entries[i] = 0;
      --*swap.swap_map.Find(swp_offset(entry));
      found++;
    }
  });
  return found;
}

uint64_t VictimWorld::Memset() {
  uint64_t bytes = 0;
  ForEachTable([&bytes](pte_t* entries, uint64_t nr) {
    std::memset(entries, 0xff, nr * sizeof(pte_t));
    bytes += nr * sizeof(pte_t);
  });
  page* first = pfn_to_page(k_.mm(), static_cast<pfn_t>(first_frame_));
  const uint64_t frames = (k_.mm().fresh_pfn - first_frame_) * sizeof(page);
  std::memset(static_cast<void*>(first), 0xff, frames);
  return bytes + frames;
}

// ---- The host --------------------------------------------------------------

double CpuSeconds() {
  timespec now;
  REAP_CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0,
             "bench: no clock");
  return static_cast<double>(now.tv_sec) +
         static_cast<double>(now.tv_nsec) * 1e-9;
}

uint64_t ResidentNow() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  REAP_CHECK(file != nullptr, "bench: no /proc");
  unsigned long pages = 0;
  const int got = std::fscanf(file, "%*u %lu", &pages);
  std::fclose(file);
  REAP_CHECK_EQ(got, 1, "bench: statm");
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t ResidentPeak() {
  rusage usage;
  REAP_CHECK(getrusage(RUSAGE_SELF, &usage) == 0, "bench: getrusage");
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace reapsim
