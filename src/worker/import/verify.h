// worker/import/verify.h - Runs a translated model before anybody may publish it. Private to import.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "worker/tensor/signature.h"

namespace noren::worker {

struct Verification {
  std::int64_t run_ns = 0;        ///< one request, after the first: time of a core, not of the clock
  std::int64_t memory_bytes = 0;  ///< that the session holds after a request
  bool ran = false;               ///< false where the sample input does not suit the model: said in `remark`
  bool rows_independent = false;  ///< several requests as one run gave what they gave alone
  std::string remark;
  std::string not_batchable_reason;  ///< where the trial takes back that the signature is batchable
};

/// Who says that rows are independent: the translation, and a trial must not gainsay it; or the trial has to
/// show it, by answers that are finite and differ.
enum class Proof : std::uint8_t { kTranslation, kTrial };

/// Opens a session and runs sample inputs. Errors: the engine does not take the model.
Result<Verification> verify_model(ByteView onnx_model, const ExecutorSignature& signature, Proof proof);

}  // namespace noren::worker
