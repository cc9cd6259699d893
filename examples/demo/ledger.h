#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace demo {

// One request to a node.
struct Request {
  enum class Kind { add, remove, session, product, cart } kind = Kind::add;
  int number = 0;
  std::string user{};
  std::string add{};  // the add's number, or the one that is removed
  std::string item{};
  int quantity = 1;
  std::string replaces{};  // an add that this one takes the place of: a change of quantity
};

// What shoppers were told, cart by cart. The audit compares it with what the nodes say in the end.
class Ledger {
 public:
  void acknowledged(const Request& request);
  // No answer, or a failure: it may have happened or not.
  void uncertain(const Request& request);

  struct Audit {
    std::size_t carts = 0;
    std::size_t adds = 0;                 // acknowledged
    std::size_t lost = 0;                 // of those, neither in the cart nor ever removed
    std::size_t resurfaced = 0;           // removed, acknowledged, and back: the paper's anomaly
    std::vector<std::string> examples{};  // of lost adds
  };
  // Adds to the audit what a node shows for this user.
  void check(const std::string& user, const std::set<std::string>& shown, Audit& audit) const;
  std::vector<std::string> users() const;

 private:
  struct Cart {
    std::set<std::string> added{};
    std::set<std::string> removed{};        // acknowledged
    std::set<std::string> maybe_removed{};  // asked for
  };
  std::map<std::string, Cart> carts_;
};

}  // namespace demo
