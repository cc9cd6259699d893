#include "speed/workload.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "speed/child.h"

namespace bench {

std::vector<std::string> key_names(std::uint64_t count) {
  std::vector<std::string> names;
  names.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) names.push_back(fmt::format("key:{:012}", i));
  return names;
}

Workload::Workload(asio::io_context& io, Cluster& cluster, const std::vector<std::string>& names,
                   std::string object, Keys keys)
    : io_(io),
      cluster_(cluster),
      names_(names),
      object_(std::move(object)),
      keys_(std::move(keys)),
      contexts_(cluster_.fill(names_, object_)),
      busy_(names_.size()) {}

void Workload::get(const dynamo::Store& store, std::uint64_t key, Done done) {
  store.async_get(names_[key], [done = std::move(done)](auto got) {
    if (!got.ok()) give_up(got.status().ToString());
    if (!got->found()) give_up("a key is missing");
    done();
  });
}

std::uint64_t Workload::claim(std::uint64_t key) {
  while (busy_[key]) key = (key + 1) % names_.size();
  busy_[key] = true;
  return key;
}

void Workload::put(const dynamo::Store& store, std::uint64_t key, Done done) {
  store.async_put(names_[key], contexts_[key], object_,
                  [this, key, done = std::move(done)](auto put) {
                    if (!put.ok()) give_up(put.status().ToString());
                    contexts_[key] = std::move(put->context);
                    busy_[key] = false;
                    done();
                  });
}

Sample Workload::gets(const dynamo::Store& store, const Load& load) {
  return run_load(io_, load, keys_, cluster_.others(),
                  [&](std::uint64_t key, Done done) { get(store, key, std::move(done)); });
}

Sample Workload::puts(const dynamo::Store& store, const Load& load) {
  return run_load(io_, load, keys_, cluster_.others(),
                  [&](std::uint64_t key, Done done) { put(store, claim(key), std::move(done)); });
}

Sample Workload::mix(const dynamo::Store& store, const Load& load, int each) {
  int operations = 0;
  return run_load(io_, load, keys_, cluster_.others(), [&](std::uint64_t key, Done done) {
    if (++operations % each == 0) return put(store, claim(key), std::move(done));
    get(store, key, std::move(done));
  });
}

Sample Workload::read_and_write(const dynamo::Store& store, const Load& load) {
  return run_load(io_, load, keys_, cluster_.others(), [&](std::uint64_t drawn, Done done) {
    const std::uint64_t key = claim(drawn);
    store.async_get(names_[key], [this, &store, key, done = std::move(done)](auto got) mutable {
      if (!got.ok()) give_up(got.status().ToString());
      contexts_[key] = std::move(got->context);
      put(store, key, std::move(done));
    });
  });
}

Sample Workload::buffered_puts(const dynamo::Store& store, const Load& load) {
  const std::uint64_t batches = cluster_.commits().batches;
  const std::uint64_t records = cluster_.commits().records;
  const Sample sample = puts(store, load);
  records_a_batch_ =
      static_cast<double>(cluster_.commits().records - records) /
      static_cast<double>(std::max<std::uint64_t>(1, cluster_.commits().batches - batches));
  cluster_.settle();
  return sample;
}

void add_get_and_put(std::vector<Probe>& probes, Workload& work, const dynamo::Store& buffered,
                     const Scale& scale, std::string_view name) {
  const Load load{.in_flight = 64, .seconds = scale.seconds};
  probes.push_back({fmt::format("get, {}", name),
                    [&work, buffered, load] { return work.gets(buffered, load); }});
  probes.push_back({fmt::format("put buffered, {}", name), [&work, buffered, scale] {
                      return work.buffered_puts(buffered, steady(64, scale.flushes));
                    }});
}

Load steady(int in_flight, double flushes) {
  const double interval =
      std::chrono::duration<double>(dynamo::NodeOptions{}.flush_interval).count();
  return {.in_flight = in_flight,
          .seconds = flushes * interval,
          .warm_up_seconds = std::min(1.0, flushes) * interval};
}

}  // namespace bench
