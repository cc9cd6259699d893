#pragma once

#include <string>
#include <vector>

namespace bench {

// The paper's figure 6: which part of the nodes is out of balance, that is, more than 15 % off the
// mean load, in 30 minutes, at low and at high load. 30 simulated nodes, n = 3, r = w = 2. People
// come, each with a key of its own, read it and write it ten times with pauses, and go; the load is
// how many of them there are at once. A node's load is the requests that it gets as a replica.
struct BalanceRow {
  int people = 0;  // at once
  double requests_per_second = 0;
  double out_of_balance = 0;  // part of the nodes, mean of the periods
  double busiest = 0;         // its load over the mean, mean of the periods
};

std::vector<BalanceRow> measure_balance(int minutes);

std::string balance_table(const std::vector<BalanceRow>& rows);
std::string balance_json(const std::vector<BalanceRow>& rows);

}  // namespace bench
