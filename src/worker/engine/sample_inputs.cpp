#include "worker/engine/sample_inputs.h"

#include <algorithm>

namespace noren::worker {
namespace {

constexpr std::int64_t kStandInElementsCount = 1'000'000;

constexpr std::uint16_t kHalfOfOne = 0x3800, kBfloat16HalfOfOne = 0x3F00;

template <typename T>
void fill(Tensor& tensor, T value) {
  std::fill_n(tensor.data<T>(), tensor.count(), value);
}

template <typename T>
void fill(Tensor& tensor, std::mt19937& generator) {
  std::uniform_real_distribution<T> distribution(-1, 1);
  std::generate_n(tensor.data<T>(), tensor.count(), [&] { return distribution(generator); });
}

/// Floats in (-1, 1). Whole numbers are 1: a valid index nearly everywhere, and nothing is divided by zero.
Tensor sample_of(const InputSignature& input, Shape shape, std::mt19937& generator) {
  Tensor tensor(input.type, std::move(shape));
  switch (input.type) {
    case ElementType::kFloat32: fill<float>(tensor, generator); break;
    case ElementType::kFloat64: fill<double>(tensor, generator); break;
    case ElementType::kFloat16: fill(tensor, kHalfOfOne); break;
    case ElementType::kBfloat16: fill(tensor, kBfloat16HalfOfOne); break;
    case ElementType::kInt8: fill(tensor, std::int8_t{1}); break;
    case ElementType::kInt16: fill(tensor, std::int16_t{1}); break;
    case ElementType::kInt32: fill(tensor, std::int32_t{1}); break;
    case ElementType::kInt64: fill(tensor, std::int64_t{1}); break;
    case ElementType::kBool:
    case ElementType::kUint8: fill(tensor, std::uint8_t{1}); break;
    case ElementType::kUint16: fill(tensor, std::uint16_t{1}); break;
    case ElementType::kUint32: fill(tensor, std::uint32_t{1}); break;
    case ElementType::kUint64: fill(tensor, std::uint64_t{1}); break;
    case ElementType::kString: break;
  }
  return tensor;
}

}  // namespace

bool has_free_axis(const ExecutorSignature& executor) {
  return std::any_of(executor.inputs.begin(), executor.inputs.end(), [](const InputSignature& input) {
    return !input.has_shape || std::find(input.shape.begin(), input.shape.end(), -1) != input.shape.end();
  });
}

std::vector<Tensor> sample_inputs(const ExecutorSignature& executor, std::int64_t free_length,
                                  std::mt19937& generator) {
  std::vector<Tensor> inputs;
  for (const InputSignature& input : executor.inputs) {
    Shape shape = input.has_shape ? input.shape : Shape{1};
    bool is_free = false;
    for (std::int64_t& axis : shape) {
      is_free = is_free || axis < 0;
      axis = axis < 0 ? free_length : axis;
    }
    const auto count = checked_element_count(shape);
    if (!count.ok() || (is_free && *count > kStandInElementsCount)) return {};
    inputs.push_back(sample_of(input, std::move(shape), generator));
  }
  return inputs;
}

}  // namespace noren::worker
