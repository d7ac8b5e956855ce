// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "import/placement.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace reapsim {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint64_t kPageKib = 4;
constexpr uint64_t kHugeBytes = uint64_t{2} << 20;
constexpr uint64_t kHugeKib = 2048;
constexpr uint64_t kAll = ~uint64_t{0};

// [start, end), not empty.
struct Range {
  uint64_t start;
  uint64_t end;
};
using Ranges = std::vector<Range>;  // by address, not overlapping

uint64_t AlignUp(uint64_t x, uint64_t unit) {
  return (x + unit - 1) / unit * unit;
}
uint64_t AlignDown(uint64_t x, uint64_t unit) { return x / unit * unit; }

// What smaps counts, in pages; huge ones in huge pages.
struct Counts {
  uint64_t huge = 0;
  uint64_t anon = 0;
  uint64_t backing = 0;
  uint64_t swap = 0;  // the process's or, if it has no room, the object's
  uint64_t object_swap = 0;  // the object's only
};

Counts CountsOf(const SmapsVma& vma, VmaKind kind) {
  const SmapsSizes& kib = vma.kib;
  Counts counts;
  if (kind == VmaKind::kHugetlb) {
    counts.huge = (kib.shared_hugetlb + kib.private_hugetlb) / kHugeKib;
    return counts;
  }
  counts.huge = kib.anon_huge_pages / kHugeKib;
  counts.anon = (kib.anonymous - kib.anon_huge_pages) / kPageKib;
  counts.backing = (kib.rss - kib.anonymous) / kPageKib;
  const bool is_objects = kind == VmaKind::kShmem && vma.permissions.shared;
  (is_objects ? counts.object_swap : counts.swap) = kib.swap / kPageKib;
  return counts;
}

class Placer {
 public:
  Placer(const SmapsVma& vma, VmaKind kind, const VmaPages* pages)
      : vma_(vma),
        kind_(kind),
        pages_(pages),
        need_(CountsOf(vma, kind)),
        free_{{vma.start, vma.end}} {}

  bool Run(std::vector<FilledRun>* runs) {
    if (pages_ != nullptr) PlaceByPagemap();
    const Ranges anywhere = {{vma_.start, vma_.end}};
    Take(anywhere, kHugeBytes, Filling::kHuge, &need_.huge);
    if (need_.huge > 0) return false;
    Take(anywhere, kPageBytes, Filling::kAnon, &need_.anon);
    Take(anywhere, kPageBytes, Filling::kBacking, &need_.backing);
    Take(anywhere, kPageBytes, Filling::kSwap, &need_.swap);
    if (kind_ == VmaKind::kShmem)
      need_.object_swap += std::exchange(need_.swap, 0);
    SortRuns();
    PlaceObjectSwap();
    *runs = std::move(runs_);
    return need_.anon + need_.backing + need_.swap + need_.object_swap == 0;
  }

 private:
  // Gives up to *need units of what is free and in `where` to `filling`, lowest
  // first.
  void Take(const Ranges& where, uint64_t unit, Filling filling,
            uint64_t* need) {
    if (*need == 0 || where.empty()) return;
    Ranges still_free;
    size_t next = 0;
    for (const Range& range : free_) {
      uint64_t at = range.start;
      while (*need > 0 && next < where.size() &&
             where[next].start < range.end) {
        const uint64_t from = AlignUp(std::max(at, where[next].start), unit);
        const uint64_t to =
            AlignDown(std::min(range.end, where[next].end), unit);
        if (from < to) {
          const uint64_t units = std::min(*need, (to - from) / unit);
          *need -= units;
          Add(from, units * unit / kPageBytes, filling);
          if (at < from) still_free.push_back({at, from});
          at = from + units * unit;
        }
        // The rest of it may reach into the next free range.
        if (where[next].end > range.end) break;
        next++;
      }
      if (at < range.end) still_free.push_back({at, range.end});
    }
    free_ = std::move(still_free);
  }

  void Add(uint64_t start, uint64_t pages, Filling filling) {
    if (!runs_.empty() && runs_.back().end() == start &&
        runs_.back().filling == filling) {
      runs_.back().pages += pages;
      return;
    }
    runs_.push_back({start, pages, filling});
  }

  // By address, neighbours of one kind joined.
  void SortRuns() {
    std::vector<FilledRun> unsorted = std::exchange(runs_, {});
    std::sort(unsorted.begin(), unsorted.end(),
              [](const FilledRun& a, const FilledRun& b) {
                return a.start < b.start;
              });
    for (const FilledRun& run : unsorted) {
      Add(run.start, run.pages, run.filling);
    }
  }

  // Where pagemap has pages with all of `set` and none of `clear`.
  Ranges Where(uint8_t set, uint8_t clear) const {
    Ranges ranges;
    for (const PageRun& run : pages_->runs) {
      if ((run.flags & set) != set || (run.flags & clear) != 0) continue;
      const uint64_t end = run.start + run.pages * kPageBytes;
      if (!ranges.empty() && ranges.back().end == run.start) {
        ranges.back().end = end;
      } else {
        ranges.push_back({run.start, end});
      }
    }
    return ranges;
  }

  void PlaceByPagemap() {
    const bool is_hugetlb = kind_ == VmaKind::kHugetlb;
    const Ranges anon = Where(kPagePresent, is_hugetlb ? 0 : kPageFileOrShmem);
    Take(anon, kHugeBytes, Filling::kHuge, &need_.huge);
    if (is_hugetlb) return;
    Take(Where(kPagePresent | kPageExclusive, kPageFileOrShmem), kPageBytes,
         Filling::kAnon, &need_.anon);
    Take(anon, kPageBytes, Filling::kAnon, &need_.anon);
    Take(Where(kPagePresent | kPageFileOrShmem, 0), kPageBytes,
         Filling::kBacking, &need_.backing);
    Take(Where(kPageSwapped, kPageFileOrShmem), kPageBytes, Filling::kSwap,
         &need_.swap);
    // What a later step needs it can still take elsewhere, unless the mapping
    // is full: then smaps and pagemap disagree, and smaps is right.
    const uint64_t needed = need_.huge * (kHugeBytes / kPageBytes) +
                            need_.anon + need_.backing + need_.swap;
    if (needed > 0) return;
    uint64_t all = kAll;
    Take(Where(kPageGuard, kPagePresent), kPageBytes, Filling::kGuard, &all);
    all = kAll;
    if (kind_ == VmaKind::kAnonymous) {
      Take(anon, kPageBytes, Filling::kZero, &all);
    } else if (vma_.HasFlag("pf")) {
      Take(anon, kPageBytes, Filling::kSpecial, &all);
    }
  }

  // An object's page may be in swap below the process's own copy of it, but not
  // where the process maps the object's page. REQUIRES: runs_ are sorted.
  void PlaceObjectSwap() {
    uint64_t at = vma_.start;
    const size_t count = runs_.size();
    for (size_t i = 0; i <= count && need_.object_swap > 0; ++i) {
      if (i < count && runs_[i].filling != Filling::kBacking) continue;
      const uint64_t end = i < count ? runs_[i].start : vma_.end;
      const uint64_t pages =
          std::min(need_.object_swap, (end - at) / kPageBytes);
      if (pages > 0) runs_.push_back({at, pages, Filling::kObjectSwap});
      need_.object_swap -= pages;
      if (i < count) at = runs_[i].end();
    }
  }

  const SmapsVma& vma_;
  const VmaKind kind_;
  const VmaPages* pages_;
  Counts need_;
  Ranges free_;
  std::vector<FilledRun> runs_;
};

// What pagemap says, if it says all.
class ExactPlacer {
 public:
  ExactPlacer(const SmapsVma& vma, VmaKind kind) : vma_(vma), kind_(kind) {}

  bool Run(const VmaPages& pages, std::vector<FilledRun>* runs) {
    std::vector<PageRun> scanned = pages.runs;
    if (!pages.scanned && !Deduce(&scanned)) return false;
    swap_is_counted_ = vma_.kib.swap > 0;
    for (const PageRun& run : Merged(scanned)) {
      const FilledRun filled = FilledOf(run);
      Count(filled);
      runs_.push_back(filled);
    }
    if (!whole_ || !MatchesSmaps()) return false;
    *runs = std::move(runs_);
    return true;
  }

 private:
  // Adds what a scan would have told: which entries are huge, and which map a
  // zero page. False if nothing fits what smaps counts.
  bool Deduce(std::vector<PageRun>* runs) const {
    if (kind_ == VmaKind::kHugetlb || kind_ == VmaKind::kDevice) {
      return runs->empty();
    }
    if (kind_ == VmaKind::kAnonymous && !DeduceZeros(runs)) return false;
    return DeduceHuge(runs);
  }

  // Kernels that don't scan show the huge zero page as a file's, and the small
  // one as nobody's own.
  bool DeduceZeros(std::vector<PageRun>* runs) const {
    uint64_t own = 0;
    for (PageRun& run : *runs) {
      if ((run.flags & kPagePresent) == 0) continue;
      if ((run.flags & kPageFileOrShmem) != 0) {
        run.flags |= kPageHuge | kPageZero;
      } else if ((run.flags & kPageExclusive) != 0) {
        own += run.pages;
      }
    }
    const uint64_t anonymous = vma_.kib.anonymous / kPageKib;
    if (own > anonymous) return false;
    MarkZeros(anonymous - own, runs);
    return true;
  }

  // Of the pages that are nobody's own all but the first `anonymous` map the
  // zero page: the others are shared with another process.
  static void MarkZeros(uint64_t anonymous, std::vector<PageRun>* runs) {
    std::vector<PageRun> split;
    for (const PageRun& run : *runs) {
      const bool open = (run.flags & kPagePresent) != 0 &&
                        (run.flags & (kPageExclusive | kPageZero)) == 0;
      const uint64_t kept = open ? std::min(anonymous, run.pages) : run.pages;
      if (open) anonymous -= kept;
      if (kept > 0) split.push_back({run.start, kept, run.flags});
      if (kept == run.pages) continue;
      split.push_back({run.start + kept * kPageBytes, run.pages - kept,
                       static_cast<uint8_t>(run.flags | kPageZero)});
    }
    *runs = std::move(split);
  }

  // A huge entry's pages look all the same.
  bool DeduceHuge(std::vector<PageRun>* runs) const {
    if (vma_.kib.anon_huge_pages == 0) return true;
    uint64_t kib = 0;
    std::vector<PageRun> split;
    for (const PageRun& run : *runs) {
      const uint64_t end = run.start + run.pages * kPageBytes;
      const uint64_t from = AlignUp(run.start, kHugeBytes);
      const uint64_t to = AlignDown(end, kHugeBytes);
      const bool is_anon = (run.flags & kPagePresent) != 0 &&
                           (run.flags & (kPageFileOrShmem | kPageZero)) == 0;
      if (!is_anon || from >= to) {
        split.push_back(run);
        continue;
      }
      const auto add = [&](uint64_t start, uint64_t stop, uint8_t flags) {
        if (start == stop) return;
        split.push_back({start, (stop - start) / kPageBytes, flags});
      };
      add(run.start, from, run.flags);
      add(from, to, run.flags | kPageHuge);
      add(to, end, run.flags);
      kib += (to - from) / 1024;
    }
    *runs = std::move(split);
    return kib == vma_.kib.anon_huge_pages;
  }

  // Who else maps a page makes no difference here.
  static std::vector<PageRun> Merged(const std::vector<PageRun>& runs) {
    std::vector<PageRun> merged;
    for (PageRun run : runs) {
      run.flags &= static_cast<uint8_t>(~kPageExclusive);
      if (!merged.empty() && merged.back().flags == run.flags &&
          merged.back().start + merged.back().pages * kPageBytes == run.start) {
        merged.back().pages += run.pages;
      } else {
        merged.push_back(run);
      }
    }
    return merged;
  }

  FilledRun FilledOf(const PageRun& run) const {
    FilledRun filled = {run.start, run.pages, KindOfRun(run)};
    const bool is_marker = filled.filling == Filling::kGuard ||
                           filled.filling == Filling::kUffdWp ||
                           filled.filling == Filling::kPoison;
    filled.uffd_wp = !is_marker && (run.flags & kPageUffdWp) != 0;
    return filled;
  }

  Filling KindOfRun(const PageRun& run) const {
    const auto has = [&run](uint8_t flag) { return (run.flags & flag) != 0; };
    if (!has(kPagePresent)) {
      if (has(kPageGuard)) return Filling::kGuard;
      if (swap_is_counted_) return Filling::kSwap;
      return has(kPageUffdWp) ? Filling::kUffdWp : Filling::kPoison;
    }
    if (kind_ == VmaKind::kHugetlb) return Filling::kHuge;
    if (has(kPageZero)) {
      return has(kPageHuge) ? Filling::kHugeZero : Filling::kZero;
    }
    if (has(kPageFileOrShmem)) return Filling::kBacking;
    return has(kPageHuge) ? Filling::kHuge : Filling::kAnon;
  }

  void Count(const FilledRun& run) {
    counted_[static_cast<int>(run.filling)] += run.pages * kPageKib;
    if (run.filling == Filling::kHuge || run.filling == Filling::kHugeZero) {
      whole_ &= run.start % kHugeBytes == 0 && run.end() % kHugeBytes == 0;
    }
  }

  uint64_t Kib(Filling filling) const {
    return counted_[static_cast<int>(filling)];
  }

  bool MatchesSmaps() const {
    const SmapsSizes& kib = vma_.kib;
    const uint64_t huge = Kib(Filling::kHuge);
    if (kind_ == VmaKind::kHugetlb) {
      return huge == kib.shared_hugetlb + kib.private_hugetlb;
    }
    const uint64_t anonymous = huge + Kib(Filling::kAnon);
    return huge == kib.anon_huge_pages && anonymous == kib.anonymous &&
           anonymous + Kib(Filling::kBacking) == kib.rss &&
           Kib(Filling::kSwap) == kib.swap;
  }

  const SmapsVma& vma_;
  const VmaKind kind_;
  bool swap_is_counted_ = false;
  bool whole_ = true;                             // huge pages are
  std::array<uint64_t, kFillings> counted_ = {};  // KiB, by Filling
  std::vector<FilledRun> runs_;
};

}  // namespace

bool PlacePages(const SmapsVma& vma, VmaKind kind, const VmaPages* pages,
                std::vector<FilledRun>* runs) {
  const bool known = pages != nullptr && pages->known;
  if (known && ExactPlacer(vma, kind).Run(*pages, runs)) return true;
  if (known && Placer(vma, kind, pages).Run(runs)) return true;
  return Placer(vma, kind, nullptr).Run(runs);
}

}  // namespace reapsim
