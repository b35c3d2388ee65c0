// Which members of an archive are a job's: by their names alone. Private to this folder. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "worker/model_file/nnp/archive.h"
#include "worker/results/warnings.h"

namespace noren::worker::results {

/// A member with the last part of its name.
struct FolderFile {
  const nnp::ArchiveMember* member = nullptr;
  std::string name;
};

struct ResultFolder {
  std::string path;     ///< inside the archive; empty: its top
  std::string name;     ///< of the job
  std::string project;  ///< empty where nothing names one
  const nnp::ArchiveMember* model = nullptr;
  std::string model_name;
  std::vector<FolderFile> files;  ///< what is known by its name, but for models
};

/// In the archive's order. A folder counts that holds a model or a file of results. One with results is one
/// job, of its best model; of one with models alone, each is a job. `file_name`: what the archive is called.
std::vector<ResultFolder> find_folders(const std::vector<nnp::ArchiveMember>& members,
                                       std::string_view file_name);

bool is_matrix_name(std::string_view name);
/// "y" of "confusion_matrix_y.csv".
std::string_view matrix_of(std::string_view name);
bool has_ending(std::string_view name, std::string_view ending);  ///< letter case aside

}  // namespace noren::worker::results
