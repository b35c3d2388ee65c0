// worker/model_file/text.h - Names of foreign files in messages: valid UTF-8, short, in quotes.
// For the readers of model files. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

namespace noren::worker {

bool is_utf8(std::string_view text);

/// The name cut at 80 bytes, bytes that are no UTF-8 or no printable character as '?'.
std::string shown_name(std::string_view name);
/// 'name'.
std::string quoted_name(std::string_view name);

/// "layer 'Conv' (Convolution)".
std::string layer_label(std::string_view name, std::string_view type);

}  // namespace noren::worker
