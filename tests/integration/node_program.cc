// One node in a process of its own, driven by lines on standard input:
//
//   NUMBER add KEY ELEMENT     get, add the element to the set, put with that context
//   NUMBER get KEY             the set, with commas
//   NUMBER get_all KEY         the same, from all three replicas
//   NUMBER alone KEY           the same, of this node's own replica
//   NUMBER owners KEY          their names, with commas
//   NUMBER hints               how many writes it keeps for others
//   NUMBER converge MS         waits until all owners are equal
//   NUMBER fill KEY BYTES      puts so many bytes
//   NUMBER size KEY            how many there are; -1: none
//   NUMBER status              "VIEW MEMBERS MOVES", of its view of the cluster
//   NUMBER can_stop            yes or no
//   NUMBER drain MS            and then it can be quit
//   NUMBER leave MS
//   NUMBER remove NAME
//   NUMBER disk none|sync|meta_page
//                              from now on this fails, for the engine of this process
//   quit
//
// Answers, in any order: "NUMBER ok TEXT" or "NUMBER failed CODE VERDICT TEXT". Before them one
// line, "ready ADDRESS" or "failed CODE TEXT"; in between "log TEXT". Arguments: NAME DIRECTORY
// LABEL PARTITIONS synced|buffered|strict MAP_BYTES_MAX, then NAME=ADDRESS... for a fixed list of
// members, or +ADDRESS of its own and SEED... for gossip. `strict` is synced, and nobody stands in.
// Addresses may be of a network namespace. The engine starts with a small map, so that it has to
// grow in whatever a test does.

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <dynamo/dynamo.h>
#include <dynamo/storage/lmdb.h>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>

#include "failing_disk.h"

namespace {

using Set = std::set<std::string>;

void say(const std::string& text) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  const std::string line = text + "\n";
  if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) std::_Exit(3);
}

std::string one_line(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  return line;
}

Set parse(std::string_view object) {
  Set set;
  std::istringstream in{std::string(object)};
  for (std::string element; std::getline(in, element, ',');) set.insert(element);
  return set;
}

std::string format(const Set& set) {
  std::string text;
  for (const std::string& element : set) text += (text.empty() ? "" : ",") + element;
  return text;
}

std::string merge(std::span<const dynamo::Version> siblings) {
  Set all;
  for (const dynamo::Version& version : siblings) all.merge(parse(version.object));
  return format(all);
}

std::string failure(const std::string& number, const absl::Status& status) {
  const auto outcome = dynamo::outcome_of(status);
  std::string verdict = outcome ? std::string(to_string(outcome->verdict)) : "none";
  for (char& c : verdict) {
    if (c == ' ') c = '_';
  }
  return number + " failed " + absl::StatusCodeToString(status.code()) + " " + verdict + " " +
         one_line(std::string(status.message()));
}

// Whether nobody but this node answered.
bool is_alone(const dynamo::Outcome& outcome, const std::string& name) {
  using Answer = dynamo::ReplicaReport::Answer;
  for (const dynamo::ReplicaReport& replica : outcome.replicas) {
    const bool answered = replica.answer == Answer::found || replica.answer == Answer::not_found;
    if (answered != (replica.node == name)) return false;
  }
  return true;
}

// What concerns the node and no key; nullopt for other verbs.
std::optional<std::string> answer(dynamo::Node& node, const std::string& number,
                                  const std::string& verb, const std::string& argument) {
  const auto done = [&](const absl::Status& status) {
    return status.ok() ? number + " ok " : failure(number, status);
  };
  const auto deadline = [&] { return std::chrono::milliseconds(std::stoi(argument)); };
  if (verb == "converge") return done(node.await_converged(deadline()));
  if (verb == "drain") return done(node.drain(deadline()));
  if (verb == "leave") return done(node.leave(deadline()));
  if (verb == "remove") return done(node.remove(argument));
  if (verb == "can_stop") return number + " ok " + (node.can_stop() ? "yes" : "no");
  if (verb == "hints") return number + " ok " + std::to_string(node.status().hints);
  if (verb != "status") return std::nullopt;
  const dynamo::ClusterStatus status = node.status();
  std::string text = number + " ok " + std::to_string(status.view) + " " +
                     std::to_string(status.members.size()) + " " + std::to_string(status.moves);
  for (const std::string& note : status.notes) text += "; " + one_line(note);
  return text;
}

std::string answer(dynamo::Node& node, const dynamo::Store& store, const std::string& name,
                   const std::string& line) {
  std::istringstream in(line);
  std::string number, verb, key, element;
  in >> number >> verb >> key >> element;
  if (const auto answered = answer(node, number, verb, key)) return *answered;
  if (verb == "fill") {
    const auto put = store.put(key, {}, std::string(std::stoul(element), key.back()));
    return put.ok() ? number + " ok " : failure(number, put.status());
  }
  if (verb == "owners") {
    std::vector<std::string> names = store.preference_list(key);
    names.resize(std::min<std::size_t>(names.size(), 3));
    return number + " ok " + format(Set(names.begin(), names.end()));
  }
  if (verb == "disk") {
    test::fail_disk(key == "sync"        ? test::DiskFailure::sync
                    : key == "meta_page" ? test::DiskFailure::meta_page
                                         : test::DiskFailure::none);
    return number + " ok ";
  }
  dynamo::ReadOptions options;
  if (verb == "alone") options.r = 1;
  if (verb == "get_all") options.r = 3;
  const auto seen = store.get(key, options);
  if (!seen.ok()) return failure(number, seen.status());
  if (verb == "alone" && !is_alone(seen->outcome, name)) {
    return number + " failed INTERNAL none " + to_string(seen->outcome);
  }
  if (verb == "size") {
    return number + " ok " + (seen->found() ? std::to_string(seen->object().size()) : "-1");
  }
  Set set = seen->found() ? parse(seen->object()) : Set();
  if (verb != "add") return number + " ok " + format(set);
  set.insert(element);
  const auto put = store.put(key, seen->context, format(set));
  return put.ok() ? number + " ok " : failure(number, put.status());
}

absl::StatusOr<dynamo::Node> start(const std::vector<std::string>& arguments) {
  dynamo::NodeOptions options{.cluster = arguments.at(2), .name = arguments.at(0)};
  // "a" has one loop, "b" two, "c" three and so on by turns: nodes of all kinds in every cluster.
  options.threads = 1 + (options.name.empty() ? 0 : (options.name.back() - 'a') % 3);
  options.data_dir = arguments.at(1);
  options.partitions = std::atoi(arguments.at(3).c_str());
  const bool gossips = arguments.size() > 6 && arguments[6].starts_with("+");
  std::vector<dynamo::Member> members;
  for (std::size_t i = 6; i < arguments.size(); ++i) {
    if (gossips) {
      if (i == 6) options.listen = arguments[i].substr(1);
      if (i > 6) options.seeds.push_back(arguments[i]);
      continue;
    }
    const std::size_t equals = arguments[i].find('=');
    dynamo::Member member;
    member.name = arguments[i].substr(0, equals);
    member.address = arguments[i].substr(equals + 1);
    if (member.name == options.name) options.listen = member.address;
    members.push_back(member);
  }
  options.allow_plaintext = !options.listen.starts_with("127.");
  auto engine =
      dynamo::lmdb_storage({.path = options.data_dir,
                            .map_bytes_max = std::strtoul(arguments.at(5).c_str(), nullptr, 10),
                            .map_bytes = std::size_t{1} << 20});
  if (!engine.ok()) return engine.status();
  dynamo::Components parts;
  if (!gossips) parts.membership = dynamo::fixed_membership(members);
  parts.storage = *std::move(engine);
  parts.log = [](const dynamo::LogRecord& record) { say("log " + one_line(record.text)); };
  return dynamo::Node::start(options, std::move(parts));
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  auto node = start(arguments);
  if (!node.ok()) {
    say("failed " + absl::StatusCodeToString(node.status().code()) + " " +
        one_line(std::string(node.status().message())));
    return 1;
  }
  const auto durability =
      arguments.at(4) == "buffered" ? dynamo::Durability::buffered : dynamo::Durability::synced;
  // A strict one loses no request to a machine that is busy with other things.
  const bool strict = arguments.at(4) == "strict";
  const auto store = node->open("sets", {.reconciler = dynamo::reconcile_with(merge),
                                         .durability = durability,
                                         .sloppy = !strict,
                                         .timeout = std::chrono::seconds(strict ? 10 : 1)});
  if (!store.ok()) return 2;
  say("ready " + node->address());
  asio::thread_pool workers(4);
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    asio::post(workers, [&, line] { say(answer(*node, *store, arguments.at(0), line)); });
  }
  workers.join();
}
