// worker/import/text_locale.h - Lets operators that change letter case do so without files of the machine.
// Private to import. Pure.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace noren::worker {

/// The model with every StringNormalizer on the locale that is there before the sandbox closes
/// (kTextLocale in engine.h): Unicode's own letter case, as en_US.UTF-8, the standard's default, has it.
Result<Bytes> with_built_in_locale(ByteView onnx_model);

}  // namespace noren::worker
