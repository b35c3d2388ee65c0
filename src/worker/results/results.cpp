#include "worker/results/results.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/json.hpp>

#include "base/limits.h"
#include "base/result_limits.h"
#include "worker/model_file/nnp/archive.h"
#include "worker/model_file/nnp/nnp.h"
#include "worker/model_file/text.h"
#include "worker/results/confusion_matrix.h"
#include "worker/results/evaluation.h"
#include "worker/results/folders.h"
#include "worker/results/monitoring_report.h"
#include "worker/results/parts.h"
#include "worker/results/result_ini.h"
#include "worker/results/values.h"
#include "worker/results/warnings.h"

namespace noren::worker {
namespace {

using namespace results;  // NOLINT: the room's own private names
namespace json = boost::json;

/// A folder's name, as training gives it: the time of its start, on the clock of that machine.
std::optional<std::string> start_time(std::string_view name) {
  constexpr std::string_view kForm = "00000000_000000";
  if (name.size() != kForm.size()) return std::nullopt;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (kForm[i] == '_' ? name[i] != '_' : name[i] < '0' || name[i] > '9') return std::nullopt;
  }
  const auto piece = [&](std::size_t at, std::size_t count) { return std::string(name.substr(at, count)); };
  return piece(0, 4) + "-" + piece(4, 2) + "-" + piece(6, 2) + "T" + piece(9, 2) + ":" + piece(11, 2) + ":" +
         piece(13, 2);
}

json::object part_json(const Part& part) {
  json::object row{{"kind", part.kind},
                   {"name", clean_text(part.name, limits::kNameBytes)},
                   {"offset", part.offset},
                   {"size", part.size_bytes}};
  if (part.kind == "rows") {
    row["first_row"] = part.first_row;
    row["rows"] = part.rows_count;
  }
  return row;
}

/// One folder: its parts are written, its summary is collected.
class FolderReader {
 public:
  FolderReader(nnp::Archive& archive, PartWriter& writer, const ResultFolder& folder)
      : archive_(archive), writer_(writer), folder_(folder) {}

  /// The job's row of the index.
  Result<json::object> read() {
    json::object job{{"name", clean_text(folder_.name, limits::kNameBytes)},
                     {"project", clean_text(folder_.project, limits::kNameBytes)}};
    ASSIGN_OR_RETURN(auto source, archive_.open_member(*folder_.model, limits::kModelFileBytes));
    ASSIGN_OR_RETURN(const Part model, writer_.copy("model", folder_.model_name, *source));
    job["model"] = part_json(model);
    summary_["folder"] = clean_text(folder_.name, limits::kNameBytes);
    if (const auto started = start_time(folder_.name)) summary_["started"] = *started;
    std::size_t kept_count = 0;
    for (const FolderFile& file : folder_.files) {
      if (++kept_count > limits::kResultFilesCount) {
        warnings_.add(file.name, "the folder has more files than are kept");
        break;
      }
      TRY(read_file(file));
    }
    TRY(write_curves());
    TRY(write_matrices());
    json::array parts;
    for (const Part& part : parts_) parts.push_back(part_json(part));
    job["parts"] = std::move(parts);
    job["results"] = finished_summary();
    return job;
  }

 private:
  /// A file that can't be read is left out; only a full disk, so to speak, ends the import.
  Status read_file(const FolderFile& file) {
    const bool is_table = has_ending(file.name, "output_result.csv");
    const std::size_t limit = is_table ? limits::kEvaluationFileBytes : limits::kResultTextBytes;
    auto bytes = archive_.read_member(*file.member, limit);
    if (!bytes.ok()) {
      warnings_.add(file.name, "left out: " + bytes.error().text);
      return Ok{};
    }
    ASSIGN_OR_RETURN(Part part, writer_.add("file", file.name, *bytes));
    parts_.push_back(std::move(part));
    const std::string_view text = text_of(*bytes);
    if (is_table) return read_evaluation(file.name, text);
    if (is_matrix_name(file.name))
      read_matrix(file.name, text);
    else if (has_ending(file.name, "monitoring_report.yml"))
      curves_ = read_monitoring_report(text, file.name, warnings_);
    else if (has_ending(file.name, "result.ini"))
      for (auto& section : read_result_ini(text, file.name, warnings_))
        summary_[section.key()] = std::move(section.value());
    return Ok{};
  }

  /// A job shows one: rows of two tables would be told apart by nothing.
  Status read_evaluation(const std::string& name, std::string_view text) {
    if (summary_.contains("evaluation")) {
      warnings_.add(name, "one evaluation too many: kept as a file only");
      return Ok{};
    }
    ASSIGN_OR_RETURN(const auto size, write_evaluation(text, name, writer_, parts_, warnings_));
    if (size) summary_["evaluation"] = {{"rows", size->rows_count}, {"columns", size->columns_count}};
    return Ok{};
  }

  void read_matrix(const std::string& name, std::string_view text) {
    if (matrices_.size() == limits::kMatricesCount)
      return warnings_.add(name, "one matrix too many: left out");
    auto matrix = read_confusion_matrix(text, matrix_of(name), name, warnings_);
    if (!matrix) return;
    matrices_bytes_ += json::serialize(*matrix).size() + 1;
    if (matrices_bytes_ > limits::kResultJsonBytes - limits::kKiB)
      return warnings_.add(name, "too large to be shown beside the others: kept as a file only");
    json::object row{{"name", matrix->at("name")}, {"categories", matrix->at("rows").as_array().size()}};
    for (const char* measure : {"accuracy", "avg_precision", "avg_recall", "avg_f_measure"})
      if (const json::value* value = matrix->if_contains(measure)) row[measure] = *value;
    confusion_.push_back(std::move(row));
    matrices_.push_back(std::move(*matrix));
  }

  Status write_curves() {
    if (curves_.empty()) return Ok{};
    const std::string text = json::serialize(curves_json(curves_));
    ASSIGN_OR_RETURN(Part part, writer_.add("curves", "curves", bytes_of(text)));
    parts_.push_back(std::move(part));
    std::int64_t epochs_count = 0;
    json::object last;
    for (const Curve& curve : curves_) {
      if (curve.points.empty()) continue;
      epochs_count = std::max(epochs_count, curve.points.back().epoch);
      last[curve.name] = number_json(curve.points.back().value);
    }
    summary_["curves"] = {{"epochs", epochs_count}, {"last", std::move(last)}};
    return Ok{};
  }

  Status write_matrices() {
    if (matrices_.empty()) return Ok{};
    const std::string text = json::serialize(json::object{{"matrices", std::move(matrices_)}});
    ASSIGN_OR_RETURN(Part part, writer_.add("confusion", "confusion", bytes_of(text)));
    parts_.push_back(std::move(part));
    summary_["confusion"] = std::move(confusion_);
    return Ok{};
  }

  /// A summary that is too long for a list loses what is longest and least needed.
  json::object finished_summary() {
    if (!warnings_.list().empty())
      summary_["warnings"] = json::array(warnings_.list().begin(), warnings_.list().end());
    for (const char* member : {"confusion", "curves", "statistics", "result", "warnings"}) {
      if (json::serialize(summary_).size() <= limits::kResultSummaryBytes) break;
      summary_.erase(member);
    }
    return std::move(summary_);
  }

  nnp::Archive& archive_;
  PartWriter& writer_;
  const ResultFolder& folder_;
  Warnings warnings_;
  std::vector<Part> parts_;
  std::vector<Curve> curves_;
  json::array matrices_, confusion_;
  std::size_t matrices_bytes_ = 0;
  json::object summary_;
};

std::string label_of(const ResultFolder& folder) {
  return "folder " + quoted_name(folder.path.empty() ? folder.name : folder.path);
}

Error no_model(const ResultFolder& folder) {
  return invalid(label_of(folder) +
                 " holds results but no model (results.nnp, result.nnp or an .onnx), and only a model can be "
                 "published");
}

/// Several folders: one that is broken is left out and said. A single one is all there is, so its error is
/// the answer.
Result<std::string> read_folders(nnp::Archive& archive, const std::vector<ResultFolder>& folders,
                                 PartSink& sink) {
  if (folders.size() > limits::kImportJobsCount)
    return make_error(Code::kTooLarge, "the archive holds more than " +
                                           std::to_string(limits::kImportJobsCount) + " result folders");
  PartWriter writer(sink);
  json::array jobs, warnings;
  std::optional<Error> first_error;
  for (const ResultFolder& folder : folders) {
    auto job = folder.model == nullptr ? Result<json::object>(no_model(folder))
                                       : FolderReader(archive, writer, folder).read();
    if (job.ok()) {
      jobs.push_back(std::move(*job));
      continue;
    }
    if (job.error().code == Code::kTooLarge) return job.error();
    if (!first_error) first_error = job.error();
    warnings.push_back(json::string("left out: " + job.error().text));
  }
  if (jobs.empty()) return *first_error;
  return json::serialize(json::object{{"jobs", std::move(jobs)}, {"warnings", std::move(warnings)}});
}

/// The upload itself is the model.
std::string index_of_model(const std::string& file_name) {
  const std::string name = clean_text(file_name, limits::kNameBytes);
  const std::string stem = name.substr(0, name.rfind('.'));
  json::object job{{"name", stem.empty() ? name : stem},
                   {"project", ""},
                   {"model", {{"name", name}, {"upload", true}}},
                   {"parts", json::array()},
                   {"results", json::object()}};
  return json::serialize(json::object{{"jobs", json::array{std::move(job)}}, {"warnings", json::array()}});
}

bool holds_network(const nnp::Archive& archive) {
  return std::any_of(archive.members().begin(), archive.members().end(),
                     [](const nnp::ArchiveMember& member) {
                       return has_ending(member.name, ".nntxt") || has_ending(member.name, ".prototxt");
                     });
}

}  // namespace

Result<std::string> unpack_results(ByteView file, const std::string& file_name, PartSink& sink) {
  if (file.empty()) return invalid("the file is empty");
  const bool is_model = has_ending(file_name, ".nnp") || has_ending(file_name, ".onnx");
  if (is_model || !looks_like_archive(file)) return index_of_model(file_name);
  ASSIGN_OR_RETURN(nnp::Archive archive, nnp::Archive::open(file, limits::kImportMembersCount));
  const std::vector<ResultFolder> folders = find_folders(archive.members(), file_name);
  if (!folders.empty()) return read_folders(archive, folders, sink);
  if (holds_network(archive)) return index_of_model(file_name);
  return invalid(
      "the archive holds no model (.nnp, .onnx) and no results (monitoring_report.yml, output_result.csv, "
      "result.ini, confusion_matrix_….csv)");
}

}  // namespace noren::worker
