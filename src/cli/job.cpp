// noren job: one imported job, and what its training recorded.
#include <cerrno>
#include <fstream>
#include <map>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "base/bytes.h"
#include "cli/session.h"

namespace noren::cli {
namespace {

namespace json = boost::json;

void print_facts(const json::object& job) {
  std::vector<Line> lines;
  for (const char* name :
       {"id", "project", "name", "file_name", "size_bytes", "cost_parameter", "kept", "created"})
    if (const json::value* value = job.if_contains(name)) lines.push_back({name, shown(*value)});
  print_lines(lines);
  const json::object& results = object_in(job, "results");
  print_members(object_in(results, "result"), "Training");
  print_members(object_in(object_in(results, "curves"), "last"), "Last values");
  for (const json::value& matrix : list_in(results, "confusion"))
    if (matrix.is_object())
      print_members(matrix.get_object(), "Confusion matrix " + text_of(matrix.get_object(), "name"));
  print_members(object_in(results, "evaluation"), "Evaluation");
  print_members(object_in(object_in(job, "description"), "statistics"), "Network statistics");
  for (const json::value& warning : list_in(results, "warnings")) print("note: " + shown(warning) + "\n");
}

/// A row an epoch, a column a curve.
void print_curves(const json::object& curves) {
  const json::array& series = list_in(curves, "series");
  std::vector<std::vector<std::string>> rows = {{"EPOCH"}};
  std::map<std::int64_t, std::vector<std::string>> epochs;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const json::object& curve = series[i].as_object();
    rows[0].push_back(text_of(curve, "name"));
    const json::array& numbers = list_in(curve, "epochs");
    const json::array& values = list_in(curve, "values");
    for (std::size_t k = 0; k < numbers.size() && k < values.size(); ++k) {
      auto& row = epochs[numbers[k].is_int64() ? numbers[k].get_int64() : 0];
      row.resize(series.size(), "");
      row[i] = shown(values[k]);
    }
  }
  for (const auto& [epoch, values] : epochs) {
    rows.push_back({std::to_string(epoch)});
    rows.back().insert(rows.back().end(), values.begin(), values.end());
  }
  print_table(rows);
}

void print_evaluation(const json::object& evaluation) {
  std::vector<std::vector<std::string>> rows = {{"INDEX"}};
  for (const json::value& column : list_in(evaluation, "columns"))
    rows[0].push_back(text_of(column.as_object(), "name"));
  std::int64_t index = number_of(evaluation, "offset");
  for (const json::value& row : list_in(evaluation, "rows")) {
    rows.push_back({std::to_string(index++)});
    for (const json::value& cell : row.as_array()) rows.back().push_back(shown(cell));
  }
  print_table(rows);
  remark(fmt::format("{} rows in all", number_of(evaluation, "total")));
}

void print_confusion(const json::object& confusion) {
  for (const json::value& value : list_in(confusion, "matrices")) {
    const json::object& matrix = value.as_object();
    std::vector<std::vector<std::string>> rows = {{text_of(matrix, "name")}};
    for (const json::value& column : list_in(matrix, "columns")) rows[0].push_back(shown(column));
    rows[0].emplace_back("recall");
    const json::array& recall = list_in(matrix, "recall");
    for (std::size_t i = 0; i < list_in(matrix, "rows").size(); ++i) {
      rows.push_back({shown(list_in(matrix, "rows")[i])});
      for (const json::value& count : list_in(matrix, "counts")[i].as_array())
        rows.back().push_back(shown(count));
      rows.back().push_back(i < recall.size() ? shown(recall[i]) : "");
    }
    for (const char* measure : {"precision", "f_measure"}) {
      rows.push_back({measure});
      for (const json::value& each : list_in(matrix, measure)) rows.back().push_back(shown(each));
    }
    print_table(rows);
    for (const char* measure : {"accuracy", "avg_precision", "avg_recall", "avg_f_measure"})
      if (const json::value* number = matrix.if_contains(measure))
        print(fmt::format("{}  {}\n", measure, shown(*number)));
  }
}

void print_files(const json::object& files) {
  std::vector<std::vector<std::string>> rows = {{"NAME", "BYTES", "KIND"}};
  for (const json::value& file : list_in(files, "files"))
    rows.push_back({text_of(file.as_object(), "name"),
                    std::to_string(number_of(file.as_object(), "size_bytes")),
                    text_of(file.as_object(), "kind")});
  print_table(rows);
}

/// Never over a file that is there.
Status save(const Session& session, const std::string& path, const JobOptions& options) {
  const std::string target = options.target.empty() ? options.file : options.target;
  ASSIGN_OR_RETURN(const std::string bytes, session.load(path + "/files/" + encoded(options.file)));
  if (std::ifstream(target).good())
    return make_error(Code::kAlreadyExists, fmt::format("there is a file {} already: give --to", target));
  std::ofstream file(target, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) return invalid(fmt::format("can't write {}", target));
  remark(fmt::format("{} bytes are in {}", bytes.size(), target));
  return Ok{};
}

}  // namespace

Status job(const Hooks& hooks, const Common& common, const JobOptions& options) {
  using Part = JobOptions::Part;
  struct View {
    Part part;
    std::string path;
    void (*print)(const json::object& object);
  };
  ASSIGN_OR_RETURN(const Session session, Session::find(hooks, common.where));
  const std::string path = "jobs/" + encoded(options.id);
  if (options.part == Part::kSave) return save(session, path, options);
  const View views[] = {
      {Part::kFacts, "", print_facts},
      {Part::kCurves, "/curves", print_curves},
      {Part::kConfusion, "/confusion", print_confusion},
      {Part::kFiles, "/files", print_files},
      {Part::kEvaluation,
       fmt::format("/evaluation?offset={}&limit={}", options.first_row, options.rows_count),
       print_evaluation},
  };
  for (const View& view : views) {
    if (view.part != options.part) continue;
    ASSIGN_OR_RETURN(const json::object answer, session.ask("GET", path + view.path));
    if (common.form == Form::kJson)
      print_json(answer);
    else
      view.print(answer);
  }
  return Ok{};
}

}  // namespace noren::cli
