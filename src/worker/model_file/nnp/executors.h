// worker/model_file/nnp/executors.h - Executors of the raw model → executors with their own flat, pruned
// network. Used by read_nnp() on its one thread, before parameters are read. Private to this folder. Pure.
#pragma once

#include <vector>

#include "base/result.h"
#include "worker/model_file/nnp/raw_model.h"

namespace noren::worker::nnp {

/// Everything but the parameters' presence is checked: names, shapes, batch, cycles, options.
Result<std::vector<Executor>> resolve_executors(const RawModel& model);

}  // namespace noren::worker::nnp
