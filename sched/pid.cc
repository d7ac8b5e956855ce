// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/pid.c, kernel/pid_namespace.c.

#include "sched/pid.h"

#include <cerrno>

#include "sched/file.h"
#include "sched/rcu.h"

namespace reapsim {
namespace {

// A pid whose numbers have been taken away (free_pid()) still knows them, for
// those who hold a reference; only the table knows that they are not its own.
bool IsHashed(const SchedState& sched, const pid* p) {
  return sched.PidAt(p->numbers[0].nr) == p;
}

pid* FindInNamespace(SchedState& sched, pid_t nr, const pid_namespace* ns) {
  if (nr <= 0 || nr >= static_cast<pid_t>(SchedState::kMaxPids)) return nullptr;
  if (ns->level == 0) return sched.PidAt(nr);
  pid* found = nullptr;
  sched.pid_slab.ForEach([&](pid* p) {
    if (p->level >= ns->level && p->numbers[ns->level].ns == ns &&
        p->numbers[ns->level].nr == nr && IsHashed(sched, p)) {
      found = p;
    }
  });
  return found;
}

// The next free number after the last one given out, once round; 0: none.
pid_t NextNumber(SchedState& sched, pid_namespace* ns) {
  const pid_t end = sched.pid_max;
  for (pid_t nr = ns->last_pid + 1; nr < end; ++nr) {
    if (FindInNamespace(sched, nr, ns) == nullptr) return nr;
  }
  const pid_t first = ns->last_pid > RESERVED_PIDS ? RESERVED_PIDS : 1;
  for (pid_t nr = first; nr <= ns->last_pid; ++nr) {
    if (FindInNamespace(sched, nr, ns) == nullptr) return nr;
  }
  return 0;
}

void delayed_put_pid(rcu_head* head) {
  // The RCU head is a plain member of a plain struct.
  put_pid(reinterpret_cast<pid*>(reinterpret_cast<char*>(head) -
                                 offsetof(pid, rcu)));
}

pid*& task_pid_ptr(task_struct* task, pid_type type) {
  return type == PIDTYPE_PID ? task->thread_pid : task->signal->leader_pid;
}

// kernel/pid.c:__change_pid().
void ChangePid(task_struct* task, pid_type type, pid* replacement) {
  pid* old = task_pid_ptr(task, type);
  Invariant(old->tasks[type] == task, "a pid does not name the task it is of");
  SchedulePoint(Point::kFlagSet, Access::kWrite, NumberOf(&old->tasks[type]));
  old->tasks[type] = nullptr;
  task_pid_ptr(task, type) = replacement;
  if (old->tasks[PIDTYPE_PID] == nullptr &&
      old->tasks[PIDTYPE_TGID] == nullptr) {
    free_pid(old);
  }
}

// kernel/pid.c:pidfd_pid(), with a reference.
pid* GetPidOfFile(const file* from) {
  return from->kind == FileKind::kPidfd ? get_pid(from->pid) : nullptr;
}

}  // namespace

pid_namespace* MakePidNamespace(SchedState* sched, pid_namespace* parent) {
  pid_namespace* ns = sched->pid_ns_slab.New();
  if (ns == nullptr) return nullptr;
  ns->parent = parent;
  ns->level = parent == nullptr ? 0 : parent->level + 1;
  ns->count = 1;
  return ns;
}

pid_namespace* create_pid_namespace(pid_namespace* parent, int* error) {
  *error = -ENOSPC;
  if (parent->level + 1 >= kPidLevels) return nullptr;
  *error = -ENOMEM;
  pid_namespace* ns = MakePidNamespace(&Here<SchedState>(), parent);
  if (ns == nullptr) return nullptr;
  atomic_inc(&parent->count);
  *error = 0;
  return ns;
}

void put_pid_ns(pid_namespace* ns) {
  while (ns != nullptr && atomic_dec_return(&ns->count) == 0) {
    pid_namespace* parent = ns->parent;
    if (!Here<SchedState>().pid_ns_slab.Delete(ns)) {
      Fail(VerdictKind::kDoubleFree, "a pid_namespace is freed twice");
    }
    ns = parent;
  }
}

pid* MakePid(SchedState* sched, pid_namespace* ns, int* error) {
  *error = -ENOMEM;
  pid* made = sched->pid_slab.New();
  if (made == nullptr) return nullptr;
  made->level = ns->level;
  pid_namespace* at = ns;
  for (int level = static_cast<int>(ns->level); level >= 0; --level) {
    const pid_t nr = NextNumber(*sched, at);
    if (nr == 0) {
      REAP_CHECK(sched->pid_slab.Delete(made), "pid: slab");
      *error = -EAGAIN;
      return nullptr;
    }
    made->numbers[level] = {.nr = nr, .ns = at};
    at = at->parent;
  }
  for (uint32_t level = 0; level <= ns->level; ++level) {
    made->numbers[level].ns->last_pid = made->numbers[level].nr;
    made->numbers[level].ns->pids++;
  }
  made->count = 1;
  ns->count++;
  sched->SetPid(made->numbers[0].nr, made);
  *error = 0;
  return made;
}

pid* alloc_pid(pid_namespace* ns, int* error) {
  SchedState& sched = Here<SchedState>();
  SchedulePoint(Point::kRefInc, Access::kWrite,
                NumberOf(sched.pid_extent->base));
  return MakePid(&sched, ns, error);
}

void free_pid(pid* pid) {
  SchedState& sched = Here<SchedState>();
  SchedulePoint(Point::kRefDec, Access::kWrite,
                NumberOf(sched.pid_extent->base));
  Invariant(IsHashed(sched, pid), "a pid is unhashed twice");
  for (uint32_t level = 0; level <= pid->level; ++level) {
    pid->numbers[level].ns->pids--;
  }
  sched.SetPid(pid->numbers[0].nr, nullptr);
  call_rcu(&pid->rcu, delayed_put_pid);
}

pid* get_pid(pid* pid) {
  if (pid == nullptr) return nullptr;
  if (!Here<SchedState>().pid_slab.IsLive(pid)) {
    Fail(VerdictKind::kUseAfterFree, "a reference is taken to a freed pid");
  }
  atomic_inc(&pid->count);
  NoteRef(kRefPid, 1);
  return pid;
}

void put_pid(pid* pid) {
  if (pid == nullptr) return;
  SchedState& sched = Here<SchedState>();
  if (!sched.pid_slab.IsLive(pid)) {
    Fail(VerdictKind::kUseAfterFree, "a pid is put after its last reference");
  }
  NoteRef(kRefPid, -1);
  if (atomic_dec_return(&pid->count) != 0) return;
  pid_namespace* ns = ns_of_pid(pid);
  if (!sched.pid_slab.Delete(pid)) {
    Fail(VerdictKind::kDoubleFree, "a pid is freed twice");
  }
  put_pid_ns(ns);
}

pid* find_pid_ns(pid_t nr, pid_namespace* ns) {
  SchedState& sched = Here<SchedState>();
  SchedulePoint(Point::kRacyRead, Access::kRead,
                NumberOf(sched.pid_extent->base));
  return FindInNamespace(sched, nr, ns);
}

pid* find_vpid(pid_t nr) {
  return find_pid_ns(nr, task_active_pid_ns(current()));
}

pid* find_get_pid(pid_t nr) {
  rcu_read_lock();
  pid* found = get_pid(find_vpid(nr));
  rcu_read_unlock();
  return found;
}

void attach_pid(task_struct* task, pid_type type) {
  pid* pid = task_pid_ptr(task, type);
  SchedulePoint(Point::kFlagSet, Access::kWrite, NumberOf(&pid->tasks[type]));
  Invariant(pid->tasks[type] == nullptr, "a pid names two tasks");
  pid->tasks[type] = task;
}

void detach_pid(task_struct* task, pid_type type) {
  ChangePid(task, type, nullptr);
}

void change_pid(task_struct* task, pid_type type, pid* pid) {
  ChangePid(task, type, pid);
  attach_pid(task, type);
}

void exchange_tids(task_struct* left, task_struct* right) {
  pid* left_pid = left->thread_pid;
  pid* right_pid = right->thread_pid;
  SchedulePoint(Point::kFlagSet, Access::kWrite,
                NumberOf(&left_pid->tasks[PIDTYPE_PID]));
  left_pid->tasks[PIDTYPE_PID] = right;
  SchedulePoint(Point::kFlagSet, Access::kWrite,
                NumberOf(&right_pid->tasks[PIDTYPE_PID]));
  right_pid->tasks[PIDTYPE_PID] = left;
  left->thread_pid = right_pid;
  right->thread_pid = left_pid;
  left->pid = pid_nr(right_pid);
  right->pid = pid_nr(left_pid);
}

void transfer_pid(task_struct* old, task_struct* new_task, pid_type type) {
  REAP_CHECK(type != PIDTYPE_PID, "pid: a thread's pid is exchanged");
  pid* pid = task_pid_ptr(old, type);
  SchedulePoint(Point::kFlagSet, Access::kWrite, NumberOf(&pid->tasks[type]));
  Invariant(pid->tasks[type] == old, "a pid does not name the task it is of");
  pid->tasks[type] = new_task;
}

task_struct* pid_task(const pid* pid, pid_type type, SourceLine source) {
  return pid == nullptr ? nullptr : READ_ONCE(pid->tasks[type], source);
}

task_struct* get_pid_task(const pid* pid, pid_type type) {
  rcu_read_lock();
  task_struct* task = pid_task(pid, type);
  if (task != nullptr) {
    if (!Here<SchedState>().task_slab.IsLive(task)) {
      Fail(VerdictKind::kUseAfterFree, "a pid names a freed task");
    }
    atomic_inc(&task->usage);
    NoteRef(kRefTask, 1);
  }
  rcu_read_unlock();
  return task;
}

pid* get_task_pid(task_struct* task, pid_type type) {
  rcu_read_lock();
  pid* pid = get_pid(task_pid_ptr(task, type));
  rcu_read_unlock();
  return pid;
}

task_struct* find_task_by_vpid(pid_t nr) {
  return pid_task(find_vpid(nr), PIDTYPE_PID);
}

pid_t pid_nr_ns(const pid* pid, const pid_namespace* ns) {
  if (pid == nullptr || ns == nullptr || pid->level < ns->level) return 0;
  const auto& upid = pid->numbers[ns->level];
  return upid.ns == ns ? upid.nr : 0;
}

pid_t task_pid_nr_ns(const task_struct* task, const pid_namespace* ns) {
  return pid_nr_ns(task->thread_pid, ns);
}
pid_t task_tgid_nr_ns(const task_struct* task, const pid_namespace* ns) {
  return pid_nr_ns(task->signal->leader_pid, ns);
}
pid_t task_pid_vnr(const task_struct* task) {
  return task_pid_nr_ns(task, task_active_pid_ns(current()));
}
pid_t task_tgid_vnr(const task_struct* task) {
  return task_tgid_nr_ns(task, task_active_pid_ns(current()));
}

// kernel/signal.c:access_pidfd_pidns()
bool access_pidfd_pidns(const pid* pid) {
  const pid_namespace* active = task_active_pid_ns(current());
  for (const pid_namespace* ns = ns_of_pid(pid); ns != nullptr;
       ns = ns->parent) {
    if (ns == active) return true;
  }
  return false;
}

pid* pidfd_get_pid(int fd, unsigned int* f_flags, int* error) {
  *error = -EBADF;
  file* from = fget(fd);
  if (from == nullptr) return nullptr;
  pid* pid = GetPidOfFile(from);
  if (pid != nullptr) {
    *error = 0;
    if (f_flags != nullptr) *f_flags = from->f_flags;
  }
  fput(from);
  return pid;
}

pid* pidfd_self_pid(int pidfd, pid_type* type) {
  const PidfdSelf known = differences().pidfd_self;
  const int group = known == PidfdSelf::kFinalValues
                        ? PIDFD_SELF_THREAD_GROUP
                        : kPidfdSelfThreadGroupFirst;
  if (known == PidfdSelf::kNone) return nullptr;
  if (pidfd != PIDFD_SELF_THREAD && pidfd != group) return nullptr;
  *type = pidfd == group ? PIDTYPE_TGID : PIDTYPE_PID;
  return get_task_pid(current(), *type);
}

task_struct* pidfd_get_task(int pidfd, unsigned int* f_flags, int* error) {
  pid_type type = PIDTYPE_TGID;
  unsigned int flags = 0;
  pid* pid = pidfd_self_pid(pidfd, &type);
  const bool self = pid != nullptr;
  if (!self) pid = pidfd_get_pid(pidfd, &flags, error);
  if (pid == nullptr) return nullptr;
  const bool leaks = self && Switched(Switch::kPidfdSelfLeaksPid);
  task_struct* task = get_pid_task(pid, type);
  if (!leaks) put_pid(pid);
  *error = task == nullptr ? -ESRCH : 0;
  if (task != nullptr && f_flags != nullptr) *f_flags = flags;
  return task;
}

}  // namespace reapsim
