#include "worker/translate/layer.h"

namespace noren::worker {
namespace {

std::string place(const Layer& layer) {
  return "layer '" + layer.function.name + "' (" + layer.function.type + "): ";
}

}  // namespace

Error Layer::refuse(std::string_view why) const { return invalid(place(*this) + std::string(why)); }

Error Layer::not_supported(std::string_view why) const {
  return unsupported(place(*this) + std::string(why));
}

Result<std::shared_ptr<const Tensor>> Layer::constant_input(std::size_t index, std::string_view role) const {
  if (!has_input(index)) return refuse("it has no " + std::string(role));
  if (input(index).constant == nullptr)
    return not_supported("its " + std::string(role) +
                         " must be a parameter of the file, known before it runs");
  return input(index).constant;
}

Result<std::int64_t> resolve_axis(const Layer& layer, std::int64_t axis, std::int64_t rank) {
  const std::int64_t resolved = axis < 0 ? axis + rank : axis;
  if (resolved < 0 || resolved >= rank)
    return layer.refuse("axis " + std::to_string(axis) + " of a tensor with " + std::to_string(rank) +
                        " axes");
  return resolved;
}

Result<std::vector<std::int64_t>> resolve_axes(const Layer& layer, const std::vector<std::int64_t>& axes,
                                               std::int64_t rank) {
  std::vector<std::int64_t> resolved;
  for (const std::int64_t axis : axes) {
    ASSIGN_OR_RETURN(const std::int64_t one, resolve_axis(layer, axis, rank));
    resolved.push_back(one);
  }
  return resolved;
}

}  // namespace noren::worker
