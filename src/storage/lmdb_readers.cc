#include "storage/lmdb_readers.h"

#include <thread>

#include "base/thread_number.h"

namespace dynamo::storage {

ReaderPool::~ReaderPool() {
  for (MDB_txn* transaction : idle_) mdb_txn_abort(transaction);
  for (const Place& place : places_) {
    if (place.transaction != nullptr) mdb_txn_abort(place.transaction);
  }
}

void ReaderPool::abandon() {
  idle_.clear();
  for (Place& place : places_) place.transaction = nullptr;
}

void ReaderPool::close() {
  const std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
}

ReaderPool::Hold::Hold(ReaderPool& pool) : pool_(pool) {
  // Reads are short, and a hold is made when the map doubles.
  for (Place& place : pool_.places_) {
    while (place.taken.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
  }
  std::unique_lock<std::mutex> lock(pool_.mutex_);
  pool_.held_ = true;
  pool_.all_idle_.wait(lock, [&] { return pool_.idle_.size() == pool_.made_; });
}

ReaderPool::Hold::~Hold() {
  bool closed = false;
  {
    const std::lock_guard<std::mutex> lock(pool_.mutex_);
    pool_.held_ = false;
    closed = pool_.closed_;
  }
  pool_.freed_.notify_all();
  // Those of a closed pool stay taken: everybody has to hear of it.
  if (closed) return;
  for (Place& place : pool_.places_) place.taken.store(false, std::memory_order_release);
}

int ReaderPool::Reader::begin() {
  if (take_place()) {
    transaction_ = place_->transaction;
    const int error = renew();
    place_->transaction = transaction_;
    if (error != 0) {
      place_->taken.store(false, std::memory_order_release);
      place_ = nullptr;
    }
    return error;
  }
  if (const int error = take_shared(); error != 0) return error;
  const int error = renew();
  if (error != 0) give_back_shared();
  return error;
}

bool ReaderPool::Reader::take_place() {
  Place& place = pool_.places_[core::thread_number() % places];
  if (place.taken.load(std::memory_order_relaxed)) return false;
  if (place.taken.exchange(true, std::memory_order_acquire)) return false;
  place_ = &place;
  return true;
}

int ReaderPool::Reader::take_shared() {
  std::unique_lock<std::mutex> lock(pool_.mutex_);
  pool_.freed_.wait(lock, [&] {
    return !pool_.held_ && (!pool_.idle_.empty() || pool_.made_ < readers_max - places);
  });
  if (pool_.closed_) return MDB_PANIC;
  if (pool_.idle_.empty()) {
    ++pool_.made_;
  } else {
    transaction_ = pool_.idle_.back();
    pool_.idle_.pop_back();
  }
  return 0;
}

// On an error the transaction is gone.
int ReaderPool::Reader::renew() {
  int error = transaction_ == nullptr
                  ? mdb_txn_begin(pool_.environment_, nullptr, MDB_RDONLY, &transaction_)
                  : mdb_txn_renew(transaction_);
  while (error == 0 && overtaken()) {
    mdb_txn_reset(transaction_);
    error = mdb_txn_renew(transaction_);
  }
  if (error == 0) return 0;
  // A begin that has failed leaves the pointer as it was.
  if (transaction_ != nullptr) mdb_txn_abort(transaction_);
  transaction_ = nullptr;
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
  if (place_ != nullptr) {
    place_->taken.store(false, std::memory_order_release);
  } else {
    give_back_shared();
  }
}

void ReaderPool::Reader::give_back_shared() {
  {
    const std::lock_guard<std::mutex> lock(pool_.mutex_);
    if (transaction_ != nullptr) {
      pool_.idle_.push_back(transaction_);
    } else {
      --pool_.made_;
    }
    if (pool_.held_) pool_.all_idle_.notify_one();
  }
  pool_.freed_.notify_one();
}

}  // namespace dynamo::storage
