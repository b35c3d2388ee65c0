// worker/import/simplify.h - Does at import, once, what would else be done in each request or each cold
// start. Private to import. The model computes the same function afterwards, up to the rounding of float32.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace noren::worker {

/// A translated model (ours: one standard operator set, no subgraphs), made smaller:
///  - what depends on constants alone is computed, unless it draws random numbers or would grow the file;
///  - a multiplication or addition of one number a channel goes into the weights of the layer before it;
///  - what nobody reads is left out.
/// Errors: kCorrupt where the bytes are no model.
Result<Bytes> simplify_model(ByteView onnx_model);

}  // namespace noren::worker
