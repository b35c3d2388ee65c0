#include "worker/model_file/function.h"

#include <utility>

#include "base/check.h"

namespace noren::worker {
namespace {

template <typename T>
const T& find(const std::map<std::string, Argument, std::less<>>& values, std::string_view name) {
  const auto found = values.find(name);
  CHECK(found != values.end());
  const T* value = std::get_if<T>(&found->second);
  CHECK(value != nullptr);
  return *value;
}

}  // namespace

bool Arguments::boolean(std::string_view name) const { return find<bool>(values_, name); }
std::int64_t Arguments::integer(std::string_view name) const { return find<std::int64_t>(values_, name); }
double Arguments::real(std::string_view name) const { return find<double>(values_, name); }
const std::string& Arguments::text(std::string_view name) const { return find<std::string>(values_, name); }
const std::vector<std::int64_t>& Arguments::integers(std::string_view name) const {
  return find<std::vector<std::int64_t>>(values_, name);
}
const std::vector<double>& Arguments::reals(std::string_view name) const {
  return find<std::vector<double>>(values_, name);
}

bool Arguments::has(std::string_view name) const {
  const auto found = values_.find(name);
  CHECK(found != values_.end());
  if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&found->second)) return !numbers->empty();
  if (const auto* numbers = std::get_if<std::vector<double>>(&found->second)) return !numbers->empty();
  const auto* texts = std::get_if<std::vector<std::string>>(&found->second);
  CHECK(texts != nullptr);
  return !texts->empty();
}

bool Arguments::defines(std::string_view name) const { return values_.contains(name); }

Arguments& Arguments::set(std::string_view name, Argument value) {
  values_.insert_or_assign(std::string(name), std::move(value));
  return *this;
}

}  // namespace noren::worker
