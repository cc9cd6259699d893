#include "host/content.h"

#include <cstring>
#include <limits>
#include <memory>
#include <new>

#include "base/block_pool.h"
#include "base/check.h"
#include "base/spare_buffers.h"

namespace dynamo::host {

namespace {

// Longer ones are moved in: a copy would cost more than the second block.
constexpr std::size_t short_bytes_max = 4096;

}  // namespace

Content::Content(std::string_view key, std::optional<std::string> record) {
  const bool is_short = !record || record->size() <= short_bytes_max;
  make(key, record && is_short ? std::string_view(*record) : std::string_view());
  if (!record) return;
  block_->form = is_short ? Block::Form::here : Block::Form::apart;
  block_->record_bytes = record->size();
  if (is_short) {
    core::SpareBuffers::give(*std::move(record));
  } else {
    block_->apart = std::make_unique<std::string>(*std::move(record)).release();
  }
}

Content::Content(std::string_view key, std::string_view record) {
  make(key, record);
  block_->form = Block::Form::here;
  block_->record_bytes = record.size();
}

void Content::make(std::string_view key, std::string_view record) {
  DYNAMO_CHECK(key.size() <= std::numeric_limits<std::uint16_t>::max());
  block_ = new (core::BlockPool::take(sizeof(Block) + key.size() + record.size())) Block;
  block_->key_bytes = static_cast<std::uint16_t>(key.size());
  char* const to = reinterpret_cast<char*>(block_ + 1);
  if (!key.empty()) std::memcpy(to, key.data(), key.size());
  if (!record.empty()) std::memcpy(to + key.size(), record.data(), record.size());
}

void Content::free() {
  const std::unique_ptr<std::string> apart(block_->apart);
  const std::size_t record_bytes = block_->form == Block::Form::here ? block_->record_bytes : 0;
  core::BlockPool::give(block_, sizeof(Block) + block_->key_bytes + record_bytes);
}

}  // namespace dynamo::host
