#include "network.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "catch.hpp"

namespace test {

namespace {

void write_file(const char* path, const std::string& text) { std::ofstream(path) << text; }

// Network and mounts of this process's own.
bool own_namespaces() {
  const uid_t user = getuid();
  const gid_t group = getgid();
  if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) {
    // Everybody may be root in a namespace of users, where the system allows these.
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) != 0) return false;
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", "0 " + std::to_string(user) + " 1");
    write_file("/proc/self/gid_map", "0 " + std::to_string(group) + " 1");
  }
  return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

std::string within(std::size_t computer) {
  return "ip netns exec n" + std::to_string(computer) + " ";
}

}  // namespace

Network::Network(std::size_t computers) : computers_(computers) {
  // iptables is where only root's shell looks for it.
  setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
  if (!run("command -v ip && command -v iptables")) {
    why_not_ = "skipped: iproute2 and iptables are not both installed";
  } else if (!own_namespaces()) {
    why_not_ = std::string("skipped: no permission for namespaces: ") + std::strerror(errno);
  } else if (mount("names", "/run", "tmpfs", 0, nullptr) != 0) {  // of namespaces, and iptables'
                                                                  // lock
    why_not_ = std::string("skipped: no permission to mount a tmpfs: ") + std::strerror(errno);
  } else if (!run("ip link add b0 type bridge && ip link set b0 up")) {
    why_not_ = "skipped: no bridge can be made, for want of a permission or a kernel module";
  }
  for (std::size_t i = 0; i < computers_ && why_not_.empty(); ++i) {
    const std::string n = "n" + std::to_string(i);
    const bool made =
        run("ip netns add " + n + " && ip link add v" + n + " type veth peer name eth0 netns " + n +
            " && ip link set v" + n + " master b0 up && ip -n " + n + " link set lo up && ip -n " +
            n + " addr add " + address(i) + "/24 dev eth0 && ip -n " + n + " link set eth0 up");
    if (!made) why_not_ = "skipped: no permission for a network namespace of its own for each node";
  }
  if (why_not_.empty() && !run(within(0) + "iptables -w -L INPUT")) {
    why_not_ = "skipped: iptables does not work here";
  }
}

std::string Network::address(std::size_t computer) const {
  return "10.77.0." + std::to_string(computer + 1);
}

std::filesystem::path Network::name_space(std::size_t computer) const {
  return "/run/netns/n" + std::to_string(computer);
}

void Network::cut(std::size_t from, std::size_t to) {
  must(within(to) + "iptables -w -A INPUT -s " + address(from) + " -j DROP");
}

void Network::isolate(std::size_t computer) { split({computer}); }

void Network::split(const std::vector<std::size_t>& part) {
  for (std::size_t i = 0; i < computers_; ++i) {
    for (std::size_t j = 0; j < computers_; ++j) {
      const bool here = std::ranges::find(part, i) != part.end();
      const bool there = std::ranges::find(part, j) != part.end();
      if (here != there) cut(i, j);
    }
  }
}

void Network::heal() {
  for (std::size_t i = 0; i < computers_; ++i) must(within(i) + "iptables -w -F INPUT");
}

bool Network::run(const std::string& commands) {
  return std::system(("{ " + commands + "; } >/dev/null 2>&1").c_str()) == 0;
}

void Network::must(const std::string& commands) {
  INFO(commands);
  REQUIRE(run(commands));
}

}  // namespace test
