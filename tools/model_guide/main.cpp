// Prints the tables of docs/guide/models.md from the registry of layers, so that the page can't fall behind
// the code.
// ./do docs writes the page, and a test compares it.
#include <cstdio>
#include <string>

#include "worker/translate/layer.h"

namespace {

using noren::worker::LayerDefinition;
using noren::worker::NamedFamily;
using noren::worker::Randomness;
using noren::worker::Rows;

std::string exactness(const LayerDefinition& layer) {
  if (!layer.note.empty()) return std::string(layer.note);
  return layer.randomness == Randomness::kDraws ? "drawn afresh for each request" : "exact";
}

const char* batching(const LayerDefinition& layer) {
  if (layer.randomness == Randomness::kDraws) return "no";
  switch (layer.rows) {
    case Rows::kIndependent: return "yes";
    case Rows::kByArguments: return "depends on its arguments";
    case Rows::kDependent: return "no";
  }
  return "no";
}

}  // namespace

int main() {
  std::puts("| layer | answer | shares a run with other requests |\n| --- | --- | --- |");
  for (const NamedFamily& family : noren::worker::all_families()) {
    std::printf("| **%.*s** | | |\n", static_cast<int>(family.name.size()), family.name.data());
    for (const LayerDefinition& layer : family.layers)
      std::printf("| %.*s | %s | %s |\n", static_cast<int>(layer.type.size()), layer.type.data(),
                  exactness(layer).c_str(), batching(layer));
  }
  std::puts("\n## Layers that can't be published\n\n| layer | why |\n| --- | --- |");
  for (const auto& refusal : noren::worker::all_refusals())
    std::printf("| %.*s | %.*s |\n", static_cast<int>(refusal.type.size()), refusal.type.data(),
                static_cast<int>(refusal.why.size()), refusal.why.data());
  return 0;
}
