// worker/engine/operators/operator.h - Operators of ours, for what standard ONNX can't express exactly.
// A kernel is made once a session (from its node's attributes) and computes on the worker's one thread; it
// keeps no state from one request to the next, except a random generator. It trusts no shape: what it gets is
// checked before it is used. The translator names them "noren::NAME". Adding one: a class with compute(), and
// a row in a family's table.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "worker/tensor/tensor.h"

namespace noren::worker {

/// The node's attributes. A missing one gives the fallback.
class OperatorAttributes {
 public:
  virtual ~OperatorAttributes() = default;
  virtual std::int64_t integer(const char* name, std::int64_t fallback) const = 0;
  virtual float real(const char* name, float fallback) const = 0;
  virtual std::vector<std::int64_t> integers(const char* name) const = 0;
  virtual std::vector<float> reals(const char* name) const = 0;
  virtual std::string text(const char* name, const char* fallback) const = 0;
};

/// A view of an input. float32 unless the operator says otherwise.
struct OperatorInput {
  ElementType type = ElementType::kFloat32;
  Shape shape;
  const void* data = nullptr;
  std::int64_t count = 0;
  const float* floats() const { return static_cast<const float*>(data); }
  const std::int64_t* integers() const { return static_cast<const std::int64_t*>(data); }
};

class OperatorContext {
 public:
  virtual ~OperatorContext() = default;
  virtual std::size_t input_count() const = 0;
  virtual std::size_t output_count() const = 0;
  virtual OperatorInput input(std::size_t index) const = 0;
  /// Memory for an output of this shape (float32).
  virtual float* output(std::size_t index, const Shape& shape) = 0;
  virtual std::int64_t* integer_output(std::size_t index, const Shape& shape) = 0;
};

/// Thrown by a kernel where its inputs can't be computed on; the run fails with this text (the caller's
/// data).
class OperatorFailure : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Operator {
 public:
  virtual ~Operator() = default;
  virtual void compute(OperatorContext& context) = 0;
};

struct OperatorDefinition {
  const char* name;
  std::unique_ptr<Operator> (*make)(const OperatorAttributes& attributes);
};

template <typename T>
std::unique_ptr<Operator> make_operator(const OperatorAttributes& attributes) {
  return std::make_unique<T>(attributes);
}

/// Says that another request begins: what is drawn once a request (a generator variable) is drawn anew.
void begin_request();

/// All operators, for registration. One table a family, listed in operators.cpp.
std::vector<OperatorDefinition> all_operators();

}  // namespace noren::worker
