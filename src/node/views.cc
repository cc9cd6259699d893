#include "node/views.h"

#include <utility>

#include "node/engine_keys.h"
#include "node/record.h"
#include "wire/view_codec.h"

namespace dynamo::core {
namespace {

// Every membership brings the first view by itself, and nobody can be behind it.
constexpr std::uint64_t first_view = 1;

}  // namespace

absl::Status Views::restore(std::string_view record) {
  const absl::StatusOr<std::string_view> content = open_record(record);
  if (!content.ok()) return content.status();
  Decoder in(*content);
  View view = decode_view(in);
  if (!in.done()) return absl::DataLossError("the record of this node's view is malformed");
  state_.stored_view = view.number;
  restored_ = std::move(view);
  return absl::OkStatus();
}

View Views::first(const View& published) {
  const std::optional<View> restored = std::exchange(restored_, std::nullopt);
  const bool later =
      restored && restored->cluster == published.cluster && restored->number > published.number;
  return later ? *restored : published;
}

bool Views::is_news(const View& view) const {
  return state_.ring != nullptr && view.number > state_.ring->view_number() &&
         view.cluster == state_.view.cluster;
}

void Views::changed(const Turn& turn) {
  const std::uint64_t number = state_.view.number;
  store_at_ = TimePoint::max();
  if (number <= first_view || number <= state_.stored_view) {
    state_.stored_view = number;
    return;
  }
  std::string content;
  Encoder out(content);
  encode_view(state_.view, out);
  write_ = Write{state_.next_number(), number};
  turn.write({.write = write_->number, .key = view_key(), .record = seal_record(content)});
}

void Views::synced(std::uint64_t write) {
  if (!write_ || write_->number != write) return;
  state_.stored_view = write_->view;
  write_.reset();
}

// A disk is full for a while, and moves wait for this node.
void Views::failed(std::uint64_t write, TimePoint now) {
  if (!write_ || write_->number != write) return;
  write_.reset();
  store_at_ = now + store_again;
}

void Views::tick(const Turn& turn) {
  if (next_tick() <= turn.now.steady) changed(turn);
}

TimePoint Views::next_tick() const {
  return state_.takes_writes().ok() ? store_at_ : TimePoint::max();
}

void Views::heard(const std::string& peer, std::uint64_t view) {
  peers_.try_emplace(peer).first.second = {.view = view};
}

bool Views::has_heard(const std::string& peer, std::uint64_t view) const {
  const auto lock = mutex_.lock();
  const Peer* known = peers_.find(peer);
  return known != nullptr && known->view == view;
}

const View* Views::news_for(const std::string& peer, TimePoint now) {
  if (state_.ring == nullptr || state_.view.number <= first_view) return nullptr;
  const auto lock = mutex_.lock();
  Peer& known = peers_.try_emplace(peer).first.second;
  if (known.view >= state_.view.number) return nullptr;
  if (known.told_at != TimePoint{} && now - known.told_at < again) return nullptr;
  known.told_at = now;
  return &state_.view;
}

}  // namespace dynamo::core
