// worker/import/port_description.h - How a file becomes an input, in a sentence and in JSON, and what an
// output is. Private to import. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "worker/tensor/signature.h"

namespace noren::worker {

/// "a picture becomes red, green, blue, channels first, 224x224: value / 255"; "" where it takes none.
std::string picture_text(const InputSignature& input);
/// "a sound becomes 1 channel of 16000 samples: full scale is 1"; "" where it takes none.
std::string sound_text(const InputSignature& input);

/// {"layout", "colours", "height", "width", "scale", "offset"}: what a program needs to do the same.
boost::json::object picture_json(const InputSignature& input);

}  // namespace noren::worker
