// worker/model_file/nnp/design_of.h - The network that an executor's network was derived from, as it was
// drawn. Used by resolve_executors(). Private to this folder. Pure.
#pragma once

#include <string_view>

#include "worker/model_file/nnp/raw_model.h"

namespace noren::worker::nnp {

/// For network 'MainRuntime' that is 'Main', where the file has it: the console derives '…Runtime' from it by
/// leaving out what only training needs, and counts what was drawn. `batch_size` > 1 is a first dimension
/// that becomes 1.
Design design_of(const RawModel& model, const RawNetwork& network, std::int64_t batch_size);

}  // namespace noren::worker::nnp
