#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <dynamo/export.h>
#include <dynamo/membership.h>

namespace dynamo {

// What gossip_membership() goes by.
struct GossipOptions {
  // As NodeOptions::cluster and NodeOptions::partitions: nodes with others are not let in.
  std::string cluster = "dynamo";
  int partitions = 256;
  // Whom to ask for a cluster: "host:port" each, the same list on every node. Empty: this node
  // founds a cluster, if it is in none yet.
  std::vector<std::string> seeds{};
  // All addresses that a seed's name stands for, for `found`, which may be called from any thread,
  // at once or later, or never. Asked again while seeds are needed. Empty: seeds are addresses.
  using Found = std::function<void(std::vector<std::string> addresses)>;
  std::function<void(const std::string& seed, Found found)> lookup{};
};

// Members that find each other and decide by themselves who belongs to the cluster: the default.
//
// A node with empty seeds and no data founds a cluster. With seeds it asks them. If one is in a
// cluster, it joins that; once a majority of the listed seeds, this node among them, have said that
// they know of none, they found one together. A node that is not among its seeds never founds any.
// A seed whose name has several addresses counts once for each of them, so such a list is safe for
// founding only if every node finds the same addresses.
//
// Views are numbered, and each is chosen by a majority of the members of the one before, without a
// leader; then they spread from node to node, and are stored (paper, 4.8.1; trap F14). Where less
// than a majority can talk to each other, members do not change, and data traffic goes on. One that
// joins under the name of a member that cannot be reached takes that one's place, as a node that
// has lost its disk. A node may change its address, zone and weight at any start. Changes that come
// at the same time are made together. Whoever has left or was removed is never taken back: its data
// directory is refused.
//
// At rest, a node sends one message of about a hundred bytes a second, whatever the number of
// members.
//
// start() refuses with FAILED_PRECONDITION a directory that has left its cluster or was removed
// from it, and with DATA_LOSS a stored state that is damaged. change(): FAILED_PRECONDITION for
// what the view does not allow, and before there is a cluster; OK means that it has been asked, and
// a later view shows it. A removal is not decided while the member answers.
DYNAMO_EXPORT std::unique_ptr<Membership> gossip_membership(GossipOptions options);

}  // namespace dynamo
