#pragma once

#include <filesystem>
#include <string>

// A system call that fails, once. A program that is linked with failing_calls.cc has its own open,
// pwrite, fdatasync, ftruncate, mmap and so on, which come before those of the C library for all
// libraries in it. They do what they are asked, but for one, the n-th on the files of
// one directory.
namespace test {

enum class FailingHow {
  io_error,       // EIO, nothing was done
  no_space,       // ENOSPC, nothing was done
  done_io_error,  // EIO, though it was done: the caller cannot know
  short_write,    // a write did its first half only; other calls as io_error
  lie,            // a write did nothing and says that it did; other calls as io_error
};

// Thread safety: one plan at a time in a process; the calls come from any thread.
class FailingCall {
 public:
  // Of the calls on `directory` and what is in it the one with this number, from 1 on.
  FailingCall(const std::filesystem::path& directory, int number, FailingHow how);
  ~FailingCall();
  FailingCall(const FailingCall&) = delete;
  FailingCall& operator=(const FailingCall&) = delete;

  // How many calls there were so far.
  static int calls();
  // What has failed, "fdatasync data.mdb"; empty: nothing yet.
  static std::string failed();
};

}  // namespace test
