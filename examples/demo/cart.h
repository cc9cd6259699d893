#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include <dynamo/version.h>

namespace demo {

// A cart: what was added, by the number of the add. The number makes every add countable: an add
// that was acknowledged and that nobody removed must be in the final cart.
using Cart = std::map<std::string, std::string>;  // add number -> "quantity x item"

Cart parse_cart(std::string_view object);
std::string format_cart(const Cart& cart);

// The paper's merge (4.4): whatever any version holds. No add is lost; an item that one device
// removes while another changes the cart may come back.
std::string merge_carts(std::span<const dynamo::Version> siblings);

}  // namespace demo
