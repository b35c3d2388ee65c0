// Runs the conformance cases of single layers in this process: import, run, compare. The
// cases are in tests/data/functions (a small set) and, where the folder is there, in ../shared/conformance.
//   NOREN_CASES=substring     only cases whose path holds it
//   NOREN_CASES_ROOT=folder   cases of this folder instead (tools/random_cases makes some)
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "worker/engine/package.h"
#include "worker/import/import.h"

namespace noren::worker {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

double number(const json::value& value) {
  if (value.is_string()) return std::strtod(value.as_string().c_str(), nullptr);
  return value.to_number<double>();
}

std::vector<float> numbers(const json::value& list) {
  std::vector<float> values;
  for (const json::value& item : list.as_array()) values.push_back(static_cast<float>(number(item)));
  return values;
}

bool close(double got, double want, double absolute, double relative) {
  if (std::isnan(got) || std::isnan(want)) return std::isnan(got) && std::isnan(want);
  if (std::isinf(got) || std::isinf(want)) return got == want;
  return std::abs(got - want) <= absolute + relative * std::abs(want);
}

/// "" where every output agrees, else the first difference.
std::string difference(const std::vector<Tensor>& got, const json::array& want,
                       const json::value& tolerance) {
  if (got.size() != want.size()) return "another number of outputs";
  const double absolute = number(tolerance.at("abs")), relative = number(tolerance.at("rel"));
  for (std::size_t i = 0; i < want.size(); ++i) {
    const json::array& values = want[i].at("data").as_array();
    if (got[i].shape() != json::value_to<Shape>(want[i].at("shape")))
      return "output " + std::to_string(i) + " is " + to_string(got[i].shape()) + ", expected " +
             json::serialize(want[i].at("shape"));
    if (got[i].count() != static_cast<std::int64_t>(values.size()))
      return "output " + std::to_string(i) + " is " + to_string(got[i].shape()) + ", " +
             std::to_string(values.size()) + " numbers expected";
    for (std::size_t k = 0; k < values.size(); ++k)
      if (!close(got[i].data<float>()[k], number(values[k]), absolute, relative))
        return "output " + std::to_string(i) + "[" + std::to_string(k) +
               "] = " + std::to_string(got[i].data<float>()[k]) + ", expected " + json::serialize(values[k]);
  }
  return "";
}

Result<std::vector<Tensor>> inputs_of(const ExecutorSignature& executor, const json::array& inputs) {
  std::vector<Tensor> tensors;
  for (const InputSignature& input : executor.inputs)
    for (const json::value& item : inputs)
      if (input.variable == item.at("name").as_string().c_str()) {
        std::vector<float> values = numbers(item.at("data"));
        if (static_cast<std::int64_t>(values.size()) != element_count(input.shape))
          return invalid("input '" + input.variable + "' is " + to_string(input.shape));
        tensors.push_back(Tensor::from_floats(input.shape, std::move(values)));
      }
  if (tensors.size() != executor.inputs.size()) return invalid("the case lacks an input");
  return tensors;
}

std::size_t batched_count = 0;  // cases that also ran as rows of a batch

/// "" where rows that share a run answer as each does alone. The other row has the same numbers, last first.
std::string batch_difference(ServableModel& model, std::size_t executor, const std::vector<Tensor>& row) {
  if (!model.signature().executors[executor].batchable) return "";
  std::vector<Tensor> other = row;
  for (Tensor& tensor : other) std::reverse(tensor.data<float>(), tensor.data<float>() + tensor.count());
  const std::vector<std::vector<Tensor>> rows = {row, other, row};
  std::vector<std::vector<Tensor>> alone;
  for (const std::vector<Tensor>& each : rows) {
    auto outputs = model.run(executor, each);
    if (!outputs.ok()) return "";  // numbers that this layer refuses
    alone.push_back(std::move(*outputs));
  }
  const auto together = model.run_batch(executor, rows);
  if (!together.ok()) return "in a batch: " + describe(together.error());
  ++batched_count;
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t k = 0; k < alone[i].size(); ++k) {
      const Tensor& a = alone[i][k];
      const Tensor& b = (*together)[i][k];
      if (a.shape() != b.shape()) return "in a batch an output is " + to_string(b.shape());
      for (std::int64_t n = 0; n < a.count(); ++n)
        if (!close(b.data<float>()[n], a.data<float>()[n], 1e-5, 1e-4))
          return "a row is another one in a batch";
    }
  return "";
}

/// Sums of an element over many runs.
struct Spread {
  double sum = 0, squares = 0;
  double mean(int runs) const { return sum / runs; }
  double deviation(int runs) const {
    return std::sqrt(std::max(0.0, squares / runs - mean(runs) * mean(runs)));
  }
};

/// "" where the answers of many runs are spread as those of the reference: its means within six standard
/// errors, and neither fixed nor much wider (heavy tails leave a few outside).
std::string spread_difference(ServableModel& model, std::size_t executor, const std::vector<Tensor>& inputs,
                              const json::object& random) {
  constexpr int kRuns = 200;
  const json::array& want = random.at("outputs").as_array();
  std::vector<std::vector<Spread>> spreads(want.size());
  for (int run = 0; run < kRuns; ++run) {
    const auto outputs = model.run(executor, inputs);
    if (!outputs.ok()) return describe(outputs.error());
    if (outputs->size() != want.size()) return "another number of outputs";
    for (std::size_t i = 0; i < want.size(); ++i) {
      if ((*outputs)[i].shape() != json::value_to<Shape>(want[i].at("shape")))
        return "output " + std::to_string(i) + " is " + to_string((*outputs)[i].shape());
      spreads[i].resize(static_cast<std::size_t>((*outputs)[i].count()));
      for (std::size_t k = 0; k < spreads[i].size(); ++k) {
        const double value = (*outputs)[i].data<float>()[k];
        spreads[i][k].sum += value;
        spreads[i][k].squares += value * value;
      }
    }
  }
  const double reference_runs = number(random.at("runs"));
  for (std::size_t i = 0; i < want.size(); ++i) {
    std::size_t far = 0, other = 0;
    for (std::size_t k = 0; k < spreads[i].size(); ++k) {
      const double mean = number(want[i].at("mean").as_array()[k]);
      const double deviation = number(want[i].at("std").as_array()[k]);
      const double got = spreads[i][k].deviation(kRuns);
      far += std::abs(spreads[i][k].mean(kRuns) - mean) >
             6 * deviation * std::sqrt(1.0 / kRuns + 1 / reference_runs) + 1e-4;
      other += deviation > 1e-3 && (got < deviation / 2 || got > deviation * 2);
    }
    if (far * 50 > spreads[i].size() || other * 20 > spreads[i].size())
      return "of " + std::to_string(spreads[i].size()) + " numbers " + std::to_string(far) +
             " have another mean and " + std::to_string(other) + " are spread otherwise";
  }
  return "";
}

/// Whether every input is a list of numbers, as the protocol lets through.
bool holds_numbers(const json::array& inputs) {
  return std::all_of(inputs.begin(), inputs.end(), [](const json::value& input) {
    const json::value* data = input.as_object().if_contains("data");
    return data != nullptr && data->is_array() &&
           std::all_of(data->as_array().begin(), data->as_array().end(),
                       [](const json::value& item) { return item.is_number(); });
  });
}

/// "" where a model that might have been refused answers, or refuses the request in words.
std::string fault_in_run(ServableModel& model, std::size_t executor, const std::vector<Tensor>& inputs) {
  const auto outputs = model.run(executor, inputs);
  return outputs.ok() || outputs.error().code != Code::kInternal ? "" : describe(outputs.error());
}

/// "" where the case agrees.
std::string run_case(const fs::path& folder) {
  const json::value parsed = json::parse(read_file(folder / "case.json"));
  const json::object& test = parsed.as_object();
  const std::string bytes = read_file(folder / "model.nnp");
  const bool refusable = test.contains("expect_error");
  const auto imported = import_model(bytes_of(bytes), {.file_name = "model.nnp"});
  if (!imported.ok())
    return refusable && imported.error().code != Code::kInternal ? "" : describe(imported.error());
  const Bytes& package = imported->package;
  auto model = ServableModel::open(package, EngineOptions{});
  if (!model.ok()) return describe(model.error());
  const auto& executors = (*model)->signature().executors;
  std::size_t chosen = 0;
  for (std::size_t i = 0; test.contains("executor") && i < executors.size(); ++i)
    if (executors[i].name == test.at("executor").as_string().c_str()) chosen = i;
  if (!test.contains("inputs")) return "";  // several requests are run end to end
  if (refusable && !holds_numbers(test.at("inputs").as_array())) return "";  // the protocol's matter
  const auto inputs = inputs_of(executors[chosen], test.at("inputs").as_array());
  if (refusable) return inputs.ok() ? fault_in_run(**model, chosen, *inputs) : "";
  if (!inputs.ok()) return describe(inputs.error());
  if (test.contains("random"))
    return spread_difference(**model, chosen, *inputs, test.at("random").as_object());
  if (!test.contains("outputs")) return "";
  const auto outputs = (*model)->run(chosen, *inputs);
  if (!outputs.ok()) return describe(outputs.error());
  const std::string wrong = difference(*outputs, test.at("outputs").as_array(), test.at("tolerance"));
  return wrong.empty() ? batch_difference(**model, chosen, *inputs) : wrong;
}

std::vector<fs::path> cases() {
  const fs::path source = NOREN_SOURCE_DIR;
  const char* filter = std::getenv("NOREN_CASES");
  std::vector<fs::path> found,
      roots = {source / "tests/data/functions", source.parent_path() / "shared/conformance/functions"};
  if (const char* chosen = std::getenv("NOREN_CASES_ROOT")) roots = {chosen};
  for (const fs::path& root : roots) {
    if (!fs::exists(root)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root))
      if (entry.path().filename() == "case.json" && fs::exists(entry.path().parent_path() / "model.nnp") &&
          (filter == nullptr || entry.path().string().find(filter) != std::string::npos))
        found.push_back(entry.path().parent_path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

TEST(Conformance, EveryLayerAnswersAsTheReferenceDid) {
  ASSERT_TRUE(warm_up_engine().ok());
  std::size_t passed = 0, failed = 0;
  for (const fs::path& folder : cases()) {
    const std::string wrong = run_case(folder);
    if (wrong.empty()) {
      ++passed;
      continue;
    }
    ++failed;
    ADD_FAILURE() << folder.parent_path().filename().string() << "/" << folder.filename().string() << ": "
                  << wrong;
  }
  std::cout << passed << " cases agree, " << failed << " differ; " << batched_count
            << " also ran in a batch\n";
  EXPECT_GT(passed + failed, 0U);
}

}  // namespace
}  // namespace noren::worker
