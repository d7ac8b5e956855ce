// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A cost profile: what each kind of work costs on one machine, and how that is
// known. docs/latency-files.md describes the file field by field.
#ifndef REAPSIM_LATENCY_PROFILE_H_
#define REAPSIM_LATENCY_PROFILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sched/cost.h"

namespace reapsim {

// The name of a kind in profiles, such as "anon_page".
absl::string_view CostName(Cost kind);

// At most 10 ms for one unit of work, and a hundred times its price for
// contention: more is a mistake, and could overflow the clock.
inline constexpr uint64_t kMaxPricePs = 10'000'000'000;
inline constexpr uint32_t kMaxContentionPermille = 100'000;

struct CostProfile {
  struct Entry {
    Price price;
    std::string origin;  // how it is known: "fitted", "assumed: …"
  };

  std::string name;
  std::string origin;   // what was measured, by whom, and when
  std::string machine;  // the reference: a CPU of capacity 1024, at its highest
                        // frequency
  // What an access to memory at random took when it was measured, in ps: stall
  // prices hold for that. 0: not known.
  uint64_t memory_access_ps = 0;
  // What another CPU adds to a price that is contended, in thousandths of it.
  uint32_t contention_permille = 0;
  std::string contention_origin;
  Entry costs[kCostKinds];

  Entry& of(Cost kind) { return costs[static_cast<int>(kind)]; }
  const Entry& of(Cost kind) const { return costs[static_cast<int>(kind)]; }
  Prices ToPrices() const;
};

// Errors are kInvalidArgument, "FILE:LINE:COLUMN: FIELD: …". Every kind of cost
// must be there: what is not known is said in its origin, not left out.
absl::StatusOr<CostProfile> ParseProfile(absl::string_view text,
                                         absl::string_view file);

// The file. What it prints, ParseProfile() reads as the same profile.
std::string PrintProfile(const CostProfile& profile);

// The profiles that come with reapsim, by name; "host" is the default.
std::vector<absl::string_view> BuiltinProfiles();
// The text of one; empty: there is none of that name.
absl::string_view BuiltinProfileText(absl::string_view name);
// One of those, or else the profile in a file. Errors as above, and those of
// reading a file, "FILE: …".
absl::StatusOr<CostProfile> LoadProfile(const std::string& name_or_path);

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_PROFILE_H_
