#include "worker/media/decoders.h"

namespace noren::worker {

Result<Picture> decode_tiff(ByteView) { return unsupported("TIFF files are not read yet"); }

}  // namespace noren::worker
