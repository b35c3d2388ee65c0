#include "server/http/listener/head_parser.h"

#include <functional>

#include <boost/beast/http/basic_parser.hpp>

namespace noren::server {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::iequals;
using Text = boost::beast::string_view;

namespace {

std::string_view view(Text text) { return {text.data(), text.size()}; }

Method method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get: return Method::kGet;
    case http::verb::head: return Method::kHead;
    case http::verb::post: return Method::kPost;
    case http::verb::put: return Method::kPut;
    case http::verb::patch: return Method::kPatch;
    case http::verb::delete_: return Method::kDelete;
    case http::verb::options: return Method::kOptions;
    default: return Method::kOther;
  }
}

ContentEncoding encoding_of(Text value) {
  if (iequals(value, "gzip") || iequals(value, "x-gzip")) return ContentEncoding::kGzip;
  if (value.empty() || iequals(value, "identity")) return ContentEncoding::kIdentity;
  return ContentEncoding::kOther;
}

constexpr ProtocolFault kMalformed{400, "Malformed HTTP request"};
constexpr ProtocolFault kTooManyHeaders{431, "Too many header fields"};
constexpr ProtocolFault kUnknownCoding{501, "Transfer-Encoding other than chunked is not taken"};
constexpr ProtocolFault kBadVersion{505, "HTTP version is not supported"};
constexpr ProtocolFault kRepeatedHost{400, "Host is given twice"};
constexpr ProtocolFault kFolded{400, "A header field is folded over lines"};
constexpr ProtocolFault kTrailingFault{400, "Malformed chunked body"};

/// The library stops the program when it is shown a last chunk's line ("0\r\n", "00\r\n", "0;\r\n") and then
/// fewer than five bytes again. A chunked body that goes on with a zero has at least five bytes left: they
/// are awaited.
bool is_for_later(std::string_view data) { return data.size() < 5 && data.starts_with('0'); }

/// Beast's parser without its containers: fields that matter are noted as they pass, nothing is allocated.
class MessageParser final : public http::basic_parser<true> {
 public:
  RequestHead head;
  std::optional<ProtocolFault> fault;
  std::string_view text;  ///< the whole head
  ChunkSink* sink = nullptr;
  bool has_host = false;

 private:
  bool is_part_of_text(std::string_view part) const {
    const std::less_equal<const char*> not_after;
    return part.empty() || (not_after(text.data(), part.data()) &&
                            not_after(part.data() + part.size(), text.data() + text.size()));
  }

  void fail(const ProtocolFault& what, error_code& error) {
    fault = what;
    error = http::error::bad_value;
  }

  void on_request_impl(http::verb method, Text method_text, Text target, int version, error_code&) override {
    head.method = method_of(method);
    head.method_text = view(method_text);
    head.is_http_1_1 = version == 11;
    std::string_view path = view(target);
    // The absolute form names a host that is not looked at.
    for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
      if (!path.starts_with(scheme)) continue;
      const std::size_t slash = path.find('/', scheme.size());
      path = slash == std::string_view::npos ? std::string_view("/") : path.substr(slash);
      break;
    }
    const std::size_t question = path.find('?');
    head.path = path.substr(0, question);
    if (question != std::string_view::npos) head.query = path.substr(question + 1);
  }

  void on_field_impl(http::field name, Text name_text, Text value, error_code& error) override {
    // Fields of a trailer, behind the body, change nothing any more.
    if (in_body_) return;
    if (++fields_count_ > limits::kHttpHeaderCount) return fail(kTooManyHeaders, error);
    // The library joins a folded value's lines in a buffer that is gone after this call, and a view of it
    // would be kept. RFC 9112, 5.2 lets a server refuse it.
    if (!is_part_of_text(view(value))) return fail(kFolded, error);
    switch (name) {
      case http::field::host:
        if (has_host) return fail(kRepeatedHost, error);
        has_host = true;
        break;
      case http::field::transfer_encoding:
        if (!iequals(value, "chunked")) fail(kUnknownCoding, error);
        break;
      case http::field::content_encoding: head.content_encoding = encoding_of(value); break;
      case http::field::content_type: head.content_type = view(value); break;
      case http::field::authorization: head.authorization = view(value); break;
      case http::field::expect: head.expects_continue = iequals(value, "100-continue"); break;
      case http::field::unknown:
        if (iequals(name_text, "x-api-key")) head.api_key = view(value);
        if (iequals(name_text, "idempotency-key")) head.idempotency_key = view(value);
        break;
      default: break;
    }
  }

  void on_header_impl(error_code&) override {
    head.keep_alive = keep_alive();
    head.is_chunked = chunked();
    if (const auto length = content_length(); length && !head.is_chunked) head.content_length_bytes = *length;
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override { in_body_ = true; }
  std::size_t on_body_impl(Text data, error_code&) override { return data.size(); }
  void on_chunk_header_impl(std::uint64_t size_bytes, Text, error_code& error) override {
    if (++chunks_count_ > limits::kHttpChunkCount || !sink->on_chunk(size_bytes)) fail(kTrailingFault, error);
  }
  std::size_t on_chunk_body_impl(std::uint64_t, Text data, error_code&) override {
    sink->on_chunk_data(view(data));
    return data.size();
  }
  void on_finish_impl(error_code&) override {}
  void on_response_impl(int, Text, int, error_code&) override {}

  std::size_t fields_count_ = 0;
  std::size_t chunks_count_ = 0;
  bool in_body_ = false;
};

}  // namespace

class HeadParser::Impl {
 public:
  std::optional<MessageParser> parser;
};

HeadParser::HeadParser() : impl_(std::make_unique<Impl>()) {}
HeadParser::~HeadParser() = default;

const RequestHead& HeadParser::head() const { return impl_->parser->head; }

std::optional<ProtocolFault> HeadParser::parse(std::string_view text) {
  MessageParser& parser = impl_->parser.emplace();
  parser.text = text;
  parser.header_limit(static_cast<std::uint32_t>(limits::kHttpHeaderBytes + 1));
  parser.body_limit(boost::none);  // bodies are counted by whoever receives them
  error_code error;
  parser.put(boost::asio::const_buffer(text.data(), text.size()), error);
  if (parser.fault) return parser.fault;
  if (error == http::error::bad_version) return kBadVersion;
  if (error || !parser.is_header_done()) return kMalformed;
  if (parser.head.is_http_1_1 && !parser.has_host) return ProtocolFault{400, "Host is missing"};
  if (!parser.head.is_http_1_1 && parser.head.is_chunked) return kUnknownCoding;
  return std::nullopt;
}

HeadParser::ChunkProgress HeadParser::feed_chunks(std::string_view data, ChunkSink& sink) {
  MessageParser& parser = *impl_->parser;
  ChunkProgress progress;
  parser.sink = &sink;
  while (progress.consumed_count < data.size() && !parser.is_done()) {
    const std::string_view rest = data.substr(progress.consumed_count);
    if (is_for_later(rest)) break;
    error_code error;
    const std::size_t count = parser.put(boost::asio::const_buffer(rest.data(), rest.size()), error);
    progress.consumed_count += count;
    if (error == http::error::need_more) break;
    if (error) {
      progress.faulty = true;
      break;
    }
  }
  parser.sink = nullptr;
  progress.done = parser.is_done();
  return progress;
}

}  // namespace noren::server
