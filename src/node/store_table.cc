#include "node/store_table.h"

#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/coding.h"
#include "node/record.h"
#include "wire/codec.h"

namespace dynamo::core {

namespace {

std::string described(const StoreFacts& facts) {
  return fmt::format(
      "n={}, {}", facts.n,
      facts.conflict == Conflict::last_write_wins ? "last write wins" : "siblings kept");
}

absl::Status differs(const StoreFacts& wanted, const StoreFacts& actual) {
  return absl::FailedPreconditionError(
      fmt::format("store \"{}\" has {}; asked for {}; both are fixed at first use", wanted.name,
                  described(actual), described(wanted)));
}

bool smaller(const StoreFacts& a, const StoreFacts& b) {
  return std::tie(a.n, a.conflict) < std::tie(b.n, b.conflict);
}

}  // namespace

StoreTable::Verdict StoreTable::open(const StoreFacts& facts) {
  const auto [at, added] = entries_.try_emplace(facts.name, Entry{.facts = facts});
  if (added) ++changes_;
  if (at->second.facts == facts) return {.changed = added};
  return {.status = differs(facts, at->second.facts)};
}

StoreTable::Verdict StoreTable::claimed(const StoreFacts& facts, bool established) {
  const auto [at, added] = entries_.try_emplace(facts.name, Entry{facts, established});
  Entry& entry = at->second;
  if (added) ++changes_;
  if (entry.facts == facts) {
    const bool news = established && !entry.established;
    if (news) entry.established = true;  // strands read it
    return {.changed = added || news};
  }
  const bool yields = established == entry.established ? smaller(facts, entry.facts) : established;
  if (!yields) return {.status = differs(facts, entry.facts)};
  entry = {facts, established};
  ++changes_;
  return {.changed = true};
}

bool StoreTable::establish(std::string_view name) {
  const auto at = entries_.find(name);
  if (at == entries_.end() || at->second.established) return false;
  at->second.established = true;
  return true;
}

absl::Status StoreTable::check(const StoreFacts& facts) const {
  const Entry* entry = find(facts.name);
  if (entry == nullptr || entry->facts == facts) return absl::OkStatus();
  return differs(facts, entry->facts);
}

const StoreTable::Entry* StoreTable::find(std::string_view name) const {
  const auto at = entries_.find(name);
  return at == entries_.end() ? nullptr : &at->second;
}

void StoreTable::restore(Entry entry) {
  std::string name = entry.facts.name;
  ++changes_;
  entries_.insert_or_assign(std::move(name), std::move(entry));
}

std::string encode_store(const StoreTable::Entry& entry) {
  std::string content;
  Encoder out(content);
  encode_facts(entry.facts, out);
  out.fixed8(entry.established ? 1 : 0);
  return seal_record(content);
}

absl::StatusOr<StoreTable::Entry> decode_store(std::string_view record) {
  const absl::StatusOr<std::string_view> content = open_record(record);
  if (!content.ok()) return content.status();
  Decoder in(*content);
  StoreTable::Entry entry;
  entry.facts = decode_facts(in);
  entry.established = in.fixed8() != 0;
  if (!in.ok()) return absl::DataLossError("record of a store is malformed");
  return entry;
}

}  // namespace dynamo::core
