#include "worker/model_file/nnp/loops.h"

#include <set>
#include <utility>

#include "base/limits.h"
#include "worker/model_file/text.h"

namespace noren::worker::nnp {
namespace {

/// The turn of each loop around a function or variable.
using Turns = std::map<std::string, std::int64_t, std::less<>>;

enum class Control { kNone, kRepeatStart, kRepeatEnd, kRecurrentInput, kRecurrentOutput, kDelay };

Control control_of(const std::string& type) {
  static const std::map<std::string, Control, std::less<>> controls = {
      {"RepeatStart", Control::kRepeatStart},
      {"RepeatEnd", Control::kRepeatEnd},
      {"RecurrentInput", Control::kRecurrentInput},
      {"RecurrentOutput", Control::kRecurrentOutput},
      {"Delay", Control::kDelay}};
  const auto found = controls.find(type);
  return found == controls.end() ? Control::kNone : found->second;
}

std::string name_in_turn(std::string name, const std::vector<std::string>& loops, const Turns& turns) {
  for (const std::string& loop : loops) {
    const std::string number = "[" + std::to_string(turns.at(loop)) + "]";
    const std::string placeholder = "{" + loop + "}";
    std::size_t at = name.find(placeholder);
    if (at == std::string::npos) {
      name += "_" + loop + number;
      continue;
    }
    for (; at != std::string::npos; at = name.find(placeholder, at + number.size())) {
      name.replace(at, placeholder.size(), number);
    }
  }
  return name;
}

class Unroller {
 public:
  Unroller(const RawNetwork& network, NamesBudget& budget) : network_(network), budget_(budget) {
    flat_.raw = &network;
  }

  Result<FlatNetwork> run() {
    TRY(find_loop_times());
    TRY(name_variables());
    TRY(count_functions());
    for (std::size_t i = 0; i < network_.functions.size(); ++i) TRY(unroll_function(network_.functions[i]));
    TRY(check_writers());
    return std::move(flat_);
  }

 private:
  std::string where() const { return "network " + quoted_name(network_.name); }
  static std::string label(const RawFunction& f) { return layer_label(f.name, f.type); }

  /// Turns of each loop: repeat_info says them; RepeatEnd and RecurrentOutput say them again.
  Status find_loop_times() {
    times_ = network_.loop_times;
    for (const RawFunction& f : network_.functions) {
      if (control_of(f.type) != Control::kNone && f.loop_times > 0)
        times_.try_emplace(f.loop_id, f.loop_times);
    }
    for (const auto& [loop, times] : times_) {
      if (times < 1 || times > limits::kRepeatTimesCount) {
        return make_error(Code::kTooLarge, where() + ": loop " + quoted_name(loop) + " has " +
                                               std::to_string(times) + " turns, 1 to " +
                                               std::to_string(limits::kRepeatTimesCount) + " are possible");
      }
    }
    return Ok{};
  }

  Status check_loops(const std::vector<std::string>& loops, const std::string& owner) const {
    std::set<std::string_view> seen;
    for (const std::string& loop : loops) {
      if (!times_.contains(loop))
        return invalid(where() + ": " + owner + " is in loop " + quoted_name(loop) +
                       ", which the network does not define");
      if (!seen.insert(loop).second)
        return invalid(where() + ": " + owner + " is twice in loop " + quoted_name(loop));
    }
    return Ok{};
  }

  /// Product of the loops' turns, or more than `limit`.
  std::size_t instances_count(const std::vector<std::string>& loops, std::size_t limit) const {
    std::size_t count = 1;
    for (const std::string& loop : loops) {
      count *= static_cast<std::size_t>(times_.at(loop));
      if (count > limit) return count;
    }
    return count;
  }

  /// Calls visit(turns) for each turn of the loops, the last loop fastest.
  template <typename Visit>
  Status each_turn(const std::vector<std::string>& loops, Visit visit) const {
    Turns turns;
    for (const std::string& loop : loops) turns[loop] = 0;
    for (;;) {
      TRY(visit(turns));
      std::size_t i = loops.size();
      for (; i > 0; --i) {
        std::int64_t& turn = turns[loops[i - 1]];
        if (++turn < times_.at(loops[i - 1])) break;
        turn = 0;
      }
      if (i == 0) return Ok{};
    }
  }

  Status name_variables() {
    std::size_t count = 0;
    for (const RawVariable& variable : network_.variables) {
      const std::string owner = "variable " + quoted_name(variable.name);
      TRY(check_loops(variable.repeat_ids, owner));
      if (!raw_variables_.emplace(variable.name, &variable).second) {
        return invalid(where() + " defines " + owner + " twice");
      }
      count += instances_count(variable.repeat_ids, limits::kVariablesCount);
      if (count > limits::kVariablesCount) {
        return make_error(Code::kTooLarge, where() + " has more than " +
                                               std::to_string(limits::kVariablesCount) +
                                               " variables when its loops are unrolled");
      }
      TRY(each_turn(variable.repeat_ids, [&](const Turns& turns) -> Status {
        const std::string name = name_in_turn(variable.name, variable.repeat_ids, turns);
        TRY(budget_.spend(name));
        if (flat_.variables.emplace(name, &variable).second) return Ok{};
        return invalid(where() + " defines variable " + quoted_name(name) +
                       " twice when its loops are unrolled");
      }));
    }
    return Ok{};
  }

  Status count_functions() {
    std::size_t count = 0;
    for (const RawFunction& f : network_.functions) {
      TRY(check_loops(f.repeat_ids, label(f)));
      count += instances_count(f.repeat_ids, limits::kFunctionsCount);
      if (count > limits::kFunctionsCount) {
        return make_error(Code::kTooLarge, where() + " has more than " +
                                               std::to_string(limits::kFunctionsCount) +
                                               " layers when its loops are unrolled");
      }
    }
    return Ok{};
  }

  Result<const RawVariable*> find(const RawFunction& f, const std::string& name, const char* verb) const {
    const auto found = raw_variables_.find(name);
    if (found != raw_variables_.end()) return found->second;
    return invalid(where() + ": " + label(f) + " " + verb + " variable " + quoted_name(name) +
                   ", which the network does not define");
  }

  /// The name that variable `name` has for function `f` in these turns.
  Result<std::string> name_for(const RawFunction& f, const std::string& name, const char* verb,
                               const Turns& turns) const {
    ASSIGN_OR_RETURN(const RawVariable* variable, find(f, name, verb));
    for (const std::string& loop : variable->repeat_ids) {
      if (!turns.contains(loop)) {
        return invalid(where() + ": " + label(f) + " " + verb + " variable " + quoted_name(name) +
                       " of loop " + quoted_name(loop) + " from outside the loop");
      }
    }
    return name_in_turn(variable->name, variable->repeat_ids, turns);
  }

  Status unroll_function(const RawFunction& f) {
    const Control control = control_of(f.type);
    if (control != Control::kNone) TRY(check_control(f, control));
    return each_turn(f.repeat_ids, [&](const Turns& turns) -> Status {
      switch (control) {
        case Control::kNone: return add_function(f, turns);
        case Control::kRecurrentInput: return turns.at(f.loop_id) == 0 ? add_split(f, turns) : Status(Ok{});
        case Control::kRecurrentOutput: return add_stack(f, turns);
        default: return add_alias(f, control, turns);
      }
    });
  }

  Status check_control(const RawFunction& f, Control control) const {
    if (!times_.contains(f.loop_id)) {
      return invalid(where() + ": " + label(f) + " belongs to loop " + quoted_name(f.loop_id) +
                     ", which the network does not define");
    }
    const bool has_two_inputs = control == Control::kRepeatStart || control == Control::kDelay;
    if (f.inputs.size() != (has_two_inputs ? 2u : 1u) || f.outputs.size() != 1) {
      return invalid(where() + ": " + label(f) + " needs " + (has_two_inputs ? "two inputs" : "one input") +
                     " and one output");
    }
    const bool stands_outside = control == Control::kRepeatEnd || control == Control::kRecurrentOutput;
    bool is_inside = false;
    for (const std::string& loop : f.repeat_ids) is_inside |= loop == f.loop_id;
    if (is_inside == stands_outside) {
      return invalid(where() + ": " + label(f) + " must stand " + (stands_outside ? "outside" : "inside") +
                     " its loop " + quoted_name(f.loop_id));
    }
    return Ok{};
  }

  Function start_function(const RawFunction& f, const Turns& turns, const char* type) {
    Function result;
    const std::string base = f.name.empty() ? f.type : f.name;
    result.name = base;
    for (const std::string& loop : f.repeat_ids) {
      if (turns.contains(loop)) result.name += "_" + loop + "[" + std::to_string(turns.at(loop)) + "]";
    }
    // Some tools leave names out or give one twice; a name is only for people, so it is made unique.
    const std::string wanted = result.name;
    for (int number = 2; !function_names_.insert(result.name).second; ++number) {
      number = next_number_[wanted] = std::max(number, next_number_[wanted] + 1);
      result.name = wanted + "_" + std::to_string(number);
    }
    result.type = type;
    return result;
  }

  Status finish_function(Function function) {
    TRY(budget_.spend(function));
    flat_.functions.push_back(std::move(function));
    return Ok{};
  }

  Status add_function(const RawFunction& f, const Turns& turns) {
    Function result = start_function(f, turns, f.type.c_str());
    result.arguments = f.arguments;
    for (const std::string& input : f.inputs) {
      ASSIGN_OR_RETURN(std::string name, name_for(f, input, "reads", turns));
      result.inputs.push_back(std::move(name));
    }
    for (const std::string& output : f.outputs) {
      ASSIGN_OR_RETURN(std::string name, name_for(f, output, "writes", turns));
      result.outputs.push_back(std::move(name));
    }
    return finish_function(std::move(result));
  }

  /// RecurrentInput: one Split before the loop, an output for each turn.
  Status add_split(const RawFunction& f, const Turns& turns) {
    Turns outer = turns;
    outer.erase(f.loop_id);
    Function result = start_function(f, outer, "Split");
    result.arguments.set("axis", f.loop_axis);
    ASSIGN_OR_RETURN(const RawVariable* input, find(f, f.inputs[0], "reads"));
    const std::int64_t times = times_.at(f.loop_id);
    const auto axis = static_cast<std::size_t>(f.loop_axis);
    if (f.loop_axis >= 0 && axis < input->shape.size() && input->shape[axis] > 0 &&
        input->shape[axis] != times) {
      return invalid(where() + ": " + label(f) + " takes " + std::to_string(input->shape[axis]) +
                     " steps apart, but its loop has " + std::to_string(times) + " turns");
    }
    ASSIGN_OR_RETURN(std::string name, name_for(f, f.inputs[0], "reads", outer));
    result.inputs.push_back(std::move(name));
    for (std::int64_t turn = 0; turn < times; ++turn) {
      outer[f.loop_id] = turn;
      ASSIGN_OR_RETURN(std::string output, name_for(f, f.outputs[0], "writes", outer));
      result.outputs.push_back(std::move(output));
    }
    return finish_function(std::move(result));
  }

  /// RecurrentOutput: one Stack behind the loop, an input for each turn.
  Status add_stack(const RawFunction& f, const Turns& turns) {
    Function result = start_function(f, turns, "Stack");
    result.arguments.set("axis", f.loop_axis);
    const std::int64_t times = times_.at(f.loop_id);
    const std::int64_t length = f.loop_times == 0 ? times : f.loop_times;
    if (length < 1 || length > times) {
      return invalid(where() + ": " + label(f) + " puts " + std::to_string(length) +
                     " steps together, but its loop has " + std::to_string(times) + " turns");
    }
    Turns inner = turns;
    for (std::int64_t turn = 0; turn < length; ++turn) {
      inner[f.loop_id] = turn;
      ASSIGN_OR_RETURN(std::string input, name_for(f, f.inputs[0], "reads", inner));
      result.inputs.push_back(std::move(input));
    }
    ASSIGN_OR_RETURN(std::string output, name_for(f, f.outputs[0], "writes", turns));
    result.outputs.push_back(std::move(output));
    return finish_function(std::move(result));
  }

  /// RepeatStart, RepeatEnd and Delay only pass on the value of another turn.
  Status add_alias(const RawFunction& f, Control control, const Turns& turns) {
    Turns source_turns = turns;
    std::size_t input = 0;
    if (control == Control::kRepeatEnd) {
      source_turns[f.loop_id] = times_.at(f.loop_id) - 1;
    } else if (turns.at(f.loop_id) == 0) {  // the value from before the loop
      input = control == Control::kDelay ? 1 : 0;
      source_turns.erase(f.loop_id);
    } else {
      input = control == Control::kDelay ? 0 : 1;
      source_turns[f.loop_id] -= 1;
    }
    ASSIGN_OR_RETURN(std::string source, name_for(f, f.inputs[input], "reads", source_turns));
    ASSIGN_OR_RETURN(std::string target, name_for(f, f.outputs[0], "writes", turns));
    TRY(budget_.spend(source));
    TRY(budget_.spend(target));
    if (!flat_.aliases.emplace(target, std::move(source)).second) return two_writers(target);
    return Ok{};
  }

  Error two_writers(const std::string& variable) const {
    return invalid(where() + ": two layers write variable " + quoted_name(variable));
  }

  Status check_writers() {
    std::set<std::string_view> written;
    for (const Function& f : flat_.functions) {
      for (const std::string& output : f.outputs) {
        if (!written.insert(output).second || flat_.aliases.contains(output)) return two_writers(output);
        if (flat_.variables.at(output)->is_parameter) {
          return invalid(where() + ": " + layer_label(f.name, f.type) + " writes " + quoted_name(output) +
                         ", which is a parameter");
        }
      }
    }
    return shorten_aliases();
  }

  /// Lets each alias point at the variable that holds the value. A chain that never ends is a loop that feeds
  /// itself.
  Status shorten_aliases() {
    std::vector<std::string*> chain;
    for (auto& [name, target] : flat_.aliases) {
      chain.assign(1, &target);
      for (auto next = flat_.aliases.find(target); next != flat_.aliases.end();
           next = flat_.aliases.find(next->second)) {
        if (chain.size() > flat_.aliases.size()) {
          return invalid(where() + " has a cycle through variable " + quoted_name(name));
        }
        chain.push_back(&next->second);
      }
      const std::string end = *chain.back();
      for (std::string* link : chain) *link = end;
    }
    return Ok{};
  }

  const RawNetwork& network_;
  NamesBudget& budget_;
  FlatNetwork flat_;
  std::map<std::string, std::int64_t, std::less<>> times_;
  std::map<std::string_view, const RawVariable*> raw_variables_;
  std::set<std::string> function_names_;
  std::map<std::string, int> next_number_;
};

}  // namespace

const std::string& FlatNetwork::resolve(const std::string& name) const {
  const auto found = aliases.find(name);
  return found == aliases.end() ? name : found->second;
}

std::map<std::string, std::int64_t, std::less<>> loop_times_of(const RawNetwork& network) {
  std::map<std::string, std::int64_t, std::less<>> times = network.loop_times;
  for (const RawFunction& f : network.functions) {
    if (control_of(f.type) != Control::kNone && f.loop_times > 0) times.try_emplace(f.loop_id, f.loop_times);
  }
  return times;
}

Status NamesBudget::spend(const std::string& name) {
  constexpr std::size_t kNodeBytes = 64;  // what a name costs besides its characters
  spent_bytes_ += name.size() + kNodeBytes;
  if (spent_bytes_ <= limits::kNetworkNamesBytes) return Ok{};
  return make_error(Code::kTooLarge, "the networks are too large when their loops are unrolled");
}

Status NamesBudget::spend(const Function& function) {
  TRY(spend(function.name));
  for (const std::string& name : function.inputs) TRY(spend(name));
  for (const std::string& name : function.outputs) TRY(spend(name));
  return Ok{};
}

Result<FlatNetwork> unroll(const RawNetwork& network, NamesBudget& budget) {
  return Unroller(network, budget).run();
}

}  // namespace noren::worker::nnp
