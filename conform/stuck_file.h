// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// A file whose file system does not answer: who opens it, or needs a page of
// it, waits where not even SIGKILL wakes it.
//
// It is a FUSE file, mounted in a mount namespace of its own by a process of
// the machine, so that nobody else sees it; its server is the harness, which
// reads the requests. The mount goes with that process.
#ifndef REAPSIM_CONFORM_STUCK_FILE_H_
#define REAPSIM_CONFORM_STUCK_FILE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "conform/host_machine.h"

namespace reapsim {

class StuckFile {
 public:
  // `m` outlives it. Trouble shows in m.status(): kUnimplemented where there
  // is no FUSE, kPermissionDenied where it may not be mounted.
  // The machine releases those who wait before it ends them.
  explicit StuckFile(HostMachine& m);

  // The task opens the file and waits for an answer that does not come, in an
  // uninterruptible sleep (state D), as one does whose disk has gone.
  void BlockInOpen(HostTask& task);
  // Opens the file and maps a page of it: its address. Nobody gets that page.
  uint64_t Map(HostTask& task);
  // Waits until somebody waits for that page.
  void WaitForReader();
  // All who wait get an error. The file is no good any more.
  void Release();

 private:
  HostTask& Mount();
  // A request can be interrupted by any signal for as long as the server has
  // not said that it does not know how that is done: then only SIGKILL ends
  // the wait, and only for what the server has not read.
  void RefuseInterrupts(HostTask& task);
  void BeginOpen(HostTask& task);
  // Reads requests and answers them until `done`.
  void Serve(const std::function<bool()>& done, const char* what);
  bool ServeOne();
  void Answer(uint64_t request, int error, const void* body, uint32_t bytes);

  HostMachine& m_;
  std::shared_ptr<int> fd_;  // of /dev/fuse; -1 when released
  std::string path_;
  bool answers_open_ = false;
  int interrupts_refused_ = 0;
  int opens_waiting_ = 0;
  int reads_waiting_ = 0;
};

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_STUCK_FILE_H_
