#include <dynamo/reconciler.h>

#include <algorithm>

#include "causality/last_write_wins.h"

namespace dynamo {

namespace {

// open() recognises it and lets replicas choose the winner, by a clock that Version does not show.
// Called as a reconciler all the same, it makes the nearest choice.
class LastWriteWins final : public Reconciler {
 public:
  absl::StatusOr<std::string> reconcile(std::string_view,
                                        std::span<const Version> siblings) const override {
    const auto last = std::ranges::max_element(siblings, [](const Version& a, const Version& b) {
      return a.written_at != b.written_at ? a.written_at < b.written_at : a.dot < b.dot;
    });
    return last == siblings.end() ? std::string() : last->object;
  }
};

}  // namespace

std::shared_ptr<const Reconciler> last_write_wins() {
  return std::make_shared<const LastWriteWins>();
}

namespace core {

bool is_last_write_wins(const Reconciler* reconciler) {
  return dynamic_cast<const LastWriteWins*>(reconciler) != nullptr;
}

}  // namespace core

}  // namespace dynamo
