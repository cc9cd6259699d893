#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// What is asked of some files of a directory, in order. A program that is linked with recorder.cc
// has its own pwrite, writev, fdatasync and so on, which come before those of the C library for all
// libraries in it; they do what they are asked, and while a Recorder lives they note it.
namespace test {

struct FileEvent {
  enum class Kind {
    write,           // of `bytes` at `offset`
    resize,          // to `offset` bytes, more than before
    rename,          // another file took the name; it is on the disk and holds `bytes`
    sync,            // all before it is on the disk
    sync_directory,  // so is what name the file has
  };
  std::size_t file = 0;  // which; of all, if the directory is synced
  Kind kind = Kind::write;
  std::uint64_t offset = 0;
  std::string bytes{};
  bool durable = false;  // on the disk when the call returned: a descriptor that is O_DSYNC
};

// Thread safety: one at a time in a process, and the files are written by one thread.
class Recorder {
 public:
  // Of files that need not exist yet.
  Recorder(const std::filesystem::path& directory, const std::vector<std::string>& names);
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
  struct File {
    std::string path{};
    std::uint64_t bytes = 0;
  };
  // Null: another.
  File* find(const std::string& path);
  bool beside(const std::string& path);
  void add(const File& file, FileEvent event);

  const std::string directory_;
  std::vector<File> files_;
  std::vector<FileEvent> events_;
  std::set<std::string> unsynced_;  // paths of others in the directory
  std::string not_understood_;
};

}  // namespace test
