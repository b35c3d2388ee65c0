#include "cli/session.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/limits.h"

namespace noren::cli {
namespace {

namespace json = boost::json;

std::string from_environment(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr ? text : "";
}

std::string local_admin_file(const Where& where) {
  if (!where.data.empty()) return where.data + "/admin.json";
  for (const char* file : {"data/admin.json", "admin.json"})
    if (std::filesystem::exists(file)) return file;
  return {};
}

Code code_named(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Code::kInternal); ++i)
    if (code_name(static_cast<Code>(i)) == name) return static_cast<Code>(i);
  return Code::kUnavailable;
}

HttpCall upload_call(const std::string& path, const std::string& file) {
  HttpCall call;
  call.method = "POST";
  call.url = path;
  call.headers.emplace_back("Content-Type", "application/octet-stream");
  call.body_file = file;
  return call;
}

}  // namespace

Result<Session> Session::find(const Hooks& hooks, const Where& where) {
  Session session;
  session.certificate_authority_ =
      where.certificate_authority.empty() ? from_environment("NOREN_TLS_CA") : where.certificate_authority;
  std::string url = where.url;
  std::string token = where.token;
  // A folder that is named on the command line is nearer than the environment.
  if (where.data.empty()) {
    if (url.empty()) url = from_environment("NOREN_URL");
    if (token.empty()) token = from_environment("NOREN_TOKEN");
  }
  const std::string admin_file = local_admin_file(where);
  if ((url.empty() || token.empty()) && !admin_file.empty()) {
    auto found = hooks.read_admin_file(admin_file);
    if (!found.ok()) return found.error();
    if (url.empty()) url = found->url;
    // A token goes to the server that it belongs to, and to no other.
    if (token.empty() && url == found->url) token = found->token.reveal();
  }
  if (url.empty())
    return make_error(
        Code::kInvalidArgument,
        "no server is known: give --url and --token, set NOREN_URL and NOREN_TOKEN, or give --data DIR "
        "of a server on this machine");
  if (token.empty())
    return make_error(Code::kInvalidArgument, "no token is known: give --token or set NOREN_TOKEN");
  while (url.ends_with('/')) url.pop_back();
  session.server_ = {url, Secret(token)};
  return session;
}

Result<HttpAnswer> Session::send_as_owner(HttpCall call) const {
  call.url = server_.url + "/v1/management/" + call.url;
  call.certificate_authority = certificate_authority_;
  call.headers.emplace_back("Authorization", "Bearer " + std::string(server_.token.reveal()));
  return send(call);
}

Result<json::object> Session::send_and_read(HttpCall call) const {
  ASSIGN_OR_RETURN(const HttpAnswer answer, send_as_owner(std::move(call)));
  return object_of(answer);
}

Result<json::object> Session::object_of(const HttpAnswer& answer) const {
  json::error_code failure;
  json::value body = json::parse(answer.body, failure);
  if (failure || !body.is_object())
    return make_error(Code::kUnavailable,
                      fmt::format("{} answered HTTP {} with something that is not noren's: is the URL right?",
                                  server_.url, answer.status));
  if (answer.status < 300) return std::move(body.get_object());
  const std::string detail = text_of(body.get_object(), "detail");
  const std::string code = text_of(body.get_object(), "code");
  return make_error(code_named(code), detail.empty() ? fmt::format("HTTP {}", answer.status) : detail);
}

Result<json::object> Session::ask(const std::string& method, const std::string& path) const {
  HttpCall call;
  call.method = method;
  call.url = path;
  return send_and_read(std::move(call));
}

Result<json::object> Session::ask(const std::string& method, const std::string& path,
                                  const json::object& body, const std::string& idempotency_key) const {
  HttpCall call;
  call.method = method;
  call.url = path;
  call.headers.emplace_back("Content-Type", "application/json");
  if (!idempotency_key.empty()) call.headers.emplace_back("Idempotency-Key", idempotency_key);
  call.body = json::serialize(body);
  return send_and_read(std::move(call));
}

Result<json::array> Session::list(const std::string& path, std::int64_t limit_count,
                                  const std::string& query) const {
  constexpr std::int64_t kPageCount = 1'000;
  json::array all;
  std::string before;
  for (std::int64_t left = limit_count; left > 0;
       left = limit_count - static_cast<std::int64_t>(all.size())) {
    ASSIGN_OR_RETURN(
        const json::object page,
        ask("GET", fmt::format("{}?limit={}{}{}", path, std::min(kPageCount, left), query, before)));
    const json::value* rows = page.if_contains(path);
    if (rows == nullptr || !rows->is_array()) return internal("the list has no " + path);
    all.insert(all.end(), rows->get_array().begin(), rows->get_array().end());
    const json::value* next = page.if_contains("next_before");
    if (next == nullptr) break;
    before = "&before=" + json::serialize(*next);
  }
  return all;
}

Result<json::object> Session::upload(const std::string& path, const std::string& file) const {
  return send_and_read(upload_call(path, file));
}

Result<json::object> Session::upload_many(const std::string& path, const std::string& file) const {
  constexpr int kManyModelsS = 3'600;
  HttpCall call = upload_call(path, file);
  call.silence_limit_s = kManyModelsS;
  return send_and_read(std::move(call));
}

Result<std::string> Session::load(const std::string& path) const {
  HttpCall call;
  call.url = path;
  ASSIGN_OR_RETURN(HttpAnswer answer, send_as_owner(std::move(call)));
  if (answer.status == 200) return std::move(answer.body);
  const auto refusal = object_of(answer);
  return refusal.ok() ? internal("an answer that is neither a file nor a refusal") : refusal.error();
}

Status check_model_file(const std::string& path) {
  std::error_code failure;
  if (std::filesystem::is_directory(path, failure))
    return invalid(fmt::format("{} is a folder; noren import takes folders of results", path));
  if (!std::filesystem::is_regular_file(path, failure))
    return invalid(fmt::format("there is no file {}", path));
  const std::uintmax_t size_bytes = std::filesystem::file_size(path, failure);
  if (failure) return invalid(fmt::format("can't read {}: {}", path, failure.message()));
  if (size_bytes == 0) return invalid(fmt::format("{} is empty", path));
  if (size_bytes > limits::kModelFileBytes)
    return make_error(Code::kTooLarge, fmt::format("{} is larger than a model file may be ({} bytes)", path,
                                                   limits::kModelFileBytes));
  return Ok{};
}

std::string encoded(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain)
      result += c;
    else
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

}  // namespace noren::cli
