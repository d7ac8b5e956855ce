// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/random_print.h"

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/errno_names.h"

namespace reapsim {
namespace {

constexpr absl::string_view kIncludes = R"(
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "import/import_mm.h"
#include "import/smaps.h"
#include "mm/smaps.h"
#include "syscall/kernel.h"
#include "syscall/pidfd.h"

namespace reapsim {
namespace {

void Import(Kernel& k, Task& task, const char* text,
            const std::vector<VmaPages>& pages) {
  const absl::StatusOr<SmapsFile> smaps = ParseSmaps(text, "smaps");
  ASSERT_TRUE(smaps.ok()) << smaps.status();
  const absl::Status status = ImportSmaps(k, task, *smaps, {.pages = &pages});
  ASSERT_TRUE(status.ok()) << status;
}

// process_mrelease(2), or why there is no descriptor for it.
int64_t Mrelease(User user, const SysResult& fd, unsigned int flags) {
  if (fd.error() != 0) return fd.kernel();
  return user.process_mrelease(static_cast<int>(fd.kernel()), flags).kernel();
}

// In KiB, each mapping.
std::string Sizes(Task& task) {
  std::string text = "\n";
  for (const VmaReport& vma : ReportMemory(task.raw()->mm).vmas) {
    absl::StrAppend(&text, absl::Hex(vma.start), ": Rss ", vma.rss >> 10,
                    ", Anonymous ", vma.anonymous >> 10, ", Swap ",
                    vma.swap >> 10, ", AnonHugePages ", vma.anon_huge >> 10,
                    "\n");
  }
  return text;
}

)";

constexpr absl::string_view kEnd = R"(
}  // namespace
}  // namespace reapsim
)";

// The same of what the host has.
std::string SizesOf(const MemoryImage& image) {
  std::string text = "\n";
  for (const VmaImage& vma : image.vmas) {
    absl::StrAppend(&text, absl::Hex(vma.start), ": Rss ", vma.rss_kib,
                    ", Anonymous ", vma.anonymous_kib, ", Swap ", vma.swap_kib,
                    ", AnonHugePages ", vma.anon_huge_kib, "\n");
  }
  return text;
}

std::string Commented(absl::string_view text) {
  std::string out;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    absl::StrAppend(&out, "//   ", line, "\n");
  }
  return out;
}

std::string Raw(absl::string_view text) {
  return absl::StrCat("R\"smaps(", text, ")smaps\"");
}

std::string Value(int64_t ret) {
  if (ret >= 0) return absl::StrCat(ret);
  return absl::StrCat("-", ErrnoName(static_cast<int>(-ret)));
}

class TestPrinter {
 public:
  TestPrinter(const PrintedVictim& about, const RandomVictim& victim,
              const RandomRun& host, const RandomMemories& memories)
      : about_(about), victim_(victim), host_(host), memories_(memories) {}

  std::string Run() {
    std::string text = Head();
    absl::StrAppend(&text, kIncludes);
    for (const auto& [memory, process] : memories_) {
      absl::StrAppend(&text, Memory(memory, process));
    }
    absl::StrAppend(&text, "TEST(RandomVictimTest, Victim", about_.index,
                    "OfSeed", about_.seed, ") {\n");
    Body();
    absl::StrAppend(&text, body_, "}\n", kEnd);
    return text;
  }

 private:
  std::string Head() const {
    return absl::StrCat(
        "// Victim ", about_.index, " of seed ", about_.seed,
        ", made smaller. The host, ", about_.host,
        ", and the model\n// disagree:\n",
        Commented(absl::StrJoin(about_.differences, "\n")),
        "// The steps, of which those about memory are done once it is "
        "imported:\n",
        Commented(VictimText(victim_)),
        "// Expected is what the host does. Needs //import:import_mm, //mm, "
        "//syscall,\n// Abseil and GoogleTest.\n");
  }

  static std::string Memory(int memory, const ProcProcess& process) {
    std::string pages;
    for (const VmaPages& vma : process.pages) {
      const auto print = [](std::string* out, const PageRun& run) {
        absl::StrAppend(out, "{0x", absl::Hex(run.start), ", ", run.pages, ", ",
                        run.flags, "}");
      };
      absl::StrAppend(&pages, "    {.known = ", vma.known ? "true" : "false",
                      ", .scanned = ", vma.scanned ? "true" : "false",
                      ", .runs = {", absl::StrJoin(vma.runs, ", ", print),
                      "}},\n");
    }
    return absl::StrCat("constexpr char kSmaps", memory,
                        "[] = ", Raw(SmapsText(process.smaps)), ";\n",
                        "// As pagemap has them: address, pages, PageFlags.\n",
                        "const std::vector<VmaPages> kPages", memory, " = {\n",
                        pages, "};\n\n");
  }

  template <class... Parts>
  void Line(const Parts&... parts) {
    absl::StrAppend(&body_, "  ", parts..., "\n");
  }

  static std::string Name(int task) { return absl::StrCat("task", task); }
  static std::string As(int task) {
    return absl::StrCat("k.As(", Name(task), ")");
  }

  // A name that nothing else is done with would be a warning.
  void Meet(int id, int memory, const std::string& task) {
    Line("[[maybe_unused]] Task& ", Name(id), " =\n      ", task, ";");
    if (id == memory && memories_.count(memory) != 0) {
      Line("Import(k, ", Name(id), ", kSmaps", memory, ", kPages", memory,
           ");");
    }
  }
  void OpenPidfd(int id) {
    Line("[[maybe_unused]] const SysResult pidfd", id,
         " =\n      k.As(harness).pidfd_open(", Name(id), ".pid(), 0);");
  }

  void Body() {
    Line("Kernel k({.version = \"", about_.version, "\"});");
    Line("Task& harness = k.Spawn(\"harness\");");
    Meet(0, 0, "k.Spawn(\"victim\", {.parent = &harness})");
    OpenPidfd(0);
    for (size_t i = 0; i < victim_.steps.size(); ++i) {
      const RandomStep& step = victim_.steps[i];
      if (!host_.done[i]) continue;
      if (!IsMemoryStep(step.kind)) {
        Line("// ", StepText(step), ".");
        Step(step);
      }
      group_.Note(step);
      group_.standings() = host_.standings[i];
    }
  }

  void Step(const RandomStep& step) {
    if (step.kind == StepKind::kCall) return Call(step);
    if (step.kind == StepKind::kPause) return;
    if (MakesTask(step.kind)) {
      Make(step);
    } else {
      ToTask(step);
    }
    if (!group_.paused()) Line("k.RunUntilIdle();");
  }

  void Make(const RandomStep& step) {
    const int memory =
        step.kind == StepKind::kFork ? step.id : group_.memory(step.task);
    const auto made = [&](const char* call) {
      Meet(step.id, memory,
           absl::StrCat("k.TaskOf(static_cast<pid_t>(", As(step.task), ".",
                        call, ".kernel()))"));
    };
    switch (step.kind) {
      case StepKind::kFork:
        made("clone(CLONE_PARENT)");
        break;
      case StepKind::kCloneVm:
        made("clone_vm(CLONE_PARENT)");
        break;
      case StepKind::kThread:
        return made("clone_thread()");
      default:
        Line("k.Begin(", Name(step.task), ", [](User user) {");
        Line("  (void)user.clone(CLONE_VM | CLONE_VFORK | CLONE_PARENT);");
        Line("});");
        Line("(void)k.RunUntilBlocked(", Name(step.task), ");");
        Meet(step.id, memory, "k.NewestTask()");
        break;
    }
    OpenPidfd(step.id);
  }

  void ToTask(const RandomStep& step) {
    const std::string task = Name(step.task);
    const std::string leader = Name(group_.process(step.task));
    const std::string sig = SignalText(static_cast<int>(step.what));
    switch (step.kind) {
      case StepKind::kHandle:
        return Line("(void)", As(step.task), ".sigaction(", sig,
                    ", SigDisposition::kHandler);");
      case StepKind::kIgnore:
        return Line("(void)", As(step.task), ".sigaction(", sig,
                    ", SigDisposition::kIgnore);");
      case StepKind::kBlock:
        return Line("(void)", As(step.task), ".sigblock(", sig, ");");
      case StepKind::kSeize:
        return Line("(void)k.As(harness).ptrace_seize(", task,
                    ".pid(), true, true);");
      case StepKind::kKill:
        return Line("(void)k.As(harness).kill(", leader, ".pid(), ", sig, ");");
      case StepKind::kTgkill:
        return Line("(void)k.As(harness).tgkill(", leader, ".pid(), ", task,
                    ".pid(), ", sig, ");");
      case StepKind::kCont:
        return Line("(void)k.As(harness).ptrace_cont(", task, ".pid(), ",
                    step.what == 0 ? "0" : sig, ");");
      case StepKind::kReap:
        return Line("(void)k.As(harness).waitpid(", task,
                    ".pid(), WNOHANG | __WALL);");
      case StepKind::kExit:
        return Line("k.Begin(", task,
                    ", [](User user) { (void)user.exit(0); });");
      case StepKind::kExitGroup:
        return Line("k.Begin(", task,
                    ", [](User user) { (void)user.exit_group(0); });");
      default:
        return;
    }
  }

  std::string Descriptor(const RandomStep& step, const std::string& user) {
    const int leader = group_.process(step.task);
    const std::string pidfd =
        step.id == kHarness
            ? absl::StrCat("pidfd", leader)
            : absl::StrCat(user, ".pidfd_open(", Name(leader), ".pid(), 0)");
    switch (static_cast<RandomFd>(step.what)) {
      case RandomFd::kPidfd:
        return pidfd;
      case RandomFd::kThread:
        return absl::StrCat(user, ".pidfd_open(", Name(step.task),
                            ".pid(), PIDFD_THREAD)");
      case RandomFd::kClosed:
        return "SysResult(1 << 16)";
      case RandomFd::kRegular:
        return absl::StrCat(user, ".open_file(7, Pages(1), true)");
      case RandomFd::kOPath:
        return absl::StrCat(user, ".reopen(static_cast<int>(", pidfd,
                            ".kernel()), true)");
      case RandomFd::kProcDir:
        return absl::StrCat(user, ".open_proc_dir(", Name(leader), ".pid())");
      case RandomFd::kSelfThread:
        return "SysResult(-10000)";
      case RandomFd::kSelfGroup:
        return "SysResult(-10001)";
      case RandomFd::kMinusOne:
        break;
    }
    // SysResult(-1) would be EPERM.
    return "SysResult(-100000)";
  }

  void Call(const RandomStep& step) {
    const SeenCall& seen = host_.calls[calls_++];
    const std::string user =
        step.id == kHarness ? "k.As(harness)" : As(step.id);
    Line("EXPECT_EQ(Mrelease(", user, ",\n                     ",
         Descriptor(step, user), ", ", step.flags, "u),\n            ",
         Value(seen.ret), ");");
    for (const auto& [memory, images] : seen.memory) {
      Line("EXPECT_EQ(Sizes(", Name(group_.ReaderOf(memory)), "), ",
           Raw(SizesOf(images.after)), ");");
    }
  }

  const PrintedVictim& about_;
  const RandomVictim& victim_;
  const RandomRun& host_;
  const RandomMemories& memories_;
  RandomGroup group_;
  size_t calls_ = 0;
  std::string body_;
};

}  // namespace

std::string TestText(const PrintedVictim& about, const RandomVictim& victim,
                     const RandomRun& host, const RandomMemories& memories) {
  return TestPrinter(about, victim, host, memories).Run();
}

std::string SmapsText(const SmapsFile& smaps) {
  std::string text;
  const auto field = [&](const char* name, uint64_t kib) {
    absl::StrAppendFormat(&text, "%-15s %8d kB\n", absl::StrCat(name, ":"),
                          kib);
  };
  for (const SmapsVma& vma : smaps.vmas) {
    const SmapsPermissions& may = vma.permissions;
    absl::StrAppendFormat(&text, "%08x-%08x %c%c%c%c %08x %02x:%02x %d",
                          vma.start, vma.end, may.read ? 'r' : '-',
                          may.write ? 'w' : '-', may.execute ? 'x' : '-',
                          may.shared ? 's' : 'p', vma.offset, vma.dev_major,
                          vma.dev_minor, vma.inode);
    absl::StrAppend(&text, vma.name.empty() ? "" : " ", vma.name, "\n");
    const SmapsSizes& kib = vma.kib;
    field("Size", kib.size);
    field("KernelPageSize", kib.kernel_page_size);
    field("MMUPageSize", kib.mmu_page_size);
    field("Rss", kib.rss);
    field("Pss", kib.pss);
    field("Shared_Clean", kib.shared_clean);
    field("Shared_Dirty", kib.shared_dirty);
    field("Private_Clean", kib.private_clean);
    field("Private_Dirty", kib.private_dirty);
    field("Referenced", kib.referenced);
    field("Anonymous", kib.anonymous);
    field("LazyFree", kib.lazy_free);
    field("AnonHugePages", kib.anon_huge_pages);
    field("ShmemPmdMapped", kib.shmem_pmd_mapped);
    field("FilePmdMapped", kib.file_pmd_mapped);
    field("Shared_Hugetlb", kib.shared_hugetlb);
    field("Private_Hugetlb", kib.private_hugetlb);
    field("Swap", kib.swap);
    field("SwapPss", kib.swap_pss);
    field("Locked", kib.locked);
    absl::StrAppend(&text, "VmFlags: ", absl::StrJoin(vma.vm_flags, " "),
                    " \n");
  }
  return text;
}

}  // namespace reapsim
