#include <gtest/gtest.h>

#include "base/result_limits.h"
#include "worker/results/csv.h"
#include "worker/results/values.h"

namespace noren::worker::results {
namespace {

std::vector<std::vector<std::string>> records_of(std::string_view text) {
  CsvReader reader(text);
  std::vector<std::vector<std::string>> all;
  for (std::vector<std::string> cells; reader.next(cells);) all.push_back(cells);
  return all;
}

TEST(Csv, CellsQuotesAndLineEnds) {
  using Table = std::vector<std::vector<std::string>>;
  EXPECT_EQ(records_of("a,b\r\n1,2\n3,4"), (Table{{"a", "b"}, {"1", "2"}, {"3", "4"}}));
  EXPECT_EQ(records_of("\"a,\"\"b\"\"\n\",c\n"), (Table{{"a,\"b\"\n", "c"}}));
  EXPECT_EQ(records_of(",,\n"), (Table{{"", "", ""}}));
  EXPECT_EQ(records_of("a\rb"), (Table{{"a"}, {"b"}}));
  EXPECT_EQ(records_of("x\"y\",1"), (Table{{"x\"y\"", "1"}}));
  EXPECT_TRUE(records_of("").empty());
}

TEST(Csv, LinesAreCountedThroughQuotesAndAnOpenOneIsKnown) {
  CsvReader reader("a\n\"b\nc\"\nd,\"e");
  std::vector<std::string> cells;
  ASSERT_TRUE(reader.next(cells));
  ASSERT_TRUE(reader.next(cells));
  EXPECT_EQ(reader.line(), 2U);
  ASSERT_TRUE(reader.next(cells));
  EXPECT_EQ(reader.line(), 4U);
  EXPECT_TRUE(reader.is_open());
  EXPECT_EQ(cells, (std::vector<std::string>{"d", "e"}));
}

TEST(Csv, CellsAndColumnsAreBounded) {
  const std::string wide(limits::kTableColumnsCount + 4, ',');
  CsvReader reader(wide);
  std::vector<std::string> cells;
  ASSERT_TRUE(reader.next(cells));
  EXPECT_EQ(cells.size(), limits::kTableColumnsCount);
  EXPECT_EQ(reader.cells_count(), limits::kTableColumnsCount + 5);
  const std::string exact(limits::kTableCellBytes, 'x');
  EXPECT_EQ(records_of(exact)[0][0], exact);
  EXPECT_EQ(records_of(exact + "yz,1")[0], (std::vector<std::string>{exact, "1"}));
  EXPECT_EQ(records_of("\"" + exact + "y\"")[0][0], exact);
}

TEST(Values, NumbersAsTrainingWritesThem) {
  EXPECT_EQ(parse_number("1e-05"), 1e-05);
  EXPECT_EQ(parse_number("-.5"), -0.5);
  EXPECT_EQ(parse_number("+3"), 3);
  EXPECT_TRUE(std::isnan(*parse_number(".nan")));
  EXPECT_EQ(parse_number("-.inf"), -INFINITY);
  EXPECT_EQ(parse_number("Infinity"), INFINITY);
  for (const char* bad : {"", "-", "--1", "1x", "0x10", ".", "e5", "1 2", "true",
                          "00000000000000000000000000000000000000000000000001"})
    EXPECT_FALSE(parse_number(bad).has_value()) << bad;
  EXPECT_EQ(parse_count("12"), 12);
  for (const char* bad : {"", "-1", "1.0", "99999999999999999999", " 1"})
    EXPECT_FALSE(parse_count(bad).has_value()) << bad;
}

TEST(Values, OnlyWhatJsonTakesAsItStandsIsANumberOfIt) {
  for (const char* good : {"0", "-0.5", "1.17e-10", "2E+3", "28.0", "123456789012345678901234567890"})
    EXPECT_TRUE(is_json_number(good)) << good;
  for (const char* bad : {"", "-", "01", "1.", ".5", "+1", "nan", "1e999", "1e", "0x1", "1,2", " 1"})
    EXPECT_FALSE(is_json_number(bad)) << bad;
}

TEST(Values, TextIsCleanedAndCutAtACharacter) {
  EXPECT_EQ(clean_text("a\tb\x80\xE5\x90\x8D", 100), "a b\xEF\xBF\xBD\xE5\x90\x8D");
  EXPECT_EQ(clean_text("ab\xE5\x90\x8D", 4), "ab");
  EXPECT_EQ(clean_text("\xE5\x90", 100), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(clean_text("", 4), "");
}

}  // namespace
}  // namespace noren::worker::results
