// worker/session/session.h - A sandboxed child's life: serve one model, inspect one file, or answer one
// probe. Called by main of noren-worker for each child that the zygote forks, on the child's one thread. It
// reads its socket, and nothing else; what it is told comes from the server, what it is given to read comes
// from strangers.
#pragma once

#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "worker/sandbox/zygote.h"
#include "worker/session/servable.h"

namespace noren::worker {

/// What becomes of an uploaded file.
struct Inspected {
  Bytes package;
  std::string description_json;
};
using InspectFile = std::function<Result<Inspected>(ByteView file, const link::InspectRequest& request)>;

/// Takes an archive of result folders apart: writes the parts one after the other, returns their index.
using WritePart = std::function<Status(ByteView bytes)>;
using UnpackFile = std::function<Result<std::string>(ByteView file, const link::InspectRequest& request,
                                                     const WritePart& write)>;

struct SessionParts {
  OpenServable open;
  InspectFile inspect;
  UnpackFile unpack;
};

/// Runs until the server has what it wanted, or is gone. Returns the exit status: 0 where all went as asked.
int live(Child child, const SessionParts& parts);

}  // namespace noren::worker
