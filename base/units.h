// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// Amounts of memory: Bytes and Pages.
//
//   Bytes heap = 64_MiB;
//   Pages pages = WholePages(heap);       // 16384 pages
//   pages -= 1_pages;
//   std::cout << pages.bytes();           // "65532 KiB"
//
// Neither turns into the other, nor into a number, by itself. Arithmetic that
// overflows, or would go below zero, is an error of ours and ends the program.
#ifndef REAPSIM_BASE_UNITS_H_
#define REAPSIM_BASE_UNITS_H_

#include <compare>
#include <cstdint>
#include <ostream>

#include "base/check.h"

namespace reapsim {

inline constexpr int kPageShift = 12;
inline constexpr uint64_t kPageSize = uint64_t{1} << kPageShift;

namespace units_internal {

constexpr uint64_t Sum(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  REAP_CHECK(!__builtin_add_overflow(a, b, &sum), "units: sum overflows");
  return sum;
}

constexpr uint64_t Difference(uint64_t a, uint64_t b) {
  REAP_CHECK(a >= b, "units: difference below zero");
  return a - b;
}

constexpr uint64_t Product(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  REAP_CHECK(!__builtin_mul_overflow(a, b, &product),
             "units: product overflows");
  return product;
}

// What Bytes and Pages have in common: a count that only mixes with its own.
template <class Amount>
class Counted {
 public:
  constexpr Counted() = default;
  constexpr explicit Counted(uint64_t raw) : raw_(raw) {}

  // The bare number.
  constexpr uint64_t raw() const { return raw_; }

  friend constexpr Amount operator+(Amount a, Amount b) {
    return Amount(Sum(a.raw_, b.raw_));
  }
  friend constexpr Amount operator-(Amount a, Amount b) {
    return Amount(Difference(a.raw_, b.raw_));
  }
  friend constexpr Amount operator*(Amount a, uint64_t times) {
    return Amount(Product(a.raw_, times));
  }
  friend constexpr Amount operator*(uint64_t times, Amount a) {
    return a * times;
  }
  // How many times `b` goes into `a`, rounded down.
  friend constexpr uint64_t operator/(Amount a, Amount b) {
    REAP_CHECK(b.raw_ != 0, "units: division by zero");
    return a.raw_ / b.raw_;
  }
  friend constexpr Amount& operator+=(Amount& a, Amount b) { return a = a + b; }
  friend constexpr Amount& operator-=(Amount& a, Amount b) { return a = a - b; }

  friend constexpr bool operator==(Amount a, Amount b) {
    return a.raw_ == b.raw_;
  }
  friend constexpr std::strong_ordering operator<=>(Amount a, Amount b) {
    return a.raw_ <=> b.raw_;
  }

 private:
  uint64_t raw_ = 0;
};

}  // namespace units_internal

class Bytes : public units_internal::Counted<Bytes> {
 public:
  using Counted::Counted;
};

class Pages : public units_internal::Counted<Pages> {
 public:
  using Counted::Counted;

  constexpr Bytes bytes() const {
    return Bytes(units_internal::Product(raw(), kPageSize));
  }
};

// REQUIRES: `bytes` is a multiple of the page size.
constexpr Pages WholePages(Bytes bytes) {
  REAP_CHECK(bytes.raw() % kPageSize == 0, "units: not whole pages");
  return Pages(bytes.raw() >> kPageShift);
}

// The pages that `bytes` take up when they start at a page's start.
constexpr Pages PagesToHold(Bytes bytes) {
  const uint64_t started = bytes.raw() % kPageSize == 0 ? 0 : 1;
  return Pages((bytes.raw() >> kPageShift) + started);
}

constexpr Bytes operator""_B(unsigned long long count) { return Bytes(count); }
constexpr Bytes operator""_KiB(unsigned long long count) {
  return Bytes(units_internal::Product(count, uint64_t{1} << 10));
}
constexpr Bytes operator""_MiB(unsigned long long count) {
  return Bytes(units_internal::Product(count, uint64_t{1} << 20));
}
constexpr Bytes operator""_GiB(unsigned long long count) {
  return Bytes(units_internal::Product(count, uint64_t{1} << 30));
}
constexpr Bytes operator""_TiB(unsigned long long count) {
  return Bytes(units_internal::Product(count, uint64_t{1} << 40));
}
constexpr Pages operator""_pages(unsigned long long count) {
  return Pages(count);
}

// In the largest unit that divides it: "64 MiB", "65532 KiB", "100 B".
inline std::ostream& operator<<(std::ostream& out, Bytes bytes) {
  static constexpr const char* kUnits[] = {" B", " KiB", " MiB", " GiB",
                                           " TiB"};
  uint64_t count = bytes.raw();
  int unit = 0;
  while (unit < 4 && count != 0 && count % 1024 == 0) {
    count /= 1024;
    ++unit;
  }
  return out << count << kUnits[unit];
}

inline std::ostream& operator<<(std::ostream& out, Pages pages) {
  return out << pages.raw() << (pages.raw() == 1 ? " page" : " pages");
}

}  // namespace reapsim

#endif  // REAPSIM_BASE_UNITS_H_
