#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <dynamo/dynamo.h>

// A node alone in its cluster, on the real engine, and what it has said of every write: whatever is
// read must agree with that, now and after it was started anew.
namespace test {

// What was said of a put or an erase.
enum class Said { done, not_done, unknown };
Said said_of(const absl::Status& status);

// Thread safety: one thread.
class TruthfulStore {
 public:
  explicit TruthfulStore(std::filesystem::path directory) : directory_(std::move(directory)) {}

  absl::Status start();
  void stop();

  // One random operation on one of a dozen keys; its error, if it had one. Writes have a context
  // that has seen all that is known of the key.
  absl::Status operate(std::mt19937_64& random);
  // Reads everything.
  absl::Status read_all();

  // What was read that cannot be, or is missing; empty: nothing.
  const std::string& untruth() const { return untruth_; }
  int acknowledged() const { return acknowledged_; }

 private:
  struct Attempt {
    std::optional<std::string> object{};  // nullopt: an erase
    Said said = Said::unknown;
  };
  struct Key {
    std::vector<Attempt> attempts{};
    dynamo::Context context{};
  };

  absl::Status read(const std::string& name);
  absl::Status write(const std::string& name, std::optional<std::string> object);
  void check(const std::string& name, const std::vector<dynamo::Version>& versions);

  const std::filesystem::path directory_;
  std::optional<dynamo::Node> node_;
  std::optional<dynamo::Store> store_;
  std::map<std::string, Key> keys_;
  std::string untruth_;
  int written_ = 0;
  int acknowledged_ = 0;
};

}  // namespace test
