// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Slab<T, H>: objects of one type in the arena, the model's kmem_cache.
//
// Each object has a slot number, equal in every run, by which traces name it.
// The slab knows free from live, so that a second free and a use after free
// are found and named; freed objects are zeroed (no two worlds differ by what
// is free) and rest in a quarantine before their slot is used again. H is the
// part of an object that never matters to what happens next (charges, times):
// it lies in the history part under the same slot number.
//
// Invariants: (1) a slot is free, live or quarantined; (2) memory of a slot
// that is not live is zero; (3) slots at and above high_water() are free and
// have never been used.
#ifndef REAPSIM_BASE_SLAB_H_
#define REAPSIM_BASE_SLAB_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "base/arena.h"
#include "base/check.h"

#ifdef REAPSIM_ASAN
#define REAPSIM_POISON(p, n)                   \
  (Arena::HeaderOf(p)->may_be_copied ? (void)0 \
                                     : __asan_poison_memory_region(p, n))
#define REAPSIM_UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
#define REAPSIM_POISON(p, n) ((void)(p), (void)(n))
#define REAPSIM_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

namespace reapsim {

struct NoHistory {};

template <class T, class H = NoHistory>
class Slab {
 public:
  // Freed slots wait behind this many later ones before they are used again,
  // so that a stale pointer names a dead object for as long as possible.
  static constexpr uint32_t kQuarantine = 64;

  // Reserves room for `capacity` objects. `name` is a literal, for messages.
  void Init(Arena* arena, const char* name, uint32_t capacity) {
    name_ = name;
    capacity_ = capacity;
    extents_ = arena->Reserve(Part::kState, size_t{capacity} * sizeof(T));
    Extent* slots =
        arena->Reserve(Part::kState, size_t{capacity} * sizeof(Slot));
    Extent* histories =
        arena->Reserve(Part::kHistory, size_t{capacity} * sizeof(Past));
    REAP_CHECK(slots == extents_ + 1 && histories == extents_ + 2,
               "slab: extents");
    objects_ = reinterpret_cast<T*>(extents_->base);
    slots_ = reinterpret_cast<Slot*>(slots->base);
  }

  // A new object, or null when all slots are taken.
  template <class... Args>
  T* New(Args&&... args) {
    const uint32_t index = TakeSlot();
    if (index == kNone) return nullptr;
    T* object = at(index);
    REAPSIM_UNPOISON(object, sizeof(T));
    slot(index).state = SlotState::kLive;
    past(index).generation++;
    past(index).history = H{};
    live_++;
    return new (object) T(std::forward<Args>(args)...);
  }

  // Ends the object's life. Returns false, and does nothing, if it is not
  // live: the caller reports a double free.
  [[nodiscard]] bool Delete(T* object) {
    if (!IsLive(object)) return false;
    const uint32_t index = IndexOf(object);
    object->~T();
    std::memset(static_cast<void*>(object), 0, sizeof(T));
    REAPSIM_POISON(object, sizeof(T));
    slot(index) = {.state = SlotState::kQuarantined, .next = kNone};
    if (free_tail_ != kNone) slot(free_tail_).next = index;
    if (free_head_ == kNone) free_head_ = index;
    free_tail_ = index;
    free_count_++;
    live_--;
    return true;
  }

  // True iff `object` points at the start of a live object of this slab.
  bool IsLive(const T* object) const {
    const uint64_t index = ExactIndexOf(object);
    return index < high_water_ && slots_[index].state == SlotState::kLive;
  }

  // The live object of that slot number, or null.
  T* LiveAt(uint32_t index) const {
    return index < high_water_ && slot(index).state == SlotState::kLive
               ? at(index)
               : nullptr;
  }

  uint32_t IndexOf(const T* object) const {
    return static_cast<uint32_t>(object - at(0));
  }

  H& HistoryOf(const T* object) { return past(IndexOf(object)).history; }
  uint32_t GenerationOf(const T* object) {
    return past(IndexOf(object)).generation;
  }

  // Calls fn(T*) for each live object, lowest slot first.
  template <class Fn>
  void ForEach(Fn&& fn) {
    for (uint32_t i = 0; i < high_water_; ++i) {
      if (slot(i).state == SlotState::kLive) fn(at(i));
    }
  }

  uint32_t live() const { return live_; }
  uint32_t high_water() const { return high_water_; }
  const char* name() const { return name_; }

 private:
  static constexpr uint32_t kNone = ~uint32_t{0};
  enum class SlotState : uint8_t { kFree, kLive, kQuarantined };
  struct Slot {
    SlotState state;
    uint32_t next;  // in the queue of freed slots
  };
  struct Past {
    uint32_t generation;
    [[no_unique_address]] H history;
  };

  T* at(uint32_t i) const { return objects_ + i; }
  Slot& slot(uint32_t i) const { return slots_[i]; }
  Past& past(uint32_t i) const {
    return reinterpret_cast<Past*>(extents_[2].base)[i];
  }

  // The slot number of an object; of any other address, a number that no slot
  // has. Division of a multiple is multiplication by the inverse modulo 2^64;
  // what is no multiple comes to more than 2^64 / sizeof(T) (Granlund and
  // Montgomery, 1994).
  uint64_t ExactIndexOf(const T* object) const {
    constexpr int kTwos = std::countr_zero(sizeof(T));
    constexpr uint64_t kOdd = sizeof(T) >> kTwos;
    constexpr uint64_t kInverse = [] {
      uint64_t x = kOdd;  // right modulo 8; each round doubles the bits
      for (int i = 0; i < 5; ++i) x *= 2 - kOdd * x;
      return x;
    }();
    const uint64_t offset = reinterpret_cast<uintptr_t>(object) -
                            reinterpret_cast<uintptr_t>(objects_);
    return std::rotr(offset * kInverse, kTwos);
  }

  // The next slot: the longest-freed one once the quarantine is full (or
  // nothing else is left), a fresh one otherwise.
  uint32_t TakeSlot() {
    const bool fresh_left = high_water_ < capacity_;
    if (free_count_ > kQuarantine || (!fresh_left && free_count_ > 0)) {
      const uint32_t index = free_head_;
      free_head_ = slot(index).next;
      if (free_head_ == kNone) free_tail_ = kNone;
      free_count_--;
      return index;
    }
    if (!fresh_left) return kNone;
    const uint32_t index = high_water_++;
    extents_[0].used = size_t{high_water_} * sizeof(T);
    extents_[1].used = size_t{high_water_} * sizeof(Slot);
    extents_[2].used = size_t{high_water_} * sizeof(Past);
    return index;
  }

  const char* name_ = nullptr;
  Extent* extents_ = nullptr;  // of objects, slots, histories; in a row
  T* objects_ = nullptr;
  Slot* slots_ = nullptr;
  uint32_t capacity_ = 0;
  uint32_t high_water_ = 0;
  uint32_t live_ = 0;
  uint32_t free_head_ = kNone;
  uint32_t free_tail_ = kNone;
  uint32_t free_count_ = 0;
};

}  // namespace reapsim

#endif  // REAPSIM_BASE_SLAB_H_
