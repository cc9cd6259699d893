// A membership of one's own: the members stand in a file that an operator copies to every machine,
// and a node notices when the file is another. Names stay; addresses may change while nodes run.
//
//   7 1                    the cluster's number, never changed; the view's, raised with each edit
//   a 127.0.0.1:7001       a member
//
// A file that makes no sense, or an older one, changes nothing.

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <optional>

#include <dynamo/dynamo.h>
#include <dynamo/testing/membership_check.h>

#include "../local_cluster.h"

namespace {

using namespace std::chrono_literals;

std::optional<dynamo::View> read(const std::filesystem::path& path, const dynamo::Member& self) {
  std::ifstream file(path);
  dynamo::View view;
  if (!(file >> view.cluster.low >> view.number)) return std::nullopt;
  for (dynamo::Member member; file >> member.name >> member.address;) {
    if (member.name == self.name) member.identity = self.identity;
    view.members.push_back(member);
    member = {};
  }
  const bool has_self = std::ranges::count(view.members, self.name, &dynamo::Member::name) == 1;
  const bool complete = file.eof() && has_self && view.number > 0 && !view.cluster.is_zero();
  return complete ? std::optional(view) : std::nullopt;
}

class FileMembership final : public dynamo::Membership {
 public:
  explicit FileMembership(std::filesystem::path path) : path_(std::move(path)) {}

  absl::Status start(dynamo::Member self, std::string, std::uint64_t,
                     Callbacks callbacks) override {
    self_ = std::move(self);
    callbacks_ = std::move(callbacks);
    const std::optional<dynamo::View> view = read(path_, self_);
    if (!view) return absl::InvalidArgumentError(path_.string() + " has no place for this node");
    publish(*view);
    return absl::OkStatus();
  }

  // Once a second, on the node's loop: a small file on a local disk is all that may be read here.
  void tick(std::chrono::steady_clock::time_point now) override {
    if (now < next_look_ || !callbacks_.publish) return;
    next_look_ = now + 1s;
    const std::optional<dynamo::View> view = read(path_, self_);
    const auto same_name = [](const auto& a, const auto& b) { return a.name == b.name; };
    if (view && view->number > view_.number && view->cluster == view_.cluster &&
        std::ranges::equal(view->members, view_.members, same_name))
      publish(*view);
  }

  absl::Status change(const dynamo::Change&) override {
    return absl::FailedPreconditionError("the members stand in " + path_.string());
  }
  void receive(std::string) override {}  // it says nothing to its like on other nodes
  void stop() override { callbacks_ = {}; }

 private:
  void publish(const dynamo::View& view) {
    view_ = view;
    callbacks_.publish(view);
  }

  const std::filesystem::path path_;
  dynamo::Member self_{};
  dynamo::View view_{};
  std::chrono::steady_clock::time_point next_look_{};
  Callbacks callbacks_{};
};

void write(const std::filesystem::path& path, int view,
           const std::vector<dynamo::Member>& members) {
  std::ofstream file(path.string() + ".new");
  file << "7 " << view << "\n";
  for (const dynamo::Member& member : members) file << member.name << " " << member.address << "\n";
  file.close();
  std::filesystem::rename(path.string() + ".new", path);  // nobody reads half a file
}

dynamo::Node start(const example::Directory& data, const dynamo::Member& self) {
  dynamo::NodeOptions options{.name = self.name, .listen = self.address};
  options.data_dir = data.path() / self.name;
  dynamo::Components parts{.membership = std::make_unique<FileMembership>(data.path() / "members")};
  return example::require(dynamo::Node::start(options, std::move(parts)));
}

}  // namespace

int main() {
  const example::Directory data;
  const std::filesystem::path path = data.path() / "members";
  std::vector<dynamo::Member> members = example::local_members(4);
  const std::string moves_to = members[3].address;
  members.pop_back();
  write(path, 1, members);
  example::require(dynamo::testing::membership_check(
      members[0], [&] { return std::make_unique<FileMembership>(path); }));

  std::vector<dynamo::Node> nodes;
  for (const dynamo::Member& self : members) nodes.push_back(start(data, self));
  const dynamo::Store store = example::require(nodes[0].open("s"));
  example::require(store.put("k", dynamo::Context(), "v").status());

  nodes.pop_back();  // c comes back elsewhere, and the others hear of it
  members[2].address = moves_to;
  write(path, 2, members);
  nodes.push_back(start(data, members[2]));
  absl::StatusOr<dynamo::GetResult> found = absl::UnavailableError("not asked");
  for (int i = 0; i < 30 && !found.ok(); ++i) found = store.get("k", {.r = 3});
  example::require(found.status());
  std::printf("%s\n", dynamo::to_string(found->outcome).c_str());
}
