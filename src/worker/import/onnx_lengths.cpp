#include "worker/import/onnx_lengths.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "worker/import/graph_index.h"

namespace noren::worker {
namespace {

/// No shape is longer, and a graph that puts lists together again and again stays small.
constexpr std::size_t kLengthsCount = 64;
/// Two such lengths multiply without an overflow.
constexpr std::int64_t kLargestLength = std::int64_t{1} << 31;

bool has_rows_count(const Lengths::List& list) {
  return std::find(list.begin(), list.end(), Lengths::kRowsCount) != list.end();
}

/// Where an index of ONNX points, counted from the end where it is negative, within 0 and `count`.
std::int64_t clamped(std::int64_t index, std::int64_t count) {
  return std::clamp<std::int64_t>(index < 0 ? index + count : index, 0, count);
}

std::size_t axes_count_of_attribute(const onnx::NodeProto& node) {
  for (const onnx::AttributeProto& attribute : node.attribute())
    if (attribute.name() == "axes") return static_cast<std::size_t>(attribute.ints_size());
  return 0;
}

std::optional<std::int64_t> calculated(std::string_view op, std::int64_t a, std::int64_t b) {
  if (a < -kLargestLength || a > kLargestLength || b < -kLargestLength || b > kLargestLength)
    return std::nullopt;  // kRowsCount among them
  if (op == "Add") return a + b;
  if (op == "Sub") return a - b;
  if (op == "Mul") return a * b;
  if (op == "Div" && b != 0) return a / b;
  return std::nullopt;
}

}  // namespace

void Lengths::add_constant(const std::string& name, const onnx::TensorProto& tensor) {
  if (tensor.data_type() != onnx::TensorProto::INT64 || tensor.dims_size() > 1) return;
  List list = integers_of(tensor);
  if (list.size() <= kLengthsCount && !has_rows_count(list))
    values_[name] = {std::move(list), tensor.dims_size() == 0};
}

bool Lengths::read_shape(const onnx::NodeProto& node, const Shape& shape_of_one_row) {
  List list = shape_of_one_row;
  if (list.empty() || std::any_of(list.begin(), list.end(), [](std::int64_t length) { return length < 0; }))
    return false;
  const auto count = static_cast<std::int64_t>(list.size());
  list[0] = kRowsCount;
  const std::int64_t begin = clamped(attribute_or(node, "start", 0), count);
  const std::int64_t end = clamped(attribute_or(node, "end", count), count);
  if (begin > end) return false;
  return keep(node, {{list.begin() + begin, list.begin() + end}, false});
}

bool Lengths::follow(const onnx::NodeProto& node) {
  std::optional<Value> value = result(node);
  return value && keep(node, std::move(*value));
}

const Lengths::List* Lengths::find(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second.list;
}

bool Lengths::depends_on_rows_count(const std::string& name) const {
  const List* const list = find(name);
  return list != nullptr && has_rows_count(*list);
}

bool Lengths::keep(const onnx::NodeProto& node, Value value) {
  if (node.output_size() != 1 || value.list.size() > kLengthsCount) return false;
  values_[node.output(0)] = std::move(value);
  return true;
}

const Lengths::Value* Lengths::input(const onnx::NodeProto& node, int index) const {
  if (index >= node.input_size()) return nullptr;
  const auto found = values_.find(node.input(index));
  return found == values_.end() ? nullptr : &found->second;
}

const Lengths::List* Lengths::constant_input(const onnx::NodeProto& node, int index) const {
  const Value* const value = input(node, index);
  return value == nullptr || has_rows_count(value->list) ? nullptr : &value->list;
}

std::optional<Lengths::Value> Lengths::result(const onnx::NodeProto& node) const {
  const std::string_view op = node.op_type();
  if (op == "Concat") return concat(node);
  if (op == "Add" || op == "Sub" || op == "Mul" || op == "Div") return arithmetic(node);
  const Value* const data = input(node, 0);
  if (data == nullptr) return std::nullopt;
  if (op == "Identity") return *data;
  if (op == "Cast" && attribute_or(node, "to", 0) == onnx::TensorProto::INT64) return *data;
  if (op == "Unsqueeze" && data->is_scalar) return unsqueeze(node, *data);
  if (op == "Squeeze" && data->list.size() == 1) return Value{data->list, true};
  if (op == "Gather") return gather(node, *data);
  if (op == "Slice") return slice(node, *data);
  return std::nullopt;
}

/// By one axis: with more it is a table, whose columns no list follows.
std::optional<Lengths::Value> Lengths::unsqueeze(const onnx::NodeProto& node, const Value& scalar) const {
  const List* const axes = constant_input(node, 1);
  const std::size_t axes_count = axes == nullptr ? axes_count_of_attribute(node) : axes->size();
  return axes_count == 1 ? std::optional(Value{scalar.list, false}) : std::nullopt;
}

std::optional<Lengths::Value> Lengths::gather(const onnx::NodeProto& node, const Value& data) const {
  const List* const indices = constant_input(node, 1);
  if (data.is_scalar || indices == nullptr) return std::nullopt;
  const auto count = static_cast<std::int64_t>(data.list.size());
  Value taken{{}, input(node, 1)->is_scalar};
  for (const std::int64_t index : *indices) {
    if (index < -count || index >= count) return std::nullopt;
    taken.list.push_back(data.list[static_cast<std::size_t>(index < 0 ? index + count : index)]);
  }
  return taken;
}

/// As opset 10 has it, with steps of 1.
std::optional<Lengths::Value> Lengths::slice(const onnx::NodeProto& node, const Value& data) const {
  const List* const begins = constant_input(node, 1);
  const List* const ends = constant_input(node, 2);
  const List* const steps = constant_input(node, 4);
  if (data.is_scalar || begins == nullptr || ends == nullptr || begins->size() != 1 || ends->size() != 1)
    return std::nullopt;
  if (node.input_size() > 4 && (steps == nullptr || *steps != List{1})) return std::nullopt;
  const auto count = static_cast<std::int64_t>(data.list.size());
  const std::int64_t begin = clamped(begins->front(), count);
  const std::int64_t end = clamped(ends->front(), count);
  if (begin > end) return std::nullopt;
  return Value{{data.list.begin() + begin, data.list.begin() + end}, false};
}

std::optional<Lengths::Value> Lengths::concat(const onnx::NodeProto& node) const {
  Value all;
  for (int i = 0; i < node.input_size(); ++i) {
    const Value* const part = input(node, i);
    if (part == nullptr || part->is_scalar || all.list.size() + part->list.size() > kLengthsCount)
      return std::nullopt;
    all.list.insert(all.list.end(), part->list.begin(), part->list.end());
  }
  return all;
}

std::optional<Lengths::Value> Lengths::arithmetic(const onnx::NodeProto& node) const {
  const Value* const a = input(node, 0);
  const Value* const b = input(node, 1);
  if (a == nullptr || b == nullptr || a->list.empty() || b->list.empty()) return std::nullopt;
  if (a->list.size() != b->list.size() && a->list.size() != 1 && b->list.size() != 1) return std::nullopt;
  Value value{{}, a->is_scalar && b->is_scalar};
  for (std::size_t i = 0; i < std::max(a->list.size(), b->list.size()); ++i) {
    const auto each = calculated(node.op_type(), a->list[i % a->list.size()], b->list[i % b->list.size()]);
    if (!each) return std::nullopt;
    value.list.push_back(*each);
  }
  return value;
}

}  // namespace noren::worker
