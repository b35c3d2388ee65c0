#include "worker/model_file/nnp/network_text.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>

#include <utility>

#include "base/limits.h"
#include "nnp.pb.h"
#include "worker/model_file/text.h"

namespace noren::worker::nnp {
namespace {

namespace pb = google::protobuf;
namespace messages = ::noren::nnp_messages;

constexpr int kNestingCount = 32;
constexpr std::size_t kLoopNestingCount = 16;

/// Keeps the first error as "line 3, column 7: …".
class FirstError final : public pb::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty()) {
      text_ = "line " + std::to_string(line + 1) + ", column " + std::to_string(column + 1) + ": " +
              plain(message);
    }
  }
  const std::string& text() const { return text_; }

 private:
  /// The library's sentence without its package name and in our words where it is frequent.
  static std::string plain(std::string message) {
    static constexpr std::string_view kPackage = "noren.nnp_messages.";
    for (std::size_t at; (at = message.find(kPackage)) != std::string::npos;)
      message.erase(at, kPackage.size());
    static constexpr std::string_view kType = "Message type \"", kField = "\" has no field named \"";
    const std::size_t field = message.find(kField);
    if (message.starts_with(kType) && field != std::string::npos) {
      const std::string owner = message.substr(kType.size(), field - kType.size());
      const std::size_t begin = field + kField.size();
      return "unknown field " + quoted_name(message.substr(begin, message.rfind('"') - begin)) + " in " +
             owner;
    }
    return shown_name(message);
  }

  std::string text_;
};

Status check_is_text(const NetworkText& source) {
  std::size_t line = 1;
  for (const char c : source.text) {
    if (c == '\n') ++line;
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != '\v') {
      return invalid("the network file " + quoted_name(source.member) + " holds binary data in line " +
                     std::to_string(line));
    }
  }
  if (!is_utf8(source.text))
    return invalid("the network file " + quoted_name(source.member) + " is not UTF-8 text");
  return Ok{};
}

Status merge_text(const NetworkText& source, messages::NNablaProtoBuf& model) {
  TRY(check_is_text(source));
  std::string_view text = source.text;
  static constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  FirstError error;
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetRecursionLimit(kNestingCount);
  pb::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  if (!parser.Merge(&input, &model)) {
    return invalid("the network file " + quoted_name(source.member) + ", " +
                   (error.text().empty() ? "is not readable" : error.text()));
  }
  return Ok{};
}

/// Moves names out of the messages, each checked once.
class Names {
 public:
  std::string take(const std::string& name) {
    if (problem_.empty() && name.size() > limits::kNameBytes) {
      problem_ = "the name " + quoted_name(name) + " in the network file is longer than " +
                 std::to_string(limits::kNameBytes) + " bytes";
    }
    if (problem_.empty() && !is_utf8(name)) problem_ = "the name " + quoted_name(name) + " is not UTF-8 text";
    return name;
  }
  template <typename List>
  std::vector<std::string> take_all(const List& names) {
    std::vector<std::string> result;
    result.reserve(static_cast<std::size_t>(names.size()));
    for (const std::string& name : names) result.push_back(take(name));
    return result;
  }
  template <typename List>
  std::vector<std::string> take_loops(const List& names) {
    if (problem_.empty() && static_cast<std::size_t>(names.size()) > kLoopNestingCount) {
      problem_ = "loops are nested more than " + std::to_string(kLoopNestingCount) + " deep";
    }
    return take_all(names);
  }
  Status status() const { return problem_.empty() ? Status(Ok{}) : Status(invalid(problem_)); }

 private:
  std::string problem_;
};

Argument single_value(const pb::Message& message, const pb::FieldDescriptor* field) {
  const pb::Reflection& read = *message.GetReflection();
  switch (field->cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_BOOL: return read.GetBool(message, field);
    case pb::FieldDescriptor::CPPTYPE_INT64: return std::int64_t{read.GetInt64(message, field)};
    case pb::FieldDescriptor::CPPTYPE_FLOAT: return double{read.GetFloat(message, field)};
    case pb::FieldDescriptor::CPPTYPE_DOUBLE: return read.GetDouble(message, field);
    case pb::FieldDescriptor::CPPTYPE_STRING: return read.GetString(message, field);
    case pb::FieldDescriptor::CPPTYPE_MESSAGE: {
      std::vector<std::int64_t> dimensions;
      if (const auto* shape = dynamic_cast<const messages::Shape*>(&read.GetMessage(message, field))) {
        dimensions.assign(shape->dim().begin(), shape->dim().end());
      }
      return dimensions;
    }
    default: CHECK(false && "an argument type that the reader does not know"); std::abort();
  }
}

Argument list_value(const pb::Message& message, const pb::FieldDescriptor* field) {
  const pb::Reflection& read = *message.GetReflection();
  const int count = read.FieldSize(message, field);
  const auto collect = [&](auto get) {
    std::vector<decltype(get(0))> values;
    values.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) values.push_back(get(i));
    return values;
  };
  switch (field->cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT64:
      return collect([&](int i) { return std::int64_t{read.GetRepeatedInt64(message, field, i)}; });
    case pb::FieldDescriptor::CPPTYPE_FLOAT:
      return collect([&](int i) { return double{read.GetRepeatedFloat(message, field, i)}; });
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return collect([&](int i) { return read.GetRepeatedString(message, field, i); });
    default: CHECK(false && "a list argument type that the reader does not know"); std::abort();
  }
}

/// The field of Function that holds the arguments of a type: the one whose message is named <type>Parameter.
const pb::FieldDescriptor* arguments_field(const std::string& type) {
  static const auto* const fields = [] {
    auto* result = new std::map<std::string, const pb::FieldDescriptor*>;
    const pb::OneofDescriptor* choice = messages::Function::descriptor()->FindOneofByName("parameter");
    CHECK(choice != nullptr);
    for (int i = 0; i < choice->field_count(); ++i) {
      (*result)[choice->field(i)->message_type()->name()] = choice->field(i);
    }
    return result;
  }();
  const auto found = fields->find(type + "Parameter");
  return found == fields->end() ? nullptr : found->second;
}

Arguments arguments_of(const messages::Function& function) {
  Arguments arguments;
  const pb::FieldDescriptor* field = arguments_field(function.type());
  if (field == nullptr) return arguments;
  // Where the file has no such field this is the message of defaults.
  const pb::Message& message = function.GetReflection()->GetMessage(function, field);
  const pb::Descriptor* type = message.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const pb::FieldDescriptor* argument = type->field(i);
    const bool is_communicator =
        argument->message_type() != nullptr && argument->message_type()->name() != "Shape";
    if (is_communicator) continue;  // of training on several machines
    arguments.set(argument->name(),
                  argument->is_repeated() ? list_value(message, argument) : single_value(message, argument));
  }
  return arguments;
}

RawVariable variable_of(const messages::Variable& source, Names& names) {
  RawVariable variable;
  variable.name = names.take(source.name());
  variable.is_parameter = source.type() == "Parameter";
  variable.repeat_ids = names.take_loops(source.repeat_id());
  variable.shape.assign(source.shape().dim().begin(), source.shape().dim().end());
  variable.initializer_type = names.take(source.initializer().type());
  variable.initializer_multiplier = source.initializer().multiplier();
  return variable;
}

RawFunction function_of(const messages::Function& source, Names& names) {
  RawFunction function;
  function.name = names.take(source.name());
  function.type = names.take(source.type());
  function.repeat_ids = names.take_loops(source.repeat_id());
  function.inputs = names.take_all(source.input());
  function.outputs = names.take_all(source.output());
  function.arguments = arguments_of(source);
  if (source.has_repeat_param()) {
    function.loop_id = names.take(source.repeat_param().repeat_id());
    function.loop_times = source.repeat_param().times();
  } else if (source.has_recurrent_param()) {
    function.loop_id = names.take(source.recurrent_param().repeat_id());
    function.loop_times = source.recurrent_param().length();
    function.loop_axis = source.recurrent_param().axis();
  }
  return function;
}

Error too_many(const char* what, std::size_t limit) {
  return make_error(Code::kTooLarge, "the file has more than " + std::to_string(limit) + " " + what);
}

/// Before anything is copied out of the messages. All networks together: those that nobody runs are read too.
Status check_counts(const messages::NNablaProtoBuf& source) {
  const auto more_than = [](int count, std::size_t limit) { return static_cast<std::size_t>(count) > limit; };
  if (more_than(source.network_size(), limits::kNetworksCount)) {
    return too_many("networks", limits::kNetworksCount);
  }
  if (more_than(source.executor_size(), limits::kNetworksCount)) {
    return too_many("executors", limits::kNetworksCount);
  }
  std::size_t variables_count = 0, functions_count = 0;
  for (const messages::Network& network : source.network()) {
    variables_count += static_cast<std::size_t>(network.variable_size());
    functions_count += static_cast<std::size_t>(network.function_size());
  }
  if (variables_count > limits::kVariablesCount) return too_many("variables", limits::kVariablesCount);
  if (functions_count > limits::kFunctionsCount) return too_many("layers", limits::kFunctionsCount);
  return Ok{};
}

RawNetwork network_of(const messages::Network& source, Names& names) {
  RawNetwork network;
  network.name = names.take(source.name());
  network.batch_size = source.batch_size();
  for (const auto& loop : source.repeat_info()) network.loop_times[names.take(loop.id())] = loop.times();
  for (const auto& variable : source.variable()) network.variables.push_back(variable_of(variable, names));
  for (const auto& function : source.function()) network.functions.push_back(function_of(function, names));
  return network;
}

RawExecutor executor_of(const messages::Executor& source, Names& names) {
  RawExecutor executor;
  executor.name = names.take(source.name());
  executor.network = names.take(source.network_name());
  executor.evaluations_count = source.num_evaluations();
  executor.repeat_evaluation_type = names.take(source.repeat_evaluation_type());
  executor.need_back_propagation = source.need_back_propagation();
  executor.no_image_normalization = source.no_image_normalization();
  for (const auto& data : source.data_variable()) {
    executor.inputs.push_back({names.take(data.variable_name()), names.take(data.data_name())});
  }
  for (const auto& output : source.output_variable()) {
    executor.outputs.push_back({names.take(output.variable_name()), names.take(output.data_name())});
  }
  for (const auto& generator : source.generator_variable()) {
    executor.generators.push_back(
        {names.take(generator.variable_name()), names.take(generator.type()), generator.multiplier()});
  }
  for (const auto& loss : source.loss_variable()) executor.losses.push_back(names.take(loss.variable_name()));
  return executor;
}

Status add_parameters(const messages::NNablaProtoBuf& source, Names& names, RawModel& model) {
  for (const messages::Parameter& stored : source.parameter()) {
    worker::Parameter parameter;
    parameter.shape.assign(stored.shape().dim().begin(), stored.shape().dim().end());
    parameter.values = std::make_shared<std::vector<float>>(stored.data().begin(), stored.data().end());
    model.parameters[names.take(stored.variable_name())] = std::move(parameter);
  }
  return names.status();
}

}  // namespace

Result<RawModel> parse_network_texts(const std::vector<NetworkText>& texts) {
  messages::NNablaProtoBuf source;
  for (const NetworkText& text : texts) TRY(merge_text(text, source));
  TRY(check_counts(source));
  RawModel model;
  Names names;
  for (const messages::Network& network : source.network()) {
    model.networks.push_back(network_of(network, names));
  }
  for (const messages::Executor& executor : source.executor())
    model.executors.push_back(executor_of(executor, names));
  for (const messages::Dataset& dataset : source.dataset()) {
    model.dataset_without_normalization |= dataset.no_image_normalization();
  }
  TRY(add_parameters(source, names, model));
  TRY(names.status());
  return model;
}

}  // namespace noren::worker::nnp
