// worker/results/results.h - Takes a result folder of the desktop tool apart: an uploaded archive into jobs,
// each with its model's bytes and with what the tool recorded (learning curves, evaluation, confusion
// matrices), as JSON. Called by the inspect loop of a throw-away worker, inside the sandbox; one call a
// process. Bytes in, bytes out; believes nothing: a broken file is left out with a warning that names file
// and line. It reads no model: each is inspected afterwards, in a worker of its own.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace noren::worker {

/// Where the parts' bytes go, one part after the other.
class PartSink {
 public:
  virtual ~PartSink() = default;
  virtual Status write(ByteView bytes) = 0;
};

/// Returns the index, a JSON object that says what stands where in the parts:
///   {"jobs": [{"name", "project", "model": {"name", "offset", "size"} or {"name", "upload": true},
///              "parts": [{"kind", "name", "offset", "size", "first_row", "rows"}],
///              "results": {…}}],
///    "warnings": […]}
/// Kinds: "file" (as it came), "curves", "confusion", "columns" (JSON), "rows" (a JSON array a line).
/// A file that is a model itself becomes one job, whose model is the upload.
/// Errors: one sentence for the person who uploads.
Result<std::string> unpack_results(ByteView file, const std::string& file_name, PartSink& sink);

}  // namespace noren::worker
