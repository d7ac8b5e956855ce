// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "calibrate/model.h"

#include <signal.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "sched/timed.h"
#include "syscall/kernel.h"

namespace reapsim {
namespace {

// A world with a victim that is killed and held at PTRACE_EVENT_EXIT, as the
// harness holds the real one.
class HeldVictim {
 public:
  HeldVictim(Kernel& k, const VictimShape& shape)
      : k_(k), caller_(k.Spawn("caller")), victim_(BuildVictim(k, shape)) {
    threads_ = victim_.threads;
    threads_.insert(threads_.begin(), victim_.task);
    const auto must = [](const SysResult& result) {
      REAP_CHECK(result.ok(), "calibrate: a victim can't be held");
      return result.kernel();
    };
    fd_ = static_cast<int>(must(Caller().pidfd_open(victim_.task->pid(), 0)));
    for (Task* thread : threads_) {
      must(Caller().ptrace_seize(thread->pid(), true, true));
    }
    must(Caller().kill(victim_.task->pid(), SIGKILL));
    k_.RunUntilIdle();
  }

  Counts Call() {
    const Counts before = Of({&caller_});
    const SysResult result = Caller().process_mrelease(fd_, 0);
    REAP_CHECK(result.ok(), "calibrate: a held victim is not reaped");
    return Since(before, {&caller_});
  }
  // The same in timed mode: its ns.
  uint64_t TimeCall(const Prices& prices) {
    struct Times {
      int64_t start;
      int64_t end;
      int64_t result;
    };
    const Out<Times> out = k_.NewOut<Times>();
    TimedMachine machine(&k_.engine(), &k_.sched(), MachineConfig(), prices);
    k_.Begin(caller_, [fd = fd_, out](User user) {
      Times times = {};
      times.start = user.now().kernel();
      times.result = user.process_mrelease(fd, 0).kernel();
      times.end = user.now().kernel();
      out.Set(times);
    });
    const TimedStop stop =
        machine.Run(UINT64_MAX, [this] { return k_.Done(caller_); });
    REAP_CHECK(stop == TimedStop::kDone && out.Get().result == 0,
               "calibrate: a held victim is not reaped in timed mode");
    return static_cast<uint64_t>(out.Get().end - out.Get().start);
  }
  Counts Exit() {
    const Counts before = Of(threads_);
    for (Task* thread : threads_) {
      const SysResult result = Caller().ptrace_cont(thread->pid());
      REAP_CHECK(result.ok(), "calibrate: a held thread does not go on");
    }
    k_.RunUntilIdle();
    return Since(before, threads_);
  }

 private:
  User Caller() { return k_.As(caller_); }

  Counts Of(const std::vector<Task*>& tasks) {
    Counts counts = {};
    for (Task* task : tasks) {
      for (int kind = 0; kind < kCostKinds; ++kind) {
        counts[static_cast<size_t>(kind)] +=
            k_.Charged(*task, static_cast<Cost>(kind));
      }
    }
    return counts;
  }
  Counts Since(const Counts& before, const std::vector<Task*>& tasks) {
    Counts counts = Of(tasks);
    for (size_t kind = 0; kind < counts.size(); ++kind) {
      counts[kind] -= before[kind];
    }
    return counts;
  }

  Kernel& k_;
  Task& caller_;
  BuiltVictim victim_;
  std::vector<Task*> threads_;
  int fd_ = -1;
};

absl::StatusOr<std::unique_ptr<Kernel>> World(const VictimShape& shape,
                                              const std::string& version) {
  KernelOptions options;
  options.version = version;
  EnlargeMachine(shape, &options);
  absl::StatusOr<std::unique_ptr<Kernel>> k = Kernel::Create(options);
  if (k.ok() && !(*k)->differences().has_process_mrelease) {
    return absl::UnimplementedError(
        absl::StrCat("kernel ", version, " has no process_mrelease(2)"));
  }
  return k;
}

}  // namespace

absl::StatusOr<ShapeCounts> CountWork(const VictimShape& shape,
                                      const std::string& version) {
  ShapeCounts counts;
  for (const bool called : {true, false}) {
    const absl::StatusOr<std::unique_ptr<Kernel>> k = World(shape, version);
    if (!k.ok()) return k.status();
    HeldVictim victim(**k, shape);
    if (called) {
      counts.call = victim.Call();
      counts.again = victim.Call();
    }
    (called ? counts.exit_after : counts.exit_alone) = victim.Exit();
  }
  return counts;
}

absl::StatusOr<uint64_t> TimeCall(const VictimShape& shape,
                                  const std::string& version,
                                  const Prices& prices) {
  const absl::StatusOr<std::unique_ptr<Kernel>> k = World(shape, version);
  if (!k.ok()) return k.status();
  return HeldVictim(**k, shape).TimeCall(prices);
}

}  // namespace reapsim
