#include "worker/model_file/nnp.h"

namespace noren::worker {

Result<ModelFile> read_nnp(ByteView) { return unsupported("reading .nnp files is not there yet"); }

bool looks_like_archive(ByteView file) {
  return file.size() >= 4 && file[0] == 'P' && file[1] == 'K';
}

}  // namespace noren::worker
