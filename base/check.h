// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Checks for errors of ours: a broken REAP_CHECK means that reapsim, or the
// test that drives it, is wrong. What the *modelled kernel* does wrong (a use
// after free, a deadlock) is never a check but a verdict: see sched/verdict.h.
//
//   REAP_CHECK(cond, "slab: not live");       both builds
//   REAP_CHECK_EQ(a, b, "arena: used");       prints both operands
//   REAP_DCHECK(cond, "rwsem: readers");      debug builds, always compiled
//
// Texts are "where: what", short and unique, so that grep finds the line.
#ifndef REAPSIM_BASE_CHECK_H_
#define REAPSIM_BASE_CHECK_H_

#include <sstream>
#include <string>

namespace reapsim {

// Prints "file:line: check failed: text (detail)" and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* text,
                              const char* detail);

namespace check_internal {
template <class A, class B>
[[noreturn]] void FailedWithOperands(const char* file, int line,
                                     const char* text, const char* expr,
                                     const A& a, const B& b) {
  std::ostringstream detail;
  detail << expr << ": " << a << " vs " << b;
  CheckFailed(file, line, text, detail.str().c_str());
}
}  // namespace check_internal
}  // namespace reapsim

#define REAP_CHECK(cond, text) \
  ((cond) ? (void)0 : ::reapsim::CheckFailed(__FILE__, __LINE__, text, #cond))

#define REAP_CHECK_OP_(a, op, b, text)                               \
  do {                                                               \
    const auto& reap_check_a = (a);                                  \
    const auto& reap_check_b = (b);                                  \
    if (!(reap_check_a op reap_check_b)) {                           \
      ::reapsim::check_internal::FailedWithOperands(                 \
          __FILE__, __LINE__, text, #a " " #op " " #b, reap_check_a, \
          reap_check_b);                                             \
    }                                                                \
  } while (false)

#define REAP_CHECK_EQ(a, b, text) REAP_CHECK_OP_(a, ==, b, text)
#define REAP_CHECK_LE(a, b, text) REAP_CHECK_OP_(a, <=, b, text)
#define REAP_CHECK_LT(a, b, text) REAP_CHECK_OP_(a, <, b, text)
#define REAP_CHECK_GE(a, b, text) REAP_CHECK_OP_(a, >=, b, text)

#ifdef NDEBUG
#define REAP_DCHECK(cond, text) ((void)(true || (cond)))
#else
#define REAP_DCHECK(cond, text) REAP_CHECK(cond, text)
#endif

#endif  // REAPSIM_BASE_CHECK_H_
