#include <algorithm>
#include <new>
#include <optional>

#include "base/check.h"
#include "base/limits.h"
#include "worker/media/media.h"
#include "worker/protocol/classic/base64.h"
#include "worker/protocol/classic/caller_text.h"
#include "worker/protocol/classic/classic.h"
#include "worker/protocol/classic/json.h"
#include "worker/protocol/classic/vector_data.h"

namespace noren::worker {
namespace {

static_assert(simdjson::SIMDJSON_PADDING <= limits::kFramePaddingBytes);

// Where things stand in the body: the root is level 1, "inputs" 2, an entry 3, its data 4.
constexpr std::size_t kRootValueDepth = 2;
constexpr std::size_t kEntryValueDepth = 4;
// Buffers that grew for one large request are let go after it.
constexpr std::size_t kKeptBytes = limits::kMiB;

std::string list_of(const std::vector<InputSignature>& inputs) {
  std::string text;
  for (const InputSignature& input : inputs) text += (text.empty() ? "" : ", ") + quote(input.name);
  return text;
}

/// "vector" or a file's type, in any letter case.
struct DataType {
  bool is_vector = false;
  MediaType media = MediaType::kImage;
};

Result<DataType> data_type_of(const std::string& type, AcceptedFiles accepted) {
  std::string lower = type;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  if (lower == "vector") return DataType{true, MediaType::kImage};
  const std::optional<MediaType> media = media_type_of(lower);
  if (!media.has_value())
    return invalid("type " + quote(type) +
                   " is not known (png, jpg, jpeg, gif, bmp, tif, tiff, dcm, wav, vector)");
  if (*media != MediaType::kImage && accepted == AcceptedFiles::kPerRequest)
    return invalid("an API of the type \"per request\" does not take " + lower +
                   " files; publish the model as a \"dedicated instance\"");
  return DataType{false, *media};
}

MediaTarget target_of(const InputSignature& input) {
  MediaTarget target;
  target.shape = sample_shape(input);
  target.normalization = input.image.normalize ? Normalization::kImage : Normalization::kNone;
  target.layout = input.image.layout;
  target.scale = input.image.scale;
  target.offset = input.image.offset;
  target.reverse_channels = input.image.reverse_channels;
  target.grey = input.image.grey;
  target.channels_count = input.image.channels_count;
  target.height_count = input.image.height_count;
  target.width_count = input.image.width_count;
  target.sound = input.sound;
  return target;
}

}  // namespace

struct ClassicParser::State {
  const ModelSignature& signature;
  AcceptedFiles accepted = AcceptedFiles::kPerRequest;  ///< by the request that is read
  json::parser parser;
  Bytes file;

  Result<ClassicRequest> parse(ByteView body);
  Status read_root(json::document& document, ClassicRequest& request);
  Status read_executor(json::value value, ClassicRequest& request);
  Status read_inputs(json::value value, ClassicRequest& request);
  Status read_entry(json::value value, std::size_t entry_index, ClassicRequest& request,
                    std::vector<std::uint8_t>& is_filled);
  Result<std::string> read_string(json::value value, std::string_view key);
  Result<Tensor> read_data(json::value value, const InputSignature& input, const std::string& type);
  Result<Tensor> read_file(json::value value, const InputSignature& input, MediaType media);
  Result<std::size_t> find_input(const ExecutorSignature& executor, const std::string& name) const;
};

Result<std::string> ClassicParser::State::read_string(json::value value, std::string_view key) {
  json::raw_json_string raw;
  const auto error = value.get_raw_json_string().get(raw);
  if (error == simdjson::INCORRECT_TYPE) return invalid("\"" + std::string(key) + "\" must be a string");
  if (error != simdjson::SUCCESS) return json_error(error);
  return plain_text(parser, raw);
}

/// By data name, else by variable name where exactly one input has it.
Result<std::size_t> ClassicParser::State::find_input(const ExecutorSignature& executor,
                                                     const std::string& name) const {
  const auto count_and_first = [&](auto member) {
    std::pair<std::size_t, std::size_t> found{0, 0};
    for (std::size_t i = executor.inputs.size(); i-- > 0;)
      if (executor.inputs[i].*member == name) found = {found.first + 1, i};
    return found;
  };
  auto [count, index] = count_and_first(&InputSignature::name);
  if (count == 0) std::tie(count, index) = count_and_first(&InputSignature::variable);
  if (count == 1) return index;
  if (count > 1) return invalid("the name " + quote(name) + " stands for more than one input of the model");
  return invalid("the model has no input " + quote(name) +
                 (executor.inputs.empty() ? " (it has none)" : " (it has " + list_of(executor.inputs) + ")"));
}

Result<Tensor> ClassicParser::State::read_file(json::value value, const InputSignature& input,
                                               MediaType media) {
  json::json_type type = json::json_type::null;
  if (const auto error = value.type().get(type); error != simdjson::SUCCESS) return json_error(error);
  if (type != json::json_type::string) return invalid("data must be the file as a base64 string");
  std::string_view text = token_text(value);
  CHECK(text.size() >= 2);
  TRY(decode_base64(text.substr(1, text.size() - 2), file));
  if (file.empty()) return invalid("data is empty");
  if (input.type == ElementType::kString) return invalid("the input takes strings, not files");
  if (!input.has_shape)
    return invalid("the model does not say the shape of this input: it takes numbers alone");
  ASSIGN_OR_RETURN(Tensor samples, decode_media(media, file, target_of(input)));
  if (input.has_batch_axis) {
    Shape shape = samples.shape();
    shape.insert(shape.begin(), 1);
    samples.reshape(std::move(shape));
  }
  return convert_samples(std::move(samples), input);
}

Result<Tensor> ClassicParser::State::read_data(json::value value, const InputSignature& input,
                                               const std::string& type) {
  ASSIGN_OR_RETURN(const DataType data_type, data_type_of(type, accepted));
  if (data_type.is_vector) return read_vector(parser, value, input, kEntryValueDepth);
  return read_file(value, input, data_type.media);
}

namespace {

/// The three keys of an entry of "inputs", as far as they were met.
struct Entry {
  std::optional<std::string> name;
  std::optional<std::string> type;
  bool has_data = false;
  bool is_data_read = false;
};

Error prefixed(std::size_t entry_index, const Entry& entry, Error error) {
  if (error.code == Code::kInternal) return error;
  std::string place = "inputs[" + std::to_string(entry_index) + "]";
  if (entry.name.has_value()) place += " " + quote(*entry.name);
  return make_error(Code::kInvalidArgument, place + ": " + error.text, error.detail);
}

}  // namespace

Status ClassicParser::State::read_entry(json::value value, std::size_t entry_index, ClassicRequest& request,
                                        std::vector<std::uint8_t>& is_filled) {
  const ExecutorSignature& executor = signature.executors[request.executor_index];
  Entry entry;
  json::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS)
    return invalid("inputs[" + std::to_string(entry_index) + "] must be an object with name, type and data");
  const auto read = [&](json::value data) -> Status {
    ASSIGN_OR_RETURN(const std::size_t index, find_input(executor, *entry.name));
    if (is_filled[index]) return invalid("this input is there twice");
    ASSIGN_OR_RETURN(request.inputs[index], read_data(data, executor.inputs[index], *entry.type));
    is_filled[index] = 1;
    entry.is_data_read = true;
    return Ok{};
  };
  const auto read_field = [&](json::field field) -> Status {
    if (is_key(parser, field.key(), "name")) {
      if (entry.name.has_value()) return invalid("\"name\" is there twice");
      ASSIGN_OR_RETURN(entry.name, read_string(field.value(), "name"));
    } else if (is_key(parser, field.key(), "type")) {
      if (entry.type.has_value()) return invalid("\"type\" is there twice");
      ASSIGN_OR_RETURN(entry.type, read_string(field.value(), "type"));
    } else if (is_key(parser, field.key(), "data")) {
      if (entry.has_data) return invalid("\"data\" is there twice");
      entry.has_data = true;
      if (entry.name.has_value() && entry.type.has_value()) return read(field.value());
    } else {
      return check_unused(field.value(), kEntryValueDepth);
    }
    return Ok{};
  };
  for (auto field : object) {
    if (field.error() != simdjson::SUCCESS) return json_error(field.error());
    if (Status status = read_field(field.value_unsafe()); !status.ok())
      return prefixed(entry_index, entry, std::move(status).error());
  }
  for (const auto& [is_there, key] : {std::pair{entry.name.has_value(), "name"},
                                      {entry.type.has_value(), "type"},
                                      {entry.has_data, "data"}})
    if (!is_there) return prefixed(entry_index, entry, invalid("\"" + std::string(key) + "\" is missing"));
  if (entry.is_data_read) return Ok{};
  // The data stood before the name or the type: the second time around both are known.
  if (object.reset().error() != simdjson::SUCCESS) return json_error(simdjson::TAPE_ERROR);
  for (auto field : object) {
    if (field.error() != simdjson::SUCCESS) return json_error(field.error());
    if (!is_key(parser, field.value_unsafe().key(), "data")) continue;
    if (Status status = read(field.value_unsafe().value()); !status.ok())
      return prefixed(entry_index, entry, std::move(status).error());
  }
  return Ok{};
}

Status ClassicParser::State::read_inputs(json::value value, ClassicRequest& request) {
  const ExecutorSignature& executor = signature.executors[request.executor_index];
  request.inputs.assign(executor.inputs.size(), Tensor());
  std::vector<std::uint8_t> is_filled(executor.inputs.size(), 0);
  json::array entries;
  if (value.get_array().get(entries) != simdjson::SUCCESS) return invalid("\"inputs\" must be a list");
  std::size_t entry_index = 0;
  for (auto entry : entries) {
    if (entry.error() != simdjson::SUCCESS) return json_error(entry.error());
    if (entry_index == limits::kRequestInputsCount)
      return invalid("there are more than " + std::to_string(limits::kRequestInputsCount) + " inputs");
    TRY(read_entry(entry.value_unsafe(), entry_index, request, is_filled));
    ++entry_index;
  }
  const auto missing = std::find(is_filled.begin(), is_filled.end(), 0);
  if (missing != is_filled.end())
    return invalid("input " +
                   quote(executor.inputs[static_cast<std::size_t>(missing - is_filled.begin())].name) +
                   " is missing");
  return Ok{};
}

Status ClassicParser::State::read_executor(json::value value, ClassicRequest& request) {
  if (bool is_null = false; value.is_null().get(is_null) == simdjson::SUCCESS && is_null) return Ok{};
  ASSIGN_OR_RETURN(const std::string name, read_string(value, "executor"));
  for (std::size_t i = 0; i < signature.executors.size(); ++i)
    if (signature.executors[i].name == name) {
      request.executor_index = i;
      return Ok{};
    }
  return invalid("the model has no executor " + quote(name));
}

Status ClassicParser::State::read_root(json::document& document, ClassicRequest& request) {
  json::object root;
  const auto error = document.get_object().get(root);
  if (error == simdjson::INCORRECT_TYPE) return invalid("the body must be a JSON object with \"inputs\"");
  if (error != simdjson::SUCCESS) return json_error(error);
  bool has_executor = false;
  bool has_inputs = false;
  bool are_inputs_read = false;
  for (auto result : root) {
    if (result.error() != simdjson::SUCCESS) return json_error(result.error());
    json::field field = result.value_unsafe();
    if (is_key(parser, field.key(), "executor")) {
      if (has_executor) return invalid("\"executor\" is there twice");
      has_executor = true;
      TRY(read_executor(field.value(), request));
    } else if (is_key(parser, field.key(), "inputs")) {
      if (has_inputs) return invalid("\"inputs\" is there twice");
      has_inputs = true;
      // With several executors the inputs wait until it is known which one they are for.
      if (!has_executor && signature.executors.size() > 1) continue;
      TRY(read_inputs(field.value(), request));
      are_inputs_read = true;
    } else {
      TRY(check_unused(field.value(), kRootValueDepth));
    }
  }
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
    return invalid("the body is not valid JSON (something stands behind its end)");
  if (!has_inputs && signature.executors[request.executor_index].inputs.empty()) return Ok{};
  if (!has_inputs) return invalid("\"inputs\" is missing");
  if (are_inputs_read) return Ok{};
  if (root.reset().error() != simdjson::SUCCESS) return json_error(simdjson::TAPE_ERROR);
  for (auto result : root) {
    if (result.error() != simdjson::SUCCESS) return json_error(result.error());
    if (is_key(parser, result.value_unsafe().key(), "inputs"))
      TRY(read_inputs(result.value_unsafe().value(), request));
  }
  return Ok{};
}

Result<ClassicRequest> ClassicParser::State::parse(ByteView body) {
  // Editors put a byte order mark before a data.json that curl then sends as it is.
  constexpr std::uint8_t kMark[] = {0xef, 0xbb, 0xbf};
  if (body.size() >= sizeof kMark && std::equal(std::begin(kMark), std::end(kMark), body.begin()))
    body = body.subspan(sizeof kMark);
  json::document document;
  const auto error = parser
                         .iterate(reinterpret_cast<const char*>(body.data()), body.size(),
                                  body.size() + simdjson::SIMDJSON_PADDING)
                         .get(document);
  if (error != simdjson::SUCCESS) return json_error(error);
  ClassicRequest request;
  TRY(read_root(document, request));
  return request;
}

ClassicParser::ClassicParser(const ModelSignature& signature)
    : state_(new State{signature, AcceptedFiles::kPerRequest, json::parser(), {}}) {
  CHECK(!signature.executors.empty());
}
ClassicParser::ClassicParser(ClassicParser&&) noexcept = default;
ClassicParser::~ClassicParser() = default;

Result<ClassicRequest> ClassicParser::parse(ByteView body, AcceptedFiles accepted) {
  try {
    state_->accepted = accepted;
    Result<ClassicRequest> request = state_->parse(body);
    if (body.size() > kKeptBytes) {
      state_->parser = json::parser();
      state_->file = Bytes();
    }
    if (request.ok()) return request;
    Error error = std::move(request).error();
    if (error.code == Code::kInternal) return error;
    return make_error(Code::kInvalidArgument, cut_text(error.text, limits::kDetailBytes),
                      std::move(error.detail));
  } catch (const std::bad_alloc&) {
    return invalid("the request needs more memory than there is");
  }
}

}  // namespace noren::worker
