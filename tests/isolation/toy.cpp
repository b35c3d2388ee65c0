#include "toy.h"

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include <unistd.h>

#include "base/clock.h"

namespace noren::worker {
namespace {

constexpr std::size_t kTogether = 0;
constexpr std::size_t kAlone = 1;

Tensor text_tensor(std::string text) {
  Tensor tensor(ElementType::kString, {1});
  tensor.strings()[0] = std::move(text);
  return tensor;
}

std::int64_t number_of(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void burn(std::int64_t duration_ms) {
  const MonotonicNs end_ns = system_clock().monotonic_ns() + duration_ms * 1'000'000;
  while (system_clock().monotonic_ns() < end_ns) {
  }
}

std::string take_memory(std::int64_t mebibytes) {
  std::vector<std::unique_ptr<char[]>> blocks;
  for (std::int64_t index = 0; index < mebibytes; ++index) {
    blocks.push_back(std::make_unique<char[]>(1 << 20));
    for (int at = 0; at < 1 << 20; at += 4096) const_cast<volatile char*>(blocks.back().get())[at] = 1;
  }
  return "took " + std::to_string(mebibytes);
}

/// One request: a verb and what it is about.
Result<std::string> obey(std::string_view verb, std::string_view rest) {
  if (verb == "echo" || verb == "alone") return std::string(rest);
  if (verb == "poison") return invalid("poisoned: " + std::string(rest));
  if (verb == "fault") return internal("a fault of ours");
  if (verb == "burn") {
    burn(number_of(rest));
    return std::string("burnt");
  }
  if (verb == "rest") {
    // As little of a core as a busy machine leaves.
    std::this_thread::sleep_for(std::chrono::milliseconds(number_of(rest)));
    return std::string("rested");
  }
  if (verb == "memory") return take_memory(number_of(rest));
  if (verb == "large") return std::string(static_cast<std::size_t>(number_of(rest)), 'x');
  if (verb == "throw") throw std::runtime_error("thrown");
  if (verb == "crash") ::raise(SIGSEGV);
  if (verb == "exit") ::_exit(static_cast<int>(number_of(rest)));
  if (verb == "attack") return attack(rest);
  return invalid("unknown verb");
}

// Keeps the compiler from making a loop of the recursion.
int overflow(volatile char* before) {  // NOLINT(misc-no-recursion): a stack is to be filled
  volatile char block[4096];
  block[0] = *before;
  return *before == 0 ? 0 : overflow(block) + block[0];  // it never is 0
}

/// What happens to a decoder.
void read_badly(std::string_view how) {
  const char start = 1;
  if (how == "segv") ::raise(SIGSEGV);
  if (how == "abort") std::abort();
  if (how == "overflow") static_cast<void>(overflow(const_cast<volatile char*>(&start)));
  if (how == "throw") throw std::runtime_error("thrown");
  if (how == "memory") throw std::bad_alloc();
}

class Toy final : public Servable {
 public:
  bool batchable(std::size_t executor_index) const override { return executor_index == kTogether; }

  Result<ParsedRequest> parse(ByteView body, AcceptedFiles accepted) override {
    std::string_view text = text_of(body);
    if (text == "files") text = accepted == AcceptedFiles::kAll ? "echo all" : "echo per request";
    if (text.starts_with("bad ")) return invalid(std::string(text.substr(4)));
    if (text.starts_with("read ")) read_badly(text.substr(5));
    ParsedRequest request;
    request.executor_index = text.starts_with("echo ") || text.starts_with("poison ") ? kTogether : kAlone;
    request.inputs.push_back(text_tensor(std::string(text)));
    return request;
  }

  Result<std::vector<Tensor>> run(std::size_t, std::span<const Tensor> inputs) override {
    const std::string_view text = inputs[0].strings()[0];
    const std::size_t space = std::min(text.find(' '), text.size());
    ASSIGN_OR_RETURN(std::string answer,
                     obey(text.substr(0, space), text.substr(std::min(space + 1, text.size()))));
    std::vector<Tensor> outputs;
    outputs.push_back(text_tensor(std::move(answer)));
    return outputs;
  }

  Result<std::vector<std::vector<Tensor>>> run_batch(std::size_t executor_index,
                                                     std::span<const std::vector<Tensor>> rows) override {
    std::vector<std::vector<Tensor>> answers;
    for (const auto& row : rows) {
      ASSIGN_OR_RETURN(auto answer, run(executor_index, row));
      answers.push_back(std::move(answer));
    }
    return answers;
  }

  Status try_sample() override {
    return sample_failure.empty() ? Status(Ok{}) : Status(invalid(sample_failure));
  }

  Status format(std::size_t, std::span<const Tensor> outputs, Bytes& out) override {
    const std::string& text = outputs[0].strings()[0];
    out.insert(out.end(), text.begin(), text.end());
    return Ok{};
  }

  std::string sample_failure;
};

Result<std::unique_ptr<Servable>> open_toy(ByteView package, const link::LoadRequest&) {
  const std::string_view text = text_of(package);
  if (text.starts_with("refuse ")) return invalid(std::string(text.substr(7)));
  if (text.starts_with("burn ")) burn(number_of(text.substr(5)));
  auto toy = std::make_unique<Toy>();
  if (text.starts_with("unsound ")) toy->sample_failure = text.substr(8);
  return std::unique_ptr<Servable>(std::move(toy));
}

/// The file's text says what comes of it: "model NAME" is imported, anything else is obeyed like a request.
Result<Inspected> inspect_toy(ByteView file, const link::InspectRequest& request) {
  const std::string text(text_of(file));
  if (text.starts_with("model ")) {
    Inspected inspected;
    inspected.package.assign(file.begin(), file.end());
    inspected.description_json = "{\"file\":\"" + request.file_name + "\"}";
    return inspected;
  }
  const std::size_t space = std::min(text.find(' '), text.size());
  ASSIGN_OR_RETURN(
      const std::string answer,
      obey(text.substr(0, space), std::string_view(text).substr(std::min(space + 1, text.size()))));
  return invalid(answer);
}

/// "parts A B C" becomes three parts; anything else is obeyed.
Result<std::string> unpack_toy(ByteView file, const link::InspectRequest& request, const WritePart& write) {
  const std::string_view text = text_of(file);
  if (!text.starts_with("parts ")) return invalid(inspect_toy(file, request).error().text);
  for (const char c : text.substr(6))
    if (c != ' ') TRY(write(bytes_of(std::string_view(&c, 1))));
  return "{\"parts\":\"" + request.file_name + "\"}";
}

}  // namespace

SessionParts toy_parts() { return {open_toy, inspect_toy, unpack_toy}; }

}  // namespace noren::worker
