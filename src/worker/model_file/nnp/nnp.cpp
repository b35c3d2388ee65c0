#include "worker/model_file/nnp/nnp.h"

#include <google/protobuf/stubs/common.h>

#include <optional>
#include <utility>

#include "base/limits.h"
#include "worker/model_file/nnp/archive.h"
#include "worker/model_file/nnp/executors.h"
#include "worker/model_file/nnp/network_text.h"
#include "worker/model_file/nnp/parameter_h5.h"
#include "worker/model_file/nnp/parameter_protobuf.h"
#include "worker/model_file/nnp/parameter_table.h"
#include "worker/model_file/text.h"

namespace noren::worker {
namespace {

using namespace nnp;  // NOLINT: the room's own private names

bool ends_with(std::string_view name, std::initializer_list<std::string_view> endings) {
  for (const std::string_view ending : endings) {
    if (name.ends_with(ending)) return true;
  }
  return false;
}

/// Copies that some systems put beside files when they pack a folder.
bool is_system_copy(std::string_view name) {
  return name.starts_with("__MACOSX/") || name.substr(name.rfind('/') + 1).starts_with("._");
}

class NnpReader {
 public:
  explicit NnpReader(Archive archive) : archive_(std::move(archive)) {}

  Result<ModelFile> run() {
    sort_members();
    TRY(read_texts());
    ASSIGN_OR_RETURN(model_.executors, resolve_executors(raw_));
    TRY(read_parameters());
    TRY(check_parameters());
    describe();
    return std::move(model_);
  }

 private:
  void sort_members() {
    for (const ArchiveMember& member : archive_.members()) {
      if (is_system_copy(member.name)) continue;
      if (ends_with(member.name, {".nntxt", ".prototxt"})) texts_.push_back(&member);
      if (ends_with(member.name, {".protobuf", ".h5"})) parameters_.push_back(&member);
    }
  }

  Status read_texts() {
    if (texts_.empty()) {
      return invalid("the archive holds no network file (a member named *.nntxt or *.prototxt)");
    }
    std::vector<NetworkText> texts;
    std::size_t left_bytes = limits::kNetworkTextBytes;
    for (const ArchiveMember* member : texts_) {
      ASSIGN_OR_RETURN(const Bytes bytes, archive_.read_member(*member, left_bytes));
      left_bytes -= bytes.size();
      texts.push_back({member->name, std::string(text_of(bytes))});
    }
    ASSIGN_OR_RETURN(raw_, parse_network_texts(texts));
    return Ok{};
  }

  Status read_parameters() {
    std::set<std::string, std::less<>> wanted;
    for (const Executor& executor : model_.executors) {
      for (const auto& [name, variable] : executor.network.variables) {
        if (variable.kind == VariableKind::kParameter) wanted.insert(name);
      }
    }
    ParameterTable table(std::move(wanted));
    for (auto& [name, parameter] : raw_.parameters) TRY(add_text_parameter(name, parameter, table));
    for (const ArchiveMember* member : parameters_) TRY(read_parameter_member(*member, table));
    model_.stored_parameters_count = table.stored_count();
    model_.stored_scalars_count = table.stored_scalars_count();
    model_.parameters = table.take();
    return Ok{};
  }

  static Status add_text_parameter(const std::string& name, Parameter& parameter, ParameterTable& table) {
    const std::string owner = "parameter " + quoted_name(name);
    ASSIGN_OR_RETURN(const std::int64_t count, ParameterTable::count_of(parameter.shape, owner));
    if (static_cast<std::size_t>(count) != parameter.values->size()) {
      return invalid(owner + " has the shape " + to_string(parameter.shape) + " and " +
                     std::to_string(parameter.values->size()) + " values");
    }
    return table.add(name, parameter.shape, table.wants(name) ? parameter.values : nullptr);
  }

  Status read_parameter_member(const ArchiveMember& member, ParameterTable& table) {
    if (!ends_with(member.name, {".h5"})) {
      ASSIGN_OR_RETURN(std::unique_ptr<ByteSource> source,
                       archive_.open_member(member, limits::kParameterFileBytes));
      return read_parameter_protobuf(*source, member.name, table);
    }
    if (const std::optional<ByteView> view = archive_.view_member(member)) {
      return read_parameter_h5(*view, member.name, table);
    }
    ASSIGN_OR_RETURN(const Bytes bytes, archive_.read_member(member, limits::kParameterFileBytes));
    return read_parameter_h5(bytes, member.name, table);
  }

  Status check_parameters() const {
    for (const Executor& executor : model_.executors) {
      for (const Function& f : executor.network.functions) {
        for (const std::string& input : f.inputs)
          TRY(check_parameter(executor, layer_label(f.name, f.type), input));
      }
      for (const OutputVariable& output : executor.outputs) {
        TRY(check_parameter(executor, "executor " + quoted_name(executor.name), output.source));
      }
    }
    return Ok{};
  }

  Status check_parameter(const Executor& executor, const std::string& user, const std::string& name) const {
    const Variable& variable = executor.network.variables.at(name);
    if (variable.kind != VariableKind::kParameter) return Ok{};
    const auto found = model_.parameters.find(name);
    if (found == model_.parameters.end()) {
      const bool has_file = !parameters_.empty();
      return invalid(user + " needs parameter " + quoted_name(name) +
                     (has_file
                          ? ", which the parameter file does not have"
                          : ", but the archive has no parameter file (parameter.protobuf or parameter.h5)"));
    }
    if (found->second.shape != variable.shape) {
      return invalid("parameter " + quoted_name(name) + " of " + user + " is declared as " +
                     to_string(variable.shape) + " and stored as " + to_string(found->second.shape));
    }
    return Ok{};
  }

  void describe() {
    for (const RawNetwork& network : raw_.networks) {
      model_.networks.push_back(
          {network.name, network.batch_size, network.functions.size(), network.variables.size()});
    }
  }

  Archive archive_;
  std::vector<const ArchiveMember*> texts_;
  std::vector<const ArchiveMember*> parameters_;
  RawModel raw_;
  ModelFile model_;
};

}  // namespace

Result<ModelFile> read_nnp(ByteView file) {
  ASSIGN_OR_RETURN(Archive archive, Archive::open(file));
  return NnpReader(std::move(archive)).run();
}

bool looks_like_archive(ByteView file) { return file.size() >= 4 && file[0] == 'P' && file[1] == 'K'; }

void warm_up_nnp() {
  warm_up_h5();
  GOOGLE_PROTOBUF_VERIFY_VERSION;
}

}  // namespace noren::worker
