// worker/model_file/network.h - What an .nnp file says, in our own plain types: no protobuf, no zip, no HDF5.
// Made by read_nnp(), consumed by translate/ and by statistics. Plain data, any thread; never changed after
// it is read. Everything in it was checked: names are unique and defined, functions stand in topological
// order, loops are expanded, shapes hold no -1 and fit the limits, every parameter that is used is there with
// the declared shape.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "worker/model_file/design.h"
#include "worker/model_file/function.h"
#include "worker/tensor/tensor.h"

namespace noren::worker {

enum class VariableKind : std::uint8_t { kBuffer, kParameter };

struct Variable {
  VariableKind kind = VariableKind::kBuffer;
  /// As declared, with the batch as 1. Only those of inputs and parameters bind; others are what a tool wrote
  /// once.
  Shape shape;
  /// Axis 0 of `shape` is the batch.
  bool has_batch_axis = false;
};

/// One network as one executor sees it: expanded, with batch 1, and only what its outputs need.
struct Network {
  std::string name;
  std::int64_t batch_size = 0;  ///< as the file says; 0 where it does not
  std::map<std::string, Variable, std::less<>> variables;
  std::vector<Function> functions;  ///< topological order
};

/// Learned values. Shared, never copied; only those that some executor needs are loaded.
struct Parameter {
  Shape shape;
  std::shared_ptr<const std::vector<float>> values;
};

/// A variable that the executor fills by itself for each evaluation: "Normal" (sigma = multiplier), "Uniform"
/// (-multiplier to multiplier), "Range" (0, multiplier, 2 * multiplier …), "Constant". Variables that nothing
/// writes and that declare an initializer of one of these types are here too.
struct Generator {
  std::string variable;
  std::string type;
  double multiplier = 0;
};

struct DataVariable {
  std::string variable;
  std::string data_name;  ///< the variable's name where the file gives none
  Shape shape;            ///< with the batch as 1
  /// Axis 0 is the batch (and not a part of the sample). False also for a fixed first dimension of 1.
  bool has_batch_axis = false;
};

struct OutputVariable {
  std::string variable;   ///< as the executor calls it
  std::string data_name;  ///< as the file says: empty where it gives none, as in the reference
  std::string source;     ///< the variable of the expanded network that holds the value (loops rename)
};

/// How several evaluations become one answer ("mean" for everything else).
enum class RepeatEvaluation : std::uint8_t { kMean, kLast, kStandardDeviation };

struct Executor {
  std::string name;
  Network network;
  /// What the network was derived from: 'Main' for 'MainRuntime' where the file has it, else the network
  /// itself.
  std::shared_ptr<const Design> design;
  std::vector<DataVariable> inputs;  ///< in the file's order, also those that no output needs
  std::vector<OutputVariable> outputs;
  std::vector<Generator> generators;  ///< only those that an output needs
  std::vector<std::string> losses;
  std::int64_t evaluations_count = 1;
  RepeatEvaluation repeat_evaluation = RepeatEvaluation::kMean;
  bool need_back_propagation = false;
  /// Pictures keep 0..255: this executor, another one, or a dataset of the file says so.
  bool no_image_normalization = false;
};

/// A network of the file as it stands there, for descriptions.
struct NetworkOutline {
  std::string name;
  std::int64_t batch_size = 0;
  std::size_t functions_count = 0;
  std::size_t variables_count = 0;
};

struct ModelFile {
  std::vector<NetworkOutline> networks;
  std::vector<Executor> executors;  ///< at least one, names unique
  /// By (expanded) name; values loaded only where an executor's network uses them.
  std::map<std::string, Parameter, std::less<>> parameters;
  std::size_t stored_parameters_count = 0;  ///< all parameters of the file
  std::int64_t stored_scalars_count = 0;    ///< and their values
  std::vector<std::string> warnings;        ///< sentences: what was ignored and why
};

}  // namespace noren::worker
