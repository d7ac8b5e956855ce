// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The outer edge of the call: whether it exists at all, and how the kernel
// reads its arguments.

#include <signal.h>

#include <cerrno>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

constexpr long kProcessMrelease = 448;

class EnosysTest : public ::testing::TestWithParam<KernelOptions> {};

TEST_P(EnosysTest, ComesBeforeAnythingElse) {
  Kernel k(GetParam());
  Task& victim = k.Spawn("victim");
  Task& lmkd = k.Spawn("lmkd");
  const int fd = k.As(lmkd).pidfd_open(victim.pid(), 0);
  User caller = k.As(lmkd);
  EXPECT_THAT(caller.process_mrelease(fd, 0), SyscallFailsWithErrno(ENOSYS));
  EXPECT_THAT(caller.process_mrelease(-1, 1), SyscallFailsWithErrno(ENOSYS));
  k.As(lmkd).kill(victim.pid(), SIGKILL);
  const Pages before = victim.mm().rss();
  EXPECT_THAT(caller.process_mrelease(fd, 0), SyscallFailsWithErrno(ENOSYS));
  EXPECT_THAT(caller.process_mrelease(fd, 1), SyscallFailsWithErrno(ENOSYS));
  EXPECT_EQ(victim.mm().rss(), before);
  EXPECT_FALSE(victim.mm().unstable());
}

INSTANTIATE_TEST_SUITE_P(
    , EnosysTest,
    ::testing::Values(KernelOptions{.version = "v6.18", .mmu = false},
                      KernelOptions{.version = "v5.15-rc1", .mmu = false},
                      KernelOptions{.version = "v5.14"}),
    [](const auto& info) {
      return (info.param.mmu ? std::string("Before") : std::string("NoMmu")) +
             std::to_string(info.index);
    });

TEST(RawCall, SeesOnlyTheLowerHalvesOfItsArguments) {
  constexpr uint64_t kUpper = uint64_t{1} << 32;
  Kernel k;
  Task& victim = k.Spawn("victim");
  Task& lmkd = k.Spawn("lmkd");
  const auto fd =
      static_cast<uint64_t>(k.As(lmkd).pidfd_open(victim.pid(), 0).kernel());
  k.As(lmkd).kill(victim.pid(), SIGKILL);
  EXPECT_THAT(k.As(lmkd).syscall(kProcessMrelease, fd, kUpper | 1),
              SyscallFailsWithErrno(EINVAL));
  EXPECT_THAT(k.As(lmkd).syscall(kProcessMrelease, kUpper | fd, kUpper),
              SyscallSucceeds());
}

TEST(RawCall, OfAnotherNumberIsEnosys) {
  Kernel k;
  Task& lmkd = k.Spawn("lmkd");
  EXPECT_THAT(k.As(lmkd).syscall(kProcessMrelease + 1000, 0, 0),
              SyscallFailsWithErrno(ENOSYS));
}

TEST(Charges, AreTheCallersAndNotTheVictims) {
  Kernel k;
  Task& victim = k.Spawn("victim");
  Task& lmkd = k.Spawn("lmkd");
  const int fd = k.As(lmkd).pidfd_open(victim.pid(), 0);
  const uint64_t heap = k.As(victim).mmap(1_MiB, Anonymous());
  k.As(victim).touch(heap, 1_MiB);
  k.As(lmkd).kill(victim.pid(), SIGKILL);
  // Spawn() has charged both for the image that their exec() threw away.
  const uint64_t victims_before = k.Charged(victim, Cost::kVmaVisited);
  const uint64_t callers_before = k.Charged(lmkd, Cost::kVmaVisited);
  EXPECT_THAT(k.As(lmkd).process_mrelease(fd, 0), SyscallSucceeds());
  // The heap and the private mappings of the standard image.
  EXPECT_EQ(k.Charged(lmkd, Cost::kVmaVisited) - callers_before,
            static_cast<uint64_t>(victim.mm().vmas()));
  EXPECT_EQ(k.Charged(victim, Cost::kVmaVisited), victims_before);
}

}  // namespace
}  // namespace reapsim
