#include <dynamo/membership/fixed.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/coding.h"
#include "base/hash.h"

namespace dynamo {
namespace {

constexpr std::size_t name_bytes_max = 255;

// Names are quoted in errors; whatever bytes they hold, the sentence stays readable.
std::string printable(std::string_view name) {
  std::string result(name.substr(0, name_bytes_max));
  for (char& c : result) {
    if (c < ' ' || c > '~') c = '?';
  }
  return result;
}

absl::Status refuse(std::string message) {
  return absl::InvalidArgumentError("fixed membership: " + std::move(message));
}

absl::Status check_member(const Member& member) {
  if (member.name.empty()) return refuse("a member has an empty name");
  const std::string name = printable(member.name);
  if (member.name.size() > name_bytes_max) {
    return refuse(fmt::format("the name \"{}...\" is longer than 255 bytes", name));
  }
  if (member.address.empty()) return refuse(fmt::format("member \"{}\" has no address", name));
  if (!std::isfinite(member.weight) || member.weight < 0) {
    return refuse(fmt::format("member \"{}\" has weight {}; a weight is 0 or a positive number",
                              name, member.weight));
  }
  return absl::OkStatus();
}

// REQUIRES: sorted by name.
absl::Status check_members(const std::vector<Member>& members, std::string_view self) {
  if (members.empty()) return refuse("the list of members is empty");
  bool has_self = false;
  bool has_weight = false;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (auto status = check_member(members[i]); !status.ok()) return status;
    if (i > 0 && members[i].name == members[i - 1].name) {
      return refuse(fmt::format("the name \"{}\" is repeated", printable(members[i].name)));
    }
    has_self |= members[i].name == self;
    has_weight |= members[i].weight > 0;
  }
  if (!has_self) return refuse(fmt::format("the list lacks this node, \"{}\"", printable(self)));
  if (!has_weight) return refuse("the weights are all zero, so that nobody would own anything");
  return absl::OkStatus();
}

// REQUIRES: sorted by name. The node mixes its cluster's label in.
Identity identity_of_cluster(const std::vector<Member>& members) {
  std::string names;
  core::Encoder encoder(names);
  for (const Member& member : members) encoder.bytes(member.name);
  constexpr std::uint64_t seed = 0;
  const core::Hash128 hash = core::hash128(names, seed);
  return {.high = hash.high, .low = hash.low};
}

class FixedMembership final : public Membership {
 public:
  explicit FixedMembership(std::vector<Member> members) : members_(std::move(members)) {
    std::ranges::sort(members_, {}, &Member::name);
  }

  // The list is all there is: no state, no chance.
  absl::Status start(Member self, std::string, std::uint64_t, Callbacks callbacks) override {
    if (auto status = check_members(members_, self.name); !status.ok()) return status;
    View view{.number = 1, .cluster = identity_of_cluster(members_), .members = members_};
    for (Member& member : view.members) {
      member.identity = member.name == self.name ? self.identity : Identity{};
      member.state = MemberState::up;
    }
    callbacks.publish(std::move(view));
    return absl::OkStatus();
  }

  absl::Status change(const Change&) override {
    return absl::FailedPreconditionError(
        "fixed membership: members are given at the start and never change");
  }

  // It says nothing to its like on other nodes, so there is nothing to hear, to time or to end.
  void receive(std::string) override {}
  void tick(std::chrono::steady_clock::time_point) override {}
  void stop() override {}

 private:
  std::vector<Member> members_;  // sorted by name; constant after construction
};

}  // namespace

std::unique_ptr<Membership> fixed_membership(std::vector<Member> members) {
  return std::make_unique<FixedMembership>(std::move(members));
}

}  // namespace dynamo
