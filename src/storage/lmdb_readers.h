#pragma once

#include <lmdb.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

// Read transactions, kept and reused. Beginning one takes a slot in the lock file under a mutex
// that is shared between processes, and allocates; renewing one does neither. A transaction is
// reset as soon as its read is over: one that is held keeps all pages that are freed meanwhile, and
// the file grows without end.
//
// Each thread has a transaction for itself, as long as there are not many more threads than places,
// so that readers share nothing; who finds it in use, takes one that all share.
//
// LMDB remaps its file to let it grow, under readers that must not be there then; it does not look.
// So a pool can be held: who comes meanwhile waits, and the holder waits for who is there.
namespace dynamo::storage {

// Thread safety: all methods from any thread; not begin() of a Reader in use; one Hold at a time.
class ReaderPool {
 private:
  struct alignas(64) Place {
    std::atomic<bool> taken{false};
    MDB_txn* transaction = nullptr;  // of whoever has taken the place; null before the first read
  };

 public:
  // As many slots as LMDB has by default. A few are left to tools that look at a live database,
  // like mdb_stat and mdb_copy.
  static constexpr unsigned slots = 126;
  static constexpr unsigned readers_max = slots - 6;
  static constexpr unsigned places = 16;

  // REQUIRES: `environment` was opened with MDB_NOTLS and outlives the pool.
  explicit ReaderPool(MDB_env* environment) : environment_(environment) {}
  ~ReaderPool();
  ReaderPool(const ReaderPool&) = delete;
  ReaderPool& operator=(const ReaderPool&) = delete;

  // A snapshot of the last commit, from begin() on until the object goes.
  class Reader {
   public:
    explicit Reader(ReaderPool& pool) : pool_(pool) {}
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    // LMDB's error or 0. Waits if readers_max others read: their reads are short.
    int begin();
    MDB_txn* get() const { return transaction_; }

   private:
    bool take_place();
    int take_shared();
    void give_back_shared();
    int renew();
    bool overtaken() const;

    ReaderPool& pool_;
    Place* place_ = nullptr;  // null: the transaction is of those that all share
    MDB_txn* transaction_ = nullptr;
  };

  // While it lives nobody reads. Made when the reads under way are over.
  class Hold {
   public:
    explicit Hold(ReaderPool& pool);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    ReaderPool& pool_;
  };

  // Every begin() from now on answers MDB_PANIC: the environment cannot be read any more.
  void close();

  // In a child of fork, where LMDB must not be called: forgets all transactions.
  void abandon();

 private:
  MDB_env* const environment_;

  std::array<Place, places> places_;

  std::mutex mutex_;
  std::condition_variable freed_;     // a transaction, or the pool
  std::condition_variable all_idle_;  // for who holds the pool
  std::vector<MDB_txn*> idle_;        // guarded
  unsigned made_ = 0;                 // guarded: idle or in use, without those of the places
  bool held_ = false;                 // guarded
  bool closed_ = false;               // guarded
};

}  // namespace dynamo::storage
