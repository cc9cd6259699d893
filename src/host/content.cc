#include "host/content.h"

#include <cstring>
#include <new>

#include "base/spare_buffers.h"

namespace dynamo::host {

namespace {

// Longer ones are moved in: a copy would cost more than the second block.
constexpr std::size_t short_bytes_max = 4096;

}  // namespace

Content::Content(std::optional<std::string> record) {
  if (!record) {
    block_ = new (::operator new(sizeof(Block))) Block;
  } else if (record->size() <= short_bytes_max) {
    make_here(*record);
    core::SpareBuffers::give(*std::move(record));
  } else {
    auto* const apart = new Apart;
    apart->form = Block::Form::apart;
    apart->size = record->size();
    apart->record = *std::move(record);
    block_ = apart;
  }
}

Content::Content(std::string_view record) { make_here(record); }

void Content::make_here(std::string_view record) {
  block_ = new (::operator new(sizeof(Block) + record.size())) Block;
  block_->form = Block::Form::here;
  block_->size = record.size();
  if (!record.empty()) {
    std::memcpy(reinterpret_cast<char*>(block_ + 1), record.data(), record.size());
  }
}

std::optional<std::string_view> Content::record() const {
  switch (block_->form) {
    case Block::Form::erased:
      return std::nullopt;
    case Block::Form::here:
      return std::string_view(reinterpret_cast<const char*>(block_ + 1), block_->size);
    case Block::Form::apart:
      return static_cast<const Apart*>(block_)->record;
  }
  return std::nullopt;
}

std::size_t Content::size() const { return block_->size; }

void Content::let_go() {
  if (block_ == nullptr || block_->shared.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (block_->form == Block::Form::apart) {
    delete static_cast<Apart*>(block_);
  } else {
    ::operator delete(block_);
  }
}

}  // namespace dynamo::host
