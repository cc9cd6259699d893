#include "storage/lmdb_readers.h"

namespace dynamo::storage {

ReaderPool::~ReaderPool() {
  for (MDB_txn* transaction : idle_) mdb_txn_abort(transaction);
}

void ReaderPool::abandon() { idle_.clear(); }

int ReaderPool::Reader::begin() {
  {
    std::unique_lock<std::mutex> lock(pool_.mutex_);
    pool_.freed_.wait(lock, [&] { return !pool_.idle_.empty() || pool_.made_ < readers_max; });
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
  if (error == 0) return 0;
  if (transaction_ != nullptr) mdb_txn_abort(transaction_);
  transaction_ = nullptr;
  {
    const std::lock_guard<std::mutex> lock(pool_.mutex_);
    --pool_.made_;
  }
  pool_.freed_.notify_one();
  return error;
}

ReaderPool::Reader::~Reader() {
  if (transaction_ == nullptr) return;
  mdb_txn_reset(transaction_);
  {
    const std::lock_guard<std::mutex> lock(pool_.mutex_);
    pool_.idle_.push_back(transaction_);
  }
  pool_.freed_.notify_one();
}

}  // namespace dynamo::storage
