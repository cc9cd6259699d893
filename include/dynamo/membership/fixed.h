#pragma once

#include <memory>
#include <vector>

#include <dynamo/export.h>
#include <dynamo/membership.h>

namespace dynamo {

// A cluster whose members are known beforehand and never change: every node gets the same list of
// names and addresses (weights and zones too, where used), this node among them. Zone and weight of
// this node are taken from the list, not from NodeOptions.
//
// Identities are not given: the identity of a name is learned from its first packet and pinned. The
// cluster's identity is a hash of the sorted names, so a list with other names is another cluster;
// addresses may change between restarts.
//
// start() refuses with INVALID_ARGUMENT: an empty list, an empty or repeated name, an empty
// address, a list that lacks this node, a weight that is negative or not finite, weights that are
// all zero. change() always answers FAILED_PRECONDITION.
DYNAMO_EXPORT std::unique_ptr<Membership> fixed_membership(std::vector<Member> members);

}  // namespace dynamo
