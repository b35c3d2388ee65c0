// The texts of a result folder, one reader after the other: the first byte says which.
#include <boost/json.hpp>

#include "base/check.h"
#include "worker/model_file/text.h"
#include "worker/results/confusion_matrix.h"
#include "worker/results/evaluation.h"
#include "worker/results/monitoring_report.h"
#include "worker/results/result_ini.h"

namespace {

namespace json = boost::json;
using namespace noren::worker;           // NOLINT: one short file
using namespace noren::worker::results;  // NOLINT

class CountingSink final : public PartSink {
 public:
  noren::Status write(noren::ByteView bytes) override {
    CHECK(is_utf8(noren::text_of(bytes)));
    return noren::Ok{};
  }
};

void check_json(const json::value& value) {
  CHECK(json::parse(json::serialize(value)).kind() == value.kind());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text = noren::text_of(noren::ByteView(data + 1, size - 1));
  Warnings warnings;
  if (data[0] % 4 == 0) check_json(curves_json(read_monitoring_report(text, "r.yml", warnings)));
  if (data[0] % 4 == 1) check_json(read_result_ini(text, "result.ini", warnings));
  if (data[0] % 4 == 2) {
    const auto matrix = read_confusion_matrix(text, "y", "c.csv", warnings);
    if (matrix) check_json(*matrix);
  }
  if (data[0] % 4 == 3) {
    CountingSink sink;
    PartWriter writer(sink);
    std::vector<Part> parts;
    CHECK(write_evaluation(text, "o.csv", writer, parts, warnings).ok());
  }
  for (const std::string& warning : warnings.list()) CHECK(is_utf8(warning));
  return 0;
}
