#include "workload.h"

#include <fmt/format.h>

using dynamo::Context;
using dynamo::GetResult;
using dynamo::PutResult;
using namespace std::chrono_literals;

namespace {

constexpr const char* keys[] = {"cart", "list", "note"};
constexpr std::size_t clients = 4;

}  // namespace

Workload::Workload(dynamo::testing::SimCluster& cluster, std::uint64_t seed, int operations)
    : cluster_(cluster), prng_(seed), clients_(clients), left_(operations) {
  for (int i = 0; i < cluster.size(); ++i) {
    const bool buffered = prng_.chance(0.3);
    stores_.push_back(cluster
                          .open(i, "carts",
                                {.durability = buffered ? dynamo::Durability::buffered
                                                        : dynamo::Durability::synced})
                          .value());
  }
}

std::vector<std::string> Workload::run() {
  for (std::size_t client = 0; client < clients; ++client) next(client);
  if (!cluster_.run_until([this] { return left_ == 0 && running_ == 0; }, 60s)) {
    broken_.push_back("some operation never ended");
  }
  for (const char* key : keys) {
    for (const dynamo::Store& store : stores_) {
      check(key, acknowledged_of(key), store.get(key));
    }
  }
  return std::move(broken_);
}

Workload::Objects Workload::acknowledged_of(const std::string& key) const {
  Objects objects;
  for (const std::string& object : acknowledged_) {
    if (key_of_.at(object) == key) objects.insert(object);
  }
  return objects;
}

void Workload::next(std::size_t client) {
  if (left_ == 0) return;
  --left_;
  ++running_;
  const std::string key = keys[prng_.below(std::size(keys))];
  prng_.chance(0.4) ? get(client, key) : write(client, key);
}

void Workload::get(std::size_t client, const std::string& key) {
  any_store().async_get(
      key, [this, client, key, required = acknowledged_of(key)](absl::StatusOr<GetResult> result) {
        check(key, required, result);
        if (result.ok()) {
          Objects objects;
          for (const dynamo::Version& version : result->versions) objects.insert(version.object);
          clients_[client].seen[key] = {result->context, std::move(objects)};
        }
        --running_;
        next(client);
      });
}

void Workload::write(std::size_t client, const std::string& key) {
  auto& [context, objects] = clients_[client].seen[key];
  if (prng_.chance(0.3)) {  // forgets what it has seen
    context = Context();
    objects.clear();
  }
  const bool erase = !context.empty() && prng_.chance(0.2);
  const std::string object = erase ? std::string() : fmt::format("{}-{}", key, ++last_object_);
  const Objects replaced = objects;
  covered_.insert(replaced.begin(), replaced.end());
  if (!erase) key_of_[object] = key;
  auto done = [this, client, key, object, replaced](const absl::StatusOr<PutResult>& result) {
    if (result.ok()) {
      if (!object.empty()) acknowledged_.insert(object);
      gone_.insert(replaced.begin(), replaced.end());
      Objects seen = replaced;
      if (!object.empty()) seen.insert(object);
      clients_[client].seen[key] = {result->context, std::move(seen)};
    } else {
      broken_.push_back(fmt::format("write of {}: {}", key, result.status().ToString()));
    }
    --running_;
    next(client);
  };
  if (erase) {
    any_store().async_erase(key, context, std::move(done));
  } else {
    any_store().async_put(key, context, object, std::move(done));
  }
}

void Workload::check(const std::string& key, const Objects& required,
                     const absl::StatusOr<GetResult>& result) {
  if (!result.ok()) {
    broken_.push_back(fmt::format("get {}: {}", key, result.status().ToString()));
    return;
  }
  Objects shown;
  for (const dynamo::Version& version : result->versions) {
    if (!shown.insert(version.object).second) {
      broken_.push_back(fmt::format("get {}: {} twice", key, version.object));
    }
    const auto known = key_of_.find(version.object);
    if (known == key_of_.end() || known->second != key) {
      broken_.push_back(fmt::format("get {}: {} was never written there", key, version.object));
    }
    if (running_ == 0 && gone_.contains(version.object)) {
      broken_.push_back(fmt::format("get {}: {} was replaced", key, version.object));
    }
  }
  for (const std::string& object : required) {
    if (!shown.contains(object) && !covered_.contains(object)) {
      broken_.push_back(fmt::format("get {}: acknowledged {} is lost", key, object));
    }
  }
}
