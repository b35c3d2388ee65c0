// noren-worker: the zygote, started by noren. The only program that sees untrusted bytes, in sandboxed
// children.
#include <cstdio>

#include "worker/engine/engine.h"
#include "worker/media/media.h"
#include "worker/model_file/nnp/nnp.h"
#include "worker/sandbox/zygote.h"
#include "worker/session/model/model_parts.h"

namespace {

using noren::Ok;
using noren::Status;

/// Warm-ups that can't fail.
Status warm_up_media() {
  noren::worker::warm_up_media();
  return Ok{};
}
Status warm_up_model_files() {
  noren::worker::warm_up_nnp();
  return Ok{};
}

}  // namespace

int main(int count, char** arguments) {
  using namespace noren::worker;
  const auto parsed = parse_zygote_arguments(count, arguments);
  if (!parsed.ok()) {
    std::fprintf(stderr, "%s\n", parsed.error().text.c_str());
    return 2;
  }
  const SessionParts parts = model_parts();
  ZygoteOptions options;
  options.warm_ups = {
      {"media", ::warm_up_media}, {"model files", warm_up_model_files}, {"engine", warm_up_engine}};
  options.child = [&parts](Child child) { return live(std::move(child), parts); };
  return run_zygote(*parsed, options);
}
