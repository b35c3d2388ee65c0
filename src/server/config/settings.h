// server/config/settings.h - Settings: what `noren serve` was told, parsed and checked once.
// Made by options.h from the command line and the config file; read by app, on the main thread, before
// anything starts. Plain data: it reads no file and knows no default (those stand in the table of
// options.cpp).
#pragma once

#include <cstdint>
#include <string>

namespace noren::server {

struct Settings {
  std::string data;
  std::string listen;
  std::string admin_listen;  ///< empty: the management API shares `listen`
  std::string public_url;    ///< empty: made from `listen`
  std::string tls_cert;
  std::string tls_key;
  std::string worker;  ///< empty: noren-worker beside the server's own binary

  std::string gpu_runtime;            ///< folder of ONNX Runtime's GPU build; empty: none
  std::int64_t gpu_memory_bytes = 0;  ///< of one instance, on the device; 0: no limit

  std::string log_format;
  std::string log_level;

  std::int64_t model_memory_bytes = 0;
  std::int64_t memory_budget_bytes = 0;  ///< 0: half of the machine's memory
  std::int64_t cpu_tokens_count = 0;     ///< 0: one for each core

  std::int64_t per_request_body_bytes = 0;
  std::int64_t dedicated_body_bytes = 0;
  std::int64_t deadline_ms = 0;
  std::int64_t queue_limit_count = 0;
  std::int64_t per_request_cost_count = 0;  ///< a model qualifies for per request below this CostParameter

  std::int64_t free_requests_count = 0;
  std::int64_t free_apis_per_month_count = 0;
  std::int64_t versions_kept_count = 0;
  bool cors = false;
};

}  // namespace noren::server
