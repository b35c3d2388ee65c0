#include "worker/tensor/tensor.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"

namespace noren::worker {
namespace {

struct TypeFacts {
  std::string_view name;
  std::size_t size_bytes;
};
constexpr std::array<TypeFacts, 14> kFacts = {{{"float32", 4},
                                               {"float64", 8},
                                               {"int8", 1},
                                               {"int16", 2},
                                               {"int32", 4},
                                               {"int64", 8},
                                               {"uint8", 1},
                                               {"uint16", 2},
                                               {"uint32", 4},
                                               {"uint64", 8},
                                               {"bool", 1},
                                               {"string", 0},
                                               {"float16", 2},
                                               {"bfloat16", 2}}};

template <typename T>
bool holds(ElementType type) {
  switch (type) {
    case ElementType::kFloat32: return std::is_same_v<T, float>;
    case ElementType::kFloat64: return std::is_same_v<T, double>;
    case ElementType::kInt8: return std::is_same_v<T, std::int8_t>;
    case ElementType::kInt16: return std::is_same_v<T, std::int16_t>;
    case ElementType::kInt32: return std::is_same_v<T, std::int32_t>;
    case ElementType::kInt64: return std::is_same_v<T, std::int64_t>;
    case ElementType::kUint8:
    case ElementType::kBool: return std::is_same_v<T, std::uint8_t>;
    case ElementType::kUint16:
    case ElementType::kFloat16:
    case ElementType::kBfloat16: return std::is_same_v<T, std::uint16_t>;
    case ElementType::kUint32: return std::is_same_v<T, std::uint32_t>;
    case ElementType::kUint64: return std::is_same_v<T, std::uint64_t>;
    case ElementType::kString: return false;
  }
  return false;
}

}  // namespace

std::string_view element_type_name(ElementType type) { return kFacts[static_cast<std::size_t>(type)].name; }
std::size_t element_size_bytes(ElementType type) { return kFacts[static_cast<std::size_t>(type)].size_bytes; }

Result<std::int64_t> checked_element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t dimension : shape) {
    if (dimension < 0) return invalid("shape " + to_string(shape) + ": a dimension is negative");
    if (dimension != 0 && count > limits::kTensorElementsCount / dimension)
      return make_error(Code::kTooLarge, "shape " + to_string(shape) + " has too many elements (at most " +
                                             std::to_string(limits::kTensorElementsCount) + ")");
    count *= dimension;
  }
  return count;
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t dimension : shape) count *= dimension;
  return count;
}

Result<Shape> fill_free_axis(const Shape& shape, std::int64_t count) {
  Shape filled = shape;
  std::int64_t* free_axis = nullptr;
  std::int64_t others_count = 1;
  for (std::int64_t& dimension : filled) {
    if (dimension >= 0) {
      others_count *= std::min(dimension, limits::kTensorElementsCount);
    } else if (free_axis == nullptr) {
      free_axis = &dimension;
    } else {
      return invalid("shape " + to_string(shape) + ": more than one axis is free");
    }
    if (dimension > limits::kTensorElementsCount || others_count > limits::kTensorElementsCount)
      return make_error(Code::kTooLarge, "shape " + to_string(shape) + " has too many elements");
  }
  if (free_axis == nullptr || others_count <= 0 || count % others_count != 0)
    return invalid("shape " + to_string(shape) + " can't have " + std::to_string(count) + " elements");
  *free_axis = count / others_count;
  return filled;
}

std::string to_string(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (const std::int64_t dimension : shape) {
    if (!text.empty()) text += 'x';
    text += std::to_string(dimension);
  }
  return text;
}

Tensor::Tensor(ElementType type, Shape shape) : type_(type), shape_(std::move(shape)) {
  const auto count = static_cast<std::size_t>(element_count(shape_));
  if (type_ == ElementType::kString)
    strings_.resize(count);
  else
    bytes_.resize(count * element_size_bytes(type_));
}

Tensor Tensor::from_floats(Shape shape, std::vector<float> values) {
  Tensor tensor(ElementType::kFloat32, std::move(shape));
  CHECK(static_cast<std::size_t>(tensor.count()) == values.size());
  if (!values.empty()) std::memcpy(tensor.bytes_.data(), values.data(), tensor.bytes_.size());
  return tensor;
}

void Tensor::reshape(Shape shape) {
  CHECK(element_count(shape) == count());
  shape_ = std::move(shape);
}

template <typename T>
T* Tensor::data() {
  CHECK(holds<T>(type_));
  return reinterpret_cast<T*>(bytes_.data());
}
template <typename T>
const T* Tensor::data() const {
  CHECK(holds<T>(type_));
  return reinterpret_cast<const T*>(bytes_.data());
}

#define NOREN_INSTANTIATE(T) \
  template T* Tensor::data<T>(); \
  template const T* Tensor::data<T>() const
NOREN_INSTANTIATE(float);
NOREN_INSTANTIATE(double);
NOREN_INSTANTIATE(std::int8_t);
NOREN_INSTANTIATE(std::int16_t);
NOREN_INSTANTIATE(std::int32_t);
NOREN_INSTANTIATE(std::int64_t);
NOREN_INSTANTIATE(std::uint8_t);
NOREN_INSTANTIATE(std::uint16_t);
NOREN_INSTANTIATE(std::uint32_t);
NOREN_INSTANTIATE(std::uint64_t);
#undef NOREN_INSTANTIATE

std::vector<std::string>& Tensor::strings() {
  CHECK(type_ == ElementType::kString);
  return strings_;
}
const std::vector<std::string>& Tensor::strings() const {
  CHECK(type_ == ElementType::kString);
  return strings_;
}

}  // namespace noren::worker
