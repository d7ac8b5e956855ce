// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the main() of each benchmark does once its benchmarks are registered.
#ifndef REAPSIM_BENCH_RUN_H_
#define REAPSIM_BENCH_RUN_H_

#include <benchmark/benchmark.h>

namespace reapsim {

// Returns the program's exit code. What was built how is part of the output:
// the report (report.py) wants times of an optimised build only.
inline int RunBenchmarks(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
#ifdef NDEBUG
  benchmark::AddCustomContext("reapsim_build", "opt");
#else
  benchmark::AddCustomContext("reapsim_build", "debug");
#endif
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace reapsim

#endif  // REAPSIM_BENCH_RUN_H_
