#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <dynamo/reconciler.h>

#include "catch.hpp"
#include "causality/last_write_wins.h"

namespace {

using dynamo::last_write_wins;
using dynamo::reconcile_with;
using dynamo::Reconciler;
using dynamo::Version;
using dynamo::core::is_last_write_wins;

Version version(std::string object, std::uint64_t counter, int microseconds) {
  return {
      .object = std::move(object),
      .dot = {.actor = {.boot = 1, .sequence = 1}, .counter = counter},
      .written_at = std::chrono::system_clock::time_point(std::chrono::microseconds(microseconds))};
}

const std::vector<Version> versions = {version("a", 1, 20), version("b", 2, 30),
                                       version("c", 3, 10)};

std::string joined(std::span<const Version> siblings) {
  std::string all;
  for (const Version& sibling : siblings) all += sibling.object;
  return all;
}

std::string result(const std::shared_ptr<const Reconciler>& reconciler) {
  const absl::StatusOr<std::string> merged = reconciler->reconcile("key", versions);
  return merged.ok() ? *merged : std::string(merged.status().ToString());
}

TEST_CASE("a reconciler is made from a callable of the versions, or of key and versions") {
  CHECK(result(reconcile_with(joined)) == "abc");
  CHECK(result(reconcile_with([](std::string_view key, std::span<const Version> siblings) {
          return std::string(key) + ":" + joined(siblings);
        })) == "key:abc");
}

TEST_CASE("a callable may fail") {
  const auto refuses = [](std::span<const Version> siblings) -> absl::StatusOr<std::string> {
    if (siblings.size() == 3) return absl::DataLossError("three");
    return joined(siblings);
  };
  const auto reconciler = reconcile_with(refuses);
  CHECK(result(reconciler) == "DATA_LOSS: three");
  CHECK(reconciler->reconcile("key", std::span(versions).first(2)).value() == "ab");

  const auto with_key = reconcile_with(
      [](std::string_view key, std::span<const Version>) -> absl::StatusOr<std::string> {
        return absl::InternalError(std::string(key));
      });
  CHECK(result(with_key) == "INTERNAL: key");
}

TEST_CASE("last_write_wins() is recognised, and nothing else is") {
  CHECK(is_last_write_wins(last_write_wins().get()));
  CHECK_FALSE(is_last_write_wins(nullptr));
  CHECK_FALSE(is_last_write_wins(reconcile_with(joined).get()));
}

TEST_CASE("called as a reconciler, last_write_wins() takes the last by wall clock, then dot") {
  CHECK(result(last_write_wins()) == "b");
  const std::vector<Version> tied = {version("a", 1, 20), version("b", 2, 20)};
  CHECK(last_write_wins()->reconcile("key", tied).value() == "b");
}

}  // namespace
