// server/control_plane/serving.h - What the control plane asks of the side that serves: the data plane and
// its instances. Implemented by app, which moves each call to the event loop. Called on any thread; callbacks
// come on any thread, exactly once each. Nothing here waits.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/hang_up.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "domain/catalog.h"

namespace noren::server {

struct ImportRequest {
  UniqueFd file;  ///< sealed
  std::string file_name;
  std::vector<std::string> input_rules;
  std::shared_ptr<HangUp> hang_up;  ///< ends the worker, at whatever it is; null: never
};

struct ImportedModel {
  std::string description;  ///< JSON, from a worker: untrusted
  UniqueFd package;         ///< sealed
};

/// A file that may hold several jobs, taken apart.
struct UnpackedResults {
  std::string index;  ///< JSON, from a worker: untrusted
  UniqueFd parts;     ///< sealed
};

struct ServingState {
  std::string word;    ///< "running", "stopped", …
  std::string reason;  ///< why it is not running, or not all of its instances are; may be empty
  int ready_count = 0;
};

class Serving {
 public:
  virtual ~Serving() = default;
  /// `applied` comes when every later request meets this catalog.
  virtual void apply(CatalogSnapshot catalog, std::function<void()> applied) = 0;
  /// Import in a throw-away worker. The error's text is for the person who uploads.
  virtual void import(ImportRequest request, std::function<void(Result<ImportedModel>)> done) = 0;
  /// Loads a version beside the one that serves, and has it answer a sample request. Ok: the next catalog may
  /// name it. Error: nothing has changed. Where whoever asked hangs up (null: never) meanwhile, it is given
  /// up.
  virtual void try_version(VersionToTry version, std::shared_ptr<HangUp> hang_up,
                           std::function<void(Status)> done) = 0;
  /// The version of this API that was tried last will not be published.
  virtual void drop_version(const std::string& api_id) = 0;
  /// Takes an uploaded file apart in a throw-away worker: result folders, or a single model.
  virtual void unpack(ImportRequest request, std::function<void(Result<UnpackedResults>)> done) = 0;
  /// How each of these APIs is right now, in their order.
  virtual void describe(std::vector<std::string> api_ids,
                        std::function<void(std::vector<ServingState>)> done) = 0;
};

}  // namespace noren::server
