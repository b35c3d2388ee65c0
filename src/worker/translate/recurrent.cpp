#include <algorithm>
#include <array>

#include "base/limits.h"
#include "worker/translate/families.h"
#include "worker/translate/rearrange.h"
#include "worker/translate/shapes.h"

namespace noren::worker {
namespace {

/// What tells RNN, LSTM and GRU apart.
struct Cell {
  std::string_view op;              ///< of ONNX
  std::size_t states_count;         ///< h, or h and c
  std::vector<std::int64_t> gates;  ///< for each gate of ONNX, the position of the layer's
  std::int64_t bias_rows;           ///< in the layer's bias, for each direction
  bool has_gate_axis;               ///< RNN's weights have none
};

struct Sizes {
  std::int64_t steps, batch, inputs, hidden, layers, directions;
};

/// The layer's inputs, told apart by number and rank as the reference does.
struct Operands {
  Value x;
  std::vector<Value> states;
  Value first_weight, other_weights, bias;
};

Status check_shape(const Layer& layer, const Value& value, const Shape& shape, std::string_view role) {
  if (value.shape == shape) return Ok{};
  return layer.refuse(std::string(role) + " is " + to_string(value.shape) + ", it must be " +
                      to_string(shape));
}

Result<Operands> read_operands(const Layer& layer, const Cell& cell, std::int64_t layers) {
  const std::vector<Value> inputs = present_inputs(layer);
  const std::size_t states = cell.states_count;
  if (inputs.size() < states + 2 || inputs.size() > states + 4)
    return layer.refuse("it has " + std::to_string(inputs.size()) + " inputs");
  Operands operands{.x = inputs[0], .first_weight = inputs[states + 1]};
  operands.states.assign(inputs.begin() + 1, inputs.begin() + 1 + static_cast<std::ptrdiff_t>(states));
  const std::int64_t weight_rank = cell.has_gate_axis ? 5 : 4;
  if (inputs.size() == states + 3) {
    const Value& last = inputs.back();
    if (last.rank() == weight_rank)
      operands.other_weights = last;
    else
      operands.bias = last;
  } else if (inputs.size() == states + 4) {
    operands.other_weights = inputs[states + 2];
    operands.bias = inputs[states + 3];
  }
  if ((layers > 1) != !operands.other_weights.name.empty())
    return layer.refuse("num_layers is " + std::to_string(layers) +
                        ": weights for the layers behind the first are " +
                        (layers > 1 ? "missing" : "one too many"));
  return operands;
}

Result<Sizes> read_sizes(const Layer& layer, const Cell& cell, const Operands& operands) {
  const Value& x = operands.x;
  const Value& h = operands.states[0];
  if (x.rank() != 3)
    return layer.refuse("the input must have the axes steps, batch, inputs; it is " + to_string(x.shape));
  if (h.rank() != 4)
    return layer.refuse("h must have the axes layers, directions, batch, hidden; it is " +
                        to_string(h.shape));
  Sizes sizes{.steps = x.shape[0], .batch = x.shape[1], .inputs = x.shape[2], .hidden = h.shape[3]};
  sizes.layers = layer.arguments().integer("num_layers");
  sizes.directions = layer.arguments().boolean("bidirectional") ? 2 : 1;
  const auto gates = static_cast<std::int64_t>(cell.gates.size());
  const Shape state = {sizes.layers, sizes.directions, sizes.batch, sizes.hidden};
  for (const Value& value : operands.states) TRY(check_shape(layer, value, state, "an initial state"));
  const auto weight = [&](std::int64_t inputs, bool first) {
    Shape shape = {sizes.directions};
    if (cell.has_gate_axis) shape.push_back(gates);
    shape.push_back(sizes.hidden);
    shape.push_back(inputs + sizes.hidden);
    if (!first) shape.insert(shape.begin(), sizes.layers - 1);
    return shape;
  };
  TRY(check_shape(layer, operands.first_weight, weight(sizes.inputs, true), "the first layer's weight"));
  if (sizes.layers > 1)
    TRY(check_shape(layer, operands.other_weights, weight(sizes.directions * sizes.hidden, false),
                    "the weight of the other layers"));
  Shape bias = {sizes.layers, sizes.directions};
  if (cell.has_gate_axis) bias.push_back(cell.bias_rows);
  bias.push_back(sizes.hidden);
  if (!operands.bias.name.empty()) TRY(check_shape(layer, operands.bias, bias, "the bias"));
  return sizes;
}

/// The part [first, first + columns) of the last axis of one layer's weight, its gates in ONNX's order:
/// (directions, gates * hidden, columns).
Value weight_part(GraphBuilder& graph, const Cell& cell, const Sizes& sizes, const Value& weight,
                  std::int64_t index, std::int64_t row_length, std::int64_t first, std::int64_t columns) {
  const auto gates = static_cast<std::int64_t>(cell.gates.size());
  const std::int64_t hidden = sizes.hidden, rows = gates * hidden;
  const std::int64_t start = index * sizes.directions * rows * row_length;
  return rearrange(graph, weight, {sizes.directions, rows, columns}, [=, &cell](std::int64_t i) {
    const std::int64_t column = i % columns, row = i / columns % rows, direction = i / columns / rows;
    const std::int64_t gate = cell.gates[static_cast<std::size_t>(row / hidden)];
    return start + ((direction * gates + gate) * hidden + row % hidden) * row_length + first + column;
  });
}

/// One layer's bias for the inputs, and none for the hidden state, except what a fourth row of a GRU holds
/// for it.
Value bias_part(GraphBuilder& graph, const Cell& cell, const Sizes& sizes, const Value& bias,
                std::int64_t index) {
  const auto gates = static_cast<std::int64_t>(cell.gates.size());
  const std::int64_t hidden = sizes.hidden, row = gates * hidden;
  const std::int64_t start = index * sizes.directions * cell.bias_rows * hidden;
  const std::int64_t nothing = bias.count();  // a zero is put behind the bias for it
  const Value flat = graph.reshape(bias, {bias.count()});
  Value extended;
  if (bias.constant != nullptr) {
    const float* values = bias.constant->data<float>();
    std::vector<float> copy(values, values + bias.count());
    copy.push_back(0);
    extended = graph.floats({bias.count() + 1}, std::move(copy));
  } else {
    extended = graph.concatenate({flat, graph.floats({1}, {0})}, 0);
  }
  return rearrange(graph, extended, {sizes.directions, 2 * row}, [=, &cell](std::int64_t i) {
    const std::int64_t direction = i / (2 * row), place = i % (2 * row), unit = place % hidden;
    const auto gate = static_cast<std::size_t>(place % row / hidden);
    const std::int64_t base = start + direction * cell.bias_rows * hidden + unit;
    if (place < row) return base + cell.gates[gate] * hidden;
    return cell.bias_rows > gates && gate + 1 == cell.gates.size() ? base + (cell.bias_rows - 1) * hidden
                                                                   : nothing;
  });
}

/// One layer over all steps: (steps, batch, directions * hidden), and the last states.
std::vector<Value> run_layer(GraphBuilder& graph, const Cell& cell, const Sizes& sizes,
                             const Operands& operands, const Value& x, std::int64_t index,
                             const Attributes& attributes) {
  const bool is_first = index == 0;
  const Value& weight = is_first ? operands.first_weight : operands.other_weights;
  const std::int64_t inputs = x.shape[2], row_length = inputs + sizes.hidden;
  const std::int64_t position = is_first ? 0 : index - 1;
  std::vector<Value> node_inputs = {
      x, weight_part(graph, cell, sizes, weight, position, row_length, 0, inputs),
      weight_part(graph, cell, sizes, weight, position, row_length, inputs, sizes.hidden),
      operands.bias.name.empty() ? Value{} : bias_part(graph, cell, sizes, operands.bias, index), Value{}};
  const Shape state = {sizes.directions, sizes.batch, sizes.hidden};
  for (const Value& value : operands.states)
    node_inputs.push_back(graph.reshape(graph.slice(value, {index}, {index + 1}, {0}, {1}), state));
  std::vector<Shape> shapes = {{sizes.steps, sizes.directions, sizes.batch, sizes.hidden}};
  shapes.resize(1 + operands.states.size(), state);
  std::vector<Value> outputs = graph.nodes(cell.op, node_inputs, shapes, attributes);
  const Value by_step = sizes.directions == 1 ? outputs[0] : graph.transpose(outputs[0], {0, 2, 1, 3});
  outputs[0] = graph.reshape(by_step, {sizes.steps, sizes.batch, sizes.directions * sizes.hidden});
  return outputs;
}

LayerOutputs recurrent(Layer& layer, const Cell& cell, Attributes attributes) {
  GraphBuilder& graph = layer.graph;
  const std::int64_t layers = layer.arguments().integer("num_layers");
  if (layers < 1 || layers > limits::kRecurrentLayersCount)
    return layer.refuse("num_layers " + std::to_string(layers) + " is not between 1 and " +
                        std::to_string(limits::kRecurrentLayersCount));
  ASSIGN_OR_RETURN(Operands operands, read_operands(layer, cell, layers));
  ASSIGN_OR_RETURN(const Sizes sizes, read_sizes(layer, cell, operands));
  TRY(check_size(layer, {sizes.steps, sizes.batch, sizes.directions * sizes.hidden}));
  for (const Value* weight : {&operands.first_weight, &operands.other_weights, &operands.bias})
    if (!weight->name.empty() && weight->constant == nullptr && weight->count() > limits::kPositionsCount)
      return layer.not_supported("weights that other layers compute are limited to " +
                                 std::to_string(limits::kPositionsCount) + " numbers");
  // No axis is the batch's own here: the whole graph runs one request at a time.
  operands.x.batch = false;
  for (Value& state : operands.states) state.batch = false;
  attributes.emplace_back("hidden_size", sizes.hidden);
  attributes.emplace_back("direction", sizes.directions == 2 ? "bidirectional" : "forward");

  std::vector<std::vector<Value>> last_states(operands.states.size());
  Value y = operands.x;
  for (std::int64_t index = 0; index < layers; ++index) {
    std::vector<Value> outputs = run_layer(graph, cell, sizes, operands, y, index, attributes);
    y = outputs[0];
    for (std::size_t s = 0; s < last_states.size(); ++s) last_states[s].push_back(outputs[s + 1]);
  }
  std::vector<Value> results = {y};
  for (const std::vector<Value>& states : last_states)
    results.push_back(graph.reshape(graph.concatenate(states, 0), operands.states[0].shape));
  return results;
}

LayerOutputs rnn(Layer& layer) {
  const std::string& nonlinearity = layer.arguments().text("nonlinearity");
  if (nonlinearity != "tanh" && nonlinearity != "relu")
    return layer.not_supported("its nonlinearity '" + nonlinearity + "' is neither 'tanh' nor 'relu'");
  const Cell cell{.op = "RNN", .states_count = 1, .gates = {0}, .bias_rows = 1, .has_gate_axis = false};
  const std::string activation = nonlinearity == "tanh" ? "Tanh" : "Relu";
  const std::vector<std::string> activations(layer.arguments().boolean("bidirectional") ? 2 : 1, activation);
  return recurrent(layer, cell, {{"activations", activations}});
}

/// Gates of the layer: input, forget, cell, output. Of ONNX: input, output, forget, cell.
LayerOutputs lstm(Layer& layer) {
  return recurrent(
      layer, {.op = "LSTM", .states_count = 2, .gates = {0, 3, 1, 2}, .bias_rows = 4, .has_gate_axis = true},
      {});
}

/// Gates of the layer: reset, update, new. Of ONNX: update, reset, new.
LayerOutputs gru(Layer& layer) {
  return recurrent(
      layer, {.op = "GRU", .states_count = 1, .gates = {1, 0, 2}, .bias_rows = 4, .has_gate_axis = true},
      {{"linear_before_reset", 1}});
}

constexpr std::string_view kNoDropout = "dropout is not applied, as in the reference on CPU.";

constexpr LayerDefinition kLayers[] = {
    {"RNN", 3, 5, Rows::kDependent, rnn, Randomness::kNone, nullptr, kNoDropout},
    {"LSTM", 4, 6, Rows::kDependent, lstm, Randomness::kNone, nullptr, kNoDropout},
    {"GRU", 3, 5, Rows::kDependent, gru, Randomness::kNone, nullptr, kNoDropout},
};

}  // namespace

LayerFamily recurrent_layers() { return kLayers; }

}  // namespace noren::worker
