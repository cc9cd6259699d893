#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <dynamo/membership.h>

namespace dynamo::core {

// The view that follows another one: what changes do to members and moves. Whoever decides views
// decides among these, so that a view always holds the moves of whatever it changes.
//
// Identities of zero are not known yet, as with memberships that learn them; they match any.
//
// Thread safety: one thread at a time.
class NextView {
 public:
  // REQUIRES: `partitions` as of all views of this cluster. `before` outlives this.
  NextView(const View& before, int partitions);

  // Adds a change. OK also if it has happened already. FAILED_PRECONDITION: it will not, as things
  // are, and why not; UNAVAILABLE: not yet.
  absl::Status apply(const Change& change);

  bool changed() const { return members_changed_ || moves_changed_; }
  View finish() &&;

 private:
  Member* find(std::string_view name);
  absl::Status check_not_gone(const Member& member) const;
  absl::Status join(const Member& member);
  absl::Status replace(const Member& member);
  absl::Status leave(const Member& member);
  absl::Status remove(const Member& member);
  absl::Status finish_move(const Move& move);
  bool others_own(std::string_view name) const;
  bool serves(std::string_view name) const;
  void settle_newcomers(View& view) const;

  const View& before_;
  const int partitions_;
  std::vector<Member> members_;
  std::vector<Move> moves_;            // those of `before` that go on
  std::vector<std::string> replaced_;  // whose data directory is another one
  bool members_changed_ = false;
  bool moves_changed_ = false;
};

// Null if no present member has that name.
const Member* present_member(const View& view, std::string_view name);

// Whether the view shows that the change has happened, or that there is nothing left to do.
bool is_done(const View& view, const Change& change);

bool same_move(const Move& a, const Move& b);

// Quick, as there may be one of each partition: views have their moves sorted by partition, and
// what is out of order is not found.
bool has_move(const View& view, const Move& move);

}  // namespace dynamo::core
