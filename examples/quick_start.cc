// Three nodes of one cluster, here in one process: a put through one of them, a get through
// another.

#include <cstdio>
#include <filesystem>

#include <dynamo/dynamo.h>

int main() {
  const std::filesystem::path data = std::filesystem::temp_directory_path() / "dynamo-quick-start";
  std::filesystem::remove_all(data);
  const std::vector<std::string> addresses = {"127.0.0.1:7001", "127.0.0.1:7002", "127.0.0.1:7003"};
  std::vector<dynamo::Node> nodes;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const std::string name(1, "abc"[i]);
    auto node = dynamo::Node::start(
        {.name = name, .listen = addresses[i], .seeds = addresses, .data_dir = data / name});
    if (!node.ok()) return std::fprintf(stderr, "%s\n", node.status().ToString().c_str()), 1;
    nodes.push_back(*std::move(node));
  }

  auto here = nodes[0].open("greetings");
  auto there = nodes[2].open("greetings");
  auto first = here->put("hello", dynamo::Context(), "world");
  auto found = there->get("hello");
  if (!first.ok() || !found.ok() || !found->found()) return 1;
  std::printf("c says: hello %s\n", found->object().c_str());

  auto second = there->put("hello", found->context, "ring");  // replaces what `found` has seen
  if (!second.ok()) return std::fprintf(stderr, "%s\n", second.status().ToString().c_str()), 1;
  std::printf("stored by: %s\n", dynamo::to_string(second->outcome).c_str());

  nodes.clear();
  std::filesystem::remove_all(data);
}
