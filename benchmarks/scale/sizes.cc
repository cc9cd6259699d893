#include "scale/sizes.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "coordinator/failure_detector.h"
#include "ring/plan_moves.h"
#include "scale/network.h"
#include "scale/plot.h"
#include "wire/view_codec.h"

namespace bench {

namespace {

using dynamo::Member;
using dynamo::View;
using dynamo::core::PreferenceLists;

constexpr int replicas = 3;

// Of this process: the machine may be shared.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::vector<Member> members_of(int count) {
  std::vector<Member> members;
  for (int i = 0; i < count; ++i) members.push_back({.name = fmt::format("node-{:04}", i)});
  return members;
}

double load_max(const PreferenceLists& lists, int members, int partitions) {
  std::vector<int> loads(static_cast<std::size_t>(members));
  for (std::size_t p = 0; p < static_cast<std::size_t>(partitions); ++p) {
    for (const dynamo::core::MemberIndex owner : lists[p].first(replicas)) ++loads[owner];
  }
  const double mean = static_cast<double>(partitions) * replicas / members;
  return *std::ranges::max_element(loads) / mean;
}

// Members are numbered, so a newcomer is the last and the others keep their indices.
double moved(const PreferenceLists& before, const PreferenceLists& after, int members,
             int partitions) {
  int moved = 0;
  for (std::size_t p = 0; p < static_cast<std::size_t>(partitions); ++p) {
    const auto old_owners = before[p].first(replicas);
    for (const dynamo::core::MemberIndex owner : after[p].first(replicas)) {
      moved += std::ranges::find(old_owners, owner) == old_owners.end() ? 1 : 0;
    }
  }
  return moved / (static_cast<double>(partitions) * replicas / (members + 1));
}

void measure_placement(SizeRow& row) {
  const std::vector<Member> members = members_of(row.members);
  double begin = processor_seconds();
  const PreferenceLists lists = dynamo::core::place(members, row.partitions, replicas);
  row.place_seconds = processor_seconds() - begin;
  row.load_max = load_max(lists, row.members, row.partitions);
  View view{.number = 1, .members = members};
  View next{.number = 2, .members = members_of(row.members + 1)};
  begin = processor_seconds();
  next.moves = dynamo::core::plan_moves(view, next.members, row.partitions);
  row.plan_seconds = processor_seconds() - begin;
  row.moves = static_cast<int>(next.moves.size());
  std::string bytes;
  dynamo::core::Encoder out(bytes);
  dynamo::core::encode_view(next, out);
  row.view_bytes = bytes.size();
  const PreferenceLists grown = dynamo::core::place(next.members, row.partitions, replicas);
  row.moved = moved(lists, grown, row.members, row.partitions);
}

void measure_network(SizeRow& row) {
  constexpr int rest_seconds = 60;
  Network network(row.members, row.partitions, 2007);
  network.run_for(5000);
  network.traffic();
  network.run_for(rest_seconds * 1000);
  const double members = row.members;
  const Network::Traffic rest = network.traffic();
  row.rest_messages = static_cast<double>(rest.messages) / members / rest_seconds;
  row.rest_bytes = static_cast<double>(rest.bytes) / members / rest_seconds;
  network.join();
  const std::int64_t took = network.run_until_all_see(static_cast<std::size_t>(row.members) + 1);
  row.join_seconds = static_cast<double>(took) / 1000;
  const Network::Traffic join = network.traffic();
  row.join_messages = static_cast<double>(join.messages) / members;
  row.join_bytes = static_cast<double>(join.bytes) / members;
  row.join_bytes_most = static_cast<double>(join.most_bytes);
}

// Of one node in a cluster at rest in which everybody answers.
void measure_pings(SizeRow& row) {
  using dynamo::core::FailureDetector;
  using dynamo::core::TimePoint;
  std::vector<std::string> peers;
  for (const Member& member : members_of(row.members - 1)) peers.push_back(member.name);
  FailureDetector detector;
  TimePoint now = std::chrono::seconds(100);
  detector.set_peers(peers, now);
  constexpr int seconds = 300;
  std::size_t pings = 0;
  for (const TimePoint end = now + std::chrono::seconds(seconds); now < end;) {
    now = std::min(end, std::max(detector.next_tick(), now + std::chrono::milliseconds(1)));
    std::vector<std::string> lost;
    const std::vector<std::string> asked = detector.tick(now, lost);
    for (const std::string& peer : asked) detector.heard(peer, now);
    pings += asked.size();
  }
  row.pings = static_cast<double>(pings) / seconds;
}

}  // namespace

SizeRow measure_size(int members, int partitions) {
  SizeRow row{.members = members, .partitions = partitions};
  measure_placement(row);
  measure_network(row);
  measure_pings(row);
  return row;
}

std::string size_table(const std::vector<SizeRow>& rows) {
  std::string text = fmt::format(
      "{:>7} {:>6} | {:>8} {:>8} | {:>8} {:>6} {:>7} {:>9} | {:>6} {:>8} {:>10} {:>10} | {:>6} "
      "{:>6} {:>6}\n",
      "members", "Q", "place s", "plan s", "max/mean", "moved", "moves", "view B", "join s",
      "msg/node", "B/node", "most B", "msg/s", "B/s", "ping/s");
  for (const SizeRow& row : rows) {
    text += fmt::format(
        "{:>7} {:>6} | {:>8.4f} {:>8.4f} | {:>8.3f} {:>6.3f} {:>7} {:>9} | {:>6.2f} {:>8.1f} "
        "{:>10.0f} {:>10.0f} | {:>6.2f} {:>6.0f} {:>6.1f}\n",
        row.members, row.partitions, row.place_seconds, row.plan_seconds, row.load_max, row.moved,
        row.moves, row.view_bytes, row.join_seconds, row.join_messages, row.join_bytes,
        row.join_bytes_most, row.rest_messages, row.rest_bytes, row.pings);
  }
  return text;
}

std::string size_json(const std::vector<SizeRow>& rows) {
  std::string text;
  for (const SizeRow& row : rows) {
    text += fmt::format(
        R"({}    {{"members": {}, "partitions": {}, "place_seconds": {:.5f}, )"
        R"("plan_seconds": {:.5f}, )"
        R"("load_max_over_mean": {:.4f}, "moved_over_minimum": {:.4f}, "moves": {}, )"
        R"("view_bytes": {}, "join_seconds": {:.3f}, "join_messages_per_member": {:.2f}, )"
        R"("join_bytes_per_member": {:.0f}, "join_bytes_of_busiest": {:.0f}, )"
        R"("rest_messages_per_second": {:.3f}, "rest_bytes_per_second": {:.1f}, )"
        R"("pings_per_second": {:.2f}}})",
        text.empty() ? "" : ",\n", row.members, row.partitions, row.place_seconds, row.plan_seconds,
        row.load_max, row.moved, row.moves, row.view_bytes, row.join_seconds, row.join_messages,
        row.join_bytes, row.join_bytes_most, row.rest_messages, row.rest_bytes, row.pings);
  }
  return fmt::format("{{\n  \"sizes\": [\n{}\n  ]\n}}\n", text);
}

std::string size_svg(const std::vector<SizeRow>& rows) {
  Plot plot("what one member has to do, by the size of the cluster", "members", "logarithmic");
  plot.logarithmic = true;
  const auto add = [&](const char* name, auto value) {
    Plot::Line line{.name = name};
    for (const SizeRow& row : rows) line.points.emplace_back(row.members, value(row));
    plot.lines.push_back(std::move(line));
  };
  add("at rest: bytes a second", [](const SizeRow& row) { return row.rest_bytes; });
  add("at rest: pings a second", [](const SizeRow& row) { return row.pings; });
  add("a join: messages", [](const SizeRow& row) { return row.join_messages; });
  add("a join: kilobytes", [](const SizeRow& row) { return row.join_bytes / 1000; });
  add("a join: seconds until all know", [](const SizeRow& row) { return row.join_seconds; });
  add("placement: processor milliseconds",
      [](const SizeRow& row) { return row.place_seconds * 1000; });
  return plot.svg();
}

}  // namespace bench
