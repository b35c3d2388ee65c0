#include "worker/model_file/function.h"

#include <utility>

#include "base/check.h"

namespace noren::worker {
namespace {

template <typename T>
const T& require(const Argument* argument) {
  CHECK(argument != nullptr);
  const T* value = std::get_if<T>(argument);
  CHECK(value != nullptr);
  return *value;
}

}  // namespace

const Argument* Arguments::find(std::string_view name) const {
  if (values_ == nullptr) return nullptr;
  const auto found = values_->find(name);
  return found == values_->end() ? nullptr : &found->second;
}

bool Arguments::boolean(std::string_view name) const { return require<bool>(find(name)); }
std::int64_t Arguments::integer(std::string_view name) const { return require<std::int64_t>(find(name)); }
double Arguments::real(std::string_view name) const { return require<double>(find(name)); }
const std::string& Arguments::text(std::string_view name) const { return require<std::string>(find(name)); }
const std::vector<std::int64_t>& Arguments::integers(std::string_view name) const {
  return require<std::vector<std::int64_t>>(find(name));
}
const std::vector<double>& Arguments::reals(std::string_view name) const {
  return require<std::vector<double>>(find(name));
}

bool Arguments::has(std::string_view name) const {
  const Argument* argument = find(name);
  CHECK(argument != nullptr);
  if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(argument)) return !numbers->empty();
  if (const auto* numbers = std::get_if<std::vector<double>>(argument)) return !numbers->empty();
  return !require<std::vector<std::string>>(argument).empty();
}

bool Arguments::defines(std::string_view name) const { return find(name) != nullptr; }

Arguments& Arguments::set(std::string_view name, Argument value) {
  if (values_ == nullptr) values_ = std::make_shared<Values>();
  if (values_.use_count() > 1) values_ = std::make_shared<Values>(*values_);
  values_->insert_or_assign(std::string(name), std::move(value));
  return *this;
}

}  // namespace noren::worker
