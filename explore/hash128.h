// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A 128-bit hash of blocks of bytes, by which a search knows a state again. Two
// states with one hash would be taken for one: with n states that happens with
// a probability of n^2 / 2^129, less than 10^-24 for ten million.
//
// The state contains live stacks, so its hash depends on the compiler: it
// prunes, and is never printed or compared between programs.
#ifndef REAPSIM_EXPLORE_HASH128_H_
#define REAPSIM_EXPLORE_HASH128_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace reapsim {

struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;

  bool operator==(const Hash128&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const Hash128& hash) {
    return H::combine(std::move(h), hash.low, hash.high);
  }
};

// Folds the 128-bit product of two words into one.
inline uint64_t FoldedProduct(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// How much HashBlock() reads.
inline constexpr size_t kHashedBlock = 64;

// Four lanes of 16 bytes each: the lanes don't wait for one another. The
// constants are odd and otherwise arbitrary (digits of pi).
inline Hash128 HashBlock(const char* block) {
  constexpr uint64_t kPi[8] = {0x243f6a8885a308d3, 0x13198a2e03707345,
                               0xa4093822299f31d1, 0x082efa98ec4e6c89,
                               0x452821e638d01377, 0xbe5466cf34e90c6d,
                               0xc0ac29b7c97c50dd, 0x3f84d5b5b5470917};
  uint64_t lane[4];
  for (int i = 0; i < 4; ++i) {
    uint64_t a = 0;
    uint64_t b = 0;
    std::memcpy(&a, block + 16 * i, 8);
    std::memcpy(&b, block + 16 * i + 8, 8);
    // `a` keeps what the product might lose (a factor of zero).
    lane[i] = FoldedProduct(a ^ kPi[i], b ^ kPi[4 + i]) + a;
  }
  return {FoldedProduct(lane[0] ^ kPi[4], lane[1] ^ kPi[5]) +
              FoldedProduct(lane[2] ^ kPi[6], lane[3] ^ kPi[7]),
          FoldedProduct(lane[0] ^ kPi[7], lane[2] ^ kPi[4]) +
              FoldedProduct(lane[1] ^ kPi[5], lane[3] ^ kPi[6])};
}

// The hash of something that has `hash`, and a number besides.
inline Hash128 WithNumber(const Hash128& hash, uint64_t number) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
  return {hash.low ^ (number + 1) * kOdd,
          FoldedProduct(hash.high ^ kOdd, number + kOdd) + hash.high};
}

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_HASH128_H_
