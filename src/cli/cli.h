// cli/cli.h - The command line: `noren VERB …`. Speaks the management API like everyone else.
// Called by main, on the main thread. Opens no store; what needs the server's or the worker's own code
// (serve, inspect, admin.json) comes in as hooks, so that this room stays a client.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace noren::cli {

/// One option of `noren serve`, as the server's table has it.
struct ServeOption {
  std::string name;
  std::string value_name;
  std::string default_text;
  std::string help;
};

/// Where a server is and what opens it.
struct ServerAddress {
  std::string url;
  Secret token;
};

struct InspectRequest {
  std::string path;
  std::vector<std::string> input_rules;
  enum class Layers { kOmit, kList } layers = Layers::kOmit;
};

struct Hooks {
  std::string version;
  std::vector<ServeOption> serve_options;
  /// Runs the server until it is told to stop.
  std::function<Status(const std::string& config_path,
                       const std::vector<std::pair<std::string, std::string>>& options)>
      serve;
  /// The description (JSON) of a model file, from a worker that reads it in its sandbox.
  std::function<Result<std::string>(const InspectRequest& request)> inspect;
  std::function<Result<ServerAddress>(const std::string& admin_file)> read_admin_file;
};

/// Returns the exit status: 0, or 1 to 63 after one sentence on stderr.
int run(int argc, char** argv, const Hooks& hooks);

}  // namespace noren::cli
