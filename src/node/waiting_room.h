#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "base/time.h"

namespace dynamo::core {

// Of objects that are under way at once, to peers and from them; one alone is no larger. What is
// sent beyond what a transport keeps for a peer is lost, and a turn that sends without end answers
// nobody meanwhile.
inline constexpr std::size_t bytes_under_way_max = std::size_t{16} << 20;

// Requests of the application that cannot begin yet, in the order in which they came.
//
// Thread safety: one thread at a time.
template <class Request>
class WaitingRoom {
 public:
  bool empty() const { return requests_.empty(); }
  std::size_t size() const { return requests_.size(); }
  const Request& front() const { return requests_.front(); }

  void push(Request request) {
    until_ = std::min(until_, request.deadline);
    requests_.push_back(std::move(request));
  }
  Request pop() {
    Request first = std::move(requests_.front());
    requests_.pop_front();
    return first;
  }
  // The one with that number, if it is here.
  std::optional<Request> remove(std::uint64_t number) {
    const auto at = std::ranges::find(requests_, number, &Request::request);
    if (at == requests_.end()) return std::nullopt;
    Request request = std::move(*at);
    requests_.erase(at);
    return request;
  }
  // Those past their deadlines go, each after `see(request)`.
  template <class See>
  void expire(TimePoint now, See see) {
    if (until_ > now) return;
    until_ = TimePoint::max();
    std::erase_if(requests_, [&](const Request& request) {
      const bool late = request.deadline <= now;
      if (late) see(request);
      if (!late) until_ = std::min(until_, request.deadline);
      return late;
    });
  }
  // The next deadline, or earlier.
  TimePoint next() const { return until_; }

 private:
  std::deque<Request> requests_;
  TimePoint until_ = TimePoint::max();
};

}  // namespace dynamo::core
