// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "conform/host_states.h"
#include "conform/precedence.h"
#include "import/read_file.h"

namespace reapsim {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kNoFd = static_cast<uint64_t>(-1);

}  // namespace

void PopulateStandardHostVictim(HostTask& victim) {
  const auto map = [&](uint64_t pages, uint64_t protection, uint64_t flags,
                       uint64_t fd = kNoFd, uint64_t offset = 0) {
    return static_cast<uint64_t>(
        victim.Must(SYS_mmap, 0, pages * kPage, protection, flags, fd, offset));
  };
  const auto touch = [&](uint64_t address, uint64_t pages, bool write) {
    victim.Touch(address, pages * kPage, kPage, write);
  };
  constexpr uint64_t kReadWrite = PROT_READ | PROT_WRITE;
  constexpr uint64_t kAnonymousPages = 64;
  constexpr uint64_t kFilePages = 8;
  constexpr uint64_t kFewPages = 4;

  touch(map(kAnonymousPages, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS),
        kAnonymousPages, true);
  // The harness's own program is a file that every host has.
  const std::string harness = absl::StrCat("/proc/", getpid(), "/exe");
  const auto file = static_cast<uint64_t>(
      victim.Must(SYS_openat, static_cast<uint64_t>(AT_FDCWD),
                  victim.Text(harness), O_RDONLY));
  touch(map(kFilePages, PROT_READ, MAP_PRIVATE, file), kFilePages, false);
  touch(map(kFilePages, kReadWrite, MAP_PRIVATE, file, kFilePages * kPage),
        kFilePages, true);
  const auto memfd = static_cast<uint64_t>(
      victim.Must(SYS_memfd_create, victim.Text("shared"), 0));
  (void)victim.Must(SYS_ftruncate, memfd, kFilePages * kPage);
  touch(map(kFilePages, kReadWrite, MAP_SHARED, memfd), kFilePages, true);
  touch(map(kFewPages, PROT_READ, MAP_SHARED, file), kFewPages, false);
  const uint64_t locked =
      map(kFewPages, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS);
  (void)victim.Must(SYS_mlock, locked, kFewPages * kPage);
}

HostScene::HostScene(Populate populate) {
  victim_ = &machine_.Spawn();
  watched_ = victim_;
  if (populate == nullptr) populate = PopulateStandardHostVictim;
  populate(*victim_);
  fd_ = machine_.PidfdOpen(*victim_);
}

HostTask& HostScene::caller() {
  if (caller_ == nullptr) caller_ = &machine_.Spawn();
  return *caller_;
}

int HostScene::fd() { return fd_; }

void HostScene::KillAndHold(const std::vector<HostTask*>& threads, int sig) {
  machine_.KillAndHold(threads, sig);
}

bool HostScene::Look(ProcProcess& process) {
  if (!machine_.ok() || watched_ == nullptr) return false;
  absl::StatusOr<ProcProcess> read =
      ReadProcess(absl::StrCat(watched_->tid()),
                  absl::StrCat("/proc/", watched_->tgid(), "/task"));
  if (read.ok()) {
    process = *std::move(read);
    return true;
  }
  // Gone, or a zombie. All else is trouble.
  if (!absl::IsNotFound(read.status()) &&
      !absl::IsFailedPrecondition(read.status()) &&
      !absl::IsUnavailable(read.status())) {
    machine_.Fail(read.status());
  }
  return false;
}

void HostScene::NoteBefore() { seen_before_ = Look(outcome_.before); }

void HostScene::NoteAfter(int64_t ret) {
  outcome_.ret = ret;
  called_ = true;
  outcome_.has_memory = seen_before_ && Look(outcome_.after);
}

void HostScene::Call(int fd, unsigned flags) {
  NoteBefore();
  NoteAfter(machine_.Mrelease(fd, flags));
}

namespace {

// How often the task has left the CPU: lines of /proc/PID/status. Empty if it
// is gone.
std::string SwitchesOf(const HostTask& task) {
  const absl::StatusOr<std::string> status = ReadFile(
      absl::StrCat("/proc/", task.tgid(), "/task/", task.tid(), "/status"));
  if (!status.ok()) return "";
  const size_t begin = status->find("voluntary_ctxt_switches");
  return begin == std::string::npos ? "" : status->substr(begin);
}

}  // namespace

void HostScene::CallBeforeItRuns(HostTask& task, int sig) {
  if (!machine_.ok()) return;
  const Precedence precedence(machine_);
  PinToCpu(machine_, task.tid(), precedence.cpu());
  const std::string before = SwitchesOf(task);
  machine_.Kill(task, sig);
  Call(fd_);
  if (SwitchesOf(task) != before) TryAgain();
}

void HostScene::Beside(HostTask& task, const std::function<void()>& act) {
  if (!machine_.ok()) return;
  const Precedence precedence(machine_);
  const int other = precedence.OtherCpu();
  if (other < 0) {
    machine_.Fail(absl::UnimplementedError("the harness has one CPU only"));
    return;
  }
  PinToCpu(machine_, task.tid(), other);
  SetFifo(machine_, task.tid());
  act();
}

HostOutcome HostScene::TakeOutcome() {
  if (machine_.ok() && !called_ && !try_again_) {
    machine_.Fail(absl::InternalError("the call was not made"));
  }
  outcome_.status = machine_.status();
  outcome_.status.Update(machine_.End());
  return std::move(outcome_);
}

HostOutcome PlayOnHost(const HostState& state, HostScene::Populate populate) {
  constexpr int kTries = 50;
  for (int tries = 0; tries < kTries; ++tries) {
    HostScene scene(populate);
    state.play(scene);
    HostOutcome outcome = scene.TakeOutcome();
    if (!outcome.status.ok() || !scene.try_again()) return outcome;
  }
  HostOutcome outcome;
  outcome.status = absl::InternalError(
      absl::StrCat(state.id, ": the state was missed ", kTries, " times"));
  return outcome;
}

}  // namespace reapsim
