// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The system calls that a .reap file's tasks can make, and the constants that
// it can name. Lengths count pages.
#ifndef REAPSIM_LITMUS_CALLS_H_
#define REAPSIM_LITMUS_CALLS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "syscall/result.h"
#include "syscall/user.h"

namespace reapsim {

// What a value is. A number fits everywhere; the others fit only where their
// kind is asked for.
enum class ValueType : uint8_t {
  kNumber,
  kFd,       // a descriptor, of the process that has it
  kTask,     // a process or thread: its pid
  kAddress,  // user memory of the caller
  kForeign,  // as a parameter: user memory of whomever
};
// "a descriptor".
const char* TypeName(ValueType type);

inline constexpr int kMaxParameters = 6;
// Of one mapping.
inline constexpr int64_t kMostPages = 1 << 20;

struct Parameter {
  const char* name;
  ValueType type;
};

struct CallSpec {
  const char* name;
  ValueType result;
  std::vector<Parameter> parameters;
  // Makes the call as the running task, with as many values.
  SysResult (*make)(User user, const int64_t* values);
  // "kill(process, sig)".
  std::string Signature() const;
};

// By name.
absl::Span<const CallSpec> Calls();
// Null: there is none of that name.
const CallSpec* FindCall(absl::string_view name);

// SIGKILL, PROT_READ, MADV_PAGEOUT …
std::optional<int64_t> FindConstant(absl::string_view name);
std::vector<absl::string_view> ConstantNames();

// ESRCH: 3.
std::optional<int> FindErrno(absl::string_view name);

}  // namespace reapsim

#endif  // REAPSIM_LITMUS_CALLS_H_
