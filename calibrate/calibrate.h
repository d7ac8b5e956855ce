// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// From victims that were timed on the host to a cost profile, and from a
// profile to what it predicts of others.
#ifndef REAPSIM_CALIBRATE_CALIBRATE_H_
#define REAPSIM_CALIBRATE_CALIBRATE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "calibrate/live.h"
#include "calibrate/model.h"
#include "latency/profile.h"
#include "latency/shape.h"

namespace reapsim {

// Where victims are timed: the host, or a test's. Errors end the run.
struct TimingSide {
  std::function<bool(const VictimShape&)> can;
  std::function<absl::StatusOr<LiveReading>(const VictimShape&, bool call)>
      time;
};

struct Timing {
  VictimShape shape;
  std::vector<LiveReading> called;  // with the call
  std::vector<LiveReading> alone;   // without
};

struct GatherOptions {
  size_t repetitions = 15;  // of each shape with the call, at most
  size_t least = 5;         // and at least
  size_t alone = 3;         // without it: the first `fitted` shapes only
  size_t fitted = 0;
  // Asked between rounds: whether it has taken long enough; may be null.
  std::function<bool()> enough;
  // Told how many victims are done, and of how many; may be null.
  std::function<void(size_t done, size_t all)> progress;
};

// Times all shapes that the side can have: each once in a round, in another
// order each time, so that what goes on beside touches all alike.
absl::StatusOr<std::vector<Timing>> Gather(
    const TimingSide& side, const std::vector<VictimShape>& shapes,
    const GatherOptions& options);

// What a shape's readings come to, at one speed of memory.
struct Measured {
  double median_ns = 0;
  double spread = 0;  // interquartile range, as a part of the median
};

// Times depend on what else uses the machine's memory: what takes t when an
// access takes `reference_ps` takes t * (1 - share + share * m / reference_ps)
// when it takes m.
struct MemoryScale {
  double reference_ps = 0;  // 0: unknown, nothing is scaled
  double share = 0;         // 0 to 1

  // What a reading would have been at the reference.
  double ToReference(double ns, uint64_t memory_ps) const;
};

// The calls of a shape. REQUIRES: there are readings.
Measured MeasureCalls(const Timing& timing, const MemoryScale& scale);

// What the host's prices were fitted to.
struct Residual {
  std::string shape;
  std::string what;  // "call", "again", "exit"
  Measured measured;
  double fitted_ns = 0;
};

struct Calibration {
  CostProfile profile;
  MemoryScale scale;
  std::vector<Residual> residuals;
};

struct HostDescription {
  std::string kernel;   // uname -r
  std::string cpu;      // what /proc/cpuinfo calls it
  std::string date;     // "2026-11-22"
  std::string version;  // the model's
  // Of single calls, in ns; 0: not measured.
  uint64_t syscall_ns = 0;
  uint64_t switch_ns = 0;
  uint64_t signal_ns = 0;
};

// Fits prices to what was timed. Errors: those of CountWork(), or
// kFailedPrecondition: too little was timed.
absl::StatusOr<Calibration> FitProfile(const std::vector<Timing>& timings,
                                       const HostDescription& host);

// One shape, predicted.
struct CheckLine {
  std::string shape;
  Measured measured;
  uint64_t predicted_ns = 0;
  bool counts = false;  // long enough to be judged

  double Error() const;  // of the prediction: 0.1 is 10 % too much
};

struct CheckReport {
  std::vector<CheckLine> lines;

  // Of those that count.
  size_t Counted() const;
  double MedianError() const;
  double WorstError() const;
  // Enough of them, and all within bounds.
  bool Passes() const;
};

// What counts, and what is good enough.
inline constexpr double kCountsFromNs = 1e6;
inline constexpr size_t kLeastShapes = 15;
inline constexpr double kMostMedianError = 0.15;
inline constexpr double kMostError = 0.40;

// Predicts each of these with timed mode. Errors as of TimeCall().
absl::StatusOr<CheckReport> CheckProfile(const std::vector<Timing>& timings,
                                         const CostProfile& profile,
                                         const std::string& version);

// For people.
std::string ResidualsText(const Calibration& calibration);
std::string CheckText(const CheckReport& report);

}  // namespace reapsim

#endif  // REAPSIM_CALIBRATE_CALIBRATE_H_
