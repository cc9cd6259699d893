// The demo: real node processes on loopback, real baskets, a real kill -9.
//
//   dynamo_demo [--baskets FILE] [--users N]

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "baskets.h"
#include "fields.h"
#include "node_program.h"
#include "rehearsal.h"
#include "signals.h"

namespace demo {

namespace {

volatile sig_atomic_t signalled = 0;

int usage(const std::string& wrong) {
  std::fprintf(stderr, "demo: %s\nusage: dynamo_demo [--baskets FILE] [--users N]\n",
               wrong.c_str());
  return 2;
}

// --node NAME BASE a=address,b=address,...: how the parent starts its nodes.
int run_as_node(const std::vector<std::string>& arguments) {
  NodeArguments node{.name = arguments.at(1), .base = arguments.at(2)};
  for (const std::string& field : split(arguments.at(3), ',')) {
    const auto parts = split(field, '=');
    dynamo::Member member;
    member.name = parts.at(0);
    member.address = parts.at(1);
    node.members.push_back(member);
  }
  return run_node(node);
}

// The directory of one run, gone when the run is over, however it ends.
class Directory {
 public:
  Directory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "dynamo-demo-XXXXXX").string();
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~Directory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

int rehearse(const std::filesystem::path& file, int users) {
  std::vector<Basket> baskets = read_baskets(file);
  const Directory directory;
  if (directory.path().empty()) throw std::runtime_error("no temporary directory could be made");
  note_signals();
  try {
    Rehearsal rehearsal(std::move(baskets), users, directory.path());
    return rehearsal.run() ? 0 : 1;
  } catch (const Rehearsal::Interrupted&) {
    std::fprintf(stderr, "\ndemo: interrupted; nodes and data are removed\n");
    return 130;
  }
}

}  // namespace

void note_signals() {
  struct sigaction action{};
  action.sa_handler = [](int) { signalled = 1; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGHUP, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

bool interrupted() { return signalled != 0; }

}  // namespace demo

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (arguments.size() == 4 && arguments[0] == "--node") return demo::run_as_node(arguments);
    std::filesystem::path file = DYNAMO_DEMO_BASKETS;
    int users = 2000;
    for (std::size_t i = 0; i < arguments.size(); i += 2) {
      if (i + 1 == arguments.size()) return demo::usage(arguments[i] + " needs a value");
      if (arguments[i] == "--baskets") {
        file = arguments[i + 1];
      } else if (arguments[i] == "--users") {
        users = std::atoi(arguments[i + 1].c_str());
        if (users < 1 || users > 1'000'000)
          return demo::usage("--users: the limit is 1 to 1000000");
      } else {
        return demo::usage("unknown argument " + arguments[i]);
      }
    }
    return demo::rehearse(file, users);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "\ndemo: %s\n", error.what());
    return 1;
  }
}
