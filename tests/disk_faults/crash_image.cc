#include "crash_image.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>

namespace test {
namespace {

constexpr std::uint64_t sector_bytes = 512;

using Kind = FileEvent::Kind;

bool changes(const FileEvent& event) {
  return event.kind == Kind::write || event.kind == Kind::resize;
}

void apply(const FileEvent& event, std::string& image) {
  if (event.kind == Kind::resize) image.resize(event.offset);
  if (event.kind == Kind::rename) image = event.bytes;
  if (event.kind != Kind::write) return;
  image.resize(std::max<std::size_t>(image.size(), event.offset + event.bytes.size()));
  std::copy(event.bytes.begin(), event.bytes.end(),
            image.begin() + static_cast<std::ptrdiff_t>(event.offset));
}

// The sectors that durable writes have covered, and by which event.
using Floor = std::map<std::uint64_t, std::size_t>;

void raise(Floor& floor, const FileEvent& event, std::size_t number) {
  for (std::uint64_t at = event.offset / sector_bytes;
       at * sector_bytes < event.offset + event.bytes.size(); ++at) {
    floor[at] = number;
  }
}

class Chance {
 public:
  explicit Chance(std::mt19937_64& random) : random_(random) {}
  bool one_in(std::uint64_t n) { return random_() % n == 0; }
  bool of(unsigned percent) { return random_() % 100 < percent; }

 private:
  std::mt19937_64& random_;
};

bool syncs_directory(const std::vector<FileEvent>& events, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i) {
    if (events[i].kind == Kind::sync_directory) return true;
  }
  return false;
}

// The write, or when it is torn only some of its sectors.
void apply_some(const FileEvent& event, std::size_t number, const Floor& floor, bool torn,
                Chance& chance, std::string& image) {
  if (event.kind == Kind::resize) {
    // Growing is all that the engine does.
    image.resize(std::max<std::size_t>(image.size(), event.offset));
    return;
  }
  const std::uint64_t end = event.offset + event.bytes.size();
  for (std::uint64_t at = event.offset; at < end;) {
    const std::uint64_t sector = at / sector_bytes;
    const std::uint64_t next = std::min(end, (sector + 1) * sector_bytes);
    const auto durable = floor.find(sector);
    const bool overwritten = durable != floor.end() && durable->second > number;
    if (!overwritten && !(torn && chance.of(50))) {
      apply({.offset = at, .bytes = event.bytes.substr(at - event.offset, next - at)}, image);
    }
    at = next;
  }
}

// Of one file, when the first `cut` events have returned and the next, if there is one, is in
// flight.
FileImage crash_image(const FileImage& base, const std::vector<FileEvent>& events, std::size_t cut,
                      std::mt19937_64& random) {
  Chance chance(random);
  const std::size_t asked = std::min(cut + 1, events.size());
  // A name that is not on the disk yet is the new file's or still the old one's, whatever was
  // synced in the new one.
  std::size_t first = 0;
  FileImage before = base;
  bool made = base.has_value();
  bool named = made;
  for (std::size_t i = 0; i < asked; ++i) {
    if (events[i].kind == Kind::sync_directory && i < cut) named = made;
    if (events[i].kind != Kind::sync_directory) made = true;
    if (events[i].kind != Kind::rename) continue;
    const bool renamed = syncs_directory(events, i, cut) || chance.one_in(2);
    if (!renamed) return before;
    before = events[i].bytes;
    first = i + 1;
    named = true;
  }
  if (!made || (!named && chance.one_in(4))) return std::nullopt;

  std::size_t synced = 0;  // all before it is there
  for (std::size_t i = 0; i < cut; ++i) {
    if (events[i].kind == Kind::sync) synced = i;
  }
  std::string image = before.value_or("");
  std::vector<std::size_t> unsure;
  Floor floor;
  for (std::size_t i = first; i < asked; ++i) {
    if (!changes(events[i])) continue;
    if (i < synced) {
      apply(events[i], image);
    } else if (events[i].durable && i < cut) {
      apply(events[i], image);
      raise(floor, events[i], i);
    } else {
      unsure.push_back(i);
    }
  }
  // Some disks lose nearly all of it and some nearly nothing; one that loses half each time would
  // rarely show a batch that is there but for one page.
  constexpr std::array<unsigned, 6> kept_percent{0, 10, 50, 90, 97, 100};
  const unsigned kept = kept_percent[random() % kept_percent.size()];
  const unsigned torn = chance.one_in(2) ? 0 : 40;
  std::shuffle(unsure.begin(), unsure.end(), random);
  for (const std::size_t i : unsure) {
    if (chance.of(kept)) apply_some(events[i], i, floor, chance.of(torn), chance, image);
  }
  return image;
}

}  // namespace

std::vector<FileImage> crash_images(const std::vector<FileImage>& base,
                                    const std::vector<FileEvent>& events, std::size_t cut,
                                    std::mt19937_64& random) {
  std::vector<FileImage> images;
  for (std::size_t file = 0; file < base.size(); ++file) {
    std::vector<FileEvent> own;
    std::size_t returned = 0;
    for (std::size_t i = 0; i < std::min(cut + 1, events.size()); ++i) {
      if (events[i].file != file && events[i].kind != Kind::sync_directory) continue;
      own.push_back(events[i]);
      if (i < cut) ++returned;
    }
    images.push_back(crash_image(base[file], own, returned, random));
  }
  return images;
}

}  // namespace test
