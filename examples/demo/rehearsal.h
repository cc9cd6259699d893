#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "baskets.h"
#include "ledger.h"
#include "node_process.h"
#include "report.h"

namespace demo {

// The story of the demo: three node processes, shoppers, a kill -9 in the middle, an audit at the
// end.
class Rehearsal {
 public:
  Rehearsal(std::vector<Basket> baskets, int users, std::filesystem::path base);

  // Runs the story and prints the report. Returns whether nothing acknowledged was lost. Throws
  // std::runtime_error if a node does not start, Interrupted on a signal.
  bool run();

  struct Interrupted {};

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t nodes = 3;
  static constexpr std::size_t in_flight_max = 24;

  void start_node(std::size_t node);
  void plan_products();
  void plan_shopping();
  void plan(std::size_t node, Request request);
  // Sends and receives until all that is planned has been answered, or time is up.
  void play(Clock::time_point until, const char* act);
  void feed();
  void wait_for_pipes();
  void receive(std::size_t node);
  void take_answer(std::size_t node, const std::vector<std::string>& fields);
  void shop_on(std::size_t node, const Request& request);
  void kill_or_restart(Clock::time_point until);
  void abandon(std::size_t node);
  void audit();
  std::string describe(const char* act) const;
  bool report();

  const std::vector<Basket> baskets_;
  const int users_;
  const std::filesystem::path base_;
  std::vector<dynamo::Member> members_;
  std::array<std::unique_ptr<NodeProcess>, nodes> processes_;
  std::array<std::deque<Request>, nodes> planned_;
  std::map<int, Request> in_flight_;
  std::map<std::string, std::array<std::set<std::string>, nodes>>
      shown_;  // by user, as each node says
  int last_number_ = 0;
  std::size_t shopping_planned_ = 0;
  std::size_t shopping_done_ = 0;
  enum class Act { before, killed, restarted } act_ = Act::before;
  Clock::time_point killed_at_{};

  Ledger ledger_;
  Ledger::Audit audit_;
  Progress progress_;
  Latencies cart_gets_, cart_puts_, session_gets_, session_puts_, catalog_gets_, catalog_puts_;
  std::size_t failed_ = 0;
  std::size_t unanswered_ = 0;
  std::size_t while_down_ = 0;
  std::size_t sibling_reads_ = 0;
  std::set<std::string> carts_with_siblings_;
  std::size_t merged_at_audit_ = 0;
  unsigned chance_ = 1;
};

}  // namespace demo
