#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// What is asked of one file, in order. A program that is linked with recorder.cc has its own
// pwrite, writev, fdatasync and so on, which come before those of the C library for all libraries
// in it; they do what they are asked, and while a Recorder lives they note it.
namespace test {

struct FileEvent {
  enum class Kind {
    write,           // of `bytes` at `offset`
    resize,          // to `offset` bytes, more than before
    rename,          // another file took the name; it is on the disk and holds `bytes`
    sync,            // all before it is on the disk
    sync_directory,  // so is what name the file has
  };
  Kind kind = Kind::write;
  std::uint64_t offset = 0;
  std::string bytes{};
  bool durable = false;  // on the disk when the call returned: a descriptor that is O_DSYNC
};

// Thread safety: one at a time in a process, and the file is written by one thread.
class Recorder {
 public:
  // Of a file that need not exist yet.
  explicit Recorder(const std::filesystem::path& file);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  const std::vector<FileEvent>& events() const { return events_; }
  // Calls whose effect on the disk is not modelled; to be empty.
  const std::string& not_understood() const { return not_understood_; }

  // For the calls, when they have succeeded.
  void wrote(int fd, std::string_view bytes, std::uint64_t offset);
  void resized(int fd, std::uint64_t bytes);
  void synced(int fd);
  void renamed(const std::filesystem::path& from, const std::filesystem::path& to);
  void could_not_understand(std::string_view call);

 private:
  bool beside(const std::string& path) const;

  const std::string file_;
  const std::string directory_;
  std::vector<FileEvent> events_;
  std::uint64_t bytes_ = 0;         // of the file
  std::set<std::string> unsynced_;  // paths of others in the directory
  std::string not_understood_;
};

}  // namespace test
