// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "base/errno_names.h"

#include <cerrno>
#include <string>

namespace reapsim {
namespace {

struct ErrnoEntry {
  int value;
  const char* name;
  const char* text;
};

constexpr ErrnoEntry kEntries[] = {
    {0, "0", "Success"},
    {EPERM, "EPERM", "Not permitted"},
    {ENOENT, "ENOENT", "No such thing"},
    {ESRCH, "ESRCH", "No such process"},
    {EINTR, "EINTR", "Interrupted by a signal"},
    {EIO, "EIO", "Input or output failed"},
    {ENXIO, "ENXIO", "No such address"},
    {E2BIG, "E2BIG", "Arguments too long"},
    {ENOEXEC, "ENOEXEC", "Not an executable"},
    {EBADF, "EBADF", "Not a suitable file descriptor"},
    {ECHILD, "ECHILD", "No child to wait for"},
    {EAGAIN, "EAGAIN", "Not now, try again"},
    {ENOMEM, "ENOMEM", "Out of memory"},
    {EACCES, "EACCES", "Access denied"},
    {EFAULT, "EFAULT", "Bad address"},
    {EBUSY, "EBUSY", "In use"},
    {EEXIST, "EEXIST", "Already there"},
    {ENODEV, "ENODEV", "No such device"},
    {ENOTDIR, "ENOTDIR", "Not a directory"},
    {EISDIR, "EISDIR", "Is a directory"},
    {EINVAL, "EINVAL", "Invalid argument"},
    {ENFILE, "ENFILE", "Too many open files in the system"},
    {EMFILE, "EMFILE", "Too many open files in the process"},
    {ETXTBSY, "ETXTBSY", "Executable is open for writing"},
    {EFBIG, "EFBIG", "File too large"},
    {ENOSPC, "ENOSPC", "No space left"},
    {EPIPE, "EPIPE", "Nobody reads the pipe"},
    {ERANGE, "ERANGE", "Result out of range"},
    {EDEADLK, "EDEADLK", "Would deadlock"},
    {ENAMETOOLONG, "ENAMETOOLONG", "Name too long"},
    {ENOSYS, "ENOSYS", "The kernel has no such call"},
    {ELOOP, "ELOOP", "Too many symbolic links"},
    {EOVERFLOW, "EOVERFLOW", "Value too large for its type"},
    {EOPNOTSUPP, "EOPNOTSUPP", "Not supported"},
    {ETIMEDOUT, "ETIMEDOUT", "Timed out"},
    {EOWNERDEAD, "EOWNERDEAD", "The lock's owner died"},
    {ENOTRECOVERABLE, "ENOTRECOVERABLE", "State cannot be recovered"},
};

const ErrnoEntry* Find(int value) {
  for (const ErrnoEntry& entry : kEntries) {
    if (entry.value == value) return &entry;
  }
  return nullptr;
}

}  // namespace

std::string ErrnoName(int value) {
  const ErrnoEntry* entry = Find(value);
  if (entry == nullptr) return "errno " + std::to_string(value);
  return entry->name;
}

std::string ResultText(int64_t result) {
  return result < 0 ? ErrnoName(static_cast<int>(-result))
                    : std::to_string(result);
}

const char* ErrnoText(int value) {
  const ErrnoEntry* entry = Find(value);
  return entry == nullptr ? "Unknown error" : entry->text;
}

}  // namespace reapsim
