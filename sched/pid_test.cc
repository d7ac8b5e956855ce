// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/pid.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "sched/file.h"
#include "sched/rcu.h"
#include "sched/task_testing.h"

namespace reapsim {
namespace {

TEST(AllocPidTest, NumbersGoUpAndRoundLeavingTheReservedOnesOut) {
  TestWorld world;
  SchedState& sched = world.sched();
  int error = 0;
  // Pid 1 is the world's init.
  EXPECT_EQ(pid_nr(MakePid(&sched, sched.init_pid_ns, &error)), 2);
  sched.init_pid_ns->last_pid = SchedState::kMaxPids - 2;
  EXPECT_EQ(pid_nr(MakePid(&sched, sched.init_pid_ns, &error)), 32767);
  EXPECT_EQ(pid_nr(MakePid(&sched, sched.init_pid_ns, &error)), 300);
}

TEST(AllocPidTest, SaysEagainWhenNoNumberIsLeft) {
  TestWorld world;
  SchedState& sched = world.sched();
  constexpr pid_t kEnd = SchedState::kMaxPids;
  for (pid_t nr = 2; nr < kEnd; ++nr) sched.SetPid(nr, sched.PidAt(1));
  int error = 0;
  EXPECT_EQ(MakePid(&sched, sched.init_pid_ns, &error), nullptr);
  EXPECT_EQ(error, -EAGAIN);
}

TEST(AllocPidTest, KnowsAPidInItsNamespaceAndAllAround) {
  TestWorld world;
  SchedState& sched = world.sched();
  pid_namespace* ns = MakePidNamespace(&sched, sched.init_pid_ns);
  task_struct* init = world.NewProcess(ns);
  task_struct* second = world.NewProcess(ns);
  EXPECT_TRUE(is_child_reaper(init->thread_pid));
  EXPECT_EQ(pid_nr_ns(second->thread_pid, ns), 2);
  EXPECT_EQ(pid_nr_ns(second->thread_pid, sched.init_pid_ns), second->pid);
  EXPECT_EQ(pid_nr_ns(sched.init_task->thread_pid, ns), 0);
  world.As(init, [=] {
    REAP_CHECK(find_vpid(2) == second->thread_pid, "test: inside");
    REAP_CHECK(find_pid_ns(second->pid, Here<SchedState>().init_pid_ns) ==
                   second->thread_pid,
               "test: outside");
    REAP_CHECK(find_vpid(3) == nullptr, "test: unknown");
    REAP_CHECK(find_vpid(-1) == nullptr, "test: negative");
  });
}

TEST(CreatePidNamespaceTest, SaysEnospcWhenNestedTooDeep) {
  TestWorld world;
  const int64_t error = world.As(world.NewProcess(), [] {
    pid_namespace* ns = Here<SchedState>().init_pid_ns;
    int error = 0;
    // kPidLevels namespaces in one another, the initial one included.
    for (uint32_t level = 1; level < kPidLevels; ++level) {
      ns = create_pid_namespace(ns, &error);
      REAP_CHECK(ns != nullptr && error == 0, "test: namespace");
    }
    REAP_CHECK(create_pid_namespace(ns, &error) == nullptr, "test: too deep");
    return error;
  });
  EXPECT_EQ(error, -ENOSPC);
}

TEST(PutPidTest, GoesWithTheLastReferenceAndTakesItsNamespaceAlong) {
  TestWorld world;
  SchedState& sched = world.sched();
  task_struct* p = world.NewProcess();
  const uint32_t pids = sched.pid_slab.live();
  const uint32_t namespaces = sched.pid_ns_slab.live();
  world.As(p, [] {
    int error = 0;
    pid_namespace* ns =
        create_pid_namespace(Here<SchedState>().init_pid_ns, &error);
    pid* made = get_pid(alloc_pid(ns, &error));
    put_pid_ns(ns);
    free_pid(made);
    REAP_CHECK(
        find_pid_ns(pid_nr(made), Here<SchedState>().init_pid_ns) == nullptr,
        "test: unhashed");
    (void)rcu_process_callbacks();
    put_pid(made);
  });
  EXPECT_EQ(sched.pid_slab.live(), pids);
  EXPECT_EQ(sched.pid_ns_slab.live(), namespaces);
}

TEST(PutPidTest, ReportsOnePutTooMany) {
  TestWorld world;
  task_struct* p = world.NewProcess();
  world.As(p, [] {
    int error = 0;
    pid* made = alloc_pid(Here<SchedState>().init_pid_ns, &error);
    put_pid(made);
    put_pid(made);
  });
  EXPECT_EQ(world.engine().TakeVerdict().kind, VerdictKind::kUseAfterFree);
}

TEST(AttachPidTest, ExecMovesTheLeadersPid) {
  TestWorld world;
  task_struct* leader = world.NewProcess();
  task_struct* thread = world.NewThread(leader);
  pid* const leader_pid = leader->thread_pid;
  pid* const thread_pid = thread->thread_pid;
  const pid_t leader_nr = leader->pid;
  world.As(thread, [=] {
    write_lock(tasklist_lock());
    exchange_tids(thread, leader);
    transfer_pid(leader, thread, PIDTYPE_TGID);
    write_unlock(tasklist_lock());
  });
  EXPECT_EQ(leader_pid->tasks[PIDTYPE_PID], thread);
  EXPECT_EQ(leader_pid->tasks[PIDTYPE_TGID], thread);
  EXPECT_EQ(thread_pid->tasks[PIDTYPE_PID], leader);
  EXPECT_EQ(thread->pid, leader_nr);
  EXPECT_EQ(thread->thread_pid, leader_pid);
}

TEST(DetachPidTest, FreesAPidThatNamesNothing) {
  TestWorld world;
  task_struct* p = world.NewProcess();
  const pid_t nr = p->pid;
  world.As(world.NewProcess(), [=] {
    write_lock(tasklist_lock());
    detach_pid(p, PIDTYPE_PID);
    write_unlock(tasklist_lock());
  });
  EXPECT_NE(world.sched().PidAt(nr), nullptr);
  world.As(world.NewProcess(), [=] {
    write_lock(tasklist_lock());
    detach_pid(p, PIDTYPE_TGID);
    write_unlock(tasklist_lock());
  });
  EXPECT_EQ(world.sched().PidAt(nr), nullptr);
}

// A descriptor of `task` for a file of the given kind; 3 if it is the first
// after 0, 1, 2.
int OpenFile(TestWorld& world, task_struct* task, FileKind kind, uint32_t mode,
             pid* pid) {
  return static_cast<int>(world.As(task, [=] {
    if (task->files == nullptr) task->files = alloc_files();
    file* made = alloc_file(kind, mode, 0);
    made->pid = get_pid(pid);
    const int fd = get_unused_fd_flags(0);
    fd_install(fd, made);
    return fd;
  }));
}

int64_t GetTask(TestWorld& world, task_struct* caller, int fd,
                const task_struct* expected) {
  return world.As(caller, [=] {
    int error = 1;
    unsigned int flags = 0;
    task_struct* task = pidfd_get_task(fd, &flags, &error);
    REAP_CHECK((task == nullptr) == (error != 0), "test: error or task");
    if (task == nullptr) return error;
    REAP_CHECK(task == expected, "test: another task");
    task->usage--;
    return 0;
  });
}

TEST(PidfdGetTaskTest, TellsAPidfdFromEverythingElse) {
  TestWorld world;
  task_struct* caller = world.NewProcess();
  task_struct* target = world.NewProcess();
  task_struct* thread = world.NewThread(target);
  pid* const tgid = target->thread_pid;
  const uint32_t references = tgid->count;
  struct Row {
    const char* what;
    FileKind kind;
    uint32_t mode;
    struct pid* pid;
    int expected;
  };
  for (const Row& row : {
           Row{"pidfd", FileKind::kPidfd, FMODE_READ, tgid, 0},
           Row{"O_PATH", FileKind::kPidfd, FMODE_PATH, tgid, -EBADF},
           Row{"/proc/PID", FileKind::kProcPid, FMODE_READ, tgid, -EBADF},
           Row{"regular file", FileKind::kRegular, FMODE_READ, nullptr, -EBADF},
           Row{"memfd", FileKind::kMemfd, FMODE_READ, nullptr, -EBADF},
           Row{"pipe", FileKind::kPipe, FMODE_READ, nullptr, -EBADF},
           Row{"pidfd of a thread", FileKind::kPidfd, FMODE_READ,
               thread->thread_pid, -ESRCH},
       }) {
    const int fd = OpenFile(world, caller, row.kind, row.mode, row.pid);
    EXPECT_EQ(GetTask(world, caller, fd, target), row.expected) << row.what;
    EXPECT_EQ(world.As(caller, [=] { return close_fd(fd); }), 0);
    EXPECT_EQ(GetTask(world, caller, fd, target), -EBADF) << row.what;
  }
  EXPECT_EQ(GetTask(world, caller, -1, target), -EBADF);
  EXPECT_EQ(GetTask(world, caller, kMaxFds, target), -EBADF);
  EXPECT_EQ(tgid->count, references);
}

TEST(PidfdGetTaskTest, NegativeNumbersMeanTheCallerFromV615On) {
  struct Row {
    const char* version;
    int fd;
    int expected;
  };
  // Called by a thread that leads no group: both find their task.
  for (const Row& row : {
           Row{"v5.15-rc1", -10000, -EBADF},
           Row{"v5.15-rc1", -10001, -EBADF},
           Row{"v6.18", -10000, 0},
           Row{"v6.18", -10001, 0},
           Row{"v6.18", -20000, -EBADF},
       }) {
    TestWorld world(row.version);
    task_struct* leader = world.NewProcess();
    task_struct* thread = world.NewThread(leader);
    const uint32_t references = thread->thread_pid->count;
    EXPECT_EQ(GetTask(world, thread, row.fd,
                      row.fd == PIDFD_SELF_THREAD ? thread : leader),
              row.expected)
        << row.version << " " << row.fd;
    EXPECT_EQ(thread->thread_pid->count, references);
  }
}

TEST(PidfdGetTaskTest, FirstSentinelsWereOthers) {
  // v6.16 was observed; the model resolves to other versions, so the record of
  // differences is taken from the table itself.
  const Differences first = DifferencesAt({.major = 6, .minor = 16});
  EXPECT_EQ(first.pidfd_self, PidfdSelf::kFirstValues);
}

TEST(FilesTest, DescriptorsAreTheLowestFreeOnes) {
  TestWorld world;
  task_struct* p = world.NewProcess();
  EXPECT_EQ(OpenFile(world, p, FileKind::kPipe, FMODE_READ, nullptr), 0);
  EXPECT_EQ(OpenFile(world, p, FileKind::kPipe, FMODE_READ, nullptr), 1);
  EXPECT_EQ(world.As(p, [] { return close_fd(0); }), 0);
  EXPECT_EQ(world.As(p, [] { return close_fd(0); }), -EBADF);
  EXPECT_EQ(world.As(p, [] { return close_fd(-1); }), -EBADF);
  EXPECT_EQ(OpenFile(world, p, FileKind::kPipe, FMODE_READ, nullptr), 0);
}

TEST(FilesTest, SayEmfileWhenFull) {
  TestWorld world;
  task_struct* p = world.NewProcess();
  EXPECT_EQ(world.As(p,
                     [=] {
                       p->files = alloc_files();
                       for (int fd = 0; fd < kMaxFds; ++fd) {
                         REAP_CHECK(get_unused_fd_flags(0) == fd, "test: fd");
                       }
                       const int error = get_unused_fd_flags(0);
                       put_unused_fd(7);
                       REAP_CHECK(get_unused_fd_flags(0) == 7, "test: fd 7");
                       return error;
                     }),
            -EMFILE);
}

TEST(FilesTest, ForkSharesFilesAndExitClosesThem) {
  TestWorld world;
  task_struct* p = world.NewProcess();
  pid* const pid = world.NewProcess()->thread_pid;
  const uint32_t references = pid->count;
  OpenFile(world, p, FileKind::kPidfd, FMODE_READ, pid);
  world.As(p, [=] {
    files_struct* copy = dup_fd(p->files);
    exit_files(p);
    REAP_CHECK(p->files == nullptr && copy->fd[0]->count == 1, "test: copy");
    put_files_struct(copy);
  });
  EXPECT_EQ(pid->count, references);
  EXPECT_EQ(world.sched().file_slab.live(), 0u);
  EXPECT_EQ(world.sched().files_slab.live(), 0u);
}

TEST(FilesTest, ExecClosesWhatIsMarked) {
  TestWorld world;
  task_struct* p = world.NewProcess();
  world.As(p, [=] {
    p->files = alloc_files();
    for (const uint32_t flags : {0u, static_cast<uint32_t>(O_CLOEXEC)}) {
      const int fd = get_unused_fd_flags(flags);
      fd_install(fd, alloc_file(FileKind::kPipe, FMODE_READ, 0));
    }
    do_close_on_exec(p->files);
  });
  EXPECT_NE(p->files->fd[0], nullptr);
  EXPECT_EQ(p->files->fd[1], nullptr);
}

TEST(FreePidTest, WaitsForThoseWhoMayHaveFoundThePid) {
  TestWorld world;
  task_struct* task = world.NewProcess();
  pid* found = task->thread_pid;
  world.As(world.NewProcess(), [=] {
    rcu_read_lock();
    detach_pid(task, PIDTYPE_PID);
    detach_pid(task, PIDTYPE_TGID);
    REAP_CHECK(find_vpid(pid_nr(found)) == nullptr, "test: the number is free");
    REAP_CHECK(Here<SchedState>().pid_slab.IsLive(found),
               "test: the pid is not");
    rcu_read_unlock();
    (void)rcu_process_callbacks();
    REAP_CHECK(!Here<SchedState>().pid_slab.IsLive(found), "test: now it is");
  });
}

TEST(PidNrNsTest, HasNoNumberInANamespaceBeside) {
  TestWorld world;
  SchedState& sched = world.sched();
  pid_namespace* one = MakePidNamespace(&sched, sched.init_pid_ns);
  pid_namespace* other = MakePidNamespace(&sched, sched.init_pid_ns);
  task_struct* init = world.NewProcess(one);
  EXPECT_EQ(pid_nr_ns(init->thread_pid, one), 1);
  EXPECT_EQ(pid_nr_ns(init->thread_pid, other), 0);
}

}  // namespace
}  // namespace reapsim
