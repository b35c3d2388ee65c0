// Whole archives, made in the test; the shared project folders where they are there.
#include "worker/results/results.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <zip.h>
#include <boost/json.hpp>

#include "base/result_limits.h"

namespace noren::worker {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using Files = std::vector<std::pair<std::string, std::string>>;

std::string archive_of(const Files& files) {
  char path[] = "/tmp/noren-results-XXXXXX";
  const int file = ::mkstemp(path);
  ::close(file);
  zip_t* archive = zip_open(path, ZIP_TRUNCATE, nullptr);
  for (const auto& [name, text] : files) {
    zip_source_t* source = zip_source_buffer(archive, text.data(), text.size(), 0);
    zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  }
  EXPECT_EQ(zip_close(archive), 0);
  std::ifstream stream(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  ::unlink(path);
  return bytes;
}

class MemorySink final : public PartSink {
 public:
  Status write(ByteView bytes) override {
    text += text_of(bytes);
    return Ok{};
  }
  std::string text;
};

struct Unpacked {
  json::object index;
  std::string parts;
  const json::object& job(std::size_t i) const { return index.at("jobs").at(i).as_object(); }
  std::size_t jobs_count() const { return index.at("jobs").as_array().size(); }
  std::string model(std::size_t i) const { return bytes_of_row(job(i).at("model").as_object()); }
  std::string bytes_of_row(const json::object& row) const {
    return parts.substr(row.at("offset").to_number<std::size_t>(), row.at("size").to_number<std::size_t>());
  }
  std::string part(std::size_t i, std::string_view kind) const {
    for (const auto& row : job(i).at("parts").as_array())
      if (row.at("kind").as_string() == kind) return bytes_of_row(row.as_object());
    return "none";
  }
};

Result<Unpacked> unpack(const std::string& bytes, const std::string& name = "up.zip") {
  MemorySink sink;
  ASSIGN_OR_RETURN(const std::string index, unpack_results(bytes_of(bytes), name, sink));
  return Unpacked{json::parse(index).as_object(), sink.text};
}

constexpr const char* kReport = "0:\n  cost: 0.5\n  valid_error: 0.25\n";

TEST(Results, AProjectsFolderIsAJobForEachOfItsResults) {
  const auto unpacked = unpack(
      archive_of({{"p.files/20210410_155606/results_current_250.nnp", "last"},
                  {"p.files/20210410_155606/results.nnp", "best"},
                  {"p.files/20210410_155606/monitoring_report.yml", kReport},
                  {"p.files/20210410_155606/result.ini", "[result]\nbest_epoch=1\n"},
                  {"p.files/20210410_155606/output_result.csv", "x,y\n1,2\n"},
                  {"p.files/20210410_155606/confusion_matrix_y.csv", ",a,b,Recall\na,1,0,1\nb,0,1,1\n"},
                  {"p.files/20210410_155606/log.txt", "hello"},
                  {"p.files/20210410_155606/0000/7.png", "no"},
                  {"p.files/second/results.nnp", "other"},
                  {"__MACOSX/p.files/second/._results.nnp", "x"},
                  {"p.sdcproj", "[Engine]"}}));
  ASSERT_TRUE(unpacked.ok()) << describe(unpacked.error());
  ASSERT_EQ(unpacked->jobs_count(), 2U);
  const json::object& job = unpacked->job(0);
  EXPECT_EQ(job.at("name").as_string(), "20210410_155606");
  EXPECT_EQ(job.at("project").as_string(), "p");
  EXPECT_EQ(unpacked->model(0), "best");
  EXPECT_EQ(unpacked->part(0, "file"), kReport);
  EXPECT_EQ(unpacked->part(0, "rows"), "[1,2]\n");
  EXPECT_NE(unpacked->part(0, "curves").find("valid_error"), std::string::npos);
  EXPECT_NE(unpacked->part(0, "confusion").find("\"accuracy\":1"), std::string::npos);
  const json::object& results = job.at("results").as_object();
  EXPECT_EQ(results.at("started").as_string(), "2021-04-10T15:56:06");
  EXPECT_EQ(results.at("result").at("best_epoch"), 1);
  EXPECT_EQ(results.at("curves").at("epochs"), 1);
  EXPECT_EQ(results.at("evaluation").at("rows"), 1);
  EXPECT_EQ(results.at("confusion").at(0).at("name").as_string(), "y");
  EXPECT_EQ(unpacked->model(1), "other");
  EXPECT_EQ(unpacked->job(1).at("project").as_string(), "p");
}

TEST(Results, AFolderShowsOneEvaluationAndAsManyMatricesAsFit) {
  constexpr int kSide = 1'500;  // 16 bytes a cell: one fits, two don't
  std::string matrix;
  for (int row = 0; row <= kSide; ++row) {
    matrix += row == 0 ? "" : "c" + std::to_string(row);
    for (int column = 1; column <= kSide; ++column)
      matrix += row == 0 ? ",c" + std::to_string(column) : ",123456789012345";
    matrix += row == 0 ? ",Recall\n" : ",1\n";
  }
  const auto unpacked = unpack(archive_of({{"results.nnp", "m"},
                                           {"OUTPUT_RESULT.CSV", "x\n1\n"},
                                           {"output_result.csv", "y\n2\n3\n"},
                                           {"confusion_matrix_a.csv", matrix},
                                           {"confusion_matrix_b.csv", matrix}}));
  ASSERT_TRUE(unpacked.ok()) << describe(unpacked.error());
  const json::object& job = unpacked->job(0);
  const auto count_of = [&](std::string_view kind) {
    const json::array& parts = job.at("parts").as_array();
    return std::count_if(parts.begin(), parts.end(),
                         [&](const json::value& part) { return part.at("kind").as_string() == kind; });
  };
  EXPECT_EQ(count_of("file"), 4);
  EXPECT_EQ(count_of("columns"), 1);
  EXPECT_EQ(count_of("rows"), 1);
  EXPECT_LE(unpacked->part(0, "confusion").size(), limits::kResultJsonBytes);
  const json::object& results = job.at("results").as_object();
  ASSERT_TRUE(results.contains("confusion") && results.contains("warnings")) << json::serialize(results);
  EXPECT_EQ(results.at("confusion").as_array().size(), 1U);
  EXPECT_EQ(results.at("warnings").as_array().size(), 2U);
}

TEST(Results, NamesOfJobsAndProjects) {
  const auto names_of = [](const Files& files, const std::string& name = "my.zip") {
    const auto unpacked = unpack(archive_of(files), name);
    std::string text;
    for (std::size_t i = 0; unpacked.ok() && i < unpacked->jobs_count(); ++i)
      text += std::string(unpacked->job(i).at("project").as_string()) + "/" +
              std::string(unpacked->job(i).at("name").as_string()) + " ";
    return text;
  };
  EXPECT_EQ(names_of({{"results.nnp", "m"}, {"result.ini", ""}}), "/my ");
  EXPECT_EQ(names_of({{"a/results.nnp", "m"}, {"a/log.txt", ""}}), "/a ");
  EXPECT_EQ(names_of({{"a/results.nnp", "m"}, {"b/results.nnp", "m"}}, "q.files.zip"), "q/a q/b ");
  EXPECT_EQ(names_of({{"z/a/results.nnp", "m"}, {"z/b/results.nnp", "m"}}), "z/a z/b ");
  EXPECT_EQ(names_of({{"d\\a.files\\1\\results.nnp", "m"}}), "a/1 ");
  EXPECT_EQ(names_of({{"m/iris.nnp", "m"}, {"m/digits.onnx", "m"}}), "/iris /digits ");
}

TEST(Results, TheBestModelIsTaken) {
  const auto model_of = [](const Files& files) { return unpack(archive_of(files))->model(0); };
  EXPECT_EQ(model_of({{"result.nnp", "2"}, {"results.nnp", "1"}}), "1");
  EXPECT_EQ(model_of({{"results_current_90.nnp", "90"}, {"results_current_100.nnp", "100"}}), "100");
  EXPECT_EQ(model_of({{"results_current_90.nnp", "90"}, {"RESULT.NNP", "2"}}), "2");
  EXPECT_EQ(model_of({{"b.onnx", "b"}, {"a.onnx", "a"}, {"result.ini", ""}}), "a");
}

TEST(Results, AFileThatIsAModelIsAJobByItself) {
  for (const auto& [bytes, name] : {std::pair<std::string, std::string>("\x08\x07", "m.onnx"),
                                    {archive_of({{"net.nntxt", ""}, {"results.nnp", ""}}), "m.nnp"},
                                    {archive_of({{"network.prototxt", ""}}), "m.zip"},
                                    {"no archive", "m"}}) {
    const auto unpacked = unpack(bytes, name);
    ASSERT_TRUE(unpacked.ok());
    EXPECT_TRUE(unpacked->job(0).at("model").at("upload").as_bool()) << name;
    EXPECT_EQ(unpacked->job(0).at("name").as_string(), "m");
    EXPECT_TRUE(unpacked->parts.empty());
  }
}

TEST(Results, AFolderWithoutAModelIsRefusedOrLeftOut) {
  const auto alone = unpack(archive_of({{"20210410_155606/result.ini", "[result]\n"}}));
  ASSERT_FALSE(alone.ok());
  EXPECT_EQ(alone.error().code, Code::kInvalidArgument);
  EXPECT_NE(alone.error().text.find("'20210410_155606' holds results but no model"), std::string::npos);
  const auto one_of_two = unpack(archive_of({{"a/result.ini", ""}, {"b/results.nnp", "m"}}));
  ASSERT_TRUE(one_of_two.ok());
  EXPECT_EQ(one_of_two->jobs_count(), 1U);
  EXPECT_NE(json::serialize(one_of_two->index.at("warnings")).find("'a' holds results but no model"),
            std::string::npos);
  EXPECT_NE(unpack(archive_of({{"a.txt", ""}})).error().text.find("no model"), std::string::npos);
  EXPECT_FALSE(unpack("").ok());
  EXPECT_FALSE(unpack("PK\3\4 and then nothing").ok());
}

TEST(Results, WhatIsBrokenInAFolderIsSaidInItsSummary) {
  std::string archive = archive_of({{"results.nnp", "m"},
                                    {"monitoring_report.yml", "?\n"},
                                    {"result.ini", "[result]\nbest=zzzzzzzzzzzzzz\n"}});
  const std::size_t place = archive.find("zzzz");
  if (place != std::string::npos) archive[place] = 'y';  // its checksum is wrong now
  const auto unpacked = unpack(archive);
  ASSERT_TRUE(unpacked.ok());
  const std::string warnings = json::serialize(unpacked->job(0).at("results").at("warnings"));
  EXPECT_NE(warnings.find("monitoring_report.yml, line 1"), std::string::npos) << warnings;
  if (place != std::string::npos) {
    EXPECT_NE(warnings.find("result.ini: left out: "), std::string::npos) << warnings;
  }
}

TEST(Results, CountsAndSizesAreBounded) {
  Files many;
  for (std::size_t i = 0; i <= limits::kImportJobsCount; ++i)
    many.push_back({std::to_string(i) + "/results.nnp", ""});
  EXPECT_EQ(unpack(archive_of(many)).error().code, Code::kTooLarge);
  many.pop_back();
  EXPECT_EQ(unpack(archive_of(many))->jobs_count(), limits::kImportJobsCount);
  const auto large = unpack(archive_of({{"results.nnp", "m"}, {"log.txt", std::string(65 << 20, 'a')}}));
  ASSERT_TRUE(large.ok());
  EXPECT_NE(json::serialize(large->job(0).at("results")).find("log.txt: left out: "), std::string::npos);
  Files matrices{{"results.nnp", "m"}};
  for (int i = 0; i < 100; ++i)
    matrices.push_back({"confusion_matrix_" + std::string(200, 'v') + std::to_string(i) + ".csv",
                        ",a,b,Recall\na,1,0,\nb,0,1,\n"});
  const auto wide = unpack(archive_of(matrices));
  ASSERT_TRUE(wide.ok());
  EXPECT_LE(json::serialize(wide->job(0).at("results")).size(), limits::kResultSummaryBytes);
}

TEST(Results, TheSinksErrorEndsIt) {
  class FullSink final : public PartSink {
    Status write(ByteView) override { return make_error(Code::kTooLarge, "full"); }
  } sink;
  EXPECT_EQ(unpack_results(bytes_of(archive_of({{"results.nnp", "m"}})), "a.zip", sink).error().text, "full");
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Results, RealFoldersOfTheDesktopToolAreWhole) {
  const fs::path projects = fs::path(NOREN_SOURCE_DIR) / "../shared/projects";
  if (!fs::exists(projects)) GTEST_SKIP() << "no shared projects here";
  Files files;
  for (const auto& entry : fs::recursive_directory_iterator(projects))
    if (entry.is_regular_file())
      files.push_back({entry.path().lexically_relative(projects).generic_string(), read_file(entry.path())});
  const auto unpacked = unpack(archive_of(files));
  ASSERT_TRUE(unpacked.ok()) << describe(unpacked.error());
  ASSERT_EQ(unpacked->jobs_count(), 7U);
  EXPECT_TRUE(unpacked->index.at("warnings").as_array().empty());
  for (std::size_t i = 0; i < 7; ++i) {
    const json::object& results = unpacked->job(i).at("results").as_object();
    EXPECT_EQ(results.if_contains("warnings"), nullptr) << json::serialize(results);
    const json::object& facts = results.at("result").as_object();
    EXPECT_EQ(results.at("curves").at("epochs"), facts.at("epoch"));
    const json::object curves = json::parse(unpacked->part(i, "curves")).as_object();
    double best = 1e9;
    std::int64_t best_epoch = 0;
    for (const auto& series : curves.at("series").as_array()) {
      if (series.at("name").as_string() != "valid_error") continue;
      for (std::size_t k = 0; k < series.at("values").as_array().size(); ++k) {
        const auto value = series.at("values").at(k).to_number<double>();
        if (value >= best) continue;
        best = value;
        best_epoch = series.at("epochs").at(k).to_number<std::int64_t>();
      }
    }
    EXPECT_EQ(best_epoch, facts.at("best_epoch").to_number<std::int64_t>());
    EXPECT_NEAR(best, facts.at("best_validation").to_number<double>(), 1e-6);
  }
}

}  // namespace
}  // namespace noren::worker
