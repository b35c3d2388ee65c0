// worker/model_file/nnp/loops.h - Unrolls RepeatStart/RepeatEnd, RecurrentInput/RecurrentOutput and Delay.
// Used by read_nnp() on its one thread. Private to this folder. Pure: raw network in, flat network out.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "worker/model_file/nnp/raw_model.h"

namespace noren::worker::nnp {

/// Counts the memory for names of all networks of a file together: a loop multiplies them.
class NamesBudget {
 public:
  Status spend(const std::string& name);
  Status spend(const Function& function);

 private:
  std::size_t spent_bytes_ = 0;
};

/// A network without loops. Functions stand in the file's order, turns one after the other.
struct FlatNetwork {
  const RawNetwork* raw = nullptr;
  std::map<std::string, const RawVariable*, std::less<>> variables;
  std::vector<Function> functions;
  /// Variables that only stand for another one (behind a RepeatStart, RepeatEnd or Delay): name → that other
  /// one.
  std::map<std::string, std::string, std::less<>> aliases;

  /// The variable that really holds the value. The name itself where it is no alias.
  const std::string& resolve(const std::string& name) const;
};

/// Turns of each loop, unchecked: repeat_info says them; RepeatEnd and RecurrentOutput say them again.
std::map<std::string, std::int64_t, std::less<>> loop_times_of(const RawNetwork& network);

/// `network` must outlive the result. Checks names (unique, defined, one writer each) and counts on the way.
///
/// Names of turns are those of the reference: 'A{R}/W' in turn 2 of loop R is 'A[2]/W'; a name without '{R}'
/// gets
/// '_R[2]' at its end; nested loops one after the other, in the order of the variable's repeat_id.
Result<FlatNetwork> unroll(const RawNetwork& network, NamesBudget& budget);

}  // namespace noren::worker::nnp
