#include "node/local_view.h"

#include <algorithm>
#include <array>
#include <utility>

#include "node/engine_keys.h"
#include "node/get_answer.h"
#include "node/record.h"

namespace dynamo::core {

namespace {

bool may_answer(const NodeState& state) {
  return state.ring != nullptr && state.out_of_service.ok() && !state.draining;
}

}  // namespace

LocalView::LocalView(const NodeState& state)
    : ring_(state.ring),
      secrets_(state.settings.context_secrets),
      name_(state.self.name),
      cluster_(state.cluster),
      store_changes_(state.stores.changes()),
      self_(state.ring->find(state.self.name)),
      rebuilding_(state.rebuilding) {
  for (const auto& [name, entry] : state.stores.entries()) {
    stores_.push_back({entry.facts, store_place(name), bind_store(cluster_, name)});
  }
}

std::shared_ptr<const LocalView> LocalView::of(const NodeState& state) {
  if (!may_answer(state)) return nullptr;
  return std::shared_ptr<const LocalView>(new LocalView(state));
}

bool LocalView::is_current(const LocalView* view, const NodeState& state) {
  if (view == nullptr) return !may_answer(state);
  return may_answer(state) && view->ring_ == state.ring && view->cluster_ == state.cluster &&
         view->store_changes_ == state.stores.changes() && view->rebuilding_ == state.rebuilding;
}

bool LocalView::answers_for(const StoreFacts& store, const KeyHash& hash) const {
  if (!self_ || store.n > ring_->depth()) return false;
  const int partition = ring_->partition_of(hash);
  if (ring_->is_moving(partition)) return false;  // both of its sides have to be asked
  const auto owners = ring_->preference_list(partition, store.n);
  return std::ranges::find(owners, *self_) != owners.end() && !rebuilding_.contains(partition);
}

std::optional<GetAnswer> LocalView::get(const RecordReader& own, const StoreFacts& store,
                                        std::string_view key, std::int64_t wall_us) const {
  const auto known = std::ranges::find(stores_, store, &Known::facts);
  const KeyHash hash = key_hash(key, cluster_seed(cluster_));
  if (known == stores_.end() || !answers_for(store, hash)) return std::nullopt;
  absl::StatusOr<VersionSet> set = VersionSet{};
  const ObjectKeyBytes at = object_key_in_place({known->place, hash});
  const absl::StatusOr<bool> found = own.read({at.data(), at.size()}, [&](std::string_view record) {
    set = decode_versions(record, store.name, key);
  });
  if (!found.ok() || !set.ok()) return std::nullopt;
  Outcome outcome{.verdict = Outcome::Verdict::applied};
  outcome.replicas.push_back({.node = name_,
                              .answer = set->versions().empty() ? ReplicaReport::Answer::not_found
                                                                : ReplicaReport::Answer::found});
  return make_answer(*std::move(set),
                     make_context_body(cluster_, secrets_, store.name, known->binding, key),
                     std::move(outcome), wall_us);
}

}  // namespace dynamo::core
