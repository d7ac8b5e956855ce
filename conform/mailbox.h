/* Copyright 2026 The reapsim Authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * How the harness tells a victim's tasks what to do: a memfd that both map
 * shared, with a mailbox for each task. C, because the victim is a program
 * without any library (conform/victim.c), so that its memory is what the
 * harness makes of it, and little else.
 */
#ifndef REAPSIM_CONFORM_MAILBOX_H_
#define REAPSIM_CONFORM_MAILBOX_H_

#include <stdint.h>

enum {
  kMailboxes = 64,          /* tasks of one victim, in all its processes */
  kScratchBytes = 64 << 10, /* strings and structs for system calls */

  /* Descriptors of a victim when it starts. */
  kMailboxFd = 3, /* the memfd */
  kProgramFd = 4, /* the program, to be executed anew */
  kSocketFd = 5,  /* to the harness: each process says hello, and descriptors
                   * come that way */
};

/* Where the victim maps the memfd. The scratch area follows the mailboxes. */
#define MAILBOX_ADDRESS UINT64_C(0x100000000000)

/* Mailbox::state, a futex. The harness moves kIdle and kDone to kTold, the
 * task kTold to kDone. A new task finds its box told, as if to report itself:
 * the result is its tid. */
enum MailboxState { kIdle, kTold, kDone };

enum MailboxCommand {
  /* args[0]: number; args[1] to args[6]: its arguments. */
  kCommandSyscall = 1,
  /* args: address, bytes, stride, 0 to read or 1 to write, value. Stores
   * value + i * 8 …, or loads, one word at each stride. */
  kCommandTouch,
  /* args: flags of clone(2), top of the child's stack (0: the parent's, for a
   * fork), index of the child's mailbox. The result is the child's tid. With
   * CLONE_VFORK the command is done when the child execs or exits. */
  kCommandClone,
  /* Computes for ever, without a system call; done when it begins. */
  kCommandSpin,
  /* args: descriptor, flags, number of calls: process_mrelease() again and
   * again, until one of them does not fail with EINVAL. The result is what the
   * last one returned. */
  kCommandMrelease,
  /* args: descriptor of a pipe, path of a file (0: none), text to write into
   * it, its bytes, path of a directory. When nobody can write to the pipe any
   * more, the harness has ended without having cleaned up: writes the text,
   * removes the directory as soon as it is empty, and exits. */
  kCommandGuard,
};

struct Mailbox {
  uint32_t state; /* MailboxState */
  uint32_t command;
  uint64_t args[7];
  int64_t result;
};

struct MailboxArea {
  struct Mailbox box[kMailboxes];
  /* For sigaction(2): a handler that does nothing, and what returns from it. */
  uint64_t handler;
  uint64_t restorer;
  char scratch[kScratchBytes];
};

#endif /* REAPSIM_CONFORM_MAILBOX_H_ */
