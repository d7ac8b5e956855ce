// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/payment.h"

#include <numeric>

#include "base/check.h"

namespace reapsim {
namespace {

// Products of 64-bit numbers: work of hours times a frequency.
using Wide = unsigned __int128;

constexpr int kUserIndex = static_cast<int>(WorkClass::kUser);

// Takes as much of *left as `ps` of time are enough for; returns the time.
uint64_t TakeCpu(uint64_t* left, uint64_t ps, const Speed& speed) {
  const uint64_t whole = speed.Time(*left);
  if (ps >= whole) {
    *left = 0;
    return whole;
  }
  *left -= speed.Done(ps);
  return ps;
}

uint64_t TakeStall(uint64_t* left, uint64_t ps) {
  const uint64_t taken = *left < ps ? *left : ps;
  *left -= taken;
  return taken;
}

}  // namespace

Speed Speed::Of(uint64_t num, uint64_t den) {
  const uint64_t common = std::gcd(num, den);
  return {.num = num / common, .den = den / common};
}

uint64_t Speed::Time(uint64_t cpu_ps) const {
  if (num == den) return cpu_ps;
  return static_cast<uint64_t>((Wide{cpu_ps} * den + num - 1) / num);
}

uint64_t Speed::Done(uint64_t ps) const {
  return static_cast<uint64_t>(Wide{ps} * num / den);
}

void Payment::Add(const Work& work, uint64_t contention_permille,
                  uint64_t stall_permille) {
  for (int i = 0; i < kWorkClasses; ++i) {
    work_.cpu_ps[i] += work.cpu_ps[i];
    work_.stall_ps[i] += work.stall_ps[i] * stall_permille / 1000;
  }
  work_.contended_cpu_ps += work.contended_cpu_ps;
  work_.contended_stall_ps += work.contended_stall_ps;
  contention_ps_ += work.contended_cpu_ps * contention_permille / 1000;
  contention_stall_ps_ += work.contended_stall_ps * stall_permille / 1000 *
                          contention_permille / 1000;
  work_.any |= work.any;
}

void Payment::DropUser() {
  work_.cpu_ps[kUserIndex] = 0;
  work_.any = TimeLeft({}) != 0;
}

uint64_t Payment::TimeLeft(const Speed& speed) const {
  uint64_t ps = contention_stall_ps_;
  if (contention_ps_ != 0) ps += speed.Time(contention_ps_);
  for (int i = 0; i < kWorkClasses; ++i) {
    if (work_.cpu_ps[i] != 0) ps += speed.Time(work_.cpu_ps[i]);
    ps += work_.stall_ps[i];
  }
  return ps;
}

uint64_t Payment::Nanoseconds(const Speed& speed) const {
  const uint64_t ps = TimeLeft(speed);
  return ps <= credit_ps_ ? 0 : (ps - credit_ps_ + 999) / 1000;
}

void Payment::Advance(uint64_t ns, const Speed& speed, TaskAccount* account) {
  uint64_t ps = ns * 1000 + credit_ps_;
  for (int i = 0; i < kWorkClasses; ++i) {
    if ((work_.cpu_ps[i] | work_.stall_ps[i]) == 0) continue;
    const uint64_t cpu = TakeCpu(&work_.cpu_ps[i], ps, speed);
    ps -= cpu;
    const uint64_t stall = TakeStall(&work_.stall_ps[i], ps);
    ps -= stall;
    account->by_class_ps[i] += cpu + stall;
  }
  const uint64_t waited = TakeCpu(&contention_ps_, ps, speed);
  ps -= waited;
  const uint64_t stalled = TakeStall(&contention_stall_ps_, ps);
  ps -= stalled;
  account->spin_ps += waited + stalled;
  credit_ps_ = ps;
  // Nothing is over unless all is done.
  if (ps != 0 || TimeLeft(speed) == 0) work_ = Work{};
  REAP_CHECK(credit_ps_ < 1000, "payment: paid too much");
}

}  // namespace reapsim
