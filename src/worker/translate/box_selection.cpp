// ONNXNonMaxSuppression: how many boxes are selected depends on the data, so in a network from a file it
// works on parameters only, and its answer is computed here, once.
#include <algorithm>
#include <numeric>

#include "worker/translate/families.h"

namespace noren::worker {
namespace {

struct Range {
  float begin = 0, end = 0;
};

struct Box {
  Range x, y;
};

/// center_point_box 0: any two opposite corners (y, x, y, x); 1: (centre x, centre y, width, height).
Box box_at(const float* numbers, bool by_centre) {
  if (!by_centre) {
    const auto [top, bottom] = std::minmax(numbers[0], numbers[2]);
    const auto [left, right] = std::minmax(numbers[1], numbers[3]);
    return {{left, right}, {top, bottom}};
  }
  return {{numbers[0] - numbers[2] / 2, numbers[0] + numbers[2] / 2},
          {numbers[1] - numbers[3] / 2, numbers[1] + numbers[3] / 2}};
}

float length(const Range& range) { return range.end - range.begin; }

float iou(const Box& a, const Box& b) {
  const float width = std::min(a.x.end, b.x.end) - std::max(a.x.begin, b.x.begin);
  const float height = std::min(a.y.end, b.y.end) - std::max(a.y.begin, b.y.begin);
  if (width <= 0 || height <= 0) return 0;
  const float both = width * height;
  return both / (length(a.x) * length(a.y) + length(b.x) * length(b.y) - both);
}

struct Selection {
  const float* boxes = nullptr;   ///< of one batch entry: (boxes, 4)
  const float* scores = nullptr;  ///< of one class: (boxes)
  std::int64_t boxes_count = 0;
  bool by_centre = false;
  std::int64_t most = 0;
  float iou_threshold = 0, score_threshold = 0;
};

/// The kept boxes of one class, best first.
std::vector<std::int64_t> select(const Selection& selection) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(selection.boxes_count));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t a, std::int64_t b) { return selection.scores[a] > selection.scores[b]; });
  std::vector<std::int64_t> kept;
  for (const std::int64_t index : order) {
    if (static_cast<std::int64_t>(kept.size()) == selection.most) break;
    if (!(selection.scores[index] >= selection.score_threshold)) continue;
    const Box box = box_at(selection.boxes + index * 4, selection.by_centre);
    const bool suppressed = std::any_of(kept.begin(), kept.end(), [&](std::int64_t better) {
      return iou(box_at(selection.boxes + better * 4, selection.by_centre), box) > selection.iou_threshold;
    });
    if (!suppressed) kept.push_back(index);
  }
  return kept;
}

LayerOutputs onnx_non_max_suppression(Layer& layer) {
  ASSIGN_OR_RETURN(const auto boxes, layer.constant_input(0, "boxes"));
  ASSIGN_OR_RETURN(const auto scores, layer.constant_input(1, "scores"));
  const Shape& box_shape = boxes->shape();
  const Shape& score_shape = scores->shape();
  if (box_shape.size() != 3 || box_shape[2] != 4 || score_shape.size() != 3 ||
      score_shape[0] != box_shape[0] || score_shape[2] != box_shape[1])
    return layer.refuse("boxes are " + to_string(box_shape) + ", scores " + to_string(score_shape));
  const Arguments& arguments = layer.arguments();
  std::vector<float> rows;
  for (std::int64_t batch = 0; batch < box_shape[0]; ++batch)
    for (std::int64_t c = 0; c < score_shape[1]; ++c)
      for (const std::int64_t index : select(
               {boxes->data<float>() + batch * box_shape[1] * 4,
                scores->data<float>() + (batch * score_shape[1] + c) * score_shape[2], box_shape[1],
                arguments.integer("center_point_box") != 0, arguments.integer("max_output_boxes_per_class"),
                static_cast<float>(arguments.real("iou_threshold")),
                static_cast<float>(arguments.real("score_threshold"))}))
        for (const std::int64_t number : {batch, c, index}) rows.push_back(static_cast<float>(number));
  const auto count = static_cast<std::int64_t>(rows.size()) / 3;
  return std::vector{layer.graph.floats({count, 3}, std::move(rows))};
}

constexpr LayerDefinition kLayers[] = {
    {"ONNXNonMaxSuppression", 2, 2, Rows::kDependent, onnx_non_max_suppression, Randomness::kNone, nullptr,
     "boxes and scores must be parameters of the file"},
};

}  // namespace

LayerFamily box_selection_layers() { return kLayers; }

}  // namespace noren::worker
