// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The arena: the one piece of memory in which a modelled machine lives.
//
// Everything that the model can change, objects and fiber stacks alike, lies
// in one slot of address space, at the same address in every run. So a byte
// copy of what is in use is a complete snapshot, no pointer needs mending when
// it is written back, and two runs of one program are equal byte for byte.
//
// A slot is cut into parts by what snapshots and hashes do with them:
//   kState    objects, page tables, frames   restored and hashed
//   kStack    fiber stacks                   restored and hashed (used range)
//   kHistory  charges, clocks, generations   restored, never hashed
// Each is handed out in extents: address ranges reserved at full size, whose
// `used` bytes grow. Untouched pages of an extent cost no memory.
//
// Slots are aligned to their own size, so the slot of any pointer into it is
// found by masking, as the kernel once found `current` from its stack pointer.
// Modelled functions therefore keep the kernel's signatures: no machine is
// passed around, and none is global.
//
// Thread safety: slots are claimed atomically; one arena belongs to one host
// thread.
#ifndef REAPSIM_BASE_ARENA_H_
#define REAPSIM_BASE_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define REAPSIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REAPSIM_ASAN 1
#endif
#endif
#ifdef REAPSIM_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace reapsim {

enum class Part : uint8_t { kState, kStack, kHistory };
inline constexpr int kPartCount = 3;

// What each room keeps at a fixed place in the slot. A root type T names its
// place by `static constexpr RootId kRoot`. The engine's is the first thing in
// the state part: modelled code needs it at every step, and finds it there
// without a look at the header.
enum class RootId : uint8_t { kEngine, kSched, kMm, kOom, kSyscall };
inline constexpr int kRootCount = 5;

// An address range of one part. `used` counts from `base`; bytes beyond it
// have never been written.
struct Extent {
  Part part;
  char* base;
  size_t capacity;
  size_t used;
};

class Arena;

// At the start of each slot.
struct ArenaHeader {
  static constexpr int kMaxExtents = 128;
  uint64_t magic;
  Arena* arena;  // constant after construction; a host address
  void* roots[kRootCount];
  size_t reserved[kPartCount];  // bytes of each part given to extents
  bool may_be_copied;           // Arena::AllowCopies()
  int extent_count;
  Extent extents[kMaxExtents];
};

class Arena {
 public:
  static constexpr uintptr_t kFirstSlot = 0x7e9000000000;
  static constexpr size_t kSlotSize = size_t{1} << 35;  // 32 GiB
  static constexpr int kSlots = 12;
  // Where the parts begin in a slot. State is the largest: 1 TiB of modelled
  // memory is 2 GiB of page tables and 3 GiB of frames.
  static constexpr size_t kStateBegin = size_t{64} << 10;
  static constexpr size_t kStackBegin = size_t{16} << 30;
  static constexpr size_t kHistoryBegin = size_t{24} << 30;
  static constexpr uint64_t kMagic = 0x72656170'73696d31;  // "reapsim1"

  // Claims the lowest free slot and maps it. Aborts with a clear message when
  // all slots are taken or the address range is in use by somebody else.
  Arena();
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Reserves `capacity` bytes of a part, page aligned, all zero.
  Extent* Reserve(Part part, size_t capacity);

  ArenaHeader* header() const { return header_; }
  int slot() const { return slot_; }

  // Constructs a root object in its own extent of the state part.
  template <class T>
  T* NewRoot() {
    static_assert(alignof(T) <= 4096);
    Extent* extent = Reserve(Part::kState, sizeof(T));
    extent->used = sizeof(T);
    T* root = new (extent->base) T();
    REAP_CHECK((T::kRoot == RootId::kEngine) == (root == FirstOf<T>(header_)),
               "arena: the engine's root is not the first");
    header_->roots[static_cast<int>(T::kRoot)] = root;
    return root;
  }

  // The used bytes of all extents but the stacks', which their owner copies.
  size_t UsedBytes(Part part) const;

  // For whoever copies a world (Engine::Take()): how much of each extent is in
  // use; and back to that, so that what has come into use since is zero again.
  // The contents are the caller's to copy.
  void CopyUsed(std::vector<size_t>* used) const;
  void RestoreUsed(const std::vector<size_t>& used);

  // From now on memory of dead objects stays readable for whoever copies the
  // world, also under the address sanitizer; slabs still tell a use after free.
  void AllowCopies();

  // The header of the slot into which `p` points.
  static ArenaHeader* HeaderOf(const void* p) {
    const auto address = reinterpret_cast<uintptr_t>(p);
    REAP_DCHECK(Contains(p), "arena: foreign pointer");
    return reinterpret_cast<ArenaHeader*>(address & ~(kSlotSize - 1));
  }

  // What lies at the start of the state part.
  template <class T>
  static T* FirstOf(ArenaHeader* header) {
    return reinterpret_cast<T*>(reinterpret_cast<char*>(header) + kStateBegin);
  }

  // True iff `p` lies in any slot, mapped or not.
  static bool Contains(const void* p) {
    const auto address = reinterpret_cast<uintptr_t>(p);
    return address - kFirstSlot < kSlots * kSlotSize;
  }

 private:
  // For the address sanitizer: no byte in use is a dead object's.
  void Unpoison();

  int slot_;
  ArenaHeader* header_;
};

// The root of type T of the world in which `p` lies.
template <class T>
inline T& RootOf(const void* p) {
  if constexpr (T::kRoot == RootId::kEngine) {
    return *Arena::FirstOf<T>(Arena::HeaderOf(p));
  }
  return *static_cast<T*>(
      Arena::HeaderOf(p)->roots[static_cast<int>(T::kRoot)]);
}

// The root of type T of the world on whose fiber this code runs. Only modelled
// code, which always runs on a fiber, may use it.
template <class T>
inline T& Here() {
  return RootOf<T>(__builtin_frame_address(0));
}

}  // namespace reapsim

#endif  // REAPSIM_BASE_ARENA_H_
