#include "worker/engine/onnxruntime/environment.h"

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "worker/engine/operators/operator.h"

namespace noren::worker {
namespace {

Shape shape_of(const Ort::ConstValue& value) { return value.GetTensorTypeAndShapeInfo().GetShape(); }

ElementType operator_element_type(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT: return ElementType::kFloat32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64: return ElementType::kInt64;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL: return ElementType::kBool;
    default: throw OperatorFailure("an operator got a tensor of an unexpected type");
  }
}

class KernelAttributes final : public OperatorAttributes {
 public:
  explicit KernelAttributes(const OrtKernelInfo* info) : info_(info) {}
  std::int64_t integer(const char* name, std::int64_t fallback) const override {
    return get<std::int64_t>(name, fallback);
  }
  float real(const char* name, float fallback) const override { return get<float>(name, fallback); }
  std::vector<std::int64_t> integers(const char* name) const override { return list<std::int64_t>(name); }
  std::vector<float> reals(const char* name) const override { return list<float>(name); }
  std::string text(const char* name, const char* fallback) const override {
    return get<std::string>(name, std::string(fallback));
  }

 private:
  // A missing attribute is an exception in ONNX Runtime's interface; here it is the fallback.
  template <typename T>
  T get(const char* name, T fallback) const {
    try {
      return info_.GetAttribute<T>(name);
    } catch (const Ort::Exception&) {
      return fallback;
    }
  }
  template <typename T>
  std::vector<T> list(const char* name) const {
    try {
      return info_.GetAttributes<T>(name);
    } catch (const Ort::Exception&) {
      return {};
    }
  }
  Ort::ConstKernelInfo info_;
};

class KernelContext final : public OperatorContext {
 public:
  explicit KernelContext(OrtKernelContext* context) : context_(context) {}
  std::size_t input_count() const override { return context_.GetInputCount(); }
  std::size_t output_count() const override { return context_.GetOutputCount(); }
  OperatorInput input(std::size_t index) const override {
    const Ort::ConstValue value = context_.GetInput(index);
    OperatorInput view;
    view.shape = shape_of(value);
    view.type = operator_element_type(value.GetTensorTypeAndShapeInfo().GetElementType());
    view.count = element_count(view.shape);
    view.data = value.GetTensorRawData();
    return view;
  }
  float* output(std::size_t index, const Shape& shape) override {
    return checked(index, shape).GetTensorMutableData<float>();
  }
  std::int64_t* integer_output(std::size_t index, const Shape& shape) override {
    return checked(index, shape).GetTensorMutableData<std::int64_t>();
  }

 private:
  Ort::UnownedValue checked(std::size_t index, const Shape& shape) {
    const auto count = checked_element_count(shape);
    if (!count.ok()) throw OperatorFailure(count.error().text);
    return context_.GetOutput(index, shape.data(), shape.size());
  }
  mutable Ort::KernelContext context_;
};

/// One of our operators as ONNX Runtime's C interface wants it: any number of inputs and outputs of any type.
struct Registration : OrtCustomOp {
  explicit Registration(const OperatorDefinition& operator_definition)
      : OrtCustomOp{}, definition(operator_definition) {
    version = ORT_API_VERSION;
    CreateKernelV2 = &Registration::create;
    KernelComputeV2 = &Registration::compute;
    KernelDestroy = [](void* kernel) { delete static_cast<Operator*>(kernel); };
    GetName = [](const OrtCustomOp* op) { return static_cast<const Registration*>(op)->definition.name; };
    GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return "CPUExecutionProvider"; };
    GetInputTypeCount = [](const OrtCustomOp*) -> std::size_t { return 1; };
    GetOutputTypeCount = [](const OrtCustomOp*) -> std::size_t { return 1; };
    GetInputType = [](const OrtCustomOp*, std::size_t) { return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED; };
    GetOutputType = [](const OrtCustomOp*, std::size_t) { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; };
    GetInputCharacteristic = [](const OrtCustomOp*, std::size_t) { return INPUT_OUTPUT_VARIADIC; };
    GetOutputCharacteristic = [](const OrtCustomOp*, std::size_t) { return INPUT_OUTPUT_VARIADIC; };
    GetInputMemoryType = [](const OrtCustomOp*, std::size_t) { return OrtMemTypeDefault; };
    GetVariadicInputMinArity = [](const OrtCustomOp*) { return 0; };
    GetVariadicInputHomogeneity = [](const OrtCustomOp*) { return 0; };
    GetVariadicOutputMinArity = [](const OrtCustomOp*) { return 1; };
    GetVariadicOutputHomogeneity = [](const OrtCustomOp*) { return 1; };
    GetStartVersion = [](const OrtCustomOp*) { return 1; };
    GetEndVersion = [](const OrtCustomOp*) { return 1; };
  }

  static OrtStatusPtr create(const OrtCustomOp* op, const OrtApi*, const OrtKernelInfo* info, void** kernel) {
    try {
      const KernelAttributes attributes(info);
      *kernel = static_cast<const Registration*>(op)->definition.make(attributes).release();
      return nullptr;
    } catch (const std::exception& error) {
      return Ort::Status(error.what(), ORT_INVALID_GRAPH).release();
    }
  }
  static OrtStatusPtr compute(void* kernel, OrtKernelContext* context) {
    try {
      KernelContext wrapped(context);
      static_cast<Operator*>(kernel)->compute(wrapped);
      return nullptr;
    } catch (const std::exception& error) {
      return Ort::Status(error.what(), ORT_INVALID_ARGUMENT).release();
    }
  }

  OperatorDefinition definition;
};

}  // namespace

Ort::Env& onnxruntime_environment() {
  static Ort::Env* environment = [] {
    // The official library reports usage unless it is told not to; the variable is read when the environment
    // is made.
    ::setenv("ORT_DISABLE_TELEMETRY", "1", 1);
    auto* made = new Ort::Env(ORT_LOGGING_LEVEL_FATAL, "noren");
    made->DisableTelemetryEvents();
    return made;
  }();
  return *environment;
}

OrtCustomOpDomain* operator_domain() {
  static Ort::CustomOpDomain* domain = [] {
    auto* made = new Ort::CustomOpDomain("noren");
    static std::vector<std::unique_ptr<Registration>> registrations;
    for (const OperatorDefinition& definition : all_operators()) {
      registrations.push_back(std::make_unique<Registration>(definition));
      made->Add(registrations.back().get());
    }
    return made;
  }();
  return *domain;
}

}  // namespace noren::worker
