#include "cli/http_client.h"

#include <optional>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include "base/limits.h"

namespace noren::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;

struct Address {
  enum class Scheme { kHttp, kHttps } scheme = Scheme::kHttp;
  std::string host, port, target;
};

Result<Address> parse_url(const std::string& url) {
  Address address;
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    address.scheme = Address::Scheme::kHttps;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return invalid(fmt::format("'{}' is not a URL that begins with http:// or https://", url));
  }
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  rest.remove_prefix(authority.size());
  address.target = rest.empty() || rest.front() != '/' ? "/" + std::string(rest) : std::string(rest);
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  std::string_view host = authority.substr(0, has_port ? colon : std::string_view::npos);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  address.host = host;
  if (has_port)
    address.port = authority.substr(colon + 1);
  else
    address.port = address.scheme == Address::Scheme::kHttps ? "443" : "80";
  if (address.host.empty() || address.port.empty()) return invalid(fmt::format("'{}' names no host", url));
  return address;
}

Error unreachable(const Address& address, const ErrorCode& failure) {
  return make_error(Code::kUnavailable, fmt::format("the server at {}:{} does not answer: {}", address.host,
                                                    address.port, failure.message()));
}

void bound_silence(Tcp::socket& socket, int limit_s) {
  const timeval limit{limit_s, 0};
  ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

template <typename Body>
Result<http::request<Body>> prepare(const HttpCall& call, const Address& address) {
  const http::verb verb = http::string_to_verb(call.method);
  if (verb == http::verb::unknown) return invalid("unknown HTTP method " + call.method);
  http::request<Body> request{verb, address.target, 11};
  const bool plain_host = address.host.find(':') == std::string::npos;
  request.set(http::field::host,
              fmt::format("{}:{}", plain_host ? address.host : "[" + address.host + "]", address.port));
  request.set(http::field::user_agent, "noren");
  for (const auto& [name, value] : call.headers) request.set(name, value);
  return request;
}

template <typename Stream, typename Request>
Result<HttpAnswer> exchange(Stream& stream, Request& request, const Address& address) {
  ErrorCode write_failure, read_failure;
  request.prepare_payload();
  http::write(stream, request, write_failure);
  // A server that refuses an upload may answer and close before it has read everything: its answer says more
  // than the failed write.
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(limits::kAnswerBytes);
  http::read(stream, buffer, parser, read_failure);
  if (read_failure) return unreachable(address, write_failure ? write_failure : read_failure);
  HttpAnswer answer;
  answer.status = static_cast<int>(parser.get().result_int());
  answer.content_type = std::string(parser.get()[http::field::content_type]);
  answer.body = std::move(parser.get().body());
  return answer;
}

template <typename Request>
Result<HttpAnswer> exchange_tls(Tcp::socket socket, Request& request, const Address& address,
                                const HttpCall& call) {
  asio::ssl::context context(asio::ssl::context::tls_client);
  ErrorCode failure;
  context.set_default_verify_paths(failure);
  if (!call.certificate_authority.empty()) {
    context.load_verify_file(call.certificate_authority, failure);
    if (failure) return invalid(fmt::format("can't read certificates from {}", call.certificate_authority));
  }
  beast::ssl_stream<Tcp::socket> stream(std::move(socket), context);
  stream.set_verify_mode(asio::ssl::verify_peer);
  stream.set_verify_callback(asio::ssl::host_name_verification(address.host));
  SSL_set_tlsext_host_name(stream.native_handle(), address.host.c_str());
  stream.handshake(asio::ssl::stream_base::client, failure);
  if (failure) return unreachable(address, failure);
  return exchange(stream, request, address);
}

template <typename Request>
Result<HttpAnswer> connect_and_exchange(Request& request, const Address& address, const HttpCall& call) {
  asio::io_context io;
  Tcp::resolver resolver(io);
  ErrorCode failure;
  const auto endpoints = resolver.resolve(address.host, address.port, failure);
  if (failure) return unreachable(address, failure);
  Tcp::socket socket(io);
  asio::connect(socket, endpoints, failure);
  if (failure) return unreachable(address, failure);
  bound_silence(socket, call.silence_limit_s);
  if (address.scheme == Address::Scheme::kHttps)
    return exchange_tls(std::move(socket), request, address, call);
  return exchange(socket, request, address);
}

}  // namespace

Result<HttpAnswer> send(const HttpCall& call) {
  ASSIGN_OR_RETURN(const Address address, parse_url(call.url));
  try {
    if (call.body_file.empty()) {
      ASSIGN_OR_RETURN(auto request, prepare<http::string_body>(call, address));
      request.body() = call.body;
      return connect_and_exchange(request, address, call);
    }
    ASSIGN_OR_RETURN(auto request, prepare<http::file_body>(call, address));
    ErrorCode failure;
    request.body().open(call.body_file.c_str(), beast::file_mode::scan, failure);
    if (failure) return invalid(fmt::format("can't read {}: {}", call.body_file, failure.message()));
    return connect_and_exchange(request, address, call);
  } catch (const std::exception& failure) {
    return internal(std::string("http: ") + failure.what());
  }
}

}  // namespace noren::cli
