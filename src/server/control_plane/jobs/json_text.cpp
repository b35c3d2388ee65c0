#include "server/control_plane/jobs/json_text.h"

#include <cstdint>
#include <limits>

#include <boost/json/basic_parser_impl.hpp>

namespace noren::server {
namespace {

namespace json = boost::json;
using json::error_code;
using json::string_view;

/// Takes note of nothing but what the root is.
struct RootWatcher {
  static constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_object_size = kAny;
  static constexpr std::size_t max_array_size = kAny;
  static constexpr std::size_t max_key_size = kAny;
  static constexpr std::size_t max_string_size = kAny;

  bool root_is_object = false;
  int depth = 0;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) {
    if (depth++ == 0) root_is_object = true;
    return true;
  }
  bool on_object_end(std::size_t, error_code&) { return leave(); }
  bool on_array_begin(error_code&) {
    ++depth;
    return true;
  }
  bool on_array_end(std::size_t, error_code&) { return leave(); }
  bool on_key_part(string_view, std::size_t, error_code&) { return true; }
  bool on_key(string_view, std::size_t, error_code&) { return true; }
  bool on_string_part(string_view, std::size_t, error_code&) { return true; }
  bool on_string(string_view, std::size_t, error_code&) { return true; }
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(std::int64_t, string_view, error_code&) { return true; }
  bool on_uint64(std::uint64_t, string_view, error_code&) { return true; }
  bool on_double(double, string_view, error_code&) { return true; }
  bool on_bool(bool, error_code&) { return true; }
  bool on_null(error_code&) { return true; }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

 private:
  bool leave() {
    --depth;
    return true;
  }
};

}  // namespace

bool is_json_object(std::string_view text) {
  json::basic_parser<RootWatcher> parser{json::parse_options()};
  error_code failure;
  constexpr bool kMoreFollows = false;
  const std::size_t read_bytes = parser.write_some(kMoreFollows, text.data(), text.size(), failure);
  return !failure && read_bytes == text.size() && parser.handler().root_is_object;
}

}  // namespace noren::server
