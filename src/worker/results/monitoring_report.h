// monitoring_report.yml: the learning curve that training wrote, epoch by epoch. Private to this folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "worker/results/warnings.h"

namespace noren::worker::results {

struct CurvePoint {
  std::int64_t epoch = 0;  ///< from 1, as log.txt and best_epoch count
  double value = 0;
};
struct Curve {
  std::string name;  ///< "cost", "train_error", "valid_error"
  std::vector<CurvePoint> points;
};

/// The curves in the order in which they first appear, their points by epoch. A line that is none of a
/// report is left out with a warning.
std::vector<Curve> read_monitoring_report(std::string_view text, std::string_view file, Warnings& warnings);

/// {"series": [{"name", "epochs": […], "values": […]}]}
boost::json::object curves_json(const std::vector<Curve>& curves);

}  // namespace noren::worker::results
