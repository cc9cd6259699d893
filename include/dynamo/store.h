#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>
#include <dynamo/context.h>
#include <dynamo/detail/erased_handler.h>
#include <dynamo/export.h>
#include <dynamo/outcome.h>
#include <dynamo/reconciler.h>
#include <dynamo/version.h>
#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>

namespace dynamo {

namespace host {
class StoreState;
}

// The paper's (N, R, W): how many replicas a key has, how many must answer a get, how many must
// take a put before it is acknowledged. r + w > n makes reads see the last acknowledged write while
// the ring is stable; it is never linearizable.
struct Quorum {
  int n = 3;  // 1 to 16; a fact of the store
  int r = 2;  // 1 to n
  int w = 2;  // 1 to n
};

enum class Durability {
  // A replica acknowledges once the write is on stable storage (group commit).
  synced,
  // A replica acknowledges once the write is in its object buffer (paper, 6.1); it is synced within
  // NodeOptions::flush_interval. Lost only if every node that held it crashes within that time.
  buffered,
};

// The policy of one handle on a store. n, and whether the reconciler is last_write_wins(), are
// facts of the store: the same on all nodes, fixed at first use. The rest is per handle and travels
// with each request.
struct StoreOptions {
  Quorum quorum{};
  // None: get() returns all siblings.
  std::shared_ptr<const Reconciler> reconciler{};
  Durability durability = Durability::synced;
  // The next healthy nodes of the preference list stand in for owners that cannot be reached: a put
  // succeeds while any w of its first 2n nodes can be reached, and what they took is handed to the
  // owners later (hinted handoff, paper, 4.6). The price: a get may miss an acknowledged put while
  // owners are away, even with r + w > n. False: only owners count.
  bool sloppy = true;
  // How long an operation may take. 1 ms to 1 h.
  std::chrono::milliseconds timeout{1000};
  // Larger objects are refused. Up to 16 MiB.
  std::size_t object_bytes_max = std::size_t{1} << 20;
  // A put that would leave more siblings is refused; 1 to 64.
  int siblings_max = 64;
  // Versions expire this long after they were put: the same instant on every replica, by the clock
  // of the node that took the put. 1 s to 100 years. None: never.
  std::optional<std::chrono::seconds> ttl{};
};

// Both options structs are trivially destructible on purpose: g++ 12 destroys other aggregates
// twice when they are written inside a co_await expression.
struct ReadOptions {
  std::optional<int> r{};                              // default: the store's
  std::optional<std::chrono::milliseconds> timeout{};  // default: the store's
  // An answer that has seen all that this context has seen, or UNAVAILABLE: read-your-writes, with
  // the context of the put. Copied before the call returns, also for lazy tokens.
  const Context* at_least = nullptr;
};
// Of one put or erase; see ReadOptions.
struct WriteOptions {
  std::optional<int> w{};                              // default: the store's
  std::optional<std::chrono::milliseconds> timeout{};  // default: the store's
  std::optional<std::chrono::seconds> ttl{};           // default: the store's
  // Same id, same write: makes a retry idempotent. Zero: drawn at random. Under last_write_wins()
  // retry with ids from WriteId::random() or Outcome::id only. A retry that comes after its first
  // attempt was deleted, and the delete has been dropped because all members know of it, writes the
  // object again.
  WriteId id{};
};

// What get() found.
struct GetResult {
  // Empty: absent. One: the object, or the reconciler's merge. Several: in conflict, and the store
  // has no reconciler; ascending by dot. Never deletes.
  std::vector<Version> versions{};
  // Has seen all of `versions`, and deletes; pass it to the next put.
  Context context{};
  Outcome outcome{};
  // How many concurrent versions the replicas held, before any reconciler.
  std::size_t siblings = 0;

  bool found() const { return !versions.empty(); }
  // REQUIRES: versions.size() == 1; checked, always.
  DYNAMO_EXPORT const std::string& object() const&;
  DYNAMO_EXPORT std::string object() &&;
};

// What put() and erase() did.
struct PutResult {
  // Has seen what the given context saw, and this write: the next put needs no read.
  Context context{};
  Outcome outcome{};
};

// A named set of keys with one policy. A copyable handle.
//
// Errors of all operations:
//
//   code                 may a put have happened?  meaning
//   UNAVAILABLE          see outcome_of(status)    fewer than r/w replicas answered, no more can
//   DEADLINE_EXCEEDED    see outcome_of(status)    `timeout` ended it first
//   INVALID_ARGUMENT     no     empty or oversized key, oversized object, context that is damaged
//                               or of another key or store, r or w out of range, erase with an
//                               empty context (but under last_write_wins)
//   RESOURCE_EXHAUSTED   no     too many requests in flight, buffer full, disk or map full, too
//                               many siblings; reads go on
//   INTERNAL             no     the reconciler threw, or a 128-bit hash collision was found
//   FAILED_PRECONDITION  no     node stopped, w above the number of members, blocking call on a
//                               node thread, store facts that differ
//   DATA_LOSS            maybe  this node's storage failed: it takes no more writes, and
//                               reads go on
//   CANCELLED            maybe  cancelled by the caller, or the node stopped
//
// A refusal is a sentence that names the field, the value and the limit, or the replicas and what
// each said.
//
// Keys are 1 byte to 2 KiB, objects 0 bytes to StoreOptions::object_bytes_max.
//
// The blocking calls return FAILED_PRECONDITION at once when made on one of the library's threads,
// on a thread that runs the given io_context or thread_pool, or inside a handler or reconciler.
//
// The async operations take any asio completion token; name it. Handler:
// void(absl::StatusOr<GetResult>), for put and erase void(absl::StatusOr<PutResult>). Executor: the
// handler's associated one, else get_executor(); reconcilers run there too. The handler never runs
// inside the call. Cancellation: the slot's signal ends the operation with CANCELLED; a put may
// have happened. Lifetimes: arguments are copied before the call returns, and the store need not
// outlive it.
//
// Thread safety: all methods from any thread, several at once. May outlive its Node: calls then
// return FAILED_PRECONDITION.
class DYNAMO_EXPORT Store {
 public:
  // The versions of `key`, as r replicas have them. An absent key is not an error.
  absl::StatusOr<GetResult> get(std::string_view key, const ReadOptions& options = {}) const;

  // Writes `object` in place of what `context` has seen; versions that it has not seen stay, as
  // siblings.
  absl::StatusOr<PutResult> put(std::string_view key, const Context& context,
                                std::string_view object, const WriteOptions& options = {}) const;

  // Deletes what `context` has seen. Concurrent versions stay.
  absl::StatusOr<PutResult> erase(std::string_view key, const Context& context,
                                  const WriteOptions& options = {}) const;

  // get, change, put with the right context: what most callers want and get wrong by hand. `change`
  // is called once, on this thread, with what was found; nullopt erases, and on an absent key
  // writes nothing and is OK. Not a transaction: a concurrent write stays, as a sibling.
  absl::StatusOr<PutResult> update(
      std::string_view key, absl::FunctionRef<std::optional<std::string>(const GetResult&)> change,
      const WriteOptions& options = {}) const;

  // Many keys in one call, all under way at once: results in the order of `keys`, each with its own
  // status.
  std::vector<absl::StatusOr<GetResult>> get_many(std::span<const std::string_view> keys,
                                                  const ReadOptions& options = {}) const;

  // The names of the key's n owners, the first choice first; fewer if the cluster has fewer. Empty
  // before the first view, and once the node has stopped.
  std::vector<std::string> preference_list(std::string_view key) const;

  template <class Token>
  auto async_get(std::string_view key, const ReadOptions& options, Token&& token) const {
    return asio::async_initiate<Token, void(absl::StatusOr<GetResult>)>(
        [](auto handler, Store self, std::string k, ReadOptions o, Context at_least) {
          if (o.at_least != nullptr) o.at_least = &at_least;  // the caller's may be gone by now
          auto erased = detail::erase_handler<absl::StatusOr<GetResult>>(std::move(handler),
                                                                         self.get_executor());
          self.start_get(std::move(k), o, std::move(erased));
        },
        token, *this, std::string(key), options, copied(options.at_least));
  }
  template <class Token>
  auto async_get(std::string_view key, Token&& token) const {
    return async_get(key, ReadOptions{}, std::forward<Token>(token));
  }

  // Handler: void(std::vector<absl::StatusOr<GetResult>>), in the order of `keys`.
  template <class Token>
  auto async_get_many(std::vector<std::string> keys, const ReadOptions& options,
                      Token&& token) const {
    return asio::async_initiate<Token, void(std::vector<absl::StatusOr<GetResult>>)>(
        [](auto handler, Store self, std::vector<std::string> k, ReadOptions o, Context at_least) {
          if (o.at_least != nullptr) o.at_least = &at_least;
          auto erased = detail::erase_handler<std::vector<absl::StatusOr<GetResult>>>(
              std::move(handler), self.get_executor());
          self.start_get_many(std::move(k), o, std::move(erased));
        },
        token, *this, std::move(keys), options, copied(options.at_least));
  }
  template <class Token>
  auto async_get_many(std::vector<std::string> keys, Token&& token) const {
    return async_get_many(std::move(keys), ReadOptions{}, std::forward<Token>(token));
  }

  template <class Token>
  auto async_put(std::string_view key, Context context, std::string object,
                 const WriteOptions& options, Token&& token) const {
    return initiate_put(key, std::move(context), std::optional<std::string>(std::move(object)),
                        options, std::forward<Token>(token));
  }
  template <class Token>
  auto async_put(std::string_view key, Context context, std::string object, Token&& token) const {
    return async_put(key, std::move(context), std::move(object), WriteOptions{},
                     std::forward<Token>(token));
  }

  template <class Token>
  auto async_erase(std::string_view key, Context context, const WriteOptions& options,
                   Token&& token) const {
    return initiate_put(key, std::move(context), std::optional<std::string>(), options,
                        std::forward<Token>(token));
  }
  template <class Token>
  auto async_erase(std::string_view key, Context context, Token&& token) const {
    return async_erase(key, std::move(context), WriteOptions{}, std::forward<Token>(token));
  }

  std::string_view name() const;
  using executor_type = asio::any_io_executor;
  // Where handlers without an executor of their own run: the given one, or a thread of the
  // library's.
  executor_type get_executor() const;

  // For the library itself.
  explicit Store(std::shared_ptr<const host::StoreState> state) : state_(std::move(state)) {}

 private:
  template <class Token>
  auto initiate_put(std::string_view key, Context context, std::optional<std::string> object,
                    const WriteOptions& options, Token&& token) const {
    return asio::async_initiate<Token, void(absl::StatusOr<PutResult>)>(
        [](auto handler, Store self, std::string k, Context c,
           std::optional<std::string> object_or_delete, WriteOptions o) {
          auto erased = detail::erase_handler<absl::StatusOr<PutResult>>(std::move(handler),
                                                                         self.get_executor());
          self.start_put(std::move(k), std::move(c), std::move(object_or_delete), o,
                         std::move(erased));
        },
        token, *this, std::string(key), std::move(context), std::move(object), options);
  }
  void start_get(std::string key, const ReadOptions& options,
                 detail::ErasedHandler<absl::StatusOr<GetResult>> handler) const;
  void start_put(std::string key, Context context, std::optional<std::string> object,
                 const WriteOptions& options,
                 detail::ErasedHandler<absl::StatusOr<PutResult>> handler) const;

  void start_get_many(std::vector<std::string> keys, const ReadOptions& options,
                      detail::ErasedHandler<std::vector<absl::StatusOr<GetResult>>> handler) const;
  static Context copied(const Context* context) {
    return context == nullptr ? Context() : *context;
  }

  std::shared_ptr<const host::StoreState> state_;  // shared: handles are copied
};

}  // namespace dynamo
