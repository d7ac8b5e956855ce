// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// How long the host's kernel takes to reap real victims.
//
// A victim is built by mmap(), killed, and held at PTRACE_EVENT_EXIT: dying,
// with all of its memory. The harness, alone on its CPU and before all that has
// no real-time priority, then makes the call. The victim is on another CPU, if
// there is one.
#ifndef REAPSIM_CALIBRATE_LIVE_H_
#define REAPSIM_CALIBRATE_LIVE_H_

#include <sched.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "latency/shape.h"

namespace reapsim {

// One victim's death, in ns of CLOCK_MONOTONIC_RAW.
struct LiveReading {
  uint64_t call_ns = 0;   // process_mrelease(); 0: not called
  uint64_t again_ns = 0;  // the same again, of what is left
  uint64_t exit_ns = 0;   // from being let go to being a zombie
  // What an access to memory cost beside it, in ps: see MemorySpeed().
  uint64_t memory_ps = 0;
};

class LiveHost {
 public:
  // `most_file_bytes`: of the largest file that a shape maps. Errors: what the
  // host lacks (IsLack() of conform/host_machine.h), or trouble with files.
  static absl::StatusOr<std::unique_ptr<LiveHost>> Make(
      uint64_t most_file_bytes);
  // The thread is again where it was, and as important.
  ~LiveHost();
  LiveHost(const LiveHost&) = delete;
  LiveHost& operator=(const LiveHost&) = delete;

  // Whether the host can have a victim of that shape: swap, enough memory.
  bool Can(const VictimShape& shape) const;
  // Builds a victim, and times its death, with the call before it or without.
  absl::StatusOr<LiveReading> Time(const VictimShape& shape, bool call);
  // ns of a system call that fails at once, and of a switch between two threads
  // on one CPU, the call that asks for it included; 0: it can't be measured.
  uint64_t TimeSyscall() const;
  uint64_t TimeSwitch() const;
  // What is less exact here than it should be, in words; empty: nothing.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  LiveHost() = default;
  absl::Status MakeFile(uint64_t bytes);
  void TakeCpu();
  uint64_t MemorySpeed();

  cpu_set_t cpus_ = {};   // the thread's when it came
  int cpu_ = -1;          // the harness's, or -1: it has all
  int victims_cpu_ = -1;  // -1: any
  bool has_fifo_ = false;
  int nice_ = 0;  // as it was
  int file_ = -1;
  std::vector<uint64_t> probe_;  // what MemorySpeed() walks through
  uint64_t random_ = 1;
  std::vector<std::string> notes_;
};

// What the shape has of the host's memory, in bytes.
uint64_t LiveBytes(const VictimShape& shape);

}  // namespace reapsim

#endif  // REAPSIM_CALIBRATE_LIVE_H_
