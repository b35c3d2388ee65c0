// worker/tensor/tensor.h - Tensor: element type, shape and values in C order.
// What decoders and requests make, what the engine takes and gives. Worker processes only, any thread.
// Never converts by itself: who wants another type says so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace noren::worker {

/// Element types that can cross the API. Types of less than 16 bits a float or 8 an integer stay inside the
/// engine.
enum class ElementType : std::uint8_t {
  kFloat32,
  kFloat64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kBool,
  kString,
  kFloat16,
  kBfloat16,
};
inline constexpr ElementType kLastElementType = ElementType::kBfloat16;

std::string_view element_type_name(ElementType type);
/// Bytes of one element; 0 for strings.
std::size_t element_size_bytes(ElementType type);

/// Dimensions, slowest first. A scalar has none.
using Shape = std::vector<std::int64_t>;

/// The number of elements; an error where a dimension is negative or the product passes
/// limits::kTensorElementsCount (checked before it is multiplied, so nothing overflows).
Result<std::int64_t> checked_element_count(const Shape& shape);
/// The number of elements of a shape that was checked before.
std::int64_t element_count(const Shape& shape);
/// The shape with its free axis (-1) set so that it has `count` elements; an error where that can't be.
Result<Shape> fill_free_axis(const Shape& shape, std::int64_t count);
/// "1x3x28x28"; "scalar" for rank 0.
std::string to_string(const Shape& shape);

class Tensor {
 public:
  Tensor() = default;
  /// Zeros (empty strings).
  Tensor(ElementType type, Shape shape);
  static Tensor from_floats(Shape shape, std::vector<float> values);

  ElementType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  std::int64_t count() const { return element_count(shape_); }
  /// Requires the same number of elements.
  void reshape(Shape shape);

  /// Typed access; requires T to be the element type (bool is accessed as uint8_t, float16 and bfloat16 as
  /// uint16_t).
  template <typename T>
  T* data();
  template <typename T>
  const T* data() const;
  std::vector<std::string>& strings();
  const std::vector<std::string>& strings() const;
  std::uint8_t* raw() { return bytes_.data(); }
  const std::uint8_t* raw() const { return bytes_.data(); }
  std::size_t size_bytes() const { return bytes_.size(); }

 private:
  ElementType type_ = ElementType::kFloat32;
  Shape shape_{0};
  std::vector<std::uint8_t> bytes_;
  std::vector<std::string> strings_;
};

}  // namespace noren::worker
