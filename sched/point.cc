// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/point.h"

#include "base/check.h"

namespace reapsim {
namespace {

struct Text {
  const char* name;
  const char* where;
};

constexpr Text kTexts[] = {{"None", ""},
#define X(name, where) {&#name[1], where},
                           REAPSIM_POINTS(X)
#undef X
};
static_assert(sizeof(kTexts) / sizeof(kTexts[0]) ==
              static_cast<size_t>(Point::kCount));

const Text& TextOf(Point point) {
  REAP_CHECK(point < Point::kCount, "point: unknown");
  return kTexts[static_cast<int>(point)];
}

}  // namespace

const char* PointName(Point point) { return TextOf(point).name; }
const char* PointWhere(Point point) { return TextOf(point).where; }

}  // namespace reapsim
