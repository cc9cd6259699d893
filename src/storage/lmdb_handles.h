#pragma once

#include <lmdb.h>

#include <memory>
#include <string_view>

// Owners for LMDB's three handles. LMDB's C functions are called on them as they are.
namespace dynamo::storage {

// Freed by LMDB, also after an open that failed. Its transactions must be gone by then.
struct CloseEnvironment {
  void operator()(MDB_env* environment) const { mdb_env_close(environment); }
};
using Environment = std::unique_ptr<MDB_env, CloseEnvironment>;

struct CloseCursor {
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
// Of a read transaction; it must be closed before its transaction is reset.
using Cursor = std::unique_ptr<MDB_cursor, CloseCursor>;

// A write transaction; ends by commit(), or changes nothing.
class WriteTransaction {
 public:
  WriteTransaction() = default;
  ~WriteTransaction() {
    if (transaction_ != nullptr) mdb_txn_abort(transaction_);
  }
  WriteTransaction(const WriteTransaction&) = delete;
  WriteTransaction& operator=(const WriteTransaction&) = delete;

  // All return LMDB's error or 0.
  int begin(MDB_env* environment) { return mdb_txn_begin(environment, nullptr, 0, &transaction_); }
  int commit() { return mdb_txn_commit(release()); }

  MDB_txn* get() const { return transaction_; }

 private:
  MDB_txn* release() {
    MDB_txn* transaction = transaction_;
    transaction_ = nullptr;
    return transaction;
  }

  MDB_txn* transaction_ = nullptr;
};

// LMDB takes pointers to non-const, and leaves what they point to alone.
inline MDB_val to_lmdb(std::string_view bytes) {
  return MDB_val{bytes.size(), const_cast<char*>(bytes.data())};
}

inline std::string_view from_lmdb(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

}  // namespace dynamo::storage
