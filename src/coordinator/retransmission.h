#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "base/time.h"
#include "coordinator/failure_detector.h"
#include "coordinator/replica_tally.h"

namespace dynamo::core {

// When an operation asks again whom it has asked and who has not answered. A request, or its
// answer, may be lost without anybody having failed: a transport drops what its queue has no room
// for. But a peer that is merely slow must not be given its work twice.
//
// So after a while the peer is pinged. Packets mostly arrive in their order: if it answers the ping
// and still not the request, that has been lost. Where they do not, this only costs work.
//
// Thread safety: one thread at a time.
class Retransmission {
 public:
  // All have been asked now. Look after `patience`, and then soon, and then ever more rarely.
  void begin(TimePoint now, TimePoint patience) {
    sent_ = now;
    next_ = now + patience;
    pause_ = patience / 2;
  }
  // When to look.
  TimePoint next() const { return next_; }

  struct Late {
    NodeNames pinged{};  // are to be
    NodeNames asked{};   // are to be, once more
  };
  // Of those asked, who has not answered. `self` needs no message, and `asked_at(node)` says when a
  // node was asked that was not asked with the others.
  template <class AskedAt>
  Late look(const ReplicaTally& tally, std::string_view self, const FailureDetector& detector,
            TimePoint now, AskedAt asked_at) {
    Late late;
    for (const ReplicaReport& report : tally.reports()) {
      const std::string& node = report.node;
      const bool waits = report.answer == ReplicaReport::Answer::no_answer && node != self;
      if (!waits || !detector.reachable(node)) continue;
      const TimePoint since = std::max(sent_, asked_at(node));
      if (detector.ping_answered_since(node, since)) {
        late.asked.push_back(node);
      } else if (detector.wants_ping(node, since, now)) {
        late.pinged.push_back(node);
      }
    }
    if (!late.asked.empty()) sent_ = now;
    next_ = now + pause_;
    pause_ *= 2;
    return late;
  }

 private:
  TimePoint sent_{};
  TimePoint next_ = TimePoint::max();
  TimePoint pause_{};
};

}  // namespace dynamo::core
