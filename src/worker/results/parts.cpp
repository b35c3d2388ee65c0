#include "worker/results/parts.h"

#include <utility>

#include "base/limits.h"

namespace noren::worker::results {

Status PartWriter::write(ByteView bytes) {
  if (bytes.size() > limits::kPackageBytes - size_bytes_)
    return make_error(Code::kTooLarge, "the archive unpacks to more than an import may keep");
  TRY(sink_.write(bytes));
  size_bytes_ += bytes.size();
  return Ok{};
}

Result<Part> PartWriter::add(std::string kind, std::string name, ByteView bytes) {
  Part part{std::move(kind), std::move(name), size_bytes_, bytes.size()};
  TRY(write(bytes));
  return part;
}

Result<Part> PartWriter::copy(std::string kind, std::string name, nnp::ByteSource& source) {
  Part part{std::move(kind), std::move(name), size_bytes_};
  Bytes piece(limits::kMiB);
  while (true) {
    ASSIGN_OR_RETURN(const std::size_t count, source.read(piece));
    if (count == 0) return part;
    TRY(write(ByteView(piece).first(count)));
    part.size_bytes += count;
  }
}

}  // namespace noren::worker::results
