// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Timed mode, with the kernel's own code in it. The prices are round, so that
// times can be reckoned by hand; all but those that a test sets are 0.

#include "sched/timed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "sched/rwsem.h"
#include "sched/timer.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

constexpr uint64_t kUs = 1000;
constexpr uint64_t kMs = 1000 * kUs;
constexpr uint64_t kSec = 1000 * kMs;

Prices PricesOf(std::initializer_list<std::pair<Cost, Price>> list) {
  Prices prices{};
  for (const auto& [cost, price] : list) {
    prices.of[static_cast<int>(cost)] = price;
  }
  return prices;
}
Price Ns(uint64_t ns) { return {.cpu_ps = ns * 1000}; }

MachineConfig Cpus(size_t n) {
  MachineConfig config;
  config.cpus.assign(n, CpuConfig{});
  return config;
}

// A world and its machine. Ends by adding up the accounts.
struct Timed {
  explicit Timed(const MachineConfig& config, const Prices& prices = {},
                 const std::string& version = "v6.18")
      : k({.version = version, .cpus = static_cast<int>(config.cpus.size())}),
        config(config),
        prices(prices) {}
  ~Timed() {
    if (machine_ != nullptr) {
      EXPECT_EQ(machine_->CheckAccounts(), "");
    }
  }
  // Made when first asked for: with the tasks that there are.
  TimedMachine& machine() {
    if (!machine_) {
      machine_ = std::make_unique<TimedMachine>(&k.engine(), &k.sched(), config,
                                                prices);
    }
    return *machine_;
  }
  Task& Victim(Bytes anon) {
    Task& task = k.Spawn("victim", {.bare = true});
    const auto at = k.As(task).mmap(anon, Anonymous());
    EXPECT_THAT(k.As(task).touch(static_cast<uint64_t>(at.kernel()), anon),
                SyscallSucceeds());
    return task;
  }
  // As `caller`: kill and, if `reap`, process_mrelease.
  void BeginKill(Task& caller, Task& victim, bool reap) {
    const int fd =
        static_cast<int>(k.As(caller).pidfd_open(victim.pid(), 0).kernel());
    const pid_t pid = victim.pid();
    k.Begin(caller, [=](User user) {
      (void)user.kill(pid, SIGKILL);
      if (reap) (void)user.process_mrelease(fd, 0);
    });
  }
  void Set(Task& task, const SchedAttr& attr) {
    machine().SetSched(task.raw(), attr);
  }
  const TaskAccount& Account(Task& task) {
    return machine().AccountOf(task.raw());
  }
  TimedStop RunUntilDone(Task& task) {
    return machine().Run(UINT64_MAX, [&] { return k.Done(task); });
  }
  TimedStop RunFor(uint64_t ns) {
    return machine().Run(machine().now_ns() + ns, [] { return false; });
  }

  Kernel k;
  MachineConfig config;
  Prices prices;

 private:
  std::unique_ptr<TimedMachine> machine_;
};

constexpr SchedAttr kFifo{.policy = SchedPolicy::kFifo, .rt_priority = 1};

TEST(TimedTest, WhatIsChargedTakesItsPrice) {
  // 4 MiB are 1024 pages of 100 ns; nothing else costs anything. The victim is
  // on the other CPU, asleep in a driver.
  Timed t(Cpus(2), PricesOf({{Cost::kAnonPage, Ns(100)}}));
  Task& victim = t.Victim(4_MiB);
  Task& lmkd = t.k.Spawn("lmkd");
  t.k.Begin(victim, [](User user) { (void)user.driver_sleep(kSec); });
  (void)t.RunFor(0);
  t.BeginKill(lmkd, victim, /*reap=*/true);
  EXPECT_EQ(t.RunUntilDone(lmkd), TimedStop::kDone);
  EXPECT_EQ(t.machine().now_ns(), 1024 * 100u);
  EXPECT_EQ(t.Account(lmkd).stime_ns(), 1024 * 100u);
  EXPECT_EQ(t.Account(lmkd).by_class_ps[static_cast<int>(WorkClass::kZap)],
            1024 * 100u * 1000);
  EXPECT_EQ(t.Account(victim).run_ns, 0u);
}

TEST(TimedTest, ASlowCpuTakesLongerForWorkButNotForStalls) {
  struct Row {
    const char* what;
    uint32_t capacity;
    uint32_t opp;
    uint32_t stall_permille;
    uint64_t ns_per_page;
  };
  // 100 ns of work and 50 ns of stall for each page.
  for (const Row& row : std::vector<Row>{
           {"the reference CPU", 1024, 1, 1000, 150},
           {"half the capacity", 512, 1, 1000, 250},
           {"half the frequency", 1024, 0, 1000, 250},
           {"both", 512, 0, 1000, 450},
           {"slow memory", 1024, 1, 2000, 200},
       }) {
    SCOPED_TRACE(row.what);
    MachineConfig config = Cpus(1);
    config.cpus[0] = {
        .capacity = row.capacity, .mhz = {500, 1000}, .opp = row.opp};
    config.stall_permille = row.stall_permille;
    Timed t(
        config,
        PricesOf({{Cost::kAnonPage, {.cpu_ps = 100'000, .stall_ps = 50'000}}}));
    Task& victim = t.Victim(4_MiB);
    Task& lmkd = t.k.Spawn("lmkd");
    t.Set(lmkd, kFifo);
    t.BeginKill(lmkd, victim, /*reap=*/true);
    EXPECT_EQ(t.RunUntilDone(lmkd), TimedStop::kDone);
    EXPECT_EQ(t.machine().now_ns(), 1024 * row.ns_per_page);
  }
}

TEST(TimedTest, TheVictimsSleepDelaysItsMemoryButNotTheReaper) {
  for (const bool reap : {false, true}) {
    Timed t(Cpus(2), PricesOf({{Cost::kPageFreed, Ns(100)}}));
    Task& victim = t.Victim(4_MiB);
    Task& lmkd = t.k.Spawn("lmkd");
    const uint64_t before = t.k.free_pages();
    t.k.Begin(victim, [](User user) { (void)user.driver_sleep(10 * kSec); });
    (void)t.RunFor(kMs);
    t.BeginKill(lmkd, victim, reap);
    const uint64_t killed = t.machine().now_ns();
    EXPECT_EQ(
        t.machine().Run(UINT64_MAX,
                        [&] { return t.k.free_pages() >= before + 1024; }),
        TimedStop::kDone);
    // Kill only: the rest of the ten seconds. With the call: at once; the last
    // pages are seen before they are paid for.
    const uint64_t took = t.machine().now_ns() - killed;
    if (reap) {
      EXPECT_LT(took, 110 * kUs);
    } else {
      EXPECT_GE(took, 10 * kSec - kMs);
      EXPECT_LT(took, 10 * kSec + kMs);
    }
  }
}

TEST(TimedTest, FairTasksShareACpuByTheirNiceValues) {
  struct Row {
    int nice;
    // The other one's share, 1024 / (1024 + weight), of two seconds, in ms.
    uint64_t other_ms;
  };
  for (const Row& row : std::vector<Row>{{0, 1000}, {5, 1506}, {19, 1971}}) {
    SCOPED_TRACE(row.nice);
    Timed t(Cpus(1));
    Task& a = t.k.Spawn("a");
    Task& b = t.k.Spawn("b");
    t.Set(b, {.nice = static_cast<int8_t>(row.nice)});
    for (Task* task : {&a, &b}) {
      t.k.Begin(*task, [](User user) { (void)user.compute(100 * kSec); });
    }
    EXPECT_EQ(t.RunFor(2 * kSec), TimedStop::kDeadline);
    EXPECT_NEAR(static_cast<double>(t.Account(a).utime_ns()),
                static_cast<double>(row.other_ms * kMs), 10.0 * kMs);
    EXPECT_EQ(t.Account(a).run_ns + t.Account(b).run_ns, 2 * kSec);
    EXPECT_GT(t.Account(b).runqueue_ns, 900 * kMs);
  }
}

TEST(TimedTest, ARealTimeTaskTakesTheCpuWhenItWakes) {
  // Ten sleeps of 1 ms beside a task that always computes: nobody waits.
  Timed t(Cpus(1));
  Task& hog = t.k.Spawn("hog");
  Task& rt = t.k.Spawn("rt");
  t.Set(rt, kFifo);
  t.k.Begin(hog, [](User user) { (void)user.compute(kSec); });
  t.k.Begin(rt, [](User user) {
    for (int i = 0; i < 10; ++i) (void)user.nanosleep(kMs);
  });
  EXPECT_EQ(t.RunUntilDone(rt), TimedStop::kDone);
  EXPECT_EQ(t.machine().now_ns(), 10 * kMs);
  EXPECT_EQ(t.Account(rt).runqueue_ns, 0u);
}

TEST(TimedTest, AFatalSignalEndsAComputationAtOnce) {
  Timed t(Cpus(2));
  Task& victim = t.Victim(1_MiB);
  Task& lmkd = t.k.Spawn("lmkd");
  t.k.Begin(victim, [](User user) {
    for (;;) (void)user.compute(3600 * kSec);
  });
  (void)t.RunFor(5 * kMs);
  t.BeginKill(lmkd, victim, /*reap=*/false);
  EXPECT_EQ(
      t.machine().Run(UINT64_MAX,
                      [&] { return victim.phase() != TaskPhase::kAlive; }),
      TimedStop::kDone);
  EXPECT_EQ(t.machine().now_ns(), 5 * kMs);
}

TEST(TimedTest, ContendedSpinlocksBurnTheWaitersTime) {
  // Reaper and victim walk the same way (v6.1), and meet at each table's lock.
  Timed forward(Cpus(2), PricesOf({{Cost::kAnonPage, Ns(100)}}), "v6.1");
  // From v6.18 on the reaper comes from the other end.
  Timed reverse(Cpus(2), PricesOf({{Cost::kAnonPage, Ns(100)}}), "v6.18");
  uint64_t spun[2];
  int i = 0;
  for (Timed* t : {&forward, &reverse}) {
    Task& victim = t->k.Spawn("victim", {.bare = true});
    // Apart from each other, or they would be one VMA.
    constexpr uint64_t kGiB = uint64_t{1} << 30;
    for (uint64_t at = kGiB; at <= 8 * kGiB; at += kGiB) {
      (void)t->k.As(victim).mmap(4_MiB, Anonymous(), at);
      (void)t->k.As(victim).touch(at, 4_MiB);
    }
    Task& lmkd = t->k.Spawn("lmkd");
    t->k.Begin(victim, [](User user) {
      for (;;) (void)user.compute(kSec);
    });
    (void)t->RunFor(kMs);
    t->BeginKill(lmkd, victim, /*reap=*/true);
    EXPECT_EQ(t->RunUntilDone(lmkd), TimedStop::kDone);
    (void)t->RunFor(10 * kMs);
    spun[i] = 0;
    for (const TaskAccount& account : t->machine().accounts()) {
      spun[i] += account.spin_ps / 1000;
    }
    ++i;
  }
  // A table of 512 pages is held for 51.2 us.
  EXPECT_GT(spun[0], 51 * kUs);
  EXPECT_LE(spun[1], 52 * kUs);
}

TEST(TimedTest, ReadersOfTheMmapLockDontWaitForEachOther) {
  // They share the page tables, lock by lock.
  Timed t(Cpus(4), PricesOf({{Cost::kAnonPage, Ns(1000)}}));
  Task& victim = t.Victim(4_MiB);
  Task& first = t.k.Spawn("first");
  Task& second = t.k.Spawn("second");
  t.k.Begin(victim, [](User user) { (void)user.driver_sleep(kSec); });
  (void)t.RunFor(0);
  t.BeginKill(first, victim, /*reap=*/true);
  t.BeginKill(second, victim, /*reap=*/true);
  EXPECT_EQ(t.RunUntilDone(second), TimedStop::kDone);
  EXPECT_EQ(t.RunUntilDone(first), TimedStop::kDone);
  // Readers don't wait for each other; they share the tables, in turns.
  EXPECT_EQ(t.Account(first).lock_wait_ns, 0u);
  EXPECT_EQ(t.Account(second).lock_wait_ns, 0u);
  EXPECT_LE(t.machine().now_ns(), 1024 * kUs + 512 * kUs);
}

TEST(TimedTest, CpuMaxStopsAReaperInTheMiddleOfItsWalk) {
  struct Row {
    bool in_kernel;
    uint64_t took_ns;
  };
  // 40 MiB are 20 tables of 512 pages, each 5.12 ms of work under its lock,
  // 102.4 ms in all; 20 ms may be done in each 100 ms. It is stopped between
  // two tables, when four are done (20.48 ms): the debt is paid from the next
  // period. After five of them 100 ms are done, and in the sixth the rest. Not
  // stopped in the kernel, it is done in one go.
  for (const Row& row :
       std::vector<Row>{{true, 500 * kMs}, {false, 102'400 * kUs}}) {
    SCOPED_TRACE(row.in_kernel);
    MachineConfig config = Cpus(2);
    config.bandwidth = {
        {.cgroup = 7, .quota_ns = 20 * kMs, .period_ns = 100 * kMs}};
    config.throttle_in_kernel = row.in_kernel;
    Timed t(config, PricesOf({{Cost::kAnonPage, Ns(10'000)}}));
    Task& victim = t.Victim(40_MiB);
    Task& lmkd = t.k.Spawn("lmkd");
    ASSERT_THAT(t.k.As(lmkd).cgroup_attach(lmkd.pid(), 7), SyscallSucceeds());
    t.k.Begin(victim, [](User user) { (void)user.driver_sleep(kSec); });
    (void)t.RunFor(0);
    t.BeginKill(lmkd, victim, /*reap=*/true);
    EXPECT_EQ(t.RunUntilDone(lmkd), TimedStop::kDone);
    EXPECT_GE(t.machine().now_ns(), row.took_ns);
    EXPECT_LT(t.machine().now_ns(), row.took_ns + 10 * kMs);
    EXPECT_EQ(t.Account(lmkd).run_ns, 102'400 * kUs);
    EXPECT_EQ(t.Account(lmkd).throttled_ns,
              t.machine().now_ns() - 102'400 * kUs);
    EXPECT_EQ(t.machine().CgroupUsage(7), 102'400 * kUs);
  }
}

TEST(TimedTest, AFrozenVictimsMemoryComesBackByTheCallAlone) {
  Timed t(Cpus(2), PricesOf({{Cost::kAnonPage, Ns(100)}}));
  Task& victim = t.Victim(4_MiB);
  Task& lmkd = t.k.Spawn("lmkd");
  ASSERT_THAT(t.k.As(lmkd).freeze_v1(victim.pid(), true), SyscallSucceeds());
  (void)t.RunFor(kMs);
  t.BeginKill(lmkd, victim, /*reap=*/true);
  EXPECT_EQ(t.RunUntilDone(lmkd), TimedStop::kDone);
  (void)t.RunFor(kSec);
  EXPECT_EQ(victim.phase(), TaskPhase::kAlive);
  EXPECT_EQ(victim.mm().rss(MM_ANONPAGES), Pages(0));
  ASSERT_THAT(t.k.As(lmkd).freeze_v1(victim.pid(), false), SyscallSucceeds());
  (void)t.RunFor(0);
  EXPECT_NE(victim.phase(), TaskPhase::kAlive);
}

TEST(TimedTest, ContendedWorkTakesLongerWhileOthersDoTheLike) {
  // Two reapers of two victims: each page is 100 ns, and half as much again
  // while the other one frees, too.
  MachineConfig config = Cpus(4);
  config.contention_permille = 500;
  Timed t(
      config,
      PricesOf({{Cost::kPageFreed, {.cpu_ps = 100'000, .contended = true}}}));
  Task* reapers[2];
  for (Task*& reaper : reapers) {
    Task& victim = t.Victim(4_MiB);
    reaper = &t.k.Spawn("reaper");
    t.k.Begin(victim, [](User user) { (void)user.driver_sleep(kSec); });
    (void)t.RunFor(0);
    t.BeginKill(*reaper, victim, /*reap=*/true);
  }
  EXPECT_EQ(t.RunUntilDone(*reapers[0]), TimedStop::kDone);
  EXPECT_EQ(t.RunUntilDone(*reapers[1]), TimedStop::kDone);
  const uint64_t spun = t.Account(*reapers[0]).spin_ps / 1000 +
                        t.Account(*reapers[1]).spin_ps / 1000;
  // Whoever begins a batch while the other one is at his pays: nearly always.
  EXPECT_GT(spun, 2 * 1024 * 50 * 8 / 10);
  EXPECT_LE(spun, 2 * 1024 * 50);
  EXPECT_EQ(t.machine().now_ns(), t.machine().now_ns());
}

TEST(TimedTest, ASteppedCpuClimbsWithUse) {
  MachineConfig config = Cpus(1);
  config.cpus[0] = {.mhz = {300, 600, 1200}, .governor = Governor::kStepped};
  Timed t(config);
  t.machine().KeepTimeline(nullptr, nullptr);
  Task& hog = t.k.Spawn("hog");
  t.k.Begin(hog, [](User user) { (void)user.compute(10 * kSec); });
  (void)t.RunFor(kSec);
  const auto& steps = t.machine().timeline().frequencies;
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0].mhz, 300u);
  EXPECT_EQ(steps[1].mhz, 600u);
  EXPECT_EQ(steps[2].mhz, 1200u);
  // 300 MHz of 1200 are a quarter of full use, of which the mean has half after
  // 32 ms, three quarters after 64. More than 300 MHz are wanted when it is
  // above four fifths (a quarter of head-room): in the 19th tick.
  EXPECT_EQ(steps[1].at_ns, 19 * 4 * kMs);
  // From there to four fifths of 600 MHz: (0.5 - 0.4) / (0.5 - 0.2) is a third
  // left, after 1.58 * 32 ms; in the 13th tick.
  EXPECT_EQ(steps[2].at_ns, (19 + 13) * 4 * kMs);
}

TEST(TimedTest, TheTimelineHasEachCpusAndEachTasksTime) {
  Timed t(Cpus(2), PricesOf({{Cost::kAnonPage, Ns(100)}}));
  Task& victim = t.Victim(4_MiB);
  Task& lmkd = t.k.Spawn("lmkd");
  t.machine().KeepTimeline(
      [](const void* k) { return static_cast<const Kernel*>(k)->free_pages(); },
      &t.k);
  t.k.Begin(victim, [](User user) { (void)user.driver_sleep(kMs); });
  (void)t.RunFor(0);
  t.BeginKill(lmkd, victim, /*reap=*/true);
  EXPECT_EQ(t.RunUntilDone(lmkd), TimedStop::kDone);
  (void)t.RunFor(10 * kMs);
  const Timeline& timeline = t.machine().timeline();
  uint64_t ran = 0;
  for (const TimelineSlice& slice : timeline.slices) {
    ran += slice.end_ns - slice.start_ns;
  }
  uint64_t busy = 0;
  for (const CpuAccount& cpu : t.machine().cpus()) busy += cpu.busy_ns;
  EXPECT_EQ(ran, busy);
  const auto slept = std::find_if(
      timeline.waits.begin(), timeline.waits.end(),
      [](const TimelineWait& w) { return w.point == Point::kTimeout; });
  ASSERT_NE(slept, timeline.waits.end());
  EXPECT_EQ(slept->start_ns, 0u);
  EXPECT_EQ(slept->end_ns, kMs);
  EXPECT_EQ(slept->kind, WaitKind::kSleep);
  EXPECT_EQ(timeline.free_pages.back().value, t.k.free_pages());
  EXPECT_GE(timeline.free_pages.back().value,
            timeline.free_pages.front().value + 1024);
}

TEST(TimedTest, AWriterThatHasWaitedFor4MsIsNext) {
  // A reader holds the victim's mmap_lock for 10 ms; a writer comes after 1.
  Timed t(Cpus(2));
  Task& victim = t.Victim(1_MiB);
  Task& reader = t.k.Spawn("reader");
  Task& writer = t.k.Spawn("writer");
  mm_struct* mm = victim.raw()->mm;
  t.k.BeginCall(reader, [mm]() -> int64_t {
    down_read(&mm->mmap_lock);
    schedule_hrtimeout_uninterruptible(10 * kMs);
    up_read(&mm->mmap_lock);
    return 0;
  });
  t.k.BeginCall(writer, [mm]() -> int64_t {
    schedule_hrtimeout_uninterruptible(kMs);
    down_write(&mm->mmap_lock);
    up_write(&mm->mmap_lock);
    return 0;
  });
  (void)t.RunFor(5 * kMs - 1);
  EXPECT_FALSE(mm->mmap_lock.handoff);
  (void)t.RunFor(1);
  EXPECT_TRUE(mm->mmap_lock.handoff);
  EXPECT_EQ(t.RunUntilDone(writer), TimedStop::kDone);
  EXPECT_EQ(t.machine().now_ns(), 10 * kMs);
  EXPECT_EQ(t.Account(writer).lock_wait_ns, 9 * kMs);
  EXPECT_EQ(t.Account(writer).sleep_ns, kMs);
  EXPECT_EQ(t.Account(reader).lock_wait_ns, 0u);
}

TEST(TimedTest, TheCallWaitsForAForkThatHoldsTheLock) {
  // A thread of the victim forks: 8 tables of 1 ms each are copied under the
  // lock, which the call gets when they are.
  Timed t(Cpus(2), PricesOf({{Cost::kPteTableVisited, Ns(kMs)}}));
  Task& victim = t.Victim(16_MiB);
  Task& lmkd = t.k.Spawn("lmkd");
  t.k.Begin(victim, [](User user) { (void)user.fork(); });
  (void)t.RunFor(2 * kMs + 1);
  t.BeginKill(lmkd, victim, /*reap=*/true);
  EXPECT_EQ(t.RunUntilDone(lmkd), TimedStop::kDone);
  EXPECT_GE(t.Account(lmkd).lock_wait_ns, 6 * kMs - 1);
  EXPECT_LT(t.Account(lmkd).lock_wait_ns, 8 * kMs);
}

TEST(TimedTest, TasksMayEndBetweenTwoRuns) {
  // A kernel thread that sleeps, and a task that was computing.
  Timed t(Cpus(1), PricesOf({{Cost::kExit, Ns(kMs)}}));
  Task& victim = t.Victim(1_MiB);
  Task& hog = t.k.Spawn("hog");
  Task& other = t.k.Spawn("other");
  Task& borrower = t.k.LendMm(victim);
  for (Task* task : {&hog, &other}) {
    t.k.Begin(*task, [](User user) { (void)user.compute(kSec); });
  }
  (void)t.RunFor(10 * kMs);
  t.k.ReturnMm(borrower);
  ASSERT_THAT(t.k.As(t.k.init()).kill(hog.pid(), SIGKILL), SyscallSucceeds());
  ASSERT_THAT(t.k.As(t.k.init()).kill(other.pid(), SIGKILL), SyscallSucceeds());
  (void)t.k.RunUntilBlocked(hog);
  (void)t.k.RunUntilBlocked(other);
  (void)t.RunFor(10 * kMs);
  uint64_t paid = 0;
  for (const TaskAccount& account : t.machine().accounts()) {
    paid += account.run_ns;
  }
  EXPECT_EQ(paid, 10 * kMs);
}

TEST(TimedTest, NothingToDoIsSaidSo) {
  Timed t(Cpus(1));
  t.Victim(1_MiB);
  EXPECT_EQ(t.machine().Run(UINT64_MAX, [] { return false; }),
            TimedStop::kIdle);
}

TEST(TimedTest, TasksMoveToTheCpusTheyAskFor) {
  Timed t(Cpus(2));
  Task& task = t.k.Spawn("task");
  t.machine().KeepTimeline(nullptr, nullptr);
  t.k.Begin(task, [](User user) {
    (void)user.compute(kMs);
    Check(user.sched_setaffinity(0, 2).kernel() == 0, "affinity");
    (void)user.compute(kMs);
    Check(user.sched_setaffinity(0, 4).kernel() == -EINVAL, "no such CPU");
    Check(user.sched_setaffinity(999, 1).kernel() == -ESRCH, "no such task");
    Check(user.now().kernel() == 2 * kMs, "now");
  });
  EXPECT_EQ(t.RunUntilDone(task), TimedStop::kDone);
  EXPECT_EQ(t.machine().cpus()[0].busy_ns, kMs);
  EXPECT_EQ(t.machine().cpus()[1].busy_ns, kMs);
}

}  // namespace
}  // namespace reapsim
