// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/payment.h"

#include <gtest/gtest.h>

#include <vector>

namespace reapsim {
namespace {

constexpr int kZap = static_cast<int>(WorkClass::kZap);
constexpr int kFree = static_cast<int>(WorkClass::kFree);
constexpr int kUser = static_cast<int>(WorkClass::kUser);

Work WorkOf(WorkClass work, uint64_t cpu_ps, uint64_t stall_ps = 0,
            bool contended = false) {
  Work w{};
  const CostInfo info = {.work = work};
  w.Add(info, {.cpu_ps = cpu_ps, .stall_ps = stall_ps, .contended = contended},
        1);
  return w;
}

TEST(PaymentTest, TakesAsLongAsTheCpuNeeds) {
  struct Row {
    const char* what;
    Speed speed;
    uint64_t stall_permille;
    uint64_t ns;
  };
  // 3000 ps of work and 1500 ps of stall.
  for (const Row& row : std::vector<Row>{
           {"the reference CPU: 4500 ps", {1, 1}, 1000, 5},
           {"half as fast: 7500 ps", {1, 2}, 1000, 8},
           {"twice as fast: 3000 ps", {2, 1}, 1000, 3},
           {"three sevenths: 7000 + 1500 ps", {3, 7}, 1000, 9},
           {"memory of twice the time: 6000 ps", {1, 1}, 2000, 6},
       }) {
    SCOPED_TRACE(row.what);
    Payment payment;
    payment.Add(WorkOf(WorkClass::kZap, 3000, 1500), 0, row.stall_permille);
    EXPECT_EQ(payment.Nanoseconds(row.speed), row.ns);
    TaskAccount account;
    payment.Advance(row.ns, row.speed, &account);
    EXPECT_FALSE(payment.any());
    // Nothing is lost: what was not needed of the last nanosecond is credit.
    EXPECT_EQ(account.by_class_ps[kZap] + payment.credit_ps(), row.ns * 1000);
  }
}

TEST(PaymentTest, CreditsAddUpToNanosecondsThatNobodyHasToPay) {
  // Ten times 100 ps: the first takes a nanosecond, the others nothing.
  Payment payment;
  TaskAccount account;
  uint64_t ns = 0;
  for (int i = 0; i < 10; ++i) {
    payment.Add(WorkOf(WorkClass::kFree, 100), 0, 1000);
    const uint64_t takes = payment.Nanoseconds({});
    payment.Advance(takes, {}, &account);
    ns += takes;
  }
  EXPECT_EQ(ns, 1u);
  EXPECT_EQ(account.by_class_ps[kFree], 1000u);
  EXPECT_EQ(payment.credit_ps(), 0u);
}

TEST(PaymentTest, GoesOnWhereItWasInterruptedAtAnotherSpeed) {
  // 10 ns, of which 4 are done; the other 6 at a third of the speed.
  Payment payment;
  TaskAccount account;
  payment.Add(WorkOf(WorkClass::kZap, 10'000), 0, 1000);
  payment.Advance(4, {}, &account);
  EXPECT_TRUE(payment.any());
  EXPECT_EQ(payment.Nanoseconds({1, 3}), 18u);
  payment.Advance(18, {1, 3}, &account);
  EXPECT_FALSE(payment.any());
  EXPECT_EQ(account.by_class_ps[kZap], 22'000u);
}

TEST(PaymentTest, ContendedWorkTakesLongerByTimeSpentAtLocks) {
  Payment payment;
  TaskAccount account;
  payment.Add(WorkOf(WorkClass::kFree, 8000, 2000, /*contended=*/true), 300,
              1000);
  EXPECT_TRUE(payment.contended());
  EXPECT_EQ(payment.Nanoseconds({}), 13u);
  payment.Advance(13, {}, &account);
  EXPECT_EQ(account.by_class_ps[kFree], 10'000u);
  EXPECT_EQ(account.spin_ps, 3000u);
  EXPECT_FALSE(payment.contended());
}

TEST(PaymentTest, ContendedStallsWaitAsLongOnEveryCpu) {
  // 2000 ps of stall, of which contention makes 6000; nothing for the CPU.
  for (const Speed& speed : {Speed{1, 1}, Speed{1, 4}}) {
    Payment payment;
    TaskAccount account;
    payment.Add(WorkOf(WorkClass::kFree, 0, 2000, /*contended=*/true), 2000,
                1000);
    EXPECT_EQ(payment.Nanoseconds(speed), 6u);
    payment.Advance(6, speed, &account);
    EXPECT_EQ(account.by_class_ps[kFree], 2000u);
    EXPECT_EQ(account.spin_ps, 4000u);
  }
}

TEST(PaymentTest, TheProgramsOwnCanBeDroppedAndNothingElse) {
  Payment payment;
  TaskAccount account;
  Work own{};
  own.AddUser(5000);
  payment.Add(own, 0, 1000);
  payment.Add(WorkOf(WorkClass::kKernel, 2000), 0, 1000);
  EXPECT_TRUE(payment.user());
  payment.DropUser();
  EXPECT_FALSE(payment.user());
  EXPECT_EQ(payment.Nanoseconds({}), 2u);
  payment.Advance(2, {}, &account);
  EXPECT_EQ(account.by_class_ps[kUser], 0u);
  EXPECT_FALSE(payment.any());
}

TEST(PaymentTest, HoursOfWorkOnASlowCpuDontOverflow) {
  // 900 s of work: times the frequency that is more than 64 bits.
  Payment payment;
  TaskAccount account;
  payment.Add(WorkOf(WorkClass::kZap, uint64_t{900} * 1'000'000'000'000), 0,
              1000);
  const Speed slow = {.num = uint64_t{256} * 300, .den = uint64_t{1024} * 2803};
  const uint64_t ns = payment.Nanoseconds(slow);
  // 900 s * 1024 * 2803 / (256 * 300), rounded up.
  EXPECT_EQ(ns, 33'636'000'000'000u);
  payment.Advance(ns, slow, &account);
  EXPECT_FALSE(payment.any());
}

}  // namespace
}  // namespace reapsim
