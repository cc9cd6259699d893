#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <asio/io_context.hpp>

#include "speed/raw_engine.h"

namespace bench {

// LMDB behind a node of the floor: a thread commits all that has come in since its last commit, in
// one synced transaction, in the order of the keys.
//
// Thread safety: write() from the thread that runs `io`.
class FloorDisk {
 public:
  // `after_batch` is called when all of a commit's writes have been told.
  FloorDisk(asio::io_context& io, const std::filesystem::path& directory,
            std::function<void()> after_batch);
  ~FloorDisk();
  FloorDisk(const FloorDisk&) = delete;
  FloorDisk& operator=(const FloorDisk&) = delete;

  // `done` is called on `io` when it is on the disk.
  void write(std::string_view key, std::string_view value, std::function<void()> done);

 private:
  struct Write {
    std::string key;
    std::string value;
    std::function<void()> done;
  };
  void commit_all();
  void tell(std::vector<Write> written);

  asio::io_context& io_;
  const std::function<void()> after_batch_;
  RawEngine engine_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Write> waiting_;  // guarded
  bool stopping_ = false;       // guarded
  std::thread thread_;
};

}  // namespace bench
