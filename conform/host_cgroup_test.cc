// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/host_cgroup.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "base/kernel_version.h"

namespace reapsim {
namespace {

using Kind = HostCgroup::Kind;

class HostCgroupTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    const absl::Status can = HostCanConform();
    if (!can.ok()) GTEST_SKIP() << can;
    HostMachine m;
    const HostCgroup cgroup(m, GetParam());
    if (IsLack(m.status())) {
      GTEST_SKIP() << m.status();
    }
    ASSERT_TRUE(m.ok()) << m.status();
  }
};

INSTANTIATE_TEST_SUITE_P(All, HostCgroupTest,
                         ::testing::Values(Kind::kFreezerV1, Kind::kV2,
                                           Kind::kMemoryV1));

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }
bool Exists(pid_t pid) { return kill(pid, 0) == 0 || errno != ESRCH; }

void FreezeIfItCan(HostCgroup& cgroup) {
  if (cgroup.Has("freezer.state") || cgroup.Has("cgroup.freeze")) {
    cgroup.Freeze();
  }
}

TEST_P(HostCgroupTest, NothingIsLeftOfAFrozenVictim) {
  HostMachine m;
  HostCgroup cgroup(m, GetParam());
  HostTask& victim = m.Spawn();
  const pid_t pid = victim.tid();
  cgroup.Add(victim);
  FreezeIfItCan(cgroup);
  m.Kill(victim, SIGKILL);
  ASSERT_TRUE(m.ok()) << m.status();
  EXPECT_TRUE(Exists(cgroup.path()));
  EXPECT_TRUE(m.End().ok());
  EXPECT_FALSE(Exists(cgroup.path()));
  EXPECT_FALSE(Exists(pid));
}

// docs/conform.md says why freezer.v1_sigterm is played with a running victim.
TEST(HostFreezerTest, SigtermIsAcceptedForWhoIsFrozenAsleepFromV61On) {
  HostMachine m;
  HostCgroup cgroup(m, Kind::kFreezerV1);
  HostTask& victim = m.Spawn();
  cgroup.Add(victim);
  m.WaitInCall(victim, SYS_futex, "S");
  cgroup.Freeze();
  const int pidfd = m.PidfdOpen(victim);
  m.Kill(victim, SIGTERM);
  const int64_t ret = m.Mrelease(pidfd);
  const absl::StatusOr<KernelVersion> version =
      ParseKernelVersion(HostRelease());
  ASSERT_TRUE(version.ok()) << version.status();
  if (IsLack(m.status())) {
    GTEST_SKIP() << m.status();
  }
  ASSERT_TRUE(m.ok()) << m.status();
  const KernelVersion sleeps_are_freezable = {.major = 6, .minor = 1};
  EXPECT_EQ(ret, *version < sleeps_are_freezable ? -EINVAL : 0);
}

// What the child of the test tells about itself before it is killed.
struct Traces {
  pid_t victim = 0;
  char path[512] = {};
};

[[noreturn]] void FreezeAndDie(Kind kind, int pipe) {
  HostMachine m;
  HostCgroup cgroup(m, kind);
  HostTask& victim = m.Spawn();
  cgroup.Add(victim);
  FreezeIfItCan(cgroup);
  Traces traces;
  traces.victim = m.ok() ? victim.tid() : 0;
  cgroup.path().copy(traces.path, sizeof traces.path - 1);
  (void)!write(pipe, &traces, sizeof traces);
  (void)raise(SIGKILL);
  _exit(1);
}

TEST_P(HostCgroupTest, NothingIsLeftOfAHarnessThatIsKilled) {
  // Orphans come here, rather than to who may be slow to wait for them.
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  const pid_t harness = fork();
  if (harness == 0) FreezeAndDie(GetParam(), fds[1]);
  close(fds[1]);
  Traces traces;
  ASSERT_EQ(read(fds[0], &traces, sizeof traces), sizeof traces);
  close(fds[0]);
  ASSERT_NE(traces.victim, 0);
  ASSERT_TRUE(absl::StrContains(traces.path, "reapsim-"));
  EXPECT_TRUE(WaitPatiently([&] {
    while (waitpid(-1, nullptr, WNOHANG | __WALL) > 0) {
    }
    return errno == ECHILD && !Exists(traces.victim) && !Exists(traces.path);
  }));
}

}  // namespace
}  // namespace reapsim
