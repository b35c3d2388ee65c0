// noren import: a model, a result folder or an archive of one becomes a project with its jobs. A folder is
// packed as it is: which file is what, and what it holds, is for the server's workers to say.
#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "cli/archive_writer.h"
#include "cli/session.h"

namespace noren::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

/// What results have for names; a dataset's pictures beside them stay at home.
constexpr std::string_view kEndings[] = {".nnp", ".onnx", ".nntxt"};
constexpr std::string_view kNames[] = {"monitoring_report.yml", "output_result.csv",  "result.ini", "log.txt",
                                       "network.ini",           "evaluation_log.txt", "network.png"};

bool is_wanted(const fs::path& path) {
  const std::string name = path.filename().string();
  const bool has_ending = std::any_of(std::begin(kEndings), std::end(kEndings),
                                      [&](std::string_view ending) { return name.ends_with(ending); });
  return has_ending || std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames) ||
         (name.starts_with("confusion_matrix_") && name.ends_with(".csv"));
}

/// A model of the last epoch beside the best one: the best one is what a job publishes.
bool is_lesser_model(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.ends_with(".nnp") || name.find("_current_") == std::string::npos) return false;
  return fs::exists(path.parent_path() / "results.nnp") || fs::exists(path.parent_path() / "result.nnp");
}

Result<std::vector<fs::path>> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failure;
  fs::recursive_directory_iterator it(folder, failure);
  for (; !failure && it != fs::recursive_directory_iterator(); it.increment(failure)) {
    const bool is_file = it->symlink_status(failure).type() == fs::file_type::regular;
    if (is_file && is_wanted(it->path()) && !is_lesser_model(it->path())) files.push_back(it->path());
  }
  if (failure) return invalid(fmt::format("can't read {}: {}", folder.string(), failure.message()));
  std::sort(files.begin(), files.end());
  return files;
}

/// Where the names in the archive begin: a job's folder brings its NAME.files with it, which names the
/// project.
fs::path base_of(const fs::path& folder) {
  const fs::path parent = folder.parent_path();
  return parent.extension() == ".files" ? parent.parent_path() : parent;
}

Result<ArchiveWriter> pack(const fs::path& folder) {
  ASSIGN_OR_RETURN(const std::vector<fs::path> files, files_below(folder));
  if (files.empty())
    return invalid(fmt::format("{} holds no model (.nnp, .onnx) and no results", folder.string()));
  ASSIGN_OR_RETURN(ArchiveWriter archive, ArchiveWriter::open());
  for (const fs::path& file : files)
    TRY(archive.add(file.lexically_relative(base_of(folder)).generic_string(), file.string()));
  TRY(archive.finish());
  return archive;
}

/// A project file stands for the folder of its results.
fs::path meant_path(const std::string& text) {
  std::error_code failure;
  fs::path path = fs::absolute(text, failure).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  fs::path results = path;
  results.replace_extension(".files");
  return path.extension() == ".sdcproj" && fs::is_directory(results, failure) ? results : path;
}

std::string import_path(const ImportOptions& options, const std::string& file_name) {
  std::string path = "imports?file_name=" + encoded(file_name);
  if (!options.project.empty()) path += "&project=" + encoded(options.project);
  if (!options.name.empty()) path += "&name=" + encoded(options.name);
  for (const std::string& rule : options.input_rules) path += "&input=" + encoded(rule);
  return path;
}

void say_warnings(const json::object& answer) {
  for (const json::value& warning : list_in(answer, "warnings")) remark("note: " + shown(warning));
  for (const json::value& job : list_in(answer, "jobs")) {
    const json::object& row = job.as_object();
    for (const char* part : {"results", "description"})
      for (const json::value& warning : list_in(object_in(row, part), "warnings"))
        remark(fmt::format("note: {}: {}", text_of(row, "name"), shown(warning)));
  }
}

}  // namespace

Status import(const Hooks& hooks, const Common& common, const ImportOptions& options) {
  const fs::path path = meant_path(options.path);
  std::error_code failure;
  const bool is_folder = fs::is_directory(path, failure);
  if (!fs::exists(path, failure)) return invalid(fmt::format("there is no file or folder {}", options.path));
  if (!is_folder) TRY(check_model_file(path.string()));
  ASSIGN_OR_RETURN(const Session session, Session::find(hooks, common.where));
  std::optional<ArchiveWriter> archive;
  if (is_folder) {
    ASSIGN_OR_RETURN(archive, pack(path));
  }
  const std::string file_name = path.filename().string() + (is_folder ? ".zip" : "");
  ASSIGN_OR_RETURN(json::object answer, session.upload_many(import_path(options, file_name),
                                                            archive ? archive->path() : path.string()));
  say_warnings(answer);
  json::array& jobs = answer["jobs"].as_array();
  if (common.form == Form::kJson) {
    for (json::value& job : jobs) job.as_object().erase("description");
    if (!jobs.empty()) answer["job"] = text_of(jobs.front().as_object(), "id");
    print_json(answer);
    return Ok{};
  }
  print_jobs(jobs);
  return Ok{};
}

}  // namespace noren::cli
