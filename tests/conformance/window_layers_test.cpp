// Layers with windows, weights and counts from the file: what can't be is refused in one sentence, at once
// and without memory for it; and what the reference has on GPUs only (channel_last) agrees with its
// transposed twin.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "worker/engine/package.h"
#include "worker/translate/translate.h"

namespace noren::worker {
namespace {

using testing::HasSubstr;
using Integers = std::vector<std::int64_t>;

/// Small whole numbers, the same each time.
std::vector<float> some_numbers(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 7 % 11) - 5;
  return values;
}

/// A network of one layer: its first input is the request, the others are parameters.
ModelFile one_layer(const std::string& type, const std::vector<Shape>& shapes, const Arguments& arguments,
                    std::size_t outputs_count = 1) {
  ModelFile file;
  Executor executor{.name = "Executor"};
  Function function{.name = "layer", .type = type, .arguments = arguments};
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const std::string name = "in" + std::to_string(i);
    function.inputs.push_back(name);
    const VariableKind kind = i == 0 ? VariableKind::kBuffer : VariableKind::kParameter;
    executor.network.variables[name] = {.kind = kind, .shape = shapes[i], .has_batch_axis = i == 0};
    if (i > 0)
      file.parameters[name] = {shapes[i],
                               std::make_shared<const std::vector<float>>(some_numbers(shapes[i]))};
  }
  for (std::size_t i = 0; i < outputs_count; ++i) function.outputs.push_back("out" + std::to_string(i));
  executor.inputs.push_back({"in0", "in0", shapes[0], true});
  executor.outputs.push_back({"out0", "out0", "out0"});
  executor.network.functions.push_back(function);
  file.executors.push_back(executor);
  return file;
}

std::string refusal(const std::string& type, const std::vector<Shape>& shapes, const Arguments& arguments) {
  const ModelFile file = one_layer(type, shapes, arguments);
  const auto translated = translate_executor(file, file.executors[0]);
  return translated.ok() ? "it was accepted" : translated.error().text;
}

Result<Tensor> run(const ModelFile& file, const Tensor& input) {
  ASSIGN_OR_RETURN(auto translated, translate_executor(file, file.executors[0]));
  const Bytes package = encode_package({.executors = {translated.signature}}, {translated.model});
  ASSIGN_OR_RETURN(const auto model, ServableModel::open(package, EngineOptions{}));
  ASSIGN_OR_RETURN(const auto outputs, model->run(0, std::vector<Tensor>{input}));
  return outputs[0];
}

Arguments convolution_arguments(const Integers& pad, const Integers& stride, const Integers& dilation) {
  return Arguments()
      .set("base_axis", std::int64_t{1})
      .set("pad", pad)
      .set("stride", stride)
      .set("dilation", dilation)
      .set("group", std::int64_t{1})
      .set("channel_last", false);
}

Arguments pooling_arguments(const Integers& kernel, const Integers& stride, const Integers& pad) {
  return Arguments()
      .set("kernel", kernel)
      .set("stride", stride)
      .set("pad", pad)
      .set("ignore_border", false)
      .set("including_pad", true)
      .set("channel_last", false);
}

TEST(WindowLayers, ConvolutionsThatCannotBeAreRefused) {
  const Shape x = {1, 2, 5, 5}, weight = {3, 2, 3, 3};
  const auto refused = [&](const Shape& w, const Integers& pad, const Integers& stride,
                           const Integers& dilation) {
    return refusal("Convolution", {x, w}, convolution_arguments(pad, stride, dilation));
  };
  EXPECT_EQ(refused({3, 2, 7, 7}, {0, 0}, {1, 1}, {1, 1}),
            "layer 'layer' (Convolution): kernel 7x7 is larger than the padded input 5x5");
  EXPECT_THAT(refused(weight, {0, 0}, {0, 1}, {1, 1}), HasSubstr("stride 0x1"));
  EXPECT_THAT(refused(weight, {0, 0}, {1, 1}, {-1, 1}), HasSubstr("dilation -1x1"));
  EXPECT_THAT(refused(weight, {-1, 0}, {1, 1}, {1, 1}), HasSubstr("pad -1x0"));
  EXPECT_THAT(refused(weight, {0}, {1, 1}, {1, 1}), HasSubstr("2 numbers are needed"));
  EXPECT_THAT(refused({3, 5, 3, 3}, {0, 0}, {1, 1}, {1, 1}), HasSubstr("2 channels"));
  EXPECT_THAT(refused({3, 2, 3}, {0, 0}, {1, 1}, {1, 1}), HasSubstr("does not fit"));
  EXPECT_THAT(refused(weight, {1'000'000'000, 0}, {1, 1}, {1, 1}), HasSubstr("at most"));
  EXPECT_THAT(refused(weight, {100'000, 100'000}, {1, 1}, {1, 1}), HasSubstr("too many elements"));
  EXPECT_THAT(refused(weight, {INT64_MAX, 0}, {INT64_MAX, 1}, {INT64_MAX, 1}), HasSubstr("at most"));
}

TEST(WindowLayers, PoolingsThatCannotBeAreRefused) {
  const std::vector<Shape> x = {{1, 2, 5, 5}};
  for (const char* type : {"MaxPooling", "AveragePooling", "SumPooling"}) {
    EXPECT_THAT(refusal(type, x, pooling_arguments({0, 2}, {}, {0, 0})), HasSubstr("kernel 0x2"));
    EXPECT_THAT(refusal(type, x, pooling_arguments({2}, {}, {0})), HasSubstr("2 and 3 axes"));
    EXPECT_THAT(refusal(type, x, pooling_arguments({2, 2}, {1, 0}, {0, 0})), HasSubstr("stride 1x0"));
    EXPECT_THAT(refusal(type, x, pooling_arguments({200'000'000, 200'000'000}, {}, {0, 0})),
                HasSubstr("too many"));
    EXPECT_THAT(refusal(type, x, pooling_arguments({2, 2}, {1, 1}, {100'000, 100'000})),
                HasSubstr("too many"));
    EXPECT_THAT(refusal(type, {{5}}, pooling_arguments({2, 2}, {}, {0, 0})), HasSubstr("fewer axes"));
  }
  EXPECT_THAT(refusal("Unpooling", x, pooling_arguments({100'000, 100'000}, {}, {})), HasSubstr("too many"));
}

TEST(WindowLayers, CountsBeyondTheLimitsAreRefused) {
  const Arguments lstm = Arguments()
                             .set("num_layers", std::int64_t{1'000'000'000})
                             .set("bidirectional", false)
                             .set("training", false);
  EXPECT_THAT(refusal("LSTM", {{1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}, {1, 4, 1, 2}}, lstm),
              HasSubstr("num_layers"));
  const Arguments norm = Arguments()
                             .set("dim", std::int64_t{0})
                             .set("itr", std::int64_t{1'000'000'000})
                             .set("eps", 0.1)
                             .set("test", true)
                             .set("output_u", false);
  EXPECT_THAT(refusal("SpectralNorm", {{1, 3}, {1}}, norm), HasSubstr("itr"));
  const Arguments groups = Arguments()
                               .set("num_groups", std::int64_t{0})
                               .set("channel_axis", std::int64_t{1})
                               .set("batch_axis", Integers{0})
                               .set("eps", 0.1)
                               .set("no_scale", true)
                               .set("no_bias", true);
  EXPECT_THAT(refusal("GroupNormalization", {{1, 4, 2}}, groups), HasSubstr("0 groups"));
  const Arguments bits = Arguments().set("sign", true).set("n", std::int64_t{1'000}).set("delta", 0.5);
  EXPECT_THAT(refusal("FixedPointQuantize", {{1, 4}}, bits), HasSubstr("1000 bits"));
}

TEST(WindowLayers, RequestsThatPointOutsideAreAnErrorOfTheRequest) {
  const ModelFile embed = one_layer("Embed", {{1, 2}, {4, 3}}, {});
  EXPECT_TRUE(run(embed, Tensor::from_floats({1, 2}, {0, 3})).ok());
  for (const float index : {4.0F, -9.0F, 3e9F, 1e30F})
    EXPECT_FALSE(run(embed, Tensor::from_floats({1, 2}, {0, index})).ok());
  const Arguments arguments = Arguments()
                                  .set("output_size", Integers{2, 2})
                                  .set("spatial_scale", std::vector<double>{1, 1})
                                  .set("sampling_ratio", std::int64_t{-1})
                                  .set("channel_last", false);
  ModelFile roi = one_layer("RoiAlign", {{1, 1, 4, 4}, {1, 5}}, arguments);
  const Tensor maps = Tensor::from_floats({1, 1, 4, 4}, some_numbers({1, 1, 4, 4}));
  for (const std::vector<float>& box :
       {std::vector<float>{7, 0, 0, 1, 1}, {0, 0, 0, 1e30F, 1}, {0, -1e9F, 0, 1e9F, 1}}) {
    roi.parameters["in1"].values = std::make_shared<const std::vector<float>>(box);
    EXPECT_FALSE(run(roi, maps).ok());
  }
}

/// The numbers of `values` with axis `from` moved to `to`.
Tensor moved(const Tensor& x, std::size_t from, std::size_t to) {
  std::vector<std::size_t> order(x.shape().size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  order.erase(order.begin() + static_cast<std::ptrdiff_t>(from));
  order.insert(order.begin() + static_cast<std::ptrdiff_t>(to), from);
  Shape shape;
  for (const std::size_t axis : order) shape.push_back(x.shape()[axis]);
  std::vector<float> values(static_cast<std::size_t>(x.count()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::size_t rest = i, at = 0;
    std::vector<std::size_t> place(shape.size());
    for (std::size_t a = shape.size(); a-- > 0; rest /= static_cast<std::size_t>(shape[a]))
      place[order[a]] = rest % static_cast<std::size_t>(shape[a]);
    for (std::size_t a = 0; a < place.size(); ++a)
      at = at * static_cast<std::size_t>(x.shape()[a]) + place[a];
    values[i] = x.data<float>()[at];
  }
  return Tensor::from_floats(shape, values);
}

/// Runs a layer and its twin with channel_last, whose input (and weight) have the channels moved; the answers
/// agree.
void expect_twins_agree(const std::string& type, const std::vector<Shape>& shapes, Arguments arguments) {
  const ModelFile first = one_layer(type, shapes, arguments);
  std::vector<Tensor> tensors, twins;
  std::vector<Shape> twin_shapes;
  for (const Shape& shape : shapes) {
    tensors.push_back(Tensor::from_floats(shape, some_numbers(shape)));
    twins.push_back(shape.size() == 1 ? tensors.back() : moved(tensors.back(), 1, shape.size() - 1));
    twin_shapes.push_back(twins.back().shape());
  }
  ModelFile last = one_layer(type, twin_shapes, arguments.set("channel_last", true));
  for (std::size_t i = 1; i < twins.size(); ++i)
    last.parameters["in" + std::to_string(i)].values = std::make_shared<const std::vector<float>>(
        twins[i].data<float>(), twins[i].data<float>() + twins[i].count());
  const auto want = run(first, tensors[0]);
  const auto got = run(last, twins[0]);
  ASSERT_TRUE(want.ok() && got.ok()) << type << (got.ok() ? "" : got.error().text);
  const Tensor back = moved(*got, got->shape().size() - 1, 1);
  ASSERT_EQ(back.shape(), want->shape()) << type;
  for (std::int64_t i = 0; i < back.count(); ++i)
    EXPECT_NEAR(back.data<float>()[i], want->data<float>()[i], 1e-4) << type;
}

TEST(WindowLayers, ChannelsMayStandLast) {
  const Arguments convolution = convolution_arguments({1, 0}, {2, 1}, {1, 2});
  expect_twins_agree("Convolution", {{1, 2, 6, 7}, {3, 2, 3, 2}, {3}}, convolution);
  expect_twins_agree("Deconvolution", {{1, 2, 4, 3}, {2, 3, 3, 2}, {3}},
                     Arguments(convolution).set("output_padding", Integers{1, 0}));
  for (const char* type : {"MaxPooling", "AveragePooling", "SumPooling"})
    expect_twins_agree(type, {{1, 3, 5, 6}}, pooling_arguments({3, 2}, {2, 2}, {1, 0}));
  expect_twins_agree("Unpooling", {{1, 3, 2, 4}}, pooling_arguments({3, 2}, {}, {}));
}

}  // namespace
}  // namespace noren::worker
