// The life of an embedded store is that of its application: every deploy restarts it. Three
// processes, each with a node and an application that reads and writes all the time, are stopped
// and started again one after the other, and no request of any of them fails.
//
// What it takes: before it stops, a process asks can_stop(), stops its own requests, and drains.

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <dynamo/dynamo.h>

#include "local_cluster.h"

using namespace std::chrono_literals;

namespace {

std::atomic<bool> asked_to_stop{false};
std::atomic<bool> all_end{false};

dynamo::Node start(const std::string& name, const std::vector<dynamo::Member>& places,
                   const std::filesystem::path& data) {
  dynamo::NodeOptions options{.name = name};
  options.data_dir = data / name;
  for (const dynamo::Member& place : places) {
    if (place.name == name) options.listen = place.address;
    options.seeds.push_back(place.address);
  }
  return example::require(dynamo::Node::start(std::move(options)));
}

// The application: counts visits. Returns how many requests failed.
int serve(const dynamo::Store& visits, int& requests) {
  int failed = 0;
  for (; !asked_to_stop; ++requests) {
    const auto put =
        visits.update("page " + std::to_string(requests % 100), [](const dynamo::GetResult& seen) {
          const int count = seen.found() ? std::stoi(seen.object()) : 0;
          return std::optional(std::to_string(count + 1));
        });
    if (put.ok() || all_end) continue;
    ++failed;
    std::printf("failed: %s\n", put.status().ToString().c_str());
  }
  return failed;
}

std::string most(std::span<const dynamo::Version> siblings) {
  int count = 0;
  for (const dynamo::Version& version : siblings)
    count = std::max(count, std::stoi(version.object));
  return std::to_string(count);
}

// One process: it says on `ready` that it serves, and ends when it gets SIGTERM; without looking
// after the others if that is SIGINT, because all of them end.
int run(const std::string& name, const std::vector<dynamo::Member>& places,
        const std::filesystem::path& data, int ready) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGTERM, [](int) { asked_to_stop = true; });
  ::signal(SIGINT, [](int) { asked_to_stop = all_end = true; });
  dynamo::Node node = start(name, places, data);
  const auto visits = example::require(
      node.open("visits", {.reconciler = dynamo::reconcile_with(most), .timeout = 5s}));
  while (node.status().members.size() < places.size()) std::this_thread::sleep_for(10ms);
  if (::write(ready, "!", 1) != 1) return 1;

  int requests = 0;
  const int failed = serve(visits, requests);
  while (!all_end && !node.can_stop()) std::this_thread::sleep_for(10ms);  // another restarts
  if (!all_end) example::require(node.drain(20s));
  std::printf("%s: %d requests, %d failed\n", name.c_str(), requests, failed);
  return failed == 0 ? 0 : 1;
}

// Starts a process, and returns once it serves.
pid_t launch(const std::string& name, const std::vector<dynamo::Member>& places,
             const std::filesystem::path& data, bool wait) {
  int ready[2];
  if (::pipe(ready) != 0) std::exit(1);
  std::fflush(stdout);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int result = run(name, places, data, ready[1]);
    std::fflush(stdout);
    ::_exit(result);
  }
  ::close(ready[1]);
  char byte = 0;
  if (wait && ::read(ready[0], &byte, 1) != 1) std::exit(1);
  ::close(ready[0]);
  return pid;
}

bool ended_well(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

int main() {
  const example::Directory data;
  const std::vector<dynamo::Member> places = example::local_members(3);
  ::signal(SIGPIPE, SIG_IGN);
  std::vector<pid_t> processes;
  // The first ones serve when the cluster is founded, so they are not waited for.
  for (const dynamo::Member& place : places) {
    processes.push_back(launch(place.name, places, data.path(), place.name == places.back().name));
  }
  bool well = true;
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::this_thread::sleep_for(300ms);
    ::kill(processes[i], SIGTERM);
    well = ended_well(processes[i]) && well;
    processes[i] = launch(places[i].name, places, data.path(), true);
  }
  for (const pid_t process : processes) ::kill(process, SIGINT);
  for (const pid_t process : processes) well = ended_well(process) && well;
  std::printf(well ? "restarted one by one, and nobody noticed\n" : "somebody noticed\n");
  return well ? 0 : 1;
}
