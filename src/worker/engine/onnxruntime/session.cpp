#include <algorithm>
#include <locale>
#include <stdexcept>

#include "base/check.h"
#include "base/limits.h"
#include "worker/engine/engine.h"
#include "worker/engine/onnxruntime/environment.h"
#include "worker/engine/onnxruntime/messages.h"
#include "worker/engine/onnxruntime/values.h"

namespace noren::worker {
namespace {

GraphPort port_of(std::string name, const Ort::TypeInfo& info) {
  GraphPort port;
  port.name = std::move(name);
  switch (info.GetONNXType()) {
    case ONNX_TYPE_TENSOR: {
      const auto tensor = info.GetTensorTypeAndShapeInfo();
      const auto type = element_type_of(tensor.GetElementType());
      if (type)
        port.type = *type;
      else
        port.container = "tensor of an unsupported element type";
      port.shape = tensor.GetShape();
      break;
    }
    case ONNX_TYPE_SEQUENCE: port.container = "sequence"; break;
    case ONNX_TYPE_MAP: port.container = "map"; break;
    case ONNX_TYPE_OPTIONAL: port.container = "optional"; break;
    default: port.container = "unsupported"; break;
  }
  return port;
}

/// ONNX Runtime has no code for it: a layer that got no memory fails like one that got a wrong input. Its
/// text holds the exception's name, or its own allocator's words.
bool is_out_of_memory(const Ort::Exception& error) {
  const std::string_view text = error.what();
  return text.find("bad_alloc") != std::string_view::npos ||
         text.find("Failed to allocate memory") != std::string_view::npos;
}

Error out_of_memory() {
  return make_error(Code::kExhausted, "the model needs more memory than its limit allows");
}

class OnnxRuntimeSession final : public Session {
 public:
  OnnxRuntimeSession(ByteView model, const Ort::SessionOptions& options)
      : session_(onnxruntime_environment(), model.data(), model.size(), options),
        memory_(Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault)) {
    Ort::AllocatorWithDefaultOptions allocator;
    for (std::size_t i = 0; i < session_.GetInputCount(); ++i)
      inputs_.push_back(
          port_of(session_.GetInputNameAllocated(i, allocator).get(), session_.GetInputTypeInfo(i)));
    for (std::size_t i = 0; i < session_.GetOutputCount(); ++i)
      outputs_.push_back(
          port_of(session_.GetOutputNameAllocated(i, allocator).get(), session_.GetOutputTypeInfo(i)));
    for (const GraphPort& port : inputs_) input_names_.push_back(port.name.c_str());
    for (const GraphPort& port : outputs_) output_names_.push_back(port.name.c_str());
  }

  const std::vector<GraphPort>& inputs() const override { return inputs_; }
  const std::vector<GraphPort>& outputs() const override { return outputs_; }

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    CHECK(inputs.size() == inputs_.size());
    try {
      input_values_.clear();
      for (const Tensor& tensor : inputs) input_values_.push_back(wrap(tensor, memory_));
      std::vector<Ort::Value> outputs =
          session_.Run(run_options_, input_names_.data(), input_values_.data(), input_values_.size(),
                       output_names_.data(), output_names_.size());
      std::vector<Tensor> tensors;
      tensors.reserve(outputs.size());
      for (const Ort::Value& value : outputs) {
        ASSIGN_OR_RETURN(Tensor tensor, unwrap(value));
        tensors.push_back(std::move(tensor));
      }
      return tensors;
    } catch (const Ort::Exception& error) {
      if (is_out_of_memory(error)) return out_of_memory();
      return make_error(Code::kInvalidArgument,
                        "the model could not run on this input: " + run_refusal(error.what()), error.what());
    } catch (const std::bad_alloc&) {
      return out_of_memory();
    }
  }

 private:
  Ort::Session session_;
  Ort::MemoryInfo memory_;
  Ort::RunOptions run_options_;
  std::vector<GraphPort> inputs_, outputs_;
  std::vector<const char*> input_names_, output_names_;
  std::vector<Ort::Value> input_values_;
};

Ort::SessionOptions session_options(const EngineOptions& options) {
  Ort::SessionOptions session;
  session.SetIntraOpNumThreads(options.threads_count);
  session.SetInterOpNumThreads(1);
  session.SetExecutionMode(ORT_SEQUENTIAL);
  session.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  session.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
  // A plan is kept for each combination of shapes, and shapes that callers choose would make it grow for
  // ever.
  if (options.input_shapes == InputShapes::kAny) session.DisableMemPattern();
  session.AddConfigEntry("session.intra_op.allow_spinning", "0");
  session.AddConfigEntry("session.inter_op.allow_spinning", "0");
  session.AddConfigEntry("session.use_device_allocator_for_initializers", "1");
  session.Add(operator_domain());
  if (options.device == Device::kCuda) {
    OrtCUDAProviderOptionsV2* cuda = nullptr;
    Ort::ThrowOnError(Ort::GetApi().CreateCUDAProviderOptions(&cuda));
    const std::unique_ptr<OrtCUDAProviderOptionsV2, void (*)(OrtCUDAProviderOptionsV2*)> owner(
        cuda, Ort::GetApi().ReleaseCUDAProviderOptions);
    if (options.device_memory_limit_bytes > 0) {
      const std::string limit = std::to_string(options.device_memory_limit_bytes);
      const char* keys[] = {"gpu_mem_limit"};
      const char* values[] = {limit.c_str()};
      Ort::ThrowOnError(Ort::GetApi().UpdateCUDAProviderOptions(cuda, keys, values, 1));
    }
    session.AppendExecutionProvider_CUDA_V2(*cuda);
  }
  return session;
}

/// y = Identity(x) on one float, opset 13: a ModelProto written out, so that warming up needs no protobuf
/// here.
constexpr std::uint8_t kIdentityModel[] = {
    0x08, 0x08, 0x3a, 0x2f, 0x0a, 0x10, 0x0a, 0x01, 'x',  0x12, 0x01, 'y',  0x22, 0x08, 'I',
    'd',  'e',  'n',  't',  'i',  't',  'y',  0x12, 0x01, 'g',  0x5a, 0x0b, 0x0a, 0x01, 'x',
    0x12, 0x06, 0x0a, 0x04, 0x08, 0x01, 0x12, 0x00, 0x62, 0x0b, 0x0a, 0x01, 'y',  0x12, 0x06,
    0x0a, 0x04, 0x08, 0x01, 0x12, 0x00, 0x42, 0x04, 0x0a, 0x00, 0x10, 0x0d};

/// A machine without this locale can't run the few operators that need it; opening such a model says so.
void keep_text_locale() {
  try {
    static const std::locale kept(kTextLocale);
  } catch (const std::runtime_error&) {
    return;
  }
}

}  // namespace

Result<std::unique_ptr<Session>> open_session(ByteView onnx_model, const EngineOptions& options) {
  try {
    return std::unique_ptr<Session>(
        std::make_unique<OnnxRuntimeSession>(onnx_model, session_options(options)));
  } catch (const Ort::Exception& error) {
    if (is_out_of_memory(error)) return out_of_memory();
    const bool is_missing = error.GetOrtErrorCode() == ORT_NOT_IMPLEMENTED;
    return make_error(is_missing ? Code::kUnsupported : Code::kInvalidArgument, load_refusal(error.what()),
                      error.what());
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

Status warm_up_engine() {
  keep_text_locale();
  ASSIGN_OR_RETURN(const auto session, open_session(kIdentityModel, EngineOptions{}));
  const Tensor input = Tensor::from_floats({}, {1.0F});
  ASSIGN_OR_RETURN(const auto outputs, session->run(std::span(&input, 1)));
  if (outputs.size() != 1 || outputs[0].data<float>()[0] != 1.0F)
    return internal("ONNX Runtime's first run is wrong");
  return Ok{};
}

}  // namespace noren::worker
