#include "ledger.h"

namespace demo {

void Ledger::acknowledged(const Request& request) {
  Cart& cart = carts_[request.user];
  if (request.kind == Request::Kind::add) {
    cart.added.insert(request.add);
    if (!request.replaces.empty()) cart.removed.insert(request.replaces);
  } else if (request.kind == Request::Kind::remove) {
    cart.removed.insert(request.add);
  }
}

void Ledger::uncertain(const Request& request) {
  Cart& cart = carts_[request.user];
  if (!request.replaces.empty()) cart.maybe_removed.insert(request.replaces);
  if (request.kind == Request::Kind::remove) cart.maybe_removed.insert(request.add);
}

void Ledger::check(const std::string& user, const std::set<std::string>& shown,
                   Audit& audit) const {
  const auto at = carts_.find(user);
  if (at == carts_.end()) return;
  const Cart& cart = at->second;
  ++audit.carts;
  for (const std::string& add : cart.added) {
    ++audit.adds;
    const bool there = shown.contains(add);
    if (there && cart.removed.contains(add)) ++audit.resurfaced;
    if (there || cart.removed.contains(add) || cart.maybe_removed.contains(add)) continue;
    ++audit.lost;
    if (audit.examples.size() < 5) audit.examples.push_back(user + " misses add " + add);
  }
}

std::vector<std::string> Ledger::users() const {
  std::vector<std::string> users;
  for (const auto& [user, cart] : carts_) users.push_back(user);
  return users;
}

}  // namespace demo
