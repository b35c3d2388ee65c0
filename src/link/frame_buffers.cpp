#include "link/frame_buffers.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"

namespace noren::link {
namespace {

constexpr std::size_t kFirstReadBytes = 16 * limits::kKiB;
/// A writer that once carried a large answer gives its memory back.
constexpr std::size_t kKeepWriterBytes = limits::kMiB;
constexpr std::size_t kKeepReaderBytes = limits::kMiB;

}  // namespace

FrameReader::FrameReader(std::size_t payload_limit_bytes)
    : payload_limit_bytes_(std::min(payload_limit_bytes, limits::kFramePayloadBytes)) {}

void FrameReader::reserve(std::size_t capacity) {
  auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(capacity + limits::kFramePaddingBytes);
  if (end_ > 0) std::memcpy(larger.get(), buffer_.get(), end_);
  // Parsers read padding but never interpret it. What lies between is received bytes or was never touched,
  // and pages that nobody touches cost nothing.
  std::memset(larger.get() + capacity, 0, limits::kFramePaddingBytes);
  buffer_ = std::move(larger);
  capacity_ = capacity;
}

std::span<std::uint8_t> FrameReader::writable() {
  const auto done = static_cast<std::size_t>(released_ - base_);
  if (done == end_) {
    base_ = released_;
    end_ = 0;
    if (capacity_ > kKeepReaderBytes) capacity_ = 0;
  } else if (done > 0 && capacity_ - end_ < capacity_ / 2) {
    std::memmove(buffer_.get(), buffer_.get() + done, end_ - done);
    base_ = released_;
    end_ -= done;
  }
  if (capacity_ == 0)
    reserve(kFirstReadBytes);
  else if (capacity_ - end_ < capacity_ / 4)
    reserve(capacity_ * 2);
  return {buffer_.get() + end_, capacity_ - end_};
}

void FrameReader::commit(std::size_t count) {
  CHECK(count <= capacity_ - end_);
  end_ += count;
}

Result<std::optional<Frame>> FrameReader::next() {
  const std::size_t available = pending_bytes();
  if (available < kHeaderBytes) return std::optional<Frame>();
  const std::span<const std::uint8_t, kHeaderBytes> bytes(buffer_.get() + cursor(), kHeaderBytes);
  ASSIGN_OR_RETURN(const FrameHeader header, decode_header(bytes, payload_limit_bytes_));
  if (available < kHeaderBytes + header.payload_bytes) return std::optional<Frame>();
  Frame frame;
  frame.header = header;
  frame.position = position_ + kHeaderBytes;
  if ((header.flags & kHasDescriptor) != 0) {
    if (descriptors_.empty()) return broken_frame("descriptor missing");
    frame.descriptor = std::move(descriptors_.front());
    descriptors_.pop_front();
  }
  position_ = frame.position + header.payload_bytes;
  return std::optional<Frame>(std::move(frame));
}

ByteView FrameReader::payload(const Frame& frame) const {
  CHECK(frame.position >= released_ && frame.position >= base_);
  return {buffer_.get() + (frame.position - base_), frame.header.payload_bytes};
}

void FrameReader::release_before(std::uint64_t position) {
  CHECK(position <= position_);
  released_ = std::max(released_, position);
}

void FrameWriter::add(FrameHeader header, ByteView payload) {
  CHECK(payload.size() <= limits::kFramePayloadBytes);
  std::vector<std::uint8_t>& bytes = begin_payload(header);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  end_payload();
}

void FrameWriter::add(FrameHeader header, ByteView payload, Descriptor descriptor) {
  header.flags |= kHasDescriptor;
  attached_.push_back({bytes_.size(), std::move(descriptor)});
  add(header, payload);
}

std::vector<std::uint8_t>& FrameWriter::begin_payload(const FrameHeader& header) {
  open_frame_ = bytes_.size();
  bytes_.resize(open_frame_ + kHeaderBytes);
  encode_header(header, std::span<std::uint8_t, kHeaderBytes>(bytes_.data() + open_frame_, kHeaderBytes));
  return bytes_;
}

void FrameWriter::end_payload() {
  const std::size_t payload_bytes = bytes_.size() - open_frame_ - kHeaderBytes;
  CHECK(payload_bytes <= limits::kFramePayloadBytes);
  const auto written = static_cast<std::uint32_t>(payload_bytes);
  std::memcpy(bytes_.data() + open_frame_ + 4, &written, sizeof written);
}

FrameWriter::Chunk FrameWriter::chunk() const {
  Chunk chunk;
  std::size_t end = bytes_.size();
  for (const Attached& attached : attached_) {
    if (chunk.descriptors_count == kDescriptorsPerWriteCount) {
      end = attached.frame_offset;
      break;
    }
    const auto* owned = std::get_if<UniqueFd>(&attached.descriptor);
    chunk.descriptors[chunk.descriptors_count++] =
        owned != nullptr ? owned->get() : std::get<int>(attached.descriptor);
  }
  chunk.bytes = ByteView(bytes_).subspan(sent_, end - sent_);
  return chunk;
}

void FrameWriter::consume(std::size_t count) {
  CHECK(count > 0 && count <= size_bytes());
  const std::size_t gone = std::min(attached_.size(), kDescriptorsPerWriteCount);
  attached_.erase(attached_.begin(), attached_.begin() + static_cast<std::ptrdiff_t>(gone));
  sent_ += count;
  if (sent_ < bytes_.size()) return;
  if (bytes_.capacity() > kKeepWriterBytes) bytes_ = {};
  bytes_.clear();
  sent_ = 0;
}

}  // namespace noren::link
