#include "worker/import/text_locale.h"

#include <onnx/onnx_pb.h>

#include <algorithm>

#include "base/check.h"
#include "worker/engine/engine.h"

namespace noren::worker {
namespace {

constexpr char kAttribute[] = "locale";

void set_locale(onnx::NodeProto& node) {
  auto* attributes = node.mutable_attribute();
  const auto found = std::find_if(attributes->begin(), attributes->end(),
                                  [](const onnx::AttributeProto& each) { return each.name() == kAttribute; });
  onnx::AttributeProto& locale = found == attributes->end() ? *attributes->Add() : *found;
  locale.Clear();
  locale.set_name(kAttribute);
  locale.set_type(onnx::AttributeProto::STRING);
  locale.set_s(kTextLocale);
}

template <typename Nodes>
void set_locales(Nodes& nodes) {
  for (onnx::NodeProto& node : nodes) {
    if (node.op_type() == "StringNormalizer") set_locale(node);
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) set_locales(*attribute.mutable_g()->mutable_node());
      for (onnx::GraphProto& graph : *attribute.mutable_graphs()) set_locales(*graph.mutable_node());
    }
  }
}

}  // namespace

Result<Bytes> with_built_in_locale(ByteView onnx_model) {
  onnx::ModelProto model;
  if (!model.ParseFromArray(onnx_model.data(), static_cast<int>(onnx_model.size())))
    return make_error(Code::kCorrupt, "the model is damaged");
  set_locales(*model.mutable_graph()->mutable_node());
  for (onnx::FunctionProto& function : *model.mutable_functions()) set_locales(*function.mutable_node());
  Bytes bytes(model.ByteSizeLong());
  CHECK(model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size())));
  return bytes;
}

}  // namespace noren::worker
