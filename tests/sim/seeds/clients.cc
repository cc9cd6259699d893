#include "clients.h"

#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "causality/write_id.h"
#include "testing/sim_world.h"

namespace seeds {

using dynamo::Context;
using dynamo::GetResult;
using dynamo::PutResult;
using dynamo::Store;
using dynamo::core::HybridTime;
using dynamo::core::Prng;
using dynamo::testing::SimWorld;

namespace {

constexpr int tries_max = 4;
// All wall clocks of a simulated cluster start at midnight UTC of 14 October 2007.
constexpr std::chrono::hours midnight(13800 * 24);

// Codes that say that nothing has happened (the table in store.h).
bool says_no(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status) ||
         absl::IsResourceExhausted(status) || absl::IsInternal(status);
}

bool may_have_happened(const absl::Status& status) {
  const auto outcome = dynamo::outcome_of(status);
  if (outcome) return outcome->verdict != dynamo::Outcome::Verdict::not_applied;
  return !says_no(status);
}

}  // namespace

Clients::Clients(dynamo::testing::SimCluster& cluster, Ghosts& ghosts, AnswerChecks& answers,
                 Findings& findings, const SeedOptions& options)
    : cluster_(cluster),
      ghosts_(ghosts),
      answers_(answers),
      findings_(findings),
      options_(options),
      clients_(static_cast<std::size_t>(options.clients)) {
  for (int i = 0; i < options.clients; ++i) {
    Client& client = clients_[static_cast<std::size_t>(i)];
    client.number = i;
    client.prng = Prng(dynamo::core::hash64(fmt::format("client {}", i), options.seed));
    client.home = static_cast<int>(client.prng.below(static_cast<std::uint64_t>(options.nodes)));
  }
}

void Clients::start() {
  for (Client& client : clients_) rest(client);
}

void Clients::rest(Client& client) {
  if (stopped_) return;
  const auto mean = static_cast<std::uint64_t>(options_.think.count());
  const std::chrono::milliseconds pause(static_cast<std::int64_t>(client.prng.below(2 * mean + 1)));
  auto& scheduler = cluster_.world().context().scheduler();
  scheduler.schedule(scheduler.after(pause), [this, &client] {
    if (!stopped_ && !findings_.failure()) act(client);
  });
}

std::optional<Store> Clients::open(Client& client, int& node) {
  const int nodes = cluster_.size();
  node = client.prng.chance(0.7)
             ? client.home
             : static_cast<int>(client.prng.below(static_cast<std::uint64_t>(nodes)));
  for (int i = 0; i < nodes && !cluster_.is_up(node); ++i) node = (node + 1) % nodes;
  absl::StatusOr<Store> store = cluster_.open(node, "carts", options_.store);
  if (store.ok()) return *std::move(store);
  // It is down, or has left: the next one, from then on.
  if (options_.is_elastic() && node == client.home) client.home = (node + 1) % nodes;
  return std::nullopt;
}

void Clients::act(Client& client) {
  ++operations_;
  ++running_;
  const int key = static_cast<int>(client.prng.below(static_cast<std::uint64_t>(options_.keys)));
  const double drawn = static_cast<double>(client.prng.below(1000)) / 1000;
  if (client.prng.chance(options_.cookie_share)) through_text(client, key);
  if (drawn < options_.put_share) return write(client, key, false);
  if (drawn < options_.put_share + options_.erase_share) {
    if (!client.sessions[key].context.empty()) return write(client, key, true);
  }
  get(client, key, client.prng.chance(0.3) && !client.sessions[key].context.empty());
}

void Clients::note(const Client& client, int key, const std::function<std::string()>& text) {
  findings_.note(key, [&] { return fmt::format("client {}: {}", client.number, text()); });
}

void Clients::get(Client& client, int key, bool at_least) {
  int node = 0;
  const std::optional<Store> store = open(client, node);
  if (!store) return done(client);
  Asked asked = answers_.ask(key);
  dynamo::ReadOptions options;
  const Session& session = client.sessions[key];
  if (at_least) {
    asked.at_least = session.seen;
    asked.at_least_context = session.context;
    options.at_least = &asked.at_least_context;
  }
  store->async_get(Ghosts::key_name(key), options,
                   [this, &client, node, asked](const absl::StatusOr<GetResult>& result) {
                     note(client, asked.key, [&] {
                       std::string shown;
                       if (result.ok()) {
                         for (const auto& version : result->versions) {
                           const Write* write = ghosts_.find_object(version.object);
                           shown += fmt::format(" {}", write == nullptr ? -1 : write->number);
                         }
                       }
                       return fmt::format(
                           "get {} at {}:{}", Ghosts::key_name(asked.key), SimWorld::name_of(node),
                           result.ok() ? (shown.empty() ? " absent" : shown)
                                       : fmt::format(" {}", result.status().ToString()));
                     });
                     if (result.ok()) {
                       client.sessions[asked.key] = {result->context, answers_.got(asked, *result)};
                     } else {
                       answers_.failed(asked, result.status());
                     }
                     done(client);
                   });
}

void Clients::write(Client& client, int key, bool is_delete) {
  const bool blind = !is_delete && client.prng.chance(options_.blind_share);
  const bool expires = !is_delete && client.prng.chance(options_.ttl_share);
  const Session session = blind ? Session() : client.sessions[key];
  const bool big = client.prng.chance(0.05);
  const std::size_t size = client.prng.below(big ? options_.object_bytes_max : 32);
  Attempt attempt{.context = session.context};
  Write& write = ghosts_.begin(key, is_delete, expires, size, session.seen);
  write.begun = cluster_.now();
  attempt.write = write.number;
  if (expires) attempt.options.ttl = std::chrono::seconds(5 + client.prng.below(60));
  // The id of a delete must be known before it is answered, for no object says which it is.
  const std::uint64_t random = client.prng.next();
  if (is_delete || client.prng.chance(0.5)) {
    const auto wall_us =
        std::chrono::duration_cast<std::chrono::microseconds>(cluster_.now() + midnight);
    attempt.options.id = dynamo::core::make_write_id(HybridTime::at(wall_us.count()), random);
    ghosts_.name(write.number, attempt.options.id);
  }
  send(client, std::move(attempt));
}

void Clients::send(Client& client, Attempt attempt) {
  Write& write = ghosts_.write(attempt.write);
  const std::optional<Store> store = open(client, attempt.node);
  if (!store) {
    if (write.tries == 0) write.fate = Fate::refused;
    return done(client);
  }
  ++write.tries;
  note(client, write.key, [&] {
    return fmt::format("{} {} as write {} at {}, try {}", write.object ? "put" : "erase",
                       Ghosts::key_name(write.key), write.number, SimWorld::name_of(attempt.node),
                       write.tries);
  });
  const std::string key = Ghosts::key_name(write.key);
  const Context context = attempt.context;
  const dynamo::WriteOptions options = attempt.options;
  auto handler = [this, &client, attempt](const absl::StatusOr<PutResult>& result) {
    answered(client, attempt, result);
  };
  if (write.object) {
    store->async_put(key, context, *write.object, options, std::move(handler));
  } else {
    store->async_erase(key, context, options, std::move(handler));
  }
}

void Clients::answered(Client& client, const Attempt& attempt,
                       const absl::StatusOr<PutResult>& result) {
  Write& write = ghosts_.write(attempt.write);
  note(client, write.key, [&] {
    return fmt::format("write {}: {}", write.number,
                       result.ok()
                           ? fmt::format("acknowledged: {}", dynamo::to_string(result->outcome))
                           : result.status().ToString());
  });
  if (!result.ok()) return settle_failure(client, attempt, result.status());
  if (write.id.is_zero()) ghosts_.name(write.number, result->outcome.id);
  if (answers_.is_taken_by_members(*result)) {
    ghosts_.acknowledge(write.number, cluster_.now());
  } else {
    write.fate = Fate::unknown;
  }
  answers_.put(write, attempt.context, *result);
  // A blind put leaves its client with a context that has seen that put alone.
  Seen seen = ghosts_.seen_after(write, result->context.body() == nullptr
                                            ? dynamo::core::History()
                                            : result->context.body()->history);
  client.sessions[write.key] = {result->context, std::move(seen)};
  done(client);
}

void Clients::settle_failure(Client& client, const Attempt& attempt, const absl::Status& status) {
  Write& write = ghosts_.write(attempt.write);
  answers_.put_failed(write, status);
  const auto outcome = dynamo::outcome_of(status);
  if (outcome && write.id.is_zero()) ghosts_.name(write.number, outcome->id);
  const bool maybe = may_have_happened(status);
  if (maybe) {
    write.fate = Fate::unknown;
    findings_.visit(Visit::put_unknown);
  } else {
    if (write.fate == Fate::pending) write.fate = Fate::refused;
    findings_.visit(Visit::put_refused);
  }
  const bool again = maybe && !write.id.is_zero() && !write.expires && write.tries < tries_max &&
                     !stopped_ && client.prng.chance(options_.retry_share);
  if (!again) return done(client);
  findings_.visit(Visit::retry);
  Attempt next = attempt;
  next.options.id = write.id;
  send(client, std::move(next));
}

void Clients::through_text(Client& client, int key) {
  Session& session = client.sessions[key];
  if (session.context.empty()) return;
  const std::string text = session.context.encode();
  absl::StatusOr<Context> decoded = Context::decode(text);
  if (!decoded.ok() || *decoded != session.context) {
    return findings_.fail("C4", "a context does not survive its text: " + text, key);
  }
  session.context = *std::move(decoded);
  try_damaged(client, key, text);
}

// Neither a flipped bit nor another key's context may be taken.
void Clients::try_damaged(Client& client, int key, const std::string& text) {
  std::string damaged = text;
  char& letter = damaged[client.prng.below(damaged.size())];
  letter = letter == 'A' ? 'B' : 'A';
  absl::StatusOr<Context> decoded =
      damaged == text ? absl::InvalidArgumentError("") : Context::decode(damaged);
  int other = key;
  if (!decoded.ok() && options_.keys > 1) {
    other = (key + 1) % options_.keys;
    decoded = client.sessions[key].context;
  }
  int node = 0;
  const std::optional<Store> store = open(client, node);
  if (!decoded.ok() || !store) return;
  Write& write = ghosts_.begin(other, false, false, 0, {});
  write.begun = cluster_.now();
  const int number = write.number;
  write.tries = 1;
  const std::string object = *write.object;
  const std::string name = Ghosts::key_name(other);
  ++running_;
  store->async_put(name, *decoded, object, [this, number](const absl::StatusOr<PutResult>& put) {
    --running_;
    Write& refused = ghosts_.write(number);
    if (absl::IsInvalidArgument(put.status())) {
      refused.fate = Fate::refused;
      findings_.visit(Visit::cookie_refused);
    } else if (put.ok()) {
      findings_.fail("C4", "a context that is damaged, or of another key, is taken", refused.key);
    } else {
      refused.fate = may_have_happened(put.status()) ? Fate::unknown : Fate::refused;
    }
  });
}

}  // namespace seeds
