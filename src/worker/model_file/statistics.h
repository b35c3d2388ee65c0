// worker/model_file/statistics.h - Network statistics as the console shows them: scalars and operations of a forward
// pass, for each function and for the network. Called by import once the shapes of all variables are known.
// Pure; one thread; knows no file format.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/model_file/network.h"

namespace noren::worker {

/// The official names, in the official order, without their "Cost".
struct Cost {
  double output = 0;
  double parameter = 0;
  double add = 0;
  double multiply = 0;
  double multiply_add = 0;
  double division = 0;
  double exp = 0;
  double branch = 0;  ///< CostIf
};

struct FunctionCost {
  std::string function;
  std::string type;
  Cost cost;
};

struct Statistics {
  Cost total;
  std::vector<FunctionCost> functions;
};

/// The shape of a variable with batch 1 as inferred; nullptr where it is unknown (then the declared one is used).
using ShapeLookup = std::function<const Shape*(std::string_view variable)>;

Statistics network_statistics(const Network& network, const ShapeLookup& shape_of);

/// Of several executors: the sum, added as the tool adds (float32).
Cost sum_of(const std::vector<Cost>& costs);

}  // namespace noren::worker
