// A recurrent layer, unrolled, multiplies in each step [what the steps before left, this step's input] by the
// same weights. The part of the input does not wait for anything: it is one large product for all steps, and
// what is left in a step is smaller.
#include <algorithm>
#include <map>

#include "worker/import/graph_index.h"

namespace noren::worker {
namespace {

/// Numbers in a row that a product reads, one value after another.
struct Piece {
  std::string name;
  std::int64_t count = 0;
};

/// A piece that a Split gives: which Split, which of its outputs.
struct Step {
  onnx::NodeProto* split = nullptr;
  int index = 0;
};

/// One product of the layer.
struct Product {
  onnx::NodeProto* node = nullptr;
  const onnx::NodeProto* concat = nullptr;  ///< null where the row is one value
  std::vector<Piece> pieces;
};

class StepGatherer {
 public:
  StepGatherer(onnx::GraphProto& graph, const GraphShapes& shapes)
      : graph_(graph), index_(graph), shapes_(shapes) {}

  void gather_all() {
    std::map<std::pair<std::string, std::string>, std::vector<Product>> by_weights;
    for (onnx::NodeProto& node : *graph_.mutable_node())
      if (auto product = product_of(node)) {
        const std::string bias = node.input_size() > 2 ? node.input(2) : std::string();
        by_weights[{node.input(1), bias}].push_back(std::move(*product));
      }
    for (auto& [weights, products] : by_weights)
      if (products.size() > 1) gather(products);
    write_nodes();
  }

 private:
  onnx::NodeProto* writer_of(const std::string& name, const char* op) const {
    const auto found = index_.writer.find(name);
    const bool is_it =
        found != index_.writer.end() && found->second->domain().empty() && found->second->op_type() == op;
    return is_it ? found->second : nullptr;
  }
  const Shape* shape_of(const std::string& name) const {
    const auto found = shapes_.find(name);
    return found == shapes_.end() ? nullptr : &found->second;
  }
  std::string before_reshapes(std::string name) const {
    while (const onnx::NodeProto* reshape = writer_of(name, "Reshape")) name = reshape->input(0);
    return name;
  }

  const onnx::TensorProto* float_constant(const std::string& name) const {
    const auto found = index_.constants.find(name);
    const bool is_float = found != index_.constants.end() &&
                          found->second->data_type() == onnx::TensorProto::FLOAT &&
                          found->second->has_raw_data();
    return is_float ? found->second : nullptr;
  }

  /// A Gemm of one row for each request with constant weights, and the pieces that make the row.
  std::optional<Product> product_of(onnx::NodeProto& node) const {
    if (!node.domain().empty() || node.op_type() != "Gemm" || node.attribute_size() > 0) return std::nullopt;
    const onnx::TensorProto* weight = float_constant(node.input(1));
    if (weight == nullptr || weight->dims_size() != 2) return std::nullopt;
    if (node.input_size() > 2 && float_constant(node.input(2)) == nullptr) return std::nullopt;
    Product product{.node = &node};
    const std::string row = before_reshapes(node.input(0));
    product.concat = writer_of(row, "Concat");
    if (product.concat != nullptr && !joins_whole_rows(*product.concat)) product.concat = nullptr;
    std::int64_t count = 0;
    const auto add = [&](const std::string& name) {
      const Shape* shape = shape_of(name);
      product.pieces.push_back({name, shape == nullptr ? 0 : element_count(*shape)});
      count += product.pieces.back().count;
    };
    if (product.concat == nullptr) add(row);
    for (int i = 0; product.concat != nullptr && i < product.concat->input_size(); ++i)
      add(product.concat->input(i));
    return count == weight->dims(0) ? std::optional(std::move(product)) : std::nullopt;
  }

  /// Nothing but the request's axis stands before the axis that is joined: a row holds the pieces one after
  /// another.
  bool joins_whole_rows(const onnx::NodeProto& concat) const {
    const Shape* shape = shape_of(concat.output(0));
    const std::int64_t axis = attribute_or(concat, "axis", -1);
    return shape != nullptr && axis >= 1 && has_one_row(*shape, axis);
  }
  static bool has_one_row(const Shape& shape, std::int64_t axis) {
    return axis < static_cast<std::int64_t>(shape.size()) &&
           std::all_of(shape.begin(), shape.begin() + axis, [](std::int64_t length) { return length == 1; });
  }

  std::optional<Step> step_of(const Piece& piece) const {
    const std::string name = before_reshapes(piece.name);
    onnx::NodeProto* split = writer_of(name, "Split");
    if (split == nullptr || split->input_size() != 1) return std::nullopt;
    const Shape* whole = shape_of(split->input(0));
    const std::int64_t axis = attribute_or(*split, "axis", 0);
    if (whole == nullptr || axis < 1 || !has_one_row(*whole, axis) ||
        (*whole)[static_cast<std::size_t>(axis)] != split->output_size() ||
        element_count(*whole) != piece.count * split->output_size())
      return std::nullopt;
    const auto found = std::find(split->output().begin(), split->output().end(), name);
    return Step{split, static_cast<int>(found - split->output().begin())};
  }

  /// Looks for a place in the row where every product reads a step of the same input.
  void gather(std::vector<Product>& products) {
    const std::size_t count = products.front().pieces.size();
    for (const Product& product : products)
      if (product.pieces.size() != count) return;
    std::int64_t row = 0;
    for (std::size_t place = 0; place < count; ++place) {
      std::vector<Step> steps;
      for (const Product& product : products)
        if (const auto step = step_of(product.pieces[place]))
          if (product.pieces[place].count == products.front().pieces[place].count &&
              (steps.empty() || steps.front().split == step->split))
            steps.push_back(*step);
      // Steps that nobody reads would be computed as well: worth it where most are read.
      if (steps.size() == products.size() &&
          static_cast<int>(2 * steps.size()) >= steps.front().split->output_size())
        return gather_at(products, steps, place, row);
      row += products.front().pieces[place].count;
    }
  }

  void gather_at(std::vector<Product>& products, const std::vector<Step>& steps, std::size_t place,
                 std::int64_t row) {
    const onnx::NodeProto& first = *products.front().node;
    const std::int64_t count = products.front().pieces[place].count;
    std::string name = first.output(0) + ".steps";
    onnx::NodeProto& split = *steps.front().split;
    onnx::NodeProto product =
        new_node("Gemm", {rows_of(split, count), rows_of_weight(first, row, count, name)}, name);
    if (first.input_size() > 2) product.add_input(first.input(2));
    onnx::NodeProto parts = new_node("Split", {name}, name + "0");
    for (int i = 1; i < split.output_size(); ++i) parts.add_output(name + std::to_string(i));
    set_integer(parts, "axis", 0);
    set_integer(parts, "num_outputs", split.output_size());
    before_[&split].push_back(std::move(product));
    before_[&split].push_back(std::move(parts));
    std::string rest;
    if (products.front().pieces.size() > 1) rest = other_rows_of_weight(first, row, count, name);
    for (std::size_t i = 0; i < products.size(); ++i)
      leave_out(products[i], place, rest, name + std::to_string(steps[i].index));
  }

  /// All steps under each other, one row for each step of each request: (steps x requests, numbers).
  std::string rows_of(onnx::NodeProto& split, std::int64_t count) {
    std::string name = split.output(0) + ".rows";
    if (!gathered_.insert(&split).second) return name;
    const auto axis = static_cast<std::int64_t>(attribute_or(split, "axis", 0));
    onnx::NodeProto turned = new_node("Transpose", {split.input(0)}, name + ".turned");
    onnx::AttributeProto* order = turned.add_attribute();
    order->set_name("perm");
    order->set_type(onnx::AttributeProto::INTS);
    order->add_ints(axis);
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(shape_of(split.input(0))->size()); ++i)
      if (i != axis) order->add_ints(i);
    before_[&split].push_back(std::move(turned));
    before_[&split].push_back(new_node("Reshape", {name + ".turned", flat_shape(count)}, name));
    return name;
  }

  std::string flat_shape(std::int64_t count) {
    std::string name = "rows_of_" + std::to_string(count);
    if (index_.constants.contains(name)) return name;
    const std::int64_t target[] = {-1, count};
    onnx::TensorProto* proto = graph_.add_initializer();
    proto->set_name(name);
    proto->set_data_type(onnx::TensorProto::INT64);
    proto->add_dims(2);
    proto->set_raw_data(target, sizeof target);
    index_.constants[name] = proto;
    return name;
  }

  /// A constant of these rows of the product's weight.
  std::string add_weight(const std::string& name, const std::string& values, std::int64_t columns) {
    onnx::TensorProto* proto = graph_.add_initializer();
    proto->set_name(name);
    proto->set_data_type(onnx::TensorProto::FLOAT);
    proto->add_dims(static_cast<std::int64_t>(values.size() / sizeof(float)) / columns);
    proto->add_dims(columns);
    proto->set_raw_data(values);
    return name;
  }
  std::string rows_of_weight(const onnx::NodeProto& product, std::int64_t row, std::int64_t count,
                             const std::string& name) {
    const onnx::TensorProto& weight = *index_.constants.at(product.input(1));
    const auto row_bytes = static_cast<std::size_t>(weight.dims(1)) * sizeof(float);
    return add_weight(name + ".weight",
                      weight.raw_data().substr(static_cast<std::size_t>(row) * row_bytes,
                                               static_cast<std::size_t>(count) * row_bytes),
                      weight.dims(1));
  }
  std::string other_rows_of_weight(const onnx::NodeProto& product, std::int64_t row, std::int64_t count,
                                   const std::string& name) {
    const onnx::TensorProto& weight = *index_.constants.at(product.input(1));
    const auto row_bytes = static_cast<std::size_t>(weight.dims(1)) * sizeof(float);
    std::string values = weight.raw_data();
    values.erase(static_cast<std::size_t>(row) * row_bytes, static_cast<std::size_t>(count) * row_bytes);
    return add_weight(name + ".other_weight", values, weight.dims(1));
  }

  /// The product without the piece at `place`, whose part is `done` already.
  void leave_out(Product& product, std::size_t place, const std::string& weight, const std::string& done) {
    onnx::NodeProto& node = *product.node;
    if (product.pieces.size() == 1) {
      node.set_op_type("Identity");
      node.clear_input();
      node.add_input(done);
      return;
    }
    const std::string row = row_without(product, place);
    const std::string bias = done;
    node.clear_input();
    node.add_input(row);
    node.add_input(weight);
    node.add_input(bias);
  }

  std::string row_without(const Product& product, std::size_t place) {
    std::string name = product.concat->output(0) + ".without" + std::to_string(place);
    std::int64_t count = 0;
    for (std::size_t i = 0; i < product.pieces.size(); ++i)
      if (i != place) count += product.pieces[i].count;
    const std::string& only = product.pieces[place == 0 ? 1 : 0].name;
    const bool is_one = product.pieces.size() == 2;
    if (is_one && *shape_of(only) == Shape{1, count}) return only;
    if (!rows_without_.insert(name).second) return name;
    std::vector<onnx::NodeProto>& nodes = after_[product.concat];
    std::string row = only;
    if (!is_one) {
      onnx::NodeProto joined = *product.concat;
      joined.mutable_input()->DeleteSubrange(static_cast<int>(place), 1);
      joined.set_output(0, row = name + ".joined");
      nodes.push_back(std::move(joined));
    }
    nodes.push_back(new_node("Reshape", {row, flat_shape(count)}, name));
    return name;
  }

  static onnx::NodeProto new_node(const char* op, const std::vector<std::string>& inputs,
                                  const std::string& output) {
    onnx::NodeProto node;
    node.set_op_type(op);
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(output);
    return node;
  }
  static void set_integer(onnx::NodeProto& node, const char* name, std::int64_t value) {
    onnx::AttributeProto* attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(value);
  }

  /// The old nodes with the new ones where what they read is there.
  void write_nodes() {
    if (before_.empty()) return;
    google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes;
    for (const onnx::NodeProto& node : graph_.node()) {
      if (const auto found = before_.find(&node); found != before_.end())
        for (const onnx::NodeProto& added : found->second) *nodes.Add() = added;
      *nodes.Add() = node;
      if (const auto found = after_.find(&node); found != after_.end())
        for (const onnx::NodeProto& added : found->second) *nodes.Add() = added;
    }
    graph_.mutable_node()->Swap(&nodes);
  }

  onnx::GraphProto& graph_;
  GraphIndex index_;
  const GraphShapes& shapes_;
  std::unordered_map<const onnx::NodeProto*, std::vector<onnx::NodeProto>> before_, after_;
  std::unordered_set<const onnx::NodeProto*> gathered_;
  std::unordered_set<std::string> rows_without_;
};

}  // namespace

void gather_steps(onnx::GraphProto& graph, const GraphShapes& shapes) {
  StepGatherer(graph, shapes).gather_all();
}

}  // namespace noren::worker
