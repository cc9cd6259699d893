#include "host/local_reads.h"

#include "base/thread_number.h"

namespace dynamo::host {

void LocalReads::publish(const std::shared_ptr<const core::LocalView>& view) {
  for (std::size_t i = 0; i < places; ++i) {
    const ReadSections::Hold hold = sections_.enter(i);
    places_[i].view = view;
  }
}

std::optional<core::GetAnswer> LocalReads::get(const core::StoreFacts& store,
                                               std::string_view key) {
  const std::size_t index = core::thread_number() % places;
  // For the whole read: whoever publishes another view, or takes the engine away, waits for it.
  const ReadSections::Hold hold = sections_.enter(index);
  Place& place = places_[index];
  if (place.view == nullptr) return std::nullopt;
  const core::Now began = environment_.now();
  std::optional<core::GetAnswer> answer = place.view->get(own_, store, key, began.wall_us);
  if (!answer) return answer;
  if (place.counts == nullptr) place.counts = std::make_unique<Counts>();
  place.counts->get_finished(environment_.steady_now() - began.steady,
                             {.ok = true, .versions = answer->versions.size()});
  return answer;
}

void LocalReads::add_to(Counts& counts) const {
  for (std::size_t i = 0; i < places; ++i) {
    const ReadSections::Hold hold = sections_.enter(i);
    if (places_[i].counts != nullptr) counts.add(*places_[i].counts);
  }
}

}  // namespace dynamo::host
