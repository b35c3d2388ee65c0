// noren call: one request to a published API, as its callers send it.
#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <sodium.h>
#include <boost/json.hpp>

#include "base/bytes.h"
#include "base/limits.h"
#include "cli/session.h"

namespace noren::cli {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 9> kFileTypes = {"png", "jpg",  "jpeg", "gif", "bmp",
                                                        "tif", "tiff", "dcm",  "wav"};

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return invalid(fmt::format("can't read {}", path));
  return std::move(text).str();
}

std::string base64_of(std::string_view bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes_of(bytes).data(), bytes.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // its zero byte
  return text;
}

Result<json::object> file_input(const std::string& path) {
  std::string type = std::filesystem::path(path).extension().string();
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return std::tolower(c); });
  if (!type.empty()) type.erase(0, 1);
  ASSIGN_OR_RETURN(const std::string bytes, read_file(path));
  if (type == "json") {
    json::error_code failure;
    json::value value = json::parse(bytes, failure);
    if (failure) return invalid(fmt::format("{} is not JSON: {}", path, failure.message()));
    return json::object{{"type", "vector"}, {"data", std::move(value)}};
  }
  if (std::find(kFileTypes.begin(), kFileTypes.end(), type) == kFileTypes.end())
    return invalid(fmt::format("{}: '{}' is no type of file that can be sent ({}, json)", path, type,
                               fmt::join(kFileTypes, ", ")));
  return json::object{{"type", type}, {"data", base64_of(bytes)}};
}

Result<json::object> vector_input(const std::string& name, std::string_view text) {
  json::error_code failure;
  if (text.starts_with('[')) {
    json::value value = json::parse(text, failure);
    if (failure) return invalid(fmt::format("{}: the list is not JSON: {}", name, failure.message()));
    return json::object{{"type", "vector"}, {"data", std::move(value)}};
  }
  json::array numbers;
  while (true) {
    const std::string_view item = text.substr(0, text.find(','));
    const json::value number = json::parse(item, failure);
    if (failure || !number.is_number())
      return invalid(fmt::format("{}: '{}' is not a number (give NAME=5,3.5,1.3 or NAME=@FILE)", name, item));
    numbers.push_back(number);
    if (item.size() == text.size()) break;
    text.remove_prefix(item.size() + 1);
  }
  return json::object{{"type", "vector"}, {"data", std::move(numbers)}};
}

Result<json::object> input_of(const std::string& argument) {
  const std::size_t equals = argument.find('=');
  if (equals == 0 || equals == std::string::npos)
    return invalid(fmt::format("'{}' is not NAME=VALUE (NAME=@picture.png, NAME=5,3.5,1.3,0.3)", argument));
  const std::string name = argument.substr(0, equals);
  const std::string value = argument.substr(equals + 1);
  auto input = value.starts_with('@') ? file_input(value.substr(1)) : vector_input(name, value);
  if (!input.ok()) return input.error();
  (*input)["name"] = name;
  return input;
}

struct Target {
  std::string url;
  Secret key;
  std::string certificate_authority;
};

/// Where an API is called: a whole URL, or an id that the management API knows.
Result<Target> target_of(const Hooks& hooks, const Common& common, const CallOptions& options) {
  if (options.target.find("://") != std::string::npos) {
    if (options.key.empty()) return invalid("a URL needs --key");
    return Target{options.target, Secret(options.key), common.where.certificate_authority};
  }
  ASSIGN_OR_RETURN(const Session session, Session::find(hooks, common.where));
  const std::string path = "apis/" + encoded(options.target);
  ASSIGN_OR_RETURN(const json::object api, session.ask("GET", path));
  Target target{text_of(api, "url"), Secret(options.key), session.certificate_authority()};
  if (!target.key.empty()) return target;
  ASSIGN_OR_RETURN(const json::object keys, session.ask("GET", path + "/keys"));
  const json::value* list = keys.if_contains("keys");
  if (list == nullptr || !list->is_array() || list->get_array().empty())
    return make_error(Code::kFailedPrecondition, "this API has no key");
  target.key = Secret(text_of(list->get_array().front().as_object(), "key"));
  return target;
}

Code code_of_status(int status) {
  switch (status) {
    case 400: return Code::kInvalidArgument;
    case 403: return Code::kPermissionDenied;
    case 404: return Code::kNotFound;
    case 413: return Code::kTooLarge;
    case 429: return Code::kExhausted;
    case 503: return Code::kUnavailable;
    case 504: return Code::kDeadlineExceeded;
    default: return status >= 500 ? Code::kInternal : Code::kInvalidArgument;
  }
}

Error refusal(const HttpAnswer& answer) {
  json::error_code failure;
  const json::value body = json::parse(answer.body, failure);
  if (failure || !body.is_object())
    return make_error(code_of_status(answer.status),
                      fmt::format("HTTP {}: {}", answer.status, answer.body.substr(0, limits::kDetailBytes)));
  std::string text = text_of(body.get_object(), "message");
  const json::value* data = body.get_object().if_contains("data");
  const std::string detail =
      data != nullptr && data->is_object() ? text_of(data->get_object(), "detail") : "";
  if (!detail.empty()) text += ": " + detail;
  return make_error(code_of_status(answer.status), text);
}

}  // namespace

Status call(const Hooks& hooks, const Common& common, const CallOptions& options) {
  json::array inputs;
  for (const std::string& argument : options.inputs) {
    ASSIGN_OR_RETURN(json::object input, input_of(argument));
    inputs.push_back(std::move(input));
  }
  ASSIGN_OR_RETURN(const Target target, target_of(hooks, common, options));
  json::object body;
  if (!options.executor.empty()) body["executor"] = options.executor;
  body["inputs"] = std::move(inputs);
  HttpCall request;
  request.method = "POST";
  request.url = target.url;
  request.headers = {{"Content-Type", "application/json"}, {"x-api-key", std::string(target.key.reveal())}};
  request.body = json::serialize(body);
  request.certificate_authority = target.certificate_authority;
  ASSIGN_OR_RETURN(const HttpAnswer answer, send(request));
  if (answer.status != 200) return refusal(answer);
  if (common.form == Form::kJson) {
    print(answer.body + "\n");
    return Ok{};
  }
  json::error_code failure;
  const json::value parsed = json::parse(answer.body, failure);
  const json::value* outputs = parsed.is_object() ? parsed.get_object().if_contains("outputs") : nullptr;
  if (outputs == nullptr || !outputs->is_array()) return internal("the answer has no outputs");
  std::vector<Line> lines;
  for (const json::value& output : outputs->get_array()) {
    const json::value* data = output.as_object().if_contains("data");
    const std::string text = text_of(output.as_object(), "data");
    lines.push_back({text_of(output.as_object(), "name"),
                     data != nullptr && !data->is_string() ? json::serialize(*data) : text});
  }
  print_lines(lines);
  return Ok{};
}

}  // namespace noren::cli
