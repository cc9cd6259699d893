#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "host/content.h"
#include "host/read_sections.h"

namespace dynamo::host {

// What was taken out of a table that others look at within read sections, until they have left.
//
// Thread safety: any thread.
class Retired {
 public:
  // `readers`: outlives it; null if there are none, and nothing has to wait.
  explicit Retired(ReadSections* readers) : readers_(readers) {}

  void add(Content content);
  void add(std::shared_ptr<const void> memory);
  // Frees what has waited long enough, if it is much. Not within a read section.
  void tidy() {
    if (waits_.load(std::memory_order_relaxed)) tidy_now();
  }
  // How many there are; for tests.
  std::size_t size() const;

 private:
  struct Load {
    std::vector<Content> contents{};
    std::vector<std::shared_ptr<const void>> memory{};
    std::size_t bytes = 0;

    std::size_t size() const { return contents.size() + memory.size(); }
    bool is_much() const;
  };

  void note(std::size_t bytes);
  void tidy_now();

  ReadSections* const readers_;
  mutable std::mutex mutex_;
  Load fresh_;                      // guarded
  Load closed_;                     // guarded: no more comes to these
  ReadSections::Left left_ = 0;     // guarded: places not seen empty since they were closed
  std::atomic<bool> waits_{false};  // it is worth a look
};

}  // namespace dynamo::host
