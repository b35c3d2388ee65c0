// worker/model_file/design.h - A network as it was drawn, for what counts and shows it.
// Made by read_nnp(), read by statistics. Plain data, any thread; never changed after it is read.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "worker/model_file/function.h"

namespace noren::worker {

/// A network as it was drawn: loops not expanded, nothing pruned. Statistics count this one. Unchecked:
/// inputs may name variables that are not there.
struct Design {
  struct Variable {
    Shape shape;  ///< as declared, with the batch as 1; empty or wrong where a tool wrote none
    bool is_parameter = false;
    bool is_initialized = false;  ///< declares how it begins ("working memory" where nothing writes it)
  };
  struct Layer {
    Function function;
    double turns_count = 1;  ///< how often its loops run it
  };
  std::string name;
  std::map<std::string, Variable, std::less<>> variables;
  std::vector<Layer> layers;
};

}  // namespace noren::worker
