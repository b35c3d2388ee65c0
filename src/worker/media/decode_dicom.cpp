#include "worker/media/decoders.h"

namespace noren::worker {

Result<Picture> decode_dicom(ByteView) { return unsupported("DICOM files are not read yet"); }

}  // namespace noren::worker
