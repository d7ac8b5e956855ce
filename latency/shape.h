// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a victim's memory consists of: enough to build it in the model, and to
// build the same by mmap() in a real process.
//
//   absl::StatusOr<VictimShape> shape = ParseShape("anon=1GiB,vmas=600");
//   KernelOptions options;
//   EnlargeMachine(*shape, &options);
//   Kernel k(options);
//   BuiltVictim victim = BuildVictim(k, *shape);
#ifndef REAPSIM_LATENCY_SHAPE_H_
#define REAPSIM_LATENCY_SHAPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "syscall/kernel.h"

namespace reapsim {

// X(field, bytes in one unit or 0 for a count, what).
//
// Each kind that is there has one mapping of its own, beside no other, which
// begins at a multiple of 1 GiB and is followed by a gap. All pages of it are
// touched. Sizes are multiples of 4 KiB, that of `thp` of 2 MiB.
#define REAPSIM_SHAPE(X)                                                     \
  /* Bytes. */                                                               \
  X(anon, 4096, "private anonymous pages, written to")                       \
  X(thp, 2 << 20, "the same in huge pages")                                  \
  X(mlock, 4096, "the same in small ones, locked")                           \
  X(forked, 4096, "the same, still mapped by a child that lives on")         \
  X(swap, 4096, "the same, swapped out")                                     \
  X(file, 4096, "pages of a file, mapped privately, read")                   \
  X(cow, 4096, "a file mapped privately, written to")                        \
  X(dirty, 4096, "a file mapped shared, written to: the reaper passes it")   \
  X(memfd, 4096, "pages of a memfd, mapped privately, read")                 \
  X(shmem, 4096, "a memfd mapped shared, written to: the reaper passes it")  \
  /* Counts. */                                                              \
  X(vmas, 0,                                                                 \
    "more mappings of one anonymous page, written to, a gap of one "         \
    "page between two")                                                      \
  X(untouched, 0, "the same, never touched")                                 \
  X(shared, 0, "the same, shared and never touched: the reaper passes them") \
  X(sparse, 0, "anonymous pages in one mapping, written to, 2 MiB apart")    \
  X(scattered, 0, "the same, 1 GiB apart")                                   \
  X(threads, 0,                                                              \
    "threads beside the first, each with a stack: a mapping of "             \
    "64 KiB, the last page written to")                                      \
  X(sharers, 0, "other processes that have the same memory (CLONE_VM)")

struct VictimShape {
#define X(field, unit, what) uint64_t field = 0;
  REAPSIM_SHAPE(X)
#undef X
  bool operator==(const VictimShape&) const = default;
};

inline constexpr uint64_t kShapeThreadStack = 64 << 10;  // bytes
// What a shape may have at most: the model's limits, with room to spare.
inline constexpr uint64_t kMaxShapeBytes = uint64_t{256} << 30;  // in all
inline constexpr uint64_t kMaxShapeSwap = uint64_t{128} << 30;
inline constexpr uint64_t kMaxShapeVmas = 250'000;  // in all
inline constexpr uint64_t kMaxShapeSparse = 100'000;
inline constexpr uint64_t kMaxShapeScattered = 1'000;
inline constexpr uint64_t kMaxShapeTasks = 4'000;  // threads, and sharers

// "anon=1GiB,thp=64MiB,vmas=600". Errors are kInvalidArgument, "WHERE: FIELD:
// …", where being "--shape" for instance: an unknown field, one given twice, a
// size that is none, or not whole pages, more than the limits above, nothing at
// all.
absl::StatusOr<VictimShape> ParseShape(absl::string_view spec,
                                       absl::string_view where);
// The same text again: the fields that are not 0, in the order above.
std::string PrintShape(const VictimShape& shape);

// Pages that are present, and page-table pages of level 1, of the shape.
uint64_t ShapePages(const VictimShape& shape);

// Makes the machine large enough for so many victims of that shape.
void EnlargeMachine(const VictimShape& shape, KernelOptions* options,
                    uint64_t victims = 1);

struct BuiltVictim {
  Task* task = nullptr;
  // Its threads, the processes that share its memory, and the children that
  // keep what they got by fork(); all stand in user mode.
  std::vector<Task*> threads;
  std::vector<Task*> sharers;
  std::vector<Task*> children;
};

// A process of that shape, beside the small standard image, in direct mode. The
// machine must be large enough. Victims whose files are of one size have the
// same files; there may be sixty of different sizes.
BuiltVictim BuildVictim(Kernel& k, const VictimShape& shape,
                        const std::string& comm = "victim");

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_SHAPE_H_
