#include "rehearsal.h"

#include <poll.h>

#include <cstdio>
#include <stdexcept>
#include <utility>

#include "../local_cluster.h"
#include "fields.h"
#include "signals.h"

namespace demo {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Of the two minutes that the demo may take.
constexpr seconds shopping_time(75);
constexpr seconds other_time(30);
constexpr seconds start_time(20);

std::vector<std::string> fields_of(const Request& request) {
  const std::string number = std::to_string(request.number);
  switch (request.kind) {
    case Request::Kind::add: {
      std::vector<std::string> fields = {
          "add", number, request.user, request.add, request.item, std::to_string(request.quantity)};
      if (!request.replaces.empty()) fields.push_back(request.replaces);
      return fields;
    }
    case Request::Kind::remove:
      return {"remove", number, request.user, request.add};
    case Request::Kind::session:
      return {"session", number, request.user, request.item};
    case Request::Kind::product:
      return {"product", number, request.item};
    case Request::Kind::cart:
      break;
  }
  return {"cart", number, request.user};
}

}  // namespace

Rehearsal::Rehearsal(std::vector<Basket> baskets, int users, std::filesystem::path base)
    : baskets_(std::move(baskets)),
      users_(users),
      base_(std::move(base)),
      members_(example::local_members(nodes)) {
  for (std::size_t i = 0; i < nodes; ++i) {
    processes_[i] = std::make_unique<NodeProcess>(members_[i].name, base_, members_);
  }
}

void Rehearsal::start_node(std::size_t node) {
  processes_[node]->start();
  const auto until = Clock::now() + start_time;
  while (Clock::now() < until) {
    if (interrupted()) throw Interrupted();
    bool ended = false;
    for (const std::string& line : processes_[node]->read_lines(ended)) {
      const auto fields = split(line, '\t');
      if (fields.size() > 1 && fields[1] == "ok") return;
      throw std::runtime_error("node " + members_[node].name + " did not start: " + fields.back());
    }
    if (ended) throw std::runtime_error("node " + members_[node].name + " ended while starting");
    pollfd wait{processes_[node]->output(), POLLIN, 0};
    ::poll(&wait, 1, 100);
  }
  throw std::runtime_error("node " + members_[node].name + " did not start in time");
}

void Rehearsal::plan(std::size_t node, Request request) {
  request.number = ++last_number_;
  if (request.kind == Request::Kind::add) request.add = std::to_string(request.number);
  planned_[node % nodes].push_back(std::move(request));
}

void Rehearsal::plan_products() {
  std::set<std::string> items;
  for (const Basket& basket : baskets_) items.insert(basket.begin(), basket.end());
  std::size_t node = 0;
  for (const std::string& item : items) {
    plan(node++, {.kind = Request::Kind::product, .item = item});
  }
}

// A shopper's devices are on different nodes, and put the items of one basket in at the same time.
void Rehearsal::plan_shopping() {
  for (std::size_t i = 0; i < baskets_.size(); ++i) {
    const std::string user = "user:" + std::to_string(i % static_cast<std::size_t>(users_));
    std::size_t device = i;
    for (const std::string& item : baskets_[i]) {
      plan(device++, {.kind = Request::Kind::add, .user = user, .item = item});
      ++shopping_planned_;
    }
    plan(device,
         {.kind = Request::Kind::session, .user = user, .item = "basket " + std::to_string(i)});
  }
}

void Rehearsal::play(Clock::time_point until, const char* act) {
  for (;;) {
    if (interrupted()) throw Interrupted();
    if (act_ == Act::killed || shopping_planned_ > 0) kill_or_restart(until);
    feed();
    bool idle = in_flight_.empty();
    for (const auto& queue : planned_) idle = idle && queue.empty();
    const bool late = Clock::now() > until;
    if (idle || late) break;
    wait_for_pipes();
    progress_.show(describe(act));
  }
  for (auto& queue : planned_) queue.clear();
}

void Rehearsal::feed() {
  for (std::size_t i = 0; i < nodes; ++i) {
    // A device whose node is down goes to the next node: any node takes any request.
    std::size_t to = i;
    if (!processes_[to]->running()) to = (i + 1) % nodes;
    NodeProcess& process = *processes_[to];
    while (!planned_[i].empty() && process.in_flight.size() < in_flight_max) {
      Request request = std::move(planned_[i].front());
      planned_[i].pop_front();
      if (act_ == Act::killed) ++while_down_;
      process.in_flight.insert(request.number);
      process.send(line_of(fields_of(request)));
      const int number = request.number;
      in_flight_.emplace(number, std::move(request));
    }
  }
}

void Rehearsal::wait_for_pipes() {
  std::vector<pollfd> waits;
  std::vector<std::size_t> of;
  for (std::size_t i = 0; i < nodes; ++i) {
    if (!processes_[i]->running()) continue;
    processes_[i]->pump();
    waits.push_back({processes_[i]->output(), POLLIN, 0});
    of.push_back(i);
  }
  ::poll(waits.data(), waits.size(), 100);
  for (std::size_t i = 0; i < waits.size(); ++i) {
    if (waits[i].revents != 0) receive(of[i]);
  }
}

void Rehearsal::receive(std::size_t node) {
  bool ended = false;
  for (const std::string& line : processes_[node]->read_lines(ended)) {
    take_answer(node, split(line, '\t'));
  }
  if (ended && processes_[node]->running()) {
    throw std::runtime_error("node " + members_[node].name + " ended by itself");
  }
}

void Rehearsal::take_answer(std::size_t node, const std::vector<std::string>& fields) {
  if (fields.size() < 2) return;
  const int number = std::atoi(fields[0].c_str());
  const auto at = in_flight_.find(number);
  if (at == in_flight_.end()) return;
  const Request request = std::move(at->second);
  in_flight_.erase(at);
  processes_[node]->in_flight.erase(number);
  const bool shopping = request.kind == Request::Kind::add || request.kind == Request::Kind::remove;
  if (request.kind == Request::Kind::add) ++shopping_done_;
  if (fields[1] != "ok" || fields.size() < 6) {
    ++failed_;
    if (shopping) ledger_.uncertain(request);
    return;
  }
  const std::int64_t get_us = std::atoll(fields[2].c_str());
  const std::int64_t put_us = std::atoll(fields[3].c_str());
  if (request.kind == Request::Kind::session) {
    session_gets_.add(get_us);
    session_puts_.add(put_us);
  } else if (request.kind == Request::Kind::product) {
    catalog_puts_.add(put_us);
  } else if (request.kind == Request::Kind::cart) {
    cart_gets_.add(get_us);
    if (std::atoi(fields[5].c_str()) > 1) ++merged_at_audit_;
    const auto adds = split(fields.size() > 6 ? fields[6] : "", ',');
    shown_[request.user][node] = std::set<std::string>(adds.begin(), adds.end());
  } else {
    cart_gets_.add(get_us);
    cart_puts_.add(put_us);
    if (request.kind == Request::Kind::add) catalog_gets_.add(std::atoll(fields[4].c_str()));
    if (std::atoi(fields[5].c_str()) > 1) {
      ++sibling_reads_;
      carts_with_siblings_.insert(request.user);
    }
    ledger_.acknowledged(request);
    shop_on(node, request);
  }
}

// Now and then a shopper changes a quantity or takes something out again, on another device.
void Rehearsal::shop_on(std::size_t node, const Request& request) {
  if (request.kind != Request::Kind::add || !request.replaces.empty()) return;
  chance_ = chance_ * 1664525U + 1013904223U;
  const unsigned draw = (chance_ >> 16) % 100;
  if (draw < 10) {
    plan(node + 1, {.kind = Request::Kind::add,
                    .user = request.user,
                    .item = request.item,
                    .quantity = 2,
                    .replaces = request.add});
    ++shopping_planned_;
  } else if (draw < 20) {
    plan(node + 1, {.kind = Request::Kind::remove, .user = request.user, .add = request.add});
  }
}

void Rehearsal::kill_or_restart(Clock::time_point until) {
  NodeProcess& victim = *processes_[1];
  const bool late = Clock::now() > until - shopping_time / 3;
  if (act_ == Act::before && (shopping_done_ * 10 > shopping_planned_ * 4 || late)) {
    act_ = Act::killed;
    killed_at_ = Clock::now();
    const pid_t pid = victim.pid();
    victim.kill_hard();
    abandon(1);
    progress_.show(
        "kill -9 " + std::to_string(pid) + " (node " + victim.name() + "); the others go on", true);
    progress_.finish();
  } else if (act_ == Act::killed && (shopping_done_ * 10 > shopping_planned_ * 7 || late) &&
             Clock::now() > killed_at_ + milliseconds(300)) {
    start_node(1);
    act_ = Act::restarted;
    progress_.show("node " + victim.name() + " is back, on the same directory", true);
    progress_.finish();
  }
}

// What the killed node had acknowledged is in the pipe; for the rest nobody knows.
void Rehearsal::abandon(std::size_t node) {
  bool ended = false;
  for (const std::string& line : processes_[node]->read_lines(ended)) {
    take_answer(node, split(line, '\t'));
  }
  for (const int number : std::exchange(processes_[node]->in_flight, {})) {
    const auto at = in_flight_.find(number);
    if (at == in_flight_.end()) continue;
    ++unanswered_;
    if (at->second.kind == Request::Kind::add) ++shopping_done_;
    ledger_.uncertain(at->second);
    in_flight_.erase(at);
  }
  processes_[node]->close_output();
}

void Rehearsal::audit() {
  for (const std::string& user : ledger_.users()) {
    for (std::size_t node = 0; node < nodes; ++node) {
      plan(node, {.kind = Request::Kind::cart, .user = user});
    }
  }
  shopping_planned_ = 0;  // no more kills
  play(Clock::now() + other_time, "auditing every cart at every node");
  for (const auto& [user, shown] : shown_) {
    for (const std::set<std::string>& at_node : shown) ledger_.check(user, at_node, audit_);
  }
  if (audit_.carts != nodes * ledger_.users().size()) {
    throw std::runtime_error("the audit did not reach every cart in time");
  }
}

std::string Rehearsal::describe(const char* act) const {
  std::string text = std::string(act) + ": " + grouped(shopping_done_);
  if (shopping_planned_ > 0) text += " of " + grouped(shopping_planned_);
  text += " adds, " + grouped(sibling_reads_) + " merges;";
  for (const auto& process : processes_) {
    text += " " + process->name() + (process->running() ? "" : " DOWN");
  }
  return text;
}

bool Rehearsal::run() {
  for (std::size_t i = 0; i < nodes; ++i) start_node(i);
  std::printf("three node processes: pids %d, %d, %d; data in %s\n", processes_[0]->pid(),
              processes_[1]->pid(), processes_[2]->pid(), base_.c_str());
  plan_products();
  play(Clock::now() + other_time, "filling the catalogue");
  plan_shopping();
  play(Clock::now() + shopping_time, "shopping");
  // A run that is short enough to end during the outage brings the node back, too.
  if (act_ == Act::before) {
    processes_[1]->kill_hard();
    abandon(1);
    act_ = Act::killed;
  }
  if (act_ == Act::killed) {
    start_node(1);
    act_ = Act::restarted;
  }
  // What is still in flight when time is up has been asked for and not answered.
  for (const auto& [number, request] : std::exchange(in_flight_, {})) {
    ++unanswered_;
    ledger_.uncertain(request);
  }
  for (const auto& process : processes_) process->in_flight.clear();
  audit();
  progress_.finish();
  for (const auto& process : processes_) process->quit();
  return report();
}

bool Rehearsal::report() {
  const std::size_t users = ledger_.users().size();
  std::printf(
      "\n%s baskets, %s shoppers, 3 nodes with n=3 r=2 w=2; node b killed and restarted\n\n",
      grouped(baskets_.size()).c_str(), grouped(users).c_str());
  std::printf("%-16s %10s %9s %9s %9s   (ms)\n", "", "count", "p50", "p99", "p99.9");
  std::printf("%-16s %s\n", "cart get", cart_gets_.row().c_str());
  std::printf("%-16s %s   synced\n", "cart put", cart_puts_.row().c_str());
  std::printf("%-16s %s\n", "session get", session_gets_.row().c_str());
  std::printf("%-16s %s   buffered, last write wins\n", "session put", session_puts_.row().c_str());
  std::printf("%-16s %s   r=1\n", "catalogue get", catalog_gets_.row().c_str());
  std::printf("%-16s %s   w=3\n\n", "catalogue put", catalog_puts_.row().c_str());
  std::printf(
      "%s requests while b was down; %s failed; %s without an answer (b died, or time was up)\n",
      grouped(while_down_).c_str(), grouped(failed_).c_str(), grouped(unanswered_).c_str());
  std::printf("%s carts had siblings, %s reads merged them\n",
              grouped(carts_with_siblings_.size()).c_str(),
              grouped(sibling_reads_ + merged_at_audit_).c_str());
  std::printf(
      "%s removed items are back: a device removed them while another changed the cart (paper, "
      "4.4)\n",
      grouped(audit_.resurfaced / nodes).c_str());
  std::printf("%s acknowledged adds checked at each of 3 nodes: %s lost\n",
              grouped(audit_.adds / nodes).c_str(), grouped(audit_.lost).c_str());
  for (const std::string& example : audit_.examples) std::printf("  %s\n", example.c_str());
  std::printf("\n%s\n", audit_.lost == 0 ? "OK: nothing that was acknowledged is lost" : "FAILED");
  return audit_.lost == 0;
}

}  // namespace demo
