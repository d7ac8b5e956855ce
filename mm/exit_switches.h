// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// exit_mmap() with a guard taken out of it, or in a form that no version from
// v5.15 on has: what some switches ask for (base/switches.h). The protocols of
// the versions themselves are in mm/mmap.cc, untouched.
#ifndef REAPSIM_MM_EXIT_SWITCHES_H_
#define REAPSIM_MM_EXIT_SWITCHES_H_

#include "mm/mm_types.h"

namespace reapsim {

// Does all that exit_mmap() does, if the world was made with such a switch and
// it means anything in this version. False: nothing was done but, for
// exit-trusts-current, what tells exit_mmap() whose mm it is.
bool ExitMmapSwitched(mm_struct* mm);

}  // namespace reapsim

#endif  // REAPSIM_MM_EXIT_SWITCHES_H_
