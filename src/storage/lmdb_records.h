#pragma once

#include <lmdb.h>

#include <cstddef>
#include <string_view>

#include <absl/functional/function_ref.h>

// How records lie in an LMDB database.
namespace dynamo::storage {

// LMDB gives a record that is larger than half a page pages of its own, so that one of 4.1 KiB
// takes
// 8. Where that would waste much, the end of a record takes whole pages, under a key of its own,
// and the rest lies among the small ones:
//
//   key                  -> all of the record
//   key                  -> its beginning, mark
//   key, 129 zero bytes  -> its end, of exactly so many pages
//
// No key of the engine is that long, and what is under such a key is of no other use. Whether there
// is an end under it says whether a record is in two parts; the mark only says that it is worth a
// look, for a record may happen to end like that. Both parts are written and erased in one
// transaction. A directory without such records is as it always was.
//
// Thread safety: find() and scan() from any thread, each in a transaction of its own; the others
// from the writing thread.
class LmdbRecords {
 public:
  // All return LMDB's error, or 0.

  // Finds out what there is. REQUIRES: a transaction of that environment.
  int open(MDB_txn* transaction, MDB_dbi database);

  int put(MDB_txn* transaction, MDB_dbi database, std::string_view key, std::string_view record);
  // That there is none is no error.
  int erase(MDB_txn* transaction, MDB_dbi database, std::string_view key);

  // What was put since the last transaction is in the database.
  void committed() { told_ = divided_; }

  static int find(MDB_txn* transaction, MDB_dbi database, std::string_view key,
                  absl::FunctionRef<void(std::string_view record)> visit);
  // In key order from `from` on, until `visit` returns false.
  static int scan(MDB_txn* transaction, MDB_dbi database, std::string_view from,
                  absl::FunctionRef<bool(std::string_view key, std::string_view record)> visit);

  // How much of the beginning of a record of so many bytes lies among the small ones, if the end
  // takes whole pages; 0: it is not divided.
  static std::size_t beginning_of(std::size_t record_bytes, std::size_t page_bytes);

 private:
  int erase_end(MDB_txn* transaction, MDB_dbi database, std::string_view key) const;

  std::size_t page_bytes_ = 0;
  bool divided_ = false;  // there may be ends
  bool told_ = false;     // the database says so
};

}  // namespace dynamo::storage
