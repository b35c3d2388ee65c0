// worker/model_file/nnp/raw_model.h - The network text as it stands there, before loops, batch and checks.
// Made by network_text, consumed by loops and executors. Private to this folder. Plain data; names were
// checked for length and UTF-8, and counts against the limits, nothing else.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "worker/model_file/network.h"

namespace noren::worker::nnp {

struct RawVariable {
  std::string name;
  bool is_parameter = false;
  std::vector<std::string> repeat_ids;
  Shape shape;
  std::string initializer_type;  ///< empty for none
  double initializer_multiplier = 0;
};

struct RawFunction {
  std::string name;
  std::string type;
  std::vector<std::string> repeat_ids;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  Arguments arguments;
  /// Of the five control functions: the loop they belong to, and what they say of it.
  std::string loop_id;
  std::int64_t loop_times = 0;  ///< RepeatEnd's times, RecurrentOutput's length
  std::int64_t loop_axis = 0;
};

struct RawNetwork {
  std::string name;
  std::int64_t batch_size = 0;
  std::map<std::string, std::int64_t, std::less<>> loop_times;  ///< by the loop's id
  std::vector<RawVariable> variables;
  std::vector<RawFunction> functions;
};

struct RawBinding {
  std::string variable;
  std::string data_name;
};

struct RawExecutor {
  std::string name;
  std::string network;
  std::int64_t evaluations_count = 0;
  std::string repeat_evaluation_type;
  bool need_back_propagation = false;
  bool no_image_normalization = false;
  std::vector<RawBinding> inputs;
  std::vector<RawBinding> outputs;
  std::vector<Generator> generators;
  std::vector<std::string> losses;
};

struct RawModel {
  std::vector<RawNetwork> networks;
  std::vector<RawExecutor> executors;
  /// A dataset of the file says no_image_normalization.
  bool dataset_without_normalization = false;
  /// Parameters that stand in the network text itself (rare).
  std::map<std::string, Parameter, std::less<>> parameters;
};

}  // namespace noren::worker::nnp
