// What is written of the jobs, one part after the other, and where each begins. Private to this folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "worker/model_file/nnp/archive.h"
#include "worker/results/results.h"

namespace noren::worker::results {

struct Part {
  std::string kind;
  std::string name;
  std::uint64_t offset = 0;
  std::uint64_t size_bytes = 0;
  std::int64_t first_row = 0;
  std::int64_t rows_count = 0;
};

class PartWriter {
 public:
  explicit PartWriter(PartSink& sink) : sink_(sink) {}
  Result<Part> add(std::string kind, std::string name, ByteView bytes);
  /// The source to its end. Where reading it fails, what came of it stays behind as bytes of no part.
  Result<Part> copy(std::string kind, std::string name, nnp::ByteSource& source);

 private:
  Status write(ByteView bytes);
  PartSink& sink_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace noren::worker::results
