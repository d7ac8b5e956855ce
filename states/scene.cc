// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "states/scene.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "mm/mmap.h"

namespace reapsim {

const std::vector<VictimPart>& StandardVictimParts() {
  static const auto* parts = new std::vector<VictimPart>{
      {"private anonymous", 64, true, true},
      {"private file, clean", 8, true, true},
      {"private file, copied on write", 8, true, true},
      // VM_SHARED keeps these.
      {"shared memfd", 8, false, false},
      // A shared mapping of a read-only descriptor loses VM_SHARED at mmap.
      {"shared file, descriptor read-only", 4, true, true},
      // VM_LOCKED kept a VMA from the reaper up to v5.17.
      {"mlocked anonymous", 4, false, true},
  };
  return *parts;
}

void PopulateStandardVictim(Kernel& k, Task& victim) {
  User user = k.As(victim);
  const auto pages = [](int part) {
    return Pages(StandardVictimParts()[part].pages).bytes();
  };
  const int64_t anon = user.mmap(pages(0), Anonymous());
  (void)user.touch(anon, pages(0));
  const int file = static_cast<int>(user.open_file(100, Pages(16), true));
  const int64_t clean = user.mmap(pages(1), File(file).ReadOnly());
  (void)user.read_touch(clean, pages(1));
  const int64_t cow = user.mmap(pages(2), File(file, Pages(8)));
  (void)user.touch(cow, pages(2));
  const int memfd = static_cast<int>(user.memfd_create(Pages(8)));
  const int64_t shared = user.mmap(pages(3), File(memfd).Shared());
  (void)user.touch(shared, pages(3));
  const int ro = static_cast<int>(user.open_file(101, Pages(4), false));
  const int64_t ro_map = user.mmap(pages(4), File(ro).Shared().ReadOnly());
  (void)user.read_touch(ro_map, pages(4));
  const int64_t locked = user.mmap(pages(5), Anonymous());
  (void)user.mlock(locked, pages(5));
}

Scene::Scene(std::unique_ptr<Kernel> kernel, SceneMemory memory,
             unsigned int flags)
    : kernel_(std::move(kernel)), memory_(std::move(memory)), flags_(flags) {
  if (memory_.populate == nullptr) memory_.populate = PopulateStandardVictim;
  shell_ = &kernel_->Spawn("shell");
  caller_ = &kernel_->Spawn("lmkd");
  victim_ = &kernel_->Spawn("victim", {.parent = shell_});
  GiveMemory(*victim_);
  fd_ = Open(*victim_);
}

absl::StatusOr<std::unique_ptr<Scene>> Scene::Create(
    const KernelOptions& options, SceneMemory memory, unsigned int flags) {
  absl::StatusOr<std::unique_ptr<Kernel>> kernel = Kernel::Create(options);
  if (!kernel.ok()) return kernel.status();
  return std::unique_ptr<Scene>(
      new Scene(*std::move(kernel), std::move(memory), flags));
}

void Scene::GiveMemory(Task& task) {
  memory_.populate(*kernel_, task);
  populated_.push_back(NameOf(task.raw()->mm));
}

Scene::MmName Scene::NameOf(const mm_struct* mm) const {
  return {mm, mm == nullptr ? 0 : kernel_->mm().mm_slab.GenerationOf(mm)};
}

Task& Scene::SpawnLikeVictim(const std::string& name) {
  Task& task = kernel_->Spawn(name, {.parent = shell_});
  GiveMemory(task);
  return task;
}

void Scene::Watch(Task& task) {
  watched_ = NameOf(task.raw()->mm);
  const bool populated = std::find(populated_.begin(), populated_.end(),
                                   watched_) != populated_.end();
  if (memory_.live && task.has_mm() && !populated) GiveMemory(task);
}

int Scene::Open(Task& task, unsigned int flags) {
  Watch(task);
  return static_cast<int>(
      Must(kernel_->As(*caller_).pidfd_open(task.pid(), flags), "pidfd_open"));
}

void Scene::Kill(Task& task, int sig) {
  (void)Must(kernel_->As(*shell_).kill(task.pid(), sig), "kill");
}

bool Scene::Reach(Task& task, Point point) {
  if (kernel_->RunUntil(task, point) == Stepped::kAtPoint) return true;
  Unreachable(std::string("no task comes to stand at ") + PointName(point));
  return false;
}

void Scene::Unreachable(const std::string& why) {
  if (!Broken() && outcome_.unreachable.empty()) outcome_.unreachable = why;
}

int64_t Scene::Must(const SysResult& result, const char* step) {
  if (Broken() || !result.ok()) Unreachable(std::string(step) + " fails");
  return result.kernel();
}

bool Scene::Watching() const {
  const auto& [mm, generation] = watched_;
  auto& slab = kernel_->mm().mm_slab;
  return mm != nullptr && slab.IsLive(mm) &&
         slab.GenerationOf(mm) == generation;
}

void Scene::NoteBefore() {
  // Kept when its memory has gone (Proposal::kKeepMm), it is no more there.
  outcome_.mm_before = Watching() && watched_.first->mm_users > 0;
  if (!outcome_.mm_before) return;
  outcome_.before = ReportMemory(watched_.first);
  if (memory_.live) outcome_.pages_before = ReportPagemap(watched_.first);
  outcome_.unstable_before = Mm(watched_.first).unstable();
}

void Scene::NoteAfter(Task& task, const SysResult& ret) {
  outcome_.called = true;
  outcome_.ret = ret;
  (void)Broken();
  if (task.phase() != TaskPhase::kGone) {
    outcome_.decision = kernel_->LastDecision(task);
    outcome_.why = kernel_->LastWillFree(task);
    outcome_.sharer = kernel_->LastSharer(task);
  }
  outcome_.mm_after = Watching();
  // Once the world has broken, its memory says nothing.
  if (!outcome_.mm_after || outcome_.verdict) return;
  outcome_.after = ReportMemory(watched_.first);
  if (memory_.live) outcome_.pages_after = ReportPagemap(watched_.first);
  outcome_.unstable_after = Mm(watched_.first).unstable();
  outcome_.oom_skip_after = Mm(watched_.first).oom_skip();
}

bool Scene::Broken() {
  if (!kernel_->stopped()) return false;
  if (!outcome_.verdict) outcome_.verdict = kernel_->TakeVerdict();
  outcome_.called = true;
  return true;
}

void Scene::CallAs(Task& task, int fd, unsigned int flags) {
  if (Broken() || !outcome_.unreachable.empty()) return;
  NoteBefore();
  const SysResult ret = kernel_->As(task).process_mrelease(fd, flags | flags_);
  NoteAfter(task, ret);
}

void Scene::Start(Task& task, int fd) {
  if (Broken() || !outcome_.unreachable.empty()) return;
  NoteBefore();
  kernel_->BeginCall(
      task, [fd, flags = flags_] { return sys_process_mrelease(fd, flags); });
}

void Scene::Finish(Task& task) {
  if (Broken() || !outcome_.unreachable.empty()) return;
  (void)kernel_->Finish(task);
  NoteAfter(task, task.phase() == TaskPhase::kGone ? SysResult::Never()
                                                   : kernel_->Result(task));
}

namespace {

// As the driver's ioctl would: subscribes to the place-th VMA of the running
// task that the reapers walk. The subscription's address, or -ENOENT.
int64_t SubscribeToVma(int place) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mm_struct* mm = current()->mm;
  mmap_write_lock(mm);
  const auto walked = [](const vm_area_struct* vma) {
    uint64_t never = VM_HUGETLB | VM_PFNMAP;
    if (!differences().reaps_mlocked) never |= VM_LOCKED;
    return (vma->vm_flags & never) == 0 &&
           (vma_is_anonymous(vma) || (vma->vm_flags & VM_SHARED) == 0);
  };
  const bool from_top = place < 0;
  int left = from_top ? -place - 1 : place;
  vm_area_struct* vma = from_top ? vma_last(mm) : vma_first(mm);
  for (; vma != nullptr; vma = from_top ? vma_prev(vma) : vma_next(vma)) {
    if (walked(vma) && left-- == 0) break;
  }
  int64_t ret = -ENOENT;
  if (vma != nullptr) {
    ret = reinterpret_cast<int64_t>(mmu_notifier_register(
        mm, /*interval=*/true, vma->vm_start, vma->vm_end));
  }
  mmap_write_unlock(mm);
  return ret;
}

}  // namespace

void Scene::Refuse(int place, bool busy) {
  if (notifier_ == nullptr) {
    const SysResult subscription = kernel_->Call(
        victim_->raw(), [place] { return SubscribeToVma(place); });
    notifier_ = reinterpret_cast<mmu_notifier*>(
        Must(subscription, "mmu_notifier_register"));
  }
  // The test plays the driver.
  notifier_->busy = busy;
}

std::vector<std::string> Scene::Shutdown() {
  if (notifier_ != nullptr && Watching()) notifier_->busy = false;
  return kernel_->Shutdown();
}

}  // namespace reapsim
