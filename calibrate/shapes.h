// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The victims that prices are fitted to, and those that predictions are tested
// with.
#ifndef REAPSIM_CALIBRATE_SHAPES_H_
#define REAPSIM_CALIBRATE_SHAPES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "latency/shape.h"

namespace reapsim {

// Of the largest file that any of them maps.
inline constexpr uint64_t kMostFileBytes = uint64_t{1} << 30;

// One kind of memory each, in several sizes, and what has to be told apart.
std::vector<VictimShape> FitShapes();

// Mixtures at random: the same from a seed on every machine, for ever. Nearly
// all take a millisecond or more to reap, and none of them is a FitShape.
std::vector<VictimShape> DrawShapes(uint64_t seed, size_t count);

}  // namespace reapsim

#endif  // REAPSIM_CALIBRATE_SHAPES_H_
