#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/limits.h"
#include "worker/protocol/classic/classic.h"

namespace noren::worker {
namespace {

// A grey PNG of 2x1 pixels, 0 and 255.
constexpr const char* kPng =
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAC0lEQVR4nGNg+A8AAQIBAEK+vGgAAAAASUVORK5CYII=";

InputSignature input_of(std::string name, std::string variable, Shape shape,
                        ElementType type = ElementType::kFloat32) {
  InputSignature input;
  input.name = std::move(name);
  input.variable = std::move(variable);
  input.shape = std::move(shape);
  input.type = type;
  return input;
}

ModelSignature model_of(std::vector<InputSignature> inputs) {
  ModelSignature model;
  model.executors.emplace_back();
  model.executors[0].name = "Executor";
  model.executors[0].inputs = std::move(inputs);
  return model;
}

Result<ClassicRequest> parse(const ModelSignature& model, std::string body,
                             AcceptedFiles accepted = AcceptedFiles::kAll) {
  const std::size_t size = body.size();
  body.resize(size + limits::kFramePaddingBytes, '\xff');  // what stands behind the body must not matter
  ClassicParser parser(model);
  return parser.parse(bytes_of(body).first(size), accepted);
}

std::string refusal(const ModelSignature& model, const std::string& body,
                    AcceptedFiles accepted = AcceptedFiles::kAll) {
  const Result<ClassicRequest> request = parse(model, body, accepted);
  if (request.ok()) return "taken";
  EXPECT_EQ(request.error().code, Code::kInvalidArgument);
  EXPECT_LE(request.error().text.size(), limits::kDetailBytes);
  return request.error().text;
}

template <typename T = float>
std::vector<T> values_of(const Tensor& tensor) {
  return {tensor.data<T>(), tensor.data<T>() + tensor.count()};
}

std::string vector_body(const std::string& data) {
  return R"({"executor":"Executor","inputs":[{"name":"x","type":"vector","data":)" + data + "}]}";
}

/// The four numbers of a model with one input of four, or the refusal.
std::string four(const std::string& data) {
  const ModelSignature model = model_of({input_of("x", "Input", {1, 4})});
  const Result<ClassicRequest> request = parse(model, vector_body(data));
  if (!request.ok()) return request.error().text;
  EXPECT_EQ(request->inputs[0].shape(), Shape({1, 4}));
  std::string text;
  for (const float value : values_of(request->inputs[0]))
    text += (text.empty() ? "" : " ") + std::to_string(value);
  return text;
}

TEST(ClassicRequest, VectorsOfAnyNesting) {
  const std::string expected = "5.000000 3.500000 1.300000 0.300000";
  EXPECT_EQ(four("[[5], [3.5], [1.3], [0.3]]"), expected);
  EXPECT_EQ(four("[5,3.5,1.3,0.3]"), expected);
  EXPECT_EQ(four(" [ [ 5 , 35e-1 ] , [ 1.3 , 0.3 ] ] "), expected);
  EXPECT_EQ(four("[[[[5,3.5,1.3,0.3]]]]"), expected);
  EXPECT_EQ(four("[\"5\", 3.5, \" 1.3\", 0.3]"), expected);
  EXPECT_EQ(four("[true,false,1,0]"), "1.000000 0.000000 1.000000 0.000000");
}

TEST(ClassicRequest, VectorsThatAreNotWhatTheModelTakes) {
  EXPECT_EQ(four("[1,2,3]"), "inputs[0] 'x': 4 numbers expected (4), 3 given");
  EXPECT_EQ(four("[[1,2,3,4],[5,6,7,8]]"), "inputs[0] 'x': 4 numbers expected (4), 8 given");
  EXPECT_EQ(four("[]"), "inputs[0] 'x': 4 numbers expected (4), 0 given");
  EXPECT_EQ(four("[[],[],[],[]]"), "inputs[0] 'x': 4 numbers expected (4), 0 given");
  EXPECT_EQ(four("5"), "inputs[0] 'x': 4 numbers expected (4), 1 given");
  EXPECT_EQ(four("[[1,2],[3],[4]]"), "inputs[0] 'x': the lists are not of equal length and depth");
  EXPECT_EQ(four("[1,[2],3,4]"), "inputs[0] 'x': the lists are not of equal length and depth");
  EXPECT_EQ(four("[[1],2,3,4]"), "inputs[0] 'x': the lists are not of equal length and depth");
  EXPECT_EQ(four("[[[1]],[2],[3],[4]]"), "inputs[0] 'x': the lists are not of equal length and depth");
  EXPECT_EQ(four("[[],1,2,3,4]"), "inputs[0] 'x': the lists are not of equal length and depth");
  EXPECT_EQ(four("[1,null,3,4]"), "inputs[0] 'x': null is not a number");
  EXPECT_EQ(four("[1,\"a\\u0007b\",3,4]"), "inputs[0] 'x': 'a\\u0007b' is not a number");
  EXPECT_EQ(four("[1,{},3,4]"), "inputs[0] 'x': a number is expected, not an object");
  EXPECT_EQ(four("\"1,2,3,4\""), "inputs[0] 'x': data must be a list of numbers, not a string");
}

TEST(ClassicRequest, NumbersAreReadAsDoublesAndRoundedOnce) {
  const ModelSignature model = model_of({input_of("x", "x", {1, 8})});
  const Result<ClassicRequest> request = parse(
      model, vector_body("[16777217, 0.1000000000000000055511151231257827, 1e400, -1e999, 1e-400, -0.0, "
                         "0.5000000000000000000000, 123456789012345678901234567890]"));
  ASSERT_TRUE(request.ok());
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(values_of(request->inputs[0]),
            std::vector<float>({16777216.0f, 0.1f, kInfinity, -kInfinity, 0.0f, -0.0f, 0.5f, 1.2345679e29f}));
  EXPECT_TRUE(std::signbit(values_of(request->inputs[0])[5]));
  // A value halfway between two floats once it is a double: the double is what counts.
  const Result<ClassicRequest> twice =
      parse(model_of({input_of("x", "x", {1, 1})}), vector_body("1.00000005960464484086082"));
  EXPECT_EQ(values_of(twice->inputs[0])[0], static_cast<float>(1.00000005960464484086082));
}

TEST(ClassicRequest, NumbersThatJsonDoesNotKnow) {
  for (const char* number :
       {"01", "0x10", "+1",    ".5",  "5.", "1e",  "1e+",  "NaN", "Infinity", "-Infinity", "nan",
        "-",  "--1",  "1_000", "1,2", "00", "-01", "1.e5", "tru", "nul",      "truee"})
    EXPECT_NE(four("[1,2,3," + std::string(number) + "]").find("inputs[0] 'x'"), std::string::npos) << number;
}

TEST(ClassicRequest, TheOtherElementTypes) {
  const auto take = [](ElementType type, const std::string& data) {
    return parse(model_of({input_of("x", "x", {1, 2}, type)}), vector_body(data));
  };
  EXPECT_EQ(values_of<std::int64_t>(
                take(ElementType::kInt64, "[9007199254740993, -9223372036854775808]")->inputs[0]),
            std::vector<std::int64_t>({9007199254740993, INT64_MIN}));
  EXPECT_EQ(values_of<std::uint64_t>(take(ElementType::kUint64, "[18446744073709551615, 3.0]")->inputs[0]),
            std::vector<std::uint64_t>({UINT64_MAX, 3}));
  EXPECT_EQ(values_of<std::int8_t>(take(ElementType::kInt8, "[-128, 1.27e2]")->inputs[0]),
            std::vector<std::int8_t>({-128, 127}));
  EXPECT_EQ(values_of<double>(take(ElementType::kFloat64, "[0.1, 1e300]")->inputs[0]),
            std::vector<double>({0.1, 1e300}));
  EXPECT_EQ(values_of<std::uint8_t>(take(ElementType::kBool, "[true, 0]")->inputs[0]),
            std::vector<std::uint8_t>({1, 0}));
  EXPECT_EQ(values_of<std::uint16_t>(take(ElementType::kFloat16, "[1, 65504]")->inputs[0]),
            std::vector<std::uint16_t>({0x3C00, 0x7BFF}));
  EXPECT_EQ(values_of<std::uint16_t>(take(ElementType::kFloat16, "[2049, 65519.9]")->inputs[0]),
            std::vector<std::uint16_t>({0x6800, 0x7BFF}));
  EXPECT_EQ(
      values_of<std::uint16_t>(take(ElementType::kFloat16, "[-65520, 5.9604644775390625e-08]")->inputs[0]),
      std::vector<std::uint16_t>({0xFC00, 0x0001}));
  EXPECT_EQ(values_of<std::uint16_t>(take(ElementType::kFloat16, "[6.1e-05, -1e-9]")->inputs[0]),
            std::vector<std::uint16_t>({0x03FF, 0x8000}));
  EXPECT_EQ(values_of<std::uint16_t>(take(ElementType::kFloat16, "[0, -0.0]")->inputs[0]),
            std::vector<std::uint16_t>({0x0000, 0x8000}));
  EXPECT_EQ(values_of<std::uint16_t>(take(ElementType::kBfloat16, "[0.1, 1e300]")->inputs[0]),
            std::vector<std::uint16_t>({0x3DCD, 0x7F80}));
  EXPECT_EQ(
      values_of<std::uint16_t>(take(ElementType::kBfloat16, "[1.00390625, 1.0039062500000002]")->inputs[0]),
      std::vector<std::uint16_t>({0x3F80, 0x3F81}))
      << "half way to even, and no rounding on the way there";
  EXPECT_EQ(take(ElementType::kString, "[[\"a\\n\",\"猫\"]]")->inputs[0].strings(),
            std::vector<std::string>({"a\n", "猫"}));
  for (const auto& [type, data] : {std::pair{ElementType::kInt8, "[128, 0]"},
                                   {ElementType::kInt8, "[-129, 0]"},
                                   {ElementType::kUint8, "[-1, 0]"},
                                   {ElementType::kInt64, "[9223372036854775808, 0]"},
                                   {ElementType::kInt64, "[1e19, 0]"},
                                   {ElementType::kInt32, "[1.5, 0]"},
                                   {ElementType::kInt32, "[1e400, 0]"},
                                   {ElementType::kString, "[1, 2]"}})
    EXPECT_FALSE(take(type, data).ok()) << element_type_name(type) << " " << data;
}

TEST(ClassicRequest, NumbersThatJsonHasNotAreNamed) {
  const auto parsed =
      parse(model_of({input_of("x", "x", {1, 4})}), vector_body("[\"nan\", \"inf\", \"-Infinity\", 1]"));
  ASSERT_TRUE(parsed.ok()) << parsed.error().text;
  const float* values = parsed->inputs[0].data<float>();
  EXPECT_TRUE(std::isnan(values[0]));
  EXPECT_EQ(values[1], std::numeric_limits<float>::infinity());
  EXPECT_EQ(values[2], -std::numeric_limits<float>::infinity());
  EXPECT_FALSE(
      parse(model_of({input_of("x", "x", {1}, ElementType::kInt64)}), vector_body("[\"nan\"]")).ok());
  EXPECT_FALSE(parse(model_of({input_of("x", "x", {1})}), vector_body("[\"nano\"]")).ok());
}

TEST(ClassicRequest, FreeAxesTakeTheListsShape) {
  const ModelSignature model = model_of({input_of("x", "x", {1, -1, 2})});
  EXPECT_EQ(parse(model, vector_body("[[1,2],[3,4],[5,6]]"))->inputs[0].shape(), Shape({1, 3, 2}));
  EXPECT_EQ(parse(model, vector_body("[[[1,2],[3,4]]]"))->inputs[0].shape(), Shape({1, 2, 2}));
  EXPECT_EQ(parse(model, vector_body("[1,2,3,4]"))->inputs[0].shape(), Shape({1, 2, 2}));
  EXPECT_FALSE(parse(model, vector_body("[1,2,3]")).ok());
  const ModelSignature two = model_of({input_of("x", "x", {1, -1, -1})});
  EXPECT_EQ(parse(two, vector_body("[[1,2],[3,4],[5,6]]"))->inputs[0].shape(), Shape({1, 3, 2}));
  EXPECT_FALSE(parse(two, vector_body("[1,2,3]")).ok());
}

ModelSignature two_inputs() {
  return model_of({input_of("a", "Input", {1, 1}), input_of("b", "Input_2", {1, 1})});
}
std::string entry(const std::string& name, const std::string& data) {
  return R"({"name":")" + name + R"(","type":"vector","data":)" + data + "}";
}
std::string body_of(const std::string& entries) { return "{\"inputs\":[" + entries + "]}"; }

TEST(ClassicRequest, InputsGoByDataNameElseByVariableName) {
  for (const auto& [first, second] : {std::pair{"a", "b"}, {"Input", "Input_2"}, {"a", "Input_2"}}) {
    const Result<ClassicRequest> request =
        parse(two_inputs(), body_of(entry(second, "2") + "," + entry(first, "1")));
    ASSERT_TRUE(request.ok()) << request.error().text;
    EXPECT_EQ(values_of(request->inputs[0])[0], 1.0f);
    EXPECT_EQ(values_of(request->inputs[1])[0], 2.0f);
  }
  // A data name wins over another input's variable name.
  const ModelSignature crossed = model_of({input_of("x", "y", {1, 1}), input_of("y", "x", {1, 1})});
  EXPECT_EQ(values_of(parse(crossed, body_of(entry("x", "1") + "," + entry("y", "2")))->inputs[0])[0], 1.0f);
  const ModelSignature same = model_of({input_of("x", "v", {1, 1}), input_of("y", "v", {1, 1})});
  EXPECT_EQ(refusal(same, body_of(entry("v", "1"))),
            "inputs[0] 'v': the name 'v' stands for more than one input of the model");
}

TEST(ClassicRequest, MissingUnknownAndRepeatedInputs) {
  EXPECT_EQ(refusal(two_inputs(), body_of(entry("a", "1"))), "input 'b' is missing");
  EXPECT_EQ(refusal(two_inputs(), body_of("")), "input 'a' is missing");
  EXPECT_EQ(refusal(two_inputs(), "{}"), "\"inputs\" is missing");
  EXPECT_EQ(refusal(two_inputs(), body_of(entry("a", "1") + "," + entry("a", "2"))),
            "inputs[1] 'a': this input is there twice");
  EXPECT_EQ(refusal(two_inputs(), body_of(entry("a", "1") + "," + entry("Input", "2"))),
            "inputs[1] 'Input': this input is there twice");
  EXPECT_EQ(refusal(two_inputs(), body_of(entry("A", "1"))),
            "inputs[0] 'A': the model has no input 'A' (it has 'a', 'b')");
  EXPECT_EQ(refusal(two_inputs(), body_of(R"({"type":"vector","data":1})")),
            "inputs[0]: \"name\" is missing");
  EXPECT_EQ(refusal(two_inputs(), body_of(R"({"name":"a","data":1})")), "inputs[0] 'a': \"type\" is missing");
  EXPECT_EQ(refusal(two_inputs(), body_of(R"({"name":"a","type":"vector"})")),
            "inputs[0] 'a': \"data\" is missing");
  EXPECT_EQ(refusal(two_inputs(), body_of(R"({"name":"a","name":"b","type":"vector","data":1})")),
            "inputs[0] 'a': \"name\" is there twice");
  EXPECT_EQ(refusal(two_inputs(), body_of("null")), "inputs[0] must be an object with name, type and data");
  EXPECT_EQ(refusal(two_inputs(), R"({"inputs":{}})"), "\"inputs\" must be a list");
  EXPECT_EQ(refusal(two_inputs(), R"({"inputs":[],"inputs":[]})"), "input 'a' is missing");
  const std::string both = entry("a", "1") + "," + entry("b", "1");
  EXPECT_EQ(refusal(two_inputs(), R"({"inputs":[)" + both + R"(],"inputs":[]})"),
            "\"inputs\" is there twice");
}

TEST(ClassicRequest, KeysInAnyOrderAndUnknownKeys) {
  const ModelSignature model = model_of({input_of("x", "x", {1, 2})});
  for (const char* entry_text :
       {R"({"data":[1,2],"name":"x","type":"vector"})", R"({"type":"vector","data":[1,2],"name":"x"})",
        R"({"note":{"a":[1,{"b":null}],"c":true},"data":[1,2],"type":"VECTOR","name":"x","more":[[]]})",
        R"({"n\u0061me":"\u0078","type":"vector","dat\u0061":[1,2]})"}) {
    const Result<ClassicRequest> request = parse(model, body_of(entry_text));
    ASSERT_TRUE(request.ok()) << entry_text << request.error().text;
    EXPECT_EQ(values_of(request->inputs[0]), std::vector<float>({1, 2}));
  }
  EXPECT_TRUE(
      parse(model, R"({"x":1.5e3,"inputs":[{"name":"x","type":"vector","data":[1,2]}],"y":{"z":[]}})").ok());
}

TEST(ClassicRequest, Executors) {
  ModelSignature model = model_of({input_of("x", "x", {1, 1})});
  model.executors.push_back(model.executors[0]);
  model.executors[1].name = "Second";
  model.executors[1].inputs[0].shape = {1, 2};
  const std::string one = R"([{"name":"x","type":"vector","data":[1]}])";
  const std::string two = R"([{"name":"x","type":"vector","data":[1,2]}])";
  EXPECT_EQ(parse(model, "{\"inputs\":" + one + "}")->executor_index, 0u);
  EXPECT_EQ(parse(model, "{\"executor\":null,\"inputs\":" + one + "}")->executor_index, 0u);
  EXPECT_EQ(parse(model, "{\"executor\":\"Second\",\"inputs\":" + two + "}")->executor_index, 1u);
  EXPECT_EQ(parse(model, "{\"inputs\":" + two + ",\"executor\":\"Second\"}")->executor_index, 1u);
  EXPECT_EQ(refusal(model, "{\"inputs\":" + one + ",\"executor\":\"Second\"}"),
            "inputs[0] 'x': 2 numbers expected (2), 1 given");
  EXPECT_EQ(refusal(model, "{\"executor\":\"second\",\"inputs\":" + two + "}"),
            "the model has no executor 'second'");
  EXPECT_EQ(refusal(model, "{\"executor\":1,\"inputs\":" + two + "}"), "\"executor\" must be a string");
  EXPECT_EQ(refusal(model, R"({"executor":"Executor","executor":"Second","inputs":[]})"),
            "\"executor\" is there twice");
  EXPECT_TRUE(parse(model_of({}), R"({"executor":"Executor"})").ok());
}

TEST(ClassicRequest, BodiesThatAreNoJson) {
  const ModelSignature model = model_of({input_of("x", "x", {1, 1})});
  const std::string good = body_of(entry("x", "1"));
  ASSERT_TRUE(parse(model, good).ok());
  ASSERT_TRUE(parse(model, " \r\n\t" + good + " \n").ok());
  ASSERT_TRUE(parse(model, "\xef\xbb\xbf" + good).ok());
  EXPECT_NE(refusal(model, "\xef\xbb" + good), "taken");
  EXPECT_NE(refusal(model, "\xef\xbb\xbf"), "taken");
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_NE(refusal(model, good.substr(0, size)), "taken") << size;
  for (const std::string& body :
       {good + "x", good + "{}", good + "]", good + "}", "[" + good + "]", good + ",", std::string("null"),
        std::string("[]"), std::string("1"), std::string("\xff{}"),
        R"({"inputs":[{"name":"x","type":"vector","data":1},]})" + std::string(),
        std::string(R"({"inputs":[{"name":"x","type":"vector","data":1}],})"),
        std::string(R"({"inputs":[{"name":"x","type":"vector","data":1}],"more":[1,]})"),
        std::string(R"({"inputs":[{"name":"x","type":"vector","data":1}],"more":01})"),
        std::string(R"({"inputs":[{"name":"x","type":"vector","data":1}] "more":1})"),
        std::string("{\"inputs\":[{\"name\":\"x\",\"type\":\"vec\ntor\",\"data\":1}]}")})
    EXPECT_NE(refusal(model, body), "taken") << body;
}

TEST(ClassicRequest, NestingIsLimited) {
  const ModelSignature model = model_of({input_of("x", "x", {1, 1})});
  const auto nested = [](std::size_t levels) {
    return std::string(levels, '[') + "1" + std::string(levels, ']');
  };
  const std::size_t room = limits::kRequestJsonDepth - 3;  // the body, "inputs" and the entry
  EXPECT_TRUE(parse(model, vector_body(nested(room))).ok());
  EXPECT_NE(refusal(model, vector_body(nested(room + 1))).find("nested too deeply"), std::string::npos);
  EXPECT_NE(refusal(model, vector_body(nested(20'000))).find("nested too deeply"), std::string::npos);
  EXPECT_NE(refusal(model, "{\"more\":" + nested(20'000) + "}").find("nested too deeply"), std::string::npos);
}

TEST(ClassicRequest, Files) {
  const ModelSignature model = model_of({input_of("x", "x", {1, 1, 1, 2})});
  const auto body = [](const std::string& type, const std::string& data) {
    return body_of(R"({"name":"x","type":")" + type + R"(","data":")" + data + "\"}");
  };
  EXPECT_EQ(values_of(parse(model, body("png", kPng))->inputs[0]), std::vector<float>({0, 1}));
  EXPECT_EQ(parse(model, body("PNG", kPng))->inputs[0].shape(), Shape({1, 1, 1, 2}));
  EXPECT_TRUE(parse(model, body("jpg", std::string(kPng) + "\\n")).ok()) << "the content decides";
  EXPECT_EQ(refusal(model, body("png", "")), "inputs[0] 'x': data is empty");
  EXPECT_NE(refusal(model, body("webp", kPng)).find("type 'webp' is not known"), std::string::npos);
  EXPECT_NE(refusal(model, body("dcm", kPng)).find("not a DICOM file"), std::string::npos);
  EXPECT_EQ(refusal(model, body_of(R"({"name":"x","type":"png","data":[1,2]})")),
            "inputs[0] 'x': data must be the file as a base64 string");
  for (const std::string type : {"dcm", "wav", "DCM"}) {
    const std::string text = refusal(model, body(type, kPng), AcceptedFiles::kPerRequest);
    EXPECT_NE(text.find("dedicated instance"), std::string::npos) << text;
  }
  EXPECT_TRUE(parse(model, body("png", kPng), AcceptedFiles::kPerRequest).ok());
}

TEST(ClassicRequest, WhichFilesAreTakenIsEachRequestsOwn) {
  const ModelSignature model = model_of({input_of("x", "x", {1, 1, 1, 2})});
  std::string body = body_of(std::string(R"({"name":"x","type":"dcm","data":")") + kPng + "\"}");
  const std::size_t size = body.size();
  body.resize(size + limits::kFramePaddingBytes);
  ClassicParser parser(model);
  for (int i = 0; i < 3; ++i) {
    const auto text = [&](AcceptedFiles accepted) {
      return parser.parse(bytes_of(body).first(size), accepted).error().text;
    };
    EXPECT_NE(text(AcceptedFiles::kPerRequest).find("dedicated instance"), std::string::npos);
    EXPECT_NE(text(AcceptedFiles::kAll).find("not a DICOM file"), std::string::npos);
  }
}

TEST(ClassicRequest, FilesForPlainOnnxModels) {
  InputSignature bytes = input_of("x", "x", {1, -1, -1, 3}, ElementType::kUint8);
  bytes.image.layout = ImageLayout::kChannelsLast;
  bytes.image.normalize = false;
  const std::string body = body_of(std::string(R"({"name":"x","type":"png","data":")") + kPng + "\"}");
  const Result<ClassicRequest> raw = parse(model_of({bytes}), body);
  ASSERT_TRUE(raw.ok()) << raw.error().text;
  EXPECT_EQ(raw->inputs[0].shape(), Shape({1, 1, 2, 3}));
  EXPECT_EQ(values_of<std::uint8_t>(raw->inputs[0]), std::vector<std::uint8_t>({0, 0, 0, 255, 255, 255}));
  InputSignature scaled = input_of("x", "x", {1, 1, 1, 2});
  scaled.image.layout = ImageLayout::kChannelsFirst;
  scaled.image.scale = {2.0f};
  scaled.image.offset = {-1.0f};
  EXPECT_EQ(values_of(parse(model_of({scaled}), body)->inputs[0]), std::vector<float>({-1, 1}));
}

TEST(ClassicRequest, ACallersTextIsQuotedSafely) {
  const ModelSignature model = model_of({input_of("x", "x", {1, 1})});
  const std::string long_name(5'000, 'n');
  const std::string text = refusal(model, body_of(entry(long_name, "1")));
  EXPECT_LE(text.size(), limits::kDetailBytes);
  EXPECT_NE(text.find("\xE2\x80\xA6"), std::string::npos);
  const std::string odd = refusal(model, body_of(entry("a\\u0000\\n\\u202eb<猫>", "1")));
  EXPECT_NE(odd.find("'a???b<猫>'"), std::string::npos) << odd;
  for (const char c : odd) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
}

TEST(ClassicRequest, AParserServesManyRequests) {
  const ModelSignature model = model_of({input_of("x", "x", {1, 1})});
  ClassicParser parser(model);
  for (int i = 0; i < 50; ++i) {
    const bool is_large = i % 7 == 3;
    std::string body = body_of(entry("x", std::to_string(i))) + std::string(is_large ? 2'000'000 : 0, ' ');
    if (i % 5 == 4) body.resize(20);
    const std::size_t size = body.size();
    body.resize(size + limits::kFramePaddingBytes);
    const Result<ClassicRequest> request = parser.parse(bytes_of(body).first(size), AcceptedFiles::kAll);
    ASSERT_EQ(request.ok(), i % 5 != 4);
    if (request.ok()) {
      EXPECT_EQ(values_of(request->inputs[0])[0], static_cast<float>(i));
    }
  }
}

}  // namespace
}  // namespace noren::worker
