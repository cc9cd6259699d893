#pragma once

#include <lmdb.h>

#include <condition_variable>
#include <mutex>
#include <vector>

// Read transactions, kept and reused. Beginning one takes a slot in the lock file under a mutex
// that is shared between processes, and allocates; renewing one does neither. A transaction is
// reset as soon as its read is over: one that is held keeps all pages that are freed meanwhile, and
// the file grows without end.
namespace dynamo::storage {

// Thread safety: all methods from any thread; not begin() or end() of a Reader in use.
class ReaderPool {
 public:
  // As many slots as LMDB has by default. A few are left to tools that look at a live database,
  // like mdb_stat and mdb_copy.
  static constexpr unsigned slots = 126;
  static constexpr unsigned readers_max = slots - 6;

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
    bool overtaken() const;

    ReaderPool& pool_;
    MDB_txn* transaction_ = nullptr;
  };

  // In a child of fork, where LMDB must not be called: forgets all transactions.
  void abandon();

 private:
  MDB_env* const environment_;

  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<MDB_txn*> idle_;  // guarded
  unsigned made_ = 0;           // guarded: idle or in use
};

}  // namespace dynamo::storage
