// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/pipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::IsEmpty;

constexpr uint64_t kPage = 4096;

class PipeTest : public ::testing::Test {
 protected:
  PipeTest() {
    EXPECT_THAT(Writer().pipe(fds_), SyscallSucceeds());
    reader_end_ =
        static_cast<int>(int64_t{Writer().send_fd(fds_[0], reader_.pid())});
    EXPECT_THAT(Writer().close(fds_[0]), SyscallSucceeds());
    from_ = Map(Writer(), 20);
    to_ = Map(Reader(), 20);
    for (uint64_t i = 0; i < 20; ++i) {
      EXPECT_THAT(Writer().store(from_ + i * kPage, 100 + i),
                  SyscallSucceeds());
    }
  }
  static uint64_t Map(User user, uint64_t pages) {
    return static_cast<uint64_t>(
        user.mmap(Pages(pages).bytes(), Anonymous()).kernel());
  }
  User Writer() { return k_.As(writer_); }
  User Reader() { return k_.As(reader_); }
  void TearDown() override { EXPECT_THAT(k_.Shutdown(), IsEmpty()); }

  Kernel k_;
  Task& writer_ = k_.Spawn("writer");
  Task& reader_ = k_.Spawn("reader");
  int fds_[2] = {};
  int reader_end_;
  uint64_t from_, to_;
};

TEST_F(PipeTest, CarriesWordsInOrder) {
  EXPECT_THAT(Writer().write(fds_[1], from_, 12_KiB),
              SyscallSucceedsWithValue(3 * kPage));
  EXPECT_THAT(Reader().read(reader_end_, to_, 64_KiB),
              SyscallSucceedsWithValue(3 * kPage))
      << "what is there, without waiting for more";
  EXPECT_THAT(Reader().load(to_ + 2 * kPage), SyscallSucceedsWithValue(102));
}

TEST_F(PipeTest, AWriterWaitsForRoomAndAReaderForData) {
  const int out = fds_[1];
  const uint64_t from = from_;
  k_.Begin(writer_, [=](User user) { (void)user.write(out, from, 80_KiB); });
  EXPECT_EQ(k_.RunUntilBlocked(writer_), Stepped::kBlocked)
      << "16 of 20 pages fit";
  EXPECT_THAT(Reader().read(reader_end_, to_, 80_KiB),
              SyscallSucceedsWithValue(16 * kPage));
  EXPECT_EQ(k_.Finish(writer_), Stepped::kDone);
  EXPECT_EQ(k_.Result(writer_).kernel(), 20 * int64_t{kPage});
  EXPECT_THAT(Reader().read(reader_end_, to_, 80_KiB),
              SyscallSucceedsWithValue(4 * kPage));
  const int in = reader_end_;
  const uint64_t to = to_;
  k_.Begin(reader_, [=](User user) { (void)user.read(in, to, 4_KiB); });
  EXPECT_EQ(k_.RunUntilBlocked(reader_), Stepped::kBlocked);
  EXPECT_THAT(Writer().write(fds_[1], from_, 4_KiB),
              SyscallSucceedsWithValue(kPage));
  EXPECT_EQ(k_.Finish(reader_), Stepped::kDone);
}

TEST_F(PipeTest, ASignalCutsAWaitingWriteShort) {
  EXPECT_THAT(Writer().sigaction(SIGUSR1, SigDisposition::kHandler),
              SyscallSucceeds());
  const int out = fds_[1];
  const uint64_t from = from_;
  k_.BeginCall(writer_, [=] { return sys_write(out, from, 20); });
  EXPECT_EQ(k_.RunUntilBlocked(writer_), Stepped::kBlocked);
  EXPECT_THAT(Reader().kill(writer_.pid(), SIGUSR1), SyscallSucceeds());
  EXPECT_EQ(k_.Finish(writer_), Stepped::kDone);
  EXPECT_EQ(k_.Result(writer_).kernel(), 16 * int64_t{kPage});
  // And one that has done nothing yet fails.
  k_.BeginCall(writer_, [=] { return sys_write(out, from, 1); });
  EXPECT_EQ(k_.RunUntilBlocked(writer_), Stepped::kBlocked);
  EXPECT_THAT(Reader().kill(writer_.pid(), SIGUSR1), SyscallSucceeds());
  EXPECT_EQ(k_.Finish(writer_), Stepped::kDone);
  EXPECT_EQ(k_.Result(writer_).kernel(), -EINTR);
}

TEST_F(PipeTest, EndsWhenTheOtherEndIsClosed) {
  EXPECT_THAT(Writer().write(fds_[1], from_, 4_KiB),
              SyscallSucceedsWithValue(kPage));
  EXPECT_THAT(Writer().sigaction(SIGPIPE, SigDisposition::kIgnore),
              SyscallSucceeds());
  EXPECT_THAT(Reader().close(reader_end_), SyscallSucceeds());
  EXPECT_THAT(Writer().write(fds_[1], from_, 4_KiB),
              SyscallFailsWithErrno(EPIPE));
  int fds[2];
  EXPECT_THAT(Reader().pipe(fds), SyscallSucceeds());
  EXPECT_THAT(Reader().close(fds[1]), SyscallSucceeds());
  EXPECT_THAT(Reader().read(fds[0], to_, 4_KiB), SyscallSucceedsWithValue(0));
}

TEST_F(PipeTest, AWriteWithoutAReaderEndsTheWriter) {
  EXPECT_THAT(Reader().close(reader_end_), SyscallSucceeds());
  const int out = fds_[1];
  const uint64_t from = from_;
  k_.Begin(writer_, [=](User user) { (void)user.write(out, from, 4_KiB); });
  (void)k_.RunUntilBlocked(writer_);
  EXPECT_EQ(writer_.phase(), TaskPhase::kZombie) << "SIGPIPE";
}

TEST_F(PipeTest, UserMemoryThatIsNotThereStopsTheCopy) {
  EXPECT_THAT(Writer().munmap(from_ + 2 * kPage, 4_KiB), SyscallSucceeds());
  EXPECT_THAT(Writer().write(fds_[1], from_, 16_KiB),
              SyscallSucceedsWithValue(2 * kPage));
  EXPECT_THAT(Writer().write(fds_[1], from_ + 2 * kPage, 4_KiB),
              SyscallFailsWithErrno(EFAULT));
  EXPECT_THAT(Reader().munmap(to_ + kPage, 4_KiB), SyscallSucceeds());
  EXPECT_THAT(Reader().read(reader_end_, to_, 8_KiB),
              SyscallSucceedsWithValue(kPage));
  EXPECT_THAT(Reader().read(reader_end_, to_ + kPage, 8_KiB),
              SyscallFailsWithErrno(EFAULT));
  EXPECT_THAT(Reader().read(reader_end_, to_, 4_KiB),
              SyscallSucceedsWithValue(kPage))
      << "what could not be delivered is still there";
  EXPECT_THAT(Reader().load(to_), SyscallSucceedsWithValue(101));
}

TEST_F(PipeTest, EachEndGoesOneWay) {
  EXPECT_THAT(Writer().read(fds_[1], from_, 4_KiB),
              SyscallFailsWithErrno(EBADF));
  EXPECT_THAT(Reader().write(reader_end_, to_, 4_KiB),
              SyscallFailsWithErrno(EBADF));
  EXPECT_THAT(Reader().read(77, to_, 4_KiB), SyscallFailsWithErrno(EBADF));
  const int pidfd = static_cast<int>(int64_t{Reader().pidfd_open(1, 0)});
  EXPECT_THAT(Reader().read(pidfd, to_, 4_KiB), SyscallFailsWithErrno(EINVAL));
}

TEST_F(PipeTest, FilesAreReadAndWrittenFromTheirPositionOn) {
  const int fd =
      static_cast<int>(int64_t{Writer().open_file(7, Pages(2), true)});
  EXPECT_THAT(Writer().write(fd, from_, 4_KiB),
              SyscallSucceedsWithValue(kPage));
  EXPECT_THAT(Writer().write(fd, from_ + kPage, 8_KiB),
              SyscallSucceedsWithValue(kPage))
      << "files don't grow";
  EXPECT_THAT(Writer().write(fd, from_, 4_KiB), SyscallFailsWithErrno(ENOSPC));
  EXPECT_THAT(Writer().read(fd, from_, 4_KiB), SyscallSucceedsWithValue(0));
  const int again =
      static_cast<int>(int64_t{Reader().open_file(7, Pages(2), false)});
  EXPECT_THAT(Reader().read(again, to_, 8_KiB),
              SyscallSucceedsWithValue(2 * kPage));
  EXPECT_THAT(Reader().load(to_), SyscallSucceedsWithValue(100));
  EXPECT_THAT(Reader().load(to_ + kPage), SyscallSucceedsWithValue(101));
  EXPECT_THAT(Reader().write(again, to_, 4_KiB), SyscallFailsWithErrno(EBADF));
}

}  // namespace
}  // namespace reapsim
