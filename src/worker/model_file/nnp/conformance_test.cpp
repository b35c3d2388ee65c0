// Reads every model of the conformance suites, where they are there (../shared/conformance): each opens, or
// is refused where the case wants that; and their statistics are the official ones.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "worker/model_file/nnp/nnp.h"
#include "worker/model_file/statistics.h"

namespace noren::worker {
namespace {

namespace fs = std::filesystem;

const fs::path kSuites = fs::path(NOREN_SOURCE_DIR) / "../shared/conformance";

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Refused while the file is read; other error cases are refused by the translator or at the request.
bool must_not_open(const std::string& name) {
  static const char* const later[] = {"request_",        "function_axis",    "function_inputs",
                                      "function_kernel", "function_reshape", "function_shapes",
                                      "function_unknown"};
  for (const char* prefix : later) {
    if (name.starts_with(prefix)) return false;
  }
  return true;
}

TEST(Conformance, OurOwnSmallFilesOpenOrAreRefused) {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(NOREN_SOURCE_DIR) / "tests/data/nnp")) {
    if (entry.path().extension() != ".nnp") continue;
    const bool wrong = entry.path().filename().string().starts_with("error_");
    const std::string bytes = read_file(entry.path());
    const auto file = read_nnp(bytes_of(bytes));
    EXPECT_EQ(file.ok(), !wrong) << entry.path() << ": " << (file.ok() ? "opened" : describe(file.error()));
    ++files;
  }
  EXPECT_GT(files, 50);
}

TEST(Conformance, EveryModelOpensOrIsRefused) {
  if (!fs::exists(kSuites)) GTEST_SKIP() << "no conformance suites here";
  int opened = 0, refused = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kSuites)) {
    if (entry.path().filename() != "model.nnp") continue;
    const fs::path folder = entry.path().parent_path();
    const bool wrong = folder.parent_path().filename() == "error" && must_not_open(folder.filename());
    const std::string bytes = read_file(entry.path());
    const auto file = read_nnp(bytes_of(bytes));
    EXPECT_EQ(file.ok(), !wrong) << folder << ": " << (file.ok() ? "opened" : describe(file.error()));
    if (!file.ok()) {
      EXPECT_NE(file.error().code, Code::kInternal) << folder;
      EXPECT_FALSE(file.error().text.empty()) << folder;
    }
    ++(file.ok() ? opened : refused);
  }
  std::cout << opened << " models opened, " << refused << " were refused\n";
}

std::vector<std::string> columns_of(const std::string& line) {
  std::vector<std::string> columns;
  std::stringstream stream(line);
  for (std::string column; std::getline(stream, column, '\t');) columns.push_back(column);
  return columns;
}

TEST(Conformance, StatisticsAreTheOfficialOnes) {
  if (!fs::exists(kSuites)) GTEST_SKIP() << "no conformance suites here";
  static const std::map<std::string, double Cost::*> fields = {
      {"CostParameter", &Cost::parameter}, {"CostAdd", &Cost::add},
      {"CostMultiply", &Cost::multiply},   {"CostMultiplyAdd", &Cost::multiply_add},
      {"CostDivision", &Cost::division},   {"CostExp", &Cost::exp},
      {"CostIf", &Cost::branch},           {"Output", &Cost::output}};
  int compared = 0;
  for (const char* suite : {"samples", "golden"}) {
    std::ifstream table(kSuites / suite / "statistics.tsv");
    std::string line;
    std::getline(table, line);
    const std::vector<std::string> names = columns_of(line);
    while (std::getline(table, line)) {
      const std::vector<std::string> row = columns_of(line);
      const fs::path path = kSuites / suite / row[0] / "model.nnp";
      if (!fs::exists(path)) continue;
      const std::string bytes = read_file(path);
      const auto file = read_nnp(bytes_of(bytes));
      ASSERT_TRUE(file.ok()) << path;
      std::vector<Cost> costs;
      for (const Executor& executor : file->executors)
        costs.push_back(network_statistics(executor, nullptr).total);
      const Cost total = sum_of(costs);
      for (std::size_t i = 0; i < names.size() && i < row.size(); ++i) {
        const auto field = fields.find(names[i]);
        if (field == fields.end()) continue;
        EXPECT_EQ(total.*(field->second), std::stod(row[i])) << row[0] << " " << names[i];
      }
      ++compared;
    }
  }
  std::cout << compared << " networks compared\n";
}

}  // namespace
}  // namespace noren::worker
