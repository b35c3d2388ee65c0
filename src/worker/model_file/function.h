// worker/model_file/function.h - One function (layer) of a network: name, type, inputs, outputs, arguments.
// Made by read_nnp(), read by translate/ and by statistics. Plain data, any thread; never changed after it is
// read. Knows no file format.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "worker/tensor/tensor.h"

namespace noren::worker {

/// The value of one argument. Floats of the file are doubles here that hold the float32 exactly.
using Argument = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>,
                              std::vector<double>, std::vector<std::string>>;

/// The arguments of a function by the field names of the format ("base_axis", "pad"). All fields that the
/// function's message defines are there; what the file leaves out is 0, false, "" or empty, as in the
/// reference. Asking for a name that the message does not define, or with the wrong type, is a programmer
/// error (CHECK).
class Arguments {
 public:
  bool boolean(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double real(std::string_view name) const;
  const std::string& text(std::string_view name) const;
  /// Lists: repeated fields, and the dimensions of a field of type Shape.
  const std::vector<std::int64_t>& integers(std::string_view name) const;
  const std::vector<double>& reals(std::string_view name) const;
  /// The same as integers(): for fields that are a Shape. A first -1 of an argument named "shape" is 1
  /// already.
  const Shape& shape(std::string_view name) const { return integers(name); }
  /// True for a list that is not empty. The name must be defined.
  bool has(std::string_view name) const;
  /// True where the message defines the name at all.
  bool defines(std::string_view name) const;
  /// True where the first number of the argument "shape" stands for the batch (the file said -1, or the batch
  /// size).
  bool shape_has_batch() const { return shape_has_batch_; }

  /// For the reader and for tests: adds or replaces.
  Arguments& set(std::string_view name, Argument value);
  void mark_shape_as_batch() { shape_has_batch_ = true; }
  /// The argument, or nullptr where the message does not define the name.
  const Argument* find(std::string_view name) const;

 private:
  using Values = std::map<std::string, Argument, std::less<>>;
  std::shared_ptr<Values> values_;  ///< shared by all copies: a loop's turns hold one
  bool shape_has_batch_ = false;
};

struct Function {
  std::string name;  ///< unique in the network after its loops are expanded ("Affine_RepeatStart[1]")
  /// "Affine"; RecurrentInput is Split, RecurrentOutput is Stack; never a RepeatStart or Delay.
  std::string type;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  Arguments arguments;
};

}  // namespace noren::worker
