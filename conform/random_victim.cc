// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/random_victim.h"

#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/prng.h"
#include "mm/mmap.h"

namespace reapsim {
namespace {

constexpr uint16_t kHugePages = 512;

// ---- Drawing ---------------------------------------------------------------

// A number with a weight.
struct Choice {
  uint32_t value;
  uint32_t weight;
};

class Drawer {
 public:
  Drawer(uint64_t seed, uint64_t index) : prng_(Mixed(seed, index)) {}

  RandomVictim Draw() {
    DrawBuilding();
    DrawDispositions();
    DrawSeizing();
    if (prng_.OneIn(5)) DrawTrouble();
    if (prng_.OneIn(14)) DrawCall();
    paused_ = prng_.OneIn(7);
    if (paused_) Add({.kind = StepKind::kPause});
    DrawKilling();
    DrawCalls();
    return std::move(victim_);
  }

 private:
  struct DrawnTask {
    uint8_t process;
    bool seized = false;
  };

  // Neighbouring indices and seeds give unrelated victims.
  static uint64_t Mixed(uint64_t seed, uint64_t index) {
    uint64_t state = seed;
    state = SplitMix64(state) ^ index;
    return SplitMix64(state);
  }

  bool Percent(uint64_t percent) { return prng_.Below(100) < percent; }

  uint32_t Pick(std::initializer_list<Choice> choices) {
    uint64_t all = 0;
    for (const Choice& choice : choices) all += choice.weight;
    uint64_t at = prng_.Below(all);
    for (const Choice& choice : choices) {
      if (at < choice.weight) return choice.value;
      at -= choice.weight;
    }
    return choices.begin()->value;
  }

  uint8_t AnyTask() { return static_cast<uint8_t>(prng_.Below(tasks_.size())); }

  void Add(const RandomStep& step) { victim_.steps.push_back(step); }

  // ---- Memory and tasks

  void DrawBuilding() {
    const uint64_t maps = prng_.Between(1, 6);
    const uint64_t makes = Pick({{0, 30}, {1, 30}, {2, 20}, {3, 12}, {5, 8}});
    uint64_t maps_left = maps;
    uint64_t makes_left = makes;
    while (maps_left + makes_left > 0) {
      if (prng_.Below(maps_left + makes_left) < maps_left) {
        DrawMapping();
        --maps_left;
      } else {
        DrawTask();
        --makes_left;
      }
      // Whatever was mapped before may be used now, by whoever has it.
      if (maps_ > 0 && prng_.OneIn(2)) DrawUse(AnyTask());
    }
  }

  void DrawMapping() {
    const auto kind = static_cast<RandomMapping>(prng_.Below(kRandomMappings));
    const bool huge = kind == RandomMapping::kAnonymousHuge;
    // Zeroing huge pages takes the most time of all; fewer will do.
    if (huge && !prng_.OneIn(3)) return DrawMapping();
    const uint8_t task = AnyTask();
    const uint16_t pages =
        huge ? static_cast<uint16_t>(kHugePages * prng_.Between(1, 2))
             : static_cast<uint16_t>(prng_.Between(1, 40));
    Add({.kind = StepKind::kMap,
         .task = task,
         .id = static_cast<uint8_t>(maps_),
         .what = static_cast<uint32_t>(kind),
         .pages = pages});
    sizes_.push_back(pages);
    ++maps_;
    const uint64_t uses = prng_.Below(4);
    for (uint64_t i = 0; i < uses; ++i) DrawUseOf(maps_ - 1, task);
  }

  void DrawUse(uint8_t task) {
    DrawUseOf(static_cast<size_t>(prng_.Below(maps_)), task);
  }

  // A part of the mapping: often all of it, or an end.
  void DrawPart(size_t map, RandomStep* step) {
    const uint16_t size = sizes_[map];
    step->map = static_cast<uint8_t>(map);
    step->pages = size;
    if (prng_.OneIn(3)) return;
    step->first = static_cast<uint16_t>(prng_.Below(size));
    step->pages = static_cast<uint16_t>(prng_.Between(1, size - step->first));
    // Huge pages are taken apart at any page, but also left whole.
    if (size >= kHugePages && prng_.OneIn(2)) {
      step->first =
          static_cast<uint16_t>(step->first / kHugePages * kHugePages);
      step->pages = kHugePages;
    }
  }

  void DrawUseOf(size_t map, uint8_t task) {
    RandomStep step{.task = task};
    DrawPart(map, &step);
    step.kind = static_cast<StepKind>(
        Pick({{static_cast<uint32_t>(StepKind::kTouch), 55},
              {static_cast<uint32_t>(StepKind::kAdvise), 17},
              {static_cast<uint32_t>(StepKind::kProtect), 8},
              {static_cast<uint32_t>(StepKind::kUnmap), 5},
              {static_cast<uint32_t>(StepKind::kLock), 5},
              {static_cast<uint32_t>(StepKind::kUnlock), 2},
              {static_cast<uint32_t>(StepKind::kRemap), 4},
              {static_cast<uint32_t>(StepKind::kUserfault), 4}}));
    switch (step.kind) {
      case StepKind::kTouch:
        step.what = Percent(65) ? 1 : 0;
        // Each page is a call of its own then: at most eight.
        if (prng_.OneIn(3)) {
          step.stride =
              static_cast<uint16_t>(prng_.Between(2, 3 + step.pages / 8));
        }
        break;
      case StepKind::kAdvise:
        step.what = Pick({{MADV_DONTNEED, 6},
                          {MADV_FREE, 6},
                          {kMadvGuardInstall, 5},
                          {kMadvGuardRemove, 2},
                          {MADV_COLD, 2},
                          {MADV_PAGEOUT, 2},
                          {MADV_DONTFORK, 3},
                          {MADV_WIPEONFORK, 3},
                          {MADV_HUGEPAGE, 2},
                          {MADV_NOHUGEPAGE, 2},
                          {kMadvCollapse, 1},
                          {MADV_SEQUENTIAL, 1},
                          {MADV_DONTDUMP, 1},
                          {MADV_REMOVE, 1}});
        break;
      case StepKind::kProtect:
        step.what = Pick({{PROT_NONE, 3},
                          {PROT_READ, 3},
                          {PROT_READ | PROT_WRITE, 3},
                          {PROT_READ | PROT_EXEC, 1}});
        break;
      case StepKind::kLock:
        step.what = prng_.OneIn(2) ? MLOCK_ONFAULT : 0;
        break;
      case StepKind::kRemap:
        step.what = static_cast<uint32_t>(prng_.Below(4));
        break;
      case StepKind::kUserfault:
        step.what = static_cast<uint32_t>(prng_.Below(2));
        break;
      default:
        break;
    }
    Add(step);
  }

  void DrawTask() {
    const auto kind = static_cast<StepKind>(
        Pick({{static_cast<uint32_t>(StepKind::kFork), 30},
              {static_cast<uint32_t>(StepKind::kVfork), 12},
              {static_cast<uint32_t>(StepKind::kCloneVm), 25},
              {static_cast<uint32_t>(StepKind::kThread), 33}}));
    const uint8_t maker = AnyTask();
    const auto id = static_cast<uint8_t>(tasks_.size());
    Add({.kind = kind, .task = maker, .id = id});
    tasks_.push_back(
        {.process = kind == StepKind::kThread ? tasks_[maker].process : id});
  }

  // ---- Signals

  uint32_t FatalSignal() {
    return Pick({{SIGKILL, 60},
                 {SIGTERM, 14},
                 {SIGHUP, 4},
                 {SIGUSR1, 4},
                 {SIGINT, 4},
                 {SIGQUIT, 5},
                 {SIGSEGV, 5},
                 {SIGABRT, 4}});
  }

  void DrawDispositions() {
    const uint64_t count = Pick({{0, 65}, {1, 20}, {2, 10}, {3, 5}});
    for (uint64_t i = 0; i < count; ++i) {
      const auto kind = static_cast<StepKind>(
          Pick({{static_cast<uint32_t>(StepKind::kHandle), 1},
                {static_cast<uint32_t>(StepKind::kIgnore), 1},
                {static_cast<uint32_t>(StepKind::kBlock), 1}}));
      Add({.kind = kind,
           .task = AnyTask(),
           .what = Pick({{SIGTERM, 5},
                         {SIGHUP, 1},
                         {SIGUSR1, 1},
                         {SIGINT, 1},
                         {SIGQUIT, 1},
                         {SIGSEGV, 1},
                         {SIGCONT, 1}})});
    }
  }

  void DrawSeizing() {
    const uint32_t mode = Pick({{0, 70}, {1, 20}, {2, 10}});
    for (size_t i = 0; i < tasks_.size(); ++i) {
      const bool seize = mode == 0 || (mode == 1 && prng_.OneIn(2));
      if (!seize) continue;
      Add({.kind = StepKind::kSeize, .task = static_cast<uint8_t>(i)});
      tasks_[i].seized = true;
    }
  }

  // What happens before anybody is killed.
  void DrawTrouble() {
    const uint64_t count = prng_.Between(1, 2);
    for (uint64_t i = 0; i < count; ++i) {
      const uint8_t task = AnyTask();
      switch (prng_.Below(4)) {
        case 0:
          Add({.kind = StepKind::kExit, .task = task});
          break;
        case 1:
          Add({.kind = StepKind::kKill, .task = task, .what = SIGSTOP});
          break;
        case 2:
          Add({.kind = StepKind::kTgkill, .task = task, .what = FatalSignal()});
          DrawCont(task);
          break;
        default:
          Add({.kind = StepKind::kKill,
               .task = task,
               .what = Pick({{SIGTERM, 3}, {SIGCONT, 1}, {SIGUSR1, 1}})});
          DrawCont(task);
          break;
      }
    }
  }

  // A traced task shows its tracer all signals but SIGKILL: it may be let go
  // on with it, or with none.
  void DrawCont(uint8_t task, uint32_t sig = SIGTERM) {
    if (!tasks_[task].seized || prng_.OneIn(5)) return;
    Add({.kind = StepKind::kCont,
         .task = task,
         .what = prng_.OneIn(4) ? 0 : sig});
  }

  void DrawKilling() {
    std::vector<uint8_t> processes;
    for (size_t i = 0; i < tasks_.size(); ++i) {
      if (tasks_[i].process == i) processes.push_back(static_cast<uint8_t>(i));
    }
    for (size_t i = processes.size(); i > 1; --i) {
      std::swap(processes[i - 1], processes[prng_.Below(i)]);
    }
    const uint32_t percent = Pick({{100, 50}, {80, 25}, {50, 25}});
    for (const uint8_t process : processes) {
      if (Percent(percent)) DrawDeath(process);
    }
  }

  void DrawDeath(uint8_t process) {
    std::vector<uint8_t> threads;
    for (size_t i = 0; i < tasks_.size(); ++i) {
      if (tasks_[i].process == process) {
        threads.push_back(static_cast<uint8_t>(i));
      }
    }
    const uint8_t thread = threads[prng_.Below(threads.size())];
    // Nobody exits while nobody runs.
    const uint32_t exits = paused_ ? 0 : 10;
    switch (Pick({{0, 70}, {1, 12}, {2, exits}, {3, exits}})) {
      case 0: {
        const uint32_t sig = FatalSignal();
        Add({.kind = StepKind::kKill, .task = process, .what = sig});
        if (sig != SIGKILL) DrawCont(process, sig);
        break;
      }
      case 1: {
        const uint32_t sig = FatalSignal();
        Add({.kind = StepKind::kTgkill, .task = thread, .what = sig});
        if (sig != SIGKILL) DrawCont(thread, sig);
        break;
      }
      case 2:
        Add({.kind = StepKind::kExitGroup, .task = thread});
        break;
      default:
        for (const uint8_t each : threads) {
          if (Percent(90)) Add({.kind = StepKind::kExit, .task = each});
        }
        break;
    }
  }

  // ---- Calls

  void DrawCall() {
    RandomStep step{.kind = StepKind::kCall,
                    .task = Percent(65) ? uint8_t{0} : AnyTask(),
                    .id = paused_ || Percent(85) ? kHarness : AnyTask()};
    step.what = Pick({{static_cast<uint32_t>(RandomFd::kPidfd), 88},
                      {static_cast<uint32_t>(RandomFd::kThread), 4},
                      {static_cast<uint32_t>(RandomFd::kMinusOne), 1},
                      {static_cast<uint32_t>(RandomFd::kClosed), 1},
                      {static_cast<uint32_t>(RandomFd::kRegular), 1},
                      {static_cast<uint32_t>(RandomFd::kOPath), 2},
                      {static_cast<uint32_t>(RandomFd::kProcDir), 1},
                      {static_cast<uint32_t>(RandomFd::kSelfThread), 1},
                      {static_cast<uint32_t>(RandomFd::kSelfGroup), 1}});
    if (prng_.OneIn(25)) step.flags = prng_.OneIn(2) ? 1 : 0x80000000;
    Add(step);
  }

  void DrawCalls() {
    const uint64_t calls = Pick({{1, 60}, {2, 30}, {3, 10}});
    for (uint64_t i = 0; i < calls; ++i) {
      if (i > 0 && prng_.OneIn(2)) DrawBetweenCalls();
      DrawCall();
    }
  }

  void DrawBetweenCalls() {
    const uint8_t task = AnyTask();
    switch (prng_.Below(4)) {
      case 0:
        Add({.kind = StepKind::kKill, .task = task, .what = SIGKILL});
        break;
      case 1:
        Add({.kind = StepKind::kExit, .task = task});
        break;
      default:
        Add({.kind = StepKind::kCont, .task = task});
        if (prng_.OneIn(3)) Add({.kind = StepKind::kReap, .task = task});
        break;
    }
  }

  Prng prng_;
  RandomVictim victim_;
  std::vector<DrawnTask> tasks_ = {{.process = 0}};
  std::vector<uint16_t> sizes_;
  size_t maps_ = 0;
  bool paused_ = false;
};

// ---- Words -----------------------------------------------------------------

const char* MappingText(RandomMapping kind) {
  switch (kind) {
    case RandomMapping::kAnonymous:
      return "private anonymous";
    case RandomMapping::kAnonymousHuge:
      return "private anonymous, aligned, MADV_HUGEPAGE";
    case RandomMapping::kNoAccess:
      return "private anonymous, PROT_NONE";
    case RandomMapping::kReadOnly:
      return "private anonymous, PROT_READ";
    case RandomMapping::kNoReserve:
      return "private anonymous, MAP_NORESERVE";
    case RandomMapping::kLocked:
      return "private anonymous, MAP_LOCKED";
    case RandomMapping::kPopulated:
      return "private anonymous, MAP_POPULATE";
    case RandomMapping::kGrowsDown:
      return "private anonymous, MAP_GROWSDOWN";
    case RandomMapping::kDroppable:
      return "droppable anonymous";
    case RandomMapping::kStack:
      return "private anonymous, MAP_STACK";
    case RandomMapping::kShared:
      return "shared anonymous";
    case RandomMapping::kMemfdShared:
      return "shared memfd";
    case RandomMapping::kMemfdSharedRead:
      return "shared memfd, PROT_READ";
    case RandomMapping::kMemfdPrivate:
      return "private memfd";
    case RandomMapping::kSystemV:
      return "System V";
    case RandomMapping::kSystemVReadOnly:
      return "System V, SHM_RDONLY";
    case RandomMapping::kSecret:
      return "secretmem";
    case RandomMapping::kFilePrivate:
      return "private file";
    case RandomMapping::kFilePrivateRead:
      return "private file, PROT_READ";
    case RandomMapping::kFileShared:
      return "shared file of a read-only descriptor";
    case RandomMapping::kZeroPrivate:
      return "private /dev/zero";
    case RandomMapping::kZeroShared:
      return "shared /dev/zero";
  }
  return "?";
}

std::string AdviceText(uint32_t advice) {
  switch (advice) {
    case MADV_DONTNEED:
      return "MADV_DONTNEED";
    case MADV_FREE:
      return "MADV_FREE";
    case kMadvGuardInstall:
      return "MADV_GUARD_INSTALL";
    case kMadvGuardRemove:
      return "MADV_GUARD_REMOVE";
    case MADV_COLD:
      return "MADV_COLD";
    case MADV_PAGEOUT:
      return "MADV_PAGEOUT";
    case MADV_DONTFORK:
      return "MADV_DONTFORK";
    case MADV_WIPEONFORK:
      return "MADV_WIPEONFORK";
    case MADV_HUGEPAGE:
      return "MADV_HUGEPAGE";
    case MADV_NOHUGEPAGE:
      return "MADV_NOHUGEPAGE";
    case kMadvCollapse:
      return "MADV_COLLAPSE";
    case MADV_SEQUENTIAL:
      return "MADV_SEQUENTIAL";
    case MADV_DONTDUMP:
      return "MADV_DONTDUMP";
    case MADV_REMOVE:
      return "MADV_REMOVE";
    default:
      return absl::StrCat("advice ", advice);
  }
}

std::string ProtectionText(uint32_t prot) {
  if (prot == PROT_NONE) return "PROT_NONE";
  std::string text;
  for (const auto& [bit, name] :
       {std::pair{PROT_READ, "PROT_READ"}, std::pair{PROT_WRITE, "PROT_WRITE"},
        std::pair{PROT_EXEC, "PROT_EXEC"}}) {
    if ((prot & bit) == 0) continue;
    absl::StrAppend(&text, text.empty() ? "" : " | ", name);
  }
  return text;
}

const char* RemapText(uint32_t what) {
  switch (static_cast<RandomRemap>(what)) {
    case RandomRemap::kMove:
      return "moves it";
    case RandomRemap::kGrow:
      return "lets it grow";
    case RandomRemap::kShrink:
      return "lets it shrink";
    case RandomRemap::kDontUnmap:
      return "moves its pages, MREMAP_DONTUNMAP";
  }
  return "?";
}

std::string FdText(const RandomStep& step) {
  switch (static_cast<RandomFd>(step.what)) {
    case RandomFd::kPidfd:
      return absl::StrCat("the pidfd of task ", step.task, "'s process");
    case RandomFd::kThread:
      return absl::StrCat("a PIDFD_THREAD of task ", step.task);
    case RandomFd::kMinusOne:
      return "-1";
    case RandomFd::kClosed:
      return "a closed descriptor";
    case RandomFd::kRegular:
      return "a file's descriptor";
    case RandomFd::kOPath:
      return absl::StrCat("the pidfd of task ", step.task,
                          "'s process, opened again with O_PATH");
    case RandomFd::kProcDir:
      return absl::StrCat("/proc/PID of task ", step.task, "'s process");
    case RandomFd::kSelfThread:
      return "PIDFD_SELF_THREAD";
    case RandomFd::kSelfGroup:
      return "PIDFD_SELF_THREAD_GROUP";
  }
  return "?";
}

std::string CallText(const RandomStep& step) {
  return absl::StrCat(
      step.id == kHarness ? "the harness" : absl::StrCat("task ", step.id),
      " calls process_mrelease(", FdText(step), ", ",
      step.flags == 0 ? "0" : absl::StrCat("0x", absl::Hex(step.flags)), ")");
}

std::string PartText(const RandomStep& step) {
  return absl::StrCat("mapping ", step.map, ", ", step.pages, " pages from ",
                      step.first, ": ");
}

std::string ToTask(const char* verb, const RandomStep& step) {
  return absl::StrCat("the harness ", verb, " task ", step.task);
}

}  // namespace

RandomVictim DrawVictim(uint64_t seed, uint64_t index) {
  return Drawer(seed, index).Draw();
}

bool IsMemoryStep(StepKind kind) { return kind <= StepKind::kUserfault; }

bool MakesTask(StepKind kind) {
  return kind >= StepKind::kFork && kind <= StepKind::kThread;
}

std::string SignalText(int sig) {
  switch (sig) {
    case SIGHUP:
      return "SIGHUP";
    case SIGINT:
      return "SIGINT";
    case SIGQUIT:
      return "SIGQUIT";
    case SIGTRAP:
      return "SIGTRAP";
    case SIGABRT:
      return "SIGABRT";
    case SIGKILL:
      return "SIGKILL";
    case SIGUSR1:
      return "SIGUSR1";
    case SIGSEGV:
      return "SIGSEGV";
    case SIGTERM:
      return "SIGTERM";
    case SIGCHLD:
      return "SIGCHLD";
    case SIGCONT:
      return "SIGCONT";
    case SIGSTOP:
      return "SIGSTOP";
    default:
      return absl::StrCat("signal ", sig);
  }
}

std::string StepText(const RandomStep& step) {
  const std::string task = absl::StrCat("task ", step.task, " ");
  const std::string sig = SignalText(static_cast<int>(step.what));
  switch (step.kind) {
    case StepKind::kMap:
      return absl::StrCat(task, "maps ", step.pages, " pages as mapping ",
                          step.id, ": ",
                          MappingText(static_cast<RandomMapping>(step.what)));
    case StepKind::kTouch:
      return absl::StrCat(
          task, step.what == 0 ? "reads " : "writes to ", PartText(step),
          step.stride <= 1 ? "each" : absl::StrCat("one in ", step.stride));
    case StepKind::kAdvise:
      return absl::StrCat(task, "advises on ", PartText(step),
                          AdviceText(step.what));
    case StepKind::kUnmap:
      return absl::StrCat(task, "unmaps ", PartText(step), "munmap");
    case StepKind::kProtect:
      return absl::StrCat(task, "protects ", PartText(step),
                          ProtectionText(step.what));
    case StepKind::kLock:
      return absl::StrCat(task, "locks ", PartText(step),
                          step.what == 0 ? "mlock" : "MLOCK_ONFAULT");
    case StepKind::kUnlock:
      return absl::StrCat(task, "unlocks ", PartText(step), "munlock");
    case StepKind::kRemap:
      return absl::StrCat(task, "remaps ", PartText(step),
                          RemapText(step.what));
    case StepKind::kUserfault:
      return absl::StrCat(task, "registers ", PartText(step), "userfaultfd",
                          step.what == 0 ? "" : ", write-protected");
    case StepKind::kFork:
      return absl::StrCat(task, "forks task ", step.id);
    case StepKind::kVfork:
      return absl::StrCat(task, "vforks task ", step.id);
    case StepKind::kCloneVm:
      return absl::StrCat(task, "makes task ", step.id,
                          ", a process with the same memory");
    case StepKind::kThread:
      return absl::StrCat(task, "makes task ", step.id, ", a thread");
    case StepKind::kHandle:
      return absl::StrCat(task, "handles ", sig);
    case StepKind::kIgnore:
      return absl::StrCat(task, "ignores ", sig);
    case StepKind::kBlock:
      return absl::StrCat(task, "blocks ", sig);
    case StepKind::kSeize:
      return ToTask("seizes", step);
    case StepKind::kKill:
      return absl::StrCat("the harness sends ", sig, " to task ", step.task,
                          "'s process");
    case StepKind::kTgkill:
      return absl::StrCat("the harness sends ", sig, " to task ", step.task,
                          ", the thread");
    case StepKind::kCont:
      return absl::StrCat(ToTask("lets", step), " go on with ",
                          step.what == 0 ? "no signal" : sig);
    case StepKind::kReap:
      return ToTask("waits for", step);
    case StepKind::kExit:
      return absl::StrCat(task, "exits");
    case StepKind::kExitGroup:
      return absl::StrCat(task, "exits with its group");
    case StepKind::kPause:
      return "from here on no task runs";
    case StepKind::kCall:
      return CallText(step);
  }
  return "?";
}

std::string VictimText(const RandomVictim& victim) {
  std::string text;
  for (const RandomStep& step : victim.steps) {
    absl::StrAppend(&text, StepText(step), "\n");
  }
  return text;
}

}  // namespace reapsim
