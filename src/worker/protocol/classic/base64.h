// worker/protocol/classic/base64.h - Base64 as old clients write it, straight out of a JSON string.
// Used by this room only, on the worker's one thread.
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace noren::worker {

/// Decodes the inside of a JSON string, its escapes still in it, into `out`.
/// Taken: white space anywhere, missing or too much padding, the URL-safe alphabet, a "data:…;base64,"
/// prefix. Refused: any other character, data behind the padding, a last group of one character.
Status decode_base64(std::string_view json_text, Bytes& out);

}  // namespace noren::worker
