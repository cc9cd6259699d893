#pragma once

#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/statusor.h>
#include <dynamo/export.h>
#include <dynamo/version.h>

namespace dynamo {

// Merges concurrent versions into one (semantic reconciliation; paper, 4.4).
//
// A reconciler runs where the get was called, never on replicas: on the thread of a blocking
// caller, or on the executor of the handler, outside every lock. Its result is what get() returns;
// the application's next put with the context of that get stores it. It must give the same bytes
// for the same versions whatever their order and grouping, and must not read a clock, or two
// readers will disagree.
//
// Thread safety: reconcile() is called from any thread, several at once.
class DYNAMO_EXPORT Reconciler {
 public:
  virtual ~Reconciler() = default;

  // Called with two versions or more, all concurrent, ascending by dot; never with deletes. The
  // result becomes the one version of the GetResult. An error becomes the status of get(), with the
  // key named. What it throws becomes INTERNAL.
  virtual absl::StatusOr<std::string> reconcile(std::string_view key,
                                                std::span<const Version> siblings) const = 0;
};

// Of concurrent versions keep the one with the largest (hybrid logical clock, write id); a version
// whose writer had seen another always beats that one. Replicas keep one version a key, so such a
// store never fills with siblings; what it discards is lost. A fact of the store: all nodes must
// open it with the same choice.
DYNAMO_EXPORT std::shared_ptr<const Reconciler> last_write_wins();

// A reconciler from a callable that takes (std::span<const Version>) or (std::string_view key,
// std::span<const Version>) and returns std::string or absl::StatusOr<std::string>.
template <class Merge>
std::shared_ptr<const Reconciler> reconcile_with(Merge merge) {
  class Calling final : public Reconciler {
   public:
    explicit Calling(Merge merge) : merge_(std::move(merge)) {}
    absl::StatusOr<std::string> reconcile(std::string_view key,
                                          std::span<const Version> siblings) const override {
      if constexpr (std::invocable<const Merge&, std::string_view, std::span<const Version>>) {
        return merge_(key, siblings);
      } else {
        return merge_(siblings);
      }
    }

   private:
    const Merge merge_;
  };
  return std::make_shared<const Calling>(std::move(merge));
}

}  // namespace dynamo
