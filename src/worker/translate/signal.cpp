// STFT and ISTFT as convolutions with windowed Fourier coefficients, as the reference computes them.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "worker/translate/families.h"

namespace noren::worker {
namespace {

constexpr std::int64_t kFftSizeCount = 1 << 14;
constexpr double kLeastWindow = 1e-11;  // below it the overlapping windows can't be undone

struct Transform {
  std::int64_t window_size = 0, stride = 0, fft_size = 0;
  std::string window_type, pad_mode;
  bool center = false;
  std::int64_t half() const { return fft_size / 2; }
  std::int64_t bins() const { return fft_size / 2 + 1; }
};

Result<Transform> transform_of(const Layer& layer) {
  const Arguments& arguments = layer.arguments();
  Transform t{arguments.integer("window_size"), arguments.integer("stride"), arguments.integer("fft_size"),
              arguments.text("window_type"),    arguments.text("pad_mode"),  arguments.boolean("center")};
  if (t.window_type != "hanning" && t.window_type != "hamming" && t.window_type != "rectangular")
    return layer.refuse("window_type '" + t.window_type + "' is not hanning, hamming or rectangular");
  if (t.window_size < 1 || t.stride < 1 || t.fft_size < t.window_size)
    return layer.refuse("window_size and stride must be positive, fft_size at least window_size");
  if (t.fft_size > kFftSizeCount)
    return layer.refuse("fft_size is larger than " + std::to_string(kFftSizeCount));
  return t;
}

/// The window in the middle of fft_size numbers; periodic, as the reference has it.
std::vector<float> window_of(const Transform& t) {
  std::vector<float> window(static_cast<std::size_t>(t.fft_size), 0.0F);
  const std::int64_t left = (t.fft_size - t.window_size) / 2;
  for (std::int64_t i = 0; i < t.window_size; ++i) {
    const double turn =
        std::cos(2.0 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(t.window_size));
    const double value = t.window_type == "hanning"   ? 0.5 - 0.5 * turn
                         : t.window_type == "hamming" ? 0.54 - 0.46 * turn
                                                      : 1.0;
    window[static_cast<std::size_t>(left + i)] = static_cast<float>(value);
  }
  return window;
}

enum class Coefficients { kForward, kInverse };

struct Weights {
  Value real, imaginary;  ///< (bins, 1, fft_size)
};

/// cos and -sin of 2 pi w t / n, windowed; the inverse transform weighs inner bins twice and divides by n.
Weights weights_of(GraphBuilder& graph, const Transform& t, Coefficients coefficients) {
  const std::vector<float> window = window_of(t);
  std::vector<float> real, imaginary;
  for (std::int64_t bin = 0; bin < t.bins(); ++bin) {
    const double scale = coefficients == Coefficients::kForward
                             ? 1.0
                             : (bin == 0 || bin == t.half() ? 1.0 : 2.0) / static_cast<double>(t.fft_size);
    for (std::int64_t time = 0; time < t.fft_size; ++time) {
      const double angle = 2.0 * std::numbers::pi * static_cast<double>(bin * time % t.fft_size) /
                           static_cast<double>(t.fft_size);
      const float gain = window[static_cast<std::size_t>(time)];
      real.push_back(static_cast<float>(scale * std::cos(angle)) * gain);
      imaginary.push_back(static_cast<float>(-scale * std::sin(angle)) * gain);
    }
  }
  const Shape shape = {t.bins(), 1, t.fft_size};
  return {graph.floats(shape, std::move(real)), graph.floats(shape, std::move(imaginary))};
}

/// Sums of the squared windows that overlap at each of `length` places.
std::vector<float> window_sums(const Transform& t, std::int64_t length) {
  const std::vector<float> window = window_of(t);
  std::vector<float> sums(static_cast<std::size_t>(length), 0.0F);
  for (std::int64_t start = 0; start + t.fft_size <= length; start += t.stride)
    for (std::int64_t i = 0; i < t.fft_size; ++i) {
      const float value = window[static_cast<std::size_t>(i)];
      sums[static_cast<std::size_t>(start + i)] += value * value;
    }
  return sums;
}

/// Divides by the window sums; with centred windows the padded ends are left alone.
Result<Value> undo_windows(const Layer& layer, const Transform& t, const Value& x, bool refuse_gaps) {
  const std::int64_t length = x.shape.back();
  std::vector<float> gains = window_sums(t, length);
  const std::int64_t margin = t.center ? t.half() : 0;
  for (std::int64_t i = 0; i < length; ++i) {
    float& gain = gains[static_cast<std::size_t>(i)];
    const bool inner = i >= margin && i < length - margin;
    if (inner && refuse_gaps && gain < kLeastWindow)
      return layer.refuse("its windows leave gaps: the signal can't be put together again");
    gain = inner ? 1.0F / gain : 1.0F;
  }
  return layer.graph.multiply(x, layer.graph.floats({length}, std::move(gains)));
}

/// The source position of each padded one; `reflect` bounces as often as it must.
std::vector<std::int64_t> padded_positions(std::int64_t length, std::int64_t pad, bool reflect) {
  std::vector<std::int64_t> positions;
  for (std::int64_t i = -pad; i < length + pad; ++i) {
    const std::int64_t period = 2 * (length - 1);
    const std::int64_t folded = period == 0 ? 0 : ((i % period) + period) % period;
    positions.push_back(reflect ? std::min(folded, period - folded)
                                : std::clamp<std::int64_t>(i, 0, length - 1));
  }
  return positions;
}

Result<Value> pad_ends(const Layer& layer, const Transform& t, const Value& x) {
  GraphBuilder& graph = layer.graph;
  const std::int64_t length = x.shape[1], padded = length + 2 * t.half();
  if (t.pad_mode == "constant")
    return graph.node("Pad", {x, graph.integers({0, t.half(), 0, t.half()})}, {x.shape[0], padded},
                      {{"mode", "constant"}});
  if (t.pad_mode != "reflect" && t.pad_mode != "replicate")
    return layer.refuse("pad_mode '" + t.pad_mode + "' is not constant, reflect or replicate");
  const Value positions = graph.integers(padded_positions(length, t.half(), t.pad_mode == "reflect"));
  return graph.node("Gather", {x, positions}, {x.shape[0], padded}, {{"axis", 1}});
}

/// x (batch, time) → real and imaginary part (batch, bins, frames).
LayerOutputs stft(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  ASSIGN_OR_RETURN(const Transform t, transform_of(layer));
  const bool undoes_istft = layer.arguments().boolean("as_istft_backward");
  if (undoes_istft && t.pad_mode != "constant")
    return layer.refuse("as_istft_backward needs pad_mode constant");
  Value x = layer.input(0);
  if (x.rank() != 2) return layer.refuse("the input must be (batch, time), it is " + to_string(x.shape));
  if (t.center) {
    ASSIGN_OR_RETURN(x, pad_ends(layer, t, x));
  }
  if (undoes_istft) {
    ASSIGN_OR_RETURN(x, undo_windows(layer, t, x, false));
  }
  // The reference's division cuts towards zero: a signal that lacks less than a stride gives one frame.
  const std::int64_t frames = (x.shape[1] - t.fft_size) / t.stride + 1;
  if (frames < 1) return layer.refuse("the signal is shorter than fft_size");
  if (const std::int64_t missing = t.fft_size - x.shape[1]; missing > 0)
    x = graph.node("Pad", {x, graph.integers({0, 0, 0, missing})}, {x.shape[0], t.fft_size},
                   {{"mode", "constant"}});
  const std::int64_t length = x.shape[1];
  const Weights weights =
      weights_of(graph, t, undoes_istft ? Coefficients::kInverse : Coefficients::kForward);
  const Value signal = graph.reshape(x, {x.shape[0], 1, length});
  const Shape shape = {x.shape[0], t.bins(), frames};
  const Attributes attributes = {{"strides", std::vector<std::int64_t>{t.stride}}};
  return std::vector{graph.node("Conv", {signal, weights.real}, shape, attributes),
                     graph.node("Conv", {signal, weights.imaginary}, shape, attributes)};
}

/// What lies in the padding is added to where it came from: the gradient of padding.
Value fold_ends(GraphBuilder& graph, const Transform& t, const Value& x, std::int64_t length) {
  const std::vector<std::int64_t> positions = padded_positions(length, t.half(), t.pad_mode == "reflect");
  Tensor matrix(ElementType::kFloat32, {static_cast<std::int64_t>(positions.size()), length});
  for (std::size_t i = 0; i < positions.size(); ++i)
    matrix.data<float>()[static_cast<std::int64_t>(i) * length + positions[i]] = 1.0F;
  return graph.node("MatMul", {x, graph.constant(std::move(matrix))}, {x.shape[0], length});
}

/// Real and imaginary part (batch, bins, frames) → x (batch, time).
LayerOutputs istft(Layer& layer) {
  GraphBuilder& graph = layer.graph;
  ASSIGN_OR_RETURN(const Transform t, transform_of(layer));
  const bool undoes_stft = layer.arguments().boolean("as_stft_backward");
  const Value& real = layer.input(0);
  const Value& imaginary = layer.input(1);
  if (real.rank() != 3 || real.shape != imaginary.shape || real.shape[1] != t.bins())
    return layer.refuse("its inputs must be (batch, " + std::to_string(t.bins()) + ", frames)");
  if (t.fft_size % t.stride != 0) return layer.refuse("fft_size must be a multiple of stride");
  if (!undoes_stft && t.pad_mode != "constant") return layer.refuse("pad_mode must be constant");
  const Weights weights = weights_of(graph, t, undoes_stft ? Coefficients::kForward : Coefficients::kInverse);
  const std::int64_t frames = real.shape[2], length = (frames - 1) * t.stride + t.fft_size;
  const Attributes attributes = {{"strides", std::vector<std::int64_t>{t.stride}}};
  const Shape shape = {real.shape[0], 1, length};
  const Value sum = graph.add(graph.node("ConvTranspose", {real, weights.real}, shape, attributes),
                              graph.node("ConvTranspose", {imaginary, weights.imaginary}, shape, attributes));
  Value x = graph.reshape(sum, {real.shape[0], length});
  const std::int64_t inner = length - 2 * t.half();
  if (t.center && inner < 1) return layer.refuse("there are too few frames");
  if (undoes_stft && t.center && t.pad_mode != "constant") {
    const auto cells = checked_element_count({length, inner});
    if (!cells.ok()) return layer.refuse("the signal is too long for as_stft_backward");
    return std::vector{fold_ends(graph, t, x, inner)};
  }
  if (!undoes_stft) {
    ASSIGN_OR_RETURN(x, undo_windows(layer, t, x, true));
  }
  if (t.center) x = graph.slice(x, {t.half()}, {length - t.half()}, {1}, {1});
  return std::vector{x};
}

constexpr LayerDefinition kLayers[] = {
    {"STFT", 1, 1, Rows::kIndependent, stft},
    {"ISTFT", 2, 2, Rows::kIndependent, istft},
};

}  // namespace

LayerFamily signal_layers() { return kLayers; }

}  // namespace noren::worker
