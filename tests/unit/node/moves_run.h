#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

// One partition with one key, three replicas and up to five members, through joins, leaves,
// removals of members whose disks are lost, and the moves that follow from them (node/moves.h,
// node/former_copies.h), with hints that are owed to owners who change. Nothing here is the real
// code: it is the protocol alone, small enough to be searched. Whatever is sent may arrive at any
// later time or never, everything that is in memory may be lost, and nobody need hear of a view.
// After each step, it is judged whether an acknowledged write is lost, or a read could miss it.
namespace test {

// A rule of the protocol that is left out.
enum class MovesMutant : std::uint8_t {
  none,
  answers_unsynced,   // a replica answers before what it has taken is on its disk
  w_of_the_old_side,  // writes are counted on one side only
  w_of_the_new_side,
  r_of_the_old_side,  // and so are reads
  r_of_the_new_side,
  answers_of_any_view,       // are counted
  compared_unstored,         // an owner answers comparisons before it has stored the view
  compares_any_owners,       // though the two know different owners
  ready_after_one,           // old owner was compared with
  ready_unsynced,            // before what it got is on its disk
  ends_without_one,          // the move ends before the last new owner is ready
  compares_same_names,       // and a peer may still be in an earlier move of the same owners
  same_names_same_move,      // who was ready for a move is ready for a later one of the same names
  stand_in_for_the_removed,  // the next one in line counts as an old owner in the place of a
                             // removed one
  drops_unoffered,           // a former owner drops its copy at once
  drops_after_one,           // when one owner has it
  hint_dies_with_its_owner,  // a hint is given up when its owner owns the key no more
  hint_for_old_owner_only,   // or is kept for the old owner for ever
  hint_for_some_owner,       // or has been delivered when one of the new owners has it
  counts_both_for_one,       // an owner and who stands in for it are two answers
  count
};

class MovesRun {
 public:
  static constexpr std::uint8_t nodes = 5;
  static constexpr std::uint8_t replicas = 3;
  static constexpr std::uint8_t writes_max = 6;
  static constexpr std::uint8_t views_max = 12;

  struct Setting {
    std::uint8_t w = 2, r = 2;
    std::uint8_t members = 3;  // of the first view: the first ones
    // Who comes first on the preference list, if it is a member.
    std::array<std::uint8_t, nodes> order = {3, 4, 0, 1, 2};
  };
  enum class Op : std::uint8_t {
    put,          // write in view a
    deliver,      // write a to node b
    sync,         // node a
    answer,       // to write a by node b
    renew,        // write a in view b
    adopt,        // by node a of view b
    store,        // the view, by node a
    crash,        // node a
    die,          // node a, with its disk
    compare,      // by node a with node b
    finish,       // the move
    join,         // member a, and b - 1
    leave,        // member a
    remove,       // member a
    stand_in,     // for write a: node b in the place of c
    hand_off,     // the hint of node a to node b
    offer,        // what node a holds and owns no more to node b
    drop,         // by node a
    read,         // in view a
    answer_read,  // by node a
    count
  };
  struct Step {
    Op op = Op::put;
    std::uint8_t a = 0, b = 0, c = 0;
  };

  explicit MovesRun(const Setting& setting, MovesMutant mutant = MovesMutant::none);

  // Whether the step could be taken.
  bool apply(const Step& step);
  // Everybody hears of everything and does what is left to do. Failure: it does not come to rest,
  // or not with all writes on all owners and nowhere else.
  void come_to_rest();
  bool failed() const { return failure_ != nullptr; }
  std::string failure() const { return failure_ == nullptr ? "" : failure_; }
  // Equal states have equal futures. Valid as long as the run does not change.
  std::string_view fingerprint() const;

  std::uint8_t views() const { return state_.views; }
  std::uint8_t writes() const { return state_.writes; }
  bool moving() const { return latest().to != 0; }
  bool acknowledged(std::uint8_t write) const { return state_.write[write].acknowledged != 0; }
  std::string describe() const;

  static std::string text(const Step& step);

 private:
  using Mask = std::uint8_t;  // of nodes, or of writes
  static constexpr std::uint8_t nobody = 255;

  // All of these are bytes, so that a state is its own fingerprint.
  struct View {
    Mask members = 0;
    Mask leaving = 0;
    Mask from = 0;  // or who owns it, if it does not move
    Mask to = 0;    // 0: it does not move
    std::uint8_t since = 0;
    std::array<std::uint8_t, nodes> line{};  // of the old side; `nobody`: who was there is gone
  };
  struct Node {
    std::uint8_t view = 0;  // 0: none yet
    std::uint8_t stored = 0;
    Mask memory = 0;
    Mask disk = 0;
    Mask hint = 0;
    Mask owed = 0;
    Mask handed = 0;
    Mask compared = 0;
    Mask offered = 0;
  };
  struct Write {
    std::uint8_t first_view = 0;
    std::uint8_t view = 0;
    Mask answered = 0;
    std::array<std::uint8_t, nodes> for_whom{};  // who stands in for which owner; `nobody`
    std::uint8_t acknowledged = 0;
    std::uint8_t strict = 1;
    std::uint8_t lost = 0;  // disks that held it, since it was on those of all owners
  };
  struct Read {
    std::uint8_t view = 0;  // 0: there is none
    Mask answered = 0;
    Mask must = 0;
    Mask got = 0;
  };
  struct State {
    std::uint8_t views = 0;
    std::array<View, views_max + 1> view{};  // from 1
    std::array<Node, nodes> node{};
    std::uint8_t writes = 0;
    std::array<Write, writes_max> write{};
    Read read{};
    Mask dead = 0;
    std::array<Mask, views_max + 1> ready{};  // of the move that began in that view
  };

  static constexpr Mask bit(std::uint8_t at) { return static_cast<Mask>(1U << at); }
  static bool has(Mask mask, std::uint8_t at) { return (mask >> at & 1) != 0; }
  bool is(MovesMutant mutant) const { return mutant_ == mutant; }
  const View& latest() const { return state_.view[state_.views]; }
  const View& view_of(std::uint8_t node) const { return state_.view[state_.node[node].view]; }
  static Mask owners(const View& view) { return view.from | view.to; }
  static Mask placed(const View& view) { return view.members & static_cast<Mask>(~view.leaving); }
  bool alive(std::uint8_t node) const { return !has(state_.dead, node); }
  bool in_cluster(std::uint8_t node) const { return alive(node) && state_.node[node].view != 0; }
  bool owns(std::uint8_t node) const {
    return in_cluster(node) && has(owners(view_of(node)), node);
  }
  bool same_move(const View& a, const View& b) const;
  bool may_be_asked(std::uint8_t node, const View& by) const;

  bool take(const Step& step);
  bool take_change(const Step& step);
  bool put(std::uint8_t view);
  bool deliver(std::uint8_t write, std::uint8_t to);
  bool answer(std::uint8_t write, std::uint8_t by);
  bool renew(std::uint8_t write, std::uint8_t view);
  bool adopt(std::uint8_t node, std::uint8_t view);
  bool crash(std::uint8_t node);
  bool die(std::uint8_t node);
  bool compare(std::uint8_t node, std::uint8_t with);
  void note_ready(std::uint8_t node, std::uint8_t with);
  bool finish();
  bool stand_in(std::uint8_t write, std::uint8_t node, std::uint8_t owner);
  bool hand_off(std::uint8_t from, std::uint8_t to);
  void strike(std::uint8_t node);
  bool offer(std::uint8_t from, std::uint8_t to);
  bool drop(std::uint8_t node);
  bool begin_read(std::uint8_t view);
  bool answer_read(std::uint8_t by);

  bool change(Mask joins, Mask leaves, Mask gone);
  void place(View& view) const;
  Mask side(const View& view) const;
  int counted(const Write& write, Mask side) const;
  static int needed(std::uint8_t quorum, Mask side);
  void acknowledge(std::uint8_t write);
  void tidy_up();

  void check();
  void check_read(std::uint8_t write);
  Mask holders(std::uint8_t write) const;
  bool rest_once();
  bool everybody_knows();
  bool everybody_meets();

  Setting setting_;
  MovesMutant mutant_;
  State state_{};
  const char* failure_ = nullptr;
};

}  // namespace test
