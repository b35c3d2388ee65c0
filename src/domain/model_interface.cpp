#include "domain/model_interface.h"

#include <algorithm>
#include <set>
#include <string_view>

namespace noren {
namespace {

using Changes = std::vector<std::string>;

std::string quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t dimension : shape) {
    if (text.size() > 1) text += ",";
    text += dimension < 0 ? "any" : std::to_string(dimension);
  }
  return text + "]";
}

/// Whether everything that fits `narrow` fits `wide`.
bool holds(const std::vector<std::int64_t>& wide, const std::vector<std::int64_t>& narrow) {
  return std::equal(wide.begin(), wide.end(), narrow.begin(), narrow.end(),
                    [](std::int64_t w, std::int64_t n) { return w == n || w < 0; });
}

const ModelPort* find(const std::vector<ModelPort>& ports, std::string_view name) {
  const auto found = std::ranges::find(ports, name, &ModelPort::name);
  return found == ports.end() ? nullptr : &*found;
}

void compare_inputs(const ExecutorInterface& before, const ExecutorInterface& after, Changes& changes) {
  for (const ModelPort& old : before.inputs) {
    const ModelPort* const now = find(after.inputs, old.name);
    if (now == nullptr) {
      changes.push_back("it has no input " + quoted(old.name));
    } else if (now->type != old.type) {
      changes.push_back("its input " + quoted(old.name) + " is " + now->type + ", not " + old.type);
    } else if (!holds(now->shape, old.shape)) {
      changes.push_back("its input " + quoted(old.name) + " has the shape " + shape_text(now->shape) +
                        ", not " + shape_text(old.shape));
    }
  }
  for (const ModelPort& now : after.inputs)
    if (find(before.inputs, now.name) == nullptr)
      changes.push_back("it needs an input " + quoted(now.name) + " besides");
}

std::vector<std::string> answered_names(const ExecutorInterface& executor) {
  std::vector<std::string> names;
  for (const ModelPort& output : executor.outputs) names.push_back(output.name);
  return documented_names(names);
}

/// Callers read outputs by name or by place: what there was stays where it was. Further ones may follow.
void compare_outputs(const ExecutorInterface& before, const ExecutorInterface& after, Changes& changes) {
  const std::vector<std::string> old_names = answered_names(before), names = answered_names(after);
  for (std::size_t i = 0; i < old_names.size(); ++i) {
    const auto found = std::ranges::find(names, old_names[i]);
    if (found == names.end()) {
      changes.push_back("it has no output " + quoted(old_names[i]));
      continue;
    }
    const auto place = static_cast<std::size_t>(found - names.begin());
    const ModelPort &old = before.outputs[i], &now = after.outputs[place];
    if (place != i) changes.push_back("its output " + quoted(names[place]) + " comes in another place");
    if (now.type != old.type)
      changes.push_back("its output " + quoted(names[place]) + " is " + now.type + ", not " + old.type);
    else if (!holds(old.shape, now.shape))
      changes.push_back("its output " + quoted(names[place]) + " has the shape " + shape_text(now.shape) +
                        ", not " + shape_text(old.shape));
  }
}

}  // namespace

std::vector<std::string> documented_names(std::span<const std::string> names) {
  std::vector<std::string> shortened(names.begin(), names.end());
  for (std::string& name : shortened)
    if (name.ends_with('\'')) name.pop_back();
  if (std::set<std::string_view>(shortened.begin(), shortened.end()).size() == shortened.size())
    return shortened;
  return {names.begin(), names.end()};
}

std::vector<std::string> interface_changes(const ModelInterface& before, const ModelInterface& after) {
  Changes changes;
  for (std::size_t i = 0; i < before.executors.size(); ++i) {
    const ExecutorInterface& old = before.executors[i];
    const auto found = std::ranges::find(after.executors, old.name, &ExecutorInterface::name);
    if (found == after.executors.end()) {
      changes.push_back("it has no executor " + quoted(old.name));
      continue;
    }
    if (i == 0 && found != after.executors.begin())
      changes.push_back("its first executor is " + quoted(after.executors.front().name) + ", not " +
                        quoted(old.name));
    Changes own;
    compare_inputs(old, *found, own);
    compare_outputs(old, *found, own);
    for (std::string& change : own)
      changes.push_back(i == 0 ? std::move(change) : "in executor " + quoted(old.name) + " " + change);
  }
  return changes;
}

}  // namespace noren
