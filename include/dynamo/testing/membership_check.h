#pragma once

#include <memory>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <dynamo/membership.h>

// The contract of Membership as a program, for the author of a membership. Belongs to no test
// framework: OK means that the membership keeps the contract as far as was tried, any other status
// names the rule that was broken, with the values. Well below a second.
namespace dynamo::testing {

// Makes a membership, not started, as this node would have it.
using MakeMembership = absl::FunctionRef<absl::StatusOr<std::unique_ptr<Membership>>()>;

// First view, numbering, changes, damaged messages, state that is given back, and the end.
//
// `self` is this node as its options have it; an identity is drawn if it has none. The membership
// is alone: what it sends arrives nowhere, and it has to come to a first view, with this node in
// it, within a minute of ticks, which take no time.
//
// Thread safety: any thread.
absl::Status membership_check(Member self, MakeMembership make_membership);

}  // namespace dynamo::testing
