#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <dynamo/membership.h>

namespace demo {

struct NodeArguments {
  std::string name{};
  std::filesystem::path base{};  // of the demo; the node's data is below it
  std::vector<dynamo::Member> members{};
};

// One process of the application: a node with three stores, and shoppers' requests from standard
// input, one a line; an answer a line on standard output, in any order.
//
//   add NUMBER USER ADD ITEM QUANTITY [REMOVED ADD]   puts an item into a cart, in place of another
//   remove NUMBER USER ADD                            takes it out
//   session NUMBER USER PAGE                          last write wins
//   product NUMBER ITEM                               fills the catalogue
//   cart NUMBER USER                                  shows a cart: its add numbers, with commas
//   quit                                              ends
//
//   NUMBER ok GET_US PUT_US CATALOG_US VERSIONS [TEXT]   or   NUMBER failed TEXT
//
// Returns the exit code. Ends when standard input does; if that is because the parent died, the
// demo's directory goes, too.
int run_node(const NodeArguments& arguments);

}  // namespace demo
