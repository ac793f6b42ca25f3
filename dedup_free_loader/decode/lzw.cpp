#include "dedup_free_loader/decode/lzw.h"

#include <utility>

#include "ops/base/check.h"

namespace swavd::loader {

LzwReader::LzwReader(int code_size, NextBlock next_block)
    : next_block_(std::move(next_block)),
      clear_code_(1U << static_cast<unsigned>(code_size)),
      first_width_(static_cast<unsigned>(code_size) + 1) {
  SWAVD_CHECK(code_size >= 1 && code_size <= kMaxCodeSize);
  for (unsigned code = 0; code < clear_code_; ++code) {
    suffix_[code] = static_cast<std::uint8_t>(code);
  }
  clear();
}

LzwReader::Given LzwReader::read(std::span<std::uint8_t> indices) {
  for (std::size_t i = 0; i < indices.size(); ++i) {
    while (depth_ == 0) {
      if (const Outcome outcome = unpack_code(); outcome != Outcome::kDone) {
        return {outcome, i};
      }
    }
    indices[i] = stack_[--depth_];
  }
  return {Outcome::kDone, indices.size()};
}

/// Forgets all codes but the plain ones. The tables keep what they hold: no
/// code is looked up before it is defined anew.
void LzwReader::clear() {
  next_ = clear_code_ + 2;
  last_ = kMaxCodes;
  width_ = first_width_;
}

bool LzwReader::read_code(unsigned& code) {
  while (bit_count_ < width_) {
    if (block_.empty()) {
      block_ = next_block_();
      if (block_.empty()) {
        return false;
      }
    }
    bits_ |= static_cast<std::uint32_t>(block_.front()) << bit_count_;
    bit_count_ += 8;
    block_ = block_.subspan(1);
  }
  code = bits_ & ((1U << width_) - 1);
  bits_ >>= width_;
  bit_count_ -= width_;
  return true;
}

void LzwReader::push_string(unsigned code) {
  // A prefix is defined before what it begins: the way down ends.
  while (code > clear_code_) {
    stack_[depth_++] = suffix_[code];
    code = prefix_[code];
  }
  stack_[depth_++] = suffix_[code];
}

LzwReader::Outcome LzwReader::unpack_code() {
  unsigned code = 0;
  if (!read_code(code) || code == clear_code_ + 1) {
    return Outcome::kEnd;
  }
  if (code == clear_code_) {
    clear();
    return Outcome::kDone;
  }
  const bool first = last_ == kMaxCodes;
  if (first ? code > clear_code_ : code > next_) {
    return Outcome::kBadCode;
  }
  if (code == next_) {
    // Not defined yet: the last string, and its first index once more.
    stack_[depth_++] = 0;
    push_string(last_);
    stack_[0] = stack_[depth_ - 1];
  } else {
    push_string(code);
  }
  if (!first && next_ < kMaxCodes) {
    prefix_[next_] = static_cast<std::uint16_t>(last_);
    suffix_[next_] = stack_[depth_ - 1];
    ++next_;
  }
  if (next_ >= 1U << width_ && width_ < kMaxBits) {
    ++width_;
  }
  last_ = code;
  return Outcome::kDone;
}

}  // namespace swavd::loader
