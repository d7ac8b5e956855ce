// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "calibrate/live.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "conform/host_machine.h"

namespace reapsim {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kHuge = uint64_t{2} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;
constexpr uint64_t kReadWrite = PROT_READ | PROT_WRITE;
constexpr uint64_t kNoFd = static_cast<uint64_t>(-1);
constexpr uint64_t kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
// Far from what the victims' program maps.
constexpr uint64_t kBase = uint64_t{32} << 40;

uint64_t Now() {
  timespec now = {};
  (void)clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<uint64_t>(now.tv_nsec);
}

void Pin(pid_t tid, int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<size_t>(cpu), &one);
  (void)sched_setaffinity(tid, sizeof one, &one);
}

// ---- Building --------------------------------------------------------------

// Gives a process the memory of a shape, as latency/shape.cc does in the model:
// each kind in a mapping of its own at a multiple of 1 GiB, a gap behind it.
class LiveBuilder {
 public:
  // It runs on `cpu`; where it makes many calls, on `near`, which is the
  // harness's: to wake somebody on another CPU takes far longer than a call.
  LiveBuilder(HostMachine& m, HostTask& victim, const VictimShape& shape,
              int file, int cpu, int near)
      : m_(m),
        victim_(victim),
        shape_(shape),
        file_(file),
        cpu_(cpu),
        near_(near) {
    RunOn(cpu_);
  }

  void Run() {
    if (shape_.forked != 0) {
      Written(Anon(shape_.forked), shape_.forked);
      if (m_.ok()) (void)victim_.Fork();
    }
    if (shape_.anon != 0) Written(Anon(shape_.anon), shape_.anon);
    Huge();
    if (shape_.mlock != 0) {
      const uint64_t at = Anon(shape_.mlock);
      Written(at, shape_.mlock);
      (void)victim_.Must(SYS_mlock, at, shape_.mlock);
    }
    if (shape_.swap != 0) {
      const uint64_t at = Anon(shape_.swap);
      Written(at, shape_.swap);
      (void)victim_.Must(SYS_madvise, at, shape_.swap, MADV_PAGEOUT);
    }
    Files();
    Vmas();
    Sparse(shape_.sparse, kHuge);
    Sparse(shape_.scattered, kGiB);
    for (uint64_t i = 0; i < shape_.threads && m_.ok(); ++i) {
      threads_.push_back(&victim_.CloneThread());
    }
  }

  // The victim's, the first among them.
  const std::vector<HostTask*>& threads() const { return threads_; }

 private:
  void RunOn(int cpu) {
    if (m_.ok() && cpu >= 0) Pin(victim_.tid(), cpu);
  }
  uint64_t Place(uint64_t span) {
    const uint64_t at = next_;
    next_ += (span + 2 * kGiB - 1) / kGiB * kGiB;
    return at;
  }
  uint64_t Map(uint64_t at, uint64_t span, uint64_t prot, uint64_t flags,
               uint64_t fd = kNoFd) {
    (void)victim_.Must(SYS_mmap, at, span, prot, flags | MAP_FIXED_NOREPLACE,
                       fd, 0);
    return at;
  }
  // Small pages only, whatever the host makes of large mappings.
  uint64_t Anon(uint64_t span, uint64_t more_flags = 0) {
    const uint64_t at =
        Map(Place(span), span, kReadWrite, kAnonymous | more_flags);
    (void)victim_.Must(SYS_madvise, at, span, MADV_NOHUGEPAGE);
    return at;
  }
  void Written(uint64_t at, uint64_t span, uint64_t stride = kPage) {
    Touch(at, span, stride, true);
  }
  void Read(uint64_t at, uint64_t span) { Touch(at, span, kPage, false); }
  // In pieces: a guest's memory may first have to be given back to it by its
  // host, and the harness loses patience with a command after a while.
  void Touch(uint64_t at, uint64_t span, uint64_t stride, bool write) {
    const bool huge = write && stride == kHuge;
    const uint64_t places = huge ? 64 : 8192;
    while (span != 0 && m_.ok()) {
      const uint64_t piece = std::min(span, places * stride);
      victim_.Touch(at, piece, stride, write);
      at += piece;
      span -= piece;
    }
  }

  void Huge() {
    if (shape_.thp == 0) return;
    const uint64_t at =
        Map(Place(shape_.thp), shape_.thp, kReadWrite, kAnonymous);
    (void)victim_.Must(SYS_madvise, at, shape_.thp, MADV_HUGEPAGE);
    Written(at, shape_.thp, kHuge);
  }

  void Files() {
    if (const uint64_t span = shape_.file; span != 0) {
      Read(Map(Place(span), span, PROT_READ, MAP_PRIVATE, OpenFile()), span);
    }
    if (const uint64_t span = shape_.cow; span != 0) {
      Written(Map(Place(span), span, kReadWrite, MAP_PRIVATE, OpenFile()),
              span);
    }
    if (const uint64_t span = shape_.memfd; span != 0) {
      Read(Map(Place(span), span, PROT_READ, MAP_PRIVATE, Memfd(span)), span);
    }
    if (const uint64_t span = shape_.shmem; span != 0) {
      Written(Map(Place(span), span, kReadWrite, MAP_SHARED, Memfd(span)),
              span);
    }
  }
  uint64_t OpenFile() {
    const std::string path = absl::StrCat("/proc/", getpid(), "/fd/", file_);
    return static_cast<uint64_t>(victim_.Must(SYS_openat,
                                              static_cast<uint64_t>(AT_FDCWD),
                                              victim_.Text(path), O_RDONLY, 0));
  }
  uint64_t Memfd(uint64_t span) {
    const auto fd = static_cast<uint64_t>(
        victim_.Must(SYS_memfd_create, victim_.Text("reapsim"), 0));
    (void)victim_.Must(SYS_ftruncate, fd, span);
    return fd;
  }

  uint64_t MapMany(uint64_t count, uint64_t flags, uint64_t fd = kNoFd) {
    constexpr uint64_t kStep = 2 * kPage;
    const uint64_t start = Place(count * kStep);
    RunOn(near_);
    for (uint64_t i = 0; i < count; ++i) {
      (void)Map(start + i * kStep, kPage, kReadWrite, flags, fd);
    }
    RunOn(cpu_);
    return start;
  }
  void Vmas() {
    if (shape_.vmas != 0) {
      const uint64_t at = MapMany(shape_.vmas, kAnonymous);
      Written(at, shape_.vmas * 2 * kPage, 2 * kPage);
    }
    if (shape_.untouched != 0) (void)MapMany(shape_.untouched, kAnonymous);
    if (shape_.shared != 0) {
      (void)MapMany(shape_.shared, MAP_SHARED, Memfd(kPage));
    }
  }
  void Sparse(uint64_t count, uint64_t step) {
    if (count == 0) return;
    Written(Anon(count * step, MAP_NORESERVE), count * step, step);
  }

  HostMachine& m_;
  HostTask& victim_;
  const VictimShape& shape_;
  const int file_;
  const int cpu_;
  const int near_;
  uint64_t next_ = kBase;
  std::vector<HostTask*> threads_ = {&victim_};
};

// ---- Timing ----------------------------------------------------------------

// As long as it lives, the calling thread runs before all that has no
// real-time priority. What it can't have it does without.
class Foremost {
 public:
  explicit Foremost(bool allowed) : allowed_(allowed) {
    const sched_param first = {.sched_priority =
                                   sched_get_priority_min(SCHED_FIFO)};
    if (allowed_) (void)sched_setscheduler(0, SCHED_FIFO, &first);
  }
  ~Foremost() {
    const sched_param none = {};
    if (allowed_) (void)sched_setscheduler(0, SCHED_OTHER, &none);
  }
  Foremost(const Foremost&) = delete;
  Foremost& operator=(const Foremost&) = delete;

 private:
  const bool allowed_;
};

// Lets the victim's threads go, before everybody else if that is allowed, and
// looks without pause until it is a zombie: the ns that took, or 0 if it does
// not end.
uint64_t TimeExit(const std::vector<HostTask*>& threads, int pidfd,
                  bool has_fifo) {
  constexpr uint64_t kPatience = 30'000'000'000;
  const sched_param first = {.sched_priority =
                                 sched_get_priority_min(SCHED_FIFO)};
  for (const HostTask* thread : threads) {
    if (has_fifo) (void)sched_setscheduler(thread->tid(), SCHED_FIFO, &first);
  }
  const uint64_t start = Now();
  for (const HostTask* thread : threads) {
    (void)ptrace(PTRACE_CONT, thread->tid(), nullptr, nullptr);
  }
  while (Now() - start < kPatience) {
    siginfo_t info = {};
    if (waitid(P_PIDFD, static_cast<id_t>(pidfd), &info,
               WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
        info.si_pid != 0) {
      return Now() - start;
    }
    // A tracer has to take its threads' ends before the leader's is told.
    for (size_t i = 1; i < threads.size(); ++i) {
      int status = 0;
      (void)waitpid(threads[i]->tid(), &status, WNOHANG | __WALL);
    }
  }
  return 0;
}

uint64_t HostMemory() {
  struct sysinfo info = {};
  (void)sysinfo(&info);
  return static_cast<uint64_t>(info.freeram + info.bufferram) * info.mem_unit;
}
uint64_t HostSwap() {
  struct sysinfo info = {};
  (void)sysinfo(&info);
  return static_cast<uint64_t>(info.freeswap) * info.mem_unit;
}

}  // namespace

uint64_t LiveBytes(const VictimShape& shape) {
  return shape.anon + shape.thp + shape.mlock + shape.forked + shape.swap +
         shape.cow + shape.memfd + shape.shmem +
         (shape.vmas + 2 * shape.sparse + 2 * shape.scattered) * kPage;
}

absl::StatusOr<std::unique_ptr<LiveHost>> LiveHost::Make(
    uint64_t most_file_bytes) {
  absl::Status can = HostCanConform();
  if (!can.ok()) return can;
  std::unique_ptr<LiveHost> host(new LiveHost);
  can = host->MakeFile(most_file_bytes);
  if (!can.ok()) return can;
  // More than a core has to itself; a power of two.
  constexpr uint64_t kProbeBytes = uint64_t{4} << 20;
  host->probe_.resize(kProbeBytes / sizeof(uint64_t));
  host->TakeCpu();
  return host;
}

LiveHost::~LiveHost() {
  if (cpu_ >= 0) {
    (void)sched_setaffinity(0, sizeof cpus_, &cpus_);
    (void)setpriority(PRIO_PROCESS, 0, nice_);
  }
  if (file_ >= 0) close(file_);
}

// Written in large pieces, as a package's installation would.
absl::Status LiveHost::MakeFile(uint64_t bytes) {
  const auto failed = [](absl::string_view what) {
    return absl::InternalError(
        absl::StrCat("a file in /var/tmp: ", what, " fails, error ", errno));
  };
  file_ = open("/var/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  if (file_ < 0) return failed("open");
  const std::vector<char> piece(1 << 20, 1);
  for (uint64_t done = 0; done < bytes; done += piece.size()) {
    if (write(file_, piece.data(), piece.size()) !=
        static_cast<ssize_t>(piece.size())) {
      return failed("write");
    }
  }
  // Writing it out later would disturb what is timed.
  if (fsync(file_) != 0) return failed("fsync");
  return absl::OkStatus();
}

void LiveHost::TakeCpu() {
  if (sched_getaffinity(0, sizeof cpus_, &cpus_) != 0) return;
  for (int cpu = 0; cpu < CPU_SETSIZE && victims_cpu_ < 0; ++cpu) {
    if (!CPU_ISSET(static_cast<size_t>(cpu), &cpus_)) continue;
    (cpu_ < 0 ? cpu_ : victims_cpu_) = cpu;
  }
  if (cpu_ < 0) return;
  Pin(0, cpu_);
  if (victims_cpu_ < 0) {
    notes_.push_back("there is one CPU only: victims end on the harness's");
  }
  const sched_param first = {.sched_priority =
                                 sched_get_priority_min(SCHED_FIFO)};
  const sched_param none = {};
  has_fifo_ = sched_setscheduler(0, SCHED_FIFO, &first) == 0;
  if (has_fifo_) {
    (void)sched_setscheduler(0, SCHED_OTHER, &none);
  } else {
    notes_.push_back(
        "the host does not allow SCHED_FIFO: others may run in between");
  }
}

// ps for one locked increment of a word at random in 4 MiB: what the kernel
// does all the time when it unmaps and frees pages. What others do on the same
// machine, guests beside this one too, changes it by a factor of two. In
// assembly, so that it is the same whatever the compiler is told.
uint64_t LiveHost::MemorySpeed() {
  constexpr uint64_t kWarm = 30'000;
  constexpr uint64_t kTimed = 30'000;
  const auto walk = [this](uint64_t steps) {
    uint64_t index = 0;
    __asm__ volatile(
        "1:\n\t"
        "imul %[factor], %[random]\n\t"
        "add $0x3039, %[random]\n\t"
        "mov %[random], %[index]\n\t"
        "shr $33, %[index]\n\t"
        "and %[mask], %[index]\n\t"
        "lock incq (%[words],%[index],8)\n\t"
        "dec %[steps]\n\t"
        "jnz 1b"
        : [random] "+r"(random_), [index] "+r"(index), [steps] "+r"(steps)
        : [factor] "r"(uint64_t{6364136223846793005}),
          [mask] "r"(uint64_t{probe_.size() - 1}), [words] "r"(probe_.data())
        : "memory", "cc");
  };
  walk(kWarm);
  const uint64_t start = Now();
  walk(kTimed);
  return (Now() - start) * 1000 / kTimed;
}

uint64_t LiveHost::TimeSyscall() const {
  constexpr uint64_t kCalls = 20'000;
  const Foremost foremost(has_fifo_);
  const uint64_t start = Now();
  for (uint64_t i = 0; i < kCalls; ++i) {
    (void)syscall(SYS_pidfd_open, -1, 0);
  }
  return (Now() - start) / kCalls;
}

// Two threads of the same priority give the CPU to each other.
uint64_t LiveHost::TimeSwitch() const {
  if (!has_fifo_ || cpu_ < 0) return 0;
  constexpr uint64_t kYields = 20'000;
  const Foremost foremost(has_fifo_);
  const uint64_t start = Now();
  // It inherits CPU and priority, and begins when this one yields.
  std::thread other([] {
    for (uint64_t i = 0; i < kYields; ++i) (void)sched_yield();
  });
  for (uint64_t i = 0; i < kYields; ++i) (void)sched_yield();
  other.join();
  return (Now() - start) / (2 * kYields);
}

bool LiveHost::Can(const VictimShape& shape) const {
  // Half of it: the host has other things to do.
  return LiveBytes(shape) < HostMemory() / 2 &&
         (shape.swap == 0 || 2 * shape.swap < HostSwap());
}

absl::StatusOr<LiveReading> LiveHost::Time(const VictimShape& shape,
                                           bool call) {
  HostMachine m;
  HostTask& victim = m.Spawn();
  LiveBuilder builder(m, victim, shape, file_, victims_cpu_, cpu_);
  if (m.ok()) builder.Run();
  const int pidfd = m.PidfdOpen(victim);
  if (m.ok()) m.KillAndHold(builder.threads(), SIGKILL);
  if (!m.ok()) {
    return absl::Status(m.status().code(), absl::StrCat(PrintShape(shape), ": ",
                                                        m.status().message()));
  }
  LiveReading reading;
  int64_t result = 0;
  {
    const Foremost foremost(has_fifo_);
    const uint64_t before = MemorySpeed();
    if (call) {
      const uint64_t start = Now();
      result = m.Mrelease(pidfd);
      const uint64_t done = Now();
      (void)m.Mrelease(pidfd);
      reading.again_ns = Now() - done;
      reading.call_ns = done - start;
    }
    reading.memory_ps = (before + MemorySpeed()) / 2;
    reading.exit_ns = TimeExit(builder.threads(), pidfd, has_fifo_);
  }
  if (result != 0) {
    return absl::InternalError(absl::StrCat(
        "process_mrelease() of a victim that is held gives error ", -result));
  }
  if (reading.exit_ns == 0) {
    return absl::InternalError("a victim that was let go does not end");
  }
  absl::Status ended = m.End();
  if (!ended.ok()) return ended;
  return reading;
}

}  // namespace reapsim
