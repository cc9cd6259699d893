#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "host/environment.h"
#include "host/read_sections.h"
#include "host/statistics.h"
#include "node/local_view.h"

namespace dynamo::host {

// The gets that never leave their caller's thread: with r = 1, of keys that this node owns.
//
// The threads are spread over places, each with a copy of the pointer to the view, so that they
// share no lock and no counter with one another as long as there are not many more threads than
// places.
//
// Thread safety: any thread; publish() one at a time.
class LocalReads {
 public:
  // All outlive it, and so must what `own` reads as long as a view is published. `own` is asked
  // within one of the `sections`.
  LocalReads(const core::RecordReader& own, const Environment& environment, ReadSections& sections)
      : own_(own), environment_(environment), sections_(sections) {}

  // From now on this view decides; null: every get has to ask the machine. Returns when no get is
  // under way with another one.
  void publish(const std::shared_ptr<const core::LocalView>& view);

  // Nullopt if the machine has to be asked.
  std::optional<core::GetAnswer> get(const core::StoreFacts& store, std::string_view key);

  // Adds what has been counted so far.
  void add_to(Counts& counts) const;

 private:
  static constexpr std::size_t places = ReadSections::places;

  struct alignas(64) Place {  // a cache line of its own; to be held: the section's place
    std::shared_ptr<const core::LocalView> view;
    std::unique_ptr<Counts> counts;  // null before the first get
  };

  const core::RecordReader& own_;
  const Environment& environment_;
  ReadSections& sections_;
  std::array<Place, places> places_;
};

}  // namespace dynamo::host
