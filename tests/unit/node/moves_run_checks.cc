#include <array>
#include <bit>

#include <fmt/format.h>

#include "unit/node/moves_run.h"

// What must hold after every step, and at the end.
namespace test {

MovesRun::Mask MovesRun::holders(std::uint8_t write) const {
  Mask holders = 0;
  for (std::uint8_t node = 0; node < nodes; ++node) {
    if (has(state_.node[node].disk | state_.node[node].hint, write)) holders |= bit(node);
  }
  return holders;
}

void MovesRun::check() {
  for (std::uint8_t number = 0; number < state_.writes; ++number) {
    Write& write = state_.write[number];
    const Mask holders = this->holders(number);
    const View& view = latest();
    if (view.to == 0 && (view.from & static_cast<Mask>(~holders)) == 0) write.lost = 0;
    if (write.acknowledged == 0) continue;
    if (holders == 0) {
      failure_ = "an acknowledged write is lost";
    } else if (std::popcount(holders) + write.lost < setting_.w) {
      failure_ = "the loss of w - 1 disks would lose an acknowledged write";
    }
    if (write.strict != 0) check_read(number);
  }
}

// In any view, by somebody who asks now: do those who would answer without the write suffice?
void MovesRun::check_read(std::uint8_t write) {
  for (std::uint8_t at = 1; at <= state_.views; ++at) {
    const View& view = state_.view[at];
    Mask without = 0;
    for (std::uint8_t node = 0; node < nodes; ++node) {
      const Node& self = state_.node[node];
      if (!alive(node) || !has(owners(view), node) || self.view > at) continue;
      if (!has(self.memory, write)) without |= bit(node);
    }
    const auto enough = [&](Mask side) {
      return std::popcount(static_cast<Mask>(without & side)) >= needed(setting_.r, side);
    };
    const bool old_side = enough(view.from) || (view.to != 0 && is(MovesMutant::r_of_the_new_side));
    const bool new_side = view.to == 0 || enough(view.to) || is(MovesMutant::r_of_the_old_side);
    if (old_side && new_side) failure_ = "a read could miss what has been acknowledged";
  }
}

bool MovesRun::everybody_knows() {
  bool any = false;
  for (std::uint8_t node = 0; node < nodes; ++node) {
    if (has(latest().members, node) && !alive(node)) any |= apply({.op = Op::remove, .a = node});
  }
  for (std::uint8_t node = 0; node < nodes; ++node) {
    any |= apply({.op = Op::adopt, .a = node, .b = state_.views});
    any |= apply({.op = Op::store, .a = node});
    any |= apply({.op = Op::sync, .a = node});
  }
  return any;
}

bool MovesRun::everybody_meets() {
  bool any = false;
  for (std::uint8_t node = 0; node < nodes; ++node) {
    for (std::uint8_t other = 0; other < nodes; ++other) {
      apply({.op = Op::compare, .a = node, .b = other});
      any |= apply({.op = Op::hand_off, .a = node, .b = other});
      apply({.op = Op::offer, .a = node, .b = other});
    }
    any |= apply({.op = Op::drop, .a = node});
    any |= apply({.op = Op::sync, .a = node});
  }
  return any;
}

void MovesRun::come_to_rest() {
  bool any = true;
  for (int round = 0; any && !failed() && round < 40; ++round) {
    any = everybody_knows();
    any |= everybody_meets();
    any |= apply({.op = Op::finish});
  }
  if (failed() || state_.views == views_max) return;  // it could not go on
  if (any || moving()) failure_ = "the move does not end";
  for (std::uint8_t node = 0; node < nodes; ++node) {
    const Node& self = state_.node[node];
    if (self.hint != 0) failure_ = "a hint is never delivered";
    const bool owner = has(latest().from, node);
    if (!owner && (self.memory | self.disk) != 0) failure_ = "a copy is left at no owner";
    for (std::uint8_t number = 0; owner && number < state_.writes; ++number) {
      const bool lacks = acknowledged(number) && !has(self.disk, number);
      if (lacks) failure_ = "an owner lacks an acknowledged write in the end";
    }
  }
}

std::string_view MovesRun::fingerprint() const {
  return {reinterpret_cast<const char*>(&state_), sizeof(state_)};
}

std::string MovesRun::describe() const {
  const auto letters = [](Mask mask) {
    std::string text;
    for (std::uint8_t node = 0; node < nodes; ++node) {
      if (has(mask, node)) text += static_cast<char>('a' + node);
    }
    return text.empty() ? std::string("-") : text;
  };
  const auto numbers = [](Mask mask) {
    std::string text;
    for (std::uint8_t write = 0; write < writes_max; ++write) {
      if (has(mask, write)) text += fmt::format("w{}", write);
    }
    return text.empty() ? std::string("-") : text;
  };
  std::string text;
  for (std::uint8_t at = 1; at <= state_.views; ++at) {
    const View& view = state_.view[at];
    text += fmt::format("view {}: {} leaving {}: {} -> {}, since {}\n", at, letters(view.members),
                        letters(view.leaving), letters(view.from), letters(view.to), view.since);
  }
  for (std::uint8_t at = 0; at < nodes; ++at) {
    const Node& node = state_.node[at];
    text += fmt::format("{}: view {} stored {} memory {} disk {} hint {} owed {} compared {}\n",
                        letters(bit(at)), node.view, node.stored, numbers(node.memory),
                        numbers(node.disk), numbers(node.hint), letters(node.owed),
                        letters(node.compared));
  }
  for (std::uint8_t at = 0; at < state_.writes; ++at) {
    const Write& write = state_.write[at];
    text += fmt::format("w{}: view {} answered {} {} lost {}\n", at, write.view,
                        letters(write.answered),
                        write.acknowledged != 0 ? "acknowledged" : "under way", write.lost);
  }
  return text;
}

std::string MovesRun::text(const Step& step) {
  const char a = static_cast<char>('a' + step.a);
  const char b = static_cast<char>('a' + step.b);
  const char c = static_cast<char>('a' + step.c);
  switch (step.op) {
    case Op::put:
      return fmt::format("a put begins in view {}", step.a);
    case Op::deliver:
      return fmt::format("w{} comes to {}", step.a, b);
    case Op::sync:
      return fmt::format("{} syncs", a);
    case Op::answer:
      return fmt::format("{} answers w{}", b, step.a);
    case Op::renew:
      return fmt::format("w{} starts over in view {}", step.a, step.b);
    case Op::adopt:
      return fmt::format("{} hears of view {}", a, step.b);
    case Op::store:
      return fmt::format("{} stores its view", a);
    case Op::crash:
      return fmt::format("{} crashes", a);
    case Op::die:
      return fmt::format("{} loses its disk for good", a);
    case Op::compare:
      return fmt::format("{} compares with {}", a, b);
    case Op::finish:
      return "the move ends";
    case Op::join:
      if (step.b == 0) return fmt::format("{} joins", a);
      return fmt::format("{} and {} join", a, static_cast<char>(b - 1));
    case Op::leave:
      return fmt::format("{} leaves", a);
    case Op::remove:
      return fmt::format("{} is removed", a);
    case Op::stand_in:
      return fmt::format("{} keeps w{} for {}", b, step.a, c);
    case Op::hand_off:
      return fmt::format("{} hands off to {}", a, b);
    case Op::offer:
      return fmt::format("{} offers to {}", a, b);
    case Op::drop:
      return fmt::format("{} drops its copy", a);
    case Op::read:
      return fmt::format("a read begins in view {}", step.a);
    case Op::answer_read:
      return fmt::format("{} answers the read", a);
    case Op::count:
      break;
  }
  return {};
}

}  // namespace test
