// tests/fuzz/fuzz_input.h - Takes decisions from the front of a fuzzer's input, and leaves the rest as data.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace noren {

class FuzzInput {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  /// 0 where nothing is left.
  std::uint8_t byte() { return take(1).empty() ? 0 : static_cast<std::uint8_t>(data_[-1]); }
  std::string_view take(std::size_t count) {
    const std::size_t taken = std::min(count, size_);
    const std::string_view view(reinterpret_cast<const char*>(data_), taken);
    data_ += taken;
    size_ -= taken;
    return view;
  }
  std::string_view rest() { return take(size_); }
  bool empty() const { return size_ == 0; }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

/// Cuts data into pieces whose sizes come from a few bytes, used again and again.
class Pieces {
 public:
  Pieces(std::string_view sizes, std::string_view data) : sizes_(sizes), data_(data) {}
  bool empty() const { return data_.empty(); }
  std::string_view next() {
    const std::size_t size =
        sizes_.empty() ? data_.size() : 1 + static_cast<std::uint8_t>(sizes_[at_++ % sizes_.size()]);
    const std::string_view piece = data_.substr(0, size);
    data_.remove_prefix(piece.size());
    return piece;
  }

 private:
  std::string_view sizes_;
  std::string_view data_;
  std::size_t at_ = 0;
};

}  // namespace noren
