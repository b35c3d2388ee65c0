// domain/names.h - What names, ids and keys may be made of. Errors are sentences for the person who chose
// them. Called at the edges where people's choices come in. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace noren {

/// Of projects and jobs: 1 to 255 characters of UTF-8 without \ / : * ? " < > | ; and control characters.
Status check_name(std::string_view what, std::string_view name);
/// The nearest name that check_name takes, from a file's name; never empty.
std::string name_from(std::string_view text);

/// An API's id that is kept from elsewhere: 1 to 64 of [A-Za-z0-9_-].
Status check_api_id(std::string_view id);
/// An API's key that is kept from elsewhere: 16 to 128 printable ASCII characters. The text never repeats it.
Status check_api_key(std::string_view key);

}  // namespace noren
