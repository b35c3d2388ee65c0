// Geometric layers: where a map is looked at, and what is seen there.
#include "worker/translate/families.h"

namespace noren::worker {
namespace {

std::int64_t flag(const Layer& layer, std::string_view name) {
  return layer.arguments().boolean(name) ? 1 : 0;
}

Status require_channels_first(const Layer& layer) {
  if (!layer.arguments().boolean("channel_last")) return Ok{};
  return layer.not_supported("channel_last is for GPUs in the reference implementation too");
}

/// The places of the target grid in [-1, 1] with a 1 behind: rows (x, y[, z], 1), the last axis runs fastest.
std::vector<float> target_grid(const std::vector<std::int64_t>& size, bool align_corners) {
  const std::size_t spatial = size.size();
  std::int64_t count = 1;
  for (const std::int64_t length : size) count *= length;
  std::vector<float> grid;
  grid.reserve(static_cast<std::size_t>(count) * (spatial + 1));
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i;
    for (std::size_t axis = spatial; axis-- > 0;) {
      const std::int64_t length = size[axis], position = rest % length;
      rest /= length;
      float place = 2.0F * static_cast<float>(position) / static_cast<float>(length - 1) - 1.0F;
      if (!align_corners) place *= static_cast<float>(length - 1) / static_cast<float>(length);
      grid.push_back(place);
    }
    grid.push_back(1.0F);
  }
  return grid;
}

/// theta (B, 2, 3) or (B, 3, 4) → grid (B, H, W, 2) or (B, D, H, W, 3) = target grid x theta transposed.
LayerOutputs affine_grid(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  const Value& theta = layer.input(0);
  const auto& size = layer.arguments().integers("size");
  const auto spatial = static_cast<std::int64_t>(size.size());
  if (spatial != 2 && spatial != 3) return layer.refuse("size must have 2 or 3 numbers");
  if (theta.rank() != 3 || theta.shape[1] != spatial || theta.shape[2] != spatial + 1)
    return layer.refuse("theta is " + to_string(theta.shape) + ", the last two axes must be " +
                        std::to_string(spatial) + "x" + std::to_string(spatial + 1));
  for (const std::int64_t length : size)
    if (length < 1) return layer.refuse("size must be positive");
  Shape places = size;
  places.push_back(spatial + 1);
  const auto count = checked_element_count(places);
  if (!count.ok()) return layer.refuse(count.error().text);
  const std::int64_t points = *count / (spatial + 1);
  const Value grid =
      graph.floats({1, points, spatial + 1}, target_grid(size, flag(layer, "align_corners") != 0));
  const Value turned = graph.transpose(theta, {0, 2, 1});
  const Value result = graph.node("MatMul", {grid, turned}, {theta.shape[0], points, spatial});
  Shape shape = {theta.shape[0]};
  shape.insert(shape.end(), size.begin(), size.end());
  shape.push_back(spatial);
  return std::vector{graph.reshape(result, shape)};
}

LayerOutputs warp_by_grid(Layer& layer) {
  TRY(require_channels_first(layer));
  const Value& x = layer.input(0);
  const Value& grid = layer.input(1);
  const std::string& mode = layer.arguments().text("mode");
  const std::string& padding = layer.arguments().text("padding_mode");
  if (mode != "linear" && mode != "nearest")
    return layer.refuse("mode '" + mode + "' is not linear or nearest");
  if (padding != "zero" && padding != "repeat" && padding != "reflect")
    return layer.refuse("padding_mode '" + padding + "' is not zero, repeat or reflect");
  if (grid.rank() != x.rank() || (x.rank() != 4 && x.rank() != 5) || grid.shape.back() != x.rank() - 2 ||
      grid.shape[0] != x.shape[0])
    return layer.refuse("the map is " + to_string(x.shape) + ", the grid " + to_string(grid.shape));
  Shape shape = {x.shape[0], x.shape[1]};
  shape.insert(shape.end(), grid.shape.begin() + 1, grid.shape.end() - 1);
  return std::vector{layer.graph.node(
      "noren::WarpByGrid", {x, grid}, shape,
      {{"mode", mode}, {"padding_mode", padding}, {"align_corners", flag(layer, "align_corners")}})};
}

LayerOutputs warp_by_flow(Layer& layer) {
  const Value& x = layer.input(0);
  const Value& flow = layer.input(1);
  if (x.rank() != 4 || flow.shape != Shape{x.shape[0], 2, x.shape[2], x.shape[3]})
    return layer.refuse("the map is " + to_string(x.shape) + ", the flow " + to_string(flow.shape));
  return std::vector{layer.graph.node("noren::WarpByFlow", {x, flow}, x.shape)};
}

constexpr LayerDefinition kLayers[] = {
    {"AffineGrid", 1, 1, Rows::kIndependent, affine_grid},
    {"WarpByGrid", 2, 2, Rows::kIndependent, warp_by_grid},
    {"WarpByFlow", 2, 2, Rows::kIndependent, warp_by_flow},
};

}  // namespace

LayerFamily geometric_layers() { return kLayers; }

}  // namespace noren::worker
