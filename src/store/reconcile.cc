#include "store/reconcile.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "coordinator/outcome.h"

namespace dynamo::host {

namespace {

absl::StatusOr<std::string> merge(std::string_view key, const Reconciler& reconciler,
                                  const std::vector<Version>& siblings) {
  const detail::HandlerScope scope;
  const auto threw = [key](std::string_view what) {
    return absl::InternalError(
        fmt::format("get {}: the reconciler threw: {}", core::quote(key), what));
  };
  try {
    absl::StatusOr<std::string> merged = reconciler.reconcile(key, siblings);
    if (merged.ok()) return merged;
    return absl::Status(merged.status().code(),
                        fmt::format("get {}: the reconciler failed: {}", core::quote(key),
                                    std::string(merged.status().message())));
  } catch (const std::exception& error) {
    return threw(error.what());
  } catch (...) {
    return threw("something that is not a std::exception");
  }
}

}  // namespace

absl::StatusOr<GetResult> reconciled(std::string_view key, const Reconciler* reconciler,
                                     absl::StatusOr<core::GetAnswer> answer) {
  if (!answer.ok()) return answer.status();
  GetResult result;
  result.versions = std::move(answer->versions);
  result.context = std::move(answer->context);
  result.outcome = std::move(answer->outcome);
  result.siblings = result.versions.size();
  if (reconciler == nullptr || result.versions.size() < 2) return result;

  absl::StatusOr<std::string> merged = merge(key, *reconciler, result.versions);
  if (!merged.ok()) return core::with_outcome(merged.status(), result.outcome);
  const auto newest = std::ranges::max(result.versions, {}, &Version::written_at).written_at;
  result.versions = {Version{.object = *std::move(merged), .dot = {}, .written_at = newest}};
  return result;
}

}  // namespace dynamo::host
