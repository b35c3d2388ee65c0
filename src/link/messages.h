// link/messages.h - The payloads of the frames that carry more than numbers, as structures.
// Written and read by both halves, on any thread. Decoding checks every length; an error ends the peer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/priority.h"
#include "base/result.h"

namespace noren::link {

/// What a forked child is for. Roles from kFirstTestRole on exist in test programs only.
enum class ChildRole : std::uint8_t { kServe = 1, kInspect, kProbe, kFirstTestRole = 100 };

/// kFork: a child and its bounds.
struct ForkRequest {
  ChildRole role = ChildRole::kServe;
  std::uint32_t threads_count = 1;
  std::int64_t memory_limit_bytes = 0;    ///< beyond what the zygote itself has; 0: none
  std::int64_t file_limit_bytes = 0;      ///< of a memfd that it may write
  std::int64_t cpu_limit_s = 0;           ///< of its whole life; 0: none
  Priority priority = Priority::kNormal;  ///< of its whole life
};

/// kHello: what stands between a worker and the machine.
struct HelloReport {
  std::int64_t warm_up_ns = 0;
  std::uint32_t landlock_abi = 0;  ///< 0: this kernel has none
  std::string profile;             ///< name of the seccomp profile
  std::string notes;               ///< what is missing on this machine, one sentence each; may be empty
  std::string build;               ///< see link/build.h
};

/// kLoad: how the package is to be served.
struct LoadRequest {
  std::string version_label;
  std::uint32_t threads_count = 1;
  std::uint32_t batch_limit_count = 1;
  bool keep_output_names = false;
  Priority priority = Priority::kNormal;  ///< while it loads; a lower one needs leave to make a thread
  bool try_sample = false;  ///< a request of the model's own inputs must be answered before kLoaded
  bool on_gpu = false;
  std::int64_t gpu_memory_limit_bytes = 0;  ///< 0: none
};

/// kLoaded.
struct LoadedReport {
  std::int64_t private_bytes = 0;
  bool batchable = false;
};

/// What becomes of an uploaded file.
enum class InspectTask : std::uint8_t {
  kModel,    ///< a package, and a description
  kResults,  ///< an archive of result folders: their parts, and an index
};

/// kInspect.
struct InspectRequest {
  std::string file_name;
  std::vector<std::string> input_rules;
  bool list_layers = false;
  InspectTask task = InspectTask::kModel;
};

/// A worker that signal S would end while it reads a request exits with this and S. A hint, like all that it
/// says.
inline constexpr int kDiedReadingStatus = 96;
inline constexpr int kLastDiedReadingStatus = kDiedReadingStatus + 31;

/// kOutcome's code.
enum class Outcome : std::uint32_t { kOk, kInvalidRequest, kTooLarge, kInternal, kNotRun };
inline constexpr auto kLastOutcome = Outcome::kNotRun;

Bytes encode(const ForkRequest& message);
Bytes encode(const HelloReport& message);
Bytes encode(const LoadRequest& message);
Bytes encode(const LoadedReport& message);
Bytes encode(const InspectRequest& message);

/// T is one of the structures above. Errors: kCorrupt for anything that is not exactly one such structure.
template <typename T>
Result<T> decode(ByteView payload);

/// The first bytes of a text, cut at a character's edge: what fits into limits::kDetailBytes.
std::string_view cut_detail(std::string_view text);

}  // namespace noren::link
