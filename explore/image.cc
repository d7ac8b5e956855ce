// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/image.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace reapsim {
namespace {

constexpr size_t kBlock = WorldImage::kBlock;
static_assert(kBlock == kHashedBlock);

size_t RoundUp(size_t bytes) { return (bytes + kBlock - 1) & ~(kBlock - 1); }

// A quarter of a block: what every x86-64 compares at once. Nearly all of a
// search is comparing, and compilers don't find this by themselves at -O2.
using Quarter = uint64_t __attribute__((vector_size(16)));
static_assert(4 * sizeof(Quarter) == kBlock);

Quarter Load(const char* p) {
  Quarter quarter;
  std::memcpy(&quarter, p, sizeof(quarter));
  return quarter;
}

bool Differs(const char* a, const char* b) {
  const Quarter any = (Load(a) ^ Load(b)) | (Load(a + 16) ^ Load(b + 16)) |
                      (Load(a + 32) ^ Load(b + 32)) |
                      (Load(a + 48) ^ Load(b + 48));
  return (any[0] | any[1]) != 0;
}

bool IsZero(const char* block) {
  const Quarter any =
      Load(block) | Load(block + 16) | Load(block + 32) | Load(block + 48);
  return (any[0] | any[1]) == 0;
}

}  // namespace

WorldImage::WorldImage(Engine* engine)
    : engine_(engine),
      arena_(engine->arena()),
      slot_(reinterpret_cast<char*>(arena_->header())) {
  // As large as the slot, so that a block's image is at the block's own place;
  // only what is in use becomes memory.
  void* image = mmap(nullptr, Arena::kSlotSize, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REAP_CHECK(image != MAP_FAILED, "explore: no address space for an image");
  shift_ = static_cast<char*>(image) - slot_;
  compared_.resize(static_cast<size_t>(arena_->header()->extent_count));
  Undo ignored;
  Accept(&ignored);
}

WorldImage::~WorldImage() {
  REAP_CHECK(munmap(slot_ + shift_, Arena::kSlotSize) == 0, "explore: munmap");
}

bool WorldImage::IsHashed(const char* block) const {
  const auto offset = static_cast<size_t>(block - slot_);
  return offset >= Arena::kStateBegin && offset < Arena::kHistoryBegin;
}

void WorldImage::Hash(const char* block, const char* contents) {
  // Memory that was never used is zero, and does not count.
  if (IsZero(contents)) return;
  const Hash128 hash =
      WithNumber(HashBlock(contents), static_cast<uint64_t>(block - slot_));
  hash_.low ^= hash.low;
  hash_.high ^= hash.high;
}

// What lies below a suspended fiber's stack has no meaning: it is zeroed, as
// far as the stack was ever looked at.
void WorldImage::CleanStacks() {
  auto& fibers = engine_->state()->fibers;
  if (window_.size() < fibers.high_water()) {
    window_.resize(fibers.high_water(), 0);
  }
  for (uint32_t id = 0; id < fibers.high_water(); ++id) {
    const Fiber* fiber = fibers.LiveAt(id);
    char* top = engine_->StackTop(id);
    size_t live = 0;
    if (fiber != nullptr && fiber->status == FiberStatus::kSuspended) {
      live = static_cast<size_t>(top - static_cast<char*>(fiber->context));
    }
    window_[id] = std::max(window_[id], RoundUp(live));
    std::memset(top - window_[id], 0, window_[id] - live);
  }
}

template <class Fn>
void WorldImage::Compare(char* begin, size_t bytes, bool hashed, Fn& fn) {
  for (char* block = begin; block < begin + bytes; block += kBlock) {
    if (Differs(block, ImageOf(block))) [[unlikely]]
      fn(block, hashed);
  }
}

template <class Fn>
void WorldImage::ForEachChange(Fn&& fn) {
  CleanStacks();
  ArenaHeader* header = arena_->header();
  const auto count = static_cast<size_t>(header->extent_count);
  REAP_CHECK_EQ(compared_.size(), count, "explore: the world has grown parts");
  // Before anything is written back, the header among it, which says how much
  // of each extent is in use.
  for (size_t i = 0; i < count; ++i) {
    compared_[i] = std::max(compared_[i], RoundUp(header->extents[i].used));
  }
  Compare(slot_,
          RoundUp(offsetof(ArenaHeader, extents) + count * sizeof(Extent)),
          /*hashed=*/false, fn);
  for (size_t i = 0; i < count; ++i) {
    const Extent& extent = header->extents[i];
    if (extent.part == Part::kStack) continue;
    Compare(extent.base, compared_[i], extent.part == Part::kState, fn);
  }
  for (size_t id = 0; id < window_.size(); ++id) {
    Compare(engine_->StackTop(static_cast<uint32_t>(id)) - window_[id],
            window_[id], /*hashed=*/true, fn);
  }
}

void WorldImage::Accept(Undo* undo) {
  undo->clear();
  ForEachChange([&](char* block, bool hashed) {
    char* image = ImageOf(block);
    Change& change = undo->emplace_back();
    change.at = block;
    std::memcpy(change.before.data(), image, kBlock);
    if (hashed) {
      Hash(block, image);
      Hash(block, block);
    }
    std::memcpy(image, block, kBlock);
  });
}

void WorldImage::GoBack(const Undo& undo) {
  for (const Change& change : undo) {
    if (IsHashed(change.at)) {
      Hash(change.at, change.at);
      Hash(change.at, change.before.data());
    }
    std::memcpy(change.at, change.before.data(), kBlock);
    std::memcpy(ImageOf(change.at), change.before.data(), kBlock);
  }
}

void WorldImage::Reject() {
  // What came into use since then is zero in the image.
  ForEachChange(
      [&](char* block, bool) { std::memcpy(block, ImageOf(block), kBlock); });
  engine_->Rewound();
}

}  // namespace reapsim
