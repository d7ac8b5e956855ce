// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What `reapsim latency` draws: docs/pictures.md.
#ifndef REAPSIM_LATENCY_LATENCY_PICTURES_H_
#define REAPSIM_LATENCY_LATENCY_PICTURES_H_

#include "latency/latency_report.h"
#include "report/run_picture.h"

namespace reapsim {

// How the times of all seeds spread, and the median run of each strategy that
// has kept its timeline. options.machine must still be there.
PictureSheet LatencySheet(const LatencyReport& report);

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_LATENCY_PICTURES_H_
