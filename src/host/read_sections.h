#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace dynamo::host {

// Threads that look at what others change, without a lock that they share with them or with one
// another (read-copy-update): each holds a place of its own meanwhile, if there are not many more
// of them than places. What was taken away before a place is seen empty is not looked at from there
// any more, so once every place was, it may be freed.
//
// Thread safety: any thread.
class ReadSections {
 public:
  static constexpr std::size_t places = 16;
  using Hold = std::unique_lock<std::mutex>;
  using Left = std::uint32_t;  // a bit for each place
  static constexpr Left all = (Left{1} << places) - 1;

  // The place of that number. A thread holds one at a time.
  [[nodiscard]] Hold enter(std::size_t place) { return Hold(places_[place].mutex); }
  // Of `left` those that are not empty now; waits for nobody. REQUIRES: the thread holds none.
  Left still_held(Left left);

 private:
  struct alignas(64) Place {  // a cache line of its own
    std::mutex mutex;
  };
  std::array<Place, places> places_;
};

}  // namespace dynamo::host
