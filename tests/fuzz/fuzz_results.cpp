// A whole archive of result folders: every part lies where the index says, and the parts that are JSON are.
#include <boost/json.hpp>

#include "base/check.h"
#include "worker/results/results.h"

namespace {

namespace json = boost::json;

class MemorySink final : public noren::worker::PartSink {
 public:
  noren::Status write(noren::ByteView bytes) override {
    text += noren::text_of(bytes);
    return noren::Ok{};
  }
  std::string text;
};

void check_part(const json::value& row, const std::string& parts) {
  const auto offset = row.at("offset").to_number<std::size_t>(),
             size = row.at("size").to_number<std::size_t>();
  CHECK(offset <= parts.size() && size <= parts.size() - offset);
  const std::string_view kind = row.at("kind").as_string();
  std::string_view text = std::string_view(parts).substr(offset, size);
  if (kind == "rows") {
    std::int64_t rows_count = 0;
    for (; !text.empty(); ++rows_count) {
      CHECK(json::parse(text.substr(0, text.find('\n'))).is_array());
      text.remove_prefix(text.find('\n') + 1);
    }
    CHECK(rows_count == row.at("rows").to_number<std::int64_t>());
  } else if (kind != "file" && kind != "model") {
    CHECK(json::parse(text).is_object());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  MemorySink sink;
  const auto index = noren::worker::unpack_results(noren::ByteView(data, size), "a.zip", sink);
  if (!index.ok()) {
    CHECK(!index.error().text.empty());
    CHECK(index.error().code != noren::Code::kInternal);
    return 0;
  }
  const json::value root = json::parse(*index);
  CHECK(!root.at("jobs").as_array().empty());
  for (const json::value& job : root.at("jobs").as_array()) {
    if (job.at("model").as_object().if_contains("offset") != nullptr) check_part(job.at("model"), sink.text);
    for (const json::value& part : job.at("parts").as_array()) check_part(part, sink.text);
  }
  return 0;
}
