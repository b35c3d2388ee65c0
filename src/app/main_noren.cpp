// noren: server and command line in one program. The concrete parts are put together here and beside this
// file.
#include <fcntl.h>

#include <fmt/format.h>

#include "app/server_process.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "cli/cli.h"
#include "server/config/options.h"
#include "server/data_folder/data_folder.h"
#include "server/instances/local/local_host.h"

namespace noren::app {
namespace {

std::vector<cli::ServeOption> serve_options() {
  std::vector<cli::ServeOption> options;
  for (const server::OptionRow& row : server::option_rows())
    options.push_back({std::string(row.name), std::string(row.value_name), std::string(row.default_text),
                       std::string(row.help)});
  return options;
}

Status serve(const std::string& config_path, const std::vector<std::pair<std::string, std::string>>& given) {
  std::vector<server::OptionValue> values;
  values.reserve(given.size());
  for (const auto& [name, text] : given) values.push_back({name, text});
  ASSIGN_OR_RETURN(const server::Settings settings, server::make_settings(config_path, values));
  return run_server(settings);
}

Result<std::string> inspect(const cli::InspectRequest& request) {
  configure_log(LogLevel::kWarning, LogFormat::kText);  // a person looks at a file: no server's chatter
  const UniqueFd file(::open(request.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return system_error(Code::kInvalidArgument, "can't read " + request.path, "open");
  ASSIGN_OR_RETURN(const Mapping mapping, Mapping::map(file.get()));
  server::InspectSpec spec;
  ASSIGN_OR_RETURN(spec.file, sealed_memfd("noren-upload", mapping.bytes()));
  spec.file_name = request.path.substr(request.path.rfind('/') + 1);
  spec.input_rules = request.input_rules;
  spec.list_layers = request.layers == cli::InspectRequest::Layers::kList;
  ASSIGN_OR_RETURN(server::Inspection inspection, server::inspect_once({}, std::move(spec)));
  return std::move(inspection.description_json);
}

Result<cli::ServerAddress> read_admin_file(const std::string& path) {
  ASSIGN_OR_RETURN(server::AdminFile file, server::read_admin_file(path));
  return cli::ServerAddress{std::move(file.url), std::move(file.token)};
}

}  // namespace
}  // namespace noren::app

int main(int count, char** arguments) {
  noren::cli::Hooks hooks;
  hooks.version = NOREN_VERSION;
  hooks.serve_options = noren::app::serve_options();
  hooks.serve = noren::app::serve;
  hooks.inspect = noren::app::inspect;
  hooks.read_admin_file = noren::app::read_admin_file;
  return noren::cli::run(count, arguments, hooks);
}
