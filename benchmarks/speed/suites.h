#pragma once

#include <memory>

#include "speed/suite.h"

namespace bench {

// Processor time and memory with many keys.
std::unique_ptr<Suite> many_keys_suite(const Setting& setting);
// Processor time with a thousand members in the view.
std::unique_ptr<Suite> many_members_suite(const Setting& setting);
// Processor time and speed-up of nodes with several loops.
std::unique_ptr<Suite> many_loops_suite(const Setting& setting);
// Requests while the cluster repairs itself and grows.
std::unique_ptr<Suite> background_suite(const Setting& setting);
// Ten times the load that a node can carry.
std::unique_ptr<Suite> overload_suite(const Setting& setting);
// The ratios that the paper gives of its own system.
std::unique_ptr<Suite> paper_suite(const Setting& setting);
// Other sizes, other keys, mixes of gets and puts, other quorums.
std::unique_ptr<Suite> workloads_suite(const Setting& setting);

}  // namespace bench
