// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Pseudo-random numbers that are the same for ever: the algorithms are fixed
// and published, so a seed that found something today finds it in any later
// build, with any compiler.
#ifndef REAPSIM_BASE_PRNG_H_
#define REAPSIM_BASE_PRNG_H_

#include <array>
#include <bit>
#include <cstdint>

#include "base/check.h"

namespace reapsim {

// splitmix64 (Steele, Lea, Flood 2014): one step of a 64-bit state. Good for
// making seeds out of seeds: any two states give unrelated numbers.
constexpr uint64_t SplitMix64(uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// xoshiro256** 1.0 (Blackman, Vigna 2018). Trivially copyable, so that it may
// live in the arena and be part of a snapshot.
class Prng {
 public:
  using State = std::array<uint64_t, 4>;

  // The state is four numbers of splitmix64, as its authors advise.
  constexpr explicit Prng(uint64_t seed) {
    for (uint64_t& word : state_) word = SplitMix64(seed);
  }

  // REQUIRES: not all of `state` is 0.
  constexpr explicit Prng(const State& state) : state_(state) {
    REAP_CHECK(state != State{}, "prng: state of zeros");
  }

  // A number from all of 0 to 2^64 - 1.
  constexpr uint64_t Next() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // A number from 0 to `bound` - 1, each equally likely. What is left over
  // when 2^64 is divided by `bound` is rejected from the low end.
  // REQUIRES: bound > 0.
  constexpr uint64_t Below(uint64_t bound) {
    REAP_CHECK(bound > 0, "prng: nothing below 0");
    const uint64_t left_over = -bound % bound;
    uint64_t number = Next();
    while (number < left_over) number = Next();
    return number % bound;
  }

  // The same for 32-bit bounds, in haste: the upper half of the product of the
  // bound and 32 random bits, except for bits that would make some numbers more
  // likely (Lemire 2019). Rarely divides. Not the number that Below() draws.
  // REQUIRES: bound > 0.
  constexpr uint32_t SmallBelow(uint32_t bound) {
    REAP_CHECK(bound > 0, "prng: no small number below 0");
    uint64_t product = (Next() >> 32) * bound;
    if (static_cast<uint32_t>(product) < bound) [[unlikely]] {
      const uint32_t left_over = -bound % bound;
      while (static_cast<uint32_t>(product) < left_over) {
        product = (Next() >> 32) * bound;
      }
    }
    return static_cast<uint32_t>(product >> 32);
  }

  // A number from `first` to `last`, both included.
  // REQUIRES: first <= last.
  constexpr uint64_t Between(uint64_t first, uint64_t last) {
    REAP_CHECK(first <= last, "prng: empty range");
    const uint64_t span = last - first;
    if (span == UINT64_MAX) return Next();
    return first + Below(span + 1);
  }

  // True once in `n` times on average.
  // REQUIRES: n > 0.
  constexpr bool OneIn(uint64_t n) { return Below(n) == 0; }

  constexpr bool operator==(const Prng&) const = default;

 private:
  State state_;
};

}  // namespace reapsim

#endif  // REAPSIM_BASE_PRNG_H_
