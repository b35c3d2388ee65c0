#include <gtest/gtest.h>
#include <boost/json.hpp>

#include "base/result_limits.h"
#include "worker/results/confusion_matrix.h"
#include "worker/results/evaluation.h"
#include "worker/results/monitoring_report.h"
#include "worker/results/result_ini.h"

namespace noren::worker::results {
namespace {

namespace json = boost::json;

class MemorySink final : public PartSink {
 public:
  Status write(ByteView bytes) override {
    text += text_of(bytes);
    return Ok{};
  }
  std::string text;
};

std::vector<Curve> report(std::string_view text, Warnings& warnings) {
  return read_monitoring_report(text, "r.yml", warnings);
}

TEST(MonitoringReport, EpochsCountFromOneWhateverTheFileBeginsWith) {
  Warnings warnings;
  const auto curves = report("0:\r\n  cost: 0.5\r\n  valid_error: 1e-05\r\n1:\r\n  cost: 0.25\r\n", warnings);
  ASSERT_EQ(curves.size(), 2U);
  EXPECT_EQ(curves[0].name, "cost");
  ASSERT_EQ(curves[0].points.size(), 2U);
  EXPECT_EQ(curves[0].points[1].epoch, 2);
  EXPECT_EQ(curves[0].points[1].value, 0.25);
  EXPECT_EQ(curves[1].points[0].epoch, 1);
  EXPECT_TRUE(warnings.list().empty());
  EXPECT_EQ(report("1:\n  cost: 0\n", warnings)[0].points[0].epoch, 1);
  EXPECT_EQ(json::serialize(curves_json(report("3:\n  a: .nan\n2:\n  a: 7\n", warnings))),
            R"({"series":[{"name":"a","epochs":[2,3],"values":[7,"nan"]}]})");
}

TEST(MonitoringReport, WhatIsBrokenIsLeftOutWithItsLine) {
  Warnings warnings;
  const auto curves = report("0:\n  cost: 1\n  cost: 2\nx:\n  cost: 3\n  ??\n1:\n  cost: 4\n0:\n", warnings);
  ASSERT_EQ(curves.size(), 1U);
  ASSERT_EQ(curves[0].points.size(), 2U);
  EXPECT_EQ(curves[0].points[1].value, 4);
  ASSERT_EQ(warnings.list().size(), 4U);
  EXPECT_EQ(warnings.list()[0], "r.yml, line 3: the epoch has this value twice");
  EXPECT_EQ(warnings.list()[1], "r.yml, line 4: this is no epoch's number");
  EXPECT_EQ(warnings.list()[2], "r.yml, line 6: this is no 'name: number'");
  EXPECT_EQ(warnings.list()[3], "r.yml: there is more in it like this");
}

TEST(MonitoringReport, HostileOnesAreBounded) {
  Warnings warnings;
  EXPECT_TRUE(report(std::string(1'000'000, '\n'), warnings).empty());
  EXPECT_TRUE(report(std::string("\0\x80\xff:\n ", 6), warnings).empty());
  EXPECT_TRUE(report("99999999999999999999:\n  a: 1\n-1:\n  a: 1\n1000000000:\n  a: 1\n", warnings).empty());
  std::string many = "0:\n";
  for (int i = 0; i < 100; ++i) many += "  s" + std::to_string(i) + ": 1\n";
  EXPECT_EQ(report(many, warnings).size(), limits::kCurveSeriesCount);
  std::string long_one;
  for (std::int64_t i = 0; i <= limits::kCurveEpochsCount; ++i) long_one += std::to_string(i) + ":\n  a: 1\n";
  EXPECT_EQ(report(long_one, warnings)[0].points.size(), static_cast<std::size_t>(limits::kCurveEpochsCount));
  EXPECT_LE(warnings.list().size(), 4U);
}

TEST(ResultIni, NumbersAreNumbersAndOtherSectionsAreSkipped) {
  Warnings warnings;
  const json::object facts = read_result_ini(
      "\xEF\xBB\xBF[result]\r\nbest_epoch=5\r\ntraining=1e-06\r\nnote = a=b\r\n[other]\r\nx=1\r\n"
      "[statistics]\r\nOutput=52\r\nbroken\r\n",
      "result.ini", warnings);
  EXPECT_EQ(
      json::value(facts),
      json::parse(R"({"result":{"best_epoch":5,"training":1e-06,"note":"a=b"},"statistics":{"Output":52}})"));
  EXPECT_EQ(warnings.list(), std::vector<std::string>{"result.ini, line 9: this is no 'name=value'"});
  std::string many = "[result]\n";
  for (int i = 0; i < 1000; ++i) many += "k" + std::to_string(i) + "=1\n";
  EXPECT_EQ(read_result_ini(many, "result.ini", warnings).at("result").as_object().size(),
            limits::kResultIniKeysCount);
}

struct Written {
  std::optional<EvaluationSize> size;
  std::vector<Part> parts;
  std::vector<std::string> warnings;
  std::string text;
  std::string of(const Part& part) const { return text.substr(part.offset, part.size_bytes); }
};

Written evaluate(std::string_view text) {
  MemorySink sink;
  PartWriter writer(sink);
  Warnings warnings;
  Written written;
  written.size = write_evaluation(text, "output_result.csv", writer, written.parts, warnings).value();
  written.warnings = warnings.list();
  written.text = sink.text;
  return written;
}

TEST(Evaluation, ColumnsAreTakenApartAndRowsAreALineEach) {
  const Written w =
      evaluate("x:image,y__1:a:b,y'__0,n\r\nD:\\a\\1.png,6,2.0036366e-09,nan\r\n,01,\"q\"\"\",-3\r\n");
  ASSERT_TRUE(w.size.has_value());
  EXPECT_EQ(w.size->rows_count, 2);
  EXPECT_EQ(w.size->columns_count, 4);
  ASSERT_EQ(w.parts.size(), 2U);
  EXPECT_EQ(w.parts[0].kind, "columns");
  EXPECT_EQ(json::parse(w.of(w.parts[0])),
            json::parse(R"({"columns":[{"name":"x:image","variable":"x","label":"image"},
              {"name":"y__1:a:b","variable":"y","index":1,"label":"a:b"},
              {"name":"y'__0","variable":"y'","index":0},{"name":"n","variable":"n"}]})"));
  EXPECT_EQ(w.of(w.parts[1]), "[\"D:\\\\a\\\\1.png\",6,2.0036366e-09,\"nan\"]\n[\"\",\"01\",\"q\\\"\",-3]\n");
  EXPECT_EQ(w.parts[1].rows_count, 2);
  EXPECT_TRUE(w.warnings.empty());
}

TEST(Evaluation, RowsOfAnotherWidthAreSaidAndMadeToFit) {
  const Written w = evaluate("a,b\n1\n1,2,3\n\n4,5\n");
  EXPECT_EQ(w.of(w.parts[1]), "[1,\"\"]\n[1,2]\n[4,5]\n");
  EXPECT_EQ(w.warnings,
            (std::vector<std::string>{"output_result.csv, line 2: 1 cells where there are 2 columns",
                                      "output_result.csv, line 3: 3 cells where there are 2 columns"}));
}

TEST(Evaluation, ManyRowsComeInChunksThatFollowEachOther) {
  std::string text = "x,y\n";
  const std::string cell(1000, 'a');
  for (int i = 0; i < 10'000; ++i) text += cell + "," + std::to_string(i) + "\n";
  const Written w = evaluate(text);
  ASSERT_GT(w.parts.size(), 3U);
  std::int64_t next = 0;
  for (std::size_t i = 1; i < w.parts.size(); ++i) {
    EXPECT_EQ(w.parts[i].first_row, next);
    next += w.parts[i].rows_count;
    EXPECT_LE(w.parts[i].size_bytes, limits::kEvaluationChunkBytes + 2000);
    EXPECT_TRUE(w.of(w.parts[i]).ends_with("," + std::to_string(next - 1) + "]\n"));
  }
  EXPECT_EQ(next, 10'000);
}

TEST(Evaluation, HostileTablesAreBoundedAndSaid) {
  EXPECT_FALSE(evaluate("").size.has_value());
  EXPECT_FALSE(evaluate("\n\n").size.has_value());
  EXPECT_EQ(evaluate("a\n\"b").warnings,
            std::vector<std::string>{"output_result.csv, line 2: the file ends inside of quotes"});
  EXPECT_NE(evaluate("a\n\x83\x41\n").warnings[0].find("not UTF-8"), std::string::npos);
  const Written wide = evaluate(std::string(50'000, ',') + "\n1,2\n");
  EXPECT_EQ(wide.size->columns_count, static_cast<std::int64_t>(limits::kTableColumnsCount));
  EXPECT_NE(wide.warnings[0].find("10000 of 50001 columns"), std::string::npos);
  std::string tall = "a\n";
  for (std::size_t i = 0; i <= limits::kEvaluationRowsCount; ++i) tall += "1\n";
  const Written w = evaluate(tall);
  EXPECT_EQ(w.size->rows_count, static_cast<std::int64_t>(limits::kEvaluationRowsCount));
  EXPECT_EQ(w.warnings, std::vector<std::string>{
                            "output_result.csv, line 1000002: only the first 1000000 rows are kept"});
}

TEST(Evaluation, ShortRowsThatAreFilledUpAreBounded) {
  class CountingSink final : public PartSink {
   public:
    Status write(ByteView bytes) override {
      size_bytes += bytes.size();
      return Ok{};
    }
    std::uint64_t size_bytes = 0;
  } sink;
  std::string text(limits::kTableColumnsCount - 1, ',');
  for (int i = 0; i < 20'000; ++i) text += "\n1";
  PartWriter writer(sink);
  Warnings warnings;
  std::vector<Part> parts;
  const auto size = write_evaluation(text, "t.csv", writer, parts, warnings);
  ASSERT_TRUE(size.ok() && size->has_value());
  EXPECT_LT((*size)->rows_count, 20'000);
  EXPECT_GT(sink.size_bytes, limits::kEvaluationBytes);
  EXPECT_LT(sink.size_bytes, limits::kEvaluationBytes + 2 * limits::kEvaluationChunkBytes);
}

constexpr const char* kMatrix =
    ",y'__0,y'__1,Recall\r\ny:S=0,113,21,0.8432\r\ny:S=1,27,62,0.6966\r\nPrecision,0.8071,0.7469,\r\n"
    "F-Measures,0.8247,0.7208,\r\n,,,\r\nAccuracy,0.7847,,\r\nAvg.Precision,0.7770,,\r\n";

TEST(ConfusionMatrix, MeasuresAreComputedFromTheCounts) {
  Warnings warnings;
  const auto matrix = read_confusion_matrix(kMatrix, "y", "c.csv", warnings);
  ASSERT_TRUE(matrix.has_value());
  EXPECT_TRUE(warnings.list().empty());
  EXPECT_EQ(json::serialize(matrix->at("counts")), "[[113,21],[27,62]]");
  EXPECT_EQ(json::serialize(matrix->at("columns")), R"(["y'__0","y'__1"])");
  EXPECT_DOUBLE_EQ(matrix->at("accuracy").as_double(), 175.0 / 223);
  EXPECT_DOUBLE_EQ(matrix->at("recall").at(0).as_double(), 113.0 / 134);
  EXPECT_DOUBLE_EQ(matrix->at("precision").at(1).as_double(), 62.0 / 83);
  EXPECT_DOUBLE_EQ(matrix->at("f_measure").at(1).as_double(), 2 * 62.0 / (83 + 89));
  EXPECT_NEAR(matrix->at("avg_precision").as_double(), 0.7770, 1e-4);
  EXPECT_NEAR(matrix->at("avg_f_measure").as_double(), 0.7728, 1e-4);
}

TEST(ConfusionMatrix, ACategoryThatNeverCameHasNoMeasure) {
  Warnings warnings;
  const auto matrix = read_confusion_matrix(",a,b,Recall\na,3,0,\nb,0,0,\n", "y", "c.csv", warnings);
  ASSERT_TRUE(matrix.has_value());
  EXPECT_TRUE(matrix->at("recall").at(1).is_null());
  EXPECT_EQ(matrix->at("avg_recall").as_double(), 1);
}

TEST(ConfusionMatrix, WhatIsNoneIsLeftOutWithItsLine) {
  const auto refused = [](std::string_view text) {
    Warnings warnings;
    EXPECT_FALSE(read_confusion_matrix(text, "y", "c.csv", warnings).has_value()) << text;
    return warnings.list().empty() ? std::string() : warnings.list()[0];
  };
  EXPECT_NE(refused("").find("c.csv, line 1"), std::string::npos);
  EXPECT_NE(refused("a,b,c\n").find("line 1"), std::string::npos);
  EXPECT_NE(refused(",a,b,Recall\n").find("no counts"), std::string::npos);
  EXPECT_NE(refused(",a,b,Recall\na,1,x,0\n").find("line 2: cell 3 is no count"), std::string::npos);
  EXPECT_NE(refused(",a,b,Recall\na,1,2,0\nb,1\n").find("line 3"), std::string::npos);
  EXPECT_NE(refused(",a,b,Recall\na,1,-2,0\n").find("line 2"), std::string::npos);
  EXPECT_NE(refused("," + std::string(limits::kMatrixSideCount + 1, ',') + "Recall\n").find("categories"),
            std::string::npos);
}

TEST(ConfusionMatrix, OneThatContradictsItselfIsSaid) {
  Warnings warnings;
  ASSERT_TRUE(
      read_confusion_matrix(",a,b,Recall\na,1,1,0\nb,1,1,0\nAccuracy,0.9,,\n", "y", "c.csv", warnings));
  EXPECT_EQ(warnings.list(), std::vector<std::string>{"c.csv: its Accuracy is not what its counts give"});
  ASSERT_TRUE(read_confusion_matrix(",a,b,Recall\na,1,1,0\n", "y", "d.csv", warnings));
  EXPECT_NE(warnings.list()[1].find("not the same categories"), std::string::npos);
}

}  // namespace
}  // namespace noren::worker::results
