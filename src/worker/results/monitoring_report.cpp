#include "worker/results/monitoring_report.h"

#include <algorithm>
#include <optional>
#include <set>

#include <boost/json.hpp>

#include "base/result_limits.h"
#include "worker/results/values.h"

namespace noren::worker::results {
namespace {

namespace json = boost::json;

constexpr std::size_t kNameBytes = 64;

/// The few forms of YAML that training writes: "12:" begins an epoch, "  cost: 0.5" is one of its values.
class ReportReader {
 public:
  ReportReader(std::string_view file, Warnings& warnings) : file_(file), warnings_(warnings) {}

  void read(std::string_view text) {
    for (line_ = 1; !text.empty(); ++line_) {
      const std::string_view line = take_line(text);
      const std::string_view content = trimmed(line);
      if (content.empty() || content[0] == '#' || content == "---" || content == "{}") continue;
      if (line[0] == ' ' || line[0] == '\t')
        read_value(content);
      else
        read_epoch(content);
    }
  }

  std::vector<Curve> take() {
    // Training counts from 0 in here and from 1 everywhere else. A report that begins with 1 counts from 1.
    const bool from_zero = std::any_of(epochs_.begin(), epochs_.end(), [](auto epoch) { return epoch == 0; });
    for (Curve& curve : curves_) {
      std::stable_sort(curve.points.begin(), curve.points.end(),
                       [](const CurvePoint& a, const CurvePoint& b) { return a.epoch < b.epoch; });
      for (CurvePoint& point : curve.points) point.epoch += from_zero ? 1 : 0;
    }
    return std::move(curves_);
  }

 private:
  void read_epoch(std::string_view content) {
    epoch_.reset();
    const auto number =
        content.ends_with(':') ? parse_count(trimmed(content.substr(0, content.size() - 1))) : std::nullopt;
    if (!number || *number > limits::kCurveEpochsCount) {
      warnings_.add_at(file_, line_, "this is no epoch's number");
    } else if (static_cast<std::int64_t>(epochs_.size()) >= limits::kCurveEpochsCount) {
      warnings_.add_at(file_, line_,
                       "there are more than " + std::to_string(limits::kCurveEpochsCount) + " epochs");
    } else if (!epochs_.insert(*number).second) {
      warnings_.add_at(file_, line_, "epoch " + std::to_string(*number) + " is there twice");
    } else {
      epoch_ = number;
    }
  }

  void read_value(std::string_view content) {
    const std::size_t colon = content.rfind(": ");
    const std::string_view name = trimmed(content.substr(0, std::min(colon, content.size())));
    const auto value =
        colon == std::string_view::npos ? std::nullopt : parse_number(trimmed(content.substr(colon + 2)));
    if (!value || name.empty() || name.size() > kNameBytes)
      return warnings_.add_at(file_, line_, "this is no 'name: number'");
    if (!epoch_) return;  // said already, of the epoch's own line
    Curve* curve = curve_named(clean_text(name, kNameBytes));
    if (curve == nullptr)
      return warnings_.add_at(file_, line_,
                              "there are more than " + std::to_string(limits::kCurveSeriesCount) + " curves");
    if (!curve->points.empty() && curve->points.back().epoch == *epoch_)
      return warnings_.add_at(file_, line_, "the epoch has this value twice");
    curve->points.push_back({*epoch_, *value});
  }

  Curve* curve_named(const std::string& name) {
    const auto found =
        std::find_if(curves_.begin(), curves_.end(), [&](const Curve& curve) { return curve.name == name; });
    if (found != curves_.end()) return &*found;
    if (curves_.size() >= limits::kCurveSeriesCount) return nullptr;
    curves_.push_back({name, {}});
    return &curves_.back();
  }

  std::string_view file_;
  Warnings& warnings_;
  std::size_t line_ = 0;
  std::set<std::int64_t> epochs_;
  std::optional<std::int64_t> epoch_;
  std::vector<Curve> curves_;
};

}  // namespace

std::vector<Curve> read_monitoring_report(std::string_view text, std::string_view file, Warnings& warnings) {
  ReportReader reader(file, warnings);
  reader.read(without_byte_order_mark(text));
  return reader.take();
}

json::object curves_json(const std::vector<Curve>& curves) {
  json::array series;
  for (const Curve& curve : curves) {
    json::array epochs, values;
    for (const CurvePoint& point : curve.points) {
      epochs.push_back(point.epoch);
      values.push_back(number_json(point.value));
    }
    series.push_back({{"name", curve.name}, {"epochs", std::move(epochs)}, {"values", std::move(values)}});
  }
  return {{"series", std::move(series)}};
}

}  // namespace noren::worker::results
