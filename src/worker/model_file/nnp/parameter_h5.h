// worker/model_file/nnp/parameter_h5.h - parameter.h5 → ParameterTable, by way of an image in memory.
// Used by read_nnp() on its one thread. HDF5 is not made for hostile files: only hard links, groups and plain
// datasets of numbers are touched, with limits on depth, count and size, and what the library does to a
// worker that reads a hostile file ends with the worker. Never opens a file, never loads a filter plugin.
// Private to this folder.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "worker/model_file/nnp/parameter_table.h"

namespace noren::worker::nnp {

/// `image` is not copied and not changed. `member` is for messages.
Status read_parameter_h5(ByteView image, const std::string& member, ParameterTable& table);

/// Starts the library once, so that what it sets up lazily is there. Called by the zygote before it forks.
void warm_up_h5();

}  // namespace noren::worker::nnp
