// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// WorldImage: what a world looked like, block by block, so that a search can go
// one step back by writing back the few blocks that the step has changed, and
// knows the hash of the whole state from those blocks alone.
//
// The hash is the exclusive or of a hash of each block and its place. So it
// depends on the contents only, not on the way there.
#ifndef REAPSIM_EXPLORE_IMAGE_H_
#define REAPSIM_EXPLORE_IMAGE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "explore/hash128.h"
#include "sched/engine.h"

namespace reapsim {

class WorldImage {
 public:
  static constexpr size_t kBlock = 64;

  // What a block was like before a step.
  struct Change {
    char* at;
    std::array<char, kBlock> before;
  };
  using Undo = std::vector<Change>;

  // Remembers the world as it is. It must be at rest, and allow copies.
  explicit WorldImage(Engine* engine);
  ~WorldImage();
  WorldImage(const WorldImage&) = delete;
  WorldImage& operator=(const WorldImage&) = delete;

  // Remembers what has changed; `undo` says what was there before.
  void Accept(Undo* undo);
  // World and image go back to before the Accept() that filled `undo`; to be
  // called in reverse order. The world may have changed since the latest
  // Accept() only if Reject() was called.
  void GoBack(const Undo& undo);
  // The world goes back to what the image remembers; a verdict is forgotten.
  void Reject();

  // Of the state that the image remembers.
  const Hash128& hash() const { return hash_; }

 private:
  template <class Fn>
  void ForEachChange(Fn&& fn);
  template <class Fn>
  void Compare(char* begin, size_t bytes, bool hashed, Fn& fn);
  void CleanStacks();
  bool IsHashed(const char* block) const;
  char* ImageOf(char* block) const { return block + shift_; }
  void Hash(const char* block, const char* contents);

  Engine* engine_;
  Arena* arena_;
  char* slot_;                    // where the world's slot begins
  ptrdiff_t shift_;               // from the world to the image
  std::vector<size_t> compared_;  // bytes of each extent; never shrinks
  std::vector<size_t> window_;    // bytes of each fiber's stack, from its top
  Hash128 hash_;
};

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_IMAGE_H_
