#include <dynamo/testing/transport_check.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

#include <fmt/format.h>

#include "base/prng.h"
#include "testing/broken_rule.h"
#include "testing/transport_check_patience.h"
#include "testing/transport_stations.h"

// Each rule is a function that gets three stations, not started, and throws what it finds wrong.
namespace dynamo::testing {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds default_patience{10'000};
constexpr std::array<Lane, 2> lanes{Lane::request, Lane::bulk};

struct Stations {
  explicit Stations(milliseconds patience) : watch(std::make_shared<Watch>(patience)) {}

  void add(std::unique_ptr<Transport> transport) {
    const std::string name(1, static_cast<char>('a' + all.size()));
    all.push_back(std::make_unique<Station>(name, std::move(transport), *watch));
  }
  Station& operator[](std::size_t i) { return *all.at(i); }
  void start() {
    for (const auto& station : all) station->start();
  }
  void stop() {
    for (const auto& station : all) station->stop();
  }
  void deliver(std::size_t from, std::size_t to, Lane lane, const std::string& packet) {
    testing::deliver(*all[from], *all[to], lane, packet, watch->patience());
  }
  // After a rule was broken: what is wrong with the end as well does not matter any more.
  void end() {
    for (const auto& station : all) {
      station->hold(false);
      try {
        station->stop();
      } catch (const RuleBroken&) {
        continue;
      }
    }
  }
  // Packets still get from each to each.
  void work(const std::string& when) {
    for (std::size_t from = 0; from < all.size(); ++from) {
      for (std::size_t to = 0; to < all.size(); ++to) {
        if (from == to) continue;
        for (const Lane lane : lanes) {
          deliver(from, to, lane,
                  fmt::format("{}, {} to {}, {}", when, from, to, static_cast<int>(lane)));
        }
      }
    }
  }
  // Lets go whatever may be let go.
  void give_up() {
    given_up = true;
    for (const auto& station : all) station->hold(false);
  }

  const std::shared_ptr<Watch> watch;  // shared with a thread that may be left behind
  std::vector<std::unique_ptr<Station>> all{};
  std::atomic<bool> given_up{false};
};

std::string bytes(std::size_t size, std::uint64_t seed) {
  core::Prng random(seed);
  std::string packet(size, '\0');
  for (char& byte : packet) byte = static_cast<char>(random.next());
  return packet;
}

void peers_reach_the_address(Stations& stations) {
  stations.start();
  for (std::size_t i = 0; i < 3; ++i) {
    if (stations[i].address() != stations[(i + 1) % 3].address()) continue;
    throw RuleBroken{fmt::format("two transports have one address, {}", stations[i].address())};
  }
  stations.work("at first");
  stations.stop();
}

void packets_arrive_whole(Stations& stations) {
  stations.start();
  std::uint64_t seed = 0;
  for (const std::size_t size : {1U, 2U, 3U, 100U, 4095U, 4096U, 65'535U, 65'536U, 65'537U,
                                 300'000U, (1U << 20) - 1, 1U << 20}) {
    for (const Lane lane : lanes) {
      // Bytes of all values; then such as a protocol of lines, or of strings in C, would cut.
      stations.deliver(0, 1, lane, bytes(size, ++seed));
      stations.deliver(1, 0, lane, std::string(size, '\0') + (lane == Lane::bulk ? "\n" : "\r"));
      stations.deliver(0, 2, lane, std::string(size, '\n') + (lane == Lane::bulk ? '\0' : ' '));
    }
  }
  stations.stop();
}

void any_thread_may_send(Stations& stations) {
  stations.start();
  constexpr std::size_t threads = 4;
  constexpr std::size_t packets = 300;
  std::vector<std::vector<std::string>> all(threads);
  for (std::size_t thread = 0; thread < threads; ++thread) {
    for (std::size_t i = 0; i < packets; ++i) {
      std::string& packet = all[thread].emplace_back(bytes(8 + i * i % 5000, thread * packets + i));
      stations[1 + i % 2].expect(packet);
    }
  }
  stations.watch->call("send() from four threads at once", [&] {
    std::vector<std::thread> senders;
    for (std::size_t thread = 0; thread < threads; ++thread) {
      senders.emplace_back([&, thread] {
        for (std::size_t i = 0; i < packets; ++i) {
          stations[0].send_unwatched(stations[1 + i % 2].address(), lanes[i / 2 % 2],
                                     all[thread][i]);
        }
      });
    }
    for (std::thread& sender : senders) sender.join();
  });
  stations.work("after a flood");
  stations.stop();
}

void a_send_never_waits(Stations& stations) {
  stations.start();
  stations.work("before");
  stations[1].hold(true);
  for (int i = 0; i < 256; ++i) {
    for (const Lane lane : lanes) {
      const std::string packet = fmt::format("{:8}", i) + std::string(256U << 10, 'x');
      stations[1].expect(packet);
      stations[0].send(stations[1].address(), lane, packet);
    }
  }
  stations[1].hold(false);
  stations.work("once the peer listens again");
  stations.stop();
}

void addresses_that_lead_nowhere_do_no_harm(Stations& stations) {
  using namespace std::string_literals;
  stations.start();
  const std::array<std::string, 9> nowhere{"",
                                           ":",
                                           "nowhere",
                                           "127.0.0.1",
                                           "127.0.0.1:99999999",
                                           "\0\xff\n"s,
                                           "[::1",
                                           "%s%n:1",
                                           std::string(10'000, 'x') + ":1"};
  for (int round = 0; round < 20; ++round) {
    for (const std::string& address : nowhere) {
      for (const Lane lane : lanes) stations[0].send(address, lane, "to nobody");
    }
  }
  stations.work("after packets to nobody");
  stations[2].stop();
  for (int round = 0; round < 20; ++round) {
    for (const Lane lane : lanes) stations[0].send(stations[2].address(), lane, "too late");
    stations.deliver(0, 1, Lane::request, fmt::format("after {} to one who stopped", round));
  }
  stations.stop();
}

void receive_may_send(Stations& stations) {
  Station& a = stations[0];
  Station& b = stations[1];
  const auto answer_to = [](const std::string& packet) { return "answer to " + packet; };
  b.on_packet([&a, &b, answer_to](const std::string& packet) {
    b.send_unwatched(a.address(), Lane::request, answer_to(packet));
  });
  stations.start();
  for (int i = 0; i < 50; ++i) {
    const std::string packet = fmt::format("question {}", i);
    a.expect(answer_to(packet));
    const auto end = std::chrono::steady_clock::now() + stations.watch->patience();
    do {
      stations.deliver(0, 1, Lane::request, packet);
      if (std::chrono::steady_clock::now() < end) continue;
      throw RuleBroken{"no packet that was sent from within `receive` ever arrived"};
    } while (!a.await(answer_to(packet), milliseconds(100)));
  }
  stations.stop();
}

void nothing_arrives_after_stop(Stations& stations) {
  std::atomic<bool> slow_one = false;
  stations[1].on_packet([&](const std::string& packet) {
    if (packet != "slow") return;
    slow_one = true;
    stations[2].await("what never comes", milliseconds(50));  // so that stop() finds it running
  });
  stations.start();
  stations.deliver(0, 1, Lane::request, "before the end");
  stations[1].expect("more");
  std::atomic<bool> enough = false;
  std::thread flood([&] {
    while (!enough && !stations.given_up) {
      stations[0].send_unwatched(stations[1].address(), Lane::bulk, "more");
      std::this_thread::yield();
    }
  });
  const auto end = std::chrono::steady_clock::now() + stations.watch->patience();
  const auto end_flood = [&] {
    enough = true;
    stations.watch->call("send() to one who stopped", [&] { flood.join(); });
  };
  try {
    for (int i = 0; i < 20; ++i) stations.deliver(0, 1, Lane::bulk, fmt::format("bulk {}", i));
    stations[1].expect("slow");
    while (!slow_one) {
      stations[0].send(stations[1].address(), Lane::request, "slow");
      stations[2].await("what never comes", milliseconds(1));
      if (std::chrono::steady_clock::now() > end) throw RuleBroken{"a packet never arrived"};
    }
    stations[1].stop();
    for (int i = 0; i < 50; ++i) stations.deliver(2, 0, Lane::request, fmt::format("still {}", i));
    stations[1].stop();
    stations[1].send(stations[0].address(), Lane::request, "sent by one who stopped");
  } catch (const RuleBroken&) {
    end_flood();
    throw;
  }
  end_flood();
  stations[1].throw_if_wrong();
  stations.stop();
}

void a_stop_without_start_does_no_harm(Stations& stations) {
  stations[0].stop();
  stations[0].stop();
  stations[1].send("nowhere", Lane::request, "sent by one who has not started");
  stations[1].stop();
}

struct Rule {
  std::string_view name;
  void (*check)(Stations&);
};

constexpr std::array<Rule, 8> rules{{
    {.name = "peers reach the address that start() returns", .check = peers_reach_the_address},
    {.name = "packets arrive whole", .check = packets_arrive_whole},
    {.name = "any thread may send", .check = any_thread_may_send},
    {.name = "a send never waits for the peer", .check = a_send_never_waits},
    {.name = "addresses that lead nowhere do no harm",
     .check = addresses_that_lead_nowhere_do_no_harm},
    {.name = "receive may send", .check = receive_may_send},
    {.name = "nothing arrives after stop", .check = nothing_arrives_after_stop},
    {.name = "a stop without a start does no harm", .check = a_stop_without_start_does_no_harm},
}};

absl::Status run(const std::shared_ptr<Stations>& stations, std::function<void()> rule) {
  const auto stop_in_any_case = [raw = stations.get(), rule = std::move(rule)] {
    try {
      rule();
    } catch (const RuleBroken&) {
      raw->end();
      throw;
    }
  };
  return Watch::run(stations->watch, stations, stop_in_any_case, [&] { stations->give_up(); });
}

absl::StatusOr<std::unique_ptr<Transport>> made(
    absl::StatusOr<std::unique_ptr<Transport>> transport) {
  if (transport.ok() && *transport == nullptr) return broken("make_transport made a null pointer");
  return transport;
}

void address_is_refused_while_in_use(Stations& stations, MakeTransport make_transport,
                                     MakeTransportAt make_at) {
  const auto add = [&](absl::StatusOr<std::unique_ptr<Transport>> transport) {
    transport = made(std::move(transport));
    if (!transport.ok()) throw RuleBroken{transport.status().ToString()};
    stations.add(*std::move(transport));
  };
  add(make_transport());
  add(make_transport());
  stations.start();
  const std::string address = stations[0].address();
  stations.work("at first");

  absl::Status refused;
  absl::StatusOr<std::unique_ptr<Transport>> second = made(make_at(address));
  if (second.ok()) {
    Station intruder("an intruder", *std::move(second), *stations.watch);
    refused = intruder.try_start();
    intruder.stop();
  } else {
    refused = second.status();
  }
  if (refused.ok()) throw RuleBroken{fmt::format("{} was given to two transports", address)};
  if (refused.ToString().find(address) == std::string::npos) {
    throw RuleBroken{
        fmt::format("the error does not name the address {}: {}", address, refused.ToString())};
  }
  stations.work("after another was refused");

  stations[0].stop();
  add(make_at(address));
  stations[2].start();
  stations.deliver(1, 2, Lane::request, "to who listens there now");
  stations.deliver(2, 1, Lane::request, "and back");
  stations.stop();
}

}  // namespace

absl::Status transport_check(MakeTransport make_transport, milliseconds patience) {
  for (const Rule& rule : rules) {
    // Shared with a thread that may be left behind.
    const auto stations = std::make_shared<Stations>(patience);
    for (int i = 0; i < 3; ++i) {
      absl::StatusOr<std::unique_ptr<Transport>> transport = made(make_transport());
      if (!transport.ok()) return transport.status();
      stations->add(*std::move(transport));
    }
    const absl::Status wrong =
        run(stations, [raw = stations.get(), check = rule.check] { check(*raw); });
    if (!wrong.ok()) return breaks_rule("transport", rule.name, wrong);
  }
  return absl::OkStatus();
}

absl::Status transport_address_check(MakeTransport make_transport, MakeTransportAt make_at,
                                     milliseconds patience) {
  const auto stations = std::make_shared<Stations>(patience);
  const absl::Status wrong = run(stations, [raw = stations.get(), make_transport, make_at] {
    address_is_refused_while_in_use(*raw, make_transport, make_at);
  });
  if (wrong.ok()) return wrong;
  return breaks_rule("transport", "an address has one transport at a time", wrong);
}

absl::Status transport_check(MakeTransport make_transport) {
  return transport_check(make_transport, default_patience);
}

absl::Status transport_address_check(MakeTransport make_transport, MakeTransportAt make_at) {
  return transport_address_check(make_transport, make_at, default_patience);
}

}  // namespace dynamo::testing
