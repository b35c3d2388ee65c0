#include "worker/results/folders.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "worker/results/values.h"

namespace noren::worker::results {
namespace {

using nnp::ArchiveMember;

constexpr std::string_view kResultNames[] = {"monitoring_report.yml", "output_result.csv", "result.ini"};
constexpr std::string_view kOtherNames[] = {"log.txt", "evaluation_log.txt", "net.nntxt", "network.ini",
                                            "network.png"};
constexpr std::string_view kMatrixBegin = "confusion_matrix_";
constexpr std::string_view kFilesEnding = ".files";

bool same_letters(char a, char b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return lower(a) == lower(b);
}

bool equal_names(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_letters);
}

bool is_model_name(std::string_view name) { return has_ending(name, ".nnp") || has_ending(name, ".onnx"); }

bool is_result_name(std::string_view name) {
  return is_matrix_name(name) || std::any_of(std::begin(kResultNames), std::end(kResultNames),
                                             [&](std::string_view each) { return equal_names(each, name); });
}

bool is_known_name(std::string_view name) {
  return is_result_name(name) || std::any_of(std::begin(kOtherNames), std::end(kOtherNames),
                                             [&](std::string_view each) { return equal_names(each, name); });
}

std::string_view without_ending(std::string_view name) { return name.substr(0, name.rfind('.')); }

/// Smaller is better: the best parameters, the cloud's name for them, the last epoch's, anything else.
std::tuple<int, std::int64_t, std::string> rank_of(const std::string& name) {
  const std::string_view stem = without_ending(name);
  const bool onnx = has_ending(name, ".onnx");
  if (equal_names(stem, "results")) return {onnx ? 2 : 0, 0, name};
  if (equal_names(stem, "result")) return {onnx ? 3 : 1, 0, name};
  for (const std::string_view begin : {"results_current_", "result_current_"}) {
    if (stem.size() <= begin.size() || !equal_names(stem.substr(0, begin.size()), begin)) continue;
    if (const auto epoch = parse_count(stem.substr(begin.size()))) return {4, -*epoch, name};
  }
  return {onnx ? 6 : 5, 0, name};
}

struct Found {
  std::string path;
  std::vector<FolderFile> models, files;
  bool has_results = false;
};

/// Old programs of Windows write names with backslashes.
std::string with_slashes(std::string name) {
  std::replace(name.begin(), name.end(), '\\', '/');
  return name;
}

std::vector<Found> sort_members(const std::vector<ArchiveMember>& members) {
  std::vector<Found> all;
  std::map<std::string, std::size_t, std::less<>> index_of;
  for (const ArchiveMember& member : members) {
    const std::string full = with_slashes(member.name);
    const std::size_t slash = full.rfind('/');
    const std::string path = slash == std::string::npos ? "" : full.substr(0, slash);
    const std::string name = full.substr(slash == std::string::npos ? 0 : slash + 1);
    // Copies that some systems put beside files when they pack a folder.
    if (full.starts_with("__MACOSX/") || name.starts_with("._")) continue;
    if (!is_model_name(name) && !is_known_name(name)) continue;
    const auto [place, is_new] = index_of.emplace(path, all.size());
    if (is_new) all.push_back({path, {}, {}, false});
    Found& folder = all[place->second];
    (is_model_name(name) ? folder.models : folder.files).push_back({&member, name});
    folder.has_results = folder.has_results || is_result_name(name);
  }
  std::erase_if(all, [](const Found& each) { return each.models.empty() && !each.has_results; });
  return all;
}

std::string last_part(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string without_files(std::string_view name) {
  if (has_ending(name, kFilesEnding)) name.remove_suffix(kFilesEnding.size());
  return std::string(name);
}

/// A project's results stand in NAME.files. Elsewhere the folder around several of them names it.
std::string project_of(const std::string& path, std::size_t folders_count, std::string_view archive) {
  const std::string parent = last_part(parent_of(path));
  if (has_ending(parent, kFilesEnding)) return without_files(parent);
  if (folders_count < 2) return "";
  return parent.empty() ? without_files(archive) : parent;
}

bool stands_alone(const Found& folder) {
  return folder.has_results || std::all_of(folder.models.begin(), folder.models.end(), [](const auto& each) {
           return std::get<0>(rank_of(each.name)) < 5;
         });
}

}  // namespace

bool has_ending(std::string_view name, std::string_view ending) {
  return name.size() >= ending.size() && equal_names(name.substr(name.size() - ending.size()), ending);
}

bool is_matrix_name(std::string_view name) {
  return name.size() > kMatrixBegin.size() &&
         equal_names(name.substr(0, kMatrixBegin.size()), kMatrixBegin) && has_ending(name, ".csv");
}

std::string_view matrix_of(std::string_view name) { return without_ending(name.substr(kMatrixBegin.size())); }

std::vector<ResultFolder> find_folders(const std::vector<ArchiveMember>& members,
                                       std::string_view file_name) {
  const std::string_view archive = has_ending(file_name, ".zip") ? without_ending(file_name) : file_name;
  std::vector<Found> all = sort_members(members);
  std::vector<ResultFolder> folders;
  for (Found& found : all) {
    ResultFolder folder{found.path, found.path.empty() ? std::string(archive) : last_part(found.path),
                        project_of(found.path, all.size(), archive)};
    folder.files = std::move(found.files);
    std::sort(found.models.begin(), found.models.end(),
              [](const auto& a, const auto& b) { return rank_of(a.name) < rank_of(b.name); });
    const std::size_t jobs_count = stands_alone(found) ? 1 : found.models.size();
    for (std::size_t i = 0; i < jobs_count; ++i) {
      if (i < found.models.size()) {
        folder.model = found.models[i].member;
        folder.model_name = found.models[i].name;
        if (jobs_count > 1) folder.name = without_ending(folder.model_name);
      }
      folders.push_back(folder);
    }
  }
  return folders;
}

}  // namespace noren::worker::results
