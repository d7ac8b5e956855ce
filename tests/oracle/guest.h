// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// What the probe has to do itself on a machine that has nothing but a kernel.
// It changes settings of the whole machine: never call it on a host.
#ifndef REAPSIM_TESTS_ORACLE_GUEST_H_
#define REAPSIM_TESTS_ORACLE_GUEST_H_

#include <string>

namespace reapsim {

// Whether this process is the first of an initramfs.
bool IsFirstProcess();

// Mounts what the rows of `reapsim conform` ask for, loads the modules that are
// in the initramfs' /modules, fills a pool of huge pages, and turns on
// /dev/nvme0n1 as swap. What fails is told on the console: a row that needs it
// says so.
void PrepareGuest();

// Writes to the second serial line, which carries nothing else. False if it
// can't be done.
bool SendToHost(const std::string& text);

[[noreturn]] void PowerOff();

}  // namespace reapsim

#endif  // REAPSIM_TESTS_ORACLE_GUEST_H_
