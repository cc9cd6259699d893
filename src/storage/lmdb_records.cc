#include "storage/lmdb_records.h"

#include <array>
#include <cstring>
#include <string>

#include <dynamo/storage_engine.h>

#include "storage/limits.h"
#include "storage/lmdb_handles.h"

namespace dynamo::storage {
namespace {

constexpr std::size_t key_max = StorageEngine::key_bytes_max;
constexpr std::size_t page_head_bytes = 16;  // LMDB's; one for all pages of a record
constexpr std::size_t beginning_max = 1536;  // still among the small ones, with its key
constexpr std::string_view mark = "\x9e\x37\xd1\x05\xc4\x6b\xfa\x82";

// The key of an end.
class EndKey {
 public:
  explicit EndKey(std::string_view key) : size_(key.size() + key_max + 1) {
    key.copy(bytes_.data(), key.size());
  }
  MDB_val get() const { return to_lmdb({bytes_.data(), size_}); }

 private:
  std::array<char, 2 * key_max + 1> bytes_{};
  std::size_t size_;
};

// Says that there are ends: no engine key, and none of an end.
const std::string& divided_key() {
  static const std::string key(3 * key_max, '\xff');
  return key;
}

bool may_be_divided(std::string_view record) { return record.ends_with(mark); }

// What is under the key is `found`: joins it with its end, if it has one.
int join(MDB_txn* transaction, MDB_dbi database, std::string_view key, std::string_view found,
         std::string& whole) {
  const EndKey under(key);
  MDB_val end_key = under.get();
  MDB_val end{};
  const int error = mdb_get(transaction, database, &end_key, &end);
  if (error != 0 && error != MDB_NOTFOUND) return error;
  if (error == 0) found.remove_suffix(mark.size());
  whole.assign(found);
  if (error == 0) whole.append(from_lmdb(end));
  return 0;
}

}  // namespace

std::size_t LmdbRecords::beginning_of(std::size_t record_bytes, std::size_t page_bytes) {
  const std::size_t pages = (record_bytes + page_head_bytes) / page_bytes;
  if (pages == 0) return 0;
  const std::size_t beginning = record_bytes + page_head_bytes - pages * page_bytes;
  return beginning <= beginning_max ? beginning : 0;
}

int LmdbRecords::open(MDB_txn* transaction, MDB_dbi database) {
  MDB_stat shape{};
  if (const int error = mdb_stat(transaction, database, &shape); error != 0) return error;
  page_bytes_ = shape.ms_psize;
  MDB_val key = to_lmdb(divided_key());
  MDB_val nothing{};
  const int error = mdb_get(transaction, database, &key, &nothing);
  told_ = divided_ = error == 0;
  return error == MDB_NOTFOUND ? 0 : error;
}

int LmdbRecords::put(MDB_txn* transaction, MDB_dbi database, std::string_view key,
                     std::string_view record) {
  MDB_val lmdb_key = to_lmdb(key);
  const std::size_t beginning = beginning_of(record.size(), page_bytes_);
  if (beginning == 0) {
    MDB_val value = to_lmdb(record);
    const int error = mdb_put(transaction, database, &lmdb_key, &value, 0);
    return error == 0 ? erase_end(transaction, database, key) : error;
  }
  divided_ = true;
  if (!told_) {
    MDB_val divided = to_lmdb(divided_key());
    MDB_val nothing{};
    if (const int error = mdb_put(transaction, database, &divided, &nothing, 0); error != 0) {
      return error;
    }
  }
  MDB_val first{beginning + mark.size(), nullptr};
  int error = mdb_put(transaction, database, &lmdb_key, &first, MDB_RESERVE);
  if (error != 0) return error;
  std::memcpy(first.mv_data, record.data(), beginning);
  std::memcpy(static_cast<char*>(first.mv_data) + beginning, mark.data(), mark.size());
  const EndKey end(key);
  MDB_val end_key = end.get();
  MDB_val rest = to_lmdb(record.substr(beginning));
  return mdb_put(transaction, database, &end_key, &rest, 0);
}

int LmdbRecords::erase(MDB_txn* transaction, MDB_dbi database, std::string_view key) {
  MDB_val lmdb_key = to_lmdb(key);
  const int error = mdb_del(transaction, database, &lmdb_key, nullptr);
  if (error == MDB_NOTFOUND) return 0;  // nor is there an end without a beginning
  return error == 0 ? erase_end(transaction, database, key) : error;
}

int LmdbRecords::erase_end(MDB_txn* transaction, MDB_dbi database, std::string_view key) const {
  if (!divided_) return 0;
  const EndKey end(key);
  MDB_val end_key = end.get();
  const int error = mdb_del(transaction, database, &end_key, nullptr);
  return error == MDB_NOTFOUND ? 0 : error;
}

int LmdbRecords::find(MDB_txn* transaction, MDB_dbi database, std::string_view key,
                      absl::FunctionRef<void(std::string_view record)> visit) {
  MDB_val lmdb_key = to_lmdb(key);
  MDB_val value{};
  if (const int error = mdb_get(transaction, database, &lmdb_key, &value); error != 0) return error;
  const std::string_view record = from_lmdb(value);
  if (!may_be_divided(record)) {
    visit(record);
    return 0;
  }
  std::string whole;
  if (const int error = join(transaction, database, key, record, whole); error != 0) return error;
  visit(whole);
  return 0;
}

int LmdbRecords::scan(
    MDB_txn* transaction, MDB_dbi database, std::string_view from,
    absl::FunctionRef<bool(std::string_view key, std::string_view record)> visit) {
  MDB_cursor* opened = nullptr;
  if (const int error = mdb_cursor_open(transaction, database, &opened); error != 0) return error;
  const Cursor cursor(opened);
  MDB_val key = to_lmdb(scan_bound(from));
  MDB_val value{};
  std::string whole;
  // LMDB refuses an empty key, also as a bound.
  int end = mdb_cursor_get(cursor.get(), &key, &value, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
  for (; end == 0; end = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) {
    if (key.mv_size > key_max) continue;
    std::string_view record = from_lmdb(value);
    if (may_be_divided(record)) {
      const int error = join(transaction, database, from_lmdb(key), record, whole);
      if (error != 0) return error;
      record = whole;
    }
    if (!visit(from_lmdb(key), record)) return 0;
  }
  return end == MDB_NOTFOUND ? 0 : end;
}

}  // namespace dynamo::storage
