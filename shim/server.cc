// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "shim/server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/errno_names.h"
#include "import/proc_source.h"
#include "import/read_file.h"
#include "shim/proc_text.h"
#include "shim/process.h"
#include "shim/program.h"
#include "shim/protocol.h"

namespace reapsim {
namespace {

constexpr int kExitBroken = 1;
constexpr int kExitRefused = 2;
// A process has room for twelve machines (base/arena.h); one is for calls that
// are not about victims.
constexpr size_t kMaxDeaths = 11;
// How often, and how many times, everybody must be found asleep.
constexpr int kQuietMs = 100;
constexpr int kQuietChecks = 10;

absl::Status SystemError(absl::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat("cannot ", what, ": ", std::strerror(errno)));
}

std::string SignalText(int error) {
  return error == 0 ? "0" : std::string(ErrnoName(error));
}

// ---- The socket ------------------------------------------------------------

struct Listener {
  OwnedFd fd;
  std::string name;
};

// An abstract address: there whatever the program does to its directories, and
// gone with this process.
absl::StatusOr<Listener> Listen() {
  uint64_t unguessable[2] = {};
  if (getrandom(unguessable, sizeof(unguessable), 0) !=
      static_cast<ssize_t>(sizeof(unguessable))) {
    return SystemError("draw the name of a socket");
  }
  Listener listener;
  listener.name = absl::StrCat("reapsim-shim-", absl::Hex(unguessable[0]), "-",
                               absl::Hex(unguessable[1]));
  listener.fd = OwnedFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, listener.name.data(), listener.name.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) +
                                             1 + listener.name.size());
  if (!listener.fd.ok() ||
      bind(listener.fd.get(), reinterpret_cast<sockaddr*>(&address), length) !=
          0 ||
      listen(listener.fd.get(), SOMAXCONN) != 0) {
    return SystemError("listen for the program's calls");
  }
  return listener;
}

pid_t PeerOf(int connection) {
  ucred peer = {};
  socklen_t length = sizeof(peer);
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0
             ? peer.pid
             : 0;
}

void SendReply(int connection, const reapsim_shim_reply& reply, int fd) {
  reapsim_shim_reply copy = reply;
  iovec part{&copy, sizeof(copy)};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  }
  // Whoever asked may have been killed meanwhile.
  (void)sendmsg(connection, &message, MSG_NOSIGNAL);
}

// A file that holds this text, open for reading only.
OwnedFd FileWith(absl::string_view text) {
  const OwnedFd file(memfd_create("reapsim", MFD_CLOEXEC));
  if (!file.ok() || write(file.get(), text.data(), text.size()) !=
                        static_cast<ssize_t>(text.size())) {
    return OwnedFd();
  }
  return OwnedFd(open(absl::StrCat("/proc/self/fd/", file.get()).c_str(),
                      O_RDONLY | O_CLOEXEC));
}

// ---- The server ------------------------------------------------------------

// A real process that has been sent SIGKILL and dies in the model.
struct Victim {
  pid_t pid;
  OwnedFd pidfd;
  pid_t parent;
  // Who killed it: its calls and sleeps are the ticks.
  pid_t killer;
  OwnedFd killer_pidfd;
  ModelledDeath* death;
  // The killer waits for somebody else, and can do nothing himself until then:
  // everybody's sleeps are ticks.
  bool killer_waits = false;
  // He is in a sleep, and will call again.
  bool killer_sleeps = false;
  // The real process has been killed. Kept until it has been waited for: until
  // then somebody may hear of its stop.
  bool ended = false;
};

class Server {
 public:
  Server(const ShimOptions& options, Listener listener, pid_t program)
      : options_(options),
        listener_(std::move(listener)),
        program_(program),
        program_pidfd_(OpenPidfd(program)) {}

  ShimEnd Serve();

 private:
  struct Connection {
    OwnedFd fd;
    pid_t peer;
  };
  struct Answer {
    reapsim_shim_reply reply = {.action = kShimDoIt};
    OwnedFd fd;
  };

  void Trace(const std::string& line) {
    if (options_.trace) options_.trace(line);
  }
  void Complain(const std::string& line) {
    Trace(line);
    if (options_.complain) options_.complain(line);
  }
  Answer Refuse(const std::string& why);
  static Answer Errno(int error) {
    Answer answer;
    answer.reply = {.action = kShimAnswer, .ret = 0, .error = error};
    return answer;
  }

  void Accept();
  void Handle(Connection connection);
  Answer AnswerTo(pid_t peer, const reapsim_shim_request& request);
  Answer Kill(pid_t peer, pid_t pid, int sig);
  Answer KillOne(pid_t peer, pid_t pid);
  Answer KillGroup(pid_t peer, pid_t pid, int sig);
  Answer BeginDeath(pid_t peer, pid_t pid, const RealStat& stat);
  absl::StatusOr<ModelledDeath*> DeathOf(pid_t pid);
  Answer Mrelease(pid_t peer, int fd, unsigned int flags);
  void Wait(pid_t peer, int type, int id, int options);
  Answer Open(absl::string_view path);
  void Tick(pid_t peer, bool passes, bool forever = false);
  void EndIfNobodyMoves();
  void Settle();
  void ReapOrphans();
  void EndEverything();
  int ExitCode();

  Victim* Dying(pid_t pid);
  bool Matches(const Victim& victim, pid_t peer, int type, int id) const;
  // Nobody is left whose calls could move it.
  static bool IsForsaken(const Victim& victim);
  ModelledDeath* Holder(pid_t pid);

  ShimOptions options_;
  Listener listener_;
  pid_t program_;
  OwnedFd program_pidfd_;
  std::vector<Connection> connections_;
  std::vector<std::unique_ptr<ModelledDeath>> deaths_;
  std::vector<Victim> victims_;
  bool shim_was_loaded_ = false;
  int quiet_ = 0;            // checks in a row at which everybody slept
  std::optional<int> over_;  // the run ends now, with this
};

Server::Answer Server::Refuse(const std::string& why) {
  Complain(absl::StrCat("refused: ", why));
  over_ = kExitRefused;
  Answer answer;
  answer.reply.action = kShimRefuse;
  return answer;
}

Victim* Server::Dying(pid_t pid) {
  for (Victim& victim : victims_) {
    if (victim.pid == pid && !victim.ended) return &victim;
  }
  return nullptr;
}

ModelledDeath* Server::Holder(pid_t pid) {
  for (const auto& death : deaths_) {
    if (death->Has(pid)) return death.get();
  }
  return nullptr;
}

bool Server::IsForsaken(const Victim& victim) {
  pollfd killer{victim.killer_pidfd.get(), POLLIN, 0};
  return poll(&killer, 1, 0) > 0;
}

ShimEnd Server::Serve() {
  Trace(options_.model.note);
  while (!over_) {
    std::vector<pollfd> fds = {{listener_.fd.get(), POLLIN, 0},
                               {program_pidfd_.get(), POLLIN, 0}};
    for (const Connection& connection : connections_) {
      // One that dies in the model is stopped: what it asked before is void.
      const bool stopped = Dying(connection.peer) != nullptr;
      fds.push_back({stopped ? -1 : connection.fd.get(), POLLIN, 0});
    }
    bool dying = false;
    for (const Victim& victim : victims_) {
      if (victim.ended) continue;
      dying = true;
      fds.push_back({victim.killer_pidfd.get(), POLLIN, 0});
    }
    const int ready = poll(fds.data(), fds.size(), dying ? kQuietMs : -1);
    if (ready < 0) continue;
    ReapOrphans();
    if (ready == 0) {
      EndIfNobodyMoves();
      continue;
    }
    quiet_ = 0;
    if (fds[1].revents != 0) break;
    std::vector<Connection> asking;
    for (size_t i = connections_.size(); i-- > 0;) {
      if (fds[2 + i].revents == 0) continue;
      asking.push_back(std::move(connections_[i]));
      connections_.erase(connections_.begin() + static_cast<ptrdiff_t>(i));
    }
    for (auto asker = asking.rbegin(); asker != asking.rend(); ++asker) {
      if (!over_) Handle(std::move(*asker));
    }
    for (Victim& victim : victims_) {
      if (!victim.ended && IsForsaken(victim)) victim.death->RunToEnd();
    }
    Settle();
    if (fds[0].revents != 0) Accept();
  }
  const int code = over_ ? *over_ : ExitCode();
  EndEverything();
  return {code, shim_was_loaded_};
}

void Server::Accept() {
  OwnedFd fd(accept4(listener_.fd.get(), nullptr, nullptr,
                     SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.ok()) return;
  const pid_t peer = PeerOf(fd.get());
  // Only the program and what it started may ask.
  if (peer == 0 || !IsBelow(peer, getpid())) return;
  connections_.push_back({std::move(fd), peer});
}

void Server::Handle(Connection connection) {
  // It may have been killed by one who asked at the same time.
  if (Dying(connection.peer) != nullptr) {
    connections_.push_back(std::move(connection));
    return;
  }
  // What the dead have asked is void, too.
  pollfd asker{connection.fd.get(), POLLIN, 0};
  if (poll(&asker, 1, 0) != 1 || (asker.revents & POLLHUP) != 0) return;
  reapsim_shim_request request = {};
  if (recv(connection.fd.get(), &request, sizeof(request), 0) !=
      static_cast<ssize_t>(sizeof(request))) {
    return;
  }
  request.path[sizeof(request.path) - 1] = '\0';
  const Answer answer = AnswerTo(connection.peer, request);
  Settle();
  SendReply(connection.fd.get(), answer.reply, answer.fd.get());
}

Server::Answer Server::AnswerTo(pid_t peer,
                                const reapsim_shim_request& request) {
  for (Victim& victim : victims_) {
    if (victim.killer == peer) {
      victim.killer_waits = victim.killer_sleeps = false;
    }
  }
  switch (request.op) {
    case kShimHello:
      shim_was_loaded_ = true;
      if (!InOurPidNamespace(peer)) {
        return Refuse(absl::StrCat("process ", peer,
                                   " is in a pid namespace of its own; run "
                                   "reapsim shim inside of it"));
      }
      return {};
    case kShimKill:
      return Kill(peer, request.a, request.b);
    case kShimSendSignal: {
      const RealDescriptor target = LookAtDescriptor(peer, request.a);
      return target.pid == 0 ? Answer{} : KillOne(peer, target.pid);
    }
    case kShimMrelease:
      return Mrelease(peer, request.a, request.flags);
    case kShimWait:
      Wait(peer, request.a, request.b, static_cast<int>(request.flags));
      return {};
    case kShimIsVictim: {
      Answer answer;
      answer.reply.ret = std::any_of(
          victims_.begin(), victims_.end(),
          [&](const Victim& victim) { return victim.pid == request.a; });
      return answer;
    }
    case kShimPass:
    case kShimLook:
      Tick(peer, request.op == kShimPass,
           (request.flags & REAPSIM_SHIM_FOREVER) != 0);
      return {};
    case kShimOpen:
      return Open(request.path);
    default:
      return Refuse("the program's library is of another version");
  }
}

// ---- SIGKILL ---------------------------------------------------------------

Server::Answer Server::Kill(pid_t peer, pid_t pid, int sig) {
  if (pid <= 0) return KillGroup(peer, pid, sig);
  if (sig == SIGKILL) return KillOne(peer, pid);
  Victim* victim = Dying(ProcessOfThread(pid));
  if (victim == nullptr) return {};
  // Others change nothing for one that has been killed; a SIGCONT would wake
  // the real process.
  victim->death->Look();
  return Errno(0);
}

Server::Answer Server::KillOne(pid_t peer, pid_t pid) {
  const pid_t process = ProcessOfThread(pid);
  const std::optional<RealStat> stat = ReadRealStat(process);
  // The real kernel knows what to say of those who are gone.
  if (process == 0 || !stat) return {};
  // Nobody can do anything between his call and his death.
  if (process == peer) return {};
  if (Victim* victim = Dying(process)) {
    victim->death->Look();
    return Errno(0);
  }
  if (stat->state == 'Z' && ThreadCount(process) == 1) return {};
  if (!IsBelow(process, getpid())) {
    Complain(absl::StrCat("refused: SIGKILL to process ", process,
                          ", which the program has not started"));
    return Errno(EPERM);
  }
  return BeginDeath(peer, process, *stat);
}

Server::Answer Server::KillGroup(pid_t peer, pid_t pid, int sig) {
  if (sig != SIGKILL && sig != SIGCONT) return {};
  const std::optional<RealStat> caller = ReadRealStat(peer);
  const pid_t group = pid == 0 && caller ? caller->group : -pid;
  std::vector<pid_t> targets;
  bool strangers = false;
  for (const pid_t process : AllProcesses()) {
    const std::optional<RealStat> stat = ReadRealStat(process);
    if (!stat || stat->state == 'Z') continue;
    if (pid == -1 ? process == peer : stat->group != group) continue;
    if (IsBelow(process, getpid())) {
      targets.push_back(process);
    } else if (pid != -1) {
      strangers = true;
    }
  }
  if (sig == SIGCONT) {
    const bool victims_among = std::any_of(
        targets.begin(), targets.end(),
        [this](pid_t process) { return Dying(process) != nullptr; });
    if (!victims_among) return {};
    for (const pid_t process : targets) {
      if (Dying(process) == nullptr) (void)kill(process, SIGCONT);
    }
    return Errno(0);
  }
  if (strangers) {
    Complain(absl::StrCat("refused: SIGKILL to those of process group ", group,
                          " that the program has not started"));
  }
  if (targets.empty()) return strangers ? Errno(EPERM) : Answer{};
  Answer all = Errno(0);
  for (const pid_t process : targets) {
    if (process == peer) continue;
    const Answer one = KillOne(peer, process);
    if (one.reply.action == kShimRefuse) {
      all.reply.action = kShimRefuse;
      return all;
    }
    for (int i = 0; i < one.reply.stopped_count; ++i) {
      if (all.reply.stopped_count == REAPSIM_SHIM_MAX_STOPPED) break;
      all.reply.stopped[all.reply.stopped_count++] = one.reply.stopped[i];
    }
  }
  if (std::find(targets.begin(), targets.end(), peer) != targets.end()) {
    (void)kill(peer, SIGKILL);
  }
  return all;
}

absl::StatusOr<ModelledDeath*> Server::DeathOf(pid_t pid) {
  if (ModelledDeath* holder = Holder(pid)) return holder;
  if (deaths_.size() >= kMaxDeaths) {
    return absl::ResourceExhaustedError(absl::StrCat(
        kMaxDeaths, " victims with different memory are dying already"));
  }
  const absl::StatusOr<ProcProcess> process = ReadProcess(absl::StrCat(pid));
  if (!process.ok()) return process.status();
  std::vector<ShimProcess> sharers;
  for (const pid_t other : AllProcesses()) {
    if (other != pid && HaveSameMemory(pid, other)) {
      sharers.push_back({other, ThreadCount(other)});
    }
  }
  absl::StatusOr<std::unique_ptr<ModelledDeath>> death =
      ModelledDeath::Create(options_.model, *process, sharers);
  if (!death.ok()) return death.status();
  Trace(absl::StrCat("process ", pid, " imported: ", process->smaps.vmas.size(),
                     " mappings, ", Totals(process->smaps).rss, " KiB, ",
                     process->status.threads, " threads, ", sharers.size(),
                     " other processes with its memory"));
  deaths_.push_back(*std::move(death));
  return deaths_.back().get();
}

Server::Answer Server::BeginDeath(pid_t peer, pid_t pid, const RealStat& stat) {
  Victim victim{.pid = pid, .pidfd = OpenPidfd(pid), .parent = stat.parent};
  victim.killer = peer;
  victim.killer_pidfd = OpenPidfd(victim.killer);
  if (!victim.pidfd.ok() || !victim.killer_pidfd.ok()) return {};
  const absl::Status stopped = StopProcess(pid, victim.pidfd.get());
  if (!stopped.ok()) return Refuse(std::string(stopped.message()));
  const absl::StatusOr<ModelledDeath*> death = DeathOf(pid);
  if (!death.ok()) {
    // Nobody is left behind stopped.
    EndProcess(victim.pidfd.get());
    return Refuse(absl::StrCat(
        "process ", pid, " can't be imported: ", death.status().message()));
  }
  victim.death = *death;
  Trace(absl::StrCat("process ", pid, " killed by process ", peer));
  victim.death->Kill(pid);
  Answer answer = Errno(0);
  if (stat.parent == peer) {
    answer.reply.stopped[answer.reply.stopped_count++] = pid;
  }
  victims_.push_back(std::move(victim));
  return answer;
}

// ---- Others ----------------------------------------------------------------

Server::Answer Server::Mrelease(pid_t peer, int fd, unsigned int flags) {
  const RealDescriptor target = LookAtDescriptor(peer, fd);
  ModelledDeath* death = target.pid == 0 || target.kind == Descriptor::kZombie
                             ? nullptr
                             : Holder(target.pid);
  MreleaseAnswer answer;
  std::string about;
  if (death != nullptr) {
    for (const pid_t pid : death->Pids()) {
      const std::optional<RealStat> stat = ReadRealStat(pid);
      if (!stat || stat->state == 'Z') death->ExitedByItself(pid);
    }
    answer = death->Mrelease(target.pid, flags);
    about = absl::StrCat("process ", target.pid);
  } else {
    const absl::StatusOr<MreleaseAnswer> asked =
        AskAbout(options_.model, target.kind, fd, flags);
    if (!asked.ok()) return Refuse(std::string(asked.status().message()));
    answer = *asked;
    about = DescriptorText(target.kind);
  }
  if (!answer.broken.empty()) {
    Complain(absl::StrCat("the modelled kernel breaks: ", answer.broken));
    over_ = kExitBroken;
    Answer end;
    end.reply.action = kShimRefuse;
    return end;
  }
  Trace(absl::StrCat("process_mrelease(", about, ", ", flags, ") = ",
                     SignalText(answer.error), ", by ", answer.decision));
  return Errno(answer.error);
}

bool Server::Matches(const Victim& victim, pid_t peer, int type, int id) const {
  if (victim.ended || victim.parent != peer) return false;
  switch (type) {
    case P_PID:
      return victim.pid == id;
    case P_PGID: {
      const std::optional<RealStat> caller = ReadRealStat(peer);
      const std::optional<RealStat> stat = ReadRealStat(victim.pid);
      const pid_t group = id == 0 && caller ? caller->group : id;
      return stat && stat->group == group;
    }
    case P_PIDFD:
      return LookAtDescriptor(peer, id).pid == victim.pid;
    default:
      return true;
  }
}

void Server::Wait(pid_t peer, int type, int id, int options) {
  bool matched = false;
  for (const Victim& victim : victims_) {
    if ((options & WEXITED) == 0 || !Matches(victim, peer, type, id)) continue;
    // Another parent waits for real, until the killer has let the victim go:
    // that he learns of the death so early is no reason for it.
    if (victim.killer != peer && !victim.killer_waits && !IsForsaken(victim)) {
      continue;
    }
    matched = true;
    if ((options & WNOHANG) != 0) {
      victim.death->Look();
    } else {
      Trace(absl::StrCat("process ", victim.pid, " is waited for"));
      victim.death->RunToEnd();
    }
  }
  if (matched) return;
  Tick(peer, /*passes=*/false);
  if ((options & WNOHANG) != 0) return;
  for (Victim& victim : victims_) {
    if (victim.killer == peer) victim.killer_waits = true;
  }
}

void Server::Tick(pid_t peer, bool passes, bool forever) {
  for (Victim& victim : victims_) {
    if (victim.ended || (victim.killer != peer && !victim.killer_waits)) {
      continue;
    }
    if (passes) {
      victim.killer_sleeps = true;
      victim.death->Pass(forever);
    } else {
      victim.death->Look();
    }
  }
}

// A program whose every process sleeps in something that is not intercepted
// waits for the victim without saying so: in a read from a pipe that it holds,
// in a thread that has waited since before. What would hang for ever goes on.
void Server::EndIfNobodyMoves() {
  const auto waits = [](const Victim& victim) {
    return !victim.ended && !victim.killer_sleeps && !victim.death->stuck();
  };
  if (std::none_of(victims_.begin(), victims_.end(), waits)) return;
  for (const pid_t pid : AllProcesses()) {
    if (IsBelow(pid, getpid()) && Dying(pid) == nullptr && !IsAsleep(pid)) {
      quiet_ = 0;
      return;
    }
  }
  if (++quiet_ < kQuietChecks) return;
  for (const Victim& victim : victims_) {
    if (!waits(victim)) continue;
    Trace("nobody moves");
    victim.death->RunToEnd();
  }
  Settle();
}

Server::Answer Server::Open(absl::string_view path) {
  absl::string_view rest = path;
  (void)absl::ConsumePrefix(&rest, "/proc/");
  const size_t slash = rest.find('/');
  pid_t pid = 0;
  if (slash == absl::string_view::npos ||
      !absl::SimpleAtoi(rest.substr(0, slash), &pid) ||
      !IsModelledProcFile(rest.substr(slash + 1))) {
    return {};
  }
  Victim* victim = Dying(pid);
  if (victim == nullptr) return {};
  victim->death->Look();
  Settle();
  victim = Dying(pid);
  if (victim == nullptr || over_) return {};
  const absl::StatusOr<std::string> real = ReadFile(std::string(path));
  if (!real.ok()) return {};
  Answer answer;
  answer.fd = FileWith(ModelledProcText(rest.substr(slash + 1), *real,
                                        victim->death->Memory(pid),
                                        victim->death->StateLetter(pid)));
  if (!answer.fd.ok()) return Refuse("no room for a file of /proc");
  Trace(absl::StrCat("process ", pid, ": ", rest.substr(slash + 1), " read"));
  return answer;
}

// ---- What follows from the model -------------------------------------------

// Those that have ended in the model end in reality; those that somebody has
// waited for are forgotten.
void Server::Settle() {
  for (Victim& victim : victims_) {
    if (victim.ended) continue;
    const std::string& broken = victim.death->broken();
    if (!broken.empty() && !over_) {
      Complain(absl::StrCat("the modelled kernel breaks: ", broken));
      over_ = kExitBroken;
    }
    if (broken.empty() && !victim.death->HasEnded(victim.pid)) continue;
    EndProcess(victim.pidfd.get());
    victim.ended = true;
    Trace(absl::StrCat("process ", victim.pid, " has ended"));
  }
  ReapOrphans();
  victims_.erase(std::remove_if(victims_.begin(), victims_.end(),
                                [](const Victim& victim) {
                                  return victim.ended &&
                                         IsReaped(victim.pidfd.get());
                                }),
                 victims_.end());
  const auto is_live = [this](pid_t pid) {
    if (Dying(pid) != nullptr) return true;
    const std::optional<RealStat> stat = ReadRealStat(pid);
    return stat && stat->state != 'Z' && Holder(pid) != nullptr &&
           !Holder(pid)->IsKilled(pid);
  };
  for (size_t i = deaths_.size(); i-- > 0;) {
    const std::vector<pid_t> pids = deaths_[i]->Pids();
    if (std::any_of(pids.begin(), pids.end(), is_live)) continue;
    for (Victim& victim : victims_) {
      if (victim.death == deaths_[i].get()) victim.death = nullptr;
    }
    deaths_.erase(deaths_.begin() + static_cast<ptrdiff_t>(i));
  }
}

// As init would.
void Server::ReapOrphans() {
  for (;;) {
    siginfo_t info = {};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0 || info.si_pid == program_) {
      return;
    }
    (void)waitpid(info.si_pid, nullptr, 0);
  }
}

int Server::ExitCode() {
  int status = 0;
  if (waitpid(program_, &status, 0) != program_) return kExitRefused;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// No process is left behind stopped. Where the run did not come to its end, no
// process of the program is left at all.
void Server::EndEverything() {
  for (Victim& victim : victims_) {
    if (!victim.ended) EndProcess(victim.pidfd.get());
  }
  if (over_) {
    for (const pid_t pid : AllProcesses()) {
      const OwnedFd pidfd = OpenPidfd(pid);
      if (pidfd.ok() && IsBelow(pid, getpid())) EndProcess(pidfd.get());
    }
  }
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

// ---- The program -----------------------------------------------------------

volatile pid_t forward_to = 0;

void Forward(int sig) { (void)kill(forward_to, sig); }

// While the program runs. What a terminal sends to both, and what is sent to
// this process alone, are for the program, which decides what comes of it.
class SignalsForTheProgram {
 public:
  explicit SignalsForTheProgram(pid_t program) {
    forward_to = program;
    for (const int sig : kFromTerminal) (void)signal(sig, SIG_IGN);
    for (const int sig : kToForward) (void)signal(sig, Forward);
  }
  ~SignalsForTheProgram() {
    for (const int sig : kFromTerminal) (void)signal(sig, SIG_DFL);
    for (const int sig : kToForward) (void)signal(sig, SIG_DFL);
  }
  SignalsForTheProgram(const SignalsForTheProgram&) = delete;
  SignalsForTheProgram& operator=(const SignalsForTheProgram&) = delete;

 private:
  static constexpr int kFromTerminal[] = {SIGINT, SIGQUIT, SIGTSTP};
  static constexpr int kToForward[] = {SIGTERM, SIGHUP};
};

absl::Status Prepare() {
  if (!ReadRealStat(getpid())) {
    return absl::FailedPreconditionError(
        "there is no /proc: victims can't be read");
  }
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    return SystemError("become the parent of orphans");
  }
  if (!OpenPidfd(getpid()).ok()) return SystemError("open a pidfd");
  return absl::OkStatus();
}

[[noreturn]] void Become(const std::string& path,
                         const std::vector<std::string>& argv, int tell) {
  (void)signal(SIGPIPE, SIG_DFL);
  std::vector<char*> pointers;
  for (const std::string& each : argv) {
    pointers.push_back(const_cast<char*>(each.c_str()));
  }
  pointers.push_back(nullptr);
  (void)execv(path.c_str(), pointers.data());
  const int error = errno;
  (void)!write(tell, &error, sizeof(error));
  _exit(kExitRefused);
}

void SetEnvironment(const ShimOptions& options, const Listener& listener) {
  (void)setenv(REAPSIM_SHIM_SOCKET, listener.name.c_str(), 1);
  if (options.preload.empty()) return;
  const char* others = std::getenv("LD_PRELOAD");
  (void)setenv("LD_PRELOAD",
               others == nullptr || *others == '\0'
                   ? options.preload.c_str()
                   : absl::StrCat(options.preload, ":", others).c_str(),
               1);
}

}  // namespace

absl::StatusOr<std::optional<ShimEnd>> ForkUnderShim(
    const ShimOptions& options) {
  const absl::Status status = Prepare();
  if (!status.ok()) return status;
  absl::StatusOr<Listener> listener = Listen();
  if (!listener.ok()) return listener.status();
  const pid_t program = fork();
  if (program < 0) return SystemError("start a process");
  if (program == 0) {
    SetEnvironment(options, *listener);
    return std::optional<ShimEnd>();
  }
  const SignalsForTheProgram signals(program);
  Server server(options, *std::move(listener), program);
  return std::optional<ShimEnd>(server.Serve());
}

absl::StatusOr<ShimEnd> RunUnderShim(const ShimOptions& options,
                                     const std::vector<std::string>& argv) {
  const absl::StatusOr<std::string> path = FindProgram(argv.front());
  if (!path.ok()) return path.status();
  const absl::Status status = CheckProgram(*path);
  if (!status.ok()) return status;
  int pipe[2];
  if (pipe2(pipe, O_CLOEXEC) != 0) return SystemError("make a pipe");
  const OwnedFd hear(pipe[0]);
  const OwnedFd tell(pipe[1]);
  // Written where nobody waits for it, so that it can be read at the end.
  const absl::StatusOr<std::optional<ShimEnd>> end = ForkUnderShim(options);
  if (!end.ok()) return end.status();
  if (!*end) Become(*path, argv, tell.get());
  int error = 0;
  (void)fcntl(hear.get(), F_SETFL, O_NONBLOCK);
  if (read(hear.get(), &error, sizeof(error)) == sizeof(error)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot run ", *path, ": ", std::strerror(error)));
  }
  if (!(*end)->loaded) {
    return absl::FailedPreconditionError(absl::StrCat(
        *path, " never loaded the shim's library: does the loader forbid it?"));
  }
  return **end;
}

}  // namespace reapsim
