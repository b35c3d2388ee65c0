#include "link/build.h"

namespace noren::link {

std::string_view build_name() { return NOREN_BUILD; }

}  // namespace noren::link
