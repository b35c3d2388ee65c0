// worker/model_file/nnp/parameter_protobuf.h - parameter.protobuf → ParameterTable.
// Reads the wire format itself, as it comes out of the archive, so that values are copied once and those that
// nobody wants not at all. Used by read_nnp() on its one thread. Private to this folder.
#pragma once

#include <string>

#include "base/result.h"
#include "worker/model_file/nnp/archive.h"
#include "worker/model_file/nnp/parameter_table.h"

namespace noren::worker::nnp {

/// `member` is for messages.
Status read_parameter_protobuf(ByteSource& source, const std::string& member, ParameterTable& table);

}  // namespace noren::worker::nnp
