#include "server/management/exchange.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/limits.h"
#include "base/log.h"

namespace noren::server {
namespace {

namespace json = boost::json;

constexpr std::int64_t kPageLimitCount = 1'000;

struct ProblemRow {
  Code code;
  int status;
  const char* title;
};

constexpr ProblemRow kProblems[] = {
    {Code::kInvalidArgument, 400, "Bad request"},
    {Code::kNotFound, 404, "Not found"},
    {Code::kAlreadyExists, 409, "Already exists"},
    {Code::kPermissionDenied, 403, "Not allowed"},
    {Code::kUnauthenticated, 401, "Not signed in"},
    {Code::kFailedPrecondition, 409, "Not possible in this state"},
    {Code::kTooLarge, 413, "Too large"},
    {Code::kExhausted, 429, "Try again later"},
    {Code::kDeadlineExceeded, 504, "Did not finish in time"},
    {Code::kUnavailable, 503, "Not available right now"},
    {Code::kUnsupported, 422, "Not supported"},
    {Code::kCorrupt, 422, "Damaged"},
    {Code::kInternal, 500, "Internal error"},
};

const ProblemRow& row_of(Code code) {
  const auto* found = std::find_if(std::begin(kProblems), std::end(kProblems),
                                   [code](const ProblemRow& row) { return row.code == code; });
  CHECK(found != std::end(kProblems));
  return *found;
}

bool is_known(std::initializer_list<std::string_view> known, std::string_view name) {
  return std::find(known.begin(), known.end(), name) != known.end();
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    unsigned byte = 0;
    const char* const first = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(first, first + 2, byte, 16).ptr != first + 2)
      return std::nullopt;
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

}  // namespace

int http_status_of(Code code) { return row_of(code).status; }

ManagementResponse problem(const Error& error, const std::string& request_id) {
  const ProblemRow& row = row_of(error.code);
  if (row.status >= 500)
    log(LogLevel::kError, "management.failed", {{"request_id", request_id}, {"error", describe(error)}});
  json::object body;
  body["type"] = "about:blank";
  body["title"] = row.title;
  body["status"] = row.status;
  body["code"] = code_name(error.code);
  body["detail"] = error.text;
  body["request_id"] = request_id;
  ManagementResponse response;
  response.status = row.status;
  response.content_type = "application/problem+json";
  response.body = json::serialize(body);
  if (row.status == 401) response.headers.emplace_back("www-authenticate", "Bearer");
  if (row.status == 429 || row.status == 503) response.headers.emplace_back("retry-after", "1");
  return response;
}

void Exchange::answer(int status, const json::object& body) const {
  ManagementResponse response;
  response.status = status;
  response.body = json::serialize(body);
  reply(std::move(response));
}

void Exchange::fail(const Error& error) const { reply(problem(error, request.request_id)); }

Error hung_up() { return make_error(Code::kFailedPrecondition, "whoever asked for this hung up"); }

Result<Query> parse_query(const std::string& text, std::initializer_list<std::string_view> known) {
  Query query;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto name = percent_decoded(pair.substr(0, equals));
    const auto value = percent_decoded(pair.substr(std::min(equals + 1, pair.size())));
    if (!name || !value) return invalid("the query is not well-formed");
    if (!is_known(known, *name))
      return invalid(fmt::format("unknown query parameter '{}'", name->substr(0, 100)));
    query.emplace(*name, *value);
  }
  return query;
}

std::string query_value(const Query& query, const std::string& name, const std::string& standard) {
  const auto found = query.find(name);
  return found == query.end() ? standard : found->second;
}

Result<Page> page_of(const Query& query) {
  Page page;
  ASSIGN_OR_RETURN(page.limit_count, query_number(query, "limit", page.limit_count, 1, kPageLimitCount));
  ASSIGN_OR_RETURN(page.before_number, query_number(query, "before", 0, 0, INT64_MAX));
  return page;
}

Result<std::int64_t> query_number(const Query& query, const std::string& name, std::int64_t standard,
                                  std::int64_t least, std::int64_t most) {
  const std::string text = query_value(query, name, std::to_string(standard));
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure == std::errc{} && end == text.data() + text.size() && value >= least && value <= most)
    return value;
  return invalid(fmt::format("query parameter '{}' must be a whole number from {} to {}", name, least, most));
}

Result<json::object> json_body(const ManagementRequest& request,
                               std::initializer_list<std::string_view> known) {
  if (request.body_memfd.valid()) return make_error(Code::kTooLarge, "the JSON body is too large");
  json::parse_options options;
  options.max_depth = limits::kRequestJsonDepth;
  json::error_code failure;
  json::value value = json::parse(request.body, failure, {}, options);
  if (failure || !value.is_object()) return invalid("the body must be a JSON object");
  for (const auto& member : value.get_object())
    if (!is_known(known, member.key()))
      return invalid(fmt::format("unknown member '{}' in the body", std::string_view(member.key())));
  return std::move(value.get_object());
}

AuditRecord audit_of(const Exchange& exchange, WallUs at_us, std::string action, std::string target,
                     std::string detail) {
  log(LogLevel::kInfo, "audit",
      {{"action", action},
       {"target", target},
       {"owner", exchange.principal.name},
       {"remote", exchange.request.remote_address},
       {"request_id", exchange.request.request_id}});
  return {at_us,
          exchange.principal.owner_id,
          exchange.request.remote_address,
          exchange.request.request_id,
          std::move(action),
          std::move(target),
          std::move(detail)};
}

}  // namespace noren::server
