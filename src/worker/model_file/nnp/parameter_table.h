// worker/model_file/nnp/parameter_table.h - Parameters while a file is read: which are wanted, which are
// there. Used by the readers of parameter.protobuf and parameter.h5. Private to this folder.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "worker/model_file/network.h"

namespace noren::worker::nnp {

class ParameterTable {
 public:
  /// Values of other parameters are checked and counted, not kept.
  explicit ParameterTable(std::set<std::string, std::less<>> wanted) : wanted_(std::move(wanted)) {}

  bool wants(std::string_view name) const { return wanted_.contains(name); }

  /// Checks a shape against the limits; `owner` is for the message. Gives the number of values.
  static Result<std::int64_t> count_of(const Shape& shape, const std::string& owner);

  /// Adds what the file holds under `name`; null values where it is not wanted. A later file wins over an
  /// earlier one, as in the reference; twice in one file is refused by the readers.
  Status add(const std::string& name, Shape shape, std::shared_ptr<const std::vector<float>> values);

  std::map<std::string, Parameter, std::less<>> take() { return std::move(parameters_); }
  std::size_t stored_count() const { return parameters_.size(); }
  std::int64_t stored_scalars_count() const { return stored_scalars_count_; }

 private:
  std::set<std::string, std::less<>> wanted_;
  std::map<std::string, Parameter, std::less<>> parameters_;
  std::int64_t stored_scalars_count_ = 0;
  std::uint64_t kept_bytes_ = 0;
};

}  // namespace noren::worker::nnp
