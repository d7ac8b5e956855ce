// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "shim/schedule.h"

#include <limits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "report/nearest.h"
#include "report/text.h"

namespace reapsim {
namespace {

using Kind = ShimSchedule::Kind;

constexpr char kThereAre[] =
    "there are reaper-first, victim-first, victim-wins-below=SIZE, stuck, "
    "until=POINT, steps=K and seed=S";

absl::Status Bad(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("--schedule=", Tail(Printable(text), 60), ": ", why));
}

// "4M": bytes, with K, M or G.
bool ParseSize(absl::string_view text, uint64_t* bytes) {
  int shift = 0;
  if (absl::ConsumeSuffix(&text, "K")) {
    shift = 10;
  } else if (absl::ConsumeSuffix(&text, "M")) {
    shift = 20;
  } else if (absl::ConsumeSuffix(&text, "G")) {
    shift = 30;
  }
  if (!absl::SimpleAtoi(text, bytes)) return false;
  if (*bytes > std::numeric_limits<uint64_t>::max() >> shift) return false;
  *bytes <<= shift;
  return true;
}

absl::StatusOr<ShimSchedule> Until(absl::string_view text,
                                   absl::string_view name) {
  std::vector<absl::string_view> names;
  for (int i = 1; i < static_cast<int>(Point::kCount); ++i) {
    const auto point = static_cast<Point>(i);
    if (name == PointName(point)) {
      return ShimSchedule{.kind = Kind::kUntil, .point = point};
    }
    names.push_back(PointName(point));
  }
  const std::vector<std::string> nearest = NearestNames(name, names);
  return Bad(text, nearest.empty()
                       ? "no such point; they are in sched/point.h"
                       : absl::StrCat("no such point; did you mean ",
                                      absl::StrJoin(nearest, ", or "), "?"));
}

}  // namespace

absl::StatusOr<ShimSchedule> ParseShimSchedule(absl::string_view text) {
  if (text == "reaper-first") return ShimSchedule{};
  if (text == "victim-first") return ShimSchedule{.kind = Kind::kVictimFirst};
  if (text == "stuck") return ShimSchedule{.kind = Kind::kStuck};
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "until=")) return Until(text, rest);
  ShimSchedule schedule;
  if (absl::ConsumePrefix(&rest, "victim-wins-below=")) {
    schedule.kind = Kind::kVictimWinsBelow;
    if (ParseSize(rest, &schedule.amount)) return schedule;
    return Bad(text, "expected a size such as 4M");
  }
  if (absl::ConsumePrefix(&rest, "steps=")) {
    schedule.kind = Kind::kSteps;
    if (absl::SimpleAtoi(rest, &schedule.amount) && schedule.amount > 0) {
      return schedule;
    }
    return Bad(text, "expected a number of steps, at least 1");
  }
  if (absl::ConsumePrefix(&rest, "seed=")) {
    schedule.kind = Kind::kSeed;
    if (absl::SimpleAtoi(rest, &schedule.amount)) return schedule;
    return Bad(text, "expected a number");
  }
  return Bad(text, kThereAre);
}

}  // namespace reapsim
