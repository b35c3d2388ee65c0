#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "worker/protocol/classic/classic.h"

namespace noren::worker {
namespace {

template <typename T>
Tensor tensor_of(ElementType type, const std::vector<T>& values) {
  Tensor tensor(type, {1, static_cast<std::int64_t>(values.size())});
  std::copy(values.begin(), values.end(), reinterpret_cast<T*>(tensor.raw()));
  return tensor;
}

std::string answer(const Tensor& tensor, const std::string& name = "y") {
  const std::vector<std::string> names = {name};
  const Result<std::string> text = format_answer("v", names, std::span(&tensor, 1));
  return text.ok() ? *text : describe(text.error());
}
std::string data_of(const Tensor& tensor) {
  const std::string text = answer(tensor);
  const std::string head = "{\"version\":\"v\",\"outputs\":[{\"name\":\"y\",\"data\":";
  EXPECT_TRUE(text.starts_with(head)) << text;
  EXPECT_TRUE(text.ends_with("}]}")) << text;
  return text.substr(head.size(), text.size() - head.size() - 3);
}

TEST(Answer, TheGuidesExample) {
  const Tensor tensor = tensor_of<float>(
      ElementType::kFloat32, {0.9994778037071228f, 0.000522176269441843f, 9.620963747902778e-12f});
  const std::vector<std::string> names = {"y"};
  EXPECT_EQ(
      *format_answer("20200707_051647035778", names, std::span(&tensor, 1)),
      "{\"version\":\"20200707_051647035778\",\"outputs\":[{\"name\":\"y\",\"data\":\"0.9994778037071228, "
      "0.000522176269441843, 9.620963747902778e-12\"}]}");
}

TEST(Answer, ManyOutputs) {
  const std::vector<Tensor> outputs = {tensor_of<float>(ElementType::kFloat32, {1}),
                                       tensor_of<float>(ElementType::kFloat32, {2, 3}),
                                       Tensor(ElementType::kFloat32, {0})};
  const std::vector<std::string> names = {"a", "b", "c"};
  EXPECT_EQ(
      *format_answer("v", names, outputs),
      "{\"version\":\"v\",\"outputs\":[{\"name\":\"a\",\"data\":\"1.0\"},{\"name\":\"b\",\"data\":\"2.0, "
      "3.0\"},{\"name\":\"c\",\"data\":\"\"}]}");
  EXPECT_EQ(*format_answer("v", {}, {}), "{\"version\":\"v\",\"outputs\":[]}");
}

TEST(Answer, EveryElementType) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(data_of(tensor_of<float>(ElementType::kFloat32, {-0.0f, 1e16f, 1e-5f, 0.1f})),
            "\"-0.0, 1.0000000272564224e+16, 9.999999747378752e-06, 0.10000000149011612\"");
  EXPECT_EQ(data_of(tensor_of<double>(ElementType::kFloat64, {0.1, -kInfinity, kInfinity, std::nan("")})),
            "\"0.1, -inf, inf, nan\"");
  EXPECT_EQ(data_of(tensor_of<std::int8_t>(ElementType::kInt8, {-128, 65})), "\"-128, 65\"");
  EXPECT_EQ(data_of(tensor_of<std::uint8_t>(ElementType::kUint8, {255, 65})), "\"255, 65\"");
  EXPECT_EQ(data_of(tensor_of<std::int64_t>(ElementType::kInt64, {INT64_MIN, 7})),
            "\"-9223372036854775808, 7\"");
  EXPECT_EQ(data_of(tensor_of<std::uint64_t>(ElementType::kUint64, {UINT64_MAX})),
            "\"18446744073709551615\"");
  EXPECT_EQ(data_of(tensor_of<std::uint8_t>(ElementType::kBool, {0, 1, 2})), "\"0.0, 1.0, 1.0\"");
  EXPECT_EQ(data_of(tensor_of<std::uint16_t>(ElementType::kFloat16,
                                             {0x3C00, 0xC000, 0x7C00, 0x0001, 0x7BFF, 0x3555})),
            "\"1.0, -2.0, inf, 5.960464477539063e-08, 65504.0, 0.333251953125\"");
  EXPECT_EQ(data_of(tensor_of<std::uint16_t>(ElementType::kBfloat16, {0x3F80, 0x3DCD, 0xFF80})),
            "\"1.0, 0.10009765625, -inf\"");
}

TEST(Answer, StringsAreAList) {
  Tensor tensor(ElementType::kString, {1, 3});
  tensor.strings() = {"猫", "a\"b\\c\n\x01", "\xff"};
  EXPECT_EQ(data_of(tensor), "[\"猫\",\"a\\\"b\\\\c\\n\\u0001\",\"\xEF\xBF\xBD\"]");
}

TEST(Answer, NamesAreRawUtf8) {
  EXPECT_NE(answer(tensor_of<float>(ElementType::kFloat32, {1}), "予測 \"y\"").find("\"予測 \\\"y\\\"\""),
            std::string::npos);
}

}  // namespace
}  // namespace noren::worker
