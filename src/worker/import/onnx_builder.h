// worker/import/onnx_builder.h - Small ONNX models for the tests of import. Test code.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "worker/tensor/tensor.h"

namespace noren::worker {

/// In a shape -1 is the free axis "N", -2 the free axis "M".
class OnnxBuilder {
 public:
  explicit OnnxBuilder(std::int64_t opset = 17) {
    model_.set_ir_version(8);
    auto* import = model_.add_opset_import();
    import->set_domain("");
    import->set_version(opset);
    model_.mutable_graph()->set_name("graph");
  }
  OnnxBuilder& input(const std::string& name, const Shape& shape, int type = onnx::TensorProto::FLOAT) {
    declare(*model_.mutable_graph()->add_input(), name, shape, type);
    return *this;
  }
  OnnxBuilder& output(const std::string& name, const Shape& shape, int type = onnx::TensorProto::FLOAT) {
    declare(*model_.mutable_graph()->add_output(), name, shape, type);
    return *this;
  }
  OnnxBuilder& weight(const std::string& name, const Shape& shape) {
    onnx::TensorProto& tensor = add_tensor(name, shape, onnx::TensorProto::FLOAT);
    std::int64_t count = 1;
    for (const std::int64_t dimension : shape) count *= dimension;
    for (std::int64_t i = 0; i < count; ++i) tensor.add_float_data(0.1F + 0.01F * static_cast<float>(i % 7));
    return *this;
  }
  OnnxBuilder& integers(const std::string& name, const std::vector<std::int64_t>& values) {
    onnx::TensorProto& tensor =
        add_tensor(name, {static_cast<std::int64_t>(values.size())}, onnx::TensorProto::INT64);
    for (const std::int64_t value : values) tensor.add_int64_data(value);
    return *this;
  }
  OnnxBuilder& floats(const std::string& name, const std::vector<float>& values) {
    onnx::TensorProto& tensor =
        add_tensor(name, {static_cast<std::int64_t>(values.size())}, onnx::TensorProto::FLOAT);
    for (const float value : values) tensor.add_float_data(value);
    return *this;
  }
  /// The scalar "true".
  OnnxBuilder& truth(const std::string& name) {
    add_tensor(name, {}, onnx::TensorProto::BOOL).add_int32_data(1);
    return *this;
  }
  /// A whole scalar.
  OnnxBuilder& integer(const std::string& name, std::int64_t value) {
    add_tensor(name, {}, onnx::TensorProto::INT64).add_int64_data(value);
    return *this;
  }
  /// The graph of `inner` as an attribute of the last node.
  OnnxBuilder& inner(const std::string& attribute_name, const OnnxBuilder& inner) {
    onnx::NodeProto& last = *model_.mutable_graph()->mutable_node()->rbegin();
    *add_attribute(last, attribute_name, onnx::AttributeProto::GRAPH).mutable_g() = inner.model_.graph();
    return *this;
  }
  OnnxBuilder& node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output,
                    const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& lists = {},
                    const std::vector<std::pair<std::string, std::int64_t>>& numbers = {}) {
    onnx::NodeProto& node = *model_.mutable_graph()->add_node();
    node.set_op_type(op);
    for (const std::string& name : inputs) node.add_input(name);
    node.add_output(output);
    for (const auto& [name, values] : lists) {
      onnx::AttributeProto& attribute = add_attribute(node, name, onnx::AttributeProto::INTS);
      for (const std::int64_t value : values) attribute.add_ints(value);
    }
    for (const auto& [name, value] : numbers)
      add_attribute(node, name, onnx::AttributeProto::INT).set_i(value);
    return *this;
  }
  /// A further output of the last node.
  OnnxBuilder& also(const std::string& output) {
    model_.mutable_graph()->mutable_node()->rbegin()->add_output(output);
    return *this;
  }
  onnx::ModelProto& model() { return model_; }
  Bytes bytes() const {
    const std::string text = model_.SerializeAsString();
    return {text.begin(), text.end()};
  }

 private:
  static void declare(onnx::ValueInfoProto& value, const std::string& name, const Shape& shape, int type) {
    value.set_name(name);
    auto& tensor = *value.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    tensor.mutable_shape();
    for (const std::int64_t length : shape) {
      auto& dimension = *tensor.mutable_shape()->add_dim();
      if (length < 0)
        dimension.set_dim_param(length == -1 ? "N" : "M");
      else
        dimension.set_dim_value(length);
    }
  }
  static onnx::AttributeProto& add_attribute(onnx::NodeProto& node, const std::string& name,
                                             onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  }
  onnx::TensorProto& add_tensor(const std::string& name, const Shape& shape, int type) {
    onnx::TensorProto& tensor = *model_.mutable_graph()->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const std::int64_t dimension : shape) tensor.add_dims(dimension);
    return tensor;
  }

  onnx::ModelProto model_;
};

}  // namespace noren::worker
