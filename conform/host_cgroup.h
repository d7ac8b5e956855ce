// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// A cgroup of the machine's own, below the harness's own, for one victim. It
// is removed with the machine, or should the harness be killed, by a process
// that is left behind for that.
#ifndef REAPSIM_CONFORM_HOST_CGROUP_H_
#define REAPSIM_CONFORM_HOST_CGROUP_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "conform/host_machine.h"

namespace reapsim {

class HostCgroup {
 public:
  // In which hierarchy: v1's with that controller, or the unified one of v2.
  enum class Kind { kFreezerV1, kV2, kMemoryV1 };

  // Trouble shows in m.status(): kUnimplemented where that hierarchy is not
  // mounted, kPermissionDenied where no directory may be made in it.
  HostCgroup(HostMachine& m, Kind kind);
  // Whether that hierarchy is mounted.
  static bool Mounted(Kind kind);

  const std::string& path() const { return path_; }
  void Add(HostTask& task);  // the whole process
  // Writes to a file of the cgroup; whether it has one.
  void Write(absl::string_view file, absl::string_view text);
  bool Has(absl::string_view file) const;
  // Waits until the file contains that.
  void WaitFor(absl::string_view file, absl::string_view text);

  // Either freezer: waits until all are frozen. They are thawed in the end.
  void Freeze();
  // The members together may have so much memory, and no swap.
  void LimitMemory(uint64_t bytes);

 private:
  // The file that freezes and thaws, if it has one, and what thaws.
  const char* FreezerFile() const;
  const char* Thawed() const;

  HostMachine& m_;
  Kind kind_;
  std::string path_;
};

}  // namespace reapsim

#endif  // REAPSIM_CONFORM_HOST_CGROUP_H_
