#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <dynamo/export.h>
#include <dynamo/status.h>

namespace dynamo {

// 128 random bits, made once: a node's when its data directory is new, a cluster's when it is
// founded. Zero: not known (yet).
struct Identity {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  bool is_zero() const { return high == 0 && low == 0; }
  DYNAMO_EXPORT std::string to_string() const;  // 32 hexadecimal digits
  friend auto operator<=>(const Identity&, const Identity&) = default;
};

// One place in the ring. The name is the slot, the identity is who fills it, the address is where
// it is today.
struct Member {
  Identity identity{};
  std::string name{};     // 1 to 255 bytes, unique
  std::string address{};  // what the transport dials
  std::string zone{};     // replicas spread over zones
  double weight =
      1;  // share of the ring relative to the others; 0 owns nothing and only coordinates
  MemberState state = MemberState::up;
};

// A partition on its way from one set of owners to another; while it stands in a view both sides
// serve. Both are preference lists of names; of a store with n replicas the first n of each count.
// Names of no present member, and empty ones, keep the place of an owner who is gone, so that
// nobody counts in it who never had what it had; a side of which nobody is left ends the move.
//
// `begun` is the number of the view that it came with: the same sides may come again, and what was
// said of the move before does not hold for this one.
struct Move {
  int partition = 0;
  std::uint64_t begun = 0;
  std::vector<std::string> from{};
  std::vector<std::string> to{};
};

// Who belongs to the cluster. Views are numbered; the larger number is the later view. A partition
// without a move is served by those whom placement gives it, a pure function of the members; so a
// view that changes who owns a partition holds a move of it, until finish_move takes that out.
struct View {
  std::uint64_t number = 0;
  Identity cluster{};
  std::vector<Member> members{};
  std::vector<Move> moves{};
};

// What a member or an operator asks of the membership.
//
// leave: `member` hands over what it owns, and is `leaving`; asked again with that as its state,
// once no move names it on its `from` side and it has given away what it held, it is `left`, for
// good. remove: it is gone for good at once, without
// handing over; refused while it can be reached, unless `force`. replace: the name gets another
// identity. finish_move: the new side of `move` has all that the old one had, and serves alone;
// nothing happens if the view holds no such move (any more).
struct Change {
  enum class Kind { join, leave, replace, remove, finish_move } kind = Kind::join;
  Member member{};
  Move move{};
  bool force = false;
};

// Decides who belongs to the cluster; never who is merely slow or down.
//
// Thread safety: the node calls all methods from its loop, one at a time. The membership calls back
// from within these calls only.
class DYNAMO_EXPORT Membership {
 public:
  // What the membership may ask of its node.
  struct Callbacks {
    // A new view, with a larger number than the last.
    absl::AnyInvocable<void(View)> publish{};
    // A message of this membership for the membership of the node at `address`; best effort.
    absl::AnyInvocable<void(std::string_view address, std::string payload)> send{};
    // Stores `state` in the node's engine, synced on return; start() gets it back after a restart.
    absl::AnyInvocable<absl::Status(std::string state)> persist{};
  };

  virtual ~Membership() = default;

  // `self` as the node's options have it; `state` is what persist() was last given, or empty.
  // Publishes the first view once there is one, possibly before it returns. INVALID_ARGUMENT or
  // FAILED_PRECONDITION stops the node.
  virtual absl::Status start(Member self, std::string state, std::uint64_t seed,
                             Callbacks callbacks) = 0;
  // Asks for a change. FAILED_PRECONDITION if this membership does not decide that.
  virtual absl::Status change(const Change& change) = 0;
  // A message that the membership of another node sent; any bytes may come.
  virtual void receive(std::string payload) = 0;
  // Comes often, also without any message; must not block.
  virtual void tick(std::chrono::steady_clock::time_point now) = 0;
  // Sentences for ClusterStatus::notes: what is waited for, what is refused.
  virtual std::vector<std::string> notes() const { return {}; }
  // The end: no callback from here on.
  virtual void stop() = 0;
};

}  // namespace dynamo
