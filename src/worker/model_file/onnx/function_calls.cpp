#include "worker/model_file/onnx/function_calls.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "worker/model_file/text.h"

namespace noren::worker {
namespace {

using Name = std::pair<std::string_view, std::string_view>;  // domain, function

constexpr auto kNodesCount = static_cast<std::int64_t>(limits::kFunctionsCount);

class FunctionCalls {
 public:
  explicit FunctionCalls(const onnx::ModelProto& model) {
    // Overloads share a name: each is looked at, the largest counts.
    for (const auto& function : model.functions()) functions_[name_of(function)].bodies.push_back(&function);
  }

  Status check(const onnx::ModelProto& model) {
    if (functions_.empty()) return Ok{};
    std::int64_t count = 0;
    TRY(add(model.graph().node(), 0, count));
    for (auto& [name, function] : functions_) TRY(unfold(name, function, 0));
    return Ok{};
  }

 private:
  struct Unfolded {
    std::vector<const onnx::FunctionProto*> bodies;
    enum class State : std::uint8_t { kNew, kOpen, kDone } state = State::kNew;
    std::int64_t nodes_count = 0;
  };

  static Name name_of(const onnx::FunctionProto& function) {
    return {standard_domain(function.domain()), function.name()};
  }
  static std::string_view standard_domain(const std::string& domain) {
    return domain == "ai.onnx" ? std::string_view() : std::string_view(domain);
  }

  Status unfold(const Name& name, Unfolded& function, std::size_t depth) {
    const auto wrong = [&](const std::string& what) {
      return invalid("function " + quoted_name(name.second) + " " + what);
    };
    if (function.state == Unfolded::State::kDone) return Ok{};
    if (function.state == Unfolded::State::kOpen) return wrong("calls itself, at once or by way of others");
    if (depth > limits::kFunctionCallsDepth)
      return wrong("is called more than " + std::to_string(limits::kFunctionCallsDepth) + " functions deep");
    function.state = Unfolded::State::kOpen;
    for (const onnx::FunctionProto* body : function.bodies) {
      std::int64_t count = 0;
      TRY(add(body->node(), depth + 1, count));
      function.nodes_count = std::max(function.nodes_count, count);
    }
    function.state = Unfolded::State::kDone;
    return Ok{};
  }

  /// Adds what these nodes unfold to, subgraphs included (protobuf bounds how deep they are nested).
  template <typename Nodes>
  Status add(const Nodes& nodes, std::size_t depth, std::int64_t& count) {
    for (const onnx::NodeProto& node : nodes) {
      ++count;
      const auto called = functions_.find({standard_domain(node.domain()), node.op_type()});
      if (called != functions_.end()) {
        TRY(unfold(called->first, called->second, depth));
        count += called->second.nodes_count;
      }
      if (count > kNodesCount)
        return make_error(Code::kTooLarge, "the model's functions unfold to more than " +
                                               std::to_string(kNodesCount) + " nodes");
      for (const auto& attribute : node.attribute()) {
        if (attribute.has_g()) TRY(add(attribute.g().node(), depth, count));
        for (const auto& graph : attribute.graphs()) TRY(add(graph.node(), depth, count));
      }
    }
    return Ok{};
  }

  std::map<Name, Unfolded> functions_;
};

}  // namespace

Status check_function_calls(const onnx::ModelProto& model) { return FunctionCalls(model).check(model); }

}  // namespace noren::worker
