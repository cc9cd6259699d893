#include "truthful_store.h"

#include <chrono>

namespace test {

using dynamo::Outcome;
using std::chrono::milliseconds;

Said said_of(const absl::Status& status) {
  if (status.ok()) return Said::done;
  if (const auto outcome = dynamo::outcome_of(status)) {
    return outcome->verdict == Outcome::Verdict::not_applied ? Said::not_done : Said::unknown;
  }
  // As the table in dynamo/store.h has it.
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kFailedPrecondition:
      return Said::not_done;
    default:
      return Said::unknown;
  }
}

absl::Status TruthfulStore::start() {
  dynamo::Member member;
  member.name = "a";
  member.address = "127.0.0.1:0";
  dynamo::NodeOptions options{.cluster = "truth", .name = "a"};
  options.listen = member.address;
  options.data_dir = directory_;
  options.partitions = 8;
  dynamo::Components parts;
  parts.membership = dynamo::fixed_membership({member});
  auto node = dynamo::Node::start(options, std::move(parts));
  if (!node.ok()) return node.status();
  node_.emplace(*std::move(node));
  auto store = node_->open("objects", {.quorum = {.n = 1, .r = 1, .w = 1},
                                       .durability = dynamo::Durability::synced,
                                       .timeout = milliseconds(10'000)});
  if (!store.ok()) return store.status();
  store_.emplace(*std::move(store));
  return absl::OkStatus();
}

void TruthfulStore::stop() {
  store_.reset();
  node_.reset();
}

absl::Status TruthfulStore::operate(std::mt19937_64& random) {
  const std::string name = "key " + std::to_string(random() % 12);
  const auto choice = random() % 10;
  if (choice < 2) return read(name);
  if (choice < 3 && !keys_[name].context.empty()) return write(name, std::nullopt);
  const std::size_t size = random() % 4 == 0 ? random() % 20'000 : random() % 300;
  return write(name, "write " + std::to_string(written_) + std::string(size, '.'));
}

absl::Status TruthfulStore::read_all() {
  for (const auto& entry : keys_) {
    if (absl::Status status = read(entry.first); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status TruthfulStore::read(const std::string& name) {
  const auto got = store_->get(name);
  if (!got.ok()) return got.status();
  keys_[name].context = got->context;
  check(name, got->versions);
  return absl::OkStatus();
}

absl::Status TruthfulStore::write(const std::string& name, std::optional<std::string> object) {
  Key& key = keys_[name];
  ++written_;
  const auto put =
      object ? store_->put(name, key.context, *object) : store_->erase(name, key.context);
  key.attempts.push_back({.object = std::move(object), .said = said_of(put.status())});
  if (!put.ok()) return put.status();
  key.context = put->context;
  ++acknowledged_;
  return absl::OkStatus();
}

void TruthfulStore::check(const std::string& name, const std::vector<dynamo::Version>& versions) {
  const std::vector<Attempt>& attempts = keys_[name].attempts;
  const auto wrong = [&](const std::string& what) {
    untruth_ += name + " after " + std::to_string(attempts.size()) + " writes: " + what + "; ";
  };
  std::size_t last = attempts.size();  // the last that was acknowledged
  bool perhaps_overwritten = false;
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    if (attempts[i].said == Said::unknown) perhaps_overwritten = true;
    if (attempts[i].said != Said::done) continue;
    last = i;
    perhaps_overwritten = false;
  }
  bool found = false;
  for (const dynamo::Version& version : versions) {
    const std::string text = version.object.substr(0, 12);
    std::size_t i = 0;
    while (i < attempts.size() && attempts[i].object != version.object) ++i;
    if (i == attempts.size()) {
      wrong("it holds what nobody wrote: " + text);
    } else if (attempts[i].said == Said::not_done) {
      wrong("it holds what was refused: " + text);
    } else if (attempts[i].said == Said::done && i != last) {
      wrong("it holds what was overwritten: " + text);
    }
    found = found || i == last;
  }
  if (last == attempts.size() || !attempts[last].object || perhaps_overwritten) return;
  if (!found) wrong("an acknowledged write is missing: " + attempts[last].object->substr(0, 12));
}

}  // namespace test
