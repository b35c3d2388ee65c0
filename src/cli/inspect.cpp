// noren inspect: what a model file is, without a server.
#include <fmt/format.h>
#include <boost/json.hpp>

#include "cli/session.h"

namespace noren::cli {
namespace {

namespace json = boost::json;

std::string port_text(const json::value& port) {
  const json::object& object = port.as_object();
  const json::value* shape = object.if_contains("shape");
  std::string text = text_of(object, "name") + "  " + text_of(object, "type") + " " +
                     (shape != nullptr ? json::serialize(*shape) : "");
  const std::string variable = text_of(object, "variable");
  if (!variable.empty() && variable != text_of(object, "name")) text += "  (variable " + variable + ")";
  return text;
}

/// How a file becomes this input, and which keys the values of an output that is a map belong to.
void print_port(const char* role, const json::value& port) {
  print(std::string("  ") + role + "  " + port_text(port) + "\n");
  const json::object& object = port.as_object();
  for (const char* const kind : {"picture", "sound"})
    if (const std::string text = text_of(object, kind); !text.empty()) print("            " + text + "\n");
  if (const std::string source = text_of(object, "rule_from"); !source.empty())
    print("            (as said by " + source + ")\n");
  if (const json::array& labels = list_in(object, "labels"); !labels.empty())
    print("            values of " + json::serialize(labels) + "\n");
}

void print_executors(const json::object& model) {
  for (const json::value& value : list_in(model, "executors")) {
    const json::object& executor = value.as_object();
    const std::string network = text_of(executor, "network");
    print("\nExecutor " + text_of(executor, "name") + (network.empty() ? "" : " (network " + network + ")") +
          "\n");
    for (const json::value& port : list_in(executor, "inputs")) print_port("input ", port);
    for (const json::value& port : list_in(executor, "outputs")) print_port("output", port);
    if (const std::string reason = text_of(executor, "not_batchable_reason"); !reason.empty())
      print("  requests run one by one: " + reason + "\n");
  }
}

void print_eligibility(const json::object& model) {
  const json::value* rule = model.if_contains("per_request");
  if (rule == nullptr || !rule->is_object()) return;
  const json::array& reasons = list_in(rule->get_object(), "reasons");
  print(reasons.empty() ? "\nIt can be published per request and as dedicated.\n"
                        : "\nIt can be published as dedicated only:\n");
  for (const json::value& reason : reasons) print("  " + shown(reason) + "\n");
}

void print_layers(const json::object& model) {
  const json::array& layers = list_in(model, "layers");
  if (layers.empty()) return;
  std::vector<std::vector<std::string>> rows;
  for (const json::value& value : layers) {
    std::vector<std::string> head, row;
    for (const auto& member : value.as_object()) {
      head.emplace_back(member.key());
      row.push_back(shown(member.value()));
    }
    if (rows.empty()) rows.push_back(head);
    rows.push_back(row);
  }
  print("\nLayers\n");
  print_table(rows);
}

void print_model(const json::object& model) {
  std::vector<Line> lines = {{"format", text_of(model, "format")}};
  for (const json::value& network : list_in(model, "networks"))
    lines.push_back({"network", text_of(network.as_object(), "name") + ", " +
                                    std::to_string(number_of(network.as_object(), "functions")) +
                                    " functions, batch " +
                                    std::to_string(number_of(network.as_object(), "batch_size"))});
  lines.push_back({"parameters", std::to_string(number_of(model, "parameters"))});
  print_lines(lines);
  print_executors(model);
  for (const auto& [name, title] :
       {std::pair("statistics", "Network statistics"), std::pair("functions", "Functions")}) {
    const json::value* object = model.if_contains(name);
    if (object != nullptr && object->is_object()) print_members(object->get_object(), title);
  }
  print_layers(model);
  print_eligibility(model);
  for (const json::value& warning : list_in(model, "warnings")) print("note: " + shown(warning) + "\n");
}

}  // namespace

Status inspect(const Hooks& hooks, const Common& common, const InspectOptions& options) {
  TRY(check_model_file(options.file));
  const auto layers = options.layers ? InspectRequest::Layers::kList : InspectRequest::Layers::kOmit;
  ASSIGN_OR_RETURN(const std::string description, hooks.inspect({options.file, options.input_rules, layers}));
  json::error_code broken;
  const json::value model = json::parse(description, broken);
  if (broken || !model.is_object()) return internal("the description is no JSON object");
  if (common.form == Form::kJson)
    print_json(model.get_object());
  else
    print_model(model.get_object());
  return Ok{};
}

}  // namespace noren::cli
