// The inference API's way through the server.
#pragma once

#include "server/data_plane/data_plane.h"
#include "server/http/listener/exchange.h"
#include "server/http/routes.h"

namespace noren::server {

struct InferenceParts {
  DataPlane& plane;
  BodyBudget& bodies;
};

RequestTask serve_inference(Exchange& exchange, InferenceRoute route, InferenceParts parts);

/// A browser asks whether it may call.
RequestTask serve_preflight(Exchange& exchange);

}  // namespace noren::server
