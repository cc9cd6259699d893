#include <dynamo/testing/storage_engine_check.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "testing/storage_engine_model.h"
#include "testing/storage_engine_race.h"

// Each rule is a function that gets an empty engine beside its model and says what it found wrong.
namespace dynamo::testing {
namespace {

using Write = StorageEngine::Write;
using namespace std::string_literals;

// Braces run their calls from left to right, each before the next is begun, whatever they return.
absl::Status first_error(std::initializer_list<absl::Status> statuses) {
  for (const absl::Status& status : statuses) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status starts_empty(ModelledEngine& modelled) {
  return first_error({modelled.agrees(), modelled.agrees_on_read("key"), modelled.write({})});
}

absl::Status reads_what_was_written(ModelledEngine& modelled) {
  const std::array<std::string, 6> records{
      "one", "", "two", "\0\xFF\0"s, std::string(5000, '\xAA'), "three"};
  for (const std::string& record : records) {
    absl::Status wrong = first_error({modelled.put("key", record), modelled.agrees()});
    if (!wrong.ok()) return wrong;
  }
  return first_error({modelled.put("other", "unharmed"), modelled.erase("key"), modelled.agrees(),
                      modelled.erase("key"), modelled.erase("never written"), modelled.agrees(),
                      modelled.put("key", "again"), modelled.agrees()});
}

absl::Status last_write_of_a_key_wins(ModelledEngine& modelled) {
  if (absl::Status wrong = modelled.put("b", "before"); !wrong.ok()) return wrong;
  const std::vector<Write> batch{
      {.key = "c", .record = "first"},      {.key = "a", .record = "first"},
      {.key = "b", .record = std::nullopt}, {.key = "a", .record = std::nullopt},
      {.key = "c", .record = "second"},     {.key = "b", .record = "last"},
      {.key = "c", .record = "last"},
  };
  return first_error({modelled.write(batch), modelled.agrees(), modelled.agrees_on_read("a")});
}

// All keys of one byte, prefixes of each other, and keys that differ in the last byte or length.
std::vector<std::string> awkward_keys() {
  std::vector<std::string> keys{"\0\0"s,  "\0\x01"s, "\x7F\x80"s, "\x80\x7F"s,    "a\0"s,
                                "a\0b"s,  "aa"s,     "ab"s,       "\xFF\0"s,      "\xFF\xFF"s,
                                "a\x80"s, "a\x7F"s,  "abc"s,      "\xFF\xFF\xFF"s};
  for (int byte = 0; byte < 256; ++byte) keys.emplace_back(1, static_cast<char>(byte));
  constexpr std::size_t longest = StorageEngine::key_bytes_max;
  for (const char byte : {'\0', 'a', '\x7F', '\x80', '\xFF'}) {
    keys.emplace_back(longest, byte);
    keys.push_back(std::string(longest - 1, byte) + '\x80');
    keys.emplace_back(longest - 1, byte);
  }
  return keys;
}

absl::Status write_awkward_keys(ModelledEngine& modelled) {
  const std::vector<std::string> keys = awkward_keys();
  std::vector<Write> batch;
  for (const std::string& key : keys) batch.push_back({.key = key, .record = key});
  return modelled.write(batch);
}

absl::Status keys_are_ordered_as_unsigned_bytes(ModelledEngine& modelled) {
  return first_error({write_awkward_keys(modelled), modelled.agrees()});
}

absl::Status scans_start_and_stop_where_told(ModelledEngine& modelled) {
  absl::Status wrong = first_error({write_awkward_keys(modelled), modelled.erase("b"),
                                    modelled.erase("\x80"), modelled.erase("\xFF\xFF")});
  if (!wrong.ok()) return wrong;
  std::vector<std::string> bounds = awkward_keys();
  bounds.insert(bounds.end(), {"", "a\0a", "ac", "b", "zz", "\xFF\xFF\xFF\xFF"});
  // Longer than any key: what a caller gets who appends to the last key it saw.
  for (const char byte : {'\0', 'a', '\xFF'}) {
    for (const std::size_t more : {1U, 2U, 1000U}) {
      bounds.emplace_back(StorageEngine::key_bytes_max + more, byte);
    }
  }
  for (const std::string& from : bounds) {
    for (const std::size_t limit : {std::size_t{1}, std::size_t{3}, std::size_t{100'000}}) {
      wrong = modelled.agrees_on_scan(from, limit);
      if (!wrong.ok()) return wrong;
    }
  }
  return absl::OkStatus();
}

absl::Status is_refused(std::string_view what, const absl::Status& status) {
  if (status.code() == absl::StatusCode::kInvalidArgument) return absl::OkStatus();
  return broken(
      fmt::format("{} was not refused with INVALID_ARGUMENT: {}", what, status.ToString()));
}

absl::Status refused_batches_change_nothing(ModelledEngine& modelled) {
  const std::string long_key(StorageEngine::key_bytes_max + 1, 'k');
  const std::string long_record(StorageEngine::record_bytes_max + 1, 'r');
  struct Case {
    std::string_view what;
    Write write;
  };
  const std::array<Case, 4> cases{{
      {.what = "a write of an empty key", .write = {.key = "", .record = "x"}},
      {.what = "an erase of an empty key", .write = {.key = "", .record = std::nullopt}},
      {.what = "a key that is too long", .write = {.key = long_key, .record = "x"}},
      {.what = "a record that is too long", .write = {.key = "huge", .record = long_record}},
  }};
  absl::Status wrong = first_error({modelled.put("old", "stays"), modelled.put("gone", "stays")});
  if (!wrong.ok()) return wrong;
  for (const Case& bad : cases) {
    const std::array<Write, 3> batch{
        {{.key = "new", .record = "x"}, {.key = "gone", .record = std::nullopt}, bad.write}};
    const std::string what = fmt::format("{}, last in a batch,", bad.what);
    wrong = first_error({is_refused(what, modelled.engine().write(batch)), modelled.agrees(),
                         modelled.agrees_on_read("new"), modelled.agrees_on_read("huge")});
    if (!wrong.ok()) return wrong;
  }
  const auto ignore = [](std::string_view) {};
  return first_error(
      {is_refused("a read of an empty key", modelled.engine().read("", ignore).status()),
       is_refused("a read of a key that is too long",
                  modelled.engine().read(long_key, ignore).status())});
}

absl::Status keeps_large_records(ModelledEngine& modelled) {
  std::mt19937_64 random(1);
  for (const std::size_t size : {4096U, 65'536U, 1U << 20, 100U, (1U << 20) + 1, 3U << 20}) {
    std::string record(size, '\0');
    for (char& byte : record) byte = static_cast<char>(random());
    absl::Status wrong =
        first_error({modelled.put("large", record), modelled.put(fmt::format("{}", size), record),
                     modelled.agrees()});
    if (!wrong.ok()) return wrong;
  }
  return first_error({modelled.erase("large"), modelled.agrees()});
}

// Batches of puts and erases of keys that come again and again.
absl::Status write_random_batches(ModelledEngine& modelled, std::uint64_t seed, int batches,
                                  std::size_t keys) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < batches; ++i) {
    std::vector<std::string> names(random() % 200);
    std::vector<std::string> records;
    for (std::string& name : names) {
      name = fmt::format("{:x}", (random() % keys) * 0x9E3779B97F4A7C15U);
      records.emplace_back(random() % 600, static_cast<char>(random()));
    }
    std::vector<Write> batch;
    for (std::size_t at = 0; at < names.size(); ++at) {
      Write& write = batch.emplace_back(Write{.key = names[at], .record = std::nullopt});
      if (random() % 3 != 0) write.record = records[at];
    }
    if (absl::Status wrong = modelled.write(batch); !wrong.ok()) return wrong;
  }
  return absl::OkStatus();
}

absl::Status agrees_with_a_map(ModelledEngine& modelled) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    absl::Status wrong =
        first_error({write_random_batches(modelled, seed, 6, 400), modelled.agrees()});
    if (!wrong.ok()) return broken(fmt::format("seed {}: {}", seed, wrong.ToString()));
  }
  return absl::OkStatus();
}

absl::Status holds_many_keys(ModelledEngine& modelled) {
  constexpr int keys = 20'000;
  std::vector<std::string> names;
  for (int i = 0; i < keys; ++i) names.push_back(fmt::format("{:08}", (i * 7919LL) % keys));
  std::vector<Write> puts;
  std::vector<Write> erases;
  for (const std::string& name : names) {
    puts.push_back({.key = name, .record = name});
    if (name.back() != '7') erases.push_back({.key = name, .record = std::nullopt});
  }
  return first_error({modelled.write(puts), modelled.agrees(), modelled.write(erases),
                      modelled.agrees(), modelled.write(puts), modelled.agrees()});
}

absl::Status survives_a_race(ModelledEngine& modelled) {
  return readers_see_whole_batches(modelled.engine());
}

struct Rule {
  std::string_view name;
  absl::Status (*check)(ModelledEngine&);
};

constexpr std::array<Rule, 10> rules{{
    {.name = "a new engine is empty", .check = starts_empty},
    {.name = "a read gives what was written last", .check = reads_what_was_written},
    {.name = "the last write of a key in a batch wins", .check = last_write_of_a_key_wins},
    {.name = "keys are ordered as unsigned bytes", .check = keys_are_ordered_as_unsigned_bytes},
    {.name = "a scan starts and stops where it is told", .check = scans_start_and_stop_where_told},
    {.name = "a refused batch changes nothing", .check = refused_batches_change_nothing},
    {.name = "large records are kept", .check = keeps_large_records},
    {.name = "the engine agrees with a map", .check = agrees_with_a_map},
    {.name = "many keys are kept", .check = holds_many_keys},
    {.name = "readers see whole batches", .check = survives_a_race},
}};

}  // namespace

absl::Status storage_engine_check(MakeEngine make_engine) {
  for (const Rule& rule : rules) {
    const absl::StatusOr<std::unique_ptr<StorageEngine>> engine = make_engine();
    if (!engine.ok()) return engine.status();
    ModelledEngine modelled(**engine);
    if (absl::Status wrong = rule.check(modelled); !wrong.ok())
      return breaks_rule("engine", rule.name, wrong);
  }
  return absl::OkStatus();
}

absl::Status storage_engine_reopen_check(MakeEngine make_at_same_place) {
  ModelledEngine::Records records;
  for (std::uint64_t opening = 1; opening <= 5; ++opening) {
    const absl::StatusOr<std::unique_ptr<StorageEngine>> engine = make_at_same_place();
    if (!engine.ok()) return engine.status();
    ModelledEngine modelled(**engine, records);
    absl::Status wrong = modelled.agrees();
    if (!wrong.ok()) {
      return breaks_rule("engine", fmt::format("what was written is there, opening {}", opening),
                         wrong);
    }
    wrong = write_random_batches(modelled, opening, 5, 200);
    if (wrong.ok()) wrong = modelled.put("large", std::string((1U << 20) + opening, 'L'));
    if (wrong.ok()) wrong = modelled.agrees();
    if (!wrong.ok())
      return breaks_rule("engine", fmt::format("it works after opening {}", opening), wrong);
    records = modelled.records();
  }
  return absl::OkStatus();
}

}  // namespace dynamo::testing
