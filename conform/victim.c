/* Copyright 2026 The reapsim Authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * The program that every process of the harness runs (conform/mailbox.h): it
 * waits to be told, makes one system call, or touches memory, and waits again.
 * No library, no data of its own, no thread-local storage: all its tasks, be
 * they threads, copies, or processes that share memory, run the same code.
 */
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "conform/mailbox.h"

#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif

/* The kernel's values; its headers and those of C libraries do not mix. */
enum {
  kProtRead = 1,
  kProtWrite = 2,
  kOpenWriteOnly = 1,
  kMsgPeek = 2,
  kMsgDontwait = 0x40,
  kMsgNosignal = 0x4000,
  kErrorEbusy = 16,
  kErrorEinval = 22,
};

/* Seconds after which an idle task looks whether it still has a harness. */
enum { kIdleSeconds = 20 };

static struct MailboxArea* Area(void) {
  return (struct MailboxArea*)MAILBOX_ADDRESS;
}

static int64_t Call(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2,
                    uint64_t a3, uint64_t a4, uint64_t a5) {
  register uint64_t r10 __asm__("r10") = a3;
  register uint64_t r8 __asm__("r8") = a4;
  register uint64_t r9 __asm__("r9") = a5;
  int64_t result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8),
                     "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static int64_t Call3(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2) {
  return Call(number, a0, a1, a2, 0, 0, 0);
}

/* A new task goes to NewTask() on its own stack, or on its copy of the
 * parent's, with its mailbox in a register that it has from its parent. */
static int64_t Clone(uint64_t flags, uint64_t stack, uint64_t index) {
  register uint64_t r10 __asm__("r10") = 0; /* where to clear the tid */
  register uint64_t r8 __asm__("r8") = 0;   /* thread-local storage */
  register uint64_t r12 __asm__("r12") = index;
  int64_t result;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "and $-16, %%rsp\n\t"
      "mov %%r12, %%rdi\n\t"
      "call NewTask\n"
      "1:"
      : "=a"(result)
      : "a"((uint64_t)SYS_clone), "D"(flags), "S"(stack), "d"((uint64_t)0),
        "r"(r10), "r"(r8), "r"(r12)
      : "rcx", "r11", "memory");
  return result;
}

static void Touch(const uint64_t* args) {
  for (uint64_t at = 0, value = args[4]; at < args[1];
       at += args[2], value += 8) {
    volatile uint64_t* word = (volatile uint64_t*)(args[0] + at);
    if (args[3] != 0) {
      *word = value;
    } else {
      (void)*word;
    }
  }
}

static int64_t Mrelease(const uint64_t* args) {
  int64_t result = -kErrorEinval;
  for (uint64_t i = 0; i < args[2] && result == -kErrorEinval; ++i) {
    result = Call3(SYS_process_mrelease, args[0], args[1], 0);
  }
  return result;
}

static int64_t Guard(const uint64_t* args) {
  /* Outlives the harness. */
  Call3(SYS_prctl, PR_SET_PDEATHSIG, 0, 0);
  char byte;
  while (Call3(SYS_read, args[0], (uint64_t)&byte, 1) != 0) {
  }
  if (args[1] != 0) {
    const int64_t fd = Call3(SYS_open, args[1], kOpenWriteOnly, 0);
    Call3(SYS_write, (uint64_t)fd, args[2], args[3]);
  }
  while (Call3(SYS_rmdir, args[4], 0, 0) == -kErrorEbusy) {
    const uint64_t while_they_end[2] = {0, 1000 * 1000};
    Call3(SYS_nanosleep, (uint64_t)while_they_end, 0, 0);
  }
  return Call3(SYS_exit_group, 0, 0, 0);
}

static int64_t Obey(const struct Mailbox* box) {
  const uint64_t* args = box->args;
  switch (box->command) {
    case kCommandSyscall:
      return Call(args[0], args[1], args[2], args[3], args[4], args[5],
                  args[6]);
    case kCommandTouch:
      Touch(args);
      return 0;
    case kCommandClone:
      return Clone(args[0], args[1], args[2]);
    case kCommandMrelease:
      return Mrelease(args);
    case kCommandGuard:
      return Guard(args);
    default:
      return 0;
  }
}

static void Report(struct Mailbox* box, int64_t result) {
  box->result = result;
  __atomic_store_n(&box->state, kDone, __ATOMIC_RELEASE);
  Call3(SYS_futex, (uint64_t)&box->state, FUTEX_WAKE, 1);
}

/* PR_SET_PDEATHSIG is forgotten when a process changes its user: a second look
 * at the harness now and then. */
static void WaitForOrder(struct Mailbox* box) {
  const uint64_t patience[2] = {kIdleSeconds, 0};
  char byte;
  uint32_t state;
  while ((state = __atomic_load_n(&box->state, __ATOMIC_ACQUIRE)) != kTold) {
    Call(SYS_futex, (uint64_t)&box->state, FUTEX_WAIT, state,
         (uint64_t)patience, 0, 0);
    if (Call(SYS_recvfrom, kSocketFd, (uint64_t)&byte, 1,
             kMsgPeek | kMsgDontwait, 0, 0) == 0) {
      Call3(SYS_exit_group, 1, 0, 0);
    }
  }
}

/* Called from assembly. */
__attribute__((noreturn, used)) void NewTask(uint64_t index) {
  struct Mailbox* box = &Area()->box[index];
  const int64_t tid = Call3(SYS_gettid, 0, 0, 0);
  if (tid == Call3(SYS_getpid, 0, 0, 0)) {
    Call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0);
    /* The harness sees from the sender's credentials which pid this process
     * has in its own namespace. If it has died before the line above, the
     * socket has no other end. */
    if (Call(SYS_sendto, kSocketFd, (uint64_t)box, 1, kMsgNosignal, 0, 0) < 0) {
      Call3(SYS_exit_group, 1, 0, 0);
    }
  }
  Report(box, tid);
  for (;;) {
    WaitForOrder(box);
    const int spin = box->command == kCommandSpin;
    Report(box, Obey(box));
    while (spin) __asm__ volatile("pause");
  }
}

/* The handler that does nothing, and the return from it. */
void Handler(void);
void Restorer(void);
__asm__(
    ".text\n"
    "Handler:\n\t"
    "ret\n"
    "Restorer:\n\t"
    "mov $15, %eax\n\t" /* rt_sigreturn */
    "syscall\n");

/* argv[1] is the number of the task's mailbox. */
__attribute__((noreturn, used)) void Main(const uint64_t* stack) {
  uint64_t index = 0;
  for (const char* digit = (const char*)stack[2]; *digit != '\0'; ++digit) {
    index = index * 10 + (uint64_t)(*digit - '0');
  }
  Call(SYS_mmap, MAILBOX_ADDRESS, sizeof(struct MailboxArea),
       kProtRead | kProtWrite, MAP_SHARED | MAP_FIXED, kMailboxFd, 0);
  Call3(SYS_prctl, PR_SET_NAME, (uint64_t) "victim", 0);
  Area()->handler = (uint64_t)&Handler;
  Area()->restorer = (uint64_t)&Restorer;
  NewTask(index);
}

__asm__(
    ".globl _start\n"
    "_start:\n\t"
    "xor %ebp, %ebp\n\t"
    "mov %rsp, %rdi\n\t"
    "and $-16, %rsp\n\t"
    "call Main\n");
