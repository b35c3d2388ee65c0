#include "worker/model_file/onnx/onnx_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/limits.h"

namespace noren::worker {
namespace {

using testing::HasSubstr;

void add_port(onnx::ValueInfoProto* port, const std::string& name, const std::vector<std::int64_t>& shape) {
  port->set_name(name);
  auto* tensor = port->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(onnx::TensorProto::FLOAT);
  tensor->mutable_shape();
  for (const std::int64_t dimension : shape) {
    auto* axis = tensor->mutable_shape()->add_dim();
    if (dimension > 0) axis->set_dim_value(dimension);
    if (dimension == -1) axis->set_dim_param("batch");
  }
}

void fill(onnx::TensorProto* tensor, const std::string& name, const std::vector<std::int64_t>& shape) {
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  std::int64_t count = 1;
  for (const std::int64_t dimension : shape) {
    tensor->add_dims(dimension);
    count *= dimension;
  }
  tensor->set_raw_data(std::string(static_cast<std::size_t>(count) * 4, '\0'));
}

onnx::NodeProto* add_node(onnx::GraphProto* graph, const std::string& type,
                          const std::vector<std::string>& inputs, const std::string& output) {
  auto* node = graph->add_node();
  node->set_op_type(type);
  node->set_name(output);
  for (const std::string& input : inputs) node->add_input(input);
  node->add_output(output);
  return node;
}

/// x → MatMul W → MatMul W → y.
onnx::ModelProto small_model() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.set_producer_name("test");
  auto* opset = model.add_opset_import();
  opset->set_domain("");
  opset->set_version(17);
  auto* graph = model.mutable_graph();
  add_port(graph->add_input(), "x", {-1, 3});
  add_port(graph->add_input(), "W", {3, 3});
  add_port(graph->add_output(), "y", {-1, 3});
  fill(graph->add_initializer(), "W", {3, 3});
  add_node(graph, "MatMul", {"x", "W"}, "h");
  add_node(graph, "MatMul", {"h", "W"}, "y");
  return model;
}

Result<OnnxFile> read(const onnx::ModelProto& model) {
  return read_onnx(bytes_of(model.SerializeAsString()));
}

std::string refusal(const onnx::ModelProto& model) {
  const auto file = read(model);
  EXPECT_FALSE(file.ok());
  return file.ok() ? "" : file.error().text;
}

void make_external(onnx::TensorProto* tensor) {
  tensor->set_data_location(onnx::TensorProto::EXTERNAL);
  auto* entry = tensor->add_external_data();
  entry->set_key("location");
  entry->set_value("/etc/passwd");
}

TEST(OnnxFile, SaysWhatTheModelSays) {
  onnx::ModelProto model = small_model();
  auto* entry = model.add_metadata_props();
  entry->set_key("a");
  entry->set_value("b");
  const auto file = read(model);
  ASSERT_TRUE(file.ok()) << describe(file.error());
  ASSERT_EQ(file->inputs.size(), 1u);  // W is filled by an initializer
  EXPECT_EQ(file->inputs[0].name, "x");
  EXPECT_EQ(file->inputs[0].shape, (Shape{-1, 3}));
  EXPECT_EQ(file->inputs[0].axis_names[0], "batch");
  EXPECT_EQ(file->opsets.at(""), 17);
  EXPECT_EQ(file->metadata.at("a"), "b");
  EXPECT_EQ(file->operators_count.at("MatMul"), 2);
  EXPECT_EQ(file->stored_scalars_count, 9);
  EXPECT_EQ(file->cost_parameter_count, 18);
  EXPECT_EQ(file->used_scalars_count, 18);
}

TEST(OnnxFile, InnerGraphsSeeTheInitializersAroundThem) {
  onnx::ModelProto model = small_model();
  auto* attribute = add_node(model.mutable_graph(), "If", {"c"}, "z")->add_attribute();
  attribute->set_name("then_branch");
  auto* inner = attribute->mutable_g();
  fill(inner->add_initializer(), "V", {5});
  add_node(inner, "Add", {"W", "V"}, "i");
  auto* constant = add_node(inner, "Constant", {}, "k")->add_attribute();
  constant->set_name("value");
  fill(constant->mutable_t(), "", {7});
  const auto file = read(model);
  ASSERT_TRUE(file.ok()) << describe(file.error());
  EXPECT_EQ(file->stored_scalars_count, 9 + 5);
  EXPECT_EQ(file->cost_parameter_count, 18 + 9 + 5);
  EXPECT_EQ(file->used_scalars_count, 18 + 9 + 5 + 7);
}

TEST(OnnxFile, ExternalDataIsRefusedAnywhere) {
  const auto refused = [](auto place) {
    onnx::ModelProto model = small_model();
    make_external(place(model));
    EXPECT_THAT(refusal(model), HasSubstr("keeps its data in another file"));
  };
  refused([](auto& model) { return model.mutable_graph()->mutable_initializer(0); });
  refused([](auto& model) {
    auto* sparse = model.mutable_graph()->add_sparse_initializer();
    fill(sparse->mutable_indices(), "", {1});
    return sparse->mutable_values();
  });
  refused([](auto& model) { return model.mutable_graph()->add_sparse_initializer()->mutable_indices(); });
  refused([](auto& model) { return model.mutable_graph()->mutable_node(0)->add_attribute()->mutable_t(); });
  refused([](auto& model) { return model.mutable_graph()->mutable_node(0)->add_attribute()->add_tensors(); });
  refused([](auto& model) {
    auto* sparse = model.mutable_graph()->mutable_node(0)->add_attribute()->mutable_sparse_tensor();
    fill(sparse->mutable_indices(), "", {1});
    return sparse->mutable_values();
  });
  refused([](auto& model) {
    return model.mutable_graph()->mutable_node(0)->add_attribute()->add_sparse_tensors()->mutable_indices();
  });
  refused([](auto& model) {
    return model.mutable_graph()->mutable_node(0)->add_attribute()->mutable_g()->add_initializer();
  });
  refused([](auto& model) {
    return model.mutable_graph()
        ->mutable_node(0)
        ->add_attribute()
        ->add_graphs()
        ->add_node()
        ->add_attribute()
        ->mutable_t();
  });
  refused([](auto& model) { return model.add_functions()->add_node()->add_attribute()->mutable_t(); });
  refused([](auto& model) { return model.add_training_info()->mutable_algorithm()->add_initializer(); });
}

TEST(OnnxFile, ExternalDataIsRefusedInAttributesThatTheMessagesDontKnow) {
  onnx::ModelProto model = small_model();
  onnx::AttributeProto attribute;
  make_external(attribute.mutable_t());
  model.add_functions()->mutable_unknown_fields()->AddLengthDelimited(11, attribute.SerializeAsString());
  EXPECT_THAT(refusal(model), HasSubstr("keeps its data in another file"));
}

TEST(OnnxFile, TensorsMustHoldWhatTheyPromise) {
  onnx::ModelProto model = small_model();
  model.mutable_graph()->mutable_initializer(0)->set_dims(0, 4);
  EXPECT_THAT(refusal(model), HasSubstr("initializer 'W' does not hold the 12 values that its shape says"));
  model.mutable_graph()->mutable_initializer(0)->set_dims(0, std::int64_t{1} << 40);
  EXPECT_THAT(refusal(model), HasSubstr("more than 268435456 numbers"));
  model.mutable_graph()->mutable_initializer(0)->set_dims(0, -1);
  EXPECT_THAT(refusal(model), HasSubstr("dimension of -1"));
  model.mutable_graph()->mutable_initializer(0)->clear_raw_data();
  model.mutable_graph()->mutable_initializer(0)->set_dims(0, 3);
  EXPECT_THAT(refusal(model), HasSubstr("does not hold the 9 values"));
  for (int i = 0; i < 9; ++i) model.mutable_graph()->mutable_initializer(0)->add_float_data(1);
  EXPECT_TRUE(read(model).ok());
}

TEST(OnnxFile, PortsAreDescribed) {
  onnx::ModelProto model = small_model();
  auto* input = model.mutable_graph()->add_input();
  input->set_name("s");
  input->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::STRING);
  auto* output = model.mutable_graph()->add_output();
  output->set_name("probabilities");
  auto* map = output->mutable_type()->mutable_sequence_type()->mutable_elem_type()->mutable_map_type();
  map->set_key_type(onnx::TensorProto::INT64);
  map->mutable_value_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
  const auto file = read(model);
  ASSERT_TRUE(file.ok()) << describe(file.error());
  EXPECT_EQ(file->inputs[1].type, ElementType::kString);
  EXPECT_FALSE(file->inputs[1].has_shape);
  EXPECT_EQ(file->outputs[1].container, "sequence(map(int64,float32))");
}

TEST(OnnxFile, PortsMustBePossible) {
  onnx::ModelProto model = small_model();
  auto* type = model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::COMPLEX64);
  EXPECT_THAT(refusal(model), HasSubstr("input 'x' has the element type complex64"));
  type->set_elem_type(onnx::TensorProto::FLOAT);
  type->mutable_shape()->mutable_dim(1)->set_dim_value(limits::kTensorElementsCount);
  EXPECT_TRUE(read(model).ok());
  type->mutable_shape()->mutable_dim(1)->set_dim_value(limits::kTensorElementsCount + 1);
  EXPECT_THAT(refusal(model), HasSubstr("input 'x' has more than"));
  model = small_model();
  add_port(model.mutable_graph()->add_input(), "x", {1});
  EXPECT_THAT(refusal(model), HasSubstr("two inputs named 'x'"));
  model = small_model();
  model.mutable_graph()->clear_output();
  EXPECT_THAT(refusal(model), HasSubstr("no output"));
}

TEST(OnnxFile, LengthsOfZeroAreLengths) {
  onnx::ModelProto model = small_model();
  auto* shape =
      model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape->mutable_dim(0)->set_dim_value(0);
  EXPECT_EQ(read(model)->inputs[0].shape, (Shape{0, 3}));
  shape->mutable_dim(0)->set_dim_value(-1);
  EXPECT_EQ(read(model)->inputs[0].shape, (Shape{-1, 3}));
}

TEST(OnnxFile, MapsSayTheirKeysInTheEnginesOrder) {
  onnx::ModelProto model = small_model();
  auto* map = add_node(model.mutable_graph(), "ZipMap", {"y"}, "z");
  map->set_domain("ai.onnx.ml");
  auto* labels = map->add_attribute();
  labels->set_name("classlabels_int64s");
  for (const int label : {10, 9}) labels->add_ints(label);
  EXPECT_EQ(read(model)->labels.at("z"), (std::vector<std::string>{"9", "10"}));
  labels->set_name("classlabels_strings");
  for (const char* label : {"b", "a"}) labels->add_strings(label);
  EXPECT_EQ(read(model)->labels.at("z"), (std::vector<std::string>{"a", "b"}));
}

TEST(OnnxFile, OurOwnOperatorsAreNotForUploads) {
  onnx::ModelProto model = small_model();
  model.mutable_graph()->mutable_node(0)->set_domain("noren");
  EXPECT_THAT(refusal(model), HasSubstr("uses MatMul of the domain 'noren'"));
}

/// A function of the domain "f" whose nodes call these.
onnx::FunctionProto* add_function(onnx::ModelProto& model, const std::string& name,
                                  const std::vector<std::string>& called) {
  auto* function = model.add_functions();
  function->set_domain("f");
  function->set_name(name);
  for (const std::string& each : called) {
    auto* node = function->add_node();
    node->set_op_type(each);
    node->set_domain("f");
  }
  return function;
}

TEST(OnnxFile, FunctionsMustEnd) {
  onnx::ModelProto model = small_model();
  add_function(model, "a", {"b"});
  add_function(model, "b", {"a"});
  EXPECT_THAT(refusal(model), HasSubstr("calls itself"));
  model = small_model();
  add_function(model, "a", {"a0"});
  for (std::size_t i = 0; i < limits::kFunctionCallsDepth; ++i)
    add_function(model, "a" + std::to_string(i), {"a" + std::to_string(i + 1)});
  EXPECT_TRUE(read(model).ok());
  add_function(model, "a" + std::to_string(limits::kFunctionCallsDepth), {"end"});
  add_function(model, "end", {});
  EXPECT_THAT(refusal(model), HasSubstr("functions deep"));
}

TEST(OnnxFile, FunctionsMustNotUnfoldWithoutEnd) {
  // Each doubles the one below: 65,534 nodes for the one numbered 15.
  onnx::ModelProto model = small_model();
  add_function(model, "f0", {});
  for (int i = 1; i <= 15; ++i)
    add_function(model, "f" + std::to_string(i), {"f" + std::to_string(i - 1), "f" + std::to_string(i - 1)});
  EXPECT_TRUE(read(model).ok());
  add_function(model, "f16", {"f15", "f15"});
  EXPECT_THAT(refusal(model), HasSubstr("unfold to more than 100000 nodes"));
  // What a graph inside a node calls counts too.
  auto* attribute = model.mutable_graph()->mutable_node(0)->add_attribute();
  attribute->set_name("body");
  model.mutable_functions()->RemoveLast();
  for (int i = 0; i < 2; ++i) {
    auto* node = attribute->mutable_g()->add_node();
    node->set_op_type("f15");
    node->set_domain("f");
  }
  EXPECT_THAT(refusal(model), HasSubstr("unfold to more than 100000 nodes"));
}

TEST(OnnxFile, OtherFilesAreRefused) {
  EXPECT_FALSE(read_onnx({}).ok());
  EXPECT_FALSE(read_onnx(bytes_of("hello, this is text")).ok());
  const std::string bytes = small_model().SerializeAsString();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto file = read_onnx(bytes_of(bytes).first(size));
    EXPECT_TRUE(file.ok() || file.error().code != Code::kInternal);
  }
  onnx::ModelProto model = small_model();
  model.clear_opset_import();
  EXPECT_THAT(refusal(model), HasSubstr("no opset"));
}

TEST(OnnxFile, ReadsTheConformanceModels) {
  const std::filesystem::path suites = std::filesystem::path(NOREN_SOURCE_DIR) / "../shared/conformance";
  if (!std::filesystem::exists(suites)) GTEST_SKIP() << "no conformance suites here";
  int models = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(suites)) {
    if (entry.path().extension() != ".onnx") continue;
    std::ifstream stream(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    const auto file = read_onnx(bytes_of(bytes));
    EXPECT_TRUE(file.ok()) << entry.path() << ": " << (file.ok() ? "" : describe(file.error()));
    ++models;
  }
  EXPECT_GT(models, 0);
}

}  // namespace
}  // namespace noren::worker
