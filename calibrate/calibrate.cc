// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "calibrate/calibrate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/prng.h"
#include "calibrate/fit.h"
#include "report/text.h"

namespace reapsim {
namespace {

// ---- Statistics ------------------------------------------------------------

// The value below which that part of the others lies. REQUIRES: not empty.
double Quantile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  const double at = part * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, values.size() - 1);
  const double rest = at - static_cast<double>(below);
  return values[below] + rest * (values[above] - values[below]);
}

Measured Summary(const std::vector<double>& ns) {
  const double median = Quantile(ns, 0.5);
  return {.median_ns = median,
          .spread = (Quantile(ns, 0.75) - Quantile(ns, 0.25)) / median};
}

Measured Summarize(const std::vector<LiveReading>& readings,
                   uint64_t LiveReading::*what, const MemoryScale& scale) {
  std::vector<double> ns;
  for (const LiveReading& reading : readings) {
    ns.push_back(scale.ToReference(static_cast<double>(reading.*what),
                                   reading.memory_ps));
  }
  return Summary(ns);
}

// How calls of a millisecond and more follow the speed of memory: the slope of
// one logarithm over the other, about each shape's mean. On a quiet machine
// that speed hardly varies and its readings tell nothing; what was found when
// it did is then taken to hold. It weighs as much as readings that are off by
// 15 %, for a share that is known to 30 %.
MemoryScale FindScale(const std::vector<Timing>& timings) {
  std::vector<double> memory;
  double xx = 0;
  double xy = 0;
  for (const Timing& timing : timings) {
    for (const LiveReading& reading : timing.called) {
      REAP_CHECK(reading.memory_ps > 0, "calibrate: memory without a speed");
      memory.push_back(static_cast<double>(reading.memory_ps));
    }
    if (MeasureCalls(timing, {}).median_ns < kCountsFromNs) continue;
    double mean_x = 0;
    double mean_y = 0;
    const auto n = static_cast<double>(timing.called.size());
    for (const LiveReading& reading : timing.called) {
      mean_x += std::log(static_cast<double>(reading.memory_ps)) / n;
      mean_y += std::log(static_cast<double>(reading.call_ns)) / n;
    }
    for (const LiveReading& reading : timing.called) {
      const double x =
          std::log(static_cast<double>(reading.memory_ps)) - mean_x;
      xx += x * x;
      xy += x * (std::log(static_cast<double>(reading.call_ns)) - mean_y);
    }
  }
  constexpr double kUsualShare = 0.6;
  constexpr double kItsWeight = 0.15 * 0.15 / (0.3 * 0.3);
  const double slope = (xy + kItsWeight * kUsualShare) / (xx + kItsWeight);
  return {.reference_ps = Quantile(memory, 0.5),
          .share = std::clamp(slope, 0.0, 1.0)};
}

// ---- Prices ----------------------------------------------------------------

// What calls tell, and what exits tell beyond that.
constexpr Cost kOfCalls[] = {
    Cost::kReapWalk,        Cost::kVmaVisited, Cost::kVmaSkipped,
    Cost::kPteTableVisited, Cost::kPteLine,    Cost::kPmdLine,
    Cost::kAnonPage,        Cost::kFilePage,   Cost::kShmemPage,
    Cost::kMlockedPage,     Cost::kHugePage,   Cost::kSwapEntry,
    Cost::kPageFreed,       Cost::kBatchFreed,
};
constexpr Cost kOfExits[] = {Cost::kExit, Cost::kMmExit, Cost::kVmaFreed,
                             Cost::kDirtyPage};

// What is not measured, or can't be told from something else that is.
struct Assumed {
  Cost cost;
  uint64_t ns;
  const char* why;
};
constexpr Assumed kAssumed[] = {
    {Cost::kSyscall, 150, "assumed"},
    {Cost::kVmaFreed, 450, "assumed: of 60,000 VMAs at exit, elsewhere"},
    {Cost::kPmdTableVisited, 0, "assumed: part of pte_table_visited"},
    {Cost::kFolio, 0, "assumed: part of the page's price"},
    {Cost::kDirtyPage, 60, "assumed"},
    {Cost::kYoungPage, 0, "assumed: part of the page's price"},
    {Cost::kSwapEntry, 180, "assumed: the host has no swap"},
    {Cost::kPageAllocated, 250, "assumed"},
    {Cost::kPageCopied, 350, "assumed"},
    {Cost::kPageTableFreed, 200, "assumed: freed later, by RCU"},
    {Cost::kTlbFlush, 100, "assumed: of memory that no CPU uses"},
    {Cost::kTlbIpi, 1500, "assumed: no CPU uses a held victim's memory"},
    {Cost::kNotifierCall, 200, "assumed: nobody watches a victim's memory"},
    {Cost::kProcessScanned, 7, "assumed: 80 to 2,080 processes, elsewhere"},
    {Cost::kThreadScanned, 7, "assumed: as a process"},
    {Cost::kFault, 500, "assumed"},
    {Cost::kSignalSent, 300, "assumed: pidfd_send_signal(), elsewhere"},
    {Cost::kFork, 30'000, "assumed"},
    {Cost::kExec, 150'000, "assumed"},
    {Cost::kContextSwitch, 1500, "assumed"},
    {Cost::kTick, 1500, "assumed"},
};
// From both ends of an address space, exit and a reaper free 1.58 times what
// one of them does alone.
constexpr uint32_t kContentionPermille = 265;
constexpr absl::string_view kContentionOrigin =
    "assumed: exit and a reaper from both ends free 1.58 times what exit does "
    "alone, elsewhere: 2 / 1.265";
constexpr Cost kContended[] = {Cost::kPageFreed, Cost::kHugePageFreed,
                               Cost::kPageTableFreed, Cost::kPageAllocated};
// Of a huge page's price; calls never do one without the other.
constexpr double kHugeFreedPart = 0.8;

double Units(const Counts& counts, Cost cost) {
  return static_cast<double>(counts[static_cast<size_t>(cost)]);
}

// Prices in ns while they are found.
using Ns = std::array<double, kCostKinds>;

double Total(const Counts& counts, const Ns& prices) {
  double sum = 0;
  for (size_t kind = 0; kind < prices.size(); ++kind) {
    sum += static_cast<double>(counts[kind]) * prices[kind];
  }
  return sum;
}

// One thing that was timed.
struct Observation {
  std::string shape;
  const char* what;
  Measured measured;
  size_t readings;
  const Counts* counts;
  // That may be expected of the model: as a part, and in ns.
  double model_error;
  double model_error_ns;
};

class Fitter {
 public:
  Fitter(const std::vector<Timing>& timings, const HostDescription& host)
      : timings_(timings), host_(host) {}

  absl::StatusOr<Calibration> Run() {
    calibration_.scale = FindScale(timings_);
    counts_.reserve(timings_.size());
    for (const Timing& timing : timings_) {
      absl::StatusOr<ShapeCounts> counts =
          CountWork(timing.shape, host_.version);
      if (!counts.ok()) return counts.status();
      counts_.push_back(*std::move(counts));
    }
    Observe();
    for (const Assumed& assumed : kAssumed) {
      ns_[static_cast<size_t>(assumed.cost)] = static_cast<double>(assumed.ns);
      calibration_.profile.of(assumed.cost).origin = assumed.why;
    }
    Single(Cost::kSyscall, host_.syscall_ns, "calls that fail at once");
    Single(Cost::kContextSwitch, host_.switch_ns,
           "two threads that yield to each other");
    FitKinds(calls_, kOfCalls, "calls");
    FitKinds(exits_, kOfExits, "exits");
    AddResiduals();
    WriteProfile();
    return std::move(calibration_);
  }

 private:
  void Observe() {
    for (size_t i = 0; i < timings_.size(); ++i) {
      const Timing& timing = timings_[i];
      const std::string shape = PrintShape(timing.shape);
      const auto add = [&](std::vector<Observation>* list, const char* what,
                           const std::vector<LiveReading>& readings,
                           uint64_t LiveReading::*field, const Counts& counts,
                           double model_error, double model_error_ns) {
        list->push_back(
            {shape, what, Summarize(readings, field, calibration_.scale),
             readings.size(), &counts, model_error, model_error_ns});
      };
      const ShapeCounts& counts = counts_[i];
      add(&calls_, "call", timing.called, &LiveReading::call_ns, counts.call,
          0.07, 2'000);
      // What it looks at is still in caches.
      add(&calls_, "again", timing.called, &LiveReading::again_ns, counts.again,
          0.3, 10'000);
      // The model's files go with their last user, the host's stay.
      if (timing.shape.file + timing.shape.cow != 0) continue;
      add(&exits_, "exit after", timing.called, &LiveReading::exit_ns,
          counts.exit_after, 0.2, 20'000);
      if (timing.alone.empty()) continue;
      add(&exits_, "exit", timing.alone, &LiveReading::exit_ns,
          counts.exit_alone, 0.2, 20'000);
    }
  }

  void Single(Cost cost, uint64_t ns, absl::string_view how) {
    if (ns == 0) return;
    ns_[static_cast<size_t>(cost)] = static_cast<double>(ns);
    calibration_.profile.of(cost).origin = absl::StrCat("measured: ", how);
  }

  // Fits the prices of these kinds, others being what they are.
  void FitKinds(const std::vector<Observation>& observations,
                absl::Span<const Cost> kinds, absl::string_view what) {
    for (const Cost cost : kinds) {
      const bool seen = std::any_of(
          observations.begin(), observations.end(),
          [cost](const Observation& o) { return Units(*o.counts, cost) > 0; });
      if (seen) ns_[static_cast<size_t>(cost)] = 0;
    }
    std::vector<FitRow> rows;
    for (const Observation& o : observations) {
      FitRow row;
      for (const Cost cost : kinds) row.units.push_back(Units(*o.counts, cost));
      const double others = Total(*o.counts, ns_);
      row.measured = o.measured.median_ns - others;
      // Of a median, if readings scatter evenly.
      const double noise =
          o.measured.spread / std::sqrt(static_cast<double>(o.readings));
      row.error =
          o.measured.median_ns * (o.model_error + noise) + o.model_error_ns;
      rows.push_back(std::move(row));
    }
    const Fit fit = FitPrices(rows, kinds.size());
    for (size_t i = 0; i < kinds.size(); ++i) {
      if (!fit.known[i]) continue;
      ns_[static_cast<size_t>(kinds[i])] = fit.prices[i];
      measured_[static_cast<size_t>(kinds[i])] = true;
    }
    for (size_t i = 0; i < kinds.size(); ++i) {
      std::string& origin = calibration_.profile.of(kinds[i]).origin;
      if (fit.known[i]) {
        origin = OriginOf(kinds[i], observations, what);
      } else if (origin.empty()) {
        origin = "not measured: no shape that was timed tells";
      }
    }
  }

  // How well what this kind has a part in is met.
  std::string OriginOf(Cost cost, const std::vector<Observation>& observations,
                       absl::string_view what) const {
    constexpr double kPart = 0.1;
    std::vector<double> errors;
    for (const Observation& o : observations) {
      const double predicted = Total(*o.counts, ns_);
      const double part =
          Units(*o.counts, cost) * ns_[static_cast<size_t>(cost)];
      if (predicted == 0 || part < kPart * predicted) continue;
      errors.push_back(std::abs(predicted / o.measured.median_ns - 1));
    }
    if (errors.empty()) {
      return absl::StrCat("fitted to ", what, ": too little to be seen");
    }
    return absl::StrFormat(
        "fitted to %s: median residual %.0f %% of the %d it is a tenth of",
        what, 100 * Quantile(errors, 0.5), errors.size());
  }

  void AddResiduals() {
    for (const auto* list : {&calls_, &exits_}) {
      for (const Observation& o : *list) {
        calibration_.residuals.push_back(
            {o.shape, o.what, o.measured, Total(*o.counts, ns_)});
      }
    }
  }

  void WriteProfile() {
    CostProfile& profile = calibration_.profile;
    profile.name = "host";
    profile.origin = absl::StrCat(
        "reapsim calibrate, ", host_.date, ": process_mrelease() and exit of ",
        timings_.size(), " shapes on Linux ", host_.kernel);
    profile.machine = host_.cpu;
    profile.memory_access_ps =
        static_cast<uint64_t>(std::llround(calibration_.scale.reference_ps));
    profile.contention_permille = kContentionPermille;
    profile.contention_origin = std::string(kContentionOrigin);
    const auto huge = static_cast<size_t>(Cost::kHugePage);
    const auto huge_freed = static_cast<size_t>(Cost::kHugePageFreed);
    ns_[huge_freed] = kHugeFreedPart * ns_[huge];
    ns_[huge] -= ns_[huge_freed];
    measured_[huge_freed] = measured_[huge];
    profile.of(Cost::kHugePageFreed).origin =
        "assumed: four fifths of what is measured of a huge page";
    for (size_t kind = 0; kind < ns_.size(); ++kind) {
      const double share = measured_[kind] ? calibration_.scale.share : 0;
      const double ps = ns_[kind] * 1000;
      Price& price = profile.costs[kind].price;
      price.stall_ps = static_cast<uint64_t>(std::llround(ps * share));
      price.cpu_ps = static_cast<uint64_t>(std::llround(ps)) - price.stall_ps;
      REAP_CHECK(!profile.costs[kind].origin.empty(),
                 "calibrate: a price without an origin");
    }
    for (const Cost cost : kContended) profile.of(cost).price.contended = true;
  }

  const std::vector<Timing>& timings_;
  const HostDescription& host_;
  std::vector<ShapeCounts> counts_;
  std::vector<Observation> calls_;
  std::vector<Observation> exits_;
  Ns ns_ = {};
  std::array<bool, kCostKinds> measured_ = {};
  Calibration calibration_;
};

std::string Percent(double part, bool sign) {
  return sign ? absl::StrFormat("%+.0f%%", 100 * part)
              : absl::StrFormat("%.0f%%", 100 * part);
}
std::string Microseconds(double ns) {
  return Grouped(static_cast<int64_t>(std::llround(ns / 1000)));
}

std::vector<double> CountedErrors(const CheckReport& report) {
  std::vector<double> errors;
  for (const CheckLine& line : report.lines) {
    if (line.counts) errors.push_back(std::abs(line.Error()));
  }
  return errors;
}

}  // namespace

double MemoryScale::ToReference(double ns, uint64_t memory_ps) const {
  if (reference_ps == 0 || memory_ps == 0) return ns;
  return ns /
         (1 - share + share * static_cast<double>(memory_ps) / reference_ps);
}

Measured MeasureCalls(const Timing& timing, const MemoryScale& scale) {
  return Summarize(timing.called, &LiveReading::call_ns, scale);
}

absl::StatusOr<std::vector<Timing>> Gather(
    const TimingSide& side, const std::vector<VictimShape>& shapes,
    const GatherOptions& options) {
  std::vector<Timing> timings;
  size_t fitted = 0;
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (!side.can(shapes[i])) continue;
    timings.push_back({.shape = shapes[i]});
    if (i < options.fitted) ++fitted;
  }
  const size_t all = options.repetitions * timings.size() +
                     std::min(options.alone, options.repetitions) * fitted;
  size_t done = 0;
  const auto time = [&](Timing* timing, bool call) {
    if (options.progress != nullptr) options.progress(done++, all);
    const absl::StatusOr<LiveReading> reading = side.time(timing->shape, call);
    if (!reading.ok()) return reading.status();
    (call ? timing->called : timing->alone).push_back(*reading);
    return absl::OkStatus();
  };
  std::vector<size_t> order(timings.size());
  std::iota(order.begin(), order.end(), 0);
  Prng prng(1);
  for (size_t round = 0; round < options.repetitions; ++round) {
    if (round >= options.least && options.enough != nullptr &&
        options.enough()) {
      break;
    }
    for (size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[prng.Below(i)]);
    }
    for (const size_t i : order) {
      absl::Status status = time(&timings[i], true);
      if (!status.ok()) return status;
      if (round >= options.alone || i >= fitted) continue;
      status = time(&timings[i], false);
      if (!status.ok()) return status;
    }
  }
  return timings;
}

absl::StatusOr<Calibration> FitProfile(const std::vector<Timing>& timings,
                                       const HostDescription& host) {
  if (timings.empty()) {
    return absl::FailedPreconditionError("no shape was timed");
  }
  return Fitter(timings, host).Run();
}

double CheckLine::Error() const {
  return static_cast<double>(predicted_ns) / measured.median_ns - 1;
}

size_t CheckReport::Counted() const { return CountedErrors(*this).size(); }

double CheckReport::MedianError() const {
  const std::vector<double> errors = CountedErrors(*this);
  return errors.empty() ? 0 : Quantile(errors, 0.5);
}

double CheckReport::WorstError() const {
  const std::vector<double> errors = CountedErrors(*this);
  return errors.empty() ? 0 : *std::max_element(errors.begin(), errors.end());
}

bool CheckReport::Passes() const {
  return Counted() >= kLeastShapes && MedianError() <= kMostMedianError &&
         WorstError() <= kMostError;
}

absl::StatusOr<CheckReport> CheckProfile(const std::vector<Timing>& timings,
                                         const CostProfile& profile,
                                         const std::string& version) {
  const Prices prices = profile.ToPrices();
  Prices without_stalls = prices;
  for (Price& price : without_stalls.of) price.stall_ps = 0;
  CheckReport report;
  for (const Timing& timing : timings) {
    const absl::StatusOr<uint64_t> predicted =
        TimeCall(timing.shape, version, prices);
    if (!predicted.ok()) return predicted.status();
    const absl::StatusOr<uint64_t> busy =
        TimeCall(timing.shape, version, without_stalls);
    if (!busy.ok()) return busy.status();
    const MemoryScale scale = {
        .reference_ps = static_cast<double>(profile.memory_access_ps),
        .share =
            1 - static_cast<double>(*busy) / static_cast<double>(*predicted)};
    CheckLine line;
    line.shape = PrintShape(timing.shape);
    line.measured = MeasureCalls(timing, scale);
    line.predicted_ns = *predicted;
    line.counts = line.measured.median_ns >= kCountsFromNs;
    report.lines.push_back(std::move(line));
  }
  return report;
}

std::string ResidualsText(const Calibration& calibration) {
  using Align = Table::Align;
  Table table({Align::kLeft, Align::kLeft, Align::kRight, Align::kRight,
               Align::kRight, Align::kRight});
  table.Add({"shape", "what", "us", "spread", "fitted", "residual"});
  for (const Residual& r : calibration.residuals) {
    table.Add({r.shape, r.what, Microseconds(r.measured.median_ns),
               Percent(r.measured.spread, false), Microseconds(r.fitted_ns),
               Percent(r.fitted_ns / r.measured.median_ns - 1, true)});
  }
  return table.ToString();
}

std::string CheckText(const CheckReport& report) {
  using Align = Table::Align;
  Table table({Align::kLeft, Align::kRight, Align::kRight, Align::kRight,
               Align::kRight});
  table.Add({"shape", "measured us", "spread", "predicted us", "error"});
  for (const CheckLine& line : report.lines) {
    table.Add({line.shape, Microseconds(line.measured.median_ns),
               Percent(line.measured.spread, false),
               Microseconds(static_cast<double>(line.predicted_ns)),
               absl::StrCat(Percent(line.Error(), true),
                            line.counts ? "" : " (short)")});
  }
  return absl::StrCat(
      table.ToString(), "\n",
      Wrapped("", absl::StrFormat(
                      "%d of %d shapes took 1 ms or more, which is what "
                      "counts: median error %.1f %%, worst %.1f %%. Allowed: "
                      "%.0f %% and %.0f %%, over at least %d shapes.",
                      report.Counted(), report.lines.size(),
                      100 * report.MedianError(), 100 * report.WorstError(),
                      100 * kMostMedianError, 100 * kMostError, kLeastShapes)),
      report.Passes() ? "Passed.\n" : "Failed.\n");
}

}  // namespace reapsim
