#include "worker/translate/graph.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <unordered_set>

#include <onnx/onnx_pb.h>

#include "base/check.h"

namespace noren::worker {
namespace {

constexpr std::int64_t kOpset = 21;
constexpr std::int64_t kIrVersion = 10;  // the first that holds opset 21
constexpr std::size_t kProtobufBytes = (std::size_t{1} << 31) - (1 << 20);
constexpr std::string_view kOurDomain = "noren";

onnx::TensorProto::DataType onnx_type(ElementType type) {
  switch (type) {
    case ElementType::kFloat32: return onnx::TensorProto::FLOAT;
    case ElementType::kFloat64: return onnx::TensorProto::DOUBLE;
    case ElementType::kInt8: return onnx::TensorProto::INT8;
    case ElementType::kInt16: return onnx::TensorProto::INT16;
    case ElementType::kInt32: return onnx::TensorProto::INT32;
    case ElementType::kInt64: return onnx::TensorProto::INT64;
    case ElementType::kUint8: return onnx::TensorProto::UINT8;
    case ElementType::kUint16: return onnx::TensorProto::UINT16;
    case ElementType::kUint32: return onnx::TensorProto::UINT32;
    case ElementType::kUint64: return onnx::TensorProto::UINT64;
    case ElementType::kBool: return onnx::TensorProto::BOOL;
    case ElementType::kString: return onnx::TensorProto::STRING;
    case ElementType::kFloat16: return onnx::TensorProto::FLOAT16;
    case ElementType::kBfloat16: return onnx::TensorProto::BFLOAT16;
  }
  CHECK(false);
  return onnx::TensorProto::UNDEFINED;
}

void set_attribute(onnx::AttributeProto& proto, const Attribute& attribute) {
  proto.set_name(std::string(attribute.name));
  if (const auto* integer = std::get_if<std::int64_t>(&attribute.value)) {
    proto.set_type(onnx::AttributeProto::INT);
    proto.set_i(*integer);
  } else if (const auto* real = std::get_if<float>(&attribute.value)) {
    proto.set_type(onnx::AttributeProto::FLOAT);
    proto.set_f(*real);
  } else if (const auto* text = std::get_if<std::string>(&attribute.value)) {
    proto.set_type(onnx::AttributeProto::STRING);
    proto.set_s(*text);
  } else if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&attribute.value)) {
    proto.set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t value : *integers) proto.add_ints(value);
  } else if (const auto* reals = std::get_if<std::vector<float>>(&attribute.value)) {
    proto.set_type(onnx::AttributeProto::FLOATS);
    for (const float value : *reals) proto.add_floats(value);
  } else {
    proto.set_type(onnx::AttributeProto::STRINGS);
    for (const std::string& value : std::get<std::vector<std::string>>(attribute.value))
      proto.add_strings(value);
  }
}

void set_port(onnx::ValueInfoProto& port, const std::string& name, ElementType type, const Shape* shape,
              bool batch) {
  port.set_name(name);
  auto* tensor = port.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(onnx_type(type));
  if (shape == nullptr) return;
  auto* dimensions = tensor->mutable_shape();
  for (std::size_t i = 0; i < shape->size(); ++i) {
    auto* dimension = dimensions->add_dim();
    if (i == 0 && batch)
      dimension->set_dim_param("N");
    else
      dimension->set_dim_value((*shape)[i]);
  }
}

/// The shape as a Reshape or Expand target: a batch axis is copied from the input (0) or left to be inferred
/// (-1).
std::vector<std::int64_t> target_of(const Shape& shape, bool batch, std::int64_t free_axis) {
  std::vector<std::int64_t> target(shape.begin(), shape.end());
  if (batch) target[0] = free_axis;
  return target;
}

}  // namespace

struct GraphBuilder::State {
  onnx::ModelProto model;
  onnx::GraphProto* graph = model.mutable_graph();
  std::int64_t next_name = 0;
  std::unordered_map<std::string, std::shared_ptr<const Tensor>> constants;
  std::unordered_set<std::string> written;
  std::map<std::vector<std::int64_t>, std::string> integer_lists;
  std::map<std::uint32_t, std::string> float_scalars;
  std::unordered_map<std::string, Shape> shapes;
  std::size_t initializer_bytes = 0;
  std::size_t own_nodes_count = 0;

  std::string fresh_name() { return "v" + std::to_string(next_name++); }

  void write_constant(const std::string& name) {
    const auto found = constants.find(name);
    if (found == constants.end() || !written.insert(name).second) return;
    const Tensor& tensor = *found->second;
    initializer_bytes += tensor.size_bytes();
    if (initializer_bytes > kProtobufBytes) return;  // finish() refuses
    onnx::TensorProto* proto = graph->add_initializer();
    proto->set_name(name);
    proto->set_data_type(onnx_type(tensor.type()));
    for (const std::int64_t dimension : tensor.shape()) proto->add_dims(dimension);
    proto->set_raw_data(tensor.raw(), tensor.size_bytes());
  }
};

GraphBuilder::GraphBuilder() : state_(std::make_unique<State>()) {}
GraphBuilder::~GraphBuilder() = default;

Value GraphBuilder::input(std::string_view name, ElementType type, const Shape& shape, BatchAxis batch) {
  const bool has_batch = batch == BatchAxis::kFirst;
  set_port(*state_->graph->add_input(), std::string(name), type, &shape, has_batch);
  state_->shapes[std::string(name)] = shape;
  return Value{.name = std::string(name), .type = type, .shape = shape, .batch = has_batch};
}

Value GraphBuilder::constant(std::shared_ptr<const Tensor> tensor, std::string_view name) {
  Value value{.name = name.empty() ? state_->fresh_name() : std::string(name),
              .type = tensor->type(),
              .shape = tensor->shape(),
              .constant = tensor};
  state_->constants[value.name] = std::move(tensor);
  return value;
}

Value GraphBuilder::floats(const Shape& shape, std::vector<float> values) {
  if (!shape.empty()) return constant(Tensor::from_floats(shape, std::move(values)));
  std::uint32_t bits = 0;
  std::memcpy(&bits, values.data(), sizeof bits);
  const auto found = state_->float_scalars.find(bits);
  if (found != state_->float_scalars.end())
    return constant(state_->constants.at(found->second), found->second);
  Value value = constant(Tensor::from_floats(shape, std::move(values)));
  state_->float_scalars[bits] = value.name;
  return value;
}

Value GraphBuilder::integers(const std::vector<std::int64_t>& values) {
  const auto found = state_->integer_lists.find(values);
  if (found != state_->integer_lists.end())
    return constant(state_->constants.at(found->second), found->second);
  Tensor tensor(ElementType::kInt64, {static_cast<std::int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.data<std::int64_t>());
  Value value = constant(std::move(tensor));
  state_->integer_lists[values] = value.name;
  return value;
}

Value GraphBuilder::integer(std::int64_t value) {
  Tensor tensor(ElementType::kInt64, {});
  *tensor.data<std::int64_t>() = value;
  return constant(std::move(tensor));
}

Value GraphBuilder::node(std::string_view op, const std::vector<Value>& inputs, const Shape& shape,
                         const Attributes& attributes, ElementType type) {
  return nodes(op, inputs, {shape}, attributes, {type}).front();
}

std::vector<Value> GraphBuilder::nodes(std::string_view op, const std::vector<Value>& inputs,
                                       const std::vector<Shape>& shapes, const Attributes& attributes,
                                       const std::vector<ElementType>& types) {
  onnx::NodeProto* node = state_->graph->add_node();
  const std::size_t colon = op.find("::");
  if (colon != std::string_view::npos) {
    node->set_domain(std::string(op.substr(0, colon)));
    node->set_op_type(std::string(op.substr(colon + 2)));
    CHECK(op.substr(0, colon) == kOurDomain);
    ++state_->own_nodes_count;
  } else {
    node->set_op_type(std::string(op));
  }
  bool batch = false;
  for (const Value& input : inputs) {
    node->add_input(input.name);
    state_->write_constant(input.name);
    batch = batch || input.batch;
  }
  for (const Attribute& attribute : attributes) set_attribute(*node->add_attribute(), attribute);
  std::vector<Value> outputs;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    Value output{.name = state_->fresh_name(),
                 .type = i < types.size() ? types[i] : ElementType::kFloat32,
                 .shape = shapes[i],
                 .batch = batch && !shapes[i].empty() && shapes[i][0] == 1};
    node->add_output(output.name);
    state_->shapes[output.name] = shapes[i];
    outputs.push_back(std::move(output));
  }
  return outputs;
}

Value GraphBuilder::elementwise(std::string_view op, const Value& a, const Value& b, ElementType type) {
  const auto shape = broadcast_shapes(a.shape, b.shape);
  CHECK(shape.ok());  // layers check the shapes of their inputs first
  return node(op, {a, b}, *shape, {}, type);
}

Value GraphBuilder::unary(std::string_view op, const Value& x, const Attributes& attributes,
                          ElementType type) {
  return node(op, {x}, x.shape, attributes, type);
}

Value GraphBuilder::reshape(const Value& x, const Shape& shape) {
  CHECK(element_count(shape) == x.count());
  if (shape == x.shape) return x;
  if (x.constant != nullptr) {
    Tensor tensor = *x.constant;
    tensor.reshape(shape);
    return constant(std::move(tensor));
  }
  const bool batch = x.batch && !shape.empty() && shape[0] == 1;
  return node("Reshape", {x, integers(target_of(shape, batch, -1))}, shape, {}, x.type);
}

Value GraphBuilder::transpose(const Value& x, const std::vector<std::int64_t>& axes) {
  CHECK(axes.size() == x.shape.size());
  bool same = true;
  Shape shape;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    shape.push_back(x.shape.at(static_cast<std::size_t>(axes[i])));
    same = same && axes[i] == static_cast<std::int64_t>(i);
  }
  if (same) return x;
  Value result = node("Transpose", {x}, shape, {{"perm", axes}}, x.type);
  result.batch = x.batch && axes[0] == 0;
  return result;
}

Value GraphBuilder::cast(const Value& x, ElementType type) {
  if (x.type == type) return x;
  return node("Cast", {x}, x.shape, {{"to", static_cast<std::int64_t>(onnx_type(type))}}, type);
}

Value GraphBuilder::expand(const Value& x, const Shape& shape) {
  if (x.shape == shape) return x;
  // Expand broadcasts both ways, so 1 keeps whatever the input has on that axis.
  const bool batch = x.batch && x.shape.size() == shape.size() && shape[0] == 1;
  Value result = node("Expand", {x, integers(target_of(shape, batch, 1))}, shape, {}, x.type);
  result.batch = batch;
  return result;
}

Value GraphBuilder::with_batch_of(const Value& x, const Value& like) {
  if (!like.batch || x.batch || x.shape.empty() || x.shape[0] != 1) return x;
  Value target = node("Shape", {like}, {1}, {{"start", 0}, {"end", 1}}, ElementType::kInt64);
  if (x.rank() > 1)
    target = node("Concat", {target, integers({x.shape.begin() + 1, x.shape.end()})}, {x.rank()},
                  {{"axis", 0}}, ElementType::kInt64);
  Value result = node("Expand", {x, target}, x.shape, {}, x.type);
  result.batch = true;
  return result;
}

Value GraphBuilder::slice(const Value& x, const std::vector<std::int64_t>& starts,
                          const std::vector<std::int64_t>& stops, const std::vector<std::int64_t>& axes,
                          const std::vector<std::int64_t>& steps) {
  Shape shape = x.shape;
  bool touches_batch = false;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    const std::int64_t length = x.shape.at(axis);
    const auto clamp = [&](std::int64_t position, std::int64_t low, std::int64_t high) {
      return std::clamp(position < 0 ? position + length : position, low, high);
    };
    const std::int64_t step = steps[i];
    CHECK(step != 0);
    const std::int64_t start = step > 0 ? clamp(starts[i], 0, length) : clamp(starts[i], 0, length - 1);
    const std::int64_t stop = step > 0 ? clamp(stops[i], 0, length) : clamp(stops[i], -1, length - 1);
    const std::int64_t span = step > 0 ? stop - start : start - stop;
    const std::int64_t stride = step > 0 ? step : -step;
    shape[axis] = span <= 0 ? 0 : (span + stride - 1) / stride;
    touches_batch = touches_batch || axis == 0;
  }
  Value result = node("Slice", {x, integers(starts), integers(stops), integers(axes), integers(steps)}, shape,
                      {}, x.type);
  result.batch = x.batch && !touches_batch;
  return result;
}

Value GraphBuilder::concatenate(const std::vector<Value>& values, std::int64_t axis) {
  CHECK(!values.empty());
  if (values.size() == 1) return values.front();
  Shape shape = values.front().shape;
  shape.at(static_cast<std::size_t>(axis)) = 0;
  bool all_batch = true;
  for (const Value& value : values) {
    shape[static_cast<std::size_t>(axis)] += value.shape.at(static_cast<std::size_t>(axis));
    all_batch = all_batch && value.batch;
  }
  Value result = node("Concat", values, shape, {{"axis", axis}}, values.front().type);
  result.batch = all_batch && axis != 0;
  return result;
}

Value GraphBuilder::reduce(std::string_view op, const Value& x, const std::vector<std::int64_t>& axes,
                           KeepAxes keep) {
  Shape shape;
  bool reduces_batch = false;
  for (std::int64_t axis = 0; axis < x.rank(); ++axis) {
    const bool reduced = std::find(axes.begin(), axes.end(), axis) != axes.end();
    if (!reduced) shape.push_back(x.shape[static_cast<std::size_t>(axis)]);
    if (reduced && keep == KeepAxes::kYes) shape.push_back(1);
    reduces_batch = reduces_batch || (reduced && axis == 0);
  }
  const std::int64_t keep_axes = keep == KeepAxes::kYes ? 1 : 0;
  Value result = node(op, {x, integers(axes)}, shape, {{"keepdims", keep_axes}, {"noop_with_empty_axes", 1}});
  result.batch = x.batch && !reduces_batch;
  return result;
}

std::string GraphBuilder::output(const Value& value, std::string_view name) {
  onnx::NodeProto* node = state_->graph->add_node();
  node->set_op_type("Identity");
  node->add_input(value.name);
  state_->write_constant(value.name);
  node->add_output(std::string(name));
  set_port(*state_->graph->add_output(), std::string(name), value.type, &value.shape, value.batch);
  return std::string(name);
}

void GraphBuilder::fix_batch_axes() {
  const auto fix = [](onnx::ValueInfoProto& port) {
    auto& shape = *port.mutable_type()->mutable_tensor_type()->mutable_shape();
    if (shape.dim_size() > 0 && shape.dim(0).has_dim_param()) shape.mutable_dim(0)->set_dim_value(1);
  };
  for (auto& port : *state_->graph->mutable_input()) fix(port);
  for (auto& port : *state_->graph->mutable_output()) fix(port);
}

const std::unordered_map<std::string, Shape>& GraphBuilder::shapes() const { return state_->shapes; }

std::size_t GraphBuilder::own_nodes_count() const { return state_->own_nodes_count; }

Result<Bytes> GraphBuilder::finish() {
  const auto too_large = [] {
    return make_error(Code::kTooLarge,
                      "the model is larger than 2 GiB once translated, which ONNX can't hold");
  };
  if (state_->initializer_bytes > kProtobufBytes) return too_large();
  onnx::ModelProto& model = state_->model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("noren");
  state_->graph->set_name("network");
  auto* opset = model.add_opset_import();
  opset->set_domain("");
  opset->set_version(kOpset);
  if (state_->own_nodes_count > 0) {
    auto* ours = model.add_opset_import();
    ours->set_domain(std::string(kOurDomain));
    ours->set_version(1);
  }
  const std::size_t size = model.ByteSizeLong();
  if (size > kProtobufBytes) return too_large();
  Bytes bytes(size);
  CHECK(model.SerializeToArray(bytes.data(), static_cast<int>(size)));
  return bytes;
}

Result<Shape> broadcast_shapes(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t db = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (da != db && da != 1 && db != 1)
      return invalid("shapes " + to_string(a) + " and " + to_string(b) + " don't fit together");
    result[result.size() - 1 - i] = da == 1 ? db : da;
  }
  return result;
}

}  // namespace noren::worker
