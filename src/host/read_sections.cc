#include "host/read_sections.h"

namespace dynamo::host {

ReadSections::Left ReadSections::still_held(Left left) {
  for (std::size_t i = 0; i < places; ++i) {
    const Left bit = Left{1} << i;
    if ((left & bit) == 0) continue;
    // Whoever held it before has left when this succeeds, and whoever holds it next sees all that
    // was done before: the lock itself says so.
    if (const Hold seen(places_[i].mutex, std::try_to_lock); seen) left &= ~bit;
  }
  return left;
}

}  // namespace dynamo::host
