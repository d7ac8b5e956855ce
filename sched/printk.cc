// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/printk.h"

#include <cstdarg>
#include <cstdio>

#include "sched/engine.h"

namespace reapsim {
namespace {

constexpr size_t kLineMax = 256;

}  // namespace

void pr_info(const char* format, ...) {
  char line[kLineMax];
  va_list args;
  va_start(args, format);
  std::vsnprintf(line, sizeof(line), format, args);
  va_end(args);
  Here<EngineState>().engine->Log(LogKind::kDmesg, line);
}

void trace_oom(const char* event, const char* format, ...) {
  char line[kLineMax];
  int n = std::snprintf(line, sizeof(line), "%s: ", event);
  va_list args;
  va_start(args, format);
  std::vsnprintf(line + n, sizeof(line) - n, format, args);
  va_end(args);
  Here<EngineState>().engine->Log(LogKind::kTraceEvent, line);
}

}  // namespace reapsim
