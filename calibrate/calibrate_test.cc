// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "calibrate/calibrate.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::vector<VictimShape> Shapes(const std::vector<std::string>& specs) {
  std::vector<VictimShape> shapes;
  for (const std::string& spec : specs) {
    const absl::StatusOr<VictimShape> shape = ParseShape(spec, "test");
    EXPECT_TRUE(shape.ok()) << shape.status();
    if (shape.ok()) shapes.push_back(*shape);
  }
  return shapes;
}

// ---- Gather ----------------------------------------------------------------

// A side that notes who is timed.
struct Notes {
  std::vector<std::string> timed;
  absl::Status status;

  TimingSide Side() {
    return {.can = [](const VictimShape& shape) { return shape.swap == 0; },
            .time = [this](const VictimShape& shape,
                           bool call) -> absl::StatusOr<LiveReading> {
              timed.push_back(
                  absl::StrCat(PrintShape(shape), call ? "" : " alone"));
              if (!status.ok()) return status;
              return LiveReading{.call_ns = 1000, .memory_ps = 10'000};
            }};
  }
};

TEST(GatherTest, TimesEachShapeOnceInARound) {
  Notes notes;
  const absl::StatusOr<std::vector<Timing>> timings = Gather(
      notes.Side(), Shapes({"anon=4KiB", "swap=4KiB", "vmas=2", "thp=2MiB"}),
      {.repetitions = 4, .alone = 2, .fitted = 3});
  ASSERT_TRUE(timings.ok());
  // The host has no swap; the last is not fitted.
  ASSERT_THAT(*timings, SizeIs(3));
  for (const Timing& timing : *timings) EXPECT_THAT(timing.called, SizeIs(4));
  EXPECT_THAT((*timings)[0].alone, SizeIs(2));
  EXPECT_THAT((*timings)[1].alone, SizeIs(2));
  EXPECT_THAT((*timings)[2].alone, IsEmpty());
  ASSERT_THAT(notes.timed, SizeIs(3 * 4 + 2 * 2));
  std::vector<std::string> first(notes.timed.begin(), notes.timed.begin() + 5);
  EXPECT_THAT(first, ::testing::UnorderedElementsAre(
                         "anon=4KiB", "anon=4KiB alone", "vmas=2",
                         "vmas=2 alone", "thp=2MiB"));
}

TEST(GatherTest, StopsBetweenRoundsWhenItIsEnough) {
  Notes notes;
  const absl::StatusOr<std::vector<Timing>> timings =
      Gather(notes.Side(), Shapes({"anon=4KiB"}),
             {.repetitions = 9, .least = 3, .alone = 0, .enough = [] {
                return true;
              }});
  ASSERT_TRUE(timings.ok());
  EXPECT_THAT(timings->front().called, SizeIs(3));
}

TEST(GatherTest, EndsWithTheFirstError) {
  Notes notes;
  notes.status = absl::InternalError("no victim");
  EXPECT_EQ(Gather(notes.Side(), Shapes({"anon=4KiB", "vmas=2"}), {}).status(),
            notes.status);
  EXPECT_THAT(notes.timed, SizeIs(1));
}

TEST(GatherTest, TellsHowFarItIs) {
  Notes notes;
  std::vector<std::string> told;
  const auto timings = Gather(notes.Side(), Shapes({"anon=4KiB"}),
                              {.repetitions = 2,
                               .alone = 1,
                               .fitted = 1,
                               .progress = [&told](size_t done, size_t all) {
                                 told.push_back(absl::StrCat(done, "/", all));
                               }});
  ASSERT_TRUE(timings.ok());
  EXPECT_THAT(told, ElementsAre("0/3", "1/3", "2/3"));
}

// ---- Fitting ---------------------------------------------------------------

// A host whose kernel does what the model does, at known prices in ns, and
// whose memory is as fast as the caller says.
class KnownHost {
 public:
  KnownHost() {
    Price(Cost::kReapWalk, 1000);
    Price(Cost::kVmaVisited, 180);
    Price(Cost::kVmaSkipped, 80);
    Price(Cost::kPteLine, 12);
    Price(Cost::kPmdLine, 40);
    Price(Cost::kAnonPage, 70);
    Price(Cost::kPageFreed, 150);
    Price(Cost::kFilePage, 15);
    Price(Cost::kMlockedPage, 110);
    Price(Cost::kHugePage, 4500);
    Price(Cost::kExit, 30'000);
    Price(Cost::kVmaFreed, 400);
    // What is assumed, and true here.
    Price(Cost::kSyscall, 150);
    Price(Cost::kTlbFlush, 100);
    Price(Cost::kPageTableFreed, 200);
    Price(Cost::kProcessScanned, 7);
    Price(Cost::kThreadScanned, 7);
  }
  void Price(Cost cost, double ns) { ns_[static_cast<size_t>(cost)] = ns; }

  // Of each shape so many readings; `slower`: how much longer everything takes
  // when an access to memory takes twice as long, which every other does.
  std::vector<Timing> Time(const std::vector<std::string>& specs,
                           double slower = 0) const {
    std::vector<Timing> timings;
    for (const VictimShape& shape : Shapes(specs)) {
      const absl::StatusOr<ShapeCounts> counts = CountWork(shape, "v6.18");
      EXPECT_TRUE(counts.ok()) << counts.status();
      Timing timing = {.shape = shape};
      for (int i = 0; i < 5; ++i) {
        const double factor = i % 2 == 0 ? 1 : 1 + slower;
        const uint64_t memory_ps = i % 2 == 0 ? 10'000 : 20'000;
        timing.called.push_back({.call_ns = Sum(counts->call, factor),
                                 .again_ns = Sum(counts->again, factor),
                                 .exit_ns = Sum(counts->exit_after, factor),
                                 .memory_ps = memory_ps});
        timing.alone.push_back({.exit_ns = Sum(counts->exit_alone, factor),
                                .memory_ps = memory_ps});
      }
      timings.push_back(timing);
    }
    return timings;
  }

 private:
  uint64_t Sum(const Counts& counts, double factor) const {
    double sum = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
      sum += static_cast<double>(counts[i]) * ns_[i];
    }
    return static_cast<uint64_t>(std::llround(sum * factor));
  }

  std::array<double, kCostKinds> ns_ = {};
};

const HostDescription& Host() {
  static const auto* host = new HostDescription{.kernel = "6.18.1-test",
                                                .cpu = "a CPU",
                                                .date = "2026-01-31",
                                                .version = "v6.18"};
  return *host;
}

const std::vector<std::string>& Specs() {
  static const auto* specs = new std::vector<std::string>{
      "anon=1MiB",          "anon=16MiB", "forked=8MiB", "mlock=8MiB",
      "thp=32MiB",          "file=16MiB", "cow=4MiB",    "vmas=500",
      "untouched=800",      "shared=800", "sparse=200",  "scattered=40",
      "anon=2MiB,threads=9"};
  return *specs;
}

double Ns(const CostProfile& profile, Cost cost) {
  const Price& price = profile.of(cost).price;
  return static_cast<double>(price.cpu_ps + price.stall_ps) / 1000;
}

TEST(FitProfileTest, FindsThePricesOfAHostThatHasSome) {
  const absl::StatusOr<Calibration> fitted =
      FitProfile(KnownHost().Time(Specs()), Host());
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  const CostProfile& profile = fitted->profile;
  EXPECT_NEAR(Ns(profile, Cost::kPteLine), 12, 1);
  EXPECT_NEAR(Ns(profile, Cost::kPmdLine), 40, 2);
  EXPECT_NEAR(Ns(profile, Cost::kAnonPage), 70, 3);
  EXPECT_NEAR(Ns(profile, Cost::kPageFreed), 150, 4);
  EXPECT_NEAR(Ns(profile, Cost::kFilePage), 15, 1);
  EXPECT_NEAR(Ns(profile, Cost::kMlockedPage), 110, 4);
  EXPECT_NEAR(Ns(profile, Cost::kVmaSkipped), 80, 4);
  EXPECT_NEAR(Ns(profile, Cost::kHugePage) + Ns(profile, Cost::kHugePageFreed),
              4500, 100);
  for (const Residual& residual : fitted->residuals) {
    if (residual.what != "call") continue;
    EXPECT_NEAR(residual.fitted_ns / residual.measured.median_ns, 1, 0.05)
        << residual.shape;
  }
}

TEST(FitProfileTest, WritesAProfileThatCanBeRead) {
  const absl::StatusOr<Calibration> fitted =
      FitProfile(KnownHost().Time({"anon=1MiB", "vmas=20"}), Host());
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  const std::string text = PrintProfile(fitted->profile);
  const absl::StatusOr<CostProfile> read = ParseProfile(text, "test");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(PrintProfile(*read), text);
  EXPECT_THAT(read->origin, HasSubstr("2026-01-31"));
  EXPECT_THAT(read->origin, HasSubstr("6.18.1-test"));
  EXPECT_EQ(read->machine, "a CPU");
  for (const CostProfile::Entry& entry : read->costs) {
    EXPECT_THAT(entry.origin, Not(IsEmpty()));
  }
  EXPECT_THAT(read->of(Cost::kSwapEntry).origin, HasSubstr("no swap"));
}

TEST(FitProfileTest, TakesSingleCallsAsTheyWereMeasured) {
  HostDescription host = Host();
  host.syscall_ns = 99;
  host.switch_ns = 1234;
  const absl::StatusOr<Calibration> fitted =
      FitProfile(KnownHost().Time({"anon=1MiB"}), host);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_EQ(Ns(fitted->profile, Cost::kSyscall), 99);
  EXPECT_EQ(Ns(fitted->profile, Cost::kContextSwitch), 1234);
  EXPECT_THAT(fitted->profile.of(Cost::kSyscall).origin, HasSubstr("measured"));
}

// Memory that takes twice as long makes calls take 1.6 times as long: the share
// is log 1.6 / log 2 = 0.68 at the logarithms' slope, and a little less for
// what is taken to hold without readings.
TEST(FitProfileTest, TellsTimeThatGoesWithMemorySpeed) {
  KnownHost host;
  const absl::StatusOr<Calibration> fitted = FitProfile(
      host.Time({"anon=16MiB", "anon=32MiB", "forked=48MiB"}, 0.6), Host());
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_NEAR(fitted->scale.share, std::log2(1.6), 0.03);
  EXPECT_EQ(fitted->scale.reference_ps, 10'000);
  const Price& price = fitted->profile.of(Cost::kAnonPage).price;
  EXPECT_NEAR(static_cast<double>(price.stall_ps) /
                  static_cast<double>(price.cpu_ps + price.stall_ps),
              fitted->scale.share, 1e-3);
  EXPECT_EQ(fitted->profile.memory_access_ps, 10'000u);
}

TEST(FitProfileTest, TakesTheUsualShareWhereMemoryIsAlwaysAsFast) {
  KnownHost host;
  std::vector<Timing> timings = host.Time({"anon=16MiB", "forked=48MiB"});
  for (Timing& timing : timings) {
    for (LiveReading& reading : timing.called) reading.memory_ps = 15'000;
  }
  const absl::StatusOr<Calibration> fitted = FitProfile(timings, Host());
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_NEAR(fitted->scale.share, 0.6, 1e-9);
}

TEST(FitProfileTest, NeedsVictims) {
  EXPECT_EQ(FitProfile({}, Host()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(FitProfileTest, NeedsAVersionWithTheCall) {
  HostDescription host = Host();
  const std::vector<Timing> timings = KnownHost().Time({"anon=1MiB"});
  host.version = "v5.14";
  EXPECT_EQ(FitProfile(timings, host).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST(MemoryScaleTest, ScalesTheShareThatGoesWithMemory) {
  const MemoryScale half = {.reference_ps = 10'000, .share = 0.5};
  EXPECT_DOUBLE_EQ(half.ToReference(300, 20'000), 200);
  EXPECT_DOUBLE_EQ(half.ToReference(300, 10'000), 300);
  EXPECT_DOUBLE_EQ(half.ToReference(300, 0), 300);
  EXPECT_DOUBLE_EQ(MemoryScale{}.ToReference(300, 20'000), 300);
}

TEST(MeasureCallsTest, TakesTheMedianAndTheQuartiles) {
  Timing timing;
  for (const uint64_t ns : {900, 1000, 5000, 1100, 800}) {
    timing.called.push_back({.call_ns = ns});
  }
  const Measured measured = MeasureCalls(timing, {});
  EXPECT_DOUBLE_EQ(measured.median_ns, 1000);
  EXPECT_DOUBLE_EQ(measured.spread, 0.2);  // (1100 - 900) / 1000
}

// ---- Checking --------------------------------------------------------------

TEST(CheckProfileTest, PredictsShapesThatWereNotFitted) {
  const KnownHost host;
  const absl::StatusOr<Calibration> fitted =
      FitProfile(host.Time(Specs()), Host());
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  const absl::StatusOr<CheckReport> report = CheckProfile(
      host.Time({"anon=30MiB,vmas=300,sparse=50", "thp=20MiB,mlock=3MiB"}),
      fitted->profile, "v6.18");
  ASSERT_TRUE(report.ok()) << report.status();
  ASSERT_THAT(report->lines, SizeIs(2));
  EXPECT_EQ(report->Counted(), 1u);
  for (const CheckLine& line : report->lines) {
    EXPECT_LT(std::abs(line.Error()), 0.06) << line.shape;
  }
  EXPECT_FALSE(report->Passes());  // one is not enough
}

TEST(CheckProfileTest, NeedsAVersionWithTheCall) {
  EXPECT_EQ(
      CheckProfile(KnownHost().Time({"anon=4KiB"}), CostProfile(), "v5.14")
          .status()
          .code(),
      absl::StatusCode::kUnimplemented);
}

CheckLine Line(uint64_t predicted_ns, bool counts = true) {
  return {.shape = "anon=64MiB",
          .measured = {.median_ns = 2e6, .spread = 0.1},
          .predicted_ns = predicted_ns,
          .counts = counts};
}

TEST(CheckReportTest, PassesWithinBounds) {
  struct Case {
    const char* name;
    size_t lines;
    uint64_t most;   // of their predictions, of 2,000,000
    uint64_t other;  // one more line
    bool counts;
    bool passes;
  };
  for (const Case& c : {
           Case{"good", 14, 2'200'000, 2'300'000, true, true},
           Case{"too few", 13, 2'200'000, 2'200'000, true, false},
           Case{"one too short to count", 14, 2'200'000, 2'200'000, false,
                false},
           Case{"one is 40 % too much", 14, 2'200'000, 2'800'000, true, true},
           Case{"one is 41 % too much", 14, 2'200'000, 2'820'000, true, false},
           Case{"one is 41 % too little", 14, 2'200'000, 1'180'000, true,
                false},
           Case{"half is 16 % too much", 14, 2'320'000, 2'320'000, true, false},
           Case{"what does not count may be wrong", 15, 2'200'000, 9'000'000,
                false, true},
       }) {
    SCOPED_TRACE(c.name);
    CheckReport report;
    for (size_t i = 0; i < c.lines; ++i) report.lines.push_back(Line(c.most));
    report.lines.push_back(Line(c.other, c.counts));
    EXPECT_EQ(report.Passes(), c.passes);
  }
  EXPECT_FALSE(CheckReport().Passes());
}

TEST(CheckReportTest, SaysWhatWasMeasuredAndPredicted) {
  CheckReport report;
  report.lines = {Line(2'100'000), Line(1'500'000, false)};
  EXPECT_EQ(CheckText(report),
            "shape       measured us  spread  predicted us         error\n"
            "anon=64MiB        2,000     10%         2,100           +5%\n"
            "anon=64MiB        2,000     10%         1,500  -25% (short)\n"
            "\n"
            "1 of 2 shapes took 1 ms or more, which is what counts: median "
            "error 5.0 %, worst\n"
            "5.0 %. Allowed: 15 % and 40 %, over at least 15 shapes.\n"
            "Failed.\n");
}

TEST(ResidualsTest, SaysHowWellEachShapeIsMet) {
  Calibration calibration;
  calibration.residuals = {{.shape = "anon=64MiB",
                            .what = "call",
                            .measured = {.median_ns = 4e6, .spread = 0.07},
                            .fitted_ns = 3.8e6}};
  EXPECT_EQ(ResidualsText(calibration),
            "shape       what     us  spread  fitted  residual\n"
            "anon=64MiB  call  4,000      7%   3,800       -5%\n");
}

}  // namespace
}  // namespace reapsim
