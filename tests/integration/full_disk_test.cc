// A disk that is really full: a file system of a few MiB in a mount namespace that the test makes.
// The node on it refuses what it has no room for, by name; what it acknowledged can be read all the
// while, and is there after a crash. The tests have a program of their own, for the namespace is
// the process's.

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>

#include <dynamo/dynamo.h>

#include "catch.hpp"
#include "unit/storage/child_process.h"
#include "unit/storage/temporary_directory.h"

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using test::ContainsSubstring;

void write_file(const char* path, const std::string& text) { std::ofstream(path) << text; }

// A file system of its own at a directory; it goes with the process.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& path) : path_(path) {
    if (!own_mounts()) {
      why_not_ = "skipped: no permission to make a mount namespace";
    } else if (mount("small", path.c_str(), "tmpfs", 0, "size=3m") != 0) {
      why_not_ = std::string("skipped: no permission to mount a tmpfs: ") + std::strerror(errno);
    }
  }
  ~SmallDisk() {
    if (why_not_.empty()) umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::string& why_not() const { return why_not_; }
  void enlarge() { REQUIRE(mount("small", path_.c_str(), "tmpfs", MS_REMOUNT, "size=24m") == 0); }

 private:
  static bool own_mounts() {
    const uid_t user = getuid();
    const gid_t group = getgid();
    if (unshare(CLONE_NEWNS) != 0) {
      // Everybody may be root in a namespace of users, where the system allows these.
      if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
      write_file("/proc/self/setgroups", "deny");
      write_file("/proc/self/uid_map", "0 " + std::to_string(user) + " 1");
      write_file("/proc/self/gid_map", "0 " + std::to_string(group) + " 1");
    }
    return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  }

  const fs::path path_;
  std::string why_not_;
};

// The only node of a cluster.
class Alone {
 public:
  Alone(const fs::path& directory, dynamo::Durability durability) {
    dynamo::Member member;
    member.name = "a";
    member.address = "127.0.0.1:0";
    dynamo::NodeOptions options{.cluster = "full", .name = "a"};
    options.listen = member.address;
    options.data_dir = directory / "a";
    options.partitions = 8;
    options.flush_interval = milliseconds(20);
    dynamo::Components parts;
    parts.membership = dynamo::fixed_membership({member});
    node_.emplace(value(dynamo::Node::start(options, std::move(parts))));
    const dynamo::StoreOptions policy{.quorum = {.n = 1, .r = 1, .w = 1},
                                      .durability = durability,
                                      .timeout = milliseconds(2000)};
    store_.emplace(value(node_->open("objects", policy)));
  }

  // Puts objects until one is refused; with what.
  absl::Status fill() {
    for (;;) {
      if (absl::Status status = put(); !status.ok()) return status;
    }
  }
  absl::Status put() {
    const int number = ++last_;
    const std::string object(static_cast<std::size_t>(1000 + number * 977 % 60'000),
                             static_cast<char>('a' + number % 26));
    const auto put = store_->put("k" + std::to_string(number), dynamo::Context(), object);
    if (put.ok()) acknowledged_[number] = object;
    return put.status();
  }
  void require_all() const { require_all(acknowledged_); }
  void require_all(const std::map<int, std::string>& objects) const {
    for (const auto& [number, object] : objects) {
      INFO("object " << number);
      const auto got = store_->get("k" + std::to_string(number));
      INFO(got.status().ToString());
      REQUIRE(got.ok());
      REQUIRE(got->found());
      REQUIRE(got->object() == object);
    }
  }
  bool noted(const std::string& text) const {
    for (const std::string& note : node_->status().notes) {
      if (note.find(text) != std::string::npos) return true;
    }
    return false;
  }
  const std::map<int, std::string>& acknowledged() const { return acknowledged_; }

 private:
  template <class T>
  static T value(absl::StatusOr<T> result) {
    INFO(result.status().ToString());
    REQUIRE(result.ok());
    return *std::move(result);
  }

  std::optional<dynamo::Node> node_;
  std::optional<dynamo::Store> store_;
  std::map<int, std::string> acknowledged_;
  int last_ = 0;
};

void check_refusal(const absl::Status& status, const fs::path& directory) {
  const std::string text(status.message());
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK_THAT(text, ContainsSubstring((directory / "a").string()) &&
                       ContainsSubstring("cannot grow its file: No space left on device"));
}

}  // namespace

TEST_CASE("a node on a full disk refuses puts by name, is read, and goes on once there is room") {
  const auto durability = GENERATE(dynamo::Durability::synced, dynamo::Durability::buffered);
  const bool buffered = durability == dynamo::Durability::buffered;
  INFO((buffered ? "buffered" : "synced"));
  const test::TemporaryDirectory temporary;
  SmallDisk disk(temporary.path());
  if (!disk.why_not().empty()) {
    WARN(disk.why_not());
    return;
  }
  std::map<int, std::string> acknowledged;
  {
    Alone node(temporary.path(), durability);
    check_refusal(node.fill(), temporary.path());
    CHECK(node.acknowledged().size() > 20);
    node.require_all();
    // And again, and nothing is acknowledged from memory behind a write that cannot get to the
    // disk.
    check_refusal(node.fill(), temporary.path());
    if (buffered) CHECK(node.noted("acknowledged writes wait for a disk that takes none"));
    node.require_all();

    disk.enlarge();
    // What waits is tried again ten times a second, and until then puts are refused.
    while (absl::IsResourceExhausted(node.put())) {
    }
    for (int i = 0; i < 50; ++i) {
      const absl::Status status = node.put();
      INFO(status.ToString());
      REQUIRE(status.ok());
    }
    CHECK(node.put().ok());
    node.require_all();
    CHECK_FALSE(node.noted("acknowledged writes wait"));
    acknowledged = node.acknowledged();
  }
  Alone again(temporary.path(), durability);
  again.require_all(acknowledged);
}

TEST_CASE("a node that is killed on a full disk loses no synced write, and starts there") {
  const test::TemporaryDirectory temporary;
  const SmallDisk disk(temporary.path());
  if (!disk.why_not().empty()) {
    WARN(disk.why_not());
    return;
  }
  test::NumberPipe acknowledged;
  test::ChildProcess child([&] {
    acknowledged.close_reading();
    Alone node(temporary.path(), dynamo::Durability::synced);
    for (int failed = 0; failed < 3;) {
      if (!node.put().ok()) ++failed;
    }
    acknowledged.send(node.acknowledged().size());
    for (const auto& [number, object] : node.acknowledged()) {
      acknowledged.send(static_cast<std::uint64_t>(number));
      acknowledged.send(object.size());
    }
    acknowledged.close_writing();
    for (;;) static_cast<void>(node.put());
    return 0;
  });
  acknowledged.close_writing();
  std::map<int, std::string> objects;
  const std::uint64_t count = acknowledged.receive().value_or(0);
  REQUIRE(count > 20);
  while (objects.size() < count) {
    const auto number = static_cast<int>(acknowledged.receive().value());
    objects[number] =
        std::string(acknowledged.receive().value(), static_cast<char>('a' + number % 26));
  }
  REQUIRE(child.end_with(SIGKILL) == -SIGKILL);
  const Alone again(temporary.path(), dynamo::Durability::synced);
  again.require_all(objects);
}
