// Disks that fail under real processes: a clear error, reads go on, nothing that was acknowledged
// is lost, and it is all there when the processes are started again.

#include <sys/resource.h>

#include <filesystem>
#include <set>
#include <sstream>
#include <string>

#include "cluster.h"

namespace {

using test::ChildNode;
using test::Cluster;
using test::ContainsSubstring;

// Adds to one key, at one node after the other, and what was acknowledged of it.
class Adds {
 public:
  explicit Adds(Cluster& cluster) : cluster_(cluster) {}

  // Its answer. `padding` bytes make the element as long.
  std::string add(std::size_t node, std::size_t padding = 0) {
    const std::string element = "e" + std::to_string(++last_) + std::string(padding, '.');
    std::string answer = cluster_[node].call("add k " + element);
    if (answer.starts_with("ok")) acknowledged_.insert(element);
    return answer;
  }

  void require_at(std::size_t node) const {
    const std::string answer = cluster_[node].call("get_all k");
    INFO("node " << cluster_[node].options().name << ": " << answer.substr(0, 2000));
    REQUIRE(answer.starts_with("ok "));
    std::set<std::string> found;
    std::istringstream in(answer.substr(3));
    for (std::string element; std::getline(in, element, ',');) found.insert(element);
    for (const std::string& element : acknowledged_) REQUIRE(found.contains(element));
  }
  void require_everywhere() const {
    for (std::size_t i = 0; i < 3; ++i) require_at(i);
  }
  void require_after_a_crash() {
    for (std::size_t i = 0; i < 3; ++i) cluster_[i].kill();
    cluster_.start_all();
    require_everywhere();
    for (std::size_t i = 0; i < 3; ++i) REQUIRE_THAT(add(i), Catch::Matchers::StartsWith("ok"));
    require_everywhere();
  }

 private:
  Cluster& cluster_;
  std::set<std::string> acknowledged_;
  int last_ = 0;
};

}  // namespace

TEST_CASE("nodes whose disks fail acknowledge nothing more, say so, and are still read") {
  const std::string what = GENERATE("sync", "meta_page");
  INFO(what);
  Cluster cluster;
  cluster.start_all();
  Adds adds(cluster);
  for (std::size_t i = 0; i < 30; ++i)
    REQUIRE_THAT(adds.add(i % 3), Catch::Matchers::StartsWith("ok"));
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE_THAT(cluster[i].call("disk " + what), Catch::Matchers::StartsWith("ok"));
  }
  // Only what is too large for the log makes LMDB write one.
  const std::size_t padding = what == "meta_page" ? 20'000 : 0;
  // The first at the moment of the failure, the others after it.
  CHECK_THAT(adds.add(0, padding), Catch::Matchers::StartsWith("failed"));
  for (std::size_t i = 0; i < 6; ++i) {
    const std::string answer = adds.add(i % 3, padding);
    CHECK_THAT(answer, Catch::Matchers::StartsWith("failed DATA_LOSS"));
    CHECK_THAT(answer, ContainsSubstring("takes no more writes, its storage failed"));
    CHECK_THAT(answer, ContainsSubstring(cluster[i % 3].options().directory.string()));
    adds.require_everywhere();
  }
  for (std::size_t i = 0; i < 3; ++i) CHECK(cluster[i].logged("could not be written"));
  // A disk that works again is not to be trusted before somebody has looked at it.
  for (std::size_t i = 0; i < 3; ++i) cluster[i].call("disk none");
  CHECK_THAT(adds.add(0), Catch::Matchers::StartsWith("failed DATA_LOSS"));
  adds.require_everywhere();
  adds.require_after_a_crash();
}

TEST_CASE("on full disks puts are refused by name, reads go on, and puts too once there is room") {
  Cluster cluster;
  cluster.start_all();
  Adds adds(cluster);
  for (std::size_t i = 0; i < 30; ++i)
    REQUIRE_THAT(adds.add(i % 3), Catch::Matchers::StartsWith("ok"));
  for (std::size_t i = 0; i < 3; ++i) {
    const auto file = cluster[i].options().directory / "data.mdb";
    cluster[i].limit_files(std::filesystem::file_size(file));
  }
  std::string answer;
  do {
    answer = adds.add(0, 20'000);
  } while (answer.starts_with("ok"));
  // Nobody acknowledges, and whoever is asked soon names the disk. Not always at once: a put that
  // meets a commit which is tried again waits with it, and may be told of its deadline instead.
  for (std::size_t i = 0; i < 6; ++i) {
    int tries = 0;
    do {
      answer = adds.add(i % 3, 100'000);
      REQUIRE_THAT(answer, Catch::Matchers::StartsWith("failed"));
    } while (!answer.starts_with("failed RESOURCE_EXHAUSTED") && ++tries < 10);
    CHECK_THAT(answer, Catch::Matchers::StartsWith("failed RESOURCE_EXHAUSTED"));
    CHECK_THAT(answer, ContainsSubstring("cannot grow its file: File too large"));
    CHECK_THAT(answer, ContainsSubstring(cluster.path().string()));
    adds.require_everywhere();
  }
  for (std::size_t i = 0; i < 3; ++i) cluster[i].limit_files(RLIM_INFINITY);
  // Each of the others learns that there is room with its next commit.
  for (std::size_t i = 0; i < 6; ++i) {
    int tries = 0;
    do {
      answer = adds.add(i % 3, 20'000);
    } while (!answer.starts_with("ok") && ++tries < 10);
    REQUIRE_THAT(answer, Catch::Matchers::StartsWith("ok"));
  }
  adds.require_everywhere();
  adds.require_after_a_crash();
}

TEST_CASE("with full maps puts are refused by name, and reads go on") {
  Cluster cluster;
  for (std::size_t i = 0; i < 3; ++i) cluster[i].options().map_bytes_max = std::size_t{2} << 20;
  cluster.start_all();
  Adds adds(cluster);
  std::string answer;
  do {
    answer = adds.add(0, 60'000);
  } while (answer.starts_with("ok"));
  // By the coordinator's own disk, or by those of the others if they are faster.
  CHECK_THAT(answer, Catch::Matchers::StartsWith("failed RESOURCE_EXHAUSTED") ||
                         Catch::Matchers::StartsWith("failed UNAVAILABLE"));
  CHECK_THAT(answer, ContainsSubstring("map holds 2097152 bytes, set map_bytes_max higher"));
  adds.require_everywhere();
  for (std::size_t i = 0; i < 3; ++i) cluster[i].options().map_bytes_max = std::size_t{8} << 20;
  adds.require_after_a_crash();
}

// Every node starts with a map of 1 MiB.
TEST_CASE("maps grow under nodes that are read and written meanwhile") {
  Cluster cluster;
  cluster.start_all();
  const std::string padding(20'000, '.');
  constexpr int keys = 400;  // 8 MB on each node
  const auto element = [&](int key) { return "e" + std::to_string(key) + padding; };
  std::vector<int> puts;
  std::vector<int> gets;
  for (int key = 0; key < keys; ++key) {
    ChildNode& node = cluster[static_cast<std::size_t>(key) % 3];
    puts.push_back(node.send("add k" + std::to_string(key) + " " + element(key)));
    gets.push_back(node.send("get k" + std::to_string(key / 2)));
    if (key % 10 != 9) continue;  // the pipe takes so much
    for (int i = key - 9; i <= key; ++i) {
      ChildNode& asked = cluster[static_cast<std::size_t>(i) % 3];
      REQUIRE_THAT(asked.await(puts[static_cast<std::size_t>(i)]),
                   Catch::Matchers::StartsWith("ok"));
      REQUIRE_THAT(asked.await(gets[static_cast<std::size_t>(i)]),
                   Catch::Matchers::StartsWith("ok"));
    }
  }
  for (int key = 0; key < keys; ++key) {
    REQUIRE(cluster[0].call("get_all k" + std::to_string(key)) == "ok " + element(key));
  }
  for (std::size_t i = 0; i < 3; ++i) {
    const auto file = cluster[i].options().directory / "data.mdb";
    CHECK(std::filesystem::file_size(file) > std::size_t{5} << 20);  // the rest is in logs
  }
}
