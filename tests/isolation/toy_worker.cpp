// The tests' noren-worker: the same zygote, sandbox and loops, with a toy in place of models.
#include <cstdio>

#include "toy.h"
#include "worker/sandbox/zygote.h"

int main(int count, char** arguments) {
  using namespace noren::worker;
  const auto parsed = parse_zygote_arguments(count, arguments);
  if (!parsed.ok()) {
    std::fprintf(stderr, "%s\n", parsed.error().text.c_str());
    return 2;
  }
  const SessionParts parts = toy_parts();
  ZygoteOptions options;
  options.child = [&parts](Child child) { return live(std::move(child), parts); };
  return run_zygote(*parsed, options);
}
