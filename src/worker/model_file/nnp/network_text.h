// worker/model_file/nnp/network_text.h - The network text of an .nnp (protobuf's text form) → RawModel.
// Used by read_nnp() on its one thread. The only includer of the generated messages. Private to this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "worker/model_file/nnp/raw_model.h"

namespace noren::worker::nnp {

struct NetworkText {
  std::string member;  ///< for messages
  std::string text;
};

/// Several texts are one after the other one model, as in the reference.
/// Errors name the member, line and column.
Result<RawModel> parse_network_texts(const std::vector<NetworkText>& texts);

}  // namespace noren::worker::nnp
