// worker/model_file/nnp/nnp.h - Reads an .nnp file: container, network text, parameters → ModelFile.
// Called by import in a sandboxed worker, once a process, on its one thread. Bytes in, plain types out: opens
// no file, trusts no size that the file declares, keeps every limit of base/limits.h. The bytes may go
// afterwards.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "worker/model_file/network.h"

namespace noren::worker {

/// Errors: one sentence for the person who uploads, with the place.
Result<ModelFile> read_nnp(ByteView file);

/// True where the bytes begin like an archive (.nnp). Says nothing about whether it is whole.
bool looks_like_archive(ByteView file);

/// Starts the libraries once, so that what they set up lazily is there. Called by the zygote before it forks.
void warm_up_nnp();

}  // namespace noren::worker
