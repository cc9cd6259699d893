#include "causality/usual_set.h"

#include <algorithm>
#include <span>

#include "causality/encoded_version.h"

namespace dynamo::core {

bool UsualSet::read(Decoder& in) {
  const std::string_view bytes = in.unread();
  actors_ = in.varint();
  if (actors_ > actors_max) return false;
  for (std::size_t i = 0; i < actors_; ++i) {
    VectorClock::Entry& entry = clock_[i];
    entry.actor.boot = in.fixed64();
    entry.actor.sequence = in.varint();
    entry.counter = in.varint();
    if (entry.counter == 0 || (i > 0 && entry.actor <= clock_[i - 1].actor)) return false;
  }
  const bool gaps = in.varint() > 0;
  history_ = bytes.substr(0, bytes.size() - in.remaining());
  const std::uint64_t versions = in.varint();
  if (!in.ok() || gaps || versions > 1) return false;
  return versions == 0 || read_version(in);
}

bool UsualSet::read(std::string_view bytes) {
  Decoder in(bytes);
  return read(in) && in.at_end();
}

bool UsualSet::read_version(Decoder& in) {
  const std::string_view bytes = in.unread();
  dot_ = decode_dot(in);
  dot_bytes_ = bytes.substr(0, bytes.size() - in.remaining());
  StoredVersion rest;
  has_object_ = decode_behind_dot(in, rest).has_value();
  expires_at_us_ = rest.expires_at_us;
  return in.ok() && dot_.counter > 0 && contains(dot_);
}

std::uint64_t UsualSet::highest(const ActorId& actor) const {
  for (const VectorClock::Entry& entry : std::span(clock_).first(actors_)) {
    if (entry.actor == actor) return entry.counter;
  }
  return 0;
}

bool UsualSet::replaces(const UsualSet& other) const {
  const auto theirs = std::span(other.clock_).first(other.actors_);
  const bool covers = std::ranges::all_of(theirs, [this](const VectorClock::Entry& entry) {
    return highest(entry.actor) >= entry.counter;
  });
  return covers && (dot_bytes_.empty() || !other.contains(dot_) || other.dot_ == dot_);
}

bool UsualSet::only_deletes_at(std::int64_t wall_us) const {
  const bool visible = has_object_ && (expires_at_us_ == 0 || wall_us < expires_at_us_);
  return !empty() && !visible;
}

}  // namespace dynamo::core
