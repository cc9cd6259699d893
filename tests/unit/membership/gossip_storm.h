#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/prng.h"
#include "gossip_net.h"

namespace test {

// The register under fire: three to six members join, leave, are removed, lose their disks, crash
// and are cut off from each other while messages are lost, late and repeated and disks refuse.
// Whatever happens, nobody ever publishes two different views of one number, none goes back, and in
// the end all agree.
class GossipStorm {
 public:
  explicit GossipStorm(std::uint64_t seed);

  // What went wrong; empty: nothing.
  std::string run();
  std::uint64_t views() const { return views_; }

 private:
  static char letter(std::uint64_t i) { return static_cast<char>('a' + i); }
  std::string any();
  void start(const std::string& name);
  bool is_up(const std::string& name) { return net_.node(name).membership != nullptr; }
  void step();
  void wipe(const std::string& name);
  void leave(GossipNet::Node& node);
  void finish();
  std::string calm();
  void force_out();
  bool runs(const dynamo::Identity& identity);
  bool agree();
  std::string describe();

  dynamo::core::Prng prng_;
  GossipNet net_;
  std::vector<std::string> seeds_;
  bool wiped_ = false;
  std::uint64_t views_ = 0;
};

}  // namespace test
