#include "testing/sim_views.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/coding.h"
#include "base/hash.h"
#include "ring/next_view.h"
#include "ring/placement.h"

namespace dynamo::testing {
namespace {

Identity identity_of_cluster(const std::vector<Member>& members) {
  std::string names;
  core::Encoder encoder(names);
  for (const Member& member : members) encoder.bytes(member.name);
  const core::Hash128 hash = core::hash128(names, 0);
  return {.high = hash.high, .low = hash.low};
}

// A view says of every other member's identity: learn it.
View as_seen_by(const Member& self, View view) {
  for (Member& member : view.members) {
    member.identity = member.name == self.name ? self.identity : Identity{};
  }
  return view;
}

}  // namespace

class SimViews::Handle final : public Membership {
 public:
  explicit Handle(std::shared_ptr<SimViews> views) : views_(std::move(views)) {}

  absl::Status start(Member self, std::string, std::uint64_t, Callbacks callbacks) override {
    self_ = std::move(self);
    callbacks_ = std::move(callbacks);
    const auto known = views_->knows_.find(self_.name);
    if (known != views_->knows_.end()) publish(views_->views_[known->second]);
    return absl::OkStatus();
  }

  absl::Status change(const Change& change) override { return views_->change(self_.name, change); }

  void receive(std::string) override {}

  void tick(std::chrono::steady_clock::time_point) override {
    ++ticks_;
    views_->finish_moves();
    if (!views_->knows_.contains(self_.name)) {
      views_->change(self_.name, {.kind = Change::Kind::join, .member = self_}).IgnoreError();
    }
    if (const View* view = views_->hear(self_.name, ticks_)) publish(*view);
  }

  void stop() override { callbacks_ = {}; }

 private:
  void publish(const View& view) { callbacks_.publish(as_seen_by(self_, view)); }

  const std::shared_ptr<SimViews> views_;
  Member self_{};
  Callbacks callbacks_{};
  std::uint64_t ticks_ = 0;
};

SimViews::SimViews(std::shared_ptr<SimWires> wires, std::vector<Member> members, int partitions,
                   std::uint64_t seed)
    : wires_(std::move(wires)), partitions_(partitions), seed_(seed) {
  std::ranges::sort(members, {}, &Member::name);
  View first{.number = 1, .cluster = identity_of_cluster(members)};
  for (const Member& member : members) knows_[member.name] = 0;
  first.members = std::move(members);
  views_.push_back(std::move(first));
}

std::unique_ptr<Membership> SimViews::membership(std::shared_ptr<SimViews> views) {
  return std::make_unique<Handle>(std::move(views));
}

bool SimViews::connected(const std::string& a, const std::string& b) const {
  return a == b || (wires_->reaches(a, b) && wires_->reaches(b, a));
}

bool SimViews::reaches_majority(const std::string& asker) const {
  std::size_t present = 0;
  std::size_t reached = 0;
  for (const Member& member : latest().members) {
    if (!core::is_present(member)) continue;
    ++present;
    reached += connected(asker, member.name) ? 1U : 0U;
  }
  return reached > present / 2;
}

absl::Status SimViews::change(const std::string& asker, const Change& change) {
  if (!reaches_majority(asker)) {
    return absl::UnavailableError(
        fmt::format("{} does not reach a majority of the members", asker));
  }
  if (change.kind == Change::Kind::finish_move) {
    finished_.push_back(change);
    return absl::OkStatus();
  }
  if (change.kind == Change::Kind::replace) {
    return absl::FailedPreconditionError("a simulated node is replaced by starting it anew");
  }
  const std::string& name = change.member.name;
  if (change.kind == Change::Kind::remove && !change.force && wires_->listens(name) &&
      connected(asker, name)) {
    return absl::FailedPreconditionError(
        fmt::format("remove: \"{}\" can be reached; let it leave", name));
  }
  return decide({&change, 1});
}

absl::Status SimViews::decide(std::span<const Change> changes) {
  core::NextView next(latest(), partitions_);
  for (const Change& change : changes) {
    if (absl::Status status = next.apply(change); !status.ok()) return status;
  }
  if (next.changed()) views_.push_back(std::move(next).finish());
  return absl::OkStatus();
}

// Those that still stand as they did when this was asked for.
void SimViews::finish_moves() {
  if (!finished_.empty()) decide(std::exchange(finished_, {})).IgnoreError();
}

const View* SimViews::hear(const std::string& node, std::uint64_t ticks) {
  const auto known = knows_.find(node);
  const std::size_t last = views_.size() - 1;
  if (known != knows_.end() && known->second == last) return nullptr;
  // One that hears nothing this time.
  if (core::hash64(fmt::format("{} {}", node, ticks), seed_) % 4 != 0) return nullptr;
  const View& view = views_[last];
  const bool is_member =
      std::ranges::any_of(view.members, [&](const Member& member) { return member.name == node; });
  if (!is_member || !reaches_majority(node)) return nullptr;
  knows_[node] = last;
  return &view;
}

}  // namespace dynamo::testing
