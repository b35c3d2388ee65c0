// link/build.h - Which build of Noren a program is of: server and workers must be of the same one. The worker
// says it when it greets, the server compares. Any thread.
#pragma once

#include <string_view>

namespace noren::link {

/// "0.1.0+4dec389a1b2c": the version, and the commit where the build knows it.
std::string_view build_name();

}  // namespace noren::link
