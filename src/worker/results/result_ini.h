// result.ini: how training ended, and the network's statistics as the tool counted them. Private to this
// folder.
#pragma once

#include <string_view>

#include <boost/json/object.hpp>

#include "worker/results/warnings.h"

namespace noren::worker::results {

/// {"result": {…}, "statistics": {…}}: a section is absent where the file has none. Values that are numbers
/// are numbers.
boost::json::object read_result_ini(std::string_view text, std::string_view file, Warnings& warnings);

}  // namespace noren::worker::results
