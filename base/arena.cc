// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "base/arena.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace reapsim {
namespace {

// Which slots of this process are taken: one bit each.
std::atomic<uint32_t> g_slots_taken{0};

constexpr size_t kPage = 4096;
// Offsets of the parts in a slot.
constexpr size_t kPartBegin[kPartCount] = {
    Arena::kStateBegin, Arena::kStackBegin, Arena::kHistoryBegin};
constexpr size_t kPartEnd[kPartCount] = {
    Arena::kStackBegin, Arena::kHistoryBegin, Arena::kSlotSize};

size_t RoundUp(size_t n) { return (n + kPage - 1) & ~(kPage - 1); }

int ClaimSlot() {
  uint32_t taken = g_slots_taken.load();
  for (;;) {
    int slot = 0;
    while (slot < Arena::kSlots && (taken >> slot & 1) != 0) ++slot;
    if (slot == Arena::kSlots) {
      std::fprintf(stderr,
                   "reapsim: all %d world slots of this process are in use; "
                   "destroy a Kernel before making another\n",
                   Arena::kSlots);
      std::abort();
    }
    if (g_slots_taken.compare_exchange_weak(taken, taken | 1u << slot)) {
      return slot;
    }
  }
}

char* MapSlot(int slot) {
  const uintptr_t want = Arena::kFirstSlot + Arena::kSlotSize * slot;
  void* got = mmap(
      reinterpret_cast<void*>(want), Arena::kSlotSize, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (got != reinterpret_cast<void*>(want)) {
    std::fprintf(stderr,
                 "reapsim: cannot map a world of %zu GiB at %#zx: %s. Worlds "
                 "need this address range free (see docs/limitations.md)\n",
                 Arena::kSlotSize >> 30, static_cast<size_t>(want),
                 got == MAP_FAILED ? std::strerror(errno) : "taken");
    std::abort();
  }
  return static_cast<char*>(got);
}

}  // namespace

Arena::Arena() : slot_(ClaimSlot()) {
  static_assert(sizeof(ArenaHeader) <= kPartBegin[0]);
  header_ = new (MapSlot(slot_)) ArenaHeader{};
  header_->magic = kMagic;
  header_->arena = this;
}

Arena::~Arena() {
  // The sanitizer would remember what was poisoned here, and the next world of
  // this slot begins without dead objects.
  Unpoison();
  REAP_CHECK(munmap(header_, kSlotSize) == 0, "arena: munmap");
  g_slots_taken.fetch_and(~(1u << slot_));
}

namespace {

// Large worlds live in huge pages of the host: a walk that jumps from frame to
// frame would otherwise mostly wait for the host's page tables. Small worlds,
// of which there are many, never get beyond the first bytes of an extent, and
// take no more memory than before. Nothing depends on whether the host agrees.
void AdviseHugePages(char* base, size_t capacity) {
  constexpr size_t kHugePage = size_t{2} << 20;
  constexpr size_t kWorthIt = 16 * kHugePage;
  if (capacity < kWorthIt) return;
  const size_t small =
      2 * kHugePage - reinterpret_cast<uintptr_t>(base) % kHugePage;
  (void)madvise(base + small, capacity - small, MADV_HUGEPAGE);
}

}  // namespace

Extent* Arena::Reserve(Part part, size_t capacity) {
  const int i = static_cast<int>(part);
  capacity = RoundUp(capacity);
  const size_t begin = kPartBegin[i] + header_->reserved[i];
  REAP_CHECK(begin + capacity <= kPartEnd[i], "arena: part is full");
  REAP_CHECK(header_->extent_count < ArenaHeader::kMaxExtents,
             "arena: extents");
  header_->reserved[i] += capacity;
  Extent* extent = &header_->extents[header_->extent_count++];
  *extent = {.part = part,
             .base = reinterpret_cast<char*>(header_) + begin,
             .capacity = capacity,
             .used = 0};
  if (part != Part::kStack) AdviseHugePages(extent->base, capacity);
  return extent;
}

size_t Arena::UsedBytes(Part part) const {
  size_t sum = 0;
  for (int i = 0; i < header_->extent_count; ++i) {
    if (header_->extents[i].part == part) sum += header_->extents[i].used;
  }
  return sum;
}

void Arena::CopyUsed(std::vector<size_t>* used) const {
  used->resize(static_cast<size_t>(header_->extent_count));
  for (int i = 0; i < header_->extent_count; ++i) {
    (*used)[static_cast<size_t>(i)] = header_->extents[i].used;
  }
}

void Arena::RestoreUsed(const std::vector<size_t>& used) {
  REAP_CHECK_EQ(used.size(), static_cast<size_t>(header_->extent_count),
                "arena: copy of another world");
  for (int i = 0; i < header_->extent_count; ++i) {
    Extent& extent = header_->extents[i];
    const size_t then = used[static_cast<size_t>(i)];
    if (extent.used > then) {
      std::memset(extent.base + then, 0, extent.used - then);
    }
    extent.used = then;
  }
}

void Arena::AllowCopies() {
  header_->may_be_copied = true;
  Unpoison();
}

void Arena::Unpoison() {
#ifdef REAPSIM_ASAN
  for (int i = 0; i < header_->extent_count; ++i) {
    const Extent& extent = header_->extents[i];
    // Whole pages: copies are made in blocks, and the last bytes of a size that
    // is no multiple of 8 would be out of bounds.
    __asan_unpoison_memory_region(extent.base, RoundUp(extent.used));
  }
#endif
}

}  // namespace reapsim
