// worker/translate/graph.h - GraphBuilder: an ONNX graph (opset 21) that grows node by node.
// Used by the layers' translations, one builder an executor, inside an import worker. Writes bytes, runs
// nothing. Shapes are those of one request (batch 1); a value whose axis 0 is the batch keeps that axis free
// in the graph, and everything that the builder writes (reshapes, expands) leaves it free.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "worker/tensor/tensor.h"

namespace noren::worker {

/// Whether axis 0 of an input is the batch.
enum class BatchAxis : std::uint8_t { kNone, kFirst };

/// A tensor of the graph under construction.
struct Value {
  std::string name;
  ElementType type = ElementType::kFloat32;
  Shape shape;         ///< with batch 1
  bool batch = false;  ///< axis 0 is the batch axis and free
  /// Known while translating (a parameter, or made of such): layers may compute with it instead of emitting
  /// nodes.
  std::shared_ptr<const Tensor> constant;

  std::int64_t rank() const { return static_cast<std::int64_t>(shape.size()); }
  std::int64_t count() const { return element_count(shape); }
};

using AttributeValue = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>,
                                    std::vector<float>, std::vector<std::string>>;
struct Attribute {
  std::string_view name;
  AttributeValue value;
  Attribute(std::string_view n, std::int64_t v) : name(n), value(v) {}
  Attribute(std::string_view n, int v) : name(n), value(std::int64_t{v}) {}
  Attribute(std::string_view n, float v) : name(n), value(v) {}
  Attribute(std::string_view n, const char* v) : name(n), value(std::string(v)) {}
  Attribute(std::string_view n, std::string v) : name(n), value(std::move(v)) {}
  Attribute(std::string_view n, std::vector<std::int64_t> v) : name(n), value(std::move(v)) {}
  Attribute(std::string_view n, std::vector<float> v) : name(n), value(std::move(v)) {}
  Attribute(std::string_view n, std::vector<std::string> v) : name(n), value(std::move(v)) {}
};
using Attributes = std::vector<Attribute>;

class GraphBuilder {
 public:
  GraphBuilder();
  ~GraphBuilder();

  /// An input of the whole graph.
  Value input(std::string_view name, ElementType type, const Shape& shape, BatchAxis batch);

  /// Constants. They reach the file only where a node reads them; equal small ones are shared.
  Value constant(std::shared_ptr<const Tensor> tensor, std::string_view name = {});
  Value constant(Tensor tensor) { return constant(std::make_shared<const Tensor>(std::move(tensor))); }
  Value floats(const Shape& shape, std::vector<float> values);
  Value scalar(float value) { return floats({}, {value}); }
  Value integers(const std::vector<std::int64_t>& values);  ///< int64, one axis
  Value integer(std::int64_t value);                        ///< int64 scalar

  /// A node with one output of this shape and type. An operator of ours is named "noren::NAME", any other is
  /// ONNX's. The output has a batch axis where any input has one. An empty Value{} stands for an input left
  /// out.
  Value node(std::string_view op, const std::vector<Value>& inputs, const Shape& shape,
             const Attributes& attributes = {}, ElementType type = ElementType::kFloat32);
  /// A node with several outputs.
  std::vector<Value> nodes(std::string_view op, const std::vector<Value>& inputs,
                           const std::vector<Shape>& shapes, const Attributes& attributes = {},
                           const std::vector<ElementType>& types = {});

  // Frequent pieces; they leave a batch axis free and fold constants.
  Value add(const Value& a, const Value& b) { return elementwise("Add", a, b); }
  Value subtract(const Value& a, const Value& b) { return elementwise("Sub", a, b); }
  Value multiply(const Value& a, const Value& b) { return elementwise("Mul", a, b); }
  Value divide(const Value& a, const Value& b) { return elementwise("Div", a, b); }
  /// Any binary ONNX operator with numpy broadcasting; bool outputs for comparisons.
  Value elementwise(std::string_view op, const Value& a, const Value& b,
                    ElementType type = ElementType::kFloat32);
  /// A unary operator that keeps the shape.
  Value unary(std::string_view op, const Value& x, const Attributes& attributes = {},
              ElementType type = ElementType::kFloat32);
  /// Same elements in another shape. Where x has a batch axis and shape[0] is 1, axis 0 stays the batch.
  Value reshape(const Value& x, const Shape& shape);
  Value transpose(const Value& x, const std::vector<std::int64_t>& axes);
  Value cast(const Value& x, ElementType type);
  /// Broadcasts to a shape (numpy rules); a batch axis stays free.
  Value expand(const Value& x, const Shape& shape);
  /// x once for each row of `like`: a first axis of 1 becomes the batch axis. Else x as it is.
  Value with_batch_of(const Value& x, const Value& like);
  /// Elements [start, stop) with a step along each listed axis; positions as ONNX's Slice takes them.
  Value slice(const Value& x, const std::vector<std::int64_t>& starts, const std::vector<std::int64_t>& stops,
              const std::vector<std::int64_t>& axes, const std::vector<std::int64_t>& steps);
  Value concatenate(const std::vector<Value>& values, std::int64_t axis);
  /// ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ReduceL1, ReduceL2, ReduceSumSquare over these
  /// axes (none: no reduction).
  enum class KeepAxes : std::uint8_t { kNo, kYes };
  Value reduce(std::string_view op, const Value& x, const std::vector<std::int64_t>& axes, KeepAxes keep);

  /// The names of the whole graph's outputs, in order; each gets a name of its own.
  std::string output(const Value& value, std::string_view name);
  /// Writes the batch axes of all inputs and outputs as 1: for a graph that can't serve several requests at
  /// once.
  void fix_batch_axes();
  /// The shape (batch 1) of each input and of each value that a node gives, by its name in the graph.
  const std::unordered_map<std::string, Shape>& shapes() const;
  /// Nodes that are operators of ours: they have no form for a GPU.
  std::size_t own_nodes_count() const;
  /// The model, serialized. Errors: kTooLarge past ONNX's 2 GiB.
  Result<Bytes> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// numpy broadcasting of two shapes. Errors: kInvalidArgument.
Result<Shape> broadcast_shapes(const Shape& a, const Shape& b);

}  // namespace noren::worker
