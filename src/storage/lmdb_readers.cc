#include "storage/lmdb_readers.h"

namespace dynamo::storage {

ReaderPool::~ReaderPool() {
  for (MDB_txn* transaction : idle_) mdb_txn_abort(transaction);
}

void ReaderPool::abandon() { idle_.clear(); }

void ReaderPool::close() {
  const std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
}

ReaderPool::Hold::Hold(ReaderPool& pool) : pool_(pool) {
  std::unique_lock<std::mutex> lock(pool_.mutex_);
  pool_.held_ = true;
  pool_.all_idle_.wait(lock, [&] { return pool_.idle_.size() == pool_.made_; });
}

ReaderPool::Hold::~Hold() {
  {
    const std::lock_guard<std::mutex> lock(pool_.mutex_);
    pool_.held_ = false;
  }
  pool_.freed_.notify_all();
}

int ReaderPool::Reader::begin() {
  {
    std::unique_lock<std::mutex> lock(pool_.mutex_);
    pool_.freed_.wait(
        lock, [&] { return !pool_.held_ && (!pool_.idle_.empty() || pool_.made_ < readers_max); });
    if (pool_.closed_) return MDB_PANIC;
    if (pool_.idle_.empty()) {
      ++pool_.made_;
    } else {
      transaction_ = pool_.idle_.back();
      pool_.idle_.pop_back();
    }
  }
  int error = 0;
  if (transaction_ == nullptr) {
    error = mdb_txn_begin(pool_.environment_, nullptr, MDB_RDONLY, &transaction_);
    if (error != 0) transaction_ = nullptr;
  } else {
    error = mdb_txn_renew(transaction_);
  }
  while (error == 0 && overtaken()) {
    mdb_txn_reset(transaction_);
    error = mdb_txn_renew(transaction_);
  }
  if (error == 0) return 0;
  if (transaction_ != nullptr) mdb_txn_abort(transaction_);
  transaction_ = nullptr;
  {
    const std::lock_guard<std::mutex> lock(pool_.mutex_);
    --pool_.made_;
    if (pool_.held_) pool_.all_idle_.notify_one();
  }
  pool_.freed_.notify_one();
  return error;
}

// LMDB first notes the number of the last commit and then looks at that commit's meta page, which
// is the next but one's too. A thread that is held up in between sees a commit that has not
// returned yet, and with its next read the one before: time runs backwards. Then the environment is
// at least two commits ahead of what the transaction takes itself for.
bool ReaderPool::Reader::overtaken() const {
  MDB_envinfo info{};
  return mdb_env_info(pool_.environment_, &info) == 0 &&
         info.me_last_txnid > mdb_txn_id(transaction_) + 1;
}

ReaderPool::Reader::~Reader() {
  if (transaction_ == nullptr) return;
  mdb_txn_reset(transaction_);
  {
    const std::lock_guard<std::mutex> lock(pool_.mutex_);
    pool_.idle_.push_back(transaction_);
    if (pool_.held_) pool_.all_idle_.notify_one();
  }
  pool_.freed_.notify_one();
}

}  // namespace dynamo::storage
