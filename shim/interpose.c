// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The library functions that the shim answers instead of libc: preloaded, or
// linked into a program. Each asks the server (protocol.h) and then makes the
// real call, or does not. Nothing is kept here: a process may fork, share its
// memory, exec and call from signal handlers as it likes.
//
// libc's own functions call each other below these names (sleep() does not
// come by nanosleep() here), so nothing is asked twice. With
// REAPSIM_SHIM_LINKED this file is part of a program, see linked.cc.
#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shim/protocol.h"

#define PUBLIC __attribute__((visibility("default")))

// Not in the headers of older systems.
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

// ---- System calls, below libc ----------------------------------------------

// Returns what the kernel returns: a value or -errno.
static long raw6(long n, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long ret;
  __asm__ volatile("syscall"
                   : "=a"(ret)
                   : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return ret;
}
#define RAW(n, a, b, c, d) \
  raw6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

static long as_libc(long ret) {
  if (ret < 0 && ret >= -4095) {
    errno = (int)-ret;
    return -1;
  }
  return ret;
}

// ---- Asking ----------------------------------------------------------------

// Linked into a program, there is nobody to ask before main(), and the server's
// own process never asks.
#ifdef REAPSIM_SHIM_LINKED
static int stands_aside = 1;
#else
static int stands_aside;
#endif

__attribute__((noreturn)) static void give_up(const char* why) {
  static const char head[] = "reapsim: shim: ";
  (void)!write(STDERR_FILENO, head, sizeof(head) - 1);
  (void)!write(STDERR_FILENO, why, strlen(why));
  (void)!write(STDERR_FILENO, "\n", 1);
  _exit(2);
}

// The server's address. Read once: the program may change its environment.
static const struct sockaddr_un* server(socklen_t* length) {
  static struct sockaddr_un address;
  static socklen_t bytes;
  if (bytes == 0) {
    const char* name = getenv(REAPSIM_SHIM_SOCKET);
    if (name == NULL || name[0] == '\0' ||
        strlen(name) > sizeof(address.sun_path) - 2) {
      give_up("the library was loaded without reapsim shim: nobody answers");
    }
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path + 1, name);
    bytes =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
  }
  *length = bytes;
  return &address;
}

// Sends the question, receives the answer and perhaps a descriptor. All signals
// are blocked.
static void converse(const struct reapsim_shim_request* request,
                     struct reapsim_shim_reply* reply, int* fd) {
  socklen_t length;
  const struct sockaddr_un* address = server(&length);
  const long s = RAW(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, 0);
  if (s < 0) give_up("no descriptor is left to ask the model with");
  if (RAW(SYS_connect, s, address, length, 0) < 0) {
    give_up("the model does not answer: reapsim shim has ended");
  }
  const struct iovec out = {(void*)request, sizeof(*request)};
  struct msghdr message = {.msg_iov = (struct iovec*)&out, .msg_iovlen = 1};
  const long sent = RAW(SYS_sendmsg, s, &message, MSG_NOSIGNAL, 0);
  struct iovec in = {reply, sizeof(*reply)};
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct msghdr answer = {.msg_iov = &in,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof(control.bytes)};
  const long got = sent == (long)sizeof(*request)
                       ? RAW(SYS_recvmsg, s, &answer, MSG_CMSG_CLOEXEC, 0)
                       : -1;
  (void)RAW(SYS_close, s, 0, 0, 0);
  if (got != (long)sizeof(*reply)) {
    give_up("the model does not answer: reapsim shim has ended");
  }
  const struct cmsghdr* header = CMSG_FIRSTHDR(&answer);
  if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
    memcpy(fd, CMSG_DATA(header), sizeof(*fd));
  }
}

static void requeue(siginfo_t* info) {
  (void)RAW(SYS_rt_sigqueueinfo, RAW(SYS_getpid, 0, 0, 0, 0), SIGCHLD, info, 0);
}

// The shim has stopped a child; the program must neither be told by a signal
// nor by wait. The signal can have been taken by another thread, or have hidden
// that of a child that really died: then that one is sent again.
static void forget_stops(const struct reapsim_shim_reply* reply, int pending) {
  siginfo_t info;
  for (int i = 0; i < reply->stopped_count; ++i) {
    (void)raw6(SYS_waitid, P_PID, reply->stopped[i], (long)&info,
               WSTOPPED | WNOHANG, 0, 0);
  }
  if (reply->stopped_count == 0 || pending) return;
  const uint64_t sigchld = UINT64_C(1) << (SIGCHLD - 1);
  const struct timespec now = {0, 0};
  if (RAW(SYS_rt_sigtimedwait, &sigchld, &info, &now, sizeof(sigchld)) < 0) {
    return;
  }
  for (int i = 0; i < reply->stopped_count; ++i) {
    if (info.si_code != CLD_STOPPED || info.si_pid != reply->stopped[i]) {
      continue;
    }
    memset(&info, 0, sizeof(info));
    (void)raw6(SYS_waitid, P_ALL, 0, (long)&info, WEXITED | WNOHANG | WNOWAIT,
               0, 0);
    if (info.si_pid == 0) return;
    break;
  }
  requeue(&info);
}

// Whether one of these signals would end a sleep: a handler runs, or the
// process ends.
static int interrupts(uint64_t signals) {
  for (int sig = 1; sig <= 64; ++sig) {
    if ((signals >> (sig - 1) & 1) == 0) continue;
    // As the kernel has it: the handler first.
    struct {
      uintptr_t handler, flags, restorer, mask;
    } action = {0};
    (void)RAW(SYS_rt_sigaction, sig, NULL, &action, sizeof(action.mask));
    const int ignored_by_default =
        sig == SIGCHLD || sig == SIGCONT || sig == SIGURG || sig == SIGWINCH;
    if (action.handler == (uintptr_t)SIG_IGN) continue;
    if (action.handler == (uintptr_t)SIG_DFL && ignored_by_default) continue;
    return 1;
  }
  return 0;
}

// What came of a question. `interrupted`: a signal came meanwhile, and has been
// handled.
struct outcome {
  struct reapsim_shim_reply reply;
  int fd;
  int interrupted;
};

// Asks, and ends the process if it is refused.
static struct outcome ask_about(uint32_t op, int a, int b, uint32_t flags,
                                const char* path) {
  struct outcome outcome = {.reply = {.action = kShimDoIt}, .fd = -1};
  if (stands_aside) return outcome;
  struct reapsim_shim_request request = {
      .op = op, .a = a, .b = b, .flags = flags};
  if (path != NULL) strncpy(request.path, path, sizeof(request.path) - 1);
  const int saved = errno;
  const uint64_t all = ~UINT64_C(0);
  const uint64_t sigchld = UINT64_C(1) << (SIGCHLD - 1);
  uint64_t before = 0;
  uint64_t pending = 0;
  (void)RAW(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
  (void)RAW(SYS_rt_sigpending, &pending, sizeof(pending), 0, 0);
  converse(&request, &outcome.reply, &outcome.fd);
  forget_stops(&outcome.reply, (pending & sigchld) != 0);
  (void)RAW(SYS_rt_sigpending, &pending, sizeof(pending), 0, 0);
  outcome.interrupted = interrupts(pending & ~before);
  (void)RAW(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
  errno = saved;
  if (outcome.reply.action == kShimRefuse) _exit(2);
  return outcome;
}

static struct reapsim_shim_reply ask(uint32_t op, int a, int b,
                                     uint32_t flags) {
  return ask_about(op, a, b, flags, NULL).reply;
}

// An answer as libc gives it.
static int answered(const struct reapsim_shim_reply* reply) {
  if (reply->error == 0) return reply->ret;
  errno = reply->error;
  return -1;
}

__attribute__((constructor)) PUBLIC void reapsim_shim_begin(void) {
  if (getenv(REAPSIM_SHIM_SOCKET) == NULL) return;
  stands_aside = 0;
  (void)ask(kShimHello, 0, 0, 0);
}

// libc's function of that name. Those that can be cancelled must be libc's own.
#define REAL(name)                                       \
  static __typeof__(&name) cached;                       \
  if (cached == NULL) {                                  \
    cached = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
  }                                                      \
  const __typeof__(&name) real = cached

// ---- Signals ---------------------------------------------------------------

PUBLIC int kill(pid_t pid, int sig) {
  // What the caller may not signal, or is not there, the real kernel says.
  const long allowed = RAW(SYS_kill, pid, 0, 0, 0);
  if (allowed < 0 || sig == 0) return (int)as_libc(allowed);
  const struct reapsim_shim_reply reply = ask(kShimKill, pid, sig, 0);
  if (reply.action == kShimAnswer) return answered(&reply);
  return (int)as_libc(RAW(SYS_kill, pid, sig, 0, 0));
}

PUBLIC int killpg(pid_t group, int sig) {
  if (group < 0) {
    errno = EINVAL;
    return -1;
  }
  return kill(-group, sig);
}

static long do_tgkill(pid_t tgid, pid_t tid, int sig) {
  const long allowed = RAW(SYS_tgkill, tgid, tid, 0, 0);
  if (allowed < 0 || sig != SIGKILL) {
    return as_libc(allowed < 0 ? allowed : RAW(SYS_tgkill, tgid, tid, sig, 0));
  }
  return kill(tgid, sig);
}

PUBLIC int tgkill(pid_t tgid, pid_t tid, int sig) {
  return (int)do_tgkill(tgid, tid, sig);
}

PUBLIC int sigqueue(pid_t pid, int sig, const union sigval value) {
  if (sig == SIGKILL) return kill(pid, sig);
  REAL(sigqueue);
  return real(pid, sig, value);
}

static long do_pidfd_send_signal(int fd, int sig, void* info,
                                 unsigned int flags) {
  // Checks all but whether the signal may be ignored.
  const long allowed = RAW(SYS_pidfd_send_signal, fd, sig == SIGKILL ? 0 : sig,
                           sig == SIGKILL ? NULL : info, flags);
  if (allowed < 0 || sig != SIGKILL) return as_libc(allowed);
  const struct reapsim_shim_reply reply = ask(kShimSendSignal, fd, sig, flags);
  if (reply.action == kShimAnswer) return answered(&reply);
  return as_libc(RAW(SYS_pidfd_send_signal, fd, sig, info, flags));
}

PUBLIC int pidfd_send_signal(int fd, int sig, siginfo_t* info,
                             unsigned int flags) {
  return (int)do_pidfd_send_signal(fd, sig, info, flags);
}

// ---- The call --------------------------------------------------------------

PUBLIC int process_mrelease(int fd, unsigned int flags) {
  const struct reapsim_shim_reply reply = ask(kShimMrelease, fd, 0, flags);
  if (reply.action == kShimAnswer) return answered(&reply);
  return (int)as_libc(RAW(SYS_process_mrelease, fd, flags, 0, 0));
}

// ---- Waiting for children --------------------------------------------------

static int is_victim(pid_t pid) {
  return ask(kShimIsVictim, pid, 0, 0).ret == 1;
}

static int do_waitid(idtype_t type, id_t id, siginfo_t* info, int options) {
  REAL(waitid);
  if (stands_aside) return real(type, id, info, options);
  siginfo_t own;
  siginfo_t* const result = info == NULL ? &own : info;
  if ((options & WNOHANG) == 0) {
    // A child that has really ended is taken before a victim must end.
    result->si_pid = 0;
    const int ready = real(type, id, result, options | WNOHANG | WNOWAIT);
    if (ready != 0 || (result->si_pid != 0 && result->si_code != CLD_STOPPED)) {
      return real(type, id, info, options);
    }
  }
  (void)ask(kShimWait, (int)type, (int)id, (uint32_t)options);
  for (;;) {
    result->si_pid = 0;
    const int ret = real(type, id, result, options);
    if (ret != 0 || result->si_pid == 0 || result->si_code != CLD_STOPPED ||
        !is_victim(result->si_pid)) {
      return ret;
    }
  }
}

PUBLIC int waitid(idtype_t type, id_t id, siginfo_t* info, int options) {
  return do_waitid(type, id, info, options);
}

static pid_t do_wait4(pid_t pid, int* status, int options,
                      struct rusage* usage) {
  REAL(wait4);
  if (stands_aside) return real(pid, status, options, usage);
  int own;
  int* const result = status == NULL ? &own : status;
  if ((options & WNOHANG) == 0) {
    // A child that has really ended is taken before a victim must end.
    const pid_t ready = real(pid, result, options | WNOHANG, usage);
    if (ready < 0 ||
        (ready > 0 && !(WIFSTOPPED(*result) && is_victim(ready)))) {
      return ready;
    }
  }
  const idtype_t type = pid > 0 ? P_PID : pid == -1 ? P_ALL : P_PGID;
  const id_t id = pid > 0 ? (id_t)pid : pid == -1 ? 0 : (id_t)-pid;
  (void)ask(kShimWait, (int)type, (int)id, (uint32_t)options | WEXITED);
  for (;;) {
    const pid_t ret = real(pid, result, options, usage);
    if (ret <= 0 || !WIFSTOPPED(*result) || !is_victim(ret)) return ret;
  }
}

PUBLIC pid_t wait4(pid_t pid, int* status, int options, struct rusage* usage) {
  return do_wait4(pid, status, options, usage);
}
PUBLIC pid_t wait3(int* status, int options, struct rusage* usage) {
  return do_wait4(-1, status, options, usage);
}
PUBLIC pid_t waitpid(pid_t pid, int* status, int options) {
  return do_wait4(pid, status, options, NULL);
}
PUBLIC pid_t wait(int* status) { return do_wait4(-1, status, 0, NULL); }

// ---- Time passes -----------------------------------------------------------

// A tick. True if a signal has come while the question was asked, so that the
// real call, which that signal would have ended, must not sleep any more.
enum sleep_kind { kForever, kAWhile, kNot };

static int passes(enum sleep_kind kind) {
  const struct outcome outcome =
      ask_about(kind == kNot ? kShimLook : kShimPass, 0, 0,
                kind == kForever ? REAPSIM_SHIM_FOREVER : 0, NULL);
  return kind != kNot && outcome.interrupted;
}

static enum sleep_kind kind_of(const struct timespec* time) {
  if (time == NULL) return kForever;
  return time->tv_sec == 0 && time->tv_nsec == 0 ? kNot : kAWhile;
}

static enum sleep_kind kind_of_ms(int timeout) {
  return timeout < 0 ? kForever : timeout == 0 ? kNot : kAWhile;
}

static int interrupted(void) {
  errno = EINTR;
  return -1;
}

PUBLIC unsigned int sleep(unsigned int seconds) {
  REAL(sleep);
  return passes(kAWhile) ? seconds : real(seconds);
}

PUBLIC int usleep(useconds_t microseconds) {
  REAL(usleep);
  return passes(kAWhile) ? interrupted() : real(microseconds);
}

PUBLIC int nanosleep(const struct timespec* time, struct timespec* left) {
  REAL(nanosleep);
  if (!passes(kAWhile)) return real(time, left);
  if (left != NULL) *left = *time;
  return interrupted();
}

PUBLIC int clock_nanosleep(clockid_t clock, int flags,
                           const struct timespec* time, struct timespec* left) {
  REAL(clock_nanosleep);
  if (!passes(kAWhile)) return real(clock, flags, time, left);
  if (left != NULL && (flags & TIMER_ABSTIME) == 0) *left = *time;
  return EINTR;
}

PUBLIC int pause(void) {
  REAL(pause);
  return passes(kForever) ? interrupted() : real();
}

PUBLIC int sigsuspend(const sigset_t* mask) {
  REAL(sigsuspend);
  return passes(kForever) ? interrupted() : real(mask);
}

PUBLIC int sigwait(const sigset_t* set, int* sig) {
  REAL(sigwait);
  (void)passes(kForever);
  return real(set, sig);
}

PUBLIC int sigwaitinfo(const sigset_t* set, siginfo_t* info) {
  REAL(sigwaitinfo);
  return passes(kForever) ? interrupted() : real(set, info);
}

PUBLIC int sigtimedwait(const sigset_t* set, siginfo_t* info,
                        const struct timespec* time) {
  REAL(sigtimedwait);
  return passes(kind_of(time)) ? interrupted() : real(set, info, time);
}

// What is ready counts before a signal.
#define READY_OR_INTERRUPTED(ready) \
  do {                              \
    const int now = (ready);        \
    if (now != 0) return now;       \
    return interrupted();           \
  } while (0)

PUBLIC int poll(struct pollfd* fds, nfds_t count, int timeout) {
  REAL(poll);
  if (passes(kind_of_ms(timeout))) READY_OR_INTERRUPTED(real(fds, count, 0));
  return real(fds, count, timeout);
}

static const struct timespec kNoTime = {0, 0};

PUBLIC int ppoll(struct pollfd* fds, nfds_t count, const struct timespec* time,
                 const sigset_t* mask) {
  REAL(ppoll);
  if (passes(kind_of(time))) {
    READY_OR_INTERRUPTED(real(fds, count, &kNoTime, mask));
  }
  return real(fds, count, time, mask);
}

// What poll() and ppoll() become under _FORTIFY_SOURCE.
PUBLIC int __poll_chk(struct pollfd* fds, nfds_t count, int timeout,
                      size_t room) {
  if (room / sizeof(*fds) < count) abort();
  return poll(fds, count, timeout);
}
PUBLIC int __ppoll_chk(struct pollfd* fds, nfds_t count,
                       const struct timespec* time, const sigset_t* mask,
                       size_t room) {
  if (room / sizeof(*fds) < count) abort();
  return ppoll(fds, count, time, mask);
}

PUBLIC int select(int count, fd_set* reads, fd_set* writes, fd_set* excepts,
                  struct timeval* time) {
  REAL(select);
  struct timeval no_time = {0, 0};
  if (passes(time == NULL                              ? kForever
             : time->tv_sec == 0 && time->tv_usec == 0 ? kNot
                                                       : kAWhile)) {
    READY_OR_INTERRUPTED(real(count, reads, writes, excepts, &no_time));
  }
  return real(count, reads, writes, excepts, time);
}

PUBLIC int pselect(int count, fd_set* reads, fd_set* writes, fd_set* excepts,
                   const struct timespec* time, const sigset_t* mask) {
  REAL(pselect);
  if (passes(kind_of(time))) {
    READY_OR_INTERRUPTED(real(count, reads, writes, excepts, &kNoTime, mask));
  }
  return real(count, reads, writes, excepts, time, mask);
}

PUBLIC int epoll_wait(int fd, struct epoll_event* events, int count,
                      int timeout) {
  REAL(epoll_wait);
  if (passes(kind_of_ms(timeout)))
    READY_OR_INTERRUPTED(real(fd, events, count, 0));
  return real(fd, events, count, timeout);
}

PUBLIC int epoll_pwait(int fd, struct epoll_event* events, int count,
                       int timeout, const sigset_t* mask) {
  REAL(epoll_pwait);
  if (passes(kind_of_ms(timeout))) {
    READY_OR_INTERRUPTED(real(fd, events, count, 0, mask));
  }
  return real(fd, events, count, timeout, mask);
}

PUBLIC int epoll_pwait2(int fd, struct epoll_event* events, int count,
                        const struct timespec* time, const sigset_t* mask) {
  REAL(epoll_pwait2);
  if (passes(kind_of(time))) {
    READY_OR_INTERRUPTED(real(fd, events, count, &kNoTime, mask));
  }
  return real(fd, events, count, time, mask);
}

// ---- Files of /proc --------------------------------------------------------

// The modelled victim's file behind that path, or -1: it is a real one.
static int open_modelled(int directory, const char* path, int flags) {
  char full[256];
  if (stands_aside || path == NULL || (flags & O_ACCMODE) != O_RDONLY) {
    return -1;
  }
  if (path[0] != '/') {
    // Below a directory that is open, such as /proc/PID; or "maps" in it.
    char link[32];
    if (directory == AT_FDCWD) {
      strcpy(link, "/proc/self/cwd");
    } else {
      (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", directory);
    }
    const size_t most = 64;
    const long length = RAW(SYS_readlink, link, full, most, 0);
    if (length < 5 || length >= (long)most || memcmp(full, "/proc", 5) != 0 ||
        strlen(path) >= most) {
      return -1;
    }
    full[length] = '/';
    strcpy(full + length + 1, path);
    path = full;
  }
  if (strncmp(path, "/proc/", 6) != 0 || strlen(path) > 64) return -1;
  const int fd = ask_about(kShimOpen, 0, 0, 0, path).fd;
  if (fd >= 0 && (flags & O_CLOEXEC) == 0) {
    (void)RAW(SYS_fcntl, fd, F_SETFD, 0, 0);
  }
  return fd;
}

#define MODE_OF(flags)                            \
  mode_t mode = 0;                                \
  if (((flags) & (O_CREAT | __O_TMPFILE)) != 0) { \
    va_list arguments;                            \
    va_start(arguments, flags);                   \
    mode = va_arg(arguments, mode_t);             \
    va_end(arguments);                            \
  }

PUBLIC int openat(int directory, const char* path, int flags, ...) {
  MODE_OF(flags)
  REAL(openat);
  const int fd = open_modelled(directory, path, flags);
  return fd >= 0 ? fd : real(directory, path, flags, mode);
}
PUBLIC int openat64(int directory, const char* path, int flags, ...) {
  MODE_OF(flags)
  return openat(directory, path, flags, mode);
}
PUBLIC int open(const char* path, int flags, ...) {
  MODE_OF(flags)
  return openat(AT_FDCWD, path, flags, mode);
}
PUBLIC int open64(const char* path, int flags, ...) {
  MODE_OF(flags)
  return openat(AT_FDCWD, path, flags, mode);
}
// What they become under _FORTIFY_SOURCE.
PUBLIC int __open_2(const char* path, int flags) {
  return openat(AT_FDCWD, path, flags);
}
PUBLIC int __open64_2(const char* path, int flags) {
  return openat(AT_FDCWD, path, flags);
}
PUBLIC int __openat_2(int directory, const char* path, int flags) {
  return openat(directory, path, flags);
}
PUBLIC int __openat64_2(int directory, const char* path, int flags) {
  return openat(directory, path, flags);
}

static FILE* open_stream(const char* path, const char* mode) {
  if (mode == NULL || mode[0] != 'r' || strchr(mode, '+') != NULL) return NULL;
  const int fd =
      open_modelled(AT_FDCWD, path, strchr(mode, 'e') != NULL ? O_CLOEXEC : 0);
  return fd < 0 ? NULL : fdopen(fd, mode);
}

PUBLIC FILE* fopen(const char* path, const char* mode) {
  REAL(fopen);
  FILE* stream = open_stream(path, mode);
  return stream != NULL ? stream : real(path, mode);
}
PUBLIC FILE* fopen64(const char* path, const char* mode) {
  REAL(fopen64);
  FILE* stream = open_stream(path, mode);
  return stream != NULL ? stream : real(path, mode);
}

// ---- syscall(2) ------------------------------------------------------------

static long call_by_number(long n, long a, long b, long c, long d, long e,
                           long f) {
  switch (n) {
    case SYS_kill:
      return kill((pid_t)a, (int)b);
    case SYS_tgkill:
      return do_tgkill((pid_t)a, (pid_t)b, (int)c);
    case SYS_pidfd_send_signal:
      return do_pidfd_send_signal((int)a, (int)b, (void*)c, (unsigned int)d);
    case SYS_process_mrelease:
      return process_mrelease((int)a, (unsigned int)b);
    case SYS_wait4:
      return do_wait4((pid_t)a, (int*)b, (int)c, (struct rusage*)d);
    case SYS_waitid:
      // The fifth argument is the kernel's alone; libc's waitid() has none.
      if (e != 0) break;
      return do_waitid((idtype_t)a, (id_t)b, (siginfo_t*)c, (int)d);
    case SYS_open:
      return open((const char*)a, (int)b, (mode_t)c);
    case SYS_openat:
      return openat((int)a, (const char*)b, (int)c, (mode_t)d);
    case SYS_nanosleep:
      return nanosleep((const struct timespec*)a, (struct timespec*)b);
    case SYS_pause:
      return pause();
    case SYS_poll:
      return poll((struct pollfd*)a, (nfds_t)b, (int)c);
    case SYS_select:
      return select((int)a, (fd_set*)b, (fd_set*)c, (fd_set*)d,
                    (struct timeval*)e);
    case SYS_epoll_wait:
      return epoll_wait((int)a, (struct epoll_event*)b, (int)c, (int)d);
    // Not quite what libc has under these names.
    case SYS_clock_nanosleep:
      if (passes(kAWhile)) return interrupted();
      break;
    case SYS_rt_sigsuspend:
      if (passes(kForever)) return interrupted();
      break;
    case SYS_rt_sigtimedwait:
      if (passes(kind_of((const struct timespec*)c))) return interrupted();
      break;
    case SYS_ppoll:
      (void)passes(kind_of((const struct timespec*)c));
      break;
    case SYS_pselect6:
      (void)passes(kind_of((const struct timespec*)e));
      break;
    case SYS_epoll_pwait:
      (void)passes(kind_of_ms((int)d));
      break;
    case SYS_epoll_pwait2:
      (void)passes(kind_of((const struct timespec*)d));
      break;
    default:
      break;
  }
  return as_libc(raw6(n, a, b, c, d, e, f));
}

PUBLIC long syscall(long n, ...) {
  va_list arguments;
  va_start(arguments, n);
  long a[6];
  // Those that the caller did not give are whatever is there: the kernel, too,
  // looks only at those that the call has.
  for (int i = 0; i < 6; ++i) a[i] = va_arg(arguments, long);
  va_end(arguments);
  return call_by_number(n, a[0], a[1], a[2], a[3], a[4], a[5]);
}
