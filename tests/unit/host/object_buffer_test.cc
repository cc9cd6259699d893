#include "host/object_buffer.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/prng.h"
#include "catch.hpp"
#include "node/engine_keys.h"

using dynamo::core::TimePoint;
using dynamo::host::ObjectBuffer;
using dynamo::host::RecordTable;
using std::chrono::milliseconds;
using Numbers = std::vector<std::uint64_t>;

namespace {

constexpr TimePoint interval = milliseconds(1000);

TimePoint at(int ms) { return milliseconds(ms); }

dynamo::core::WriteRecord write(std::uint64_t number, std::string key, std::string record,
                                bool synced = true) {
  return {.write = number, .key = std::move(key), .record = std::move(record), .synced = synced};
}

std::string found(const ObjectBuffer& buffer, const std::string& key) {
  std::string record;
  const auto answer = buffer.read(RecordTable::hash_of(key), key,
                                  [&](std::string_view bytes) { record = std::string(bytes); });
  if (answer.found == RecordTable::Found::nothing) return "nothing";
  return answer.found == RecordTable::Found::erased ? "erased" : record;
}

}  // namespace

TEST_CASE("buffer: a synced write is due at once, a buffered one within the flush interval") {
  ObjectBuffer buffer(interval);
  CHECK(buffer.due() == TimePoint::max());
  buffer.put(write(1, "a", "x", false), at(10));
  CHECK(buffer.due() == at(1010));
  buffer.put(write(2, "b", "x"), at(20));
  CHECK(buffer.due() == at(20));
  const ObjectBuffer::Batch batch = buffer.take(at(20), false);
  REQUIRE(batch.size() == 1);
  CHECK(batch[0].key() == "b");
  CHECK(buffer.written(batch) == Numbers{2});
  CHECK(buffer.due() == at(1010));
  CHECK(buffer.take(at(1009), false).empty());
  CHECK(buffer.take(at(1010), false).size() == 1);
}

TEST_CASE("buffer: what comes in during a commit is the next batch, in key order") {
  ObjectBuffer buffer(interval);
  buffer.put(write(1, "k", "1"), at(0));
  const ObjectBuffer::Batch first = buffer.take(at(0), false);
  buffer.put(write(2, "z", "2"), at(1));
  buffer.put(write(3, "a", "3"), at(2));
  CHECK(buffer.due() == TimePoint::max());  // one batch at a time
  CHECK(buffer.take(at(5), false).empty());
  CHECK(buffer.take(at(5), true).empty());
  CHECK(buffer.written(first) == Numbers{1});
  const ObjectBuffer::Batch second = buffer.take(at(5), false);
  REQUIRE(second.size() == 2);
  CHECK(second[0].key() == "a");
  CHECK(second[1].key() == "z");
}

TEST_CASE("buffer: a record is found until its own commit has returned") {
  ObjectBuffer buffer(interval);
  CHECK(found(buffer, "k") == "nothing");
  buffer.put(write(1, "k", "1"), at(0));
  const ObjectBuffer::Batch batch = buffer.take(at(0), false);
  CHECK(found(buffer, "k") == "1");
  buffer.put(write(2, "k", "2"), at(1));
  CHECK(buffer.written(batch) == Numbers{1});
  CHECK(found(buffer, "k") == "2");
  CHECK(buffer.written(buffer.take(at(1), false)) == Numbers{2});
  CHECK(found(buffer, "k") == "nothing");
}

TEST_CASE("buffer: a hot key settles its writes even if it is rewritten during each commit") {
  ObjectBuffer buffer(interval);
  buffer.put(write(1, "k", "1"), at(0));
  for (std::uint64_t i = 2; i < 100; ++i) {
    const ObjectBuffer::Batch batch = buffer.take(at(static_cast<int>(i)), false);
    REQUIRE(batch.size() == 1);
    buffer.put(write(i, "k", std::to_string(i)), at(static_cast<int>(i)));
    CHECK(buffer.written(batch) == Numbers{i - 1});
    CHECK(buffer.due() == at(static_cast<int>(i)));
  }
}

TEST_CASE("buffer: rewrites of a buffered key are one write of the last record, due by the first") {
  ObjectBuffer buffer(interval);
  for (int i = 0; i < 10; ++i) {
    buffer.put(write(static_cast<std::uint64_t>(i), "k", std::to_string(i), false), at(i * 100));
  }
  CHECK(buffer.due() == at(1000));
  const ObjectBuffer::Batch batch = buffer.take(at(1000), false);
  REQUIRE(batch.size() == 1);
  CHECK(batch[0].content.record() == "9");
  CHECK(buffer.written(batch).size() == 10);
  CHECK(buffer.due() == TimePoint::max());
}

TEST_CASE("buffer: a synced write makes a buffered record due at once") {
  ObjectBuffer buffer(interval);
  buffer.put(write(1, "k", "1", false), at(0));
  buffer.put(write(2, "k", "2"), at(5));
  CHECK(buffer.due() == at(5));
  const ObjectBuffer::Batch batch = buffer.take(at(5), false);
  CHECK(buffer.written(batch) == Numbers{1, 2});
  CHECK(buffer.take(at(5000), true).empty());
}

TEST_CASE("buffer: a failed batch drops what nothing was acknowledged of, and settles it") {
  ObjectBuffer buffer(interval);
  buffer.put(write(1, "synced", "1"), at(0));
  buffer.put(write(2, "buffered", "2", false), at(0));
  const ObjectBuffer::Batch batch = buffer.take(at(1000), false);
  REQUIRE(batch.size() == 2);
  buffer.put(write(3, "synced", "3"), at(1001));  // built on what failed
  CHECK(buffer.failed(batch, at(1100), "full") == Numbers{1, 3});
  CHECK(found(buffer, "synced") == "nothing");
  CHECK(found(buffer, "buffered") == "2");
  CHECK(buffer.due() == at(1100));
  CHECK(buffer.take(at(1099), false).empty());
  CHECK(buffer.written(buffer.take(at(1100), false)) == Numbers{2});
}

TEST_CASE("buffer: a synced write on top of an acknowledged one is kept and retried with it") {
  ObjectBuffer buffer(interval);
  buffer.put(write(1, "k", "1", false), at(0));
  buffer.put(write(2, "k", "12"), at(0));
  const ObjectBuffer::Batch batch = buffer.take(at(0), false);
  CHECK(buffer.failed(batch, at(100), "full").empty());
  CHECK(found(buffer, "k") == "12");
  CHECK(buffer.written(buffer.take(at(100), false)) == Numbers{1, 2});
}

TEST_CASE("buffer: a refusal lasts until all that was acknowledged by then is on disk") {
  ObjectBuffer buffer(interval);
  buffer.put(write(1, "synced", "1"), at(0));
  CHECK(buffer.failed(buffer.take(at(0), false), at(100), "full").size() == 1);
  CHECK(buffer.refusal().empty());  // nothing was promised
  buffer.put(write(2, "k", "2", false), at(0));
  CHECK(buffer.failed(buffer.take(at(1000), false), at(1100), "full").empty());
  CHECK(buffer.refusal() == "full");
  // The disk has room for this one only.
  buffer.put(write(3, "small", "3"), at(1050));
  CHECK(buffer.written(buffer.take(at(1050), false)) == Numbers{3});
  CHECK(buffer.refusal() == "full");
  CHECK(buffer.failed(buffer.take(at(1100), false), at(1200), "fuller").empty());
  CHECK(buffer.refusal() == "fuller");
  const ObjectBuffer::Batch batch = buffer.take(at(1200), false);
  buffer.put(write(4, "k", "4", false), at(1201));  // newer, and not late yet
  CHECK(buffer.written(batch) == Numbers{2});
  CHECK(buffer.refusal().empty());
}

TEST_CASE("buffer: a dropped key can be written again") {
  ObjectBuffer buffer(interval);
  buffer.put(write(1, "k", "1"), at(0));
  const ObjectBuffer::Batch batch = buffer.take(at(0), false);
  buffer.put(write(2, "k", "2"), at(1));
  CHECK(buffer.failed(batch, at(100), "full") == Numbers{1, 2});
  buffer.put(write(3, "k", "3"), at(1));
  CHECK(buffer.due() == at(1));
  CHECK(buffer.written(buffer.take(at(1), false)) == Numbers{3});
}

TEST_CASE("buffer: bytes follow what is in it and return to none") {
  ObjectBuffer buffer(interval);
  CHECK(buffer.bytes() == 0);
  buffer.put(write(1, "k", std::string(1000, 'x')), at(0));
  const std::size_t large = buffer.bytes();
  CHECK(large >= 1001);
  CHECK(large <= 1001 + 512);
  buffer.put(write(2, "k", "x"), at(0));
  CHECK(buffer.bytes() == large - 999);
  buffer.put(write(3, "other", "x", false), at(0));
  const ObjectBuffer::Batch batch = buffer.take(at(2000), false);
  CHECK(buffer.bytes() > 0);  // still here until the commit has returned
  buffer.written(batch);
  CHECK(buffer.bytes() == 0);
  buffer.put(write(4, "k", "x"), at(0));
  buffer.failed(buffer.take(at(0), false), at(100), "full");
  CHECK(buffer.bytes() == 0);
}

TEST_CASE("buffer: all is taken at the end, due or not") {
  ObjectBuffer buffer(interval);
  buffer.put(write(1, "b", "1", false), at(0));
  buffer.put(write(2, "a", "2", false), at(0));
  CHECK(buffer.written(buffer.take(at(0), true)).size() == 2);
  CHECK(buffer.bytes() == 0);
}

TEST_CASE("buffer: what waits for the flush interval goes to the disk together") {
  ObjectBuffer buffer(interval);
  buffer.put(write(1, "b", "1", false), at(0));
  buffer.put(write(2, "c", "2", false), at(900));
  buffer.put(write(3, "a", "3"), at(950));
  CHECK(buffer.written(buffer.take(at(950), false)) ==
        Numbers{3});  // a synced one takes none along
  buffer.put(write(4, "a", "4"), at(1000));
  CHECK(buffer.written(buffer.take(at(1000), false)) == Numbers{4, 1, 2});
  CHECK(buffer.due() == TimePoint::max());
}

// One commit of everything made files of small data sets grow by all pages that it changed, and
// held up who waited for a synced record.
TEST_CASE("buffer: what waits is swept in parts, backwards, and what is urgent goes along") {
  ObjectBuffer buffer(interval, 0, 4096);
  const std::string kilobyte(1000, 'x');
  std::vector<std::string> keys;
  for (int i = 10; i < 40; ++i) {
    keys.push_back(std::to_string(i));
    buffer.put(write(1, keys.back(), kilobyte, false), at(0));
  }
  std::vector<std::string> swept;
  std::size_t batches = 0;
  while (true) {
    const TimePoint due = buffer.due();
    REQUIRE(due == (batches == 0 ? at(1000) : TimePoint{}));
    if (batches == 2) buffer.put(write(7, "25", "urgent"), at(1000));  // which waits, too
    if (batches == 3) buffer.put(write(8, "39", "new", false), at(1100));
    const ObjectBuffer::Batch batch = buffer.take(at(1000), false);
    REQUIRE(std::ranges::is_sorted(batch, {}, &ObjectBuffer::Item::key));
    CHECK((!batch.empty() && batch.size() <= 5));
    for (const ObjectBuffer::Item& item : batch) swept.emplace_back(item.key());
    const Numbers settled = buffer.written(batch);
    CHECK((std::ranges::find(settled, 7) != settled.end()) == (batches == 2));
    ++batches;
    if (buffer.due() != TimePoint{}) break;
  }
  CHECK(batches == 8);
  CHECK(swept[0] == "36");  // the first part begins at the end
  std::ranges::sort(swept);
  CHECK(swept == keys);
  // What was written behind the sweep has its own time.
  CHECK(buffer.due() == at(2100));
  CHECK(buffer.take(at(2099), false).empty());
  CHECK(buffer.written(buffer.take(at(2100), false)) == Numbers{8});
  CHECK(buffer.due() == TimePoint::max());
}

TEST_CASE("buffer: a hurried sweep takes all in parts, everything at once only if asked for") {
  ObjectBuffer buffer(interval, 0, 4096);
  const std::string kilobyte(1000, 'x');
  const auto fill = [&] {
    for (int i = 10; i < 40; ++i) {
      buffer.put(write(1, std::to_string(i), kilobyte, false), at(0));
    }
  };
  fill();
  buffer.hurry();
  int batches = 0;
  while (true) {
    const ObjectBuffer::Batch batch = buffer.take(at(0), false);
    if (batch.empty()) break;
    buffer.written(batch);
    ++batches;
  }
  CHECK(batches == 8);
  CHECK(buffer.bytes() == 0);
  CHECK(buffer.due() == TimePoint::max());

  fill();
  buffer.hurry();
  const ObjectBuffer::Batch part = buffer.take(at(0), false);
  CHECK(part.size() < 30);
  buffer.written(part);
  const ObjectBuffer::Batch rest = buffer.take(at(0), true);
  CHECK(part.size() + rest.size() == 30);
  buffer.written(rest);
  CHECK(buffer.due() == TimePoint::max());
}

TEST_CASE("buffer: a sweep that the disk refuses begins anew at the retry, and loses nothing") {
  ObjectBuffer buffer(interval, 0, 4096);
  const std::string kilobyte(1000, 'x');
  for (int i = 10; i < 40; ++i) {
    buffer.put(write(1, std::to_string(i), kilobyte, false), at(0));
  }
  buffer.written(buffer.take(at(1000), false));
  CHECK(buffer.failed(buffer.take(at(1000), false), at(3000), "full").empty());
  CHECK(buffer.due() == at(3000));
  CHECK(buffer.take(at(2999), false).empty());
  CHECK(buffer.refusal() == "full");
  while (buffer.due() <= at(3000)) buffer.written(buffer.take(at(3000), false));
  CHECK(buffer.bytes() == 0);
  CHECK(buffer.refusal().empty());
}

// As the engine orders them: by bytes, which are not negative.
TEST_CASE("buffer: objects and hints of several stores are seen in the order of the engine") {
  ObjectBuffer buffer(interval);
  dynamo::core::Prng prng(7);
  std::vector<std::string> keys;
  for (int i = 0; i < 2000; ++i) {
    const dynamo::core::ObjectKey key{(prng.next() % 4) << 62, {prng.next(), prng.next()}};
    keys.push_back(i % 3 == 0 ? dynamo::core::hint_key(key) : dynamo::core::object_key(key));
    buffer.put(write(1, keys.back(), "x", i % 2 == 0), at(0));
  }
  for (const std::string key : {"a", "z", "s\xff", "s", "o", "view"}) {
    keys.push_back(key);
    buffer.put(write(1, key, "x"), at(0));
  }
  std::ranges::sort(keys);
  for (const std::size_t from :
       {std::size_t{0}, std::size_t{1}, std::size_t{700}, keys.size() - 1}) {
    const std::vector<dynamo::host::Content> part = buffer.range(keys[from], 300);
    REQUIRE(part.size() == std::min<std::size_t>(300, keys.size() - from));
    for (std::size_t i = 0; i < part.size(); ++i) REQUIRE(part[i].key() == keys[from + i]);
  }
  const ObjectBuffer::Batch batch = buffer.take(at(0), true);
  REQUIRE(batch.size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) REQUIRE(batch[i].key() == keys[i]);
  buffer.written(batch);
  CHECK(buffer.range("", 1).empty());
}

TEST_CASE("buffer: keys of all shards are found, and seen in order") {
  ObjectBuffer buffer(interval);
  std::vector<std::string> keys;
  for (int i = 100; i < 400; ++i) {
    keys.push_back(std::to_string(i));
    buffer.put(write(1, keys.back(), keys.back()), at(0));
  }
  for (const std::string& key : keys) CHECK(found(buffer, key) == key);
  const std::vector<dynamo::host::Content> part = buffer.range("150", 200);
  REQUIRE(part.size() == 200);
  for (std::size_t i = 0; i < part.size(); ++i) CHECK(part[i].key() == keys[50 + i]);
}
