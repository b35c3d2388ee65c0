// tests/isolation/toy.h - A model that does what its request says: echo, fail, burn, crash, attack.
// Served by the tests' own worker program through the real zygote, sandbox and loop; never part of
// noren-worker.
#pragma once

#include "worker/session/session.h"

namespace noren::worker {

/// Packages: "toy", "refuse TEXT", "burn MS" (while loading). Requests: see toy.cpp.
SessionParts toy_parts();

/// Tries one forbidden thing. Says what came of it, where it lives to do so.
std::string attack(std::string_view name);

}  // namespace noren::worker
