#include "server/config/options.h"

#include "base/limits.h"

namespace noren::server {
namespace {

constexpr std::int64_t kMiB = static_cast<std::int64_t>(limits::kMiB);
constexpr std::int64_t kGiB = static_cast<std::int64_t>(limits::kGiB);
constexpr std::int64_t kHourMs = 3'600'000;

using T = OptionType;
using S = Settings;

// name, type, default, value in help, least, most, choices, field, help (a sentence without its full stop)
// clang-format off
constexpr OptionRow kRows[] = {
  {"data", T::kPath, "data", "DIR", 0, 0, "", &S::data,
   "Folder of everything that the server keeps; an empty or missing one is initialised"},
  {"listen", T::kAddress, "127.0.0.1:8080", "HOST:PORT", 0, 0, "", &S::listen,
   "Where callers reach the APIs; port 0 picks a free one"},
  {"admin-listen", T::kAddress, "", "HOST:PORT", 0, 0, "", &S::admin_listen,
   "A listener of its own for the management API, which then leaves --listen"},
  {"public-url", T::kUrl, "", "URL", 0, 0, "", &S::public_url,
   "Base of the URLs that are handed out, for a server behind a proxy or a host name"},
  {"tls-cert", T::kPath, "", "FILE", 0, 0, "", &S::tls_cert,
   "Certificate chain (PEM); with --tls-key the listeners speak HTTPS. Both are read again when they change"},
  {"tls-key", T::kPath, "", "FILE", 0, 0, "", &S::tls_key,
   "Private key (PEM) of the certificate"},
  {"worker", T::kPath, "", "FILE", 0, 0, "", &S::worker,
   "The worker program, else noren-worker beside this one"},
  {"gpu-runtime", T::kPath, "", "DIR", 0, 0, "", &S::gpu_runtime,
   "Folder of ONNX Runtime's GPU build (libonnxruntime.so.1 and its CUDA provider), for instances on a GPU"},
  {"gpu-memory", T::kBytes, "0", "SIZE", 0, 1024 * 1024 * kGiB, "", &S::gpu_memory_bytes,
   "Memory of the GPU that one instance may take, so that several share it; 0 is no limit"},
  {"log-format", T::kChoice, "text", "text|json", 0, 0, "text|json", &S::log_format,
   "Form of the log on stderr"},
  {"log-level", T::kChoice, "info", "debug|info|warning|error", 0, 0, "debug|info|warning|error",
   &S::log_level,
   "Least level that is logged"},
  {"memory-budget", T::kBytes, "0", "SIZE", 0, 1024 * 1024 * kGiB, "", &S::memory_budget_bytes,
   "Memory for all models together; 0 is half of the machine's"},
  {"model-memory", T::kBytes, "8GiB", "SIZE", 64 * kMiB, 1024 * 1024 * kGiB, "", &S::model_memory_bytes,
   "Memory that one model's process may take while it is imported or runs; what needs more fails alone"},
  {"cpu-tokens", T::kCount, "0", "N", 0, 4096, "", &S::cpu_tokens_count,
   "Models that run at the same time; 0 is one for each core"},
  {"per-request-body", T::kBytes, "10MiB", "SIZE", 1024, 1024 * kMiB, "", &S::per_request_body_bytes,
   "Largest request body of a per-request API, decompressed"},
  {"dedicated-body", T::kBytes, "64MiB", "SIZE", 1024, 1024 * kMiB, "", &S::dedicated_body_bytes,
   "Largest request body of a dedicated API, decompressed"},
  {"deadline", T::kDuration, "30s", "TIME", 1, kHourMs, "", &S::deadline_ms,
   "Longest time that a request may take; past it the work is stopped and the caller gets 504"},
  {"queue-limit", T::kCount, "128", "N", 1, 100'000, "", &S::queue_limit_count,
   "Requests of one API that may wait; more get 429"},
  {"per-request-cost", T::kCount, "67108864", "N", 1, std::int64_t{1} << 40, "", &S::per_request_cost_count,
   "A model may be published per request when its CostParameter is below this"},
  {"free-requests", T::kCount, "500", "N", 0, 1'000'000'000, "", &S::free_requests_count,
   "Requests of each per-request API that are free for an owner without a paid plan"},
  {"free-apis-per-month", T::kCount, "10", "N", 0, 1'000'000, "", &S::free_apis_per_month_count,
   "APIs that an owner without a paid plan may create in a month (UTC)"},
  {"versions-kept", T::kCount, "10", "N", 1, 1000, "", &S::versions_kept_count,
   "Versions of each API that are kept to roll back to, the one that serves included"},
  {"cors", T::kSwitch, "on", "on|off", 0, 0, "", &S::cors,
   "Answer browsers of other origins (CORS headers and preflight requests)"},
};
// clang-format on

}  // namespace

std::span<const OptionRow> option_rows() { return kRows; }

const OptionRow* find_option(std::string_view name) {
  for (const OptionRow& row : kRows)
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace noren::server
