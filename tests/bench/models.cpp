// Times what the worker runs: for each line "NAME COLUMN SECONDS" on standard input, one line with the median
// nanoseconds of an inference. COLUMN is "published" (FOLDER/NAME.nnp, imported here as a worker does) or
// "export" (FOLDER/NAME.onnx). Both run through the engine's own sessions, so that only the graph differs,
// and both must first answer FOLDER/NAME.input with FOLDER/NAME.output. "NAME save FILE" writes the published
// model as ONNX.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "worker/engine/engine.h"
#include "worker/engine/package.h"
#include "worker/import/import.h"

namespace {

using namespace noren;          // NOLINT: a program of one file
using namespace noren::worker;  // NOLINT

constexpr double kAbsolute = 1e-5, kRelative = 1e-3;
constexpr std::size_t kRunsCount = 3;

Result<Bytes> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return make_error(Code::kNotFound, path.string() + " can't be read");
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

/// A model that is ready to run, and the bytes that its session looks into.
struct Subject {
  Bytes bytes;
  ByteView model;
  std::unique_ptr<Session> session;
  std::vector<Tensor> inputs;
};

Result<Tensor> read_tensor(const std::filesystem::path& path, Shape shape) {
  ASSIGN_OR_RETURN(const Bytes bytes, read_file(path));
  for (std::int64_t& dimension : shape) dimension = dimension < 1 ? 1 : dimension;
  Tensor tensor(ElementType::kFloat32, shape);
  if (tensor.size_bytes() != bytes.size())
    return invalid(path.string() + " does not fit " + to_string(shape));
  std::memcpy(tensor.raw(), bytes.data(), bytes.size());
  return tensor;
}

Status check_answer(const Tensor& got, const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const Tensor want, read_tensor(path, got.shape()));
  for (std::int64_t i = 0; i < want.count(); ++i) {
    const double a = got.data<float>()[i], b = want.data<float>()[i];
    if (!(std::abs(a - b) <= kAbsolute + kRelative * std::abs(b)))
      return internal("the answer is not the reference's: " + std::to_string(a) + " for " +
                      std::to_string(b));
  }
  return Ok{};
}

Result<Subject> open(const std::filesystem::path& folder, const std::string& name,
                     const std::string& column) {
  const bool is_export = column == "export";
  ASSIGN_OR_RETURN(const Bytes file, read_file(folder / (name + (is_export ? ".onnx" : ".nnp"))));
  ImportOptions options;
  options.file_name = name + ".nnp";
  Subject subject;
  if (is_export) {
    subject.bytes = file;
    subject.model = subject.bytes;
  } else {
    ASSIGN_OR_RETURN(Imported imported, import_model(file, options));
    subject.bytes = std::move(imported.package);
    ASSIGN_OR_RETURN(const Package package, decode_package(subject.bytes));
    subject.model = package.models.at(0);
  }
  ASSIGN_OR_RETURN(subject.session, open_session(subject.model, {.input_shapes = InputShapes::kFew}));
  if (subject.session->inputs().size() != 1) return invalid(name + " does not have one input");
  ASSIGN_OR_RETURN(Tensor input, read_tensor(folder / (name + ".input"), subject.session->inputs()[0].shape));
  subject.inputs.push_back(std::move(input));
  ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, subject.session->run(subject.inputs));
  TRY(check_answer(outputs.at(0), folder / (name + ".output")));
  return subject;
}

Result<std::int64_t> median_ns(Subject& subject, double seconds) {
  using Clock = std::chrono::steady_clock;
  std::vector<std::int64_t> times;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (times.size() < kRunsCount || Clock::now() < end) {
    const auto start = Clock::now();
    TRY(subject.session->run(subject.inputs));
    times.push_back(std::chrono::nanoseconds(Clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

Result<std::string> answer(std::map<std::string, Subject>& subjects, const std::filesystem::path& folder,
                           const std::string& line) {
  std::istringstream words(line);
  std::string name, column, rest;
  words >> name >> column >> rest;
  const std::string key = name + (column == "export" ? ".onnx" : ".nnp");
  if (!subjects.contains(key)) {
    ASSIGN_OR_RETURN(subjects[key], open(folder, name, column));
  }
  Subject& subject = subjects[key];
  if (column == "save") {
    std::ofstream(rest, std::ios::binary)
        .write(reinterpret_cast<const char*>(subject.model.data()),
               static_cast<std::streamsize>(subject.model.size()));
    return std::string("saved");
  }
  ASSIGN_OR_RETURN(const std::int64_t time_ns, median_ns(subject, std::stod(rest)));
  return std::to_string(time_ns);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "noren_bench_models FOLDER\n");
    return 2;
  }
  std::map<std::string, Subject> subjects;
  for (std::string line; std::getline(std::cin, line);) {
    const auto text = answer(subjects, arguments[1], line);
    std::cout << (text.ok() ? *text : "error " + describe(text.error())) << std::endl;
  }
  return 0;
}
