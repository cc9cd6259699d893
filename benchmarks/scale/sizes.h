#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

// What a cluster of one size costs.
struct SizeRow {
  int members = 0;
  int partitions = 0;
  double place_seconds = 0;  // of processor time, for n = 3
  double plan_seconds = 0;   // the moves of one join
  int moves = 0;             // partitions that it moves, for stores of any n
  std::uint64_t view_bytes = 0;
  double load_max = 0;  // over the mean, n = 3
  double moved = 0;     // over what a newcomer has to get, n = 3
  double join_seconds = 0;
  double join_messages = 0;    // a member
  double join_bytes = 0;       // a member
  double join_bytes_most = 0;  // of the member that sent most
  double rest_messages = 0;    // a member, in a second
  double rest_bytes = 0;       // a member, in a second
  double pings = 0;            // that a node's failure detector sends in a second
};

SizeRow measure_size(int members, int partitions);

std::string size_table(const std::vector<SizeRow>& rows);
std::string size_json(const std::vector<SizeRow>& rows);
std::string size_svg(const std::vector<SizeRow>& rows);

}  // namespace bench
