#include "worker/engine/onnxruntime/messages.h"

#include <algorithm>
#include <optional>

namespace noren::worker {
namespace {

constexpr std::size_t kReasonBytes = 300;
constexpr std::size_t kNameBytes = 80;

/// What stands between two marks; the search for `end` begins behind `begin`.
std::optional<std::string_view> between(std::string_view text, std::string_view begin, std::string_view end) {
  const std::size_t from = text.find(begin);
  if (from == std::string_view::npos) return std::nullopt;
  text.remove_prefix(from + begin.size());
  const std::size_t size = text.find(end);
  if (size == std::string_view::npos) return std::nullopt;
  return text.substr(0, size);
}

std::string_view behind_last(std::string_view text, std::string_view mark) {
  const std::size_t place = text.rfind(mark);
  return place == std::string_view::npos ? text : text.substr(place + mark.size());
}

/// At most `limit` bytes on one line, not cut inside a character of UTF-8.
std::string one_line(std::string_view text, std::size_t limit_bytes) {
  std::string line;
  for (const char c : text) {
    const bool is_blank = static_cast<unsigned char>(c) <= ' ' || c == 0x7F;
    if (is_blank && (line.empty() || line.back() == ' ')) continue;
    line += is_blank ? ' ' : c;
  }
  if (line.size() > limit_bytes) {
    std::size_t end = limit_bytes;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
    line.resize(end);
    line += "…";
  }
  const auto is_idle = [](char c) { return c == ' ' || c == '.'; };
  while (!line.empty() && is_idle(line.back())) line.pop_back();
  return line;
}

/// Where the bracket at `open` is closed; the text's end where it is not.
std::size_t end_of_bracket(std::string_view text, std::size_t open) {
  const char opening = text[open];
  const char closing = opening == '(' ? ')' : ']';
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == opening) ++depth;
    if (text[i] == closing && --depth == 0) return i + 1;
  }
  return text.size();
}

/// Drops "onnxruntime::Gru::Gru(const Info&) const [with T = float] ", the name of the function that failed.
std::string_view behind_signature(std::string_view text) {
  const std::size_t open = text.find('(');
  const bool is_signature =
      open != std::string_view::npos && text.substr(0, open).find("onnxruntime::") != std::string_view::npos;
  if (!is_signature) return text;
  text.remove_prefix(end_of_bracket(text, open));
  if (text.starts_with("::")) {  // a lambda inside of it
    const std::size_t inner = text.find('(');
    text = inner == std::string_view::npos ? std::string_view() : text.substr(end_of_bracket(text, inner));
  }
  if (text.starts_with("::<") || text.starts_with(">"))
    text.remove_prefix(std::min(text.find(' '), text.size()));
  for (const std::string_view word : {" const", " noexcept"})
    if (text.starts_with(word)) text.remove_prefix(word.size());
  if (text.starts_with(" [with")) text.remove_prefix(end_of_bracket(text, 1));
  return text;
}

/// Drops "/onnxruntime_src/…/gru.h:56 ", and the short form "gru.h:56 Compute ".
std::string_view behind_place(std::string_view text) {
  for (const std::string_view suffix : {".cc:", ".h:", ".cpp:"}) {
    const std::size_t place = text.find(suffix);
    if (place == std::string_view::npos) continue;
    std::size_t end = place + suffix.size();
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
    if (end == place + suffix.size() || end == text.size() || text[end] != ' ') continue;
    const bool is_short = text.substr(0, place).find('/') == std::string_view::npos;
    text.remove_prefix(end + 1);
    if (is_short) text.remove_prefix(std::min(text.find(' '), text.size()));
    return text;
  }
  return text;
}

/// The reason itself, without where in ONNX Runtime it was found.
std::string reason_of(std::string_view what) {
  std::string_view text = behind_last(what, "Status Message: ");
  text = behind_signature(behind_place(text));
  // "CONDITION was false. What that means": the condition is C++.
  constexpr std::string_view kFailed = " was false.";
  if (const std::size_t place = text.find(kFailed); place != std::string_view::npos) {
    const std::string_view meaning = text.substr(place + kFailed.size());
    if (meaning.find_first_not_of(" \n") != std::string_view::npos) text = meaning;
  }
  std::string reason = one_line(text, kReasonBytes);
  return reason.empty() ? "it gives no reason" : reason;
}

std::string node_text(std::string_view name, std::string_view type) {
  return "node '" + one_line(name, kNameBytes) + "' (" + one_line(type, kNameBytes) + ")";
}

/// "Could not find an implementation for RoiAlign(22) node with name 'pool'", or the same thing said later:
/// "Failed to find kernel for RoiAlign(22) (node:'pool' ep:'CPUExecutionProvider'). Kernel not found".
std::optional<std::string> missing_implementation(std::string_view what) {
  for (const std::string_view begin :
       {"Could not find an implementation for ", "Failed to find kernel for "}) {
    const auto type = between(what, begin, "(");
    if (!type) continue;
    const std::string_view rest = what.substr(what.find(begin) + begin.size());
    const auto version = between(rest, "(", ")");
    auto name = between(rest, "node with name '", "'");
    if (!name) name = between(rest, "node:'", "'");
    return node_text(name.value_or(""), *type) + ": ONNX Runtime does not implement this operator as opset " +
           one_line(version.value_or("?"), kNameBytes) +
           " defines it, for the element types that it gets here";
  }
  return std::nullopt;
}

/// Operators that ONNX Runtime has never heard of.
std::optional<std::string> unknown_operator(std::string_view what) {
  constexpr std::string_view kUnknown = " is not a registered function/op";
  if (const auto name = between(what, "Fatal error: ", kUnknown)) {
    const std::size_t colon = name->rfind(':');
    const std::string_view type = name->substr(colon == std::string_view::npos ? 0 : colon + 1);
    return "operator " + one_line(type.substr(0, type.find('(')), kNameBytes) + " of domain '" +
           one_line(name->substr(0, colon == std::string_view::npos ? 0 : colon), kNameBytes) +
           "' is unknown to ONNX Runtime";
  }
  const auto node = between(what, "In Node, (\"", ", -1)");
  if (!node) return std::nullopt;
  const std::string_view name = node->substr(0, node->find('"'));
  const std::string_view type = between(*node, "\", ", ",").value_or("");
  const std::string_view reason = behind_last(what, ", Error ");
  if (reason.starts_with("No Op registered for "))
    return node_text(name, type) + ": opset " +
           one_line(behind_last(reason, "domain_version of "), kNameBytes) + " has no operator of this name";
  return node_text(name, type) + ": " + one_line(reason, kReasonBytes);
}

std::optional<std::string> too_new(std::string_view what) {
  if (const auto version = between(what, "versions. Opset ", " is under development")) {
    const auto domain = between(what, "official support for domain ", " is till opset ");
    return "the model uses opset " + one_line(*version, kNameBytes) + " of " +
           one_line(domain.value_or("ai.onnx"), kNameBytes) + ", ONNX Runtime takes up to " +
           one_line(behind_last(what, " is till opset "), kNameBytes) + "; export it with an older opset";
  }
  if (const auto version = between(what, "Unsupported model IR version: ", ","))
    return "the model's IR version is " + one_line(*version, kNameBytes) + ", ONNX Runtime takes up to " +
           one_line(behind_last(what, "max supported IR version: "), kNameBytes) +
           "; save it with an older one";
  return std::nullopt;
}

}  // namespace

std::string load_refusal(std::string_view what) {
  for (const auto known : {too_new, missing_implementation, unknown_operator})
    if (auto sentence = known(what)) return *std::move(sentence);
  constexpr std::string_view kInitialization = "Exception during initialization: ";
  return "ONNX Runtime does not take this model: " + reason_of(behind_last(what, kInitialization));
}

std::string run_refusal(std::string_view what) {
  const auto type = between(what, "while running ", " node.");
  std::string reason = reason_of(what);
  if (!type) return reason;
  return node_text(between(what, "Name:'", "' Status").value_or(""), *type) + ": " + reason;
}

}  // namespace noren::worker
