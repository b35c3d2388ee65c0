// worker/model_file/statistics.h - Network statistics as the console shows them: scalars and operations of a
// forward pass, for each function and for the network. Called by import once the shapes of all variables are
// known. Pure; one thread; knows no file format.
#pragma once

#include <cstdint>
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

/// One row: a layer of the design with its loops' turns counted in, or an input, or a parameter that stands
/// alone.
struct FunctionCost {
  std::string function;
  std::string type;
  Cost cost;
};

struct Statistics {
  Cost total;  ///< added in float32, as the console does
  std::vector<FunctionCost> functions;
};

/// The shape of a variable with batch 1 as inferred; nullptr where it is unknown. Asked only where the design
/// declares no usable shape.
using ShapeLookup = std::function<const Shape*(std::string_view variable)>;

/// The console counts the network as it was drawn, training layers included.
Statistics network_statistics(const Executor& executor, const ShapeLookup& shape_of);

/// Of several executors: the sum, added as the console adds (float32).
Cost sum_of(const std::vector<Cost>& costs);

/// A count as a whole number: the next one that there is for what none can hold.
std::int64_t whole_count(double count);

/// Scalars of the parameters that the executor really uses, counted at each function that uses them. A design
/// can say less; who decides by size takes the larger one.
double used_parameter_scalars(const Executor& executor);

}  // namespace noren::worker
