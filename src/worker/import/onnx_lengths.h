// worker/import/onnx_lengths.h - The integers that a plain ONNX model calculates its shapes with. Private to
// import. Pure.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <onnx/onnx_pb.h>

#include "worker/tensor/tensor.h"

namespace noren::worker {

/// Follows small integers through a graph: constants, and lengths that are read off values with a row for
/// each request. Exporters write a view of x as Shape, Gather, Concat, Reshape.
class Lengths {
 public:
  using List = std::vector<std::int64_t>;
  /// Stands for the number of rows in a batch.
  static constexpr std::int64_t kRowsCount = std::numeric_limits<std::int64_t>::min();

  void add_constant(const std::string& name, const onnx::TensorProto& tensor);
  /// A Shape of a value with rows. False where not all its other lengths are known.
  bool read_shape(const onnx::NodeProto& node, const Shape& shape_of_one_row);
  /// A node that calculates with lengths alone. False where its answer is not known.
  bool follow(const onnx::NodeProto& node);

  /// Null where nothing is known of a value. May hold kRowsCount.
  const List* find(const std::string& name) const;
  bool depends_on_rows_count(const std::string& name) const;

 private:
  struct Value {  ///< never of more than one axis
    List list;
    bool is_scalar = false;
  };

  bool keep(const onnx::NodeProto& node, Value value);
  const Value* input(const onnx::NodeProto& node, int index) const;
  const List* constant_input(const onnx::NodeProto& node, int index) const;
  std::optional<Value> result(const onnx::NodeProto& node) const;
  std::optional<Value> unsqueeze(const onnx::NodeProto& node, const Value& scalar) const;
  std::optional<Value> gather(const onnx::NodeProto& node, const Value& data) const;
  std::optional<Value> slice(const onnx::NodeProto& node, const Value& data) const;
  std::optional<Value> concat(const onnx::NodeProto& node) const;
  std::optional<Value> arithmetic(const onnx::NodeProto& node) const;

  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace noren::worker
