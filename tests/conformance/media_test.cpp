// Runs the conformance cases of files and requests in this process: the classic protocol and the decoders
// together. The cases' networks are identities, so the inputs that the parser makes are the outputs that a
// case wants. The cases are in tests/data/media (a small set) and, where the folder is there, in
// ../shared/conformance/media.
//   NOREN_CASES=substring     only cases whose path holds it
//   NOREN_CASES_ROOT=folder   cases of this folder instead
#include <gtest/gtest.h>
#include <zip.h>

#include <boost/json.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "base/limits.h"
#include "worker/protocol/classic/classic.h"

namespace noren::worker {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The member of a .nnp that holds its network, as text.
std::string network_text(const fs::path& model) {
  int error = 0;
  zip_t* archive = zip_open(model.c_str(), ZIP_RDONLY, &error);
  std::string text;
  for (const char* name : {"network.nntxt", "net.nntxt", "network.prototxt"}) {
    zip_file_t* member = archive == nullptr ? nullptr : zip_fopen(archive, name, 0);
    if (member == nullptr) continue;
    char buffer[4096];
    for (zip_int64_t size; (size = zip_fread(member, buffer, sizeof buffer)) > 0;)
      text.append(buffer, static_cast<std::size_t>(size));
    zip_fclose(member);
  }
  if (archive != nullptr) zip_discard(archive);
  return text;
}

/// A message in protobuf's text form: fields and messages by name.
struct Message {
  std::multimap<std::string, std::string> fields;
  std::multimap<std::string, Message> messages;

  std::string field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? "" : found->second;
  }
  struct Named {
    std::multimap<std::string, Message>::const_iterator first, last;
    auto begin() const { return first; }
    auto end() const { return last; }
  };
  Named all(const std::string& name) const {
    const auto [first, last] = messages.equal_range(name);
    return {first, last};
  }
};

Message read_message(std::istream& text) {
  Message message;
  for (std::string name; text >> name && name != "}";) {
    if (name.back() == ':') {
      std::string value;
      std::getline(text >> std::ws, value);
      while (!value.empty() && (value.back() == '\r' || value.back() == '"')) value.pop_back();
      if (value.starts_with('"')) value.erase(0, 1);
      message.fields.emplace(name.substr(0, name.size() - 1), value);
    } else {
      text >> std::ws;
      text.get();  // {
      message.messages.emplace(name, read_message(text));
    }
  }
  return message;
}

ModelSignature signature_of(const fs::path& model) {
  std::istringstream text(network_text(model));
  const Message file = read_message(text);
  std::map<std::string, Shape> shapes;
  for (const auto& [n, network] : file.all("network"))
    for (const auto& [v, variable] : network.all("variable"))
      for (const auto& [s, shape] : variable.all("shape"))
        for (auto [at, end] = shape.fields.equal_range("dim"); at != end; ++at)
          shapes[variable.field("name")].push_back(std::max(std::stoll(at->second), 1LL));
  bool normalize = true;
  for (const auto& [d, dataset] : file.all("dataset"))
    if (dataset.field("no_image_normalization") == "true") normalize = false;
  for (const auto& [e, executor] : file.all("executor"))
    if (executor.field("no_image_normalization") == "true") normalize = false;
  ModelSignature signature;
  for (const auto& [e, executor] : file.all("executor")) {
    ExecutorSignature& made = signature.executors.emplace_back();
    made.name = executor.field("name");
    for (const auto& [v, variable] : executor.all("data_variable")) {
      InputSignature& input = made.inputs.emplace_back();
      input.name = variable.field("data_name");
      input.variable = variable.field("variable_name");
      input.shape = shapes[input.variable];
      input.image.normalize = normalize;
    }
  }
  return signature;
}

std::string base64(const std::string& bytes) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<std::uint8_t>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      text += k > bytes.size() - i ? '=' : kAlphabet[group >> (18 - 6 * k) & 63];
    if (i % 57 == 54) text += '\n';
  }
  return text;
}

std::string body_of(const json::object& request, const fs::path& folder, const json::value& executor) {
  if (request.contains("request_text")) return std::string(request.at("request_text").as_string());
  if (request.contains("request")) return json::serialize(request.at("request"));
  json::array inputs;
  for (const json::value& input : request.at("inputs").as_array()) {
    json::object entry{{"name", input.at("name")}, {"type", input.at("type")}};
    if (const json::value* file = input.as_object().if_contains("file")) {
      entry["data"] = base64(read_file(folder / std::string(file->as_string())));
    } else {
      entry["data"] = input.at("data");
    }
    inputs.push_back(entry);
  }
  return json::serialize(json::object{{"executor", executor}, {"inputs", inputs}});
}

double number(const json::value& value) {
  if (value.is_string()) return std::strtod(value.as_string().c_str(), nullptr);
  return value.to_number<double>();
}

bool close(double got, double want, const json::value& tolerance) {
  if (std::isnan(got) || std::isnan(want)) return std::isnan(got) && std::isnan(want);
  if (std::isinf(got) || std::isinf(want)) return got == want;
  return std::abs(got - want) <= number(tolerance.at("abs")) + number(tolerance.at("rel")) * std::abs(want);
}

/// "" where every output agrees, else the first difference.
std::string difference(const std::vector<Tensor>& got, const json::array& want,
                       const json::value& tolerance) {
  if (got.size() != want.size()) return "another number of outputs";
  for (std::size_t i = 0; i < want.size(); ++i) {
    const json::array& values = want[i].at("data").as_array();
    if (got[i].count() != static_cast<std::int64_t>(values.size()))
      return "output of " + to_string(got[i].shape());
    for (std::size_t k = 0; k < values.size(); ++k)
      if (!close(got[i].data<float>()[k], number(values[k]), tolerance))
        return "output " + std::to_string(i) + "[" + std::to_string(k) +
               "] = " + std::to_string(got[i].data<float>()[k]) + ", expected " + json::serialize(values[k]);
  }
  return "";
}

/// A refusal must be one that a person can read.
std::string bad_refusal(const Error& error) {
  if (error.code != Code::kInvalidArgument) return "refused as " + describe(error);
  if (error.text.empty() || error.text.size() > limits::kDetailBytes) return "refused with " + error.text;
  return "";
}

std::string run_request(const json::object& request, const json::object& whole, ClassicParser& parser,
                        const fs::path& folder) {
  std::string body = body_of(request, folder, whole.at("executor"));
  const std::size_t size = body.size();
  body.resize(size + limits::kFramePaddingBytes);
  const Result<ClassicRequest> parsed =
      parser.parse({reinterpret_cast<const std::uint8_t*>(body.data()), size}, AcceptedFiles::kAll);
  const bool must_fail = request.contains("expect_error");
  const bool may_fail = request.contains("expect_error_or_ok");
  const bool is_loud = std::getenv("NOREN_CASES") != nullptr;
  if (!parsed.ok()) {
    if (is_loud || may_fail)
      std::cout << folder.filename().string() << ": " << parsed.error().text << " [" << parsed.error().detail
                << "]"
                << (may_fail && request.contains("suggested_outputs") ? " (an answer is suggested)" : "")
                << "\n";
    return must_fail || may_fail ? bad_refusal(parsed.error()) : "refused: " + describe(parsed.error());
  }
  if (must_fail) return "taken, where an error was due";
  const json::value tolerance =
      request.contains("tolerance") ? request.at("tolerance") : whole.at("tolerance");
  if (request.contains("outputs"))
    return difference(parsed->inputs, request.at("outputs").as_array(), tolerance);
  if (!request.contains("suggested_outputs")) return "";
  const std::string other = difference(parsed->inputs, request.at("suggested_outputs").as_array(), tolerance);
  if (!other.empty()) std::cout << folder.filename().string() << ": not as suggested: " << other << "\n";
  return "";
}

std::string run_case(const fs::path& folder) {
  const json::value whole = json::parse(read_file(folder / "case.json"));
  const ModelSignature signature = signature_of(folder / "model.nnp");
  if (signature.executors.empty()) return "no executor in the model";
  ClassicParser parser(signature);
  if (!whole.as_object().contains("requests"))
    return run_request(whole.as_object(), whole.as_object(), parser, folder);
  for (const json::value& request : whole.at("requests").as_array())
    if (std::string wrong = run_request(request.as_object(), whole.as_object(), parser, folder);
        !wrong.empty())
      return wrong;
  return "";
}

void run_all(const fs::path& root) {
  const char* wanted = std::getenv("NOREN_CASES");
  int passed = 0;
  int failed = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    if (!fs::exists(entry.path() / "case.json")) continue;
    if (wanted != nullptr && entry.path().string().find(wanted) == std::string::npos) continue;
    const std::string wrong = run_case(entry.path());
    wrong.empty() ? ++passed : ++failed;
    if (!wrong.empty()) ADD_FAILURE() << entry.path().filename().string() << ": " << wrong;
  }
  std::cout << passed << " passed, " << failed << " failed\n";
  EXPECT_GT(passed + failed, 0);
}

TEST(MediaCases, OfTheProject) {
  const char* chosen = std::getenv("NOREN_CASES_ROOT");
  run_all(chosen != nullptr ? fs::path(chosen) : fs::path(NOREN_SOURCE_DIR) / "tests/data/media");
}

TEST(MediaCases, OfTheConformanceSuite) {
  const fs::path root = fs::path(NOREN_SOURCE_DIR) / "../shared/conformance/media";
  if (!fs::exists(root) || std::getenv("NOREN_CASES_ROOT") != nullptr)
    GTEST_SKIP() << "no conformance cases beside the sources";
  run_all(root);
}

}  // namespace
}  // namespace noren::worker
