// worker/engine/operators/random_generator.h - The generator of an operator that draws. Private to this
// folder.
#pragma once

#include <random>

#include <sys/random.h>

#include "worker/engine/operators/operator.h"

namespace noren::worker {

/// The attribute "seed": -1 draws from the system's generator (each worker differs although all come from one
/// fork), else the sequence is the one that this seed gives, as in the reference.
inline std::mt19937 make_generator(const OperatorAttributes& attributes) {
  const std::int64_t seed = attributes.integer("seed", -1);
  if (seed != -1) return std::mt19937(static_cast<std::uint32_t>(seed));
  std::uint32_t words[8] = {};
  if (::getrandom(words, sizeof words, 0) != static_cast<ssize_t>(sizeof words))
    throw OperatorFailure("the system's random generator does not answer");
  std::seed_seq sequence(std::begin(words), std::end(words));
  return std::mt19937(sequence);
}

}  // namespace noren::worker
