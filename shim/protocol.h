// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the interposed program (interpose.c) and the model's process (server.h)
// say to each other. One connection carries one question and its answer, so
// that a program may close any descriptor, fork and exec as it likes. Plain C:
// the interposed side has no C++ library.
#ifndef REAPSIM_SHIM_PROTOCOL_H_
#define REAPSIM_SHIM_PROTOCOL_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The environment variable that names the server's socket, an abstract one.
#define REAPSIM_SHIM_SOCKET "REAPSIM_SHIM_SOCKET"

enum reapsim_shim_op {
  kShimHello = 1,   // an image with the shim begins to run
  kShimKill,        // a: pid, as for kill(2); b: signal
  kShimSendSignal,  // a: pidfd; b: signal
  kShimMrelease,    // a: pidfd; flags
  kShimWait,        // a: P_PID …; b: id or pidfd; flags: of waitid(2)
  kShimIsVictim,    // a: pid; ret is 1 if it is a modelled victim
  kShimPass,        // time passes: a sleep, a poll; flags: below
  kShimLook,        // no time passes: a poll without one
  kShimOpen,        // path: of a file in /proc
};

struct reapsim_shim_request {
  uint32_t op;
  int32_t a;
  int32_t b;
  uint32_t flags;
  char path[128];
};

// The sleep has no end of its own.
#define REAPSIM_SHIM_FOREVER 1u

enum reapsim_shim_action {
  kShimDoIt = 1,  // make the real call
  kShimAnswer,    // the call returns ret, or -1 and error
  kShimRefuse,    // the program can't go on under the shim; it has been told
};

#define REAPSIM_SHIM_MAX_STOPPED 16

struct reapsim_shim_reply {
  uint32_t action;
  int32_t ret;
  int32_t error;
  // Children of the caller that the shim has stopped: it forgets the stops.
  int32_t stopped_count;
  int32_t stopped[REAPSIM_SHIM_MAX_STOPPED];
};

// interpose.c: from now on, if the environment names a server, this process
// asks it.
void reapsim_shim_begin(void);

#ifdef __cplusplus
}
#endif

#endif  // REAPSIM_SHIM_PROTOCOL_H_
