#include "worker/model_file/onnx/graph_walk.h"

#include <google/protobuf/unknown_field_set.h>

#include <map>
#include <set>
#include <vector>

#include "base/limits.h"
#include "worker/model_file/onnx/function_calls.h"
#include "worker/model_file/text.h"

namespace noren::worker {
namespace {

/// Functions got attributes with values (FunctionProto.attribute_proto) after the messages that are used
/// here.
constexpr int kAttributeProtoField = 11;
/// Our operators trust the translator that writes them.
constexpr std::string_view kOwnDomain = "noren";

/// The smallest number of bytes that an element takes, in eighths; 0 where it is unknown or text.
std::int64_t element_bits(int type) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::INT32:
    case onnx::TensorProto::UINT32: return 32;
    case onnx::TensorProto::DOUBLE:
    case onnx::TensorProto::INT64:
    case onnx::TensorProto::UINT64:
    case onnx::TensorProto::COMPLEX64: return 64;
    case onnx::TensorProto::COMPLEX128: return 128;
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
    case onnx::TensorProto::INT16:
    case onnx::TensorProto::UINT16: return 16;
    case onnx::TensorProto::INT8:
    case onnx::TensorProto::UINT8:
    case onnx::TensorProto::BOOL: return 8;
    default: return 0;
  }
}

class GraphWalk {
 public:
  explicit GraphWalk(OnnxFile& file) : file_(file) {}

  Status model(const onnx::ModelProto& model) {
    TRY(graph(model.graph()));
    for (const auto& function : model.functions()) TRY(this->function(function));
    for (const auto& training : model.training_info()) {
      TRY(graph(training.initialization()));
      TRY(graph(training.algorithm()));
    }
    return check_function_calls(model);
  }

 private:
  /// Names of initializers in one graph → their elements. An inner graph sees those around it.
  using Scope = std::map<std::string_view, std::int64_t>;

  Status graph(const onnx::GraphProto& graph) {
    scopes_.emplace_back();
    for (const auto& initializer : graph.initializer()) {
      ASSIGN_OR_RETURN(const std::int64_t count,
                       tensor(initializer, "initializer " + quoted_name(initializer.name())));
      file_.stored_scalars_count += count;
      scopes_.back()[initializer.name()] = count;
    }
    for (const auto& initializer : graph.sparse_initializer()) {
      const std::string owner = "sparse initializer " + quoted_name(initializer.values().name());
      ASSIGN_OR_RETURN(const std::int64_t count, sparse_tensor(initializer, owner));
      file_.stored_scalars_count += count;
      scopes_.back()[initializer.values().name()] = count;
    }
    // A graph's own inputs hide what is around it, except that an input may be filled by an initializer.
    for (const auto& input : graph.input()) scopes_.back().try_emplace(input.name(), 0);
    for (const auto& node : graph.node()) TRY(this->node(node));
    scopes_.pop_back();
    return Ok{};
  }

  Status function(const onnx::FunctionProto& function) {
    scopes_.emplace_back();  // a function sees nothing from outside
    std::vector<Scope> outside;
    outside.swap(scopes_);
    for (const auto& node : function.node()) TRY(this->node(node));
    TRY(newer_attributes(function));
    outside.swap(scopes_);
    scopes_.pop_back();
    return Ok{};
  }

  Status newer_attributes(const onnx::FunctionProto& function) {
    const auto& unknown = function.unknown_fields();
    for (int i = 0; i < unknown.field_count(); ++i) {
      const auto& field = unknown.field(i);
      const bool is_attribute = field.number() == kAttributeProtoField &&
                                field.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED;
      if (!is_attribute) continue;
      onnx::AttributeProto attribute;
      const std::string owner = "function " + quoted_name(function.name());
      if (!attribute.ParseFromString(field.length_delimited()))
        return invalid(owner + " has a damaged attribute");
      TRY(this->attribute(attribute, owner));
    }
    return Ok{};
  }

  Status node(const onnx::NodeProto& node) {
    if (++nodes_count_ > limits::kFunctionsCount) {
      return make_error(Code::kTooLarge,
                        "the model has more than " + std::to_string(limits::kFunctionsCount) + " nodes");
    }
    const bool is_standard = node.domain().empty() || node.domain() == "ai.onnx";
    if (node.domain() == kOwnDomain) {
      return unsupported("node " + quoted_name(node.name()) + " uses " + shown_name(node.op_type()) +
                         " of the domain '" + std::string(kOwnDomain) +
                         "', which is for translated .nnp models alone");
    }
    if (node.domain() == "ai.onnx.ml" && node.op_type() == "ZipMap") read_labels(node);
    const std::string type = shown_name(is_standard ? node.op_type() : node.domain() + "." + node.op_type());
    const std::string owner = "node " + quoted_name(node.name()) + " (" + type + ")";
    ++file_.operators_count[type];
    for (const std::string& input : node.input()) {
      const std::int64_t count = scalars_of(input);
      file_.cost_parameter_count += count;
      file_.used_scalars_count += count;
    }
    for (const auto& attribute : node.attribute()) TRY(this->attribute(attribute, owner));
    return Ok{};
  }

  /// The engine gives a map's entries in the order of their keys.
  void read_labels(const onnx::NodeProto& node) {
    if (node.output_size() != 1) return;
    std::set<std::int64_t> numbers;
    std::set<std::string> texts;
    for (const auto& attribute : node.attribute()) {
      if (attribute.name() == "classlabels_int64s")
        numbers.insert(attribute.ints().begin(), attribute.ints().end());
      if (attribute.name() == "classlabels_strings")
        texts.insert(attribute.strings().begin(), attribute.strings().end());
    }
    std::vector<std::string>& labels = file_.labels[node.output(0)];
    labels.clear();
    for (const std::int64_t number : numbers) labels.push_back(std::to_string(number));
    for (const std::string& text : texts) labels.push_back(shown_name(text));
  }

  std::int64_t scalars_of(const std::string& name) const {
    for (std::size_t i = scopes_.size(); i > 0; --i) {
      const auto found = scopes_[i - 1].find(name);
      if (found != scopes_[i - 1].end()) return found->second;
    }
    return 0;
  }

  Status attribute(const onnx::AttributeProto& attribute, const std::string& node) {
    const std::string owner = node + ", attribute " + quoted_name(attribute.name());
    if (attribute.has_t()) TRY(attribute_tensor(attribute.t(), owner));
    for (const auto& tensor : attribute.tensors()) TRY(attribute_tensor(tensor, owner));
    if (attribute.has_sparse_tensor()) TRY(attribute_tensor(attribute.sparse_tensor(), owner));
    for (const auto& tensor : attribute.sparse_tensors()) TRY(attribute_tensor(tensor, owner));
    if (attribute.has_g()) TRY(graph(attribute.g()));
    for (const auto& inner : attribute.graphs()) TRY(graph(inner));
    return Ok{};
  }

  template <typename Tensor>
  Status attribute_tensor(const Tensor& value, const std::string& owner) {
    std::int64_t count = 0;
    if constexpr (std::is_same_v<Tensor, onnx::SparseTensorProto>) {
      ASSIGN_OR_RETURN(count, sparse_tensor(value, owner));
    } else {
      ASSIGN_OR_RETURN(count, tensor(value, owner));
    }
    file_.used_scalars_count += count;
    return Ok{};
  }

  Result<std::int64_t> sparse_tensor(const onnx::SparseTensorProto& sparse, const std::string& owner) {
    TRY(tensor(sparse.indices(), owner));
    return tensor(sparse.values(), owner);
  }

  /// Checks a tensor and gives the number of its elements.
  Result<std::int64_t> tensor(const onnx::TensorProto& tensor, const std::string& owner) {
    if (tensor.data_location() == onnx::TensorProto::EXTERNAL || tensor.external_data_size() > 0) {
      return unsupported(owner + " keeps its data in another file; save the model with the data inside");
    }
    if (static_cast<std::size_t>(tensor.dims_size()) > limits::kRankCount) {
      return make_error(Code::kTooLarge,
                        owner + " has more than " + std::to_string(limits::kRankCount) + " dimensions");
    }
    std::int64_t count = 1;
    for (const std::int64_t dimension : tensor.dims()) {
      if (dimension < 0) return invalid(owner + " has a dimension of " + std::to_string(dimension));
      if (count != 0 && dimension > limits::kTensorElementsCount / count) {
        return make_error(Code::kTooLarge, owner + " has more than " +
                                               std::to_string(limits::kTensorElementsCount) + " numbers");
      }
      count *= dimension;
    }
    TRY(check_data(tensor, count, owner));
    return count;
  }

  /// What is promised must be there, so that a small file can't ask for much memory.
  static Status check_data(const onnx::TensorProto& tensor, std::int64_t count, const std::string& owner) {
    const std::int64_t bits = element_bits(tensor.data_type());
    if (tensor.has_raw_data()) {
      const auto stored_bits = static_cast<std::int64_t>(tensor.raw_data().size()) * 8;
      // Types that are newer than the messages used here take 4 bits or more.
      if (bits != 0 ? stored_bits != count * bits : stored_bits < count * 2) return wrong_size(count, owner);
      return Ok{};
    }
    std::int64_t stored = tensor.float_data_size();
    for (const int more : {tensor.int32_data_size(), tensor.string_data_size(), tensor.int64_data_size(),
                           tensor.double_data_size(), tensor.uint64_data_size()}) {
      stored += more;
    }
    constexpr std::int64_t kPackedCount = 4;  // small newer types share a number
    if ((bits != 0 && stored < count) || stored * kPackedCount < count) return wrong_size(count, owner);
    return Ok{};
  }

  static Error wrong_size(std::int64_t count, const std::string& owner) {
    return make_error(Code::kCorrupt,
                      owner + " does not hold the " + std::to_string(count) + " values that its shape says");
  }

  OnnxFile& file_;
  std::vector<Scope> scopes_;
  std::size_t nodes_count_ = 0;
};

}  // namespace

Status walk_onnx_graphs(const onnx::ModelProto& model, OnnxFile& file) {
  return GraphWalk(file).model(model);
}

Status check_onnx_name(std::string_view name, const std::string& owner) {
  if (name.size() > limits::kNameBytes || !is_utf8(name)) {
    return invalid(owner + " has a name that is too long or not UTF-8 text");
  }
  return Ok{};
}

}  // namespace noren::worker
