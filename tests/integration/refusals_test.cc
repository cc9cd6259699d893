// What a process must not be allowed to do, each with a sentence that says why.

#include <filesystem>
#include <string>

#include "../../examples/local_cluster.h"
#include "cluster.h"

namespace {

using test::ChildNode;
using test::ChildOptions;
using test::Cluster;
using test::ContainsSubstring;

// A node that was started once, with a data directory that is now free.
struct Alone {
  test::TemporaryDirectory data;
  std::vector<dynamo::Member> members = example::local_members(3);
  ChildOptions options{.name = "a", .directory = data.path() / "a", .members = members};
};

}  // namespace

TEST_CASE("a data directory in use by another process is refused by name") {
  Alone alone;
  ChildNode first(alone.options);
  Cluster::require_ready(first.start());
  ChildOptions other = alone.options;
  other.members = example::local_members(3);
  ChildNode second(other);
  const std::string line = second.start();
  CHECK_THAT(line, ContainsSubstring("failed FAILED_PRECONDITION"));
  CHECK_THAT(line, ContainsSubstring(alone.options.directory.string()));
  first.quit();
  Cluster::require_ready(second.start());
}

TEST_CASE("a data directory of another cluster, node or ring is refused") {
  Alone alone;
  ChildNode node(alone.options);
  Cluster::require_ready(node.start());
  node.quit();

  node.options().label = "production";
  std::string line = node.start();
  CHECK_THAT(line, ContainsSubstring("failed FAILED_PRECONDITION"));
  CHECK_THAT(line, ContainsSubstring("belongs to cluster"));
  CHECK_THAT(line, ContainsSubstring(alone.options.directory.string()));

  node.options() = alone.options;
  node.options().members.pop_back();
  CHECK_THAT(node.start(), ContainsSubstring("belongs to cluster"));

  node.options() = alone.options;
  node.options().name = "b";
  line = node.start();
  CHECK_THAT(line, ContainsSubstring("failed FAILED_PRECONDITION"));
  CHECK_THAT(line, ContainsSubstring("belongs to node \"a\", not to \"b\""));

  node.options() = alone.options;
  node.options().partitions = 128;
  line = node.start();
  CHECK_THAT(line, ContainsSubstring("failed FAILED_PRECONDITION"));
  CHECK_THAT(line, ContainsSubstring("partitions: 128"));
  CHECK_THAT(line, ContainsSubstring("was made with 64"));

  node.options() = alone.options;
  Cluster::require_ready(node.start());
}

TEST_CASE("a port in use is refused by name") {
  Alone alone;
  ChildNode first(alone.options);
  Cluster::require_ready(first.start());
  ChildOptions other = alone.options;
  other.directory = alone.data.path() / "other";
  ChildNode second(other);
  const std::string line = second.start();
  CHECK_THAT(line, ContainsSubstring("failed UNAVAILABLE"));
  CHECK_THAT(line, ContainsSubstring(alone.members[0].address));
}

TEST_CASE("a data directory restored from an older copy is refused by peers, and then by itself") {
  Cluster cluster;
  cluster.start_all();
  REQUIRE(cluster[0].call("add k first").starts_with("ok"));
  cluster[0].quit();
  const auto directory = cluster.path() / "a";
  const auto copy = cluster.path() / "copy";
  std::filesystem::copy(directory, copy, std::filesystem::copy_options::recursive);
  // The original goes on, and its peers see it at a later boot.
  Cluster::require_ready(cluster[0].start());
  REQUIRE(cluster[0].call("add k second").starts_with("ok"));
  cluster[0].quit();

  std::filesystem::remove_all(directory);
  std::filesystem::rename(copy, directory);
  Cluster::require_ready(cluster[0].start());
  std::string answer;
  for (int tries = 0; tries < 20 && answer.find("older copy") == std::string::npos; ++tries) {
    answer = cluster[0].call("get k");
    REQUIRE_THAT(answer, ContainsSubstring("failed"));
  }
  CHECK_THAT(answer, ContainsSubstring("FAILED_PRECONDITION"));
  CHECK_THAT(answer, ContainsSubstring("older copy"));
  cluster[0].quit();
  // However often it is tried: its boots must not catch up.
  for (int tries = 0; tries < 3; ++tries) {
    const std::string line = cluster[0].start();
    CHECK_THAT(line, ContainsSubstring("failed FAILED_PRECONDITION"));
    CHECK_THAT(line, ContainsSubstring("older copy of node \"a\""));
  }
  // The others never stopped.
  CHECK_THAT(cluster[1].call("get k"), ContainsSubstring("first,second"));
}

TEST_CASE("nodes of another cluster at the same addresses are refused") {
  Cluster cluster;
  cluster[1].options().label = "staging";
  cluster[2].options().label = "staging";
  cluster.start_all();
  std::string answer = cluster[0].call("add k v");
  CHECK_THAT(answer, ContainsSubstring("failed"));
  // Once they have been silent for long enough, the reason is what is wrong with them.
  for (int tries = 0; tries < 20 && answer.find("belongs to cluster") == std::string::npos;
       ++tries) {
    answer = cluster[0].call("add k v");
  }
  CHECK_THAT(answer, ContainsSubstring("UNAVAILABLE"));
  CHECK_THAT(answer, ContainsSubstring("belongs to cluster"));
  CHECK(cluster[0].logged("belongs to cluster"));
  CHECK_THAT(cluster[1].call("get k"), ContainsSubstring("ok"));
}
