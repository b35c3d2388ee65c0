#include "worker/model_file/nnp/nnp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "worker/model_file/nnp/test_files.h"

namespace noren::worker {
namespace {

using namespace nnp::test;  // NOLINT: what this file is about
using testing::HasSubstr;

std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

Result<ModelFile> read_text(const std::string& text,
                            const std::vector<StoredTensor>& tensors = affine_tensors()) {
  return read_nnp(bytes_of(
      make_zip({{"network.nntxt", text}, {"parameter.protobuf", make_parameter_protobuf(tensors)}})));
}

std::string refusal(const Result<ModelFile>& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? "" : result.error().text;
}

void expect_affine(const Result<ModelFile>& file) {
  ASSERT_TRUE(file.ok()) << describe(file.error());
  ASSERT_EQ(file->executors.size(), 1u);
  const Executor& executor = file->executors[0];
  ASSERT_EQ(executor.network.functions.size(), 1u);
  EXPECT_EQ(executor.network.functions[0].arguments.integer("base_axis"), 1);
  EXPECT_EQ(executor.inputs[0].shape, (Shape{1, 4}));
  EXPECT_TRUE(executor.inputs[0].has_batch_axis);
  EXPECT_EQ(executor.inputs[0].data_name, "x");
  EXPECT_EQ(executor.outputs[0].data_name, "y'");
  EXPECT_EQ(*file->parameters.at("A/affine/W").values, affine_tensors()[0].values);
  EXPECT_EQ(*file->parameters.at("A/affine/b").values, affine_tensors()[1].values);
  EXPECT_EQ(file->stored_scalars_count, 15);
}

TEST(Nnp, ReadsEveryContainerForm) {
  const std::string protobuf = make_parameter_protobuf(affine_tensors());
  const std::string h5 = make_parameter_h5(affine_tensors());
  for (const char* name : {"network.nntxt", "net.nntxt", "network.prototxt", "folder/other.nntxt"}) {
    for (const bool deflated : {false, true}) {
      expect_affine(read_nnp(bytes_of(make_zip({{"nnp_version.txt", "0.1"},
                                                {"parameter.protobuf", protobuf, deflated},
                                                {name, affine_text(), deflated}}))));
      expect_affine(
          read_nnp(bytes_of(make_zip({{name, affine_text(), deflated}, {"parameter.h5", h5, deflated}}))));
    }
  }
}

TEST(Nnp, ReadsNumbersOfOtherTypesInH5) {
  expect_affine(
      read_nnp(bytes_of(make_zip({{"net.nntxt", affine_text()},
                                  {"parameter.h5", make_parameter_h5(affine_tensors(), H5T_IEEE_F64BE)}}))));
  expect_affine(
      read_nnp(bytes_of(make_zip({{"net.nntxt", affine_text()},
                                  {"parameter.h5", make_parameter_h5(affine_tensors(), H5T_STD_I32LE)}}))));
}

TEST(Nnp, TakesTextAsWindowsWritesIt) {
  std::string text = "\xef\xbb\xbf";
  for (const char c : affine_text()) text += c == '\n' ? "\r\n" : std::string(1, c);
  expect_affine(read_text(text));
}

TEST(Nnp, ToleratesWhatOlderToolsWrote) {
  expect_affine(read_text(affine_text() + R"(
optimizer { name: "o" solver { type: "Eve" eve_param { alpha: 1 k2: 2 } lr_decay: 0.5 } }
global_config { default_context { backend: "cpu|cuda" compute_backend: "default|cudnn" } }
)"));
}

TEST(Nnp, UnknownFieldsAreRefusedWithTheirPlace) {
  EXPECT_THAT(refusal(read_text(with(affine_text(), "batch_size: 8", "colour: 8"))),
              HasSubstr("line 3, column 9: unknown field 'colour' in Network"));
}

TEST(Nnp, MembersThatAreWrongAreNamed) {
  const std::string text = affine_text();
  const auto refused = [](const std::vector<Member>& members) {
    return refusal(read_nnp(bytes_of(make_zip(members))));
  };
  EXPECT_THAT(refused({}), HasSubstr("empty"));
  EXPECT_THAT(refused({{"a.txt", "x"}}), HasSubstr("no network file"));
  EXPECT_THAT(refused({{"net.nntxt", text}, {"net.nntxt", text}}),
              HasSubstr("two members named 'net.nntxt'"));
  EXPECT_THAT(refused({{"net.nntxt", text}, {"../x", ""}}), HasSubstr("leaves the folder"));
  EXPECT_THAT(refused({{"net.nntxt", text}, {"a/..\\..\\x", ""}}), HasSubstr("leaves the folder"));
  EXPECT_THAT(refused({{"net.nntxt", text}, {"/etc/x", ""}}), HasSubstr("absolute path"));
  EXPECT_THAT(refused({{"net.nntxt", text}, {"C:\\x", ""}}), HasSubstr("absolute path"));
  EXPECT_THAT(refused({{"net.nntxt", text, false, 0, true}}),
              HasSubstr("'net.nntxt' of the archive is encrypted"));
  EXPECT_THAT(refused({{"net.nntxt", text, true, 5}}), HasSubstr("'net.nntxt'"));
  EXPECT_THAT(refused({{"net.nntxt", text, true, -5}}), HasSubstr("'net.nntxt'"));
  EXPECT_THAT(refused({{"net.nntxt", std::string("\0\1\2", 3)}}), HasSubstr("binary data in line 1"));
  EXPECT_THAT(refused({{"net.nntxt", "# \xff\xfe"}}), HasSubstr("not UTF-8"));
}

TEST(Nnp, NetworkTextIsLimited) {
  std::string text = affine_text();
  text.resize(limits::kNetworkTextBytes, ' ');
  const std::string parameters = make_parameter_protobuf(affine_tensors());
  expect_affine(read_nnp(bytes_of(make_zip({{"n.nntxt", text, true}, {"p.protobuf", parameters}}))));
  text += ' ';
  EXPECT_THAT(refusal(read_nnp(bytes_of(make_zip({{"n.nntxt", text, true}, {"p.protobuf", parameters}})))),
              HasSubstr("more than 32 MiB"));
}

TEST(Nnp, EveryCutOfAFileIsRefusedOrComplete) {
  const std::string file = make_zip(
      {{"network.nntxt", affine_text(), true}, {"parameter.h5", make_parameter_h5(affine_tensors()), true}});
  for (std::size_t size = 0; size < file.size(); size += 7) {
    EXPECT_FALSE(read_nnp(bytes_of(file).first(size)).ok()) << size;
  }
}

TEST(Nnp, EveryCutOfAParameterFileIsRefused) {
  const std::string protobuf = make_parameter_protobuf(affine_tensors());
  const std::string h5 = make_parameter_h5(affine_tensors());
  for (std::size_t size = 0; size < protobuf.size(); ++size) {
    const std::string cut = protobuf.substr(0, size);
    EXPECT_FALSE(read_nnp(bytes_of(make_zip({{"n.nntxt", affine_text()}, {"p.protobuf", cut}}))).ok())
        << size;
  }
  for (std::size_t size = 0; size + 64 < h5.size(); size += 13) {
    const std::string cut = h5.substr(0, size);
    EXPECT_FALSE(read_nnp(bytes_of(make_zip({{"n.nntxt", affine_text()}, {"p.h5", cut}}))).ok()) << size;
  }
}

TEST(Nnp, ParametersMustBeThereInTheDeclaredShape) {
  auto tensors = affine_tensors();
  tensors.pop_back();
  EXPECT_THAT(
      refusal(read_text(affine_text(), tensors)),
      HasSubstr("layer 'A' (Affine) needs parameter 'A/affine/b', which the parameter file does not have"));
  tensors = affine_tensors();
  tensors[0].shape = {3, 4};
  EXPECT_THAT(refusal(read_text(affine_text(), tensors)), HasSubstr("declared as 4x3 and stored as 3x4"));
  tensors = affine_tensors();
  tensors[0].values.pop_back();
  EXPECT_THAT(refusal(read_text(affine_text(), tensors)), HasSubstr("shape 4x3 and 11 values"));
  tensors = affine_tensors();
  tensors.push_back(tensors[0]);
  EXPECT_THAT(refusal(read_text(affine_text(), tensors)), HasSubstr("'A/affine/W' twice"));
}

TEST(Nnp, ParametersThatNobodyNeedsAreCountedNotKept) {
  auto tensors = affine_tensors();
  tensors.push_back({"Other/W", {100}, std::vector<float>(100, 1.0f)});
  for (const bool h5 : {false, true}) {
    const std::string data = h5 ? make_parameter_h5(tensors) : make_parameter_protobuf(tensors);
    const auto file =
        read_nnp(bytes_of(make_zip({{"n.nntxt", affine_text()}, {h5 ? "p.h5" : "p.protobuf", data, true}})));
    ASSERT_TRUE(file.ok()) << describe(file.error());
    EXPECT_EQ(file->stored_parameters_count, 3u);
    EXPECT_EQ(file->stored_scalars_count, 115);
    EXPECT_EQ(file->parameters.at("Other/W").values, nullptr);
  }
}

TEST(Nnp, ParametersMayStandInTheNetworkText) {
  const auto file = read_nnp(bytes_of(make_zip({{"n.nntxt", affine_text() + R"(
parameter { variable_name: "A/affine/W" shape { dim: 4 dim: 3 } data: [1,2,3,4,5,6,7,8,9,10,11,12] }
parameter { variable_name: "A/affine/b" shape { dim: 3 } data: -1 data: 0 data: 1 }
)"}})));
  expect_affine(file);
}

TEST(Nnp, ExecutorsMustFitTheFile) {
  const std::string text = affine_text();
  EXPECT_THAT(refusal(read_text(text.substr(0, text.find("executor")))), HasSubstr("no executor"));
  EXPECT_THAT(refusal(read_text(with(text, "network_name: \"Main\"", "network_name: \"Nope\""))),
              HasSubstr("runs network 'Nope', which the file does not have"));
  EXPECT_THAT(refusal(read_text(with(text, "variable_name: \"Input\"", "variable_name: \"Nope\""))),
              HasSubstr("data variable 'Nope' is not in network 'Main'"));
  EXPECT_THAT(refusal(read_text(with(text, "variable_name: \"A\"", "variable_name: \"Nope\""))),
              HasSubstr("output variable 'Nope' is not in network 'Main'"));
  EXPECT_THAT(refusal(read_text(with(text, "variable_name: \"Input\"", "variable_name: \"A\""))),
              HasSubstr("computed by the network itself"));
  EXPECT_THAT(
      refusal(read_text(with(text, "name: \"Executor\"", "name: \"Executor\" num_evaluations: 10001"))),
      HasSubstr("10001 times"));
  EXPECT_TRUE(read_text(with(text, "name: \"Executor\"", "name: \"Executor\" num_evaluations: 10000")).ok());
}

TEST(Nnp, NormalizationIsOffWhenAnybodySaysSo) {
  const auto flag = [](const std::string& text) {
    return read_text(text).value().executors[0].no_image_normalization;
  };
  EXPECT_FALSE(flag(affine_text()));
  EXPECT_TRUE(flag(affine_text() + "dataset { name: \"d\" no_image_normalization: true }"));
  const std::string second = R"(executor { name: "Two" network_name: "Main" no_image_normalization: true
      data_variable { variable_name: "Input" } output_variable { variable_name: "A" } })";
  EXPECT_TRUE(flag(affine_text() + second));
}

TEST(Nnp, AFirstDimensionThatIsTheBatchSizeIsTheBatch) {
  const auto input = [](const std::string& shape, const std::string& batch) {
    const auto file = read_text(with(with(affine_text(), "dim: -1 dim: 4", shape), "batch_size: 8", batch));
    EXPECT_TRUE(file.ok()) << (file.ok() ? "" : file.error().text);
    return file->executors[0].inputs[0];
  };
  EXPECT_EQ(input("dim: 8 dim: 4", "batch_size: 8").shape, (Shape{1, 4}));
  EXPECT_TRUE(input("dim: 8 dim: 4", "batch_size: 8").has_batch_axis);
  EXPECT_EQ(input("dim: 8 dim: 4", "batch_size: 7").shape, (Shape{8, 4}));
  EXPECT_FALSE(input("dim: 8 dim: 4", "batch_size: 7").has_batch_axis);
  EXPECT_EQ(input("dim: 1 dim: 4", "batch_size: 1").shape, (Shape{1, 4}));
  EXPECT_FALSE(input("dim: 1 dim: 4", "batch_size: 1").has_batch_axis);
}

TEST(Nnp, ShapesOfInputsMustBePossible) {
  const auto refused = [](const std::string& shape) {
    return refusal(read_text(with(affine_text(), "dim: -1 dim: 4", shape)));
  };
  EXPECT_THAT(refused("dim: -1 dim: 0"), HasSubstr("1x0"));
  EXPECT_THAT(refused("dim: -1 dim: -4"), HasSubstr("1x-4"));
  EXPECT_THAT(refused("dim: -1 dim: 268435457"), HasSubstr("more than 268435456 numbers"));
  EXPECT_THAT(refused("dim: -1 dim: 4294967296 dim: 4294967296"), HasSubstr("numbers"));
  EXPECT_TRUE(read_text(with(affine_text(), "dim: -1 dim: 4", "dim: -1 dim: 268435456")).ok());
}

TEST(Nnp, ShapeArgumentsKnowTheBatch) {
  const std::string reshape =
      with(with(affine_text(), "output: \"A\"\n", "output: \"A\"\n"), "affine_param { base_axis: 1 } }",
           "affine_param { base_axis: 1 } }\n"
           "variable { name: \"R\" type: \"Buffer\" shape { dim: -1 dim: 3 dim: 1 } }\n"
           "function { name: \"R\" type: \"Reshape\" input: \"A\" output: \"R\"\n"
           "reshape_param { shape { dim: -1 dim: 3 dim: 1 } } }");
  const auto file = read_text(with(reshape, "variable_name: \"A\"", "variable_name: \"R\""));
  ASSERT_TRUE(file.ok()) << describe(file.error());
  const Arguments& arguments = file->executors[0].network.functions[1].arguments;
  EXPECT_EQ(arguments.shape("shape"), (Shape{1, 3, 1}));
  EXPECT_TRUE(arguments.shape_has_batch());
  EXPECT_FALSE(arguments.boolean("inplace"));
}

}  // namespace
}  // namespace noren::worker
