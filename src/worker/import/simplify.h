// worker/import/simplify.h - Does at import, once, what would else be done in each request or each cold
// start. Private to import. The model computes the same function afterwards, up to the rounding of float32.
#pragma once

#include <string>
#include <unordered_map>

#include "base/bytes.h"
#include "base/result.h"
#include "worker/tensor/tensor.h"

namespace noren::worker {

/// A translated model (ours: one standard operator set, no subgraphs), made smaller:
///  - what depends on constants alone is computed, unless it draws random numbers or would grow the file;
///  - a normalization, multiplication or addition of one number a channel goes into the weights of the layer
///    before it;
///  - what is only seen in another shape, or taken out of what was put together before, is passed on;
///  - what a recurrent layer computes of its inputs alone is computed for all steps at once;
///  - what nobody reads is left out.
/// `shapes` are those of the model's values for one request. Errors: kCorrupt where the bytes are no model.
Result<Bytes> simplify_model(ByteView onnx_model, const std::unordered_map<std::string, Shape>& shapes);

}  // namespace noren::worker
