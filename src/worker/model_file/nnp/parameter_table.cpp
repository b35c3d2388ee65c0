#include "worker/model_file/nnp/parameter_table.h"

#include "base/limits.h"
#include "worker/model_file/text.h"

namespace noren::worker::nnp {

Result<std::int64_t> ParameterTable::count_of(const Shape& shape, const std::string& owner) {
  if (shape.size() > limits::kRankCount) {
    return make_error(Code::kTooLarge,
                      owner + " has more than " + std::to_string(limits::kRankCount) + " dimensions");
  }
  std::int64_t count = 1;
  for (const std::int64_t dimension : shape) {
    if (dimension < 1) return invalid(owner + " has a dimension of " + std::to_string(dimension));
    if (dimension > limits::kTensorElementsCount / count) {
      return make_error(Code::kTooLarge, owner + " has more than " +
                                             std::to_string(limits::kTensorElementsCount) + " numbers");
    }
    count *= dimension;
  }
  return count;
}

Status ParameterTable::add(const std::string& name, Shape shape,
                           std::shared_ptr<const std::vector<float>> values) {
  const std::string owner = "parameter " + quoted_name(name);
  if (name.empty()) return invalid("a parameter of the file has no name");
  if (name.size() > limits::kNameBytes || !is_utf8(name)) {
    return invalid(owner + " has a name that is too long or not UTF-8 text");
  }
  ASSIGN_OR_RETURN(const std::int64_t count, count_of(shape, owner));
  if (values != nullptr) {
    CHECK(values->size() == static_cast<std::size_t>(count));
    kept_bytes_ += values->size() * sizeof(float);
    if (kept_bytes_ > limits::kParameterFileBytes) {
      return make_error(Code::kTooLarge, "the parameters hold more than " +
                                             std::to_string(limits::kParameterFileBytes / limits::kGiB) +
                                             " GiB");
    }
  }
  Parameter& parameter = parameters_[name];
  if (!parameter.shape.empty() || parameter.values) stored_scalars_count_ -= element_count(parameter.shape);
  stored_scalars_count_ += count;
  parameter = {std::move(shape), std::move(values)};
  if (parameters_.size() > limits::kVariablesCount) {
    return make_error(Code::kTooLarge,
                      "the file has more than " + std::to_string(limits::kVariablesCount) + " parameters");
  }
  return Ok{};
}

}  // namespace noren::worker::nnp
