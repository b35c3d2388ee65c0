#include "server/http/listener/body_receiver.h"

#include <algorithm>
#include <cstring>

#include <sys/mman.h>
#include <unistd.h>

namespace noren::server {

std::optional<BodyFailure> BodyReceiver::begin(const RequestHead& head, const BodyRules& rules) {
  clear();
  rules_ = rules;
  grows_ = head.is_chunked;
  length_bytes_ = head.content_length_bytes;
  body_.encoding = head.content_encoding == ContentEncoding::kGzip ? RequestBody::Encoding::kGzip
                                                                   : RequestBody::Encoding::kIdentity;
  if (length_bytes_ > rules.limit_bytes) return failure_ = BodyFailure::kTooLarge;
  if (!reserve(length_bytes_)) return failure_ = BodyFailure::kNoRoom;
  if (length_bytes_ < limits::kBodyInlineBytes) {
    body_.inline_bytes.resize(length_bytes_);
  } else if (!open_memfd(length_bytes_).ok()) {
    return failure_ = BodyFailure::kNoRoom;
  }
  return std::nullopt;
}

std::span<char> BodyReceiver::room() {
  char* const start = mapped_ != nullptr ? mapped_ : body_.inline_bytes.data();
  return {start + received_bytes_, static_cast<std::size_t>(missing_bytes())};
}

bool BodyReceiver::expect(std::uint64_t size_bytes) {
  if (!failure_ && size_bytes > rules_.limit_bytes - received_bytes_) failure_ = BodyFailure::kTooLarge;
  return !failure_;
}

void BodyReceiver::append(std::string_view piece) {
  if (failure_) return;
  if (received_bytes_ + piece.size() > rules_.limit_bytes) {
    failure_ = BodyFailure::kTooLarge;
    return;
  }
  const std::uint64_t total = received_bytes_ + piece.size();
  if (total > reserved_bytes_ &&
      !reserve(std::min(std::max(2 * reserved_bytes_, total), rules_.limit_bytes))) {
    failure_ = BodyFailure::kNoRoom;
    return;
  }
  if (total < limits::kBodyInlineBytes) {
    body_.inline_bytes.append(piece);
  } else {
    if (total > mapped_bytes_ && !open_memfd(reserved_bytes_).ok()) {
      failure_ = BodyFailure::kNoRoom;
      return;
    }
    std::memcpy(mapped_ + received_bytes_, piece.data(), piece.size());
  }
  received_bytes_ = total;
}

bool BodyReceiver::reserve(std::uint64_t bytes) {
  if (rules_.budget != nullptr) {
    const std::uint64_t more = bytes - reserved_bytes_;
    if (rules_.budget->used_bytes + more > rules_.budget->limit_bytes) return false;
    rules_.budget->used_bytes += more;
  }
  reserved_bytes_ = bytes;
  return true;
}

/// Makes the memory file, or makes it larger, with room for `bytes`, and maps it.
Status BodyReceiver::open_memfd(std::uint64_t bytes) {
  unmap();
  if (!body_.memfd.valid()) {
    ASSIGN_OR_RETURN(body_.memfd, create_memfd("noren-body"));
  }
  if (::ftruncate(body_.memfd.get(), static_cast<off_t>(bytes)) != 0)
    return system_error(Code::kUnavailable, "out of memory", "ftruncate");
  void* const address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, body_.memfd.get(), 0);
  if (address == MAP_FAILED) return system_error(Code::kUnavailable, "out of memory", "mmap");
  mapped_ = static_cast<char*>(address);
  mapped_bytes_ = bytes;
  // A chunked body that began in the string moves over.
  if (!body_.inline_bytes.empty()) {
    std::memcpy(mapped_, body_.inline_bytes.data(), body_.inline_bytes.size());
    body_.inline_bytes = {};
  }
  return Ok{};
}

Result<RequestBody> BodyReceiver::finish() {
  body_.size_bytes = received_bytes_;
  if (body_.memfd.valid()) {
    unmap();  // a seal against writing wants no writable mapping
    if (grows_ && ::ftruncate(body_.memfd.get(), static_cast<off_t>(received_bytes_)) != 0)
      return system_error(Code::kUnavailable, "out of memory", "ftruncate");
    TRY(seal(body_.memfd.get()));
  }
  return std::move(body_);
}

void BodyReceiver::unmap() {
  if (mapped_ != nullptr) ::munmap(mapped_, mapped_bytes_);
  mapped_ = nullptr;
  mapped_bytes_ = 0;
}

void BodyReceiver::clear() {
  unmap();
  if (rules_.budget != nullptr) rules_.budget->used_bytes -= reserved_bytes_;
  reserved_bytes_ = length_bytes_ = received_bytes_ = 0;
  rules_ = {};
  failure_.reset();
  body_ = RequestBody{};
}

}  // namespace noren::server
