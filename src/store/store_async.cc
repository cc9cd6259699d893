// The async operations behind their templates: the request is posted, and its result made on the
// handler's executor.

#include <dynamo/store.h>

#include <atomic>
#include <utility>

#include "host/store_state.h"
#include "store/reconcile.h"
#include "store/requests.h"

namespace dynamo {

namespace {

// From its start until its handler runs.
struct AskedGet {
  decltype(detail::ErasedHandler<absl::StatusOr<GetResult>>::complete) complete;
  std::shared_ptr<const Reconciler> reconciler;
  std::string key{};  // if there is a reconciler
  absl::StatusOr<core::GetAnswer> answer{};
};
struct AskedPut {
  decltype(detail::ErasedHandler<absl::StatusOr<PutResult>>::complete) complete;
  absl::StatusOr<core::PutAnswer> answer{};
};

}  // namespace

void Store::start_get(std::string key, const ReadOptions& options,
                      detail::ErasedHandler<absl::StatusOr<GetResult>> handler) const {
  if (auto here = host::answer_here(*state_, key, options)) {
    handler.complete([reconciler = state_->options.reconciler, key = std::move(key),
                      answer = *std::move(here)]() mutable {
      return host::reconciled(key, reconciler.get(), std::move(answer));
    });
    return state_->host->handler_given();
  }
  absl::StatusOr<core::ClientGet> get = host::checked_get(*state_, std::move(key), options);
  if (!get.ok()) {
    handler.complete([status = get.status()]() -> absl::StatusOr<GetResult> { return status; });
    return state_->host->handler_given();
  }
  const auto hook = handler.cancel;
  auto asked = detail::make_pooled(
      AskedGet{.complete = std::move(handler.complete), .reconciler = state_->options.reconciler});
  if (asked->reconciler != nullptr) asked->key = get->key;
  const std::uint64_t request = state_->host->get(
      *std::move(get), [asked = std::move(asked)](absl::StatusOr<core::GetAnswer> answer) mutable {
        asked->answer = std::move(answer);
        auto complete = std::move(asked->complete);
        complete([asked = std::move(asked)] {
          return host::reconciled(asked->key, asked->reconciler.get(), std::move(asked->answer));
        });
      },
      host::Host::By::handler);
  if (hook) hook->arm([host = state_->host, request] { host->cancel(request); });
}

void Store::start_put(std::string key, Context context, std::optional<std::string> object,
                      const WriteOptions& options,
                      detail::ErasedHandler<absl::StatusOr<PutResult>> handler) const {
  absl::StatusOr<core::ClientPut> put =
      host::checked_put(*state_, std::move(key), std::move(context), std::move(object), options);
  if (!put.ok()) {
    handler.complete([status = put.status()]() -> absl::StatusOr<PutResult> { return status; });
    return state_->host->handler_given();
  }
  const auto hook = handler.cancel;
  auto asked = detail::make_pooled(AskedPut{.complete = std::move(handler.complete)});
  const std::uint64_t request = state_->host->put(
      *std::move(put), [asked = std::move(asked)](absl::StatusOr<core::PutAnswer> answer) mutable {
        asked->answer = std::move(answer);
        auto complete = std::move(asked->complete);
        complete([asked = std::move(asked)]() -> absl::StatusOr<PutResult> {
          if (!asked->answer.ok()) return asked->answer.status();
          return host::to_result(*std::move(asked->answer));
        });
      },
      host::Host::By::handler);
  if (hook) hook->arm([host = state_->host, request] { host->cancel(request); });
}

namespace {

// The gets of one async_get_many, and who waits for the last of them.
struct Many {
  std::vector<std::string> keys;
  std::vector<absl::StatusOr<core::GetAnswer>> answers;  // each written by its own get
  std::atomic<std::size_t> missing;
  std::shared_ptr<const Reconciler> reconciler;
  detail::ErasedHandler<std::vector<absl::StatusOr<GetResult>>> handler;
};

void finish_one(const std::shared_ptr<Many>& many) {
  if (--many->missing > 0) return;
  many->handler.complete([many]() {
    std::vector<absl::StatusOr<GetResult>> results;
    results.reserve(many->keys.size());
    for (std::size_t i = 0; i < many->keys.size(); ++i) {
      results.push_back(
          host::reconciled(many->keys[i], many->reconciler.get(), std::move(many->answers[i])));
    }
    return results;
  });
}

}  // namespace

void Store::start_get_many(
    std::vector<std::string> keys, const ReadOptions& options,
    detail::ErasedHandler<std::vector<absl::StatusOr<GetResult>>> handler) const {
  const std::size_t size = keys.size();
  // Shared by the gets; one more is missing than there are keys, until all have been started.
  const auto many = std::make_shared<Many>();
  many->keys = std::move(keys);
  many->answers.resize(size, absl::UnknownError(""));
  many->missing = size + 1;
  many->reconciler = state_->options.reconciler;
  many->handler = std::move(handler);
  std::vector<std::uint64_t> requests;
  for (std::size_t i = 0; i < size; ++i) {
    absl::StatusOr<core::ClientGet> get = host::checked_get(*state_, many->keys[i], options);
    if (!get.ok()) {
      many->answers[i] = get.status();
      finish_one(many);
      continue;
    }
    requests.push_back(
        state_->host->get(*std::move(get), [many, i](absl::StatusOr<core::GetAnswer> answer) {
          many->answers[i] = std::move(answer);
          finish_one(many);
        }));
  }
  if (const auto hook = many->handler.cancel) {
    hook->arm([host = state_->host, requests = std::move(requests)] {
      for (const std::uint64_t request : requests) host->cancel(request);
    });
  }
  finish_one(many);
  state_->host->handler_given();
}

}  // namespace dynamo
